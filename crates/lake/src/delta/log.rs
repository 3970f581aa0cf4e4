//! The log of a Delta table: which files a batch has, and the one commit that replaces them.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use arrow::datatypes::{DataType, Field, Schema};
use bytes::Bytes;
use deltalake_core::kernel::engine::arrow_conversion::TryIntoKernel;
use deltalake_core::kernel::transaction::{CommitBuilder, CommitProperties, TransactionError};
use deltalake_core::kernel::{Action, Add, MetadataExt, Remove, StructField, StructType};
use deltalake_core::logstore::{LogStoreRef, StorageConfig, default_logstore};
use deltalake_core::operations::create::CreateBuilder;
use deltalake_core::protocol::{DeltaOperation, SaveMode};
use deltalake_core::{DeltaTable, DeltaTableError};
use domain::{BatchKey, Delivery};
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{ObjectStore, ObjectStoreExt};
use serde_json::{Map, Value};
use tokio::task::{JoinHandle, spawn_blocking};
use uuid::Uuid;

use crate::error::{LakeError, Result};
use crate::files::{sync, write_new};
use crate::objects::Listed;
use crate::parquet_io::{Encoded, ParquetFile};
use crate::root::Lake;

/// Partition column of every table.
const BATCH: &str = "batch";
/// Partition column of the tables whose rows are delivered: `stock` or `flow`.
const DELIVERY: &str = "delivery";
/// Times that a commit is tried again when another writer was first.
const TRIES: u32 = 20;
/// Files opened at a time.
const OPENING: usize = 8;

/// The log of a table.
#[derive(Clone)]
pub(super) struct Log {
    lake: Lake,
    name: String,
    /// Whether the table has the column [`DELIVERY`].
    delivered: bool,
}

/// A file that a commit may name once it is safe. On a local disk a file is synced in the background, while the writer goes on.
pub(super) struct Written {
    pub(super) add: Add,
    pub(super) safe: JoinHandle<Result<()>>,
}

/// A file named by the log.
struct Named {
    batch: BatchKey,
    delivery: Delivery,
    path: String,
    size: u64,
    remove: Remove,
}

impl Log {
    pub(super) fn new(lake: Lake, name: &str, delivered: bool) -> Self {
        Self { lake, name: name.to_owned(), delivered }
    }

    fn partition_columns(&self) -> &'static [&'static str] {
        if self.delivered { &[BATCH, DELIVERY] } else { &[BATCH] }
    }

    pub(super) fn error(&self, error: impl Display) -> LakeError {
        LakeError::table(&self.name, error)
    }

    fn path(&self, rest: &str) -> Path {
        Path::from(format!("tables/{}/{rest}", self.name))
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
        if self.lake.inner.store.list(Some(&self.path("_delta_log"))).try_next().await?.is_none() {
            return Ok(None);
        }
        let mut table = DeltaTable::new(self.store()?);
        table.load().await.map_err(|error| self.error(error))?;
        Ok(Some(table))
    }

    async fn open_or_create(&self, schema: &StructType) -> Result<DeltaTable> {
        if let Some(table) = self.open().await? {
            return Ok(table);
        }
        let created = CreateBuilder::new()
            .with_log_store(self.store()?)
            .with_columns(schema.fields().cloned())
            .with_partition_columns(self.partition_columns().iter().copied())
            .with_configuration([bounded(schema)].map(|(key, value)| (key, Some(value))))
            .with_save_mode(SaveMode::Ignore)
            .await;
        // Another writer may have created it in between.
        match (created, self.open().await?) {
            (_, Some(table)) | (Ok(table), None) => Ok(table),
            (Err(error), None) => Err(self.error(error)),
        }
    }

    /// The files of a batch, or of all, in the order of their writing.
    async fn files(&self, table: &DeltaTable, batch: Option<BatchKey>) -> Result<Vec<Named>> {
        let mut views = table.get_active_add_actions_by_partitions(&[]);
        let mut files = Vec::new();
        while let Some(view) = views.try_next().await.map_err(|error| self.error(error))? {
            let mut values = view.partition_values_map();
            let mut value = |column| values.remove(column).flatten().unwrap_or_default();
            let corrupt = |what: &dyn Display| LakeError::corrupt(format!("tables/{}", self.name), what);
            let found: BatchKey = value(BATCH).parse().map_err(|error| corrupt(&error))?;
            let delivery = if self.delivered {
                let name = value(DELIVERY);
                Delivery::from_name(&name).ok_or_else(|| corrupt(&format!("a delivery is stock or flow, not '{name}'")))?
            } else {
                Delivery::Stock
            };
            if batch.is_none_or(|batch| batch == found) {
                let (path, size) = (view.path().to_string(), view.size().max(0).cast_unsigned());
                files.push(Named { batch: found, delivery, path, size, remove: view.remove_action(true) });
            }
        }
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(files)
    }

    /// Batches that have rows, oldest first, and how they were delivered.
    pub(super) async fn batches(&self) -> Result<BTreeMap<BatchKey, Delivery>> {
        let Some(table) = self.open().await? else { return Ok(BTreeMap::new()) };
        Ok(self.files(&table, None).await?.into_iter().map(|file| (file.batch, file.delivery)).collect())
    }

    pub(super) async fn version(&self) -> Result<Option<i64>> {
        Ok(self.open().await?.and_then(|table| table.version()).map(|version| version as i64))
    }

    /// Replaces the files of a batch by others, in one commit; gives its version. `info` is what the commit says about itself,
    /// for people.
    pub(super) async fn replace(&self, schema: &Schema, batch: BatchKey, added: &[Add], info: &Map<String, Value>) -> Result<i64> {
        let schema = self.with_partitions(schema)?;
        self.open_or_create(&schema).await?;
        self.commit(Some(&schema), &BTreeSet::from([batch]), added, info).await
    }

    /// Removes the files of batches, in one commit; gives its version.
    pub(super) async fn forget(&self, batches: &BTreeSet<BatchKey>) -> Result<i64> {
        self.commit(None, batches, &[], &Map::new()).await
    }

    /// Removes the files of batches and adds others, in one commit. Tried again only when another writer was first. Now and
    /// then the commit also writes a checkpoint, so that opening the table does not read its whole past.
    async fn commit(
        &self,
        schema: Option<&StructType>,
        batches: &BTreeSet<BatchKey>,
        added: &[Add],
        info: &Map<String, Value>,
    ) -> Result<i64> {
        let named = batches.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let write = Uuid::now_v7().simple().to_string();
        let mut metadata = HashMap::from([("batch".to_owned(), Value::from(named.as_str())), ("write".to_owned(), Value::from(&*write))]);
        if !info.is_empty() {
            metadata.insert("info".to_owned(), Value::from(info.clone()));
        }
        for attempt in 0..TRIES {
            tokio::time::sleep(pause(attempt)).await;
            let table = self.open().await?.ok_or_else(|| self.error("the table was never written"))?;
            let state = table.snapshot().map_err(|error| self.error(error))?;
            let next = state.version() as i64 + 1;
            let mut actions: Vec<Action> = Vec::new();
            let merge = |schema| merged(&state.schema(), schema).map_err(|error| self.error(error));
            let mut described = state.metadata().clone();
            if let Some(schema) = schema.map(merge).transpose()?.flatten() {
                described = described.with_schema(&schema).map_err(|error| self.error(error))?;
            }
            // A table of an earlier version of this program lacks it.
            let (property, columns) = bounded(&state.schema());
            if !described.configuration().contains_key(property) {
                described = described.add_config_key(property.to_owned(), columns.to_owned()).map_err(|error| self.error(error))?;
            }
            if described != *state.metadata() {
                actions.push(Action::Metadata(described));
            }
            let files = self.files(&table, None).await?.into_iter().filter(|file| batches.contains(&file.batch));
            actions.extend(files.map(|file| Action::Remove(file.remove)));
            actions.extend(added.iter().cloned().map(Action::Add));
            let operation = DeltaOperation::Write {
                mode: SaveMode::Overwrite,
                partition_by: Some(self.partition_columns().iter().map(|&column| column.to_owned()).collect()),
                predicate: Some(format!("{BATCH} IN ({named})")),
            };
            // No retry inside: the files to remove must be read anew after a conflict.
            let properties = CommitProperties::default().with_metadata(metadata.clone()).with_max_retries(0);
            let commit = CommitBuilder::from(properties).with_actions(actions);
            let error = match commit.build(Some(state), table.log_store(), operation).await {
                Ok(done) => return Ok(done.version() as i64),
                Err(error) => error,
            };
            // The answer of a commit that was made may be lost, or come as a conflict with itself.
            if self.is_write(next, &write).await? {
                tracing::warn!(table = self.name, version = next, %error, "the commit was made, though it was reported as failed");
                return Ok(next);
            }
            if !is_conflict(&error) {
                return Err(self.error(error));
            }
            tracing::debug!(table = self.name, attempt, %error, "another writer was first");
        }
        Err(LakeError::Conflict(format!("table {}", self.name)))
    }

    /// Whether a version of the table is this write.
    async fn is_write(&self, version: i64, write: &str) -> Result<bool> {
        match self.lake.inner.store.get(&self.path(&format!("_delta_log/{version:020}.json"))).await {
            Ok(found) => Ok(find(&found.bytes().await?, write.as_bytes())),
            Err(object_store::Error::NotFound { .. }) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    fn with_partitions(&self, schema: &Schema) -> Result<StructType> {
        let partitions = self.partition_columns().iter().map(|column| Field::new(*column, DataType::Utf8, false));
        let fields: Vec<Field> = schema.fields().iter().map(|field| field.as_ref().clone()).chain(partitions).collect();
        (&Schema::new(fields)).try_into_kernel().map_err(|error| self.error(error))
    }

    /// Files of the table that its log does not name: written and not committed, or replaced since.
    pub(super) async fn unreferenced(&self) -> Result<Vec<Listed>> {
        let Some(table) = self.open().await? else { return Ok(Vec::new()) };
        let named: HashSet<String> = self.files(&table, None).await?.into_iter().map(|file| self.path(&file.path).to_string()).collect();
        let log = self.path("_delta_log").to_string();
        let mut found = self.lake.objects().describe(self.path("").as_ref()).await?;
        found.retain(|file| !file.path.starts_with(&log) && !named.contains(&file.path));
        Ok(found)
    }

    /// Writes the bytes of a new file.
    async fn write(&self, path: &Path, bytes: Bytes) -> Result<JoinHandle<Result<()>>> {
        let Some(folder) = &self.lake.inner.folder else {
            self.lake.inner.store.put(path, bytes.into()).await?;
            return Ok(tokio::spawn(async { Ok(()) }));
        };
        let target = folder.join(path.as_ref());
        let written = target.clone();
        spawn_blocking(move || write_new(&written, &bytes).map_err(|error| LakeError::io(&written, error)))
            .await
            .map_err(|error| self.error(error))??;
        Ok(spawn_blocking(move || sync(&target).map_err(|error| LakeError::io(&target, error))))
    }

    /// Writes a file of a batch; no reader sees it until a commit names it.
    pub(super) async fn put(&self, batch: BatchKey, delivery: Delivery, file: Encoded) -> Result<Written> {
        let values = [(BATCH, batch.to_string()), (DELIVERY, delivery.name().to_owned())];
        let values = &values[..self.partition_columns().len()];
        let folders: Vec<String> = values.iter().map(|(column, value)| format!("{column}={value}")).collect();
        let path = format!("{}/part-{}.parquet", folders.join("/"), Uuid::now_v7().simple());
        let size = file.bytes.len() as i64;
        let mut stats = serde_json::json!({"numRecords": file.rows});
        if let Some((low, high)) = &file.sirens {
            stats["minValues"] = serde_json::json!({"siren": low.to_string()});
            stats["maxValues"] = serde_json::json!({"siren": high.to_string()});
            stats["nullCount"] = serde_json::json!({"siren": 0});
        }
        let safe = self.write(&self.path(&path), file.bytes).await?;
        let add = Add {
            path,
            partition_values: values.iter().map(|(column, value)| ((*column).to_owned(), Some(value.clone()))).collect(),
            size,
            modification_time: chrono::Utc::now().timestamp_millis(),
            data_change: true,
            stats: Some(stats.to_string()),
            tags: None,
            deletion_vector: None,
            base_row_id: None,
            default_row_commit_version: None,
            clustering_provider: None,
        };
        Ok(Written { add, safe })
    }

    /// The files of a batch with their footers.
    pub(super) async fn partition(&self, batch: BatchKey) -> Result<Vec<ParquetFile>> {
        Ok(self.partition_at(batch).await?.1)
    }

    /// The same, and the version of the table that they are of.
    pub(super) async fn partition_at(&self, batch: BatchKey) -> Result<(Option<i64>, Vec<ParquetFile>)> {
        let Some(table) = self.open().await? else { return Ok((None, Vec::new())) };
        let files = self.files(&table, Some(batch)).await?;
        let open = files.into_iter().map(|file| ParquetFile::open(self.lake.inner.store.clone(), self.path(&file.path), file.size));
        let files = futures::stream::iter(open).buffered(OPENING).try_collect().await?;
        Ok((table.version().map(|version| version as i64), files))
    }
}

/// The property that tells readers which columns have bounds in the log: the company, if there is one. Without it some take the
/// absent bounds of the first 32 columns for unknown values, and find no row at all when they filter by such a column.
fn bounded(schema: &StructType) -> (&'static str, &'static str) {
    if schema.field("siren").is_some() { ("delta.dataSkippingStatsColumns", "siren") } else { ("delta.dataSkippingNumIndexedCols", "0") }
}

/// The schema of a table of schema `current` once rows of schema `wanted` are in it; `None` when it stays the same. Columns
/// are added and never removed: those that some files do not have may be null. A column never changes its type.
fn merged(current: &StructType, wanted: &StructType) -> std::result::Result<Option<StructType>, String> {
    let mut fields: Vec<StructField> = Vec::new();
    for field in current.fields() {
        let mut field = field.clone();
        match wanted.field(&field.name) {
            Some(other) if other.data_type != field.data_type => {
                return Err(format!(
                    "column {} is {} and cannot become {}: move the table away and write its batches again",
                    field.name, field.data_type, other.data_type
                ));
            }
            other => field.nullable |= other.is_none_or(|other| other.nullable),
        }
        fields.push(field);
    }
    let new = wanted.fields().filter(|field| current.field(&field.name).is_none());
    fields.extend(new.map(|field| StructField { nullable: true, ..field.clone() }));
    if fields.iter().eq(current.fields()) { Ok(None) } else { StructType::try_new(fields).map(Some).map_err(|error| error.to_string()) }
}

fn is_conflict(error: &DeltaTableError) -> bool {
    use TransactionError as E;
    match error {
        DeltaTableError::VersionAlreadyExists(_) => true,
        DeltaTableError::Transaction { source } => {
            matches!(source, E::VersionAlreadyExists(_) | E::MaxCommitAttempts(_) | E::CommitConflict(_))
        }
        _ => false,
    }
}

fn find(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

/// Writers that met wait for unequal times, longer with each meeting: nothing at first, then at most half a second.
fn pause(attempt: u32) -> Duration {
    let longest = if attempt == 0 { 0 } else { (10 << attempt.min(6)).min(500) };
    let random = Uuid::new_v4().as_u64_pair().1;
    Duration::from_millis(random.checked_rem(longest).unwrap_or_default())
}
