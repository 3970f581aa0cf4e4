//! Waiting for an operation: a bar on a terminal, plain lines otherwise. A service that restarts is waited for.

use std::io::{IsTerminal, stderr};
use std::time::{Duration, Instant};

use api::common::OperationProgress;
use api::google::longrunning::{GetOperationRequest, Operation, operation};
use indicatif::{ProgressBar, ProgressStyle};
use prost::Message;
use service_kit::error::{ErrorCode, ServiceError};
use tokio::time::sleep;
use tonic::transport::Channel;

use crate::connect::Clients;
use crate::failure::Failure;

/// Between two looks.
const LOOK: Duration = Duration::from_millis(150);
/// How long a service may be away before the wait is given up.
const AWAY: Duration = Duration::from_mins(3);

/// Waits until the operation ends; gives its response.
pub async fn wait<Res: Message + Default>(channel: &Channel, started: Operation, quiet: bool) -> Result<Res, Failure> {
    let shown = Shown::new(quiet);
    let name = started.name.clone();
    let mut operation = started;
    let mut away: Option<Instant> = None;
    while !operation.done {
        shown.update(&operation);
        sleep(LOOK).await;
        match Clients::operations(channel).get_operation(GetOperationRequest { name: name.clone() }).await {
            Ok(reply) => {
                operation = reply.into_inner();
                away = None;
            }
            Err(status) => {
                let error = ServiceError::from_status(&status);
                let waiting = away.get_or_insert_with(Instant::now).elapsed();
                let passing = matches!(error.code(), ErrorCode::Unreachable | ErrorCode::StorageUnavailable | ErrorCode::Internal);
                if !passing || waiting > AWAY {
                    return Err(error.into());
                }
                sleep(Duration::from_millis(500)).await;
            }
        }
    }
    shown.finish();
    match operation.result {
        Some(operation::Result::Response(any)) => Res::decode(any.value.as_slice())
            .map_err(|error| ServiceError::new(ErrorCode::Internal, format!("the response of {name} cannot be read: {error}")).into()),
        Some(operation::Result::Error(status)) => Err(ServiceError::from_rpc(&status).into()),
        None => Err(ServiceError::new(ErrorCode::Internal, format!("{name} ended without a result")).into()),
    }
}

/// Starts a job, again and again while the service is away.
pub async fn start<F, Fut>(mut call: F) -> Result<Operation, Failure>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<tonic::Response<Operation>, tonic::Status>>,
{
    let begun = Instant::now();
    loop {
        match call().await {
            Ok(reply) => return Ok(reply.into_inner()),
            Err(status) => {
                let error = ServiceError::from_status(&status);
                if error.code() != ErrorCode::Unreachable || begun.elapsed() > Duration::from_secs(20) {
                    return Err(error.into());
                }
                sleep(Duration::from_millis(500)).await;
            }
        }
    }
}

struct Shown {
    bar: Option<ProgressBar>,
}

impl Shown {
    fn new(quiet: bool) -> Self {
        let bar = (!quiet && stderr().is_terminal()).then(|| {
            let bar = ProgressBar::new(0);
            if let Ok(style) = ProgressStyle::with_template("{spinner} {msg:28} {wide_bar} {pos}/{len}") {
                bar.set_style(style);
            }
            bar
        });
        Self { bar }
    }

    fn update(&self, operation: &Operation) {
        let Some(bar) = &self.bar else { return };
        let progress = operation.metadata.as_ref().and_then(|any| OperationProgress::decode(any.value.as_slice()).ok()).unwrap_or_default();
        bar.set_length(progress.total);
        bar.set_position(progress.done);
        bar.set_message(if progress.message.is_empty() { progress.kind } else { progress.message });
        bar.tick();
    }

    fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
