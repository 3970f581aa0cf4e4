//! Twenty minutes of load on all that people ask for: memory and times at the end are those of the beginning. `make soak` runs it.

use std::fmt::Write;
use std::time::Duration;

use acceptance::cluster::{Cluster, Setup};
use acceptance::sf::Sf;
use serde_json::Value;
use tempfile::tempdir;

/// Minutes, of which the first warms caches up; `SF_SOAK_MINUTES` for another number.
const MINUTES: usize = 21;
/// Requests a second of each kind: what two cores, which also run the clients, S3 and Redis, answer without a queue.
const RATES: [(&str, u32); 3] = [("scores", 150), ("lists", 40), ("features", 80)];
const WATCHED: [&str; 2] = ["scoring", "feature-store"];

/// What one minute looked like.
struct Minute {
    /// Milliseconds, 99 of 100, by kind of request.
    p99: Vec<f64>,
    /// Megabytes by watched service.
    memory: Vec<f64>,
    failed: u64,
}

#[test]
fn memory_and_times_stay_flat() {
    let folder = tempdir().unwrap();
    let cluster = Cluster::start_with(folder.path(), Setup::default());
    let sf = Sf::remote(&cluster.servers());
    let delivery = Sf::delivery(folder.path(), 2_000);
    sf.ok(&["run", delivery.to_str().unwrap(), "--batch", "2511"]);
    let minutes = std::env::var("SF_SOAK_MINUTES").map_or(MINUTES, |text| text.parse().unwrap());
    let seen: Vec<Minute> = (0..minutes).map(|_| minute(&cluster, &sf)).collect();

    let mut table = String::from(
        "| minute | scores, p99 | lists, p99 | features, p99 | scoring | feature store | failed |\n|---|---|---|---|---|---|---|\n",
    );
    for (number, minute) in seen.iter().enumerate() {
        let times = minute.p99.iter().map(|time| format!("{time:.1} ms")).collect::<Vec<_>>().join(" | ");
        let memory = minute.memory.iter().map(|size| format!("{size:.0} MB")).collect::<Vec<_>>().join(" | ");
        let _ = writeln!(table, "| {} | {times} | {memory} | {} |", number + 1, minute.failed);
    }
    println!("{table}");
    if let Some(path) = std::env::var_os("SF_SOAK_REPORT") {
        std::fs::write(path, &table).unwrap();
    }
    assert!(seen.iter().all(|minute| minute.failed == 0), "requests failed");
    let settled = &seen[1..];
    let part = settled.len().div_ceil(4);
    for (service, name) in WATCHED.iter().enumerate() {
        let mean = |minutes: &[Minute]| minutes.iter().map(|minute| minute.memory[service]).sum::<f64>() / minutes.len() as f64;
        let (first, last) = (mean(&settled[..part]), mean(&settled[settled.len() - part..]));
        assert!(last < first * 1.1 + 10.0, "{name} grew from {first:.0} to {last:.0} MB");
    }
    for (kind, (name, _)) in RATES.iter().enumerate() {
        let median = |minutes: &[Minute]| {
            let mut times: Vec<f64> = minutes.iter().map(|minute| minute.p99[kind]).collect();
            times.sort_by(f64::total_cmp);
            times[times.len() / 2]
        };
        let (first, last) = (median(&settled[..part]), median(&settled[settled.len() - part..]));
        assert!(last < first * 2.0 + 5.0, "{name} took {first:.1} ms at the beginning and {last:.1} ms at the end");
    }
}

fn minute(cluster: &Cluster, sf: &Sf) -> Minute {
    let started = RATES.map(|(kind, rate)| {
        std::thread::sleep(Duration::from_millis(100));
        sf.spawn(&["--format", "json", "load", kind, "--rate", &rate.to_string(), "--seconds", "60"])
    });
    let outputs = started.map(|process| process.wait_with_output().unwrap());
    let found = outputs.map(|output| {
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        serde_json::from_slice::<Value>(&output.stdout).unwrap_or_else(|error| panic!("{error}: {said}"))
    });
    Minute {
        p99: found.iter().map(|found| found["p99_ms"].as_f64().unwrap()).collect(),
        memory: WATCHED.iter().map(|service| cluster.resident(service, 0) as f64 / 1024.0).collect(),
        failed: found.iter().map(|found| found["errors"].as_u64().unwrap()).sum(),
    }
}
