//! The rows that a model learns from and is measured on, read chunk by chunk as often as needed: a table of any size.

use domain::ProcolAction;
use trees::Rows;

use crate::error::TrainingError;

/// What is known of a row beside its features.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// Whom it is about: the number of a SIREN, or of an entity of a file. Rows of one entity are not independent.
    pub entity: u32,
    /// When: the index of a month, or the place of a time among those of a file.
    pub time: i32,
    /// Whether the company, at risk at that time, entered a proceeding within the horizon; `None` where that is not known.
    pub label: Option<bool>,
    /// The target published in 2024; `None` for rows that its evaluation leaves out.
    pub lenient: Option<bool>,
    /// The next proceeding known, and in how many months.
    pub next: Option<(u16, ProcolAction)>,
    /// Where a file says which side of the split it is on.
    pub side: Option<Side>,
}

/// What a row is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    /// Fits the model.
    Train,
    /// Stops it early, calibrates it, sets its thresholds.
    Validation,
    /// Read once, to report.
    Test,
}

impl Side {
    /// The three of them.
    pub const ALL: [Self; 3] = [Self::Train, Self::Validation, Self::Test];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Validation => "validation",
            Self::Test => "test",
        }
    }
}

/// Some consecutive rows.
#[derive(Debug, Clone, Default)]
pub struct Chunk {
    /// What is known of them.
    pub rows: Vec<Row>,
    /// Their features, row after row; NaN where unknown.
    pub values: Vec<f32>,
}

impl Chunk {
    /// The features of a row.
    pub fn values_of(&self, row: usize, features: usize) -> &[f32] {
        self.values.get(row * features..(row + 1) * features).unwrap_or_default()
    }
}

/// A table of rows. Every reading gives the same rows in the same order.
pub trait Source: Sync {
    /// Names of the features, in the order of a row.
    fn features(&self) -> &[String];

    /// Reads all rows from the first; stops at the first error of `take`.
    fn read(&self, take: &mut dyn FnMut(&Chunk) -> Result<(), TrainingError>) -> Result<(), TrainingError>;
}

/// A uniform sample of rows of bounded size (reservoir sampling, seeded), for what needs whole rows in memory.
#[derive(Debug)]
pub struct Sample {
    features: usize,
    most: usize,
    seen: usize,
    random: rand_chacha::ChaCha8Rng,
    /// Features, row after row.
    pub values: Vec<f32>,
    /// What happened.
    pub labels: Vec<bool>,
}

impl Sample {
    /// An empty sample of at most so many rows.
    pub fn new(features: usize, most: usize, seed: u64) -> Self {
        let random = rand::SeedableRng::seed_from_u64(seed);
        Self { features, most, seen: 0, random, values: Vec::new(), labels: Vec::new() }
    }

    /// Offers the next row.
    pub fn push(&mut self, values: &[f32], label: bool) {
        self.seen += 1;
        if self.labels.len() < self.most {
            self.values.extend_from_slice(values);
            self.labels.push(label);
            return;
        }
        let slot = rand::Rng::random_range(&mut self.random, 0..self.seen);
        if slot < self.most {
            self.values[slot * self.features..(slot + 1) * self.features].copy_from_slice(values);
            self.labels[slot] = label;
        }
    }

    /// The sampled rows.
    pub fn rows(&self) -> Result<Rows<'_>, TrainingError> {
        Ok(Rows::new(&self.values, self.features)?)
    }

    /// One feature of all sampled rows.
    pub fn column(&self, feature: usize) -> impl Iterator<Item = f64> + '_ {
        self.values.iter().skip(feature).step_by(self.features.max(1)).map(|value| f64::from(*value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_is_bounded_seeded_and_of_the_whole_table() {
        let of = |seed| {
            let mut sample = Sample::new(2, 100, seed);
            (0..5_000u16).for_each(|row| sample.push(&[f32::from(row), 1.0], row % 2 == 0));
            sample
        };
        let sample = of(1);
        assert_eq!((sample.labels.len(), sample.rows().unwrap().len()), (100, 100));
        let mean = sample.column(0).sum::<f64>() / 100.0;
        assert!((1_900.0..3_100.0).contains(&mean), "{mean}");
        assert!(sample.column(0).zip(&sample.labels).all(|(value, label)| (value % 2.0 == 0.0) == *label), "labels stay with their rows");
        assert_eq!(sample.values, of(1).values);
        assert_ne!(sample.values, of(2).values);
    }
}
