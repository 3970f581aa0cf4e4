//! What users rely on, checked by running the programs. One binary; modules by subject.
//!
//! Modules under `e2e` start real servers and are run by `make e2e`; the others need nothing and are part of `make test`, but for `soak` and `upgrade`, which
//! have targets of their own.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod access;
mod bad_input;
mod batches;
mod damage;
mod deliveries;
mod e2e;
mod embedded;
mod features;
mod learning;
mod perimeter;
mod soak;
mod third_party;
mod upgrade;
mod world_a;
