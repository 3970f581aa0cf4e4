//! Ratios of Banque de France, or the same made of the accounts that Diane exported (`domain/model.md` §2.1). Both stopped
//! in 2023: their features are null since, and say how the models that used them would be fed.

use domain::Cents;
use domain::records::{BankRatios, CompanyAccounts, Record};
use domain::time_rules::TimeRules;
use domain::{Month, NaiveDate};

use super::accounts::{STALE, known, percent};
use super::{BaseSeries, Series, latest};
use crate::rows::CompanyRows;

/// The ratios of a year, in the order of [`SERIES`].
type Ratios = [Option<f64>; SERIES.len()];

const SERIES: [Series; 6] = [
    Series::OverdraftShare,
    Series::TaxAndSocialDebtShare,
    Series::FinancialCostsShare,
    Series::AddedValueMargin,
    Series::NetWorkingCapitalShare,
    Series::StaffCostsShare,
];

fn of_bank(row: &BankRatios) -> Ratios {
    [row.short_term_financing_share, row.tax_and_social_debt_share, row.financial_costs_share, row.margin, row.working_capital_share, None]
}

fn of_accounts(row: &CompanyAccounts) -> Ratios {
    let earned = || {
        let parts =
            [row.ebitda?, row.financial_income?, row.exceptional_income?].into_iter().fold(Cents::default(), |sum, part| sum + part);
        Some(parts - row.exceptional_costs? - row.financial_costs?)
    };
    [
        percent(row.bank_overdraft, row.turnover),
        percent(row.tax_and_social_debt, row.added_value),
        percent(row.interest, earned()),
        percent(row.ebitda, row.added_value),
        row.working_capital_days.map(|days| 100.0 * days / 360.0),
        percent(row.staff_costs, row.added_value),
    ]
}

/// The ratios of a closing.
struct Closing {
    day: NaiveDate,
    /// From Banque de France, whose own ratios count before those that are computed.
    bank: bool,
    known_at: NaiveDate,
    ratios: Ratios,
}

pub(super) fn fill(rows: &CompanyRows, rules: &TimeRules, base: &mut BaseSeries) {
    let window = base.window();
    let computed = rows.company_accounts.iter().map(|row| (row.closed_on, false, row.known_at(rules), of_accounts(row)));
    let published = rows.bank_ratios.iter().map(|row| (row.closed_on, true, row.known_at(rules), of_bank(row)));
    let mut closings: Vec<Closing> =
        computed.chain(published).map(|(day, bank, known_at, ratios)| Closing { day, bank, known_at, ratios }).collect();
    // The order of the file does not matter, even between two rows of the same day.
    closings.sort_by_key(|closing| (closing.day, closing.bank, closing.ratios.map(|ratio| ratio.map(f64::to_bits))));
    for (position, series) in SERIES.into_iter().enumerate() {
        let event = |(rank, closing): (usize, &Closing)| {
            Some((window.known(closing.known_at)?, rank as i64, (closing.day, Some(closing.ratios[position]?))))
        };
        let mut events: Vec<_> = closings.iter().enumerate().filter_map(event).collect();
        latest(&mut events, window.len, |month, (closed, ratio)| {
            if window.month(month).since(Month::of(closed)) <= STALE {
                base.get_mut(series)[month] = known(ratio);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use domain::Siren;

    use super::*;
    use crate::window::Window;

    fn day(text: &str) -> NaiveDate {
        domain::dates::parse_iso(text.as_bytes()).unwrap()
    }

    fn accounts(closed: &str) -> CompanyAccounts {
        let euros = |thousands: i64| Some(Cents(thousands * 100_000));
        CompanyAccounts {
            siren: Siren::parse(b"732829320").unwrap(),
            year: 2019,
            closed_on: day(closed),
            months: Some(12),
            in_proceeding: false,
            subsidiaries: None,
            group_size: None,
            headcount: None,
            tax_and_social_debt: euros(50),
            bank_overdraft: euros(20),
            turnover: euros(1_000),
            added_value: euros(400),
            staff_costs: euros(300),
            ebitda: euros(80),
            operating_income: None,
            financial_income: euros(5),
            financial_costs: euros(10),
            interest: euros(8),
            pretax_income: None,
            exceptional_income: euros(15),
            exceptional_costs: euros(10),
            net_income: None,
            financial_autonomy: None,
            debt_ratio: None,
            liquidity: None,
            repayment_capacity: None,
            customer_credit_days: None,
            supplier_credit_days: None,
            working_capital_days: Some(36.0),
        }
    }

    /// The formulas of `domain/model.md` §2.1, and from when to when they hold.
    #[test]
    fn ratios_are_computed_when_the_bank_gives_none() {
        let mut rows = CompanyRows::empty(Siren::parse(b"732829320").unwrap());
        rows.company_accounts.push(accounts("2019-12-31"));
        let window = Window::new("2020-08".parse().unwrap(), "2023-01".parse().unwrap());
        let compute = |rows: &CompanyRows| BaseSeries::compute(rows, window, &TimeRules::default(), &crate::peers::PeerRates::unknown());
        let base = compute(&rows);
        let september = window.index("2020-09".parse().unwrap()).unwrap();
        let at = |base: &BaseSeries, month: usize| SERIES.map(|series| base.get(series)[month]);
        assert!(at(&base, september - 1).iter().all(|value| value.is_nan()), "not published yet");
        assert_eq!(at(&base, september), [2.0, 12.5, 10.0, 20.0, 10.0, 75.0]);
        assert_eq!(at(&base, window.len - 2)[0], 2.0, "36 months old");
        assert!(at(&base, window.len - 1)[0].is_nan(), "too old");

        rows.bank_ratios.push(BankRatios {
            siren: rows.siren,
            year: 2019,
            closed_on: day("2019-12-31"),
            working_capital_share: Some(-37.5),
            margin: Some(21.0),
            supplier_days: None,
            tax_and_social_debt_share: None,
            short_term_financing_share: Some(5.2),
            financial_costs_share: Some(-9.4),
        });
        assert_eq!(at(&compute(&rows), september), [5.2, 12.5, -9.4, 21.0, -37.5, 75.0], "and the computed one where it says nothing");
    }
}
