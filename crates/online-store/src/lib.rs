//! Hot feature vectors: one blob a company, in Redis or in memory, replaced whole by one flip.
//!
//! A build publishes a *generation*: a keyspace of its own, made current in one step once it is complete. A reply never
//! mixes two generations. The same vectors are kept as a snapshot in the lake ([`snapshot`]), from which a process serves
//! when there is no Redis, or when Redis is away ([`Online`]).
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod blob;
mod breaker;
pub mod conformance;
mod embedded;
mod error;
mod online;
mod published;
mod redis_link;
mod redis_store;
pub mod snapshot;
#[cfg(any(test, feature = "testing"))]
pub mod testing;

use async_trait::async_trait;
use bytes::Bytes;
use domain::Siren;
use futures::stream::BoxStream;

pub use blob::{VectorBlob, schema_number};
pub use embedded::Embedded;
pub use error::OnlineError;
pub use online::{Fetched, Online, Role};
pub use published::Published;
pub use redis_store::RedisStore;

/// The blobs of a request, all of one generation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blobs {
    /// The generation; `None` when nothing was ever published.
    pub generation: Option<String>,
    /// In the order of the request; `None` for a company without vector.
    pub blobs: Vec<Option<Bytes>>,
}

/// A store of the current generation. What every implementation must do is in [`conformance`].
#[async_trait]
pub trait OnlineStore: Send + Sync {
    /// Loads a generation, then makes it the current one. Earlier ones disappear. Gives the number of vectors.
    async fn publish(&self, generation: &str, vectors: BoxStream<'_, (Siren, Bytes)>) -> Result<u64, OnlineError>;

    /// The current generation.
    async fn generation(&self) -> Result<Option<String>, OnlineError>;

    /// Vectors of these companies.
    async fn get(&self, sirens: &[Siren]) -> Result<Blobs, OnlineError>;
}
