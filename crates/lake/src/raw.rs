//! Deliveries as they were received: `raw/<batch>/<id>/<name>`, each under an id of its own, and a manifest that
//! says which file is current and what its digest is.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path as FilePath;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use domain::BatchKey;
use futures::stream::BoxStream;
use futures::{Stream, StreamExt};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio::task::{JoinHandle, spawn_blocking};
use tokio_util::io::ReaderStream;
use uuid::Uuid;

use crate::error::{LakeError, Result};
use crate::files::{copy_in, sync};
use crate::objects::Listed;
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

/// Bytes of a local file read at once.
const PIECE: usize = 1024 * 1024;

/// A file that can be read and is not stored yet.
pub struct Received {
    name: String,
    path: String,
    digest: JoinHandle<Result<RawFile>>,
}

impl Received {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where it can be read, in the root.
    pub fn path(&self) -> &str {
        &self.path
    }
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
        let path = format!("raw/{batch}/{}/{name}", Uuid::now_v7().simple());
        let (size, found) = self.write(&path, stream).await?;
        if let Some(expected) = sha256.filter(|expected| !expected.eq_ignore_ascii_case(&found)) {
            self.lake.objects().delete(&path).await?;
            let (expected, found) = (format!("SHA-256 {expected}"), format!("SHA-256 {found}"));
            return Err(LakeError::Altered { path: name.to_owned(), expected, found });
        }
        self.point(batch, name, RawFile { path, size, sha256: found }).await
    }

    /// Writes a file; gives its size and its SHA-256.
    async fn write<E: std::fmt::Display>(
        &self,
        path: &str,
        stream: impl Stream<Item = std::result::Result<Bytes, E>>,
    ) -> Result<(u64, String)> {
        let digest = Arc::new(Mutex::new(Sha256::new()));
        let seen = digest.clone();
        let stream = stream.inspect(move |piece| {
            if let Ok(piece) = piece {
                seen.lock().unwrap_or_else(PoisonError::into_inner).update(piece);
            }
        });
        let size = self.lake.objects().put_stream(path, stream).await?;
        let found = digest.lock().unwrap_or_else(PoisonError::into_inner).clone().finalize();
        Ok((size, hex::encode(found)))
    }

    /// Begins to store a file of this machine: what is given can be read at once, and is stored once [`Raw::store`] says so.
    /// Into a local root the kernel copies it; its digest is computed, and the disk waited for, in the background.
    pub async fn receive(&self, batch: BatchKey, name: &str, source: &FilePath) -> Result<Received> {
        check_name(name)?;
        let path = format!("raw/{batch}/{}/{name}", Uuid::now_v7().simple());
        let Some(folder) = &self.lake.inner.folder else {
            let file = tokio::fs::File::open(source).await.map_err(|error| LakeError::io(source, error))?;
            let (size, sha256) = self.write(&path, ReaderStream::with_capacity(file, PIECE)).await?;
            let file = RawFile { path: path.clone(), size, sha256 };
            return Ok(Received { name: name.to_owned(), path, digest: tokio::spawn(async { Ok(file) }) });
        };
        let (from, target) = (source.to_owned(), folder.join(&path));
        let copy = move || copy_in(&from, &target).map(|()| target).map_err(|error| LakeError::io(&from, error));
        let target = spawn_blocking(copy).await.map_err(|error| LakeError::corrupt(name, error))??;
        let stored = path.clone();
        let digest = spawn_blocking(move || {
            let done = digest(&target).and_then(|found| sync(&target).map(|()| found));
            let (size, sha256) = done.map_err(|error| LakeError::io(&target, error))?;
            Ok(RawFile { path: stored, size, sha256 })
        });
        Ok(Received { name: name.to_owned(), path, digest })
    }

    /// Stores what was received: it is on the disk, and the manifest points to it.
    pub async fn store(&self, batch: BatchKey, received: Received) -> Result<RawFile> {
        let file = received.digest.await.map_err(|error| LakeError::corrupt(received.path, error))??;
        self.point(batch, &received.name, file).await
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

    /// Batches that have files.
    pub async fn batches(&self) -> Result<Vec<BatchKey>> {
        Ok(self.lake.objects().folders("raw").await?.iter().filter_map(|name| name.parse().ok()).collect())
    }

    /// What is stored for a batch: everything, and whether it is current.
    pub async fn stored(&self, batch: BatchKey) -> Result<Vec<(Listed, bool)>> {
        let (manifest, files) = (manifest(batch), self.list(batch).await?);
        let current = |found: &Listed| found.path == manifest || files.values().any(|file| file.path == found.path);
        let found = self.lake.objects().describe(&format!("raw/{batch}")).await?;
        Ok(found.into_iter().map(|found| (current(&found), found)).map(|(current, found)| (found, current)).collect())
    }

    async fn find(&self, batch: BatchKey, name: &str) -> Result<RawFile> {
        self.list(batch).await?.remove(name).ok_or_else(|| LakeError::NotFound(format!("raw/{batch}/{name}")))
    }
}

/// Size and SHA-256 of a file.
fn digest(path: &FilePath) -> io::Result<(u64, String)> {
    let (mut file, mut digest, mut size, mut piece) = (File::open(path)?, Sha256::new(), 0, vec![0; PIECE]);
    loop {
        let read = file.read(&mut piece)?;
        if read == 0 {
            return Ok((size, hex::encode(digest.finalize())));
        }
        digest.update(&piece[..read]);
        size += read as u64;
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
