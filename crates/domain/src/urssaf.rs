//! Dates and periods as Urssaf writes them (`domain/ingestion.md` §0.2), range-checked.

use chrono::{Datelike, NaiveDate};
use serde::{Deserialize, Serialize};

use crate::Month;

/// The months that a contribution or a debt is about: one month, a quarter or a year.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct UrssafPeriod {
    start: Month,
    months: u8,
}

impl UrssafPeriod {
    /// Reads `YYQM` or `YYYYQM`: `Q` is a quarter and `M` a month of it, `M = 0` the whole quarter, `62` the whole year.
    ///
    /// A two-digit year below 50 is of this century. Values out of range, which the existing system lets overflow into
    /// later months, are refused: `201712` is February 2017, `2041` October 2020, and `201750` nothing.
    #[inline]
    pub fn parse(text: &[u8]) -> Option<Self> {
        if !(text.len() == 4 || text.len() == 6) || !text.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let digit = |position: usize| i32::from(text[position] - b'0');
        let (year, rest) = if text.len() == 4 {
            let short = digit(0) * 10 + digit(1);
            (if short < 50 { 2000 + short } else { 1900 + short }, 2)
        } else {
            (digit(0) * 1000 + digit(1) * 100 + digit(2) * 10 + digit(3), 4)
        };
        let (month, months) = match (digit(rest), digit(rest + 1)) {
            (6, 2) => (1, 12),
            (quarter @ 1..=4, 0) => (quarter * 3 - 2, 3),
            (quarter @ 1..=4, month @ 1..=3) => (quarter * 3 - 3 + month, 1),
            _ => return None,
        };
        Self::new(Month::new(year, month as u32)?, months)
    }

    /// A period of 1, 3 or 12 months.
    #[inline]
    pub const fn new(start: Month, months: u8) -> Option<Self> {
        if matches!(months, 1 | 3 | 12) { Some(Self { start, months }) } else { None }
    }

    /// First month.
    #[inline]
    pub const fn start(self) -> Month {
        self.start
    }

    /// Number of months: 1, 3 or 12.
    #[inline]
    pub const fn months(self) -> u8 {
        self.months
    }

    /// Last month of the period.
    #[inline]
    pub const fn last(self) -> Month {
        self.start.plus(self.months as i32 - 1)
    }

    /// First month after the period.
    #[inline]
    pub const fn end(self) -> Month {
        self.start.plus(self.months as i32)
    }
}

/// Reads an Urssaf date: an integer `(Y)YYMMDD` whose leading digits count from 1900, so that `1180130` is 30 January
/// 2018 and `990401` 1 April 1999. `None` for anything else, zeros and impossible days included.
#[inline]
pub fn parse_date(text: &[u8]) -> Option<NaiveDate> {
    if !(6..=7).contains(&text.len()) || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let value = text.iter().fold(0i32, |value, byte| value * 10 + i32::from(byte - b'0'));
    NaiveDate::from_ymd_opt(1900 + value / 10_000, (value / 100 % 100) as u32, (value % 100) as u32)
}

/// The month in which an operation is taken into account: its own until the 20th, the next one after
/// (companies pay by the 15th; `domain/ingestion.md` §1.6, `domain/model.md` §11-4).
#[inline]
pub fn accounting_month(treated_on: NaiveDate) -> Month {
    Month::of(treated_on).plus(i32::from(treated_on.day() > 20))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(year: i32, month: u32, day: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(year, month, day).unwrap()
    }

    #[test]
    fn periods_of_the_specification() {
        for (text, start, months) in [
            ("201712", "2017-02", 1),
            ("201631", "2016-07", 1),
            ("2041", "2020-10", 1),
            ("1820", "2018-04", 3),
            ("0162", "2001-01", 12),
            ("5062", "1950-01", 12),
            ("4920", "2049-04", 3),
            ("0232", "2002-08", 1),
            ("6331", "1963-07", 1),
            ("2110", "2021-01", 3),
            ("201642", "2016-11", 1),
            ("1031", "2010-07", 1),
        ] {
            let period = UrssafPeriod::parse(text.as_bytes()).unwrap_or_else(|| panic!("{text}"));
            assert_eq!((period.start(), period.months()), (start.parse().unwrap(), months), "{text}");
            assert_eq!(period.end(), period.last().plus(1));
        }
        for bad in ["56331", "56a1", "5a31", "564a", "", "2050", "2014", "2000", "201763", "201714", "199904"] {
            assert_eq!(UrssafPeriod::parse(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn dates_of_the_specification() {
        assert_eq!(parse_date(b"1180130"), Some(day(2018, 1, 30)));
        assert_eq!(parse_date(b"990401"), Some(day(1999, 4, 1)));
        for bad in ["0000000", "1180151", "11A0203", "", "11801301", "180"] {
            assert_eq!(parse_date(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn the_twentieth_closes_the_month() {
        assert_eq!(accounting_month(day(2020, 3, 20)).to_string(), "2020-03");
        assert_eq!(accounting_month(day(2020, 3, 21)).to_string(), "2020-04");
        assert_eq!(accounting_month(day(2020, 12, 31)).to_string(), "2021-01");
    }
}
