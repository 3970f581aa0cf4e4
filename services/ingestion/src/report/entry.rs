//! What a report says of a file.

use api::ingestion::FileReport;
use lake::RawFile;
use service_kit::error::ErrorCode;
use sources::ParseReport;

use crate::error::{IngestError, file_code};

/// The entry of a file not read yet.
pub(crate) fn described(name: &str, source: &str, file: &RawFile) -> FileReport {
    FileReport {
        file_name: name.to_owned(),
        source: source.to_owned(),
        sha256: file.sha256.clone(),
        bytes: file.size,
        ..FileReport::default()
    }
}

/// The entry of a file whose name is that of no source.
pub(crate) fn unknown(name: &str, file: &RawFile) -> FileReport {
    FileReport {
        outcome: "unknown".to_owned(),
        error_code: ErrorCode::UnknownFile.as_str().to_owned(),
        error_message: format!("{name}: the name is that of no source; rename it as its producer does, or remove it from the delivery"),
        ..described(name, "", file)
    }
}

/// Says that the file cannot be used.
pub(crate) fn fail(entry: &mut FileReport, error: &IngestError) {
    let code = match error {
        IngestError::File { error, .. } => file_code(error),
        _ => ErrorCode::Internal,
    };
    code.as_str().clone_into(&mut entry.error_code);
    entry.error_message = error.to_string();
}

/// Takes the counts of the parser.
pub(crate) fn count(entry: &mut FileReport, report: &ParseReport) {
    entry.lines_parsed = report.lines;
    entry.lines_valid = report.valid;
    entry.lines_rejected = report.rejections();
    entry.lines_skipped = report.skips();
    entry.rows = report.rows;
    entry.amount_cents = report.amount.0;
    if let Some((first, last)) = report.days {
        (entry.first_day, entry.last_day) = (first.to_string(), last.to_string());
    }
    entry.rejected_by_reason = report.rejected.iter().map(|(reason, count)| (reason.code().to_owned(), *count)).collect();
    entry.skipped_by_reason = report.skipped.iter().map(|(reason, count)| (reason.code().to_owned(), *count)).collect();
    entry.warnings = report.warnings.iter().map(|(warning, count)| (warning.code().to_owned(), *count)).collect();
}
