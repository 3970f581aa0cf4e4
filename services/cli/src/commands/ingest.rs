//! `sf ingest`: imports the files of a delivery, says what was read.

use std::collections::BTreeSet;

use api::ingestion::{FileReport, ImportBatchRequest, ImportReport};
use service_kit::error::{ErrorCode, ServiceError};

use super::{Session, upload};
use crate::args::Ingest;
use crate::failure::Failure;
use crate::job;
use crate::output::{Output, count, number};

pub async fn ingest(session: &Session, arguments: &Ingest) -> Result<(), Failure> {
    let sources = arguments.source.iter().map(|source| source.name().to_owned()).collect();
    let request = ImportBatchRequest {
        sources,
        flows: arguments.flow.iter().map(|source| source.name().to_owned()).collect(),
        check_only: arguments.check,
        allow_degraded: arguments.allow_degraded,
        allow_gates: arguments.allow.clone(),
        profile: arguments.profile.name().to_owned(),
        ..upload::place(session, &arguments.delivery, arguments.batch).await?
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
            count(file.lines_duplicated),
            count(file.rows),
            file.last_day.clone(),
            if file.delivery == "flow" { format!("{}, flow", file.outcome) } else { file.outcome.clone() },
            number(file.seconds, 2),
            count((file.lines_parsed as f64 / file.seconds.max(0.001)) as u64),
        ]
    });
    let header = [
        "file",
        "source",
        "#lines",
        "#valid",
        "#rejected",
        "#skipped",
        "#repeated",
        "#rows",
        "last day",
        "outcome",
        "#seconds",
        "#lines/s",
    ];
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
        "" => {
            return out.note(
                "No perimeter: it needs how large companies are (effectif_ent, or filter) and what they are (sirene and sirene_ul).",
            );
        }
        "headcount_bands" => "by the headcount bands of SIRENE as they are today: companies that failed and lost theirs are missing",
        "filter" => "by the filter of the batch",
        _ => "by the headcounts of Urssaf",
    };
    let rule = format!("at least {} employees in one of {} months", report.perimeter_headcount, report.perimeter_months);
    let (batch, companies) = (&report.batch, count(report.perimeter));
    out.note(format!("Perimeter of batch {batch}, {basis} ({rule}): {companies} companies in; out: {}.", excluded.join(", ")))
}
