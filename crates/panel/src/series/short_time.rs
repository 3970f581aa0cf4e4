//! Short-time work: hours requested, spread over the days of each request, and hours consumed.

use domain::records::{Record, ShortTimeConsumption, ShortTimeRequest};
use domain::time_rules::TimeRules;
use domain::{Month, NaiveDate};

use super::{BaseSeries, Series, months_since};
use crate::rows::CompanyRows;

/// The reason of a request that is the economic situation (`domain/ingestion.md` §1.13).
const ECONOMIC: u8 = 1;

pub(super) fn fill(rows: &CompanyRows, rules: &TimeRules, base: &mut BaseSeries) {
    requested(rows, rules, base);
    consumed(rows, rules, base);
}

/// Hours requested for each month by the requests known by its end (`design.md` §3: the hours are spread over the days).
fn requested(rows: &CompanyRows, rules: &TimeRules, base: &mut BaseSeries) {
    let window = base.window();
    let key = |row: &&ShortTimeRequest| {
        (row.request_id.clone(), row.siret, row.start, row.end, row.hours.map(f64::to_bits), row.reason, row.known_at(rules))
    };
    let mut requests: Vec<&ShortTimeRequest> = rows.requests.iter().filter(|row| row.end >= row.start).collect();
    requests.sort_by_cached_key(key);
    requests.dedup_by_key(|row| key(row));
    for series in [Series::ShortTimeRequested, Series::ShortTimeRequestedEconomic, Series::ShortTimeRequests] {
        base.set(series, |_| 0.0);
    }
    let decided = |row: &&ShortTimeRequest| Some((window.known(row.known_at(rules))?, Month::of(row.known_at(rules))));
    months_since(requests.iter().filter_map(decided), window, |month, since| base.get_mut(Series::ShortTimeRequestSince)[month] = since);
    for row in requests {
        if let Some(month) = window.index(Month::of(row.known_at(rules))) {
            base.get_mut(Series::ShortTimeRequests)[month] += 1.0;
        }
        let (Some(hours), Some(known)) = (row.hours, window.known(row.known_at(rules))) else { continue };
        let days = (row.end - row.start).num_days() + 1;
        for month in known..window.len {
            let (first, last) = (window.month(month).first_day(), window.month(month).last_day());
            if first > row.end {
                break;
            }
            let shared = overlap(row.start, row.end, first, last);
            let hours = hours * shared as f64 / days as f64;
            base.get_mut(Series::ShortTimeRequested)[month] += hours;
            if row.reason == Some(ECONOMIC) {
                base.get_mut(Series::ShortTimeRequestedEconomic)[month] += hours;
            }
        }
    }
}

fn overlap(start: NaiveDate, end: NaiveDate, first: NaiveDate, last: NaiveDate) -> i64 {
    ((end.min(last) - start.max(first)).num_days() + 1).max(0)
}

/// Hours consumed, at the month where they become known.
fn consumed(rows: &CompanyRows, rules: &TimeRules, base: &mut BaseSeries) {
    let window = base.window();
    let key = |row: &&ShortTimeConsumption| (row.date, row.siret, row.request_id.clone(), row.hours.to_bits());
    let mut consumptions: Vec<&ShortTimeConsumption> = rows.consumptions.iter().collect();
    consumptions.sort_by_key(key);
    consumptions.dedup_by_key(|row| key(row));
    base.set(Series::ShortTimeConsumed, |_| 0.0);
    let known = |row: &&ShortTimeConsumption| Some((window.known(row.known_at(rules))?, Month::of(row.known_at(rules))));
    let worked_less = consumptions.iter().filter(|row| row.hours > 0.0).filter_map(known);
    months_since(worked_less, window, |month, since| base.get_mut(Series::ShortTimeConsumedSince)[month] = since);
    for row in consumptions {
        // What became known before the window says nothing of its first month.
        if let Some(month) = window.index(Month::of(row.known_at(rules))) {
            base.get_mut(Series::ShortTimeConsumed)[month] += row.hours;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(month: u32, day: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(2025, month, day).unwrap()
    }

    /// The last day of a request belongs to it (`domain/ingestion.md` §1.13): June has 30 days, not 29.
    #[test]
    fn the_end_of_a_request_is_included() {
        let june = |start, end| overlap(start, end, day(6, 1), day(6, 30));
        assert_eq!(june(day(6, 1), day(6, 30)), 30);
        assert_eq!(june(day(6, 30), day(6, 30)), 1);
        assert_eq!(june(day(5, 15), day(6, 15)), 15);
        assert_eq!(june(day(7, 1), day(7, 31)), 0);
        assert_eq!(june(day(5, 1), day(5, 31)), 0);
    }
}
