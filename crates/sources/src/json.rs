//! JSON as the public APIs give it, one object a line or in an array, read as the records of a CSV file.
//!
//! Parsers then see fields, whatever the file was. Nested values keep their JSON text. An object that cannot be read spoils
//! its line; inside an array it spoils the file, since nobody can tell where the next one begins.

use std::io::{self, BufRead, Read};

use serde_json::{Map, Value};

use crate::records::LONGEST;

/// Whether these first bytes, marks and blanks aside, are those of JSON rather than of a header.
pub(crate) fn is_json(start: &[u8]) -> bool {
    let start = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(start).trim_ascii_start();
    matches!(start.first(), Some(b'{' | b'['))
}

/// The objects of a file as delimited text: a header, then a line for each.
pub(crate) struct JsonText<R> {
    input: R,
    columns: Vec<&'static str>,
    delimiter: u8,
    in_array: Option<bool>,
    text: Vec<u8>,
    given: usize,
    ended: bool,
}

impl<R: BufRead> JsonText<R> {
    /// Reads the members of these names; others are left aside.
    pub(crate) fn new(input: R, columns: Vec<&'static str>, delimiter: u8) -> Self {
        let text = [columns.join(&char::from(delimiter).to_string()).as_bytes(), b"\n"].concat();
        Self { input, columns, delimiter, in_array: None, text, given: 0, ended: false }
    }

    /// Puts the next object into `text`; `false` at the end.
    fn next(&mut self) -> io::Result<bool> {
        self.text.clear();
        self.given = 0;
        let Some(first) = self.skip_between()? else { return Ok(false) };
        if self.in_array.is_none() {
            self.in_array = Some(first == b'[');
            if first == b'[' {
                self.input.consume(1);
                return self.next();
            }
        }
        if self.in_array == Some(true) { self.element() } else { self.line() }?;
        Ok(true)
    }

    /// Passes over what stands between objects; gives the first byte of the next.
    fn skip_between(&mut self) -> io::Result<Option<u8>> {
        loop {
            let buffer = self.input.fill_buf()?;
            if buffer.is_empty() {
                return if self.in_array == Some(true) { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(None) };
            }
            match buffer[0] {
                b']' if self.in_array == Some(true) => return Ok(None),
                b',' if self.in_array == Some(true) => self.input.consume(1),
                // Blanks, and the bytes of a mark.
                byte if byte.is_ascii_whitespace() || matches!(byte, 0xef | 0xbb | 0xbf) => self.input.consume(1),
                byte => return Ok(Some(byte)),
            }
        }
    }

    fn element(&mut self) -> io::Result<()> {
        let mut limited = self.input.by_ref().take(LONGEST as u64);
        let object = serde_json::Deserializer::from_reader(&mut limited).into_iter::<Map<String, Value>>().next();
        match object {
            Some(Ok(object)) => self.write(&object),
            Some(Err(error)) => return Err(io::Error::new(io::ErrorKind::InvalidData, error)),
            None => return Err(io::ErrorKind::UnexpectedEof.into()),
        }
        Ok(())
    }

    fn line(&mut self) -> io::Result<()> {
        let mut line = Vec::new();
        self.input.by_ref().take(LONGEST as u64 + 1).read_until(b'\n', &mut line)?;
        if line.len() > LONGEST {
            return Err(io::Error::new(io::ErrorKind::InvalidData, format!("an object is longer than {LONGEST} bytes")));
        }
        if let Ok(object) = serde_json::from_slice::<Map<String, Value>>(&line) {
            self.write(&object);
        } else {
            // One field where several are expected: the line is refused, and shown as it is.
            self.field(&String::from_utf8_lossy(line.trim_ascii()));
            self.text.push(b'\n');
        }
        Ok(())
    }

    fn write(&mut self, object: &Map<String, Value>) {
        for position in 0..self.columns.len() {
            if position > 0 {
                self.text.push(self.delimiter);
            }
            match object.get(self.columns[position]) {
                None | Some(Value::Null) => {}
                Some(Value::String(text)) => self.field(text),
                Some(other) => self.field(&other.to_string()),
            }
        }
        self.text.push(b'\n');
    }

    fn field(&mut self, text: &str) {
        self.text.push(b'"');
        // Line breaks inside a value would move the number of every line after it.
        for byte in text.bytes().map(|byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { byte }) {
            self.text.push(byte);
            if byte == b'"' {
                self.text.push(byte);
            }
        }
        self.text.push(b'"');
    }
}

impl<R: BufRead> Read for JsonText<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.given == self.text.len() && !self.ended {
            self.ended = !self.next()?;
        }
        let count = buffer.len().min(self.text.len() - self.given);
        buffer[..count].copy_from_slice(&self.text[self.given..self.given + count]);
        self.given += count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> io::Result<String> {
        let mut out = String::new();
        JsonText::new(text.as_bytes(), vec!["id", "list", "text"], b';').read_to_string(&mut out).map(|_| out)
    }

    #[test]
    fn objects_become_lines() {
        let objects = [r#"{"text": "say \"hi\";\nbye", "id": 7, "more": true}"#, r#"{"list": ["a", "b"], "id": null}"#];
        let expected = "id;list;text\n\"7\";;\"say \"\"hi\"\"; bye\"\n;\"[\"\"a\"\",\"\"b\"\"]\";\n";
        assert_eq!(read(&objects.join("\n")).unwrap(), expected);
        assert_eq!(read(&format!("\u{feff}[ {} ]", objects.join(",\n "))).unwrap(), expected);
        assert_eq!(read("[]").unwrap(), "id;list;text\n");
    }

    #[test]
    fn a_broken_object_spoils_its_line_or_its_array() {
        assert_eq!(read("{\"id\": 1}\n{broken\n{\"id\": 2}\n").unwrap(), "id;list;text\n\"1\";;\n\"{broken\"\n\"2\";;\n");
        assert!(read("[{\"id\": 1}, {broken}]").is_err());
        assert!(read("[{\"id\": 1}, {\"id\": 2}").is_err(), "an array that does not end is a truncated file");
        assert!(is_json(b"\xef\xbb\xbf [") && is_json(b"{") && !is_json(b"siren;x") && !is_json(b""));
    }
}
