//! From when and how long the earlier generations used the accounts of a year (`domain/model.md` §1.6).

use std::cmp::Reverse;

use chrono::{Days, Months};
use domain::{Month, NaiveDate};

/// Ratios of the fifth generation.
pub(super) const RATIOS: usize = 15;
/// Days for which the fifth generation carried accounts after their year.
const CARRIED_DAYS: i64 = 365;

/// The accounts of a year, as the fifth generation read them.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Exercise {
    /// First day.
    pub start: NaiveDate,
    /// Closing day.
    pub end: NaiveDate,
    /// Its ratios, before they are divided by its days.
    pub ratios: [Option<f64>; RATIOS],
}

impl Exercise {
    /// Accounts closed on a day, of so many months.
    pub fn closed(end: NaiveDate, months: u32, ratios: [Option<f64>; RATIOS]) -> Option<Self> {
        let start = end.checked_add_days(Days::new(1))?.checked_sub_months(Months::new(months))?;
        (start < end).then_some(Self { start, end, ratios })
    }

    /// Days between its first and its last: 364 for a year.
    pub fn days(&self) -> f64 {
        (self.end - self.start).num_days() as f64
    }

    fn nulls(&self) -> usize {
        self.ratios.iter().filter(|ratio| ratio.is_none()).count()
    }

    /// The last month that the accounts were attached to as of `month`: a month inside their year, published or not.
    fn attached(&self, month: Month) -> Option<NaiveDate> {
        let last = Month::of(self.end - Days::new(1)).min(month).first_day();
        (last >= self.start).then_some(last)
    }
}

/// The accounts that the fifth generation used for a month: those of its own year, of which nothing could be known, else the
/// latest ones of at most 365 days before. Of two, those with fewer nulls.
pub(super) fn attached(exercises: &[Exercise], month: Month) -> Option<&Exercise> {
    let candidates = exercises.iter().filter_map(|exercise| {
        let last = exercise.attached(month)?;
        ((month.first_day() - last).num_days() <= CARRIED_DAYS).then_some((last, exercise))
    });
    // The order of the file does not matter, even between two rows of the same year.
    candidates
        .max_by_key(|(last, exercise)| {
            (*last, Reverse(exercise.nulls()), exercise.end, exercise.ratios.map(|ratio| ratio.map(f64::to_bits)))
        })
        .map(|(_, exercise)| exercise)
}

/// Months in which the first generations used accounts closed on a day: from the eighth month after the closing on, for so
/// many months.
pub(super) fn available(closed_on: NaiveDate, months: i32) -> (Month, Month) {
    let first = Month::of(closed_on).plus(1 + 7);
    (first, first.plus(months - 1))
}

/// Months for which the accounts that Diane exported were used.
pub(super) const DIANE: i32 = 14;
/// Months for which the ratios of Banque de France were used.
pub(super) const BANK: i32 = 13;

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        domain::dates::parse_iso(text.as_bytes()).unwrap()
    }

    fn month(text: &str) -> Month {
        text.parse().unwrap()
    }

    /// `domain/model.md` §11, vectors 5 and 6.
    #[test]
    fn accounts_were_used_eight_months_after_the_closing() {
        assert_eq!(available(day("2018-12-31"), DIANE), (month("2019-08"), month("2020-09")));
        assert_eq!(available(day("2018-12-31"), BANK), (month("2019-08"), month("2020-08")));
    }

    /// `domain/model.md` §11, vector 7: the leak.
    #[test]
    fn accounts_of_a_year_are_attached_to_its_own_months() {
        let exercise = Exercise::closed(day("2018-12-31"), 12, [None; RATIOS]).unwrap();
        assert_eq!((exercise.start, exercise.days()), (day("2018-01-01"), 364.0));
        let exercises = [exercise];
        for (of, used) in [("2017-12", false), ("2018-01", true), ("2018-12", true), ("2019-12", true), ("2020-01", false)] {
            assert_eq!(attached(&exercises, month(of)).is_some(), used, "{of}");
        }
    }

    #[test]
    fn of_two_accounts_of_a_year_the_fuller_and_of_two_years_the_later() {
        let with = |end: &str, value: Option<f64>| Exercise::closed(day(end), 12, [value; RATIOS]).unwrap();
        let exercises = [with("2018-12-31", Some(1.0)), with("2018-12-31", None), with("2019-12-31", Some(2.0))];
        let value = |of: &str| attached(&exercises, month(of)).and_then(|exercise| exercise.ratios[0]);
        assert_eq!([value("2018-06"), value("2019-01"), value("2020-06")], [Some(1.0), Some(2.0), Some(2.0)]);
    }
}
