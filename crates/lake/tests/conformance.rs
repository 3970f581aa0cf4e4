//! What every backend must do. The same suite runs on a folder and on a real S3 store.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use bytes::Bytes;
use domain::records::{CompanyHeadcount, Debit, Record};
use domain::time_rules::TimeRules;
use domain::{BatchKey, Cents, Siren};
use futures::TryStreamExt;
use lake::tables::{RejectRow, Stored};
use lake::testing::{S3, skip_servers};
use lake::{Lake, LakeError, LakeOptions, TableRow};

fn batch(text: &str) -> BatchKey {
    text.parse().unwrap()
}

fn headcount(number: u32, headcount: u32) -> Stored<CompanyHeadcount> {
    let row = CompanyHeadcount { siren: Siren::from_number(number).unwrap(), month: "2025-01".parse().unwrap(), headcount };
    Stored { known_at: row.known_at(&TimeRules::default()), row }
}

async fn rows(lake: &Lake, key: &str) -> Vec<Stored<CompanyHeadcount>> {
    lake.table::<Stored<CompanyHeadcount>>().scan(batch(key), None).await.unwrap().try_concat().await.unwrap()
}

async fn write(lake: &Lake, key: &str, rows: Vec<Stored<CompanyHeadcount>>) -> i64 {
    let mut writer = lake.table::<Stored<CompanyHeadcount>>().writer(batch(key));
    writer.write(rows).await.unwrap();
    writer.commit().await.unwrap()
}

async fn pointers_change_by_compare_and_swap(lake: &Lake) {
    let pointers = lake.pointers();
    assert!(pointers.read::<u32>("champion").await.unwrap().is_none());
    let first = pointers.compare_and_swap("champion", None, &1u32).await.unwrap();
    assert!(matches!(pointers.compare_and_swap("champion", None, &2u32).await, Err(LakeError::Conflict(_))));
    let second = pointers.compare_and_swap("champion", Some(&first), &2u32).await.unwrap();
    assert!(matches!(pointers.compare_and_swap("champion", Some(&first), &3u32).await, Err(LakeError::Conflict(_))));
    assert_eq!(pointers.read::<u32>("champion").await.unwrap(), Some((2, second)));
    assert_eq!(pointers.list("cham").await.unwrap(), ["champion"]);

    // Of many writers that add one each, none is lost.
    let increments = (0..8).map(|_| async {
        loop {
            let (value, version) = lake.pointers().read::<u32>("counter").await.unwrap().map_or((0, None), |(v, e)| (v, Some(e)));
            match lake.pointers().compare_and_swap("counter", version.as_ref(), &(value + 1)).await {
                Ok(_) => break,
                Err(LakeError::Conflict(_)) => {}
                Err(error) => panic!("{error}"),
            }
        }
    });
    futures::future::join_all(increments).await;
    assert_eq!(lake.pointers().read::<u32>("counter").await.unwrap().unwrap().0, 8);
}

async fn objects_never_change(lake: &Lake) {
    let objects = lake.objects();
    objects.put_new("models/a/model.txt", Bytes::from_static(b"one")).await.unwrap();
    objects.put_new("models/a/model.txt", Bytes::from_static(b"one")).await.unwrap();
    assert!(matches!(objects.put_new("models/a/model.txt", Bytes::from_static(b"two")).await, Err(LakeError::Immutable(_))));
    assert_eq!(objects.get("models/a/model.txt").await.unwrap(), "one");
    assert!(matches!(objects.get("models/b").await, Err(LakeError::NotFound(_))));
    assert_eq!(objects.list("models").await.unwrap(), ["models/a/model.txt"]);
    objects.delete("models/a/model.txt").await.unwrap();
    assert!(!objects.exists("models/a/model.txt").await.unwrap());
}

async fn names_are_taken_as_they_are(lake: &Lake) {
    let objects = lake.objects();
    for path in ["names/délais 100%.csv", "names/a~b[1]+c.txt", "names/x#y"] {
        objects.put_new(path, Bytes::from_static(b"content")).await.unwrap();
        assert!(objects.list("names").await.unwrap().contains(&path.to_owned()), "{path}");
        assert_eq!(objects.get(path).await.unwrap(), "content", "{path}");
        let first = lake.pointers().compare_and_swap(path, None, &1u32).await.unwrap();
        assert_eq!(lake.pointers().read::<u32>(path).await.unwrap(), Some((1, first)), "{path}");
    }
    for path in ["../a", "a/../../b", "a//b"] {
        assert!(objects.put(path, Bytes::new()).await.is_err(), "{path}");
        assert!(lake.versioned(path).compare_and_swap(None, &1u32).await.is_err(), "{path}");
    }
}

async fn large_files_go_in_parts_and_broken_ones_leave_nothing(lake: &Lake) {
    let piece = Bytes::from(vec![7; 3_000_000]);
    let pieces = || (0..7).map(|_| Ok(piece.clone()));
    let size = lake.objects().put_stream::<std::io::Error>("large", futures::stream::iter(pieces())).await.unwrap();
    assert_eq!((size, lake.objects().get("large").await.unwrap().len()), (21_000_000, 21_000_000));
    let broken = pieces().chain([Err(std::io::Error::other("cut"))]);
    assert!(lake.objects().put_stream("broken", futures::stream::iter(broken)).await.is_err());
    assert!(!lake.objects().exists("broken").await.unwrap());
}

async fn raw_files_are_kept_and_their_digest_known(lake: &Lake) {
    let put = |content: &'static str| {
        let pieces = content.as_bytes().chunks(3).map(|piece| Ok::<_, std::io::Error>(Bytes::from_static(piece))).collect::<Vec<_>>();
        async move { lake.raw().put(batch("2511"), "a.csv", None, futures::stream::iter(pieces)).await.unwrap() }
    };
    let first = put("siren;x").await;
    assert_eq!((first.size, first.sha256.len()), (7, 64));
    assert_eq!(put("siren;x").await, first, "the same content is stored once");
    let second = put("siren;y").await;
    assert_ne!(second.path, first.path);
    assert!(lake.objects().exists(&first.path).await.unwrap(), "what was received is never lost");
    let read: Vec<Bytes> = lake.raw().open(batch("2511"), "a.csv").await.unwrap().try_collect().await.unwrap();
    assert_eq!(read.concat(), b"siren;y");
    let nothing = futures::stream::iter(Vec::<Result<Bytes, std::io::Error>>::new());
    assert!(lake.raw().put(batch("2511"), "../evil", None, nothing).await.is_err());
}

async fn a_batch_is_replaced_exactly(lake: &Lake) {
    write(lake, "2510", vec![headcount(3, 30)]).await;
    write(lake, "2511", vec![headcount(2, 20), headcount(1, 10), headcount(2, 21)]).await;
    assert_eq!(rows(lake, "2511").await, [headcount(1, 10), headcount(2, 20), headcount(2, 21)], "sorted by company, stable within");
    write(lake, "2511", vec![headcount(9, 90)]).await;
    assert_eq!(rows(lake, "2511").await, [headcount(9, 90)]);
    assert_eq!(rows(lake, "2510").await, [headcount(3, 30)], "the other batch is untouched");

    let mut abandoned = lake.table::<Stored<CompanyHeadcount>>().writer(batch("2511"));
    abandoned.write(vec![headcount(1, 1)]).await.unwrap();
    drop(abandoned);
    assert_eq!(rows(lake, "2511").await, [headcount(9, 90)], "nothing shows before the commit");

    let table = lake.table::<Stored<CompanyHeadcount>>();
    assert_eq!(table.batches().await.unwrap(), [batch("2510"), batch("2511")]);
    assert_eq!(table.count(batch("2511")).await.unwrap(), 1);
    assert!(lake.table::<RejectRow>().batches().await.unwrap().is_empty());
}

async fn concurrent_writers_do_not_mix(lake: &Lake) {
    let keys: Vec<String> = (1..=8).map(|month| format!("24{month:02}")).collect();
    futures::future::join_all(keys.iter().enumerate().map(|(i, key)| write(lake, key, vec![headcount(i as u32 + 1, 1)]))).await;
    for (i, key) in keys.iter().enumerate() {
        assert_eq!(rows(lake, key).await, [headcount(i as u32 + 1, 1)], "{key}");
    }
    let same = |first: u32| write(lake, "2409", (0..100).map(|i| headcount(first + i, first)).collect());
    futures::join!(same(1_000), same(2_000));
    let left = rows(lake, "2409").await;
    assert_eq!(left.len(), 100, "one writer's rows, never both");
    assert!(left.iter().all(|row| row.row.headcount == left[0].row.headcount));
}

async fn ranges_read_their_companies_only(lake: &Lake) {
    let all: Vec<_> = (0..100_000u32).rev().map(|number| headcount(number, number)).collect();
    write(lake, "2301", all).await;
    let siren = |number| Siren::from_number(number).unwrap();
    let partition = lake.table::<Stored<CompanyHeadcount>>().partition(batch("2301")).await.unwrap();
    let range: Vec<_> = partition.scan(Some(siren(40_000)..=siren(40_009))).unwrap().try_concat().await.unwrap();
    assert_eq!(range.iter().map(|row| row.siren().number()).collect::<Vec<_>>(), (40_000..40_010).collect::<Vec<_>>());
    let none: Vec<_> = partition.scan(Some(siren(200_000)..=siren(300_000))).unwrap().try_concat().await.unwrap();
    assert!(none.is_empty());
}

async fn every_kind_of_column_is_read_back(lake: &Lake) {
    let debit = Debit {
        siret: "73282932000074".parse().unwrap(),
        account: "111982477292496174".into(),
        period: domain::UrssafPeriod::parse(b"201662").unwrap(),
        gap_number: "101".into(),
        history_number: 2,
        treated_on: domain::dates::parse_iso(b"2020-03-21").unwrap(),
        employee_part: Cents(-5),
        employer_part: Cents(12_345),
        account_state: None,
        procol_code: "".into(),
        operation_code: "2".into(),
        reason_code: "16".into(),
        appeal: true,
    };
    let stored = Stored { known_at: debit.known_at(&TimeRules::default()), row: debit };
    let mut writer = lake.table::<Stored<Debit>>().writer(batch("2511"));
    writer.write(vec![stored.clone()]).await.unwrap();
    writer.commit().await.unwrap();
    let read: Vec<Stored<Debit>> = lake.table::<Stored<Debit>>().scan(batch("2511"), None).await.unwrap().try_concat().await.unwrap();
    assert_eq!(read, [stored]);
}

async fn suite(lake: &Lake) {
    pointers_change_by_compare_and_swap(lake).await;
    objects_never_change(lake).await;
    names_are_taken_as_they_are(lake).await;
    large_files_go_in_parts_and_broken_ones_leave_nothing(lake).await;
    raw_files_are_kept_and_their_digest_known(lake).await;
    a_batch_is_replaced_exactly(lake).await;
    concurrent_writers_do_not_mix(lake).await;
    ranges_read_their_companies_only(lake).await;
    every_kind_of_column_is_read_back(lake).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_folder_conforms() {
    let folder = tempfile::tempdir().unwrap();
    suite(&Lake::open(folder.path().to_str().unwrap(), &LakeOptions::default()).unwrap()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_s3_store_conforms() {
    if skip_servers() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let server = S3::start(folder.path());
    suite(&Lake::open("s3://signaux/some/root", &server.options).unwrap()).await;
}
