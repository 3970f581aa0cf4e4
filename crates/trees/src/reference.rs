//! Predictions by LightGBM's own code: what [`crate::Model`] is compared with by tests and benchmarks. Nothing that serves uses it.

use crate::error::Result;
use crate::ffi::{FastRow, Kind, Predictor};
use crate::model_text::ModelText;
use crate::rows::{Rows, Value};

/// A model in LightGBM's memory, for one caller at a time.
#[derive(Debug)]
pub struct Reference {
    predictor: Predictor,
}

impl Reference {
    /// Has LightGBM read a text. It is checked before: LightGBM trusts it.
    pub fn from_text(text: &str) -> Result<Self> {
        ModelText::read(text)?;
        Ok(Self { predictor: Predictor::from_text(text)? })
    }

    /// The raw score of each row, on this number of threads.
    pub fn predict_raw<V: Value>(&mut self, rows: Rows<'_, V>, threads: usize) -> Result<Vec<f64>> {
        self.predictor.predict(rows, Kind::Raw, threads)
    }

    /// For each row the contribution of each feature, then the base value, on this number of threads.
    pub fn contributions<V: Value>(&mut self, rows: Rows<'_, V>, threads: usize) -> Result<Vec<f64>> {
        self.predictor.predict(rows, Kind::Contributions, threads)
    }

    /// The raw score of one row after the other, by LightGBM's interface for single rows.
    pub fn predict_one_by_one(&mut self, rows: Rows<'_, f32>) -> Result<Vec<f64>> {
        let mut fast: FastRow<'_> = self.predictor.fast()?;
        rows.iter().map(|row| fast.score(row)).collect()
    }
}
