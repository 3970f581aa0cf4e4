//! Opening a root.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use object_store::aws::{AmazonS3Builder, S3ConditionalPut};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{ClientOptions, ObjectStore, RetryConfig};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::columns::TableRow;
use crate::error::{LakeError, Result};
use crate::objects::Objects;
use crate::raw::Raw;
use crate::tables::Table;
use crate::versioned::{Pointers, Versioned};

/// How to reach the storage.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LakeOptions {
    /// For roots on S3.
    pub s3: S3Options,
}

/// Access to an S3-compatible store. What is absent comes from the environment, as for any AWS client.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct S3Options {
    /// Address of the store, for example `http://127.0.0.1:8333`.
    pub endpoint: Option<String>,
    /// Region.
    pub region: Option<String>,
    /// Key.
    pub access_key_id: Option<String>,
    /// Secret.
    pub secret_access_key: Option<String>,
    /// Whether plain HTTP is allowed.
    pub allow_http: bool,
}

/// S3 requests may wait for each other on a contended key: generous limits (`engineering/components.md`, traps).
const REQUEST_TIMEOUT: Duration = Duration::from_mins(1);
const RETRY_FOR: Duration = Duration::from_mins(2);

/// A storage root. Cheap to clone.
#[derive(Clone)]
pub struct Lake {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    /// The bucket, or the whole file system.
    pub(crate) bucket: Arc<dyn ObjectStore>,
    /// The root inside of it.
    pub(crate) base: Path,
    /// The root's objects, by paths relative to it.
    pub(crate) store: Arc<dyn ObjectStore>,
    /// The root's address, with a slash at its end.
    pub(crate) url: Url,
    /// The root's folder, when it is local.
    pub(crate) folder: Option<PathBuf>,
}

impl Lake {
    /// Opens a root: a folder (made when missing), `file:///…`, or `s3://bucket/prefix`. Nothing is requested yet from S3.
    pub fn open(root: &str, options: &LakeOptions) -> Result<Self> {
        let inner = match root.split_once("://") {
            Some(("s3", rest)) => s3(root, rest, &options.s3)?,
            Some(("file", rest)) => local(rest)?,
            Some((scheme, _)) => {
                return Err(LakeError::Root { root: root.to_owned(), reason: format!("unknown scheme {scheme}") });
            }
            None => local(root)?,
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Address of the root.
    pub fn url(&self) -> &Url {
        &self.inner.url
    }

    /// Immutable objects.
    pub fn objects(&self) -> Objects<'_> {
        Objects { lake: self }
    }

    /// Documents under `pointers/`.
    pub fn pointers(&self) -> Pointers<'_> {
        Pointers { lake: self }
    }

    /// A document changed by compare-and-swap, at any path.
    pub fn versioned(&self, path: &str) -> Versioned<'_> {
        Versioned { lake: self, path: path.to_owned() }
    }

    /// Files as received.
    pub fn raw(&self) -> Raw<'_> {
        Raw { lake: self }
    }

    /// A typed table.
    pub fn table<R: TableRow>(&self) -> Table<R> {
        Table::new(self.clone())
    }
}

fn local(path: &str) -> Result<Inner> {
    let folder = PathBuf::from(path);
    std::fs::create_dir_all(&folder).map_err(|error| LakeError::io(&folder, error))?;
    let folder = folder.canonicalize().map_err(|error| LakeError::io(&folder, error))?;
    let refused = |reason: &str| LakeError::Root { root: path.to_owned(), reason: reason.to_owned() };
    let url = Url::from_directory_path(&folder).map_err(|()| refused("not a folder"))?;
    let base = Path::from_absolute_path(&folder).map_err(|error| refused(&error.to_string()))?;
    let bucket: Arc<dyn ObjectStore> = Arc::new(LocalFileSystem::new());
    let store = Arc::new(PrefixStore::new(bucket.clone(), base.clone()));
    Ok(Inner { bucket, base, store, url, folder: Some(folder) })
}

fn s3(root: &str, rest: &str, options: &S3Options) -> Result<Inner> {
    let refused = |reason: &dyn std::fmt::Display| LakeError::Root { root: root.to_owned(), reason: reason.to_string() };
    let (bucket_name, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    let client = ClientOptions::new().with_timeout(REQUEST_TIMEOUT).with_allow_http(options.allow_http);
    let retry = RetryConfig { retry_timeout: RETRY_FOR, ..RetryConfig::default() };
    let mut builder = AmazonS3Builder::from_env()
        .with_bucket_name(bucket_name)
        .with_conditional_put(S3ConditionalPut::ETagMatch)
        .with_client_options(client)
        .with_retry(retry)
        .with_region(options.region.as_deref().unwrap_or("us-east-1"));
    if let Some(endpoint) = &options.endpoint {
        builder = builder.with_endpoint(endpoint);
    }
    if let Some(key) = &options.access_key_id {
        builder = builder.with_access_key_id(key);
    }
    if let Some(secret) = &options.secret_access_key {
        builder = builder.with_secret_access_key(secret);
    }
    let bucket: Arc<dyn ObjectStore> = Arc::new(builder.build().map_err(|error| refused(&error))?);
    let base = Path::from(prefix);
    let store: Arc<dyn ObjectStore> =
        if base.as_ref().is_empty() { bucket.clone() } else { Arc::new(PrefixStore::new(bucket.clone(), base.clone())) };
    let slash = if prefix.is_empty() || prefix.ends_with('/') { "" } else { "/" };
    let url = Url::parse(&format!("s3://{bucket_name}/{prefix}{slash}")).map_err(|error| refused(&error))?;
    Ok(Inner { bucket, base, store, url, folder: None })
}

impl std::fmt::Debug for Lake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Lake({})", self.inner.url)
    }
}
