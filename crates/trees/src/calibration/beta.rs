//! Beta calibration (Kull, Silva Filho and Flach, 2017): three parameters, for when data are few.

use serde::{Deserialize, Serialize};

use super::Bounds;
use crate::error::Result;
use crate::metrics::Scored;
use crate::newton;
use crate::rows::Rows;
use crate::sigmoid::{sigmoid, softplus};

/// Keeps the regression solvable when scores separate the outcomes; too small to matter otherwise.
const PENALTY: f64 = 1e-6;

/// `logit(p') = a · ln p - b · ln(1 - p) + c` with `a, b ≥ 0`; the identity is `a = b = 1, c = 0`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Beta {
    a: f64,
    b: f64,
    c: f64,
    bounds: Bounds,
}

impl Beta {
    /// Learns from rows with raw log-odds as scores. A slope that would be negative is set to 0 and the other learnt
    /// again, as its authors do. Fails when an outcome does not occur or a score is not finite.
    pub fn fit(rows: &[Scored]) -> Result<Self> {
        let bounds = Bounds::of(rows)?;
        let positives: Vec<bool> = rows.iter().map(|row| row.positive).collect();
        let slopes = |use_a: bool, use_b: bool| {
            let columns = |row: &Scored| {
                let [below, above] = columns(row.score);
                [below * f64::from(use_a), above * f64::from(use_b)]
            };
            let values: Vec<f64> = rows.iter().flat_map(columns).collect();
            let found = newton::fit(Rows::new(&values, 2)?, &positives, PENALTY);
            Ok::<_, crate::TreesError>(Self { a: found.slopes[0], b: found.slopes[1], c: found.intercept, bounds })
        };
        let allowed = |beta: &Self| beta.a >= 0.0 && beta.b >= 0.0;
        let free = slopes(true, true)?;
        if allowed(&free) {
            return Ok(free);
        }
        let one = slopes(free.a >= 0.0, free.a < 0.0)?;
        if allowed(&one) { Ok(one) } else { slopes(false, false) }
    }

    /// The probability for raw log-odds.
    pub fn apply(&self, log_odds: f64) -> f64 {
        let [below, above] = columns(log_odds);
        self.bounds.clamp(sigmoid(self.a.mul_add(below, self.b.mul_add(above, self.c))))
    }
}

/// `ln p` and `-ln(1 - p)`, without computing `p`.
fn columns(log_odds: f64) -> [f64; 2] {
    [-softplus(-log_odds), softplus(log_odds)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(outcome: impl Fn(u32) -> bool) -> Vec<Scored> {
        (0..400).map(|row| Scored { score: f64::from(row) / 40.0 - 5.0, positive: outcome(row) }).collect()
    }

    #[test]
    fn the_slopes_are_those_of_scikit_learn() {
        let outcomes = [0, 0, 0, 1, 0, 0, 1, 0, 0, 1, 1, 0, 1, 1, 0, 1];
        let rows: Vec<Scored> =
            (0..16u32).map(|row| Scored { score: f64::from(row) / 2.0 - 4.0, positive: outcomes[row as usize] == 1 }).collect();
        let beta = Beta::fit(&rows).unwrap();
        // sklearn.linear_model.LogisticRegression(C=1e6) of version 1.9.1 on ln p and -ln(1 - p).
        for (found, expected) in [(beta.a, 0.71685943), (beta.b, 0.11667194), (beta.c, 0.46893001)] {
            assert!((found - expected).abs() < 1e-6, "{beta:?}");
        }
        for (log_odds, expected) in [(-4.0, 0.08245862), (-1.5, 0.32579961), (3.5, 0.70254071)] {
            assert!((beta.apply(log_odds) - expected).abs() < 1e-6);
        }
    }

    #[test]
    fn a_separable_sample_gives_a_steep_but_bounded_curve() {
        let beta = Beta::fit(&rows(|row| row >= 200)).unwrap();
        assert!(beta.apply(-5.0) <= 1.0 / 402.0 + 1e-12 && beta.apply(5.0) >= 401.0 / 402.0 - 1e-12, "{beta:?}");
    }

    #[test]
    fn a_score_that_points_the_wrong_way_becomes_the_prevalence() {
        let beta = Beta::fit(&rows(|row| row % 4 == 0 && row < 200)).unwrap();
        assert_eq!((beta.a, beta.b), (0.0, 0.0));
        assert!((beta.apply(3.0) - 0.125).abs() < 1e-9 && beta.apply(-3.0) == beta.apply(3.0));
    }
}
