//! Vectors in Redis, one server or a cluster.
//!
//! A vector is at `sf:{<bucket>}:<generation>:<siren>`, the current generation at `sf:current`. The bucket is a hash tag: keys
//! of a bucket live on one node, so that they can be written together. Keys expire: those of the current generation are
//! renewed by the next publication, which is monthly; those of earlier ones a few minutes after the flip, so that a reader
//! that has just read the pointer still finds them. Which companies a generation has is noted at `sf:<generation>`, four
//! bytes each.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use async_trait::async_trait;
use bytes::Bytes;
use domain::Siren;
use futures::StreamExt;
use futures::stream::BoxStream;
use redis::{AsyncCommands, ExistenceCheck, SetExpiry, SetOptions};

use crate::error::OnlineError;
use crate::redis_link::Link;
use crate::{Blobs, OnlineStore};

const CURRENT: &str = "sf:current";
/// Who fills an empty Redis holds this key.
const FILLING: &str = "sf:filling";
/// Life of a generation without a new one: two monthly cycles and a margin.
const LIFE: Duration = Duration::from_hours(1800);
/// Life of a generation once another one is current.
const AFTERLIFE: Duration = Duration::from_mins(5);
/// Vectors sent together.
const PIPELINE: usize = 1_000;
/// Buckets of companies.
const BUCKETS: u32 = 64;
/// Times that a request is read again because the generation changed under it.
const TRIES: usize = 5;

/// Vectors in Redis. Cheap to clone.
#[derive(Clone)]
pub struct RedisStore {
    link: Link,
    /// The generation that was current when last looked at: asking for it spares a round trip.
    known: Arc<ArcSwapOption<String>>,
}

const fn bucket(siren: Siren) -> u32 {
    siren.number() % BUCKETS
}

fn key(generation: &str, siren: Siren) -> String {
    format!("sf:{{{}}}:{generation}:{siren}", bucket(siren))
}

fn index(generation: &str) -> String {
    format!("sf:{generation}")
}

impl RedisStore {
    /// Connects lazily: a server that is away shows at the first request, not here. `redis://host:port` names one server,
    /// `redis+cluster://host:port,host:port` some nodes of a cluster; `rediss` is TLS.
    pub fn connect(url: &str) -> Result<Self, OnlineError> {
        Ok(Self { link: Link::open(url)?, known: Arc::default() })
    }

    /// Takes the right to fill an empty Redis, for half a minute; false when another process has it.
    pub(crate) async fn claim(&self) -> Result<bool, OnlineError> {
        let options = SetOptions::default().conditional_set(ExistenceCheck::NX).with_expiration(SetExpiry::EX(30));
        Ok(self.link.clone().set_options::<_, _, Option<String>>(FILLING, 1, options).await?.is_some())
    }

    /// Loads a generation and makes it current if there is none; one that was published meanwhile stays.
    pub(crate) async fn fill(&self, generation: &str, vectors: BoxStream<'_, (Siren, Bytes)>) -> Result<(), OnlineError> {
        self.load(generation, vectors).await?;
        let mut link = self.link.clone();
        let options = SetOptions::default().conditional_set(ExistenceCheck::NX);
        let first: Option<String> = link.set_options(CURRENT, generation, options).await?;
        if first.is_none() && self.generation().await?.as_deref() != Some(generation) {
            self.expire(generation).await?;
        }
        Ok(())
    }

    /// Writes the keys of a generation; gives their number.
    async fn load(&self, generation: &str, vectors: BoxStream<'_, (Siren, Bytes)>) -> Result<u64, OnlineError> {
        let mut link = self.link.clone();
        let mut companies: Vec<u8> = Vec::new();
        let mut chunks = vectors.chunks(PIPELINE);
        while let Some(chunk) = chunks.next().await {
            companies.extend(chunk.iter().flat_map(|(siren, _)| siren.number().to_le_bytes()));
            for vectors in self.together(chunk, |(siren, _)| *siren) {
                let mut pipeline = redis::pipe();
                for (siren, blob) in &vectors {
                    pipeline.set_ex(key(generation, *siren), blob.as_ref(), LIFE.as_secs()).ignore();
                }
                pipeline.query_async::<()>(&mut link).await?;
            }
        }
        let count = companies.len() as u64 / 4;
        link.set_ex::<_, _, ()>(index(generation), companies, LIFE.as_secs()).await?;
        Ok(count)
    }

    /// Lets the keys of a generation expire soon.
    async fn expire(&self, generation: &str) -> Result<(), OnlineError> {
        let mut link = self.link.clone();
        let companies: Option<Vec<u8>> = link.get(index(generation)).await?;
        let numbers = companies.iter().flat_map(|companies| companies.as_chunks::<4>().0).map(|number| u32::from_le_bytes(*number));
        let sirens: Vec<Siren> = numbers.filter_map(Siren::from_number).collect();
        for chunk in sirens.chunks(PIPELINE) {
            for sirens in self.together(chunk.to_vec(), |siren| *siren) {
                let mut pipeline = redis::pipe();
                for siren in sirens {
                    pipeline.expire(key(generation, siren), AFTERLIFE.as_secs() as i64).ignore();
                }
                pipeline.query_async::<()>(&mut link).await?;
            }
        }
        Ok(link.expire::<_, ()>(index(generation), AFTERLIFE.as_secs() as i64).await?)
    }

    /// Items cut so that the keys of each part can be written by one request: all together, or on a cluster by bucket.
    fn together<T>(&self, items: Vec<T>, siren: impl Fn(&T) -> Siren) -> Vec<Vec<T>> {
        if !self.link.is_cluster() {
            return vec![items];
        }
        let mut buckets: BTreeMap<u32, Vec<T>> = BTreeMap::new();
        for item in items {
            buckets.entry(bucket(siren(&item))).or_default().push(item);
        }
        buckets.into_values().collect()
    }

    fn remember(&self, generation: Option<&String>) {
        self.known.store(generation.cloned().map(Arc::new));
    }
}

#[async_trait]
impl OnlineStore for RedisStore {
    async fn publish(&self, generation: &str, vectors: BoxStream<'_, (Siren, Bytes)>) -> Result<u64, OnlineError> {
        let count = self.load(generation, vectors).await?;
        let previous: Option<String> = self.link.clone().getset(CURRENT, generation).await?;
        self.remember(Some(&generation.to_owned()));
        if let Some(previous) = previous.filter(|previous| previous != generation) {
            self.expire(&previous).await?;
        }
        Ok(count)
    }

    async fn generation(&self) -> Result<Option<String>, OnlineError> {
        let generation: Option<String> = self.link.clone().get(CURRENT).await?;
        self.remember(generation.as_ref());
        Ok(generation)
    }

    async fn get(&self, sirens: &[Siren]) -> Result<Blobs, OnlineError> {
        let mut link = self.link.clone();
        let mut generation = match self.known.load().as_deref() {
            Some(known) => Some(known.clone()),
            None => self.generation().await?,
        };
        for attempt in 1..=TRIES {
            let Some(current) = generation else { return Ok(Blobs { generation: None, blobs: vec![None; sirens.len()] }) };
            let keys: Vec<String> = sirens.iter().map(|siren| key(&current, *siren)).chain([CURRENT.to_owned()]).collect();
            let mut values: Vec<Option<Vec<u8>>> = link.mget(keys).await?;
            let now = values.pop().flatten().and_then(|now| String::from_utf8(now).ok());
            // The pointer is read with the vectors: if it moved they may be of a keyspace that is going away, and are read
            // again. Those of the last attempt were current a moment ago: keys outlive the flip by minutes.
            let same = now.as_deref() == Some(&current);
            if same || (attempt == TRIES && now.is_some()) {
                let blobs = values.into_iter().map(|value| value.map(Bytes::from)).collect();
                return Ok(Blobs { generation: Some(current), blobs });
            }
            self.remember(now.as_ref());
            generation = now;
        }
        Err(OnlineError::Blob("the pointer comes and goes"))
    }
}
