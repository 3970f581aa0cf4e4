//! From prepared rows to fitted models, and from their scores on validation to probabilities and thresholds.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use serde::{Deserialize, Serialize};
use trees::calibration::{Calibration, Choice, VennAbers};
use trees::metrics::{Ranked, Scored};
use trees::scorers::{DebtRule, Forest, Logistic, LogisticParams};
use trees::{Network, Params, Round, Scorer, Trained, ValidationMetric};

use crate::error::TrainingError;
use crate::mixture;
use crate::prepare::Prepared;
use crate::scored::Observed;
use crate::split::scramble;

/// Kinds of model that can be trained and compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Boostings and a forest in one LightGBM text: the default.
    Mixture,
    /// One gradient boosting.
    Lightgbm,
    /// Logistic regression on standardised features.
    Logistic,
    /// The forest published in 2024.
    RandomForest,
    /// Debt above one month of contributions for three months.
    Rule,
    /// The discrete-time hazard: reported by horizon, not compared at one.
    Hazard,
}

impl Kind {
    /// Those that are compared, in the order of reports.
    pub const ALL: [Self; 5] = [Self::Mixture, Self::Lightgbm, Self::Logistic, Self::RandomForest, Self::Rule];

    /// Reads a name; empty means the default.
    pub fn parse(name: &str) -> Option<Self> {
        if name.is_empty() { Some(Self::Mixture) } else { Self::ALL.into_iter().find(|kind| kind.name() == name) }
    }

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mixture => "mixture",
            Self::Lightgbm => "lightgbm",
            Self::Logistic => "logistic",
            Self::RandomForest => "random-forest",
            Self::Rule => "rule",
            Self::Hazard => "hazard",
        }
    }

    /// Whether it can be registered and served: it is a LightGBM text.
    pub const fn is_servable(self) -> bool {
        matches!(self, Self::Mixture | Self::Lightgbm)
    }
}

/// What learning needs to know of the features, by position.
#[derive(Debug, Clone, Default)]
pub struct FeatureRoles {
    /// Codes without order.
    pub categorical: Vec<usize>,
    /// Direction of the risk: 1, -1 or 0 for each feature; empty for none.
    pub monotone: Vec<i8>,
    /// Debt over monthly contributions now, a month ago, two months ago: what the rule reads. Empty when there is none.
    pub debt_ratio: Vec<usize>,
}

/// A fitted model.
pub struct Fitted {
    /// Its kind.
    pub kind: Kind,
    /// What ranks.
    pub scorer: Box<dyn Scorer>,
    /// LightGBM text, for the kinds that can be served.
    pub text: Option<String>,
    /// Metric on validation after each round, for the kinds that follow one.
    pub history: Vec<Round>,
}

/// Parameters of the boosting: the defaults, and what is asked over them. The number of trees is chosen on validation; the
/// others were, among a dozen, on the validation rows of four invented worlds of 20,000 companies (`docs/decisions/0020-mixture.md`).
pub fn params(roles: &FeatureRoles, threads: u32, asked: &[(String, String)]) -> Result<Params, TrainingError> {
    let defaults = Params {
        rounds: 900,
        learning_rate: 0.02,
        num_leaves: 15,
        min_data_in_leaf: 50,
        lambda_l2: 1.0,
        // A department or a division has few failures: left alone, categories learn them by heart.
        category_l2: 300.0,
        category_smoothing: 1_000.0,
        feature_fraction: 0.2,
        bagging_fraction: 0.632,
        bagging_frequency: 1,
        monotone_constraints: roles.monotone.clone(),
        metric: ValidationMetric::BinaryLogloss,
        early_stopping_rounds: Some(60),
        threads,
        ..Params::default()
    };
    Ok(asked.iter().try_fold(defaults, |params, (name, value)| params.with(name, value))?)
}

/// Fits one kind. `progress` may cancel.
pub fn fit(
    kind: Kind,
    prepared: &Prepared,
    roles: &FeatureRoles,
    params: &Params,
    network: Option<&Network>,
    progress: &mut dyn FnMut(Round) -> ControlFlow<()>,
) -> Result<Fitted, TrainingError> {
    let fitted = |scorer: Box<dyn Scorer>| Fitted { kind, scorer, text: None, history: Vec::new() };
    Ok(match kind {
        Kind::Mixture | Kind::Lightgbm => {
            let Trained { model, history, .. } = match kind {
                Kind::Mixture => mixture::grow(prepared, params, network, progress)?,
                _ => mixture::boost(prepared, params, network, progress)?,
            };
            Fitted { text: Some(model.to_text().to_owned()), history, ..fitted(Box::new(model)) }
        }
        Kind::RandomForest => {
            let published = Params::published_forest(prepared.train.features());
            let params = Params { threads: params.threads, seed: params.seed, ..published };
            fitted(Box::new(Forest::fit(&params, &prepared.train, progress)?))
        }
        Kind::Logistic => {
            let params = LogisticParams { ignored: roles.categorical.clone(), ..LogisticParams::default() };
            fitted(Box::new(Logistic::fit(&params, prepared.sample.rows()?, &prepared.sample.labels)?))
        }
        Kind::Rule => fitted(Box::new(DebtRule::new(roles.debt_ratio.clone())?)),
        // It is fitted on rows of its own.
        Kind::Hazard => return Err(TrainingError::NotServable(kind.name())),
    })
}

/// The two thresholds of the alert levels, `moderate` never above `high`; a company at a threshold is at its level.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Thresholds {
    /// Where F2 is best.
    pub moderate: f64,
    /// Where F0.5 is best.
    pub high: f64,
}

/// Chooses and fits a calibration: one half of the entities, drawn by a hash, judges what the other half taught.
pub fn calibrate(validation: &[Observed], raw: &[f64]) -> Result<Choice, TrainingError> {
    let (mut learn, mut held_out) = (Vec::new(), Vec::new());
    for (row, &score) in validation.iter().zip(raw) {
        let side = if scramble(row.entity.into()).is_multiple_of(2) { &mut learn } else { &mut held_out };
        side.push(Scored { score, positive: row.label });
    }
    Ok(Calibration::choose(&learn, &held_out)?)
}

/// Finds both thresholds among the probabilities of the validation rows.
pub fn thresholds(labels: &[bool], probabilities: &[f64]) -> Result<Thresholds, TrainingError> {
    let ranked = Ranked::from_parts(probabilities, labels)?;
    let best = |beta| ranked.best_threshold(beta).map(|point| point.threshold).ok_or(TrainingError::NothingToMeasure("validation"));
    let high = best(0.5)?;
    Ok(Thresholds { high, moderate: best(2.0)?.min(high) })
}

/// Draws entities in another way than rows of them.
const PART: u64 = 0x0dd5_0f1e;

/// How sure probabilities are, learnt from one validation row of an entity at most, drawn by a hash: rows of an entity are not
/// independent, and counting them all would claim too much. An entity takes part as often as it has rows, of those that one has at
/// most, so that each row is as likely as any other: companies that fail have few, and would weigh too much otherwise.
pub fn uncertainty(validation: &[Observed], raw: &[f64]) -> Result<VennAbers, TrainingError> {
    let mut drawn: BTreeMap<u32, (u64, Scored)> = BTreeMap::new();
    let mut rows: BTreeMap<u32, u64> = BTreeMap::new();
    for (row, &score) in validation.iter().zip(raw) {
        let lot = scramble(u64::from(row.entity) << 32 | u64::from(row.time as u32));
        let scored = Scored { score, positive: row.label };
        let kept = drawn.entry(row.entity).or_insert((lot, scored));
        if lot < kept.0 {
            *kept = (lot, scored);
        }
        *rows.entry(row.entity).or_default() += 1;
    }
    let most = rows.values().copied().max().unwrap_or(1);
    let takes_part = |entity: &u32| scramble(u64::from(*entity) ^ PART) % most < rows.get(entity).copied().unwrap_or_default();
    let kept: Vec<Scored> = drawn.iter().filter(|(entity, _)| takes_part(entity)).map(|(_, (_, scored))| *scored).collect();
    Ok(VennAbers::fit(&kept)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scored::Facts;

    #[test]
    fn companies_that_fail_weigh_in_intervals_as_they_do_among_the_rows() {
        // A tenth of the companies fails, and is seen for six months; the others for twenty-four.
        let months = |entity: u32| if entity.is_multiple_of(10) { 6 } else { 24 };
        let facts = Facts { headcount: f32::NAN, naf_division: f32::NAN, department: f32::NAN };
        let rows: Vec<Observed> = (0..20_000)
            .flat_map(|entity| (0..months(entity)).map(move |time| (entity, time)))
            .map(|(entity, time)| Observed { entity, time, label: entity.is_multiple_of(10), next: None, facts })
            .collect();
        let rate = rows.iter().filter(|row| row.label).count() as f64 / rows.len() as f64;
        let (low, high) = uncertainty(&rows, &vec![0.0; rows.len()]).unwrap().interval(0.0);
        assert!((low - rate).abs() < 0.004 && (high - rate).abs() < 0.004, "{low} to {high}, of the rows {rate}");
    }
}
