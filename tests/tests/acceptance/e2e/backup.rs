//! Everything is lost, and comes back from a copy.

use acceptance::cluster::Cluster;
use acceptance::sf::Sf;
use serde_json::Value;
use tempfile::tempdir;

use super::list;

#[test]
fn after_backup_wipe_and_restore_services_give_the_same_list_byte_for_byte() {
    let folder = tempdir().unwrap();
    let copies = folder.path().join("copies");
    let copies = copies.to_str().unwrap();
    let before = Cluster::start(&folder.path().join("before"));
    let sf = Sf::remote(&before.servers());
    let delivery = Sf::delivery(folder.path(), 400);
    sf.ok(&["run", delivery.to_str().unwrap(), "--batch", "2511"]);
    let expected = list(&sf, folder.path(), "before.csv");
    let siren = sf.json(&["lists", "show", "latest", "--limit", "1"])["entries"][0]["siren"].as_str().unwrap().to_owned();
    let explained = explained(&sf, &siren);
    // While the services run.
    let made = before.on_storage(["backup", "create", "--to", copies, "--name", "night"]);
    assert!(made[0]["objects"].as_u64().unwrap() > 50, "{made}");
    drop(before);

    // Another machine: another store, another Redis, nothing in them.
    let mut after = Cluster::start(&folder.path().join("after"));
    after.on_storage(["backup", "restore", "--from", copies, "--name", "night"]);
    after.kill_and_restart("scoring");
    let sf = Sf::remote(&after.servers());
    assert_eq!(list(&sf, folder.path(), "after.csv"), expected);
    assert_eq!(self::explained(&sf, &siren), explained);
    // And it goes on: the same batch again finds everything done.
    sf.ok(&["run", delivery.to_str().unwrap(), "--batch", "2511"]);
    assert_eq!(list(&sf, folder.path(), "again.csv"), expected);
}

/// A score and why, wherever its vector came from: a Redis that is new has none yet.
fn explained(sf: &Sf, siren: &str) -> Value {
    let mut found = sf.json(&["score", siren, "--explain"]);
    for score in found.as_array_mut().unwrap() {
        score["score"].as_object_mut().unwrap().remove("stale");
    }
    found
}
