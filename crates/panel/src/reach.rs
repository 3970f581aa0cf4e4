//! How far the files of proceedings reach: up to which month it is known that a company did *not* enter one.
//!
//! A delivery that is named by its month may hold an older file of proceedings, or one that was cut. Months that it does not
//! tell of would count as months without failure: a label must not look there (`design.md` §6, censoring).

use std::collections::BTreeMap;

use chrono::{Duration, Months};
use domain::{Month, NaiveDate};

/// Days without any judgment that never mean that a file is cut: a long week-end, or the end of a year.
const QUIET_DAYS: i64 = 7;
/// Judgments that should have come in a silence, by the pace of the year before: that none came is then chance once in twenty
/// thousand times (Poisson, e^-10).
const EXPECTED: f64 = 10.0;
/// Days within which a judgment is published in the bulletin (code de commerce, article R. 621-8).
const PUBLICATION_DAYS: i64 = 15;

/// The days of the judgments that are known.
#[derive(Debug, Clone, Default)]
pub struct Reach {
    judgments: BTreeMap<NaiveDate, u32>,
}

impl Reach {
    /// Takes a judgment of the files of Urssaf.
    pub fn judged(&mut self, day: NaiveDate) {
        *self.judgments.entry(day).or_default() += 1;
    }

    /// Takes a notice of the bulletin: all judgments a fortnight older are published by then.
    pub fn published(&mut self, day: NaiveDate) {
        self.judged(day - Duration::days(PUBLICATION_DAYS));
    }

    /// The last month of which all proceedings are known, at most `delivered`, that of the newest file. A silence at its end is
    /// believed while chance explains it; otherwise the file ends with its newest judgment, and the month of that one is known
    /// if it is nearly over. Without any judgment, nothing speaks against the name of the delivery.
    pub fn known_until(&self, delivered: Month) -> Month {
        let end = delivered.last_day();
        let Some((&newest, _)) = self.judgments.range(..=end).next_back() else { return delivered };
        let silence = |until: NaiveDate| (until - newest).num_days();
        let year_before = newest.checked_sub_months(Months::new(12)).unwrap_or(NaiveDate::MIN);
        let in_a_year: u32 = self.judgments.range(year_before..=newest).map(|(_, judgments)| judgments).sum();
        let expected = f64::from(in_a_year) * silence(end) as f64 / 365.0;
        let month = Month::of(newest);
        if silence(end) <= QUIET_DAYS || expected <= EXPECTED {
            delivered
        } else if silence(month.last_day()) <= QUIET_DAYS {
            month
        } else {
            month.plus(-1)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        domain::dates::parse_iso(text.as_bytes()).unwrap()
    }

    /// A judgment every so many days of the two years before a day.
    fn reach(until: &str, every: i64) -> Reach {
        let mut reach = Reach::default();
        (0..730 / every).for_each(|judgment| reach.judged(day(until) - Duration::days(judgment * every)));
        reach
    }

    #[test]
    fn a_file_that_stops_early_is_known_only_up_to_its_end() {
        for (newest, every, known) in [
            ("2025-10-30", 1, "2025-10"),
            ("2025-10-24", 1, "2025-10"),
            ("2025-10-12", 1, "2025-09"),
            ("2025-08-29", 1, "2025-08"),
            ("2025-06-02", 1, "2025-05"),
            // Few companies have few judgments: two months without any say nothing, half a year does.
            ("2025-08-29", 10, "2025-10"),
            ("2025-05-29", 10, "2025-05"),
        ] {
            assert_eq!(reach(newest, every).known_until("2025-10".parse().unwrap()).to_string(), known, "{newest}, every {every} days");
        }
    }

    #[test]
    fn what_is_dated_after_the_delivery_says_nothing_of_it_and_the_bulletin_is_a_fortnight_late() {
        let october: Month = "2025-10".parse().unwrap();
        let mut early = reach("2025-08-29", 1);
        early.judged(day("2026-03-01"));
        assert_eq!(early.known_until(october).to_string(), "2025-08");
        assert_eq!(Reach::default().known_until(october), october);
        let mut bulletin = Reach::default();
        (0..400).for_each(|days| bulletin.published(day("2025-10-31") - Duration::days(days)));
        assert_eq!(bulletin.known_until(october).to_string(), "2025-09");
    }
}
