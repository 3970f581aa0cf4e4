//! Measures scores on rows: the figures of `design.md` §6, the same for every model.

use std::collections::BTreeMap;

use api::training::{Evaluation, Thresholds};
use domain::{Month, Siren};
use trees::metrics::{Bins, Bootstrap, Ranked, Scored, Sighting, bootstrap_by_group, lead_time};

use crate::error::TrainingError;
use crate::frame::Block;

/// Replicates of the bootstrap by company.
const REPLICATES: u32 = 200;

/// Finds both thresholds on validation: the level `high` where F0.5 is best, `moderate` where F2 is
/// (never above `high`, so that levels nest).
pub fn thresholds(validation: &Block, probabilities: &[f64]) -> Result<Thresholds, TrainingError> {
    let ranked = Ranked::from_parts(probabilities, &validation.labels)?;
    let best = |beta| ranked.best_threshold(beta).map(|point| point.threshold).ok_or(TrainingError::NothingToMeasure("thresholds"));
    let high = best(0.5)?;
    Ok(Thresholds { high, moderate: best(2.0)?.min(high) })
}

/// All figures of a model on test rows, at thresholds frozen before.
pub fn evaluate(model: &str, test: &Block, probabilities: &[f64], thresholds: &Thresholds) -> Result<Evaluation, TrainingError> {
    let ranked = Ranked::from_parts(probabilities, &test.labels)?;
    let missing = || TrainingError::NothingToMeasure("test");
    let (high, moderate) = (ranked.at_threshold(thresholds.high), ranked.at_threshold(thresholds.moderate));
    let top = |share| ranked.precision_recall_at_top(share).ok_or_else(missing);
    let (top2, top6) = (top(0.02)?, top(0.06)?);
    let [auc, average_precision] = intervals(test, probabilities)?;
    Ok(Evaluation {
        model: model.to_owned(),
        auc: ranked.auc().ok_or_else(missing)?,
        average_precision: ranked.average_precision().ok_or_else(missing)?,
        f_half: high.f_beta(0.5),
        f_two: moderate.f_beta(2.0),
        precision_high: high.precision(),
        recall_moderate: moderate.recall(),
        precision_top_2_percent: top2.precision,
        recall_top_2_percent: top2.recall,
        precision_top_6_percent: top6.precision,
        recall_top_6_percent: top6.recall,
        brier: ranked.brier().ok_or_else(missing)?,
        ece: ranked.ece(Bins::EqualFrequency(10)).ok_or_else(missing)?,
        auc_low: auc.0,
        auc_high: auc.1,
        average_precision_low: average_precision.0,
        average_precision_high: average_precision.1,
        prevalence: ranked.prevalence().ok_or_else(missing)?,
        median_lead_time: median_lead(test, probabilities, thresholds.moderate),
    })
}

/// Intervals of AUC and average precision by company bootstrap, as (low, high); NaN where undefined.
fn intervals(test: &Block, probabilities: &[f64]) -> Result<[(f64, f64); 2], TrainingError> {
    let rows: Vec<Scored> = probabilities.iter().zip(&test.labels).map(|(&score, &positive)| Scored { score, positive }).collect();
    let options = Bootstrap { replicates: REPLICATES, ..Bootstrap::default() };
    let found = bootstrap_by_group(&rows, &test.sirens, &options, |ranked| [ranked.auc(), ranked.average_precision()])?;
    Ok(found.map(|interval| interval.map_or((f64::NAN, f64::NAN), |interval| (interval.low, interval.high))))
}

/// Median months between the first flagged month and the judgment, NaN when no failure was flagged.
///
/// The judgment of a company that fails inside the test period comes right after its last at-risk month; companies still
/// at risk in the last month fail later, at a date the rows do not tell, and are left out.
fn median_lead(test: &Block, probabilities: &[f64], threshold: f64) -> f64 {
    let mut last: BTreeMap<Siren, (Month, bool)> = BTreeMap::new();
    for ((&siren, &month), &label) in test.sirens.iter().zip(&test.months).zip(&test.labels) {
        let entry = last.entry(siren).or_insert((month, label));
        if month >= entry.0 {
            *entry = (month, label);
        }
    }
    let end = test.months.iter().max().copied();
    let sightings: Vec<Sighting<Siren>> = (0..test.len())
        .filter(|&row| test.labels[row])
        .filter_map(|row| {
            let (month, failing) = last.get(&test.sirens[row]).copied()?;
            let company = test.sirens[row];
            let months_before = month.since(test.months[row]) as u32 + 1;
            (failing && Some(month) != end).then_some(Sighting { company, months_before, flagged: probabilities[row] >= threshold })
        })
        .collect();
    lead_time(&sightings).quartiles.map_or(f64::NAN, |quartiles| quartiles[1])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two companies that fail, seen for three months each, and one that does not.
    fn block() -> (Block, Vec<f64>) {
        let siren = |number| Siren::from_number(number).unwrap();
        let month = |index: i32| Month::new(2023, 1).unwrap().plus(index);
        let rows = [
            (1, 0, true, 0.2),
            (1, 1, true, 0.7),
            (1, 2, true, 0.9),
            (2, 0, true, 0.1),
            (2, 1, true, 0.1),
            (3, 0, false, 0.3),
            (3, 1, false, 0.1),
            (3, 2, false, 0.1),
            (3, 3, false, 0.1),
        ];
        let mut block = Block::default();
        for (company, at, label, _) in rows {
            block.values.push(0.0);
            block.labels.push(label);
            block.sirens.push(siren(company));
            block.months.push(month(at));
        }
        (block, rows.iter().map(|row| row.3).collect())
    }

    #[test]
    fn thresholds_nest_and_figures_are_those_of_the_rows() {
        let (block, probabilities) = block();
        let thresholds = thresholds(&block, &probabilities).unwrap();
        assert!(thresholds.moderate <= thresholds.high);
        let evaluation = evaluate("m", &block, &probabilities, &Thresholds { moderate: 0.5, high: 0.8 }).unwrap();
        assert_eq!((evaluation.precision_high, evaluation.recall_moderate), (1.0, 0.4));
        assert!((evaluation.prevalence - 5.0 / 9.0).abs() < 1e-12);
        assert_eq!(evaluation.median_lead_time, 2.0, "company 1 is flagged from its second month of three");
    }
}
