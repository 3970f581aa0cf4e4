//! Vectors in Redis, standalone or any server that speaks its protocol without cluster redirection.
//!
//! A vector is at `sf:<generation>:<siren>`, the current generation at `sf:current`. Keys expire: those of the current
//! generation are renewed by the next publication, which is monthly; those of earlier ones a few minutes after the flip,
//! so that a reader that has just read the pointer still finds them.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use domain::Siren;
use futures::StreamExt;
use futures::stream::BoxStream;
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{AsyncCommands, Client};

use crate::error::OnlineError;
use crate::{Blobs, OnlineStore};

const CURRENT: &str = "sf:current";
/// Life of a generation without a new one: two monthly cycles and a margin.
const LIFE: Duration = Duration::from_hours(1800);
/// Life of a generation once another one is current.
const AFTERLIFE: Duration = Duration::from_mins(5);
/// Vectors sent together.
const PIPELINE: usize = 1_000;
/// Times that a request is read again because the generation changed under it.
const TRIES: usize = 5;

/// A connection that reconnects by itself. Cheap to clone.
#[derive(Clone)]
pub struct RedisStore {
    connection: ConnectionManager,
}

impl RedisStore {
    /// Connects lazily: a server that is away shows at the first request, not here.
    pub fn connect(url: &str) -> Result<Self, OnlineError> {
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(Duration::from_millis(500)))
            .set_response_timeout(Some(Duration::from_secs(2)))
            .set_number_of_retries(1)
            .set_max_delay(Duration::from_millis(200));
        Ok(Self { connection: ConnectionManager::new_lazy_with_config(Client::open(url)?, config)? })
    }
}

fn key(generation: &str, siren: Siren) -> String {
    format!("sf:{generation}:{siren}")
}

#[async_trait]
impl OnlineStore for RedisStore {
    async fn publish(&self, generation: &str, vectors: BoxStream<'_, (Siren, Bytes)>) -> Result<u64, OnlineError> {
        let mut connection = self.connection.clone();
        let mut count = 0;
        let mut chunks = vectors.chunks(PIPELINE);
        while let Some(chunk) = chunks.next().await {
            let mut pipeline = redis::pipe();
            for (siren, blob) in &chunk {
                pipeline.set_ex(key(generation, *siren), blob.as_ref(), LIFE.as_secs()).ignore();
            }
            pipeline.query_async::<()>(&mut connection).await?;
            count += chunk.len() as u64;
        }
        let previous: Option<String> = connection.getset(CURRENT, generation).await?;
        if let Some(previous) = previous.filter(|previous| previous != generation) {
            expire(&mut connection, &previous).await?;
        }
        Ok(count)
    }

    async fn generation(&self) -> Result<Option<String>, OnlineError> {
        Ok(self.connection.clone().get(CURRENT).await?)
    }

    async fn get(&self, sirens: &[Siren]) -> Result<Blobs, OnlineError> {
        let mut connection = self.connection.clone();
        let mut generation: Option<String> = connection.get(CURRENT).await?;
        for _ in 0..TRIES {
            let Some(current) = generation else { return Ok(Blobs { generation: None, blobs: vec![None; sirens.len()] }) };
            // The pointer is read again with the vectors: if it moved, they may be of a keyspace that is going away.
            let keys: Vec<String> = sirens.iter().map(|siren| key(&current, *siren)).chain([CURRENT.to_owned()]).collect();
            let mut values: Vec<Option<Vec<u8>>> = connection.mget(keys).await?;
            let now = values.pop().flatten().and_then(|now| String::from_utf8(now).ok());
            if now.as_deref() == Some(&current) {
                let blobs = values.into_iter().map(|value| value.map(Bytes::from)).collect();
                return Ok(Blobs { generation: Some(current), blobs });
            }
            generation = now;
        }
        Err(OnlineError::Blob("the generation changes faster than it can be read"))
    }
}

/// Lets the keys of a generation expire soon.
async fn expire(connection: &mut ConnectionManager, generation: &str) -> Result<(), OnlineError> {
    let mut cursor = 0u64;
    loop {
        let (next, keys): (u64, Vec<String>) = redis::cmd("SCAN")
            .arg(cursor)
            .arg("MATCH")
            .arg(format!("sf:{generation}:*"))
            .arg("COUNT")
            .arg(PIPELINE)
            .query_async(connection)
            .await?;
        let mut pipeline = redis::pipe();
        for key in &keys {
            pipeline.expire(key, AFTERLIFE.as_secs() as i64).ignore();
        }
        if !keys.is_empty() {
            pipeline.query_async::<()>(connection).await?;
        }
        if next == 0 {
            return Ok(());
        }
        cursor = next;
    }
}
