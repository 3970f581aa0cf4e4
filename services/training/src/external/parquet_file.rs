//! A Parquet file, row group by row group.

use std::fs::File;
use std::path::Path;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float32Type, Float64Type};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::{CHUNK, Columns, KeyTexts, unreadable};
use crate::error::TrainingError;

fn open(path: &Path) -> Result<ParquetRecordBatchReaderBuilder<File>, TrainingError> {
    let file = File::open(path).map_err(|error| unreadable(path, error))?;
    ParquetRecordBatchReaderBuilder::try_new(file).map_err(|error| unreadable(path, error))
}

/// Names of the columns.
pub(super) fn columns(path: &Path) -> Result<Vec<String>, TrainingError> {
    Ok(open(path)?.schema().fields().iter().map(|field| field.name().clone()).collect())
}

/// Gives the keys of a chunk's rows, then its features row after row; those are left out when none is asked for.
pub(super) fn read(
    path: &Path,
    columns: &Columns,
    features: &[String],
    keys: &mut dyn FnMut(KeyTexts<'_>) -> Result<(), TrainingError>,
    values: &mut dyn FnMut(&mut Vec<f32>) -> Result<(), TrainingError>,
) -> Result<(), TrainingError> {
    let builder = open(path)?;
    let mask = ProjectionMask::columns(builder.parquet_schema(), columns.all().chain(features).map(String::as_str));
    let reader = builder.with_projection(mask).with_batch_size(CHUNK).build().map_err(|error| unreadable(path, error))?;
    let mut buffer = Vec::new();
    for batch in reader {
        let batch = batch.map_err(|error| unreadable(path, error))?;
        let column = |name: &String, kind: &DataType| column(path, &batch, name, kind);
        let (entities, times) = (column(&columns.entity, &DataType::Utf8)?, column(&columns.time, &DataType::Utf8)?);
        let labels = column(&columns.label, &DataType::Float64)?;
        let sides = columns.side.as_ref().map(|side| column(side, &DataType::Utf8)).transpose()?;
        for row in 0..batch.num_rows() {
            let text = |array: &ArrayRef| array.is_valid(row).then(|| array.as_string::<i32>().value(row).to_owned());
            let side = sides.as_ref().map(|sides| text(sides).unwrap_or_default());
            let key = KeyTexts {
                entity: entities.as_string::<i32>().value(row),
                time: times.as_string::<i32>().value(row),
                side: side.as_deref(),
                label: labels.is_valid(row).then(|| labels.as_primitive::<Float64Type>().value(row)).filter(|label| !label.is_nan()),
            };
            keys(key)?;
        }
        if features.is_empty() {
            continue;
        }
        let found: Vec<ArrayRef> = features.iter().map(|name| column(name, &DataType::Float32)).collect::<Result<_, _>>()?;
        buffer.clear();
        buffer.resize(batch.num_rows() * features.len(), f32::NAN);
        for (feature, array) in found.iter().enumerate() {
            let numbers = array.as_primitive::<Float32Type>();
            for (row, value) in numbers.values().iter().enumerate() {
                if numbers.is_valid(row) {
                    buffer[row * features.len() + feature] = *value;
                }
            }
        }
        values(&mut buffer)?;
    }
    Ok(())
}

fn column(path: &Path, batch: &RecordBatch, name: &String, kind: &DataType) -> Result<ArrayRef, TrainingError> {
    let found = batch.column_by_name(name).ok_or_else(|| TrainingError::FileColumn(name.clone()))?;
    if found.data_type() == kind {
        return Ok(found.clone());
    }
    cast(found, kind).map_err(|error| unreadable(path, format!("column '{name}': {error}")))
}
