//! `sf batches` and `sf perimeter`.

use api::ingestion::{
    DiffBatchesRequest, GetImportReportRequest, ListBatchesRequest, PruneBatchesRequest, PruneReport, StreamPerimeterRequest,
    StreamRejectsRequest,
};
use serde_json::json;

use super::{Session, ingest};
use crate::args::{Batches, Perimeter};
use crate::failure::Failure;
use crate::job;
use crate::output::{Output, count};

pub async fn batches(session: &Session, verb: Batches) -> Result<(), Failure> {
    let mut client = session.clients.ingestion();
    let output = match verb {
        Batches::List => {
            let batches = client.list_batches(ListBatchesRequest::default()).await?.into_inner().batches;
            let rows = batches.iter().map(|batch| {
                let counts = [batch.files, batch.lines_valid, batch.lines_rejected, batch.perimeter].map(count);
                [vec![batch.batch.clone(), batch.imported_at.clone()], counts.to_vec()].concat()
            });
            let json = batches.iter().map(|batch| {
                json!({
                    "batch": batch.batch, "imported_at": batch.imported_at, "files": batch.files, "lines_valid": batch.lines_valid,
                    "lines_rejected": batch.lines_rejected, "perimeter": batch.perimeter,
                })
            });
            let header = ["batch", "imported", "#files", "#valid", "#rejected", "#perimeter"];
            Output::new(&header, rows.collect(), json!({ "batches": json.collect::<Vec<_>>() }))
        }
        Batches::Show { batch } => {
            let request = GetImportReportRequest { batch: batch.to_string() };
            ingest::print(&client.get_import_report(request).await?.into_inner())
        }
        Batches::Rejects { batch, source } => {
            let sources = source.iter().map(|source| source.name().to_owned()).collect();
            let mut stream = client.stream_rejects(StreamRejectsRequest { batch: batch.to_string(), sources }).await?.into_inner();
            let (mut rows, mut documents) = (Vec::new(), Vec::new());
            while let Some(reject) = stream.message().await? {
                documents.push(json!({
                    "source": reject.source, "file_name": reject.file_name, "line": reject.line, "record": reject.record,
                    "column": reject.column, "reason": reject.reason, "value": reject.value,
                }));
                let line = reject.line.to_string();
                rows.push(vec![reject.source, reject.file_name, line, reject.column, reject.reason, reject.value]);
            }
            Output::new(&["source", "file", "#line", "column", "reason", "value"], rows, json!({ "rejects": documents }))
        }
        Batches::Diff { before, after, source } => {
            let sources = source.iter().map(|source| source.name().to_owned()).collect();
            let request = DiffBatchesRequest { before: before.to_string(), after: after.to_string(), sources };
            let mut stream = client.diff_batches(request).await?.into_inner();
            let (mut rows, mut documents) = (Vec::new(), Vec::new());
            while let Some(diff) = stream.message().await? {
                let counts = [diff.rows_before, diff.rows_after, diff.added, diff.removed, diff.changed, diff.companies].map(count);
                documents.push(json!({
                    "source": diff.source, "batch_before": diff.batch_before, "batch_after": diff.batch_after, "rows_before": diff.rows_before,
                    "rows_after": diff.rows_after, "added": diff.added, "removed": diff.removed, "changed": diff.changed,
                    "companies": diff.companies,
                }));
                rows.push([vec![diff.source, diff.batch_before, diff.batch_after], counts.to_vec()].concat());
            }
            let header = ["source", "from", "to", "#rows before", "#rows after", "#added", "#removed", "#changed", "#companies"];
            Output::new(&header, rows, json!({ "sources": documents }))
        }
        Batches::Prune { keep, older_than, dry_run } => {
            let request = PruneBatchesRequest { keep: keep.unwrap_or_default(), min_age_hours: older_than, dry_run };
            let call = || {
                let mut client = client.clone();
                async move { client.prune_batches(request).await }
            };
            pruned(&job::run(&session.clients.ingestion, &session.waiting, session.quiet, call).await?)
        }
    };
    output.print(session.format)
}

fn pruned(report: &PruneReport) -> Output {
    let rows = report.files.iter().map(|files| vec![files.kind.clone(), count(files.files), count(files.bytes)]).collect();
    let output = Output::new(&["kind", "#files", "#bytes"], rows, serde_json::to_value(report).unwrap_or_default());
    let verb = if report.dry_run { "Would be forgotten" } else { "Forgotten" };
    let batches = if report.batches.is_empty() { "none".to_owned() } else { report.batches.join(", ") };
    output.note(format!("{verb}: batches {batches}."))
}

pub async fn perimeter(session: &Session, verb: Perimeter) -> Result<(), Failure> {
    let Perimeter::Show { batch, siren } = verb;
    let request = StreamPerimeterRequest { batch: batch.to_string(), siren: siren.map(|siren| siren.to_string()).unwrap_or_default() };
    let mut stream = session.clients.ingestion().stream_perimeter(request).await?.into_inner();
    let (mut rows, mut documents) = (Vec::new(), Vec::new());
    while let Some(entry) = stream.message().await? {
        documents.push(json!({ "siren": entry.siren, "included": entry.included, "reason": entry.reason }));
        rows.push(vec![entry.siren, entry.included.to_string(), entry.reason]);
    }
    Output::new(&["siren", "included", "reason"], rows, json!({ "batch": batch.to_string(), "companies": documents })).print(session.format)
}
