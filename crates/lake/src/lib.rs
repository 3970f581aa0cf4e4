//! Everything that lasts, under one root: raw files, Delta tables, immutable artifacts, pointers.
//!
//! The root is a folder or `s3://bucket/prefix`; the code above does not know which. Objects never change once written,
//! except pointers and operations, which change by compare-and-swap ([`Versioned`]). A table changes by one atomic commit
//! that replaces the rows of a batch ([`Table::writer`]).
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod backup;
mod columns;
mod copying;
mod delta;
mod error;
#[cfg(any(test, feature = "testing"))]
pub mod faults;
mod files;
mod objects;
mod observed;
mod parquet_io;
mod raw;
mod root;
mod state;
pub mod tables;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod versioned;

pub use backup::{Backup, Copied};
pub use columns::{Columnar, TableRow};
pub use error::{LakeError, Result};
pub use objects::{Listed, Objects};
pub use raw::{Raw, RawFile, Received, check_name};
pub use root::{Lake, LakeOptions, S3Options};
pub use state::as_of;
pub use tables::Table;
pub use versioned::{Pointers, Version, Versioned};
