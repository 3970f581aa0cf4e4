//! The version before this one and this one side by side, as during an upgrade and during a rollback: clients notice nothing, and each
//! reads what the other stored. `make upgrade` builds the other version and runs this.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use acceptance::cluster::{Cluster, Setup};
use acceptance::python;
use acceptance::sf::Sf;
use serde_json::{Value, json};
use tempfile::tempdir;

use crate::e2e::list;

const SERVICES: [&str; 4] = ["ingestion", "feature-store", "training", "scoring"];
/// How long clients ask: an upgrade and a rollback of four services fit in.
const SECONDS: u64 = 60;

#[test]
fn two_versions_work_beside_each_other() {
    let previous =
        std::env::var_os("SF_PREVIOUS").map(PathBuf::from).expect("SF_PREVIOUS names the `sf` before this one: run `make upgrade`");
    let folder = tempdir().unwrap();
    let first = Sf::delivery(folder.path(), 400);
    let second = folder.path().join("delivery-2512");
    Sf::embedded(folder.path()).ok(&["datagen", "--out", second.to_str().unwrap(), "--companies", "400", "--seed", "7", "--batch", "2512"]);

    let setup = Setup { replicas: 2, previous: Some(previous.clone()), ..Setup::default() };
    let mut cluster = Cluster::start_with(folder.path(), setup);
    let new = Sf::remote(&cluster.servers());
    let old = new.clone().by(&previous);
    old.ok(&["run", first.to_str().unwrap(), "--batch", "2511"]);
    assert_eq!(list(&old, folder.path(), "old.csv"), list(&new, folder.path(), "new.csv"));

    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/python/restart_client.py");
    let named = SERVICES.map(|service| format!("{service}={}", cluster.addresses(service).join(",")));
    let mut command = Command::new(python());
    let asking = command.args([script, &SECONDS.to_string()]).args(&named).stdout(Stdio::piped()).spawn().unwrap();
    let start = Instant::now();
    std::thread::sleep(Duration::from_secs(2));
    cluster.change_version(None);
    cluster.change_version(Some(previous));
    let taken = start.elapsed();
    assert!(taken < Duration::from_secs(SECONDS), "the changes took {taken:?}: they were not all under load");
    let output = asking.wait_with_output().unwrap();
    assert!(output.status.success());
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(found["failures"], json!({}), "{found}");
    for service in SERVICES {
        assert!(found["counts"][service].as_u64().unwrap() > 500, "{found}");
    }

    // A month by both versions again, and the next one by this version alone.
    new.ok(&["run", second.to_str().unwrap(), "--batch", "2512", "--allow-degraded"]);
    let mixed = list(&old, folder.path(), "mixed.csv");
    assert_eq!(mixed, list(&new, folder.path(), "same.csv"));
    cluster.change_version(None);
    new.ok(&["features", "build", "--batch", "2512"]);
    new.ok(&["score", "--batch", "2512"]);
    new.ok(&["lists", "publish", "2512"]);
    assert_eq!(mixed, list(&new, folder.path(), "after.csv"), "this version alone makes another list than both together");
}
