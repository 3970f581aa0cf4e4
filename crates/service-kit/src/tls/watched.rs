//! Something that is made of files, and made again when they change.

use std::path::PathBuf;
use std::sync::{Arc, Weak};
use std::time::Duration;

use arc_swap::ArcSwap;
use sha2::{Digest, Sha256};

use super::refused;
use crate::error::ServiceError;

/// How it is made of the contents, which come in the order of the paths.
type Make<T> = dyn Fn(&[Vec<u8>]) -> Result<T, ServiceError> + Send + Sync;

/// Something that is made of files. While new files cannot be used, the last that could are.
pub struct Watched<T> {
    paths: Vec<PathBuf>,
    make: Box<Make<T>>,
    current: ArcSwap<T>,
}

impl<T: Send + Sync + 'static> Watched<T> {
    /// Makes it; fails if the files cannot be used now. They are looked at again for as long as it lives.
    pub fn new(
        paths: Vec<PathBuf>,
        every: Duration,
        make: impl Fn(&[Vec<u8>]) -> Result<T, ServiceError> + Send + Sync + 'static,
    ) -> Result<Arc<Self>, ServiceError> {
        let contents = read(&paths)?;
        let seen = digest(&contents);
        let watched = Arc::new(Self { current: ArcSwap::from_pointee(make(&contents)?), make: Box::new(make), paths });
        tokio::spawn(watch(Arc::downgrade(&watched), every.max(Duration::from_millis(10)), seen));
        Ok(watched)
    }

    /// As the files have it.
    pub fn now(&self) -> Arc<T> {
        self.current.load_full()
    }
}

/// Looks at the files until nobody uses them. Contents are compared, and not times: a mounted secret changes by links.
async fn watch<T>(watched: Weak<Watched<T>>, every: Duration, mut seen: [u8; 32]) {
    loop {
        tokio::time::sleep(every).await;
        let Some(watched) = watched.upgrade() else { return };
        let made = match read(&watched.paths) {
            Ok(contents) => {
                let now = digest(&contents);
                if now == seen {
                    continue;
                }
                seen = now;
                (watched.make)(&contents)
            }
            Err(error) => Err(error),
        };
        match made {
            Ok(made) => {
                watched.current.store(Arc::new(made));
                tracing::info!(files = ?watched.paths, "certificates were read again");
            }
            // Between two writes of a renewal the key may not fit the certificate.
            Err(error) => tracing::warn!(%error, "certificates cannot be used; the last ones still are"),
        }
    }
}

fn read(paths: &[PathBuf]) -> Result<Vec<Vec<u8>>, ServiceError> {
    paths.iter().map(|path| std::fs::read(path).map_err(|error| refused(&path.display().to_string(), &error))).collect()
}

fn digest(contents: &[Vec<u8>]) -> [u8; 32] {
    let mut all = Sha256::new();
    for content in contents {
        all.update(content.len().to_le_bytes());
        all.update(content);
    }
    all.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorCode;

    #[tokio::test]
    async fn what_is_made_follows_the_files_and_survives_bad_ones() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("number");
        let number = |contents: &[Vec<u8>]| {
            let text = String::from_utf8_lossy(&contents[0]);
            text.parse::<u32>().map_err(|_| ServiceError::new(ErrorCode::Configuration, "no number"))
        };
        let every = Duration::from_millis(10);
        assert!(Watched::new(vec![path.clone()], every, number).is_err());
        std::fs::write(&path, "1").unwrap();
        let watched = Watched::new(vec![path.clone()], every, number).unwrap();
        assert_eq!(*watched.now(), 1);
        for (text, expected) in [("x", 1), ("2", 2)] {
            std::fs::write(&path, text).unwrap();
            tokio::time::sleep(Duration::from_millis(100)).await;
            assert_eq!(*watched.now(), expected);
        }
        std::fs::remove_file(&path).unwrap();
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert_eq!(*watched.now(), 2);
    }
}
