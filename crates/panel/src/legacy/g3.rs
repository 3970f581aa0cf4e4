//! The 17 inputs of the third generation (`domain/model.md` §2.4) and its target (§1.3), of a company instead of its establishments.
//!
//! Six of the eleven financial ones are in no delivered file and are always missing: the published model dropped such rows
//! and gave them its small variant, which needs the hours of short-time work and the debts only: all of them are here.

use std::collections::BTreeMap;

use domain::records::{CompanyAccounts, Debit, ProcolEvent, ShortTimeConsumption};
use domain::{Cents, Month, NaiveDate, ProcolStage};

use super::accounts::{BANK, DIANE, available};
use super::target;
use crate::rows::CompanyRows;
use crate::series::{debts_by_establishment, headcount_by_month};
use crate::window::Window;

/// Names of the inputs, as published, in order; then the target, [`TARGET`].
pub(super) const COLUMNS: [&str; 18] = [
    "financier_court_terme",
    "interets",
    "ca",
    "equilibre_financier",
    "endettement",
    "degre_immo_corporelle",
    "liquidite_reduite",
    "poids_bfr_exploitation",
    "productivite_capital_investi",
    "rentabilite_economique",
    "rentabilite_nette",
    "apart_heures_consommees_cumulees",
    "apart_heures_consommees",
    "paydex_group",
    "paydex_yoy",
    "ratio_dette",
    "avg_delta_dette_par_effectif",
    TARGET,
];

/// What the third generation learnt to foresee, 1 or 0: a default or a proceeding at most 18 months away, ahead or behind.
pub(super) const TARGET: &str = "outcome";
/// Months that it looks, both ways.
const HORIZON: i32 = 18;
/// Months before the first one in which a default may have begun.
const BEFORE: usize = 24;

/// Months of the mean of contributions.
const MEAN: usize = 12;
/// Upper bounds, in days and included, of the groups of payment delays; the last group has none.
const GROUPS: [f64; 5] = [0.0, 15.0, 30.0, 60.0, 90.0];

/// The inputs over a window.
pub(super) fn compute(rows: &CompanyRows, window: Window) -> Vec<Vec<f64>> {
    let extended = window.extended(MEAN);
    let late: Vec<Vec<f64>> = {
        let missing = || vec![f64::NAN; extended.len];
        let accounts = |value: fn(&CompanyAccounts) -> Option<f64>| of_accounts(rows, value, extended);
        let (cumulated, consumed) = short_time(rows, extended);
        let delays = payment_delays(rows, extended);
        let (debt, mean, headcount) = (debts(&rows.debits, extended), contributions(rows, extended), headcounts(rows, extended));
        vec![
            short_term_financing(rows, extended),
            accounts(|row| row.interest.map(thousands)),
            accounts(|row| row.turnover.map(thousands)),
            missing(),
            missing(),
            missing(),
            missing(),
            missing(),
            missing(),
            accounts(|row| percent(row.ebitda, row.turnover)),
            accounts(|row| percent(row.net_income, row.turnover)),
            cumulated,
            consumed,
            delays.iter().map(|days| group(*days)).collect(),
            (0..extended.len).map(|month| month.checked_sub(MEAN).map_or(f64::NAN, |before| delays[month] - delays[before])).collect(),
            debt.iter().zip(&mean).map(|(debt, mean)| if *mean > 0.0 { debt / mean } else { 0.0 }).collect(),
            (0..extended.len)
                .map(|month| delta(debt[month], month.checked_sub(3).map_or(0.0, |before| debt[before]), headcount[month]))
                .collect(),
        ]
    };
    late.into_iter().map(|column| column[MEAN..].to_vec()).chain([outcomes(rows, window)]).collect()
}

/// The target, from the debts and the proceedings known by the last month; unknown where nothing happened yet and its horizon ends
/// later.
fn outcomes(rows: &CompanyRows, window: Window) -> Vec<f64> {
    let extended = window.extended(BEFORE);
    let due = contributions(rows, extended);
    let ratios: Vec<f64> =
        debts(&rows.debits, extended).iter().zip(&due).map(|(debt, due)| if *due > 0.0 { debt / due } else { 0.0 }).collect();
    let defaults: Vec<i32> = target::defaults(&ratios, false).map(|month| month as i32).collect();
    let opens = |event: &&ProcolEvent| !matches!(event.stage, ProcolStage::FinProcedure | ProcolStage::AbandonProcedure);
    let judged = rows.proceedings.iter().filter(opens).map(|event| Month::of(event.effective).since(extended.first)).min();
    let judged = judged.filter(|month| (*month as i64) < extended.len as i64);
    (BEFORE..extended.len)
        .map(|month| {
            let fails = |event: Option<i32>, latched| target::outcome(month as i32, event, HORIZON, latched).outcome;
            let failing = fails(judged, true) || defaults.iter().any(|event| fails(Some(*event), false));
            let known = failing || month as i32 + HORIZON < extended.len as i32;
            if known { f64::from(u8::from(failing)) } else { f64::NAN }
        })
        .collect()
}

/// Change of the debt per employee and month over three months. Both debts are divided by the employees of today.
fn delta(now: f64, before: f64, headcount: f64) -> f64 {
    let per_employee = |debt: f64| if headcount > 0.0 { debt / headcount } else { 0.0 };
    (per_employee(now) - per_employee(before)) / 3.0
}

/// The group of a payment delay, from 0 to 5; NaN for none.
fn group(days: f64) -> f64 {
    if days.is_nan() { f64::NAN } else { GROUPS.iter().filter(|bound| days > **bound).count() as f64 }
}

fn thousands(amount: Cents) -> f64 {
    amount.euros() / 1000.0
}

fn percent(part: Option<Cents>, whole: Option<Cents>) -> Option<f64> {
    Some(100.0 * part?.euros() / whole.filter(|whole| whole.0 != 0)?.euros())
}

/// A value of the accounts of Diane in the months in which they were used; of two, that of the later closing.
fn of_accounts(rows: &CompanyRows, value: fn(&CompanyAccounts) -> Option<f64>, window: Window) -> Vec<f64> {
    let closings = rows.company_accounts.iter().filter_map(|row| Some((row.closed_on, value(row)?)));
    spread(closings, DIANE, window)
}

/// The overdraft over turnover, by Banque de France or else computed.
fn short_term_financing(rows: &CompanyRows, window: Window) -> Vec<f64> {
    let bank = spread(rows.bank_ratios.iter().filter_map(|row| Some((row.closed_on, row.short_term_financing_share?))), BANK, window);
    let diane = of_accounts(rows, |row| percent(row.bank_overdraft, row.turnover), window);
    bank.into_iter().zip(diane).map(|(bank, diane)| if bank.is_nan() { diane } else { bank }).collect()
}

fn spread(closings: impl Iterator<Item = (NaiveDate, f64)>, months: i32, window: Window) -> Vec<f64> {
    let mut closings: Vec<(NaiveDate, f64)> = closings.collect();
    closings.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
    let mut values = vec![f64::NAN; window.len];
    for (closed_on, value) in closings {
        let (first, last) = available(closed_on, months);
        for index in first.to(last).filter_map(|month| window.index(month)) {
            values[index] = value;
        }
    }
    values
}

/// Both parts of the debts of all establishments, euros.
fn debts(debits: &[Debit], window: Window) -> Vec<f64> {
    let mut debts = vec![Cents::default(); window.len];
    for establishment in debts_by_establishment(debits, window).values() {
        for (debt, (employee, employer)) in debts.iter_mut().zip(establishment) {
            *debt += *employee + *employer;
        }
    }
    debts.into_iter().map(Cents::euros).collect()
}

/// Mean of what was due over twelve months, that of today included; zero unless all of them are known.
fn contributions(rows: &CompanyRows, window: Window) -> Vec<f64> {
    let window = window.extended(MEAN - 1);
    let mut due = vec![None::<f64>; window.len];
    for row in &rows.contributions {
        for index in row.period.start().to(row.period.last()).filter_map(|month| window.index(month)) {
            *due[index].get_or_insert(0.0) += row.due.euros() / f64::from(row.period.months());
        }
    }
    due.windows(MEAN).map(|months| months.iter().copied().sum::<Option<f64>>().map_or(0.0, |sum| sum / MEAN as f64)).collect()
}

/// Employees, the last known value carried to the months without one; zero before the first.
fn headcounts(rows: &CompanyRows, window: Window) -> Vec<f64> {
    let (by_company, by_establishment) = headcount_by_month(rows);
    let known = if by_company.is_empty() { by_establishment } else { by_company };
    (0..window.len)
        .map(|index| known.range(..=window.month(index)).next_back().map_or(0.0, |(_, headcount)| f64::from(*headcount)))
        .collect()
}

/// Characters by which hours consumed were matched to their request.
const REQUEST: usize = 9;

fn request(id: &str) -> &str {
    id.get(..REQUEST).unwrap_or(id)
}

/// Hours of short-time work of each month: consumed since the beginning of the requests that the month is in, and in it.
fn short_time(rows: &CompanyRows, window: Window) -> (Vec<f64>, Vec<f64>) {
    let mut by_request: BTreeMap<&str, Vec<&ShortTimeConsumption>> = BTreeMap::new();
    for row in &rows.consumptions {
        by_request.entry(request(&row.request_id)).or_default().push(row);
    }
    let (mut cumulated, mut consumed) = (vec![0.0; window.len], vec![0.0; window.len]);
    for row in &rows.consumptions {
        if let Some(index) = window.index(Month::of(row.date)) {
            consumed[index] += row.hours;
        }
    }
    for row in &rows.requests {
        let (first, last) = (Month::of(row.start), Month::of(row.end));
        let Some(hours) = by_request.get(request(&row.request_id)) else { continue };
        for month in first.to(last) {
            let Some(index) = window.index(month) else { continue };
            cumulated[index] += hours.iter().filter(|row| (first..=month).contains(&Month::of(row.date))).map(|row| row.hours).sum::<f64>();
        }
    }
    (cumulated, consumed)
}

fn payment_delays(rows: &CompanyRows, window: Window) -> Vec<f64> {
    let mut values = vec![f64::NAN; window.len];
    super::payment_delays(rows, |month| window.index(month)).for_each(|(index, days)| values[index] = days);
    values
}

#[cfg(test)]
mod tests {
    use domain::records::{Contribution, PaymentDelay, ShortTimeRequest};
    use domain::{Siren, Siret, UrssafPeriod};

    use super::*;

    fn month(text: &str) -> Month {
        text.parse().unwrap()
    }

    fn day(text: &str) -> NaiveDate {
        domain::dates::parse_iso(text.as_bytes()).unwrap()
    }

    fn siren() -> Siren {
        Siren::parse(b"732829320").unwrap()
    }

    fn at(rows: &CompanyRows, name: &str, of: &str) -> f64 {
        let position = COLUMNS.iter().position(|column| *column == name).expect(name);
        compute(rows, Window::new(month(of), month(of)))[position][0]
    }

    /// `domain/model.md` §11, vector 10.
    #[test]
    fn the_slope_of_the_debt_per_employee() {
        assert_eq!(delta(900.0, 300.0, 10.0), 20.0);
        assert_eq!(delta(900.0, 300.0, 0.0), 0.0);
    }

    #[test]
    fn payment_delays_are_grouped_and_compared_with_the_year_before() {
        let groups = [-3.0, 0.0, 1.0, 15.0, 30.0, 31.0, 90.0, 91.0].map(group);
        assert_eq!(groups, [0.0, 0.0, 1.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
        let mut rows = CompanyRows::empty(siren());
        let delay = |days, date: &str| PaymentDelay { siren: siren(), days, value_date: day(date) };
        rows.payment_delays = vec![delay(40, "2022-06-15"), delay(10, "2021-06-15"), delay(50, "2022-06-02")];
        assert_eq!([at(&rows, "paydex_group", "2022-06"), at(&rows, "paydex_yoy", "2022-06")], [3.0, 30.0]);
        assert!(at(&rows, "paydex_yoy", "2022-07").is_nan());
    }

    #[test]
    fn the_target_looks_both_ways_from_a_default_and_for_ever_after_a_judgment() {
        let siret = Siret::from_parts(siren(), b"00001").unwrap();
        let mut rows = CompanyRows::empty(siren());
        assert!(at(&rows, TARGET, "2022-06").is_nan(), "eighteen months later are not known");
        rows.proceedings = vec![ProcolEvent {
            siren: siren(),
            siret: None,
            effective: day("2022-07-15"),
            action: Some(domain::ProcolAction::Redressement),
            stage: ProcolStage::Ouverture,
            label: "".into(),
        }];
        let of = |rows: &CompanyRows, months: [&str; 4]| {
            let window = Window::new(month("2020-01"), month("2025-01"));
            let found = outcomes(rows, window);
            months.map(|of| found[window.index(month(of)).unwrap()])
        };
        assert_eq!(of(&rows, ["2020-12", "2021-01", "2022-07", "2025-01"]), [0.0, 1.0, 1.0, 1.0], "latched");

        // A thousand euros a month are due; fifteen hundred are owed from March 2022 on.
        let mut rows = CompanyRows::empty(siren());
        let due = |period: Month| Contribution {
            siret,
            account: "1".into(),
            period: UrssafPeriod::new(period, 1).unwrap(),
            paid: None,
            due: Cents(100_000),
        };
        rows.contributions = month("2020-01").to(month("2024-12")).map(due).collect();
        rows.debits = vec![Debit {
            siret,
            account: "1".into(),
            period: UrssafPeriod::new(month("2022-02"), 1).unwrap(),
            gap_number: "1".into(),
            history_number: 1,
            treated_on: day("2022-03-10"),
            employee_part: Cents(50_000),
            employer_part: Cents(100_000),
            account_state: None,
            procol_code: "".into(),
            operation_code: "1".into(),
            reason_code: "".into(),
            appeal: false,
        }];
        assert_eq!(of(&rows, ["2020-10", "2020-11", "2022-05", "2024-12"]), [0.0, 1.0, 1.0, 1.0], "in default from the third month on");
    }

    #[test]
    fn hours_add_up_within_their_request() {
        let siret = Siret::from_parts(siren(), b"00001").unwrap();
        let mut rows = CompanyRows::empty(siren());
        rows.requests = vec![ShortTimeRequest {
            request_id: "012345678AA".into(),
            siret,
            company_headcount: None,
            headcount: None,
            decided: None,
            start: day("2020-04-01"),
            end: day("2020-06-30"),
            hours: Some(900.0),
            amount: None,
            authorised_headcount: None,
            reason: Some(1),
            perimeter: None,
            consumed_hours: None,
            consumed_headcount: None,
            consumed_amount: None,
        }];
        let consumed = |date: &str, hours| ShortTimeConsumption {
            request_id: "012345678".into(),
            siret,
            date: day(date),
            hours,
            amount: None,
            headcount: None,
        };
        rows.consumptions = vec![consumed("2020-03-01", 5.0), consumed("2020-04-01", 10.0), consumed("2020-05-01", 20.0)];
        let of = |name: &str| ["2020-03", "2020-04", "2020-05", "2020-06", "2020-07"].map(|month| at(&rows, name, month));
        assert_eq!(of("apart_heures_consommees_cumulees"), [0.0, 10.0, 30.0, 30.0, 0.0]);
        assert_eq!(of("apart_heures_consommees"), [5.0, 10.0, 20.0, 0.0, 0.0]);
    }
}
