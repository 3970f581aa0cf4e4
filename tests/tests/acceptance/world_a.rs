//! A whole delivery made by an independent generator, against the truth that came with it.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use acceptance::sf::Sf;
use acceptance::{python, shared};
use serde_json::Value;
use tempfile::tempdir;

/// Lines that the existing importer skips and we keep: units without NAF rev. 2 (decision 0006).
const KEPT: [&str; 2] = ["not_NAFRev2", "not_NAFRev2_head_office"];
/// Lines that it rejects and we skip: identifiers known to be junk. An empty SIRET of a short-time request is an error for
/// both, and the bad SIRETs of payment plans are `@`, junk too.
fn junk(file: &str) -> &'static [&'static str] {
    match file {
        "demande_ap.csv" => &[],
        "sigfaible_delais.csv.gz" => &["empty_siret", "siret_8_digits", "bad_siret"],
        _ => &["acoss_internal_id", "empty_siret", "empty_siren"],
    }
}

/// Lines that repeat an earlier one byte for byte. Among the second accounts of a year that the generator of the published
/// ratios adds, four have the same type as the first; the truth does not call them duplicates.
fn repeated(name: &str, file: &Value) -> u64 {
    dirt(file, &["exact_duplicate"]) + if name == "ratios_inpi_bce.csv" { 4 } else { 0 }
}

fn dirt(file: &Value, kinds: &[&str]) -> u64 {
    kinds.iter().filter_map(|kind| file["dirt"][kind]["n"].as_u64()).sum()
}

#[test]
fn the_import_agrees_with_the_truth_file_by_file() {
    let Some(world) = shared().map(|shared| shared.join("data/world-a")) else { return };
    let folder = tempdir().unwrap();
    let sf = Sf::embedded(folder.path());
    sf.ok(&["ingest", world.join("2511").to_str().unwrap(), "--batch", "2511"]);

    let truth: Value = serde_json::from_str(&std::fs::read_to_string(world.join("truth/expected_report.json")).unwrap()).unwrap();
    let report = sf.json(&["batches", "show", "2511"]);
    let files: BTreeMap<&str, &Value> =
        report["files"].as_array().unwrap().iter().map(|file| (file["file_name"].as_str().unwrap(), file)).collect();
    for (name, expected) in truth["files"].as_object().unwrap() {
        let file = files.get(name.as_str()).unwrap_or_else(|| panic!("{name} is not in the report"));
        let count = |field: &str| file[field].as_u64().unwrap();
        let junk = dirt(expected, junk(name));
        let kept = dirt(expected, &KEPT);
        assert_eq!(count("lines_parsed"), expected["lines_parsed"].as_u64().unwrap(), "{name}: parsed");
        assert_eq!(count("lines_rejected"), expected["lines_rejected"].as_u64().unwrap() - junk, "{name}: rejected");
        assert_eq!(count("lines_skipped"), expected["no_filter"]["lines_skipped"].as_u64().unwrap() - kept + junk, "{name}: skipped");
        assert_eq!(count("lines_duplicated"), repeated(name, expected), "{name}: repeated");
        assert_eq!(count("lines_valid"), expected["no_filter"]["lines_valid"].as_u64().unwrap() + kept, "{name}: valid");
    }

    let perimeter = sf.ok(&["--format", "csv", "perimeter", "show", "2511"]);
    let mut ours: Vec<&str> =
        perimeter.lines().skip(1).filter(|line| line.split(',').nth(1) == Some("true")).map(|line| &line[..9]).collect();
    ours.sort_unstable();
    let theirs = std::fs::read_to_string(world.join("truth/perimeter.csv")).unwrap();
    let mut theirs: Vec<&str> = theirs.lines().skip(1).collect();
    theirs.sort_unstable();
    assert_eq!(ours, theirs);

    histories_are_those_of_the_truth(&sf, &world);
}

/// Debts of fifty companies, month by month, to the cent.
fn histories_are_those_of_the_truth(sf: &Sf, world: &Path) {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/python/expected_debts.py");
    let truth = world.join("truth/debts_expected.parquet");
    let output = Command::new(python()).args([script, truth.to_str().unwrap(), "50"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let truth: Value = serde_json::from_slice(&output.stdout).unwrap();
    let mut compared = 0;
    for (siren, months) in truth.as_object().unwrap() {
        let history = sf.json(&["features", "history", siren]);
        for (index, month) in history["months"].as_array().unwrap().iter().enumerate() {
            let Some(expected) = months.get(month.as_str().unwrap()) else { continue };
            for (position, series) in ["debt_employee", "debt_employer"].iter().enumerate() {
                let cents = (history["series"][series][index].as_f64().unwrap() * 100.0).round() as i64;
                assert_eq!(Some(cents), expected[position].as_i64(), "{siren} {month} {series}");
                compared += 1;
            }
        }
    }
    assert!(compared > 5_000, "{compared} values compared");
}
