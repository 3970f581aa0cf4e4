//! One file parsed without storing anything: its rows as JSON lines, in the columns of their table.

use std::io::{Read, Seek, Write};

use arrow::json::LineDelimitedWriter;
use domain::Source;
use domain::records::Record;
use domain::time_rules::TimeRules;
use lake::tables::Stored;
use lake::{Columnar, TableRow};
use sources::{ParseError, Parsed, RowParser, Sink};

use crate::error::IngestError;
use crate::tables;

/// Parses a file as the given source. Rows go to `rows` as JSON, one a line.
pub fn preview(source: Source, file: impl Read + Seek, name: &str, rows: &mut (dyn Write + Send)) -> Result<Parsed, IngestError> {
    tables::dispatch!(source, Parser => preview_as::<Parser>(file, name, rows))
}

fn preview_as<P: RowParser>(file: impl Read + Seek, name: &str, rows: &mut (dyn Write + Send)) -> Result<Parsed, IngestError>
where
    P::Row: Columnar,
{
    let mut printer = Printer { rows, rules: TimeRules::default() };
    sources::parse_file::<P, _>(file, name, None, std::slice::from_mut(&mut printer)).map_err(|error| match error {
        ParseError::File(error) => IngestError::File { file: name.to_owned(), error },
        ParseError::Sink(error) => error,
    })
}

struct Printer<'a> {
    rows: &'a mut (dyn Write + Send),
    rules: TimeRules,
}

impl<R: Record + Columnar> Sink<R> for Printer<'_> {
    type Error = IngestError;

    fn rows(&mut self, rows: &mut Vec<R>) -> Result<(), IngestError> {
        let stored: Vec<Stored<R>> = rows.drain(..).map(|row| Stored { known_at: row.known_at(&self.rules), row }).collect();
        let printed = |error: arrow::error::ArrowError| IngestError::Internal(error.to_string());
        let mut writer = LineDelimitedWriter::new(&mut *self.rows);
        writer.write(&Stored::encode(&stored)?).map_err(printed)?;
        writer.finish().map_err(printed)
    }
}
