//! Small JSON documents that change by compare-and-swap: the only mutable things of a root.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path as FilePath, PathBuf};

use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutOptions, UpdateVersion};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use crate::error::{LakeError, Result};
use crate::root::Lake;

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
        let (bytes, version) = match self.lake.inner.store.get(&Path::from(self.path.as_str())).await {
            Ok(found) => {
                let etag = found.meta.e_tag.clone();
                let bytes = found.bytes().await?;
                let version = if self.lake.inner.folder.is_some() { digest(&bytes) } else { etag.unwrap_or_default() };
                (bytes, Version(version))
            }
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let value = serde_json::from_slice(&bytes).map_err(|error| LakeError::corrupt(self.path.as_str(), error))?;
        Ok(Some((value, version)))
    }

    /// Writes the document if it still is what was read: `expected` is its version then, `None` if it did not exist.
    /// Fails with [`LakeError::Conflict`] otherwise.
    pub async fn compare_and_swap<T: Serialize + Sync>(&self, expected: Option<&Version>, value: &T) -> Result<Version> {
        let bytes = serde_json::to_vec_pretty(value).map_err(|error| LakeError::corrupt(self.path.as_str(), error))?;
        if let Some(folder) = &self.lake.inner.folder {
            let (folder, path, expected) = (folder.clone(), self.path.clone(), expected.cloned());
            let swap = move || swap_file(&folder, &path, expected.as_ref(), &bytes);
            return tokio::task::spawn_blocking(swap).await.map_err(|error| LakeError::corrupt(self.path.as_str(), error))?;
        }
        let mode = match expected {
            None => PutMode::Create,
            Some(Version(etag)) => PutMode::Update(UpdateVersion { e_tag: Some(etag.clone()), version: None }),
        };
        match self.lake.inner.store.put_opts(&Path::from(self.path.as_str()), bytes.into(), PutOptions::from(mode)).await {
            Ok(result) => Ok(Version(result.e_tag.unwrap_or_default())),
            Err(
                object_store::Error::AlreadyExists { .. } | object_store::Error::Precondition { .. } | object_store::Error::NotFound { .. },
            ) => Err(LakeError::Conflict(self.path.clone())),
            Err(error) => Err(error.into()),
        }
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

    /// Names of the pointers that start with `prefix`, sorted.
    pub async fn list(&self, prefix: &str) -> Result<Vec<String>> {
        let paths = self.lake.objects().list("pointers").await?;
        let names = paths.iter().filter_map(|path| path.strip_prefix("pointers/"));
        Ok(names.filter(|name| name.starts_with(prefix)).map(str::to_owned).collect())
    }
}

fn digest(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// Compare-and-swap on a local disk: an advisory lock orders the writers, and the new content replaces the old one by a
/// rename after it is on disk. A crash leaves the old or the new document, and at worst a temporary file.
fn swap_file(folder: &FilePath, path: &str, expected: Option<&Version>, bytes: &[u8]) -> Result<Version> {
    let target = folder.join(path);
    let locks = folder.join(".locks");
    let lock: PathBuf = locks.join(path.replace('/', "+"));
    for parent in [Some(locks.as_path()), target.parent()].into_iter().flatten() {
        fs::create_dir_all(parent).map_err(|error| LakeError::io(parent, error))?;
    }
    let lock_file = File::options().create(true).truncate(false).write(true).open(&lock).map_err(|error| LakeError::io(&lock, error))?;
    lock_file.lock().map_err(|error| LakeError::io(&lock, error))?;
    let current = match fs::read(&target) {
        Ok(current) => Some(Version(digest(&current))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => return Err(LakeError::io(&target, error)),
    };
    if current.as_ref() != expected {
        return Err(LakeError::Conflict(path.to_owned()));
    }
    // The object store hides names that end with # and a number: a listing never shows this one.
    let temporary = target.with_file_name(format!("{}#0", target.file_name().unwrap_or_default().to_string_lossy()));
    let write = || {
        let mut file = File::create(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&temporary, &target)
    };
    write().map_err(|error| LakeError::io(&target, error))?;
    Ok(Version(digest(bytes)))
}
