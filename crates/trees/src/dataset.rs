//! Training data: rows streamed once to sample them for bins, then once to store them as bins.
//!
//! A value takes one or two bytes once it is in a bin, so that the memory is that of the bins, of the sample and of the
//! chunk being pushed, whatever the table. Two passes over a table:
//!
//! ```text
//! let mut sampler = Sampler::new(&schema, &binning)?;          // first pass: counts the rows and samples them
//! for chunk in table { sampler.push(chunk)?; }
//! let mut builder = DatasetBuilder::new(sampler, weighted, threads)?;
//! for chunk in table { builder.push(chunk, labels, weights)?; } // second pass
//! let dataset = builder.finish()?;
//! ```

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::error::{Result, TreesError};
use crate::ffi::{DatasetHandle, SampledColumn};
use crate::params::Binning;
use crate::rows::{Rows, Value};

/// The features of a data set: their names, and which are categories.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schema {
    names: Vec<String>,
    categorical: Vec<usize>,
}

impl Schema {
    /// Features in the order of the columns. Names are unique, not empty, of ASCII letters, digits, `_`, `-`, `.` or `/`.
    /// A categorical feature holds whole numbers from 0 on, or NaN.
    pub fn new(names: Vec<String>, categorical: Vec<usize>) -> Result<Self> {
        let allowed = |name: &String| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-./".contains(&byte));
        if let Some(name) = names.iter().find(|name| !allowed(name)) {
            return Err(TreesError::parameter("feature name", format!("{name:?} has characters other than letters, digits, _ - . /")));
        }
        let mut sorted: Vec<&String> = names.iter().collect();
        sorted.sort_unstable();
        if let Some([twice, _]) = sorted.array_windows().find(|[name, next]| name == next) {
            return Err(TreesError::parameter("feature name", format!("{twice:?} occurs twice")));
        }
        if names.is_empty() {
            return Err(TreesError::parameter("feature name", "there is no feature"));
        }
        if let Some(feature) = categorical.iter().find(|feature| **feature >= names.len()) {
            return Err(TreesError::parameter("categorical", format!("feature {feature} does not exist among {}", names.len())));
        }
        Ok(Self { names, categorical })
    }

    /// Names in the order of the columns.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Indices of the categorical features.
    pub fn categorical(&self) -> &[usize] {
        &self.categorical
    }

    /// Number of features.
    pub fn features(&self) -> usize {
        self.names.len()
    }
}

/// The first pass: counts the rows and keeps a uniform sample of them (reservoir sampling), which decides the bins. All
/// rows are kept while there are not more than the sample may hold.
#[derive(Debug)]
pub struct Sampler {
    schema: Schema,
    binning: Binning,
    columns: Vec<Vec<f64>>,
    seen: usize,
    random: ChaCha8Rng,
}

impl Sampler {
    /// An empty sample.
    pub fn new(schema: &Schema, binning: &Binning) -> Result<Self> {
        binning.check()?;
        Ok(Self {
            schema: schema.clone(),
            binning: binning.clone(),
            columns: vec![Vec::new(); schema.features()],
            seen: 0,
            random: ChaCha8Rng::seed_from_u64(binning.seed),
        })
    }

    /// Takes the next rows of the table.
    pub fn push<V: Value>(&mut self, rows: Rows<'_, V>) -> Result<()> {
        TreesError::check_features(self.schema.features(), rows.features())?;
        for row in rows {
            self.seen += 1;
            if self.seen <= self.binning.sample_rows as usize {
                self.columns.iter_mut().zip(row).for_each(|(column, value)| column.push((*value).into()));
                continue;
            }
            let slot = self.random.random_range(0..self.seen);
            if slot < self.binning.sample_rows as usize {
                self.columns.iter_mut().zip(row).for_each(|(column, value)| column[slot] = (*value).into());
            }
        }
        Ok(())
    }

    /// Number of rows seen.
    pub fn rows(&self) -> usize {
        self.seen
    }

    /// The columns as LightGBM wants them: values other than zero with their rows. Columns are converted one by one.
    fn into_columns(self) -> (Vec<SampledColumn>, usize) {
        let sampled = self.columns.first().map_or(0, Vec::len);
        let sparse = |mut values: Vec<f64>| {
            // LightGBM's own bound (`kZeroThreshold`); NaN is not zero.
            let is_zero = |value: f64| value.abs() <= f64::from(1e-35f32);
            let rows = (0i32..).zip(&values).filter(|(_, value)| !is_zero(**value)).map(|(row, _)| row).collect();
            values.retain(|value| !is_zero(*value));
            SampledColumn { values, rows }
        };
        (self.columns.into_iter().map(sparse).collect(), sampled)
    }
}

/// The second pass: the rows, in the order of the first, go into bins.
#[derive(Debug)]
pub struct DatasetBuilder {
    dataset: Dataset,
    pushed: usize,
}

impl DatasetBuilder {
    /// A data set for the rows that the sampler saw, with the bins of its sample. `weighted` announces weights.
    pub fn new(sampler: Sampler, weighted: bool, threads: u32) -> Result<Self> {
        let (schema, binning, rows) = (sampler.schema.clone(), sampler.binning.clone(), sampler.seen);
        if rows == 0 {
            return Err(TreesError::RowCount { announced: 0, pushed: 0 });
        }
        if threads == 0 {
            return Err(TreesError::parameter("threads", "0 is not at least 1"));
        }
        let (mut columns, sampled) = sampler.into_columns();
        let params = binning.to_lightgbm(&schema.categorical);
        let mut handle = DatasetHandle::from_sample(&mut columns, sampled, rows, weighted, &params, threads as usize)?;
        handle.set_feature_names(&schema.names)?;
        Ok(Self { dataset: Dataset { handle, schema, binning, positives: 0 }, pushed: 0 })
    }

    /// A data set of `rows` rows with the bins of another, to validate on.
    pub fn aligned(to: &Dataset, rows: usize, weighted: bool) -> Result<Self> {
        if rows == 0 {
            return Err(TreesError::RowCount { announced: 0, pushed: 0 });
        }
        let handle = to.handle.aligned(rows, weighted)?;
        Ok(Self { dataset: Dataset { handle, schema: to.schema.clone(), binning: to.binning.clone(), positives: 0 }, pushed: 0 })
    }

    /// A builder of a data set of `rows` rows with the bins of this one, to fill both in one pass over the table.
    pub fn sibling(&self, rows: usize, weighted: bool) -> Result<Self> {
        Self::aligned(&self.dataset, rows, weighted)
    }

    /// Stores the next rows with their labels (0 or 1) and, if they were announced, their weights (above 0).
    pub fn push<V: Value>(&mut self, rows: Rows<'_, V>, labels: &[f32], weights: Option<&[f32]>) -> Result<()> {
        refuse("label", labels, |label| label == 0.0 || label == 1.0)?;
        refuse("weight", weights.unwrap_or(&[]), |weight| weight > 0.0 && weight.is_finite())?;
        self.dataset.handle.push(rows, self.pushed, labels, weights)?;
        self.pushed += rows.len();
        self.dataset.positives += labels.iter().filter(|label| **label == 1.0).count();
        Ok(())
    }

    /// The finished data set. Fails when fewer rows came than were announced.
    pub fn finish(mut self) -> Result<Dataset> {
        if self.pushed != self.dataset.rows() {
            return Err(TreesError::RowCount { announced: self.dataset.rows(), pushed: self.pushed });
        }
        self.dataset.handle.finish()?;
        Ok(self.dataset)
    }
}

/// Fails on the first value that is not allowed.
fn refuse(what: &'static str, values: &[f32], allowed: impl Fn(f32) -> bool) -> Result<()> {
    match values.iter().position(|value| !allowed(*value)) {
        Some(row) => Err(TreesError::Value { what, value: f64::from(values[row]), row }),
        None => Ok(()),
    }
}

/// Rows in bins with their labels, ready to train or to validate on.
#[derive(Debug)]
pub struct Dataset {
    pub(crate) handle: DatasetHandle,
    pub(crate) binning: Binning,
    schema: Schema,
    positives: usize,
}

impl Dataset {
    /// A data set of rows that are in memory already.
    pub fn from_rows<V: Value>(schema: &Schema, binning: &Binning, rows: Rows<'_, V>, labels: &[f32], threads: u32) -> Result<Self> {
        let mut sampler = Sampler::new(schema, binning)?;
        sampler.push(rows)?;
        let mut builder = DatasetBuilder::new(sampler, false, threads)?;
        builder.push(rows, labels, None)?;
        builder.finish()
    }

    /// A validation set of rows that are in memory already, with the bins of this one.
    pub fn validation<V: Value>(&self, rows: Rows<'_, V>, labels: &[f32]) -> Result<Self> {
        let mut builder = DatasetBuilder::aligned(self, rows.len(), false)?;
        builder.push(rows, labels, None)?;
        builder.finish()
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.handle.rows()
    }

    /// Number of features.
    pub fn features(&self) -> usize {
        self.handle.features()
    }

    /// Number of rows whose label is 1.
    pub fn positives(&self) -> usize {
        self.positives
    }

    /// Whether rows have weights.
    pub fn is_weighted(&self) -> bool {
        self.handle.is_weighted()
    }

    /// The features.
    pub fn schema(&self) -> &Schema {
        &self.schema
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schema(features: usize) -> Schema {
        Schema::new((0..features).map(|feature| format!("f{feature}")).collect(), vec![]).unwrap()
    }

    #[test]
    fn a_small_table_is_its_own_sample_without_zeros() {
        let mut sampler = Sampler::new(&schema(2), &Binning::default()).unwrap();
        sampler.push(Rows::new(&[0f32, 1.0, f32::NAN, 0.0, 3.0, 1e-40], 2).unwrap()).unwrap();
        let (columns, sampled) = sampler.into_columns();
        assert_eq!(sampled, 3);
        assert_eq!((columns[0].rows.as_slice(), columns[1].rows.as_slice()), ([1, 2].as_slice(), [0].as_slice()));
        assert!(columns[0].values[0].is_nan() && columns[0].values[1] == 3.0);
    }

    #[test]
    fn the_sample_is_bounded_uniform_and_seeded() {
        let binning = Binning { sample_rows: 1_000, ..Binning::default() };
        let sample = |seed| {
            let mut sampler = Sampler::new(&schema(1), &Binning { seed, ..binning.clone() }).unwrap();
            for chunk in (1..=20_000u16).map(f32::from).collect::<Vec<_>>().chunks(777) {
                sampler.push(Rows::new(chunk, 1).unwrap()).unwrap();
            }
            assert_eq!(sampler.rows(), 20_000);
            let (mut columns, sampled) = sampler.into_columns();
            assert_eq!(sampled, 1_000);
            columns.remove(0).values
        };
        let values = sample(7);
        let mean = values.iter().sum::<f64>() / 1_000.0;
        assert!((mean - 10_000.0).abs() < 4.0 * 5_774.0 / 1_000f64.sqrt(), "{mean}");
        assert_eq!(values, sample(7));
        assert_ne!(values, sample(8));
    }

    #[test]
    fn wrong_input_is_refused_before_lightgbm_sees_it() {
        assert!(Schema::new(vec!["a".into(), "a".into()], vec![]).is_err());
        assert!(Schema::new(vec!["a b".into()], vec![]).is_err());
        assert!(Schema::new(vec!["a".into()], vec![1]).is_err());
        let values = [1f32, 2.0, 3.0, 4.0];
        let rows = Rows::new(&values, 1).unwrap();
        let from = |labels: &[f32]| Dataset::from_rows(&schema(1), &Binning::default(), rows, labels, 1);
        assert!(matches!(from(&[0.0, 1.0, 0.5, 0.0]), Err(TreesError::Value { row: 2, .. })));
        assert!(matches!(from(&[0.0, 1.0]), Err(TreesError::Length { expected: 4, found: 2, .. })));
        let dataset = from(&[0.0, 1.0, 1.0, 0.0]).unwrap();
        assert_eq!((dataset.rows(), dataset.features(), dataset.positives()), (4, 1, 2));
        let mut builder = DatasetBuilder::aligned(&dataset, 3, false).unwrap();
        assert!(matches!(builder.push(rows, &[0.0; 4], None), Err(TreesError::RowCount { announced: 3, pushed: 4 })));
        assert!(matches!(builder.push(Rows::new(&values[..2], 1).unwrap(), &[0.0; 2], Some(&[1.0; 2])), Err(TreesError::Length { .. })));
        builder.push(Rows::new(&values[..2], 1).unwrap(), &[0.0; 2], None).unwrap();
        assert!(matches!(builder.finish(), Err(TreesError::RowCount { announced: 3, pushed: 2 })));
    }
}
