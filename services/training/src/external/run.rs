//! Trains and measures on a file, and writes what was found into a folder.

use std::fmt::Write as _;
use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use trees::Round;
use trees::metrics::Bootstrap;
use trees::params::fingerprint;

use super::{Columns, External, unreadable};
use crate::card;
use crate::error::TrainingError;
use crate::feedback::Feedback;
use crate::job::learning_curve;
use crate::learn::{self, FeatureRoles, Kind};
use crate::report::{CAUTION, Lineage, Report, notes};
use crate::rows::Source as _;
use crate::scored::Facets;
use crate::split::Split;
use crate::study::{self, Plan, Study};

/// What is asked of a file.
#[derive(Debug, Clone)]
pub struct Asked {
    /// The file.
    pub frame: PathBuf,
    /// Its columns.
    pub columns: Columns,
    /// What is trained first; the others are compared with it.
    pub kind: Kind,
    /// Whether nothing else is compared with it.
    pub alone: bool,
    /// Parameters of the boosting over the defaults.
    pub parameters: Vec<(String, String)>,
    /// Threads of LightGBM.
    pub threads: u32,
    /// Where the results go.
    pub out: PathBuf,
}

/// Trains, measures, and writes `predictions.csv`, `metrics.json`, `card.html` and, for LightGBM, `model.txt` into the
/// folder, each whole or not at all.
pub fn run(asked: &Asked, progress: &mut dyn FnMut(Kind, Option<Round>)) -> Result<Report, TrainingError> {
    let file = External::open(&asked.frame, &asked.columns)?;
    // Nothing is known of the columns: no category, no direction, no debt for the rule to read.
    let roles = FeatureRoles::default();
    let params = learn::params(&roles, asked.threads, &asked.parameters)?;
    let comparable: &[Kind] = if asked.alone { &[] } else { &[Kind::Mixture, Kind::Lightgbm, Kind::Logistic, Kind::RandomForest] };
    let kinds: Vec<Kind> = std::iter::once(asked.kind).chain(comparable.iter().copied().filter(|kind| *kind != asked.kind)).collect();
    let plan = Plan {
        split: Split::given(file.protocol()),
        step: 1,
        feedback: &Feedback::default(),
        kinds: &kinds,
        roles: &roles,
        facets: Facets::default(),
        params: &params,
        bootstrap: Bootstrap::default(),
        hazard: false,
        capacity: 0,
        place: None,
    };
    let mut told = |kind: Kind, round: Option<Round>| {
        progress(kind, round);
        ControlFlow::Continue(())
    };
    let study = study::run(&file, &plan, &mut told)?;
    let details = study.details(&plan)?;
    let sections = vec![study.section.clone()];
    let report = Report {
        caution: CAUTION.to_owned(),
        lineage: Lineage {
            data: asked.frame.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default(),
            features_version: 0,
            schema_hash: fingerprint(&file.features())?,
            params: params.clone(),
            feedback: String::new(),
            training_month_step: 1,
            processes: 1,
            code_version: env!("CARGO_PKG_VERSION").to_owned(),
        },
        notes: notes(&sections),
        sections,
        breakdown: details.breakdown,
        effects: details.effects,
        hardly_known: details.hardly_known,
        search: vec![],
        learning_curve: learning_curve(&study),
        alarms: details.alarms,
    };
    write(&asked.out, &file, &study, &report)?;
    Ok(report)
}

fn write(out: &Path, file: &External, study: &Study, report: &Report) -> Result<(), TrainingError> {
    fs::create_dir_all(out).map_err(|error| unreadable(out, error))?;
    let put = |name: &str, bytes: &[u8]| {
        let (part, whole) = (out.join(format!("{name}.part")), out.join(name));
        fs::write(&part, bytes).and_then(|()| fs::rename(&part, &whole)).map_err(|error| unreadable(&whole, error))
    };
    let mut predictions = String::from("entity,time,label,probability\n");
    for (row, probability) in study.test.scores.rows.iter().zip(&study.test.probabilities) {
        let (entity, time) = file.names(row.entity, row.time);
        let _infallible = writeln!(predictions, "{},{},{},{probability}", quoted(entity), quoted(time), u8::from(row.label));
    }
    put("predictions.csv", predictions.as_bytes())?;
    let metrics = serde_json::to_vec_pretty(report).map_err(|source| TrainingError::Document { what: "metrics.json".into(), source })?;
    put("metrics.json", &metrics)?;
    if let Some(text) = &study.first.text {
        put("model.txt", text.as_bytes())?;
    }
    put("card.html", card::render(&format!("Evaluation of {}", report.lineage.data), report, None).as_bytes())
}

/// A name as a field of a CSV file.
fn quoted(name: &str) -> String {
    if name.contains([',', '"', '\n']) { format!("\"{}\"", name.replace('"', "\"\"")) } else { name.to_owned() }
}
