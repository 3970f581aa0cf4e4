//! Amounts by employee, and the sizes of short-time work against the hours of the staff.

use super::{BaseSeries, Series, ratio};

/// Monthly hours of a full-time employee.
const FULL_TIME: f64 = 151.67;

/// A quotient: what is divided, by how many times the headcount, into what.
const QUOTIENTS: [(Series, f64, Series); 5] = [
    (Series::Debt, 1.0, Series::DebtPerEmployee),
    (Series::ContributionMean, 1.0, Series::ContributionPerEmployee),
    (Series::Turnover, 1.0, Series::TurnoverPerEmployee),
    (Series::ShortTimeRequested, FULL_TIME, Series::ShortTimeRequestedIntensity),
    (Series::ShortTimeConsumed, FULL_TIME, Series::ShortTimeIntensity),
];

pub(super) fn fill(base: &mut BaseSeries) {
    for (series, times, quotient) in QUOTIENTS {
        for month in 0..base.window().len {
            base.get_mut(quotient)[month] = ratio(base.get(series)[month], base.get(Series::Headcount)[month] * times);
        }
    }
}
