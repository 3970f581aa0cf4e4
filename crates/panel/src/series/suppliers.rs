//! Payment delays towards suppliers: the last value known.

use domain::records::Record;
use domain::time_rules::TimeRules;
use domain::{Month, NaiveDate};

use super::{BaseSeries, Series, flag, latest};
use crate::rows::CompanyRows;

/// Months after which a delay is too old.
const STALE: i32 = 12;
/// Days beyond which a delay is long: the third bin of `domain/model.md` §2.4.
const LONG: i32 = 30;

pub(super) fn fill(rows: &CompanyRows, rules: &TimeRules, base: &mut BaseSeries) {
    let window = base.window();
    // Of two values of a day, the greater: the order of the file does not matter.
    let order =
        |date: NaiveDate, days: i32| i64::from(chrono::Datelike::num_days_from_ce(&date)) * 100_000 + i64::from(days.clamp(0, 99_999));
    let mut events: Vec<_> = rows
        .payment_delays
        .iter()
        .filter_map(|row| Some((window.known(row.known_at(rules))?, order(row.value_date, row.days), (row.value_date, row.days))))
        .collect();
    latest(&mut events, window.len, |month, (date, days)| {
        if window.month(month).since(Month::of(date)) <= STALE {
            base.get_mut(Series::PaymentDelay)[month] = days.into();
            base.get_mut(Series::PaymentDelayLong)[month] = flag(days > LONG);
        }
    });
}
