//! The rows of a split, read twice: once to count and sample them, once to put them into LightGBM's bins.

use std::collections::HashMap;

use trees::{Binning, Dataset, DatasetBuilder, Rows, Sampler, Schema};

use crate::crew::Place;
use crate::error::TrainingError;
use crate::feedback::Feedback;
use crate::rows::{Row, Sample, Side, Source};
use crate::split::Split;

/// Rows kept whole in memory, at most, for what cannot work on bins: the logistic regression, effects.
pub(crate) const SAMPLE_ROWS: usize = 100_000;
/// Validation rows kept whole, at most: enough for means and spreads of scores.
const VALIDATION_ROWS: usize = 20_000;

/// How the rows of a source are used.
#[derive(Debug, Clone, Copy)]
pub struct Use<'a> {
    /// Which side each is on.
    pub split: &'a Split,
    /// Training keeps one time in this many; neighbouring months say nearly the same.
    pub step: u32,
    /// Rows that count less, more or not at all.
    pub feedback: &'a Feedback,
    /// The place among processes that train together; only their own training rows go into their bins.
    pub place: Option<&'a Place>,
}

impl Use<'_> {
    /// Whether a training row is for this process to learn from.
    fn owns(&self, row: &Row) -> bool {
        self.place.is_none_or(|place| place.owns(row.entity))
    }

    /// What a row is used for, and its outcome; `None` for one that is left out.
    pub fn role(&self, row: &Row) -> Option<(Side, bool)> {
        if self.feedback.weight(row) == 0.0 {
            return None;
        }
        let skipped = |side| side == Side::Train && row.side.is_none() && row.time.rem_euclid(self.step.max(1) as i32) != 0;
        self.split.place(row).filter(|(side, _)| !skipped(*side))
    }
}

/// Rows and failures of each side, in the order of [`Side::ALL`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sizes {
    /// Rows.
    pub rows: [usize; 3],
    /// Rows followed by a failure.
    pub positives: [usize; 3],
    /// Entities that fail on the test side.
    pub failing_entities: usize,
    /// Rows that the feedback of agents left out.
    pub left_out: usize,
}

/// What models are fitted on.
#[derive(Debug)]
pub struct Prepared {
    /// Training rows, in bins.
    pub train: Dataset,
    /// Validation rows, in the same bins.
    pub validation: Dataset,
    /// Some whole training rows.
    pub sample: Sample,
    /// Some whole validation rows.
    pub validation_sample: Sample,
    /// How many there are of each.
    pub sizes: Sizes,
}

/// Reads the rows of a split. Fails when a side lacks an outcome, or when an entity stands on two sides where the protocol
/// forbids it.
pub fn prepare(source: &dyn Source, used: Use<'_>, categorical: &[usize], seed: u64, threads: u32) -> Result<Prepared, TrainingError> {
    let schema = Schema::new(source.features().to_vec(), categorical.to_vec())?;
    let width = schema.features();
    let mut sampler = Sampler::new(&schema, &Binning { seed, ..Binning::default() })?;
    let (mut sample, mut validation_sample) = (Sample::new(width, SAMPLE_ROWS, seed), Sample::new(width, VALIDATION_ROWS, seed));
    let (mut sizes, mut sides) = (Sizes::default(), Sides::default());
    source.read(&mut |chunk| {
        for (at, row) in chunk.rows.iter().enumerate() {
            let Some((side, label)) = used.role(row) else {
                sizes.left_out += usize::from(used.feedback.weight(row) == 0.0);
                continue;
            };
            sizes.rows[side as usize] += 1;
            sizes.positives[side as usize] += usize::from(label);
            sides.see(row.entity, side, label);
            let values = chunk.values_of(at, width);
            match side {
                Side::Train if used.owns(row) => {
                    sampler.push(Rows::new(values, width)?)?;
                    sample.push(values, label);
                }
                Side::Validation => validation_sample.push(values, label),
                Side::Train | Side::Test => {}
            }
        }
        Ok(())
    })?;
    check(&sizes)?;
    if used.split.protocol.forbids_overlap() {
        sides.check(used.split)?;
    }
    sizes.failing_entities = sides.failing();

    let mut train = DatasetBuilder::new(sampler, used.feedback.is_weighted(), threads)?;
    let mut validation = train.sibling(sizes.rows[Side::Validation as usize], false)?;
    let (mut train_rows, mut validation_rows) = (Block::default(), Block::default());
    source.read(&mut |chunk| {
        for (at, row) in chunk.rows.iter().enumerate() {
            match used.role(row) {
                Some((Side::Train, _)) if !used.owns(row) => {}
                Some((Side::Train, label)) => train_rows.push(chunk.values_of(at, width), label, used.feedback.weight(row)),
                Some((Side::Validation, label)) => validation_rows.push(chunk.values_of(at, width), label, 1.0),
                Some((Side::Test, _)) | None => {}
            }
        }
        train_rows.flush(&mut train, width, used.feedback.is_weighted())?;
        validation_rows.flush(&mut validation, width, false)
    })?;
    Ok(Prepared { train: train.finish()?, validation: validation.finish()?, sample, validation_sample, sizes })
}

/// Refuses rows that nothing can be learnt from or measured on.
fn check(sizes: &Sizes) -> Result<(), TrainingError> {
    for side in Side::ALL {
        let (rows, positives) = (sizes.rows[side as usize], sizes.positives[side as usize]);
        if positives == 0 || positives == rows {
            return Err(TrainingError::OneClass { role: side.name(), rows, positives });
        }
    }
    Ok(())
}

/// Rows of a chunk on their way to a data set.
#[derive(Default)]
struct Block {
    values: Vec<f32>,
    labels: Vec<f32>,
    weights: Vec<f32>,
}

impl Block {
    fn push(&mut self, values: &[f32], label: bool, weight: f32) {
        self.values.extend_from_slice(values);
        self.weights.push(weight);
        self.labels.push(f32::from(u8::from(label)));
    }

    fn flush(&mut self, data: &mut DatasetBuilder, width: usize, weighted: bool) -> Result<(), TrainingError> {
        if !self.labels.is_empty() {
            data.push(Rows::new(&self.values, width)?, &self.labels, weighted.then_some(self.weights.as_slice()))?;
        }
        self.weights.clear();
        self.values.clear();
        self.labels.clear();
        Ok(())
    }
}

/// On which sides each entity was seen, and whether it fails on the test side.
#[derive(Default)]
struct Sides(HashMap<u32, u8>);

impl Sides {
    const FAILS: u8 = 1 << 7;

    fn see(&mut self, entity: u32, side: Side, label: bool) {
        let fails = if label && side == Side::Test { Self::FAILS } else { 0 };
        *self.0.entry(entity).or_default() |= 1 << side as u8 | fails;
    }

    fn check(&self, split: &Split) -> Result<(), TrainingError> {
        let both = self.0.values().filter(|sides| (**sides & !Self::FAILS).count_ones() > 1).count();
        if both == 0 { Ok(()) } else { Err(TrainingError::BothSides { protocol: split.protocol.name(), entities: both }) }
    }

    fn failing(&self) -> usize {
        self.0.values().filter(|sides| **sides & Self::FAILS != 0).count()
    }
}
