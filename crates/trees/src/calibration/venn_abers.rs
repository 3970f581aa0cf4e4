//! How sure a probability is: the interval of an inductive Venn–Abers predictor (Vovk, Petej and Fedorova, "Large-scale
//! probabilistic predictors with and without guarantees of validity", NIPS 2015).
//!
//! A new row is added to the calibration rows twice, once as a survivor and once as a failure; the isotonic fit of each
//! gives one end. Where few rows have such scores the two are far apart. One of them is a perfectly calibrated probability
//! when rows are exchangeable: give one row a company, since those of a company are not independent.

use serde::{Deserialize, Serialize};

use super::Bounds;
use crate::error::Result;
use crate::metrics::Scored;

/// Scores are grouped into bins that hold one row of this many that lie above them: single rows where scores are highest, which are few and
/// looked at, and some hundreds of bins in all.
const SHARE: f64 = 50.0;

/// The two ends of the probability for each range of scores, learnt from calibration rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VennAbers {
    /// Upper end of each bin but the last, in log-odds.
    edges: Vec<f64>,
    /// The probability of each bin if its new row survives.
    low: Vec<f64>,
    /// The probability of each bin if its new row fails.
    high: Vec<f64>,
}

impl VennAbers {
    /// Learns from rows with raw log-odds as scores. Fails when an outcome does not occur or a score is not finite.
    pub fn fit(rows: &[Scored]) -> Result<Self> {
        Bounds::of(rows)?;
        let mut sorted = rows.to_vec();
        sorted.sort_unstable_by(|left, right| left.score.total_cmp(&right.score));
        let (edges, bins) = binned(&sorted);
        let end = |failure: f64| {
            (0..bins.len())
                .map(|bin| {
                    let added = |(at, (rows, positives)): (usize, &(f64, f64))| {
                        let new = f64::from(u8::from(at == bin));
                        (rows + new, failure.mul_add(new, *positives))
                    };
                    isotonic_at(bins.iter().enumerate().map(added), bin)
                })
                .collect()
        };
        Ok(Self { low: end(0.0), high: end(1.0), edges })
    }

    /// The ends of the probability for raw log-odds; NaN for NaN.
    pub fn interval(&self, log_odds: f64) -> (f64, f64) {
        if log_odds.is_nan() {
            return (f64::NAN, f64::NAN);
        }
        let bin = self.edges.partition_point(|edge| *edge < log_odds);
        let at = |ends: &[f64]| ends.get(bin).copied().unwrap_or(f64::NAN);
        (at(&self.low), at(&self.high))
    }
}

/// Groups rows, sorted by score, into bins of (rows, positives), with the upper end of each but the last.
fn binned(sorted: &[Scored]) -> (Vec<f64>, Vec<(f64, f64)>) {
    // From the highest score down: the upper end, the rows and the positives of each bin.
    let mut bins: Vec<(f64, f64, f64)> = Vec::new();
    let (mut above, mut is_open) = (0.0, false);
    for run in sorted.chunk_by(|left, right| left.score == right.score).rev() {
        let (rows, positives) = (run.len() as f64, run.iter().filter(|row| row.positive).count() as f64);
        match bins.last_mut().filter(|_| is_open) {
            Some(bin) => *bin = (bin.0, bin.1 + rows, bin.2 + positives),
            None => bins.push((run[0].score, rows, positives)),
        }
        let held = bins.last().map_or(0.0, |bin| bin.1);
        is_open = held < above / SHARE;
        above += if is_open { 0.0 } else { held };
    }
    bins.reverse();
    let edges = bins[..bins.len().saturating_sub(1)].iter().map(|bin| bin.0).collect();
    (edges, bins.into_iter().map(|(_, rows, positives)| (rows, positives)).collect())
}

/// The isotonic rate of one bin among bins of (rows, positives).
fn isotonic_at(bins: impl Iterator<Item = (f64, f64)>, wanted: usize) -> f64 {
    // Pools of (rows, positives, bins).
    let mut pools: Vec<(f64, f64, usize)> = Vec::new();
    for (rows, positives) in bins {
        let mut pool = (rows, positives, 1);
        while let Some(before) = pools.pop_if(|before| before.1 * pool.0 >= pool.1 * before.0) {
            pool = (before.0 + pool.0, before.1 + pool.1, before.2 + pool.2);
        }
        pools.push(pool);
    }
    let mut seen = 0;
    for (rows, positives, count) in pools {
        seen += count;
        if wanted < seen {
            return positives / rows;
        }
    }
    f64::NAN
}

#[cfg(test)]
mod tests {
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::sigmoid::sigmoid;

    fn rows(count: usize, seed: u64) -> Vec<Scored> {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut row = || {
            let score: f64 = random.random_range(-6.0..2.0);
            Scored { score, positive: random.random::<f64>() < sigmoid(score) }
        };
        (0..count).map(|_| row()).collect()
    }

    #[test]
    fn ends_are_ordered_increasing_and_closer_with_more_rows() {
        let width = |count: usize| {
            let fitted = VennAbers::fit(&rows(count, 1)).unwrap();
            let ends: Vec<(f64, f64)> = (-80..30).map(|tenth| fitted.interval(f64::from(tenth) / 10.0)).collect();
            assert!(ends.iter().all(|(low, high)| low <= high && (0.0..=1.0).contains(low) && (0.0..=1.0).contains(high)));
            assert!(ends.windows(2).all(|pair| pair[0].0 <= pair[1].0 && pair[0].1 <= pair[1].1));
            ends.iter().map(|(low, high)| high - low).sum::<f64>() / ends.len() as f64
        };
        assert!(width(100) > 2.0 * width(10_000));
    }

    #[test]
    fn the_highest_scores_of_many_rows_are_still_told_apart() {
        let fitted = VennAbers::fit(&rows(200_000, 3)).unwrap();
        assert!((200..1_000).contains(&fitted.low.len()), "{}", fitted.low.len());
        // A few failures above all others: the interval says that they are few.
        let mut few = rows(20_000, 4);
        few.extend([7.0, 8.0, 9.0].map(|score| Scored { score, positive: true }));
        let width = |score: f64| {
            let (low, high) = VennAbers::fit(&few).unwrap().interval(score);
            high - low
        };
        assert!(width(9.0) > 4.0 * width(0.0), "{} {}", width(9.0), width(0.0));
    }

    #[test]
    fn the_truth_lies_within_or_near() {
        let fitted = VennAbers::fit(&rows(20_000, 2)).unwrap();
        for score in [-5.0, -3.0, -1.0, 1.0] {
            let (low, high) = fitted.interval(score);
            assert!((low - 0.05..high + 0.05).contains(&sigmoid(score)), "{score}: {low} {high}");
        }
        let json = serde_json::to_string(&fitted).unwrap();
        assert_eq!(serde_json::from_str::<VennAbers>(&json).unwrap(), fitted);
        assert!(fitted.interval(f64::NAN).0.is_nan());
    }

    #[test]
    fn three_rows_by_hand() {
        // One bin a row: survivor, failure, failure. A new row with the first score makes it 0 of 2, or 1 of 2.
        let of = |score, positive| Scored { score, positive };
        let fitted = VennAbers::fit(&[of(0.0, false), of(1.0, true), of(2.0, true)]).unwrap();
        assert_eq!(fitted.interval(0.0), (0.0, 0.5));
        assert_eq!(fitted.interval(2.0), (2.0 / 3.0, 1.0), "a survivor there is pooled with the row before");
    }
}
