//! Errors that clients see: one code for each kind of failure, declared once.
//!
//! A code never changes its meaning. It maps to a gRPC status and a retry hint, travels in `google.rpc.ErrorInfo`, and has
//! a page `docs/errors/<code>.md` that says what happened and what to do.

use std::collections::HashMap;
use std::error::Error;
use std::fmt;
use std::time::Duration;

use prost::Message;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

/// Domain of our codes in `ErrorInfo`.
pub const DOMAIN: &str = "signauxfaibles";

macro_rules! codes {
    ($($(#[doc = $doc:literal])* $name:ident = $code:literal, $status:ident, $retry:expr;)*) => {
        /// A kind of failure.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum ErrorCode {
            $($(#[doc = $doc])* $name,)*
        }

        impl ErrorCode {
            /// All codes, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The stable code, for example `SF-ING-0003`.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $code,)*
                }
            }

            /// What gRPC calls it.
            pub const fn status(self) -> Code {
                match self {
                    $(Self::$name => Code::$status,)*
                }
            }

            /// Seconds after which the same request may succeed; `None` when it will not.
            pub const fn retry_after(self) -> Option<u64> {
                match self {
                    $(Self::$name => $retry,)*
                }
            }
        }
    };
}

codes! {
    /// A file whose name is that of no source.
    UnknownFile = "SF-ING-0001", InvalidArgument, None;
    /// A file without any line.
    EmptyFile = "SF-ING-0002", InvalidArgument, None;
    /// A file that lacks columns of its source.
    MissingColumn = "SF-ING-0003", InvalidArgument, None;
    /// A file that cannot be read to its end, for example a truncated gzip.
    UnreadableFile = "SF-ING-0004", InvalidArgument, None;
    /// A file that holds another source than its name says.
    WrongSource = "SF-ING-0005", InvalidArgument, None;
    /// Rows too bad to replace what is there.
    QualityGate = "SF-ING-0006", FailedPrecondition, None;
    /// A batch that nothing was stored for.
    BatchNotFound = "SF-ING-0007", NotFound, None;
    /// A batch without any file to import.
    NoFiles = "SF-ING-0008", FailedPrecondition, None;
    /// A delivery that is not what its manifest says.
    Manifest = "SF-ING-0009", FailedPrecondition, None;
    /// A file that did not arrive as it was announced.
    Upload = "SF-ING-0010", InvalidArgument, None;
    /// An upload that does not go on where the file stopped: another one may be sending it.
    UploadMoved = "SF-ING-0011", Aborted, None;
    /// Features that were not built, or by another version.
    FeaturesNotBuilt = "SF-FEA-0001", FailedPrecondition, None;
    /// A company that nothing is known of.
    UnknownCompany = "SF-FEA-0002", NotFound, None;
    /// What is served is not what the sources give.
    InconsistentFeatures = "SF-FEA-0003", FailedPrecondition, None;
    /// Too little history or too few failures to learn from.
    NotEnoughData = "SF-TRA-0001", FailedPrecondition, None;
    /// A model that does not exist.
    ModelNotFound = "SF-TRA-0002", NotFound, None;
    /// No model was promoted.
    NoChampion = "SF-TRA-0003", FailedPrecondition, None;
    /// A model and vectors of different features.
    SchemaMismatch = "SF-TRA-0004", FailedPrecondition, None;
    /// The learning engine failed.
    TrainingFailed = "SF-TRA-0005", Internal, None;
    /// A model that its report speaks against.
    PromotionRefused = "SF-TRA-0006", FailedPrecondition, None;
    /// A model that no trusted key signed.
    SignatureRefused = "SF-TRA-0007", FailedPrecondition, None;
    /// Processes that train together, of which one is missing.
    WorkersLost = "SF-TRA-0008", Unavailable, Some(10);
    /// No training that waits for workers.
    NoTraining = "SF-TRA-0009", Unavailable, Some(2);
    /// A list that does not exist.
    ListNotFound = "SF-LIS-0001", NotFound, None;
    /// No list is published.
    NothingPublished = "SF-LIS-0002", FailedPrecondition, None;
    /// A page token that does not belong to the request.
    PageToken = "SF-LIS-0003", InvalidArgument, None;
    /// A department that is not of the caller's territory.
    OutOfTerritory = "SF-LIS-0004", PermissionDenied, None;
    /// A list that was published again between two pages.
    ListMoved = "SF-LIS-0005", Aborted, None;
    /// A filter that cannot be read.
    FilterSyntax = "SF-LIS-0006", InvalidArgument, None;
    /// A text that is not a SIREN.
    InvalidSiren = "SF-API-0001", InvalidArgument, None;
    /// A text that is not a batch key.
    BatchKey = "SF-API-0002", InvalidArgument, None;
    /// Another argument that cannot be used.
    InvalidArgument = "SF-API-0003", InvalidArgument, None;
    /// Too many items in one request.
    TooManyItems = "SF-API-0004", InvalidArgument, None;
    /// A service that cannot be reached.
    Unreachable = "SF-API-0005", Unavailable, Some(1);
    /// A caller without a token that holds.
    Unauthenticated = "SF-API-0006", Unauthenticated, None;
    /// A caller who lacks a right.
    RightMissing = "SF-API-0007", PermissionDenied, None;
    /// An identity provider whose keys cannot be read.
    IdentityUnavailable = "SF-API-0008", Unavailable, Some(5);
    /// A request that cannot be recorded, and is not answered for that.
    AuditUnavailable = "SF-API-0009", Unavailable, Some(5);
    /// More requests than the process answers at a time.
    Overloaded = "SF-API-0010", Unavailable, Some(1);
    /// More requests a second than one caller may send.
    TooManyRequests = "SF-API-0011", ResourceExhausted, Some(1);
    /// Access to a company without saying why.
    MotiveMissing = "SF-COM-0001", InvalidArgument, None;
    /// Too many companies followed at a time.
    TooManyFollows = "SF-COM-0002", ResourceExhausted, None;
    /// A detection that the caller rated before.
    AlreadyRated = "SF-COM-0003", AlreadyExists, None;
    /// A company that is not the caller's to rate: not alerted on the published list, or not theirs to see.
    NotRateable = "SF-COM-0004", FailedPrecondition, None;
    /// An operation that does not exist.
    OperationNotFound = "SF-OPS-0001", NotFound, None;
    /// An operation that was cancelled.
    OperationCancelled = "SF-OPS-0002", Cancelled, None;
    /// An operation whose program stopped on a defect.
    OperationCrashed = "SF-OPS-0003", Internal, None;
    /// An operation that waits for another one on the same subject.
    OperationBusy = "SF-OPS-0004", FailedPrecondition, Some(10);
    /// Storage that does not answer.
    StorageUnavailable = "SF-LAK-0001", Unavailable, Some(5);
    /// Something stored that cannot be read.
    StorageCorrupt = "SF-LAK-0002", DataLoss, None;
    /// Another writer was first, again and again.
    StorageConflict = "SF-LAK-0003", Aborted, Some(1);
    /// Neither the online store nor its snapshot can be read.
    OnlineStoreUnavailable = "SF-ONL-0001", Unavailable, Some(1);
    /// A configuration that cannot be used.
    Configuration = "SF-CFG-0001", FailedPrecondition, None;
    /// A defect of the program.
    Internal = "SF-INT-0001", Internal, None;
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A failure for clients: its code, what is wrong and where, and named facts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceError {
    code: ErrorCode,
    message: String,
    fields: HashMap<String, String>,
}

impl ServiceError {
    /// A failure of this kind. The message says what is wrong and what to do.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), fields: HashMap::new() }
    }

    /// The same with a named fact: file, line, column, field…
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.fields.insert(name.to_owned(), value.into());
        self
    }

    /// The kind.
    pub const fn code(&self) -> ErrorCode {
        self.code
    }

    /// What is wrong.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Named facts.
    pub const fn fields(&self) -> &HashMap<String, String> {
        &self.fields
    }

    /// What a status of a service means to its client. A status without our details becomes the nearest code.
    pub fn from_status(status: &Status) -> Self {
        let details = status.get_error_details();
        let info = details.error_info().filter(|info| info.domain == DOMAIN);
        let code = info.and_then(|info| ErrorCode::ALL.iter().copied().find(|code| code.as_str() == info.reason));
        let code = code.unwrap_or_else(|| match status.code() {
            // What the transport says of a connection that ended, or that was refused in its handshake.
            Code::Unknown | Code::Cancelled | Code::Internal if status.source().is_some() => ErrorCode::Unreachable,
            Code::Unavailable | Code::DeadlineExceeded => ErrorCode::Unreachable,
            Code::InvalidArgument => ErrorCode::InvalidArgument,
            Code::Cancelled => ErrorCode::OperationCancelled,
            Code::ResourceExhausted => ErrorCode::TooManyRequests,
            Code::Unauthenticated => ErrorCode::Unauthenticated,
            Code::PermissionDenied => ErrorCode::RightMissing,
            _ => ErrorCode::Internal,
        });
        let mut message = if status.message().is_empty() { status.code().to_string() } else { status.message().to_owned() };
        let mut cause = status.source();
        while let Some(error) = cause {
            let text = error.to_string();
            if !message.ends_with(&text) {
                message = format!("{message}: {text}");
            }
            cause = error.source();
        }
        Self { code, message, fields: info.map(|info| info.metadata.clone()).unwrap_or_default() }
    }

    /// The same from the error of an operation.
    pub fn from_rpc(status: &api::google::rpc::Status) -> Self {
        let details = status.encode_to_vec().into();
        Self::from_status(&Status::with_details(Code::from_i32(status.code), status.message.clone(), details))
    }

    /// The error of an operation.
    pub fn to_rpc(&self) -> api::google::rpc::Status {
        let status = Status::from(self.clone());
        api::google::rpc::Status::decode(status.details()).unwrap_or_else(|_| api::google::rpc::Status {
            code: status.code().into(),
            message: status.message().to_owned(),
            details: Vec::new(),
        })
    }
}

impl fmt::Display for ServiceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}] {}", self.code, self.message)
    }
}

impl Error for ServiceError {}

impl From<ServiceError> for Status {
    fn from(error: ServiceError) -> Self {
        let mut details = ErrorDetails::with_error_info(error.code.as_str(), DOMAIN, error.fields.clone());
        if let Some(seconds) = error.code.retry_after() {
            details.set_retry_info(Some(Duration::from_secs(seconds)));
        }
        if let Some(field) = error.fields.get("field") {
            details.add_bad_request_violation(field, &error.message);
        }
        Self::with_error_details(error.code.status(), error.message, details)
    }
}

impl From<telemetry::TelemetryError> for ServiceError {
    fn from(error: telemetry::TelemetryError) -> Self {
        Self::new(ErrorCode::Configuration, error.to_string())
    }
}

impl From<&lake::LakeError> for ErrorCode {
    fn from(error: &lake::LakeError) -> Self {
        use lake::LakeError as E;
        match error {
            E::Root { .. } => Self::Configuration,
            E::Immutable(_) | E::Corrupt { .. } => Self::StorageCorrupt,
            E::Conflict(_) => Self::StorageConflict,
            E::Name(_) | E::Altered { .. } => Self::Upload,
            E::NotFound(_) | E::Store(_) | E::Table { .. } | E::Io { .. } => Self::StorageUnavailable,
        }
    }
}

impl From<lake::LakeError> for ServiceError {
    fn from(error: lake::LakeError) -> Self {
        Self::new(ErrorCode::from(&error), error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    #[test]
    fn an_error_survives_the_way_to_the_client() {
        let error = ServiceError::new(ErrorCode::MissingColumn, "no column Siret").with("file", "sigfaible_debits.csv");
        let status = Status::from(error.clone());
        assert_eq!(status.code(), Code::InvalidArgument);
        assert_eq!(ServiceError::from_status(&status), error);
        assert_eq!(ServiceError::from_rpc(&error.to_rpc()), error);
        assert_eq!(ServiceError::from_status(&Status::unavailable("gone")).code(), ErrorCode::Unreachable);
        let cut = ServiceError::from_status(&Status::from_error(Box::new(std::io::Error::other("the handshake was refused"))));
        assert_eq!((cut.code(), cut.message()), (ErrorCode::Unreachable, "the handshake was refused"));
    }

    #[test]
    fn codes_are_unique_and_each_has_its_page() {
        let pages = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/errors");
        let codes: BTreeSet<&str> = ErrorCode::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(codes.len(), ErrorCode::ALL.len());
        for code in &codes {
            let page = std::fs::read_to_string(pages.join(format!("{code}.md"))).unwrap_or_else(|_| panic!("no page for {code}"));
            assert!(page.starts_with(&format!("# {code} ")), "{code}");
        }
        let stored: BTreeSet<String> = std::fs::read_dir(&pages)
            .unwrap()
            .filter_map(|entry| entry.unwrap().path().file_stem().map(|name| name.to_string_lossy().into_owned()))
            .filter(|name| name.starts_with("SF-"))
            .collect();
        assert_eq!(stored, codes.iter().map(ToString::to_string).collect(), "a page without code is misleading");
    }
}
