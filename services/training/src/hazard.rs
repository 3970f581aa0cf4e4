//! Failure within 6, 12, 18 and 24 months from one model: a discrete-time hazard (Singer and Willett, "It's about time",
//! 1993; `domain/model.md` §9, item 11).
//!
//! A row at risk becomes one row for each half-year that the company is known to have survived up to: did it fail in that
//! half-year? The model reads the features and the half-year; surviving to a horizon is surviving each half-year before it.
//! It reads the same training rows as the other kinds, whose outcome is known for eighteen months, and learns of twenty-four from those
//! that it is known for.

use std::ops::ControlFlow;

use serde::{Deserialize, Serialize};
use trees::metrics::{Bins, Ranked};
use trees::{Binning, Dataset, DatasetBuilder, Model, Params, Round, Rows, Sampler, Schema, train};

use crate::error::TrainingError;
use crate::prepare::Use;
use crate::rows::{Row, Side, Source};
use crate::scored::Observed;
use crate::split::{HORIZON, Split};

/// Ends of the half-years, in months: the horizons.
pub const HORIZONS: [u16; 4] = [6, 12, 18, 24];

/// The feature that says which half-year a row asks about, from 0.
const ASKED: &str = "half_year_asked";

/// Probabilities of failing within each of [`HORIZONS`].
pub type Within = [f64; HORIZONS.len()];

/// For each half-year that the outcome of a row is known in, whether the company fails in it. `until` is the last month in
/// which failures may be looked at.
fn outcomes(row: &Row, until: i32) -> impl Iterator<Item = (usize, bool)> + use<> {
    let next = row.next.map_or(u16::MAX, |(months, _)| months);
    let time = row.time;
    (0..HORIZONS.len())
        .take_while(move |half| next > if *half == 0 { 0 } else { HORIZONS[half - 1] })
        .take_while(move |half| time + i32::from(HORIZONS[*half]) <= until)
        .map(move |half| (half, next <= HORIZONS[half]))
}

/// The last month whose failures a side may look at: training nothing of validation, the others what is known.
fn until(split: &Split, side: Side) -> i32 {
    match side {
        Side::Train => split.validation.from.index() - 1,
        Side::Validation | Side::Test => split.test.to.index() + HORIZON,
    }
}

/// A fitted hazard.
pub struct Hazard {
    model: Model,
}

/// Reads the rows of a split twice and fits the hazard. The parameters are those of the boosting.
pub fn fit(
    source: &dyn Source,
    used: Use<'_>,
    categorical: &[usize],
    params: &Params,
    progress: &mut dyn FnMut(Round) -> ControlFlow<()>,
) -> Result<Hazard, TrainingError> {
    let width = source.features().len() + 1;
    let names = source.features().iter().cloned().chain([ASKED.to_owned()]).collect();
    let schema = Schema::new(names, categorical.to_vec())?;
    let mut sampler = Sampler::new(&schema, &Binning { seed: params.seed.into(), ..Binning::default() })?;
    let mut validation_rows = 0;
    expand(source, used, &mut |side, values, _| {
        match side {
            Side::Train => sampler.push(Rows::new(values, width)?)?,
            Side::Validation | Side::Test => validation_rows += 1,
        }
        Ok(())
    })?;
    let mut training = DatasetBuilder::new(sampler, false, params.threads)?;
    let mut validation = training.sibling(validation_rows, false)?;
    expand(source, used, &mut |side, values, label| {
        let data = if side == Side::Train { &mut training } else { &mut validation };
        Ok(data.push(Rows::new(values, width)?, &[f32::from(u8::from(label))], None)?)
    })?;
    let (training, validation): (Dataset, Dataset) = (training.finish()?, validation.finish()?);
    let mut params = params.clone();
    if !params.monotone_constraints.is_empty() {
        params.monotone_constraints.push(0);
    }
    Ok(Hazard { model: train(&params, &training, Some(&validation), progress)?.model })
}

/// Takes the features with a half-year, and its outcome.
type Take<'a> = dyn FnMut(Side, &[f32], bool) -> Result<(), TrainingError> + 'a;

/// Gives each half-year of each training and validation row: the features with the half-year, and the outcome.
fn expand(source: &dyn Source, used: Use<'_>, take: &mut Take<'_>) -> Result<(), TrainingError> {
    let width = source.features().len();
    let mut values = Vec::with_capacity(width + 1);
    source.read(&mut |chunk| {
        for (at, row) in chunk.rows.iter().enumerate() {
            let Some((side @ (Side::Train | Side::Validation), _)) = used.role(row) else { continue };
            for (half, fails) in outcomes(row, until(used.split, side)) {
                values.clear();
                values.extend_from_slice(chunk.values_of(at, width));
                values.push(half as f32);
                take(side, &values, fails)?;
            }
        }
        Ok(())
    })
}

impl Hazard {
    /// The probabilities of each row, row-major values of the features without the half-year.
    pub fn within(&self, rows: Rows<'_>) -> Result<Vec<Within>, TrainingError> {
        let width = rows.features() + 1;
        let mut values = Vec::with_capacity(rows.len() * HORIZONS.len() * width);
        for row in rows {
            for half in 0..HORIZONS.len() {
                values.extend_from_slice(row);
                values.push(half as f32);
            }
        }
        let raw = self.model.predict_raw(Rows::new(&values, width)?)?;
        let row = |log_odds: &[f64]| {
            let mut surviving = 1.0;
            std::array::from_fn(|half| {
                surviving *= 1.0 / (1.0 + log_odds[half].exp());
                1.0 - surviving
            })
        };
        Ok(raw.chunks_exact(HORIZONS.len()).map(row).collect())
    }
}

/// What the probabilities of a horizon are worth on the test rows whose outcome is known at that distance.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct HorizonWorth {
    /// Months.
    pub months: u16,
    /// Rows.
    pub rows: usize,
    /// Share that fails.
    pub prevalence: f64,
    /// Mean probability.
    pub predicted: f64,
    /// Area under the ROC curve; `None` where an outcome does not occur.
    pub auc: Option<f64>,
    /// Average precision.
    pub average_precision: Option<f64>,
    /// Calibration error, by tenth.
    pub ece: Option<f64>,
}

/// Measures every horizon. No calibration is applied: the product of half-years is a probability as it stands.
pub fn worth(rows: &[Observed], within: &[Within], split: &Split) -> Result<Vec<HorizonWorth>, TrainingError> {
    let until = until(split, Side::Test);
    let mut found = Vec::new();
    for (at, months) in HORIZONS.into_iter().enumerate() {
        let known = rows.iter().zip(within).filter(|(row, _)| row.time + i32::from(months) <= until);
        let (scores, labels): (Vec<f64>, Vec<bool>) =
            known.map(|(row, within)| (within[at], row.next.is_some_and(|(next, _)| next <= months))).unzip();
        if scores.is_empty() {
            continue;
        }
        let ranked = Ranked::from_parts(&scores, &labels)?;
        found.push(HorizonWorth {
            months,
            rows: scores.len(),
            prevalence: ranked.prevalence().unwrap_or_default(),
            predicted: scores.iter().sum::<f64>() / scores.len() as f64,
            auc: ranked.auc(),
            average_precision: ranked.average_precision(),
            ece: ranked.ece(Bins::EqualFrequency(10)),
        });
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use domain::ProcolAction;

    use super::*;

    fn row(next: Option<u16>) -> Row {
        let next = next.map(|months| (months, ProcolAction::Redressement));
        Row { entity: 1, time: 100, label: Some(false), lenient: None, next, side: None }
    }

    #[test]
    fn a_row_teaches_the_half_years_that_are_known() {
        let of = |next, until| outcomes(&row(next), until).collect::<Vec<_>>();
        assert_eq!(of(None, 200), [(0, false), (1, false), (2, false), (3, false)]);
        assert_eq!(of(Some(9), 200), [(0, false), (1, true)], "nothing after the failure");
        assert_eq!(of(Some(6), 200), [(0, true)]);
        assert_eq!(of(Some(7), 200), [(0, false), (1, true)]);
        assert_eq!(of(None, 113), [(0, false), (1, false)], "half-years that end later are not known");
        assert_eq!(of(Some(40), 200), [(0, false), (1, false), (2, false), (3, false)]);
    }
}
