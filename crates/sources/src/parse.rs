//! Runs the parser of a source over a file.

use std::io::{BufRead, BufReader, Read, Seek};

use domain::records::Record;

use crate::error::{FileError, ParseError};
use crate::fields::{Fields, Issue, decode};
use crate::files::RowParser;
use crate::inflate::{gunzip, read_zip};
use crate::json::{JsonText, is_json};
use crate::layout::Layout;
use crate::links::AccountLinks;
use crate::records::{Records, Shape};
use crate::report::{ParseReport, Reason, Rejection, Warning};
use crate::utf16::{Utf16Text, is_utf16};
use crate::xlsx::read_xlsx;

/// Rows handed over together.
const CHUNK: usize = 4_096;
/// Characters kept of a rejected value.
const VALUE: usize = 200;
/// Bytes read at once.
const BUFFER: usize = 256 * 1024;

/// Takes what a file gives, in the order of its lines.
pub trait Sink<R> {
    /// Why it cannot take more: parsing stops.
    type Error;

    /// Takes rows: what it leaves in the vector is lost.
    fn rows(&mut self, rows: &mut Vec<R>) -> Result<(), Self::Error>;

    /// Takes a rejected line.
    fn rejected(&mut self, rejection: Rejection) -> Result<(), Self::Error>;
}

/// Parses a whole file. A name that ends in `.gz` says that it is compressed; a byte-order mark is passed over, and that of
/// UTF-16 obeyed; JSON is told by its first byte.
pub fn parse<P: RowParser, S: Sink<P::Row>>(input: impl Read, file_name: &str, sink: &mut S) -> Result<ParseReport, ParseError<S::Error>> {
    parse_with::<P, S>(input, file_name, None, sink)
}

/// The same, knowing whose the accounts are in files that name nothing else.
pub fn parse_with<P: RowParser, S: Sink<P::Row>>(
    input: impl Read,
    file_name: &str,
    links: Option<&AccountLinks>,
    sink: &mut S,
) -> Result<ParseReport, ParseError<S::Error>> {
    let input = BufReader::with_capacity(BUFFER, input);
    if ends(file_name, ".gz") {
        parse_content::<P, S>(BufReader::with_capacity(BUFFER, gunzip(input)), links, sink)
    } else {
        parse_content::<P, S>(input, links, sink)
    }
}

/// Whether a file of this name is an archive, which only [`parse_file`] reads: its directory stands at its end.
pub fn is_archive(file_name: &str) -> bool {
    ends(file_name, ".zip") || ends(file_name, ".xlsx")
}

/// Parses a file that can be read from anywhere, archives among them: the only file of a zip, the only sheet of a workbook.
pub fn parse_file<P: RowParser, S: Sink<P::Row>>(
    file: impl Read + Seek,
    file_name: &str,
    links: Option<&AccountLinks>,
    sink: &mut S,
) -> Result<ParseReport, ParseError<S::Error>> {
    let parse = |content: &mut dyn Read| parse_with::<P, S>(content, "", links, sink);
    if ends(file_name, ".zip") {
        read_zip(file, parse)?
    } else if ends(file_name, ".xlsx") {
        read_xlsx(file, P::DIALECT.delimiter, parse)?
    } else {
        parse_with::<P, S>(file, file_name, links, sink)
    }
}

fn ends(file_name: &str, end: &str) -> bool {
    file_name.to_ascii_lowercase().ends_with(end)
}

fn parse_content<P: RowParser, S: Sink<P::Row>>(
    mut input: impl BufRead,
    links: Option<&AccountLinks>,
    sink: &mut S,
) -> Result<ParseReport, ParseError<S::Error>> {
    let start = input.fill_buf().map_err(FileError::from)?;
    if is_utf16(start) {
        return parse_text::<P, S>(BufReader::with_capacity(BUFFER, Utf16Text::new(input)), links, sink);
    }
    if is_json(start) {
        let columns = P::COLUMNS.all().map(|column| column.name).collect();
        return parse_text::<P, S>(BufReader::new(JsonText::new(input, columns, P::DIALECT.delimiter)), links, sink);
    }
    parse_text::<P, S>(input, links, sink)
}

fn parse_text<P: RowParser, S: Sink<P::Row>>(
    input: impl BufRead,
    links: Option<&AccountLinks>,
    sink: &mut S,
) -> Result<ParseReport, ParseError<S::Error>> {
    let mut records = Records::new(input, P::DIALECT);
    let header = records.next()?.ok_or(FileError::Empty)?;
    let (layout, header_is_data) = layout::<P>(&records, header)?;
    if links.is_none() && P::SIRET_OR_ACCOUNT.is_some_and(|siret| layout.position(siret).is_none()) {
        return Err(FileError::NoAccountLinks.into());
    }
    let mut parser = P::new(&layout)?;
    let (mut report, mut rows, mut warnings) = (ParseReport::default(), Vec::with_capacity(CHUNK), Vec::new());
    let mut next = if header_is_data { Some(header) } else { records.next()? };
    while let Some(shape) = next {
        report.lines += 1;
        let before = rows.len();
        let issue = match shape {
            Shape::BareQuote(field) => Err(Issue::Reject(field, Reason::BareQuote)),
            Shape::Good if records.len() != layout.names().len() => Err(Issue::Reject(usize::MAX, Reason::WrongFieldCount)),
            Shape::Good => parser.row(&mut Fields::new(&layout, &records, &mut warnings, links), &mut rows),
        };
        match issue {
            Ok(()) => {
                report.valid += 1;
                warnings.drain(..).for_each(|warning: Warning| *report.warnings.entry(warning).or_default() += 1);
            }
            Err(Issue::Skip(reason)) => *report.skipped.entry(reason).or_default() += 1,
            Err(Issue::Reject(field, reason)) => {
                *report.rejected.entry(reason).or_default() += 1;
                let rejection = rejection(&records, &layout, report.lines, field, reason);
                sink.rejected(rejection).map_err(ParseError::Sink)?;
            }
        }
        if issue.is_err() {
            rows.truncate(before);
            warnings.clear();
        }
        if rows.len() >= CHUNK {
            hand_over(&mut rows, &mut report, sink)?;
        }
        next = records.next()?;
    }
    hand_over(&mut rows, &mut report, sink)?;
    Ok(report)
}

fn hand_over<R: Record, S: Sink<R>>(rows: &mut Vec<R>, report: &mut ParseReport, sink: &mut S) -> Result<(), ParseError<S::Error>> {
    if rows.is_empty() {
        return Ok(());
    }
    report.made(rows);
    sink.rows(rows).map_err(ParseError::Sink)?;
    rows.clear();
    Ok(())
}

/// The columns of a file, and whether its first record is data already.
fn layout<P: RowParser>(records: &Records<impl BufRead>, header: Shape) -> Result<(Layout, bool), FileError> {
    let fields = if header == Shape::Good { records.len() } else { 0 };
    let mut names: Vec<String> = (0..fields).map(|field| decode(records.field(field)).trim().to_owned()).collect();
    if let Some(first) = names.first_mut()
        && let Some(rest) = first.strip_prefix('\u{feff}')
    {
        *first = rest.trim_matches('"').to_owned();
    }
    let known = |name: &String| P::COLUMNS.required.iter().any(|required| name.eq_ignore_ascii_case(required.name));
    let header_is_data = P::HEADER_MAY_LACK && header == Shape::Good && !names.iter().any(known);
    if header_is_data {
        names = (0..fields).map(|field| P::COLUMNS.required.get(field).map_or("", |column| column.name).to_owned()).collect();
    }
    Layout::find(P::Row::SOURCE, names, P::COLUMNS).map(|layout| (layout, header_is_data))
}

fn rejection(records: &Records<impl BufRead>, layout: &Layout, record: u64, field: usize, reason: Reason) -> Rejection {
    let column = layout.names().get(field).cloned();
    let whole = matches!(reason, Reason::WrongFieldCount | Reason::BareQuote) || column.is_none();
    // A whole line may name people: its digits and separators are enough to see what is wrong with it.
    let masked = |c: char| if whole && c.is_alphabetic() { 'x' } else { c };
    let value = if whole { records.raw() } else { records.field(field) };
    let value = decode(value).chars().take(VALUE).map(masked).collect();
    Rejection { line: records.line(), record, column, reason, value }
}
