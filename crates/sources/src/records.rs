//! Splits a block of text into the records of a CSV file, as RFC 4180 and the existing importer read them
//! (`domain/ingestion.md` §0.1).
//!
//! Fields are slices of the block; only quoted ones are copied, into a buffer that is used again: no allocation per record.
//! A quoted field may hold line breaks. In a strict dialect a stray quote spoils its record and reading goes on with the next
//! line.

use std::ops::Range;

use memchr::memchr;
use wide::u8x16;

use crate::error::FileError;
use crate::layout::Dialect;

/// Longest record accepted, bytes.
pub(crate) const LONGEST: usize = 1024 * 1024;

/// What a record turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Fields are there.
    Good,
    /// A quote where none may stand, in this field.
    BareQuote(usize),
}

/// Where the content of a field is.
#[derive(Debug, Clone, Copy)]
struct Field {
    start: u32,
    end: u32,
    /// In the buffer of quoted fields, not in the block.
    unquoted: bool,
}

/// A reader of the records of a block.
pub(crate) struct Records<'b> {
    block: &'b [u8],
    dialect: Dialect,
    /// Where the next record begins.
    next: usize,
    /// The current record, without the line break at its end.
    raw: Range<usize>,
    fields: Vec<Field>,
    /// Contents of the quoted fields of the current record.
    unquoted: Vec<u8>,
    /// Physical lines read.
    lines: u64,
    /// First physical line of the current record, from 1.
    start: u64,
    /// Whether there are quotes in the block.
    quotes: bool,
    /// Whether the block holds the current record whole: it ends with a line break, and not inside quotes.
    whole: bool,
}

impl<'b> Records<'b> {
    pub(crate) fn new(block: &'b [u8], dialect: Dialect) -> Self {
        let (fields, unquoted, quotes) = (Vec::new(), Vec::new(), memchr(b'"', block).is_some());
        Self { block, dialect, next: 0, raw: 0..0, fields, unquoted, lines: 0, start: 0, quotes, whole: false }
    }

    /// Physical line where the current record starts, from 1.
    pub(crate) const fn line(&self) -> u64 {
        self.start
    }

    /// Physical lines read.
    pub(crate) const fn lines(&self) -> u64 {
        self.lines
    }

    /// Number of fields of the current record.
    pub(crate) const fn len(&self) -> usize {
        self.fields.len()
    }

    /// A field of the current record.
    #[inline]
    pub(crate) fn field(&self, position: usize) -> &[u8] {
        let Field { start, end, unquoted } = self.fields[position];
        let text = if unquoted { &self.unquoted } else { self.block };
        &text[start as usize..end as usize]
    }

    /// The current record as it stands in the block, without the line break at its end.
    pub(crate) fn raw(&self) -> &'b [u8] {
        &self.block[self.raw.clone()]
    }

    /// Where the block goes on after the current record, if it holds that record whole.
    pub(crate) fn end(&self) -> Option<usize> {
        self.whole.then_some(self.next)
    }

    /// Reads the next record; blank lines are passed over. `None` at the end of the block.
    pub(crate) fn next(&mut self) -> Result<Option<Shape>, FileError> {
        while self.next < self.block.len() {
            self.fields.clear();
            self.start = self.lines + 1;
            let begin = self.next;
            let shape = match self.plain(begin) {
                Some(()) => Shape::Good,
                None => self.quoted(begin)?,
            };
            if self.raw.len() > LONGEST {
                return Err(self.endless());
            }
            if !self.raw.is_empty() {
                return Ok(Some(shape));
            }
        }
        Ok(None)
    }

    fn endless(&self) -> FileError {
        FileError::EndlessLine { line: self.start, limit: LONGEST }
    }

    fn push(&mut self, start: usize, end: usize, unquoted: bool) {
        self.fields.push(Field { start: start as u32, end: end as u32, unquoted });
    }

    /// Splits a record without quotes; `None` if it has one.
    fn plain(&mut self, begin: usize) -> Option<()> {
        if self.quotes && memchr(b'"', &self.block[begin..self.line_end(begin).0]).is_some() {
            return None;
        }
        let (fields, mut start) = (&mut self.fields, begin as u32);
        let line_break = split(&self.block[begin..], self.dialect.delimiter, |position| {
            let end = (begin + position) as u32;
            fields.push(Field { start, end, unquoted: false });
            start = end + 1;
        });
        let at = line_break.map_or(self.block.len(), |found| begin + found);
        let end = if line_break.is_some_and(|found| found > 0) && self.block[at - 1] == b'\r' { at - 1 } else { at };
        self.push(start as usize, end, false);
        self.ended(begin..end, at, line_break.is_some());
        Some(())
    }

    /// Notes where the record ended: `at` is its line break, or the end of the block.
    fn ended(&mut self, raw: Range<usize>, at: usize, line_break: bool) {
        self.raw = raw;
        self.lines += 1;
        self.whole = line_break;
        self.next = at + usize::from(line_break);
    }

    /// The end of the line that begins at `from`: of its content, and of its break.
    fn line_end(&self, from: usize) -> (usize, usize, bool) {
        match memchr(b'\n', &self.block[from..]) {
            Some(found) => {
                let at = from + found;
                let end = if found > 0 && self.block[at - 1] == b'\r' { at - 1 } else { at };
                (end, at, true)
            }
            None => (self.block.len(), self.block.len(), false),
        }
    }

    /// Splits a record that holds a quote.
    fn quoted(&mut self, begin: usize) -> Result<Shape, FileError> {
        self.fields.clear();
        self.unquoted.clear();
        let mut line = Line { begin, limit: self.line_end(begin) };
        let mut position = begin;
        let mut shape = Shape::Good;
        let mut open = false;
        loop {
            if self.block.get(position) == Some(&b'"') && position < line.limit.0 {
                let start = self.unquoted.len();
                match self.quoted_field(position + 1, &mut line)? {
                    Quoted::Closed(after) => position = after,
                    Quoted::Stray => {
                        shape = Shape::BareQuote(self.fields.len());
                        break;
                    }
                    Quoted::Open => {
                        open = true;
                        position = line.limit.0;
                        if !self.dialect.lazy_quotes {
                            shape = Shape::BareQuote(self.fields.len());
                            break;
                        }
                    }
                }
                self.push(start, self.unquoted.len(), true);
            } else {
                let rest = &self.block[position..line.limit.0];
                let end = memchr(self.dialect.delimiter, rest).map_or(line.limit.0, |found| position + found);
                if !self.dialect.lazy_quotes && memchr(b'"', &self.block[position..end]).is_some() {
                    shape = Shape::BareQuote(self.fields.len());
                    break;
                }
                self.push(position, end, false);
                position = end;
            }
            if position >= line.limit.0 {
                break;
            }
            position += 1;
        }
        let (end, at, line_break) = line.limit;
        self.ended(begin..end, at, line_break);
        self.whole &= !open;
        Ok(shape)
    }

    /// Reads a quoted field from after its opening quote. Line breaks inside the quotes belong to the field.
    fn quoted_field(&mut self, mut position: usize, line: &mut Line) -> Result<Quoted, FileError> {
        loop {
            let limit = line.limit.0;
            let Some(found) = memchr(b'"', &self.block[position..limit]) else {
                self.unquoted.extend_from_slice(&self.block[position..limit]);
                let (_, at, line_break) = line.limit;
                if !line_break || at + 1 == self.block.len() {
                    return Ok(Quoted::Open);
                }
                self.unquoted.push(b'\n');
                self.lines += 1;
                position = at + 1;
                line.limit = self.line_end(position);
                if line.limit.0 - line.begin > LONGEST {
                    return Err(self.endless());
                }
                continue;
            };
            let quote = position + found;
            self.unquoted.extend_from_slice(&self.block[position..quote]);
            match self.block[..limit].get(quote + 1) {
                Some(b'"') => {
                    self.unquoted.push(b'"');
                    position = quote + 2;
                }
                None => return Ok(Quoted::Closed(quote + 1)),
                Some(next) if *next == self.dialect.delimiter => return Ok(Quoted::Closed(quote + 1)),
                Some(_) if self.dialect.lazy_quotes => {
                    self.unquoted.push(b'"');
                    position = quote + 1;
                }
                Some(_) => return Ok(Quoted::Stray),
            }
        }
    }
}

/// Calls `found` with each position of the delimiter in the first line of a text, in order; gives that of the line break, if
/// there is one. Fields are short: sixteen bytes are looked at together, which beats a search from one delimiter to the next.
#[inline]
fn split(text: &[u8], delimiter: u8, mut found: impl FnMut(usize)) -> Option<usize> {
    const LANES: usize = 16;
    let (pieces, rest) = text.as_chunks::<LANES>();
    let (wanted, line_break) = (u8x16::splat(delimiter), u8x16::splat(b'\n'));
    for (index, piece) in pieces.iter().enumerate() {
        let piece = u8x16::new(*piece);
        let (mut delimiters, breaks) = (piece.simd_eq(wanted).to_bitmask(), piece.simd_eq(line_break).to_bitmask());
        if breaks != 0 {
            // Those before the break.
            delimiters &= (breaks & breaks.wrapping_neg()) - 1;
        }
        while delimiters != 0 {
            found(index * LANES + delimiters.trailing_zeros() as usize);
            delimiters &= delimiters - 1;
        }
        if breaks != 0 {
            return Some(index * LANES + breaks.trailing_zeros() as usize);
        }
    }
    let at = text.len() - rest.len();
    for (index, byte) in rest.iter().enumerate() {
        if *byte == b'\n' {
            return Some(at + index);
        }
        if *byte == delimiter {
            found(at + index);
        }
    }
    None
}

/// The physical line being read: where its record begins, and the ends of its content and of its break, if it has one.
struct Line {
    begin: usize,
    limit: (usize, usize, bool),
}

/// How a quoted field ended.
enum Quoted {
    /// By its closing quote, before this position.
    Closed(usize),
    /// By a quote where none may stand.
    Stray,
    /// Not at all: the block ends before.
    Open,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, lazy_quotes: bool) -> Vec<(u64, Result<Vec<String>, usize>)> {
        let dialect = Dialect { delimiter: b';', lazy_quotes };
        let mut records = Records::new(text.as_bytes(), dialect);
        let mut all = Vec::new();
        while let Some(shape) = records.next().unwrap() {
            let fields = (0..records.len()).map(|i| String::from_utf8(records.field(i).to_vec()).unwrap()).collect();
            all.push((
                records.line(),
                match shape {
                    Shape::Good => Ok(fields),
                    Shape::BareQuote(field) => Err(field),
                },
            ));
        }
        all
    }

    fn good(line: u64, fields: &[&str]) -> (u64, Result<Vec<String>, usize>) {
        (line, Ok(fields.iter().map(ToString::to_string).collect()))
    }

    #[test]
    fn quotes_line_breaks_and_blank_lines() {
        let text = "a;b\r\n\r\n\"x;y\";\"say \"\"hi\"\"\"\n\n\"two\nlines\";z\n;\nlast;no break";
        let expected = [
            good(1, &["a", "b"]),
            good(3, &["x;y", "say \"hi\""]),
            good(5, &["two\nlines", "z"]),
            good(7, &["", ""]),
            good(8, &["last", "no break"]),
        ];
        assert_eq!(read(text, false), expected);
    }

    #[test]
    fn a_stray_quote_spoils_its_line_only() {
        let text = "a;b\nx\"y;z\n\"q\"r;s\nc;d\n";
        assert_eq!(read(text, false), [good(1, &["a", "b"]), (2, Err(0)), (3, Err(0)), good(4, &["c", "d"])]);
        let lazy = [good(1, &["a", "b"]), good(2, &["x\"y", "z"]), good(3, &["q\"r", "s"]), good(4, &["c", "d"])];
        // A lazy quoted field goes on to a quote before a delimiter: `"q"r;s` has none, so it takes the rest of the file.
        assert_eq!(read("a;b\nx\"y;z\n", true), lazy[..2]);
    }

    #[test]
    fn every_delimiter_before_the_break_is_found() {
        for length in 0..40 {
            for break_at in 0..=length {
                let byte = |index: usize| [b';', b'<', b':', 0x3b ^ 0x80, 0, 0xff, b'\r', 0x0a ^ 0x80][(index * 7 + length) % 8];
                let mut text: Vec<u8> = (0..length).map(byte).collect();
                if break_at < length {
                    text[break_at] = b'\n';
                }
                let mut found = Vec::new();
                let line_break = split(&text, b';', |position| found.push(position));
                assert_eq!(line_break, (break_at < length).then_some(break_at), "{text:x?}");
                let expected: Vec<usize> = (0..break_at).filter(|index| text[*index] == b';').collect();
                assert_eq!(found, expected, "{text:x?}");
            }
        }
    }

    #[test]
    fn an_endless_line_is_refused() {
        let line = vec![b'a'; LONGEST + 10];
        let mut records = Records::new(line.as_slice(), Dialect { delimiter: b';', lazy_quotes: false });
        assert!(matches!(records.next(), Err(FileError::EndlessLine { line: 1, .. })));
    }
}
