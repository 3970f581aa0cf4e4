//! Short-time work: hours requested, spread over the days of each request, and hours consumed.

use domain::NaiveDate;
use domain::records::{Record, ShortTimeConsumption};
use domain::time_rules::TimeRules;

use super::{BaseSeries, Series, ratio};
use crate::rows::CompanyRows;

/// Monthly hours of a full-time employee.
const FULL_TIME: f64 = 151.67;

pub(super) fn fill(rows: &CompanyRows, rules: &TimeRules, base: &mut BaseSeries) {
    requested(rows, rules, base);
    consumed(rows, rules, base);
    for month in 0..base.window().len {
        let staff = base.get(Series::Headcount)[month] * FULL_TIME;
        base.get_mut(Series::ShortTimeIntensity)[month] = ratio(base.get(Series::ShortTimeConsumed)[month], staff);
    }
}

/// Hours requested for each month by the requests known by its end (`design.md` §3: the hours are spread over the days).
fn requested(rows: &CompanyRows, rules: &TimeRules, base: &mut BaseSeries) {
    let window = base.window();
    let mut requests: Vec<_> = rows.requests.iter().filter(|row| row.end >= row.start).collect();
    requests.sort_by_key(|row| (&row.request_id, row.siret, row.start, row.end, row.hours.map(f64::to_bits)));
    requests.dedup_by_key(|row| (&row.request_id, row.siret, row.start, row.end, row.hours.map(f64::to_bits)));
    base.set(Series::ShortTimeRequested, |_| 0.0);
    for row in requests {
        let (Some(hours), Some(known)) = (row.hours, window.known(row.known_at(rules))) else { continue };
        let days = (row.end - row.start).num_days() + 1;
        for month in known..window.len {
            let (first, last) = (window.month(month).first_day(), window.month(month).last_day());
            if first > row.end {
                break;
            }
            let shared = overlap(row.start, row.end, first, last);
            base.get_mut(Series::ShortTimeRequested)[month] += hours * shared as f64 / days as f64;
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
    for row in consumptions {
        // What became known before the window says nothing of its first month.
        if let Some(month) = window.index(domain::Month::of(row.known_at(rules))) {
            base.get_mut(Series::ShortTimeConsumed)[month] += row.hours;
        }
    }
}
