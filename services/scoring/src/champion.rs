//! The model that scores, with what turns a vector into a level and an explanation. Loaded once, replaced whole.

use std::sync::Arc;

use chrono::NaiveTime;
use domain::{AlertLevel, BatchKey};
use lake::{Lake, LakeError};
use panel::Catalogue;
use serde::Deserialize;
use telemetry::{Attribute, set};
use trees::explain::GroupContributions;
use trees::manifest::{Manifest, text_digest};
use trees::signature::{Signature, TrustedKeys};
use trees::{Model, Rows};

use crate::access::right_of;
use crate::error::ScoringError;
use crate::list::entry::{Contribution, Reason};
use crate::reasons::{Part, reasons};

/// What the pointer `champion` holds.
#[derive(Debug, Deserialize)]
struct Pointer {
    id: String,
}

/// Checks that a trusted key signed the manifest of a model.
async fn verify(lake: &Lake, id: &str, manifest: &[u8], trusted: &TrustedKeys) -> Result<(), ScoringError> {
    let path = format!("models/{id}/model.sig");
    let refused = |why: String| ScoringError::Signature { model: id.to_owned(), why };
    let bytes = match lake.objects().get(&path).await {
        Err(LakeError::NotFound(_)) => return Err(refused("it is not signed".to_owned())),
        found => found?,
    };
    let signature: Signature = serde_json::from_slice(&bytes).map_err(|error| ScoringError::document(path, error))?;
    trusted.verify(manifest, &signature).map_err(|error| refused(error.to_string()))
}

/// A loaded model.
pub struct Champion {
    id: String,
    manifest: Manifest,
    model: Model,
    catalogue: Arc<Catalogue>,
    /// Group of each feature, as an index into the catalogue's groups.
    group_of: Vec<usize>,
}

/// A score.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scored {
    /// Log-odds of the model, before calibration.
    pub raw: f64,
    /// Calibrated probability.
    pub probability: f64,
    /// Ends of the interval that says how sure it is; it lies within.
    pub interval: (f64, f64),
    /// Level at the frozen thresholds.
    pub level: AlertLevel,
    /// How much is known of the company: the share of the model's splits that ask for something known.
    pub known: f64,
}

/// An interval wider than this says little.
const TOO_WIDE: f64 = 0.2;

impl Scored {
    /// Whether the percentage is not to be taken at its word: too few companies had such scores, or too little is known of this one.
    pub fn too_little_data(&self) -> bool {
        self.interval.1 - self.interval.0 > TOO_WIDE || self.known < trees::TOO_UNKNOWN
    }
}

/// Why a vector has its score.
#[derive(Debug, Clone, PartialEq)]
pub struct Explanation {
    /// The score.
    pub scored: Scored,
    /// Log-odds of the mean prediction.
    pub base: f64,
    /// Percentage points of the base.
    pub base_points: f64,
    /// By group of the catalogue.
    pub groups: Vec<Contribution>,
    /// By feature, in log-odds.
    pub features: Vec<f64>,
    /// Strongest first.
    pub reasons: Vec<Reason>,
}

impl Champion {
    /// The identifier that the pointer names now.
    pub async fn current_id(lake: &Lake) -> Result<Option<String>, ScoringError> {
        Ok(lake.pointers().read::<Pointer>("champion").await?.map(|(pointer, _)| pointer.id))
    }

    /// Loads a model. Refuses a text that is not the one its manifest describes, features that are not the catalogue's, and,
    /// where keys are trusted, a manifest that none of them signed.
    pub async fn load(lake: &Lake, id: &str, catalogue: Arc<Catalogue>, trusted: &TrustedKeys) -> Result<Self, ScoringError> {
        let path = |name: &str| format!("models/{id}/{name}");
        let manifest = lake.objects().get(&path("model.json")).await?;
        if !trusted.is_empty() {
            verify(lake, id, &manifest, trusted).await?;
        }
        let manifest: Manifest = serde_json::from_slice(&manifest).map_err(|error| ScoringError::document(path("model.json"), error))?;
        let text = lake.objects().get(&path("model.txt")).await?;
        let text = String::from_utf8(text.to_vec()).map_err(|error| ScoringError::document(path("model.txt"), error))?;
        if text_digest(&text) != manifest.text_sha256 {
            return Err(ScoringError::document(path("model.txt"), "its digest is not the one of model.json"));
        }
        let found = catalogue.schema_hash();
        if manifest.schema_hash != found {
            return Err(ScoringError::SchemaMismatch { model: id.to_owned(), wanted: manifest.schema_hash, found: found.to_owned() });
        }
        let group_of = catalogue.features().iter().map(|feature| catalogue.group_index(&feature.group)).collect();
        Ok(Self { id: id.to_owned(), manifest, model: Model::from_text(text)?, catalogue, group_of })
    }

    /// Identifier.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Tells which model is served, and how good its report says that it is.
    pub async fn tell(&self, lake: &Lake) {
        if let Ok(batch) = self.manifest.batch.parse::<BatchKey>() {
            set("sf.model.month", batch.month().first_day().and_time(NaiveTime::MIN).and_utc().timestamp() as f64, &[]);
        }
        let report = lake.objects().get(&format!("models/{}/metrics.json", self.id)).await;
        let Some(report) = report.ok().and_then(|bytes| serde_json::from_slice::<serde_json::Value>(&bytes).ok()) else {
            tracing::info!(model = self.id, "a model without a report that can be read: its quality is not told");
            return;
        };
        let named = |found: &serde_json::Value, name: &str, wanted: &str| found[name].as_str() == Some(wanted);
        let sections = report["sections"].as_array().into_iter().flatten();
        let section = sections.clone().find(|section| named(section, "protocol", &self.manifest.protocol));
        let models = section.and_then(|section| section["models"].as_array()).into_iter().flatten();
        let Some(model) = models.clone().find(|model| named(model, "kind", &self.manifest.kind)) else { return };
        for measure in ["average_precision", "auc", "ece"] {
            if let Some(value) = model["worth"]["figures"][measure]["value"].as_f64() {
                set("sf.model.quality", value, &[Attribute::new("measure", measure)]);
            }
        }
    }

    /// Hash of the features, as vectors carry it.
    pub fn schema_number(&self) -> u64 {
        online_store::schema_number(&self.manifest.schema_hash)
    }

    /// Thresholds, moderate then high.
    pub fn thresholds(&self) -> (f64, f64) {
        (self.manifest.moderate, self.manifest.high)
    }

    /// The features and their groups.
    pub fn catalogue(&self) -> &Catalogue {
        &self.catalogue
    }

    /// Scores whole rows of the catalogue's features.
    pub fn score(&self, values: &[f32]) -> Result<Vec<Scored>, ScoringError> {
        let raw = self.model.predict_raw(self.rows(values)?)?;
        let rows = values.chunks_exact(self.model.features().max(1));
        Ok(raw.into_iter().zip(rows).map(|(raw, values)| self.scored(raw, values)).collect())
    }

    /// Scores and explains whole rows.
    pub fn explain(&self, values: &[f32]) -> Result<Vec<Explanation>, ScoringError> {
        let rows = self.rows(values)?;
        let raw = self.model.predict_raw(rows)?;
        let contributions = self.model.contributions(rows)?;
        let width = rows.features();
        let each = raw.iter().zip(contributions.chunks_exact(width + 1)).zip(values.chunks_exact(width));
        each.map(|((&raw, contributions), values)| self.explanation(raw, contributions, values)).collect()
    }

    fn explanation(&self, raw: f64, contributions: &[f64], values: &[f32]) -> Result<Explanation, ScoringError> {
        let groups = GroupContributions::new(contributions, &self.group_of, self.catalogue.groups().len())?;
        let points = groups.points(|log_odds| self.manifest.calibration.apply(log_odds))?;
        let features = &contributions[..values.len()];
        let parts = self.catalogue.features().iter().zip(features).zip(values).map(|((feature, &log_odds), &value)| Part {
            label: &feature.label_fr,
            unit: feature.unit.name(),
            category: feature.category_fr(value),
            value,
            log_odds,
            right: right_of(feature),
        });
        Ok(Explanation {
            scored: self.scored(raw, values),
            base: groups.base,
            base_points: points.base,
            reasons: reasons(parts),
            groups: groups.groups.iter().zip(&points.groups).map(|(&log_odds, &points)| Contribution { log_odds, points }).collect(),
            features: features.to_vec(),
        })
    }

    fn rows<'a>(&self, values: &'a [f32]) -> Result<Rows<'a>, ScoringError> {
        Ok(Rows::new(values, self.catalogue.features().len())?)
    }

    fn scored(&self, raw: f64, values: &[f32]) -> Scored {
        let probability = self.manifest.calibration.apply(raw);
        let (low, high) = self.manifest.uncertainty.interval(raw);
        Scored {
            raw,
            probability,
            interval: (low.min(probability), high.max(probability)),
            level: AlertLevel::of(probability, self.manifest.moderate, self.manifest.high),
            known: self.model.known(values),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_score_says_little_when_it_is_of_a_wide_interval_or_of_a_company_hardly_known() {
        let scored = |interval, known| Scored { raw: 0.0, probability: 0.1, interval, level: AlertLevel::None, known };
        let little = |interval, known| scored(interval, known).too_little_data();
        assert!(!little((0.05, 0.15), 0.9) && !little((0.05, 0.15), 0.5));
        assert!(little((0.05, 0.3), 0.9) && little((0.05, 0.15), 0.4));
    }
}
