//! What the acceptance tests need: the built programs, real servers on free ports, and a temporary place for their data.
//!
//! The tests run the programs as a user would; they know the command line, the RPCs and the files, nothing else.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

pub mod clients;
pub mod cluster;
pub mod collector;
pub mod identity;
pub mod proxy;
pub mod sf;

use std::path::{Path, PathBuf};

/// A linear congruential generator: the same moments and faults each time.
pub struct Random(pub u64);

impl Random {
    /// The next number, of 31 bits.
    pub fn step(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }
}

/// A program of the workspace, beside this test's own binary.
pub fn program(name: &str) -> PathBuf {
    let mut folder = std::env::current_exe().unwrap();
    while folder.file_name().is_some_and(|name| name != "debug" && name != "release") {
        assert!(folder.pop(), "the test binary is not under a target folder");
    }
    let path = folder.join(name);
    assert!(path.exists(), "{} is not built: run `make build`", path.display());
    path
}

/// The shared reference data, or `None` when this machine has none and `SF_SHARED` does not demand it.
pub fn shared() -> Option<PathBuf> {
    if let Ok(path) = std::env::var("SF_SHARED") {
        let path = PathBuf::from(path);
        assert!(path.is_dir(), "SF_SHARED={} is not a folder", path.display());
        return Some(path);
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared");
    path.is_dir().then_some(path)
}

/// The Python of the tool folder that `make setup` fills.
pub fn python() -> PathBuf {
    let cache = std::env::var("SF_CACHE")
        .map_or_else(|_| PathBuf::from(std::env::var("HOME").unwrap()).join(".cache/signaux-faibles"), PathBuf::from);
    let path = cache.join("tools/bin/python");
    assert!(path.exists(), "{} is missing: run `make setup`", path.display());
    path
}
