//! Random numbers that depend on the seed, the company and the month, and on nothing else.

use domain::Month;
use rand::SeedableRng;
use rand::distr::Distribution;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Beta, Gamma, LogNormal, Normal};

/// Words of the stream kept for one month: more than any month draws.
const WORDS: u128 = 1 << 14;

/// The generator of a company at a month; `None` is for what does not change.
pub(crate) fn stream(seed: u64, company: u64, month: Option<Month>) -> ChaCha8Rng {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    random.set_stream(company);
    random.set_word_pos(month.map_or(0, |month| month.index() as u128 * WORDS));
    random
}

pub(crate) fn normal(random: &mut ChaCha8Rng, mean: f64, deviation: f64) -> f64 {
    Normal::new(mean, deviation).map_or(mean, |law| law.sample(random))
}

pub(crate) fn log_normal(random: &mut ChaCha8Rng, median: f64, deviation: f64) -> f64 {
    LogNormal::new(median.ln(), deviation).map_or(median, |law| law.sample(random))
}

pub(crate) fn beta(random: &mut ChaCha8Rng, a: f64, b: f64) -> f64 {
    Beta::new(a, b).map_or(0.5, |law| law.sample(random))
}

pub(crate) fn gamma(random: &mut ChaCha8Rng, shape: f64, scale: f64) -> f64 {
    Gamma::new(shape, scale).map_or(shape * scale, |law| law.sample(random))
}

/// The weather of the economy, the same for all companies.
pub struct Macro {
    /// First month simulated: before the first one delivered, so that histories do not begin at rest.
    pub start: Month,
    /// First month delivered.
    pub first: Month,
    /// Last month.
    pub last: Month,
    values: Vec<f64>,
}

impl Macro {
    /// Draws the weather, two years ahead of the first month.
    pub(crate) fn new(seed: u64, first: Month, last: Month) -> Self {
        let start = first.plus(-24);
        let mut value = 0.0;
        let values = start
            .to(last)
            .map(|month| {
                value = 0.93 * value + normal(&mut stream(seed, u64::MAX, Some(month)), 0.0, 0.05);
                value
            })
            .collect();
        Self { start, first, last, values }
    }

    pub(crate) fn at(&self, month: Month) -> f64 {
        usize::try_from(month.since(self.start)).ok().and_then(|index| self.values.get(index)).copied().unwrap_or(0.0)
    }
}

/// Whether a month is in the years when help kept companies from failing.
pub(crate) fn is_helped(month: Month) -> bool {
    (202_003..=202_108).contains(&(month.year() * 100 + month.number() as i32 - 1))
}
