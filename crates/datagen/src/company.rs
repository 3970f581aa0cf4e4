//! The hidden history of a company, month by month (`domain/data.md`, lines 1 to 14). Pure.

use domain::{Month, ProcolAction, Siren};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use crate::places::{self, Place};
use crate::random::{Macro, beta, gamma, is_helped, log_normal, normal, stream};
use crate::sectors::{self, Sector};

/// Contributions of an employee and month, euros.
const CONTRIBUTION: f64 = 1_150.0;

/// A company with its history.
pub struct Company {
    /// Identifier, with a valid key.
    pub siren: Siren,
    pub(crate) number: u32,
    pub(crate) kind: Kind,
    pub(crate) naf: &'static str,
    pub(crate) place: &'static Place,
    pub(crate) created: Month,
    /// Share of the employees at each establishment, head office first.
    pub(crate) establishments: Vec<f64>,
    /// Whether Altares follows it.
    pub(crate) followed_by_altares: bool,
    /// Whether its accounts are published.
    pub(crate) publishes: bool,
    /// Months, from the first one delivered until it disappears.
    pub months: Vec<State>,
    /// Collective proceedings.
    pub failures: Vec<Failure>,
    /// Month in which it closes for good, by liquidation or not.
    pub(crate) closed: Option<Month>,
}

/// What kind of unit it is: most are ordinary, some are traps for the perimeter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Ordinary,
    Small,
    ExcludedActivity,
    PublicLaw,
    HeadOfficeAbroad,
}

/// A month of the hidden history.
#[derive(Debug, Clone, Copy)]
pub struct State {
    /// Month.
    pub month: Month,
    /// Cash, in months of contributions.
    pub cash: f64,
    /// Shortfall: cash below zero.
    pub shortfall: f64,
    /// In trouble.
    pub trouble: bool,
    /// Shortfall as creditors see it.
    pub(crate) seen: f64,
    pub(crate) margin: f64,
    pub(crate) headcount: f64,
    /// Contributions due, euros.
    pub(crate) contributions: f64,
    /// Debt to Urssaf, euros.
    pub(crate) debt: f64,
    /// Months of a payment plan that starts now.
    pub(crate) plan: Option<u32>,
    /// Months of a request of short-time work that starts now.
    pub(crate) short_time: Option<u32>,
}

/// A collective proceeding.
#[derive(Debug, Clone, Copy)]
pub struct Failure {
    /// Month of the judgment.
    pub month: Month,
    /// Which proceeding.
    pub kind: ProcolAction,
    /// `shortfall` or `exogenous`.
    pub cause: &'static str,
    /// Conversion into a liquidation.
    pub(crate) liquidated: Option<Month>,
    /// End or plan of the proceeding otherwise.
    pub(crate) ended: Option<(Month, &'static str)>,
}

/// What never changes and never shows.
struct Nature {
    fragility: f64,
    sector: &'static Sector,
    most_cash: f64,
    tolerance: f64,
    unpaid: f64,
    depth: f64,
}

impl Company {
    /// Invents company `number`.
    pub(crate) fn simulate(seed: u64, number: u32, weather: &Macro) -> Self {
        let mut random = stream(seed, number.into(), None);
        let siren = siren(number, seed);
        let (sector, naf) = sectors::draw(&mut random);
        let kind = match random.random::<f64>() {
            x if x < 0.05 => Kind::Small,
            x if x < 0.07 => Kind::ExcludedActivity,
            x if x < 0.075 => Kind::PublicLaw,
            x if x < 0.08 => Kind::HeadOfficeAbroad,
            _ => Kind::Ordinary,
        };
        let naf = if kind == Kind::ExcludedActivity { sectors::EXCLUDED[random.random_range(0..sectors::EXCLUDED.len())] } else { naf };
        let place = places::draw(&mut random);
        let employees = if kind == Kind::Small {
            2.0 + 6.0 * random.random::<f64>()
        } else {
            (10.5 * random.random::<f64>().max(1e-3).powf(-1.0 / 1.25)).min(3_000.0)
        };
        let age = gamma(&mut random, 1.6, 11.0);
        let created = weather.first.plus(-((age * 12.0) as i32) - 1);
        let extra = (random.random::<f64>().max(1e-9).ln() / (0.26f64).ln()).floor().min(12.0) as usize;
        let shares: Vec<f64> = (0..=extra).map(|position| if position == 0 { 1.0 } else { 0.2 + 0.5 * random.random::<f64>() }).collect();
        let total: f64 = shares.iter().sum();
        let nature = Nature {
            fragility: log_normal(&mut random, 1.0, 0.45) * sector.risk,
            sector,
            most_cash: log_normal(&mut random, 3.0, 0.5),
            tolerance: log_normal(&mut random, 3.2, 0.5),
            unpaid: if random.random::<f64>() < 0.4 { beta(&mut random, 1.0, 12.0) } else { beta(&mut random, 1.6, 2.4) },
            depth: log_normal(&mut random, 0.33, 0.5),
        };
        let mut company = Self {
            siren,
            number,
            kind,
            naf,
            place,
            created,
            establishments: shares.iter().map(|share| share / total).collect(),
            followed_by_altares: random.random::<f64>() < 0.75,
            publishes: random.random::<f64>() < 0.65,
            months: Vec::new(),
            failures: Vec::new(),
            closed: None,
        };
        company.live(seed, &nature, employees, weather);
        company
    }

    fn live(&mut self, seed: u64, nature: &Nature, employees: f64, weather: &Macro) {
        let mut body = Body { employees, cash: nature.most_cash * 0.6, seen: 0.0, noise: 0.0, trouble: false, slip: 0.0, slip_months: 0 };
        let mut busy_until = weather.start;
        for month in weather.start.to(weather.last) {
            let mut random = stream(seed, self.number.into(), Some(month));
            let age = month.since(self.created).max(0) as f64 / 12.0;
            let state = body.step(&mut random, nature, month, age, weather);
            let draws: [f64; 6] = std::array::from_fn(|_| random.random());
            if month < weather.first {
                continue;
            }
            self.months.push(State {
                plan: (state.debt > 0.4 * state.contributions && draws[0] < 0.10).then(|| plan_length(&draws)),
                short_time: short_time(&draws, nature, month, state.trouble),
                ..state
            });
            if self.closed.is_some_and(|closed| closed <= month) {
                return;
            }
            if month >= busy_until && self.closed.is_none() {
                busy_until = self.maybe_fail(&mut random, nature, &state, age, month);
            }
            if self.closed.is_none() && random.random::<f64>() < 0.01 / 12.0 && month >= busy_until {
                self.closed = Some(month.plus(1));
            }
        }
    }

    /// Draws a failure of the month; gives the month until which the company cannot fail again.
    fn maybe_fail(&mut self, random: &mut ChaCha8Rng, nature: &Nature, state: &State, age: f64, month: Month) -> Month {
        let help = if is_helped(month) { 0.35 } else { 1.0 };
        let by_shortfall = if state.shortfall > 0.0 { 0.06 / (1.0 + (-(state.shortfall - nature.tolerance) / 0.8).exp()) } else { 0.0 };
        let by_chance = 0.08 * 0.0011 * nature.sector.risk * youth(age);
        let draw: f64 = random.random();
        let (kind_draw, conversion, delay, end): (f64, f64, f64, f64) =
            (random.random(), random.random(), random.random(), random.random());
        if draw >= (by_shortfall + by_chance) * help {
            return month;
        }
        let (liquidation, redressement) = if state.headcount < 20.0 { (0.50, 0.98) } else { (0.31, 0.92) };
        let kind = match kind_draw {
            x if x < liquidation => ProcolAction::Liquidation,
            x if x < redressement => ProcolAction::Redressement,
            _ => ProcolAction::Sauvegarde,
        };
        let judged = month.plus(1);
        let months = if delay < 0.6 { 2.0 + delay / 0.6 * 10.0 } else { 12.0 + (delay - 0.6) / 0.4 * 12.0 } as i32;
        let converts = kind != ProcolAction::Liquidation && conversion < 0.5;
        let liquidated = converts.then(|| judged.plus(months));
        let ended = (kind != ProcolAction::Liquidation && !converts)
            .then(|| (judged.plus(8 + (end * 10.0) as i32), if end < 0.7 { "plan_continuation" } else { "fin_procedure" }));
        let cause = if by_shortfall > by_chance { "shortfall" } else { "exogenous" };
        self.failures.push(Failure { month: judged, kind, cause, liquidated, ended });
        if kind == ProcolAction::Liquidation {
            self.closed = Some(judged.plus(1));
        } else if let Some(liquidated) = liquidated {
            self.closed = Some(liquidated.plus(1));
        }
        judged.plus(36)
    }
}

/// What changes from month to month.
struct Body {
    employees: f64,
    cash: f64,
    seen: f64,
    noise: f64,
    trouble: bool,
    slip: f64,
    slip_months: u32,
}

impl Body {
    fn step(&mut self, random: &mut ChaCha8Rng, nature: &Nature, month: Month, age: f64, weather: &Macro) -> State {
        let weather = weather.at(month);
        let enter = 0.0019 * nature.fragility * youth(age) * (-nature.sector.cycle * weather).exp();
        let draw: f64 = random.random();
        self.trouble = if self.trouble { draw >= 0.036 } else { draw < enter };
        self.noise = 0.85 * self.noise + normal(random, 0.0, 0.12);
        let aid = if is_helped(month) { 0.10 } else { 0.0 };
        let margin = if self.trouble { -nature.depth } else { 0.16 } + self.noise + 0.10 * nature.sector.cycle * weather;
        self.cash = (self.cash + margin + aid).clamp(-14.0, nature.most_cash);
        let shortfall = (-self.cash).max(0.0);
        self.seen = 0.6 * self.seen + 0.4 * shortfall;
        let growth = normal(random, 0.0014 - 0.003 * self.seen.min(4.0) - 0.003 * f64::from(u8::from(self.trouble)), 0.013);
        self.employees = (self.employees * growth.exp()).max(0.6);
        let contributions = self.employees * CONTRIBUTION * normal(random, 1.0, 0.03).max(0.5);
        let (forgets, size, length): (f64, f64, u32) = (random.random(), beta(random, 1.5, 1.5), random.random_range(1..=4));
        if self.slip_months > 0 {
            self.slip_months -= 1;
        } else {
            self.slip = 0.0;
            if shortfall == 0.0 && forgets < 0.022 {
                (self.slip, self.slip_months) = (size, length);
            }
        }
        let owed = nature.unpaid * self.seen.min(10.0) * normal(random, 1.0, 0.1).max(0.0) + self.slip;
        let debt = if owed < 0.02 { 0.0 } else { owed * contributions };
        State {
            month,
            cash: self.cash,
            shortfall,
            trouble: self.trouble,
            seen: self.seen,
            margin,
            headcount: self.employees,
            contributions,
            debt,
            plan: None,
            short_time: None,
        }
    }
}

/// Young companies fail more.
fn youth(age: f64) -> f64 {
    match age {
        age if age < 5.0 => 1.7,
        age if age < 10.0 => 1.2,
        age if age < 20.0 => 0.9,
        _ => 0.75,
    }
}

fn plan_length(draws: &[f64; 6]) -> u32 {
    if draws[1] < 0.65 { 1 + (draws[2] * 3.0) as u32 } else { 6 + (draws[2] * 19.0) as u32 }
}

fn short_time(draws: &[f64; 6], nature: &Nature, month: Month, trouble: bool) -> Option<u32> {
    let first_wave = month.year() == 2020 && (3..=6).contains(&month.number());
    let chance = if first_wave {
        0.12 + 0.10 * nature.sector.cycle
    } else {
        0.0016 * nature.sector.cycle * (1.0 + 5.0 * f64::from(u8::from(trouble)))
    };
    (draws[3] < chance).then(|| 1 + (draws[4] * 6.0) as u32)
}

/// A SIREN with a valid key: eight digits spread over the range by the company's number and the seed.
fn siren(number: u32, seed: u64) -> Siren {
    // Multiplying by a number prime to 10^8 visits each value once: no two companies share a SIREN.
    let body = (u64::from(number).wrapping_mul(60_283_019) + seed % 97 * 1_000_003 + 12_345_678) % 89_999_999 + 10_000_000;
    let key = (0..10).find(|key| Siren::from_number(body as u32 * 10 + key).is_some_and(Siren::has_valid_key));
    Siren::from_number(body as u32 * 10 + key.unwrap_or(0)).unwrap_or_else(|| unreachable!())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sirens_are_valid_and_distinct() {
        let sirens: std::collections::BTreeSet<Siren> = (0..20_000).map(|number| siren(number, 1)).collect();
        assert_eq!(sirens.len(), 20_000);
        assert!(sirens.iter().all(|siren| siren.has_valid_key()));
    }

    #[test]
    fn appended_months_do_not_change_the_past() {
        let month = |text: &str| text.parse::<Month>().unwrap();
        let history = |last: &str| {
            let weather = Macro::new(3, month("2014-01"), month(last));
            (0..200).map(|number| Company::simulate(3, number, &weather)).collect::<Vec<_>>()
        };
        for (short, long) in history("2020-06").iter().zip(&history("2025-10")) {
            assert_eq!(short.siren, long.siren);
            for (a, b) in short.months.iter().zip(&long.months) {
                assert_eq!((a.month, a.cash.to_bits(), a.debt.to_bits(), a.plan), (b.month, b.cash.to_bits(), b.debt.to_bits(), b.plan));
            }
        }
    }

    /// `domain/data.md` line 33: failures within 18 months of a healthy month are 1.5 to 3 %.
    #[test]
    fn failures_are_as_frequent_as_in_reality() {
        let month = |text: &str| text.parse::<Month>().unwrap();
        let weather = Macro::new(1, month("2014-01"), month("2025-10"));
        let (mut months, mut failing, mut owing) = (0, 0, 0);
        for number in 0..4_000 {
            let company = Company::simulate(1, number, &weather);
            let first = company.failures.first().map(|failure| failure.month);
            for state in company.months.iter().filter(|state| (2016..=2018).contains(&state.month.year())) {
                if first.is_some_and(|first| first <= state.month) {
                    break;
                }
                months += 1;
                failing += i32::from(first.is_some_and(|first| first.since(state.month) <= 18));
                owing += i32::from(state.debt > 0.0);
            }
        }
        let (prevalence, debt) = (f64::from(failing) / f64::from(months), f64::from(owing) / f64::from(months));
        assert!((0.015..0.03).contains(&prevalence), "prevalence {prevalence}");
        assert!((0.05..0.18).contains(&debt), "share in debt {debt}");
    }
}
