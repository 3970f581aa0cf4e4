//! Isotonic calibration: the increasing curve closest to the outcomes, by pooling adjacent violators.
//!
//! Such a curve is constant over each pool. Ranks made of its probabilities would tie companies that the model tells apart, by the
//! thousand; a millionth of the logistic of the score is therefore mixed in, which changes no probability that anybody reads and keeps
//! the order of the scores.

use serde::{Deserialize, Serialize};

use super::Bounds;
use crate::error::Result;
use crate::metrics::Scored;
use crate::sigmoid::sigmoid;

/// Share of the logistic of the score in a probability.
const ORDER: f64 = 1e-6;

/// An increasing curve through knots; between two it is linear, beyond the ends constant but for [`ORDER`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Isotonic {
    /// Log-odds and rate, both increasing.
    knots: Vec<(f64, f64)>,
    bounds: Bounds,
}

/// Neighbouring scores with one rate.
#[derive(Clone, Copy)]
struct Pool {
    first: f64,
    last: f64,
    rows: f64,
    positives: f64,
}

impl Pool {
    fn rate(&self) -> f64 {
        self.positives / self.rows
    }
}

impl Isotonic {
    /// Learns from rows with raw log-odds as scores. Rows of equal score are one point with their mean outcome. Fails
    /// when an outcome does not occur or a score is not finite.
    pub fn fit(rows: &[Scored]) -> Result<Self> {
        let bounds = Bounds::of(rows)?;
        let mut sorted = rows.to_vec();
        sorted.sort_unstable_by(|left, right| left.score.total_cmp(&right.score));
        let mut pools: Vec<Pool> = Vec::new();
        for run in sorted.chunk_by(|left, right| left.score == right.score) {
            let positives = run.iter().filter(|row| row.positive).count() as f64;
            let mut pool = Pool { first: run[0].score, last: run[0].score, rows: run.len() as f64, positives };
            while let Some(before) = pools.pop_if(|before| before.rate() >= pool.rate()) {
                pool = Pool {
                    first: before.first,
                    last: pool.last,
                    rows: before.rows + pool.rows,
                    positives: before.positives + pool.positives,
                };
            }
            pools.push(pool);
        }
        let mut knots: Vec<(f64, f64)> = pools.iter().flat_map(|pool| [(pool.first, pool.rate()), (pool.last, pool.rate())]).collect();
        knots.dedup();
        Ok(Self { knots, bounds })
    }

    /// The probability for raw log-odds.
    pub fn apply(&self, log_odds: f64) -> f64 {
        if log_odds.is_nan() {
            return f64::NAN;
        }
        let above = self.knots.partition_point(|(x, _)| *x < log_odds);
        let rate = match (above.checked_sub(1).and_then(|below| self.knots.get(below)), self.knots.get(above)) {
            (Some((x0, y0)), Some((x1, y1))) => (y1 - y0).mul_add((log_odds - x0) / (x1 - x0), *y0),
            (Some((_, rate)), None) | (None, Some((_, rate))) => *rate,
            (None, None) => f64::NAN,
        };
        ORDER.mul_add(sigmoid(log_odds), (1.0 - ORDER) * self.bounds.clamp(rate))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pools_ties_and_interpolates_as_scikit_learn() {
        let scores = [-3.0, -2.0, -2.0, -1.0, 0.0, 0.5, 1.0, 1.0, 2.0, 3.0];
        let outcomes = [0, 1, 0, 0, 1, 0, 1, 1, 0, 1];
        let rows: Vec<Scored> = scores.iter().zip(outcomes).map(|(&score, outcome)| Scored { score, positive: outcome == 1 }).collect();
        let isotonic = Isotonic::fit(&rows).unwrap();
        // sklearn.isotonic.IsotonicRegression(out_of_bounds="clip") of version 1.9.1, kept within [1/12, 11/12].
        let reference = [
            (-9.0, 1.0 / 12.0),
            (-3.0, 1.0 / 12.0),
            (-2.5, 1.0 / 6.0),
            (-1.5, 1.0 / 3.0),
            (-0.5, 5.0 / 12.0),
            (0.25, 0.5),
            (0.75, 7.0 / 12.0),
            (1.5, 2.0 / 3.0),
            (2.5, 5.0 / 6.0),
            (9.0, 11.0 / 12.0),
        ];
        for (log_odds, expected) in reference {
            let expected = (1.0 - ORDER) * expected + ORDER * sigmoid(log_odds);
            assert!((isotonic.apply(log_odds) - expected).abs() < 1e-12, "{log_odds}: {} {expected}", isotonic.apply(log_odds));
        }
    }

    #[test]
    fn scores_of_one_pool_keep_their_order() {
        let rows: Vec<Scored> = (0..100).map(|row| Scored { score: f64::from(row) / 10.0, positive: row % 2 == 0 }).collect();
        let isotonic = Isotonic::fit(&rows).unwrap();
        let curve: Vec<f64> = (-50..150).map(|step| isotonic.apply(f64::from(step) / 10.0)).collect();
        assert!(curve.windows(2).all(|pair| pair[0] < pair[1]));
    }
}
