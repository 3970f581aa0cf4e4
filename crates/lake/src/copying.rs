//! A local file that is copied while it is read: whoever reads sees exactly what is stored, and the file is read once.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use sha2::{Digest, Sha256};

use crate::direct::Direct;
use crate::files::{make_folder, sync};

/// Bytes read at once when nobody else reads.
const PIECE: usize = 1024 * 1024;

/// The copy. A clone goes on where the other stopped.
#[derive(Clone)]
pub(crate) struct Copying(Arc<Mutex<State>>);

struct State {
    source: File,
    /// `None` once it has ended.
    copy: Option<Direct>,
    target: PathBuf,
    digest: Sha256,
    size: u64,
    /// A failed write loses what was read: nothing can be stored any more.
    failed: bool,
}

impl Copying {
    /// Opens the source, and the copy under a name that nothing has.
    pub(crate) fn begin(source: &Path, target: &Path) -> io::Result<Self> {
        make_folder(target.parent().unwrap_or(target))?;
        let (source, copy, target) = (File::open(source)?, Some(Direct::create(target)?), target.to_owned());
        let state = State { source, copy, target, digest: Sha256::new(), size: 0, failed: false };
        Ok(Self(Arc::new(Mutex::new(state))))
    }

    /// Copies what was not read, and makes the copy durable; gives its size and its SHA-256.
    pub(crate) fn end(self) -> io::Result<(u64, String)> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut piece = vec![0; PIECE];
        while state.read(&mut piece)? > 0 {}
        state.copy.take().map_or(Ok(()), Direct::end)?;
        sync(&state.target)?;
        Ok((state.size, hex::encode(state.digest.clone().finalize())))
    }
}

impl Read for Copying {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).read(buffer)
    }
}

impl State {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.failed {
            return Err(io::Error::other("the copy of this file failed"));
        }
        let read = self.source.read(buffer)?;
        self.failed = true;
        match &mut self.copy {
            Some(copy) => copy.write(&buffer[..read])?,
            None => return Err(io::Error::other("the copy of this file has ended")),
        }
        self.digest.update(&buffer[..read]);
        self.size += read as u64;
        self.failed = false;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_is_what_is_stored() {
        let folder = tempfile::tempdir().unwrap();
        let content: Vec<u8> = (0..9 * PIECE as u32 + 77).map(|value| (value % 253) as u8).collect();
        let source = folder.path().join("a.csv");
        std::fs::write(&source, &content).unwrap();
        for (name, read) in [("none", 0), ("half", content.len() as u64 / 2), ("all", u64::MAX)] {
            let target = folder.path().join("raw").join(name);
            let copying = Copying::begin(&source, &target).unwrap();
            let mut seen = Vec::new();
            copying.clone().take(read).read_to_end(&mut seen).unwrap();
            assert!(content.starts_with(&seen));
            let expected = (content.len() as u64, hex::encode(Sha256::digest(&content)));
            assert_eq!(copying.end().unwrap(), expected, "{name}");
            assert!(std::fs::read(&target).unwrap() == content);
            assert!(Copying::begin(&source, &target).is_err(), "a file is never written over");
        }
    }
}
