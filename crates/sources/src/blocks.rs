//! Cuts a text into blocks that hold whole records, so that several threads can parse them.

use std::io::{self, Read};
use std::sync::{Arc, Mutex, PoisonError};

use memchr::{memchr, memrchr};

use crate::error::FileError;
use crate::layout::Dialect;
use crate::records::{LONGEST, Records};

/// Bytes of a block, about. A record longer than the limit makes no block.
pub(crate) const BLOCK: usize = 2 * LONGEST;

/// Memory of blocks that were parsed, for those to come.
#[derive(Clone, Default)]
pub(crate) struct Spent(Arc<Mutex<Vec<Vec<u8>>>>);

impl Spent {
    /// Gives a block back.
    pub(crate) fn put(&self, block: Vec<u8>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(block);
    }

    fn take(&self) -> Vec<u8> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default()
    }
}

/// The blocks of a text.
pub(crate) struct Blocks<'i> {
    input: Box<dyn Read + 'i>,
    dialect: Dialect,
    size: usize,
    /// The beginning of a record, read after the end of the last block.
    rest: Vec<u8>,
    spent: Spent,
    ended: bool,
    /// Physical lines of the blocks given.
    lines: u64,
}

impl<'i> Blocks<'i> {
    pub(crate) fn new(input: Box<dyn Read + 'i>, dialect: Dialect, size: usize) -> Self {
        Self { input, dialect, size, rest: Vec::new(), spent: Spent::default(), ended: false, lines: 0 }
    }

    /// Where blocks go once they are parsed.
    pub(crate) fn spent(&self) -> Spent {
        self.spent.clone()
    }

    /// The next block: it ends where a record ends. `None` after the last one.
    pub(crate) fn next(&mut self) -> Result<Option<Vec<u8>>, FileError> {
        // What a spent block holds is written over.
        let mut block = self.spent.take();
        let mut filled = self.rest.len();
        block.resize(block.len().max(filled), 0);
        block[..filled].copy_from_slice(&self.rest);
        self.rest.clear();
        while !self.ended {
            filled = self.fill(&mut block, filled)?;
            if self.ended {
                break;
            }
            if let Some(end) = self.end(&block[..filled])? {
                self.rest.extend_from_slice(&block[end..filled]);
                block.truncate(end);
                self.lines += memchr::memchr_iter(b'\n', &block).count() as u64;
                return Ok(Some(block));
            }
            if filled > LONGEST {
                return Err(FileError::EndlessLine { line: self.lines + 1, limit: LONGEST });
            }
        }
        block.truncate(filled);
        Ok(if block.is_empty() { None } else { Some(block) })
    }

    /// Reads up to the size of a block, after what is filled already; gives how much then is.
    fn fill(&mut self, block: &mut Vec<u8>, filled: usize) -> io::Result<usize> {
        let mut at = filled;
        let wanted = self.size.max(at + self.size.div_ceil(2));
        block.resize(wanted, 0);
        while at < wanted {
            match self.input.read(&mut block[at..]) {
                Ok(0) => {
                    self.ended = true;
                    break;
                }
                Ok(read) => at += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(at)
    }

    /// The end of the last record that a block holds whole. Without quotes that is the last line break; with quotes only
    /// reading the records tells.
    fn end(&self, block: &[u8]) -> Result<Option<usize>, FileError> {
        if memchr(b'"', block).is_none() {
            return Ok(memrchr(b'\n', block).map(|found| found + 1));
        }
        let (mut records, mut last) = (Records::new(block, self.dialect), None);
        while records.next()?.is_some() {
            last = records.end().or(last);
        }
        Ok(last)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn blocks(text: &[u8], size: usize, lazy_quotes: bool) -> Result<Vec<Vec<u8>>, FileError> {
        let mut blocks = Blocks::new(Box::new(text), Dialect { delimiter: b';', lazy_quotes }, size);
        let mut all = Vec::new();
        while let Some(block) = blocks.next()? {
            all.push(block);
        }
        Ok(all)
    }

    /// The records of a text: line, fields or the position of a stray quote.
    fn records(blocks: &[Vec<u8>], lazy_quotes: bool) -> Vec<(u64, Vec<Vec<u8>>)> {
        let (mut all, mut lines) = (Vec::new(), 0);
        for block in blocks {
            let mut records = Records::new(block, Dialect { delimiter: b';', lazy_quotes });
            while let Some(shape) = records.next().unwrap() {
                let fields = match shape {
                    crate::records::Shape::Good => (0..records.len()).map(|field| records.field(field).to_vec()).collect(),
                    crate::records::Shape::BareQuote(_) => vec![],
                };
                all.push((lines + records.line(), fields));
            }
            lines += records.lines();
        }
        all
    }

    #[test]
    fn blocks_end_where_records_end() {
        assert_eq!(blocks(b"a;b\nc;d\ne", 6, false).unwrap(), [&b"a;b\n"[..], b"c;d\ne"]);
        assert_eq!(blocks(b"\"a\nb\";c\nd;e\n", 9, false).unwrap(), [&b"\"a\nb\";c\n"[..], b"d;e\n"]);
        assert!(blocks(b"", 9, false).unwrap().is_empty());
        let endless = [b"a\n".as_slice(), &vec![b'x'; 3 * LONGEST]].concat();
        assert!(matches!(blocks(&endless, BLOCK, false), Err(FileError::EndlessLine { line: 2, .. })));
    }

    proptest! {
        /// However a text is cut, its records are those of the whole.
        #[test]
        fn cutting_changes_nothing(pieces in prop::collection::vec(prop::sample::select(&["a", ";", "\"", "\"\"", "\n", "\r\n", "bc", " "][..]), 0..60), size in 1usize..40, lazy in any::<bool>()) {
            let text = pieces.concat();
            let whole = records(&[text.clone().into_bytes()], lazy);
            let cut = records(&blocks(text.as_bytes(), size, lazy).unwrap(), lazy);
            prop_assert_eq!(cut, whole);
        }
    }
}
