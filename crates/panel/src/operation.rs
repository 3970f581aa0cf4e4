//! Operations on a base series: what makes a feature of it. Each reads its month and earlier ones, nothing else.

use serde::Deserialize;

use crate::catalogue::Unit;

/// An operation; months are calendar months.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Operation {
    /// The value of the month.
    #[default]
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
    /// Least known of the last `months` values.
    Minimum,
    /// The value over the greatest known of the last `months` values; null when that is not positive.
    Peak,
    /// Standard deviation of the last `months` values; null when one is.
    Deviation,
    /// Standard deviation over mean of the last `months` values; null when one is, or the mean is not positive.
    Variation,
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

    /// What the result is measured in, given the unit of the series.
    pub(crate) fn unit(self, series: Unit) -> Unit {
        match (self, series) {
            (Self::Change | Self::Peak | Self::Variation, _) | (Self::Mean, Unit::Flag) => Unit::Share,
            (Self::CountPositive, _) => Unit::Months,
            (_, unit) => unit,
        }
    }

    /// The formula in words, given that of the series.
    pub(crate) fn formula(self, series: &str, months: usize) -> String {
        match self {
            Self::Level => series.to_owned(),
            Self::Lag => format!("{series}, {} ago", count(months)),
            Self::Difference => format!("{series}, minus that of {} ago", count(months)),
            Self::Change => format!("{series}, over that of {} ago, minus one", count(months)),
            Self::Mean => format!("{series}, mean of {months} months"),
            Self::Sum => format!("{series}, sum of {months} months"),
            Self::Maximum => format!("{series}, greatest of {months} months"),
            Self::Minimum => format!("{series}, least of {months} months"),
            Self::Peak => format!("{series}, over the greatest of {months} months"),
            Self::Deviation => format!("{series}, standard deviation over {months} months"),
            Self::Variation => format!("{series}, standard deviation over mean, of {months} months"),
            Self::CountPositive => format!("{series}, number of months above zero among {months}"),
            Self::Slope => format!("{series}, least-squares slope by month over {months} months"),
        }
    }

    /// What agents read, given the label of the series.
    pub(crate) fn label_fr(self, series: &str, months: usize) -> String {
        match self {
            Self::Level => series.to_owned(),
            Self::Lag => format!("{series}, il y a {months} mois"),
            Self::Difference => format!("{series}, variation sur {months} mois"),
            Self::Change => format!("{series}, évolution relative sur {months} mois"),
            Self::Mean => format!("{series}, moyenne sur {months} mois"),
            Self::Sum => format!("{series}, total sur {months} mois"),
            Self::Maximum => format!("{series}, maximum sur {months} mois"),
            Self::Minimum => format!("{series}, minimum sur {months} mois"),
            Self::Peak => format!("{series}, rapporté au maximum de {months} mois"),
            Self::Deviation => format!("{series}, écart type sur {months} mois"),
            Self::Variation => format!("{series}, variabilité sur {months} mois"),
            Self::CountPositive => format!("{series}, nombre de mois sur {months}"),
            Self::Slope => format!("{series}, tendance mensuelle sur {months} mois"),
        }
    }

    /// What a missing result means, given what a missing value of the series does.
    pub(crate) fn missing(self, series: &str, months: usize) -> String {
        match self {
            Self::Level => series.to_owned(),
            Self::Lag => format!("{series}, {} ago", count(months)),
            Self::Difference => format!("{series}, then or now"),
            Self::Change => format!("{series}, then or now, or not positive then"),
            Self::Mean | Self::Sum | Self::Deviation | Self::Slope => format!("{series}, in one of the months"),
            Self::Variation => format!("{series}, in one of the months, or a mean that is not positive"),
            Self::Maximum | Self::Minimum | Self::CountPositive => format!("{series}, in all of the months"),
            Self::Peak => format!("{series}, or never above zero in the months"),
        }
    }

    /// Writes the feature of the last `out.len()` months of the series.
    pub(crate) fn apply(self, series: &[f64], months: usize, out: &mut [f32]) {
        let lead = series.len() - out.len();
        let past = |at: usize| at.checked_sub(months).map_or(f64::NAN, |at| series[at]);
        let window = |at: usize| (at + 1).checked_sub(months).map_or(&[][..], |from| &series[from..=at]);
        match self {
            Self::Level => each(lead, out, |at| series[at]),
            Self::Lag => each(lead, out, past),
            Self::Difference => each(lead, out, |at| series[at] - past(at)),
            Self::Change => each(lead, out, |at| change(past(at), series[at])),
            Self::Mean => each(lead, out, |at| mean(window(at))),
            Self::Sum => each(lead, out, |at| sum(window(at))),
            Self::Maximum => each(lead, out, |at| maximum(window(at))),
            Self::Minimum => each(lead, out, |at| window(at).iter().copied().fold(f64::NAN, f64::min)),
            Self::Peak => each(lead, out, |at| quotient(series[at], maximum(window(at)))),
            Self::Deviation => each(lead, out, |at| deviation(window(at))),
            Self::Variation => each(lead, out, |at| quotient(deviation(window(at)), mean(window(at)))),
            Self::CountPositive => each(lead, out, |at| count_positive(window(at))),
            Self::Slope => each(lead, out, |at| slope(window(at))),
        }
    }
}

fn count(months: usize) -> String {
    if months == 1 { "a month".to_owned() } else { format!("{months} months") }
}

/// Fills the months after the lead.
#[inline]
fn each(lead: usize, out: &mut [f32], value: impl Fn(usize) -> f64) {
    for (position, slot) in out.iter_mut().enumerate() {
        *slot = value(lead + position) as f32;
    }
}

fn quotient(value: f64, by: f64) -> f64 {
    if by > 0.0 { value / by } else { f64::NAN }
}

fn change(before: f64, now: f64) -> f64 {
    quotient(now, before) - 1.0
}

fn sum(window: &[f64]) -> f64 {
    if window.is_empty() { f64::NAN } else { window.iter().sum() }
}

fn mean(window: &[f64]) -> f64 {
    sum(window) / window.len() as f64
}

fn maximum(window: &[f64]) -> f64 {
    window.iter().copied().fold(f64::NAN, f64::max)
}

/// Of the population: twelve months are all there is, not a sample.
fn deviation(window: &[f64]) -> f64 {
    let mean = mean(window);
    (window.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / window.len() as f64).sqrt()
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
            (O::Minimum, 3, 2.0),
            (O::Peak, 3, 1.0),
            (O::Deviation, 2, 2.0),
            (O::Variation, 2, 1.0 / 3.0),
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
        assert_eq!(last(Operation::Minimum, 2, &[NAN, 1.0]), 1.0);
        assert_eq!(last(Operation::Peak, 2, &[4.0, 1.0]), 0.25);
        assert!(last(Operation::Peak, 2, &[0.0, 0.0]).is_nan());
        assert!(last(Operation::Deviation, 2, &[NAN, 1.0]).is_nan());
        assert!(last(Operation::Variation, 2, &[0.0, 0.0]).is_nan());
        assert!(last(Operation::Deviation, 3, &[1.0, 1.0]).is_nan(), "before the history");
        assert!(last(Operation::Change, 1, &[0.0, 1.0]).is_nan());
    }
}
