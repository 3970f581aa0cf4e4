//! The rows of a batch of the offline table, as a source to learn from.

use std::sync::Arc;

use arrow::array::{Array, AsArray, BooleanArray, Date32Array, Float32Array, Int32Array, RecordBatch, StringArray};
use arrow::datatypes::{Date32Type, Float32Type, Int32Type, Schema};
use domain::{Month, NaiveDate, ProcolAction, Siren};
use futures::TryStreamExt;
use lake::Lake;
use lake::tables::{DynamicTable, Snapshot};
use panel::risk::RiskStatus;
use tokio::runtime::Handle;

use crate::error::TrainingError;
use crate::rows::{Chunk, Row, Source};
use crate::split::HORIZON;

/// A batch of the offline table. It is read from a thread that may block.
pub struct Offline {
    /// Its rows, the same in every reading.
    pub rows: Snapshot,
    /// Names of the features.
    pub features: Vec<String>,
    /// Where the reading of files runs.
    pub runtime: Handle,
}

impl Source for Offline {
    fn features(&self) -> &[String] {
        &self.features
    }

    fn read(&self, take: &mut dyn FnMut(&Chunk) -> Result<(), TrainingError>) -> Result<(), TrainingError> {
        let mut rows = self.rows.scan(None, None)?;
        let mut chunk = Chunk::default();
        while let Some(batch) = self.runtime.block_on(rows.try_next())? {
            decode(&batch, &self.features, &mut chunk)?;
            take(&chunk)?;
        }
        Ok(())
    }
}

/// The table that the feature store writes.
pub fn table(lake: &Lake) -> DynamicTable {
    DynamicTable::new(lake, "features", Arc::new(Schema::empty()))
}

/// First month of the rows, and the last one up to which proceedings were known when they were built: the end of the horizon of
/// the last row with an outcome. `None` without any such row.
pub async fn months(rows: &Snapshot) -> Result<Option<(Month, Month)>, TrainingError> {
    let mut scan = rows.scan(None, Some(&["month", "label"]))?;
    let (mut first, mut labelled) = (None, None);
    while let Some(rows) = scan.try_next().await? {
        let column = |name: &'static str| rows.column_by_name(name).ok_or(TrainingError::Frame(name));
        let months = column("month")?.as_primitive_opt::<Date32Type>().ok_or(TrainingError::Frame("month"))?;
        let with_outcome = arrow::compute::filter(months, &arrow::compute::is_not_null(column("label")?)?)?;
        first = arrow::compute::min(months).into_iter().chain(first).min();
        labelled = arrow::compute::max(with_outcome.as_primitive::<Date32Type>()).into_iter().chain(labelled).max();
    }
    Ok(first.and_then(month_of).zip(labelled.and_then(month_of).map(|month| month.plus(HORIZON))))
}

/// The columns of a batch of rows.
struct Columns<'a> {
    siren: &'a StringArray,
    month: &'a Date32Array,
    risk: &'a StringArray,
    label: &'a BooleanArray,
    event_in: &'a Int32Array,
    event: &'a StringArray,
    lenient: &'a BooleanArray,
    values: Vec<&'a Float32Array>,
}

impl<'a> Columns<'a> {
    fn of(batch: &'a RecordBatch, features: &[String]) -> Result<Self, TrainingError> {
        let column = |name: &str| batch.column_by_name(name).ok_or_else(|| TrainingError::MissingColumn(name.to_owned()));
        let text = |name: &'static str| column(name)?.as_string_opt().ok_or(TrainingError::Frame(name));
        let flag = |name: &'static str| column(name)?.as_boolean_opt().ok_or(TrainingError::Frame(name));
        let values = features
            .iter()
            .map(|name| column(name)?.as_primitive_opt::<Float32Type>().ok_or_else(|| TrainingError::MissingColumn(name.clone())));
        Ok(Self {
            siren: text("siren")?,
            month: column("month")?.as_primitive_opt::<Date32Type>().ok_or(TrainingError::Frame("month"))?,
            risk: text("risk")?,
            label: flag("label")?,
            event_in: column("event_in")?.as_primitive_opt::<Int32Type>().ok_or(TrainingError::Frame("event_in"))?,
            event: text("event")?,
            lenient: flag("lenient_label")?,
            values: values.collect::<Result<_, _>>()?,
        })
    }

    fn row(&self, row: usize) -> Result<Row, TrainingError> {
        let siren = self.siren.value(row).parse::<Siren>().map_err(|_| TrainingError::Frame("siren"))?;
        let month = month_of(self.month.value(row)).ok_or(TrainingError::Frame("month"))?;
        let risk = RiskStatus::from_code(self.risk.value(row)).ok_or(TrainingError::Frame("risk"))?;
        let next = if self.event_in.is_null(row) || self.event.is_null(row) {
            None
        } else {
            let action = ProcolAction::ALL.into_iter().find(|action| action.name() == self.event.value(row));
            let months = u16::try_from(self.event_in.value(row)).map_err(|_| TrainingError::Frame("event_in"))?;
            Some((months, action.ok_or(TrainingError::Frame("event"))?))
        };
        Ok(Row {
            entity: siren.number(),
            time: month.index(),
            label: self.label.is_valid(row).then(|| self.label.value(row)),
            // Published figures count companies in a proceeding, and drop those that ceased.
            lenient: (risk != RiskStatus::Inactive).then(|| self.lenient.value(row)),
            next,
            side: None,
        })
    }
}

/// Replaces what `chunk` holds with these rows.
fn decode(batch: &RecordBatch, features: &[String], chunk: &mut Chunk) -> Result<(), TrainingError> {
    let columns = Columns::of(batch, features)?;
    chunk.rows.clear();
    for row in 0..batch.num_rows() {
        chunk.rows.push(columns.row(row)?);
    }
    let width = features.len();
    chunk.values.clear();
    chunk.values.resize(batch.num_rows() * width, f32::NAN);
    // Column after column, a band of rows at a time, so that what is written stays near.
    const BAND: usize = 64;
    for start in (0..batch.num_rows()).step_by(BAND) {
        let end = (start + BAND).min(batch.num_rows());
        for (feature, column) in columns.values.iter().enumerate() {
            let values = column.values();
            for row in start..end {
                if column.is_valid(row) {
                    chunk.values[row * width + feature] = values[row];
                }
            }
        }
    }
    Ok(())
}

/// The month of a day counted from 1970-01-01.
fn month_of(days: i32) -> Option<Month> {
    let epoch = NaiveDate::from_ymd_opt(1970, 1, 1)?;
    epoch.checked_add_signed(chrono::Duration::days(i64::from(days))).map(Month::of)
}
