//! How good scores are as probabilities. All need scores within [0, 1].

use serde::{Deserialize, Serialize};

use super::ranking::Ranked;

/// How rows are put into bins to compare predicted and observed rates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bins {
    /// This many intervals of equal width, `[k/n, (k+1)/n)`, the last one closed.
    EqualWidth(u32),
    /// About this many bins with the same number of rows, from the lowest scores up. Equal scores stay together, so bins
    /// are as close to the same number as ties allow, and may be fewer.
    EqualFrequency(u32),
}

/// One bin of a reliability diagram.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ReliabilityBin {
    /// Number of rows.
    pub rows: f64,
    /// Mean predicted probability.
    pub predicted: f64,
    /// Share that failed.
    pub observed: f64,
}

impl Ranked {
    /// Brier score: mean squared difference between probability and outcome. `None` without rows.
    pub fn brier(&self) -> Option<f64> {
        self.mean(|probability, positive| (probability - f64::from(positive)).powi(2))
    }

    /// Mean logarithmic loss in nats. Probabilities are kept away from 0 and 1 by the smallest step of a double near 1, as
    /// in scikit-learn. `None` without rows.
    pub fn log_loss(&self) -> Option<f64> {
        self.mean(|probability, positive| {
            let probability = probability.clamp(f64::EPSILON, 1.0 - f64::EPSILON);
            if positive { -probability.ln() } else { -(-probability).ln_1p() }
        })
    }

    fn mean(&self, loss: impl Fn(f64, bool) -> f64) -> Option<f64> {
        let (mut sum, mut rows) = (0.0, 0.0);
        for (probability, positive, count) in self.rows() {
            sum += count * loss(probability, positive);
            rows += count;
        }
        (rows > 0.0).then(|| sum / rows)
    }

    /// The bins that are not empty, from the lowest probabilities up.
    pub fn reliability(&self, bins: Bins) -> Vec<ReliabilityBin> {
        let (positives, negatives) = self.totals();
        // Bin of a run of equal scores, by its score and the number of rows below the middle of the run.
        let place = |score: f64, middle: f64| match bins {
            Bins::EqualWidth(count) => (score * f64::from(count)).floor().clamp(0.0, f64::from(count.max(1) - 1)),
            Bins::EqualFrequency(count) => (middle * f64::from(count) / (positives + negatives)).floor(),
        };
        let mut done: Vec<ReliabilityBin> = Vec::new();
        let (mut rows, mut below, mut current) = (self.rows().rev().peekable(), 0.0, None);
        while let Some(&(score, ..)) = rows.peek() {
            let (mut run, mut failed) = (0.0, 0.0);
            while let Some((_, positive, count)) = rows.next_if(|(next, ..)| *next == score) {
                run += count;
                failed += f64::from(positive) * count;
            }
            let bin = place(score, below + run / 2.0);
            below += run;
            if current != Some(bin) {
                current = Some(bin);
                done.push(ReliabilityBin { rows: 0.0, predicted: 0.0, observed: 0.0 });
            }
            if let Some(last) = done.last_mut() {
                last.rows += run;
                last.predicted += run * score;
                last.observed += failed;
            }
        }
        for bin in &mut done {
            bin.predicted /= bin.rows;
            bin.observed /= bin.rows;
        }
        done
    }

    /// Expected calibration error: mean over the rows of the difference, in absolute value, between predicted and observed
    /// rate of their bin. `None` without rows.
    pub fn ece(&self, bins: Bins) -> Option<f64> {
        let bins = self.reliability(bins);
        let rows: f64 = bins.iter().map(|bin| bin.rows).sum();
        let error: f64 = bins.iter().map(|bin| bin.rows * (bin.predicted - bin.observed).abs()).sum();
        (rows > 0.0).then(|| error / rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bins_of_equal_width_and_frequency() {
        let scores = [0.05, 0.1, 0.1, 0.1, 0.55, 0.9, 1.0, 0.2];
        let outcomes = [false, false, true, false, true, true, true, false];
        let ranked = Ranked::from_parts(&scores, &outcomes).unwrap();
        let wide = ranked.reliability(Bins::EqualWidth(2));
        assert_eq!((wide.len(), wide[0].rows, wide[1].rows), (2, 5.0, 3.0));
        assert!((wide[0].predicted - 0.11).abs() < 1e-12 && (wide[0].observed - 0.2).abs() < 1e-12);
        let equal = ranked.reliability(Bins::EqualFrequency(4));
        assert_eq!(equal.iter().map(|bin| bin.rows).collect::<Vec<_>>(), [1.0, 3.0, 2.0, 2.0], "the three 0.1 stay together");
        let expected = (1.0 * 0.05 + 3.0 * (1.0 / 3.0 - 0.1) + 2.0 * (0.5 - 0.375) + 2.0 * 0.05) / 8.0;
        assert!((ranked.ece(Bins::EqualFrequency(4)).unwrap() - expected).abs() < 1e-12);
        assert_eq!(Ranked::new(&[]).unwrap().ece(Bins::EqualWidth(10)), None);
    }
}
