//! A CSV file with a header, comma-separated.

use std::path::Path;

use super::{CHUNK, Columns, KeyTexts, unreadable};
use crate::error::TrainingError;

fn open(path: &Path) -> Result<csv::Reader<std::fs::File>, TrainingError> {
    csv::Reader::from_path(path).map_err(|error| unreadable(path, error))
}

/// Names of the columns.
pub(super) fn columns(path: &Path) -> Result<Vec<String>, TrainingError> {
    let mut reader = open(path)?;
    Ok(reader.headers().map_err(|error| unreadable(path, error))?.iter().map(str::to_owned).collect())
}

/// Gives the keys of a chunk's rows, then its features row after row; those are left out when none is asked for.
pub(super) fn read(
    path: &Path,
    columns: &Columns,
    features: &[String],
    keys: &mut dyn FnMut(KeyTexts<'_>) -> Result<(), TrainingError>,
    values: &mut dyn FnMut(&mut Vec<f32>) -> Result<(), TrainingError>,
) -> Result<(), TrainingError> {
    let mut reader = open(path)?;
    let header = reader.headers().map_err(|error| unreadable(path, error))?.clone();
    let place = |name: &String| header.iter().position(|found| found == name).ok_or_else(|| TrainingError::FileColumn(name.clone()));
    let (entity, time, label) = (place(&columns.entity)?, place(&columns.time)?, place(&columns.label)?);
    let side = columns.side.as_ref().map(place).transpose()?;
    let places: Vec<usize> = features.iter().map(place).collect::<Result<_, _>>()?;
    let (mut buffer, mut record, mut line) = (Vec::new(), csv::StringRecord::new(), 1u64);
    while reader.read_record(&mut record).map_err(|error| unreadable(path, error))? {
        line += 1;
        let text = |place: usize| record.get(place).unwrap_or_default();
        let refused = |name: &str, text: &str| unreadable(path, format!("line {line}, column '{name}': '{text}' is not a number"));
        let label = number(text(label)).map_err(|text| refused(&columns.label, text))?;
        keys(KeyTexts { entity: text(entity), time: text(time), side: side.map(text), label })?;
        for (name, place) in features.iter().zip(&places) {
            let value = number(text(*place)).map_err(|text| refused(name, text))?;
            buffer.push(value.map_or(f32::NAN, |value| value as f32));
        }
        if buffer.len() >= CHUNK * features.len() && !features.is_empty() {
            values(&mut buffer)?;
            buffer.clear();
        }
    }
    if buffer.is_empty() { Ok(()) } else { values(&mut buffer) }
}

/// A number; nothing for what stands for a missing one.
fn number(text: &str) -> Result<Option<f64>, &str> {
    match text.trim() {
        "" | "?" | "NA" | "nan" | "NaN" | "null" => Ok(None),
        text => text.parse().map(Some).map_err(|_| text),
    }
}
