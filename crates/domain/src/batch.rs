//! A batch: one monthly delivery of all the sources.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::Month;

/// A text that is not a batch key.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("'{0}' is not a batch key: expected YYMM, for example 2511, or YYMM_NN for a complement")]
pub struct BatchKeyError(String);

/// Key `YYMM` of a delivery, or `YYMM_NN` for a complement of it. Keys sort in the order of their text.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BatchKey {
    year: u8,
    month: u8,
    part: Option<u8>,
}

impl BatchKey {
    /// The month of the delivery.
    pub const fn month(self) -> Month {
        // A two-digit year and a month of 1 to 12 are always in range.
        match Month::new(2000 + self.year as i32, self.month as u32) {
            Some(month) => month,
            None => unreachable!(),
        }
    }

    /// The last month that the delivery describes whole: the one before it.
    pub const fn last_month(self) -> Month {
        self.month().plus(-1)
    }

    /// The batch that this one completes; `None` when it completes none.
    pub const fn parent(self) -> Option<Self> {
        match self.part {
            Some(_) => Some(Self { part: None, ..self }),
            None => None,
        }
    }

    /// The batch delivered in this month (years 2000 to 2099).
    pub const fn of_month(month: Month) -> Option<Self> {
        let year = month.year() - 2000;
        if year < 0 || year > 99 { None } else { Some(Self { year: year as u8, month: month.number() as u8, part: None }) }
    }
}

impl fmt::Display for BatchKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}{:02}", self.year, self.month)?;
        self.part.map_or(Ok(()), |part| write!(f, "_{part:02}"))
    }
}

impl fmt::Debug for BatchKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for BatchKey {
    type Err = BatchKeyError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || BatchKeyError(text.to_owned());
        let two = |part: &str| (part.len() == 2 && part.bytes().all(|c| c.is_ascii_digit())).then(|| part.parse().ok()).flatten();
        let (key, part) = match text.split_once('_') {
            Some((key, part)) => (key, Some(two(part).ok_or_else(error)?)),
            None => (text, None),
        };
        let (year, month) = key.split_at_checked(2).ok_or_else(error)?;
        let (year, month) = (two(year).ok_or_else(error)?, two(month).ok_or_else(error)?);
        if (1..=12).contains(&month) { Ok(Self { year, month, part }) } else { Err(error()) }
    }
}

impl TryFrom<String> for BatchKey {
    type Error = BatchKeyError;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<BatchKey> for String {
    fn from(batch: BatchKey) -> Self {
        batch.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_checked_and_sorted() {
        let key = |text: &str| text.parse::<BatchKey>();
        assert_eq!(key("2511").unwrap().month().to_string(), "2025-11");
        assert_eq!(key("2501").unwrap().last_month().to_string(), "2024-12");
        assert!(key("2511").unwrap() < key("2511_01").unwrap());
        assert!(key("2511_01").unwrap() < key("2512").unwrap());
        for bad in ["", "2513", "2500", "251", "25111", "25é1", "2511_1", "2511-01", "latest"] {
            assert!(key(bad).is_err(), "{bad}");
        }
        assert_eq!(key("2511_01").unwrap().parent(), key("2511").ok());
        assert_eq!(key("2511").unwrap().parent(), None);
        assert_eq!(BatchKey::of_month("2025-11".parse().unwrap()), key("2511").ok());
    }
}
