//! A local file that is copied while it is read: whoever reads sees exactly what is stored, and the file is read once.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use sha2::{Digest, Sha256};

use crate::files::{make_folder, sync};

/// Bytes after which the copy is sent to the disk, so that little is left to wait for at the end.
const FLUSH: u64 = 32 * 1024 * 1024;
/// Bytes read at once when nobody else reads.
const PIECE: usize = 1024 * 1024;

/// The copy. A clone goes on where the other stopped.
#[derive(Clone)]
pub(crate) struct Copying(Arc<Mutex<State>>);

struct State {
    source: File,
    copy: File,
    target: PathBuf,
    digest: Sha256,
    size: u64,
    flushed: u64,
    flusher: Option<(SyncSender<()>, JoinHandle<io::Result<()>>)>,
    /// A failed write loses what was read: nothing can be stored any more.
    failed: bool,
}

impl Copying {
    /// Opens the source, and the copy under a name that nothing has.
    pub(crate) fn begin(source: &Path, target: &Path) -> io::Result<Self> {
        make_folder(target.parent().unwrap_or(target))?;
        let (source, copy, target) = (File::open(source)?, File::create_new(target)?, target.to_owned());
        let state = State { source, copy, target, digest: Sha256::new(), size: 0, flushed: 0, flusher: None, failed: false };
        Ok(Self(Arc::new(Mutex::new(state))))
    }

    /// Copies what was not read, and makes the copy durable; gives its size and its SHA-256.
    pub(crate) fn end(self) -> io::Result<(u64, String)> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut piece = vec![0; PIECE];
        while state.read(&mut piece)? > 0 {}
        if let Some((sender, flusher)) = state.flusher.take() {
            drop(sender);
            flusher.join().unwrap_or_else(|_| Err(io::Error::other("the disk could not be waited for")))?;
        }
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
        self.copy.write_all(&buffer[..read])?;
        self.digest.update(&buffer[..read]);
        self.size += read as u64;
        if self.size - self.flushed >= FLUSH {
            self.flush()?;
        }
        self.failed = false;
        Ok(read)
    }

    /// Has what was written so far sent to the disk in the background. When that is still busy, the next time will do.
    fn flush(&mut self) -> io::Result<()> {
        self.flushed = self.size;
        if self.flusher.is_none() {
            let (sender, receiver) = sync_channel(1);
            let copy = self.copy.try_clone()?;
            let flusher = thread::spawn(move || receiver.into_iter().try_for_each(|()| copy.sync_data()));
            self.flusher = Some((sender, flusher));
        }
        if let Some((sender, _)) = &self.flusher {
            // A flusher that failed says so at the end.
            let _ = sender.try_send(());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_is_what_is_stored() {
        let folder = tempfile::tempdir().unwrap();
        let content: Vec<u8> = (0..FLUSH as u32 + 77).map(|value| (value % 253) as u8).collect();
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
