//! The files of a batch to import: of which source each is, and how its source is delivered.

use std::collections::BTreeMap;

use api::ingestion::ImportBatchRequest;
use domain::{BatchKey, Delivery, Source};
use futures::TryStreamExt;
use lake::{Lake, RawFile};
use sources::detect;

use crate::error::IngestError;
use crate::manifest::{self, Manifest};

/// Largest manifest read.
const MANIFEST: u64 = 1024 * 1024;

/// A file and its name.
pub type Named = (String, RawFile);

/// The files of an import.
pub struct Files {
    /// Those of each source asked for.
    pub by_source: BTreeMap<Source, Vec<Named>>,
    /// Those of no source, when all sources are asked for.
    pub unknown: Vec<Named>,
    manifest: Manifest,
    flows: Vec<Source>,
}

impl Files {
    /// Looks for the files that a request asks for, and checks them against their manifest.
    pub async fn find(lake: &Lake, batch: BatchKey, request: &ImportBatchRequest) -> Result<Self, IngestError> {
        let mut delivered = lake.raw().list(batch).await?;
        delivered.retain(|name, _| request.file_names.is_empty() || request.file_names.contains(name));
        let manifest = match delivered.get(manifest::NAME) {
            Some(file) => read(lake, batch, file).await?,
            None => Manifest::default(),
        };
        manifest.check(batch, &delivered)?;
        delivered.remove(manifest::NAME);
        let wanted = |source: Source| request.sources.is_empty() || request.sources.iter().any(|name| name == source.name());
        let (mut by_source, mut unknown) = (BTreeMap::<Source, Vec<Named>>::new(), Vec::new());
        for (name, file) in delivered {
            match detect(&name) {
                Some(source) if wanted(source) => by_source.entry(source).or_default().push((name, file)),
                None if request.sources.is_empty() => unknown.push((name, file)),
                // Not asked for: files of other sources and of none are left alone.
                Some(_) | None => {}
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

/// Copies the files of a folder of an object store into a batch; gives their names. Folders inside of it and hidden files are
/// left alone. A file that is there already with the same content is stored once.
pub async fn copy(lake: &Lake, batch: BatchKey, uri: &str) -> Result<Vec<String>, IngestError> {
    let other = lake.other(uri)?;
    let mut names = Vec::new();
    for found in other.objects().top().await?.into_iter().filter(|found| !found.path.starts_with('.')) {
        let content = other.objects().get_stream(&found.path).await?;
        lake.raw().put(batch, &found.path, None, content).await?;
        names.push(found.path);
    }
    if names.is_empty() { Err(IngestError::NoFiles(batch)) } else { Ok(names) }
}

async fn read(lake: &Lake, batch: BatchKey, file: &RawFile) -> Result<Manifest, IngestError> {
    if file.size > MANIFEST {
        return Err(IngestError::Manifest { file: manifest::NAME.to_owned(), problem: format!("it is larger than {MANIFEST} bytes") });
    }
    let pieces: Vec<_> = lake.raw().open(batch, manifest::NAME).await?.try_collect().await?;
    Manifest::parse(&pieces.concat())
}
