//! `sf`: the command line, and all services in one process.

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

use crate::args::Arguments;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return failure::Failure::from(error).report(),
    };
    let code = match runtime.block_on(commands::run(arguments)) {
        Ok(code) => code,
        Err(failure) => failure.report(),
    };
    // Jobs of an embedded run end with the process; nothing else is worth waiting for.
    runtime.shutdown_background();
    code
}
