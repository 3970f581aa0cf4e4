//! Alerts at a threshold, and the choice of thresholds.

use serde::{Deserialize, Serialize};

use super::ranking::{Ranked, Step};

/// The four counts at a threshold; a row is flagged when its score is at least the threshold (`domain/model.md` §4.2).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Confusion {
    /// Flagged, and failed.
    pub true_positives: f64,
    /// Flagged, and did not fail.
    pub false_positives: f64,
    /// Not flagged, and did not fail.
    pub true_negatives: f64,
    /// Not flagged, but failed.
    pub false_negatives: f64,
}

impl Confusion {
    /// Share of the flagged that failed; 0 when nothing is flagged.
    pub fn precision(&self) -> f64 {
        ratio(self.true_positives, self.true_positives + self.false_positives)
    }

    /// Share of the failed that were flagged; 0 when nothing failed.
    pub fn recall(&self) -> f64 {
        ratio(self.true_positives, self.true_positives + self.false_negatives)
    }

    /// Share of those that did not fail which were not flagged; 0 when all failed.
    pub fn specificity(&self) -> f64 {
        ratio(self.true_negatives, self.true_negatives + self.false_positives)
    }

    /// Mean of recall and specificity.
    pub fn balanced_accuracy(&self) -> f64 {
        f64::midpoint(self.recall(), self.specificity())
    }

    /// F-beta of precision and recall.
    pub fn f_beta(&self, beta: f64) -> f64 {
        f_beta(self.precision(), self.recall(), beta)
    }

    /// Number of rows flagged.
    pub fn flagged(&self) -> f64 {
        self.true_positives + self.false_positives
    }
}

/// `(1 + β²) · P · R / (β² · P + R)`: recall weighs β times as much as precision. 0 when both are 0.
pub fn f_beta(precision: f64, recall: f64, beta: f64) -> f64 {
    let square = beta * beta;
    ratio((1.0 + square) * precision * recall, square.mul_add(precision, recall))
}

fn ratio(part: f64, whole: f64) -> f64 {
    if whole == 0.0 { 0.0 } else { part / whole }
}

/// A threshold and what it gives.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct OperatingPoint {
    /// Flag a row when its score is at least this.
    pub threshold: f64,
    /// F-beta there.
    pub f_beta: f64,
    /// The counts there.
    pub confusion: Confusion,
}

/// The best-ranked share of the rows, as many as agents can visit.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct TopShare {
    /// Number of rows looked at.
    pub rows: f64,
    /// Share of them that failed.
    pub precision: f64,
    /// Share of all failures that are among them.
    pub recall: f64,
}

impl Ranked {
    /// The counts at a threshold.
    pub fn at_threshold(&self, threshold: f64) -> Confusion {
        let last = self.steps().take_while(|step| step.score >= threshold).last();
        self.confusion(last.unwrap_or(Step { score: f64::INFINITY, true_positives: 0.0, false_positives: 0.0 }))
    }

    fn confusion(&self, step: Step) -> Confusion {
        let (positives, negatives) = self.totals();
        Confusion {
            true_positives: step.true_positives,
            false_positives: step.false_positives,
            true_negatives: negatives - step.false_positives,
            false_negatives: positives - step.true_positives,
        }
    }

    /// The threshold with the highest F-beta, among the scores that occur; of equal ones the highest, which flags fewest.
    /// `None` without positives.
    pub fn best_threshold(&self, beta: f64) -> Option<OperatingPoint> {
        let (positives, _) = self.totals();
        let value = |step: &Step| f_beta(ratio(step.true_positives, step.flagged()), ratio(step.true_positives, positives), beta);
        let best = self.steps().map(|step| (value(&step), step)).reduce(|best, next| if next.0 > best.0 { next } else { best });
        let (f_beta, step) = best.filter(|_| positives > 0.0)?;
        Some(OperatingPoint { threshold: step.score, f_beta, confusion: self.confusion(step) })
    }

    /// The `share` (in (0, 1]) of the rows with the highest scores: `share · n` rounded down, at least one. When the cut
    /// falls within rows of equal score, they count in proportion, which is the mean over all ways to order them.
    /// `None` without positives.
    pub fn precision_recall_at_top(&self, share: f64) -> Option<TopShare> {
        let (positives, negatives) = self.totals();
        let rows = (share * (positives + negatives)).floor().clamp(1.0, (positives + negatives).max(1.0));
        let (mut found, mut before) = (0.0, Step { score: f64::INFINITY, true_positives: 0.0, false_positives: 0.0 });
        for step in self.steps() {
            let part = ((rows - before.flagged()) / (step.flagged() - before.flagged())).clamp(0.0, 1.0);
            found += part * (step.true_positives - before.true_positives);
            if step.flagged() >= rows {
                break;
            }
            before = step;
        }
        (positives > 0.0).then(|| TopShare { rows, precision: found / rows, recall: found / positives })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_confusion_of_september_2021() {
        // `domain/model.md` §11, vector 20.
        let red = Confusion { true_positives: 15_552.0, false_positives: 16_246.0, true_negatives: 1_176_429.0, false_negatives: 25_065.0 };
        let close = |value: f64, expected: f64| assert!((value - expected).abs() < 5e-4, "{value} {expected}");
        close(red.precision(), 0.489);
        close(red.recall(), 0.383);
        close(red.f_beta(0.5), 0.463);
        close(red.specificity(), 0.9864);
        close(red.balanced_accuracy(), 0.685);
    }

    #[test]
    fn a_threshold_includes_its_own_score() {
        // `domain/model.md` §11, vector 13.
        let ranked = Ranked::from_parts(&[0.65, 0.6499, 0.88], &[true, false, true]).unwrap();
        assert_eq!(ranked.at_threshold(0.65).flagged(), 2.0);
        assert_eq!(ranked.at_threshold(0.88).flagged(), 1.0);
        assert_eq!(ranked.at_threshold(0.9).flagged(), 0.0);
        assert_eq!(ranked.at_threshold(0.9).precision(), 0.0);
    }

    #[test]
    fn ties_at_the_cut_count_in_proportion() {
        let ranked = Ranked::from_parts(&[0.9, 0.5, 0.5, 0.5, 0.5, 0.1], &[true, true, false, false, true, false]).unwrap();
        let top = ranked.precision_recall_at_top(0.5).unwrap();
        assert_eq!((top.rows, top.precision, top.recall), (3.0, 2.0 / 3.0, 2.0 / 3.0));
        assert_eq!(ranked.precision_recall_at_top(1.0).unwrap().recall, 1.0);
        assert_eq!(ranked.precision_recall_at_top(0.01).unwrap().rows, 1.0);
    }
}
