//! Models in the object store: immutable artifacts, their states, and the pointer to the champion.

use std::collections::BTreeMap;

use api::training::Model;
use lake::{Lake, LakeError};
use online_store::Published;
use serde::{Deserialize, Serialize};

use crate::error::TrainingError;

/// What the pointer `champion` holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Champion {
    id: String,
    previous: Option<String>,
}

/// What the pointer `models` holds: when each model was registered, RFC 3339.
type Index = BTreeMap<String, String>;

/// The files of a model.
pub struct Artifact {
    /// LightGBM text.
    pub text: String,
    /// Manifest, JSON.
    pub manifest: Vec<u8>,
    /// Description for clients; its state and time of registration are not stored here.
    pub model: Model,
    /// Model card, HTML.
    pub card: String,
}

/// The registered models.
pub struct Registry<'a> {
    /// Where they are.
    pub lake: &'a Lake,
}

fn path(id: &str, name: &str) -> String {
    format!("models/{id}/{name}")
}

impl Registry<'_> {
    /// Registers a model under its identifier. Registering the same one again changes nothing.
    pub async fn add(&self, id: &str, artifact: Artifact) -> Result<Model, TrainingError> {
        let metrics =
            serde_json::to_vec_pretty(&artifact.model).map_err(|source| TrainingError::Document { what: "metrics.json".into(), source })?;
        let objects = self.lake.objects();
        objects.put(&path(id, "model.txt"), artifact.text.into_bytes().into()).await?;
        objects.put(&path(id, "metrics.json"), metrics.into()).await?;
        objects.put(&path(id, "card.html"), artifact.card.into_bytes().into()).await?;
        // Last, so that a model with a manifest is whole.
        objects.put(&path(id, "model.json"), artifact.manifest.into()).await?;
        let now = chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
        loop {
            let (mut index, version) = self.index().await?.map_or((Index::new(), None), |(index, version)| (index, Some(version)));
            if index.contains_key(id) {
                break;
            }
            index.insert(id.to_owned(), now.clone());
            match self.lake.pointers().compare_and_swap("models", version.as_ref(), &index).await {
                Ok(_) => break,
                Err(LakeError::Conflict(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        self.get(id).await
    }

    async fn index(&self) -> Result<Option<(Index, lake::Version)>, LakeError> {
        self.lake.pointers().read::<Index>("models").await
    }

    async fn champion(&self) -> Result<Option<Champion>, LakeError> {
        Ok(self.lake.pointers().read::<Champion>("champion").await?.map(|(champion, _)| champion))
    }

    /// Identifier of the champion.
    pub async fn champion_id(&self) -> Result<Option<String>, LakeError> {
        Ok(self.champion().await?.map(|champion| champion.id))
    }

    /// A model, or the champion under that name.
    pub async fn get(&self, id: &str) -> Result<Model, TrainingError> {
        let id = if id == "champion" { self.champion_id().await?.ok_or(TrainingError::NoChampion)? } else { id.to_owned() };
        let index = self.index().await?.map(|(index, _)| index).unwrap_or_default();
        let created_at = index.get(&id).ok_or_else(|| TrainingError::ModelNotFound(id.clone()))?;
        let champion = self.champion().await?;
        let bytes = self.lake.objects().get(&path(&id, "metrics.json")).await?;
        let model: Model =
            serde_json::from_slice(&bytes).map_err(|source| TrainingError::Document { what: path(&id, "metrics.json"), source })?;
        let state = match champion {
            Some(champion) if champion.id == id => "champion",
            Some(champion) if champion.previous.as_ref() == Some(&id) => "retired",
            _ => "candidate",
        };
        Ok(Model { state: state.to_owned(), created_at: created_at.clone(), ..model })
    }

    /// All models, the last registered first.
    pub async fn all(&self) -> Result<Vec<Model>, TrainingError> {
        let index = self.index().await?.map(|(index, _)| index).unwrap_or_default();
        let mut models = Vec::with_capacity(index.len());
        for id in index.keys() {
            models.push(self.get(id).await?);
        }
        models.sort_by(|a, b| b.created_at.cmp(&a.created_at).then_with(|| a.id.cmp(&b.id)));
        Ok(models)
    }

    /// Makes a model the champion. Refused when the vectors served online were made with other features.
    pub async fn promote(&self, id: &str) -> Result<Model, TrainingError> {
        let model = self.get(id).await?;
        if let Some(published) = Published::current(self.lake).await?
            && published.schema_hash != model.schema_hash
        {
            return Err(TrainingError::SchemaMismatch { model: model.id, wanted: model.schema_hash, served: published.schema_hash });
        }
        let current = self.champion().await?;
        if current.as_ref().is_none_or(|champion| champion.id != model.id) {
            let champion = Champion { id: model.id.clone(), previous: current.map(|champion| champion.id) };
            self.lake.pointers().set("champion", &champion).await?;
        }
        self.get(&model.id).await
    }

    /// The model card.
    pub async fn card(&self, id: &str) -> Result<Vec<u8>, TrainingError> {
        let model = self.get(id).await?;
        Ok(self.lake.objects().get(&path(&model.id, "card.html")).await?.to_vec())
    }
}
