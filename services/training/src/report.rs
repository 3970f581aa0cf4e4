//! The evaluation report of a training: every model under every protocol asked for, on the same rows. It is `metrics.json`,
//! and what the card shows; the same inputs give the same bytes.

use serde::{Deserialize, Serialize};
use trees::Params;
use trees::calibration::{Calibration, Choice, Quality};
use trees::metrics::Interval;

use crate::alarms::Alarm;
use crate::breakdown::Part;
use crate::capacity::CapacityWorth;
use crate::effects::Effect;
use crate::error::TrainingError;
use crate::evaluate::{Figure, IntervalWorth, Worth};
use crate::hazard::HorizonWorth;
use crate::learn::{Kind, Thresholds};
use crate::prepare::Sizes;
use crate::rows::Side;
use crate::search::Trial;
use crate::split::{Protocol, Split};

/// Said wherever figures are shown.
pub const CAUTION: &str =
    "Measured on the rows of this delivery. On invented data these figures prove the plumbing, never the worth of the model.";

/// Failing companies in the test rows below which models cannot be ranked (`domain/model.md` §6: the intervals of average
/// precision are then wider than what separates models).
pub const LEAST_FAILURES: usize = 200;

/// Everything that a training measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The caution that goes with every figure.
    pub caution: String,
    /// Where the model comes from.
    pub lineage: Lineage,
    /// The registered protocol first, then the others; earlier origins follow the latest.
    pub sections: Vec<Section>,
    /// Figures of the first model of the first section, on parts of its test rows.
    pub breakdown: Vec<Part>,
    /// What each feature does in it.
    pub effects: Vec<Effect>,
    /// Share of its test rows of which so little is known that their scores say little ([`trees::TOO_UNKNOWN`]); none where the model has
    /// no splits to count, and in reports of earlier versions.
    #[serde(default)]
    pub hardly_known: Option<f64>,
    /// Parameters that were tried, where a search was asked for.
    pub search: Vec<Trial>,
    /// Metric on validation after each round.
    pub learning_curve: Vec<(u32, f64)>,
    /// Reasons not to believe the figures.
    pub alarms: Vec<Alarm>,
    /// What a reader must know to understand the figures.
    pub notes: Vec<String>,
}

/// Where a model comes from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Lineage {
    /// Batch, or the path of a file.
    pub data: String,
    /// Version of the offline table; 0 for a file.
    pub features_version: i64,
    /// Hash of the catalogue; of the names of the features for a file.
    pub schema_hash: String,
    /// Parameters, seeds and threads among them.
    pub params: Params,
    /// Hash of the feedback of agents; empty without any.
    pub feedback: String,
    /// One month in so many was learnt from.
    #[serde(default)]
    pub training_month_step: u32,
    /// Processes that grew the trees together: like threads, part of what decides the last bits.
    pub processes: usize,
    /// Version of the program.
    pub code_version: String,
}

impl Lineage {
    /// Whether the rows are those of a file, of which nothing is known but its columns.
    pub const fn is_of_a_file(&self) -> bool {
        self.features_version == 0
    }
}

/// One protocol, at one origin.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Section {
    /// Which.
    pub protocol: Protocol,
    /// Its periods.
    pub split: Split,
    /// Rows and failures of each side.
    pub sides: Vec<SideSize>,
    /// Companies of the test rows that fail.
    pub failing_entities: usize,
    /// Rows that the feedback of agents left out.
    pub rows_left_out: usize,
    /// The models, the registered kind first.
    pub models: Vec<Evaluated>,
    /// The first model's alerts by capacity, where departments are known.
    pub capacity: Option<CapacityWorth>,
    /// The first model's intervals beside what happened; none in reports of earlier versions.
    #[serde(default)]
    pub intervals: Option<IntervalWorth>,
    /// The hazard at its horizons, where one was fitted.
    pub horizons: Vec<HorizonWorth>,
    /// Kinds that could not be fitted on these rows, and why.
    pub left_out: Vec<(Kind, String)>,
}

/// How many rows a side has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SideSize {
    /// Which side.
    pub side: String,
    /// Rows.
    pub rows: usize,
    /// Rows followed by a failure.
    pub positives: usize,
}

/// A model under a protocol.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evaluated {
    /// Its kind.
    pub kind: Kind,
    /// How probabilities were calibrated, and the choice.
    pub calibration: Calibrated,
    /// Frozen on validation.
    pub thresholds: Thresholds,
    /// Measured on test.
    pub worth: Worth,
    /// How much higher the average precision of the first model is, both measured on the same companies drawn; none for the
    /// first itself.
    #[serde(default)]
    pub first_leads_by: Option<Interval>,
}

/// How probabilities were calibrated.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Calibrated {
    /// The chosen kind.
    pub kind: String,
    /// Isotonic calibration learnt on one half of validation, on the other.
    pub isotonic: Quality,
    /// Beta calibration learnt on one half of validation, on the other.
    pub beta: Quality,
}

impl From<&Choice> for Calibrated {
    fn from(choice: &Choice) -> Self {
        Self { kind: calibration_name(&choice.calibration).to_owned(), isotonic: choice.isotonic, beta: choice.beta }
    }
}

/// The name of a calibration.
pub const fn calibration_name(calibration: &Calibration) -> &'static str {
    match calibration {
        Calibration::Isotonic(_) => "isotonic",
        Calibration::Beta(_) => "beta",
    }
}

impl Section {
    /// The sizes of the sides.
    pub fn sides(sizes: &Sizes) -> Vec<SideSize> {
        let of = |side: Side| SideSize {
            side: side.name().to_owned(),
            rows: sizes.rows[side as usize],
            positives: sizes.positives[side as usize],
        };
        Side::ALL.map(of).to_vec()
    }

    /// What it is called in tables: the protocol, and the end of its test where there are several origins.
    pub fn title(&self) -> String {
        match self.protocol {
            Protocol::Rolling => format!("{} to {}", self.protocol.name(), self.split.test.to),
            protocol => protocol.name().to_owned(),
        }
    }
}

impl Report {
    /// The file `metrics.json`.
    pub fn json(&self) -> Result<String, TrainingError> {
        serde_json::to_string_pretty(self).map_err(|source| TrainingError::Document { what: "metrics.json".into(), source })
    }

    /// A figure of the registered model under its protocol.
    pub fn figure(&self, figure: Figure) -> Option<Interval> {
        self.sections.first()?.models.first()?.worth.figures.get(&figure).copied()
    }
}

/// What a reader must know: whether models can be ranked, why lenient figures are higher, and what was left out.
pub fn notes(sections: &[Section]) -> Vec<String> {
    let mut notes = Vec::new();
    let Some(first) = sections.first() else { return notes };
    if first.failing_entities < LEAST_FAILURES {
        notes.push(format!(
            "Only {} companies of the test rows fail: too few to rank models. Read the intervals, not the values ({LEAST_FAILURES} are needed).",
            first.failing_entities
        ));
    } else {
        notes.extend(ranking(first));
    }
    let auc = |section: &Section| section.models.first()?.worth.figures.get(&Figure::Auc).map(|interval| interval.value);
    for section in sections.iter().filter(|section| section.protocol == Protocol::Lenient) {
        if let (Some(lenient), Some(honest)) = (auc(section), auc(first)) {
            notes.push(format!(
                "Lenient figures (AUC {lenient:.3} against {honest:.3}) are those of the evaluation published in March 2024, for comparison \
                 only. They count companies that are already in a proceeding, which anyone can see, as failures foreseen; their outcome stays \
                 true for ever after the first judgment; and models learn from the very months that they are measured on."
            ));
        }
    }
    if first.rows_left_out > 0 {
        notes.push(format!(
            "{} rows of companies that agents helped or judged are left out, of learning and of the figures.",
            first.rows_left_out
        ));
    }
    for section in sections {
        for (kind, reason) in &section.left_out {
            notes.push(format!("{} is missing under {}: {reason}.", kind.name(), section.title()));
        }
    }
    notes
}

/// Whether the first model is better than the others in average precision, as far as the rows can tell.
fn ranking(section: &Section) -> Option<String> {
    let precision = |model: &Evaluated| model.worth.figures.get(&Figure::AveragePrecision).copied();
    let (first, others) = section.models.split_first()?;
    let mine = precision(first)?;
    let rest: Vec<String> = others
        .iter()
        .filter_map(|other| {
            let theirs = precision(other)?;
            let Some(lead) = other.first_leads_by else {
                return Some(format!("{} ({:.3}): not comparable", other.kind.name(), theirs.value));
            };
            let verdict = if lead.low > 0.0 {
                "better"
            } else if lead.high < 0.0 {
                "worse"
            } else {
                "these rows cannot tell them apart"
            };
            let (name, theirs) = (other.kind.name(), theirs.value);
            Some(format!("{name} ({theirs:.3}): {verdict}, {:+.3} [{:+.3}, {:+.3}]", lead.value, lead.low, lead.high))
        })
        .collect();
    let name = first.kind.name();
    let how = "differences with 95 % intervals on the same companies drawn";
    (!rest.is_empty()).then(|| format!("Average precision of {name}, {:.3}, against {} ({how}).", mine.value, rest.join("; ")))
}
