//! A company's vector as bytes. The layout is ours because it must not change under us.
//!
//! ```text
//! 0  "SFV1"      4  schema, u64      12  month index, i32      16  batch, 8 bytes of text padded with spaces
//! 24 status, u8  25 padding, u8      26  values, u16           28  CRC-32 of everything but itself, u32
//! 32 values, f32 each; everything little-endian, NaN for null
//! ```

use bytes::{Buf, BufMut, Bytes, BytesMut};
use domain::{BatchKey, Month};

use crate::error::OnlineError;

const MAGIC: &[u8; 4] = b"SFV1";
const HEADER: usize = 32;
const CHECKSUM: usize = 28;

/// A vector with what it stands for.
#[derive(Debug, Clone, PartialEq)]
pub struct VectorBlob {
    /// Hash of the features, see [`schema_number`].
    pub schema_hash: u64,
    /// Batch that it was built from.
    pub batch: BatchKey,
    /// Month that it stands for.
    pub month: Month,
    /// Risk status of the company, as `panel` numbers it.
    pub status: u8,
    /// Values in the order of the catalogue; NaN for null.
    pub values: Vec<f32>,
}

/// The first 64 bits of a hexadecimal schema hash.
pub fn schema_number(hash: &str) -> u64 {
    hash.get(..16).and_then(|digits| u64::from_str_radix(digits, 16).ok()).unwrap_or_default()
}

impl VectorBlob {
    /// The blob.
    pub fn encode(&self) -> Bytes {
        let mut bytes = BytesMut::with_capacity(HEADER + 4 * self.values.len());
        bytes.put_slice(MAGIC);
        bytes.put_u64_le(self.schema_hash);
        bytes.put_i32_le(self.month.index());
        bytes.put_slice(format!("{:<8}", self.batch.to_string()).as_bytes());
        bytes.put_u8(self.status);
        bytes.put_u8(0);
        bytes.put_u16_le(self.values.len() as u16);
        bytes.put_u32_le(0);
        self.values.iter().for_each(|value| bytes.put_f32_le(*value));
        let checksum = checksum(&bytes);
        bytes[CHECKSUM..HEADER].copy_from_slice(&checksum.to_le_bytes());
        bytes.freeze()
    }

    /// Reads a blob; refuses anything that is not exactly what [`VectorBlob::encode`] wrote.
    pub fn decode(bytes: &[u8]) -> Result<Self, OnlineError> {
        if bytes.len() < HEADER || !bytes.starts_with(MAGIC) {
            return Err(OnlineError::Blob("not a vector"));
        }
        let mut header = &bytes[4..HEADER];
        let schema_hash = header.get_u64_le();
        let month = Month::from_index(header.get_i32_le()).ok_or(OnlineError::Blob("month"))?;
        let batch = std::str::from_utf8(&header[..8]).ok().and_then(|text| text.trim_end().parse().ok());
        header.advance(8);
        let (status, _, count, stored) = (header.get_u8(), header.get_u8(), header.get_u16_le(), header.get_u32_le());
        let mut values = &bytes[HEADER..];
        if values.len() != usize::from(count) * 4 {
            return Err(OnlineError::Blob("length"));
        }
        if checksum(bytes) != stored {
            return Err(OnlineError::Blob("checksum"));
        }
        Ok(Self {
            schema_hash,
            batch: batch.ok_or(OnlineError::Blob("batch"))?,
            month,
            status,
            values: (0..count).map(|_| values.get_f32_le()).collect(),
        })
    }
}

fn checksum(bytes: &[u8]) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(&bytes[..CHECKSUM]);
    crc.update(&bytes[HEADER..]);
    crc.finalize()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn blob(values: Vec<f32>) -> VectorBlob {
        VectorBlob { schema_hash: 7, batch: "2511_01".parse().unwrap(), month: "2025-10".parse().unwrap(), status: 3, values }
    }

    #[test]
    fn a_vector_takes_little_more_than_its_values() {
        let bytes = blob(vec![0.0; 150]).encode();
        assert!(bytes.len() as f64 / 150.0 <= 6.0, "{} bytes", bytes.len());
        assert_eq!(schema_number("00000000000000ffabc"), 255);
    }

    proptest! {
        #[test]
        fn blobs_are_read_back_bit_for_bit(bits in prop::collection::vec(any::<u32>(), 0..200)) {
            let vector = blob(bits.iter().map(|bits| f32::from_bits(*bits)).collect());
            let read = VectorBlob::decode(&vector.encode()).unwrap();
            let read_bits: Vec<u32> = read.values.iter().map(|value| value.to_bits()).collect();
            prop_assert_eq!(read_bits, bits);
            prop_assert_eq!((read.batch, read.month, read.status), (vector.batch, vector.month, vector.status));
        }

        #[test]
        fn a_damaged_blob_is_refused(position in 0usize..44, flip in 1u8..=255) {
            let mut bytes = blob(vec![1.0, 2.0, f32::NAN]).encode().to_vec();
            bytes[position] ^= flip;
            prop_assert!(VectorBlob::decode(&bytes).is_err());
            prop_assert!(VectorBlob::decode(&bytes[..position]).is_err());
        }
    }
}
