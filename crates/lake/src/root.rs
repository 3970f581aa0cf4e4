//! Opening a root.

use std::fmt;
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey, S3ConditionalPut};
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{ClientConfigKey, ObjectStore, RetryConfig};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::columns::TableRow;
use crate::error::{LakeError, Result};
use crate::files::{Files, make_folder};
use crate::objects::Objects;
use crate::observed::Observed;
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
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
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

impl fmt::Debug for S3Options {
    /// The secret is not shown: options are logged.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("S3Options")
            .field("endpoint", &self.endpoint)
            .field("region", &self.region)
            .field("access_key_id", &self.access_key_id)
            .field("secret_access_key", &self.secret_access_key.as_ref().map(|_| "…"))
            .field("allow_http", &self.allow_http)
            .finish()
    }
}

/// S3 requests may wait for each other on a contended key: generous limits (`engineering/components.md`, traps).
const REQUEST_TIMEOUT: &str = "60 seconds";
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
    /// How it was opened.
    pub(crate) options: LakeOptions,
}

impl Lake {
    /// Opens a root: a folder (made when missing), `file:///…`, or `s3://bucket/prefix`. Nothing is requested yet from S3.
    pub fn open(root: &str, options: &LakeOptions) -> Result<Self> {
        let inner = match root.split_once("://") {
            Some(("s3", rest)) => s3(root, rest, &options.s3)?,
            Some(("file", _)) => local(root, &file(root)?)?,
            Some((scheme, _)) => {
                return Err(LakeError::Root { root: root.to_owned(), reason: format!("unknown scheme {scheme}") });
            }
            None => local(root, FilePath::new(root))?,
        };
        Ok(Self { inner: Arc::new(Inner { options: options.clone(), ..inner }) })
    }

    /// Opens another place of an object store, `s3://bucket/prefix`, with the same keys and endpoint. A local folder is
    /// refused: whoever names it would read what this program may read.
    pub fn other(&self, uri: &str) -> Result<Self> {
        if uri.starts_with("s3://") {
            Self::open(uri, &self.inner.options)
        } else {
            Err(LakeError::Root { root: uri.to_owned(), reason: "only s3:// is accepted here".to_owned() })
        }
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

/// A path relative to the root, taken as it is: names that would lead elsewhere are refused, not rewritten.
pub(crate) fn location(path: &str) -> Result<Path> {
    Ok(Path::parse(path).map_err(object_store::Error::from)?)
}

/// The folder of a `file://` address.
fn file(root: &str) -> Result<PathBuf> {
    let refused = |reason: &str| LakeError::Root { root: root.to_owned(), reason: reason.to_owned() };
    let url = Url::parse(root).map_err(|error| refused(&error.to_string()))?;
    url.to_file_path().map_err(|()| refused("a file address has three slashes and an absolute path"))
}

fn local(root: &str, folder: &FilePath) -> Result<Inner> {
    let refused = |reason: &str| LakeError::Root { root: root.to_owned(), reason: reason.to_owned() };
    if folder.as_os_str().is_empty() {
        return Err(refused("it is empty"));
    }
    make_folder(folder).map_err(|error| LakeError::io(folder, error))?;
    let folder = folder.canonicalize().map_err(|error| LakeError::io(folder, error))?;
    let url = Url::from_directory_path(&folder).map_err(|()| refused("not a folder"))?;
    let base = Path::from_absolute_path(&folder).map_err(|error| refused(&error.to_string()))?;
    let bucket: Arc<dyn ObjectStore> = Arc::new(Observed(Arc::new(Files::new())));
    let store = Arc::new(PrefixStore::new(bucket.clone(), base.clone()));
    Ok(Inner { bucket, base, store, url, folder: Some(folder), options: LakeOptions::default() })
}

fn s3(root: &str, rest: &str, options: &S3Options) -> Result<Inner> {
    let refused = |reason: &dyn std::fmt::Display| LakeError::Root { root: root.to_owned(), reason: reason.to_string() };
    let (bucket_name, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    if bucket_name.is_empty() {
        return Err(refused(&"it names no bucket"));
    }
    let retry = RetryConfig { retry_timeout: RETRY_FOR, ..RetryConfig::default() };
    let mut builder = AmazonS3Builder::from_env()
        .with_bucket_name(bucket_name)
        .with_conditional_put(S3ConditionalPut::ETagMatch)
        .with_config(AmazonS3ConfigKey::Client(ClientConfigKey::Timeout), REQUEST_TIMEOUT)
        .with_retry(retry);
    let region = options.region.clone().or_else(|| builder.get_config_value(&AmazonS3ConfigKey::Region));
    builder = builder.with_region(region.unwrap_or_else(|| "us-east-1".to_owned()));
    if options.allow_http {
        builder = builder.with_allow_http(true);
    }
    if let Some(endpoint) = &options.endpoint {
        builder = builder.with_endpoint(endpoint);
    }
    if let Some(key) = &options.access_key_id {
        builder = builder.with_access_key_id(key);
    }
    if let Some(secret) = &options.secret_access_key {
        builder = builder.with_secret_access_key(secret);
    }
    let bucket = builder.build().map_err(|error| refused(&error))?;
    let bucket: Arc<dyn ObjectStore> = Arc::new(Observed(Arc::new(bucket)));
    let base = Path::parse(prefix).map_err(|error| refused(&error))?;
    let store: Arc<dyn ObjectStore> =
        if base.as_ref().is_empty() { bucket.clone() } else { Arc::new(PrefixStore::new(bucket.clone(), base.clone())) };
    let slash = if prefix.is_empty() || prefix.ends_with('/') { "" } else { "/" };
    let url = Url::parse(&format!("s3://{bucket_name}/{prefix}{slash}")).map_err(|error| refused(&error))?;
    Ok(Inner { bucket, base, store, url, folder: None, options: LakeOptions::default() })
}

impl std::fmt::Debug for Lake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Lake({})", self.inner.url)
    }
}
