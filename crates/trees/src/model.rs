//! A trained model: a text, and boosters read from it.
//!
//! LightGBM writes into a booster even when it predicts, so a booster has one user at a time. A model keeps the idle ones
//! and reads a further one from the text when all are busy: callers never wait for each other, and there are never more
//! boosters than there were callers at once.

use std::num::NonZero;
use std::sync::{Mutex, PoisonError};
use std::thread::available_parallelism;

use serde::{Deserialize, Serialize};

use crate::error::{Result, TreesError};
use crate::ffi::{Kind, Predictor};
use crate::model_text::Frame;
use crate::rows::{Rows, Value};

/// Rows for which one more thread is worth starting.
const ROWS_OF_A_THREAD: usize = 512;

/// A model with one output, which any number of threads may use. In serde it is its text.
#[derive(Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Model {
    text: String,
    features: usize,
    feature_names: Vec<String>,
    trees: usize,
    threads: usize,
    idle: Mutex<Vec<Predictor>>,
}

impl Model {
    /// Reads a LightGBM text model (format version 4) of one output. The text is checked before LightGBM sees it, whose
    /// reader trusts its input.
    pub fn from_text(text: impl Into<String>) -> Result<Self> {
        let text = text.into();
        let frame = Frame::read(&text)?;
        let predictor = Predictor::from_text(&text)?;
        TreesError::check_features(predictor.features(), frame.feature_names.len())?;
        Ok(Self {
            features: predictor.features(),
            feature_names: frame.feature_names,
            trees: frame.trees,
            threads: available_parallelism().map_or(1, NonZero::get),
            idle: Mutex::new(vec![predictor]),
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
        self.features
    }

    /// Number of trees.
    pub fn trees(&self) -> usize {
        self.trees
    }

    /// The raw score of each row: log-odds, for a boosted binary model.
    pub fn predict_raw<V: Value>(&self, rows: Rows<'_, V>) -> Result<Vec<f64>> {
        self.with_predictor(|predictor| predictor.predict(rows, Kind::Raw, self.threads_for(rows.len(), 1)))
    }

    /// The exact TreeSHAP contributions, in the unit of the raw score: for each row one value a feature, then the base
    /// value; together they make the raw score. Takes 8 bytes × (features + 1) a row: give long tables in chunks.
    pub fn contributions<V: Value>(&self, rows: Rows<'_, V>) -> Result<Vec<f64>> {
        self.with_predictor(|predictor| predictor.predict(rows, Kind::Contributions, self.threads_for(rows.len(), ROWS_OF_A_THREAD)))
    }

    /// Total gain of the splits of each feature.
    pub fn feature_importance(&self) -> Result<Vec<f64>> {
        self.with_predictor(|predictor| predictor.gains())
    }

    /// Threads for a call, when a row costs as much as `cost` predictions.
    fn threads_for(&self, rows: usize, cost: usize) -> usize {
        rows.saturating_mul(cost).div_ceil(ROWS_OF_A_THREAD).clamp(1, self.threads)
    }

    fn with_predictor<T>(&self, call: impl FnOnce(&mut Predictor) -> Result<T>) -> Result<T> {
        let idle = || self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let reused = idle().pop();
        let mut predictor = match reused {
            Some(predictor) => predictor,
            None => Predictor::from_text(&self.text)?,
        };
        let result = call(&mut predictor);
        idle().push(predictor);
        result
    }
}

impl Clone for Model {
    /// A model of the same text that shares nothing; boosters are read when it is used.
    fn clone(&self) -> Self {
        Self {
            text: self.text.clone(),
            features: self.features,
            feature_names: self.feature_names.clone(),
            trees: self.trees,
            threads: self.threads,
            idle: Mutex::default(),
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
