//! The conformance suite on each implementation, and what happens when Redis is away.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use domain::Siren;
use lake::{Lake, LakeOptions};
use online_store::{Embedded, Online, Published, RedisStore, VectorBlob, conformance, snapshot};

struct Redis(Child, u16);

impl Redis {
    fn start() -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        Self::start_on(port)
    }

    fn start_on(port: u16) -> Self {
        let mut command = Command::new("redis-server");
        command.args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--port"]).arg(port.to_string());
        let process = command.stdout(Stdio::null()).spawn().expect("redis-server is installed: run `make setup`");
        let start = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(start.elapsed() < Duration::from_secs(20));
            std::thread::sleep(Duration::from_millis(20));
        }
        Self(process, port)
    }

    fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.1)
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn skip() -> bool {
    std::env::var_os("SF_SKIP_SERVERS").is_some_and(|value| value == "1")
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

#[tokio::test]
async fn a_dead_redis_makes_replies_stale_and_its_return_heals_them() {
    if skip() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let lake = Lake::open(folder.path().to_str().unwrap(), &LakeOptions::default()).unwrap();
    let redis = Redis::start();
    let (url, port) = (redis.url(), redis.1);
    let online = Online::open(lake.clone(), Some(&url)).await.unwrap();

    let siren = Siren::from_number(732_829_320).unwrap();
    let (batch, month) = ("2511".parse().unwrap(), "2025-10".parse().unwrap());
    let blob = VectorBlob { schema_hash: 1, batch, month, status: 0, values: vec![1.0] }.encode();
    let vectors = vec![(siren, blob.clone())];
    let generation = snapshot::write(&lake, batch, &vectors).await.unwrap();
    online.publish(&generation, &vectors).await.unwrap();
    let published = Published { generation, batch, month, schema_hash: "1".into(), companies: 1, features_version: 0 };
    published.point(&lake).await.unwrap();

    let get = || async { online.get(&[siren]).await.unwrap() };
    assert!(!get().await.stale);
    drop(redis);
    let fetched = get().await;
    assert!(fetched.stale);
    assert_eq!(fetched.blobs, [Some(blob.clone())]);

    let _again = Redis::start_on(port);
    online.publish(&published.generation, &vectors).await.unwrap();
    let start = Instant::now();
    while get().await.stale {
        assert!(start.elapsed() < Duration::from_secs(10), "never recovered");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
