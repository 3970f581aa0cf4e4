//! Vectors in the memory of the process.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use async_trait::async_trait;
use bytes::Bytes;
use domain::Siren;
use futures::StreamExt;
use futures::stream::BoxStream;

use crate::error::OnlineError;
use crate::{Blobs, OnlineStore};

struct Generation {
    name: String,
    vectors: HashMap<Siren, Bytes>,
}

/// A store in memory; a flip is the exchange of one pointer.
#[derive(Default)]
pub struct Embedded {
    current: ArcSwapOption<Generation>,
}

impl Embedded {
    /// The current generation and its vectors, by SIREN.
    pub(crate) fn all(&self) -> Option<(String, Vec<(Siren, Bytes)>)> {
        let current = self.current.load_full()?;
        let mut vectors: Vec<(Siren, Bytes)> = current.vectors.iter().map(|(siren, blob)| (*siren, blob.clone())).collect();
        vectors.sort_unstable_by_key(|(siren, _)| *siren);
        Some((current.name.clone(), vectors))
    }
}

#[async_trait]
impl OnlineStore for Embedded {
    async fn publish(&self, generation: &str, vectors: BoxStream<'_, (Siren, Bytes)>) -> Result<u64, OnlineError> {
        let vectors: HashMap<Siren, Bytes> = vectors.collect().await;
        let count = vectors.len() as u64;
        self.current.store(Some(Arc::new(Generation { name: generation.to_owned(), vectors })));
        Ok(count)
    }

    async fn generation(&self) -> Result<Option<String>, OnlineError> {
        Ok(self.current.load().as_ref().map(|current| current.name.clone()))
    }

    async fn get(&self, sirens: &[Siren]) -> Result<Blobs, OnlineError> {
        let current = self.current.load();
        let Some(current) = current.as_ref() else { return Ok(Blobs { generation: None, blobs: vec![None; sirens.len()] }) };
        let blobs = sirens.iter().map(|siren| current.vectors.get(siren).cloned()).collect();
        Ok(Blobs { generation: Some(current.name.clone()), blobs })
    }
}
