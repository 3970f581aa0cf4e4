//! A new file that is written past the page cache, on a thread of its own: what is stored is not read again soon, and the
//! processor's time is better spent on what is done with the bytes meanwhile. Where the file system can't, it is written as
//! any other.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};

/// Bytes written at once.
const PIECE: usize = 4 * 1024 * 1024;
/// Pieces that are filled or written at a time.
const PIECES: usize = 2;
/// What addresses, sizes and positions must be a multiple of: the largest block that disks have.
const ALIGNMENT: usize = 4096;

/// Bytes on their way to the disk, at an address that it takes.
struct Piece {
    space: Vec<u8>,
    begin: usize,
    filled: usize,
}

impl Piece {
    fn new() -> Self {
        let space = vec![0; PIECE + ALIGNMENT];
        let begin = space.as_ptr().align_offset(ALIGNMENT).min(ALIGNMENT);
        Self { space, begin, filled: 0 }
    }

    fn bytes(&self) -> &[u8] {
        &self.space[self.begin..self.begin + self.filled]
    }

    /// Takes as many bytes as there is room for; gives how many.
    fn fill(&mut self, bytes: &[u8]) -> usize {
        let taken = bytes.len().min(PIECE - self.filled);
        let at = self.begin + self.filled;
        self.space[at..at + taken].copy_from_slice(&bytes[..taken]);
        self.filled += taken;
        taken
    }
}

/// The file. What was given to it is on the disk only after [`Direct::end`].
pub(crate) struct Direct {
    current: Piece,
    full: Sender<Piece>,
    empty: Receiver<Piece>,
    writer: JoinHandle<io::Result<()>>,
}

impl Direct {
    /// Creates a file that does not exist yet.
    pub(crate) fn create(target: &Path) -> io::Result<Self> {
        let cached = File::create_new(target)?;
        let direct = OpenOptions::new().write(true).custom_flags(past_the_cache()).open(target).or_else(|_| cached.try_clone())?;
        let (full, pieces) = channel();
        let (written, empty) = channel();
        for _ in 1..PIECES {
            // The receiver is here.
            let _ = written.send(Piece::new());
        }
        let writer = thread::spawn(move || write(&cached, direct, &pieces, &written));
        Ok(Self { current: Piece::new(), full, empty, writer })
    }

    /// Adds bytes at the end.
    pub(crate) fn write(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            bytes = &bytes[self.current.fill(bytes)..];
            if self.current.filled == PIECE {
                // A writer that failed takes and gives nothing any more; the end says why.
                let next = self.empty.recv().map_err(io::Error::other)?;
                let full = std::mem::replace(&mut self.current, next);
                self.full.send(full).map_err(|_| io::Error::other("the copy can't be written"))?;
            }
        }
        Ok(())
    }

    /// Waits until all bytes are written. They outlive a power cut once the file is synced.
    pub(crate) fn end(self) -> io::Result<()> {
        // Nobody takes it when the writer failed, which it says itself.
        let _ = self.full.send(self.current);
        drop((self.full, self.empty));
        self.writer.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

/// Writes pieces until there are no more, and gives them back empty.
fn write(cached: &File, mut direct: File, pieces: &Receiver<Piece>, written: &Sender<Piece>) -> io::Result<()> {
    let mut position = 0;
    for mut piece in pieces {
        let bytes = piece.bytes();
        if bytes.len() % ALIGNMENT == 0 {
            match direct.write_all_at(bytes, position) {
                Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
                    direct = cached.try_clone()?;
                    direct.write_all_at(bytes, position)?;
                }
                result => result?,
            }
        } else {
            cached.write_all_at(bytes, position)?;
        }
        position += bytes.len() as u64;
        piece.filled = 0;
        // At the end nobody wants it back.
        let _ = written.send(piece);
    }
    Ok(())
}

#[cfg(target_os = "linux")]
const fn past_the_cache() -> i32 {
    libc::O_DIRECT
}

#[cfg(not(target_os = "linux"))]
const fn past_the_cache() -> i32 {
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_every_size_are_written_whole() {
        // One folder on a disk, and one in memory, where there may be no way past the cache.
        let folders = [tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR")), tempfile::tempdir_in("/dev/shm")];
        for folder in folders.into_iter().flatten() {
            for size in [0, 1, ALIGNMENT, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE + 2 * ALIGNMENT, 3 * PIECE + 77] {
                let content: Vec<u8> = (0..size).map(|value| (value % 251) as u8).collect();
                let target = folder.path().join(size.to_string());
                let mut file = Direct::create(&target).unwrap();
                for some in content.chunks(1_000_003) {
                    file.write(some).unwrap();
                }
                file.end().unwrap();
                assert!(std::fs::read(&target).unwrap() == content, "{size} in {folder:?}");
                assert!(Direct::create(&target).is_err(), "a file is never written over");
            }
        }
    }

    #[test]
    fn a_disk_that_is_full_is_said() {
        if let Ok(full) = OpenOptions::new().write(true).open("/dev/full") {
            let (sender, pieces) = channel();
            let (written, _empty) = channel();
            let mut piece = Piece::new();
            piece.fill(b"some");
            sender.send(piece).unwrap();
            drop(sender);
            assert!(write(&full, full.try_clone().unwrap(), &pieces, &written).is_err());
        }
    }
}
