//! Logistic regression on standardised features, the classical baseline (`domain/model.md` §3, G3 and G4).

use serde::{Deserialize, Serialize};

use super::Scorer;
use crate::error::{Result, TreesError};
use crate::newton::{self, Coefficients};
use crate::rows::Rows;

/// Parameters of the regression.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogisticParams {
    /// Inverse of the L2 penalty, as `C` in scikit-learn.
    pub inverse_penalty: f64,
    /// Features left out: categories, whose numbers have no order.
    pub ignored: Vec<usize>,
}

impl Default for LogisticParams {
    fn default() -> Self {
        Self { inverse_penalty: 1.0, ignored: Vec::new() }
    }
}

/// How one feature enters.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Term {
    /// Replaces a missing value.
    median: f64,
    mean: f64,
    /// Standard deviation, 1 where it is 0.
    scale: f64,
    coefficient: f64,
}

impl Term {
    fn standardised(&self, value: f32) -> f64 {
        let value = if value.is_finite() { f64::from(value) } else { self.median };
        (value - self.mean) / self.scale
    }
}

/// A fitted regression.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Logistic {
    intercept: f64,
    terms: Vec<Term>,
}

impl Logistic {
    /// Fits the regression. Missing and infinite values become the median of the feature; features are standardised after
    /// that; the intercept is not penalised. Keeps a standardised copy of the rows while it runs.
    pub fn fit(params: &LogisticParams, rows: Rows<'_>, positives: &[bool]) -> Result<Self> {
        TreesError::check_length("outcomes", rows.len(), positives.len())?;
        let count = positives.iter().filter(|positive| **positive).count();
        if count == 0 || count == positives.len() {
            return Err(TreesError::SingleClass { rows: rows.len() });
        }
        if !(params.inverse_penalty > 0.0 && params.inverse_penalty.is_finite()) {
            return Err(TreesError::parameter("inverse_penalty", format!("{} is not a number above 0", params.inverse_penalty)));
        }
        let mut terms: Vec<Term> = (0..rows.features()).map(|feature| describe(rows, feature)).collect();
        let used: Vec<usize> = (0..rows.features()).filter(|feature| !params.ignored.contains(feature)).collect();
        let values: Vec<f32> =
            rows.iter().flat_map(|row| used.iter().map(|feature| terms[*feature].standardised(row[*feature]) as f32)).collect();
        let Coefficients { intercept, slopes } = newton::fit(Rows::new(&values, used.len())?, positives, 1.0 / params.inverse_penalty);
        used.iter().zip(slopes).for_each(|(feature, slope)| terms[*feature].coefficient = slope);
        Ok(Self { intercept, terms })
    }
}

impl Scorer for Logistic {
    fn name(&self) -> &'static str {
        "logistic"
    }

    fn score(&self, rows: Rows<'_>) -> Result<Vec<f64>> {
        TreesError::check_features(self.terms.len(), rows.features())?;
        let product = |(term, value): (&Term, &f32)| term.coefficient * term.standardised(*value);
        Ok(rows.iter().map(|row| self.intercept + self.terms.iter().zip(row).map(product).sum::<f64>()).collect())
    }
}

/// Median of the finite values of a feature, then mean and deviation of the feature once it is filled in.
fn describe(rows: Rows<'_>, feature: usize) -> Term {
    let mut known: Vec<f32> = rows.iter().map(|row| row[feature]).filter(|value| value.is_finite()).collect();
    let median = median(&mut known);
    let filled = || rows.iter().map(|row| if row[feature].is_finite() { f64::from(row[feature]) } else { median });
    let count = rows.len() as f64;
    let mean = filled().sum::<f64>() / count;
    let deviation = (filled().map(|value| (value - mean).powi(2)).sum::<f64>() / count).sqrt();
    // A constant column has a deviation of rounding errors only.
    let scale = if deviation > mean.abs() * 1e-12 { deviation } else { 1.0 };
    Term { median, mean, scale, coefficient: 0.0 }
}

/// The mean of the two middle values; 0 without values.
fn median(values: &mut [f32]) -> f64 {
    let middle = values.len() / 2;
    if values.is_empty() {
        return 0.0;
    }
    let (below, upper, _) = values.select_nth_unstable_by(middle, f32::total_cmp);
    let upper = f64::from(*upper);
    let lower = below.iter().copied().max_by(f32::total_cmp).map_or(upper, f64::from);
    if values.len().is_multiple_of(2) { f64::midpoint(lower, upper) } else { upper }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_values_are_the_median_and_constants_do_nothing() {
        let values = [1f32, 7.0, 2.0, 7.0, f32::NAN, 7.0, 4.0, 7.0, 5.0, 7.0, 100.0, 7.0];
        let rows = Rows::new(&values, 2).unwrap();
        let logistic = Logistic::fit(&LogisticParams::default(), rows, &[false, false, false, true, false, true]).unwrap();
        assert_eq!((logistic.terms[0].median, logistic.terms[1].coefficient), (4.0, 0.0));
        let scores = logistic.score(rows).unwrap();
        assert_eq!(scores[2], scores[3], "a missing value scores as the median");
        assert!(scores[5] > scores[0]);
        let blind = LogisticParams { ignored: vec![0], ..LogisticParams::default() };
        let blind = Logistic::fit(&blind, rows, &[false, false, false, true, false, true]).unwrap().score(rows).unwrap();
        assert!(blind.iter().all(|score| (score - 0.5f64.ln()).abs() < 1e-6), "only the prevalence is left: {blind:?}");
    }

    #[test]
    fn medians_of_even_and_odd_counts() {
        assert_eq!(median(&mut [3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&mut [4.0, 1.0, 2.0, 3.0]), 2.5);
        assert_eq!(median(&mut []), 0.0);
    }
}
