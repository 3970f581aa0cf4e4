//! Batches over time: flows, complements, imports out of order, manifests, retention.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use acceptance::sf::Sf;
use flate2::read::GzDecoder;
use serde_json::Value;
use sha2::{Digest, Sha256};
use tempfile::{TempDir, tempdir};

/// A program with a delivery of sixty companies imported as batch 2510.
struct Imported {
    folder: TempDir,
    sf: Sf,
    delivery: PathBuf,
}

impl Imported {
    fn new() -> Self {
        let folder = tempdir().unwrap();
        let delivery = Sf::delivery(folder.path(), 60);
        let sf = Sf::embedded(&folder.path().join("data"));
        sf.ok(&["ingest", delivery.to_str().unwrap(), "--batch", "2510"]);
        Self { folder, sf, delivery }
    }

    /// Imports a folder of these files as a batch.
    fn import(&self, batch: &str, files: &[(&str, String)]) {
        let folder = self.folder.path().join(batch);
        fs::create_dir_all(&folder).unwrap();
        for (name, content) in files {
            fs::write(folder.join(name), content).unwrap();
        }
        self.sf.ok(&["ingest", folder.to_str().unwrap(), "--batch", batch]);
    }

    fn diff(&self, from: &str, to: &str, source: &str) -> [u64; 3] {
        let diff = self.sf.json(&["batches", "diff", from, to, "--source", source]);
        ["added", "removed", "changed"].map(|name| diff["sources"][0][name].as_u64().unwrap())
    }

    fn debits(&self) -> String {
        let mut text = String::new();
        let file = fs::File::open(self.delivery.join("sigfaible_debits.csv.gz")).unwrap();
        std::io::Read::read_to_string(&mut GzDecoder::new(file), &mut text).unwrap();
        text
    }
}

/// A debit file of two rows: one that is in the stock with other amounts, and a new one.
fn flow(stock: &str) -> (String, String) {
    let mut lines = stock.lines();
    let (header, first) = (lines.next().unwrap(), lines.next().unwrap());
    let mut fields: Vec<String> = first.split(';').map(str::to_owned).collect();
    let position = |name: &str| header.split(';').position(|column| column == name).unwrap();
    fields[position("Mt_PO")] = String::from("123456789");
    let changed = fields.join(";");
    fields[position("Num_Hist_Ecn")] = String::from("99");
    let siren = fields[position("Siret")][..9].to_owned();
    (format!("{header}\n{changed}\n{}\n", fields.join(";")), siren)
}

const FLOW: &str = "[deliveries]\ndebit = 'flow'\n";

#[test]
fn a_flow_adds_to_the_stock_whatever_the_order_of_the_imports() {
    let imported = Imported::new();
    let (debits, siren) = flow(&imported.debits());
    imported.import("2511", &[("sigfaible_debits.csv", debits), ("manifest.toml", format!("batch = '2511'\n{FLOW}"))]);
    assert_eq!(imported.diff("2510", "2511", "debit"), [1, 0, 1]);
    let report = imported.sf.json(&["batches", "show", "2511"]);
    assert_eq!(report["files"][0]["delivery"], "flow");
    let history = || imported.sf.ok(&["features", "history", &siren, "--batch", "2511", "--format", "json"]);
    let known = history();

    // The stock again, then a stock of an earlier batch: as of 2511 nothing changes.
    imported.sf.ok(&["ingest", imported.delivery.to_str().unwrap(), "--batch", "2510"]);
    imported.sf.ok(&["ingest", imported.delivery.to_str().unwrap(), "--batch", "2509"]);
    assert_eq!((imported.diff("2510", "2511", "debit"), history()), ([1, 0, 1], known));

    // The same file as a stock: refused, and the gate says how to tell a flow.
    fs::remove_file(imported.folder.path().join("2511/manifest.toml")).unwrap();
    let folder = imported.folder.path().join("2511");
    let error = imported.sf.fails(&["ingest", folder.to_str().unwrap(), "--batch", "2511"]);
    assert!(error.contains("row_loss") && error.contains("--flow"), "{error}");
    imported.sf.ok(&["ingest", folder.to_str().unwrap(), "--batch", "2511", "--flow", "debit"]);
    assert_eq!(imported.diff("2510", "2511", "debit"), [1, 0, 1]);
}

#[test]
fn a_complement_has_the_perimeter_of_its_batch() {
    let imported = Imported::new();
    let error = {
        let folder = imported.delivery.to_str().unwrap();
        imported.sf.fails(&["ingest", folder, "--batch", "2511_01"])
    };
    assert!(error.contains("SF-ING-0007") && error.contains("import 2511 first"), "{error}");
    let (debits, siren) = flow(&imported.debits());
    imported.import("2510_01", &[("sigfaible_debits.csv", debits), ("manifest.toml", FLOW.to_owned())]);
    let perimeter = |batch: &str| imported.sf.ok(&["perimeter", "show", batch, "--format", "csv"]);
    assert_eq!(perimeter("2510_01"), perimeter("2510"));
    assert_eq!(imported.diff("2510", "2510_01", "debit"), [1, 0, 1]);
    imported.sf.ok(&["features", "build", "--batch", "2510_01"]);
    imported.sf.ok(&["features", "get", &siren, "--batch", "2510_01"]);
}

#[test]
fn a_manifest_that_does_not_hold_stops_the_import() {
    let imported = Imported::new();
    let delivery = imported.delivery.to_str().unwrap();
    let refused = |manifest: &str, said: &str| {
        fs::write(imported.delivery.join("manifest.toml"), manifest).unwrap();
        let error = imported.sf.fails(&["ingest", delivery, "--batch", "2511"]);
        assert!(error.contains("SF-ING-0009") && error.contains(said), "{error}");
        assert!(imported.sf.fails(&["batches", "show", "2511"]).contains("SF-ING-0007"), "nothing was imported");
    };
    refused("batch = '2512'", "2512");
    refused("[sha256]\n'sigfaible_pcoll.csv' = 'abcd'", "altered");
    refused("[sha256]\n'missing.csv' = 'abcd'", "missing.csv");
    refused("[deliveries]\ndebits = 'flow'", "docs/deliveries.md");

    let sums: Vec<String> = fs::read_dir(&imported.delivery)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| !path.ends_with("manifest.toml"))
        .map(|path| format!("'{}' = '{}'", path.file_name().unwrap().display(), hex::encode(Sha256::digest(fs::read(&path).unwrap()))))
        .collect();
    fs::write(imported.delivery.join("manifest.toml"), format!("[sha256]\n{}\n", sums.join("\n"))).unwrap();
    imported.sf.ok(&["ingest", delivery, "--batch", "2511"]);
}

/// Every file of a folder looks as old as the days given.
fn age(folder: &Path, days: u64) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            age(&path, days);
        } else {
            let moment = SystemTime::now() - Duration::from_secs(days * 86_400);
            fs::File::options().write(true).open(&path).unwrap().set_modified(moment).unwrap();
        }
    }
}

#[test]
fn old_batches_are_forgotten_and_what_later_ones_need_stays() {
    let imported = Imported::new();
    let delivery = imported.delivery.to_str().unwrap();
    // 2511 adds debts to 2510; the other sources are those of 2511. 2509 is needed by nobody.
    imported.sf.ok(&["ingest", delivery, "--batch", "2509"]);
    let (debits, siren) = flow(&imported.debits());
    fs::remove_file(imported.delivery.join("sigfaible_debits.csv.gz")).unwrap();
    fs::write(imported.delivery.join("sigfaible_debits.csv"), debits).unwrap();
    imported.sf.ok(&["ingest", delivery, "--batch", "2511", "--flow", "debit"]);
    let history = || imported.sf.ok(&["features", "history", &siren, "--batch", "2511", "--format", "json"]);
    let known = history();
    let lake = imported.folder.path().join("data/lake");
    age(&lake, 30);
    // A file that a writer at work has not committed yet.
    let fresh = lake.join("tables/debit/batch=2512/delivery=stock/part-1.parquet");
    fs::create_dir_all(fresh.parent().unwrap()).unwrap();
    fs::write(&fresh, "x").unwrap();

    let files = |report: &Value, kind: &str| {
        report["files"].as_array().unwrap().iter().find(|row| row["kind"] == kind).map_or(0, |row| row["files"].as_u64().unwrap())
    };
    let planned = imported.sf.json(&["batches", "prune", "--keep", "1", "--dry-run"]);
    assert_eq!((&planned["dry_run"], &planned["batches"]), (&true.into(), &serde_json::json!(["2509", "2510"])));
    assert_eq!(history(), known);
    let done = imported.sf.json(&["batches", "prune", "--keep", "1"]);
    assert_eq!(done["batches"], planned["batches"]);
    assert!(files(&done, "raw") > 20 && files(&done, "tables") > 20 && files(&done, "reports") == 2, "{done}");
    assert_eq!(history(), known);
    assert!(fresh.exists() && !lake.join("raw/2510/manifest.json").exists());
    let listed = imported.sf.json(&["batches", "list"]);
    assert_eq!(listed["batches"].as_array().unwrap().len(), 1);
    assert_eq!(imported.sf.json(&["batches", "prune", "--keep", "1"])["batches"], serde_json::json!([]), "nothing is left to do");

    // The stock of debts that 2511 adds to is still there, in the one partition of 2510 that is.
    let debts = fs::read_dir(lake.join("tables/debit/batch=2510/delivery=stock")).unwrap().count();
    assert_eq!(debts, 1);
    imported.sf.ok(&["features", "build", "--batch", "2511"]);
}
