//! Failures of a whole file: nothing of it can be used.

use std::io;

use domain::Source;
use thiserror::Error;

/// Why a file cannot be used at all.
#[derive(Debug, Error)]
pub enum FileError {
    /// No line.
    #[error("the file is empty")]
    Empty,
    /// The header lacks columns.
    #[error("the header lacks {}; it has: {}", quoted(.missing), .found.join(", "))]
    MissingColumns {
        /// Columns that the source needs.
        missing: Vec<String>,
        /// Columns found.
        found: Vec<String>,
    },
    /// The file names Urssaf accounts, and nothing says whose they are.
    #[error(
        "the header lacks 'Siret': files before December 2025 name accounts only, \
         and need sigfaible_etablissement_utf8.csv (source admin_urssaf) in this delivery or an earlier one"
    )]
    NoAccountLinks,
    /// The header is that of another source.
    #[error("the columns are those of {looks_like}, not of {expected}")]
    WrongSource {
        /// What was expected.
        expected: Source,
        /// What it looks like.
        looks_like: Source,
    },
    /// The bytes cannot be read: truncated or damaged compression, or the reader failed.
    #[error("the file cannot be read to its end ({0})")]
    Unreadable(#[from] io::Error),
    /// Bytes that no text holds.
    #[error("the header holds NUL bytes: this is no text file")]
    Binary,
    /// A line longer than any real one: the file is not what it says.
    #[error("line {line} is longer than {limit} bytes: this is no CSV file of the source")]
    EndlessLine {
        /// Physical line.
        line: u64,
        /// Longest line accepted.
        limit: usize,
    },
    /// A zip archive without a file in it.
    #[error("the archive holds no file")]
    EmptyArchive,
    /// A zip archive of several files: nobody can tell which one is meant.
    #[error("the archive holds {0} files, where one is expected")]
    SeveralFiles(usize),
    /// A workbook of several sheets, or of none: nobody can tell which one is meant.
    #[error("the workbook has {0} sheets, where one is expected")]
    SeveralSheets(usize),
    /// An archive that would fill the memory or the disk.
    #[error("the archive holds more than {limit} bytes once uncompressed")]
    TooLarge {
        /// Most bytes accepted.
        limit: u64,
    },
}

fn quoted(names: &[String]) -> String {
    names.iter().map(|name| format!("'{name}'")).collect::<Vec<_>>().join(", ")
}

/// Why parsing stopped.
#[derive(Debug, Error)]
pub enum ParseError<E> {
    /// The file.
    #[error(transparent)]
    File(#[from] FileError),
    /// Whoever takes the rows.
    #[error("{0}")]
    Sink(E),
}
