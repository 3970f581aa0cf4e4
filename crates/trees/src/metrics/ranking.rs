//! Scored rows in decreasing order, and the metrics of the order itself.

use crate::error::{Result, TreesError};

/// A row with its score and outcome.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scored {
    /// The higher, the more likely the failure. A probability where a metric says so. Never NaN.
    pub score: f64,
    /// Whether the company failed.
    pub positive: bool,
}

/// Rows sorted by decreasing score.
#[derive(Debug, Clone)]
pub struct Ranked {
    scores: Vec<f64>,
    positives: Vec<bool>,
    /// Index of each sorted row in the array it came from.
    source: Vec<u32>,
    /// How often each sorted row counts.
    counts: Vec<u32>,
}

/// Rows of one score, with the totals down to and including them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Step {
    pub(crate) score: f64,
    /// Positives at or above the score.
    pub(crate) true_positives: f64,
    /// Negatives at or above the score.
    pub(crate) false_positives: f64,
}

impl Step {
    /// Rows at or above the score.
    pub(crate) fn flagged(&self) -> f64 {
        self.true_positives + self.false_positives
    }
}

impl Ranked {
    /// Sorts rows. Fails on NaN and beyond 2³² rows.
    pub fn new(rows: &[Scored]) -> Result<Self> {
        if let Some(row) = rows.iter().position(|row| row.score.is_nan()) {
            return Err(TreesError::Value { what: "score", value: f64::NAN, row });
        }
        let count = u32::try_from(rows.len()).map_err(|_| TreesError::parameter("rows", "there are more than 2^32 - 1"))?;
        let mut source: Vec<u32> = (0..count).collect();
        // Adding 0 makes -0 equal to 0, which the total order would tell apart.
        let key = |index: u32| rows[index as usize].score + 0.0;
        source.sort_unstable_by(|left, right| key(*right).total_cmp(&key(*left)).then(left.cmp(right)));
        Ok(Self {
            scores: source.iter().map(|index| key(*index)).collect(),
            positives: source.iter().map(|index| rows[*index as usize].positive).collect(),
            counts: vec![1; source.len()],
            source,
        })
    }

    /// Sorts rows given as two parallel arrays.
    pub fn from_parts(scores: &[f64], positives: &[bool]) -> Result<Self> {
        TreesError::check_length("outcomes", scores.len(), positives.len())?;
        let rows: Vec<Scored> = scores.iter().zip(positives).map(|(&score, &positive)| Scored { score, positive }).collect();
        Self::new(&rows)
    }

    /// Sets how often each row counts, from its index in the array given to [`Ranked::new`].
    pub(crate) fn recount(&mut self, count: impl Fn(usize) -> u32) {
        self.counts.iter_mut().zip(&self.source).for_each(|(slot, source)| *slot = count(*source as usize));
    }

    /// Sorted rows that count: score, outcome, count.
    pub(crate) fn rows(&self) -> impl DoubleEndedIterator<Item = (f64, bool, f64)> {
        let rows = self.scores.iter().zip(&self.positives).zip(&self.counts);
        rows.filter(|(_, count)| **count > 0).map(|((score, positive), count)| (*score, *positive, f64::from(*count)))
    }

    /// The distinct scores in decreasing order.
    pub(crate) fn steps(&self) -> impl Iterator<Item = Step> {
        let (mut rows, mut total) = (self.rows().peekable(), (0.0, 0.0));
        std::iter::from_fn(move || {
            let (score, ..) = *rows.peek()?;
            while let Some((_, positive, count)) = rows.next_if(|(next, ..)| *next == score) {
                *(if positive { &mut total.0 } else { &mut total.1 }) += count;
            }
            Some(Step { score, true_positives: total.0, false_positives: total.1 })
        })
    }

    /// Number of positives and of negatives.
    pub fn totals(&self) -> (f64, f64) {
        self.rows().fold(
            (0.0, 0.0),
            |(positives, negatives), (_, positive, count)| {
                if positive { (positives + count, negatives) } else { (positives, negatives + count) }
            },
        )
    }

    /// Share of positives; `None` without rows.
    pub fn prevalence(&self) -> Option<f64> {
        let (positives, negatives) = self.totals();
        (positives + negatives > 0.0).then(|| positives / (positives + negatives))
    }

    /// Area under the ROC curve: the chance that a positive has a higher score than a negative, an equal score counting
    /// one half. `None` when an outcome does not occur.
    pub fn auc(&self) -> Option<f64> {
        let (positives, negatives) = self.totals();
        let (mut area, mut before) = (0.0, (0.0, 0.0));
        for step in self.steps() {
            area += (step.false_positives - before.1) * (step.true_positives + before.0) / 2.0;
            before = (step.true_positives, step.false_positives);
        }
        (positives > 0.0 && negatives > 0.0).then(|| area / (positives * negatives))
    }

    /// Average precision: Σ (recallₖ − recallₖ₋₁) · precisionₖ over the distinct scores, without interpolation (as
    /// scikit-learn's `average_precision_score`). `None` without positives.
    pub fn average_precision(&self) -> Option<f64> {
        let (positives, _) = self.totals();
        let (mut sum, mut before) = (0.0, 0.0);
        for step in self.steps() {
            sum += (step.true_positives - before) * step.true_positives / step.flagged();
            before = step.true_positives;
        }
        (positives > 0.0).then(|| sum / positives)
    }

    /// The ROC curve from (0, 0) to (1, 1), as (false positive rate, true positive rate), thinned to about `points`
    /// points. Empty when one class is absent.
    pub fn roc(&self, points: usize) -> Vec<(f64, f64)> {
        let (positives, negatives) = self.totals();
        if positives == 0.0 || negatives == 0.0 {
            return Vec::new();
        }
        let steps = self.steps().map(|step| (step.false_positives / negatives, step.true_positives / positives));
        // A point each time either rate has moved enough.
        thin(std::iter::once((0.0, 0.0)).chain(steps), 2.0 / points.max(2) as f64)
    }

    /// The precision–recall curve by rising recall, as (recall, precision), thinned to about `points` points. Empty
    /// without positives.
    pub fn precision_recall(&self, points: usize) -> Vec<(f64, f64)> {
        let (positives, _) = self.totals();
        let steps = self.steps().filter(|step| step.true_positives > 0.0);
        thin(steps.map(|step| (step.true_positives / positives, step.true_positives / step.flagged())), 2.0 / points.max(2) as f64)
    }
}

/// Keeps the first point, the last, and each that lies at least `least` away from the last one kept, in either direction.
fn thin(points: impl Iterator<Item = (f64, f64)>, least: f64) -> Vec<(f64, f64)> {
    let mut kept: Vec<(f64, f64)> = Vec::new();
    let mut skipped = None;
    for point in points {
        match kept.last() {
            Some(last) if (point.0 - last.0).abs() < least && (point.1 - last.1).abs() < least => skipped = Some(point),
            _ => {
                kept.push(point);
                skipped = None;
            }
        }
    }
    kept.extend(skipped);
    kept
}
