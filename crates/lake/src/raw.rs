//! Deliveries as they were received: `raw/<batch>/<id>/<name>`, each under an id of its own, and a manifest that
//! says which file is current and what its digest is.

use std::collections::BTreeMap;
use std::io::Read;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use domain::BatchKey;
use futures::stream::BoxStream;
use futures::{Stream, StreamExt};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::error::{LakeError, Result};
use crate::root::Lake;

/// A stored file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RawFile {
    /// Path in the root.
    pub path: String,
    /// Bytes.
    pub size: u64,
    /// SHA-256, hexadecimal.
    pub sha256: String,
}

/// Files of a batch by name.
type Manifest = BTreeMap<String, RawFile>;

/// The raw files of a root.
pub struct Raw<'a> {
    pub(crate) lake: &'a Lake,
}

impl Raw<'_> {
    /// Stores a file of a batch. What was stored under the same name stays where it is; the manifest points to the new one
    /// once it is whole, and has the SHA-256 announced, if any.
    pub async fn put<E: std::fmt::Display>(
        &self,
        batch: BatchKey,
        name: &str,
        sha256: Option<&str>,
        stream: impl Stream<Item = std::result::Result<Bytes, E>>,
    ) -> Result<RawFile> {
        check_name(name)?;
        let digest = Arc::new(Mutex::new(Sha256::new()));
        let seen = digest.clone();
        let stream = stream.inspect(move |piece| {
            if let Ok(piece) = piece {
                seen.lock().unwrap_or_else(PoisonError::into_inner).update(piece);
            }
        });
        let path = format!("raw/{batch}/{}/{name}", Uuid::now_v7().simple());
        let size = self.lake.objects().put_stream(&path, stream).await?;
        let found = hex::encode(digest.lock().unwrap_or_else(PoisonError::into_inner).clone().finalize());
        if let Some(expected) = sha256.filter(|expected| !expected.eq_ignore_ascii_case(&found)) {
            self.lake.objects().delete(&path).await?;
            let (expected, found) = (format!("SHA-256 {expected}"), format!("SHA-256 {found}"));
            return Err(LakeError::Altered { path: name.to_owned(), expected, found });
        }
        self.point(batch, name, RawFile { path, size, sha256: found }).await
    }

    /// Points the manifest to the file, unless it has the same content already.
    async fn point(&self, batch: BatchKey, name: &str, file: RawFile) -> Result<RawFile> {
        let path = manifest(batch);
        let document = self.lake.versioned(&path);
        loop {
            let (mut files, version) = document.read::<Manifest>().await?.map_or((Manifest::new(), None), |(files, v)| (files, Some(v)));
            if let Some(known) = files.get(name).filter(|known| known.sha256 == file.sha256) {
                self.lake.objects().delete(&file.path).await?;
                return Ok(known.clone());
            }
            files.insert(name.to_owned(), file.clone());
            match document.compare_and_swap(version.as_ref(), &files).await {
                Ok(_) => return Ok(file),
                Err(LakeError::Conflict(_)) => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Current files of a batch, by name.
    pub async fn list(&self, batch: BatchKey) -> Result<BTreeMap<String, RawFile>> {
        let path = manifest(batch);
        Ok(self.lake.versioned(&path).read::<Manifest>().await?.map(|(files, _)| files).unwrap_or_default())
    }

    /// Reads the current file of this name.
    pub async fn open(&self, batch: BatchKey, name: &str) -> Result<BoxStream<'static, Result<Bytes>>> {
        self.lake.objects().get_stream(&self.find(batch, name).await?.path).await
    }

    /// The same for a parser on a thread of its own: reading waits on that thread.
    pub async fn reader(&self, batch: BatchKey, name: &str) -> Result<Box<dyn Read + Send>> {
        self.lake.objects().reader(&self.find(batch, name).await?.path).await
    }

    async fn find(&self, batch: BatchKey, name: &str) -> Result<RawFile> {
        self.list(batch).await?.remove(name).ok_or_else(|| LakeError::NotFound(format!("raw/{batch}/{name}")))
    }
}

fn manifest(batch: BatchKey) -> String {
    format!("raw/{batch}/manifest.json")
}

/// A name is one segment of a path and nothing else.
pub fn check_name(name: &str) -> Result<()> {
    let bad = name.is_empty() || name.starts_with('.') || name.len() > 200 || name.contains(['/', '\\', '\0']);
    if bad { Err(LakeError::Name(name.to_owned())) } else { Ok(()) }
}
