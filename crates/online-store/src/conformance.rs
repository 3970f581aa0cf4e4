//! What every [`OnlineStore`] must do. The tests of each implementation call [`suite`].

use bytes::Bytes;
use domain::Siren;
use futures::StreamExt;

use crate::{OnlineStore, VectorBlob};

fn vectors(count: u32, status: u8) -> Vec<(Siren, Bytes)> {
    let blob = |number: u32| VectorBlob {
        schema_hash: 1,
        batch: domain::BatchKey::of_month(MONTH).unwrap_or_else(|| unreachable!()),
        month: MONTH,
        status,
        values: vec![number as f32, f32::NAN],
    };
    (1..=count).filter_map(|number| Some((Siren::from_number(number)?, blob(number).encode()))).collect()
}

const MONTH: domain::Month = match domain::Month::new(2025, 11) {
    Some(month) => month,
    None => unreachable!(),
};

/// Runs the suite on an empty store.
///
/// # Panics
/// When the store does not conform.
#[allow(clippy::expect_used, clippy::missing_panics_doc)]
pub async fn suite(store: &dyn OnlineStore) {
    let asked: Vec<Siren> = [3, 1, 999_999_999].into_iter().filter_map(Siren::from_number).collect();

    // Nothing published: nothing found, no error.
    assert_eq!(store.generation().await.expect("a generation"), None);
    let nothing = store.get(&asked).await.expect("an answer");
    assert_eq!((nothing.generation, nothing.blobs), (None, vec![None, None, None]));

    // A generation is found whole, in the order asked.
    let first = vectors(2_500, 1);
    assert_eq!(store.publish("g1", futures::stream::iter(first.clone()).boxed()).await.expect("published"), 2_500);
    let found = store.get(&asked).await.expect("an answer");
    assert_eq!(found.generation.as_deref(), Some("g1"));
    assert_eq!(found.blobs, [Some(first[2].1.clone()), Some(first[0].1.clone()), None]);

    // The next one replaces it whole: a company that left is gone.
    store.publish("g2", futures::stream::iter(vectors(2, 2)).boxed()).await.expect("published");
    let found = store.get(&asked).await.expect("an answer");
    assert_eq!(found.generation.as_deref(), Some("g2"));
    assert_eq!(found.blobs.iter().map(Option::is_some).collect::<Vec<_>>(), [false, true, false]);

    // While generations follow each other, no reply mixes two.
    let everybody: Vec<Siren> = (1..=50).filter_map(Siren::from_number).collect();
    let writer = async {
        for round in 0..20u8 {
            store.publish(&format!("r{round}"), futures::stream::iter(vectors(50, round)).boxed()).await.expect("published");
        }
    };
    let reader = async {
        for _ in 0..100 {
            let found = store.get(&everybody).await.expect("an answer");
            let statuses: std::collections::BTreeSet<u8> =
                found.blobs.iter().flatten().map(|blob| VectorBlob::decode(blob).expect("a vector").status).collect();
            assert!(statuses.len() <= 1, "mixed generations: {statuses:?}");
            tokio::task::yield_now().await;
        }
    };
    futures::join!(writer, reader);
}
