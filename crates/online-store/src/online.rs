//! What a service reads from: Redis when there is one, the snapshot in memory otherwise.
//!
//! The snapshot follows the pointer `online` of the lake. When Redis fails, the reply comes from the snapshot and says so,
//! and so do the following ones at once: Redis is tried again in the background, until it answers and has the vectors. A
//! Redis that comes back empty is filled again by the process that keeps it, the feature store.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use domain::Siren;
use futures::stream::{self, StreamExt};
use lake::Lake;
use tokio::sync::Mutex;

use crate::error::OnlineError;
use crate::{Embedded, OnlineStore, Published, RedisStore, snapshot};

/// How long a change of the pointer, or the return of Redis, may go unseen.
const FOLLOW_EVERY: Duration = Duration::from_secs(1);

/// What a process does with the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Reads.
    Reader,
    /// Reads, and fills a Redis that was emptied.
    Keeper,
}

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
    role: Role,
    /// Redis failed, or was empty, and has not come back.
    away: AtomicBool,
    snapshot: Embedded,
    /// One load at a time.
    loading: Mutex<()>,
}

impl Online {
    /// Opens the store and follows the pointer for as long as the process lives. A Redis that is away is no error.
    pub async fn open(lake: Lake, redis_url: Option<&str>, role: Role) -> Result<Self, OnlineError> {
        let redis = redis_url.map(RedisStore::connect).transpose()?;
        let (away, snapshot, loading) = (AtomicBool::new(false), Embedded::default(), Mutex::new(()));
        let online = Self { inner: Arc::new(Inner { lake, redis, role, away, snapshot, loading }) };
        online.follow().await?;
        let follower = online.clone();
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(FOLLOW_EVERY).await;
                if let Err(error) = follower.follow().await {
                    tracing::warn!(%error, "the snapshot of the vectors cannot be read; serving the one in memory");
                }
                follower.look_after_redis().await;
            }
        });
        Ok(online)
    }

    /// Loads a generation into Redis, if there is one, and into memory.
    pub async fn publish(&self, generation: &str, vectors: &[(Siren, Bytes)]) -> Result<(), OnlineError> {
        if let Some(redis) = &self.inner.redis {
            redis.publish(generation, stream::iter(vectors.iter().cloned()).boxed()).await?;
            self.inner.away.store(false, Ordering::Relaxed);
        }
        self.inner.snapshot.publish(generation, stream::iter(vectors.iter().cloned()).boxed()).await?;
        Ok(())
    }

    /// Vectors of these companies.
    pub async fn get(&self, sirens: &[Siren]) -> Result<Fetched, OnlineError> {
        if let Some(redis) = self.inner.redis.as_ref().filter(|_| !self.is_away()) {
            match redis.get(sirens).await {
                Ok(blobs) if blobs.generation.is_some() => return Ok(Fetched { blobs: blobs.blobs, stale: false }),
                // A Redis that was emptied is as good as away; one that was never filled serves nothing wrong.
                Ok(_) => self.set_away("it holds no vectors"),
                Err(error) => self.set_away(&error.to_string()),
            }
        }
        self.follow_once().await?;
        let blobs = self.inner.snapshot.get(sirens).await?;
        Ok(Fetched { blobs: blobs.blobs, stale: self.inner.redis.is_some() })
    }

    fn is_away(&self) -> bool {
        self.inner.away.load(Ordering::Relaxed)
    }

    fn set_away(&self, reason: &str) {
        if !self.inner.away.swap(true, Ordering::Relaxed) {
            tracing::warn!(reason, "Redis does not serve: replies come from the snapshot, and say that they are stale");
        }
    }

    /// Notices that Redis is back, and fills it when that is this process's task.
    async fn look_after_redis(&self) {
        let Some(redis) = &self.inner.redis else { return };
        match redis.generation().await {
            Ok(Some(_)) => {
                if self.inner.away.swap(false, Ordering::Relaxed) {
                    tracing::info!("Redis serves again");
                }
            }
            Ok(None) if self.inner.role == Role::Keeper => {
                if let Err(error) = self.fill(redis).await {
                    tracing::warn!(%error, "Redis is empty and could not be filled; the next attempt is in a second");
                }
            }
            Ok(None) => {}
            Err(error) => self.set_away(&error.to_string()),
        }
    }

    async fn fill(&self, redis: &RedisStore) -> Result<(), OnlineError> {
        let Some((generation, vectors)) = self.inner.snapshot.all() else { return Ok(()) };
        if !redis.claim().await? {
            return Ok(());
        }
        tracing::info!(generation, companies = vectors.len(), "Redis is empty: filling it from the snapshot");
        redis.fill(&generation, stream::iter(vectors).boxed()).await
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
