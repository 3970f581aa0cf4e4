//! Long-running operations: started, waited for across restarts of their service, left or cancelled on Ctrl-C.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use api::common::OperationProgress;
use api::google::longrunning::{CancelOperationRequest, GetOperationRequest, Operation, WaitOperationRequest, operation};
use prost::Message;
use service_kit::error::{ErrorCode, ServiceError};
use service_kit::link::Link;
use tokio::time::{sleep, timeout};
use tonic::{Code, Response, Status};

use crate::connect::Clients;
use crate::failure::Failure;
use crate::progress::Progress;

/// Between two looks.
const LOOK: Duration = Duration::from_millis(150);
/// How long a service that answered may be away before the wait is given up.
const AWAY: Duration = Duration::from_mins(5);
/// How long a service that never answered may be.
const ABSENT: Duration = Duration::from_secs(20);
/// Longest pause between two attempts to reach a service.
const PAUSE: Duration = Duration::from_secs(5);
/// How long a cancelled operation is waited for; its owner sees the request at the next renewal of its lease.
const CANCELLED_WITHIN: Duration = Duration::from_secs(15);

/// The operation that the command waits for, if any.
#[derive(Default)]
pub struct Waiting(Mutex<Option<(Link, String)>>);

impl Waiting {
    fn set(&self, operation: Option<(Link, String)>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = operation;
    }

    /// What is waited for.
    pub fn get(&self) -> Option<(Link, String)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Pauses that grow, for as long as a service may be away.
struct Patience {
    since: Option<Instant>,
    pause: Duration,
    limit: Duration,
}

impl Patience {
    const fn new(limit: Duration) -> Self {
        Self { since: None, pause: Duration::from_millis(250), limit }
    }

    /// Pauses; `false` when the service has been away for too long.
    async fn wait(&mut self) -> bool {
        if self.since.get_or_insert_with(Instant::now).elapsed() > self.limit {
            return false;
        }
        sleep(self.pause).await;
        self.pause = (self.pause * 2).min(PAUSE);
        true
    }
}

/// Whether the service or its storage is away for now, or a race was lost that may be run again. The errors of our services carry details; those of a connection
/// that broke do not, whatever their code.
pub fn passing(status: &Status) -> bool {
    let broken = matches!(status.code(), Code::Unavailable | Code::Unknown | Code::Internal | Code::Cancelled | Code::DeadlineExceeded);
    let code = ServiceError::from_status(status).code();
    (broken && status.details().is_empty())
        || matches!(code, ErrorCode::Unreachable | ErrorCode::StorageUnavailable | ErrorCode::UploadMoved)
}

/// Starts a job, waits until it ends, and gives its response. The same request joins a job that runs already, so that
/// starting again after a lost answer is safe.
pub async fn run<Res, F, Fut>(channel: &Link, waiting: &Waiting, quiet: bool, call: F) -> Result<Res, Failure>
where
    Res: Message + Default,
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<Response<Operation>, Status>>,
{
    let operation = start(call).await?;
    waiting.set(Some((channel.clone(), operation.name.clone())));
    let ended = end(channel, operation, quiet).await;
    waiting.set(None);
    response(ended?)
}

async fn start<F, Fut>(mut call: F) -> Result<Operation, Failure>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<Response<Operation>, Status>>,
{
    let mut patience = Patience::new(ABSENT);
    loop {
        match call().await {
            Ok(reply) => return Ok(reply.into_inner()),
            Err(status) if passing(&status) && patience.wait().await => {}
            Err(status) => return Err(status.into()),
        }
    }
}

async fn end(channel: &Link, started: Operation, quiet: bool) -> Result<Operation, Failure> {
    let progress = Progress::new(quiet);
    let name = started.name.clone();
    let mut operation = started;
    let mut patience = Patience::new(AWAY);
    while !operation.done {
        tell(&progress, &operation);
        let request = WaitOperationRequest { name: name.clone(), timeout: LOOK.try_into().ok() };
        match Clients::operations(channel).wait_operation(request).await {
            Ok(reply) => {
                operation = reply.into_inner();
                patience = Patience::new(AWAY);
            }
            Err(status) if passing(&status) => {
                progress.tell("waiting for the service to come back", 0, 0, "");
                if !patience.wait().await {
                    return Err(status.into());
                }
            }
            Err(status) => return Err(status.into()),
        }
    }
    Ok(operation)
}

fn tell(progress: &Progress, operation: &Operation) {
    let metadata = operation.metadata.as_ref().and_then(|any| OperationProgress::decode(any.value.as_slice()).ok()).unwrap_or_default();
    let message = if metadata.message.is_empty() { metadata.kind.clone() } else { format!("{}: {}", metadata.kind, metadata.message) };
    progress.tell(&message, metadata.done, metadata.total, &metadata.unit);
}

fn response<Res: Message + Default>(operation: Operation) -> Result<Res, Failure> {
    let defect = |message: String| ServiceError::new(ErrorCode::Internal, message).into();
    match operation.result {
        Some(operation::Result::Response(any)) => {
            Res::decode(any.value.as_slice()).map_err(|error| defect(format!("the response of {} cannot be read: {error}", operation.name)))
        }
        Some(operation::Result::Error(status)) => Err(ServiceError::from_rpc(&status).into()),
        None => Err(defect(format!("{} ended without a result", operation.name))),
    }
}

/// Asks an operation to stop and waits until it has; says whether it did.
pub async fn cancel(channel: &Link, name: &str) -> bool {
    let stop = async {
        let mut client = Clients::operations(channel);
        client.cancel_operation(CancelOperationRequest { name: name.to_owned() }).await?;
        while !client.get_operation(GetOperationRequest { name: name.to_owned() }).await?.into_inner().done {
            sleep(LOOK).await;
        }
        Ok::<_, Status>(())
    };
    timeout(CANCELLED_WITHIN, stop).await.is_ok_and(|stopped| stopped.is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_that_restarts_is_waited_for_and_a_refusal_is_not() {
        assert!(passing(&Status::unavailable("tcp connect error")));
        assert!(passing(&Status::unknown("transport error")));
        assert!(passing(&Status::internal("h2 protocol error: broken pipe")));
        assert!(passing(&Status::from(ServiceError::new(ErrorCode::StorageUnavailable, "away"))));
        for code in [ErrorCode::Internal, ErrorCode::NoChampion, ErrorCode::OperationNotFound] {
            assert!(!passing(&Status::from(ServiceError::new(code, "no"))), "{code}");
        }
        assert!(!passing(&Status::unimplemented("another service listens there")));
    }

    #[test]
    fn an_operation_gives_its_response_or_its_error() {
        let done = |result| Operation { name: "operations/x".into(), done: true, result, ..Operation::default() };
        let error = ServiceError::new(ErrorCode::NotEnoughData, "too few").to_rpc();
        let failed = response::<OperationProgress>(done(Some(operation::Result::Error(error)))).unwrap_err();
        assert_eq!(failed.code(), Some(ErrorCode::NotEnoughData));
        assert_eq!(response::<OperationProgress>(done(None)).unwrap_err().code(), Some(ErrorCode::Internal));
    }

    #[tokio::test]
    async fn patience_ends() {
        let mut patience = Patience { since: Some(Instant::now()), pause: Duration::ZERO, limit: Duration::MAX };
        assert!(patience.wait().await);
        patience.limit = Duration::ZERO;
        assert!(!patience.wait().await);
    }
}
