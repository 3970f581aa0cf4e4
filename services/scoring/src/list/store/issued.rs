//! What is and was published. `list-latest` names the published list and the one before it; `list-published-<batch>` the generation
//! of a batch that was published last, so that what was built later, or never published, stays a draft: readers do not see it, and
//! later lists do not compare with it.

use std::sync::Arc;

use domain::BatchKey;
use lake::LakeError;
use serde::{Deserialize, Serialize};

use super::{Identity, LATEST, List, ListStore, locked};
use crate::error::ScoringError;

/// The published list, and the one before it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Latest {
    id: BatchKey,
    generation: u32,
    previous: Option<Box<Latest>>,
}

/// The generation of a list that was published last; none after it was withdrawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Issued {
    generation: Option<u32>,
}

impl ListStore {
    /// The lists that are or were published, newest batch first: none after the one that is.
    pub async fn all_issued(&self) -> Result<Vec<Identity>, ScoringError> {
        let Some(latest) = self.published().await? else { return Ok(Vec::new()) };
        let mut issued = vec![latest];
        for batch in self.batches("list-published-").await?.into_iter().filter(|batch| *batch < latest.0) {
            issued.extend(self.issued(batch).await?.map(|generation| (batch, generation)));
        }
        Ok(issued)
    }

    /// The published list's batch and generation.
    pub async fn published(&self) -> Result<Option<Identity>, ScoringError> {
        Ok(self.latest().await?.map(|latest| (latest.id, latest.generation)))
    }

    /// Makes a list the published one, in one step. Publishing the published list again changes nothing, except that it puts on record
    /// what an older build published.
    pub async fn publish(&self, id: &str) -> Result<Arc<List>, ScoringError> {
        let list = self.get(id).await?;
        let current = self.latest().await?;
        let (id, generation) = list.identity();
        // An older build kept no records: what it published gets them now, before it is one of the earlier ones.
        for latest in std::iter::successors(current.as_ref(), |latest| latest.previous.as_deref()) {
            self.issue_if_never(latest).await?;
        }
        if current.as_ref().is_none_or(|latest| (latest.id, latest.generation) != (id, generation)) {
            let previous = current.map(|latest| Box::new(Latest { previous: None, ..latest }));
            // Before the pointer: a list is never the published one without being on record, and one on record that is later than the
            // published one is a draft.
            self.issue(id, Some(generation)).await?;
            self.lake.pointers().set("list-latest", &Latest { id, generation, previous }).await?;
        }
        self.get(LATEST).await
    }

    /// Publishes again the list that was published before. The one that was published until now is withdrawn: a draft again.
    pub async fn roll_back(&self) -> Result<Arc<List>, ScoringError> {
        let Some(Latest { id: withdrawn, previous: Some(previous), .. }) = self.latest().await? else {
            return Err(ScoringError::NothingToRollBack);
        };
        self.load((previous.id, previous.generation)).await?;
        self.issue(withdrawn, None).await?;
        self.issue(previous.id, Some(previous.generation)).await?;
        self.lake.pointers().set("list-latest", &*previous).await?;
        self.get(LATEST).await
    }

    async fn latest(&self) -> Result<Option<Latest>, ScoringError> {
        Ok(self.lake.pointers().read::<Latest>("list-latest").await?.map(|(latest, _)| latest))
    }

    /// Records which generation of a list was published.
    async fn issue(&self, batch: BatchKey, generation: Option<u32>) -> Result<(), ScoringError> {
        self.lake.pointers().set(&format!("list-published-{batch}"), &Issued { generation }).await?;
        *locked(&self.recent) = None;
        Ok(())
    }

    /// Records that a list was published where nothing is on record of it: one that was withdrawn is.
    async fn issue_if_never(&self, latest: &Latest) -> Result<(), ScoringError> {
        let record = Issued { generation: Some(latest.generation) };
        match self.lake.pointers().compare_and_swap(&format!("list-published-{}", latest.id), None, &record).await {
            Ok(_) => *locked(&self.recent) = None,
            Err(LakeError::Conflict(_)) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    pub(super) async fn issued(&self, batch: BatchKey) -> Result<Option<u32>, ScoringError> {
        Ok(self.lake.pointers().read::<Issued>(&format!("list-published-{batch}")).await?.and_then(|(issued, _)| issued.generation))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use domain::Siren;
    use lake::{Lake, LakeOptions};

    use super::super::super::entry::ListInfo;
    use super::super::super::ranking::rank;
    use super::super::super::tests::{alerted, info};
    use super::*;

    fn store(folder: &Path) -> ListStore {
        ListStore::new(Lake::open(folder.to_str().unwrap(), &LakeOptions::default()).unwrap())
    }

    /// Builds the list of a batch, with one company.
    async fn save(store: &ListStore, batch: &str, number: u32) {
        let mut entries = vec![alerted(number, "21", 0.5)];
        rank(&mut entries);
        store.save(ListInfo { batch: batch.parse().unwrap(), ..info() }, entries).await.unwrap();
    }

    #[tokio::test]
    async fn what_an_older_build_published_is_on_record_once_it_is_published_again_or_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(folder.path());
        save(&store, "2510", 1).await;
        save(&store, "2511", 1).await;
        store.publish("2510").await.unwrap();
        for next in ["2510", "2511"] {
            // As an older build left it.
            store.lake.pointers().remove("list-published-2510").await.unwrap();
            store.publish(next).await.unwrap();
            assert_eq!(store.issued("2510".parse().unwrap()).await.unwrap(), Some(1), "{next} was published");
        }
        let served = store.serve_published("2510".parse().unwrap()).await.unwrap();
        assert_eq!(served.list.info.batch.to_string(), "2510");
    }

    #[tokio::test]
    async fn readers_have_what_was_published_and_neither_drafts_nor_what_was_withdrawn() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(folder.path());
        let issued = async || {
            let issued = store.all_issued().await.unwrap();
            issued.into_iter().map(|(batch, generation)| format!("{batch}/{generation}")).collect::<Vec<_>>()
        };
        assert!(issued().await.is_empty());
        for (batch, number) in [("2509", 1), ("2510", 1), ("2511", 1)] {
            save(&store, batch, number).await;
            if batch != "2509" {
                store.publish(batch).await.unwrap();
            }
        }
        save(&store, "2510", 2).await;
        assert_eq!(issued().await, ["2511/1", "2510/1"], "2509 and the second 2510 were built only");
        let generation =
            async |batch: &str| store.serve_published(batch.parse().unwrap()).await.map(|served| served.list.info.generation).ok();
        assert_eq!((generation("2510").await, generation("2509").await), (Some(1), None));
        assert_eq!(store.serve("2510").await.unwrap().list.info.generation, 2);

        save(&store, "2512", 1).await;
        store.publish("2512").await.unwrap();
        assert_eq!(store.roll_back().await.unwrap().info.batch.to_string(), "2511");
        save(&store, "2601", 1).await;
        store.publish("2601").await.unwrap();
        assert_eq!(issued().await, ["2601/1", "2511/1", "2510/1"], "2512 was withdrawn");
        let siren = Siren::from_number(1).unwrap();
        assert_eq!(store.history(siren).await.unwrap().len(), 3);
    }
}
