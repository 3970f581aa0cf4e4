//! Splits bytes into the records of a CSV file, as RFC 4180 and the existing importer read them (`domain/ingestion.md` §0.1).
//!
//! Fields of a record are slices of one buffer that is used again for the next: no allocation per record. A quoted field
//! may hold line breaks. In a strict dialect a stray quote spoils its record and reading goes on with the next line.

use std::io::{BufRead, Read};

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

/// A reader of records.
pub(crate) struct Records<R> {
    input: R,
    dialect: Dialect,
    /// The physical lines of the record as read.
    raw: Vec<u8>,
    /// Contents of the fields, one after the other.
    text: Vec<u8>,
    /// End of each field in `text`.
    ends: Vec<usize>,
    /// Physical lines read.
    lines: u64,
    /// First physical line of the current record.
    start: u64,
}

impl<R: BufRead> Records<R> {
    pub(crate) fn new(input: R, dialect: Dialect) -> Self {
        Self { input, dialect, raw: Vec::new(), text: Vec::new(), ends: Vec::new(), lines: 0, start: 0 }
    }

    /// Physical line where the current record starts, from 1.
    pub(crate) fn line(&self) -> u64 {
        self.start
    }

    /// Number of fields of the current record.
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// A field of the current record.
    pub(crate) fn field(&self, position: usize) -> &[u8] {
        let start = if position == 0 { 0 } else { self.ends[position - 1] };
        &self.text[start..self.ends[position]]
    }

    /// The current record as it was read, without its line break.
    pub(crate) fn raw(&self) -> &[u8] {
        &self.raw
    }

    /// Reads the next record; blank lines are passed over. `None` at the end.
    pub(crate) fn next(&mut self) -> Result<Option<Shape>, FileError> {
        loop {
            self.raw.clear();
            if !self.read_line()? {
                return Ok(None);
            }
            self.start = self.lines;
            trim_break(&mut self.raw);
            if !self.raw.is_empty() {
                return self.split().map(Some);
            }
        }
    }

    /// Appends a physical line, its break included. `false` at the end.
    fn read_line(&mut self) -> Result<bool, FileError> {
        let before = self.raw.len();
        let limit = (LONGEST + 1).saturating_sub(before) as u64;
        let read = self.input.by_ref().take(limit).read_until(b'\n', &mut self.raw)?;
        if read == 0 && before == 0 {
            return Ok(false);
        }
        self.lines += 1;
        if self.raw.len() > LONGEST {
            return Err(FileError::EndlessLine { line: self.lines, limit: LONGEST });
        }
        Ok(read > 0)
    }

    fn split(&mut self) -> Result<Shape, FileError> {
        self.text.clear();
        self.ends.clear();
        if memchr::memchr(b'"', &self.raw).is_none() {
            let mut start = 0;
            for comma in memchr::memchr_iter(self.dialect.delimiter, &self.raw).chain([self.raw.len()]) {
                self.text.extend_from_slice(&self.raw[start..comma]);
                self.ends.push(self.text.len());
                start = comma + 1;
            }
            return Ok(Shape::Good);
        }
        self.split_quoted()
    }

    fn split_quoted(&mut self) -> Result<Shape, FileError> {
        let mut position = 0;
        loop {
            if self.raw.get(position) == Some(&b'"') {
                match self.quoted_field(position + 1)? {
                    Ok(after) => position = after,
                    Err(shape) => return Ok(shape),
                }
            } else {
                let rest = &self.raw[position..];
                let end = memchr::memchr(self.dialect.delimiter, rest).map_or(self.raw.len(), |found| position + found);
                if !self.dialect.lazy_quotes && memchr::memchr(b'"', &self.raw[position..end]).is_some() {
                    return Ok(Shape::BareQuote(self.ends.len()));
                }
                self.text.extend_from_slice(&self.raw[position..end]);
                position = end;
            }
            self.ends.push(self.text.len());
            if position >= self.raw.len() {
                return Ok(Shape::Good);
            }
            position += 1;
        }
    }

    /// Reads a quoted field from after its opening quote; gives the position after its closing one. Line breaks inside the
    /// quotes belong to the field.
    fn quoted_field(&mut self, mut position: usize) -> Result<Result<usize, Shape>, FileError> {
        loop {
            let Some(found) = memchr::memchr(b'"', &self.raw[position..]) else {
                self.text.extend_from_slice(&self.raw[position..]);
                position = self.raw.len();
                self.raw.push(b'\n');
                if !self.read_line()? {
                    // The file ends inside quotes.
                    self.raw.pop();
                    let shape = if self.dialect.lazy_quotes { Ok(position) } else { Err(Shape::BareQuote(self.ends.len())) };
                    return Ok(shape);
                }
                trim_break(&mut self.raw);
                continue;
            };
            let quote = position + found;
            self.text.extend_from_slice(&self.raw[position..quote]);
            match self.raw.get(quote + 1) {
                Some(b'"') => {
                    self.text.push(b'"');
                    position = quote + 2;
                }
                None => return Ok(Ok(quote + 1)),
                Some(next) if *next == self.dialect.delimiter => return Ok(Ok(quote + 1)),
                Some(_) if self.dialect.lazy_quotes => {
                    self.text.push(b'"');
                    position = quote + 1;
                }
                Some(_) => return Ok(Err(Shape::BareQuote(self.ends.len()))),
            }
        }
    }
}

fn trim_break(line: &mut Vec<u8>) {
    if line.last() == Some(&b'\n') {
        line.pop();
        if line.last() == Some(&b'\r') {
            line.pop();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use super::*;

    fn read(text: &str, lazy_quotes: bool) -> Vec<(u64, Result<Vec<String>, usize>)> {
        let dialect = Dialect { delimiter: b';', lazy_quotes };
        let mut records = Records::new(BufReader::with_capacity(3, text.as_bytes()), dialect);
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
    fn an_endless_line_is_refused() {
        let line = vec![b'a'; LONGEST + 10];
        let mut records = Records::new(line.as_slice(), Dialect { delimiter: b';', lazy_quotes: false });
        assert!(matches!(records.next(), Err(FileError::EndlessLine { line: 1, .. })));
    }
}
