//! From raw log-odds to probabilities that mean what they say (`domain/model.md` §9, item 5).
//!
//! A calibration is learnt on rows that the model has not seen. It is monotone, and stays strictly between 0 and 1: with
//! `n` rows nothing below `1 / (n + 2)` or above `(n + 1) / (n + 2)` can be claimed, to a millionth.

mod beta;
mod isotonic;
mod venn_abers;

use serde::{Deserialize, Serialize};

pub use beta::Beta;
pub use isotonic::Isotonic;
pub use venn_abers::VennAbers;

use crate::error::{Result, TreesError};
use crate::metrics::{Ranked, Scored};
use crate::sigmoid::{logit, sigmoid};

/// A calibration, as it is stored with a model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Calibration {
    /// A step-wise increasing curve without assumption on its shape.
    Isotonic(Isotonic),
    /// A curve of three parameters.
    Beta(Beta),
}

/// How well a calibration does on rows it has not seen.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Quality {
    /// Logarithmic loss.
    pub log_loss: f64,
    /// Brier score.
    pub brier: f64,
}

/// A chosen calibration, with what the choice was made on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Choice {
    /// The chosen kind, learnt again from all rows.
    pub calibration: Calibration,
    /// Isotonic calibration learnt from the first part, on the second.
    pub isotonic: Quality,
    /// Beta calibration learnt from the first part, on the second.
    pub beta: Quality,
}

impl Calibration {
    /// The probability for a raw score in log-odds; NaN for NaN.
    pub fn apply(&self, log_odds: f64) -> f64 {
        match self {
            Self::Isotonic(isotonic) => isotonic.apply(log_odds),
            Self::Beta(beta) => beta.apply(log_odds),
        }
    }

    /// Chooses between the kinds: both learn from `learn`; the one with the lower logarithmic loss on `held_out` (of equal
    /// ones, the lower Brier score; of equal ones, beta) is learnt again from all rows. Scores are raw log-odds.
    pub fn choose(learn: &[Scored], held_out: &[Scored]) -> Result<Choice> {
        let quality = |calibration: &Self| {
            let rows: Vec<Scored> = held_out.iter().map(|row| Scored { score: calibration.apply(row.score), ..*row }).collect();
            let ranked = Ranked::new(&rows)?;
            let missing = || TreesError::parameter("held_out", "there are no rows to choose a calibration on");
            Ok::<_, TreesError>(Quality { log_loss: ranked.log_loss().ok_or_else(missing)?, brier: ranked.brier().ok_or_else(missing)? })
        };
        let isotonic = quality(&Self::Isotonic(Isotonic::fit(learn)?))?;
        let beta = quality(&Self::Beta(Beta::fit(learn)?))?;
        let all: Vec<Scored> = learn.iter().chain(held_out).copied().collect();
        let calibration = if (isotonic.log_loss, isotonic.brier) < (beta.log_loss, beta.brier) {
            Self::Isotonic(Isotonic::fit(&all)?)
        } else {
            Self::Beta(Beta::fit(&all)?)
        };
        Ok(Choice { calibration, isotonic, beta })
    }
}

/// Corrects a probability learnt where positives had the share `training_prior` to a population where it is `prior`: the
/// odds are multiplied by the ratio of the priors' odds (`domain/model.md` §4.4).
pub fn correct_prior(probability: f64, training_prior: f64, prior: f64) -> f64 {
    sigmoid(logit(probability) + logit(prior) - logit(training_prior))
}

/// The probabilities that `rows` rows allow to claim.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Bounds {
    rows: usize,
}

impl Bounds {
    fn clamp(self, probability: f64) -> f64 {
        let least = 1.0 / (self.rows as f64 + 2.0);
        probability.clamp(least, 1.0 - least)
    }

    /// Checks that something can be learnt from the rows.
    fn of(rows: &[Scored]) -> Result<Self> {
        if let Some(row) = rows.iter().position(|row| !row.score.is_finite()) {
            return Err(TreesError::Value { what: "score", value: rows[row].score, row });
        }
        let positives = rows.iter().filter(|row| row.positive).count();
        if positives == 0 || positives == rows.len() {
            return Err(TreesError::SingleClass { rows: rows.len() });
        }
        Ok(Self { rows: rows.len() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    /// Rows whose score is off: the true log-odds are `0.5 · score - 1`.
    fn distorted(rows: usize, seed: u64) -> Vec<Scored> {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut row = || {
            let score: f64 = random.random_range(-8.0..6.0);
            Scored { score, positive: random.random::<f64>() < sigmoid(0.5 * score - 1.0) }
        };
        (0..rows).map(|_| row()).collect()
    }

    #[test]
    fn the_choice_undoes_a_distortion() {
        let choice = Calibration::choose(&distorted(4_000, 1), &distorted(4_000, 2)).unwrap();
        assert!(matches!(choice.calibration, Calibration::Beta(_)), "the truth has beta's shape: {choice:?}");
        let fresh = distorted(20_000, 3);
        let ece = |calibrate: &dyn Fn(f64) -> f64| {
            let rows: Vec<Scored> = fresh.iter().map(|row| Scored { score: calibrate(row.score), ..*row }).collect();
            Ranked::new(&rows).unwrap().ece(crate::metrics::Bins::EqualFrequency(15)).unwrap()
        };
        assert!(ece(&|score| choice.calibration.apply(score)) < 0.015);
        assert!(ece(&sigmoid) > 0.05);
        let isotonic = Calibration::Isotonic(Isotonic::fit(&distorted(8_000, 4)).unwrap());
        assert!(ece(&|score| isotonic.apply(score)) < 0.02);
    }

    #[test]
    fn both_kinds_are_monotone_strictly_inside_and_survive_json() {
        let rows = distorted(500, 5);
        for calibration in [Calibration::Isotonic(Isotonic::fit(&rows).unwrap()), Calibration::Beta(Beta::fit(&rows).unwrap())] {
            let curve: Vec<f64> = (-1_000..=1_000).map(|step| calibration.apply(f64::from(step) / 10.0)).collect();
            assert!(curve.windows(2).all(|pair| pair[0] <= pair[1]));
            assert!(curve.iter().all(|p| (1.0 / 502.0 - 1e-6..=501.0 / 502.0 + 1e-6).contains(p) && (0.0..1.0).contains(p)));
            let json = serde_json::to_string(&calibration).unwrap();
            assert_eq!(serde_json::from_str::<Calibration>(&json).unwrap(), calibration);
            assert!(calibration.apply(f64::NAN).is_nan());
        }
    }

    #[test]
    fn nothing_is_learnt_from_one_class_or_infinite_scores() {
        let mut rows = vec![Scored { score: 1.0, positive: true }; 3];
        assert!(matches!(Isotonic::fit(&rows), Err(TreesError::SingleClass { rows: 3 })));
        rows.push(Scored { score: f64::INFINITY, positive: false });
        assert!(matches!(Beta::fit(&rows), Err(TreesError::Value { row: 3, .. })));
        assert!(Isotonic::fit(&[]).is_err());
    }

    #[test]
    fn the_displayed_percentage_of_the_existing_system_is_corrected() {
        // `domain/model.md` §11, vector 19.
        assert!((correct_prior(0.65, 0.35, 0.04) - 0.126).abs() < 5e-4);
        assert!((correct_prior(0.88, 0.35, 0.03) - 0.296).abs() < 5e-4);
    }
}
