//! Properties of data sets, training and prediction, on made-up rows.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod blend;
mod inference;
mod network;

use std::ops::ControlFlow;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use trees::{Binning, Dataset, DatasetBuilder, Model, Params, Rows, Sampler, Schema, Trained, TreesError, ValidationMetric, train};

const FEATURES: usize = 6;
const SECTOR: usize = 5;

/// Rows whose risk rises with feature 0, falls with feature 1, is higher in sectors 3 and 7 (feature 5) and when feature
/// 2 is missing; the others are noise, feature 4 mostly 0.
struct Sample {
    values: Vec<f32>,
    labels: Vec<f32>,
}

impl Sample {
    fn new(rows: usize, seed: u64) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let (mut values, mut labels) = (Vec::new(), Vec::new());
        for _ in 0..rows {
            let mut row: [f32; FEATURES] = std::array::from_fn(|_| random.random_range(-2.0..2.0));
            row[4] = if random.random_bool(0.9) { 0.0 } else { row[4] };
            row[SECTOR] = random.random_range(0..12u8).into();
            let missing = random.random_bool(0.2);
            row[2] = if missing { f32::NAN } else { row[2] };
            let sector = if matches!(row[SECTOR] as u8, 3 | 7) { 2.0 } else { 0.0 };
            let log_odds = 1.5 * row[0] - row[1] + sector + if missing { 1.0 } else { 0.0 } - 2.0;
            labels.push(f32::from(u8::from(random.random::<f32>() < 1.0 / (1.0 + (-log_odds).exp()))));
            values.extend(row);
        }
        Self { values, labels }
    }

    fn rows(&self) -> Rows<'_> {
        Rows::new(&self.values, FEATURES).unwrap()
    }

    fn dataset(&self, threads: u32) -> Dataset {
        Dataset::from_rows(&schema(), &Binning::default(), self.rows(), &self.labels, threads).unwrap()
    }
}

fn schema() -> Schema {
    Schema::new(["debt", "equity", "margin", "noise", "rare", "sector"].map(str::to_owned).to_vec(), vec![SECTOR]).unwrap()
}

fn fit(params: &Params, data: &Dataset) -> Model {
    train(params, data, None, &mut |_| ControlFlow::Continue(())).unwrap().model
}

fn short() -> Params {
    Params { rounds: 40, bagging_fraction: 0.8, bagging_frequency: 1, feature_fraction: 0.8, ..Params::default() }
}

#[test]
fn the_same_data_parameters_and_threads_give_the_same_bits() {
    let sample = Sample::new(3_000, 1);
    for threads in [1, 2] {
        let params = Params { threads, ..short() };
        let texts: Vec<String> = (0..2).map(|_| fit(&params, &sample.dataset(threads)).to_text().to_owned()).collect();
        assert_eq!(texts[0], texts[1]);
    }
    let other = Params { seed: 43, ..short() };
    assert_ne!(fit(&short(), &sample.dataset(1)).to_text(), fit(&other, &sample.dataset(1)).to_text());
}

#[test]
fn what_is_known_of_a_row_is_the_share_of_splits_on_known_features() {
    let model = fit(&short(), &Sample::new(3_000, 1).dataset(1));
    let known = |unknown: &[usize]| {
        let mut row = [0.0; FEATURES];
        for feature in unknown {
            row[*feature] = f32::NAN;
        }
        model.known(&row)
    };
    assert_eq!((known(&[]), known(&[0, 1, 2, 3, 4, 5])), (1.0, 0.0));
    let each: f64 = (0..FEATURES).map(|feature| 1.0 - known(&[feature])).sum();
    assert!((each - 1.0).abs() < 1e-12, "{each}");
    assert!(known(&[0]) < known(&[3]), "the debt is asked for more often than noise");
}

#[test]
fn calls_with_other_numbers_of_threads_do_not_disturb_a_training() {
    let sample = Sample::new(3_000, 11);
    let params = Params { threads: 2, ..short() };
    let expected = fit(&params, &sample.dataset(2));
    let raw = expected.predict_raw(sample.rows()).unwrap();
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        for threads in [1, 3, 4] {
            let model = expected.clone().with_threads(threads.try_into().unwrap());
            let (sample, raw, done) = (&sample, &raw, &done);
            scope.spawn(move || {
                while !done.load(std::sync::atomic::Ordering::Relaxed) {
                    assert_eq!(&model.predict_raw(sample.rows()).unwrap(), raw);
                }
            });
        }
        for _ in 0..3 {
            assert_eq!(fit(&params, &sample.dataset(2)).to_text(), expected.to_text());
        }
        done.store(true, std::sync::atomic::Ordering::Relaxed);
    });
}

#[test]
fn streaming_in_chunks_is_the_same_as_one_block() {
    let sample = Sample::new(3_000, 2);
    let mut sampler = Sampler::new(&schema(), &Binning::default()).unwrap();
    let chunks = || sample.values.chunks(FEATURES * 700).map(|chunk| Rows::new(chunk, FEATURES).unwrap());
    chunks().for_each(|chunk| sampler.push(chunk).unwrap());
    let mut builder = DatasetBuilder::new(sampler, false, 2).unwrap();
    for (chunk, labels) in chunks().zip(sample.labels.chunks(700)) {
        builder.push(chunk, labels, None).unwrap();
    }
    assert_eq!(fit(&short(), &builder.finish().unwrap()).to_text(), fit(&short(), &sample.dataset(2)).to_text());
}

#[test]
fn weights_count_as_repetitions() {
    let sample = Sample::new(1_500, 3);
    let schema = Schema::new(schema().names().to_vec(), vec![]).unwrap();
    // Leaves limited by their hessian, which weights scale, and not by a number of rows, which they leave.
    let params = Params { rounds: 20, min_data_in_leaf: 1, min_sum_hessian_in_leaf: 5.0, ..Params::default() };
    let mut sampler = Sampler::new(&schema, &Binning::default()).unwrap();
    sampler.push(sample.rows()).unwrap();
    let mut builder = DatasetBuilder::new(sampler, true, 1).unwrap();
    assert!(builder.push(sample.rows(), &sample.labels, None).is_err(), "weights were announced");
    builder.push(sample.rows(), &sample.labels, Some(&vec![2.0; 1_500])).unwrap();
    let weighted = fit(&params, &builder.finish().unwrap());

    let binning = Binning { min_data_in_bin: 6, ..Binning::default() };
    let twice = Sample { values: sample.values.repeat(2), labels: sample.labels.repeat(2) };
    let doubled = fit(&params, &Dataset::from_rows(&schema, &binning, twice.rows(), &twice.labels, 1).unwrap());
    let plain = fit(&params, &Dataset::from_rows(&schema, &Binning::default(), sample.rows(), &sample.labels, 1).unwrap());
    let distance = |model: &Model| {
        let (left, right) = (weighted.predict_raw(sample.rows()).unwrap(), model.predict_raw(sample.rows()).unwrap());
        left.iter().zip(&right).map(|(left, right)| (left - right).abs()).sum::<f64>() / 1_500.0
    };
    assert!(distance(&doubled) < 0.02 && distance(&plain) > 0.05, "{} {}", distance(&doubled), distance(&plain));
}

#[test]
fn missing_values_and_categories_are_learnt() {
    let sample = Sample::new(6_000, 4);
    let model = fit(&Params { rounds: 80, ..Params::default() }, &sample.dataset(2));
    assert_eq!(model.feature_names(), schema().names());
    let row = [0.0, 0.0, 0.0, 0.0, 0.0, 1.0f32];
    let score = |feature: usize, value: f32| {
        let mut row = row;
        row[feature] = value;
        model.predict_raw(Rows::new(&row, FEATURES).unwrap()).unwrap()[0]
    };
    let mean = |margin: f32| {
        let replace = |row: &[f32]| [row[0], row[1], margin, row[3], row[4], row[SECTOR]];
        let values: Vec<f32> = sample.rows().iter().take(500).flat_map(replace).collect();
        model.predict_raw(Rows::new(&values, FEATURES).unwrap()).unwrap().iter().sum::<f64>() / 500.0
    };
    let known = [-1.5, -0.5, 0.5, 1.5].map(mean).iter().sum::<f64>() / 4.0;
    assert!(mean(f32::NAN) > known + 0.5, "{} {known}", mean(f32::NAN));
    assert!(score(SECTOR, 3.0) > score(SECTOR, 2.0) + 1.0 && score(SECTOR, 7.0) > score(SECTOR, 8.0) + 1.0);
    let gains = model.feature_importance().unwrap();
    assert!(gains[0] > gains[3] * 5.0, "{gains:?}");
}

#[test]
fn constraints_are_kept_everywhere() {
    let sample = Sample::new(2_000, 5);
    // Against the truth for feature 1, so that it takes the constraint to keep it.
    let params = Params { monotone_constraints: vec![1, 1, 0, 0, 0, 0], ..short() };
    let model = fit(&params, &sample.dataset(1));
    for row in sample.rows().iter().take(100) {
        for feature in [0, 1] {
            let mut values = Vec::new();
            for step in -20..=20i8 {
                let start = values.len();
                values.extend_from_slice(row);
                values[start + feature] = f32::from(step) / 10.0;
            }
            let curve = model.predict_raw(Rows::new(&values, FEATURES).unwrap()).unwrap();
            assert!(curve.windows(2).all(|pair| pair[0] <= pair[1] + 1e-12), "{curve:?}");
        }
    }
}

#[test]
fn early_stopping_keeps_the_best_round_for_each_metric() {
    let (sample, other) = (Sample::new(1_500, 6), Sample::new(1_500, 7));
    let data = sample.dataset(1);
    let valid = data.validation(other.rows(), &other.labels).unwrap();
    for metric in [ValidationMetric::AveragePrecision, ValidationMetric::Auc, ValidationMetric::BinaryLogloss] {
        let params = Params { rounds: 400, learning_rate: 0.2, early_stopping_rounds: Some(10), metric, ..Params::default() };
        let Trained { model, best_round, history } = train(&params, &data, Some(&valid), &mut |_| ControlFlow::Continue(())).unwrap();
        assert_eq!(model.trees(), best_round as usize);
        assert_eq!(history.len(), best_round as usize + 10);
        let value = |round: u32| history[round as usize - 1].metric.unwrap();
        assert!(history.iter().all(|round| !metric.improves(round.metric.unwrap(), value(best_round))));
        let positives: Vec<bool> = other.labels.iter().map(|label| *label == 1.0).collect();
        let raw = model.predict_raw(other.rows()).unwrap();
        let probabilities: Vec<f64> = raw.iter().map(|raw| 1.0 / (1.0 + (-raw).exp())).collect();
        let ranked = trees::metrics::Ranked::from_parts(&probabilities, &positives).unwrap();
        let ours = match metric {
            ValidationMetric::AveragePrecision => ranked.average_precision(),
            ValidationMetric::Auc => ranked.auc(),
            ValidationMetric::BinaryLogloss => ranked.log_loss(),
        };
        assert!((ours.unwrap() - value(best_round)).abs() < 1e-6, "LightGBM's metric is ours: {ours:?} {}", value(best_round));
    }
}

#[test]
fn training_can_be_cancelled_and_refuses_what_has_no_meaning() {
    let sample = Sample::new(500, 8);
    let data = sample.dataset(1);
    let stop = |round: trees::Round| if round.round == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
    assert!(matches!(train(&short(), &data, None, &mut { stop }), Err(TreesError::Cancelled { rounds: 3 })));
    let alone = Params { early_stopping_rounds: Some(5), ..short() };
    assert!(matches!(train(&alone, &data, None, &mut { stop }), Err(TreesError::Parameter { .. })));
    let same = Dataset::from_rows(&schema(), &Binning::default(), sample.rows(), &[0.0; 500], 1).unwrap();
    assert!(matches!(train(&short(), &same, None, &mut { stop }), Err(TreesError::SingleClass { rows: 500 })));
}

#[test]
fn a_model_is_its_text_and_has_any_number_of_users() {
    let sample = Sample::new(2_000, 9);
    let model = fit(&short(), &sample.dataset(1));
    let expected = model.predict_raw(sample.rows()).unwrap();
    let read: Model = serde_json::from_str(&serde_json::to_string(&model).unwrap()).unwrap();
    assert_eq!((read.to_text(), read.predict_raw(sample.rows()).unwrap()), (model.to_text(), expected.clone()));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for (row, expected) in sample.rows().iter().zip(&expected).take(300) {
                    assert_eq!(model.predict_raw(Rows::new(row, FEATURES).unwrap()).unwrap(), [*expected]);
                }
                assert_eq!(model.predict_raw(sample.rows()).unwrap(), expected);
            });
        }
    });
    assert!(matches!(model.predict_raw(Rows::new(&[0f32; 7], 7).unwrap()), Err(TreesError::FeatureCount { expected: 6, found: 7 })));
    assert!(model.predict_raw(Rows::<f32>::new(&[], FEATURES).unwrap()).unwrap().is_empty());
}

#[test]
fn broken_texts_are_refused_before_lightgbm_reads_them() {
    let text = fit(&short(), &Sample::new(500, 10).dataset(1)).to_text().to_owned();
    let half = &text[..text.len() / 2];
    let longer = text.replacen("leaf_value=", "leaf_value=0 ", 1);
    let classes = text.replacen("num_class=1", "num_class=2", 1);
    let feature = text.replacen("split_feature=", "split_feature=9", 1).replacen("tree_sizes=", "tree_sizes=0 ", 1);
    // Of the same length, so that only the content can tell: a node that is its own child, and a leaf that is no number.
    let at = text.find("left_child=").unwrap() + "left_child=".len();
    let child = format!("{}0 0 0 0{}", &text[..at], &text[at + 7..]);
    let at = text.find("leaf_value=").unwrap() + "leaf_value=".len();
    let leaf = format!("{}x{}", &text[..at], &text[at + 1..]);
    for broken in ["", "tree\n", "not a model", half, &longer, &classes, &feature, &child, &leaf] {
        assert!(matches!(Model::from_text(broken), Err(TreesError::ModelText { .. })), "{}", &broken[..broken.len().min(40)]);
    }
    assert!(Model::from_text(text).is_ok());
}
