//! What is served online: a small document behind the pointers `online` and `online-<batch>`, moved last by a build.

use domain::{BatchKey, Month};
use lake::{Lake, LakeError};
use serde::{Deserialize, Serialize};

/// The vectors of a build.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Published {
    /// Keyspace of the online store, and name of the snapshot.
    pub generation: String,
    /// Batch that the vectors come from.
    pub batch: BatchKey,
    /// Month that they stand for.
    pub month: Month,
    /// Hash of the catalogue.
    pub schema_hash: String,
    /// Number of vectors.
    pub companies: u64,
    /// Version of the offline table.
    pub features_version: i64,
}

impl Published {
    /// What is served now, if anything is.
    pub async fn current(lake: &Lake) -> Result<Option<Self>, LakeError> {
        Ok(lake.pointers().read::<Self>("online").await?.map(|(published, _)| published))
    }

    /// The latest build of a batch.
    pub async fn of_batch(lake: &Lake, batch: BatchKey) -> Result<Option<Self>, LakeError> {
        Ok(lake.pointers().read::<Self>(&format!("online-{batch}")).await?.map(|(published, _)| published))
    }

    /// Makes this what is served, and remembers it as the latest build of its batch.
    pub async fn point(&self, lake: &Lake) -> Result<(), LakeError> {
        lake.pointers().set(&format!("online-{}", self.batch), self).await?;
        lake.pointers().set("online", self).await
    }
}
