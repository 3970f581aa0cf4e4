//! How many lines of a file repeat an earlier one, whatever the size of the file.
//!
//! Digests of 64 bits are spread over parts by their first bits; a part that fills its buffer goes to a temporary file. At the
//! end each part is counted by itself. Two different lines that have the same digest would count as one: among a hundred
//! million lines, a chance in four thousand.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
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
            let count = |parts: &mut [Part]| {
                let mut seen = Seen::default();
                parts.iter_mut().map(|part| part.count(&mut seen)).sum::<io::Result<u64>>()
            };
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

    fn count(&mut self, seen: &mut Seen) -> io::Result<u64> {
        let spilled = self.spilled.take().map(|mut file| file.seek(SeekFrom::End(0)).map(|size| (file, size))).transpose()?;
        seen.clear(self.buffer.len() + spilled.as_ref().map_or(0, |(_, size)| (size / 8) as usize));
        let mut repeated = seen.add(&self.buffer);
        if let Some((mut file, size)) = spilled {
            file.rewind()?;
            let mut bytes = vec![0; 8 * BUFFER];
            // A part spills whole buffers.
            for _ in 0..size / bytes.len() as u64 {
                file.read_exact(&mut bytes)?;
                self.buffer.clear();
                self.buffer.extend(bytes.as_chunks().0.iter().map(|bytes| u64::from_le_bytes(*bytes)));
                repeated += seen.add(&self.buffer);
            }
        }
        Ok(repeated)
    }
}

/// The digests seen, each at the place that its last bits say or the next free one. Used for one part after the other, so that
/// it stays in the processor's cache.
#[derive(Default)]
struct Seen {
    places: Vec<u64>,
    zero: bool,
}

/// The place of no digest; the digest that looks like it is noted apart.
const FREE: u64 = 0;

impl Seen {
    /// Forgets all, and makes room for so many digests.
    fn clear(&mut self, digests: usize) {
        self.places.clear();
        self.places.resize((digests * 2).next_power_of_two(), FREE);
        self.zero = false;
    }

    /// Adds digests; gives how many were there already.
    fn add(&mut self, digests: &[u64]) -> u64 {
        let last = self.places.len() - 1;
        let mut repeated = 0;
        for &digest in digests {
            if digest == FREE {
                repeated += u64::from(self.zero);
                self.zero = true;
                continue;
            }
            let mut at = digest as usize & last;
            while self.places[at] != FREE && self.places[at] != digest {
                at = (at + 1) & last;
            }
            repeated += u64::from(self.places[at] == digest);
            self.places[at] = digest;
        }
        repeated
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
        let mut seen = Seen::default();
        for _ in 0..2 {
            seen.clear(7);
            assert_eq!(seen.add(&[0, 5, 0, 0, 21, 5]) + seen.add(&[13, 21]), 4, "zero is a digest like another");
        }
    }
}
