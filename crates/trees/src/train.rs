//! Training with validation and early stopping.

use std::ops::ControlFlow;

use serde::{Deserialize, Serialize};

use crate::dataset::Dataset;
use crate::error::{Result, TreesError};
use crate::ffi::Trainer;
use crate::model::Model;
use crate::network::Network;
use crate::params::Params;

/// One finished round.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Round {
    /// Number of the round, from 1.
    pub round: u32,
    /// Rounds at most.
    pub of: u32,
    /// The metric on the validation set, if there is one.
    pub metric: Option<f64>,
}

/// A model and how it came about.
#[derive(Debug)]
pub struct Trained {
    /// The model of the best round, read back from its text: what is stored is what predicts.
    pub model: Model,
    /// Rounds of the model.
    pub best_round: u32,
    /// The rounds that were run, for the learning curve.
    pub history: Vec<Round>,
}

/// Trains a model. `valid` must be aligned to `train` ([`crate::DatasetBuilder::aligned`]). With early stopping the best
/// round on `valid` is kept, otherwise the last. `progress` is called after each round; a break cancels the training.
pub fn train(
    params: &Params,
    train: &Dataset,
    valid: Option<&Dataset>,
    progress: &mut dyn FnMut(Round) -> ControlFlow<()>,
) -> Result<Trained> {
    grow(params, train, valid, "", progress)
}

/// The same with the other machines of a network, each with its own training rows: see [`crate::network`]. A progress that
/// breaks on one machine ends the training of all.
pub fn train_together(
    network: &Network,
    params: &Params,
    train: &Dataset,
    valid: Option<&Dataset>,
    progress: &mut dyn FnMut(Round) -> ControlFlow<()>,
) -> Result<Trained> {
    grow(params, train, valid, &format!(" tree_learner=data num_machines={}", network.machines()), progress)
}

fn grow(
    params: &Params,
    train: &Dataset,
    valid: Option<&Dataset>,
    more: &str,
    progress: &mut dyn FnMut(Round) -> ControlFlow<()>,
) -> Result<Trained> {
    params.check(train.features(), train.schema().categorical())?;
    for dataset in [Some(train), valid].into_iter().flatten() {
        if dataset.positives() == 0 || dataset.positives() == dataset.rows() {
            return Err(TreesError::SingleClass { rows: dataset.rows() });
        }
    }
    if params.early_stopping_rounds.is_some() && valid.is_none() {
        return Err(TreesError::parameter("early_stopping_rounds", "there is no validation set: give one, or leave it out"));
    }
    let text = format!("{} {}{more}", params.to_lightgbm(), train.binning.to_lightgbm(train.schema().categorical()));
    let mut trainer = Trainer::new(&train.handle, &text, params.threads as usize)?;
    if let Some(valid) = valid {
        trainer.add_validation(&valid.handle)?;
    }

    let mut history = Vec::new();
    let mut best: Option<(u32, f64)> = None;
    for round in 1..=params.rounds {
        let can_split = trainer.update()?;
        let metric = if valid.is_some() { trainer.evaluate()? } else { None };
        let done = Round { round, of: params.rounds, metric };
        history.push(done);
        if progress(done).is_break() {
            return Err(TreesError::Cancelled { rounds: round });
        }
        if let Some(value) = metric
            && best.is_none_or(|(_, best)| params.metric.improves(value, best))
        {
            best = Some((round, value));
        }
        let patience = params.early_stopping_rounds.unwrap_or(u32::MAX);
        if !can_split || best.is_some_and(|(best, _)| round - best >= patience) {
            break;
        }
    }
    let last = history.last().map_or(0, |round| round.round);
    let best_round = params.early_stopping_rounds.and(best).map_or(last, |(round, _)| round);
    let model = Model::from_text(trainer.to_text(best_round)?)?;
    Ok(Trained { model, best_round, history })
}
