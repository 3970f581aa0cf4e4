//! The feature store: the ways to a vector agree, and an export is what was asked for.

use acceptance::sf::Sf;
use serde_json::Value;
use tempfile::{TempDir, tempdir};

/// The features of an invented delivery.
fn built(companies: u32) -> (TempDir, Sf) {
    let folder = tempdir().unwrap();
    let delivery = Sf::delivery(folder.path(), companies);
    let sf = Sf::embedded(&folder.path().join("data"));
    sf.ok(&["ingest", delivery.to_str().unwrap(), "--batch", "2511"]);
    sf.ok(&["features", "build", "--batch", "2511"]);
    (folder, sf)
}

#[test]
fn what_is_served_stored_and_computed_is_the_same_until_the_sources_change() {
    let (folder, sf) = built(1_500);
    let report = sf.json(&["features", "check", "--companies", "1000", "--seed", "3"]);
    assert_eq!(report["mismatches"], 0, "{report}");
    assert_eq!(report["companies"], 1_000, "{report}");
    assert!(report["offline"].as_u64().unwrap() > 500, "{report}");

    // Debts that nobody built features of: the sources say something else now than what is served.
    let other = folder.path().join("other");
    std::fs::create_dir(&other).unwrap();
    std::fs::write(other.join("sigfaible_debits.csv"), DEBITS).unwrap();
    sf.ok(&["ingest", other.to_str().unwrap(), "--batch", "2511", "--allow-degraded"]);
    let failed = sf.fails(&["features", "check", "--companies", "1000"]);
    assert!(failed.contains("SF-FEA-0003"), "{failed}");
}

const DEBITS: &str = "Urssaf_gestion;Dep;num_cpte;Siren;Siret;Dt_immat;Etat_cpte;Cd_pro_col;Periode;Num_Ecn;Num_Hist_Ecn;Dt_trt_ecn;Mt_PO;Mt_PP;Cd_op_ecn;Motif_ecn;Recours_en_cours
939;27;1;732829320;73282932000074;20150708;1;0;202510;101;1;1250505;100;200;1;1;0
";

/// Columns of every frame, before the features.
const FIXED: [&str; 7] = ["siren", "month", "risk", "label", "event_in", "event", "lenient_label"];

/// Rows and columns of a frame.
fn shape(sf: &Sf, more: &[&str]) -> Value {
    let folder = tempdir().unwrap();
    let out = folder.path().join("frame.arrows");
    let arguments = [&["features", "export", "--batch", "2511", "--out", out.to_str().unwrap()], more].concat();
    sf.ok(&arguments);
    let reader = arrow::ipc::reader::StreamReader::try_new(std::fs::File::open(&out).unwrap(), None).unwrap();
    let columns: Vec<String> = reader.schema().fields().iter().map(|field| field.name().clone()).collect();
    let rows: usize = reader.map(|batch| batch.unwrap().num_rows()).sum();
    serde_json::json!({ "rows": rows, "columns": columns })
}

#[test]
fn an_export_has_the_rows_and_columns_asked_for() {
    let (folder, sf) = built(300);
    let rows = |more: &[&str]| shape(&sf, more)["rows"].as_u64().unwrap();

    let all = shape(&sf, &[]);
    let features = sf.json(&["features", "list"])["features"].as_array().unwrap().len();
    assert_eq!(all["columns"].as_array().unwrap().len(), FIXED.len() + features);
    let some = shape(&sf, &["--feature", "headcount,social_debt", "--labelled", "--at-risk"]);
    assert_eq!(some["columns"], serde_json::json!([&FIXED[..], &["social_debt", "headcount"]].concat()));
    let (every, labelled) = (all["rows"].as_u64().unwrap(), some["rows"].as_u64().unwrap());
    assert!(0 < labelled && labelled < every, "{labelled} of {every}");
    let year = rows(&["--from", "2023-01", "--to", "2023-12"]);
    assert_eq!(
        year,
        (1..=12).map(|month| rows(&["--from", &format!("2023-{month:02}"), "--to", &format!("2023-{month:02}")])).sum::<u64>()
    );
    let half = rows(&["--sample", "0.5", "--seed", "1"]);
    assert!(every / 4 < half && half < every * 3 / 4, "{half} of {every}");
    assert_eq!(half, rows(&["--sample", "0.5", "--seed", "1"]));

    let parquet = folder.path().join("frame.parquet");
    sf.ok(&["features", "export", "--batch", "2511", "--from", "2023-01", "--to", "2023-12", "--out", parquet.to_str().unwrap()]);
    let bytes = std::fs::read(&parquet).unwrap();
    assert!(bytes.starts_with(b"PAR1") && bytes.ends_with(b"PAR1"));
    assert!(sf.fails(&["features", "export", "--batch", "2511", "--feature", "nothing", "--out", "x.parquet"]).contains("'nothing'"));
}

/// The inputs of published models are of the same rows as the features, so that both are measured on the same.
#[test]
fn a_legacy_view_has_the_rows_of_the_features() {
    let (_folder, sf) = built(300);
    let features = shape(&sf, &["--labelled"]);
    for (view, inputs) in [("g3", 18), ("g5", 36), ("g5-yearly", 100)] {
        let legacy = shape(&sf, &["--labelled", "--view", view]);
        assert_eq!(legacy["rows"], features["rows"], "{view}");
        assert_eq!(legacy["columns"].as_array().unwrap().len(), FIXED.len() + inputs, "{view}");
    }
    let some = shape(&sf, &["--view", "g5", "--feature", "effectif"]);
    assert_eq!(some["columns"], serde_json::json!([&FIXED[..], &["effectif"]].concat()));
    let refused = sf.fails(&["features", "export", "--batch", "2511", "--view", "g5", "--feature", "headcount", "--out", "x.parquet"]);
    assert!(refused.contains("'headcount'"), "{refused}");

    // What a chart stands on, and a comparison with an earlier month.
    let batch = sf.json(&["features", "drift", "--reference", "2023-05"]);
    assert_eq!([&batch["reference_month"], &batch["reference_to_month"], &batch["reference_batch"]], ["2023-05", "2023-05", "2511"]);
    let history = sf.json(&["features", "history", &companies(&sf)[0]]);
    let basis = history["basis"]["headcount"].as_array().unwrap();
    assert_eq!(basis.len(), history["months"].as_array().unwrap().len());
    assert!(basis.iter().any(|basis| basis == "observed"), "{history}");
}

/// A file of proceedings that did not come: the months after the one before have unknown outcomes, not companies without failure.
#[test]
fn outcomes_end_where_the_files_of_proceedings_do() {
    let folder = tempdir().unwrap();
    let delivery = Sf::delivery(folder.path(), 300);
    let sf = Sf::embedded(&folder.path().join("data"));
    let ingest = |batch: &str| sf.ok(&["ingest", delivery.to_str().unwrap(), "--batch", batch, "--allow-degraded"]);
    ingest("2509");
    std::fs::remove_file(delivery.join("sigfaible_pcoll.csv")).unwrap();
    ingest("2511");
    assert_eq!(sf.json(&["features", "build", "--batch", "2511"])["proceedings_known_until"], "2025-08");
    let labelled = |from: &str| shape(&sf, &["--labelled", "--from", from, "--feature", "headcount"])["rows"].as_u64().unwrap();
    assert!(labelled("2024-02") > 0, "eighteen months before August 2025");
    assert_eq!(labelled("2024-03"), 0);
}

/// Companies of the latest month.
fn companies(sf: &Sf) -> Vec<String> {
    let folder = tempdir().unwrap();
    let out = folder.path().join("frame.arrows");
    sf.ok(&["features", "export", "--batch", "2511", "--from", "2025-10", "--out", out.to_str().unwrap(), "--feature", "headcount"]);
    let reader = arrow::ipc::reader::StreamReader::try_new(std::fs::File::open(&out).unwrap(), None).unwrap();
    let sirens = |batch: arrow::array::RecordBatch| -> Vec<String> {
        arrow::array::AsArray::as_string::<i32>(batch.column(0)).iter().flatten().map(str::to_owned).collect()
    };
    reader.flat_map(|batch| sirens(batch.unwrap())).collect()
}
