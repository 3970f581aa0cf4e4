//! Who is followed, and why the others are not (`domain/ingestion.md` §2.5): every rule, on files of a few lines.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use acceptance::sf::Sf;
use tempfile::tempdir;

const UNITS: &str = "siren,dateCreationUniteLegale,prenom1UniteLegale,prenom2UniteLegale,prenom3UniteLegale,prenom4UniteLegale,trancheEffectifsUniteLegale,etatAdministratifUniteLegale,nomUniteLegale,nomUsageUniteLegale,denominationUniteLegale,categorieJuridiqueUniteLegale,activitePrincipaleUniteLegale,nomenclatureActivitePrincipaleUniteLegale";
const ESTABLISHMENTS: &str = "siren,nic,etablissementSiege,complementAdresseEtablissement,numeroVoieEtablissement,indiceRepetitionEtablissement,typeVoieEtablissement,libelleVoieEtablissement,codePostalEtablissement,libelleCommuneEtablissement,libelleCommuneEtrangerEtablissement,distributionSpecialeEtablissement,codeCommuneEtablissement,codeCedexEtablissement,libelleCedexEtablissement,codePaysEtrangerEtablissement,libellePaysEtrangerEtablissement,dateCreationEtablissement,etatAdministratifEtablissement,activitePrincipaleEtablissement,nomenclatureActivitePrincipaleEtablissement";

/// Legal categories that are out.
const CATEGORIES: [&str; 17] = [
    "4110", "4120", "4140", "4160", "7210", "7220", "7346", "7348", "7366", "7373", "7379", "7383", "7389", "7410", "7430", "7470", "7490",
];
/// Activities that are out.
const ACTIVITIES: [&str; 41] = [
    "84.11Z", "84.12Z", "84.13Z", "84.21Z", "84.22Z", "84.23Z", "84.24Z", "84.25Z", "84.30A", "84.30B", "84.30C", "85.10Z", "85.20Z",
    "85.31Z", "85.32Z", "85.41Z", "85.42Z", "94.11Z", "94.12Z", "94.20Z", "94.91Z", "94.92Z", "64.11Z", "64.19Z", "64.30Z", "64.91Z",
    "64.92Z", "64.99Z", "65.11Z", "65.12Z", "65.20Z", "65.30Z", "66.11Z", "66.12Z", "66.19A", "66.19B", "66.21Z", "66.22Z", "66.29Z",
    "66.30Z", "99.00Z",
];
/// Activities near those, which stay.
const NEAR: [&str; 6] = ["64.20Z", "85.51Z", "85.52Z", "85.60Z", "94.99Z", "25.11Z"];

/// A head office in Lyon, one abroad, and one whose place nothing says.
const LYON: (&str, &str) = ("69123", "");
const ABROAD: (&str, &str) = ("", "99131");
const NOWHERE: (&str, &str) = ("", "");

/// The files of a delivery, and what is expected of each company.
#[derive(Default)]
struct Delivery {
    units: String,
    establishments: String,
    headcounts: String,
    expected: BTreeMap<String, &'static str>,
}

impl Delivery {
    /// Adds a company: the headcounts of three months, its category and activity, its head offices; and why it is out, if it is.
    fn company(&mut self, headcounts: [&str; 3], category: &str, activity: &str, offices: &[(&str, &str)], reason: &'static str) {
        let siren = format!("{:09}", 100_000_000 + self.expected.len());
        writeln!(self.units, "{siren},2010-01-01,,,,,12,A,,,COMPANY,{category},{activity},NAFRev2").unwrap();
        for (number, (commune, country)) in offices.iter().enumerate() {
            let nic = number + 1;
            writeln!(self.establishments, "{siren},{nic:05},true,,,,,,,,,,{commune},,,{country},,2010-01-01,A,84.11Z,NAFRev2").unwrap();
        }
        // A secondary establishment never counts.
        writeln!(self.establishments, "{siren},00099,false,,,,,,69001,LYON,,,69123,,,,,2010-01-01,A,25.11Z,NAFRev2").unwrap();
        writeln!(self.headcounts, "{siren};{}", headcounts.join(";")).unwrap();
        self.expected.insert(siren, reason);
    }

    /// Writes the files of the delivery under a folder; gives theirs, and a program without state.
    fn write(&self, root: &Path) -> (PathBuf, Sf) {
        let folder = root.join("delivery");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("sireneUL.csv"), format!("{UNITS}\n{}", self.units)).unwrap();
        fs::write(folder.join("StockEtablissement_utf8_geo.csv"), format!("{ESTABLISHMENTS}\n{}", self.establishments)).unwrap();
        let header = "siren;eff202521;eff202522;eff202523";
        fs::write(folder.join("sigfaible_effectif_siren.csv"), format!("{header}\n{}", self.headcounts)).unwrap();
        (folder, Sf::embedded(&root.join("data")))
    }
}

#[test]
fn each_rule_decides_and_says_so() {
    let mut delivery = Delivery::default();
    let large = ["20", "20", "20"];
    delivery.company(["5", "5", "5"], "5710", "25.11Z", &[LYON], "headcount_too_low");
    delivery.company(large, "4110", "25.11Z", &[LYON], "legal_category");
    delivery.company(large, "5710", "25.11Z", &[ABROAD], "head_office_abroad");
    delivery.company(large, "5710", "25.11Z", &[LYON], "");
    delivery.company(["9", "", "9"], "5710", "25.11Z", &[LYON], "headcount_too_low");
    delivery.company(["10", "", ""], "5710", "25.11Z", &[LYON], "");
    delivery.company(large, "5710", "25.11Z", &[NOWHERE], "head_office_not_located");
    delivery.company(large, "5710", "25.11Z", &[], "no_head_office");
    delivery.company(large, "5710", "25.11Z", &[NOWHERE, LYON], "");
    delivery.company(large, "5710", "25.11Z", &[LYON, ABROAD], "");
    for category in CATEGORIES {
        delivery.company(large, category, "25.11Z", &[LYON], "legal_category");
    }
    for activity in ACTIVITIES {
        delivery.company(large, "5710", activity, &[LYON], "activity");
    }
    for activity in NEAR {
        delivery.company(large, "5710", activity, &[LYON], "");
    }
    let folder = tempdir().unwrap();
    let (files, sf) = delivery.write(folder.path());
    sf.ok(&["ingest", files.to_str().unwrap(), "--batch", "2511"]);
    let shown = sf.ok(&["--format", "csv", "perimeter", "show", "2511"]);
    let found: BTreeMap<String, String> = shown
        .lines()
        .skip(1)
        .map(|line| {
            let cells: Vec<&str> = line.split(',').collect();
            assert_eq!(cells[1] == "true", cells[2].is_empty(), "{line}");
            (cells[0].to_owned(), cells[2].to_owned())
        })
        .collect();
    let expected: BTreeMap<String, String> = delivery.expected.iter().map(|(siren, why)| (siren.clone(), (*why).to_owned())).collect();
    assert_eq!(found, expected);
}

/// Columns that are empty for every company are not months: the months looked at end before them.
#[test]
fn months_without_any_headcount_are_not_looked_at() {
    for (lines, expected) in [
        ([["10", "5", ""], ["5", "10", ""]], [false, true]),
        ([["10", "5", ""], ["5", "10", "1"]], [false, false]),
        ([["10", "", ""], ["9", "", ""]], [true, false]),
        ([["", "", ""], ["", "", "10"]], [false, true]),
    ] {
        let mut delivery = Delivery::default();
        for (headcounts, inside) in lines.into_iter().zip(expected) {
            delivery.company(headcounts, "5710", "25.11Z", &[LYON], if inside { "" } else { "headcount_too_low" });
        }
        let folder = tempdir().unwrap();
        let (files, sf) = delivery.write(folder.path());
        let config = folder.path().join("config.toml");
        fs::write(&config, "[service.ingestion.perimeter]\nheadcount = 10\nmonths = 1\n").unwrap();
        let config = config.to_str().unwrap();
        sf.ok(&["--config", config, "ingest", files.to_str().unwrap(), "--batch", "2511"]);
        let shown = sf.ok(&["--format", "csv", "perimeter", "show", "2511"]);
        for (siren, reason) in &delivery.expected {
            // A company without any headcount is in no file that the perimeter starts from.
            let line = shown.lines().find(|line| line.starts_with(siren.as_str()));
            let inside = line.is_some_and(|line| line.split(',').nth(1) == Some("true"));
            assert_eq!(inside, reason.is_empty(), "{lines:?}: {siren}: {line:?}");
        }
    }
}

#[test]
fn without_sirene_there_is_no_perimeter_rather_than_a_wrong_one() {
    let mut delivery = Delivery::default();
    delivery.company(["20", "20", "20"], "4110", "25.11Z", &[LYON], "");
    let folder = tempdir().unwrap();
    let (files, sf) = delivery.write(folder.path());
    let import = |sources: &str| sf.ok(&["ingest", files.to_str().unwrap(), "--batch", "2511", "--source", sources]);
    assert!(import("effectif_ent,sirene").contains("No perimeter"), "nothing says that its category is out");
    assert!(import("sirene_ul").contains("legal_category 1"), "the rest was imported before");
}

#[test]
fn what_is_in_folders_or_hidden_is_left_alone_and_a_check_commits_nothing() {
    let mut delivery = Delivery::default();
    delivery.company(["20", "20", "20"], "5710", "25.11Z", &[LYON], "");
    let folder = tempdir().unwrap();
    let (files, sf) = delivery.write(folder.path());
    fs::create_dir(files.join("old")).unwrap();
    fs::write(files.join("old/sigfaible_debits.csv"), "nonsense").unwrap();
    fs::write(files.join(".hidden.csv"), "nonsense").unwrap();
    let said = sf.ok(&["ingest", files.to_str().unwrap(), "--batch", "2511", "--check"]);
    assert!(said.contains("checked") && !said.contains("debits") && !said.contains("hidden"), "{said}");
    assert!(sf.fails(&["batches", "show", "2511"]).contains("SF-ING-0007"));
    assert!(sf.ok(&["ingest", files.to_str().unwrap(), "--batch", "2511"]).contains("1 companies in"));
}
