//! Local files that outlive a power cut. The local store of `object_store` names a file before its content is on the disk,
//! so that a crash may leave a commit of a table that is empty; here the content is synced first, then the name.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Write};
use std::ops::Range;
use std::path::{Path as FilePath, PathBuf};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMode, PutMultipartOptions,
    PutOptions, PutPayload, PutResult, Result, UploadPart,
};
use uuid::Uuid;

/// The local file system, with durable writes.
#[derive(Debug)]
pub(crate) struct Files(LocalFileSystem);

impl Files {
    /// Paths are those of the whole file system, without the first slash.
    pub(crate) fn new() -> Self {
        Self(LocalFileSystem::new())
    }
}

impl fmt::Display for Files {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("local files")
    }
}

#[async_trait]
impl ObjectStore for Files {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        if matches!(options.mode, PutMode::Update(_)) || !options.attributes.is_empty() {
            // Neither exists on files: the inner store says so.
            return self.0.put_opts(location, payload, options).await;
        }
        let target = self.0.path_to_filesystem(location)?;
        let only_new = matches!(options.mode, PutMode::Create);
        blocking(move || {
            let pieces = payload.iter().map(AsRef::as_ref);
            publish(&target, pieces, only_new).map_err(|error| described(&target, error))
        })
        .await?;
        Ok(PutResult { e_tag: None, version: None })
    }

    async fn put_multipart_opts(&self, location: &Path, options: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        let target = self.0.path_to_filesystem(location)?;
        Ok(Box::new(Upload { inner: self.0.put_multipart_opts(location, options).await?, target }))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.0.get_opts(location, options).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.0.get_ranges(location, ranges).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.0.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.0.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.0.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.0.copy_opts(from, to, options).await
    }
}

/// An upload in parts. The file has its name a moment before it is synced: who writes it names it elsewhere only afterwards.
#[derive(Debug)]
struct Upload {
    inner: Box<dyn MultipartUpload>,
    target: PathBuf,
}

#[async_trait]
impl MultipartUpload for Upload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        self.inner.put_part(data)
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let result = self.inner.complete().await?;
        let target = self.target.clone();
        blocking(move || {
            let sync = || {
                File::open(&target)?.sync_all()?;
                // The inner store made the folders: their names are synced up to where they may have begun.
                target.ancestors().skip(1).take(4).try_for_each(sync_folder)
            };
            sync().map_err(|error| described(&target, error))
        })
        .await?;
        Ok(result)
    }

    async fn abort(&mut self) -> Result<()> {
        self.inner.abort().await
    }
}

/// Writes a file whole and durably, or not at all. With `only_new`, fails with `AlreadyExists` if there is one.
pub(crate) fn publish<'a>(target: &FilePath, pieces: impl Iterator<Item = &'a [u8]>, only_new: bool) -> io::Result<()> {
    let (Some(folder), Some(name)) = (target.parent(), target.file_name()) else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "a file name is needed"));
    };
    make_folder(folder)?;
    // Listings hide names that end with # and a number.
    let staged = folder.join(format!("{}#{}", name.to_string_lossy(), Uuid::now_v7().as_u128()));
    let name_it = || if only_new { fs::hard_link(&staged, target) } else { fs::rename(&staged, target) };
    let published = write_synced(&staged, pieces).and_then(|()| name_it());
    if only_new || published.is_err() {
        // A staged file that stays takes room and is never seen: not a reason to fail.
        let _ = fs::remove_file(&staged);
    }
    published?;
    sync_folder(folder)
}

/// Writes a file that nobody knows of yet. It is not durable before [`sync`].
pub(crate) fn write_new(path: &FilePath, bytes: &[u8]) -> io::Result<()> {
    make_folder(path.parent().unwrap_or(path))?;
    File::create_new(path)?.write_all(bytes)
}

/// Makes a file and its name durable.
pub(crate) fn sync(path: &FilePath) -> io::Result<()> {
    File::open(path)?.sync_all()?;
    sync_folder(path.parent().unwrap_or(path))
}

fn write_synced<'a>(path: &FilePath, mut pieces: impl Iterator<Item = &'a [u8]>) -> io::Result<()> {
    let mut file = File::create_new(path)?;
    pieces.try_for_each(|piece| file.write_all(piece))?;
    file.sync_all()
}

/// Makes a folder and those above it, each synced into its parent.
pub(crate) fn make_folder(folder: &FilePath) -> io::Result<()> {
    if folder.as_os_str().is_empty() || folder.is_dir() {
        return Ok(());
    }
    let Some(parent) = folder.parent() else { return Ok(()) };
    make_folder(parent)?;
    match fs::create_dir(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ if parent.as_os_str().is_empty() => Ok(()),
        _ => sync_folder(parent),
    }
}

/// Makes the names in a folder durable. Only Unix lets a folder be synced; elsewhere the file system's journal must do.
fn sync_folder(folder: &FilePath) -> io::Result<()> {
    if cfg!(unix) && !folder.as_os_str().is_empty() { File::open(folder)?.sync_all() } else { Ok(()) }
}

fn described(target: &FilePath, error: io::Error) -> Error {
    let path = target.display().to_string();
    match error.kind() {
        io::ErrorKind::AlreadyExists => Error::AlreadyExists { path, source: Box::new(error) },
        io::ErrorKind::PermissionDenied => Error::PermissionDenied { path, source: Box::new(error) },
        _ => Error::Generic { store: "local files", source: format!("{path}: {error}").into() },
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(|source| Error::JoinError { source })?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_whole_or_absent_and_nothing_stays_behind() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("a/b/c.json");
        let write = |content: &'static [u8], only_new| publish(&target, content.chunks(2), only_new);
        write(b"first", true).unwrap();
        assert_eq!(write(b"second", true).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&target).unwrap(), b"first");
        write(b"third", false).unwrap();
        assert_eq!(fs::read(&target).unwrap(), b"third");
        assert_eq!(fs::read_dir(target.parent().unwrap()).unwrap().count(), 1);
        assert!(publish(FilePath::new("/"), std::iter::empty(), true).is_err());
    }

    #[test]
    fn of_writers_that_race_one_creates() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("0.json");
        let create = |content: &'static [u8]| publish(&target, std::iter::once(content), true).is_ok();
        let winners = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| create(b"x"))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).filter(|won| *won).count()
        });
        assert_eq!(winners, 1);
    }
}
