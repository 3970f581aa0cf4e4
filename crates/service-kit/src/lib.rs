//! What every service needs around its work: configuration, coded errors, long-running operations, the gRPC server.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

pub mod auth;
pub mod channel;
pub mod config;
pub mod error;
pub mod metrics;
pub mod operations;
pub mod process;
pub mod server;
pub mod telemetry;
pub mod token;

use lake::Lake;

use crate::auth::Authenticator;
use crate::config::OnlineConfig;
use crate::operations::Jobs;

/// The allocator of every program of ours. That of the C library keeps an arena a thread and gives little of them back: the
/// import of a national month peaked at 421 MB with it and at 298 MB with this one (unoptimised builds).
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// What a service gets from the process that runs it.
#[derive(Clone)]
pub struct Context {
    /// Storage.
    pub lake: Lake,
    /// Long-running operations of this process.
    pub jobs: Jobs,
    /// How to reach the online store.
    pub online: OnlineConfig,
    /// Who checks tokens.
    pub auth: Authenticator,
}
