//! Lists in the object store: immutable generations, and the pointers that name the built and the published ones.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use domain::BatchKey;
use lake::Lake;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::codec;
use super::entry::{Entry, ListInfo};
use crate::error::ScoringError;
use crate::shadow::Shadow;

/// A list with its entries by rank.
#[derive(Debug)]
pub struct List {
    /// Description.
    pub info: ListInfo,
    /// Entries by rank.
    pub entries: Vec<Entry>,
}

/// The published list, and the one before it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Latest {
    id: BatchKey,
    generation: u32,
    previous: Option<Box<Latest>>,
}

/// The latest generation of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Built {
    generation: u32,
}

/// Lists kept in memory at most.
const CACHED: usize = 4;

/// Lists by batch and generation.
type Cache = Arc<Mutex<HashMap<(BatchKey, u32), Arc<List>>>>;

/// Reads and writes lists. Lists once read stay in memory: they never change.
#[derive(Clone)]
pub struct ListStore {
    lake: Lake,
    cache: Cache,
}

impl ListStore {
    /// On this lake.
    pub fn new(lake: Lake) -> Self {
        Self { lake, cache: Arc::default() }
    }

    /// Stores a list as the next generation of its batch and returns it. The same content as the latest generation is
    /// that generation: nothing is written twice.
    pub async fn save(&self, mut info: ListInfo, entries: Vec<Entry>) -> Result<Arc<List>, ScoringError> {
        let bytes = codec::encode(&info.groups, &entries)?;
        info.sha256 = hex::encode(Sha256::digest(&bytes));
        let latest = self.built(info.batch).await?;
        if let Some(generation) = latest {
            let stored = self.info(info.batch, generation).await?;
            if stored.sha256 == info.sha256 && stored.model_id == info.model_id {
                return self.load(info.batch, generation).await;
            }
        }
        info.generation = latest.unwrap_or(0) + 1;
        let json = serde_json::to_vec_pretty(&info).map_err(|error| ScoringError::document("list.json", error))?;
        // A crash leaves files that the next build of the same content writes again, identical.
        self.lake.objects().put(&path(info.batch, info.generation, "entries.parquet"), bytes.into()).await?;
        self.lake.objects().put(&path(info.batch, info.generation, "list.json"), json.into()).await?;
        self.lake.pointers().set(&format!("list-{}", info.batch), &Built { generation: info.generation }).await?;
        Ok(self.remember(List { info, entries }))
    }

    /// Stores how a challenger would have made a list, beside it.
    pub async fn save_shadow(&self, info: &ListInfo, shadow: &Shadow) -> Result<(), ScoringError> {
        let name = format!("shadow-{}.json", shadow.model_id);
        let json = serde_json::to_vec_pretty(shadow).map_err(|error| ScoringError::document(name.clone(), error))?;
        self.lake.objects().put(&path(info.batch, info.generation, &name), json.into()).await?;
        Ok(())
    }

    /// The list of this name: a batch key, or `latest` for the published one.
    pub async fn get(&self, id: &str) -> Result<Arc<List>, ScoringError> {
        if id == "latest" || id.is_empty() {
            let latest = self.latest().await?.ok_or(ScoringError::NoListPublished)?;
            return self.load(latest.id, latest.generation).await;
        }
        let batch = id.parse::<BatchKey>().map_err(|_| ScoringError::ListNotFound(id.to_owned()))?;
        let generation = self.built(batch).await?.ok_or_else(|| ScoringError::ListNotFound(id.to_owned()))?;
        self.load(batch, generation).await
    }

    /// Descriptions of the latest generation of every list, newest batch first.
    pub async fn all(&self) -> Result<Vec<ListInfo>, ScoringError> {
        let mut infos = Vec::new();
        for name in self.lake.pointers().list("list-").await? {
            let Some(batch) = name.strip_prefix("list-").and_then(|key| key.parse::<BatchKey>().ok()) else { continue };
            if let Some(generation) = self.built(batch).await? {
                infos.push(self.info(batch, generation).await?);
            }
        }
        infos.sort_by_key(|info| std::cmp::Reverse(info.batch));
        Ok(infos)
    }

    /// The published list's batch and generation.
    pub async fn published(&self) -> Result<Option<(BatchKey, u32)>, ScoringError> {
        Ok(self.latest().await?.map(|latest| (latest.id, latest.generation)))
    }

    /// Makes a list the published one, in one step. Publishing the published list again changes nothing.
    pub async fn publish(&self, id: &str) -> Result<Arc<List>, ScoringError> {
        let list = self.get(id).await?;
        let current = self.latest().await?;
        let (id, generation) = (list.info.batch, list.info.generation);
        if current.as_ref().is_none_or(|latest| (latest.id, latest.generation) != (id, generation)) {
            let previous = current.map(|latest| Box::new(Latest { previous: None, ..latest }));
            self.lake.pointers().set("list-latest", &Latest { id, generation, previous }).await?;
        }
        Ok(list)
    }

    /// Publishes again the list that was published before.
    pub async fn roll_back(&self) -> Result<Arc<List>, ScoringError> {
        let previous = self.latest().await?.and_then(|latest| latest.previous).ok_or(ScoringError::NothingToRollBack)?;
        let list = self.load(previous.id, previous.generation).await?;
        self.lake.pointers().set("list-latest", &*previous).await?;
        Ok(list)
    }

    async fn latest(&self) -> Result<Option<Latest>, ScoringError> {
        Ok(self.lake.pointers().read::<Latest>("list-latest").await?.map(|(latest, _)| latest))
    }

    async fn built(&self, batch: BatchKey) -> Result<Option<u32>, ScoringError> {
        Ok(self.lake.pointers().read::<Built>(&format!("list-{batch}")).await?.map(|(built, _)| built.generation))
    }

    async fn info(&self, batch: BatchKey, generation: u32) -> Result<ListInfo, ScoringError> {
        let path = path(batch, generation, "list.json");
        let bytes = self.lake.objects().get(&path).await?;
        serde_json::from_slice(&bytes).map_err(|error| ScoringError::document(path, error))
    }

    async fn load(&self, batch: BatchKey, generation: u32) -> Result<Arc<List>, ScoringError> {
        if let Some(list) = self.cache.lock().unwrap_or_else(PoisonError::into_inner).get(&(batch, generation)) {
            return Ok(list.clone());
        }
        let info = self.info(batch, generation).await?;
        let bytes = self.lake.objects().get(&path(batch, generation, "entries.parquet")).await?;
        if hex::encode(Sha256::digest(&bytes)) != info.sha256 {
            return Err(ScoringError::document(path(batch, generation, "entries.parquet"), "its digest is not the one of list.json"));
        }
        let entries = codec::decode(&info.groups, bytes)?;
        Ok(self.remember(List { info, entries }))
    }

    fn remember(&self, list: List) -> Arc<List> {
        let list = Arc::new(list);
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        if cache.len() >= CACHED {
            cache.clear();
        }
        cache.insert((list.info.batch, list.info.generation), list.clone());
        list
    }
}

fn path(batch: BatchKey, generation: u32, name: &str) -> String {
    format!("lists/{batch}/{generation}/{name}")
}
