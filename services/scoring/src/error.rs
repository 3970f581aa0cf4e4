//! What can go wrong in scoring, and the code each has for clients.

use std::time::Duration;

use domain::{BatchKey, Siren};
use lake::LakeError;
use online_store::OnlineError;
use service_kit::error::{ErrorCode, ServiceError};
use thiserror::Error;
use tonic::Status;
use trees::TreesError;

/// Why a score or a list could not be given.
#[derive(Debug, Error)]
pub enum ScoringError {
    /// No model was promoted.
    #[error("there is no champion model: train one and promote it (`sf train`, `sf models promote ID`)")]
    NoChampion,
    /// The online vectors are not those that the champion was trained on.
    #[error(
        "the online vectors have features {found}, the champion {model} wants {wanted}: build the features of its version, or promote another model"
    )]
    SchemaMismatch {
        /// The champion.
        model: String,
        /// Hash that it wants.
        wanted: String,
        /// Hash found.
        found: String,
    },
    /// The champion's signature does not hold.
    #[error("the champion {model} is refused: {why}. Sign models with a trusted key (`signing_key` of training), or promote one that is")]
    Signature {
        /// The champion.
        model: String,
        /// Why.
        why: String,
    },
    /// No batch has online features.
    #[error("no features were published yet: run `sf features build --batch YYMM`")]
    NothingPublished,
    /// The batch has no online features.
    #[error("batch {0} has no features: run `sf features build --batch {0}`")]
    NotBuilt(BatchKey),
    /// No vector for the company.
    #[error("company {0} is unknown to the online store: it never had ten employees, or no delivery holds it")]
    UnknownCompany(Siren),
    /// A text that is not a SIREN.
    #[error("'{0}' is not a SIREN: nine digits are expected")]
    InvalidSiren(String),
    /// A feature that does not exist.
    #[error("'{0}' is not a feature: `sf features list` shows them")]
    UnknownFeature(String),
    /// A tensor that is not what the model takes.
    #[error("{0}")]
    Tensor(String),
    /// Too many companies in one request.
    #[error("{found} companies in one request: {most} at most")]
    TooMany {
        /// How many came.
        found: usize,
        /// How many may come.
        most: usize,
    },
    /// No such list.
    #[error("there is no list '{0}': `sf lists list` shows those that exist")]
    ListNotFound(String),
    /// No list was published.
    #[error("no list is published: `sf lists publish ID`")]
    NoListPublished,
    /// There is nothing to go back to.
    #[error("no list was published before the current one")]
    NothingToRollBack,
    /// An export format that does not exist.
    #[error("'{0}' is not an export format: csv, xlsx or parquet")]
    UnknownFormat(String),
    /// A stored document is not what it should be.
    #[error("{what} cannot be read: {message}")]
    Document {
        /// Which document.
        what: String,
        /// Why.
        message: String,
    },
    /// A file could not be written.
    #[error("the export cannot be written: {0}")]
    Export(String),
    /// The model.
    #[error(transparent)]
    Trees(#[from] TreesError),
    /// Storage.
    #[error(transparent)]
    Lake(#[from] LakeError),
    /// The online store and its snapshot are both away.
    #[error(transparent)]
    Online(#[from] OnlineError),
    /// Already a coded error.
    #[error(transparent)]
    Service(#[from] ServiceError),
    /// Storage or another service does not answer.
    #[error("storage did not answer within {0} s")]
    Silent(u64),
    /// A blocking task stopped.
    #[error("the computation stopped: {0}")]
    Task(String),
}

impl ScoringError {
    /// A stored document that cannot be read.
    pub fn document(what: impl Into<String>, error: impl std::fmt::Display) -> Self {
        Self::Document { what: what.into(), message: error.to_string() }
    }
}

/// Waits for storage or for another service, but not for as long as they are tried again.
pub async fn within<T, E: Into<ScoringError>>(limit: Duration, work: impl Future<Output = Result<T, E>>) -> Result<T, ScoringError> {
    match tokio::time::timeout(limit, work).await {
        Ok(done) => done.map_err(Into::into),
        Err(_) => Err(ScoringError::Silent(limit.as_secs())),
    }
}

/// A batch key that cannot be read.
pub fn batch(error: &domain::batch::BatchKeyError) -> ScoringError {
    ServiceError::new(ErrorCode::BatchKey, error.to_string()).into()
}

impl From<ScoringError> for Status {
    fn from(error: ScoringError) -> Self {
        ServiceError::from(error).into()
    }
}

impl From<ScoringError> for ServiceError {
    fn from(error: ScoringError) -> Self {
        let code = match error {
            ScoringError::Service(error) => return error,
            ScoringError::NoChampion => ErrorCode::NoChampion,
            ScoringError::Signature { .. } => ErrorCode::SignatureRefused,
            ScoringError::SchemaMismatch { .. } => ErrorCode::SchemaMismatch,
            ScoringError::NothingPublished | ScoringError::NotBuilt(_) => ErrorCode::FeaturesNotBuilt,
            ScoringError::UnknownCompany(_) => ErrorCode::UnknownCompany,
            ScoringError::InvalidSiren(_) => ErrorCode::InvalidSiren,
            ScoringError::TooMany { .. } => ErrorCode::TooManyItems,
            ScoringError::ListNotFound(_) => ErrorCode::ListNotFound,
            ScoringError::NoListPublished | ScoringError::NothingToRollBack => ErrorCode::NothingPublished,
            ScoringError::UnknownFormat(_) | ScoringError::UnknownFeature(_) | ScoringError::Tensor(_) => ErrorCode::InvalidArgument,
            ScoringError::Document { .. } => ErrorCode::StorageCorrupt,
            ScoringError::Lake(ref error) => error.into(),
            ScoringError::Silent(_) => ErrorCode::StorageUnavailable,
            ScoringError::Online(_) => ErrorCode::OnlineStoreUnavailable,
            ScoringError::Export(_) | ScoringError::Trees(_) | ScoringError::Task(_) => ErrorCode::Internal,
        };
        Self::new(code, error.to_string())
    }
}
