//! When a row becomes known: the second clock of the panel (`design.md` §3, table of *Time*).

use chrono::{Datelike, Months, NaiveDate};
use serde::{Deserialize, Serialize};

use crate::{Month, UrssafPeriod};

/// Publication delays of the sources. A row is visible at month `m` iff its `known_at` is not after the last day of `m`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TimeRules {
    /// Day of the month after a period's end on which its contributions are known.
    pub contribution_day: u32,
    /// Months from a headcount's month to its delivery.
    pub headcount_months: u32,
    /// Months from a month of short-time work to the delivery of the hours consumed.
    pub short_time_consumption_months: u32,
    /// Months from a payment delay's value date to its delivery.
    pub payment_delay_months: u32,
    /// Months from the closing of accounts to their publication.
    pub accounts_months: u32,
}

impl Default for TimeRules {
    fn default() -> Self {
        Self { contribution_day: 20, headcount_months: 3, short_time_consumption_months: 1, payment_delay_months: 1, accounts_months: 9 }
    }
}

/// What is known from the beginning: a row without any date of its own.
pub const ALWAYS_KNOWN: NaiveDate = match NaiveDate::from_ymd_opt(1900, 1, 1) {
    Some(day) => day,
    None => NaiveDate::MIN,
};

impl TimeRules {
    /// Contributions of a period: the 20th of the month after it.
    #[inline]
    pub fn contribution(&self, period: UrssafPeriod) -> NaiveDate {
        let first = period.end().first_day();
        first.with_day(self.contribution_day).unwrap_or_else(|| period.end().last_day())
    }

    /// A headcount of a month.
    #[inline]
    pub fn headcount(&self, month: Month) -> NaiveDate {
        month.plus(self.headcount_months as i32).first_day()
    }

    /// Short-time work consumed in a month.
    pub fn short_time_consumption(&self, month: Month) -> NaiveDate {
        month.plus(self.short_time_consumption_months as i32).last_day()
    }

    /// A payment delay of this value date.
    pub fn payment_delay(&self, value_date: NaiveDate) -> NaiveDate {
        later(value_date, self.payment_delay_months)
    }

    /// Accounts closed on this day.
    pub fn accounts(&self, closed_on: NaiveDate) -> NaiveDate {
        later(closed_on, self.accounts_months)
    }
}

fn later(date: NaiveDate, months: u32) -> NaiveDate {
    date.checked_add_months(Months::new(months)).unwrap_or(NaiveDate::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_source_has_its_delay() {
        let rules = TimeRules::default();
        let month: Month = "2024-11".parse().unwrap();
        let day = |text: &str| crate::dates::parse_iso(text.as_bytes()).unwrap();
        assert_eq!(rules.contribution(UrssafPeriod::new(month, 1).unwrap()), day("2024-12-20"));
        assert_eq!(rules.contribution(UrssafPeriod::parse(b"202462").unwrap()), day("2025-01-20"));
        assert_eq!(Month::of(rules.headcount(month)).to_string(), "2025-02");
        assert_eq!(rules.short_time_consumption(month), day("2024-12-31"));
        assert_eq!(rules.payment_delay(day("2024-01-31")), day("2024-02-29"));
        assert_eq!(rules.accounts(day("2023-12-31")), day("2024-09-30"));
    }
}
