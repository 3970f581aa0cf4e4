//! What a service reads from: Redis when there is one, the snapshot in memory otherwise.
//!
//! The snapshot follows the pointer `online` of the lake. When Redis fails, a reply comes from it and says so; the next
//! request tries Redis again.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use domain::Siren;
use futures::stream::{self, StreamExt};
use lake::Lake;
use tokio::sync::Mutex;

use crate::error::OnlineError;
use crate::{Embedded, OnlineStore, Published, RedisStore, snapshot};

/// How long a change of the pointer may go unseen.
const FOLLOW_EVERY: Duration = Duration::from_secs(2);

/// The blobs of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// In the order of the request; `None` for a company without vector.
    pub blobs: Vec<Option<Bytes>>,
    /// Redis is away: the snapshot answered.
    pub stale: bool,
}

/// A reader of the current vectors. Cheap to clone.
#[derive(Clone)]
pub struct Online {
    inner: Arc<Inner>,
}

struct Inner {
    lake: Lake,
    redis: Option<RedisStore>,
    snapshot: Embedded,
    /// One load at a time.
    loading: Mutex<()>,
}

impl Online {
    /// Opens the store and follows the pointer for as long as the process lives. A Redis that is away is no error.
    pub async fn open(lake: Lake, redis_url: Option<&str>) -> Result<Self, OnlineError> {
        let redis = redis_url.map(RedisStore::connect).transpose()?;
        let online = Self { inner: Arc::new(Inner { lake, redis, snapshot: Embedded::default(), loading: Mutex::new(()) }) };
        online.follow().await?;
        let follower = online.clone();
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(FOLLOW_EVERY).await;
                if let Err(error) = follower.follow().await {
                    tracing::warn!(%error, "the snapshot of the vectors cannot be read; serving the one in memory");
                }
            }
        });
        Ok(online)
    }

    /// Loads a generation into Redis, if there is one, and into memory.
    pub async fn publish(&self, generation: &str, vectors: &[(Siren, Bytes)]) -> Result<(), OnlineError> {
        if let Some(redis) = &self.inner.redis {
            redis.publish(generation, stream::iter(vectors.iter().cloned()).boxed()).await?;
        }
        self.inner.snapshot.publish(generation, stream::iter(vectors.iter().cloned()).boxed()).await?;
        Ok(())
    }

    /// Vectors of these companies.
    pub async fn get(&self, sirens: &[Siren]) -> Result<Fetched, OnlineError> {
        if let Some(redis) = &self.inner.redis {
            match redis.get(sirens).await {
                // A Redis that was emptied is as good as away.
                Ok(blobs) if blobs.generation.is_some() => return Ok(Fetched { blobs: blobs.blobs, stale: false }),
                Ok(_) => {}
                Err(error) => tracing::warn!(%error, "Redis does not answer: serving from the snapshot"),
            }
        }
        self.follow_once().await?;
        let blobs = self.inner.snapshot.get(sirens).await?;
        Ok(Fetched { blobs: blobs.blobs, stale: self.inner.redis.is_some() })
    }

    /// Loads the snapshot if nothing is in memory yet.
    async fn follow_once(&self) -> Result<(), OnlineError> {
        if self.inner.snapshot.generation().await?.is_none() { self.follow().await } else { Ok(()) }
    }

    /// Loads the snapshot that the pointer names, if it is another one than the one in memory.
    async fn follow(&self) -> Result<(), OnlineError> {
        let Some(published) = Published::current(&self.inner.lake).await? else { return Ok(()) };
        let _one = self.inner.loading.lock().await;
        if self.inner.snapshot.generation().await?.as_deref() != Some(&published.generation) {
            let vectors = snapshot::read(&self.inner.lake, &published.generation).await?;
            self.inner.snapshot.publish(&published.generation, stream::iter(vectors).boxed()).await?;
        }
        Ok(())
    }
}
