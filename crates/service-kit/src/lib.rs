//! What every service needs around its work: configuration, coded errors, long-running operations, the gRPC server.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

pub mod audit;
pub mod auth;
mod call;
pub mod channel;
pub mod config;
pub mod error;
pub mod limits;
pub mod link;
mod observe;
pub mod operations;
pub mod paging;
pub mod peers;
pub mod process;
mod resend;
pub mod server;
pub mod tls;
pub mod token;

use lake::{Lake, LakeOptions};

use crate::audit::Trail;
use crate::auth::Authenticator;
use crate::config::{Config, OnlineConfig};
use crate::error::ServiceError;
use crate::limits::Limits;
use crate::operations::Jobs;
use crate::peers::Peers;

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
    /// How many requests are answered.
    pub limits: Limits,
    /// Who checks tokens.
    pub auth: Authenticator,
    /// Where requests are recorded.
    pub audit: Trail,
    /// The other services.
    pub peers: Peers,
}

impl Context {
    /// What a configuration asks for. Without identity provider nobody has a name to record.
    pub fn new<S: Default>(config: &Config<S>) -> Result<Self, ServiceError> {
        let lake = Lake::open(&config.lake.root, &LakeOptions { s3: config.lake.s3.clone() })?;
        Ok(Self {
            jobs: Jobs::new(lake.clone(), &config.jobs),
            online: config.online.clone(),
            limits: Limits::new(&config.limits),
            auth: Authenticator::new(config.auth.as_ref())?,
            audit: if config.auth.is_some() { Trail::new(lake.clone(), &config.audit) } else { Trail::off() },
            peers: Peers::new(&config.peers)?,
            lake,
        })
    }
}
