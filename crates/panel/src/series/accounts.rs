//! Published accounts: the latest closing known, and the one of the year before.

use chrono::Datelike;
use domain::Month;
use domain::records::{Accounts, Record};
use domain::time_rules::TimeRules;

use super::{BaseSeries, Series, flag, latest, ratio};
use crate::rows::CompanyRows;

/// Months after which accounts are too old.
pub(super) const STALE: i32 = 36;
/// Beyond this a ratio is an artefact of the file (division by nearly nothing), not a value.
const ABSURD: f64 = 1e8;

/// Series that are a field of the accounts.
type Field = (Series, fn(&Accounts) -> Option<f64>);
const FIELDS: [Field; 19] = [
    (Series::Turnover, turnover),
    (Series::NetIncome, |row| row.net_income.map(domain::Cents::euros)),
    (Series::Ebitda, |row| row.ebitda.map(domain::Cents::euros)),
    (Series::NetMargin, net_margin),
    (Series::GrossMarginShare, |row| percent(row.gross_margin, row.turnover)),
    (Series::EbitShare, |row| percent(row.ebit, row.turnover)),
    (Series::EbitdaMargin, |row| row.ebitda_margin),
    (Series::DebtToEquity, |row| row.debt_ratio),
    (Series::Liquidity, |row| row.liquidity),
    (Series::AssetWear, |row| row.asset_wear),
    (Series::Autonomy, |row| row.financial_autonomy),
    (Series::WorkingCapitalDays, |row| row.working_capital_days),
    (Series::InterestCoverage, |row| row.interest_coverage),
    (Series::CashFlowShare, |row| row.cash_flow_share),
    (Series::RepaymentCapacity, |row| row.repayment_capacity),
    (Series::PretaxShare, |row| row.pretax_income_share),
    (Series::InventoryDays, |row| row.inventory_days),
    (Series::CustomerDays, |row| row.customer_credit_days),
    (Series::SupplierDays, |row| row.supplier_credit_days),
];

/// Changes from the accounts of the year before: the series, and the field that changes.
const CHANGES: [Field; 8] = [
    (Series::EbitdaMarginChange, |row| row.ebitda_margin),
    (Series::NetMarginChange, net_margin),
    (Series::AutonomyChange, |row| row.financial_autonomy),
    (Series::DebtToEquityChange, |row| row.debt_ratio),
    (Series::LiquidityChange, |row| row.liquidity),
    (Series::WorkingCapitalDaysChange, |row| row.working_capital_days),
    (Series::CustomerDaysChange, |row| row.customer_credit_days),
    (Series::SupplierDaysChange, |row| row.supplier_credit_days),
];

fn turnover(row: &Accounts) -> Option<f64> {
    row.turnover.map(domain::Cents::euros)
}

fn net_margin(row: &Accounts) -> Option<f64> {
    percent(row.net_income, row.turnover)
}

fn loss(row: &Accounts) -> Option<bool> {
    row.net_income.map(|income| income.0 < 0)
}

/// A hundred times a part over a whole, when that is positive.
pub(super) fn percent(part: Option<domain::Cents>, whole: Option<domain::Cents>) -> Option<f64> {
    let whole = whole.filter(|whole| whole.0 > 0)?;
    Some(100.0 * part?.euros() / whole.euros())
}

/// The value, unless it is absent or absurd.
pub(super) fn known(value: Option<f64>) -> f64 {
    value.filter(|value| value.abs() < ABSURD).unwrap_or(f64::NAN)
}

/// Complete accounts before simplified ones before consolidated ones, when a company files several for a year.
fn preference(row: &Accounts) -> i64 {
    match row.kind.as_str() {
        "C" => 2,
        "S" => 1,
        _ => 0,
    }
}

pub(super) fn fill(rows: &CompanyRows, rules: &TimeRules, base: &mut BaseSeries) {
    let window = base.window();
    base.set(Series::AccountsMissing, |_| 1.0);
    let order = |row: &Accounts| i64::from(row.closed_on.num_days_from_ce()) * 4 + preference(row);
    let sorted = {
        let mut sorted: Vec<&Accounts> = rows.accounts.iter().collect();
        // The order of the file does not matter, even between two rows of the same kind and day.
        sorted.sort_by_key(|row| (order(row), row.turnover, row.net_income, row.debt_ratio.map(f64::to_bits)));
        sorted
    };
    let mut events: Vec<_> = sorted.iter().filter_map(|&row| Some((window.known(row.known_at(rules))?, order(row), row))).collect();
    latest(&mut events, window.len, |month, row| {
        let age = window.month(month).since(Month::of(row.closed_on));
        if age > STALE {
            return;
        }
        for (series, field) in FIELDS {
            base.get_mut(series)[month] = known(field(row));
        }
        base.get_mut(Series::AccountsAge)[month] = age.into();
        base.get_mut(Series::AccountsMissing)[month] = 0.0;
        base.get_mut(Series::Loss)[month] = loss(row).map_or(f64::NAN, flag);
        // The year before: closed 9 to 15 months earlier, hence known too.
        let before = sorted.iter().rev().find(|other| {
            let months = Month::of(row.closed_on).since(Month::of(other.closed_on));
            (9..=15).contains(&months) && window.known(other.known_at(rules)).is_some_and(|known| known <= month)
        });
        if let Some(before) = before {
            let (now, then) = (known(turnover(row)), known(turnover(before)));
            base.get_mut(Series::TurnoverChange)[month] = ratio(now - then, then);
            for (series, field) in CHANGES {
                base.get_mut(series)[month] = known(field(row)) - known(field(before));
            }
            let twice = loss(row).zip(loss(before)).map(|(now, then)| now && then);
            base.get_mut(Series::LossTwice)[month] = twice.map_or(f64::NAN, flag);
        }
    });
}
