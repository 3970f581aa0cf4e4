//! Runs the parser of a source over a file: on the calling thread, or cut into blocks that several threads parse.

use std::io::{self, BufRead, BufReader, Read, Seek};

use domain::records::Record;

use crate::blocks::{BLOCK, Blocks};
use crate::error::{FileError, ParseError};
use crate::fields::decode;
use crate::files::{Columns, RowParser};
use crate::inflate::{gunzip, read_zip};
use crate::json::{JsonText, is_json};
use crate::layout::{Dialect, Layout};
use crate::links::AccountLinks;
use crate::records::{Records, Shape};
use crate::report::{ParseReport, Rejection};
use crate::utf16::{Utf16Text, is_utf16};
use crate::workers::{self, Task};
use crate::xlsx::read_xlsx;

/// Bytes read at once.
const BUFFER: usize = 256 * 1024;

/// Takes what a thread makes of a file.
pub trait Sink<R>: Send {
    /// Why it cannot take more: parsing stops.
    type Error: Send;

    /// Rows wanted at a time, about.
    fn wanted(&self) -> usize {
        4_096
    }

    /// Takes rows: what it leaves in the vector is lost.
    fn rows(&mut self, rows: &mut Vec<R>) -> Result<(), Self::Error>;

    /// Takes a digest of each line, for who wants to find those that are repeated: equal lines have equal digests, and others
    /// almost never.
    fn digests(&mut self, digests: &[u64]) -> Result<(), Self::Error> {
        let _ = digests;
        Ok(())
    }
}

/// Keeps all rows.
impl<R: Send> Sink<R> for Vec<R> {
    type Error = std::convert::Infallible;

    fn rows(&mut self, rows: &mut Vec<R>) -> Result<(), Self::Error> {
        self.append(rows);
        Ok(())
    }
}

/// What a file gave beside its rows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Parsed {
    /// Counts.
    pub report: ParseReport,
    /// Rejected lines in their order, [`MOST_REJECTIONS`] at most; the report counts all of them.
    pub rejections: Vec<Rejection>,
}

/// Rejected lines kept of a file: a file of nothing else must not fill the memory.
pub const MOST_REJECTIONS: usize = 100_000;

/// Parses a whole file. A name that ends in `.gz` says that it is compressed; a byte-order mark is passed over, and that of
/// UTF-16 obeyed; JSON is told by its first byte. `links` say whose the accounts are in files that name nothing else.
///
/// With one sink all is done on the calling thread; with several, each has a thread that parses its share of a large file,
/// while this one reads and inflates. Memory: a few MiB a thread, and what the sinks hold.
pub fn parse<P: RowParser, S: Sink<P::Row>>(
    mut input: impl Read,
    file_name: &str,
    links: Option<&AccountLinks>,
    sinks: &mut [S],
) -> Result<Parsed, ParseError<S::Error>> {
    text::<P, S::Error>(delimited::<P>(&mut input, file_name).map_err(FileError::from)?, BLOCK, links, dynamic(sinks))
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
    sinks: &mut [S],
) -> Result<Parsed, ParseError<S::Error>> {
    if ends(file_name, ".zip") {
        read_zip(file, |content| parse::<P, S>(content, "", links, sinks))?
    } else if ends(file_name, ".xlsx") {
        read_xlsx(file, P::DIALECT.delimiter, |content| parse::<P, S>(content, "", links, sinks))?
    } else {
        parse::<P, S>(file, file_name, links, sinks)
    }
}

fn ends(file_name: &str, end: &str) -> bool {
    file_name.to_ascii_lowercase().ends_with(end)
}

/// The sinks, whatever they are: a parser is compiled once for all.
fn dynamic<R, S: Sink<R>>(sinks: &mut [S]) -> Vec<&mut dyn Sink<R, Error = S::Error>> {
    sinks.iter_mut().map(|sink| sink as &mut dyn Sink<R, Error = S::Error>).collect()
}

/// The delimited text of a file, whatever it is written in.
fn delimited<'i, P: RowParser>(input: &'i mut dyn Read, file_name: &str) -> io::Result<Box<dyn Read + 'i>> {
    let input = BufReader::with_capacity(BUFFER, input);
    if ends(file_name, ".gz") {
        content(BufReader::with_capacity(BUFFER, gunzip(input)), P::COLUMNS, P::DIALECT)
    } else {
        content(input, P::COLUMNS, P::DIALECT)
    }
}

fn content<'i>(mut input: impl BufRead + 'i, columns: Columns, dialect: Dialect) -> io::Result<Box<dyn Read + 'i>> {
    let start = input.fill_buf()?;
    Ok(if is_utf16(start) {
        Box::new(Utf16Text::new(input))
    } else if is_json(start) {
        Box::new(JsonText::new(input, columns.all().map(|column| column.name).collect(), dialect.delimiter))
    } else {
        Box::new(input)
    })
}

/// Parses delimited text, cut into blocks of about this size.
fn text<P: RowParser, E: Send>(
    input: Box<dyn Read + '_>,
    block: usize,
    links: Option<&AccountLinks>,
    sinks: Vec<&mut dyn Sink<P::Row, Error = E>>,
) -> Result<Parsed, ParseError<E>> {
    let mut blocks = Blocks::new(input, P::DIALECT, block);
    let first = blocks.next()?.ok_or(FileError::Empty)?;
    let mut records = Records::new(&first, P::DIALECT);
    let header = records.next()?.ok_or(FileError::Empty)?;
    let (layout, header_is_data) = layout::<P>(&records, header)?;
    if links.is_none() && P::SIRET_OR_ACCOUNT.is_some_and(|siret| layout.position(siret).is_none()) {
        return Err(FileError::NoAccountLinks.into());
    }
    let parser = P::new(&layout)?;
    let (data, lines) = if header_is_data { (0, 0) } else { (records.end().unwrap_or(first.len()), records.lines()) };
    let task = Task { layout: &layout, links };
    workers::run(&task, parser, &first[data..], lines, &mut blocks, sinks)
}

/// The columns of a file, and whether its first record is data already.
fn layout<P: RowParser>(records: &Records<'_>, header: Shape) -> Result<(Layout, bool), FileError> {
    if memchr::memchr(0, records.raw()).is_some() {
        return Err(FileError::Binary);
    }
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

#[cfg(test)]
mod tests {
    use domain::records::ShortTimeConsumption;
    use proptest::prelude::*;

    use super::*;
    use crate::files::{ProcolParser, ShortTimeConsumptionParser};
    use crate::report::Reason;

    fn read<P: RowParser>(body: &str, block: usize, threads: usize) -> (Vec<P::Row>, Parsed) {
        let mut sinks: Vec<Vec<P::Row>> = (0..threads).map(|_| Vec::new()).collect();
        let parsed = text::<P, _>(Box::new(body.as_bytes()), block, None, dynamic(&mut sinks)).unwrap();
        (sinks.concat(), parsed)
    }

    const HEADER: &str = "Siret;Siren;Dt_effet;Cat_v2;Lib_actx_stdx\n";

    proptest! {
        /// However a file is cut and by however many threads it is parsed, it gives the same rows and says the same.
        #[test]
        fn threads_change_nothing(lines in prop::collection::vec("(73282932000074;732829320;26MAY20[01][0-9];1;ouverture_liquidation|;;;;|\"x\ny\";1;2|73282932000074;1;1MAY;1;a|\n)\n", 0..60), block in 60usize..400) {
            let body = format!("{HEADER}{}", lines.concat());
            let (mut whole, expected) = read::<ProcolParser>(&body, BLOCK, 1);
            for threads in [1, 3] {
                let (mut rows, parsed) = read::<ProcolParser>(&body, block, threads);
                rows.sort_by_key(|row| row.effective);
                whole.sort_by_key(|row| row.effective);
                prop_assert_eq!(&rows, &whole);
                prop_assert_eq!(&parsed, &expected);
            }
        }
    }

    #[test]
    fn what_the_first_records_say_is_known_to_all_threads() {
        let body = format!("ID_DA,ETAB_SIRET,MOIS,HEURES,MONTANTS,EFFECTIFS\n{}", "a,73282932000074,05/2019,1.5,,\n".repeat(200));
        let (rows, parsed) = read::<ShortTimeConsumptionParser>(&body, 100, 3);
        assert_eq!((rows.len(), parsed.report.valid), (200, 200));
        let first: &ShortTimeConsumption = &rows[0];
        assert!(rows.iter().all(|row| row == first));
    }

    #[test]
    fn lines_are_numbered_across_blocks() {
        let good = "73282932000074;732829320;26MAY2014;1;ouverture_liquidation\n";
        let body = format!("{HEADER}{}bad\n\n{good}also bad\n", good.repeat(50));
        let (_, parsed) = read::<ProcolParser>(&body, 150, 2);
        let found: Vec<(u64, u64)> = parsed.rejections.iter().map(|rejection| (rejection.line, rejection.record)).collect();
        assert_eq!(found, [(52, 51), (55, 53)]);
        assert_eq!(parsed.report.rejected[&Reason::WrongFieldCount], 2);
    }

    #[test]
    fn nul_bytes_are_refused() {
        let body = format!("{HEADER}73282932000074;732829320;26MAY2014;1;a\0b\n");
        assert_eq!(read::<ProcolParser>(&body, BLOCK, 1).1.report.rejected[&Reason::NulByte], 1);
        let error = parse::<ProcolParser, Vec<_>>(&b"Siret;\0\n"[..], "", None, &mut [Vec::new()]);
        assert!(matches!(error, Err(ParseError::File(FileError::Binary))));
    }
}
