//! What is stored beside a model's text: all that is needed to score with it and to know where it comes from.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::calibration::{Calibration, VennAbers};
use crate::params::Params;

/// Description of a registered model, `models/<id>/model.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Kind of model, for example `lightgbm`.
    pub kind: String,
    /// Protocol of its evaluation.
    pub protocol: String,
    /// Batch that it was trained on.
    pub batch: String,
    /// Version of the offline table that it was trained on.
    pub features_version: i64,
    /// Hash of the catalogue: only vectors with the same hash can be scored.
    pub schema_hash: String,
    /// Features in the order of a row.
    pub features: Vec<String>,
    /// Parameters of the training.
    pub params: Params,
    /// Trees kept.
    pub trees: usize,
    /// From log-odds to probability.
    pub calibration: Calibration,
    /// How sure a probability is.
    pub uncertainty: VennAbers,
    /// Probability from which a company is at the moderate level, included.
    pub moderate: f64,
    /// Probability from which a company is at the high level, included.
    pub high: f64,
    /// Thresholds by what can be followed, where the parts of the country are known.
    pub capacity: Option<Capacity>,
    /// Hash of the feedback of agents that learning followed; empty without any.
    pub feedback: String,
    /// SHA-256 of the model's text, hexadecimal.
    pub text_sha256: String,
    /// SHA-256 of its report, `metrics.json`, hexadecimal: what speaks for the model is signed with it, and cannot be replaced. Empty in
    /// models of before it was kept.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub report_sha256: String,
    /// Version of the program that trained it.
    pub code_version: String,
}

/// A threshold for each part of the country, so that about so many companies are at or above it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Capacity {
    /// Companies of a part that can be followed at once.
    pub companies: u32,
    /// Probability by the code of the part.
    pub thresholds: BTreeMap<String, f64>,
}

impl Manifest {
    /// Identifier of the model: kind, batch, and a hash of everything above. The same data, parameters and code give the
    /// same identifier.
    pub fn id(&self) -> Result<String, serde_json::Error> {
        let digest = hex::encode(&Sha256::digest(serde_json::to_vec(self)?)[..6]);
        Ok(format!("{}-{}-{digest}", self.kind, self.batch))
    }
}

/// SHA-256 of a model's text or report, hexadecimal.
pub fn text_digest(text: impl AsRef<[u8]>) -> String {
    hex::encode(Sha256::digest(text))
}
