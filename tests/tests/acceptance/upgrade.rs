//! The version before this one and this one side by side, as during an upgrade and during a rollback: clients notice nothing, and each
//! reads what the other stored. `make upgrade` builds the other version and runs this.

use std::path::PathBuf;
use std::thread::sleep;
use std::time::{Duration, Instant};

use acceptance::clients::Clients;
use acceptance::cluster::{Cluster, Setup};
use acceptance::sf::Sf;
use tempfile::tempdir;

use crate::e2e::list;

/// How long a replica may not have seen what another one published (`follow_milliseconds`), and a little.
const FOLLOWED: Duration = Duration::from_secs(3);
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
    sleep(FOLLOWED);
    assert_same(&list(&old, folder.path(), "old.csv"), &list(&new, folder.path(), "new.csv"));

    let asking = Clients::start(&cluster, SECONDS);
    let start = Instant::now();
    sleep(Duration::from_secs(2));
    cluster.change_version(None);
    cluster.change_version(Some(previous));
    let taken = start.elapsed();
    assert!(taken < Duration::from_secs(SECONDS), "the changes took {taken:?}: they were not all under load");
    asking.end(500);

    // A month by both versions again, and the next one by this version alone.
    new.ok(&["run", second.to_str().unwrap(), "--batch", "2512", "--allow-degraded"]);
    sleep(FOLLOWED);
    let mixed = list(&old, folder.path(), "mixed.csv");
    assert_same(&mixed, &list(&new, folder.path(), "same.csv"));
    cluster.change_version(None);
    new.ok(&["features", "build", "--batch", "2512"]);
    new.ok(&["score", "--batch", "2512"]);
    new.ok(&["lists", "publish", "2512"]);
    sleep(FOLLOWED);
    assert_same(&mixed, &list(&new, folder.path(), "after.csv"));
}

/// Two lists are the same, or else which line is the first that is not.
fn assert_same(one: &[u8], other: &[u8]) {
    let lines = |list: &[u8]| String::from_utf8(list.to_vec()).unwrap().lines().map(str::to_owned).collect::<Vec<_>>();
    let (one, other) = (lines(one), lines(other));
    for (one, other) in one.iter().zip(&other) {
        assert_eq!(one, other);
    }
    assert_eq!(one.len(), other.len());
}
