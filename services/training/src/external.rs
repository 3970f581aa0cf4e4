//! Training and measuring on a frame given as a Parquet file: entity, time, label and features of any data set.

use std::fs::{self, File};
use std::io::Write;
use std::ops::ControlFlow;
use std::path::Path;

use api::training::Evaluation;
use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float32Type};
use domain::{Month, Siren};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::error::TrainingError;
use crate::frame::{Block, Frame};
use crate::learn::{self, FeatureRoles, Kind};
use crate::split::{Period, Split};

/// The columns of an external frame.
#[derive(Debug, Clone)]
pub struct Columns {
    /// Whom a row is about: rows of one entity stay on one side of the split.
    pub entity: String,
    /// When: kept in the predictions, not a feature.
    pub time: String,
    /// Outcome, 0 or 1.
    pub label: String,
}

fn refused(error: impl std::fmt::Display) -> TrainingError {
    TrainingError::External(error.to_string())
}

/// Trains LightGBM on three fifths of the entities, calibrates on one fifth and measures on the last. Writes
/// `predictions.csv` and `metrics.json` into `out`, and gives the figures.
pub fn run(frame: &Path, columns: &Columns, out: &Path, threads: u32) -> Result<Evaluation, TrainingError> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(frame).map_err(refused)?).map_err(refused)?;
    let keys = [&columns.entity, &columns.time, &columns.label];
    let schema = reader.schema().clone();
    for key in keys {
        schema.field_with_name(key).map_err(|_| TrainingError::MissingColumn(key.clone()))?;
    }
    let features: Vec<String> = schema.fields().iter().map(|field| field.name().clone()).filter(|name| !keys.contains(&name)).collect();
    let period = Period { from: FIRST, to: FIRST };
    let mut data = Frame::new(features.clone(), Split { train: period, validation: period, test: period, by_company: true }, 1);
    let mut tested: Vec<(String, String)> = Vec::new();
    for batch in reader.build().map_err(refused)? {
        add(&mut data, &batch.map_err(refused)?, columns, &features, &mut tested)?;
    }
    data.check()?;
    let roles = FeatureRoles::default();
    let params = learn::default_params(&roles, threads);
    let candidate = learn::fit(Kind::Lightgbm, &data, &roles, &params, &mut |_| ControlFlow::Continue(()))?;
    let probabilities = learn::probabilities(candidate.scorer.as_ref(), &candidate.calibration, &data.test, features.len())?;
    let measured = learn::measure(candidate, &data)?;
    fs::create_dir_all(out).map_err(refused)?;
    let mut predictions = String::from("entity,time,label,probability\n");
    for (((entity, time), label), probability) in tested.iter().zip(&data.test.labels).zip(&probabilities) {
        use std::fmt::Write as _;
        let _infallible = writeln!(predictions, "{entity},{time},{},{probability}", u8::from(*label));
    }
    File::create(out.join("predictions.csv")).and_then(|mut file| file.write_all(predictions.as_bytes())).map_err(refused)?;
    let metrics = serde_json::to_vec_pretty(&measured.evaluation).map_err(refused)?;
    fs::write(out.join("metrics.json"), metrics).map_err(refused)?;
    Ok(measured.evaluation)
}

const FIRST: Month = match Month::new(2000, 1) {
    Some(month) => month,
    None => unreachable!(),
};

/// Adds rows; the entity decides the side.
fn add(
    data: &mut Frame,
    batch: &RecordBatch,
    columns: &Columns,
    features: &[String],
    tested: &mut Vec<(String, String)>,
) -> Result<(), TrainingError> {
    let column = |name: &str, kind: &DataType| {
        let found = batch.column_by_name(name).ok_or_else(|| TrainingError::MissingColumn(name.to_owned()))?;
        cast(found, kind).map_err(|error| TrainingError::External(format!("column '{name}': {error}")))
    };
    let (entities, times) = (column(&columns.entity, &DataType::Utf8)?, column(&columns.time, &DataType::Utf8)?);
    let labels = column(&columns.label, &DataType::Float32)?;
    let values: Vec<_> = features.iter().map(|name| column(name, &DataType::Float32)).collect::<Result<_, _>>()?;
    for row in 0..batch.num_rows() {
        let entity = entities.as_string::<i32>().value(row);
        let fold = crate::split::fold(entity.as_bytes());
        let block: &mut Block = match fold {
            0 => &mut data.test,
            1 => &mut data.validation,
            _ => &mut data.train,
        };
        if fold == 0 {
            tested.push((entity.to_owned(), times.as_string::<i32>().value(row).to_owned()));
        }
        let number = |array: &dyn Array| if array.is_null(row) { f32::NAN } else { array.as_primitive::<Float32Type>().value(row) };
        block.values.extend(values.iter().map(|array| number(array.as_ref())));
        block.labels.push(number(labels.as_ref()) > 0.5);
        // A stand-in for the company: what groups rows in the bootstrap.
        let group = entity.bytes().fold(7u32, |hash, byte| hash.wrapping_mul(31).wrapping_add(byte.into())) % 1_000_000_000;
        block.sirens.push(Siren::from_number(group).ok_or(TrainingError::Frame("entity"))?);
        block.months.push(FIRST);
    }
    Ok(())
}
