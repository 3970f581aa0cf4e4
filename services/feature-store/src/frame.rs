//! Frames: rows of the offline features chosen by month, company, risk and sample, streamed as they are read.
//!
//! Memory holds one batch of rows, and of a Parquet file one row group.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{AsArray, BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{Date32Type, SchemaRef};
use arrow::ipc::writer::StreamWriter;
use bytes::Bytes;
use domain::{BatchKey, Month, Siren};
use futures::stream::{self, BoxStream, StreamExt, TryStreamExt};
use lake::tables::DynamicTable;
use panel::risk::RiskStatus;
use parquet::arrow::ArrowWriter;

use crate::encode::{self, FIXED, column};
use crate::error::FeatureError;

/// Bytes of a row group of a Parquet file, in memory.
const ROW_GROUP: usize = 16 * 1024 * 1024;

/// A share of the companies, the same for the same seed whatever else is asked.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    /// Share, between 0 and 1.
    pub share: f64,
    /// Seed.
    pub seed: u64,
}

impl Sample {
    /// Whether a company is in the sample: by a hash of its SIREN (splitmix64), so that all its months are in or out.
    fn holds(self, siren: Siren) -> bool {
        let mut hash =
            u64::from(siren.number()).wrapping_add(self.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15)).wrapping_add(0x9e37_79b9_7f4a_7c15);
        hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        hash ^= hash >> 31;
        (hash as f64) < self.share * u64::MAX as f64
    }
}

/// Which rows and columns of a batch. By default all of them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Frame {
    /// First month.
    pub from: Option<Month>,
    /// Last month.
    pub to: Option<Month>,
    /// Only these companies.
    pub sirens: Option<HashSet<Siren>>,
    /// Only rows whose outcome is known.
    pub labelled: bool,
    /// Only companies at risk.
    pub at_risk: bool,
    /// Only a sample of the companies.
    pub sample: Option<Sample>,
    /// Only these features, in the order of the catalogue.
    pub features: Option<Vec<String>>,
}

impl Frame {
    /// Its columns: those of the offline table that are asked for, in its order.
    pub fn schema(&self, table: &SchemaRef) -> Result<SchemaRef, FeatureError> {
        let Some(features) = &self.features else { return Ok(table.clone()) };
        let wanted = |name: &str| FIXED.contains(&name) || features.iter().any(|feature| feature == name);
        let positions: Vec<usize> = (0..table.fields().len()).filter(|position| wanted(table.field(*position).name())).collect();
        Ok(Arc::new(table.project(&positions)?))
    }

    /// The rows, batch by batch, companies in order, each by month, with the columns of `schema`.
    pub async fn scan(
        self,
        table: &DynamicTable,
        batch: BatchKey,
        schema: SchemaRef,
    ) -> Result<BoxStream<'static, Result<RecordBatch, FeatureError>>, FeatureError> {
        let bounds = self.sirens.as_ref().and_then(|sirens| Some(*sirens.iter().min()?..=*sirens.iter().max()?));
        let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
        let rows = table.scan(batch, bounds, Some(&names)).await?;
        let kept = rows.err_into().and_then(move |rows| std::future::ready(self.filter(&rows, &schema)));
        Ok(kept.try_filter(|rows| std::future::ready(rows.num_rows() > 0)).boxed())
    }

    fn filter(&self, rows: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, FeatureError> {
        let sirens = column(rows, "siren")?.as_string::<i32>();
        let months = column(rows, "month")?.as_primitive::<Date32Type>();
        let (risks, labels) = (column(rows, "risk")?.as_string::<i32>(), column(rows, "label")?);
        let (from, to) = (self.from.map(encode::days), self.to.map(encode::days));
        let company = |row: usize| {
            let Ok(siren) = sirens.value(row).parse::<Siren>() else { return false };
            self.sirens.as_ref().is_none_or(|sirens| sirens.contains(&siren)) && self.sample.is_none_or(|sample| sample.holds(siren))
        };
        let every_company = self.sirens.is_none() && self.sample.is_none();
        let keep = |row: usize| {
            let month = months.value(row);
            from.is_none_or(|from| month >= from)
                && to.is_none_or(|to| month <= to)
                && !(self.labelled && labels.is_null(row))
                && !(self.at_risk && risks.value(row) != RiskStatus::AtRisk.code())
                && (every_company || company(row))
        };
        let keep: BooleanArray = (0..rows.num_rows()).map(|row| Some(keep(row))).collect();
        // By name: a table that versions with other features wrote has more columns, in another order.
        let columns = schema
            .fields()
            .iter()
            .map(|field| rows.column_by_name(field.name()).cloned().ok_or_else(|| FeatureError::OtherVersion(field.name().clone())));
        let rows = RecordBatch::try_new(schema.clone(), columns.collect::<Result<_, _>>()?)?;
        Ok(filter_record_batch(&rows, &keep)?)
    }
}

/// How a frame is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// A Parquet file.
    Parquet,
    /// An Arrow IPC stream.
    Arrow,
}

/// The bytes of a frame, piece by piece as rows come.
pub fn write(
    rows: BoxStream<'static, Result<RecordBatch, FeatureError>>,
    schema: &SchemaRef,
    format: Format,
) -> Result<BoxStream<'static, Result<Bytes, FeatureError>>, FeatureError> {
    let buffer = Buffer::default();
    let writer = match format {
        Format::Parquet => Writer::Parquet(ArrowWriter::try_new(buffer.clone(), schema.clone(), None)?),
        Format::Arrow => Writer::Arrow(StreamWriter::try_new(buffer.clone(), schema)?),
    };
    let pieces = stream::try_unfold((rows, Some(writer), buffer), |(mut rows, writer, buffer)| async move {
        let Some(mut writer) = writer else { return Ok(None) };
        let writer = if let Some(rows) = rows.try_next().await? {
            writer.write(&rows)?;
            Some(writer)
        } else {
            writer.finish()?;
            None
        };
        Ok(Some((buffer.take(), (rows, writer, buffer))))
    });
    Ok(pieces.try_filter(|piece| std::future::ready(!piece.is_empty())).boxed())
}

enum Writer {
    Parquet(ArrowWriter<Buffer>),
    Arrow(StreamWriter<Buffer>),
}

impl Writer {
    fn write(&mut self, rows: &RecordBatch) -> Result<(), FeatureError> {
        match self {
            Self::Parquet(writer) => {
                writer.write(rows)?;
                if writer.in_progress_size() >= ROW_GROUP {
                    writer.flush()?;
                }
                Ok(())
            }
            Self::Arrow(writer) => Ok(writer.write(rows)?),
        }
    }

    fn finish(self) -> Result<(), FeatureError> {
        match self {
            Self::Parquet(writer) => Ok(writer.close().map(drop)?),
            Self::Arrow(mut writer) => Ok(writer.finish()?),
        }
    }
}

/// What a writer has written and nobody has taken yet.
#[derive(Clone, Default)]
struct Buffer(Arc<Mutex<Vec<u8>>>);

impl Buffer {
    fn take(&self) -> Bytes {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner)).into()
    }
}

impl std::io::Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{ArrayRef, Date32Array, StringArray};
    use arrow::datatypes::{DataType, Field, Schema};

    use super::*;

    /// The stored columns stand in another order, one is of another version, and one is absent.
    #[test]
    fn columns_are_found_by_name() {
        let fields = |names: &[&str]| -> SchemaRef {
            let field = |name: &&str| Field::new(*name, if *name == "month" { DataType::Date32 } else { DataType::Utf8 }, true);
            Arc::new(Schema::new(names.iter().map(field).collect::<Vec<_>>()))
        };
        let text = |text: &str| -> ArrayRef { Arc::new(StringArray::from(vec![text])) };
        let month: ArrayRef = Arc::new(Date32Array::from(vec![0]));
        let columns = vec![text("old"), text("0"), month, text("at_risk"), text("732829320")];
        let stored = RecordBatch::try_new(fields(&["old", "label", "month", "risk", "siren"]), columns).unwrap();
        let found = Frame::default().filter(&stored, &fields(&FIXED[..4])).unwrap();
        assert_eq!((found.num_columns(), found.column(0).as_string::<i32>().value(0)), (4, "732829320"));
        let lacking = Frame::default().filter(&stored, &fields(&["siren", "new"]));
        assert!(matches!(lacking, Err(FeatureError::OtherVersion(name)) if name == "new"));
    }

    #[test]
    fn a_sample_is_a_share_of_the_companies_and_depends_on_the_seed() {
        let companies = || (0..20_000u32).filter_map(|number| Siren::from_number(number * 41_017));
        let of = |share: f64, seed: u64| companies().filter(|siren| Sample { share, seed }.holds(*siren)).collect::<Vec<_>>();
        for share in [0.0, 0.1, 0.5, 1.0] {
            let found = of(share, 7).len() as f64 / 20_000.0;
            assert!((found - share).abs() < 0.01, "{share}: {found}");
        }
        assert_eq!(of(0.1, 7), of(0.1, 7));
        assert_ne!(of(0.1, 7), of(0.1, 8));
        assert!(of(0.1, 7).iter().all(|siren| of(0.2, 7).contains(siren)), "a larger sample holds a smaller one");
    }
}
