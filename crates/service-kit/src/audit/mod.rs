//! Who asked for what: one record for each request, kept in the lake.
//!
//! The guard writes the record, because it knows the caller and the outcome; a handler adds what only it knows, by [`about`].
//! Records are kept for a few seconds in memory and stored together, so that a request does not wait for storage; a crash
//! loses those seconds. What must never be lost, files and access beyond one's territory, is stored before it is
//! answered ([`Audited::durable`]). When storage is away for so long that the memory is full, requests are refused.

mod query;
mod record;
mod trail;

use serde::{Deserialize, Serialize};
use tonic::Response;

pub use query::Audits;
pub(crate) use record::purpose;
pub use record::{Record, shortened};
pub use trail::Trail;

/// How the trail is kept. It is, where callers have names ([`crate::auth::AuthConfig`]).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AuditConfig {
    /// Seconds between two writes.
    pub flush_seconds: u64,
    /// Days that records are kept (`domain/consumers.md` §3.5: twelve months).
    pub retention_days: u32,
}

impl Default for AuditConfig {
    fn default() -> Self {
        Self { flush_seconds: 5, retention_days: 365 }
    }
}

/// What a handler says of a request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Audited {
    /// List that was read.
    pub list_id: String,
    /// Companies, as far as the request names them.
    pub sirens: Vec<String>,
    /// Rows that were answered.
    pub rows: Option<u64>,
    /// Filter, order, motive: what else was asked.
    pub question: String,
    /// Whether the record must be stored before the answer leaves.
    pub durable: bool,
}

/// Says of a response what was asked.
pub fn about<T>(mut response: Response<T>, audited: Audited) -> Response<T> {
    response.extensions_mut().insert(audited);
    response
}
