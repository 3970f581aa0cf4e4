//! Small JSON documents that change by compare-and-swap: the only mutable things of a root.

use std::fs::{self, File};
use std::path::{Path as FilePath, PathBuf};

use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutOptions, UpdateVersion};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use crate::error::{LakeError, Result};
use crate::files::{make_folder, publish};
use crate::root::{Lake, location};

/// What a document was when it was read: an ETag on S3, a digest of its content on a local disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version(String);

/// A document at a path.
pub struct Versioned<'a> {
    pub(crate) lake: &'a Lake,
    pub(crate) path: String,
}

impl Versioned<'_> {
    /// The document and its version; `None` when there is none.
    pub async fn read<T: DeserializeOwned>(&self) -> Result<Option<(T, Version)>> {
        let (bytes, version) = match self.lake.inner.store.get(&location(&self.path)?).await {
            Ok(found) => {
                let etag = found.meta.e_tag.clone();
                let bytes = found.bytes().await?;
                let version = if self.lake.inner.folder.is_some() { digest(&bytes) } else { self.etag(etag)? };
                (bytes, version)
            }
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let value = serde_json::from_slice(&bytes).map_err(|error| LakeError::corrupt(self.path.as_str(), error))?;
        Ok(Some((value, version)))
    }

    /// Writes the document if it still is what was read: `expected` is its version then, `None` if it did not exist.
    /// Fails with [`LakeError::Conflict`] otherwise.
    ///
    /// On S3 a conflict may be with this very write, when its first answer was lost and it was sent again: who must know
    /// whether a swap was theirs puts a name of their own in the document, and reads it again.
    pub async fn compare_and_swap<T: Serialize + Sync>(&self, expected: Option<&Version>, value: &T) -> Result<Version> {
        let bytes = serde_json::to_vec_pretty(value).map_err(|error| LakeError::corrupt(self.path.as_str(), error))?;
        if let Some(folder) = &self.lake.inner.folder {
            let full: Path = self.lake.inner.base.parts().chain(location(&self.path)?.parts()).collect();
            let target = LocalFileSystem::new().path_to_filesystem(&full)?;
            let (locks, path, expected) = (folder.join(".locks"), self.path.clone(), expected.cloned());
            let swap = move || swap_file(&locks, &path, &target, expected.as_ref(), &bytes);
            return tokio::task::spawn_blocking(swap).await.map_err(|error| LakeError::corrupt(self.path.as_str(), error))?;
        }
        let mode = match expected {
            None => PutMode::Create,
            Some(Version(etag)) => PutMode::Update(UpdateVersion { e_tag: Some(etag.clone()), version: None }),
        };
        match self.lake.inner.store.put_opts(&location(&self.path)?, bytes.into(), PutOptions::from(mode)).await {
            Ok(result) => self.etag(result.e_tag),
            Err(object_store::Error::AlreadyExists { .. } | object_store::Error::Precondition { .. }) => {
                Err(LakeError::Conflict(self.path.clone()))
            }
            Err(error) => Err(error.into()),
        }
    }

    fn etag(&self, etag: Option<String>) -> Result<Version> {
        etag.map(Version).ok_or_else(|| LakeError::corrupt(self.path.as_str(), "the store gives no ETag, which compare-and-swap needs"))
    }

    /// Writes the document whatever it was, unless it is already this: for pointers whose last writer is right.
    pub async fn set<T: Serialize + DeserializeOwned + PartialEq + Sync + Send>(&self, value: &T) -> Result<()> {
        loop {
            let current = self.read::<T>().await?;
            if current.as_ref().is_some_and(|(current, _)| current == value) {
                return Ok(());
            }
            match self.compare_and_swap(current.as_ref().map(|(_, version)| version), value).await {
                Ok(_) => return Ok(()),
                Err(LakeError::Conflict(_)) => {}
                Err(error) => return Err(error),
            }
        }
    }
}

/// Documents under `pointers/`.
pub struct Pointers<'a> {
    pub(crate) lake: &'a Lake,
}

impl Pointers<'_> {
    fn at(&self, name: &str) -> Versioned<'_> {
        self.lake.versioned(&format!("pointers/{name}"))
    }

    /// The pointer and its version; `None` when it was never set.
    pub async fn read<T: DeserializeOwned>(&self, name: &str) -> Result<Option<(T, Version)>> {
        self.at(name).read().await
    }

    /// See [`Versioned::compare_and_swap`].
    pub async fn compare_and_swap<T: Serialize + Sync>(&self, name: &str, expected: Option<&Version>, value: &T) -> Result<Version> {
        self.at(name).compare_and_swap(expected, value).await
    }

    /// See [`Versioned::set`].
    pub async fn set<T: Serialize + DeserializeOwned + PartialEq + Sync + Send>(&self, name: &str, value: &T) -> Result<()> {
        self.at(name).set(value).await
    }

    /// Removes a pointer, whatever it points to.
    pub async fn remove(&self, name: &str) -> Result<()> {
        self.lake.objects().delete(&format!("pointers/{name}")).await
    }

    /// Names of the pointers that start with `prefix`, sorted.
    pub async fn list(&self, prefix: &str) -> Result<Vec<String>> {
        let paths = self.lake.objects().list("pointers").await?;
        let names = paths.iter().filter_map(|path| path.strip_prefix("pointers/"));
        Ok(names.filter(|name| name.starts_with(prefix)).map(str::to_owned).collect())
    }
}

fn digest(bytes: &[u8]) -> Version {
    Version(hex::encode(Sha256::digest(bytes)))
}

/// Compare-and-swap on a local disk: an advisory lock orders the writers, and the new content replaces the old one by a
/// rename after it is on disk. A crash leaves the old or the new document, and at worst a staged file that no listing shows.
fn swap_file(locks: &FilePath, path: &str, target: &FilePath, expected: Option<&Version>, bytes: &[u8]) -> Result<Version> {
    make_folder(locks).map_err(|error| LakeError::io(locks, error))?;
    let lock: PathBuf = locks.join(path.replace('/', "+"));
    let lock_file = File::options().create(true).truncate(false).write(true).open(&lock).map_err(|error| LakeError::io(&lock, error))?;
    lock_file.lock().map_err(|error| LakeError::io(&lock, error))?;
    let current = match fs::read(target) {
        Ok(current) => Some(digest(&current)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => return Err(LakeError::io(target, error)),
    };
    if current.as_ref() != expected {
        return Err(LakeError::Conflict(path.to_owned()));
    }
    publish(target, std::iter::once(bytes), false).map_err(|error| LakeError::io(target, error))?;
    Ok(digest(bytes))
}

#[cfg(test)]
mod tests;
