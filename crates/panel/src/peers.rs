//! How often the companies of a sector, and those of a department, enter proceedings: what surrounds a company.
//!
//! The one thing in a vector that does not come from the company's own rows. It is made in two steps, so that a vector can
//! still be computed for one company alone: every company is counted once ([`PeerCounts`]), and the counts become rates
//! ([`PeerRates`]) that all vectors read. A rate of month `m` is made of what was known at `m - 1`.

use std::collections::BTreeMap;

use domain::records::{CompanyHeadcount, Establishment, LegalUnit, ProcolEvent};
use domain::time_rules::{ALWAYS_KNOWN, TimeRules};
use domain::{Department, Month, NaiveDate, Siret};

use crate::perimeter::{Facts, Size, SizeBasis, SizeRule};
use crate::procol::state_at;
use crate::rows::CompanyRows;
use crate::window::Window;

/// First month counted, whatever the months that are computed: a rate does not depend on them.
pub const FIRST: Month = match Month::new(2014, 1) {
    Some(month) => month,
    None => unreachable!(),
};
/// Months between the last entries counted and the month of the rate: judgments of the last days of a month reach the files
/// in the next.
const LAG: usize = 1;
/// Months of entries counted.
const YEAR: usize = 12;
/// Companies at the rate of all that are added to each group, so that a small one says little.
const WEIGHT: f64 = 100.0;

/// A group of companies that a company belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Peer {
    /// All companies.
    All,
    /// Those of a NAF division.
    Sector(u8),
    /// Those whose first establishment is in a department.
    Department(Department),
}

impl Peer {
    /// Stable code: `all`, `sector:47`, `department:2A`.
    pub fn code(self) -> String {
        match self {
            Self::All => "all".to_owned(),
            Self::Sector(division) => format!("sector:{division:02}"),
            Self::Department(department) => format!("department:{}", department.code()),
        }
    }

    /// The group of this code.
    pub fn from_code(code: &str) -> Option<Self> {
        match code.split_once(':') {
            None if code == "all" => Some(Self::All),
            Some(("sector", division)) => division.parse().ok().map(Self::Sector),
            Some(("department", department)) => department.parse().ok().map(Self::Department),
            _ => None,
        }
    }
}

/// A company among its peers, gathered row by row. Its size is judged by its own headcount file alone.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Member {
    facts: Facts,
    division: Option<u8>,
    located: Option<(NaiveDate, Siret, Department)>,
    enough_by_band: bool,
    created: Option<Month>,
    /// Months in a row with enough employees, first and last.
    large: Vec<(Month, Month)>,
    proceedings: Vec<ProcolEvent>,
}

impl Member {
    /// A company whose rows are at hand.
    pub fn of(rows: &CompanyRows, rule: SizeRule) -> Self {
        let mut member = Self::default();
        if let Some(unit) = &rows.legal_unit {
            member.legal_unit(unit, rule);
        }
        rows.establishments.iter().for_each(|row| member.establishment(row));
        rows.company_headcounts.iter().for_each(|row| member.headcount(row, rule));
        member.proceedings(rows.proceedings.iter().cloned());
        member
    }

    /// Takes the legal unit.
    pub fn legal_unit(&mut self, unit: &LegalUnit, rule: SizeRule) {
        self.facts.legal_unit(unit);
        self.division = division(unit);
        self.enough_by_band = rule.enough_by_band(unit);
        self.created = unit.created.map(Month::of);
    }

    /// Takes an establishment.
    pub fn establishment(&mut self, row: &Establishment) {
        self.facts.establishment(row);
        let located = row.department.map(|department| (row.created.unwrap_or(ALWAYS_KNOWN), row.siret, department));
        self.located = self.located.into_iter().chain(located).min();
    }

    /// Takes a headcount of the company.
    pub fn headcount(&mut self, row: &CompanyHeadcount, rule: SizeRule) {
        if row.headcount < rule.headcount {
            return;
        }
        match self.large.last_mut() {
            Some((_, last)) if row.month == last.plus(1) => *last = row.month,
            Some((first, _)) if row.month == first.plus(-1) => *first = row.month,
            _ => self.large.push((row.month, row.month)),
        }
    }

    /// Takes events of proceedings.
    pub fn proceedings(&mut self, events: impl IntoIterator<Item = ProcolEvent>) {
        self.proceedings.extend(events);
    }

    /// The groups that the company is counted in, besides that of all.
    fn peers(&self) -> impl Iterator<Item = Peer> {
        let department = self.located.map(|(_, _, department)| Peer::Department(department));
        self.division.map(Peer::Sector).into_iter().chain(department)
    }

    /// At each month: whether the company is large enough by what was known then, and whether it is in a proceeding.
    fn months(&self, window: Window, rules: &TimeRules, size: Size) -> Vec<(bool, bool)> {
        let excluded = self.facts.exclusion_by_nature().is_some();
        (0..window.len)
            .map(|index| {
                let month = window.month(index);
                let known = month.plus(-(rules.headcount_months as i32));
                let large = || self.large.iter().filter(|(first, _)| *first <= known).map(|(_, last)| known.min(*last)).max();
                let enough = match size.basis {
                    SizeBasis::HeadcountBands => self.enough_by_band && self.created.is_none_or(|created| created <= month),
                    SizeBasis::Headcount | SizeBasis::Filter => large().is_some_and(|large| size.rule.counts(large, known)),
                };
                let in_procedure = !self.proceedings.is_empty() && state_at(&self.proceedings, month.last_day()).is_some();
                (enough && !excluded, in_procedure)
            })
            .collect()
    }
}

/// The NAF division of a company, in a nomenclature that has sections.
pub(crate) fn division(unit: &LegalUnit) -> Option<u8> {
    unit.naf.filter(|naf| naf.section().is_some()).map(domain::NafCode::division)
}

/// Companies of a group at the end of a month.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Count {
    /// Large enough, in bonis.
    pub at_risk: u32,
    /// In a proceeding, at risk a month before.
    pub entered: u32,
}

/// The companies of each group, month by month.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerCounts {
    window: Window,
    /// Last month of which entries are known ([`crate::reach`]).
    known: Month,
    groups: BTreeMap<Peer, Vec<Count>>,
}

impl PeerCounts {
    /// Nobody, up to a month; entries are known up to `known`.
    pub fn new(last: Month, known: Month) -> Self {
        Self { window: Window::new(FIRST, last), known: known.min(last), groups: BTreeMap::new() }
    }

    /// Counts a company.
    pub fn add(&mut self, company: &Member, rules: &TimeRules, size: Size) {
        let months = company.months(self.window, rules, size);
        if !months.iter().any(|(enough, _)| *enough) {
            return;
        }
        for peer in company.peers().chain([Peer::All]) {
            let counts = self.groups.entry(peer).or_insert_with(|| vec![Count::default(); months.len()]);
            let mut before = false;
            for (count, (enough, in_procedure)) in counts.iter_mut().zip(&months) {
                let at_risk = *enough && !in_procedure;
                count.at_risk += u32::from(at_risk);
                count.entered += u32::from(before && *in_procedure);
                before = at_risk;
            }
        }
    }

    /// The counts of the months whose entries are known, to be stored.
    pub fn rows(&self) -> impl Iterator<Item = (Peer, Month, Count)> {
        let rows = self
            .groups
            .iter()
            .flat_map(|(peer, counts)| counts.iter().enumerate().map(|(index, count)| (*peer, self.window.month(index), *count)));
        rows.filter(|(_, month, _)| *month <= self.known)
    }

    /// Takes back a stored count; one after the last month is left out.
    pub fn set(&mut self, peer: Peer, month: Month, count: Count) {
        if let Some(index) = self.window.index(month) {
            self.groups.entry(peer).or_insert_with(|| vec![Count::default(); self.window.len])[index] = count;
        }
    }

    /// The rates.
    pub fn rates(&self) -> PeerRates {
        let all = self.groups.get(&Peer::All);
        let known = self.window.index(self.known).unwrap_or(0);
        let rates = self.groups.iter().map(|(peer, counts)| (*peer, rates(counts, all.unwrap_or(counts), known))).collect();
        PeerRates { window: self.window, rates }
    }
}

/// Entries of a year over companies at risk, per hundred, drawn towards the rate of all companies. The year ends with the last one
/// whose entries are known: months that nobody told of are not months without entries.
fn rates(counts: &[Count], all: &[Count], known: usize) -> Vec<f64> {
    let year = |counts: &[Count], index: usize| {
        let last = index.checked_sub(LAG)?.min(known);
        let first = last.checked_sub(YEAR)?;
        let entered: u32 = counts[first + 1..=last].iter().map(|count| count.entered).sum();
        let at_risk: u32 = counts[first..last].iter().map(|count| count.at_risk).sum();
        Some((f64::from(entered), f64::from(at_risk) / YEAR as f64))
    };
    (0..counts.len())
        .map(|index| match (year(counts, index), year(all, index)) {
            (Some((entered, companies)), Some((all_entered, all_companies))) if all_companies > 0.0 => {
                100.0 * (entered + WEIGHT * all_entered / all_companies) / (companies + WEIGHT)
            }
            _ => f64::NAN,
        })
        .collect()
}

/// Rates of entry into proceedings over a year, per hundred companies. Empty, it knows nothing.
#[derive(Debug, Clone, PartialEq)]
pub struct PeerRates {
    window: Window,
    rates: BTreeMap<Peer, Vec<f64>>,
}

impl PeerRates {
    /// No rates: all are unknown.
    pub fn unknown() -> Self {
        Self { window: Window::new(FIRST, FIRST), rates: BTreeMap::new() }
    }

    /// The rate of a group at a month; NaN when it is not known.
    pub fn at(&self, peer: Peer, month: Month) -> f64 {
        let known = self.window.index(month).and_then(|index| self.rates.get(&peer)?.get(index));
        known.copied().unwrap_or(f64::NAN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(at_risk: u32, entered: u32) -> Count {
        Count { at_risk, entered }
    }

    #[test]
    fn a_rate_is_that_of_the_year_before() {
        // 1,000 companies, ten of which enter a proceeding in each of the first twelve months after the first, then none.
        let counts: Vec<Count> = (0..30).map(|month| count(1_000, if (1..=12).contains(&month) { 10 } else { 0 })).collect();
        let of = |known| rates(&counts, &counts, known);
        let rates = of(29);
        assert!(rates[..13].iter().all(|rate| rate.is_nan()), "thirteen months are needed: {rates:?}");
        assert_eq!([rates[13], rates[14], rates[24], rates[25]], [12.0, 11.0, 1.0, 0.0]);
        assert_eq!(of(12)[13..], [12.0; 17], "what is not known after month 12 does not count as none");
    }

    #[test]
    fn a_small_group_says_little() {
        let all: Vec<Count> = vec![count(12_000, 20); 20];
        let one: Vec<Count> = vec![count(1, 1); 20];
        let rate = rates(&one, &all, 19)[19];
        // Twelve entries among one company, and a hundred companies at 2 %.
        assert!((rate - 100.0 * (12.0 + 2.0) / 101.0).abs() < 1e-9, "{rate}");
        assert_eq!(rates(&[count(0, 0); 20], &all, 19)[19], 2.0);
        assert!(rates(&one, &[count(0, 0); 20], 19)[19].is_nan());
    }

    #[test]
    fn codes_are_read_back() {
        let corsica: Department = "2A".parse().unwrap();
        for peer in [Peer::All, Peer::Sector(1), Peer::Sector(47), Peer::Department(corsica)] {
            assert_eq!(Peer::from_code(&peer.code()), Some(peer));
        }
        assert_eq!(Peer::from_code("sector"), None);
        assert_eq!(Peer::from_code("region:11"), None);
    }
}
