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
use crate::evaluate;
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

/// Two models and the rows that the first was tested on.
pub struct Bout {
    /// The rows of its batch.
    pub rows: Snapshot,
    /// Its first section's split.
    pub split: Split,
    /// How many rows and failures its test had.
    pub test: (usize, usize),
    /// What agents said when it was trained.
    pub feedback: Feedback,
    /// The first model.
    pub challenger: Contestant,
    /// The other one.
    pub champion: Contestant,
}

impl Bout {
    /// Scores the rows by both, and compares. Reads all rows of the batch. `None` when they are not those of the test any more: the
    /// features were built again, or the feedback that left rows out is not known here.
    pub async fn hold(self, features: Vec<String>) -> Result<Option<Contest>, TrainingError> {
        let runtime = Handle::current();
        let work = move || {
            let Self { rows, split, test, feedback, challenger, champion } = self;
            let source = Offline { rows, features, runtime };
            let used = Use { split: &split, step: 1, feedback: &feedback, place: None };
            compare(&source, used, test, &challenger, &champion)
        };
        tokio::task::spawn_blocking(work).await.map_err(|error| TrainingError::Task(error.to_string()))?
    }
}

fn compare(
    source: &dyn Source,
    used: Use<'_>,
    test: (usize, usize),
    challenger: &Contestant,
    champion: &Contestant,
) -> Result<Option<Contest>, TrainingError> {
    let models: [&dyn Scorer; 2] = [&challenger.model, &champion.model];
    let [_, scored] = scored::score(source, used, Facets::default(), &models, None, 0)?;
    let found = (scored.rows.len(), scored.rows.iter().filter(|row| row.label).count());
    let [first, second] = scored.raw.as_slice() else { return Ok(None) };
    if found != test || found.0 == 0 {
        return Ok(None);
    }
    let lead = |measure| evaluate::lead(&scored.rows, [first, second], measure, &Bootstrap::default());
    Ok(Some(Contest {
        champion: champion.id.clone(),
        rows: found.0,
        average_precision: lead(Ranked::average_precision)?,
        auc: lead(Ranked::auc)?,
    }))
}
