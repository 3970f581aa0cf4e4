//! A trained model: a text, and its trees laid out for scoring. Nothing in it changes: any number of threads may use it.

use std::cell::RefCell;
use std::num::NonZero;
use std::thread::available_parallelism;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::error::{Result, TreesError};
use crate::ffi::Predictor;
use crate::inference::{Inference, Scratch};
use crate::model_text::ModelText;
use crate::rows::{Rows, Value};

/// Predictions for which one more thread is worth starting.
const ROWS_OF_A_THREAD: usize = 512;
/// About how many predictions the contributions of a row cost.
const COST_OF_CONTRIBUTIONS: usize = 64;

thread_local! {
    /// Memory that a thread keeps: to ask for it anew costs a single row as much as a third of its score.
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

/// A row of which less is known ([`Model::known`]) has a score that says little.
pub const TOO_UNKNOWN: f64 = 0.5;

/// A model with one output, which any number of threads may use. In serde it is its text.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Model {
    text: String,
    feature_names: Vec<String>,
    trees: usize,
    /// How many splits ask for each feature.
    splits: Vec<u32>,
    threads: usize,
    inference: Inference,
}

impl Model {
    /// Reads a LightGBM text model (format version 4) of one output.
    pub fn from_text(text: impl Into<String>) -> Result<Self> {
        let text = text.into();
        let read = ModelText::read(&text)?;
        Ok(Self {
            inference: Inference::new(&read)?,
            trees: read.trees.len(),
            splits: read.splits_by_feature(),
            feature_names: read.feature_names,
            threads: available_parallelism().map_or(1, NonZero::get),
            text,
        })
    }

    /// Limits the threads that one call may use; by default those of the machine. A few rows always take one.
    #[must_use]
    pub fn with_threads(self, threads: NonZero<usize>) -> Self {
        Self { threads: threads.get(), ..self }
    }

    /// The text that it was read from, exactly.
    pub fn to_text(&self) -> &str {
        &self.text
    }

    /// Names of the features, in the order of a row.
    pub fn feature_names(&self) -> &[String] {
        &self.feature_names
    }

    /// Number of features of a row.
    pub fn features(&self) -> usize {
        self.feature_names.len()
    }

    /// Number of trees.
    pub fn trees(&self) -> usize {
        self.trees
    }

    /// How much of what the model asks is known of a row: the share of its splits that are on a known feature. All of it, when it asks
    /// nothing.
    pub fn known(&self, row: &[f32]) -> f64 {
        let all: u32 = self.splits.iter().sum();
        let known: u32 = row.iter().zip(&self.splits).filter(|(value, _)| !value.is_nan()).map(|(_, splits)| splits).sum();
        if all == 0 { 1.0 } else { f64::from(known) / f64::from(all) }
    }

    /// The raw score of each row: log-odds, for a boosted binary model. The same as LightGBM's to the last bit.
    pub fn predict_raw<V: Value>(&self, rows: Rows<'_, V>) -> Result<Vec<f64>> {
        TreesError::check_features(self.features(), rows.features())?;
        let mut scores = vec![0.0; rows.len()];
        self.each(rows, 1, &mut scores, 1, |row, scratch, score| score[0] = self.inference.raw(row, scratch));
        Ok(scores)
    }

    /// The exact path-dependent Shapley values, in the unit of the raw score: for each row one value a feature, then the base
    /// value; together they make the raw score. Takes 8 bytes × (features + 1) a row: give long tables in chunks.
    pub fn contributions<V: Value>(&self, rows: Rows<'_, V>) -> Result<Vec<f64>> {
        TreesError::check_features(self.features(), rows.features())?;
        let width = self.features() + 1;
        let mut contributions = vec![0.0; rows.len() * width];
        let act = |row: &[V], scratch: &mut Scratch, output: &mut [f64]| self.inference.contributions(row, scratch, output);
        self.each(rows, COST_OF_CONTRIBUTIONS, &mut contributions, width, act);
        Ok(contributions)
    }

    /// Total gain of the splits of each feature.
    pub fn feature_importance(&self) -> Result<Vec<f64>> {
        Predictor::from_text(&self.text)?.gains()
    }

    /// Does something with each row and its part of the output, of `width` numbers, on as many threads as the rows are worth
    /// when one costs as much as `cost` predictions.
    fn each<V: Value>(
        &self,
        rows: Rows<'_, V>,
        cost: usize,
        output: &mut [f64],
        width: usize,
        act: impl Fn(&[V], &mut Scratch, &mut [f64]) + Sync,
    ) {
        let threads = rows.len().saturating_mul(cost).div_ceil(ROWS_OF_A_THREAD).clamp(1, self.threads);
        let part = rows.len().div_ceil(threads).max(1);
        let one = |values: &[V], output: &mut [f64]| {
            SCRATCH.with_borrow_mut(|scratch| {
                for (row, output) in values.chunks_exact(rows.features()).zip(output.chunks_exact_mut(width)) {
                    act(row, scratch, output);
                }
            });
        };
        if threads == 1 {
            one(rows.values(), output);
        } else {
            let parts = rows.values().par_chunks(part * rows.features()).zip(output.par_chunks_mut(part * width));
            parts.for_each(|(values, output)| one(values, output));
        }
    }
}

impl TryFrom<String> for Model {
    type Error = TreesError;

    fn try_from(text: String) -> Result<Self> {
        Self::from_text(text)
    }
}

impl From<Model> for String {
    fn from(model: Model) -> Self {
        model.text
    }
}
