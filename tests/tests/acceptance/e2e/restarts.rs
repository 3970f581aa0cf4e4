//! Rolling restarts under load: with two replicas of each service, clients notice nothing.

use std::thread::sleep;
use std::time::{Duration, Instant};

use acceptance::clients::Clients;
use acceptance::cluster::{Cluster, Setup};
use acceptance::sf::Sf;
use serde_json::{Value, json};
use tempfile::tempdir;

/// Restarts of each service.
const RESTARTS: usize = 25;
/// A restart takes 0.5 s of looking away, the drain, and the start.
const SECONDS: u64 = 120;

#[test]
fn a_hundred_restarts_under_load_fail_no_request() {
    let folder = tempdir().unwrap();
    let mut cluster = Cluster::start_with(folder.path(), Setup { replicas: 2, ..Setup::default() });
    let remote = Sf::remote(&cluster.servers());
    let delivery = Sf::delivery(folder.path(), 400);
    remote.ok(&["run", delivery.to_str().unwrap(), "--batch", "2511"]);

    let asking = Clients::start(&cluster, SECONDS);
    // Our own client too, at a rate that two cores have room for.
    let seconds = SECONDS.to_string();
    let ours = remote.spawn(&["--format", "json", "load", "lists", "--rate", "20", "--seconds", &seconds]);

    let start = Instant::now();
    for restart in 0..RESTARTS {
        cluster.roll(restart % 2);
        // Less than the shortest readiness of a pod.
        sleep(Duration::from_secs(1));
    }
    let taken = start.elapsed();
    assert!(taken < Duration::from_secs(SECONDS), "the restarts took {taken:?}: they were not all under load");

    asking.end(1_000);
    let output = ours.wait_with_output().unwrap();
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(found["errors"], json!(0), "{found} {}", String::from_utf8_lossy(&output.stderr));
}
