//! The stored state of an operation, and its form for clients.

use api::common::OperationProgress;
use api::google::longrunning::{Operation, operation};
use prost::Message;
use serde::{Deserialize, Serialize};

use crate::error::ServiceError;

/// Where an operation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Its owner works on it, or has died and another one will.
    Running,
    /// It ended well; the result is there.
    Done,
    /// It ended with an error.
    Failed,
}

/// The document `operations/<service>/<id>`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// `operations/<service>/<id>`.
    pub name: String,
    /// Kind of job.
    pub kind: String,
    /// How often this job was asked for.
    pub run: u32,
    /// The encoded request, hexadecimal.
    pub request: String,
    /// Where it is.
    pub state: State,
    /// Process that works on it.
    pub owner: String,
    /// Milliseconds since 1970 until which its owner, by its own clock, means to keep it: another value at each renewal.
    pub lease_until: i64,
    /// Somebody asked to stop it.
    pub cancelled: bool,
    /// How far it is.
    pub progress: Progress,
    /// The encoded response, hexadecimal.
    pub response: String,
    /// The encoded `google.rpc.Status`, hexadecimal.
    pub error: String,
}

/// How far a job is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Units done.
    pub done: u64,
    /// Units in all; 0 when not known.
    pub total: u64,
    /// What is counted.
    pub unit: String,
    /// What it is doing.
    pub message: String,
}

impl Record {
    /// The error of a failed operation.
    pub fn failure(&self) -> Option<api::google::rpc::Status> {
        (self.state == State::Failed).then(|| {
            let bytes = hex::decode(&self.error).unwrap_or_default();
            api::google::rpc::Status::decode(bytes.as_slice()).unwrap_or_default()
        })
    }

    /// Ends it.
    pub fn finish(&mut self, result: Result<Vec<u8>, ServiceError>) {
        match result {
            Ok(response) => {
                self.state = State::Done;
                self.response = hex::encode(response);
            }
            Err(error) => {
                self.state = State::Failed;
                self.error = hex::encode(error.to_rpc().encode_to_vec());
            }
        }
    }

    /// The operation for clients. `response_type` is the full name of the response's message.
    pub fn operation(&self, response_type: &str) -> Operation {
        let progress = OperationProgress {
            kind: self.kind.clone(),
            done: self.progress.done,
            total: self.progress.total,
            unit: self.progress.unit.clone(),
            message: self.progress.message.clone(),
            owner: self.owner.clone(),
        };
        let any = |name: &str, value: Vec<u8>| prost_types::Any { type_url: format!("type.googleapis.com/{name}"), value };
        let result = match self.state {
            State::Running => None,
            State::Done => Some(operation::Result::Response(any(response_type, hex::decode(&self.response).unwrap_or_default()))),
            State::Failed => Some(operation::Result::Error(self.failure().unwrap_or_default())),
        };
        Operation {
            name: self.name.clone(),
            metadata: Some(any("signauxfaibles.common.v1.OperationProgress", progress.encode_to_vec())),
            done: self.state != State::Running,
            result,
        }
    }
}
