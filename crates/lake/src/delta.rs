//! Delta tables with one partition a batch: written as rows come, replaced by one commit, read by ranges of SIRENs.
//!
//! A commit holds the removal of the partition's old files and the addition of the new ones, and names the version that it
//! follows; if another writer was first, the actions are computed again from the new state. Files that no commit names are
//! invisible, so that a crash before the commit leaves the old rows.

use std::collections::{BTreeSet, HashMap};
use std::marker::PhantomData;
use std::ops::RangeInclusive;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use deltalake_core::kernel::transaction::CommitBuilder;
use deltalake_core::kernel::{Action, Add, Remove, StructField, StructType};
use deltalake_core::logstore::{LogStoreRef, StorageConfig, default_logstore};
use deltalake_core::operations::create::CreateBuilder;
use deltalake_core::protocol::{DeltaOperation, SaveMode};
use deltalake_core::{DeltaTable, DeltaTableError};
use domain::{BatchKey, Siren};
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{ObjectStore, ObjectStoreExt};
use uuid::Uuid;

use crate::columns::TableRow;
use crate::error::{LakeError, Result};
use crate::parquet_io::{Encoder, ParquetFile};
use crate::root::Lake;

/// Column of the partition.
const PARTITION: &str = "batch";
/// Rows sorted together in memory before they become a file.
const RUN: usize = 256 * 1024;
/// Bytes after which a file of a dynamic table is closed.
const FILE: usize = 128 * 1024 * 1024;
/// Times that a commit is tried again when another writer was first.
const TRIES: usize = 20;

/// The log of a table.
#[derive(Clone)]
struct Log {
    lake: Lake,
    name: String,
}

/// A file named by the log.
struct Named {
    path: String,
    size: u64,
    remove: Remove,
}

impl Log {
    fn error(&self, error: impl std::fmt::Display) -> LakeError {
        LakeError::table(&self.name, error)
    }

    fn store(&self) -> Result<LogStoreRef> {
        let inner = &self.lake.inner;
        let location = inner.url.join(&format!("tables/{}/", self.name)).map_err(|error| self.error(error))?;
        let base = inner.base.clone().join("tables").join(self.name.as_str());
        let prefixed = Arc::new(PrefixStore::new(inner.bucket.clone(), base));
        Ok(default_logstore(prefixed, inner.bucket.clone(), &location, &StorageConfig::default()))
    }

    /// The table as it is now; `None` when it was never written.
    async fn open(&self) -> Result<Option<DeltaTable>> {
        let log = Path::from(format!("tables/{}/_delta_log", self.name));
        if self.lake.inner.store.list(Some(&log)).try_next().await?.is_none() {
            return Ok(None);
        }
        let mut table = DeltaTable::new(self.store()?);
        match table.load().await {
            Ok(()) => Ok(Some(table)),
            Err(DeltaTableError::NotATable(_)) => Ok(None),
            Err(error) => Err(self.error(error)),
        }
    }

    async fn open_or_create(&self, schema: &Schema) -> Result<DeltaTable> {
        if let Some(table) = self.open().await? {
            return Ok(table);
        }
        let partition = Field::new(PARTITION, DataType::Utf8, false);
        let fields: Vec<Field> = schema.fields().iter().map(|field| field.as_ref().clone()).chain([partition]).collect();
        let schema: StructType = deltalake_core::kernel::engine::arrow_conversion::TryIntoKernel::try_into_kernel(&Schema::new(fields))
            .map_err(|error| self.error(error))?;
        let columns: Vec<StructField> = schema.fields().cloned().collect();
        let created = CreateBuilder::new()
            .with_log_store(self.store()?)
            .with_columns(columns)
            .with_partition_columns([PARTITION])
            .with_save_mode(SaveMode::Ignore)
            .await;
        // Another writer may have created it in between.
        match (created, self.open().await?) {
            (_, Some(table)) | (Ok(table), None) => Ok(table),
            (Err(error), None) => Err(self.error(error)),
        }
    }

    async fn files(&self, table: &DeltaTable, batch: Option<BatchKey>) -> Result<Vec<(String, Named)>> {
        let mut views = table.get_active_add_actions_by_partitions(&[]);
        let mut files = Vec::new();
        while let Some(view) = views.try_next().await.map_err(|error| self.error(error))? {
            let partition = view.partition_values_map().remove(PARTITION).flatten().unwrap_or_default();
            if batch.is_none_or(|batch| batch.to_string() == partition) {
                let named =
                    Named { path: view.path().to_string(), size: view.size().max(0).cast_unsigned(), remove: view.remove_action(true) };
                files.push((partition, named));
            }
        }
        files.sort_by(|a, b| a.1.path.cmp(&b.1.path));
        Ok(files)
    }

    async fn batches(&self) -> Result<Vec<BatchKey>> {
        let Some(table) = self.open().await? else { return Ok(Vec::new()) };
        let batches: BTreeSet<BatchKey> = self.files(&table, None).await?.iter().filter_map(|(key, _)| key.parse().ok()).collect();
        Ok(batches.into_iter().collect())
    }

    async fn version(&self) -> Result<Option<i64>> {
        Ok(self.open().await?.and_then(|table| table.version()).map(|version| version as i64))
    }

    /// Replaces the files of a batch by others, in one commit; gives its version.
    async fn replace(&self, schema: &Schema, batch: BatchKey, added: &[Add]) -> Result<i64> {
        let mut last = None;
        for _ in 0..TRIES {
            let table = self.open_or_create(schema).await?;
            let removed = self.files(&table, Some(batch)).await?.into_iter().map(|(_, file)| Action::Remove(file.remove));
            let actions: Vec<Action> = removed.chain(added.iter().cloned().map(Action::Add)).collect();
            let state = table.snapshot().map_err(|error| self.error(error))?;
            let operation = DeltaOperation::Write {
                mode: SaveMode::Overwrite,
                partition_by: Some(vec![PARTITION.to_owned()]),
                predicate: Some(format!("{PARTITION} = '{batch}'")),
            };
            let metadata = HashMap::from([(PARTITION.to_owned(), serde_json::Value::from(batch.to_string()))]);
            let commit = CommitBuilder::default().with_actions(actions).with_app_metadata(metadata).with_max_retries(0);
            match commit.build(Some(state), table.log_store(), operation).await {
                Ok(done) => return Ok(done.version() as i64),
                Err(error) => {
                    tracing::debug!(table = self.name, %error, "another writer was first, or the log could not be written");
                    last = Some(error);
                }
            }
        }
        Err(last.map_or_else(|| LakeError::Conflict(self.name.clone()), |error| self.error(error)))
    }

    /// Writes a file of a batch; no reader sees it until a commit names it.
    async fn put(&self, batch: BatchKey, encoder: Encoder, range: Option<(Siren, Siren)>) -> Result<Add> {
        let rows = encoder.rows;
        let bytes = encoder.finish()?;
        let path = format!("{PARTITION}={batch}/part-{}.parquet", Uuid::now_v7().simple());
        let size = bytes.len() as i64;
        let base = Path::from("tables").join(self.name.as_str());
        let location = Path::from(format!("{base}/{path}"));
        self.lake.inner.store.put(&location, bytes.into()).await?;
        let bounds = range.map(|(low, high)| {
            serde_json::json!({"numRecords": rows, "minValues": {"siren": low.to_string()}, "maxValues": {"siren": high.to_string()},
                "nullCount": {"siren": 0}})
        });
        Ok(Add {
            path,
            partition_values: HashMap::from([(PARTITION.to_owned(), Some(batch.to_string()))]),
            size,
            modification_time: chrono::Utc::now().timestamp_millis(),
            data_change: true,
            stats: Some(bounds.unwrap_or_else(|| serde_json::json!({"numRecords": rows})).to_string()),
            tags: None,
            deletion_vector: None,
            base_row_id: None,
            default_row_commit_version: None,
            clustering_provider: None,
        })
    }

    /// The files of a batch with their footers.
    async fn partition(&self, batch: BatchKey) -> Result<Vec<ParquetFile>> {
        let Some(table) = self.open().await? else { return Ok(Vec::new()) };
        let store = &self.lake.inner.store;
        let files = self.files(&table, Some(batch)).await?;
        let open = files.into_iter().map(|(_, file)| {
            let path = Path::from(format!("tables/{}/{}", self.name, file.path));
            ParquetFile::open(store.clone(), path, file.size)
        });
        futures::stream::iter(open).buffered(8).try_collect().await
    }
}

/// A typed table.
pub struct Table<R> {
    log: Log,
    row: PhantomData<fn() -> R>,
}

impl<R: TableRow> Table<R> {
    pub(crate) fn new(lake: Lake) -> Self {
        Self { log: Log { lake, name: R::TABLE.to_owned() }, row: PhantomData }
    }

    /// Starts to replace the rows of a batch. Nothing changes until [`PartitionWriter::commit`].
    pub fn writer(&self, batch: BatchKey) -> PartitionWriter<R> {
        PartitionWriter { log: self.log.clone(), batch, run: Vec::new(), rows: 0, files: Vec::new() }
    }

    /// Batches that have rows, oldest first.
    pub async fn batches(&self) -> Result<Vec<BatchKey>> {
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
                rows.retain(|row| sirens.contains(&row.siren()));
            }
            Ok(rows)
        });
        Ok(rows.boxed())
    }
}

/// Replaces the rows of a batch: rows are sorted by company in runs, each run a file. Memory: one run.
pub struct PartitionWriter<R> {
    log: Log,
    batch: BatchKey,
    run: Vec<R>,
    rows: u64,
    files: Vec<Add>,
}

impl<R: TableRow> PartitionWriter<R> {
    /// Adds rows, in any order of companies.
    pub async fn write(&mut self, rows: Vec<R>) -> Result<()> {
        self.rows += rows.len() as u64;
        self.run.extend(rows);
        if self.run.len() >= RUN { self.flush().await } else { Ok(()) }
    }

    /// Rows added so far.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Makes the rows the batch's, in one step; gives the version of the table.
    pub async fn commit(mut self) -> Result<i64> {
        self.flush().await?;
        self.log.replace(&R::schema(), self.batch, &self.files).await
    }

    async fn flush(&mut self) -> Result<()> {
        let mut rows = std::mem::take(&mut self.run);
        if rows.is_empty() {
            return Ok(());
        }
        let encode = move || {
            rows.sort_by_key(TableRow::siren);
            let range = rows.first().zip(rows.last()).map(|(first, last)| (first.siren(), last.siren()));
            let mut encoder = Encoder::new(R::schema())?;
            for chunk in rows.chunks(crate::parquet_io::ROW_GROUP) {
                encoder.write(&R::encode(chunk)?)?;
            }
            Ok((encoder, range))
        };
        let encoded: Result<_> = tokio::task::spawn_blocking(encode).await.map_err(|error| self.log.error(error))?;
        let (encoder, range) = encoded?;
        let range = range.filter(|_| R::schema().column_with_name("siren").is_some());
        self.files.push(self.log.put(self.batch, encoder, range).await?);
        Ok(())
    }
}

/// A table whose columns are known at run time: the features.
pub struct DynamicTable {
    log: Log,
    schema: SchemaRef,
}

impl DynamicTable {
    /// The table of this name. The schema matters for writing only.
    pub fn new(lake: &Lake, name: &str, schema: SchemaRef) -> Self {
        Self { log: Log { lake: lake.clone(), name: name.to_owned() }, schema }
    }

    /// Starts to replace the rows of a batch. Nothing changes until [`DynamicWriter::commit`].
    pub fn writer(&self, batch: BatchKey) -> Result<DynamicWriter> {
        let encoder = Encoder::new(self.schema.clone())?;
        Ok(DynamicWriter { log: self.log.clone(), schema: self.schema.clone(), batch, encoder, files: Vec::new() })
    }

    /// Batches that have rows, oldest first.
    pub async fn batches(&self) -> Result<Vec<BatchKey>> {
        self.log.batches().await
    }

    /// Version of the table; `None` when it was never written.
    pub async fn version(&self) -> Result<Option<i64>> {
        self.log.version().await
    }

    /// Batches of rows of the companies of a range (and some of their neighbours), or of all; some columns or all.
    pub async fn scan(
        &self,
        batch: BatchKey,
        sirens: Option<RangeInclusive<Siren>>,
        columns: Option<&[&str]>,
    ) -> Result<BoxStream<'static, Result<RecordBatch>>> {
        let files = self.log.partition(batch).await?;
        let streams: Vec<_> = files.into_iter().map(|file| file.stream(sirens.as_ref(), columns)).collect::<Result<_>>()?;
        Ok(futures::stream::iter(streams).flatten().boxed())
    }
}

/// Replaces the rows of a batch of a dynamic table. Rows come in the order of the companies.
pub struct DynamicWriter {
    log: Log,
    schema: SchemaRef,
    batch: BatchKey,
    encoder: Encoder,
    files: Vec<Add>,
}

impl DynamicWriter {
    /// Adds rows.
    pub async fn write(&mut self, batch: RecordBatch) -> Result<()> {
        self.encoder.write(&batch)?;
        if self.encoder.size() >= FILE { self.flush().await } else { Ok(()) }
    }

    /// Makes the rows the batch's, in one step; gives the version of the table.
    pub async fn commit(mut self) -> Result<i64> {
        self.flush().await?;
        self.log.replace(&self.schema, self.batch, &self.files).await
    }

    async fn flush(&mut self) -> Result<()> {
        let encoder = std::mem::replace(&mut self.encoder, Encoder::new(self.schema.clone())?);
        if encoder.rows > 0 {
            self.files.push(self.log.put(self.batch, encoder, None).await?);
        }
        Ok(())
    }
}
