//! Calendar months: the time unit of the panel. A month stands for what is known at its end.

use std::fmt;
use std::str::FromStr;

use chrono::{Datelike, NaiveDate};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A text that is not a month.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("'{0}' is not a month: expected YYYY-MM, for example 2025-11")]
pub struct MonthError(String);

/// A calendar month between January 1900 and December 2199.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Month(i32);

const FIRST: i32 = 1900 * 12;
const LAST: i32 = 2199 * 12 + 11;

/// First day of each month, and of the one after the last. Rows ask for it by the million.
static FIRST_DAYS: [NaiveDate; (LAST - FIRST + 2) as usize] = {
    let mut days = [NaiveDate::MIN; (LAST - FIRST + 2) as usize];
    let mut index = 0;
    while index < days.len() {
        let month = FIRST + index as i32;
        if let Some(day) = NaiveDate::from_ymd_opt(month.div_euclid(12), month.rem_euclid(12) as u32 + 1, 1) {
            days[index] = day;
        }
        index += 1;
    }
    days
};

impl Month {
    /// The month `month` (1 to 12) of `year`.
    #[inline]
    pub const fn new(year: i32, month: u32) -> Option<Self> {
        if month < 1 || month > 12 {
            return None;
        }
        Self::from_index(year * 12 + month as i32 - 1)
    }

    /// The month with this number of months since year zero.
    #[inline]
    pub const fn from_index(index: i32) -> Option<Self> {
        if index < FIRST || index > LAST { None } else { Some(Self(index)) }
    }

    /// Number of months since year zero; consecutive months have consecutive indices.
    #[inline]
    pub const fn index(self) -> i32 {
        self.0
    }

    /// The month that holds this date; dates out of range are clamped to the first or last month.
    #[inline]
    pub fn of(date: NaiveDate) -> Self {
        Self((date.year() * 12 + date.month0() as i32).clamp(FIRST, LAST))
    }

    /// Calendar year.
    #[inline]
    pub const fn year(self) -> i32 {
        self.0.div_euclid(12)
    }

    /// Month in the year, 1 to 12.
    #[inline]
    pub const fn number(self) -> u32 {
        self.0.rem_euclid(12) as u32 + 1
    }

    /// This month moved by `months`, clamped to the range of the type.
    #[must_use]
    #[inline]
    pub const fn plus(self, months: i32) -> Self {
        let index = self.0 + months;
        if index < FIRST {
            Self(FIRST)
        } else if index > LAST {
            Self(LAST)
        } else {
            Self(index)
        }
    }

    /// Months from `earlier` to this one, negative when `earlier` is later.
    #[inline]
    pub const fn since(self, earlier: Self) -> i32 {
        self.0 - earlier.0
    }

    /// First day of the month.
    #[inline]
    pub const fn first_day(self) -> NaiveDate {
        FIRST_DAYS[(self.0 - FIRST) as usize]
    }

    /// Last day of the month: what is known on that day is known at this month.
    #[inline]
    pub fn last_day(self) -> NaiveDate {
        let next = Self(self.0 + 1).first_day();
        next.pred_opt().unwrap_or(next)
    }

    /// The months from this one to `last`, both included.
    pub fn to(self, last: Self) -> impl DoubleEndedIterator<Item = Self> + ExactSizeIterator {
        (self.0..(last.0 + 1).max(self.0)).map(Self)
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.year(), self.number())
    }
}

impl fmt::Debug for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Month {
    type Err = MonthError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || MonthError(text.to_owned());
        let (year, month) = text.split_once('-').ok_or_else(error)?;
        if year.len() != 4 || month.len() != 2 {
            return Err(error());
        }
        let year = year.parse().map_err(|_| error())?;
        let month = month.parse().map_err(|_| error())?;
        Self::new(year, month).ok_or_else(error)
    }
}

impl TryFrom<String> for Month {
    type Error = MonthError;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Month> for String {
    fn from(month: Month) -> Self {
        month.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_days() {
        let month: Month = "2024-02".parse().unwrap();
        assert_eq!(month.to_string(), "2024-02");
        assert_eq!(month.last_day(), NaiveDate::from_ymd_opt(2024, 2, 29).unwrap());
        assert_eq!(Month::of(month.last_day()), month);
        assert_eq!(month.plus(-2), Month::new(2023, 12).unwrap());
        assert_eq!(month.plus(11).since(month), 11);
        for bad in ["2024-13", "2024-00", "24-01", "2024/01", "2024-1", ""] {
            assert!(bad.parse::<Month>().is_err(), "{bad}");
        }
    }

    #[test]
    fn ranges_include_both_ends_and_may_be_empty() {
        let month = Month::new(2024, 1).unwrap();
        assert_eq!(month.to(month.plus(2)).count(), 3);
        assert_eq!(month.to(month.plus(-1)).count(), 0);
    }
}
