//! Retention: forgets old batches, and removes files that nothing refers to any more.
//!
//! What the state of a batch that stays needs of earlier ones stays too. Each step can be done again: a pruning that was
//! interrupted is finished by the next one.

use std::collections::{BTreeMap, BTreeSet};

use api::ingestion::{PruneBatchesRequest, PruneReport, PrunedFiles};
use chrono::{DateTime, TimeDelta, Utc};
use domain::{BatchKey, Source};
use lake::tables::Upkeep;
use lake::{Lake, Listed, as_of};

use crate::error::IngestError;
use crate::report;

/// Hours after which a file that nothing refers to is removed, unless asked otherwise.
const WEEK: u32 = 7 * 24;
/// The least that can be asked: an import at work has files that nothing refers to yet.
const LEAST: u32 = 24;

/// A pruning.
pub struct Prune<'a> {
    lake: &'a Lake,
    dry_run: bool,
    /// Files written after this moment stay.
    before: DateTime<Utc>,
    /// Batches before this one go.
    oldest: Option<BatchKey>,
    pruned: BTreeMap<&'static str, PrunedFiles>,
}

impl<'a> Prune<'a> {
    /// Prunes what a request asks for.
    pub async fn run(lake: &'a Lake, request: &PruneBatchesRequest) -> Result<PruneReport, IngestError> {
        let hours = if request.min_age_hours == 0 { WEEK } else { request.min_age_hours };
        if hours < LEAST {
            return Err(IngestError::Prune(format!(
                "min_age_hours is {hours}: at least {LEAST}, since a running import has files that nothing refers to yet"
            )));
        }
        let before = Utc::now() - TimeDelta::hours(hours.into());
        let known: BTreeSet<BatchKey> = report::batches(lake).await?.into_iter().collect();
        let oldest = oldest(&known, request.keep as usize);
        let mut prune = Self { lake, dry_run: request.dry_run, before, oldest, pruned: BTreeMap::new() };
        let gone: Vec<BatchKey> = known.iter().copied().filter(|batch| prune.goes(*batch)).collect();
        prune.tables(&known).await?;
        prune.raw().await?;
        prune.uploads().await?;
        prune.reports(&gone).await?;
        let (dry_run, files) = (prune.dry_run, prune.pruned.into_values().collect());
        Ok(PruneReport { dry_run, batches: gone.iter().map(ToString::to_string).collect(), files })
    }

    fn goes(&self, batch: BatchKey) -> bool {
        self.oldest.is_some_and(|oldest| batch < oldest)
    }

    /// Removes a file, or counts it only.
    async fn remove(&mut self, kind: &'static str, file: &Listed) -> Result<(), IngestError> {
        let count = self.pruned.entry(kind).or_insert_with(|| PrunedFiles { kind: kind.to_owned(), ..PrunedFiles::default() });
        (count.files, count.bytes) = (count.files + 1, count.bytes + file.size);
        if !self.dry_run {
            self.lake.objects().delete(&file.path).await?;
        }
        Ok(())
    }

    /// Forgets rows of the batches that go, then removes the files that tables do not name.
    async fn tables(&mut self, known: &BTreeSet<BatchKey>) -> Result<(), IngestError> {
        let before = self.before;
        for name in Upkeep::tables(self.lake).await? {
            let table = Upkeep::new(self.lake, &name);
            let deliveries = table.deliveries().await?;
            let mut gone: BTreeSet<BatchKey> = deliveries.keys().copied().filter(|batch| self.goes(*batch)).collect();
            if name.parse::<Source>().is_ok() {
                for batch in known.iter().filter(|batch| !self.goes(**batch)).flat_map(|batch| as_of(&deliveries, *batch)) {
                    gone.remove(&batch);
                }
            }
            if !self.dry_run {
                table.forget(&gone).await?;
            }
            for file in table.unreferenced().await?.into_iter().filter(|file| file.modified < before) {
                self.remove("tables", &file).await?;
            }
        }
        Ok(())
    }

    async fn raw(&mut self) -> Result<(), IngestError> {
        for batch in self.lake.raw().batches().await? {
            for (file, current) in self.lake.raw().stored(batch).await? {
                if self.goes(batch) || (!current && file.modified < self.before) {
                    self.remove("raw", &file).await?;
                }
            }
        }
        Ok(())
    }

    async fn uploads(&mut self) -> Result<(), IngestError> {
        let before = self.before;
        for file in self.lake.objects().describe("uploads").await?.into_iter().filter(|file| file.modified < before) {
            self.remove("uploads", &file).await?;
        }
        Ok(())
    }

    /// The pointer to the report goes last: as long as it is there, the batch is one to forget.
    async fn reports(&mut self, gone: &[BatchKey]) -> Result<(), IngestError> {
        for batch in gone {
            for file in self.lake.objects().describe(&format!("reports/{batch}")).await? {
                self.remove("reports", &file).await?;
            }
            if !self.dry_run {
                self.lake.pointers().remove(&report::pointer(*batch)).await?;
            }
        }
        Ok(())
    }
}

/// The oldest batch that stays when so many do; complements stay with the batch that they complete. `None` when all do.
fn oldest(known: &BTreeSet<BatchKey>, keep: usize) -> Option<BatchKey> {
    let whole: BTreeSet<BatchKey> = known.iter().map(|batch| batch.parent().unwrap_or(*batch)).collect();
    let count = whole.len();
    whole.into_iter().rev().nth(keep.checked_sub(1)?.min(count.checked_sub(1)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn complements_stay_with_their_batch() {
        let known: BTreeSet<BatchKey> = ["2508", "2509", "2509_01", "2510", "2511_01"].map(|key| key.parse().unwrap()).into();
        let kept = |keep| oldest(&known, keep).map(|batch| batch.to_string());
        assert_eq!(kept(0), None);
        assert_eq!(kept(1).as_deref(), Some("2511"));
        assert_eq!(kept(3).as_deref(), Some("2509"));
        assert_eq!(kept(9).as_deref(), Some("2508"));
    }
}
