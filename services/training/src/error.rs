//! What can go wrong in training, and the code each has for clients.

use lake::LakeError;
use service_kit::error::{ErrorCode, ServiceError};
use thiserror::Error;
use trees::TreesError;

use crate::split::TooShort;

/// Why a model could not be trained, read or promoted.
#[derive(Debug, Error)]
pub enum TrainingError {
    /// The offline table lacks a column of the catalogue.
    #[error("the features of this batch have no column '{0}': build them again with this version (`sf features build`)")]
    MissingColumn(String),
    /// The offline table holds a value that it never should.
    #[error("the features of this batch hold an unreadable '{0}': build them again")]
    Frame(&'static str),
    /// The batch has no features.
    #[error("batch {0} has no features: run `sf features build --batch {0}` first")]
    NoFeatures(domain::BatchKey),
    /// No row of the batch has an outcome.
    #[error(
        "no month of batch {0} has an outcome: import the proceedings (`procol` or `bodacc`) and a longer history, then build the features again"
    )]
    NoOutcomes(domain::BatchKey),
    /// Arrow refused the rows of the offline table.
    #[error("the features of this batch cannot be read: {0}")]
    Arrow(#[from] arrow::error::ArrowError),
    /// A role has no row, or rows of one class only.
    #[error("the {role} period has {rows} rows and {positives} failures: both outcomes are needed; use more companies or a longer history")]
    OneClass {
        /// Which role.
        role: &'static str,
        /// Rows found.
        rows: usize,
        /// Failures among them.
        positives: usize,
    },
    /// A figure is undefined on these rows.
    #[error("the {0} rows do not allow to measure: both outcomes are needed")]
    NothingToMeasure(&'static str),
    /// The history is too short for the protocol.
    #[error(transparent)]
    TooShort(#[from] TooShort),
    /// Entities stand on two sides of a split that forbids it.
    #[error(
        "{entities} entities have rows on two sides of the split, which the protocol {protocol} forbids: put all rows of an entity on one side"
    )]
    BothSides {
        /// Which protocol.
        protocol: &'static str,
        /// How many.
        entities: usize,
    },
    /// The protocol has no such name.
    #[error("'{0}' is not a protocol: holdout, disjoint, rolling or lenient")]
    UnknownProtocol(String),
    /// The model has no such name.
    #[error("'{0}' is not a kind of model: mixture, lightgbm, logistic, random-forest or rule")]
    UnknownKind(String),
    /// A kind that scoring cannot load.
    #[error("a {0} model is compared in reports but cannot be registered: register a mixture or lightgbm")]
    NotServable(&'static str),
    /// No such model.
    #[error("there is no model '{0}': `sf models list` shows those that exist")]
    ModelNotFound(String),
    /// Nothing was promoted yet.
    #[error("there is no champion: train a model and promote it (`sf models promote ID`)")]
    NoChampion,
    /// The model wants other features than those published online.
    #[error(
        "model {model} was trained on features {wanted}, the online store serves {served}: build the features of the model's version first"
    )]
    SchemaMismatch {
        /// The model.
        model: String,
        /// Hash of its features.
        wanted: String,
        /// Hash of the online features.
        served: String,
    },
    /// A model that its report, or the champion's, speaks against.
    #[error(
        "model {model} is not promoted: {doubts}. Look at its card (`sf models card {model}`); to promote it all the same, say why (`--because`)"
    )]
    Doubtful {
        /// The model.
        model: String,
        /// What speaks against it.
        doubts: String,
    },
    /// There is no champion before the champion.
    #[error("there is no earlier champion to go back to")]
    NothingBefore,
    /// Processes that train together did not find each other, or one was lost.
    #[error("training with several processes: {0}")]
    Workers(String),
    /// No training waits for workers.
    #[error("no training waits for workers: ask again")]
    NoTraining,
    /// The training was cancelled.
    #[error("the training was cancelled")]
    Cancelled,
    /// A frame given as a file lacks a column.
    #[error("the file has no column '{0}'")]
    FileColumn(String),
    /// A frame given as a file cannot be used.
    #[error("{0}")]
    External(String),
    /// A stored document is not what it should be.
    #[error("{what} cannot be read: {source}")]
    Document {
        /// Which document.
        what: String,
        /// Why.
        source: serde_json::Error,
    },
    /// LightGBM or a metric refused.
    #[error(transparent)]
    Trees(#[from] TreesError),
    /// Storage.
    #[error(transparent)]
    Lake(#[from] LakeError),
    /// A blocking task stopped.
    #[error("the training task stopped: {0}")]
    Task(String),
}

impl From<TrainingError> for ServiceError {
    fn from(error: TrainingError) -> Self {
        let code = match &error {
            TrainingError::NoFeatures(_) | TrainingError::MissingColumn(_) | TrainingError::Frame(_) | TrainingError::Arrow(_) => {
                ErrorCode::FeaturesNotBuilt
            }
            TrainingError::NoOutcomes(_)
            | TrainingError::OneClass { .. }
            | TrainingError::NothingToMeasure(_)
            | TrainingError::TooShort(_) => ErrorCode::NotEnoughData,
            TrainingError::Doubtful { .. } => ErrorCode::PromotionRefused,
            TrainingError::Workers(_) => ErrorCode::WorkersLost,
            TrainingError::NoTraining => ErrorCode::NoTraining,
            TrainingError::Cancelled => ErrorCode::OperationCancelled,
            TrainingError::Trees(TreesError::Parameter { .. } | TreesError::Setting { .. })
            | TrainingError::BothSides { .. }
            | TrainingError::FileColumn(_)
            | TrainingError::UnknownProtocol(_)
            | TrainingError::UnknownKind(_)
            | TrainingError::NotServable(_)
            | TrainingError::External(_) => ErrorCode::InvalidArgument,
            TrainingError::ModelNotFound(_) => ErrorCode::ModelNotFound,
            TrainingError::NoChampion | TrainingError::NothingBefore => ErrorCode::NoChampion,
            TrainingError::SchemaMismatch { .. } => ErrorCode::SchemaMismatch,
            TrainingError::Document { .. } => ErrorCode::StorageCorrupt,
            TrainingError::Trees(_) | TrainingError::Task(_) => ErrorCode::TrainingFailed,
            TrainingError::Lake(error) => error.into(),
        };
        Self::new(code, error.to_string())
    }
}
