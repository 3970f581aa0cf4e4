//! Copies of a root in another root, and the way back.
//!
//! A copy can be made while the suite works. What names other objects is read first, pointers before the logs of tables, so that all it
//! names is there when the rest is listed; on the way back it comes last, so that nothing is named before it is there. Contents are
//! stored once, under their digests: the next copy writes what is new. A copy is complete when its list is there, and not before.

use std::collections::BTreeSet;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::{StreamExt, TryStreamExt, stream};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::error::{LakeError, Result};
use crate::objects::Listed;
use crate::root::Lake;

/// Objects on their way at a time.
const PARALLEL: usize = 8;
/// Bytes of an object that is read once, into memory.
const IN_MEMORY: u64 = 16 * 1024 * 1024;
/// Folder of the contents.
const BLOBS: &str = "blobs";
/// Folder of the lists.
const LISTS: &str = "backups";

/// A complete copy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Backup {
    /// Its name.
    pub name: String,
    /// When it was begun.
    pub begun: DateTime<Utc>,
    /// Address of the root that was copied.
    pub root: String,
    /// What was copied, in the order of the paths.
    pub objects: Vec<Copied>,
}

/// An object of a copy.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Copied {
    /// Its path in the root.
    pub path: String,
    /// Bytes.
    pub size: u64,
    /// SHA-256 of its content, hexadecimal.
    pub sha256: String,
}

impl Backup {
    /// Bytes of all objects.
    pub fn size(&self) -> u64 {
        self.objects.iter().map(|object| object.size).sum()
    }

    /// Copies a root into another one. Fails if that is the root itself or in it, if there is a copy of this name, or if something is
    /// removed meanwhile.
    pub async fn create(from: &Lake, to: &Lake, name: &str) -> Result<Self> {
        if to.url().as_str().starts_with(from.url().as_str()) {
            let reason = "it is the root that is copied, or in it: each copy would hold the ones before".to_owned();
            return Err(LakeError::Root { root: to.url().to_string(), reason });
        }
        let path = list(name);
        if to.objects().exists(&path).await? {
            return Err(LakeError::Immutable(path));
        }
        let begun = Utc::now();
        let mut objects = Vec::new();
        // Whoever writes meanwhile may replace what was read; what that names is listed after it.
        for part in [Part::Documents, Part::Logs, Part::Contents] {
            let found = from.objects().describe("").await?;
            let found = found.into_iter().filter(|object| Part::of(&object.path) == Some(part));
            objects.extend(copy_all(from, to, found.collect()).await?);
        }
        objects.sort();
        let backup = Self { name: name.to_owned(), begun, root: from.url().to_string(), objects };
        let json = serde_json::to_vec_pretty(&backup).map_err(|error| LakeError::corrupt(&path, error))?;
        to.objects().put_new(&path, json.into()).await?;
        Ok(backup)
    }

    /// The complete copies in a root, by name.
    pub async fn all(at: &Lake) -> Result<Vec<Self>> {
        let mut found = Vec::new();
        for path in at.objects().list(LISTS).await? {
            found.push(read(at, &path).await?);
        }
        Ok(found)
    }

    /// The copy of this name.
    pub async fn find(at: &Lake, name: &str) -> Result<Self> {
        read(at, &list(name)).await
    }

    /// Puts the objects of this copy, which is in `at`, into an empty root. Run again, it goes on where it stopped.
    pub async fn restore(&self, at: &Lake, to: &Lake) -> Result<()> {
        let wanted: BTreeSet<&str> = self.objects.iter().map(|object| object.path.as_str()).collect();
        let strangers: Vec<String> = to.objects().list("").await?.into_iter().filter(|path| !wanted.contains(path.as_str())).collect();
        if let Some(stranger) = strangers.first() {
            let reason = format!("it is not empty: {stranger} is no part of the copy; restore into another root, or remove it first");
            return Err(LakeError::Root { root: to.url().to_string(), reason });
        }
        for part in [Part::Contents, Part::Logs, Part::Documents] {
            let objects = self.objects.iter().filter(|object| Part::of(&object.path) == Some(part));
            stream::iter(objects).map(|object| put_back(at, to, object)).buffer_unordered(PARALLEL).try_collect::<Vec<()>>().await?;
        }
        Ok(())
    }
}

fn list(name: &str) -> String {
    format!("{LISTS}/{name}.json")
}

async fn read(at: &Lake, path: &str) -> Result<Backup> {
    serde_json::from_slice(&at.objects().get(path).await?).map_err(|error| LakeError::corrupt(path, error))
}

/// Parts of a root, by what names what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    /// Documents that change and name anything: pointers, jobs, manifests of received files.
    Documents,
    /// Logs of tables, which name files.
    Logs,
    /// What is named.
    Contents,
}

impl Part {
    /// The part of an object; none for what is not copied: files that are still being received, and a hint of a log that another reader
    /// can do without, and that may name what came after the log was read.
    fn of(path: &str) -> Option<Self> {
        if path.starts_with("uploads/") || path.ends_with("/_delta_log/_last_checkpoint") {
            None
        } else if path.contains("/_delta_log/") {
            Some(Self::Logs)
        } else if ["pointers/", "operations/"].iter().any(|folder| path.starts_with(folder)) || is_manifest(path) {
            Some(Self::Documents)
        } else {
            Some(Self::Contents)
        }
    }
}

fn is_manifest(path: &str) -> bool {
    path.starts_with("raw/") && path.ends_with("/manifest.json")
}

async fn copy_all(from: &Lake, to: &Lake, found: Vec<Listed>) -> Result<Vec<Copied>> {
    stream::iter(found).map(|object| copy(from, to, object)).buffer_unordered(PARALLEL).try_collect().await
}

/// Where a content is.
fn blob(sha256: &str) -> String {
    format!("{BLOBS}/{}/{sha256}", sha256.get(..2).unwrap_or_default())
}

/// Copies the content of an object, unless it is there, whole.
async fn copy(from: &Lake, to: &Lake, object: Listed) -> Result<Copied> {
    let path = object.path;
    // A document may change between two readings.
    if object.size <= IN_MEMORY {
        let content = from.objects().get(&path).await?;
        let (sha256, size) = (hex::encode(Sha256::digest(&content)), content.len() as u64);
        if to.objects().size(&blob(&sha256)).await? != Some(size) {
            to.objects().put(&blob(&sha256), content).await?;
        }
        return Ok(Copied { path, size, sha256 });
    }
    // Read twice: once for its name, and once to be sent.
    let mut content = from.objects().get_stream(&path).await?;
    let (mut digest, mut size) = (Sha256::new(), 0);
    while let Some(piece) = content.try_next().await? {
        digest.update(&piece);
        size += piece.len() as u64;
    }
    let sha256 = hex::encode(digest.finalize());
    if to.objects().size(&blob(&sha256)).await? != Some(size) {
        send(from, &path, to, &blob(&sha256), &sha256).await?;
    }
    Ok(Copied { path, size, sha256 })
}

async fn put_back(at: &Lake, to: &Lake, object: &Copied) -> Result<()> {
    send(at, &blob(&object.sha256), to, &object.path, &object.sha256).await
}

/// Sends a content, which must have this digest: otherwise nothing is written.
async fn send(from: &Lake, source: &str, to: &Lake, target: &str, sha256: &str) -> Result<()> {
    let content = from.objects().get_stream(source).await?;
    // The last piece of a content that is not the expected one is an error, and what was sent before is taken back.
    let checked = stream::try_unfold((content, Sha256::new()), |(mut content, mut digest)| async move {
        Ok(match content.try_next().await? {
            Some(piece) => {
                digest.update(&piece);
                Some((piece, (content, digest)))
            }
            None if hex::encode(digest.clone().finalize()) == sha256 => None,
            None => return Err(LakeError::corrupt(source, "its content is not the one that was copied")),
        })
    });
    let checked = checked.try_filter(|piece: &Bytes| std::future::ready(!piece.is_empty()));
    to.objects().put_stream(target, checked).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::LakeOptions;

    fn lakes() -> (tempfile::TempDir, [Lake; 3]) {
        let folder = tempfile::tempdir().unwrap();
        let open = |name: &str| Lake::open(folder.path().join(name).to_str().unwrap(), &LakeOptions::default()).unwrap();
        let lakes = ["from", "copies", "to"].map(open);
        (folder, lakes)
    }

    async fn contents(lake: &Lake) -> Vec<(String, Bytes)> {
        let mut found = Vec::new();
        for path in lake.objects().list("").await.unwrap() {
            let content = lake.objects().get(&path).await.unwrap();
            found.push((path, content));
        }
        found
    }

    async fn fill(lake: &Lake) {
        let objects = lake.objects();
        for path in ["models/a/model.txt", "tables/t/_delta_log/0.json", "tables/t/part.parquet", "raw/2511/empty"] {
            let content = if path.ends_with("empty") { String::new() } else { path.repeat(1_000) };
            objects.put(path, content.into()).await.unwrap();
        }
        lake.pointers().set("champion", &"a".to_owned()).await.unwrap();
    }

    #[tokio::test]
    async fn what_was_copied_comes_back_and_the_next_copy_writes_what_is_new() {
        let (folder, [from, copies, to]) = lakes();
        fill(&from).await;
        let before = contents(&from).await;
        let first = Backup::create(&from, &copies, "one").await.unwrap();
        assert_eq!(first.objects.len(), before.len());
        assert!(Backup::create(&from, &copies, "one").await.is_err(), "a copy is not replaced");
        let inside = folder.path().join("from/copies");
        let inside = Lake::open(inside.to_str().unwrap(), &LakeOptions::default()).unwrap();
        for place in [&from, &inside] {
            assert!(matches!(Backup::create(&from, place, "one").await, Err(LakeError::Root { .. })), "a copy of copies");
        }
        let blobs = copies.objects().list(BLOBS).await.unwrap().len();
        from.pointers().set("champion", &"b".to_owned()).await.unwrap();
        Backup::create(&from, &copies, "two").await.unwrap();
        assert_eq!(copies.objects().list(BLOBS).await.unwrap().len(), blobs + 1);
        assert_eq!(Backup::all(&copies).await.unwrap().len(), 2);

        Backup::find(&copies, "one").await.unwrap().restore(&copies, &to).await.unwrap();
        assert_eq!(contents(&to).await, before);
        first.restore(&copies, &to).await.unwrap();
        assert!(first.restore(&copies, &copies).await.is_err(), "a root with other objects is left alone");
    }

    #[tokio::test]
    async fn a_damaged_content_is_found_and_nothing_names_what_is_not_there() {
        let (_folder, [from, copies, to]) = lakes();
        fill(&from).await;
        let backup = Backup::create(&from, &copies, "one").await.unwrap();
        let model = backup.objects.iter().find(|object| object.path.starts_with("models/")).unwrap();
        copies.objects().put(&blob(&model.sha256), "damaged".into()).await.unwrap();
        let error = backup.restore(&copies, &to).await.unwrap_err();
        assert!(matches!(error, LakeError::Corrupt { .. }), "{error}");
        let there = to.objects().list("").await.unwrap();
        assert!(there.iter().all(|path| Part::of(path) == Some(Part::Contents) && !path.starts_with("models/")), "{there:?}");
        // What was cut off is not taken for whole by the next copy.
        Backup::create(&from, &copies, "two").await.unwrap().restore(&copies, &to).await.unwrap();
        assert_eq!(contents(&to).await, contents(&from).await);
    }
}
