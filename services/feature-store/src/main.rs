//! The feature store as a program.

use std::process::ExitCode;

fn main() -> ExitCode {
    service_kit::process::main::<feature_store::FeatureStoreProcess>()
}
