//! What each feature does: its share of the gain, its contributions on test rows, and what it is worth all alone.

use serde::{Deserialize, Serialize};
use trees::metrics::Ranked;
use trees::{Model, Rows};

use crate::error::TrainingError;
use crate::rows::Sample;

/// Test rows whose contributions are computed, at most: one takes a few milliseconds.
const EXPLAINED: usize = 400;
/// Features whose contributions are kept row by row, for a plot.
const PLOTTED: usize = 15;
/// Bins of a feature looked at alone.
const BINS: usize = 32;

/// What a feature does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Effect {
    /// Its name.
    pub feature: String,
    /// Share of the total gain of the splits, within [0, 1].
    pub gain: f64,
    /// Mean absolute contribution, in log-odds.
    pub contribution: f64,
    /// Correlation of its values with its contributions, within [-1, 1]; `None` for a constant.
    pub direction: Option<f64>,
    /// AUC on test rows of the failure rates that its values had on training rows: what it is worth alone.
    pub auc_alone: Option<f64>,
    /// Contributions on some test rows, each after the share of values that are not above its own, if that is known; only for
    /// the strongest features.
    pub points: Vec<(Option<f32>, f32)>,
}

/// The effects of all features, the strongest contribution first.
pub fn effects(model: &Model, categorical: &[usize], train: &Sample, test: &Sample) -> Result<Vec<Effect>, TrainingError> {
    let width = model.features();
    let gains = model.feature_importance()?;
    let total = gains.iter().sum::<f64>().max(f64::MIN_POSITIVE);
    // Spread over the sample, which may be in the order of the table: company by company.
    let rows = test.values.len() / width;
    let step = rows.div_ceil(EXPLAINED).max(1);
    let explained: Vec<f32> = test.values.chunks_exact(width).step_by(step).flatten().copied().collect();
    let contributions = model.contributions(Rows::new(&explained, width)?)?;
    let mut effects: Vec<Effect> = Vec::with_capacity(width);
    for (feature, name) in model.feature_names().iter().enumerate() {
        let values: Vec<f64> = explained.iter().skip(feature).step_by(width).map(|value| f64::from(*value)).collect();
        let parts: Vec<f64> = contributions.iter().skip(feature).step_by(width + 1).copied().collect();
        effects.push(Effect {
            feature: name.clone(),
            gain: gains[feature] / total,
            contribution: parts.iter().map(|part| part.abs()).sum::<f64>() / parts.len().max(1) as f64,
            direction: correlation(&values, &parts),
            auc_alone: alone(train, test, feature, categorical.contains(&feature))?,
            points: places(&values).into_iter().zip(&parts).map(|(place, part)| (place, *part as f32)).collect(),
        });
    }
    effects.sort_by(|a, b| b.contribution.total_cmp(&a.contribution).then_with(|| a.feature.cmp(&b.feature)));
    effects.iter_mut().skip(PLOTTED).for_each(|effect| effect.points.clear());
    Ok(effects)
}

/// For each value the share of known values that are not above it; `None` for an unknown one.
fn places(values: &[f64]) -> Vec<Option<f32>> {
    let sorted = sorted(values.iter().copied());
    let place = |value: f64| sorted.partition_point(|other| *other <= value) as f32 / sorted.len().max(1) as f32;
    values.iter().map(|value| (!value.is_nan()).then(|| place(*value))).collect()
}

fn sorted(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut known: Vec<f64> = values.filter(|value| !value.is_nan()).collect();
    known.sort_unstable_by(f64::total_cmp);
    known
}

/// Pearson's correlation over the pairs whose value is known.
fn correlation(values: &[f64], parts: &[f64]) -> Option<f64> {
    let pairs: Vec<(f64, f64)> = values.iter().copied().zip(parts.iter().copied()).filter(|(value, _)| value.is_finite()).collect();
    let n = pairs.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| pairs.iter().map(of).sum::<f64>() / n;
    let (x, y) = (mean(|pair| pair.0), mean(|pair| pair.1));
    let (mut xy, mut xx, mut yy) = (0.0, 0.0, 0.0);
    for pair in &pairs {
        let (dx, dy) = (pair.0 - x, pair.1 - y);
        (xy, xx, yy) = (dx.mul_add(dy, xy), dx.mul_add(dx, xx), dy.mul_add(dy, yy));
    }
    let scale = (xx * yy).sqrt();
    (scale > 0.0).then(|| xy / scale)
}

/// The AUC on test rows of the failure rate of a value's bin on training rows. Unknown values are a bin of their own, as is
/// each category; other bins have about the same number of rows. `None` where the test rows lack an outcome.
fn alone(train: &Sample, test: &Sample, feature: usize, categorical: bool) -> Result<Option<f64>, TrainingError> {
    let known = sorted(train.column(feature));
    let mut edges: Vec<f64> =
        if categorical { known } else { (1..BINS).filter_map(|bin| known.get(bin * known.len() / BINS).copied()).collect() };
    edges.dedup();
    let bin = |value: f64| if value.is_nan() { 0 } else { 1 + edges.partition_point(|edge| *edge <= value) };
    let prior = train.labels.iter().filter(|label| **label).count() as f64 / train.labels.len().max(1) as f64;
    // Twenty rows of the common rate temper a bin of few.
    let mut counts = vec![(20.0 * prior, 20.0); edges.len() + 2];
    for (value, label) in train.column(feature).zip(&train.labels) {
        let count = &mut counts[bin(value)];
        *count = (count.0 + f64::from(*label), count.1 + 1.0);
    }
    let scores: Vec<f64> = test.column(feature).map(|value| counts[bin(value)].0 / counts[bin(value)].1).collect();
    Ok(Ranked::from_parts(&scores, &test.labels)?.auc())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(row: impl Fn(u32) -> (f32, bool)) -> Sample {
        let mut sample = Sample::new(1, 10_000, 1);
        (0..4_000).map(row).for_each(|(value, label)| sample.push(&[value], label));
        sample
    }

    #[test]
    fn a_feature_alone_is_worth_what_it_tells() {
        let noise = |row: u32| (row * 7_919 % 1_000) as f32;
        let label = |row: u32| row * 104_729 % 100 < 10;
        let auc = |of: &dyn Fn(u32) -> f32, categorical| {
            let sample = sample(|row| (of(row), label(row)));
            alone(&sample, &sample, 0, categorical).unwrap().unwrap()
        };
        assert!(auc(&noise, false) < 0.62);
        assert!(auc(&|row| if label(row) { 3.0 } else { 7.0 }, true) > 0.999, "a category");
        assert!(auc(&|row| if label(row) { f32::NAN } else { noise(row) }, false) > 0.999, "an absence tells as much as a value");
        assert!(auc(&|row| if label(row) { 500.5 } else { noise(row) }, false) > 0.9, "not only at the ends");
    }

    /// A sample may be in the order of the table, company by company.
    #[test]
    fn contributions_are_those_of_rows_all_over_the_sample() {
        let model = Model::from_text(crate::study::tests::studied().first.text.unwrap()).unwrap();
        let mut test = Sample::new(3, 10_000, 1);
        (0..4_000).for_each(|row| test.push(&[row as f32 / 4_000.0 * 1.75, 0.5, 0.0], row % 7 == 0));
        let effects = effects(&model, &[], &test, &test).unwrap();
        let risk = effects.iter().find(|effect| effect.feature == "risk").unwrap();
        let contributions = || risk.points.iter().map(|(_, contribution)| *contribution);
        assert_eq!(risk.points.len(), EXPLAINED);
        assert!(
            contributions().any(|part| part < 0.0) && contributions().any(|part| part > 0.0),
            "of low and of high risks: {:?}",
            risk.points
        );
    }

    #[test]
    fn places_and_correlation_leave_unknown_values_out() {
        let places = places(&[3.0, f64::NAN, 1.0, 3.0]);
        assert_eq!(places, [Some(1.0), None, Some(1.0 / 3.0), Some(1.0)]);
        assert!((correlation(&[1.0, f64::NAN, 2.0, 3.0], &[2.0, 9.0, 4.0, 6.0]).unwrap() - 1.0).abs() < 1e-12);
        assert_eq!(correlation(&[1.0, 1.0], &[2.0, 3.0]), None);
    }
}
