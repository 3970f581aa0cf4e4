//! A challenger against the champion on the same rows: those that the challenger was tested on, scored by both.
//!
//! The figures of two reports are of other months, and their intervals hide differences that the same companies show. Where
//! the champion learnt from later months than these, it is at an advantage: what is found against a challenger may be too hard on
//! it, never too mild.

use lake::Lake;
use lake::tables::Snapshot;
use panel::Catalogue;
use serde::{Deserialize, Serialize};
use tokio::runtime::Handle;
use trees::manifest::Manifest;
use trees::metrics::{Bootstrap, Interval, Ranked};
use trees::{Model, Scorer};

use crate::error::TrainingError;
use crate::feedback::Feedback;
use crate::offline::Offline;
use crate::prepare::Use;
use crate::rows::Source;
use crate::scored::{self, Facets};
use crate::split::Split;

/// By how much the challenger leads; negative where the champion does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Contest {
    /// The champion.
    pub champion: String,
    /// Rows that both scored.
    pub rows: usize,
    /// In average precision, where both outcomes occur.
    pub average_precision: Option<Interval>,
    /// In AUC, where both outcomes occur.
    pub auc: Option<Interval>,
}

/// A model that takes part.
pub struct Contestant {
    /// Its identifier.
    pub id: String,
    /// Its trees.
    pub model: Model,
}

impl Contestant {
    /// Loads a registered model. `None` when its features are not those of the rows.
    pub async fn load(lake: &Lake, id: &str, catalogue: &Catalogue) -> Result<Option<Self>, TrainingError> {
        let path = |name: &str| format!("models/{id}/{name}");
        let manifest = lake.objects().get(&path("model.json")).await?;
        let manifest: Manifest =
            serde_json::from_slice(&manifest).map_err(|source| TrainingError::Document { what: path("model.json"), source })?;
        if manifest.schema_hash != catalogue.schema_hash() {
            return Ok(None);
        }
        let text = lake.objects().get(&path("model.txt")).await?;
        let model = Model::from_text(String::from_utf8_lossy(&text))?;
        Ok(Some(Self { id: id.to_owned(), model }))
    }
}

/// Scores the test rows of a split by both, and compares. Reads all rows of the batch.
pub async fn hold(
    rows: Snapshot,
    catalogue: &Catalogue,
    split: Split,
    challenger: Contestant,
    champion: Contestant,
) -> Result<Contest, TrainingError> {
    let features = catalogue.features().iter().map(|feature| feature.name.clone()).collect();
    let source = Offline { rows, features, runtime: Handle::current() };
    let work = move || compare(&source, &split, &challenger, &champion);
    tokio::task::spawn_blocking(work).await.map_err(|error| TrainingError::Task(error.to_string()))?
}

fn compare(source: &dyn Source, split: &Split, challenger: &Contestant, champion: &Contestant) -> Result<Contest, TrainingError> {
    let feedback = Feedback::default();
    let used = Use { split, step: 1, feedback: &feedback, place: None };
    let models: [&dyn Scorer; 2] = [&challenger.model, &champion.model];
    let [_, test] = scored::score(source, used, Facets::default(), &models, None, 0)?;
    let lead = |measure| match test.raw.as_slice() {
        [challenger, champion] if !test.rows.is_empty() => {
            crate::evaluate::lead(&test.rows, [challenger, champion], measure, &Bootstrap::default())
        }
        _ => Ok(None),
    };
    Ok(Contest {
        champion: champion.id.clone(),
        rows: test.rows.len(),
        average_precision: lead(Ranked::average_precision)?,
        auc: lead(Ranked::auc)?,
    })
}
