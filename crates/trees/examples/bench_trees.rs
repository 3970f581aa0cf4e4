//! How fast a model scores rows and explains them, beside LightGBM's own C interface on the same model: 300 trees of 31 leaves
//! on 150 features, one thread each, in turns. Prints medians and ratios; judges nothing.
//!
//! Usage: `bench_trees [RUNS] [DIR]`. Into DIR go the model, `model.txt`, and the rows, `rows.f32`, for others to score.

use std::hint::black_box;
use std::ops::ControlFlow;
use std::time::Instant;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use trees::reference::Reference;
use trees::{Binning, Dataset, Model, Params, Result, Rows, Schema, train};

const FEATURES: usize = 150;
const TREES: u32 = 300;
const LEAVES: u32 = 31;
/// Rows scored in a run, and rows explained.
const SCORED: usize = 20_000;
const EXPLAINED: usize = 1_000;

/// Rows of which one value in ten is missing, and labels that depend on many features.
fn rows(count: usize, random: &mut ChaCha8Rng) -> (Vec<f32>, Vec<f32>) {
    let (mut values, mut labels) = (Vec::with_capacity(count * FEATURES), Vec::with_capacity(count));
    for _ in 0..count {
        let row: Vec<f32> =
            (0..FEATURES).map(|_| if random.random_range(0..10) == 0 { f32::NAN } else { random.random_range(-2.0..2.0) }).collect();
        let known = |feature: usize| if row[feature].is_nan() { 0.3 } else { row[feature] };
        let score: f32 = (0..FEATURES - 1).map(|feature| known(feature) * known(feature + 1) / (1.0 + feature as f32 / 20.0)).sum();
        labels.push(f32::from(u8::from(random.random::<f32>() < 1.0 / (1.0 + (2.0 - score).exp()))));
        values.extend(row);
    }
    (values, labels)
}

fn model(random: &mut ChaCha8Rng) -> Result<Model> {
    let (values, labels) = rows(40_000, random);
    let schema = Schema::new((0..FEATURES).map(|feature| format!("f{feature}")).collect(), vec![])?;
    let data = Dataset::from_rows(&schema, &Binning::default(), Rows::new(&values, FEATURES)?, &labels, 2)?;
    let params = Params { rounds: TREES, num_leaves: LEAVES, early_stopping_rounds: None, ..Params::default() };
    Ok(train(&params, &data, None, &mut |_| ControlFlow::Continue(()))?.model)
}

/// Median microseconds a row of two things done in turns.
fn compare(runs: usize, count: usize, mut ours: impl FnMut() -> Result<()>, mut theirs: impl FnMut() -> Result<()>) -> Result<(f64, f64)> {
    let (mut our_times, mut their_times) = (Vec::new(), Vec::new());
    let timed = |act: &mut dyn FnMut() -> Result<()>| -> Result<f64> {
        let start = Instant::now();
        act()?;
        Ok(start.elapsed().as_secs_f64() * 1e6 / count as f64)
    };
    for _ in 0..runs {
        our_times.push(timed(&mut ours)?);
        their_times.push(timed(&mut theirs)?);
    }
    let median = |mut times: Vec<f64>| {
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    };
    Ok((median(our_times), median(their_times)))
}

/// Leaves the model and the rows for others.
fn leave(folder: &str, model: &Model, values: &[f32]) -> std::io::Result<()> {
    let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    std::fs::write(format!("{folder}/model.txt"), model.to_text())?;
    std::fs::write(format!("{folder}/rows.f32"), bytes)
}

#[expect(clippy::print_stdout, reason = "a program that prints its results")]
fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let runs = std::env::args().nth(1).and_then(|runs| runs.parse().ok()).unwrap_or(7);
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let model = model(&mut random)?.with_threads(std::num::NonZero::<usize>::MIN);
    let mut lightgbm = Reference::from_text(model.to_text())?;
    let (values, _) = rows(SCORED, &mut random);
    let all = Rows::new(&values, FEATURES)?;
    if let Some(folder) = std::env::args().nth(2) {
        leave(&folder, &model, &values)?;
    }
    println!("{} trees of up to {LEAVES} leaves, {FEATURES} features, f32 rows, one thread, median of {runs} runs in turns", model.trees());
    let show = |what: &str, (ours, theirs): (f64, f64)| {
        println!("{what:<32} ours {ours:>8.2} µs/row   LightGBM {theirs:>8.2} µs/row   {:>5.1} times as fast", theirs / ours);
    };
    let each = |size: usize| values.chunks(size * FEATURES).map(|part| Rows::new(part, FEATURES));
    let single = compare(
        runs,
        SCORED,
        || each(1).try_for_each(|row| row.and_then(|row| model.predict_raw(row)).map(|score| drop(black_box(score)))),
        || lightgbm.predict_one_by_one(all).map(|scores| drop(black_box(scores))),
    )?;
    show("1 row (LightGBM: FastRow)", single);
    for size in [1, 100, 10_000] {
        let times = compare(
            runs,
            SCORED,
            || each(size).try_for_each(|rows| rows.and_then(|rows| model.predict_raw(rows)).map(|scores| drop(black_box(scores)))),
            || each(size).try_for_each(|rows| rows.and_then(|rows| lightgbm.predict_raw(rows, 1)).map(|scores| drop(black_box(scores)))),
        )?;
        show(&format!("{size} rows (LightGBM: Mat)"), times);
    }
    let few = Rows::new(&values[..EXPLAINED * FEATURES], FEATURES)?;
    let explained = compare(
        runs.div_ceil(2),
        EXPLAINED,
        || model.contributions(few).map(|values| drop(black_box(values))),
        || lightgbm.contributions(few, 1).map(|values| drop(black_box(values))),
    )?;
    show("SHAP, 1,000 rows", explained);
    println!("SHAP: {:.0} rows/s, LightGBM {:.0} rows/s", 1e6 / explained.0, 1e6 / explained.1);
    Ok(())
}
