//! The models that are compared, behind one trait (`domain/model.md` §6.7: every report shows all of them on the same rows).

mod debt_rule;
mod forest;
mod logistic;

pub use debt_rule::DebtRule;
pub use forest::Forest;
pub use logistic::{Logistic, LogisticParams};

use crate::error::Result;
use crate::model::Model;
use crate::rows::Rows;

/// Something that ranks companies by their features.
pub trait Scorer: Send + Sync {
    /// A short stable name for reports.
    fn name(&self) -> &'static str;

    /// One finite score a row, the higher the riskier. The models give log-odds, which a calibration turns into a
    /// probability.
    fn score(&self, rows: Rows<'_>) -> Result<Vec<f64>>;
}

impl Scorer for Model {
    fn name(&self) -> &'static str {
        "lightgbm"
    }

    fn score(&self, rows: Rows<'_>) -> Result<Vec<f64>> {
        self.predict_raw(rows)
    }
}
