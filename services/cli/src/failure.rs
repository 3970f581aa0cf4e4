//! How a command fails: the code, what is wrong, what to do; never a debug dump.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::process::ExitCode;

use service_kit::error::{ErrorCode, ServiceError};
use tonic::Status;

use crate::advice;

/// As shells report a program that a closed pipe ended.
const BROKEN_PIPE: u8 = 141;

/// A failed command.
#[derive(Debug)]
pub struct Failure {
    /// What is wrong, one entry for each thing; none when there is nobody left to tell.
    errors: Vec<ServiceError>,
    exit: u8,
}

impl Failure {
    /// Several things are wrong.
    pub const fn several(errors: Vec<ServiceError>) -> Self {
        Self { errors, exit: 1 }
    }

    /// An argument cannot be used: exit code 2.
    pub fn usage(message: impl Into<String>) -> Self {
        Self { errors: vec![ServiceError::new(ErrorCode::InvalidArgument, message)], exit: 2 }
    }

    /// A file that cannot be written.
    pub fn file(path: &Path, error: &io::Error) -> Self {
        ServiceError::new(ErrorCode::InvalidArgument, format!("{}: {error}", path.display())).into()
    }

    /// The code of the first thing.
    pub fn code(&self) -> Option<ErrorCode> {
        self.errors.first().map(ServiceError::code)
    }

    /// Prints the errors, and once for each kind what to do; gives the exit code.
    #[allow(clippy::print_stderr, reason = "a command line speaks to a person")]
    pub fn report(self) -> ExitCode {
        let mut told = BTreeSet::new();
        for error in &self.errors {
            eprintln!("error[{}]: {}", error.code(), error.message());
            let mut fields: Vec<_> = error.fields().iter().filter(|(name, _)| *name != "field").collect();
            fields.sort();
            for (name, value) in fields {
                eprintln!("  {name}: {value}");
            }
            if told.insert(error.code().as_str()) {
                for item in advice::of(error.code()) {
                    eprintln!("  - {item}");
                }
            }
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

/// A failure of standard output: a reader that had enough, as `head` does, is told nothing.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self { errors: Vec::new(), exit: BROKEN_PIPE };
        }
        ServiceError::new(ErrorCode::InvalidArgument, format!("standard output: {error}")).into()
    }
}
