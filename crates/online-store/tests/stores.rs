//! The conformance suite on each implementation, publications under load, and what happens when Redis goes away.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use domain::Siren;
use futures::{StreamExt, stream};
use lake::{Lake, LakeOptions};
use online_store::testing::{Redis, RedisCluster};
use online_store::{Embedded, Online, OnlineStore, Published, RedisStore, Role, VectorBlob, conformance, snapshot};
use tempfile::TempDir;

fn skip() -> bool {
    std::env::var_os("SF_SKIP_SERVERS").is_some_and(|value| value == "1")
}

fn lake() -> (TempDir, Lake) {
    let folder = tempfile::tempdir().unwrap();
    let lake = Lake::open(folder.path().to_str().unwrap(), &LakeOptions::default()).unwrap();
    (folder, lake)
}

/// A vector of each of so many companies, which all say the same number.
fn vectors(companies: u32, says: f32) -> Vec<(Siren, Bytes)> {
    let blob =
        VectorBlob { schema_hash: 1, batch: "2511".parse().unwrap(), month: "2025-10".parse().unwrap(), status: 0, values: vec![says; 20] };
    let blob = blob.encode();
    (1..=companies).map(|number| (Siren::from_number(number * 7_919).unwrap(), blob.clone())).collect()
}

/// Writes a snapshot and points to it, as a build does after it filled Redis.
async fn published(lake: &Lake, vectors: &[(Siren, Bytes)]) -> String {
    let (batch, month) = ("2511".parse().unwrap(), "2025-10".parse().unwrap());
    let generation = snapshot::write(lake, batch, vectors).await.unwrap();
    let companies = vectors.len() as u64;
    let published = Published { generation: generation.clone(), batch, month, schema_hash: "1".into(), companies, features_version: 0 };
    published.point(lake).await.unwrap();
    generation
}

#[tokio::test]
async fn the_embedded_store_conforms() {
    conformance::suite(&Embedded::default()).await;
}

#[tokio::test]
async fn redis_conforms() {
    if skip() {
        return;
    }
    let redis = Redis::start();
    conformance::suite(&RedisStore::connect(&redis.url()).unwrap()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_cluster_conforms() {
    if skip() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let cluster = RedisCluster::start(folder.path());
    conformance::suite(&RedisStore::connect(&cluster.url()).unwrap()).await;
}

#[tokio::test]
async fn earlier_generations_expire_and_the_current_one_lasts() {
    if skip() {
        return;
    }
    let redis = Redis::start();
    let store = RedisStore::connect(&redis.url()).unwrap();
    for generation in ["old", "new"] {
        store.publish(generation, stream::iter(vectors(100, 1.0)).boxed()).await.unwrap();
    }
    let (mut minutes, mut months) = (0, 0);
    for key in redis.command(&["KEYS", "sf:*"]).lines() {
        let seconds: i64 = redis.command(&["TTL", key]).trim().parse().unwrap();
        if key == "sf:current" {
            continue;
        }
        let expected = if key.contains(":old") { 1..=300 } else { 1_000_000..=6_480_000 };
        assert!(expected.contains(&seconds), "{key} lives {seconds} s");
        *(if key.contains(":old") { &mut minutes } else { &mut months }) += 1;
    }
    assert_eq!(minutes, months);
    assert_eq!(minutes, 101, "a key a company, and their list");
}

/// Readers that never stop until told: how many replies they had, how many of them stale.
struct Load {
    stop: Arc<AtomicBool>,
    stale: Arc<AtomicU64>,
    replies: Arc<AtomicU64>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

impl Load {
    /// Reads all companies in a loop; every reply must be whole and unmixed.
    fn start(online: &Online, readers: usize, sirens: &[Siren]) -> Self {
        let (stop, stale, replies): (Arc<AtomicBool>, Arc<AtomicU64>, Arc<AtomicU64>) = Default::default();
        let reader = |_| {
            let (online, sirens) = (online.clone(), sirens.to_vec());
            let (stop, stale, replies) = (stop.clone(), stale.clone(), replies.clone());
            tokio::spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    let fetched = online.get(&sirens).await.expect("a reply");
                    let said: BTreeSet<u32> = fetched
                        .blobs
                        .iter()
                        .map(|blob| VectorBlob::decode(blob.as_ref().expect("every company")).expect("a vector").values[0].to_bits())
                        .collect();
                    assert_eq!(said.len(), 1, "a reply of two generations");
                    stale.fetch_add(u64::from(fetched.stale), Ordering::Relaxed);
                    replies.fetch_add(1, Ordering::Relaxed);
                    tokio::task::yield_now().await;
                }
            })
        };
        let tasks = (0..readers).map(reader).collect();
        Self { stop, stale, replies, tasks }
    }

    /// Replies so far, and those that were stale.
    fn counts(&self) -> (u64, u64) {
        (self.replies.load(Ordering::Relaxed), self.stale.load(Ordering::Relaxed))
    }

    async fn stop(self) {
        self.stop.store(true, Ordering::Relaxed);
        for task in self.tasks {
            task.await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_publications_under_load_show_no_error_and_no_mixture() {
    if skip() {
        return;
    }
    let (redis, (_folder, lake)) = (Redis::start(), lake());
    let online = Online::open(lake, Some(&redis.url()), Role::Reader).await.unwrap();
    let first = vectors(50, 0.0);
    online.publish("g0", &first).await.unwrap();
    let sirens: Vec<Siren> = first.iter().map(|(siren, _)| *siren).collect();
    let load = Load::start(&online, 4, &sirens);
    for round in 1..=1_000u16 {
        online.publish(&format!("g{round}"), &vectors(50, f32::from(round))).await.unwrap();
    }
    let (replies, stale) = load.counts();
    load.stop().await;
    assert!(replies > 1_000, "only {replies} replies");
    assert_eq!(stale, 0);
}

/// Waits until `is` holds.
#[track_caller]
fn within(seconds: u64, what: &str, mut is: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is() {
        assert!(start.elapsed() < Duration::from_secs(seconds), "not within {seconds} s: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_killed_under_load_costs_no_reply_and_is_filled_again_when_it_returns() {
    if skip() {
        return;
    }
    let (redis, (_folder, lake)) = (Redis::start(), lake());
    let vectors = vectors(200, 1.0);
    let sirens: Vec<Siren> = vectors.iter().map(|(siren, _)| *siren).collect();
    let keeper = Online::open(lake.clone(), Some(&redis.url()), Role::Keeper).await.unwrap();
    let generation = published(&lake, &vectors).await;
    keeper.publish(&generation, &vectors).await.unwrap();
    let reader = Online::open(lake, Some(&redis.url()), Role::Reader).await.unwrap();
    let load = Load::start(&reader, 2, &sirens);
    within(5, "replies from Redis", || load.counts().0 > 100);
    assert_eq!(load.counts().1, 0);

    let (url, port) = (redis.url(), redis.port());
    drop(redis);
    within(5, "stale replies while Redis is away", || load.counts().1 > 100);
    // It comes back without anything in it: the keeper fills it, the reader notices.
    let redis = Redis::start_on(port);
    assert_eq!(redis.url(), url);
    let fresh = || {
        let before = load.counts();
        std::thread::sleep(Duration::from_millis(100));
        let after = load.counts();
        after.0 > before.0 && after.1 == before.1
    };
    within(5, "fresh replies after its return", fresh);
    assert_eq!(redis.command(&["GET", "sf:current"]).trim(), generation);
    load.stop().await;
}

#[tokio::test]
async fn what_was_published_meanwhile_is_not_replaced_by_a_filling() {
    if skip() {
        return;
    }
    let (redis, (_folder, lake)) = (Redis::start(), lake());
    let old = vectors(10, 1.0);
    published(&lake, &old).await;
    // Something newer is in Redis than what the pointer of the lake says: a build is about to move it.
    let store = RedisStore::connect(&redis.url()).unwrap();
    store.publish("newer", stream::iter(vectors(10, 2.0)).boxed()).await.unwrap();
    let keeper = Online::open(lake, Some(&redis.url()), Role::Keeper).await.unwrap();
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    let fetched = keeper.get(&[old[0].0]).await.unwrap();
    assert!(!fetched.stale);
    assert_eq!(VectorBlob::decode(fetched.blobs[0].as_ref().unwrap()).unwrap().values[0], 2.0);
    assert_eq!(redis.command(&["GET", "sf:current"]).trim(), "newer");
}
