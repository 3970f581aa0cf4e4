//! From a stored file to the rows of a table: parsing runs on a blocking thread, writing on the runtime, rows flow between
//! them through a bounded channel, so that memory does not depend on the size of the file.

use std::io::{self, Read, Seek};
use std::sync::Arc;

use domain::records::Record;
use domain::time_rules::TimeRules;
use lake::tables::{PartitionWriter, RejectRow, Stored};
use lake::{Lake, TableRow};
use sources::{AccountLinks, FileError, ParseError, ParseReport, Rejection, RowParser, Sink};
use tokio::sync::mpsc;

use crate::error::IngestError;

/// What the parser sends.
enum Message<R> {
    Rows(Vec<R>),
    Rejected(Rejection),
}

/// Messages in flight; each holds a few thousand rows.
const IN_FLIGHT: usize = 4;

/// What one file gave.
pub struct Loaded {
    /// Counts of the parser.
    pub report: ParseReport,
    /// Rejected lines, ready to store.
    pub rejects: Vec<RejectRow>,
}

/// Parses a stored file and hands its rows to `writer`; without a writer the rows are only counted.
pub async fn load<P: RowParser>(
    lake: &Lake,
    batch: domain::BatchKey,
    file_name: &str,
    rules: &TimeRules,
    links: Option<Arc<AccountLinks>>,
    mut writer: Option<&mut PartitionWriter<Stored<P::Row>>>,
) -> Result<Loaded, IngestError>
where
    Stored<P::Row>: TableRow,
{
    let (sender, mut receiver) = mpsc::channel::<Message<P::Row>>(IN_FLIGHT);
    let reader = lake.raw().reader(batch, file_name).await?;
    let name = file_name.to_owned();
    let parser = tokio::task::spawn_blocking(move || parse_file::<P>(reader, &name, links.as_deref(), &mut Channel(sender)));

    let mut rejects = Vec::new();
    while let Some(message) = receiver.recv().await {
        match message {
            Message::Rows(rows) => {
                if let Some(writer) = writer.as_deref_mut() {
                    let stored = rows.into_iter().map(|row| Stored { known_at: row.known_at(rules), row }).collect();
                    writer.write(stored).await?;
                }
            }
            Message::Rejected(rejection) => rejects.push(reject_row(P::Row::SOURCE, file_name, rejection)),
        }
    }
    let report = parser.await.map_err(|error| IngestError::Internal(error.to_string()))??;
    Ok(Loaded { report, rejects })
}

fn parse_file<P: RowParser>(
    reader: impl Read,
    name: &str,
    links: Option<&AccountLinks>,
    sink: &mut Channel<P::Row>,
) -> Result<ParseReport, IngestError> {
    let parsed = if sources::is_archive(name) {
        spool(reader).map_err(|error| FileError::from(error).into()).and_then(|file| sources::parse_file::<P, _>(file, name, links, sink))
    } else {
        sources::parse_with::<P, _>(reader, name, links, sink)
    };
    parsed.map_err(|error| match error {
        ParseError::File(error) => IngestError::File { file: name.to_owned(), error },
        ParseError::Sink(Closed) => IngestError::Internal("the writer stopped".to_owned()),
    })
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

/// The parser's side of the channel.
struct Channel<R>(mpsc::Sender<Message<R>>);

/// The writer is gone.
struct Closed;

impl<R: Send> Sink<R> for Channel<R> {
    type Error = Closed;

    fn rows(&mut self, rows: &mut Vec<R>) -> Result<(), Closed> {
        self.0.blocking_send(Message::Rows(std::mem::take(rows))).map_err(|_| Closed)
    }

    fn rejected(&mut self, rejection: Rejection) -> Result<(), Closed> {
        self.0.blocking_send(Message::Rejected(rejection)).map_err(|_| Closed)
    }
}
