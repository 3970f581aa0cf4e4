//! Files as they really arrive: each fault is named with its code, file and column, and never harms what was there.

use std::fs;
use std::io::Write;
use std::path::Path;

use acceptance::sf::Sf;
use tempfile::{TempDir, tempdir};

/// An imported delivery, and a copy of it to spoil.
struct Spoiled {
    _folder: TempDir,
    sf: Sf,
    delivery: std::path::PathBuf,
}

impl Spoiled {
    fn new() -> Self {
        let folder = tempdir().unwrap();
        let delivery = Sf::delivery(folder.path(), 60);
        let sf = Sf::embedded(&folder.path().join("data"));
        sf.ok(&["ingest", delivery.to_str().unwrap(), "--batch", "2511"]);
        Self { _folder: folder, sf, delivery }
    }

    fn file(&self, name: &str) -> std::path::PathBuf {
        self.delivery.join(name)
    }

    /// Imports the spoiled delivery: must fail with all of `said`, and leave the rows of `source` as they were.
    #[track_caller]
    fn refused(&self, source: &str, said: &[&str]) {
        let before = self.rows(source);
        assert!(before > 0, "the first import stored no row of {source}");
        let error = self.sf.fails(&["ingest", self.delivery.to_str().unwrap(), "--batch", "2511"]);
        for text in said {
            assert!(error.contains(text), "'{text}' is not said:\n{error}");
        }
        assert_eq!(self.rows(source), before, "rows of {source}");
    }

    fn rows(&self, source: &str) -> u64 {
        let freshness = self.sf.json(&["features", "freshness"]);
        let sources = freshness["sources"].as_array().unwrap();
        sources.iter().find(|row| row["source"] == source).map_or(0, |row| row["rows"].as_u64().unwrap())
    }
}

fn rewrite(path: &Path, change: impl FnOnce(String) -> String) {
    let text = fs::read_to_string(path).unwrap();
    fs::write(path, change(text)).unwrap();
}

#[test]
fn a_renamed_column_is_named() {
    let spoiled = Spoiled::new();
    rewrite(&spoiled.file("sigfaible_pcoll.csv"), |text| text.replacen("Dt_effet", "Date_effet", 1));
    spoiled.refused("procol", &["SF-ING-", "sigfaible_pcoll.csv", "Dt_effet"]);
}

#[test]
fn a_truncated_gzip_is_refused_whole() {
    let spoiled = Spoiled::new();
    let path = spoiled.file("sigfaible_debits.csv.gz");
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    spoiled.refused("debit", &["SF-ING-", "sigfaible_debits.csv.gz"]);
}

#[test]
fn a_file_of_another_source_is_recognised() {
    let spoiled = Spoiled::new();
    fs::copy(spoiled.file("demande_ap.csv"), spoiled.file("consommation_ap.csv")).unwrap();
    spoiled.refused("apconso", &["SF-ING-", "consommation_ap.csv", "apdemande"]);
}

#[test]
fn an_empty_file_is_refused() {
    let spoiled = Spoiled::new();
    fs::write(spoiled.file("demande_ap.csv"), "").unwrap();
    spoiled.refused("apdemande", &["SF-ING-", "demande_ap.csv"]);
}

#[test]
fn an_unknown_file_is_an_error_and_the_others_are_imported() {
    let spoiled = Spoiled::new();
    fs::write(spoiled.file("notes.txt"), "hello").unwrap();
    spoiled.refused("procol", &["SF-ING-", "notes.txt"]);
}

#[test]
fn a_source_with_too_many_rejected_lines_needs_an_override() {
    let spoiled = Spoiled::new();
    let mut file = fs::File::options().append(true).open(spoiled.file("sigfaible_pcoll.csv")).unwrap();
    for _ in 0..2_000 {
        writeln!(file, "123;456;not a date;1;ouverture_liquidation").unwrap();
    }
    drop(file);
    spoiled.refused("procol", &["SF-ING-0006", "sigfaible_pcoll.csv", "rejected_share"]);
    let delivery = spoiled.delivery.to_str().unwrap();
    let other = ["ingest", delivery, "--batch", "2511", "--allow", "row_loss"];
    assert!(spoiled.sf.fails(&other).contains("rejected_share"), "the override of another gate changes nothing");
    assert!(spoiled.sf.fails(&["ingest", delivery, "--batch", "2511", "--allow", "any"]).contains("amount_change"), "gates are listed");
    spoiled.sf.ok(&["ingest", delivery, "--batch", "2511", "--allow", "rejected_share"]);
    let report = spoiled.sf.json(&["batches", "show", "2511"]);
    let file = report["files"].as_array().unwrap().iter().find(|file| file["source"] == "procol").unwrap();
    assert!(file["overridden_gates"][0].as_str().unwrap().starts_with("rejected_share: "), "{file}");
}

#[test]
fn a_source_that_shrank_since_the_batch_before_needs_an_override() {
    let spoiled = Spoiled::new();
    rewrite(&spoiled.file("consommation_ap.csv"), |text| {
        let lines: Vec<&str> = text.lines().collect();
        lines[..lines.len() / 2].join("\n")
    });
    let delivery = spoiled.delivery.to_str().unwrap();
    let error = spoiled.sf.fails(&["ingest", delivery, "--batch", "2512"]);
    assert!(error.contains("SF-ING-0006") && error.contains("consommation_ap.csv") && error.contains("row_loss"), "{error}");
    let report = spoiled.sf.json(&["batches", "show", "2512"]);
    let file = |source: &str| report["files"].as_array().unwrap().iter().find(|file| file["source"] == source).unwrap().clone();
    assert_eq!((file("apconso")["outcome"].as_str(), file("debit")["outcome"].as_str()), (Some("refused"), Some("committed")));
    let warning = file("debit")["gate_warnings"][0].as_str().unwrap().to_owned();
    assert!(warning.starts_with("freshness: "), "last month's file is told: {warning}");

    // The source refused is, as of December, still that of November.
    let diff = spoiled.sf.json(&["batches", "diff", "2511", "2512", "--source", "apconso,debit"]);
    for (source, to) in [("debit", "2512"), ("apconso", "2511")] {
        let found = diff["sources"].as_array().unwrap().iter().find(|row| row["source"] == source).unwrap();
        assert_eq!((found["batch_after"].as_str(), found["rows_before"].as_u64()), (Some(to), found["rows_after"].as_u64()));
        assert_eq!(["added", "removed", "changed", "companies"].map(|name| found[name].as_u64()), [Some(0); 4], "{found}");
    }
}

#[test]
fn a_difference_between_batches_is_counted_by_key() {
    let spoiled = Spoiled::new();
    rewrite(&spoiled.file("sigfaible_pcoll.csv"), |text| format!("{text}73282932000074;732829320;26MAY2014;1;ouverture_liquidation\n"));
    rewrite(&spoiled.file("ratios_inpi_bce.csv"), |text| {
        let (header, rest) = text.split_once('\n').unwrap();
        let (first, rest) = rest.split_once('\n').unwrap();
        let mut fields: Vec<&str> = first.split(';').collect();
        fields[2] = "1";
        format!("{header}\n{}\n{rest}", fields.join(";"))
    });
    spoiled.sf.ok(&["ingest", spoiled.delivery.to_str().unwrap(), "--batch", "2512"]);
    let diff = spoiled.sf.json(&["batches", "diff", "2511", "2512"]);
    for row in diff["sources"].as_array().unwrap() {
        let expected = match row["source"].as_str().unwrap() {
            "procol" => [1, 0, 0, 1],
            "ratios_inpi_bce" => [0, 0, 1, 1],
            _ => [0; 4],
        };
        assert_eq!(["added", "removed", "changed", "companies"].map(|name| row[name].as_u64().unwrap()), expected, "{row}");
    }
}

#[test]
fn a_wrong_batch_key_is_refused_before_anything() {
    let folder = tempdir().unwrap();
    let output = Sf::embedded(folder.path()).output(&["ingest", ".", "--batch", "2513"]);
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("2513"));
}
