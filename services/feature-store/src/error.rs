//! What can go wrong with features, and the code each has for clients.

use domain::{BatchKey, Month, Siren};
use lake::LakeError;
use online_store::OnlineError;
use service_kit::error::{ErrorCode, ServiceError};
use thiserror::Error;

/// Why features could not be built or read.
#[derive(Debug, Error)]
pub enum FeatureError {
    /// Headcounts decide who is computed: nothing can be built without them.
    #[error("no batch up to {0} holds headcounts by company (effectif_ent): import one first (`sf ingest`)")]
    NoHeadcounts(BatchKey),
    /// The perimeter of the batch was not computed.
    #[error("batch {0} has no perimeter: import it first (`sf ingest DIR --batch {0}`)")]
    NoPerimeter(BatchKey),
    /// The perimeter was made from something that this program does not know.
    #[error("the perimeter of batch {batch} was made from '{code}', unknown here: import the batch again with this version")]
    Basis {
        /// Batch.
        batch: BatchKey,
        /// What it says.
        code: String,
    },
    /// The batch has no offline features.
    #[error("batch {0} has no features: run `sf features build --batch {0}`")]
    NotBuilt(BatchKey),
    /// The offline features lack a column.
    #[error("the stored features have no column '{0}': another version built them; run `sf features build` again")]
    OtherVersion(String),
    /// No batch has online features.
    #[error("no features were published yet: run `sf features build --batch YYMM`")]
    NothingPublished,
    /// Nothing is known of the company.
    #[error("nothing is known of company {0}: check the SIREN, or import a batch that holds it")]
    UnknownCompany(Siren),
    /// A month outside the history.
    #[error("month {0} is outside the history of batch {1}")]
    MonthOutOfRange(Month, BatchKey),
    /// An argument is not what it should be.
    #[error("{field}: {message}")]
    Argument {
        /// Which one.
        field: &'static str,
        /// Why.
        message: String,
    },
    /// Storage.
    #[error(transparent)]
    Lake(#[from] LakeError),
    /// The online store.
    #[error(transparent)]
    Online(#[from] OnlineError),
    /// Arrow refused columns that this crate made: a defect.
    #[error("columns do not fit their schema: {0}")]
    Arrow(#[from] arrow::error::ArrowError),
    /// Parquet refused rows that this crate made: a defect.
    #[error("rows cannot be written as Parquet: {0}")]
    Parquet(#[from] parquet::errors::ParquetError),
    /// A blocking task stopped.
    #[error("the computation stopped: {0}")]
    Task(String),
}

impl FeatureError {
    /// An argument that cannot be read.
    pub fn argument(field: &'static str, message: impl std::fmt::Display) -> Self {
        Self::Argument { field, message: message.to_string() }
    }
}

impl From<FeatureError> for ServiceError {
    fn from(error: FeatureError) -> Self {
        let code = match &error {
            FeatureError::NoHeadcounts(_) | FeatureError::NoPerimeter(_) => ErrorCode::BatchNotFound,
            FeatureError::NotBuilt(_) | FeatureError::OtherVersion(_) | FeatureError::NothingPublished => ErrorCode::FeaturesNotBuilt,
            FeatureError::UnknownCompany(_) => ErrorCode::UnknownCompany,
            FeatureError::MonthOutOfRange(..) | FeatureError::Argument { .. } => ErrorCode::InvalidArgument,
            FeatureError::Basis { .. } => ErrorCode::StorageCorrupt,
            FeatureError::Lake(error) => error.into(),
            FeatureError::Online(_) => ErrorCode::OnlineStoreUnavailable,
            FeatureError::Arrow(_) | FeatureError::Parquet(_) | FeatureError::Task(_) => ErrorCode::Internal,
        };
        Self::new(code, error.to_string())
    }
}
