//! Invented deliveries in the raw formats, for demos and tests (`domain/data.md`).
//!
//! A hidden stock of cash drives everything: a company in trouble burns it, pays Urssaf late, asks for payment plans and
//! short-time work, loses employees, and may fail ([`company`]). The files show it late, in part, and with noise
//! ([`files`]). Everything derives from the seed, the company's number and the month: a company's history depends neither
//! on how many companies there are nor on how many months follow.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

pub mod company;
mod files;
mod places;
mod random;
mod sectors;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use domain::{BatchKey, Month};
use flate2::Compression;
use flate2::write::GzEncoder;
use rayon::prelude::*;
use thiserror::Error;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::company::{Company, State};
use crate::files::Lines;
use crate::random::Macro;

/// Companies made together.
const CHUNK: u32 = 512;

/// Which files are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// Those of the administrations.
    Full,
    /// Public files only, in their publishers' layouts.
    OpenData,
}

/// What to invent.
#[derive(Debug, Clone)]
pub struct Options {
    /// Companies.
    pub companies: u32,
    /// Seed: the same one gives the same bytes.
    pub seed: u64,
    /// Batch: histories end with the month before.
    pub batch: BatchKey,
    /// First month.
    pub first: Month,
    /// Folder for the hidden truth, which the pipeline never reads.
    pub truth: Option<PathBuf>,
    /// Which files.
    pub profile: Profile,
}

impl Options {
    /// A delivery of 3,000 companies since January 2014.
    pub fn new(batch: BatchKey) -> Self {
        const FIRST: Month = match Month::new(2014, 1) {
            Some(month) => month,
            None => unreachable!(),
        };
        Self { companies: 3_000, seed: 1, batch, first: FIRST, truth: None, profile: Profile::Full }
    }
}

/// Why a delivery could not be written.
#[derive(Debug, Error)]
pub enum DatagenError {
    /// The disk.
    #[error("{path}: {source}")]
    Io {
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Nothing to invent.
    #[error("batch {0} ends before the first month {1}")]
    NoMonths(BatchKey, Month),
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// Companies.
    pub companies: u32,
    /// Files.
    pub files: usize,
    /// Spoiled lines by file and kind, for tests.
    pub dirt: BTreeMap<(String, &'static str), u64>,
}

/// Writes a delivery into a folder, which is made when missing. Memory: a few hundred companies.
pub fn write_delivery(out: &Path, options: &Options) -> Result<Summary, DatagenError> {
    let last = options.batch.last_month();
    if last < options.first {
        return Err(DatagenError::NoMonths(options.batch, options.first));
    }
    let at = |path: &Path| {
        let path = path.to_owned();
        move |source| DatagenError::Io { path, source }
    };
    fs::create_dir_all(out).map_err(at(out))?;
    let kinds = files::files(options.profile);
    let mut writers = Vec::with_capacity(kinds.len());
    for file in kinds {
        let path = out.join(file.name(options.batch));
        let mut writer = FileWriter::create(&path).map_err(at(&path))?;
        writer.write(file.header(options.first, last).as_bytes()).map_err(at(&path))?;
        writers.push((path, writer));
    }
    let mut truth = options.truth.as_deref().map(Truth::create).transpose()?;
    let weather = Macro::new(options.seed, options.first, last);
    let mut dirt = BTreeMap::new();
    for start in (0..options.companies).step_by(CHUNK as usize) {
        let numbers = start..options.companies.min(start + CHUNK);
        let made: Vec<(Company, Lines)> = numbers
            .into_par_iter()
            .map(|number| {
                let company = Company::simulate(options.seed, number, &weather);
                let lines = files::lines(&company, options.seed, &weather, options.profile);
                (company, lines)
            })
            .collect();
        for (company, lines) in &made {
            for ((path, writer), kind) in writers.iter_mut().zip(kinds) {
                writer.write(&lines.text[*kind as usize]).map_err(at(path))?;
            }
            for (file, kind) in &lines.dirt {
                *dirt.entry((file.name(options.batch), *kind)).or_insert(0) += 1;
            }
            if let Some(truth) = &mut truth {
                truth.write(company)?;
            }
        }
    }
    for (path, writer) in writers {
        writer.finish().map_err(at(&path))?;
    }
    if let Some(truth) = truth {
        truth.finish()?;
    }
    Ok(Summary { companies: options.companies, files: kinds.len(), dirt })
}

/// A file, compressed when its name says so.
enum FileWriter {
    Plain(BufWriter<File>),
    Gzip(Box<GzEncoder<BufWriter<File>>>),
    Zip(Box<ZipWriter<BufWriter<File>>>),
}

impl FileWriter {
    fn create(path: &Path) -> io::Result<Self> {
        let file = BufWriter::with_capacity(1 << 18, File::create(path)?);
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("gz") => Ok(Self::Gzip(Box::new(GzEncoder::new(file, Compression::fast())))),
            Some("zip") => {
                let mut archive = ZipWriter::new(file);
                let inside = path.with_extension("csv").file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
                // Without a moment, so that the same seed gives the same bytes.
                let options = SimpleFileOptions::default().large_file(true).last_modified_time(zip::DateTime::default());
                archive.start_file(inside, options)?;
                Ok(Self::Zip(Box::new(archive)))
            }
            _ => Ok(Self::Plain(file)),
        }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Plain(file) => file.write_all(bytes),
            Self::Gzip(file) => file.write_all(bytes),
            Self::Zip(file) => file.write_all(bytes),
        }
    }

    fn finish(self) -> io::Result<()> {
        match self {
            Self::Plain(mut file) => file.flush(),
            Self::Gzip(file) => file.finish()?.flush(),
            Self::Zip(file) => file.finish()?.flush(),
        }
    }
}

/// The hidden truth: one line a company and month, one line a failure.
struct Truth {
    states: (PathBuf, FileWriter),
    failures: (PathBuf, FileWriter),
}

impl Truth {
    fn create(folder: &Path) -> Result<Self, DatagenError> {
        let open = |name: &str, header: &str| {
            let path = folder.join(name);
            let file = fs::create_dir_all(folder).and_then(|()| FileWriter::create(&path)).and_then(|mut file| {
                file.write(header.as_bytes())?;
                Ok(file)
            });
            file.map(|file| (path.clone(), file)).map_err(|source| DatagenError::Io { path, source })
        };
        Ok(Self {
            states: open("states.csv.gz", "siren,month,cash,shortfall,trouble\n")?,
            failures: open("failures.csv", "siren,month,kind,cause\n")?,
        })
    }

    fn write(&mut self, company: &Company) -> Result<(), DatagenError> {
        let mut states = String::new();
        for month in &company.months {
            let State { month, cash, shortfall, trouble, .. } = month;
            let _infallible = writeln!(states, "{},{month},{cash:.3},{shortfall:.3},{}", company.siren, u8::from(*trouble));
        }
        let mut failures = String::new();
        for failure in &company.failures {
            let _infallible = writeln!(failures, "{},{},{},{}", company.siren, failure.month, failure.kind.name(), failure.cause);
        }
        for ((path, file), text) in [(&mut self.states, states), (&mut self.failures, failures)] {
            file.write(text.as_bytes()).map_err(|source| DatagenError::Io { path: path.clone(), source })?;
        }
        Ok(())
    }

    fn finish(self) -> Result<(), DatagenError> {
        for (path, file) in [self.states, self.failures] {
            file.finish().map_err(|source| DatagenError::Io { path, source })?;
        }
        Ok(())
    }
}
