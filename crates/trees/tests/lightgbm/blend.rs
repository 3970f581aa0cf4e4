//! A blend is a model like any other: for LightGBM too.

use trees::reference::Reference;
use trees::{Model, Params, Part, TreesError, blend};

use super::{FEATURES, Sample, fit, short};

fn close(left: f64, right: f64) -> bool {
    (left - right).abs() <= 1e-12 * right.abs().max(1.0)
}

fn boosting_and_forest(data: &Sample) -> (Model, Model) {
    let set = data.dataset(1);
    (fit(&short(), &set), fit(&Params { rounds: 20, ..Params::published_forest(FEATURES) }, &set))
}

#[test]
fn a_blend_scores_the_weighted_sum_of_its_parts_and_lightgbm_reads_it() {
    let data = Sample::new(3_000, 1);
    let (boosting, forest) = boosting_and_forest(&data);
    let parts = [Part { model: &boosting, factor: 0.7 }, Part { model: &forest, factor: -0.015 }];
    let whole = blend(&parts, 0.25).unwrap();
    assert_eq!(whole.trees(), boosting.trees() + forest.trees());
    let rows = data.rows();
    let (ours, boosted, shares) =
        (whole.predict_raw(rows).unwrap(), boosting.predict_raw(rows).unwrap(), forest.predict_raw(rows).unwrap());
    assert!(ours.iter().zip(boosted.iter().zip(&shares)).all(|(ours, (b, f))| close(*ours, 0.25 + 0.7 * b - 0.015 * f)));
    let mut lightgbm = Reference::from_text(whole.to_text()).unwrap();
    assert_eq!(lightgbm.predict_raw(rows, 1).unwrap(), ours, "to the last bit");
    let explained = whole.contributions(rows).unwrap();
    for (parts, raw) in explained.chunks_exact(FEATURES + 1).zip(&ours) {
        assert!((parts.iter().sum::<f64>() - raw).abs() < 1e-9);
    }
    let gains = whole.feature_importance().unwrap();
    assert!(gains[0] > gains[3] && gains.iter().all(|gain| gain.is_finite()), "{gains:?}");
}

#[test]
fn the_blend_of_one_is_that_one_and_a_blend_can_be_blended() {
    let data = Sample::new(1_000, 2);
    let (boosting, forest) = boosting_and_forest(&data);
    let rows = data.rows();
    let same = blend(&[Part { model: &boosting, factor: 1.0 }], 0.0).unwrap();
    assert_eq!(same.predict_raw(rows).unwrap(), boosting.predict_raw(rows).unwrap());
    let halves = [Part { model: &same, factor: 0.5 }, Part { model: &boosting, factor: 0.5 }];
    let again = blend(&halves, 0.0).unwrap().predict_raw(rows).unwrap();
    assert!(again.iter().zip(boosting.predict_raw(rows).unwrap()).all(|(again, once)| close(*again, once)));
    assert_eq!(forest.feature_names(), same.feature_names());
}

#[test]
fn what_cannot_be_blended_is_refused() {
    let data = Sample::new(1_000, 3);
    let (boosting, _) = boosting_and_forest(&data);
    let renamed = Model::from_text(boosting.to_text().replacen(" equity ", " capital ", 1)).unwrap();
    let part = |model, factor| Part { model, factor };
    for (parts, shift) in [
        (vec![], 0.0),
        (vec![part(&boosting, f64::NAN)], 0.0),
        (vec![part(&boosting, 1.0)], f64::INFINITY),
        (vec![part(&boosting, 1.0), part(&renamed, 1.0)], 0.0),
    ] {
        assert!(matches!(blend(&parts, shift), Err(TreesError::ModelText { .. })));
    }
}
