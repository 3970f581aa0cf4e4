//! A table whose columns are known at run time: the features.

use std::ops::RangeInclusive;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use domain::{BatchKey, Siren};
use futures::StreamExt;
use futures::stream::BoxStream;
use serde_json::Value;

use crate::delta::log::Log;
use crate::delta::staging::Staging;
use crate::error::Result;
use crate::parquet_io::{Encoder, ParquetFile};
use crate::root::Lake;

/// Bytes after which a file is closed: the largest piece of a table held in memory.
const FILE: usize = 128 * 1024 * 1024;

/// A table whose columns are known at run time: the features.
pub struct DynamicTable {
    log: Log,
    schema: SchemaRef,
}

impl DynamicTable {
    /// The table of this name. The schema matters for writing only.
    pub fn new(lake: &Lake, name: &str, schema: SchemaRef) -> Self {
        Self { log: Log::new(lake.clone(), name, false), schema }
    }

    /// Starts to replace the rows of a batch. Nothing changes until [`DynamicWriter::commit`].
    pub fn writer(&self, batch: BatchKey) -> Result<DynamicWriter> {
        let encoder = Some(Encoder::new(self.schema.clone())?);
        Ok(DynamicWriter { staging: Staging::new(self.log.clone(), batch), schema: self.schema.clone(), encoder, file: FILE })
    }

    /// Batches that have rows, oldest first.
    pub async fn batches(&self) -> Result<Vec<BatchKey>> {
        Ok(self.log.batches().await?.into_keys().collect())
    }

    /// Version of the table; `None` when it was never written.
    pub async fn version(&self) -> Result<Option<i64>> {
        self.log.version().await
    }

    /// Number of rows of a batch.
    pub async fn count(&self, batch: BatchKey) -> Result<u64> {
        Ok(self.log.partition(batch).await?.iter().map(ParquetFile::rows).sum())
    }

    /// Batches of rows of the companies of a range, or of all; some columns or all. A table without a column `siren` gives all.
    pub async fn scan(
        &self,
        batch: BatchKey,
        sirens: Option<RangeInclusive<Siren>>,
        columns: Option<&[&str]>,
    ) -> Result<BoxStream<'static, Result<RecordBatch>>> {
        self.snapshot(batch).await?.scan(sirens.as_ref(), columns)
    }

    /// The rows of a batch as they are now, to be read more than once.
    pub async fn snapshot(&self, batch: BatchKey) -> Result<Snapshot> {
        let (version, files) = self.log.partition_at(batch).await?;
        Ok(Snapshot { version, files })
    }
}

/// The rows of a batch at a version of the table: every reading gives the same, whatever is written meanwhile.
#[derive(Clone)]
pub struct Snapshot {
    version: Option<i64>,
    files: Vec<ParquetFile>,
}

impl Snapshot {
    /// Version of the table; `None` when it was never written.
    pub const fn version(&self) -> Option<i64> {
        self.version
    }

    /// As [`DynamicTable::scan`].
    pub fn scan(
        &self,
        sirens: Option<&RangeInclusive<Siren>>,
        columns: Option<&[&str]>,
    ) -> Result<BoxStream<'static, Result<RecordBatch>>> {
        let streams: Vec<_> = self.files.iter().map(|file| file.clone().stream(sirens, columns)).collect::<Result<_>>()?;
        Ok(futures::stream::iter(streams).flatten().boxed())
    }
}

/// Replaces the rows of a batch of a dynamic table. Rows come in the order of the companies. Memory: one file.
pub struct DynamicWriter {
    staging: Staging,
    schema: SchemaRef,
    encoder: Option<Encoder>,
    file: usize,
}

impl DynamicWriter {
    /// Closes files at this size in bytes, instead of 128 MiB.
    #[must_use]
    pub fn with_file_size(mut self, bytes: usize) -> Self {
        self.file = bytes.max(1);
        self
    }

    /// Adds to what the commit says about itself in the log, for example the digest of the input.
    pub fn describe(&mut self, name: &str, value: impl Into<Value>) {
        self.staging.describe(name, value);
    }

    /// Adds rows. After an error the writer can only be dropped.
    pub async fn write(&mut self, batch: RecordBatch) -> Result<()> {
        let mut encoder = self.encoder.take().map_or_else(|| Encoder::new(self.schema.clone()), Ok)?;
        let write = move || encoder.write(&batch).map(|()| encoder);
        let encoder = self.staging.blocking(write).await?;
        let full = encoder.size() >= self.file;
        self.encoder = Some(encoder);
        if full { self.flush().await } else { Ok(()) }
    }

    /// Makes the rows the batch's, in one step; gives the version of the table.
    pub async fn commit(mut self) -> Result<i64> {
        self.flush().await?;
        self.staging.commit(&self.schema).await
    }

    async fn flush(&mut self) -> Result<()> {
        let Some(encoder) = self.encoder.take().filter(Encoder::has_rows) else { return Ok(()) };
        let file = self.staging.blocking(move || encoder.finish()).await?;
        self.staging.put(file).await
    }
}
