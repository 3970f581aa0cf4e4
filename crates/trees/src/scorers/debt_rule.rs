//! The naive rule that a model has to beat: debts to URSSAF above one month of contributions for three months.

use serde::{Deserialize, Serialize};

use super::Scorer;
use crate::error::{Result, TreesError};
use crate::rows::Rows;

/// Fires when the debt has been above one month of contributions in every one of some consecutive months.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DebtRule {
    /// The features that hold debt ÷ monthly contribution, one for each month: this one, the one before, and so on.
    months: Vec<usize>,
}

impl DebtRule {
    /// A rule on these features, at least one; three for the published rule.
    pub fn new(months: Vec<usize>) -> Result<Self> {
        if months.is_empty() {
            return Err(TreesError::parameter("months", "give the feature of at least one month"));
        }
        Ok(Self { months })
    }

    /// The lowest ratio of the months, 0 when one is missing: the rule fires when it is above 1.
    fn lowest(&self, row: &[f32]) -> Result<f64> {
        self.months.iter().try_fold(f64::INFINITY, |lowest, month| {
            let ratio = row.get(*month).ok_or(TreesError::FeatureCount { expected: month + 1, found: row.len() })?;
            Ok(if ratio.is_finite() { lowest.min(f64::from(*ratio)) } else { 0.0f64.min(lowest) })
        })
    }

    /// Whether the rule fires on a row. A missing month means that it does not.
    pub fn fires(&self, row: &[f32]) -> Result<bool> {
        self.lowest(row).map(|lowest| lowest > 1.0)
    }
}

impl Scorer for DebtRule {
    fn name(&self) -> &'static str {
        "debt_rule"
    }

    /// The lowest ratio of the months, so that the rule can also rank; the rule as such is a score above 1.
    fn score(&self, rows: Rows<'_>) -> Result<Vec<f64>> {
        rows.iter().map(|row| self.lowest(row)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_month_must_be_above_one() {
        let rule = DebtRule::new(vec![0, 1, 2]).unwrap();
        let values = [1.2f32, 1.3, 1.1, 1.2, 1.0, 1.3, 1.2, f32::NAN, 1.3, 9.0, 0.0, 9.0];
        let rows = Rows::new(&values, 3).unwrap();
        let fired: Vec<bool> = rows.iter().map(|row| rule.fires(row).unwrap()).collect();
        assert_eq!(fired, [true, false, false, false]);
        assert_eq!(rule.score(rows).unwrap(), [f64::from(1.1f32), 1.0, 0.0, 0.0]);
        assert!(DebtRule::new(vec![]).is_err() && DebtRule::new(vec![3]).unwrap().score(rows).is_err());
    }
}
