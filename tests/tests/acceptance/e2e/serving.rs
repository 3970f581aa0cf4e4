//! What agents and services are served while models and lists change, and while Redis or S3 are away.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use acceptance::cluster::Cluster;
use acceptance::python;
use acceptance::sf::Sf;
use serde_json::{Value, json};
use tempfile::tempdir;

/// Changes of the champion, and publications, while clients ask.
const CHANGES: usize = 100;

/// Two models and two lists of a small world.
struct World {
    models: [String; 2],
    sirens: Vec<String>,
}

fn prepare(folder: &Path, remote: &Sf) -> World {
    let first = Sf::delivery(folder, 600);
    remote.ok(&["run", first.to_str().unwrap(), "--batch", "2511"]);
    let champion = remote.json(&["models", "show", "champion"])["id"].as_str().unwrap().to_owned();
    let second = folder.join("delivery-2512");
    remote.ok(&["datagen", "--out", second.to_str().unwrap(), "--companies", "600", "--seed", "7", "--batch", "2512"]);
    remote.ok(&["ingest", second.to_str().unwrap(), "--batch", "2512", "--allow-degraded"]);
    remote.ok(&["features", "build", "--batch", "2512"]);
    remote.ok(&["score", "--batch", "2512"]);
    let other = remote.json(&["train", "--batch", "2511", "--model", "lightgbm", "--parameter", "rounds=30"]);
    let shown = remote.json(&["lists", "show", "latest", "--limit", "20"]);
    let siren = |entry: &Value| entry["siren"].as_str().unwrap().to_owned();
    World {
        models: [champion, other["id"].as_str().unwrap().to_owned()],
        sirens: shown["entries"].as_array().unwrap().iter().map(siren).collect(),
    }
}

/// Clients that ask for so many seconds; see `serving_client.py`.
fn clients(cluster: &Cluster, world: &World, seconds: u64) -> Child {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/python/serving_client.py");
    let mut command = Command::new(python());
    command.args([script, &cluster.address("scoring"), &seconds.to_string()]).args(&world.sirens);
    command.stdout(Stdio::piped()).spawn().unwrap()
}

fn report(clients: Child) -> Value {
    let output = clients.wait_with_output().unwrap();
    assert!(output.status.success());
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn changes_and_outages_under_load_fail_no_request_and_mix_no_answer() {
    let folder = tempdir().unwrap();
    let mut cluster = Cluster::start(folder.path());
    let remote = Sf::remote(&cluster.servers());
    let world = prepare(folder.path(), &remote);

    // A hundred changes of each, while clients ask.
    let seconds = 60;
    let asking = clients(&cluster, &world, seconds);
    let start = std::time::Instant::now();
    for change in 0..CHANGES {
        remote.ok(&["models", "promote", &world.models[(change + 1) % 2], "--because", "a test"]);
        remote.ok(&["lists", "publish", ["2512", "2511"][change % 2]]);
    }
    let taken = start.elapsed();
    assert!(taken < Duration::from_secs(seconds), "the changes took {taken:?}: they were not all under load");
    let found = report(asking);
    assert_eq!((&found["failures"], &found["mixed"]), (&json!({}), &json!([])), "{found}");
    assert_eq!((&found["models"], &found["lists"]), (&json!(2), &json!(2)), "{found}");
    let count = |found: &Value, what: &str| found["counts"][what].as_u64().unwrap_or(0);
    assert!(count(&found, "scores") > 500 && count(&found, "walks") > 20, "{found}");
    assert!(count(&found, "walks begun again") > 0, "publications fell between pages: {found}");

    // Redis is away, then S3 too: what is in memory is served, and says that it may be old.
    let asking = clients(&cluster, &world, 12);
    std::thread::sleep(Duration::from_secs(2));
    cluster.redis()[0].stop();
    std::thread::sleep(Duration::from_secs(3));
    cluster.stop_storage();
    let found = report(asking);
    assert_eq!((&found["failures"], &found["mixed"]), (&json!({}), &json!([])), "{found}");
    for what in ["scores", "stale scores", "pages", "stale pages"] {
        assert!(count(&found, what) > 0, "{what}: {found}");
    }
}
