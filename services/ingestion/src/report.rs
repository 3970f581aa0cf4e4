//! Reports of imports: immutable documents, the last one of a batch named by a pointer.

pub(crate) mod entry;

use api::ingestion::{BatchSummary, FileReport, ImportReport};
use domain::{BatchKey, Delivery, Source, dates};
use lake::Lake;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::error::IngestError;
use crate::gates::Measured;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Pointer {
    path: String,
}

/// Name of the pointer to the last report of a batch.
pub(crate) fn pointer(batch: BatchKey) -> String {
    format!("report-{batch}")
}

/// Stores the report of an import. Files that this import did not touch are taken from the report before, so that the
/// report always describes the whole batch.
pub async fn store(lake: &Lake, batch: BatchKey, report: &mut ImportReport) -> Result<(), IngestError> {
    if let Some(before) = find(lake, batch).await? {
        let touched: std::collections::HashSet<String> = report.files.iter().map(|file| file.file_name.clone()).collect();
        let sources: std::collections::HashSet<String> = report.files.iter().map(|file| file.source.clone()).collect();
        let kept = before.files.into_iter().filter(|file| !touched.contains(&file.file_name) && !sources.contains(&file.source));
        report.files.extend(kept.filter(|file| file.outcome == "committed"));
    }
    report.files.sort_by(|a, b| a.file_name.cmp(&b.file_name));
    let bytes = serde_json::to_vec_pretty(&report).map_err(|error| IngestError::Internal(error.to_string()))?;
    let path = format!("reports/{batch}/{}.json", hex::encode(&Sha256::digest(&bytes)[..16]));
    lake.objects().put(&path, bytes.into()).await?;
    lake.pointers().set(&pointer(batch), &Pointer { path }).await?;
    Ok(())
}

/// The report of the last import of a batch; `None` when it was never imported.
pub async fn find(lake: &Lake, batch: BatchKey) -> Result<Option<ImportReport>, IngestError> {
    let Some((pointer, _)) = lake.pointers().read::<Pointer>(&pointer(batch)).await? else { return Ok(None) };
    let bytes = lake.objects().get(&pointer.path).await?;
    serde_json::from_slice(&bytes).map(Some).map_err(|error| IngestError::Report { batch, reason: error.to_string() })
}

/// What a source was in the latest batch before this one that committed it in the same way: a flow is compared with a flow.
/// `None` when there is none.
pub async fn before(lake: &Lake, batch: BatchKey, source: Source, delivery: Delivery) -> Result<Option<Measured>, IngestError> {
    let mut earlier: Vec<BatchKey> = batches(lake).await?.into_iter().filter(|other| *other < batch).collect();
    earlier.sort_unstable();
    for batch in earlier.into_iter().rev() {
        let Some(report) = find(lake, batch).await? else { continue };
        let same = |file: &&FileReport| file.source == source.name() && file.delivery == delivery.name() && file.outcome == "committed";
        let files = report.files.iter().filter(same);
        let measured = files.fold(None, |sum: Option<Measured>, file| {
            let sum = sum.unwrap_or_default();
            Some(Measured {
                lines: sum.lines + file.lines_parsed,
                rejected: sum.rejected + file.lines_rejected,
                rows: sum.rows + file.rows,
                amount_cents: sum.amount_cents.saturating_add(file.amount_cents),
                last_day: sum.last_day.max(dates::parse_iso(file.last_day.as_bytes())),
            })
        });
        if measured.is_some() {
            return Ok(measured);
        }
    }
    Ok(None)
}

/// Batches that were imported.
pub async fn batches(lake: &Lake) -> Result<Vec<BatchKey>, IngestError> {
    let names = lake.pointers().list("report-").await?;
    Ok(names.iter().filter_map(|name| name.strip_prefix("report-").and_then(|key| key.parse().ok())).collect())
}

/// Summaries of all batches imported, oldest first.
pub async fn summaries(lake: &Lake) -> Result<Vec<BatchSummary>, IngestError> {
    let mut summaries = Vec::new();
    for batch in batches(lake).await? {
        if let Some(report) = find(lake, batch).await? {
            summaries.push(BatchSummary {
                batch: batch.to_string(),
                imported_at: report.imported_at,
                files: report.files.len() as u64,
                lines_valid: report.files.iter().map(|file| file.lines_valid).sum(),
                lines_rejected: report.files.iter().map(|file| file.lines_rejected).sum(),
                perimeter: report.perimeter,
            });
        }
    }
    Ok(summaries)
}
