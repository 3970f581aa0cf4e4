//! A store in memory that fails as networks and processes do: for tests of what happens between a write and its answer, and
//! after a crash at any step.
#![allow(clippy::unwrap_used)]

use std::fmt;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{self, BoxStream};
use futures::{FutureExt, StreamExt};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMultipartOptions, PutOptions,
    PutPayload, PutResult, Result, UploadPart,
};
use url::Url;

use crate::root::{Inner, Lake, LakeOptions};

/// What goes wrong with a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It is done, but no answer comes.
    AnswerLost,
    /// It is done, the client sends it again, and the second answer says that the object exists.
    SentTwice,
    /// It is not done.
    Refused,
    /// There is no such bucket.
    NoBucket,
}

/// The store: each fault hits the next write whose path contains its text, and after a death nothing is done any more.
#[derive(Debug)]
pub struct Faulty {
    inner: InMemory,
    faults: Mutex<Vec<(&'static str, Fault)>>,
    changes: Arc<Changes>,
}

/// What counts the changes of the store, and ends them.
#[derive(Debug)]
struct Changes {
    made: AtomicU64,
    /// The change that is not made, nor any after it.
    end: AtomicU64,
}

impl Changes {
    /// Asks to change something.
    fn next(&self) -> Result<()> {
        if self.made.fetch_add(1, Ordering::SeqCst) >= self.end.load(Ordering::SeqCst) { Err(dead()) } else { Ok(()) }
    }

    /// Asks to read something.
    fn alive(&self) -> Result<()> {
        if self.made.load(Ordering::SeqCst) > self.end.load(Ordering::SeqCst) { Err(dead()) } else { Ok(()) }
    }
}

fn dead() -> Error {
    Error::Generic { store: "Faulty", source: "the process is dead".into() }
}

impl Faulty {
    /// A root on a new store.
    pub fn lake() -> (Lake, Arc<Self>) {
        Self::on(InMemory::new())
    }

    /// A root on a copy of this store as it is now.
    pub fn fork(&self) -> (Lake, Arc<Self>) {
        Self::on(self.inner.fork())
    }

    fn on(inner: InMemory) -> (Lake, Arc<Self>) {
        let changes = Arc::new(Changes { made: AtomicU64::new(0), end: AtomicU64::new(u64::MAX) });
        let store = Arc::new(Self { inner, faults: Mutex::default(), changes });
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
    pub fn fail(&self, text: &'static str, fault: Fault) {
        self.faults.lock().unwrap().push((text, fault));
    }

    /// Lets so many changes more be made; the next one, and whatever is asked after it, fails. This is what a process that is
    /// killed leaves.
    pub fn die_after(&self, changes: u64) {
        self.changes.end.store(self.changes.made.load(Ordering::SeqCst).saturating_add(changes), Ordering::SeqCst);
    }

    /// Ends a death; says whether there was one.
    pub fn revive(&self) -> bool {
        let died = self.changes.alive().is_err();
        self.changes.end.store(u64::MAX, Ordering::SeqCst);
        died
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
        self.changes.next()?;
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
        let inner = self.inner.put_multipart_opts(path, options).await?;
        Ok(Box::new(Parts { inner, changes: self.changes.clone() }))
    }

    async fn get_opts(&self, path: &Path, options: GetOptions) -> Result<GetResult> {
        self.changes.alive()?;
        self.inner.get_opts(path, options).await
    }

    async fn get_ranges(&self, path: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.changes.alive()?;
        self.inner.get_ranges(path, ranges).await
    }

    fn delete_stream(&self, paths: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let changes = self.changes.clone();
        self.inner.delete_stream(paths.map(move |path| changes.next().and(path)).boxed())
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        match self.changes.alive() {
            Ok(()) => self.inner.list(prefix),
            Err(error) => stream::once(async { Err(error) }).boxed(),
        }
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.changes.alive()?;
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.changes.next()?;
        self.inner.copy_opts(from, to, options).await
    }
}

/// An object in parts: it exists once it is complete.
#[derive(Debug)]
struct Parts {
    inner: Box<dyn MultipartUpload>,
    changes: Arc<Changes>,
}

#[async_trait]
impl MultipartUpload for Parts {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        match self.changes.alive() {
            Ok(()) => self.inner.put_part(data),
            Err(error) => async { Err(error) }.boxed(),
        }
    }

    async fn complete(&mut self) -> Result<PutResult> {
        self.changes.next()?;
        self.inner.complete().await
    }

    async fn abort(&mut self) -> Result<()> {
        self.inner.abort().await
    }
}
