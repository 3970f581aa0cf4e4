//! From a stored file to the rows of a table, on all cores.
//!
//! One thread reads, inflates and cuts the file; workers parse blocks, and each makes runs of its rows: sorted, encoded, sent
//! to be written while it goes on. Memory does not depend on the size of the file.

use std::io::{self, Read, Seek};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::available_parallelism;

use domain::records::Record;
use domain::time_rules::TimeRules;
use lake::tables::{PartitionWriter, RejectRow, Run, Stored};
use lake::{Columnar, Lake};
use sources::{AccountLinks, FileError, ParseError, ParseReport, Parsed, Rejection, RowParser, Sink};
use tokio::sync::mpsc;

use crate::duplicates::Duplicates;
use crate::error::IngestError;
use crate::files::File;

/// Encoded runs waiting to be written.
const IN_FLIGHT: usize = 2;

/// What one file gave.
pub struct Loaded {
    /// Counts of the parser.
    pub report: ParseReport,
    /// Lines that repeat an earlier one.
    pub duplicates: u64,
    /// Rejected lines, ready to store.
    pub rejects: Vec<RejectRow>,
}

/// Parses a stored file and hands its rows to `writer`; without a writer the rows are only counted.
pub async fn load<P: RowParser>(
    lake: &Lake,
    file: &File,
    rules: &TimeRules,
    links: Option<Arc<AccountLinks>>,
    writer: Option<&mut PartitionWriter<Stored<P::Row>>>,
) -> Result<Loaded, IngestError>
where
    P::Row: Columnar,
{
    let (sender, mut runs) = mpsc::channel::<Run<P::Row>>(IN_FLIGHT);
    let reader = file.reader(lake).await?;
    let (name, sender) = (file.name.clone(), writer.is_some().then_some(sender));
    let rules = rules.clone();
    let parser = tokio::task::spawn_blocking(move || parse_file::<P>(reader, &name, links.as_deref(), sender.as_ref(), &rules));
    if let Some(writer) = writer {
        while let Some(run) = runs.recv().await {
            writer.add(run).await?;
        }
    }
    let (parsed, duplicates) = parser.await.map_err(|error| IngestError::Internal(error.to_string()))??;
    let rejects = parsed.rejections.into_iter().map(|rejection| reject_row(P::Row::SOURCE, &file.name, rejection)).collect();
    Ok(Loaded { report: parsed.report, duplicates, rejects })
}

fn parse_file<P: RowParser>(
    reader: impl Read,
    name: &str,
    links: Option<&AccountLinks>,
    sender: Option<&mpsc::Sender<Run<P::Row>>>,
    rules: &TimeRules,
) -> Result<(Parsed, u64), IngestError>
where
    P::Row: Columnar,
{
    let duplicates = Mutex::new(Duplicates::default());
    let threads = available_parallelism().map_or(1, usize::from);
    let mut workers: Vec<_> = (0..threads).map(|_| Worker { sender, rules, duplicates: &duplicates }).collect();
    let parsed = if sources::is_archive(name) {
        spool(reader)
            .map_err(|error| FileError::from(error).into())
            .and_then(|file| sources::parse_file::<P, _>(file, name, links, &mut workers))
    } else {
        sources::parse::<P, _>(reader, name, links, &mut workers)
    };
    let parsed = parsed.map_err(|error| match error {
        ParseError::File(error) => IngestError::File { file: name.to_owned(), error },
        ParseError::Sink(error) => error,
    })?;
    let duplicates = duplicates.into_inner().unwrap_or_else(PoisonError::into_inner).count();
    Ok((parsed, duplicates.map_err(|error| IngestError::Internal(format!("repeated lines cannot be counted: {error}")))?))
}

/// An archive is read from its end: it goes through an unnamed temporary file.
fn spool(mut reader: impl Read) -> io::Result<impl Read + Seek> {
    let mut file = tempfile::tempfile()?;
    io::copy(&mut reader, &mut file)?;
    file.rewind()?;
    Ok(file)
}

fn reject_row(source: domain::Source, file_name: &str, rejection: Rejection) -> RejectRow {
    RejectRow {
        source: source.name().to_owned(),
        file: file_name.to_owned(),
        line: rejection.line,
        record: rejection.record,
        column: rejection.column.unwrap_or_default(),
        reason: rejection.reason.code().to_owned(),
        value: rejection.value,
    }
}

/// A thread that makes runs.
struct Worker<'a, R> {
    /// Where runs go; none when nothing is stored.
    sender: Option<&'a mpsc::Sender<Run<R>>>,
    rules: &'a TimeRules,
    duplicates: &'a Mutex<Duplicates>,
}

impl<R: Record + Columnar> Sink<R> for Worker<'_, R> {
    type Error = IngestError;

    fn wanted(&self) -> usize {
        if self.sender.is_some() { Run::<R>::ROWS } else { 4_096 }
    }

    fn rows(&mut self, rows: &mut Vec<R>) -> Result<(), IngestError> {
        let Some(sender) = self.sender else { return Ok(()) };
        let run = Run::encode(rows, self.rules)?;
        sender.blocking_send(run).map_err(|_| IngestError::Internal("the writer stopped".to_owned()))
    }

    fn digests(&mut self, digests: &[u64]) -> Result<(), IngestError> {
        let added = self.duplicates.lock().unwrap_or_else(PoisonError::into_inner).add(digests);
        added.map_err(|error| IngestError::Internal(format!("repeated lines cannot be counted: {error}")))
    }
}
