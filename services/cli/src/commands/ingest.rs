//! `sf ingest`: uploads the files of a delivery, imports them, says what was read.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use api::ingestion::{FileReport, ImportBatchRequest, ImportReport, UploadFileRequest, UploadHeader};
use bytes::Bytes;
use domain::BatchKey;
use service_kit::error::{ErrorCode, ServiceError};
use tokio::fs::File;
use tokio::io::AsyncReadExt;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::Session;
use crate::args::Ingest;
use crate::failure::Failure;
use crate::job;
use crate::output::{Output, count, number};

/// Bytes of a piece of an upload.
const PIECE: usize = 256 * 1024;

pub async fn ingest(session: &Session, arguments: &Ingest) -> Result<(), Failure> {
    let sources = arguments.source.iter().map(|source| source.name().to_owned()).collect();
    let request = ImportBatchRequest {
        batch: arguments.batch.to_string(),
        sources,
        check_only: arguments.check,
        allow_degraded: arguments.allow_degraded,
        allow_gates: arguments.allow.clone(),
        profile: arguments.profile.name().to_owned(),
        file_names: upload(session, &arguments.delivery, arguments.batch).await?,
    };
    import(session, request).await
}

/// Imports uploaded files and prints the report. Fails unless every file was read and every source committed.
pub async fn import(session: &Session, request: ImportBatchRequest) -> Result<(), Failure> {
    let client = session.clients.ingestion();
    let call = || {
        let (mut client, request) = (client.clone(), request.clone());
        async move { client.import_batch(request).await }
    };
    let report: ImportReport = job::run(&session.clients.ingestion, &session.waiting, session.quiet, call).await?;
    print(&report).print(session.format)?;
    let errors: Vec<ServiceError> = report.files.iter().filter(|file| !file.error_code.is_empty()).map(failure).collect();
    if errors.is_empty() { Ok(()) } else { Err(Failure::several(errors)) }
}

fn failure(file: &FileReport) -> ServiceError {
    let code = ErrorCode::ALL.iter().copied().find(|code| code.as_str() == file.error_code).unwrap_or(ErrorCode::Internal);
    ServiceError::new(code, file.error_message.clone()).with("file", file.file_name.clone())
}

/// The report of an import, a line a file.
pub fn print(report: &ImportReport) -> Output {
    let rows = report.files.iter().map(|file| {
        vec![
            file.file_name.clone(),
            file.source.clone(),
            count(file.lines_parsed),
            count(file.lines_valid),
            count(file.lines_rejected),
            count(file.lines_skipped),
            count(file.rows),
            file.last_day.clone(),
            file.outcome.clone(),
            number(file.seconds, 2),
        ]
    });
    let header = ["file", "source", "#lines", "#valid", "#rejected", "#skipped", "#rows", "last day", "outcome", "#seconds"];
    let json = serde_json::to_value(report).unwrap_or_default();
    let mut out = Output::new(&header, rows.collect(), json);
    // One line a source: the gates judge a source, and every file of it carries what they found.
    let said: BTreeSet<String> = report
        .files
        .iter()
        .flat_map(|file| {
            let warned = file.gate_warnings.iter().map(|text| format!("Warning, {}: {text}.", file.source));
            warned.chain(file.overridden_gates.iter().map(|text| format!("Overridden, {}: {text}.", file.source)))
        })
        .collect();
    for note in said {
        out = out.note(note);
    }
    if report.check_only {
        return out.note("Checked only: nothing was committed.");
    }
    let mut excluded: Vec<_> = report.excluded.iter().collect();
    excluded.sort();
    let excluded: Vec<String> = excluded.iter().map(|(reason, companies)| format!("{reason} {}", count(**companies))).collect();
    let basis = match report.perimeter_basis.as_str() {
        "" => return out.note("No perimeter: nothing delivered says how large companies are."),
        "headcount_bands" => "by the headcount bands of SIRENE as they are today: companies that failed and lost theirs are missing",
        "filter" => "by the filter of the batch",
        _ => "by the headcounts of Urssaf",
    };
    let (batch, companies) = (&report.batch, count(report.perimeter));
    out.note(format!("Perimeter of batch {batch}, {basis}: {companies} companies in; out: {}.", excluded.join(", ")))
}

/// Files of a folder, by name: no folder inside of it, no hidden file.
fn files(delivery: &Path) -> Result<Vec<(String, PathBuf)>, Failure> {
    let refused = |error: &dyn std::fmt::Display| ServiceError::new(ErrorCode::NoFiles, format!("{}: {error}", delivery.display()));
    let mut files = Vec::new();
    for entry in std::fs::read_dir(delivery).map_err(|error| refused(&error))? {
        let path = entry?.path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if path.is_file() && !name.starts_with('.') {
            files.push((name, path));
        }
    }
    files.sort();
    if files.is_empty() { Err(refused(&"the folder holds no file").into()) } else { Ok(files) }
}

/// Uploads every file of a delivery; gives their names.
pub async fn upload(session: &Session, delivery: &Path, batch: BatchKey) -> Result<Vec<String>, Failure> {
    let mut names = Vec::new();
    for (name, path) in files(delivery)? {
        upload_file(session, &name, &path, batch).await?;
        names.push(name);
    }
    Ok(names)
}

async fn upload_file(session: &Session, name: &str, path: &Path, batch: BatchKey) -> Result<(), Failure> {
    let unreadable = |error: std::io::Error| ServiceError::new(ErrorCode::UnreadableFile, format!("{}: {error}", path.display()));
    let mut file = File::open(path).await.map_err(unreadable)?;
    let (sender, receiver) = mpsc::channel(8);
    let header = UploadHeader { batch: batch.to_string(), file_name: name.to_owned() };
    let send = async move {
        // The receiver goes away when the service refuses: its status says why.
        let mut open = sender.send(UploadFileRequest { header: Some(header), data: Bytes::new() }).await.is_ok();
        while open {
            let mut piece = Vec::with_capacity(PIECE);
            let read = (&mut file).take(PIECE as u64).read_to_end(&mut piece).await?;
            if read == 0 {
                break;
            }
            open = sender.send(UploadFileRequest { header: None, data: piece.into() }).await.is_ok();
        }
        Ok::<_, std::io::Error>(())
    };
    let mut client = session.clients.ingestion();
    let (sent, received) = tokio::join!(send, client.upload_file(ReceiverStream::new(receiver)));
    received?;
    Ok(sent.map_err(unreadable)?)
}
