//! How many lines of a file repeat an earlier one, whatever the size of the file.
//!
//! Digests of 64 bits are spread over parts by their first bits; a part that fills its buffer goes to a temporary file. At the
//! end each part is sorted by itself. Two different lines that have the same digest would count as one: among a hundred
//! million lines, a chance in four thousand.

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::thread::{self, available_parallelism};

/// Parts, a power of two.
const PARTS: usize = 64;
/// Digests of a part in memory: 16 MiB for all of them.
const BUFFER: usize = 32 * 1024;

/// Digests of lines.
pub struct Duplicates {
    parts: Vec<Part>,
}

#[derive(Default)]
struct Part {
    buffer: Vec<u64>,
    spilled: Option<File>,
}

impl Default for Duplicates {
    fn default() -> Self {
        Self { parts: (0..PARTS).map(|_| Part::default()).collect() }
    }
}

impl Duplicates {
    /// Adds digests.
    pub fn add(&mut self, digests: &[u64]) -> io::Result<()> {
        for &digest in digests {
            let part = &mut self.parts[(digest >> (64 - PARTS.ilog2())) as usize];
            part.buffer.push(digest);
            if part.buffer.len() >= BUFFER {
                part.spill()?;
            }
        }
        Ok(())
    }

    /// How many digests were there already when they were added. On all cores.
    pub fn count(mut self) -> io::Result<u64> {
        let share = PARTS.div_ceil(available_parallelism().map_or(1, usize::from));
        thread::scope(|scope| {
            let count = |parts: &mut [Part]| parts.iter_mut().map(Part::count).sum::<io::Result<u64>>();
            let threads: Vec<_> = self.parts.chunks_mut(share).map(|parts| scope.spawn(move || count(parts))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap_or_else(|_| Err(io::Error::other("a thread failed")))).sum()
        })
    }
}

impl Part {
    fn spill(&mut self) -> io::Result<()> {
        let file = match &mut self.spilled {
            Some(file) => file,
            none => none.insert(tempfile::tempfile()?),
        };
        let bytes: Vec<u8> = self.buffer.drain(..).flat_map(u64::to_le_bytes).collect();
        file.write_all(&bytes)
    }

    fn count(&mut self) -> io::Result<u64> {
        let mut digests = std::mem::take(&mut self.buffer);
        if let Some(mut file) = self.spilled.take() {
            let mut bytes = Vec::new();
            file.rewind()?;
            file.read_to_end(&mut bytes)?;
            digests.extend(bytes.as_chunks().0.iter().map(|bytes| u64::from_le_bytes(*bytes)));
        }
        digests.sort_unstable();
        Ok(digests.windows(2).filter(|pair| pair[0] == pair[1]).count() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_repetition_counts_whatever_was_spilled() {
        for (lines, repeated) in [(0, 0), (10, 3), (3_000_000, 1_234)] {
            // Digests spread over all parts.
            let digest = |line: u64| (line + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let mut duplicates = Duplicates::default();
            let all: Vec<u64> = (0..lines).chain(0..repeated).map(digest).collect();
            all.chunks(1_000).for_each(|chunk| duplicates.add(chunk).unwrap());
            assert_eq!(duplicates.count().unwrap(), repeated, "{lines}");
        }
        let mut duplicates = Duplicates::default();
        duplicates.add(&[7; 5]).unwrap();
        assert_eq!(duplicates.count().unwrap(), 4);
    }
}
