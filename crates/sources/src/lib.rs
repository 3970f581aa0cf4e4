//! The source files: their names, layouts and rules (`domain/ingestion.md` §1), from bytes to typed rows.
//!
//! [`parse`] reads a file line by line through a [`Sink`]: each record becomes rows, a [`Rejection`] with line, column and
//! reason, or a skip with a reason. Memory does not depend on the size of the file. No I/O beyond the reader given.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod blocks;
mod detect;
mod error;
mod fields;
pub mod files;
pub mod guide;
mod inflate;
mod json;
mod layout;
mod links;
mod parse;
mod records;
mod report;
mod utf16;
mod workers;
mod xlsx;

pub use detect::detect;
pub use error::{FileError, ParseError};
pub use fields::{Fields, Issue};
pub use files::{RowParser, SourceVisitor, dispatch};
pub use layout::{Dialect, Layout};
pub use links::AccountLinks;
pub use parse::{MOST_REJECTIONS, Parsed, Sink, is_archive, parse, parse_file};
pub use report::{ParseReport, Reason, Rejection, SkipReason, Warning};
