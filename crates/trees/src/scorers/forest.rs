//! The random forest published in 2024, grown by LightGBM.

use serde::{Deserialize, Serialize};

use super::Scorer;
use crate::dataset::Dataset;
use crate::error::{Result, TreesError};
use crate::model::Model;
use crate::params::{Boosting, Params};
use crate::rows::Rows;
use crate::sigmoid::logit;
use crate::train::{Round, train};

/// A forest whose score is the log-odds of the mean share of positives in the leaves that a row falls into.
///
/// LightGBM grows each tree from the prior alone, with one Newton step a leaf: a leaf with a share `s` of positives has
/// the value `logit(π) + (s - π) / (π (1 - π))`, and the raw score is the sum over the trees. That is undone here, so
/// that the score is the one that a forest of probability trees would have.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Forest {
    model: Model,
    prior: f64,
}

impl Forest {
    /// Grows a forest on an unweighted data set. The parameters must ask for a forest, without penalties or weights, which
    /// would change what a leaf means: [`Params::published_forest`].
    pub fn fit(params: &Params, data: &Dataset, progress: &mut dyn FnMut(Round) -> std::ops::ControlFlow<()>) -> Result<Self> {
        let plain = params.lambda_l1 == 0.0 && params.lambda_l2 == 0.0 && params.positive_weight == 1.0;
        if params.boosting != Boosting::RandomForest || !plain || data.is_weighted() {
            return Err(TreesError::parameter("boosting", "a forest needs boosting = random_forest, no penalties and no weights"));
        }
        let model = train(params, data, None, progress)?.model;
        Ok(Self { model, prior: data.positives() as f64 / data.rows() as f64 })
    }

    /// The mean share of positives in the leaves of each row, within [0, 1].
    pub fn shares(&self, rows: Rows<'_>) -> Result<Vec<f64>> {
        let (prior, start, trees) = (self.prior, logit(self.prior), self.model.trees() as f64);
        let share = |raw: f64| (prior + (raw / trees - start) * prior * (1.0 - prior)).clamp(0.0, 1.0);
        Ok(self.model.predict_raw(rows)?.into_iter().map(share).collect())
    }
}

impl Scorer for Forest {
    fn name(&self) -> &'static str {
        "forest"
    }

    /// Log-odds, kept within those of one in a million.
    fn score(&self, rows: Rows<'_>) -> Result<Vec<f64>> {
        Ok(self.shares(rows)?.into_iter().map(|share| logit(share.clamp(1e-6, 1.0 - 1e-6))).collect())
    }
}
