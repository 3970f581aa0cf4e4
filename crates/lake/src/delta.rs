//! Delta tables with one partition a batch: written as rows come, replaced by one commit, read by ranges of SIRENs.
//!
//! A commit holds the removal of the partition's old files and the addition of the new ones, and names the version that it
//! follows; if another writer was first, the actions are computed again from the new state. Files that no commit names are
//! invisible, so that a crash before the commit leaves the old rows. On a local disk a file is synced before a commit names
//! it, and the commit before it is reported.

mod dynamic;
mod log;
mod staging;
mod upkeep;

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::ops::RangeInclusive;

use domain::records::Record;
use domain::time_rules::TimeRules;
use domain::{BatchKey, Delivery, Siren};
use futures::StreamExt;
use futures::stream::BoxStream;
use serde_json::Value;

use crate::columns::{Columnar, TableRow};
use crate::delta::log::Log;
use crate::delta::staging::Staging;
use crate::error::Result;
use crate::parquet_io::{Encoded, Encoder, ParquetFile, ROW_GROUP};
use crate::root::Lake;
use crate::tables::Stored;

pub use dynamic::{DynamicTable, DynamicWriter, Snapshot};
pub use upkeep::Upkeep;

/// Rows sorted together in memory before they become a file.
const RUN: usize = 256 * 1024;
/// Rows made into columns together: as many as the processor's cache holds, since each column goes through all of them.
const TOGETHER: usize = 4 * 1024;
/// Encoded runs on their way to storage at a time.
const RUNS: usize = 4;

/// A typed table.
pub struct Table<R> {
    log: Log,
    row: PhantomData<fn() -> R>,
}

impl<R: TableRow> Table<R> {
    pub(crate) fn new(lake: Lake) -> Self {
        Self { log: Log::new(lake, R::TABLE, R::DELIVERED), row: PhantomData }
    }

    /// Starts to replace the rows of a batch. Nothing changes until [`PartitionWriter::commit`].
    pub fn writer(&self, batch: BatchKey) -> PartitionWriter<R> {
        PartitionWriter { staging: Staging::new(self.log.clone(), batch), run: Vec::new(), run_rows: RUN, rows: 0 }
    }

    /// Batches that have rows, oldest first.
    pub async fn batches(&self) -> Result<Vec<BatchKey>> {
        Ok(self.log.batches().await?.into_keys().collect())
    }

    /// The same, with how each was delivered: whether it replaces the earlier ones or adds to them.
    pub async fn deliveries(&self) -> Result<BTreeMap<BatchKey, Delivery>> {
        self.log.batches().await
    }

    /// Version of the table; `None` when it was never written.
    pub async fn version(&self) -> Result<Option<i64>> {
        self.log.version().await
    }

    /// The rows of a batch as they are now: later commits do not change what this reads.
    pub async fn partition(&self, batch: BatchKey) -> Result<Partition<R>> {
        Ok(Partition { files: self.log.partition(batch).await?, row: PhantomData })
    }

    /// Number of rows of a batch.
    pub async fn count(&self, batch: BatchKey) -> Result<u64> {
        Ok(self.log.partition(batch).await?.iter().map(ParquetFile::rows).sum())
    }

    /// Rows of a batch, of some companies or all. See [`Partition::scan`].
    pub async fn scan(&self, batch: BatchKey, sirens: Option<RangeInclusive<Siren>>) -> Result<BoxStream<'static, Result<Vec<R>>>> {
        self.partition(batch).await?.scan(sirens)
    }
}

/// The files of a batch at one version of its table.
#[derive(Clone)]
pub struct Partition<R> {
    files: Vec<ParquetFile>,
    row: PhantomData<fn() -> R>,
}

impl<R: TableRow> Partition<R> {
    /// Rows of the companies of a range, or all, file after file. Within a file rows are in the order of the companies, and
    /// of the delivery within a company.
    pub fn scan(&self, sirens: Option<RangeInclusive<Siren>>) -> Result<BoxStream<'static, Result<Vec<R>>>> {
        let streams: Vec<_> = self.files.iter().map(|file| file.clone().stream(sirens.as_ref(), None)).collect::<Result<_>>()?;
        let rows = futures::stream::iter(streams).flatten().map(move |batch| {
            let mut rows = R::decode(&batch?)?;
            if let Some(sirens) = &sirens {
                // Of files without statistics all rows come.
                rows.retain(|row| sirens.contains(&row.siren()));
            }
            Ok(rows)
        });
        Ok(rows.boxed())
    }
}

/// Replaces the rows of a batch: rows are sorted by company in runs, each run a file, written while
/// the next one is filled. Memory: two runs.
pub struct PartitionWriter<R> {
    staging: Staging,
    run: Vec<R>,
    run_rows: usize,
    rows: u64,
}

impl<R: TableRow> PartitionWriter<R> {
    /// Says how the rows are delivered; stock otherwise. Matters for [`TableRow::DELIVERED`] tables only.
    #[must_use]
    pub fn with_delivery(mut self, delivery: Delivery) -> Self {
        self.staging.set_delivery(delivery);
        self
    }

    /// Closes runs at this number of rows, instead of 262 144: fewer files for more memory, or the other way round.
    #[must_use]
    pub fn with_run_rows(mut self, rows: usize) -> Self {
        self.run_rows = rows.max(1);
        self
    }

    /// Adds to what the commit says about itself in the log, for example the digest of the input.
    pub fn describe(&mut self, name: &str, value: impl Into<Value>) {
        self.staging.describe(name, value);
    }

    /// Adds rows, in any order of companies. An error may be that of rows added before; after it the writer can only be dropped.
    pub async fn write(&mut self, rows: Vec<R>) -> Result<()> {
        self.rows += rows.len() as u64;
        self.run.extend(rows);
        if self.run.len() >= self.run_rows { self.flush().await } else { Ok(()) }
    }

    /// Rows added so far.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Makes the rows the batch's, in one step; gives the version of the table.
    pub async fn commit(mut self) -> Result<i64> {
        self.flush().await?;
        self.staging.commit(&R::schema()).await
    }

    async fn flush(&mut self) -> Result<()> {
        let mut rows = std::mem::take(&mut self.run);
        if rows.is_empty() {
            return Ok(());
        }
        let encode = move || {
            // Rows are large: their keys are sorted, then each row moves once.
            rows.sort_by_cached_key(TableRow::siren);
            let mut encoder = Encoder::new(R::schema())?;
            rows.chunks(ROW_GROUP).try_for_each(|chunk| encoder.write(&R::encode(chunk)?))?;
            encoder.finish()
        };
        self.staging.start(1, encode).await
    }
}

/// Rows of a source, sorted by company and encoded as a file: what a thread makes of its share of a delivery.
pub struct Run<R> {
    file: Encoded,
    row: PhantomData<fn() -> R>,
}

impl<R: Record + Columnar> Run<R> {
    /// Rows for a run, about: more make fewer files and take more memory.
    pub const ROWS: usize = RUN;

    /// Sorts and encodes rows. Each is known from the day that the rules say.
    pub fn encode(rows: &[R], rules: &TimeRules) -> Result<Self> {
        // Rows are large: their keys are sorted, and the rows stay where they are.
        let key = |(row, index): (&R, u32)| (u64::from(row.siren().number()) << 32) | u64::from(index);
        let mut order: Vec<u64> = rows.iter().zip(0..).map(key).collect();
        order.sort_unstable();
        let mut encoder = Encoder::new(Stored::<R>::schema())?;
        for chunk in order.chunks(TOGETHER) {
            let chunk: Vec<&R> = chunk.iter().map(|key| &rows[*key as u32 as usize]).collect();
            encoder.write(&Stored::encode_rows(&chunk, rules)?)?;
        }
        Ok(Self { file: encoder.finish()?, row: PhantomData })
    }
}

impl<R: Record + Columnar> PartitionWriter<Stored<R>> {
    /// Adds a run; it is written in the background. An error may be that of an earlier run; after it the writer can only be
    /// dropped.
    pub async fn add(&mut self, run: Run<R>) -> Result<()> {
        self.rows += run.file.rows;
        self.staging.start(RUNS, move || Ok(run.file)).await
    }
}

#[cfg(test)]
mod dynamic_tests;
#[cfg(test)]
mod tests;
