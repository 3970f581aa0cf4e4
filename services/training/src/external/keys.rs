//! Names of a file's entities and times, as the numbers that rows carry.

use std::collections::HashMap;

use super::KeyTexts;
use crate::error::TrainingError;
use crate::rows::{Row, Side};

/// Names seen in a file. Entities keep the order of their first row; times are sorted as text.
#[derive(Debug, Default)]
pub(super) struct Keys {
    entities: HashMap<Box<str>, u32>,
    entity_names: Vec<Box<str>>,
    times: HashMap<Box<str>, i32>,
    time_names: Vec<Box<str>>,
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
    }

    /// Gives the times their place, once all are known.
    pub(super) fn seal(&mut self) {
        self.time_names.sort_unstable();
        for (place, name) in (0..).zip(&self.time_names) {
            self.times.insert(name.clone(), place);
        }
    }

    /// The row of these texts.
    pub(super) fn row(&self, texts: &KeyTexts<'_>) -> Result<Row, TrainingError> {
        let changed = || TrainingError::External("the file changed while it was read".to_owned());
        let side = match texts.side {
            None => None,
            Some(name) => Some(
                Side::ALL
                    .into_iter()
                    .find(|side| side.name() == name)
                    .ok_or_else(|| TrainingError::External(format!("'{name}' is no side of a split: give train, validation or test")))?,
            ),
        };
        let label = match texts.label {
            None => None,
            Some(0.0) => Some(false),
            Some(1.0) => Some(true),
            Some(other) => return Err(TrainingError::External(format!("a label is {other}: give 0, 1 or nothing"))),
        };
        Ok(Row {
            entity: *self.entities.get(texts.entity).ok_or_else(changed)?,
            time: *self.times.get(texts.time).ok_or_else(changed)?,
            label,
            lenient: None,
            next: None,
            side,
        })
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
