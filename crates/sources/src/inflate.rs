//! Compressed files, told from bombs: real ones shrink ten to thirty times, a bomb a thousand times.

use std::cell::Cell;
use std::io::{self, BufReader, Read, Seek};
use std::rc::Rc;

use flate2::bufread::MultiGzDecoder;

use crate::error::FileError;

/// How many times its size a file may grow.
const GROWTH: u64 = 200;
/// Bytes that any file may hold, however small it is compressed.
const ALWAYS: u64 = 16 * 1024 * 1024;
/// Bytes read at once.
const BUFFER: usize = 256 * 1024;

/// Counts the bytes that go through it.
struct Counted<R> {
    inner: R,
    count: Rc<Cell<u64>>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.count.set(self.count.get() + read as u64);
        Ok(read)
    }
}

/// What comes out of a decoder, as long as it is in proportion to what went in.
struct InProportion<R> {
    inner: R,
    taken: Rc<Cell<u64>>,
    given: u64,
}

impl<R: Read> Read for InProportion<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.given += read as u64;
        if self.given > ALWAYS.max(self.taken.get().saturating_mul(GROWTH)) {
            let text = format!("it grows more than {GROWTH} times when it is uncompressed: no file of a source does");
            return Err(io::Error::new(io::ErrorKind::InvalidData, text));
        }
        Ok(read)
    }
}

/// The content of a gzip file, of one member or several.
pub(crate) fn gunzip(input: impl Read) -> impl Read {
    let taken = Rc::new(Cell::new(0));
    let counted = Counted { inner: input, count: taken.clone() };
    InProportion { inner: MultiGzDecoder::new(BufReader::with_capacity(BUFFER, counted)), taken, given: 0 }
}

/// Opens the only file of a zip archive, as INSEE publishes them, and hands it to `read`.
pub(crate) fn read_zip<T>(archive: impl Read + Seek, read: impl FnOnce(&mut dyn Read) -> T) -> Result<T, FileError> {
    let failed = |error| FileError::Unreadable(io::Error::other::<zip::result::ZipError>(error));
    let mut archive = zip::ZipArchive::new(archive).map_err(failed)?;
    match archive.len() {
        0 => return Err(FileError::EmptyArchive),
        1 => {}
        several => return Err(FileError::SeveralFiles(several)),
    }
    let file = archive.by_index(0).map_err(failed)?;
    let taken = Rc::new(Cell::new(file.compressed_size()));
    Ok(read(&mut InProportion { inner: file, taken, given: 0 }))
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Write};

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn archive(names: &[&str], bytes: &[u8]) -> Cursor<Vec<u8>> {
        let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
        for name in names {
            archive.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
            archive.write_all(bytes).unwrap();
        }
        archive.finish().unwrap()
    }

    fn size(mut reader: impl Read) -> io::Result<u64> {
        io::copy(&mut reader, &mut io::sink())
    }

    #[test]
    fn a_bomb_is_refused_and_a_file_is_not() {
        let bomb = vec![b'0'; 64 * 1024 * 1024];
        let error = size(gunzip(gzip(&bomb).as_slice())).unwrap_err().to_string();
        assert!(error.contains("200 times"), "{error}");
        assert!(read_zip(archive(&["a.csv"], &bomb), |file| size(file)).unwrap().is_err());
        let small = &bomb[..1024 * 1024];
        assert_eq!(size(gunzip(gzip(small).as_slice())).unwrap(), small.len() as u64);
        let members = [gzip(b"siren\n"), gzip(b"732829320\n")].concat();
        assert_eq!(size(gunzip(members.as_slice())).unwrap(), 16);
    }

    #[test]
    fn an_archive_holds_one_file() {
        assert_eq!(read_zip(archive(&["a.csv"], b"x"), |file| size(file).unwrap()).unwrap(), 1);
        assert!(matches!(read_zip(archive(&[], b""), |_| ()), Err(FileError::EmptyArchive)));
        assert!(matches!(read_zip(archive(&["a.csv", "../b.csv"], b"x"), |_| ()), Err(FileError::SeveralFiles(2))));
        assert!(matches!(read_zip(Cursor::new(b"no archive".to_vec()), |_| ()), Err(FileError::Unreadable(_))));
    }
}
