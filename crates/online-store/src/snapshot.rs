//! The vectors of a generation as one immutable object: `online/<generation>.bin`.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use domain::{BatchKey, Siren};
use lake::{Lake, LakeError};
use sha2::{Digest, Sha256};

use crate::error::OnlineError;

fn path(generation: &str) -> String {
    format!("online/{generation}.bin")
}

/// Writes a snapshot and gives its generation, which names the batch and the content: the same vectors are the same
/// generation.
pub async fn write(lake: &Lake, batch: BatchKey, vectors: &[(Siren, Bytes)]) -> Result<String, OnlineError> {
    let mut bytes = BytesMut::with_capacity(vectors.iter().map(|(_, blob)| blob.len() + 8).sum());
    for (siren, blob) in vectors {
        bytes.put_u32_le(siren.number());
        bytes.put_u32_le(blob.len() as u32);
        bytes.put_slice(blob);
    }
    let bytes = bytes.freeze();
    let generation = format!("{batch}-{}", hex::encode(&Sha256::digest(&bytes)[..6]));
    lake.objects().put(&path(&generation), bytes).await?;
    Ok(generation)
}

/// Reads a snapshot, in the order it was written.
pub async fn read(lake: &Lake, generation: &str) -> Result<Vec<(Siren, Bytes)>, OnlineError> {
    let path = path(generation);
    let mut bytes = lake.objects().get(&path).await?;
    let corrupt = || LakeError::Corrupt { path: path.clone(), reason: "it ends in the middle of a vector".to_owned() };
    let mut vectors = Vec::new();
    while bytes.has_remaining() {
        let (siren, length) = (bytes.try_get_u32_le().map_err(|_| corrupt())?, bytes.try_get_u32_le().map_err(|_| corrupt())?);
        let siren = Siren::from_number(siren).ok_or_else(corrupt)?;
        if bytes.remaining() < length as usize {
            return Err(corrupt().into());
        }
        vectors.push((siren, bytes.split_to(length as usize)));
    }
    Ok(vectors)
}
