//! Employees: the company's file, else the sum over its establishments and accounts; the last value known is carried.

use std::collections::BTreeMap;

use domain::Month;
use domain::time_rules::TimeRules;

use super::{BaseSeries, Series, latest, ratio};
use crate::rows::CompanyRows;
use crate::window::Window;

/// Months after which a headcount is too old to be carried.
const STALE: i32 = 24;

/// Employees by month of the company's file. Of several values of a month, the greatest.
fn of_company(rows: &CompanyRows) -> ByMonth {
    let mut by_month = BTreeMap::new();
    for row in &rows.company_headcounts {
        let value = by_month.entry(row.month).or_insert(0);
        *value = row.headcount.max(*value);
    }
    by_month
}

/// How the employees of a month are spread over establishments.
#[derive(Default, Clone, Copy)]
struct Spread {
    total: u32,
    /// Establishments with employees.
    staffed: u32,
    largest: u32,
}

/// Employees by month of the establishments, summed over their accounts; the same account twice counts once.
fn of_establishments(rows: &CompanyRows) -> BTreeMap<Month, Spread> {
    let mut seen: Vec<_> = rows.headcounts.iter().map(|row| (row.month, row.siret, &row.account, row.headcount)).collect();
    seen.sort();
    seen.dedup_by_key(|row| (row.0, row.1, row.2));
    let mut by_month: BTreeMap<Month, Spread> = BTreeMap::new();
    for establishment in seen.chunk_by(|a, b| (a.0, a.1) == (b.0, b.1)) {
        let (month, headcount) = (establishment[0].0, establishment.iter().map(|row| row.3).sum::<u32>());
        let spread = by_month.entry(month).or_default();
        spread.total += headcount;
        spread.staffed += u32::from(headcount > 0);
        spread.largest = spread.largest.max(headcount);
    }
    by_month
}

/// Employees by month of the event, of one of the two sources.
pub(crate) type ByMonth = BTreeMap<Month, u32>;

/// Employees by month as the company's file has them, and as the establishments' has. The first counts from the first month
/// that it has: the second stands in before.
pub(crate) fn by_month(rows: &CompanyRows) -> (ByMonth, ByMonth) {
    let establishments = of_establishments(rows).into_iter().map(|(month, spread)| (month, spread.total)).collect();
    (of_company(rows), establishments)
}

pub(super) fn fill(rows: &CompanyRows, rules: &TimeRules, base: &mut BaseSeries) {
    let (window, establishments) = (base.window(), of_establishments(rows));
    let mut put = |month: usize, (of, headcount): (Month, u32)| {
        let age = window.month(month).since(of);
        if age <= STALE {
            base.get_mut(Series::Headcount)[month] = headcount.into();
            base.get_mut(Series::HeadcountAge)[month] = age.into();
        }
    };
    // What the establishments say, then over it what the company's file says, from the month it is known.
    latest(&mut known(establishments.iter().map(|(month, spread)| (*month, spread.total)), rules, window), window.len, &mut put);
    latest(&mut known(of_company(rows), rules, window), window.len, &mut put);
    latest(&mut known(establishments, rules, window), window.len, |month, (of, spread)| {
        if window.month(month).since(of) <= STALE {
            base.get_mut(Series::StaffedEstablishments)[month] = spread.staffed.into();
            base.get_mut(Series::LargestEstablishmentShare)[month] = ratio(spread.largest.into(), spread.total.into());
        }
    });
}

/// The values of months as events: from when each is known, its order, what it says.
fn known<T>(months: impl IntoIterator<Item = (Month, T)>, rules: &TimeRules, window: Window) -> Vec<(usize, i64, (Month, T))> {
    let event = |(month, value): (Month, T)| Some((window.known(rules.headcount(month))?, month.index().into(), (month, value)));
    months.into_iter().filter_map(event).collect()
}

#[cfg(test)]
mod tests {
    use domain::records::{CompanyHeadcount, Headcount};
    use domain::{Siren, Siret};

    use super::*;

    /// One SIRET may have several accounts (`domain/ingestion.md` §1.9): their employees add up, unless a row is repeated.
    #[test]
    fn accounts_and_establishments_add_up() {
        let siren = Siren::parse(b"732829320").unwrap();
        let month = Month::new(2025, 6).unwrap();
        let row = |nic: &str, account: &str, headcount| Headcount {
            siret: Siret::from_parts(siren, nic.as_bytes()).unwrap(),
            account: account.into(),
            month,
            headcount,
        };
        let mut rows = CompanyRows::empty(siren);
        rows.headcounts = vec![row("00001", "a", 5), row("00001", "b", 2), row("00002", "c", 1), row("00001", "b", 2)];
        assert_eq!(by_month(&rows), (BTreeMap::new(), BTreeMap::from([(month, 8)])));
        rows.company_headcounts = vec![CompanyHeadcount { siren, month: month.plus(-1), headcount: 9 }];
        assert_eq!(by_month(&rows).0, BTreeMap::from([(month.plus(-1), 9)]));
    }
}
