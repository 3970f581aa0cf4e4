//! Training and measuring on a file of any data set, by the code that serves companies: how others compare.
//!
//! Entity, time, label and, if there is one, the side of the split are columns; every other column that is not ignored is a feature.
//! Without a column of sides, three fifths of the entities train, one fifth validates and the last one tests; with an embargo, the
//! times are divided instead, as a hold-out is.

mod csv_file;
mod keys;
mod parquet_file;
mod run;
mod times;

pub use run::{Asked, run};

use std::path::{Path, PathBuf};

use keys::Keys;

use crate::error::TrainingError;
use crate::rows::{Chunk, Source};
use crate::split::Protocol;

/// Rows of a chunk.
const CHUNK: usize = 8_192;

/// The columns of a file that are no features.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Columns {
    /// Whom a row is about.
    pub entity: String,
    /// When: kept in the predictions.
    pub time: String,
    /// Outcome, 0 or 1; a row without one is left out.
    pub label: String,
    /// Side of the split: `train`, `validation` or `test`. Without it, entities or times are divided.
    pub side: Option<String>,
    /// Columns that are no features.
    pub ignored: Vec<String>,
    /// Divides by time: of the times with an outcome the last fifth tests, the one before validates, and those so near before it are
    /// left out. In months where times are months or days, in their own unit where they are whole numbers, in times otherwise. A column
    /// of sides must then keep them apart in that way, and may have an entity on several.
    pub embargo: Option<u16>,
}

impl Columns {
    fn all(&self) -> impl Iterator<Item = &String> {
        [&self.entity, &self.time, &self.label].into_iter().chain(&self.side)
    }

    /// The features among the columns of a file; fails when a column is not there.
    fn features(&self, found: &[String]) -> Result<Vec<String>, TrainingError> {
        if let Some(name) = self.all().chain(&self.ignored).find(|name| !found.contains(name)) {
            return Err(TrainingError::FileColumn(name.clone()));
        }
        Ok(found.iter().filter(|name| !self.all().chain(&self.ignored).any(|key| key == *name)).cloned().collect())
    }
}

/// What a file says of a row beside its features, as text.
#[derive(Debug, Clone, Copy)]
struct KeyTexts<'a> {
    entity: &'a str,
    time: &'a str,
    side: Option<&'a str>,
    label: Option<f64>,
}

/// A file, read as often as needed.
#[derive(Debug)]
pub struct External {
    path: PathBuf,
    columns: Columns,
    format: Format,
    features: Vec<String>,
    keys: Keys,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Parquet,
    Csv,
}

impl External {
    /// Opens a `.parquet` or `.csv` file and reads the keys of its rows.
    pub fn open(path: &Path, columns: &Columns) -> Result<Self, TrainingError> {
        let format = match path.extension().and_then(|extension| extension.to_str()) {
            Some("parquet") => Format::Parquet,
            Some("csv") => Format::Csv,
            _ => return Err(TrainingError::External(format!("{}: give a .parquet or a .csv file", path.display()))),
        };
        let found = match format {
            Format::Parquet => parquet_file::columns(path)?,
            Format::Csv => csv_file::columns(path)?,
        };
        let features = columns.features(&found)?;
        let mut file = Self { path: path.to_owned(), columns: columns.clone(), format, features, keys: Keys::default() };
        let mut keys = Keys::default();
        file.read_keys(&mut |texts| {
            keys.add(&texts);
            Ok(())
        })?;
        keys.seal();
        if let Some(embargo) = columns.embargo {
            keys.divide(embargo, columns.side.is_some())?;
        }
        file.keys = keys;
        Ok(file)
    }

    /// The protocol of its sides.
    pub fn protocol(&self) -> Protocol {
        if self.columns.embargo.is_some() { Protocol::GivenByTime } else { Protocol::Given }
    }

    /// The names of an entity and of a time.
    pub fn names(&self, entity: u32, time: i32) -> (&str, &str) {
        (self.keys.entity(entity), self.keys.time(time))
    }

    fn read_keys(&self, take: &mut dyn FnMut(KeyTexts<'_>) -> Result<(), TrainingError>) -> Result<(), TrainingError> {
        match self.format {
            Format::Parquet => parquet_file::read(&self.path, &self.columns, &[], take, &mut |_| Ok(())),
            Format::Csv => csv_file::read(&self.path, &self.columns, &[], take, &mut |_| Ok(())),
        }
    }
}

impl Source for External {
    fn features(&self) -> &[String] {
        &self.features
    }

    fn read(&self, take: &mut dyn FnMut(&Chunk) -> Result<(), TrainingError>) -> Result<(), TrainingError> {
        // Keys come before the values of their chunk.
        let rows = std::cell::RefCell::new(Vec::with_capacity(CHUNK));
        let mut keys = |texts: KeyTexts<'_>| {
            rows.borrow_mut().push(self.keys.row(&texts)?);
            Ok(())
        };
        let mut chunk = Chunk::default();
        let mut values = |values: &mut Vec<f32>| {
            std::mem::swap(&mut chunk.values, values);
            chunk.rows.clear();
            chunk.rows.append(&mut rows.borrow_mut());
            take(&chunk)
        };
        match self.format {
            Format::Parquet => parquet_file::read(&self.path, &self.columns, &self.features, &mut keys, &mut values),
            Format::Csv => csv_file::read(&self.path, &self.columns, &self.features, &mut keys, &mut values),
        }
    }
}

/// A failure to read a file, with its path.
fn unreadable(path: &Path, error: impl std::fmt::Display) -> TrainingError {
    TrainingError::External(format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests;
