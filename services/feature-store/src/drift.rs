//! How far a feature has moved between two months.

/// Values of a feature at a month; NaN counts as null.
pub struct Sample<'a>(pub &'a [f32]);

/// Bins of the reference by quantiles; null is one more bin.
const BINS: usize = 10;
/// Share given to an empty bin, so that the index stays finite.
const FLOOR: f64 = 1e-4;

impl Sample<'_> {
    /// Share of nulls; 0 without values.
    pub fn null_rate(&self) -> f64 {
        self.0.iter().filter(|value| value.is_nan()).count() as f64 / self.0.len().max(1) as f64
    }

    /// Mean of the known values; NaN without any.
    pub fn mean(&self) -> f64 {
        let (sum, count) = self.known().fold((0.0, 0u64), |(sum, count), value| (sum + f64::from(value), count + 1));
        if count == 0 { f64::NAN } else { sum / count as f64 }
    }

    fn known(&self) -> impl Iterator<Item = f32> {
        self.0.iter().copied().filter(|value| !value.is_nan())
    }
}

/// Population stability index of `current` against `reference`: Σ (c − r) ln(c / r) over ten bins cut at the quantiles of
/// the reference, and one for nulls. Below 0.1 nothing moved, above 0.25 the model sees another world.
pub fn psi(reference: &Sample<'_>, current: &Sample<'_>) -> f64 {
    if reference.0.is_empty() || current.0.is_empty() {
        return f64::NAN;
    }
    let mut sorted: Vec<f32> = reference.known().collect();
    sorted.sort_unstable_by(f32::total_cmp);
    let mut edges: Vec<f32> = (1..BINS).filter_map(|bin| sorted.get(sorted.len() * bin / BINS).copied()).collect();
    edges.dedup();
    let shares = |sample: &Sample<'_>| {
        let mut counts = vec![0u64; edges.len() + 2];
        for &value in sample.0 {
            let bin = if value.is_nan() { edges.len() + 1 } else { edges.partition_point(|edge| *edge <= value) };
            counts[bin] += 1;
        }
        counts.into_iter().map(|count| (count as f64 / sample.0.len() as f64).max(FLOOR)).collect::<Vec<f64>>()
    };
    shares(reference).into_iter().zip(shares(current)).map(|(r, c)| (c - r) * (c / r).ln()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_values_do_not_drift_and_a_shift_does() {
        let values: Vec<f32> = (0..1_000).map(|value| value as f32).collect();
        let shifted: Vec<f32> = values.iter().map(|value| value + 300.0).collect();
        assert!(psi(&Sample(&values), &Sample(&values)).abs() < 1e-12);
        assert!(psi(&Sample(&values), &Sample(&shifted)) > 0.25);
    }

    #[test]
    fn nulls_and_constants_are_bins_of_their_own() {
        let constant = vec![1.0f32; 100];
        let mut half = constant.clone();
        half[..50].fill(f32::NAN);
        assert!(psi(&Sample(&constant), &Sample(&half)) > 0.25);
        assert_eq!(Sample(&half).null_rate(), 0.5);
        assert_eq!(Sample(&half).mean(), 1.0);
        assert!(Sample(&[f32::NAN]).mean().is_nan());
        assert!(psi(&Sample(&[]), &Sample(&constant)).is_nan());
    }
}
