//! Parquet files: rows sorted by SIREN in small row groups, so that a range of companies reads only its own.

use std::ops::{Range, RangeInclusive};
use std::sync::Arc;

use arrow::array::{RecordBatch, StringArray};
use arrow::compute::and;
use arrow::compute::kernels::cmp::{gt_eq, lt_eq};
use arrow::datatypes::{DataType, SchemaRef};
use bytes::Bytes;
use domain::Siren;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use futures::{FutureExt, StreamExt, TryFutureExt, TryStreamExt};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use parquet::arrow::arrow_reader::{ArrowPredicateFn, ArrowReaderMetadata, ArrowReaderOptions, RowFilter};
use parquet::arrow::async_reader::{AsyncFileReader, ParquetRecordBatchStreamBuilder};
use parquet::arrow::{ArrowWriter, ProjectionMask};
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::statistics::Statistics;
use parquet::schema::types::{ColumnPath, SchemaDescriptor};

use crate::error::LakeError;

type Result<T, E = LakeError> = std::result::Result<T, E>;

/// Rows of a row group.
pub(crate) const ROW_GROUP: usize = 32 * 1024;
/// Rows of a decoded batch.
const BATCH: usize = 8 * 1024;

/// Encodes batches of one schema as a file.
pub(crate) struct Encoder {
    writer: ArrowWriter<Vec<u8>>,
    rows: u64,
}

/// A finished file.
pub(crate) struct Encoded {
    pub(crate) bytes: Bytes,
    pub(crate) rows: u64,
    /// First and last SIREN, when the rows have a column `siren`.
    pub(crate) sirens: Option<(Siren, Siren)>,
}

impl Encoder {
    pub(crate) fn new(schema: SchemaRef) -> Result<Self> {
        let compression = Compression::ZSTD(ZstdLevel::try_new(1).map_err(|error| LakeError::corrupt("parquet", error))?);
        let mut properties = WriterProperties::builder()
            .set_compression(compression)
            .set_max_row_group_row_count(Some(ROW_GROUP))
            // Readers take whole row groups: more pages would only be more to begin and to end.
            .set_data_page_row_count_limit(ROW_GROUP)
            .set_created_by("signaux-faibles".to_owned())
            // By row group only: readers skip groups, and pages are small.
            .set_statistics_enabled(EnabledStatistics::Chunk);
        for field in schema.fields() {
            let column = ColumnPath::from(field.name().as_str());
            match field.data_type() {
                // Amounts and measures hardly repeat: a dictionary of them costs more than it saves.
                DataType::Int64 | DataType::Int32 | DataType::Date32 => {
                    properties = properties
                        .set_column_dictionary_enabled(column.clone(), false)
                        .set_column_encoding(column, Encoding::DELTA_BINARY_PACKED);
                }
                DataType::Float64 => properties = properties.set_column_dictionary_enabled(column, false),
                // Bounds of texts help nobody, but those of the companies.
                DataType::Utf8 if field.name() != "siren" => {
                    properties = properties.set_column_statistics_enabled(column, EnabledStatistics::None);
                }
                _ => {}
            }
        }
        let properties = properties.build();
        let writer = ArrowWriter::try_new(Vec::new(), schema, Some(properties)).map_err(|error| LakeError::corrupt("parquet", error))?;
        Ok(Self { writer, rows: 0 })
    }

    pub(crate) fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        self.rows += batch.num_rows() as u64;
        self.writer.write(batch).map_err(|error| LakeError::corrupt("parquet", error))
    }

    /// Bytes so far, those not yet encoded included.
    pub(crate) fn size(&self) -> usize {
        self.writer.bytes_written() + self.writer.in_progress_size()
    }

    pub(crate) fn has_rows(&self) -> bool {
        self.rows > 0
    }

    pub(crate) fn finish(mut self) -> Result<Encoded> {
        let metadata = self.writer.finish().map_err(|error| LakeError::corrupt("parquet", error))?;
        let groups = (0..metadata.num_row_groups()).filter_map(|group| bounds(&metadata, group));
        let sirens = groups.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)));
        Ok(Encoded { bytes: std::mem::take(self.writer.inner_mut()).into(), rows: self.rows, sirens })
    }
}

/// The smallest and the largest SIREN of a row group.
fn bounds(metadata: &ParquetMetaData, group: usize) -> Option<(Siren, Siren)> {
    let column = metadata.file_metadata().schema_descr().columns().iter().position(|column| column.name() == "siren")?;
    let Some(Statistics::ByteArray(values)) = metadata.row_group(group).column(column).statistics() else { return None };
    let siren = |value: &parquet::data_type::ByteArray| Siren::parse(value.data()).ok();
    Some((siren(values.min_opt()?)?, siren(values.max_opt()?)?))
}

/// Reads pieces of a file of an object store.
#[derive(Clone)]
struct Pieces {
    store: Arc<dyn ObjectStore>,
    path: Path,
    size: u64,
}

impl AsyncFileReader for Pieces {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, Result<Bytes, ParquetError>> {
        self.store.get_range(&self.path, range).map_err(|error| ParquetError::External(Box::new(error))).boxed()
    }

    fn get_byte_ranges(&mut self, ranges: Vec<Range<u64>>) -> BoxFuture<'_, Result<Vec<Bytes>, ParquetError>> {
        let get = async move { self.store.get_ranges(&self.path, &ranges).await };
        get.map_err(|error| ParquetError::External(Box::new(error))).boxed()
    }

    fn get_metadata<'a>(&'a mut self, _: Option<&'a ArrowReaderOptions>) -> BoxFuture<'a, Result<Arc<ParquetMetaData>, ParquetError>> {
        let size = self.size;
        ParquetMetaDataReader::new().load_and_finish(self, size).map_ok(Arc::new).boxed()
    }
}

/// Leaves out the rows of other companies before their other columns are decoded: a range of companies has few rows of each
/// row group when a delivery is large.
fn rows_of(sirens: RangeInclusive<Siren>, schema: &SchemaDescriptor) -> RowFilter {
    let (low, high) = (sirens.start().to_string(), sirens.end().to_string());
    let wanted = move |batch: RecordBatch| {
        let (low, high) = (StringArray::new_scalar(&low), StringArray::new_scalar(&high));
        and(&gt_eq(batch.column(0), &low)?, &lt_eq(batch.column(0), &high)?)
    };
    let columns = ProjectionMask::columns(schema, ["siren"]);
    RowFilter::new(vec![Box::new(ArrowPredicateFn::new(columns, wanted))])
}

/// A file with its footer read once.
#[derive(Clone)]
pub(crate) struct ParquetFile {
    pieces: Pieces,
    metadata: ArrowReaderMetadata,
}

impl ParquetFile {
    pub(crate) async fn open(store: Arc<dyn ObjectStore>, path: Path, size: u64) -> Result<Self> {
        let mut pieces = Pieces { store, path, size };
        let metadata = ArrowReaderMetadata::load_async(&mut pieces, ArrowReaderOptions::new()).await;
        let metadata = metadata.map_err(|error| LakeError::corrupt(pieces.path.to_string(), error))?;
        Ok(Self { pieces, metadata })
    }

    pub(crate) fn rows(&self) -> u64 {
        self.metadata.metadata().file_metadata().num_rows().max(0).cast_unsigned()
    }

    /// Row groups that may hold a company of the range.
    fn groups(&self, sirens: Option<&RangeInclusive<Siren>>) -> Vec<usize> {
        let metadata = self.metadata.metadata();
        let Some(sirens) = sirens else { return (0..metadata.num_row_groups()).collect() };
        let may_hold = |group: &usize| bounds(metadata, *group).is_none_or(|(low, high)| low <= *sirens.end() && high >= *sirens.start());
        (0..metadata.num_row_groups()).filter(may_hold).collect()
    }

    /// Whether all companies of a row group are in the range. A group that does not say which it has counts as such: it has no
    /// companies, or was written without statistics, and its rows are left to the caller.
    fn within(&self, group: usize, sirens: &RangeInclusive<Siren>) -> bool {
        bounds(self.metadata.metadata(), group).is_none_or(|(low, high)| sirens.contains(&low) && sirens.contains(&high))
    }

    /// The rows of the range; all rows of row groups that do not say which companies they have.
    pub(crate) fn stream(
        self,
        sirens: Option<&RangeInclusive<Siren>>,
        columns: Option<&[&str]>,
    ) -> Result<BoxStream<'static, Result<RecordBatch>>> {
        let groups = self.groups(sirens);
        if groups.is_empty() {
            return Ok(futures::stream::empty().boxed());
        }
        let path = self.pieces.path.to_string();
        let partly = sirens.filter(|sirens| !groups.iter().all(|group| self.within(*group, sirens))).cloned();
        let mut builder =
            ParquetRecordBatchStreamBuilder::new_with_metadata(self.pieces, self.metadata).with_row_groups(groups).with_batch_size(BATCH);
        if let Some(columns) = columns {
            let mask = ProjectionMask::columns(builder.parquet_schema(), columns.iter().copied());
            builder = builder.with_projection(mask);
        }
        if let Some(sirens) = partly {
            let filter = rows_of(sirens, builder.parquet_schema());
            builder = builder.with_row_filter(filter);
        }
        let stream = builder.build().map_err(|error| LakeError::corrupt(path.as_str(), error))?;
        Ok(stream.map_err(move |error| LakeError::corrupt(path.as_str(), error)).boxed())
    }
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::{Field, Schema};
    use object_store::memory::InMemory;

    use super::*;

    async fn file(column: &str, rows: usize) -> ParquetFile {
        let schema = Arc::new(Schema::new(vec![Field::new(column, DataType::Utf8, false)]));
        let sirens = StringArray::from_iter_values((0..rows).map(|number| format!("{number:09}")));
        let mut encoder = Encoder::new(schema.clone()).unwrap();
        encoder.write(&RecordBatch::try_new(schema, vec![Arc::new(sirens)]).unwrap()).unwrap();
        let encoded = encoder.finish().unwrap();
        assert_eq!(encoded.sirens.is_some(), column == "siren");
        let (store, size) = (Arc::new(InMemory::new()), encoded.bytes.len() as u64);
        store.put(&Path::from("a"), encoded.bytes.into()).await.unwrap();
        ParquetFile::open(store, Path::from("a"), size).await.unwrap()
    }

    fn siren(number: usize) -> Siren {
        Siren::from_number(number as u32).unwrap()
    }

    #[tokio::test]
    async fn a_range_reads_only_the_row_groups_that_may_hold_it() {
        let file = file("siren", 3 * ROW_GROUP + 1).await;
        assert_eq!(file.groups(None), [0, 1, 2, 3]);
        let groups = |range: RangeInclusive<usize>| file.groups(Some(&(siren(*range.start())..=siren(*range.end()))));
        assert_eq!(groups(5..=5), [0]);
        assert_eq!(groups(ROW_GROUP - 1..=ROW_GROUP), [0, 1], "both ends are included");
        assert_eq!(groups(3 * ROW_GROUP..=999_999_999), [3]);
        assert!(groups(200_000_000..=300_000_000).is_empty());
    }

    #[tokio::test]
    async fn a_range_gives_its_own_rows() {
        let file = file("siren", 2 * ROW_GROUP).await;
        for (low, high) in [(0, 2 * ROW_GROUP), (5, 5), (ROW_GROUP - 2, ROW_GROUP + 1), (ROW_GROUP, 2 * ROW_GROUP - 1), (0, 4)] {
            let rows: Vec<RecordBatch> = file.clone().stream(Some(&(siren(low)..=siren(high))), None).unwrap().try_collect().await.unwrap();
            let count: usize = rows.iter().map(RecordBatch::num_rows).sum();
            assert_eq!(count, high.min(2 * ROW_GROUP - 1) + 1 - low, "{low} to {high}");
        }
    }

    #[tokio::test]
    async fn without_a_siren_every_group_may_hold_it() {
        let range = siren(5)..=siren(5);
        assert_eq!(file("line", ROW_GROUP + 1).await.groups(Some(&range)), [0, 1]);
    }
}
