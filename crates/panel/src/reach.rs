//! How far the files of proceedings reach: up to which month it is known that a company did *not* enter one.
//!
//! A delivery that is named by its month may hold an older file of proceedings, or one that was cut. Months that it does not
//! tell of would count as months without failure: a label must not look there (`design.md` §6, censoring).

use std::collections::BTreeMap;

use chrono::{Duration, Months};
use domain::{Month, NaiveDate};

/// Days without judgments that never mean that a file is cut: a long week-end, or the end of a year.
const QUIET_DAYS: i64 = 7;
/// Judgments that should have come in a silence, by the pace of the year before: that none came is then chance once in a hundred
/// times (Poisson, e^-4.6). Not believing a whole file costs a month of labels; believing a cut one makes them wrong.
const EXPECTED: f64 = 4.6;
/// Share of those that may have come all the same, dated by mistake or ahead of time.
const STRAY: f64 = 0.05;
/// Days of judgments among which the end of a file is looked for: one that is older is no delivery any more.
const LOOKED_BACK: usize = 1_000;
/// Days within which a judgment is published in the bulletin (code de commerce, article R. 621-8).
const PUBLICATION_DAYS: i64 = 15;

/// The days of the judgments that are known.
#[derive(Debug, Clone, Default)]
pub struct Reach {
    judgments: BTreeMap<NaiveDate, u32>,
    bulletin: Option<NaiveDate>,
}

impl Reach {
    /// Takes a judgment.
    pub fn judged(&mut self, day: NaiveDate) {
        *self.judgments.entry(day).or_default() += 1;
    }

    /// Takes a notice of the bulletin: its judgment, and that all judgments a fortnight older are published by then.
    pub fn published(&mut self, day: NaiveDate, judgment: NaiveDate) {
        self.judged(judgment);
        self.bulletin = self.bulletin.max(Some(day));
    }

    /// The last month of which all proceedings are known, at most `delivered`, that of the newest file. A silence at its end is
    /// believed while chance explains it; otherwise the file ends with the last judgment before it, and the month of that one is
    /// known if it is nearly over. Without any judgment, nothing speaks against the name of the delivery.
    pub fn known_until(&self, delivered: Month) -> Month {
        let month_of = |end: NaiveDate, tolerance: i64| {
            let month = Month::of(end);
            if (month.last_day() - end).num_days() <= tolerance { month } else { month.plus(-1) }
        };
        let by_bulletin = self.bulletin.map(|day| month_of(day - Duration::days(PUBLICATION_DAYS), 0));
        let by_silence = self.end(delivered.last_day()).map(|day| month_of(day, QUIET_DAYS));
        [by_bulletin, by_silence].into_iter().flatten().fold(delivered, Month::min)
    }

    /// The last judgment before a silence that chance does not explain and that lasts to `until`, if there is one. Of several days after
    /// which too few came, the one that makes what came least likely (the largest log-likelihood ratio of a Poisson count).
    fn end(&self, until: NaiveDate) -> Option<NaiveDate> {
        let (mut after, mut found) = (0, None);
        for (&day, &judgments) in self.judgments.range(..=until).rev().take(LOOKED_BACK) {
            let silence = (until - day).num_days();
            let year_before = day.checked_sub_months(Months::new(12)).unwrap_or(NaiveDate::MIN);
            let in_a_year: u32 = self.judgments.range(year_before..=day).map(|(_, judgments)| judgments).sum();
            let (expected, came) = (f64::from(in_a_year) * silence as f64 / 365.0, f64::from(after));
            if silence > QUIET_DAYS && expected > EXPECTED && came <= STRAY * expected {
                let ratio = expected - came + if after > 0 { came * (came / expected).ln() } else { 0.0 };
                found = found.filter(|(best, _)| *best >= ratio).or(Some((ratio, day)));
            }
            after += judgments;
        }
        found.map(|(_, day)| day)
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
            // Few companies have few judgments: two months without any say nothing, five do.
            ("2025-08-29", 30, "2025-10"),
            ("2025-05-29", 30, "2025-05"),
            ("2025-08-29", 10, "2025-08"),
        ] {
            assert_eq!(reach(newest, every).known_until("2025-10".parse().unwrap()).to_string(), known, "{newest}, every {every} days");
        }
    }

    #[test]
    fn a_few_judgments_dated_wrongly_do_not_hide_the_end_and_a_quiet_summer_is_none() {
        let october: Month = "2025-10".parse().unwrap();
        let mut stray = reach("2025-08-29", 1);
        for wrong in ["2026-03-01", "2025-10-28", "2025-10-03"] {
            stray.judged(day(wrong));
        }
        assert_eq!(stray.known_until(october).to_string(), "2025-08");
        let mut alone = reach("2025-08-29", 1);
        alone.judged(day("2025-10-11"));
        assert_eq!(alone.known_until(october).to_string(), "2025-08");
        let mut summer = reach("2025-07-31", 1);
        (0..9).for_each(|ten| summer.judged(day("2025-08-05") + Duration::days(ten * 10)));
        assert_eq!(summer.known_until(october), october, "a tenth of the pace");
        assert_eq!(Reach::default().known_until(october), october);
    }

    #[test]
    fn the_bulletin_is_a_fortnight_late_however_few_its_notices() {
        for every in [1, 40] {
            let mut bulletin = Reach::default();
            for notice in 0..400 / every {
                let day = day("2025-10-31") - Duration::days(notice * every);
                bulletin.published(day, day - Duration::days(6));
            }
            assert_eq!(bulletin.known_until("2025-10".parse().unwrap()).to_string(), "2025-09", "every {every} days");
        }
    }
}
