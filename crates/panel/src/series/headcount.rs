//! Employees: the company's file, else the sum over its establishments and accounts; the last value known is carried.

use std::collections::BTreeMap;

use domain::Month;
use domain::time_rules::TimeRules;

use super::{BaseSeries, Series, latest};
use crate::rows::CompanyRows;

/// Months after which a headcount is too old to be carried.
const STALE: i32 = 24;

/// Employees by month of the company's file. Of several values of a month, the greatest.
fn of_company(rows: &CompanyRows) -> BTreeMap<Month, u32> {
    let mut by_month = BTreeMap::new();
    for row in &rows.company_headcounts {
        let value = by_month.entry(row.month).or_insert(0);
        *value = row.headcount.max(*value);
    }
    by_month
}

/// Employees by month of the establishments, summed over their accounts; the same account twice counts once.
fn of_establishments(rows: &CompanyRows) -> BTreeMap<Month, u32> {
    let mut seen: Vec<_> = rows.headcounts.iter().map(|row| (row.month, row.siret, &row.account, row.headcount)).collect();
    seen.sort();
    seen.dedup_by_key(|row| (row.0, row.1, row.2));
    let mut by_month = BTreeMap::new();
    for (month, _, _, headcount) in seen {
        *by_month.entry(month).or_insert(0) += headcount;
    }
    by_month
}

/// Employees by month of the event: the company's file, else the establishments.
pub(crate) fn by_month(rows: &CompanyRows) -> BTreeMap<Month, u32> {
    if rows.company_headcounts.is_empty() { of_establishments(rows) } else { of_company(rows) }
}

pub(super) fn fill(rows: &CompanyRows, rules: &TimeRules, base: &mut BaseSeries) {
    let window = base.window();
    let known = |months: &BTreeMap<Month, u32>| -> Vec<(usize, i64, (Month, u32))> {
        let event =
            |(&month, &headcount): (&Month, &u32)| Some((window.known(rules.headcount(month))?, month.index().into(), (month, headcount)));
        months.iter().filter_map(event).collect()
    };
    let mut put = |month: usize, (of, headcount): (Month, u32)| {
        let age = window.month(month).since(of);
        if age <= STALE {
            base.get_mut(Series::Headcount)[month] = headcount.into();
            base.get_mut(Series::HeadcountAge)[month] = age.into();
        }
    };
    // What the establishments say, then over it what the company's file says, from the month it is known.
    latest(&mut known(&of_establishments(rows)), window.len, &mut put);
    latest(&mut known(&of_company(rows)), window.len, &mut put);
}
