//! Lists in the object store: immutable generations, and the pointers that name the built and the published ones.

mod issued;
mod places;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use chrono::NaiveTime;
use domain::{BatchKey, Siren};
use lake::{Lake, LakeError};
use ring::rand::{SecureRandom, SystemRandom};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use telemetry::{Attribute, set};
use tokio::sync::OnceCell;

pub use self::places::Placed;
use self::places::Places;
use super::codec;
use super::entry::{Entry, ListInfo};
use super::facts::{Facts, folded};
use super::order::Order;
use super::page::Seal;
use crate::error::{ScoringError, within};
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
    /// Positions by SIREN.
    by_siren: OnceLock<Vec<u32>>,
}

impl List {
    /// Of these entries, by rank.
    pub fn new(info: ListInfo, entries: Vec<Entry>) -> Self {
        let facts = entries.iter().map(|entry| Facts::of(entry, info.batch)).collect();
        let names = entries.iter().map(|entry| folded(&entry.name).into()).collect();
        Self { info, entries, facts, names, orders: std::array::from_fn(|_| OnceLock::new()), by_siren: OnceLock::new() }
    }

    /// What it is.
    pub fn identity(&self) -> Identity {
        (self.info.batch, self.info.generation)
    }

    /// The entry of a company.
    pub fn find(&self, siren: Siren) -> Option<&Entry> {
        self.position(siren).map(|position| &self.entries[position])
    }

    /// Where the entry of a company is.
    pub fn position(&self, siren: Siren) -> Option<usize> {
        let of = |position: &u32| self.facts[*position as usize].siren;
        let sorted = self.by_siren.get_or_init(|| {
            let mut positions: Vec<u32> = (0..self.facts.len() as u32).collect();
            positions.sort_unstable_by_key(of);
            positions
        });
        sorted.binary_search_by_key(&siren, of).ok().map(|found| sorted[found] as usize)
    }

    /// Positions of the entries in an order; sorted once.
    pub fn in_order(&self, order: Order) -> &[u32] {
        self.orders[order.slot()].get_or_init(|| order.sorted(self))
    }
}

/// The latest generation of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Built {
    generation: u32,
}

/// How long storage may take to say what a name stands for, before it counts as away.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long a list that another replica built may be missing in histories.
const RECENT: Duration = Duration::from_secs(10);
/// Lists kept in memory at most.
const CACHED: usize = 4;

/// What a list is: its batch and its generation.
pub type Identity = (BatchKey, u32);

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
    places: Arc<Mutex<HashMap<Identity, Arc<Places>>>>,
    known: Arc<Mutex<HashMap<String, Identity>>>,
    /// One list is loaded at a time: readers who come meanwhile find it in memory.
    loading: Arc<tokio::sync::Mutex<()>>,
    /// The lists that were published, and when they were asked for.
    recent: Arc<Mutex<Option<Recent>>>,
    /// Storage did not answer when it was last asked what names stand for.
    away: Arc<AtomicBool>,
    seal: Arc<OnceCell<Seal>>,
}

/// The lists that were published by a moment.
type Recent = (Instant, Vec<Identity>);

/// The published list's name.
pub const LATEST: &str = "latest";
/// Before a batch key: the generation of that list that was published, not the one that was built last.
const PUBLISHED: &str = "published-";

/// What the pointer `page-key` holds.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct PageKey {
    hex: String,
}

impl ListStore {
    /// On this lake.
    pub fn new(lake: Lake) -> Self {
        Self {
            lake,
            cache: Arc::default(),
            places: Arc::default(),
            known: Arc::default(),
            loading: Arc::default(),
            recent: Arc::default(),
            away: Arc::default(),
            seal: Arc::default(),
        }
    }

    /// The list of this name for a reader, from memory once it was asked for: a batch key, or `latest` for the published one.
    pub async fn serve(&self, id: &str) -> Result<Served, ScoringError> {
        let name = if id.is_empty() { LATEST } else { id };
        let known = locked(&self.known).get(name).copied();
        match known {
            Some(identity) => Ok(Served { list: self.load(identity).await?, stale: self.away.load(Ordering::Relaxed) }),
            None => Ok(Served { list: self.get(name).await?, stale: false }),
        }
    }

    /// The generation of an earlier list that was published: what readers know by its name.
    pub async fn serve_published(&self, batch: BatchKey) -> Result<Served, ScoringError> {
        self.serve(&format!("{PUBLISHED}{batch}")).await
    }

    /// The published list, as far as is known: none while storage is away and it was never asked for.
    pub async fn published_known(&self) -> Option<Identity> {
        self.serve(LATEST).await.ok().map(|served| served.list.identity())
    }

    /// Asks storage what the names in use stand for now, and loads the lists that are new. Called again and again by the process.
    pub async fn follow(&self) -> Result<(), ScoringError> {
        let mut names: HashMap<String, Option<Identity>> =
            locked(&self.known).iter().map(|(name, identity)| (name.clone(), Some(*identity))).collect();
        // The published list is loaded before anybody asks for it.
        names.entry(LATEST.to_owned()).or_default();
        let mut failure = None;
        for (name, before) in names {
            // Storage that is away is asked again and again below, for minutes: readers are told long before.
            let followed = match within(PATIENCE, self.named(&name)).await {
                Ok(now) if Some(now) == before => Ok(()),
                Err(ScoringError::NoListPublished) if before.is_none() => Ok(()),
                Ok(_) => self.get(&name).await.map(drop),
                Err(error) => Err(error),
            };
            failure = failure.or_else(|| followed.err());
        }
        self.away.store(failure.is_some(), Ordering::Relaxed);
        self.tell(failure.is_some());
        failure.map_or(Ok(()), Err)
    }

    /// Tells of the published list that is served.
    fn tell(&self, stale: bool) {
        set("sf.serving.stale", f64::from(u8::from(stale)), &[Attribute::new("part", "lists")]);
        let latest = locked(&self.known).get(LATEST).copied();
        let Some(list) = latest.and_then(|identity| locked(&self.cache).get(&identity).cloned()) else { return };
        set("sf.list.month", list.info.month.first_day().and_time(NaiveTime::MIN).and_utc().timestamp() as f64, &[]);
        for (level, count) in [("all", list.info.companies), ("high", list.info.high), ("moderate", list.info.moderate)] {
            set("sf.list.companies", count as f64, &[Attribute::new("level", level)]);
        }
    }

    /// What a name stands for in storage now.
    async fn named(&self, name: &str) -> Result<Identity, ScoringError> {
        if name == LATEST {
            return self.published().await?.ok_or(ScoringError::NoListPublished);
        }
        let (id, published) = name.strip_prefix(PUBLISHED).map_or((name, false), |id| (id, true));
        let unknown = || ScoringError::ListNotFound(id.to_owned());
        let batch = id.parse::<BatchKey>().map_err(|_| unknown())?;
        let generation = if published { self.issued(batch).await? } else { self.built(batch).await? };
        Ok((batch, generation.ok_or_else(unknown)?))
    }

    /// Where a company was on the lists that are or were published, newest batch first.
    pub async fn history(&self, siren: Siren) -> Result<Vec<(ListInfo, Placed)>, ScoringError> {
        let mut found = Vec::new();
        for identity in self.recent().await? {
            let known = locked(&self.places).get(&identity).cloned();
            let places = if let Some(places) = known {
                places
            } else {
                let places = Arc::new(Places::of(&*self.load(identity).await?));
                locked(&self.places).insert(identity, places.clone());
                places
            };
            found.extend(places.find(siren).map(|placed| (places.info.clone(), placed)));
        }
        Ok(found)
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
        let batch = info.batch;
        let bytes = codec::encode(&info.groups, &entries)?;
        info.sha256 = hex::encode(Sha256::digest(&bytes));
        let latest = self.built(info.batch).await?;
        if let Some(generation) = latest {
            let stored = self.info((info.batch, generation)).await?;
            if (&stored.sha256, &stored.model_id, &stored.previous) == (&info.sha256, &info.model_id, &info.previous) {
                return self.load((info.batch, generation)).await;
            }
        }
        info.generation = latest.unwrap_or(0) + 1;
        let json = serde_json::to_vec_pretty(&info).map_err(|error| ScoringError::document("list.json", error))?;
        // A crash leaves files that the next build of the same content writes again, identical.
        self.lake.objects().put(&path(info.batch, info.generation, "entries.parquet"), bytes.into()).await?;
        self.lake.objects().put(&path(info.batch, info.generation, "list.json"), json.into()).await?;
        self.lake.pointers().set(&format!("list-{}", info.batch), &Built { generation: info.generation }).await?;
        self.remember(List::new(info, entries));
        self.get(&batch.to_string()).await
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
        let name = if id.is_empty() { LATEST } else { id };
        let identity = self.named(name).await?;
        // In memory before its name stands for it: a reader finds it there.
        let list = self.load(identity).await?;
        locked(&self.known).insert(name.to_owned(), identity);
        Ok(list)
    }

    /// Descriptions of every list, newest batch first: of the generation that was built last, or of the one that was published, if any.
    pub async fn all(&self, drafts: bool) -> Result<Vec<ListInfo>, ScoringError> {
        let mut infos = Vec::new();
        for identity in if drafts { self.stored().await? } else { self.all_issued().await? } {
            infos.push(self.info(identity).await?);
        }
        Ok(infos)
    }

    /// The latest generation of every list, newest batch first.
    async fn stored(&self) -> Result<Vec<Identity>, ScoringError> {
        let mut stored = Vec::new();
        for batch in self.batches("list-").await? {
            stored.extend(self.built(batch).await?.map(|generation| (batch, generation)));
        }
        Ok(stored)
    }

    /// The batches that pointers of these names are of, newest first.
    async fn batches(&self, prefix: &str) -> Result<Vec<BatchKey>, ScoringError> {
        let names = self.lake.pointers().list(prefix).await?;
        let mut batches: Vec<BatchKey> = names.iter().filter_map(|name| name.strip_prefix(prefix)?.parse().ok()).collect();
        batches.sort_unstable_by_key(|batch| std::cmp::Reverse(*batch));
        Ok(batches)
    }

    /// What was published, as it was a moment ago at most, because a history asks for it again and again; or, while storage is away, as
    /// it was last known.
    async fn recent(&self) -> Result<Vec<Identity>, ScoringError> {
        let known = locked(&self.recent).clone();
        if let Some((at, issued)) = &known
            && at.elapsed() < RECENT
        {
            return Ok(issued.clone());
        }
        match (within(PATIENCE, self.all_issued()).await, known) {
            (Ok(issued), _) => {
                *locked(&self.recent) = Some((Instant::now(), issued.clone()));
                Ok(issued)
            }
            (Err(_), Some((_, issued))) => Ok(issued),
            (Err(error), None) => Err(error),
        }
    }

    async fn built(&self, batch: BatchKey) -> Result<Option<u32>, ScoringError> {
        Ok(self.lake.pointers().read::<Built>(&format!("list-{batch}")).await?.map(|(built, _)| built.generation))
    }

    async fn info(&self, (batch, generation): Identity) -> Result<ListInfo, ScoringError> {
        let path = path(batch, generation, "list.json");
        let bytes = self.lake.objects().get(&path).await?;
        serde_json::from_slice(&bytes).map_err(|error| ScoringError::document(path, error))
    }

    /// The list as it is stored, from memory if it is there.
    pub async fn load(&self, identity: Identity) -> Result<Arc<List>, ScoringError> {
        let cached = || locked(&self.cache).get(&identity).cloned();
        if let Some(list) = cached() {
            return Ok(list);
        }
        let _one = self.loading.lock().await;
        if let Some(list) = cached() {
            return Ok(list);
        }
        let (info, (batch, generation)) = (self.info(identity).await?, identity);
        let bytes = self.lake.objects().get(&path(batch, generation, "entries.parquet")).await?;
        // A list of the country takes seconds, during which scores are asked for.
        let read = move || {
            if hex::encode(Sha256::digest(&bytes)) != info.sha256 {
                return Err(ScoringError::document(path(batch, generation, "entries.parquet"), "its digest is not the one of list.json"));
            }
            let entries = codec::decode(&info.groups, bytes)?;
            Ok(List::new(info, entries))
        };
        let list = tokio::task::spawn_blocking(read).await.map_err(|error| ScoringError::Task(error.to_string()))??;
        Ok(self.remember(list))
    }

    fn remember(&self, list: List) -> Arc<List> {
        let list = Arc::new(list);
        let published = locked(&self.known).get(LATEST).copied();
        let mut cache = locked(&self.cache);
        cache.insert(list.identity(), list.clone());
        // The oldest goes first; the published one stays, and so does the one that is asked for.
        let stays = [published, Some(list.identity())];
        while cache.len() > CACHED {
            let Some(oldest) = cache.keys().filter(|identity| !stays.contains(&Some(**identity))).min().copied() else { break };
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

#[cfg(test)]
mod tests {
    use futures::future::join_all;
    use lake::LakeOptions;

    use super::super::tests::{alerted, info};
    use super::*;

    #[tokio::test]
    async fn a_list_that_many_ask_for_at_once_is_loaded_once() {
        let folder = tempfile::tempdir().unwrap();
        let open = || ListStore::new(Lake::open(folder.path().to_str().unwrap(), &LakeOptions::default()).unwrap());
        open().save(info(), vec![alerted(1, "21", 0.5)]).await.unwrap();
        let reader = open();
        let served = join_all((0..16).map(|_| reader.serve("2511"))).await;
        let lists: Vec<Arc<List>> = served.into_iter().map(|served| served.unwrap().list).collect();
        assert!(lists.iter().all(|list| Arc::ptr_eq(list, &lists[0])), "each load makes a list of its own");
    }

    #[tokio::test]
    async fn readers_follow_what_is_published_and_are_served_while_storage_is_away() {
        let folder = tempfile::tempdir().unwrap();
        let open = || Lake::open(folder.path().join("lake").to_str().unwrap(), &LakeOptions::default()).unwrap();
        let (writer, reader) = (ListStore::new(open()), ListStore::new(open()));
        let save = async |numbers: &[u32]| {
            let mut entries: Vec<Entry> = numbers.iter().map(|number| alerted(*number, "21", 1.0 / f64::from(*number))).collect();
            super::super::ranking::rank(&mut entries);
            writer.save(info(), entries).await.unwrap();
            writer.publish("2511").await.unwrap();
        };
        assert!(matches!(reader.serve("latest").await, Err(ScoringError::NoListPublished)));
        save(&[1]).await;
        let seen = async || {
            let served = reader.serve("latest").await.unwrap();
            (served.list.identity().1, served.list.entries.len(), served.stale)
        };
        assert_eq!(seen().await, (1, 1, false));
        save(&[1, 2]).await;
        assert_eq!(seen().await, (1, 1, false), "nothing is asked of storage until the next look");
        reader.follow().await.unwrap();
        assert_eq!(seen().await, (2, 2, false));
        let siren = Siren::from_number(2).unwrap();
        let history = reader.history(siren).await.unwrap();
        assert_eq!(history.iter().map(|(info, placed)| (info.generation, placed.rank)).collect::<Vec<_>>(), [(2, 2)]);
        assert!(reader.history(Siren::from_number(3).unwrap()).await.unwrap().is_empty());

        std::fs::rename(folder.path().join("lake"), folder.path().join("away")).unwrap();
        assert!(reader.follow().await.is_err());
        assert_eq!(seen().await, (2, 2, true));
        std::fs::rename(folder.path().join("away"), folder.path().join("lake")).unwrap();
        reader.follow().await.unwrap();
        assert_eq!(seen().await, (2, 2, false));
    }
}
