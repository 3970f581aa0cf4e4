//! Against the reference made with LightGBM and scikit-learn in Python: the same models, predictions and metrics.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod labelled;

use std::ops::ControlFlow;

use labelled::Labelled;
use trees::metrics::Ranked;
use trees::scorers::{Forest, Logistic, LogisticParams};
use trees::{Binning, Dataset, Model, Params, Rows, Schema, Scorer, Value, train};

const SETS: [&str; 2] = ["taiwan", "polish_5year"];

fn probabilities(log_odds: &[f64]) -> Vec<f64> {
    log_odds.iter().map(|log_odds| 1.0 / (1.0 + (-log_odds).exp())).collect()
}

fn schema(features: usize) -> Schema {
    Schema::new((0..features).map(|feature| format!("Column_{feature}")).collect(), vec![]).unwrap()
}

fn auc(scores: &[f64], outcomes: &[bool]) -> f64 {
    Ranked::from_parts(scores, outcomes).unwrap().auc().unwrap()
}

fn largest_difference(left: &[f64], right: &[f64]) -> f64 {
    assert_eq!(left.len(), right.len());
    left.iter().zip(right).map(|(left, right)| (left - right).abs()).fold(0.0, f64::max)
}

fn fit<V: Value>(set: &Labelled, rows: Rows<'_, V>) -> Model {
    let dataset = Dataset::from_rows(&schema(set.features), &Binning::default(), rows, &set.train.labels(), 1).unwrap();
    train(&Params::default(), &dataset, None, &mut |_| ControlFlow::Continue(())).unwrap().model
}

/// LightGBM in Python had 64-bit rows, the same parameters, and bins found in all rows: every tree must be the same.
fn trains_as_the_reference(name: &str) {
    let Some(set) = labelled::load(name) else { return };
    let model = fit(&set, Rows::new(&set.train.values, set.features).unwrap());
    let raw = model.predict_raw(Rows::new(&set.test.values, set.features).unwrap()).unwrap();
    let reference = Model::from_text(set.model).unwrap();
    assert_eq!(raw, reference.predict_raw(Rows::new(&set.test.values, set.features).unwrap()).unwrap());
}

#[test]
fn the_reference_models_predict_the_published_predictions() {
    for set in SETS.iter().filter_map(|name| labelled::load(name)) {
        let model = Model::from_text(set.model.clone()).unwrap();
        assert_eq!((model.features(), model.trees(), model.to_text()), (set.features, 400, set.model.as_str()));
        let rows = Rows::new(&set.test.values, set.features).unwrap();
        let raw = model.predict_raw(rows).unwrap();
        assert!(largest_difference(&probabilities(&raw), &set.test.lightgbm) < 1e-12);

        let few = Rows::new(&set.test.values[..20 * set.features], set.features).unwrap();
        let contributions = model.contributions(few).unwrap();
        let sums: Vec<f64> = contributions.chunks(set.features + 1).map(|row| row.iter().sum()).collect();
        assert!(largest_difference(&sums, &raw[..20]) < 1e-9, "contributions and base make the raw score");
    }
}

#[test]
fn training_on_taiwan_gives_the_reference_bit_for_bit() {
    trains_as_the_reference("taiwan");
}

#[test]
fn training_on_polish_gives_the_reference_bit_for_bit() {
    trains_as_the_reference("polish_5year");
}

#[test]
fn rows_of_single_precision_are_as_good() {
    let Some(set) = labelled::load("polish_5year") else { return };
    let (learn, test) = (set.train.values_f32(), set.test.values_f32());
    let model = fit(&set, Rows::new(&learn, set.features).unwrap());
    let ours = auc(&model.score(Rows::new(&test, set.features).unwrap()).unwrap(), &set.test.outcomes);
    let reference = auc(&set.test.lightgbm, &set.test.outcomes);
    assert!((reference - 0.943891).abs() < 1e-6 && (ours - reference).abs() < 0.003, "{ours} {reference}");
}

#[test]
fn the_logistic_baseline_is_that_of_scikit_learn() {
    // AUC on fold 0 of `make_pipeline(SimpleImputer("median"), StandardScaler(), LogisticRegression(C=1,
    // solver="newton-cholesky", tol=1e-12))` of scikit-learn 1.9.1. The published predictions come from a solver that
    // stopped earlier, and differ from the optimum by up to 0.061.
    let converged = [(0.9080061983471075, 0.0608778), (0.7548447893569844, 0.0193111)];
    for (set, (expected, distance)) in SETS.iter().filter_map(|name| labelled::load(name)).zip(converged) {
        let (learn, test) = (set.train.values_f32(), set.test.values_f32());
        let logistic = Logistic::fit(&LogisticParams::default(), Rows::new(&learn, set.features).unwrap(), &set.train.outcomes).unwrap();
        let scores = logistic.score(Rows::new(&test, set.features).unwrap()).unwrap();
        assert!((largest_difference(&probabilities(&scores), &set.test.logistic) - distance).abs() < 1e-4);
        assert!((auc(&scores, &set.test.outcomes) - expected).abs() < 1e-4);
    }
}

#[test]
fn the_forest_gives_shares_of_leaves() {
    let Some(set) = labelled::load("polish_5year") else { return };
    let (learn, test) = (set.train.values_f32(), set.test.values_f32());
    let rows = Rows::new(&learn, set.features).unwrap();
    let dataset = Dataset::from_rows(&schema(set.features), &Binning::default(), rows, &set.train.labels(), 1).unwrap();
    let forest = Forest::fit(&Params::published_forest(set.features), &dataset, &mut |_| ControlFlow::Continue(())).unwrap();
    let shares = forest.shares(rows).unwrap();
    let mean = shares.iter().sum::<f64>() / shares.len() as f64;
    assert!((mean - dataset.positives() as f64 / dataset.rows() as f64).abs() < 0.005, "{mean}");
    let found = auc(&forest.score(Rows::new(&test, set.features).unwrap()).unwrap(), &set.test.outcomes);
    assert!((0.91..0.95).contains(&found), "LightGBM's forest in Python has 0.918: {found}");
}

#[test]
fn pooled_metrics_are_those_of_the_reference_results() {
    // `reference_results.csv`, model lgbm: auc_pooled, aucpr_pooled, logloss, brier, f05_max, f2_max, prec_top1pct, recall_top5pct.
    let expected = [
        [
            0.9357354420091198,
            0.48261993785,
            0.18867116391674793,
            0.025086082657566146,
            0.5555555555555556,
            0.5640465793304221,
            0.7205882352941176,
            0.6136363636363636,
        ],
        [
            0.9595323725055432,
            0.8143296373,
            0.18489276847673802,
            0.029347797245704303,
            0.8239038189533238,
            0.7602739726027398,
            1.0,
            0.624390243902439,
        ],
    ];
    for (set, expected) in SETS.iter().filter_map(|name| labelled::load(name)).zip(expected) {
        let (mut scores, mut outcomes) = (set.train.lightgbm, set.train.outcomes);
        scores.extend(set.test.lightgbm);
        outcomes.extend(set.test.outcomes);
        let ranked = Ranked::from_parts(&scores, &outcomes).unwrap();
        let found = [
            ranked.auc().unwrap(),
            ranked.average_precision().unwrap(),
            ranked.log_loss().unwrap(),
            ranked.brier().unwrap(),
            ranked.best_threshold(0.5).unwrap().f_beta,
            ranked.best_threshold(2.0).unwrap().f_beta,
            ranked.precision_recall_at_top(0.01).unwrap().precision,
            ranked.precision_recall_at_top(0.05).unwrap().recall,
        ];
        assert!(largest_difference(&found, &expected) < 1e-9, "{found:?} {expected:?}");
    }
}
