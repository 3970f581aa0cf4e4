//! Documents on stores that fail, and names that are no names.

use std::time::Duration;

use crate::faults::{Fault, Faulty};
use crate::{Lake, LakeError, LakeOptions};

#[tokio::test]
async fn a_missing_bucket_is_an_error_not_a_conflict() {
    let (lake, store) = Faulty::lake();
    store.fail("pointers", Fault::NoBucket);
    let swapped = lake.pointers().compare_and_swap("champion", None, &1u32).await;
    assert!(!matches!(swapped, Ok(_) | Err(LakeError::Conflict(_))), "who retries conflicts would loop for ever: {swapped:?}");
    (0..10_000).for_each(|_| store.fail("pointers", Fault::NoBucket));
    let lake_ = lake.clone();
    let set = tokio::time::timeout(Duration::from_secs(5), async move { lake_.pointers().set("champion", &1u32).await }).await;
    assert!(matches!(set, Ok(Err(_))), "{set:?}");
}

#[tokio::test]
async fn no_document_is_written_outside_of_the_root() {
    let outside = tempfile::tempdir().unwrap();
    let root = outside.path().join("root");
    let lake = Lake::open(root.to_str().unwrap(), &LakeOptions::default()).unwrap();
    for path in ["../escaped", "pointers/../../escaped", "operations/./x"] {
        assert!(lake.versioned(path).compare_and_swap(None, &1u32).await.is_err(), "{path}");
    }
    assert!(!outside.path().join("escaped").exists());
}

#[tokio::test]
async fn unusual_names_are_read_back_listed_and_swapped() {
    let folder = tempfile::tempdir().unwrap();
    let lake = Lake::open(folder.path().to_str().unwrap(), &LakeOptions::default()).unwrap();
    for name in ["délai 100%", "a~b", "x[1]"] {
        let first = lake.pointers().compare_and_swap(name, None, &1u32).await.unwrap();
        assert_eq!(lake.pointers().read::<u32>(name).await.unwrap(), Some((1, first.clone())), "{name}");
        lake.pointers().compare_and_swap(name, Some(&first), &2u32).await.unwrap();
        assert!(lake.pointers().list("").await.unwrap().contains(&name.to_owned()), "{name}");
    }
}

#[tokio::test]
async fn a_file_address_is_decoded_and_its_secret_hidden() {
    let folder = tempfile::tempdir().unwrap();
    let spaced = folder.path().join("a b");
    let first = Lake::open(spaced.to_str().unwrap(), &LakeOptions::default()).unwrap();
    first.pointers().set("p", &7u32).await.unwrap();
    let again = Lake::open(first.url().as_str(), &LakeOptions::default()).unwrap();
    assert_eq!(again.pointers().read::<u32>("p").await.unwrap().map(|(value, _)| value), Some(7));
    let mut options = LakeOptions::default();
    options.s3.secret_access_key = Some("hush".into());
    assert!(!format!("{options:?}").contains("hush"));
}
