//! Confidence intervals that respect that rows of one company are not independent.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::ranking::{Ranked, Scored};
use crate::error::{Result, TreesError};

/// How intervals are made.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Bootstrap {
    /// Number of samples of companies drawn.
    pub replicates: u32,
    /// Level of the intervals.
    pub level: f64,
    /// Seed of the draws.
    pub seed: u64,
}

impl Default for Bootstrap {
    fn default() -> Self {
        Self { replicates: 200, level: 0.95, seed: 42 }
    }
}

/// A value with the percentile interval of its bootstrap distribution.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// The value on all rows.
    pub value: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// Intervals of several metrics. `groups` gives the company of each row; as many companies as there are get drawn with
/// replacement, each with all its rows. Replicates where a metric is undefined are left out for it; a metric that is
/// undefined on all rows, or in more than half of the replicates, gives `None`.
pub fn bootstrap_by_group<G: Ord + Copy + Sync, const N: usize>(
    rows: &[Scored],
    groups: &[G],
    options: &Bootstrap,
    metrics: impl Fn(&Ranked) -> [Option<f64>; N] + Sync,
) -> Result<[Option<Interval>; N]> {
    let companies = Groups::new(rows.len(), groups, options)?;
    let ranked = Ranked::new(rows)?;
    let values = metrics(&ranked);
    let draw = |(ranked, times): &mut (Ranked, Vec<u32>), replicate: u32| {
        companies.draw(replicate, times);
        ranked.recount(|row| times[companies.index[row] as usize]);
        metrics(ranked)
    };
    let start = || (ranked.clone(), companies.never());
    let replicates: Vec<[Option<f64>; N]> = (0..options.replicates).into_par_iter().map_init(start, draw).collect();
    let mut draws: [Vec<f64>; N] = std::array::from_fn(|_| Vec::with_capacity(replicates.len()));
    for found in replicates {
        draws.iter_mut().zip(found).for_each(|(draws, value)| draws.extend(value));
    }
    let mut draws = draws.into_iter();
    Ok(values.map(|value| interval(value, draws.next().unwrap_or_default(), options)))
}

/// The interval of how much higher a metric of the first scores is than that of the second, on the same rows. Both are measured
/// on the companies of each draw: what makes a draw easy for one makes it easy for the other, so that small differences can be
/// told that the intervals of each would hide. `None` as in [`bootstrap_by_group`].
pub fn difference_by_group<G: Ord + Copy + Sync>(
    [first, second]: [&[Scored]; 2],
    groups: &[G],
    options: &Bootstrap,
    metric: impl Fn(&Ranked) -> Option<f64> + Sync,
) -> Result<Option<Interval>> {
    TreesError::check_length("second scores", first.len(), second.len())?;
    let companies = Groups::new(first.len(), groups, options)?;
    let both = [Ranked::new(first)?, Ranked::new(second)?];
    let difference = |[first, second]: &[Ranked; 2]| Some(metric(first)? - metric(second)?);
    let draw = |(both, times): &mut ([Ranked; 2], Vec<u32>), replicate: u32| {
        companies.draw(replicate, times);
        for ranked in both.iter_mut() {
            ranked.recount(|row| times[companies.index[row] as usize]);
        }
        difference(both)
    };
    let start = || (both.clone(), companies.never());
    let replicates: Vec<Option<f64>> = (0..options.replicates).into_par_iter().map_init(start, draw).collect();
    Ok(interval(difference(&both), replicates.into_iter().flatten().collect(), options))
}

/// The companies of rows, which are drawn with all their rows.
struct Groups<'o> {
    options: &'o Bootstrap,
    /// The company of each row.
    index: Vec<u32>,
    count: usize,
}

impl<'o> Groups<'o> {
    fn new<G: Ord + Copy>(rows: usize, groups: &[G], options: &'o Bootstrap) -> Result<Self> {
        TreesError::check_length("groups", rows, groups.len())?;
        if options.replicates == 0 || !(options.level > 0.0 && options.level < 1.0) {
            return Err(TreesError::parameter("bootstrap", "give at least one replicate and a level between 0 and 1"));
        }
        let mut distinct: Vec<G> = groups.to_vec();
        distinct.sort_unstable();
        distinct.dedup();
        let index = groups.iter().map(|group| distinct.partition_point(|other| other < group) as u32).collect();
        Ok(Self { options, index, count: distinct.len() })
    }

    fn never(&self) -> Vec<u32> {
        vec![0; self.count]
    }

    /// How often each company is drawn. Each replicate has its own stream of random numbers: threads change nothing.
    fn draw(&self, replicate: u32, times: &mut [u32]) {
        let mut random = ChaCha8Rng::seed_from_u64(self.options.seed);
        random.set_stream(replicate.into());
        times.fill(0);
        for _ in 0..self.count {
            times[random.random_range(0..self.count)] += 1;
        }
    }
}

/// The percentile interval of draws.
fn interval(value: Option<f64>, mut draws: Vec<f64>, options: &Bootstrap) -> Option<Interval> {
    draws.sort_unstable_by(f64::total_cmp);
    let tail = (1.0 - options.level) / 2.0;
    let enough = draws.len() * 2 > options.replicates as usize;
    value.filter(|_| enough).map(|value| Interval { value, low: quantile(&draws, tail), high: quantile(&draws, 1.0 - tail) })
}

/// The quantile of sorted values, interpolated linearly between neighbours (numpy's default).
pub(crate) fn quantile(sorted: &[f64], share: f64) -> f64 {
    let place = share * (sorted.len().max(1) - 1) as f64;
    let at = |index: f64| sorted.get(index as usize).copied().unwrap_or(f64::NAN);
    let (low, high) = (at(place.floor()), at(place.ceil()));
    (high - low).mul_add(place.fract(), low)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_covers_its_value_and_is_reproducible() {
        let rows: Vec<Scored> = (0..2_000u32)
            .map(|row| Scored { score: f64::from((row * 7_919) % 1_000) / 1_000.0, positive: (row * 104_729) % 1_000 < 300 })
            .collect();
        let groups: Vec<u32> = (0..2_000).map(|row| row / 10).collect();
        let metrics = |ranked: &Ranked| [ranked.auc(), ranked.prevalence()];
        let [auc, prevalence] = bootstrap_by_group(&rows, &groups, &Bootstrap::default(), metrics).unwrap();
        let auc = auc.unwrap();
        assert!(auc.low < auc.value && auc.value < auc.high && auc.high - auc.low < 0.2, "{auc:?}");
        assert_eq!(Some(auc), bootstrap_by_group(&rows, &groups, &Bootstrap::default(), metrics).unwrap()[0]);
        assert!(prevalence.is_some());
    }

    #[test]
    fn groups_that_repeat_rows_widen_the_interval() {
        let base: Vec<Scored> = (0..200u32).map(|row| Scored { score: f64::from(row % 20), positive: row % 5 == 0 }).collect();
        let repeated: Vec<Scored> = base.iter().flat_map(|row| [*row; 10]).collect();
        let by_company: Vec<usize> = (0..2_000).map(|row| row / 10).collect();
        let by_row: Vec<usize> = (0..2_000).collect();
        let width = |groups: &[usize]| {
            let [prevalence] = bootstrap_by_group(&repeated, groups, &Bootstrap::default(), |ranked| [ranked.prevalence()]).unwrap();
            prevalence.map(|interval| interval.high - interval.low).unwrap()
        };
        let ratio = width(&by_company) / width(&by_row);
        assert!((2.3..4.2).contains(&ratio), "should be about √10, is {ratio}");
    }

    #[test]
    fn a_small_difference_is_told_on_the_same_draws() {
        // Scores that say something, and the same with a little noise.
        let noise = |row: u32, salt: u32| f64::from((row.wrapping_mul(7_919) ^ salt).wrapping_mul(104_729) % 1_000) / 1_000.0;
        let positive = |row: u32| noise(row, 77) < 0.2;
        let score = |row: u32, more: f64| f64::from(positive(row)) * 0.5 + noise(row, 5) + more * noise(row, 9);
        let [good, worse]: [Vec<Scored>; 2] =
            [0.0, 0.2].map(|more| (0..4_000).map(|row| Scored { score: score(row, more), positive: positive(row) }).collect());
        let groups: Vec<u32> = (0..4_000).map(|row| row / 10).collect();
        let (options, metric) = (Bootstrap::default(), Ranked::average_precision);
        let found = difference_by_group([&good, &worse], &groups, &options, metric).unwrap().unwrap();
        let alone = |rows: &[Scored]| bootstrap_by_group(rows, &groups, &options, |ranked| [metric(ranked)]).unwrap()[0].unwrap();
        let (first, second) = (alone(&good), alone(&worse));
        assert!((found.value - (first.value - second.value)).abs() < 1e-12);
        assert!(found.low > 0.0 && found.low < found.value && found.value < found.high, "{found:?}");
        assert!(first.low < second.high, "alone they cannot be told apart: {first:?} {second:?}");
        let same = difference_by_group([&good, &good], &groups, &options, metric).unwrap().unwrap();
        assert_eq!((same.value, same.low, same.high), (0.0, 0.0, 0.0));
        assert!(difference_by_group([&good, &worse[1..]], &groups, &options, metric).is_err());
    }

    #[test]
    fn undefined_metrics_have_no_interval() {
        let rows = [Scored { score: 0.1, positive: false }; 4];
        let [auc] = bootstrap_by_group(&rows, &[1, 2, 3, 4], &Bootstrap::default(), |ranked| [ranked.auc()]).unwrap();
        assert_eq!(auc, None);
        assert!((quantile(&[1.0, 2.0, 4.0], 0.75) - 3.0).abs() < 1e-15);
    }
}
