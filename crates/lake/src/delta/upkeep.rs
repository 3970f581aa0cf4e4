//! What keeps tables from growing for ever: batches forgotten, files removed that nothing names.

use std::collections::{BTreeMap, BTreeSet};

use domain::{BatchKey, Delivery, Source};

use crate::delta::log::Log;
use crate::error::Result;
use crate::objects::Listed;
use crate::root::Lake;

/// The upkeep of a table, whatever its columns.
pub struct Upkeep {
    log: Log,
}

impl Upkeep {
    /// Of the table of this name.
    pub fn new(lake: &Lake, name: &str) -> Self {
        Self { log: Log::new(lake.clone(), name, name.parse::<Source>().is_ok()) }
    }

    /// Names of all tables.
    pub async fn tables(lake: &Lake) -> Result<Vec<String>> {
        lake.objects().folders("tables").await
    }

    /// Batches that have rows, and how they were delivered.
    pub async fn deliveries(&self) -> Result<BTreeMap<BatchKey, Delivery>> {
        self.log.batches().await
    }

    /// Removes the rows of batches, in one commit.
    pub async fn forget(&self, batches: &BTreeSet<BatchKey>) -> Result<()> {
        if !batches.is_empty() {
            self.log.forget(batches).await?;
        }
        Ok(())
    }

    /// Files that the table does not name: what was removed or replaced, what was never committed, and what a writer at work
    /// has not committed yet.
    pub async fn unreferenced(&self) -> Result<Vec<Listed>> {
        self.log.unreferenced().await
    }
}
