//! The files of a batch to import: of which source each is, and how its source is delivered.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::io::Read;

use api::ingestion::ImportBatchRequest;
use domain::{BatchKey, Delivery, Source};
use lake::{Lake, LakeError, RawFile, Received};
use sources::detect;
use url::Url;

use crate::error::IngestError;
use crate::manifest::{self, Manifest};
use crate::upload::Uploads;

/// Largest manifest read.
const MANIFEST: u64 = 1024 * 1024;

/// A file of a delivery. It can be read at once; it may still be on its way to the disk.
pub struct File {
    /// Its name.
    pub name: String,
    state: State,
}

enum State {
    Stored(RawFile),
    Received(Received),
}

impl File {
    fn stored(name: String, file: RawFile) -> Self {
        Self { name, state: State::Stored(file) }
    }

    fn received(received: Received) -> Self {
        Self { name: received.name().to_owned(), state: State::Received(received) }
    }

    /// Reads it, once, on a thread that may wait.
    pub async fn reader(&self, lake: &Lake) -> Result<Box<dyn Read + Send>, LakeError> {
        match &self.state {
            State::Stored(file) => lake.objects().reader(&file.path).await,
            State::Received(received) => received.reader(lake).await,
        }
    }

    /// Stores the file for good. Nobody may be reading it any more.
    pub async fn store(self, lake: &Lake, batch: BatchKey) -> Result<RawFile, LakeError> {
        match self.state {
            State::Stored(file) => Ok(file),
            State::Received(received) => lake.raw().store(batch, received).await,
        }
    }
}

/// The files of an import.
pub struct Files {
    /// Those of each source asked for.
    pub by_source: BTreeMap<Source, Vec<File>>,
    /// Those of no source, when all sources are asked for.
    pub unknown: Vec<File>,
    manifest: Manifest,
    flows: Vec<Source>,
}

impl Files {
    /// Looks for the files that a request asks for, and checks them against their manifest.
    pub async fn find(lake: &Lake, batch: BatchKey, request: &ImportBatchRequest, uploads: &Uploads) -> Result<Self, IngestError> {
        let mut delivered = if request.uri.is_empty() {
            let wanted = |name: &String| request.file_names.is_empty() || request.file_names.contains(name);
            let known = lake.raw().list(batch).await?.into_iter().filter(|(name, _)| wanted(name));
            known.map(|(name, file)| File::stored(name, file)).collect()
        } else {
            copy(lake, batch, &request.uri, uploads).await?
        };
        let manifest = check(lake, batch, &mut delivered).await?;
        let wanted = |source: Source| request.sources.is_empty() || request.sources.iter().any(|name| name == source.name());
        let (mut by_source, mut unknown) = (BTreeMap::<Source, Vec<File>>::new(), Vec::new());
        for file in delivered.into_iter().filter(|file| file.name != manifest::NAME) {
            match detect(&file.name) {
                Some(source) if wanted(source) => by_source.entry(source).or_default().push(file),
                None if request.sources.is_empty() => unknown.push(file),
                // Not asked for: files of other sources and of none are stored and left alone.
                Some(_) | None => drop(file.store(lake, batch).await?),
            }
        }
        if by_source.is_empty() && unknown.is_empty() {
            return Err(IngestError::NoFiles(batch));
        }
        let flows = request.flows.iter().filter_map(|name| name.parse().ok()).collect();
        Ok(Self { by_source, unknown, manifest, flows })
    }

    /// Whether the files of a source replace or add: as the request says, else the manifest, else as usual.
    pub fn delivery(&self, source: Source) -> Delivery {
        if self.flows.contains(&source) { Delivery::Flow } else { self.manifest.delivery(source) }
    }
}

/// Reads the manifest of a delivery, if it has one, and checks the files against it.
async fn check(lake: &Lake, batch: BatchKey, delivered: &mut Vec<File>) -> Result<Manifest, IngestError> {
    if !delivered.iter().any(|file| file.name == manifest::NAME) {
        return Ok(Manifest::default());
    }
    let mut stored = BTreeMap::new();
    for file in delivered.drain(..) {
        stored.insert(file.name.clone(), file.store(lake, batch).await?);
    }
    let manifest = read(lake, &stored[manifest::NAME]).await?;
    manifest.check(batch, &stored)?;
    delivered.extend(stored.into_iter().map(|(name, file)| File::stored(name, file)));
    Ok(manifest)
}

async fn read(lake: &Lake, file: &RawFile) -> Result<Manifest, IngestError> {
    if file.size > MANIFEST {
        return Err(IngestError::Manifest { file: manifest::NAME.to_owned(), problem: format!("it is larger than {MANIFEST} bytes") });
    }
    Manifest::parse(&lake.objects().get(&file.path).await?)
}

/// Copies the files of a folder, `s3://bucket/prefix` or where it is allowed `file:///…`, into a batch. Folders inside of it and
/// hidden files are left alone.
async fn copy(lake: &Lake, batch: BatchKey, uri: &str, uploads: &Uploads) -> Result<Vec<File>, IngestError> {
    match Url::parse(uri).ok().filter(|url| uploads.local_folders && url.scheme() == "file") {
        Some(url) => copy_local(lake, batch, &url).await,
        None => copy_remote(lake, batch, uri).await,
    }
}

async fn copy_remote(lake: &Lake, batch: BatchKey, uri: &str) -> Result<Vec<File>, IngestError> {
    let other = lake.other(uri)?;
    let mut files = Vec::new();
    for found in other.objects().top().await?.into_iter().filter(|found| !found.path.starts_with('.')) {
        let content = other.objects().get_stream(&found.path).await?;
        let file = lake.raw().put(batch, &found.path, None, content).await?;
        files.push(File::stored(found.path, file));
    }
    Ok(files)
}

async fn copy_local(lake: &Lake, batch: BatchKey, url: &Url) -> Result<Vec<File>, IngestError> {
    let unreadable = |error: &dyn Display| IngestError::Folder { folder: url.path().to_owned(), reason: error.to_string() };
    let folder = url.to_file_path().map_err(|()| unreadable(&"it is no path of this machine"))?;
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(|error| unreadable(&error))? {
        let entry = entry.map_err(|error| unreadable(&error))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.path().is_file() && !name.starts_with('.') {
            files.push(File::received(lake.raw().receive(batch, &name, &entry.path()).await?));
        }
    }
    files.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(files)
}
