//! Measures probabilities on the test rows: the figures of `design.md` §6, the same for every model.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use trees::metrics::{
    Bins, Bootstrap, Interval, LeadTime, Ranked, ReliabilityBin, Scored, Sighting, bootstrap_by_group, difference_by_group, lead_time,
};

use crate::error::TrainingError;
use crate::learn::Thresholds;
use crate::scored::Observed;
use crate::split::HORIZON;

/// Points of a curve, about.
const POINTS: usize = 150;
/// Bins of the reliability diagram and of the calibration error.
const BINS: Bins = Bins::EqualFrequency(10);

/// A figure of a report. Levels are at thresholds frozen on validation; `top` is the best-ranked share of the rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "the names are those of the field; their definitions are in `trees::metrics`")]
pub enum Figure {
    Auc,
    AveragePrecision,
    FHalf,
    FTwo,
    PrecisionHigh,
    RecallHigh,
    PrecisionModerate,
    RecallModerate,
    BalancedAccuracyHigh,
    BalancedAccuracyModerate,
    PrecisionTop2Percent,
    RecallTop2Percent,
    PrecisionTop6Percent,
    RecallTop6Percent,
    Brier,
    Ece,
    LogLoss,
    Prevalence,
}

impl Figure {
    /// All of them, in the order of a report.
    pub const ALL: [Self; 18] = [
        Self::Auc,
        Self::AveragePrecision,
        Self::FHalf,
        Self::FTwo,
        Self::PrecisionHigh,
        Self::RecallHigh,
        Self::PrecisionModerate,
        Self::RecallModerate,
        Self::BalancedAccuracyHigh,
        Self::BalancedAccuracyModerate,
        Self::PrecisionTop2Percent,
        Self::RecallTop2Percent,
        Self::PrecisionTop6Percent,
        Self::RecallTop6Percent,
        Self::Brier,
        Self::Ece,
        Self::LogLoss,
        Self::Prevalence,
    ];
}

/// Figures with their 95 % intervals by company bootstrap. One that is undefined on the rows is absent.
pub type Figures = BTreeMap<Figure, Interval>;

/// How many companies are alerted for the first time, and how many of them fail within the horizon.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct FirstAlerts {
    /// Companies alerted at least once in the test rows.
    pub companies: usize,
    /// Those that fail within the horizon of their first alert.
    pub failing: usize,
    /// Their share, with Wilson's 95 % interval; `None` without any alert.
    pub precision: Option<Interval>,
}

/// Rows of a month at each level, as agents get them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Volume {
    /// The month, as an index.
    pub time: i32,
    /// Rows.
    pub rows: usize,
    /// At the level `high`.
    pub high: usize,
    /// At the level `moderate`.
    pub moderate: usize,
}

/// What a model is worth on the test rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Worth {
    /// Figures.
    pub figures: Figures,
    /// Predicted and observed rates, by tenth.
    pub reliability: Vec<ReliabilityBin>,
    /// False and true positive rates.
    pub roc: Vec<(f64, f64)>,
    /// Recall and precision.
    pub precision_recall: Vec<(f64, f64)>,
    /// How early failures are seen, at the level `moderate`.
    pub lead_time: LeadTime,
    /// First alerts at the level `moderate`.
    pub first_moderate: FirstAlerts,
    /// First alerts at the level `high`.
    pub first_high: FirstAlerts,
    /// Rows at each level, month by month.
    pub volumes: Vec<Volume>,
}

/// All figures of a model's probabilities on test rows, at thresholds frozen before.
pub fn worth(rows: &[Observed], probabilities: &[f64], thresholds: &Thresholds, bootstrap: &Bootstrap) -> Result<Worth, TrainingError> {
    let scored = scored(rows, probabilities);
    let ranked = Ranked::new(&scored)?;
    Ok(Worth {
        figures: figures(rows, &scored, thresholds, bootstrap)?,
        reliability: ranked.reliability(BINS),
        roc: ranked.roc(POINTS),
        precision_recall: ranked.precision_recall(POINTS),
        lead_time: sighted(rows, probabilities, thresholds.moderate),
        first_moderate: first_alerts(rows, probabilities, thresholds.moderate),
        first_high: first_alerts(rows, probabilities, thresholds.high),
        volumes: volumes(rows, probabilities, thresholds),
    })
}

/// Rows as metrics take them.
pub fn scored(rows: &[Observed], probabilities: &[f64]) -> Vec<Scored> {
    rows.iter().zip(probabilities).map(|(row, &score)| Scored { score, positive: row.label }).collect()
}

/// The figures with their intervals.
pub fn figures(rows: &[Observed], scored: &[Scored], thresholds: &Thresholds, bootstrap: &Bootstrap) -> Result<Figures, TrainingError> {
    let entities: Vec<u32> = rows.iter().map(|row| row.entity).collect();
    let found = bootstrap_by_group(scored, &entities, bootstrap, |ranked| values(ranked, thresholds))?;
    Ok(Figure::ALL.into_iter().zip(found).filter_map(|(figure, interval)| Some((figure, interval?))).collect())
}

/// How much higher a measure of some scores is than that of others, on the same companies drawn.
pub fn lead(
    rows: &[Observed],
    [first, other]: [&[f64]; 2],
    measure: fn(&Ranked) -> Option<f64>,
    bootstrap: &Bootstrap,
) -> Result<Option<Interval>, TrainingError> {
    let entities: Vec<u32> = rows.iter().map(|row| row.entity).collect();
    let (first, other) = (scored(rows, first), scored(rows, other));
    Ok(difference_by_group([&first, &other], &entities, bootstrap, measure)?)
}

/// The figures in the order of [`Figure::ALL`].
fn values(ranked: &Ranked, thresholds: &Thresholds) -> [Option<f64>; Figure::ALL.len()] {
    let (high, moderate) = (ranked.at_threshold(thresholds.high), ranked.at_threshold(thresholds.moderate));
    let (top2, top6) = (ranked.precision_recall_at_top(0.02), ranked.precision_recall_at_top(0.06));
    [
        ranked.auc(),
        ranked.average_precision(),
        Some(high.f_beta(0.5)),
        Some(moderate.f_beta(2.0)),
        Some(high.precision()),
        Some(high.recall()),
        Some(moderate.precision()),
        Some(moderate.recall()),
        Some(high.balanced_accuracy()),
        Some(moderate.balanced_accuracy()),
        top2.map(|top| top.precision),
        top2.map(|top| top.recall),
        top6.map(|top| top.precision),
        top6.map(|top| top.recall),
        ranked.brier(),
        ranked.ece(BINS),
        ranked.log_loss(),
        ranked.prevalence(),
    ]
}

/// What the intervals of the first model are worth on the test rows, by tenth of the rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct IntervalWorth {
    /// Their mean width.
    pub width: f64,
    /// Share of the rows whose calibrated probability is outside of them: where the two calibrations disagree. Served intervals are
    /// widened to hold it.
    pub probability_outside: f64,
    /// Tenths of the rows by score, the lowest first: mean ends, and the rate that was observed.
    pub tenths: Vec<Tenth>,
}

/// A tenth of the rows by score.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Tenth {
    /// Mean lower end.
    pub low: f64,
    /// Mean upper end.
    pub high: f64,
    /// Share that failed.
    pub observed: f64,
}

/// Compares intervals with what happened. Scores, probabilities and intervals are of the rows, in their order.
pub fn intervals(rows: &[Observed], raw: &[f64], probabilities: &[f64], intervals: &[(f64, f64)]) -> IntervalWorth {
    let count = rows.len().max(1) as f64;
    let mut order: Vec<usize> = (0..rows.len()).collect();
    order.sort_by(|a, b| raw[*a].total_cmp(&raw[*b]).then(a.cmp(b)));
    let outside = |(probability, (low, high)): (&f64, &(f64, f64))| probability < low || high < probability;
    let tenth = |rows_of: &[usize]| {
        let mean = |of: &dyn Fn(usize) -> f64| rows_of.iter().map(|row| of(*row)).sum::<f64>() / rows_of.len() as f64;
        Tenth {
            low: mean(&|row| intervals[row].0),
            high: mean(&|row| intervals[row].1),
            observed: mean(&|row| f64::from(u8::from(rows[row].label))),
        }
    };
    IntervalWorth {
        width: intervals.iter().map(|(low, high)| high - low).sum::<f64>() / count,
        probability_outside: probabilities.iter().zip(intervals).filter(|pair| outside(*pair)).count() as f64 / count,
        tenths: order.chunks(rows.len().div_ceil(10).max(1)).map(tenth).collect(),
    }
}

/// How long before the judgment failing companies are flagged.
fn sighted(rows: &[Observed], probabilities: &[f64], threshold: f64) -> LeadTime {
    let failing = rows.iter().zip(probabilities).filter(|(row, _)| row.label);
    let sightings: Vec<Sighting<u32>> = failing
        .filter_map(|(row, probability)| {
            let (months_before, _) = row.next.filter(|(months, _)| i32::from(*months) <= HORIZON)?;
            Some(Sighting { company: row.entity, months_before: months_before.into(), flagged: *probability >= threshold })
        })
        .collect();
    lead_time(&sightings)
}

/// Each company's first row at or above the threshold, and whether it fails within the horizon of it.
fn first_alerts(rows: &[Observed], probabilities: &[f64], threshold: f64) -> FirstAlerts {
    let mut first: BTreeMap<u32, (i32, bool)> = BTreeMap::new();
    for (row, _) in rows.iter().zip(probabilities).filter(|(_, probability)| **probability >= threshold) {
        let entry = first.entry(row.entity).or_insert((row.time, row.label));
        if row.time < entry.0 {
            *entry = (row.time, row.label);
        }
    }
    let failing = first.values().filter(|(_, fails)| *fails).count();
    FirstAlerts { companies: first.len(), failing, precision: wilson(failing, first.len()) }
}

/// A share with Wilson's 95 % interval (Wilson, 1927); `None` without any trial.
pub fn wilson(successes: usize, trials: usize) -> Option<Interval> {
    const Z: f64 = 1.959_963_984_540_054;
    if trials == 0 {
        return None;
    }
    let (n, share) = (trials as f64, successes as f64 / trials as f64);
    let (square, denominator) = (Z * Z / n, 1.0 + Z * Z / n);
    let middle = (share + square / 2.0) / denominator;
    let half = Z * (share * (1.0 - share) / n + square / (4.0 * n)).sqrt() / denominator;
    Some(Interval { value: share, low: (middle - half).max(0.0), high: (middle + half).min(1.0) })
}

fn volumes(rows: &[Observed], probabilities: &[f64], thresholds: &Thresholds) -> Vec<Volume> {
    let mut months: BTreeMap<i32, Volume> = BTreeMap::new();
    for (row, &probability) in rows.iter().zip(probabilities) {
        let month = months.entry(row.time).or_insert(Volume { time: row.time, rows: 0, high: 0, moderate: 0 });
        month.rows += 1;
        if probability >= thresholds.high {
            month.high += 1;
        } else if probability >= thresholds.moderate {
            month.moderate += 1;
        }
    }
    months.into_values().collect()
}

#[cfg(test)]
mod tests {
    use domain::ProcolAction;

    use super::*;
    use crate::scored::Facts;

    const NOTHING: Facts = Facts { headcount: f32::NAN, naf_division: f32::NAN, department: f32::NAN };

    /// Two companies that fail in month 3, seen for some months, and one that does not.
    fn rows() -> (Vec<Observed>, Vec<f64>) {
        let rows = [
            (1, 0, true, 0.2),
            (1, 1, true, 0.7),
            (1, 2, true, 0.9),
            (2, 0, true, 0.1),
            (2, 1, true, 0.1),
            (3, 0, false, 0.3),
            (3, 1, false, 0.1),
            (3, 2, false, 0.6),
            (3, 3, false, 0.1),
        ];
        let observed = |&(entity, time, label, _): &(u32, i32, bool, f64)| {
            let next = label.then_some(((3 - time) as u16, ProcolAction::Liquidation));
            Observed { entity, time, label, next, facts: NOTHING }
        };
        (rows.iter().map(observed).collect(), rows.iter().map(|row| row.3).collect())
    }

    #[test]
    fn figures_levels_leads_and_first_alerts_are_those_of_the_rows() {
        let (rows, probabilities) = rows();
        let thresholds = Thresholds { moderate: 0.5, high: 0.8 };
        let worth = worth(&rows, &probabilities, &thresholds, &Bootstrap { replicates: 20, ..Bootstrap::default() }).unwrap();
        let figure = |figure| worth.figures[&figure].value;
        assert_eq!((figure(Figure::PrecisionHigh), figure(Figure::RecallModerate)), (1.0, 0.4));
        assert!((figure(Figure::Prevalence) - 5.0 / 9.0).abs() < 1e-12);
        assert_eq!(worth.lead_time.quartiles.map(|quartiles| quartiles[1]), Some(2.0), "flagged from its second month of three");
        assert_eq!((worth.lead_time.companies, worth.lead_time.detected), (2, 1));
        assert_eq!((worth.first_moderate.companies, worth.first_moderate.failing), (2, 1));
        assert_eq!((worth.first_high.companies, worth.first_high.failing), (1, 1));
        assert_eq!(worth.volumes[2], Volume { time: 2, rows: 2, high: 1, moderate: 1 });
    }

    #[test]
    fn intervals_are_compared_with_what_happened_and_with_the_probabilities() {
        let (rows, probabilities) = rows();
        let around: Vec<(f64, f64)> = probabilities.iter().map(|probability| (probability - 0.1, probability + 0.1)).collect();
        let worth = intervals(&rows, &probabilities, &probabilities, &around);
        assert!((worth.width - 0.2).abs() < 1e-12 && worth.probability_outside == 0.0);
        assert_eq!((worth.tenths.len(), worth.tenths[0].observed, worth.tenths[8].observed), (9, 1.0, 1.0), "nine rows, one in each");
        assert!((worth.tenths[8].low - 0.8).abs() < 1e-12 && (worth.tenths[8].high - 1.0).abs() < 1e-12);
        assert_eq!(intervals(&rows, &probabilities, &probabilities, &[(0.4, 0.6); 9]).probability_outside, 8.0 / 9.0, "all but 0.6");
    }

    #[test]
    fn the_interval_of_wilson() {
        // Ten of a hundred: 0.0552 to 0.1744.
        let interval = wilson(10, 100).unwrap();
        assert!((interval.low - 0.0552).abs() < 1e-4 && (interval.high - 0.1744).abs() < 1e-4, "{interval:?}");
        assert_eq!(wilson(0, 0), None);
        assert_eq!(wilson(0, 5).unwrap().low, 0.0);
    }
}
