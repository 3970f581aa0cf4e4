//! Text in UTF-16, as Bureau van Dijk exports it, read as UTF-8 (`domain/ingestion.md` §1.15).
//!
//! The byte-order mark tells which byte comes first, and is not handed on. Memory is that of one buffer of the input.
//! Malformed text spoils the file: what follows it cannot be trusted.

use std::io::{self, BufRead, Read};

/// Whether these first bytes begin a byte-order mark of UTF-16: no UTF-8 text holds such a byte.
pub(crate) fn is_utf16(start: &[u8]) -> bool {
    matches!(start.first(), Some(0xff | 0xfe))
}

/// A file in UTF-16 as UTF-8.
pub(crate) struct Utf16Text<R> {
    input: R,
    decoder: Decoder,
    /// Bytes of the decoded text handed on.
    given: usize,
}

impl<R: BufRead> Utf16Text<R> {
    /// Reads from the byte-order mark on.
    pub(crate) fn new(input: R) -> Self {
        Self { input, decoder: Decoder::default(), given: 0 }
    }
}

impl<R: BufRead> Read for Utf16Text<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.given == self.decoder.text.len() {
            self.decoder.text.clear();
            self.given = 0;
            let bytes = self.input.fill_buf()?;
            if bytes.is_empty() {
                return self.decoder.end().map(|()| 0);
            }
            bytes.iter().try_for_each(|byte| self.decoder.push(*byte))?;
            let read = bytes.len();
            self.input.consume(read);
        }
        let count = buffer.len().min(self.decoder.text.len() - self.given);
        buffer[..count].copy_from_slice(&self.decoder.text[self.given..self.given + count]);
        self.given += count;
        Ok(count)
    }
}

/// Makes characters of bytes.
#[derive(Default)]
struct Decoder {
    /// How two bytes make a unit, once the mark has told.
    order: Option<fn([u8; 2]) -> u16>,
    /// First byte of a unit.
    odd: Option<u8>,
    /// First unit of a character of two.
    high: Option<u16>,
    text: Vec<u8>,
}

impl Decoder {
    fn push(&mut self, byte: u8) -> io::Result<()> {
        let Some(first) = self.odd.take() else {
            self.odd = Some(byte);
            return Ok(());
        };
        let Some(order) = self.order else {
            self.order = Some(match [first, byte] {
                [0xff, 0xfe] => u16::from_le_bytes,
                [0xfe, 0xff] => u16::from_be_bytes,
                _ => return Err(malformed("it begins with half a byte-order mark")),
            });
            return Ok(());
        };
        let unit = order([first, byte]);
        let character = match self.high.take() {
            None if matches!(unit, 0xd800..=0xdbff) => {
                self.high = Some(unit);
                return Ok(());
            }
            None => char::from_u32(unit.into()),
            Some(high) => char::decode_utf16([high, unit]).next().and_then(Result::ok),
        };
        let character = character.ok_or_else(|| malformed("half a character stands alone"))?;
        self.text.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        Ok(())
    }

    fn end(&self) -> io::Result<()> {
        if self.odd.is_some() || self.high.is_some() { Err(malformed("it ends inside a character")) } else { Ok(()) }
    }
}

fn malformed(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("not UTF-16: {what}"))
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use proptest::prelude::*;

    use super::*;

    fn read(bytes: &[u8], buffer: usize) -> io::Result<String> {
        let mut out = String::new();
        Utf16Text::new(BufReader::with_capacity(buffer, bytes)).read_to_string(&mut out).map(|_| out)
    }

    fn encode(text: &str, order: fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(order).collect()
    }

    #[test]
    fn malformed_text_is_refused() {
        for bytes in [
            &b"\xff"[..],
            b"\xfe",
            b"\xff\xffa\0",
            b"\xfe\xfe\0a",
            b"\xff\xfea\0b",
            b"\xff\xfe\x00\xd8",
            b"\xff\xfe\x00\xd8a\0",
            b"\xff\xfe\x00\xdca\0",
            b"\xff\xfe\x00\xd8\x00\xd8\x00\xdc",
        ] {
            assert_eq!(read(bytes, 4).unwrap_err().kind(), io::ErrorKind::InvalidData, "{bytes:x?}");
        }
        assert_eq!(read(b"\xff\xfe", 4).unwrap(), "");
        assert!(is_utf16(b"\xff\xfe") && is_utf16(b"\xfe") && !is_utf16(b"\xef\xbb\xbf") && !is_utf16(b""));
    }

    proptest! {
        #[test]
        fn any_text_is_read_back(text in any::<String>(), buffer in 1usize..9) {
            let marked = format!("\u{feff}{text}");
            prop_assert_eq!(read(&encode(&marked, u16::to_le_bytes), buffer).unwrap(), text.as_str());
            prop_assert_eq!(read(&encode(&marked, u16::to_be_bytes), buffer).unwrap(), text.as_str());
        }
    }
}
