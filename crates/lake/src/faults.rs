//! A store in memory that fails as networks do: for tests of what happens between a write and its answer.

use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMultipartOptions, PutOptions,
    PutPayload, PutResult, Result,
};
use url::Url;

use crate::root::{Inner, Lake, LakeOptions};

/// What goes wrong with a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It is done, but no answer comes.
    AnswerLost,
    /// It is done, the client sends it again, and the second answer says that the object exists.
    SentTwice,
    /// It is not done.
    Refused,
    /// There is no such bucket.
    NoBucket,
}

/// The store: each fault hits the next write whose path contains its text.
#[derive(Debug, Default)]
pub(crate) struct Faulty {
    inner: InMemory,
    faults: Mutex<Vec<(&'static str, Fault)>>,
}

impl Faulty {
    /// A root on a new store.
    pub(crate) fn lake() -> (Lake, Arc<Self>) {
        let store = Arc::new(Self::default());
        let url = Url::parse("memory:///").unwrap();
        let inner = Inner {
            bucket: store.clone(),
            base: Path::default(),
            store: store.clone(),
            url,
            folder: None,
            options: LakeOptions::default(),
        };
        (Lake { inner: Arc::new(inner) }, store)
    }

    /// Makes the next write of a path that contains `text` fail.
    pub(crate) fn fail(&self, text: &'static str, fault: Fault) {
        self.faults.lock().unwrap().push((text, fault));
    }

    fn next(&self, path: &Path) -> Option<Fault> {
        let mut faults = self.faults.lock().unwrap();
        let position = faults.iter().position(|(text, _)| path.as_ref().contains(text))?;
        Some(faults.remove(position).1)
    }
}

impl fmt::Display for Faulty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Faulty")
    }
}

#[async_trait]
impl ObjectStore for Faulty {
    async fn put_opts(&self, path: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        let generic = || Error::Generic { store: "Faulty", source: "connection reset".into() };
        match self.next(path) {
            None => self.inner.put_opts(path, payload, options).await,
            Some(Fault::AnswerLost) => self.inner.put_opts(path, payload, options).await.and(Err(generic())),
            Some(Fault::SentTwice) => {
                self.inner.put_opts(path, payload, options).await?;
                Err(Error::AlreadyExists { path: path.to_string(), source: "sent twice".into() })
            }
            Some(Fault::Refused) => Err(generic()),
            Some(Fault::NoBucket) => Err(Error::NotFound { path: path.to_string(), source: "NoSuchBucket".into() }),
        }
    }

    async fn put_multipart_opts(&self, path: &Path, options: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(path, options).await
    }

    async fn get_opts(&self, path: &Path, options: GetOptions) -> Result<GetResult> {
        self.inner.get_opts(path, options).await
    }

    async fn get_ranges(&self, path: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.inner.get_ranges(path, ranges).await
    }

    fn delete_stream(&self, paths: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(paths)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}
