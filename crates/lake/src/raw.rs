//! Deliveries as they were received: `raw/<batch>/<id>/<name>`, each under an id of its own, and a manifest that
//! says which file is current and what its digest is.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path as FilePath;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use domain::BatchKey;
use futures::stream::BoxStream;
use futures::{Stream, StreamExt};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio::task::spawn_blocking;
use tokio_util::io::ReaderStream;
use uuid::Uuid;

use crate::copying::Copying;
use crate::error::{LakeError, Result};
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
    /// Into a local root: the copy being made.
    copy: Option<Copying>,
    /// Elsewhere: size and SHA-256 of what is stored already.
    digest: Option<(u64, String)>,
}

impl Received {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Reads it, once, on a thread that may wait.
    pub async fn reader(&self, lake: &Lake) -> Result<Box<dyn Read + Send>> {
        match &self.copy {
            Some(copy) => Ok(Box::new(copy.clone())),
            None => lake.objects().reader(&self.path).await,
        }
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

    /// Begins to store a file of this machine. Into a local root it is copied as it is read ([`Received::reader`]), so that what
    /// is read is what is stored; elsewhere at once.
    pub async fn receive(&self, batch: BatchKey, name: &str, source: &FilePath) -> Result<Received> {
        check_name(name)?;
        let path = format!("raw/{batch}/{}/{name}", Uuid::now_v7().simple());
        if let Some(folder) = &self.lake.inner.folder {
            let (source, target) = (source.to_owned(), folder.join(&path));
            let copy = spawn_blocking(move || Copying::begin(&source, &target).map_err(|error| LakeError::io(&source, error)));
            let copy = copy.await.map_err(|error| LakeError::corrupt(name, error))??;
            return Ok(Received { name: name.to_owned(), path, copy: Some(copy), digest: None });
        }
        let file = tokio::fs::File::open(source).await.map_err(|error| LakeError::io(source, error))?;
        let digest = self.write(&path, ReaderStream::with_capacity(file, PIECE)).await?;
        Ok(Received { name: name.to_owned(), path, copy: None, digest: Some(digest) })
    }

    /// Stores what was received: it is on the disk, and the manifest points to it.
    pub async fn store(&self, batch: BatchKey, received: Received) -> Result<RawFile> {
        let Received { name, path, copy, digest } = received;
        let (size, sha256) = match (copy, digest) {
            (Some(copy), _) => {
                let end = spawn_blocking(move || copy.end()).await.map_err(|error| LakeError::corrupt(path.as_str(), error))?;
                end.map_err(|error| LakeError::io(FilePath::new(&path), error))?
            }
            (None, Some(digest)) => digest,
            (None, None) => return Err(LakeError::corrupt(path, "it was never received")),
        };
        self.point(batch, &name, RawFile { path, size, sha256 }).await
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

fn manifest(batch: BatchKey) -> String {
    format!("raw/{batch}/manifest.json")
}

/// A name is one segment of a path and nothing else.
pub fn check_name(name: &str) -> Result<()> {
    let bad = name.is_empty() || name.starts_with('.') || name.len() > 200 || name.contains(['/', '\\', '\0']);
    if bad { Err(LakeError::Name(name.to_owned())) } else { Ok(()) }
}
