//! The rows a model learns from, taken from the offline features: flat, row-major, one block a role.

use arrow::array::{Array, AsArray, BooleanArray, Date32Array, Float32Array, RecordBatch, StringArray};
use arrow::datatypes::{Date32Type, Float32Type};
use domain::{Month, NaiveDate, Siren};
use trees::Rows;

use crate::error::TrainingError;
use crate::split::{Role, Split};

/// Rows of one role. Every vector but `values` has one element a row.
#[derive(Debug, Default, Clone)]
pub struct Block {
    /// Row after row, as many values a row as the frame has features; NaN where unknown.
    pub values: Vec<f32>,
    /// Whether the company enters a procedure within the horizon.
    pub labels: Vec<bool>,
    /// Company.
    pub sirens: Vec<Siren>,
    /// Month.
    pub months: Vec<Month>,
}

impl Block {
    /// Number of rows.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Rows whose label is true.
    pub fn positives(&self) -> usize {
        self.labels.iter().filter(|label| **label).count()
    }

    /// The values as rows.
    pub fn rows(&self, features: usize) -> Result<Rows<'_>, TrainingError> {
        Ok(Rows::new(&self.values, features)?)
    }

    /// Labels as LightGBM wants them.
    pub fn targets(&self) -> Vec<f32> {
        self.labels.iter().map(|label| f32::from(u8::from(*label))).collect()
    }
}

/// The three blocks of a split.
#[derive(Debug)]
pub struct Frame {
    features: Vec<String>,
    split: Split,
    step: u32,
    /// Fits.
    pub train: Block,
    /// Stops, calibrates, sets thresholds.
    pub validation: Block,
    /// Reports.
    pub test: Block,
}

impl Frame {
    /// An empty frame of these features. With a `step` above 1, training keeps one month in `step`.
    pub fn new(features: Vec<String>, split: Split, step: u32) -> Self {
        Self { features, split, step: step.max(1), train: Block::default(), validation: Block::default(), test: Block::default() }
    }

    /// Names of the features, in the order of a row.
    pub fn features(&self) -> &[String] {
        &self.features
    }

    /// How the rows are divided.
    pub fn split(&self) -> &Split {
        &self.split
    }

    /// Takes the labelled rows of a batch of the offline table; rows without a known outcome or a role are left.
    pub fn add(&mut self, batch: &RecordBatch) -> Result<(), TrainingError> {
        let columns = Columns::of(batch, &self.features)?;
        for row in 0..batch.num_rows() {
            if columns.label.is_null(row) {
                continue;
            }
            let siren = columns.siren.value(row).parse::<Siren>().map_err(|_| TrainingError::Frame("siren"))?;
            let month = columns.month(row).ok_or(TrainingError::Frame("month"))?;
            let Some(role) = self.split.role(siren, month) else { continue };
            if role == Role::Train && !month.index().rem_euclid(self.step as i32).eq(&0) {
                continue;
            }
            let block = match role {
                Role::Train => &mut self.train,
                Role::Validation => &mut self.validation,
                Role::Test => &mut self.test,
            };
            block.values.extend(columns.values.iter().map(|column| if column.is_null(row) { f32::NAN } else { column.value(row) }));
            block.labels.push(columns.label.value(row));
            block.sirens.push(siren);
            block.months.push(month);
        }
        Ok(())
    }

    /// Refuses a frame that nothing can be learned from or measured on.
    pub fn check(&self) -> Result<(), TrainingError> {
        for (name, block) in [("training", &self.train), ("validation", &self.validation), ("test", &self.test)] {
            if block.positives() == 0 || block.positives() == block.len() {
                return Err(TrainingError::OneClass { role: name, rows: block.len(), positives: block.positives() });
            }
        }
        Ok(())
    }
}

/// The columns of a batch of the offline table.
struct Columns<'a> {
    siren: &'a StringArray,
    month: &'a Date32Array,
    label: &'a BooleanArray,
    values: Vec<&'a Float32Array>,
}

impl<'a> Columns<'a> {
    fn of(batch: &'a RecordBatch, features: &[String]) -> Result<Self, TrainingError> {
        let column = |name: &str| batch.column_by_name(name).ok_or_else(|| TrainingError::MissingColumn(name.to_owned()));
        let values = features
            .iter()
            .map(|name| column(name)?.as_primitive_opt::<Float32Type>().ok_or_else(|| TrainingError::MissingColumn(name.clone())));
        Ok(Self {
            siren: column("siren")?.as_string_opt().ok_or(TrainingError::Frame("siren"))?,
            month: column("month")?.as_primitive_opt::<Date32Type>().ok_or(TrainingError::Frame("month"))?,
            label: column("label")?.as_boolean_opt().ok_or(TrainingError::Frame("label"))?,
            values: values.collect::<Result<_, _>>()?,
        })
    }

    fn month(&self, row: usize) -> Option<Month> {
        month_of(self.month.value(row))
    }
}

/// The month of a day counted from 1970-01-01.
pub fn month_of(days: i32) -> Option<Month> {
    let epoch = NaiveDate::from_ymd_opt(1970, 1, 1)?;
    epoch.checked_add_signed(chrono::Duration::days(i64::from(days))).map(Month::of)
}
