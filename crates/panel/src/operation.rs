//! Operations on a base series: what makes a feature of it. Each reads its month and earlier ones, nothing else.

use serde::Deserialize;

/// An operation; months are calendar months.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Operation {
    /// The value of the month.
    Level,
    /// The value `months` ago.
    Lag,
    /// The value minus the one `months` ago.
    Difference,
    /// The value over the one `months` ago, minus one.
    Change,
    /// Mean of the last `months` values, this one included; null when one is.
    Mean,
    /// Sum of the last `months` values; null when one is.
    Sum,
    /// Greatest known of the last `months` values.
    Maximum,
    /// Number of months above zero among the last `months`; null when none is known.
    CountPositive,
    /// Least-squares slope over the last `months` values, by month; null when one is.
    Slope,
}

impl Operation {
    /// Whether it needs a number of months.
    pub(crate) fn takes_months(self) -> bool {
        self != Self::Level
    }

    /// Months before the current one that it reads.
    pub(crate) fn reach(self, months: usize) -> usize {
        match self {
            Self::Level => 0,
            Self::Lag | Self::Difference | Self::Change => months,
            _ => months.saturating_sub(1),
        }
    }

    /// Writes the feature of the last `out.len()` months of the series.
    pub(crate) fn apply(self, series: &[f64], months: usize, out: &mut [f32]) {
        let lead = series.len() - out.len();
        let past = |at: usize| at.checked_sub(months).map_or(f64::NAN, |at| series[at]);
        let window = |at: usize| (at + 1).checked_sub(months).map_or(&[][..], |from| &series[from..=at]);
        for (position, slot) in out.iter_mut().enumerate() {
            let at = lead + position;
            *slot = match self {
                Self::Level => series[at],
                Self::Lag => past(at),
                Self::Difference => series[at] - past(at),
                Self::Change => change(past(at), series[at]),
                Self::Mean => sum(window(at)) / months as f64,
                Self::Sum => sum(window(at)),
                Self::Maximum => window(at).iter().copied().fold(f64::NAN, f64::max),
                Self::CountPositive => count_positive(window(at)),
                Self::Slope => slope(window(at)),
            } as f32;
        }
    }
}

fn change(before: f64, now: f64) -> f64 {
    if before > 0.0 { now / before - 1.0 } else { f64::NAN }
}

fn sum(window: &[f64]) -> f64 {
    if window.is_empty() { f64::NAN } else { window.iter().sum() }
}

fn count_positive(window: &[f64]) -> f64 {
    let known = window.iter().filter(|value| !value.is_nan());
    if known.clone().next().is_none() { f64::NAN } else { known.filter(|value| **value > 0.0).count() as f64 }
}

fn slope(window: &[f64]) -> f64 {
    if window.len() < 2 {
        return f64::NAN;
    }
    let middle = (window.len() - 1) as f64 / 2.0;
    let (mut product, mut squares) = (0.0, 0.0);
    for (index, value) in window.iter().enumerate() {
        let x = index as f64 - middle;
        product += x * value;
        squares += x * x;
    }
    product / squares
}

#[cfg(test)]
mod tests {
    use super::*;

    fn last(operation: Operation, months: usize, series: &[f64]) -> f32 {
        let mut out = [0.0];
        operation.apply(series, months, &mut out);
        out[0]
    }

    const NAN: f64 = f64::NAN;

    #[test]
    fn operations_by_hand() {
        use Operation as O;
        let ramp = [1.0, 2.0, 4.0, 8.0];
        for (operation, months, value) in [
            (O::Level, 0, 8.0),
            (O::Lag, 2, 2.0),
            (O::Difference, 1, 4.0),
            (O::Change, 3, 7.0),
            (O::Mean, 2, 6.0),
            (O::Sum, 4, 15.0),
            (O::Maximum, 3, 8.0),
            (O::CountPositive, 3, 3.0),
            (O::Slope, 2, 4.0),
        ] {
            assert_eq!(last(operation, months, &ramp), value, "{operation:?}");
        }
    }

    /// `domain/model.md` §11, vectors 8 and 9: twelve months are twelve months, and a gap is a gap.
    #[test]
    fn windows_and_lags_are_calendar_months() {
        let mut series = [0.0; 13];
        series[0] = 13.0;
        assert_eq!(last(Operation::Mean, 12, &series), 0.0);
        assert!(last(Operation::Lag, 1, &[1.0, 2.0, NAN, 4.0]).is_nan());
        assert!(last(Operation::Lag, 4, &[1.0, 2.0]).is_nan());
    }

    #[test]
    fn null_is_not_zero() {
        assert!(last(Operation::Mean, 2, &[NAN, 1.0]).is_nan());
        assert_eq!(last(Operation::Maximum, 2, &[NAN, 1.0]), 1.0);
        assert_eq!(last(Operation::CountPositive, 3, &[NAN, 0.0, 1.0]), 1.0);
        assert!(last(Operation::CountPositive, 2, &[NAN, NAN]).is_nan());
        assert!(last(Operation::Change, 1, &[0.0, 1.0]).is_nan());
    }
}
