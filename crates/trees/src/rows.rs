//! A borrowed block of rows, the one shape in which values enter this crate.
//!
//! Rows are flat and row-major, so that a chunk of a stream goes to LightGBM without a copy. NaN means missing.

use crate::error::{Result, TreesError};
use crate::ffi::CellType;

/// A number that LightGBM reads as it is: `f32` (everything that the feature store holds) or `f64`.
pub trait Value: CellType + Copy + Into<f64> + Send + Sync + 'static {}
impl Value for f32 {}
impl Value for f64 {}

/// Whole rows of one number of features, row after row; NaN is a missing value.
#[derive(Debug, Clone, Copy)]
pub struct Rows<'a, V: Value = f32> {
    values: &'a [V],
    features: usize,
}

impl<'a, V: Value> Rows<'a, V> {
    /// Views `values` as rows of `features` values. Fails when they do not make whole rows or a row would be empty.
    pub fn new(values: &'a [V], features: usize) -> Result<Self> {
        if features == 0 || !values.len().is_multiple_of(features) {
            return Err(TreesError::Shape { values: values.len(), features });
        }
        Ok(Self { values, features })
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.values.len() / self.features
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Number of values of a row.
    pub fn features(&self) -> usize {
        self.features
    }

    /// All values, row after row.
    pub fn values(&self) -> &'a [V] {
        self.values
    }

    /// The rows in order.
    pub fn iter(&self) -> std::slice::ChunksExact<'a, V> {
        self.values.chunks_exact(self.features)
    }
}

impl<'a, V: Value> IntoIterator for Rows<'a, V> {
    type Item = &'a [V];
    type IntoIter = std::slice::ChunksExact<'a, V>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<'a, V: Value> IntoIterator for &Rows<'a, V> {
    type Item = &'a [V];
    type IntoIter = std::slice::ChunksExact<'a, V>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_rows_are_rows() {
        let values = [1f32, 2.0, 3.0, 4.0, 5.0, 6.0];
        let rows = Rows::new(&values, 3).unwrap();
        assert_eq!((rows.len(), rows.iter().nth(1)), (2, Some(&values[3..])));
        assert!(Rows::new(&values, 4).is_err());
        assert!(Rows::<f32>::new(&[], 0).is_err());
        assert!(Rows::<f32>::new(&[], 3).unwrap().is_empty());
    }
}
