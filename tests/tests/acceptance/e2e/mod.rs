//! With real servers: S3, Redis and the four services as processes.

mod backup;
mod faults;
mod ingestion;
mod learning;
mod restarts;
mod security;
mod serving;
mod telemetry;

use std::io::Read;
use std::path::Path;
use std::process::{Child, Command};
use std::thread::sleep;
use std::time::{Duration, Instant};

use acceptance::cluster::Cluster;
use acceptance::sf::Sf;
use acceptance::{program, python};
use serde_json::{Value, json};
use tempfile::tempdir;

/// The published list as CSV.
pub fn list(sf: &Sf, folder: &Path, name: &str) -> Vec<u8> {
    let out = folder.join(name);
    sf.ok(&["lists", "export", "latest", "--out", out.to_str().unwrap()]);
    std::fs::read(out).unwrap()
}

/// The list that one process makes of a delivery, without any server.
fn embedded_list(folder: &Path, delivery: &str) -> Vec<u8> {
    let embedded = Sf::embedded(&folder.join("embedded"));
    embedded.ok(&["run", delivery, "--batch", "2511"]);
    list(&embedded, folder, "embedded.csv")
}

#[test]
fn services_s3_and_redis_make_the_same_list_and_others_can_read_everything() {
    let folder = tempdir().unwrap();
    let delivery = Sf::delivery(folder.path(), 400);
    let delivery = delivery.to_str().unwrap();
    let expected = embedded_list(folder.path(), delivery);

    let cluster = Cluster::start(folder.path());
    let remote = Sf::remote(&cluster.servers());
    remote.ok(&["run", delivery, "--batch", "2511"]);
    assert_eq!(list(&remote, folder.path(), "remote.csv"), expected, "the list of the services is not that of the embedded run");

    a_client_needs_only_reflection(&remote, &cluster);
    scoring_asks_the_feature_store_for_sheets(&remote);
    other_readers_open_the_tables(&folder.path().join("embedded"));
    another_reader_finds_the_same_values(&remote, &folder.path().join("embedded"));
}

fn scoring_asks_the_feature_store_for_sheets(remote: &Sf) {
    let shown = remote.json(&["lists", "show", "latest", "--limit", "1"]);
    let siren = shown["entries"][0]["siren"].as_str().unwrap();
    let sheet = remote.json(&["companies", "show", siren]);
    assert_eq!(sheet["months"].as_array().unwrap().len(), 36, "{sheet}");
    assert!(
        sheet["series"].as_array().unwrap().iter().any(|series| series["name"] == "headcount" && series["data_until"] != ""),
        "{sheet}"
    );
    assert_eq!(sheet["scores"][0]["list"], "2511");
}

fn a_client_needs_only_reflection(remote: &Sf, cluster: &Cluster) {
    let shown = remote.json(&["lists", "show", "latest", "--limit", "1"]);
    let siren = shown["entries"][0]["siren"].as_str().unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/python/reflection_client.py");
    let output = Command::new(python()).args([script, &cluster.address("scoring"), siren]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let reply: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(reply["score"]["score"]["siren"], siren);
    assert_eq!(reply["list"]["entries"].as_array().unwrap().len(), 5);
    assert_eq!(reply["list"]["entries"][0]["siren"], siren);
    assert!(!reply["explanation"]["groups"].as_array().unwrap().is_empty());
    // The same score by the protocol of inference servers.
    assert_eq!(reply["model"]["versions"][0], reply["score"]["score"]["model_id"]);
    let inferred = &reply["inferred"]["outputs"][0];
    assert_eq!(
        (&inferred["name"], &inferred["contents"]["fp64_contents"][0]),
        (&json!("probability"), &reply["score"]["score"]["probability"])
    );
}

fn other_readers_open_the_tables(data: &Path) {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/python/read_tables.py");
    for (table, column) in [("debit", "treated_on"), ("features", "month"), ("perimeter", "included"), ("rejects", "line")] {
        let path = data.join("lake/tables").join(table);
        let output = Command::new(python()).args([script, path.to_str().unwrap(), "2511", column]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let counts: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert!(counts["deltalake"].as_u64().unwrap() > 0, "{table}: {counts}");
        assert_eq!(counts["deltalake"], counts["duckdb"], "{table}");
        assert_eq!(counts["filtered"], counts["value"], "{table}: a filter by {column}");
    }
}

/// DuckDB reads, for companies of the list and a month of the past, the values that the service computes from the sources.
fn another_reader_finds_the_same_values(remote: &Sf, data: &Path) {
    let shown = remote.json(&["lists", "show", "latest", "--limit", "10"]);
    let sirens: Vec<&str> = shown["entries"].as_array().unwrap().iter().map(|entry| entry["siren"].as_str().unwrap()).collect();
    let (script, path) = (concat!(env!("CARGO_MANIFEST_DIR"), "/python/read_values.py"), data.join("lake/tables/features"));
    let output = Command::new(python()).args([script, path.to_str().unwrap(), "2511", "2025-06"]).args(&sirens).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let read: Value = serde_json::from_slice(&output.stdout).unwrap();
    let (mut companies, mut values) = (0, 0);
    for siren in sirens {
        let Some(stored) = read[siren].as_object() else { continue };
        let computed = remote.json(&["features", "get", siren, "--month", "2025-06"]);
        let number = |value: &Value| value.as_f64().map(|value| (value as f32).to_bits());
        for (name, value) in stored {
            assert_eq!(number(value), number(&computed["features"][name]), "{siren}: {name}: {value}");
            values += u32::from(!value.is_null());
        }
        companies += 1;
    }
    assert!(companies >= 5 && values > 300, "only {companies} companies and {values} values");
}

#[test]
fn each_service_killed_in_the_middle_of_its_job_ends_in_the_same_list() {
    let folder = tempdir().unwrap();
    let delivery = Sf::delivery(folder.path(), 400);
    let delivery = delivery.to_str().unwrap();
    let expected = embedded_list(folder.path(), delivery);

    let mut cluster = Cluster::start(folder.path());
    let remote = Sf::remote(&cluster.servers());
    let steps: [(&'static str, &[&str]); 4] = [
        ("ingestion", &["ingest", delivery, "--batch", "2511"]),
        ("feature-store", &["features", "build", "--batch", "2511"]),
        ("training", &["train", "--batch", "2511"]),
        ("scoring", &["score", "--batch", "2511"]),
    ];
    for (service, arguments) in steps {
        let mut client = remote.spawn(arguments);
        wait_for_running_operation(&cluster, service, &mut client);
        cluster.kill_and_restart(service);
        let output = client.wait_with_output().unwrap();
        assert!(output.status.success(), "{service}: {}", String::from_utf8_lossy(&output.stderr));
        if service == "training" {
            let models = remote.json(&["models", "list"]);
            let id = models["models"][0]["id"].as_str().unwrap();
            remote.ok(&["models", "promote", id, "--because", "four hundred companies are too few for a calm report"]);
        }
    }
    remote.ok(&["lists", "publish", "2511"]);
    assert_eq!(list(&remote, folder.path(), "remote.csv"), expected);
}

/// Waits until the service has a job in hand, a short moment into it; a job already done is no failure of the test.
fn wait_for_running_operation(cluster: &Cluster, service: &str, client: &mut Child) {
    let script = "import sys, grpc\n\
        from google.longrunning import operations_pb2 as pb, operations_pb2_grpc as rpc\n\
        stub = rpc.OperationsStub(grpc.insecure_channel(sys.argv[1]))\n\
        sys.exit(0 if stub.ListOperations(pb.ListOperationsRequest(name='operations'), timeout=5).operations else 7)";
    let patience = Instant::now() + Duration::from_mins(2);
    while Instant::now() < patience {
        let listed = Command::new(python()).args(["-c", script, &cluster.address(service)]).output().unwrap();
        sleep(Duration::from_millis(50));
        match listed.status.code() {
            Some(0) => return,
            Some(7) => {}
            _ => panic!("{}", String::from_utf8_lossy(&listed.stderr)),
        }
        if client.try_wait().unwrap().is_some_and(|status| !status.success()) {
            let mut said = String::new();
            client.stderr.take().unwrap().read_to_string(&mut said).unwrap();
            panic!("{service} has no job, and the client gave up: {said}");
        }
    }
    panic!("{service} never started its job");
}

#[test]
fn the_programs_are_built() {
    for name in ["sf", "ingestion", "feature-store", "training", "scoring"] {
        assert!(program(name).exists());
    }
}
