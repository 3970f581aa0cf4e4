//! Rows with the scores that models give them: the third and last reading of a source.

use domain::ProcolAction;
use trees::{Rows, Scorer};

use crate::error::TrainingError;
use crate::hazard::{Hazard, Within};
use crate::prepare::{SAMPLE_ROWS, Use};
use crate::rows::{Sample, Side, Source};

/// Features by which figures are broken down, by position.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Facets {
    /// Headcount.
    pub headcount: Option<usize>,
    /// Division of the main activity.
    pub naf_division: Option<usize>,
    /// Place of the department among the departments.
    pub department: Option<usize>,
}

/// What a scored row says of the company, as its features say it; NaN where unknown.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Facts {
    /// Headcount.
    pub headcount: f32,
    /// Division of the main activity.
    pub naf_division: f32,
    /// Place of the department among the departments.
    pub department: f32,
}

/// A row that models have scored.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Observed {
    /// Whom it is about.
    pub entity: u32,
    /// When.
    pub time: i32,
    /// What happened.
    pub label: bool,
    /// The next proceeding known, and in how many months.
    pub next: Option<(u16, ProcolAction)>,
    /// Size, sector, place.
    pub facts: Facts,
}

/// The rows of one side, with the raw scores of each model.
#[derive(Debug, Default)]
pub struct Scores {
    /// The rows.
    pub rows: Vec<Observed>,
    /// For each model, one score a row.
    pub raw: Vec<Vec<f64>>,
    /// Probabilities of the hazard within its horizons, where there is one.
    pub within: Vec<Within>,
    /// Some whole rows, for the effects of features; of test rows only.
    pub sample: Option<Sample>,
}

impl Scores {
    fn of(models: usize) -> Self {
        Self { rows: Vec::new(), raw: vec![Vec::new(); models], within: Vec::new(), sample: None }
    }

    /// Outcomes.
    pub fn labels(&self) -> Vec<bool> {
        self.rows.iter().map(|row| row.label).collect()
    }
}

/// Scores the validation and the test rows with every model, and the test rows with the hazard, chunk by chunk.
pub fn score(
    source: &dyn Source,
    used: Use<'_>,
    facets: Facets,
    models: &[&dyn Scorer],
    hazard: Option<&Hazard>,
    seed: u64,
) -> Result<[Scores; 2], TrainingError> {
    let width = source.features().len();
    let mut sides = [Scores::of(models.len()), Scores::of(models.len())];
    let mut sample = Sample::new(width, SAMPLE_ROWS, seed);
    let mut values: Vec<f32> = Vec::new();
    source.read(&mut |chunk| {
        for (scores, wanted) in sides.iter_mut().zip([Side::Validation, Side::Test]) {
            values.clear();
            for (at, row) in chunk.rows.iter().enumerate() {
                let Some((side, label)) = used.role(row) else { continue };
                if side != wanted {
                    continue;
                }
                let features = chunk.values_of(at, width);
                values.extend_from_slice(features);
                if side == Side::Test {
                    sample.push(features, label);
                }
                let fact = |place: Option<usize>| place.and_then(|place| features.get(place)).copied().unwrap_or(f32::NAN);
                let facts = Facts {
                    headcount: fact(facets.headcount),
                    naf_division: fact(facets.naf_division),
                    department: fact(facets.department),
                };
                scores.rows.push(Observed { entity: row.entity, time: row.time, label, next: row.next, facts });
            }
            if !values.is_empty() {
                for (raw, model) in scores.raw.iter_mut().zip(models) {
                    raw.extend(model.score(Rows::new(&values, width)?)?);
                }
                if let Some(hazard) = hazard.filter(|_| wanted == Side::Test) {
                    scores.within.extend(hazard.within(Rows::new(&values, width)?)?);
                }
            }
        }
        Ok(())
    })?;
    sides[1].sample = Some(sample);
    Ok(sides)
}
