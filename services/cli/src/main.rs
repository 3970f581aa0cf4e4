//! `sf`: the command line, and all services in one process. Called by the name of a service, it is that service: an image needs one
//! program, and links to it.

mod advice;
mod args;
mod commands;
mod config;
mod connect;
mod failure;
mod job;
mod output;
mod progress;
mod servers;

use std::process::ExitCode;

use clap::Parser;
use service_kit::process;

use crate::args::Arguments;

fn main() -> ExitCode {
    let called = std::env::args_os().next().map(std::path::PathBuf::from);
    match called.as_ref().and_then(|path| path.file_name()?.to_str()) {
        Some("ingestion") => process::main::<ingestion::IngestionProcess>(),
        Some("feature-store") => process::main::<feature_store::FeatureStoreProcess>(),
        Some("training") => process::main::<training::TrainingProcess>(),
        Some("scoring") => process::main::<scoring::ScoringProcess>(),
        _ => command_line(),
    }
}

fn command_line() -> ExitCode {
    let arguments = Arguments::parse();
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return failure::Failure::from(error).report(),
    };
    let code = match runtime.block_on(commands::run(arguments)) {
        Ok(code) => code,
        Err(failure) => failure.report(),
    };
    telemetry::close();
    // Jobs of an embedded run end with the process; nothing else is worth waiting for.
    runtime.shutdown_background();
    code
}
