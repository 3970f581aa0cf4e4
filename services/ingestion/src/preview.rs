//! One file parsed without storing anything: its rows as JSON lines, in the columns of their table.

use std::io::{Read, Seek, Write};

use arrow::json::LineDelimitedWriter;
use domain::Source;
use domain::records::Record;
use domain::time_rules::TimeRules;
use lake::TableRow;
use lake::tables::Stored;
use sources::{ParseError, ParseReport, Rejection, RowParser, Sink};

use crate::error::IngestError;
use crate::tables;

/// Parses a file as the given source. Rows go to `rows` as JSON, one a line; rejected lines to `rejected`.
pub fn preview(
    source: Source,
    file: impl Read + Seek,
    name: &str,
    rows: &mut dyn Write,
    rejected: &mut dyn FnMut(Rejection),
) -> Result<ParseReport, IngestError> {
    tables::dispatch!(source, Parser => preview_as::<Parser>(file, name, rows, rejected))
}

fn preview_as<P: RowParser>(
    file: impl Read + Seek,
    name: &str,
    rows: &mut dyn Write,
    rejected: &mut dyn FnMut(Rejection),
) -> Result<ParseReport, IngestError>
where
    Stored<P::Row>: TableRow,
{
    let mut printer = Printer { rows, rejected, rules: TimeRules::default() };
    sources::parse_file::<P, _>(file, name, None, &mut printer).map_err(|error| match error {
        ParseError::File(error) => IngestError::File { file: name.to_owned(), error },
        ParseError::Sink(error) => error,
    })
}

struct Printer<'a> {
    rows: &'a mut dyn Write,
    rejected: &'a mut dyn FnMut(Rejection),
    rules: TimeRules,
}

impl<R: Record> Sink<R> for Printer<'_>
where
    Stored<R>: TableRow,
{
    type Error = IngestError;

    fn rows(&mut self, rows: &mut Vec<R>) -> Result<(), IngestError> {
        let stored: Vec<Stored<R>> = rows.drain(..).map(|row| Stored { known_at: row.known_at(&self.rules), row }).collect();
        let printed = |error: arrow::error::ArrowError| IngestError::Internal(error.to_string());
        let mut writer = LineDelimitedWriter::new(&mut *self.rows);
        writer.write(&Stored::encode(&stored)?).map_err(printed)?;
        writer.finish().map_err(printed)
    }

    fn rejected(&mut self, rejection: Rejection) -> Result<(), IngestError> {
        (self.rejected)(rejection);
        Ok(())
    }
}
