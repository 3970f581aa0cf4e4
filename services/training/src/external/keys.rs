//! Names of a file's entities and times, as the numbers that rows carry.

use std::collections::HashMap;

use super::KeyTexts;
use crate::error::TrainingError;
use crate::rows::{Row, Side};

/// Names seen in a file. Entities keep the order of their first row; times are sorted, as numbers where all are, as text otherwise.
#[derive(Debug, Default)]
pub(super) struct Keys {
    entities: HashMap<Box<str>, u32>,
    entity_names: Vec<Box<str>>,
    times: HashMap<Box<str>, i32>,
    time_names: Vec<Box<str>>,
    /// The given sides of each time, a bit for each.
    given: HashMap<Box<str>, u8>,
    /// The side of each time, where times are divided.
    divided: Vec<Option<Side>>,
}

impl Keys {
    /// Learns the names of a row.
    pub(super) fn add(&mut self, texts: &KeyTexts<'_>) {
        if !self.entities.contains_key(texts.entity) {
            self.entities.insert(texts.entity.into(), self.entity_names.len() as u32);
            self.entity_names.push(texts.entity.into());
        }
        if !self.times.contains_key(texts.time) {
            self.times.insert(texts.time.into(), 0);
            self.time_names.push(texts.time.into());
        }
        if let Some(side) = texts.side.and_then(side) {
            *self.given.entry(texts.time.into()).or_default() |= 1 << side as u8;
        }
    }

    /// Gives the times their place, once all are known.
    pub(super) fn seal(&mut self) {
        let numbers: Option<Vec<f64>> = self.time_names.iter().map(|name| name.parse().ok()).collect();
        match numbers {
            Some(numbers) => {
                let mut order: Vec<usize> = (0..numbers.len()).collect();
                order.sort_by(|a, b| numbers[*a].total_cmp(&numbers[*b]));
                self.time_names = order.into_iter().map(|place| self.time_names[place].clone()).collect();
            }
            None => self.time_names.sort_unstable(),
        }
        for (place, name) in (0..).zip(&self.time_names) {
            self.times.insert(name.clone(), place);
        }
    }

    /// Divides the times: the last fifth tests, the one before validates, `embargo` times before it are left out, the others train. With
    /// given sides, only checks that they keep times apart in that way.
    pub(super) fn divide(&mut self, embargo: usize, given: bool) -> Result<(), TrainingError> {
        let times = self.time_names.len();
        if given {
            return self.check(embargo);
        }
        let fifth = (times / 5).max(1);
        let train = times
            .checked_sub(2 * fifth + embargo)
            .filter(|train| *train > 0)
            .ok_or_else(|| refused(format!("{times} times are too few for an embargo of {embargo}: none is left to train on")))?;
        let side = |time: usize| match time {
            _ if time < train => Some(Side::Train),
            _ if time < train + embargo => None,
            _ if time < times - fifth => Some(Side::Validation),
            _ => Some(Side::Test),
        };
        self.divided = (0..times).map(side).collect();
        Ok(())
    }

    /// Whether given sides follow each other in time, the embargo between the first two.
    fn check(&self, embargo: usize) -> Result<(), TrainingError> {
        let places = |side: Side| {
            let times = (0..).zip(&self.time_names);
            let mut found = times.filter_map(|(place, name)| (self.given.get(name)? & (1 << side as u8) != 0).then_some(place));
            let first = found.next()?;
            Some((first, found.last().unwrap_or(first)))
        };
        let [Some(train), Some(validation), Some(test)] = Side::ALL.map(places) else {
            return Err(refused("an embargo is of three sides: give train, validation and test".to_owned()));
        };
        if validation.0 - train.1 <= embargo as i32 || test.0 <= validation.1 {
            let (train, validation) = (self.time(train.1), (self.time(validation.0), self.time(validation.1)));
            return Err(refused(format!(
                "the sides do not follow each other in time: train ends at {train}, validation is {} to {}, test begins at {}, with an embargo \
                 of {embargo} times",
                validation.0,
                validation.1,
                self.time(test.0)
            )));
        }
        Ok(())
    }

    /// The row of these texts.
    pub(super) fn row(&self, texts: &KeyTexts<'_>) -> Result<Row, TrainingError> {
        let changed = || refused("the file changed while it was read".to_owned());
        let time = *self.times.get(texts.time).ok_or_else(changed)?;
        let side = match texts.side {
            None => usize::try_from(time).ok().and_then(|time| self.divided.get(time).copied()).flatten(),
            Some(name) => {
                Some(side(name).ok_or_else(|| refused(format!("'{name}' is no side of a split: give train, validation or test")))?)
            }
        };
        let label = match texts.label {
            None => None,
            Some(0.0) => Some(false),
            Some(1.0) => Some(true),
            Some(other) => return Err(refused(format!("a label is {other}: give 0, 1 or nothing"))),
        };
        Ok(Row { entity: *self.entities.get(texts.entity).ok_or_else(changed)?, time, label, lenient: None, next: None, side })
    }

    /// The name of an entity.
    pub(super) fn entity(&self, number: u32) -> &str {
        self.entity_names.get(number as usize).map_or("", AsRef::as_ref)
    }

    /// The name of a time.
    pub(super) fn time(&self, place: i32) -> &str {
        usize::try_from(place).ok().and_then(|place| self.time_names.get(place)).map_or("", AsRef::as_ref)
    }
}

fn side(name: &str) -> Option<Side> {
    Side::ALL.into_iter().find(|side| side.name() == name)
}

fn refused(why: String) -> TrainingError {
    TrainingError::External(why)
}
