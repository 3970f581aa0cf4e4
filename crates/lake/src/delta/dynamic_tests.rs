//! Tables whose columns are known at run time, and change.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float32Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use futures::TryStreamExt;
use futures::stream::BoxStream;

use super::DynamicTable;
use crate::faults::Faulty;
use crate::{Lake, Result};

fn schema(features: &[(&str, DataType)]) -> SchemaRef {
    let siren = Field::new("siren", DataType::Utf8, false);
    let features = features.iter().map(|(name, kind)| Field::new(*name, kind.clone(), true));
    Arc::new(Schema::new([siren].into_iter().chain(features).collect::<Vec<_>>()))
}

fn rows(schema: &SchemaRef, sirens: std::ops::Range<u32>) -> RecordBatch {
    let keys: ArrayRef = Arc::new(StringArray::from_iter_values(sirens.clone().map(|number| format!("{number:09}"))));
    let columns = schema.fields().iter().skip(1).map(|field| match field.data_type() {
        DataType::Float32 => Arc::new(Float32Array::from_iter_values(sirens.clone().map(|number| number as f32))) as ArrayRef,
        _ => Arc::new(StringArray::from_iter_values(sirens.clone().map(|number| number.to_string()))) as ArrayRef,
    });
    RecordBatch::try_new(schema.clone(), [keys].into_iter().chain(columns).collect()).unwrap()
}

async fn write(lake: &Lake, batch: &str, schema: &SchemaRef, file: usize) -> Result<i64> {
    let mut writer = DynamicTable::new(lake, "features", schema.clone()).writer(batch.parse().unwrap())?.with_file_size(file);
    for start in [0, 1000, 2000] {
        writer.write(rows(schema, start..start + 1000)).await?;
    }
    writer.commit().await
}

/// Column names of the table's last schema, as any reader of Delta finds them.
async fn columns(lake: &Lake, version: i64) -> Vec<(String, bool)> {
    let bytes = lake.objects().get(&format!("tables/features/_delta_log/{version:020}.json")).await.unwrap();
    let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let actions: Vec<serde_json::Value> = lines.map(|line| serde_json::from_slice(line).unwrap()).collect();
    let Some(metadata) = actions.iter().find_map(|action| action.get("metaData")) else { return Vec::new() };
    let schema: serde_json::Value = serde_json::from_str(metadata["schemaString"].as_str().unwrap()).unwrap();
    let fields = schema["fields"].as_array().unwrap().iter();
    fields.map(|field| (field["name"].as_str().unwrap().to_owned(), field["nullable"].as_bool().unwrap())).collect()
}

#[tokio::test]
async fn files_roll_over_and_ranges_and_columns_are_chosen() {
    let (lake, _) = Faulty::lake();
    let schema = schema(&[("debt", DataType::Float32), ("risk", DataType::Utf8)]);
    write(&lake, "2511", &schema, 1).await.unwrap();
    let files = lake.objects().list("tables/features/batch=2511").await.unwrap();
    assert_eq!(files.len(), 3, "one file a write when files are tiny");
    let table = DynamicTable::new(&lake, "features", schema);
    let batch = "2511".parse().unwrap();
    assert_eq!(table.count(batch).await.unwrap(), 3000);
    let siren = |number| domain::Siren::from_number(number).unwrap();
    let found = table.scan(batch, Some(siren(1500)..=siren(1501)), Some(&["debt"])).await.unwrap();
    let found: Vec<RecordBatch> = found.try_collect().await.unwrap();
    assert_eq!(found.iter().map(RecordBatch::num_rows).sum::<usize>(), 2, "the rows of others are not there");
    assert!(found.iter().all(|batch| batch.num_columns() == 1));
}

#[tokio::test]
async fn columns_are_added_never_removed_and_keep_their_type() {
    let (lake, _) = Faulty::lake();
    let first = schema(&[("old", DataType::Float32)]);
    let version = write(&lake, "2510", &first, usize::MAX).await.unwrap();
    assert!(columns(&lake, version).await.is_empty(), "the schema is that of the creation");
    let second = schema(&[("new", DataType::Float32)]);
    let version = write(&lake, "2511", &second, usize::MAX).await.unwrap();
    let expected = [("siren", false), ("old", true), ("batch", false), ("new", true)];
    assert_eq!(columns(&lake, version).await, expected.map(|(name, nullable)| (name.to_owned(), nullable)));
    let version = write(&lake, "2511", &second, usize::MAX).await.unwrap();
    assert!(columns(&lake, version).await.is_empty(), "nothing to change any more");

    let error = write(&lake, "2512", &schema(&[("old", DataType::Utf8)]), usize::MAX).await.unwrap_err().to_string();
    assert!(error.contains("old") && error.contains("again"), "{error}");
    let batches = DynamicTable::new(&lake, "features", first).batches().await.unwrap();
    assert_eq!(batches.len(), 2, "the refused batch is not there");
}

#[tokio::test]
async fn a_snapshot_stays_what_it_was_while_the_batch_is_written_again() {
    let (lake, _) = Faulty::lake();
    let schema = schema(&[("debt", DataType::Float32)]);
    let table = DynamicTable::new(&lake, "features", schema.clone());
    let batch = "2511".parse().unwrap();
    assert_eq!(table.snapshot(batch).await.unwrap().version(), None);
    let version = write(&lake, "2511", &schema, usize::MAX).await.unwrap();
    let snapshot = table.snapshot(batch).await.unwrap();
    let mut writer = table.writer(batch).unwrap();
    writer.write(rows(&schema, 0..10)).await.unwrap();
    let next = writer.commit().await.unwrap();
    assert_eq!((snapshot.version(), table.snapshot(batch).await.unwrap().version()), (Some(version), Some(next)));
    let count = async |found: BoxStream<'static, Result<RecordBatch>>| {
        found.try_collect::<Vec<_>>().await.unwrap().iter().map(RecordBatch::num_rows).sum::<usize>()
    };
    assert_eq!(count(snapshot.scan(None, None).unwrap()).await, 3000);
    assert_eq!(count(table.scan(batch, None, None).await.unwrap()).await, 10);
}
