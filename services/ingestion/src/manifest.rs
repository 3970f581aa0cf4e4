//! What a delivery may say about itself: `manifest.toml` among its files.
//!
//! ```toml
//! batch = "2511"
//!
//! [deliveries]          # how a source is delivered, when it is not its usual way
//! debit = "flow"
//!
//! [sha256]              # when there, names every file of the delivery
//! "sigfaible_debits.csv.gz" = "9f86d081…"
//! ```

use std::collections::BTreeMap;

use domain::{BatchKey, Delivery, Source};
use lake::RawFile;
use serde::Deserialize;

use crate::error::IngestError;

/// Its name.
pub const NAME: &str = "manifest.toml";

/// A manifest.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Manifest {
    batch: Option<BatchKey>,
    deliveries: BTreeMap<Source, Delivery>,
    sha256: BTreeMap<String, String>,
}

fn problem(text: impl Into<String>) -> IngestError {
    IngestError::Manifest { file: NAME.to_owned(), problem: text.into() }
}

impl Manifest {
    /// Reads a manifest.
    pub fn parse(bytes: &[u8]) -> Result<Self, IngestError> {
        let text = std::str::from_utf8(bytes).map_err(|_| problem("it is not UTF-8"))?;
        toml::from_str(text).map_err(|error| problem(format!("{}: see docs/deliveries.md for its keys", error.message())))
    }

    /// How a source is delivered.
    pub fn delivery(&self, source: Source) -> Delivery {
        self.deliveries.get(&source).copied().unwrap_or_else(|| source.default_delivery())
    }

    /// Checks that the files delivered are those that the manifest names.
    pub fn check(&self, batch: BatchKey, files: &BTreeMap<String, RawFile>) -> Result<(), IngestError> {
        if let Some(other) = self.batch.filter(|other| *other != batch) {
            return Err(problem(format!("it is that of batch {other}, not {batch}: check --batch, or the folder")));
        }
        if self.sha256.is_empty() {
            return Ok(());
        }
        for (name, sha256) in &self.sha256 {
            let file = files.get(name).ok_or_else(|| problem(format!("it names {name}, which was not delivered")))?;
            if !file.sha256.eq_ignore_ascii_case(sha256) {
                return Err(problem(format!(
                    "{name} has the SHA-256 {}, not {sha256}: it was altered on its way, deliver it again",
                    file.sha256
                )));
            }
        }
        match files.keys().find(|name| *name != NAME && !self.sha256.contains_key(*name)) {
            Some(name) => Err(problem(format!("{name} was delivered and is not in [sha256]: add it, or remove the file"))),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(names: &[&str]) -> BTreeMap<String, RawFile> {
        let file = |name: &&str| ((*name).to_owned(), RawFile { path: String::new(), size: 1, sha256: "ab".to_owned() });
        names.iter().map(file).collect()
    }

    #[test]
    fn deliveries_default_to_those_of_the_source() {
        let manifest = Manifest::parse(b"batch = '2511'\n[deliveries]\ndebit = 'flow'\n").unwrap();
        assert_eq!((manifest.delivery(Source::Debit), manifest.delivery(Source::Procol)), (Delivery::Flow, Delivery::Stock));
        assert!(manifest.check("2511".parse().unwrap(), &files(&["anything.csv"])).is_ok());
        for bad in ["batch = '2513'", "[deliveries]\ndebits = 'flow'", "[deliveries]\ndebit = 'part'", "flows = 1", "batch ="] {
            assert!(matches!(Manifest::parse(bad.as_bytes()), Err(IngestError::Manifest { .. })), "{bad}");
        }
    }

    #[test]
    fn the_files_are_those_it_names() {
        let manifest = Manifest::parse(b"batch = '2511'\n[sha256]\n'a.csv' = 'AB'\n").unwrap();
        let check = |batch: &str, names: &[&str]| manifest.check(batch.parse().unwrap(), &files(names)).map_err(|error| error.to_string());
        assert_eq!(check("2511", &["a.csv", NAME]), Ok(()));
        assert!(check("2512", &["a.csv"]).unwrap_err().contains("2511"));
        assert!(check("2511", &[NAME]).unwrap_err().contains("a.csv, which was not delivered"));
        assert!(check("2511", &["a.csv", "b.csv"]).unwrap_err().contains("b.csv"));
        let altered = Manifest::parse(b"[sha256]\n'a.csv' = 'cd'\n").unwrap();
        assert!(altered.check("2511".parse().unwrap(), &files(&["a.csv"])).unwrap_err().to_string().contains("altered"));
    }
}
