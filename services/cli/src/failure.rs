//! How a command fails: the code, what is wrong, where to read more; never a debug dump.

use std::process::ExitCode;

use service_kit::error::{ErrorCode, ServiceError};
use tonic::Status;

/// A failed command.
#[derive(Debug)]
pub struct Failure {
    /// What is wrong, one entry for each thing.
    errors: Vec<ServiceError>,
    exit: u8,
}

impl Failure {
    /// Several things are wrong.
    pub fn several(errors: Vec<ServiceError>) -> Self {
        Self { errors, exit: 1 }
    }

    /// An argument cannot be used: exit code 2.
    pub fn usage(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { errors: vec![ServiceError::new(code, message)], exit: 2 }
    }

    /// Prints the errors; gives the exit code.
    #[allow(clippy::print_stderr, reason = "a command line speaks to a person")]
    pub fn report(self) -> ExitCode {
        for error in &self.errors {
            eprintln!("error[{}]: {}", error.code(), error.message());
            let mut fields: Vec<_> = error.fields().iter().filter(|(name, _)| *name != "field").collect();
            fields.sort();
            for (name, value) in fields {
                eprintln!("  {name}: {value}");
            }
            eprintln!("  see docs/errors/{}.md", error.code());
        }
        ExitCode::from(self.exit)
    }
}

impl From<ServiceError> for Failure {
    fn from(error: ServiceError) -> Self {
        Self { errors: vec![error], exit: 1 }
    }
}

impl From<Status> for Failure {
    fn from(status: Status) -> Self {
        ServiceError::from_status(&status).into()
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        ServiceError::new(ErrorCode::InvalidArgument, error.to_string()).into()
    }
}
