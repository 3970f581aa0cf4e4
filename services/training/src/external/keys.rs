//! Names of a file's entities and times, as the numbers that rows carry.

use std::collections::HashMap;

use super::KeyTexts;
use super::times::{Seen, Times};
use crate::error::TrainingError;
use crate::rows::{Row, Side};

/// Names seen in a file. Entities keep the order of their first row; times are sorted.
#[derive(Debug, Default)]
pub(super) struct Keys {
    entities: HashMap<Box<str>, u32>,
    entity_names: Vec<Box<str>>,
    /// The place of each time, once all are known; what its rows are, until then.
    places: HashMap<Box<str>, i32>,
    seen: HashMap<Box<str>, Seen>,
    times: Times,
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
        if !self.seen.contains_key(texts.time) {
            self.seen.insert(texts.time.into(), Seen::default());
        }
        if let Some(seen) = self.seen.get_mut(texts.time).filter(|_| texts.label.is_some()) {
            seen.labelled = true;
            seen.sides |= texts.side.and_then(side).map_or(0, |side| 1 << side as u8);
        }
    }

    /// Gives the times their place, once all are known.
    pub(super) fn seal(&mut self) {
        self.times = Times::of(self.seen.keys().cloned().collect());
        self.places = self.times.places().map(|(place, name)| (name.into(), place)).collect();
    }

    /// Divides the times, or checks that given sides keep them apart.
    pub(super) fn divide(&mut self, embargo: u16, given: bool) -> Result<(), TrainingError> {
        let seen: Vec<Seen> = self.times.places().map(|(_, name)| self.seen.get(name).copied().unwrap_or_default()).collect();
        if given {
            return self.times.check(&seen, embargo);
        }
        self.divided = self.times.divide(&seen, embargo)?;
        Ok(())
    }

    /// The row of these texts.
    pub(super) fn row(&self, texts: &KeyTexts<'_>) -> Result<Row, TrainingError> {
        let changed = || refused("the file changed while it was read".to_owned());
        let time = *self.places.get(texts.time).ok_or_else(changed)?;
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
        self.times.name(place)
    }
}

fn side(name: &str) -> Option<Side> {
    Side::ALL.into_iter().find(|side| side.name() == name)
}

fn refused(why: String) -> TrainingError {
    TrainingError::External(why)
}
