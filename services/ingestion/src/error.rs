//! What can go wrong with an import, and the code each has for clients.

use domain::BatchKey;
use lake::LakeError;
use service_kit::error::{ErrorCode, ServiceError};
use sources::FileError;
use thiserror::Error;

/// Why a file or a batch could not be imported.
#[derive(Debug, Error)]
pub enum IngestError {
    /// The file cannot be used.
    #[error("{file}: {error}")]
    File {
        /// Its name.
        file: String,
        /// Why.
        error: FileError,
    },
    /// Nothing of the batch to import.
    #[error("batch {0} has no file to import: upload its files first (`sf ingest DIR --batch {0}`)")]
    NoFiles(BatchKey),
    /// Nothing known of the batch.
    #[error("batch {0} was never imported: `sf batches list` shows those that were")]
    UnknownBatch(BatchKey),
    /// A complement of a batch without a perimeter.
    #[error("batch {batch} completes {parent}, which has no perimeter: import {parent} first")]
    NoParent {
        /// The complement.
        batch: BatchKey,
        /// What it completes.
        parent: BatchKey,
    },
    /// What a delivery says about itself does not hold.
    #[error("{file}: {problem}")]
    Manifest {
        /// Its manifest.
        file: String,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// A folder of this machine that cannot be read.
    #[error("the folder {folder} cannot be read: {reason}")]
    Folder {
        /// Which.
        folder: String,
        /// Why.
        reason: String,
    },
    /// A pruning that would be dangerous.
    #[error("{0}")]
    Prune(String),
    /// A profile that does not exist.
    #[error("there is no profile '{0}': leave it empty, or ask for open-data")]
    Profile(String),
    /// A stored report that cannot be read.
    #[error("the report of batch {batch} cannot be read: {reason}")]
    Report {
        /// Batch.
        batch: BatchKey,
        /// Why.
        reason: String,
    },
    /// Storage.
    #[error(transparent)]
    Lake(#[from] LakeError),
    /// A defect.
    #[error("{0}")]
    Internal(String),
}

/// The code of a fault of a file.
pub const fn file_code(error: &FileError) -> ErrorCode {
    match error {
        FileError::Empty | FileError::EmptyArchive => ErrorCode::EmptyFile,
        FileError::MissingColumns { .. } | FileError::NoAccountLinks => ErrorCode::MissingColumn,
        FileError::WrongSource { .. } => ErrorCode::WrongSource,
        FileError::Unreadable(_)
        | FileError::Binary
        | FileError::EndlessLine { .. }
        | FileError::SeveralFiles(_)
        | FileError::SeveralSheets(_)
        | FileError::TooLarge { .. } => ErrorCode::UnreadableFile,
    }
}

impl From<IngestError> for ServiceError {
    fn from(error: IngestError) -> Self {
        let message = error.to_string();
        match error {
            IngestError::File { file, error } => Self::new(file_code(&error), message).with("file", file).with("line", "1"),
            IngestError::NoFiles(_) | IngestError::Folder { .. } => Self::new(ErrorCode::NoFiles, message),
            IngestError::UnknownBatch(_) | IngestError::NoParent { .. } => Self::new(ErrorCode::BatchNotFound, message),
            IngestError::Manifest { file, .. } => Self::new(ErrorCode::Manifest, message).with("file", file),
            IngestError::Prune(_) => Self::new(ErrorCode::InvalidArgument, message).with("field", "min_age_hours"),
            IngestError::Profile(_) => Self::new(ErrorCode::InvalidArgument, message).with("field", "profile"),
            IngestError::Report { .. } => Self::new(ErrorCode::StorageCorrupt, message),
            IngestError::Lake(error) => error.into(),
            IngestError::Internal(_) => Self::new(ErrorCode::Internal, message),
        }
    }
}
