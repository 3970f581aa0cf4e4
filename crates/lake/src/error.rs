//! The errors of storage.

use thiserror::Error;

/// Result of a storage call.
pub type Result<T> = std::result::Result<T, LakeError>;

/// Why storage could not do what was asked.
#[derive(Debug, Error)]
pub enum LakeError {
    /// The root cannot be understood.
    #[error("'{root}' is not a storage root: give a folder, file:///… or s3://bucket/prefix ({reason})")]
    Root {
        /// What was given.
        root: String,
        /// Why it is refused.
        reason: String,
    },
    /// Nothing has this name.
    #[error("nothing is stored at {0}")]
    NotFound(String),
    /// An immutable object exists with another content.
    #[error("{0} exists with another content and may not change")]
    Immutable(String),
    /// Somebody else changed it first: read again and retry.
    #[error("{0} was changed by another writer: read it again and retry")]
    Conflict(String),
    /// What is stored cannot be read.
    #[error("{path} cannot be read: {reason}; restore it or write it again")]
    Corrupt {
        /// Where.
        path: String,
        /// Why.
        reason: String,
    },
    /// A name that cannot be that of a file.
    #[error("'{0}' cannot be the name of a file: one without folder is needed, of at most 200 bytes, that does not begin with a dot")]
    Name(String),
    /// A file that is not what was announced.
    #[error("{path} arrived with {found}, {expected} was announced: send it again")]
    Altered {
        /// Which file.
        path: String,
        /// What was announced: a digest or a size.
        expected: String,
        /// What came.
        found: String,
    },
    /// The object store failed.
    #[error("storage failed: {0}")]
    Store(#[from] object_store::Error),
    /// The table log failed.
    #[error("table {table}: {reason}")]
    Table {
        /// Which table.
        table: String,
        /// Why.
        reason: String,
    },
    /// The local file system failed.
    #[error("{path}: {source}")]
    Io {
        /// Where.
        path: String,
        /// Why.
        source: std::io::Error,
    },
}

impl LakeError {
    pub(crate) fn corrupt(path: impl Into<String>, reason: impl std::fmt::Display) -> Self {
        Self::Corrupt { path: path.into(), reason: reason.to_string() }
    }

    pub(crate) fn table(table: &str, reason: impl std::fmt::Display) -> Self {
        Self::Table { table: table.to_owned(), reason: reason.to_string() }
    }

    pub(crate) fn io(path: &std::path::Path, source: std::io::Error) -> Self {
        Self::Io { path: path.display().to_string(), source }
    }
}
