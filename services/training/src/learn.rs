//! From a frame to a calibrated model and its figures. No I/O: what is learnt depends on the rows and the parameters only.

use std::ops::ControlFlow;

use api::training::{Evaluation, Thresholds};
use serde::{Deserialize, Serialize};
use trees::calibration::Calibration;
use trees::metrics::{Bins, Ranked, ReliabilityBin, Scored};
use trees::scorers::{DebtRule, Forest, Logistic, LogisticParams};
use trees::{Dataset, Params, Round, Schema, Scorer, ValidationMetric, train};

use crate::error::TrainingError;
use crate::evaluate;
use crate::frame::{Block, Frame};

/// Kinds of model that can be trained and compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Gradient boosting: the default.
    Lightgbm,
    /// Logistic regression on standardised features.
    Logistic,
    /// The forest published in 2024.
    RandomForest,
    /// Debt above one month of contributions for three months.
    Rule,
}

impl Kind {
    /// All of them, in the order of reports.
    pub const ALL: [Self; 4] = [Self::Lightgbm, Self::Logistic, Self::RandomForest, Self::Rule];

    /// Reads a name; empty means the default.
    pub fn parse(name: &str) -> Option<Self> {
        if name.is_empty() { Some(Self::Lightgbm) } else { Self::ALL.into_iter().find(|kind| kind.name() == name) }
    }

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Lightgbm => "lightgbm",
            Self::Logistic => "logistic",
            Self::RandomForest => "random-forest",
            Self::Rule => "rule",
        }
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

/// A model ready to be evaluated beside others.
pub struct Candidate {
    /// Its kind.
    pub kind: Kind,
    /// What ranks.
    pub scorer: Box<dyn Scorer>,
    /// LightGBM text, for the kinds that have one.
    pub text: Option<String>,
    /// Parameters, for the kinds that have LightGBM's.
    pub params: Params,
    /// From log-odds to probability, learnt on validation.
    pub calibration: Calibration,
    /// Learnt on validation.
    pub thresholds: Thresholds,
}

/// A candidate with its figures on the test rows.
pub struct Measured {
    /// The model.
    pub candidate: Candidate,
    /// Its figures.
    pub evaluation: Evaluation,
    /// Predicted and observed rates on test, by tenth.
    pub reliability: Vec<ReliabilityBin>,
}

/// Default parameters of the boosting; the number of trees is chosen on validation.
pub fn default_params(roles: &FeatureRoles, threads: u32) -> Params {
    Params {
        rounds: 600,
        learning_rate: 0.03,
        num_leaves: 15,
        min_data_in_leaf: 200,
        lambda_l2: 10.0,
        feature_fraction: 0.5,
        bagging_fraction: 0.7,
        bagging_frequency: 1,
        monotone_constraints: roles.monotone.clone(),
        metric: ValidationMetric::BinaryLogloss,
        early_stopping_rounds: Some(60),
        threads,
        ..Params::default()
    }
}

/// Trains one kind on the frame and calibrates it on validation. `progress` may cancel.
pub fn fit(
    kind: Kind,
    frame: &Frame,
    roles: &FeatureRoles,
    params: &Params,
    progress: &mut dyn FnMut(Round) -> ControlFlow<()>,
) -> Result<Candidate, TrainingError> {
    let width = frame.features().len();
    let (scorer, text, params): (Box<dyn Scorer>, Option<String>, Params) = match kind {
        Kind::Lightgbm => {
            let data = dataset(frame, roles, params)?;
            let validation = data.validation(frame.validation.rows(width)?, &frame.validation.targets())?;
            let model = train(params, &data, Some(&validation), progress)?.model;
            let text = model.to_text().to_owned();
            (Box::new(model), Some(text), params.clone())
        }
        Kind::RandomForest => {
            let params = Params { threads: params.threads, seed: params.seed, ..Params::published_forest(width) };
            (Box::new(Forest::fit(&params, &dataset(frame, roles, &params)?, progress)?), None, params)
        }
        Kind::Logistic => {
            let model = Logistic::fit(
                &LogisticParams { ignored: roles.categorical.clone(), ..LogisticParams::default() },
                frame.train.rows(width)?,
                &frame.train.labels,
            )?;
            (Box::new(model), None, params.clone())
        }
        Kind::Rule => (Box::new(DebtRule::new(roles.debt_ratio.clone())?), None, params.clone()),
    };
    let calibration = calibrate(&frame.validation, &scorer.score(frame.validation.rows(width)?)?)?;
    let probabilities = probabilities(scorer.as_ref(), &calibration, &frame.validation, width)?;
    let thresholds = evaluate::thresholds(&frame.validation, &probabilities)?;
    Ok(Candidate { kind, scorer, text, params, calibration, thresholds })
}

/// Figures of a candidate on the test rows, which nothing before has read.
pub fn measure(candidate: Candidate, frame: &Frame) -> Result<Measured, TrainingError> {
    let probabilities = probabilities(candidate.scorer.as_ref(), &candidate.calibration, &frame.test, frame.features().len())?;
    let evaluation = evaluate::evaluate(candidate.kind.name(), &frame.test, &probabilities, &candidate.thresholds)?;
    let reliability = Ranked::from_parts(&probabilities, &frame.test.labels)?.reliability(Bins::EqualFrequency(10));
    Ok(Measured { candidate, evaluation, reliability })
}

fn dataset(frame: &Frame, roles: &FeatureRoles, params: &Params) -> Result<Dataset, TrainingError> {
    let schema = Schema::new(frame.features().to_vec(), roles.categorical.clone())?;
    let rows = frame.train.rows(frame.features().len())?;
    Ok(Dataset::from_rows(&schema, &trees::Binning::default(), rows, &frame.train.targets(), params.threads)?)
}

/// Chooses and fits a calibration: companies with an odd SIREN judge what those with an even one taught.
fn calibrate(validation: &Block, scores: &[f64]) -> Result<Calibration, TrainingError> {
    let (mut learn, mut held_out) = (Vec::new(), Vec::new());
    for ((&score, &positive), siren) in scores.iter().zip(&validation.labels).zip(&validation.sirens) {
        let side = if siren.number().is_multiple_of(2) { &mut learn } else { &mut held_out };
        side.push(Scored { score, positive });
    }
    Ok(Calibration::choose(&learn, &held_out)?.calibration)
}

/// Calibrated probabilities of a block's rows.
pub fn probabilities(scorer: &dyn Scorer, calibration: &Calibration, block: &Block, width: usize) -> Result<Vec<f64>, TrainingError> {
    let scores = scorer.score(block.rows(width)?)?;
    Ok(scores.into_iter().map(|score| calibration.apply(score)).collect())
}
