//! Imports that are killed, raced, and made over a bad network: what is stored is always one import or the other.

use std::collections::BTreeMap;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use acceptance::Random;
use acceptance::cluster::{Cluster, Setup};
use acceptance::proxy::Proxy;
use acceptance::sf::Sf;
use lake::testing::S3;
use serde_json::Value;
use tempfile::tempdir;

/// Rows of each source as of batch 2511.
fn rows(sf: &Sf) -> BTreeMap<String, u64> {
    let freshness = sf.json(&["features", "freshness", "--batch", "2511"]);
    let sources = freshness["sources"].as_array().unwrap().iter();
    sources.map(|row| (row["source"].as_str().unwrap().to_owned(), row["rows"].as_u64().unwrap())).filter(|(_, rows)| *rows > 0).collect()
}

/// Two deliveries of different sizes, and what an undisturbed import of each stores.
fn deliveries(folder: &Path) -> [(String, BTreeMap<String, u64>); 2] {
    [("small", 120), ("large", 150)].map(|(name, companies)| {
        let folder = folder.join(name);
        let delivery = Sf::delivery(&folder, companies).display().to_string();
        let sf = Sf::embedded(&folder.join("undisturbed"));
        sf.ok(&["ingest", &delivery, "--batch", "2511"]);
        let rows = rows(&sf);
        (delivery, rows)
    })
}

/// Kills the program at twenty random moments of twenty imports, of two deliveries in turn: each source is always as one of them
/// says, whole; an import in peace then gives exactly its own.
#[test]
fn imports_killed_at_random_lose_and_duplicate_nothing() {
    let folder = tempdir().unwrap();
    let deliveries = deliveries(folder.path());
    let sf = Sf::embedded(&folder.path().join("data")).with_env("SF_JOBS__LEASE_SECONDS", "1");
    let ingest = |which: usize| ["ingest", &deliveries[which].0, "--batch", "2511", "--allow", "row_loss,amount_change"];
    sf.ok(&ingest(0));
    let start = Instant::now();
    sf.ok(&ingest(1));
    let (whole, mut random, mut killed) = (start.elapsed(), Random(20_251_124), 0);
    for round in 0..20 {
        let moment = whole.mul_f64(random.step() as f64 / f64::from(1u32 << 31));
        let mut process = sf.spawn(&ingest(round % 2));
        sleep(moment);
        process.kill().unwrap();
        killed += u32::from(!process.wait().unwrap().success());
        for (source, rows) in rows(&sf) {
            let expected = [0, 1].map(|which: usize| deliveries[which].1.get(&source).copied().unwrap_or_default());
            assert!(expected.contains(&rows), "round {round}, {source}: {rows} rows, not {expected:?}");
        }
    }
    assert!(killed >= 10, "only {killed} imports were killed");
    let patience = Instant::now();
    for which in [0, 1, 0] {
        // The last import that was killed may still be taken for a running one.
        loop {
            let output = sf.output(&ingest(which));
            if output.status.success() {
                break;
            }
            assert!(patience.elapsed() < Duration::from_mins(1), "{}", String::from_utf8_lossy(&output.stderr));
            sleep(Duration::from_millis(500));
        }
        assert_eq!(rows(&sf), deliveries[which].1);
    }
}

/// Two replicas asked to import the same batch at once: one does, the other joins it or says who is at work.
#[test]
fn of_two_imports_of_a_batch_one_wins_and_the_other_is_told() {
    let folder = tempdir().unwrap();
    let deliveries = deliveries(folder.path());
    let mut cluster = Cluster::start(folder.path());
    let first = Sf::remote(&cluster.servers());
    let second = Sf::remote(&cluster.start_replica("ingestion"));
    // The same request: both see the one import.
    let same = ["ingest", &deliveries[0].0, "--batch", "2511"];
    let both = [first.spawn(&same), second.spawn(&same)].map(|process| process.wait_with_output().unwrap());
    for output in both {
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    assert_eq!(rows(&first), deliveries[0].1);
    // Different requests: whoever is second is refused, and told why.
    let (mut refused, patience) = (0, Instant::now());
    while refused == 0 && patience.elapsed() < Duration::from_mins(2) {
        let large = ["ingest", &deliveries[1].0, "--batch", "2511", "--allow-degraded"];
        let both = [first.spawn(&same), second.spawn(&large)].map(|process| process.wait_with_output().unwrap());
        for output in both.iter().filter(|output| !output.status.success()) {
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(said.contains("SF-OPS-0004") || said.contains("SF-ING-0006"), "{said}");
            refused += u32::from(said.contains("SF-OPS-0004"));
        }
    }
    assert!(refused > 0, "the two imports never met");
}

/// Errors, resets in the middle of a part and silence between ingestion and S3: an import succeeds, or says so with a code, and
/// what is stored in the end is what it would have been.
#[test]
fn a_bad_network_to_s3_spoils_nothing() {
    let folder = tempdir().unwrap();
    let [(delivery, expected), _] = deliveries(folder.path());
    let s3 = S3::start(&folder.path().join("weed"));
    let port = s3.options.s3.endpoint.as_deref().unwrap().rsplit(':').next().unwrap().parse().unwrap();
    let proxy = Proxy::start(port, 7);
    let cluster =
        Cluster::with_storage(folder.path(), s3, Setup { endpoint: Some(format!("http://127.0.0.1:{}", proxy.port)), ..Setup::default() });
    let sf = Sf::remote(&cluster.servers());
    proxy.misbehave(true);
    let (mut succeeded, mut imports) = (0, 0);
    while imports < 6 || (imports < 20 && (succeeded == 0 || proxy.faults() < 30)) {
        imports += 1;
        let output = sf.output(&["ingest", &delivery, "--batch", "2511"]);
        if output.status.success() {
            succeeded += 1;
        } else {
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(said.contains("SF-"), "a failure without a code: {said}");
        }
    }
    proxy.misbehave(false);
    let faults = proxy.faults();
    assert!(faults >= 30, "only {faults} connections were bad in {imports} imports");
    assert!(succeeded > 0, "not one import of {imports} over {faults} bad connections succeeded");
    println!("{succeeded} of {imports} imports succeeded over {faults} bad connections");
    // In peace, once whatever still runs has ended.
    let patience = Instant::now();
    while !sf.output(&["ingest", &delivery, "--batch", "2511"]).status.success() {
        assert!(patience.elapsed() < Duration::from_mins(3));
        sleep(Duration::from_secs(1));
    }
    assert_eq!(rows(&sf), expected);
    let report: Value = sf.json(&["batches", "show", "2511"]);
    assert_eq!(report["complete"], true);
}

/// An upload that is broken off goes on; files of a bucket are imported without passing through the client.
#[test]
fn deliveries_in_a_bucket_are_imported_from_there() {
    let folder = tempdir().unwrap();
    let [(delivery, expected), _] = deliveries(folder.path());
    let cluster = Cluster::start(folder.path());
    let sf = Sf::remote(&cluster.servers());
    cluster.put_folder(Path::new(&delivery), "deliveries/2511");
    sf.ok(&["ingest", "s3://signaux/deliveries/2511", "--batch", "2511"]);
    assert_eq!(rows(&sf), expected);
    let error = sf.fails(&["ingest", "s3://signaux/deliveries/none", "--batch", "2511"]);
    assert!(error.contains("SF-ING-0008"), "{error}");
}
