//! A record, and which requests have one.

use axum::http::HeaderMap;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use tonic::{Code, Status};

use super::Audited;
use crate::auth::Principal;
use crate::error::ServiceError;

/// Header in which a caller says what a request is for.
const PURPOSE: &str = "sf-purpose";
/// Characters of a text of a caller that are kept.
const LONGEST: usize = 500;
/// Requests without a record: they read no data, or are repeated every second.
const SILENT: [&str; 7] = [
    "/google.longrunning.Operations/GetOperation",
    "/google.longrunning.Operations/ListOperations",
    "/google.longrunning.Operations/WaitOperation",
    "/signauxfaibles.training.v1.TrainingService/JoinTraining",
    "/inference.GRPCInferenceService/Server",
    "/inference.GRPCInferenceService/ModelReady",
    "/inference.GRPCInferenceService/ModelMetadata",
];

/// Who asked for what, when, and what came of it. Never a token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// When it was answered.
    pub at: DateTime<Utc>,
    /// Who.
    pub subject: String,
    /// Their partner administration.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub segment: String,
    /// Path of the method.
    pub method: String,
    /// `ok`, or the code of the refusal.
    pub outcome: String,
    /// What for, as the caller says.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub purpose: String,
    /// List that was read.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub list_id: String,
    /// Companies, as far as the request names them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sirens: Vec<String>,
    /// Rows that were answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
    /// What else was asked.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub question: String,
}

impl Record {
    /// Whether requests for a method are recorded.
    pub fn is_kept(method: &str) -> bool {
        !SILENT.iter().any(|prefix| method.starts_with(prefix))
    }

    /// Of a request that was answered.
    pub fn answered(principal: &Principal, method: &str, audited: Audited) -> Self {
        Self::of(principal, method, String::new(), &HeaderMap::new(), audited)
    }

    /// Of a request and its answer.
    pub fn of(principal: &Principal, method: &str, purpose: String, answer: &HeaderMap, audited: Audited) -> Self {
        let refused = Status::from_header_map(answer).filter(|status| status.code() != Code::Ok);
        Self {
            at: Utc::now(),
            subject: principal.subject.clone(),
            segment: principal.segment.clone(),
            method: method.chars().take(LONGEST).collect(),
            outcome: refused.map_or("ok", |status| ServiceError::from_status(&status).code().as_str()).to_owned(),
            purpose,
            list_id: audited.list_id,
            sirens: audited.sirens.iter().map(|siren| shortened(siren)).collect(),
            rows: audited.rows,
            question: audited.question.chars().take(LONGEST).collect(),
        }
    }
}

/// A SIREN or SIRET as a caller wrote it, or the beginning of what they wrote instead.
pub fn shortened(siren: &str) -> String {
    siren.chars().take(20).collect()
}

/// What a request says it is for.
pub fn purpose(headers: &HeaderMap) -> String {
    let text = headers.get(PURPOSE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    text.chars().take(LONGEST).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorCode;

    #[test]
    fn a_record_says_who_asked_for_what_and_what_came_of_it() {
        let audited = Audited { list_id: "2511".into(), rows: Some(3), question: "x".repeat(600), ..Audited::default() };
        let ok = Record::of(&Principal::local(), "/a.B/C", "instruction".into(), &HeaderMap::new(), audited);
        assert_eq!((ok.subject.as_str(), ok.outcome.as_str(), ok.rows, ok.question.len()), ("local", "ok", Some(3), 500));
        let refusal: Status = ServiceError::new(ErrorCode::RightMissing, "no").into();
        let headers = refusal.into_http::<tonic::body::Body>().into_parts().0.headers;
        let long = Audited { sirens: vec!["1".repeat(600)], ..Audited::default() };
        let refused = Record::of(&Principal::local(), "/a.B/C", String::new(), &headers, long);
        assert_eq!((refused.sirens[0].len(), refused.outcome.as_str()), (20, "SF-API-0007"));
        let refused = Record { sirens: Vec::new(), ..refused };
        let line = serde_json::to_string(&refused).unwrap();
        assert!(!line.contains("sirens") && serde_json::from_str::<Record>(&line).unwrap() == refused, "{line}");
    }

    #[test]
    fn polling_and_liveness_have_no_record() {
        assert!(Record::is_kept("/signauxfaibles.lists.v1.ListService/ExportList"));
        assert!(Record::is_kept("/inference.GRPCInferenceService/ModelInfer"));
        assert!(Record::is_kept("/google.longrunning.Operations/CancelOperation"));
        for silent in ["/google.longrunning.Operations/GetOperation", "/inference.GRPCInferenceService/ServerLive"] {
            assert!(!Record::is_kept(silent), "{silent}");
        }
    }
}
