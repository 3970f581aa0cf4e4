//! Models in the object store: immutable artifacts, their states, and the pointer to the champion.

use std::collections::BTreeMap;

use api::training::Model;
use lake::{Lake, LakeError};
use online_store::Published;
use panel::Catalogue;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use trees::manifest::{Manifest, text_digest};
use trees::signature::SigningKey;

use crate::contest::{Bout, Contest, Contestant};
use crate::error::TrainingError;
use crate::feedback::Feedback;
use crate::promotion::Rival;
use crate::report::Report;
use crate::rows::Side;
use crate::{describe, offline, promotion};

/// What the pointer `champion` holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Champion {
    id: String,
    previous: Option<String>,
    /// Why it was promoted against its report.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    because: Option<String>,
}

/// What the pointer `challenger` holds: an empty identifier for none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Challenger {
    id: String,
}

/// What the pointer `models` holds: when each model was registered, RFC 3339.
type Index = BTreeMap<String, String>;

/// The files of a model.
pub struct Artifact {
    /// LightGBM text, `model.txt`.
    pub text: String,
    /// What scores need to know, `model.json`.
    pub manifest: Manifest,
    /// What was measured, `metrics.json`.
    pub report: Report,
    /// Model card, `card.html`.
    pub card: String,
}

/// The registered models.
pub struct Registry<'a> {
    /// Where they are.
    pub lake: &'a Lake,
    /// The features of those that can be served.
    pub catalogue: &'a Catalogue,
}

fn path(id: &str, name: &str) -> String {
    format!("models/{id}/{name}")
}

fn json<T: Serialize>(name: &str, document: &T) -> Result<Vec<u8>, TrainingError> {
    serde_json::to_vec_pretty(document).map_err(|source| TrainingError::Document { what: name.to_owned(), source })
}

/// What was found of two models before.
async fn kept_contest(lake: &Lake, kept: &str) -> Result<Option<Contest>, TrainingError> {
    match lake.objects().get(kept).await {
        Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(|source| TrainingError::Document { what: kept.to_owned(), source }),
        Err(LakeError::NotFound(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

impl Registry<'_> {
    /// Registers a model under its identifier, signed if there is a key. Registering the same one again changes nothing, and nothing
    /// that decides about it is ever replaced: the identifier is a hash of it. A crash leaves files that no reader sees, since the
    /// index names a model only once it is whole.
    pub async fn add(&self, id: &str, artifact: Artifact, key: Option<&SigningKey>) -> Result<Model, TrainingError> {
        let objects = self.lake.objects();
        objects.put_new(&path(id, "model.txt"), artifact.text.into_bytes().into()).await?;
        objects.put_new(&path(id, "metrics.json"), artifact.report.json()?.into()).await?;
        // A drawing of the report, and a signature by the key of today.
        objects.put(&path(id, "card.html"), artifact.card.into_bytes().into()).await?;
        let manifest = json("model.json", &artifact.manifest)?;
        if let Some(key) = key {
            objects.put(&path(id, "model.sig"), json("model.sig", &key.sign(&manifest))?.into()).await?;
        }
        objects.put_new(&path(id, "model.json"), manifest.into()).await?;
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
        let manifest: Manifest = self.document(&id, "model.json").await?;
        let state = match champion {
            Some(champion) if champion.id == id => "champion",
            _ if self.lake.pointers().read::<Challenger>("challenger").await?.is_some_and(|(challenger, _)| challenger.id == id) => {
                "challenger"
            }
            Some(champion) if champion.previous.as_ref() == Some(&id) => "retired",
            _ => "candidate",
        };
        let described = describe::model(&id, &manifest, &self.report(&id).await?);
        Ok(Model { state: state.to_owned(), created_at: created_at.clone(), ..described })
    }

    /// A model against another on the rows that it was tested on, kept beside it once it is found. `None` where they cannot be compared:
    /// they have other features than this version, or the rows are no longer those of the test. It goes on and is kept when nobody
    /// waits for it any more; only one is held at a time, so that who asks again finds it.
    pub async fn contest(&self, id: &str, champion: &str, feedback: &Feedback) -> Result<Option<Contest>, TrainingError> {
        static ONE_AT_A_TIME: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
        let kept = path(id, &format!("against-{champion}.json"));
        if let Some(found) = kept_contest(self.lake, &kept).await? {
            return Ok(Some(found));
        }
        let Some(bout) = self.bout(id, champion, feedback).await? else { return Ok(None) };
        let features = self.catalogue.features().iter().map(|feature| feature.name.clone()).collect();
        let lake = self.lake.clone();
        let held = tokio::spawn(async move {
            let _turn = ONE_AT_A_TIME.lock().await;
            if let Some(found) = kept_contest(&lake, &kept).await? {
                return Ok(Some(found));
            }
            let found = bout.hold(features).await?;
            if let Some(found) = &found {
                lake.objects().put(&kept, json("contest", found)?.into()).await?;
            }
            Ok(found)
        });
        held.await.map_err(|error| TrainingError::Task(error.to_string()))?
    }

    async fn bout(&self, id: &str, champion: &str, feedback: &Feedback) -> Result<Option<Bout>, TrainingError> {
        let report = self.report(id).await?;
        let manifest: Manifest = self.document(id, "model.json").await?;
        let (Some(section), Ok(batch)) = (report.sections.first(), manifest.batch.parse()) else { return Ok(None) };
        let test = section.sides.iter().find(|side| side.side == Side::Test.name()).map(|side| (side.rows, side.positives));
        let challenger = Contestant::load(self.lake, id, self.catalogue).await?;
        let champion = Contestant::load(self.lake, champion, self.catalogue).await?;
        let (Some(test), Some(challenger), Some(champion)) = (test, challenger, champion) else { return Ok(None) };
        let rows = offline::table(self.lake).snapshot(batch).await?;
        if rows.version().is_none() {
            return Ok(None);
        }
        Ok(Some(Bout { rows, split: section.split, test, feedback: feedback.clone(), challenger, champion }))
    }

    /// What a challenger is compared with.
    async fn rival(&self, id: &str, champion: &str) -> Result<Rival, TrainingError> {
        Ok(match self.contest(id, champion, &Feedback::default()).await? {
            Some(contest) => Rival::OnTheSameRows(contest),
            None => Rival::ByItsReport(Box::new(self.report(champion).await?)),
        })
    }

    /// What was measured of a model: refused when it is not the report that the model was registered with.
    async fn report(&self, id: &str) -> Result<Report, TrainingError> {
        let manifest: Manifest = self.document(id, "model.json").await?;
        let (name, bytes) = (path(id, "metrics.json"), self.lake.objects().get(&path(id, "metrics.json")).await?);
        if !manifest.report_sha256.is_empty() && text_digest(&bytes) != manifest.report_sha256 {
            return Err(LakeError::Corrupt { path: name, reason: "its digest is not the one of model.json".to_owned() }.into());
        }
        serde_json::from_slice(&bytes).map_err(|source| TrainingError::Document { what: name, source })
    }

    async fn document<T: DeserializeOwned>(&self, id: &str, name: &str) -> Result<T, TrainingError> {
        let bytes = self.lake.objects().get(&path(id, name)).await?;
        serde_json::from_slice(&bytes).map_err(|source| TrainingError::Document { what: path(id, name), source })
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

    /// Makes a model the champion. Refused when the vectors served online were made with other features; and, unless
    /// `because` says why, when its report gives a reason to doubt it.
    pub async fn promote(&self, id: &str, because: &str) -> Result<Model, TrainingError> {
        let model = self.get(id).await?;
        self.check_schema(&model).await?;
        loop {
            let current = self.lake.pointers().read::<Champion>("champion").await?;
            let (current, version) = current.map_or((None, None), |(champion, version)| (Some(champion), Some(version)));
            if current.as_ref().is_some_and(|champion| champion.id == model.id) {
                return self.get(&model.id).await;
            }
            if because.trim().is_empty() {
                let rival = match &current {
                    Some(champion) => Some(self.rival(&model.id, &champion.id).await?),
                    None => None,
                };
                let doubts = promotion::doubts(&self.report(&model.id).await?, rival.as_ref());
                if !doubts.is_empty() {
                    return Err(TrainingError::Doubtful { model: model.id, doubts: doubts.join("; ") });
                }
            }
            let because = Some(because.trim().to_owned()).filter(|because| !because.is_empty());
            let next = Champion { id: model.id.clone(), previous: current.map(|champion| champion.id), because };
            if self.replace_champion(version.as_ref(), &next).await? {
                return self.get(&model.id).await;
            }
        }
    }

    /// Makes a model the champion if there is none, whatever speaks against it but the signs of a leak: a list by a model with faint
    /// doubts is worth more than none, one by a model that knows the future is not.
    pub async fn promote_first(&self, id: &str) -> Result<Model, TrainingError> {
        let model = self.get(id).await?;
        self.check_schema(&model).await?;
        let report = self.report(id).await?;
        let doubts = promotion::doubts(&report, None).join("; ");
        if report.alarms.iter().any(|alarm| alarm.kind.is_of_a_leak()) {
            tracing::warn!(model = id, doubts, "not promoted, though there is no champion: look at its card first");
            return Ok(model);
        }
        let because = (!doubts.is_empty()).then(|| format!("there was no champion to keep; {doubts}"));
        if let Some(because) = &because {
            tracing::warn!(model = id, because, "promoted all the same");
        }
        self.replace_champion(None, &Champion { id: id.to_owned(), previous: None, because }).await?;
        self.get(id).await
    }

    /// Lets a model score beside the champion, or none when the identifier is empty.
    pub async fn shadow(&self, id: &str) -> Result<(), TrainingError> {
        if !id.is_empty() {
            self.check_schema(&self.get(id).await?).await?;
        }
        Ok(self.lake.pointers().set("challenger", &Challenger { id: id.to_owned() }).await?)
    }

    /// Makes the previous champion the champion again. Rolling back twice changes nothing in the end.
    pub async fn roll_back(&self) -> Result<Model, TrainingError> {
        loop {
            let (champion, version) = self.lake.pointers().read::<Champion>("champion").await?.ok_or(TrainingError::NoChampion)?;
            let id = champion.previous.ok_or(TrainingError::NothingBefore)?;
            let model = self.get(&id).await?;
            self.check_schema(&model).await?;
            let next = Champion { id, previous: Some(champion.id), because: Some("rolled back".to_owned()) };
            if self.replace_champion(Some(&version), &next).await? {
                return self.get(&model.id).await;
            }
        }
    }

    /// Whether the pointer was still at that version, and now is at this champion.
    async fn replace_champion(&self, version: Option<&lake::Version>, champion: &Champion) -> Result<bool, TrainingError> {
        match self.lake.pointers().compare_and_swap("champion", version, champion).await {
            Ok(_) => Ok(true),
            Err(LakeError::Conflict(_)) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    async fn check_schema(&self, model: &Model) -> Result<(), TrainingError> {
        match Published::current(self.lake).await? {
            Some(published) if published.schema_hash != model.schema_hash => Err(TrainingError::SchemaMismatch {
                model: model.id.clone(),
                wanted: model.schema_hash.clone(),
                served: published.schema_hash,
            }),
            _ => Ok(()),
        }
    }

    /// The model card, and the report that it shows.
    pub async fn card(&self, id: &str) -> Result<(Vec<u8>, Vec<u8>), TrainingError> {
        let model = self.get(id).await?;
        let file = async |name: &str| Ok::<_, TrainingError>(self.lake.objects().get(&path(&model.id, name)).await?.to_vec());
        Ok((file("card.html").await?, file("metrics.json").await?))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use lake::LakeOptions;
    use trees::Params;

    use super::*;
    use crate::alarms::{Alarm, AlarmKind};
    use crate::split::Protocol;
    use crate::study::tests;

    fn lake(folder: &Path) -> Lake {
        Lake::open(folder.to_str().unwrap(), &LakeOptions::default()).unwrap()
    }

    /// Registers a model with this report.
    async fn registered(registry: &Registry<'_>, report: Report) -> String {
        let study = tests::studied();
        let text = study.first.text.unwrap();
        let manifest = Manifest {
            kind: "lightgbm".into(),
            protocol: "holdout".into(),
            batch: "2511".into(),
            features_version: 1,
            schema_hash: registry.catalogue.schema_hash().to_owned(),
            features: vec![],
            params: Params::default(),
            trees: 1,
            calibration: study.calibration,
            uncertainty: study.uncertainty,
            moderate: study.thresholds.moderate,
            high: study.thresholds.high,
            capacity: None,
            feedback: String::new(),
            text_sha256: text_digest(&text),
            report_sha256: text_digest(report.json().unwrap()),
            code_version: "0.1.0".into(),
        };
        let id = manifest.id().unwrap();
        registry.add(&id, Artifact { text, manifest, report, card: String::new() }, None).await.unwrap();
        id
    }

    #[tokio::test]
    async fn the_first_model_is_promoted_over_faint_doubts_and_not_over_a_leak() {
        let (folder, catalogue) = (tempfile::tempdir().unwrap(), Catalogue::builtin().unwrap());
        let lake = lake(folder.path());
        let registry = Registry { lake: &lake, catalogue: &catalogue };
        let mut leaking = tests::report(Protocol::Holdout, 0.85, 0.004);
        leaking.alarms.push(Alarm { kind: AlarmKind::FeatureAlone, message: "knows the future".into() });
        let leaking = registered(&registry, leaking).await;
        assert_eq!(registry.promote_first(&leaking).await.unwrap().state, "candidate");
        assert_eq!(registry.champion_id().await.unwrap(), None);
        let crude = registered(&registry, tests::report(Protocol::Holdout, 0.85, 0.03)).await;
        assert_eq!(registry.promote_first(&crude).await.unwrap().state, "champion");
        let because = registry.champion().await.unwrap().unwrap().because.unwrap();
        assert!(because.contains("no champion to keep") && because.contains("calibration"), "{because}");
    }

    #[tokio::test]
    async fn where_the_rows_are_gone_the_reports_are_compared() {
        let (folder, catalogue) = (tempfile::tempdir().unwrap(), Catalogue::builtin().unwrap());
        let lake = lake(folder.path());
        let registry = Registry { lake: &lake, catalogue: &catalogue };
        let champion = registered(&registry, tests::report(Protocol::Holdout, 0.85, 0.004)).await;
        let worse = registered(&registry, tests::report(Protocol::Holdout, 0.80, 0.004)).await;
        registry.promote(&champion, "").await.unwrap();
        assert_eq!(registry.contest(&worse, &champion, &Feedback::default()).await.unwrap(), None);
        let refused = registry.promote(&worse, "").await.unwrap_err();
        assert!(matches!(&refused, TrainingError::Doubtful { doubts, .. } if doubts.contains("the champion's 0.850")), "{refused}");
        assert_eq!(registry.promote(&worse, "a test").await.unwrap().state, "champion");
    }
}
