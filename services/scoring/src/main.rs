//! The scoring service as a program.

use std::process::ExitCode;

fn main() -> ExitCode {
    service_kit::process::main::<scoring::ScoringProcess>()
}
