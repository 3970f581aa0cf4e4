//! Verbs that need no service: an invented delivery, one file parsed.

use std::fs::File;
use std::io::{BufWriter, Write, stdout};
use std::process::ExitCode;

use domain::Source;
use ingestion::preview::preview;
use serde_json::json;
use service_kit::error::{ErrorCode, ServiceError};
use sources::Parsed;

use crate::args::{Datagen, Parse, Profile};
use crate::failure::Failure;

#[allow(clippy::print_stdout, reason = "a command line speaks to a person")]
pub fn datagen(arguments: &Datagen) -> Result<(), Failure> {
    let usual = datagen::Options::new(arguments.batch).first;
    let first = arguments.months.map_or(usual, |months| arguments.batch.month().plus(-i32::from(months)));
    let options = datagen::Options {
        first,
        companies: arguments.companies,
        seed: arguments.seed,
        batch: arguments.batch,
        truth: arguments.truth.clone(),
        profile: match arguments.profile {
            Profile::Full => datagen::Profile::Full,
            Profile::OpenData => datagen::Profile::OpenData,
        },
    };
    let summary = datagen::write_delivery(&arguments.out, &options)
        .map_err(|error| ServiceError::new(ErrorCode::InvalidArgument, error.to_string()))?;
    println!(
        "{} invented companies in {} files under {}, batch {}, seed {}",
        summary.companies,
        summary.files,
        arguments.out.display(),
        arguments.batch,
        arguments.seed
    );
    Ok(())
}

#[allow(clippy::print_stderr, reason = "the report goes beside the rows")]
pub fn parse(arguments: &Parse) -> Result<ExitCode, Failure> {
    let name = arguments.file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let source: Source = match arguments.source.or_else(|| sources::detect(&name)) {
        Some(source) => source,
        None => return Err(Failure::usage(format!("'{name}' is the name of no source: say which with --source"))),
    };
    let unreadable = |error: std::io::Error| ServiceError::new(ErrorCode::UnreadableFile, format!("{}: {error}", arguments.file.display()));
    let file = File::open(&arguments.file).map_err(unreadable)?;
    let mut out = BufWriter::new(stdout());
    let Parsed { report, rejections } = preview(source, file, &name, &mut out).map_err(ServiceError::from)?;
    out.flush()?;
    let rejections: Vec<_> = rejections
        .iter()
        .map(|rejection| {
            json!({
                "line": rejection.line, "record": rejection.record, "column": rejection.column,
                "reason": rejection.reason.code(), "value": rejection.value,
            })
        })
        .collect();
    let summary = json!({
        "file": name, "source": source.name(), "lines": report.lines, "valid": report.valid, "rejected": report.rejections(),
        "skipped": report.skips(), "rows": report.rows, "rejections": rejections,
    });
    eprintln!("{summary:#}");
    Ok(ExitCode::SUCCESS)
}
