//! Objects that never change once written.

use std::io::{self, Read};
use std::pin::pin;

use bytes::{Bytes, BytesMut};
use chrono::{DateTime, Utc};
use futures::stream::BoxStream;
use futures::{Stream, StreamExt, TryStreamExt};
use object_store::{GetResultPayload, ObjectMeta, ObjectStore, ObjectStoreExt, PutMode, PutOptions, WriteMultipart};

use tokio_util::io::{StreamReader, SyncIoBridge};

use crate::error::{LakeError, Result};
use crate::root::{Lake, location};

/// Size of a part of a large upload.
const PART: usize = 8 * 1024 * 1024;
/// Parts on their way at a time.
const UPLOADS: usize = 4;

/// An object found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Path in the root.
    pub path: String,
    /// Bytes.
    pub size: u64,
    /// When it was written.
    pub modified: DateTime<Utc>,
}

impl From<ObjectMeta> for Listed {
    fn from(meta: ObjectMeta) -> Self {
        Self { path: meta.location.to_string(), size: meta.size, modified: meta.last_modified }
    }
}

/// Objects of a root, by paths relative to it.
pub struct Objects<'a> {
    pub(crate) lake: &'a Lake,
}

impl Objects<'_> {
    fn store(&self) -> &dyn ObjectStore {
        &*self.lake.inner.store
    }

    /// Writes an object, whole or not at all. Replaces one of the same name: only for content that its name determines.
    pub async fn put(&self, path: &str, bytes: Bytes) -> Result<()> {
        self.store().put(&location(path)?, bytes.into()).await?;
        Ok(())
    }

    /// Writes a new object. Succeeds without writing when it exists with the same content; fails with
    /// [`LakeError::Immutable`] when it exists with another.
    pub async fn put_new(&self, path: &str, bytes: Bytes) -> Result<()> {
        let options = PutOptions::from(PutMode::Create);
        match self.store().put_opts(&location(path)?, bytes.clone().into(), options).await {
            Ok(_) => Ok(()),
            Err(object_store::Error::AlreadyExists { .. }) => {
                if self.get(path).await? == bytes {
                    Ok(())
                } else {
                    Err(LakeError::Immutable(path.to_owned()))
                }
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Writes an object from a stream in bounded memory; gives its size. Nothing is visible until the end.
    pub async fn put_stream<E: std::fmt::Display>(
        &self,
        path: &str,
        stream: impl Stream<Item = std::result::Result<Bytes, E>>,
    ) -> Result<u64> {
        let upload = self.store().put_multipart(&location(path)?).await?;
        let mut writer = WriteMultipart::new_with_chunk_size(upload, PART);
        match feed(&mut writer, path, stream).await {
            Ok(size) => {
                writer.finish().await?;
                Ok(size)
            }
            Err(error) => {
                // Parts that stay on the store take room and are never seen: the first error matters more.
                if let Err(abort) = writer.abort().await {
                    tracing::warn!(path, error = %abort, "an upload could not be taken back");
                }
                Err(error)
            }
        }
    }

    /// Reads an object on a thread that may wait. A local file is read as such, without a stream between.
    pub async fn reader(&self, path: &str) -> Result<Box<dyn Read + Send>> {
        let found = self.store().get(&location(path)?).await?;
        Ok(match found.payload {
            GetResultPayload::File(file, _) => Box::new(file),
            GetResultPayload::Stream(stream) => Box::new(SyncIoBridge::new(StreamReader::new(stream.map_err(io::Error::other)))),
        })
    }

    /// Reads a whole object.
    pub async fn get(&self, path: &str) -> Result<Bytes> {
        let stream = self.get_stream(path).await?;
        let whole = stream.try_fold(BytesMut::new(), |mut whole, piece| async move {
            whole.extend_from_slice(&piece);
            Ok(whole)
        });
        Ok(whole.await?.freeze())
    }

    /// Reads an object piece by piece.
    pub async fn get_stream(&self, path: &str) -> Result<BoxStream<'static, Result<Bytes>>> {
        match self.store().get(&location(path)?).await {
            Ok(found) => Ok(found.into_stream().map_err(LakeError::from).boxed()),
            Err(object_store::Error::NotFound { .. }) => Err(LakeError::NotFound(path.to_owned())),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether an object exists.
    pub async fn exists(&self, path: &str) -> Result<bool> {
        Ok(self.size(path).await?.is_some())
    }

    /// Bytes of an object, if it exists.
    pub async fn size(&self, path: &str) -> Result<Option<u64>> {
        match self.store().head(&location(path)?).await {
            Ok(meta) => Ok(Some(meta.size)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Paths under a prefix, sorted.
    pub async fn list(&self, prefix: &str) -> Result<Vec<String>> {
        Ok(self.describe(prefix).await?.into_iter().map(|found| found.path).collect())
    }

    /// What is under a prefix, in the order of the paths.
    pub async fn describe(&self, prefix: &str) -> Result<Vec<Listed>> {
        let prefix = location(prefix)?;
        let mut found: Vec<Listed> = self.store().list(Some(&prefix)).map_ok(Listed::from).try_collect().await?;
        found.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        Ok(found)
    }

    /// The objects of the root itself, not of the folders in it, in the order of their names.
    pub async fn top(&self) -> Result<Vec<Listed>> {
        let mut found: Vec<Listed> = self.store().list_with_delimiter(None).await?.objects.into_iter().map(Listed::from).collect();
        found.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        Ok(found)
    }

    /// Names of the folders in a folder, sorted.
    pub async fn folders(&self, folder: &str) -> Result<Vec<String>> {
        let found = self.store().list_with_delimiter(Some(&location(folder)?)).await?.common_prefixes;
        let mut names: Vec<String> = found.iter().filter_map(|path| path.filename().map(str::to_owned)).collect();
        names.sort_unstable();
        Ok(names)
    }

    /// Removes an object; succeeds when there is none.
    pub async fn delete(&self, path: &str) -> Result<()> {
        match self.store().delete(&location(path)?).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

/// Sends a stream part by part, a few at a time; gives its size.
async fn feed<E: std::fmt::Display>(
    writer: &mut WriteMultipart,
    path: &str,
    stream: impl Stream<Item = std::result::Result<Bytes, E>>,
) -> Result<u64> {
    let (mut stream, mut size) = (pin!(stream), 0);
    while let Some(piece) = stream.next().await {
        let piece = piece.map_err(|error| LakeError::corrupt(path, error))?;
        size += piece.len() as u64;
        writer.wait_for_capacity(UPLOADS).await?;
        writer.put(piece);
    }
    Ok(size)
}
