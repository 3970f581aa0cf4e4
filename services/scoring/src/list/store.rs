//! Lists in the object store: immutable generations, and the pointers that name the built and the published ones.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use domain::{BatchKey, Siren};
use lake::{Lake, LakeError};
use ring::rand::{SecureRandom, SystemRandom};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio::sync::OnceCell;

use super::codec;
use super::entry::{Entry, ListInfo};
use super::facts::{Facts, folded};
use super::order::Order;
use super::page::Seal;
use crate::error::ScoringError;
use crate::shadow::Shadow;

/// A list with its entries by rank, and what is read of them fast.
#[derive(Debug)]
pub struct List {
    /// Description.
    pub info: ListInfo,
    /// Entries by rank.
    pub entries: Vec<Entry>,
    /// Facts of the entries.
    pub facts: Vec<Facts>,
    /// Folded names of the entries.
    pub names: Vec<Box<str>>,
    /// Positions in each order that was asked for.
    orders: [OnceLock<Vec<u32>>; Order::COUNT],
    /// Positions by SIREN, once one was looked for.
    by_siren: OnceLock<Vec<u32>>,
}

impl List {
    /// Of these entries, by rank.
    pub fn new(info: ListInfo, entries: Vec<Entry>) -> Self {
        let facts = entries.iter().map(|entry| Facts::of(entry, info.batch)).collect();
        let names = entries.iter().map(|entry| folded(&entry.name).into()).collect();
        Self { info, entries, facts, names, orders: std::array::from_fn(|_| OnceLock::new()), by_siren: OnceLock::new() }
    }

    /// The entry of a company, if it is on the list.
    pub fn find(&self, siren: Siren) -> Option<&Entry> {
        let by_siren = self.by_siren.get_or_init(|| {
            let mut positions: Vec<u32> = (0..self.entries.len() as u32).collect();
            positions.sort_unstable_by_key(|position| self.entries[*position as usize].siren);
            positions
        });
        let found = by_siren.binary_search_by_key(&siren, |position| self.entries[*position as usize].siren).ok()?;
        self.entries.get(by_siren[found] as usize)
    }

    /// Positions of the entries in an order; sorted once.
    pub fn in_order(&self, order: Order) -> &[u32] {
        self.orders[order.slot()].get_or_init(|| order.sorted(self))
    }
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

/// What a list is: its batch and its generation.
type Identity = (BatchKey, u32);

/// A list for a reader.
#[derive(Debug, Clone)]
pub struct Served {
    /// The list.
    pub list: Arc<List>,
    /// Storage is away: a newer one may be there.
    pub stale: bool,
}

/// Reads and writes lists. Lists once read stay in memory, because they never change; what the names that clients use stand for
/// is in memory too, and followed, so that a reader never waits for storage and is served while it is away.
#[derive(Clone)]
pub struct ListStore {
    lake: Lake,
    cache: Arc<Mutex<HashMap<Identity, Arc<List>>>>,
    known: Arc<Mutex<HashMap<String, Identity>>>,
    /// Storage did not answer when it was last asked what names stand for.
    away: Arc<AtomicBool>,
    seal: Arc<OnceCell<Seal>>,
}

/// The published list's name.
const LATEST: &str = "latest";

/// What the pointer `page-key` holds.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct PageKey {
    hex: String,
}

impl ListStore {
    /// On this lake.
    pub fn new(lake: Lake) -> Self {
        Self { lake, cache: Arc::default(), known: Arc::default(), away: Arc::default(), seal: Arc::default() }
    }

    /// The list of this name for a reader, from memory once it was asked for: a batch key, or `latest` for the published one.
    pub async fn serve(&self, id: &str) -> Result<Served, ScoringError> {
        let name = if id.is_empty() { LATEST } else { id };
        let known = locked(&self.known).get(name).copied();
        let (batch, generation) = match known {
            Some(identity) => identity,
            None => self.resolve(name).await?,
        };
        Ok(Served { list: self.load(batch, generation).await?, stale: known.is_some() && self.away.load(Ordering::Relaxed) })
    }

    /// The published list, as far as is known.
    pub async fn published_known(&self) -> Option<(BatchKey, u32)> {
        let known = locked(&self.known).get(LATEST).copied();
        match known {
            Some(identity) => Some(identity),
            None => self.resolve(LATEST).await.ok(),
        }
    }

    /// Asks storage what the names in use stand for now, and loads their lists. Called again and again by the process.
    pub async fn follow(&self) -> Result<(), ScoringError> {
        let names: Vec<String> = locked(&self.known).keys().cloned().collect();
        for name in names {
            let resolved = match self.resolve(&name).await {
                Ok((batch, generation)) => self.load(batch, generation).await.map(|_| ()),
                Err(error) => Err(error),
            };
            self.away.store(matches!(resolved, Err(ScoringError::Lake(_))), Ordering::Relaxed);
            resolved?;
        }
        Ok(())
    }

    /// What a name stands for now.
    async fn resolve(&self, name: &str) -> Result<Identity, ScoringError> {
        let identity = if name == LATEST {
            let latest = self.latest().await?.ok_or(ScoringError::NoListPublished)?;
            (latest.id, latest.generation)
        } else {
            let unknown = || ScoringError::ListNotFound(name.to_owned());
            let batch = name.parse::<BatchKey>().map_err(|_| unknown())?;
            (batch, self.built(batch).await?.ok_or_else(unknown)?)
        };
        // In memory before its name stands for it: a reader finds it there.
        self.load(identity.0, identity.1).await?;
        locked(&self.known).insert(name.to_owned(), identity);
        Ok(identity)
    }

    /// What seals page tokens: a secret of the suite, made by the first who needs it.
    pub async fn seal(&self) -> Result<&Seal, ScoringError> {
        self.seal.get_or_try_init(|| self.page_key()).await
    }

    async fn page_key(&self) -> Result<Seal, ScoringError> {
        let pointers = self.lake.pointers();
        loop {
            if let Some((key, _)) = pointers.read::<PageKey>("page-key").await? {
                let secret = hex::decode(&key.hex).map_err(|error| ScoringError::document("pointers/page-key", error))?;
                return Ok(Seal::new(&secret));
            }
            let mut secret = [0; 32];
            SystemRandom::new().fill(&mut secret).map_err(|_| ScoringError::Task("the system gives no random bytes".to_owned()))?;
            match pointers.compare_and_swap("page-key", None, &PageKey { hex: hex::encode(secret) }).await {
                Ok(_) | Err(LakeError::Conflict(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Stores a list as the next generation of its batch and returns it. The same content as the latest generation is
    /// that generation: nothing is written twice.
    pub async fn save(&self, mut info: ListInfo, entries: Vec<Entry>) -> Result<Arc<List>, ScoringError> {
        let bytes = codec::encode(&info.groups, &entries)?;
        info.sha256 = hex::encode(Sha256::digest(&bytes));
        let latest = self.built(info.batch).await?;
        if let Some(generation) = latest {
            let stored = self.info(info.batch, generation).await?;
            if (&stored.sha256, &stored.model_id, &stored.previous) == (&info.sha256, &info.model_id, &info.previous) {
                return self.load(info.batch, generation).await;
            }
        }
        info.generation = latest.unwrap_or(0) + 1;
        let json = serde_json::to_vec_pretty(&info).map_err(|error| ScoringError::document("list.json", error))?;
        // A crash leaves files that the next build of the same content writes again, identical.
        self.lake.objects().put(&path(info.batch, info.generation, "entries.parquet"), bytes.into()).await?;
        self.lake.objects().put(&path(info.batch, info.generation, "list.json"), json.into()).await?;
        self.lake.pointers().set(&format!("list-{}", info.batch), &Built { generation: info.generation }).await?;
        let list = self.remember(List::new(info, entries));
        self.resolve(&list.info.batch.to_string()).await?;
        Ok(list)
    }

    /// Stores how a challenger would have made a list, beside it.
    pub async fn save_shadow(&self, info: &ListInfo, shadow: &Shadow) -> Result<(), ScoringError> {
        let name = format!("shadow-{}.json", shadow.model_id);
        let json = serde_json::to_vec_pretty(shadow).map_err(|error| ScoringError::document(name.clone(), error))?;
        self.lake.objects().put(&path(info.batch, info.generation, &name), json.into()).await?;
        Ok(())
    }

    /// The list of this name as storage has it now: for what must not work with one that was just replaced.
    pub async fn get(&self, id: &str) -> Result<Arc<List>, ScoringError> {
        let (batch, generation) = self.resolve(if id.is_empty() { LATEST } else { id }).await?;
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
        self.resolve(LATEST).await?;
        Ok(list)
    }

    /// Publishes again the list that was published before.
    pub async fn roll_back(&self) -> Result<Arc<List>, ScoringError> {
        let previous = self.latest().await?.and_then(|latest| latest.previous).ok_or(ScoringError::NothingToRollBack)?;
        let list = self.load(previous.id, previous.generation).await?;
        self.lake.pointers().set("list-latest", &*previous).await?;
        self.resolve(LATEST).await?;
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
        if let Some(list) = locked(&self.cache).get(&(batch, generation)) {
            return Ok(list.clone());
        }
        let info = self.info(batch, generation).await?;
        let bytes = self.lake.objects().get(&path(batch, generation, "entries.parquet")).await?;
        if hex::encode(Sha256::digest(&bytes)) != info.sha256 {
            return Err(ScoringError::document(path(batch, generation, "entries.parquet"), "its digest is not the one of list.json"));
        }
        let entries = codec::decode(&info.groups, bytes)?;
        Ok(self.remember(List::new(info, entries)))
    }

    fn remember(&self, list: List) -> Arc<List> {
        let list = Arc::new(list);
        let published = locked(&self.known).get(LATEST).copied();
        let mut cache = locked(&self.cache);
        cache.insert((list.info.batch, list.info.generation), list.clone());
        // The oldest goes first; the published one stays.
        while cache.len() > CACHED {
            let Some(oldest) = cache.keys().filter(|identity| Some(**identity) != published).min().copied() else { break };
            cache.remove(&oldest);
        }
        list
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn path(batch: BatchKey, generation: u32, name: &str) -> String {
    format!("lists/{batch}/{generation}/{name}")
}
