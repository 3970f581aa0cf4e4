//! Other deliveries than today's: public files only, and files of before December 2025.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::path::Path;

use acceptance::sf::Sf;
use acceptance::shared;
use serde_json::Value;
use tempfile::tempdir;

/// SIRENE, BODACC and published accounts, in their publishers' layouts, are enough for a list.
#[test]
fn public_files_alone_become_a_list() {
    let folder = tempdir().unwrap();
    let delivery = folder.path().join("public");
    let delivery = delivery.to_str().unwrap();
    let sf = Sf::embedded(&folder.path().join("data"));
    sf.ok(&["datagen", "--out", delivery, "--companies", "1500", "--seed", "3", "--batch", "2511", "--profile", "open-data"]);
    sf.ok(&["run", delivery, "--batch", "2511", "--profile", "open-data"]);
    let report = sf.json(&["batches", "show", "2511"]);
    assert_eq!(report["perimeter_basis"], "headcount_bands");
    let sources: Vec<&str> = report["files"].as_array().unwrap().iter().map(|file| file["source"].as_str().unwrap()).collect();
    assert_eq!(sources, ["sirene_histo", "sirene", "sirene_ul", "bodacc", "ratios_inpi_bce"]);
    assert!(report["files"].as_array().unwrap().iter().all(|file| file["lines_rejected"] == 0), "{report:#}");
    let list = sf.json(&["lists", "show", "latest", "--limit", "5"]);
    assert_eq!(list["entries"].as_array().unwrap().len(), 5);

    // The same files without saying so: nothing tells how large companies are, and that is an error, not a guess.
    let other = Sf::embedded(&folder.path().join("other"));
    other.ok(&["ingest", delivery, "--batch", "2511"]);
    assert!(other.fails(&["features", "build", "--batch", "2511"]).contains("SF-ING-0007"));
}

#[test]
fn real_records_of_the_bulletin_are_read() {
    let Some(file) = shared().map(|shared| shared.join("data/third-party/annonces-commerciales_records.json")) else { return };
    let folder = tempdir().unwrap();
    let out = Sf::embedded(folder.path()).ok(&["parse", file.to_str().unwrap()]);
    let rows: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let read: Vec<_> = ["siren", "published", "effective", "action", "stage"]
        .iter()
        .map(|name| rows.iter().map(|row| row[name].as_str().unwrap()).collect::<Vec<_>>())
        .collect();
    assert_eq!(read[0], ["482309382", "383755949", "894670793", "853479236"]);
    assert_eq!(read[1], ["2009-12-27", "2025-05-23", "2026-09-15", "2026-09-09"]);
    assert_eq!(read[2], ["2009-12-10", "2025-04-16", "2026-09-08", "2026-08-31"]);
    assert_eq!(read[3], ["liquidation", "redressement", "liquidation", "liquidation"]);
    assert_eq!(read[4], ["ouverture"; 4]);
}

fn text(path: &Path) -> String {
    let mut text = String::new();
    flate2::read::GzDecoder::new(fs::File::open(path).unwrap()).read_to_string(&mut text).unwrap();
    text
}

/// Rewrites a file as it was before December 2025: without its Siret column. Notes whose the accounts are.
fn without_siret(delivery: &Path, name: &str, account: &str, owners: &mut BTreeMap<String, String>) {
    let path = delivery.join(name);
    let text = text(&path);
    let header: Vec<&str> = text.lines().next().unwrap().split(';').collect();
    let position = |wanted: &str| header.iter().position(|column| column.eq_ignore_ascii_case(wanted)).unwrap();
    let (siret, account) = (position("Siret"), position(account));
    let mut out =
        flate2::write::GzEncoder::new(fs::File::create(delivery.join(name.replacen('s', "S", 1))).unwrap(), flate2::Compression::fast());
    for (number, line) in text.lines().enumerate() {
        let mut fields: Vec<&str> = line.split(';').collect();
        if fields.len() != header.len() {
            continue;
        }
        let known = fields[siret].len() == 14;
        if number > 0 && known {
            owners.insert(fields[account].to_owned(), fields[siret].to_owned());
        }
        fields.remove(siret);
        if number == 0 || known {
            writeln!(out, "{}", fields.join(";")).unwrap();
        }
    }
    out.finish().unwrap();
    fs::remove_file(path).unwrap();
}

/// A delivery of before December 2025, whose Urssaf files name accounts only, gives the same histories as today's.
#[test]
fn accounts_lead_to_the_same_history_as_sirets() {
    let folder = tempdir().unwrap();
    let delivery = Sf::delivery(folder.path(), 60);
    let (today, past) = (Sf::embedded(&folder.path().join("today")), Sf::embedded(&folder.path().join("past")));
    today.ok(&["ingest", delivery.to_str().unwrap(), "--batch", "2511"]);

    let mut owners = BTreeMap::new();
    without_siret(&delivery, "sigfaible_cotisdues.csv.gz", "Compte", &mut owners);
    without_siret(&delivery, "sigfaible_debits.csv.gz", "num_cpte", &mut owners);
    without_siret(&delivery, "sigfaible_delais.csv.gz", "Numero_compte_externe", &mut owners);
    let error = past.fails(&["ingest", delivery.to_str().unwrap(), "--batch", "2510"]);
    assert!(error.contains("SF-ING-0003") && error.contains("sigfaible_etablissement_utf8.csv"), "{error}");

    let line = |(account, siret): (&String, &String)| format!("0;0;{account};1;{};{siret};1100101;;x\n", &siret[..9]);
    let lines = owners.iter().map(line).collect::<Vec<_>>().concat();
    let header = "Urssaf_gestion;Dep;Compte;Etat_compte;Siren;Siret;Date_crea_siret;Date_disp_siret;Cle_md5\n";
    fs::write(delivery.join("Sigfaible_etablissement_utf8.csv"), format!("{header}{lines}")).unwrap();
    past.ok(&["ingest", delivery.to_str().unwrap(), "--batch", "2511"]);
    let perimeter = today.json(&["perimeter", "show", "2511"]);
    let companies = perimeter["companies"].as_array().unwrap_or_else(|| perimeter.as_array().unwrap());
    let mut owing = 0;
    for company in companies {
        let siren = company["siren"].as_str().unwrap();
        let (a, b) = (today.json(&["features", "history", siren]), past.json(&["features", "history", siren]));
        owing += u32::from(a.to_string().contains("debt"));
        assert_eq!(a, b, "{siren}");
    }
    assert!(owing > 0);
}

/// A batch may bring its own list of companies: the perimeter is that list, minus the exclusions.
#[test]
fn a_filter_takes_the_place_of_the_headcounts() {
    let folder = tempdir().unwrap();
    let delivery = Sf::delivery(folder.path(), 60);
    let sf = Sf::embedded(&folder.path().join("data"));
    sf.ok(&["ingest", delivery.to_str().unwrap(), "--batch", "2510"]);
    let all = sf.ok(&["--format", "csv", "perimeter", "show", "2510"]);
    let sirens: Vec<&str> = all.lines().skip(1).map(|line| &line[..9]).take(5).collect();
    fs::write(delivery.join("filter_2511.csv"), format!("siren\n{}\n", sirens.join("\n"))).unwrap();
    sf.ok(&["ingest", delivery.to_str().unwrap(), "--batch", "2511"]);
    assert_eq!(sf.json(&["batches", "show", "2511"])["perimeter_basis"], "filter");
    let filtered = sf.ok(&["--format", "csv", "perimeter", "show", "2511"]);
    let of = |text: &str| text.lines().skip(1).map(|line| line[..9].to_owned()).collect::<Vec<_>>();
    assert_eq!(of(&filtered), sirens);
}
