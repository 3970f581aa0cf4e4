//! The mixture that is served by default: three boostings and a forest, as one model.
//!
//! The trees of a boosting are small and correct each other; those of a forest are deep and independent. They err on other
//! companies, and the mean of both ranks about as well as the better one, whichever that is; boostings that drew other rows and features
//! differ too. Number and weight were fixed on periods before all test rows (`docs/decisions/0020-mixture.md`). The boostings keep the
//! directions of risk of the catalogue, the forest does not.

use std::ops::ControlFlow;

use trees::{Dataset, Model, Network, Params, Part, Round, Rows, Trained, TreesError, blend, train, train_together};

use crate::error::TrainingError;
use crate::prepare::Prepared;

/// Boostings, which differ by their seed.
const BOOSTINGS: u32 = 3;
/// Weight of the forest, once its scores are as wide as those of the boostings; these have the rest.
const FOREST: f64 = 0.3;
/// Training rows of a leaf of the forest, at least. With single rows the model is larger and ranks no better.
const FOREST_LEAF: u32 = 20;

/// Grows a boosting, with the other processes of a network if there is one.
pub fn boost(
    prepared: &Prepared,
    params: &Params,
    network: Option<&Network>,
    progress: &mut dyn FnMut(Round) -> ControlFlow<()>,
) -> Result<Trained, TrainingError> {
    Ok(one(network, params, &prepared.train, Some(&prepared.validation), progress)?)
}

/// Grows a mixture, with the other processes of a network if there is one. `progress` is told of the rounds of each part in
/// turn, and may cancel. The raw scores are as wide as those of the boostings: log-odds, about. What is said of rounds is said of
/// the first boosting.
pub fn grow(
    prepared: &Prepared,
    params: &Params,
    network: Option<&Network>,
    progress: &mut dyn FnMut(Round) -> ControlFlow<()>,
) -> Result<Trained, TrainingError> {
    let first = boost(prepared, params, network, progress)?;
    let mut others = Vec::new();
    for more in 1..BOOSTINGS {
        let params = Params { seed: params.seed.wrapping_add(more), ..params.clone() };
        others.push(boost(prepared, &params, network, progress)?.model);
    }
    let boostings = std::iter::once(&first.model).chain(&others);
    let parts: Vec<Part<'_>> = boostings.map(|model| Part { model, factor: 1.0 / f64::from(BOOSTINGS) }).collect();
    let boosting = blend(&parts, 0.0)?;
    let params = forest(params, prepared.train.features());
    let forest = one(network, &params, &prepared.train, None, progress)?.model;
    Ok(Trained { model: mix(&boosting, &forest, prepared.validation_sample.rows()?)?, ..first })
}

/// The forest of a mixture: the published one with larger leaves.
fn forest(params: &Params, features: usize) -> Params {
    Params {
        min_data_in_leaf: FOREST_LEAF,
        positive_weight: params.positive_weight,
        threads: params.threads,
        seed: params.seed,
        ..Params::published_forest(features)
    }
}

/// Weighs the parts: the raw scores of the forest are brought to the mean and the width that those of the boosting have on
/// validation rows.
fn mix(boosting: &Model, forest: &Model, rows: Rows<'_>) -> Result<Model, TreesError> {
    let (boosted, spread) = moments(&boosting.predict_raw(rows)?);
    let (grown, width) = moments(&forest.predict_raw(rows)?);
    // A forest that tells nothing apart has nothing to add.
    let factor = if width > 0.0 { FOREST * spread / width } else { 0.0 };
    let parts = [Part { model: boosting, factor: 1.0 - FOREST }, Part { model: forest, factor }];
    blend(&parts, FOREST * boosted - factor * grown)
}

/// Mean and standard deviation.
fn moments(values: &[f64]) -> (f64, f64) {
    let n = values.len().max(1) as f64;
    let mean = values.iter().sum::<f64>() / n;
    (mean, (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / n).sqrt())
}

fn one(
    network: Option<&Network>,
    params: &Params,
    data: &Dataset,
    validation: Option<&Dataset>,
    progress: &mut dyn FnMut(Round) -> ControlFlow<()>,
) -> Result<Trained, TreesError> {
    match network {
        None => train(params, data, validation, progress),
        Some(network) => train_together(network, params, data, validation, progress),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::study::tests::prepared;

    fn mixture(params: &Params) -> Trained {
        grow(&prepared(), params, None, &mut |_| ControlFlow::Continue(())).unwrap()
    }

    #[test]
    fn the_parts_are_weighted_once_they_are_equally_wide() {
        let params = Params { rounds: 20, num_leaves: 7, ..Params::default() };
        let prepared = prepared();
        let trained = mixture(&params);
        assert_eq!((trained.model.trees(), trained.history.len()), (3 * 20 + 100, 20));
        let alone = boost(&prepared, &params, None, &mut |_| ControlFlow::Continue(())).unwrap().model;
        let rows = prepared.validation_sample.rows().unwrap();
        let ((mean, width), (boosted, spread)) =
            (moments(&trained.model.predict_raw(rows).unwrap()), moments(&alone.predict_raw(rows).unwrap()));
        assert!((mean - boosted).abs() < 0.5 && (0.6..1.4).contains(&(width / spread)), "{mean} {boosted} {width} {spread}");
    }

    #[test]
    fn the_seed_decides_and_every_part_can_be_cancelled() {
        let params = Params { rounds: 5, num_leaves: 7, bagging_fraction: 0.5, bagging_frequency: 1, ..Params::default() };
        assert_eq!(mixture(&params).model.to_text(), mixture(&params).model.to_text());
        assert_ne!(mixture(&params).model.to_text(), mixture(&Params { seed: 8, ..params.clone() }).model.to_text());
        for stop in [3, 8, 12, 100] {
            let mut rounds = 0;
            let mut progress = |_| {
                rounds += 1;
                if rounds == stop { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            };
            let stopped = grow(&prepared(), &params, None, &mut progress);
            assert!(matches!(stopped, Err(TrainingError::Trees(TreesError::Cancelled { .. }))), "after {stop}");
        }
    }
}
