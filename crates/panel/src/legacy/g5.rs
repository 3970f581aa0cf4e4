//! The inputs of the fifth generation (`domain/model.md` §2.6).
//!
//! A row is a month of the company headcount file, whenever that was published; what is absent of it is zero. The flaws are
//! the published ones: accounts attached to their own year and divided by its days, means of one month more than they say,
//! lags by rows, companies without contributions dropped.

use domain::records::{Accounts, CompanyAccounts, Debit};
use domain::{Cents, Month};

use super::accounts::{Exercise, RATIOS, attached};
use super::rows::{lag, mean};
use crate::rows::CompanyRows;
use crate::series::headcount_by_month;
use crate::window::Window;

/// The ratios of the accounts.
const FINANCIAL: [&str; RATIOS] = [
    "dette_nette_sur_caf",
    "dette_à_terme_sur_k_propres",
    "ebe_sur_ca",
    "va_sur_effectif",
    "charges_personnel_sur_va",
    "stocks_sur_ca",
    "liquidité_absolue",
    "liquidité_générale",
    "liquidité_réduite",
    "délai_paiement_sur_délai_encaissement",
    "k_propres_sur_k_social",
    "bfr_sur_k_propres",
    "taux_investissement",
    "rentabilité_économique",
    "solidité_financière",
];

const CONTRIBUTION: &str = "cotisation";
const EMPLOYEE_DEBT: &str = "dette_sociale_ouvrière";
const EMPLOYER_DEBT: &str = "dette_sociale_patronale";
const HEADCOUNT: &str = "effectif";
const SHORT_TIME: &str = "ap_heures_consommées";
const DEBT_ON_CONTRIBUTION: &str = "dette_sur_cotisation_mean12m";
const DEBT_PER_EMPLOYEE: &str = "dette_par_effectif";
const PAYDEX: &str = "paydex";

/// The variables that are no ratio of the accounts. The last two, the shares of late payments, are in no delivered file.
const OTHERS: [&str; 10] = [
    CONTRIBUTION,
    EMPLOYEE_DEBT,
    EMPLOYER_DEBT,
    HEADCOUNT,
    SHORT_TIME,
    DEBT_ON_CONTRIBUTION,
    DEBT_PER_EMPLOYEE,
    PAYDEX,
    "fpi_30",
    "fpi_90",
];

/// The time variables that a configuration adds to the 25 base ones.
pub(super) struct Variables {
    /// Variables and the months of their means.
    means: (&'static [&'static str], &'static [i32]),
    /// Variables and the rows of their lags; the ratios of the accounts too when so.
    lags: (&'static [&'static str], &'static [usize], bool),
}

impl Variables {
    /// `standard.json`, `tree-based.json`.
    pub const STANDARD: Self = Self { means: (&[CONTRIBUTION], &[12]), lags: (&[EMPLOYEE_DEBT, EMPLOYER_DEBT], &[1, 2, 3, 6, 12], false) };
    /// `tree-based_financial-yearly-lags.json`, `tree-based_waterfall.json`.
    pub const YEARLY: Self = Self {
        means: (&[CONTRIBUTION, EMPLOYEE_DEBT, EMPLOYER_DEBT], &[3, 6, 12]),
        lags: (&[PAYDEX, CONTRIBUTION, EMPLOYEE_DEBT, EMPLOYER_DEBT, SHORT_TIME, DEBT_PER_EMPLOYEE, HEADCOUNT], &[12, 24, 36], true),
    };

    fn means(&self) -> impl Iterator<Item = (&'static str, i32)> {
        let (names, months) = self.means;
        names.iter().flat_map(move |name| months.iter().map(move |months| (*name, *months)))
    }

    fn lags(&self) -> impl Iterator<Item = (&'static str, usize)> {
        let (names, rows, accounts) = self.lags;
        let financial = if accounts { &FINANCIAL[..] } else { &[] };
        financial.iter().chain(names).flat_map(move |name| rows.iter().map(move |rows| (*name, *rows)))
    }

    /// Names of the inputs.
    pub fn names(&self) -> Vec<String> {
        let base = FINANCIAL.iter().chain(&OTHERS).map(|name| (*name).to_owned());
        let means = self.means().map(|(name, months)| format!("{name}_mean{months}m"));
        let lags = self.lags().map(|(name, rows)| format!("{name}_lag{rows}m"));
        base.chain(means).chain(lags).collect()
    }
}

/// The inputs over a window.
pub(super) fn compute(rows: &CompanyRows, variables: &Variables, window: Window) -> Vec<Vec<f64>> {
    let table = Table::of(rows, window);
    let mut columns = table.columns.clone();
    columns.extend(variables.means().map(|(name, months)| mean(&table.months, table.column(name), months)));
    columns.extend(variables.lags().map(|(name, rows)| lag(table.column(name), rows)));
    let place = |column: Vec<f64>| {
        let mut placed = vec![f64::NAN; window.len];
        let rows = table.months.iter().zip(table.column(DEBT_ON_CONTRIBUTION)).zip(column);
        for ((month, _), value) in rows.filter(|((_, debt_on_contribution), _)| !debt_on_contribution.is_nan()) {
            if let Some(index) = window.index(*month) {
                placed[index] = value;
            }
        }
        placed
    };
    columns.into_iter().map(place).collect()
}

/// The base variables of a company: its rows, by month.
struct Table {
    months: Vec<Month>,
    /// In the order of [`FINANCIAL`], then [`OTHERS`].
    columns: Vec<Vec<f64>>,
}

impl Table {
    /// All rows of a company up to the end of a window. The debt on contributions is NaN in the rows that were dropped.
    fn of(rows: &CompanyRows, window: Window) -> Self {
        let headcounts: Vec<(Month, u32)> =
            headcount_by_month(rows).0.into_iter().filter(|(month, _)| month.since(window.first) < window.len as i32).collect();
        let months: Vec<Month> = headcounts.iter().map(|(month, _)| *month).collect();
        let exercises = exercises(rows);
        let of_accounts = |ratio: usize| {
            let value = |month: &Month| {
                let exercise = attached(&exercises, *month)?;
                Some(exercise.ratios[ratio]? / exercise.days())
            };
            months.iter().map(|month| value(month).unwrap_or(0.0)).collect()
        };
        let headcount: Vec<f64> = headcounts.iter().map(|(_, headcount)| f64::from(*headcount)).collect();
        let contribution = contributions(rows, &months);
        let (employee, employer) = debts(&rows.debits, &months);
        let both = || employee.iter().zip(&employer).map(|(employee, employer)| employee + employer);
        let over = |whole: &[f64], otherwise: f64| {
            both().zip(whole).map(|(debt, whole)| if *whole == 0.0 { otherwise } else { debt / whole }).collect::<Vec<f64>>()
        };
        let on_contribution = over(&mean(&months, &contribution, 12), f64::NAN);
        let per_employee = over(&headcount, 0.0);
        let absent = || vec![0.0; months.len()];
        let mut columns: Vec<Vec<f64>> = (0..RATIOS).map(of_accounts).collect();
        let (short_time, paydex) = (short_time(rows, &months), payment_delays(rows, &months));
        columns.extend([
            contribution,
            employee,
            employer,
            headcount,
            short_time,
            on_contribution,
            per_employee,
            paydex,
            absent(),
            absent(),
        ]);
        Self { months, columns }
    }

    fn column(&self, name: &str) -> &[f64] {
        let position = FINANCIAL.iter().chain(&OTHERS).position(|column| *column == name);
        position.map_or(&[], |position| &self.columns[position])
    }
}

/// What is due, spread evenly over the months of its period; no delay of publication.
fn contributions(rows: &CompanyRows, months: &[Month]) -> Vec<f64> {
    let mut due = vec![0.0; months.len()];
    for row in &rows.contributions {
        let monthly = row.due.euros() / f64::from(row.period.months());
        for month in row.period.start().to(row.period.last()) {
            if let Ok(index) = months.binary_search(&month) {
                due[index] += monthly;
            }
        }
    }
    due
}

/// Both parts of the debts, euros. Of the states of a debt treated before a month begins, the one with the highest history
/// number counts.
fn debts(debits: &[Debit], months: &[Month]) -> (Vec<f64>, Vec<f64>) {
    let debt = |row: &Debit| (row.account.clone(), row.gap_number.clone(), row.period);
    let mut sorted: Vec<&Debit> = debits.iter().collect();
    sorted.sort_by(|a, b| debt(a).cmp(&debt(b)).then_with(|| a.treated_on.cmp(&b.treated_on)).then_with(|| a.cmp(b)));
    let mut owed = vec![(Cents::default(), Cents::default()); months.len()];
    for states in sorted.chunk_by(|a, b| debt(a) == debt(b)) {
        let (mut states, mut current) = (states.iter().peekable(), None::<&Debit>);
        for (month, owed) in months.iter().zip(&mut owed) {
            while let Some(state) = states.next_if(|state| state.treated_on <= month.first_day()) {
                if current.is_none_or(|current| state.history_number >= current.history_number) {
                    current = Some(state);
                }
            }
            if let Some(state) = current {
                owed.0 += state.employee_part;
                owed.1 += state.employer_part;
            }
        }
    }
    owed.into_iter().map(|(employee, employer)| (employee.euros(), employer.euros())).unzip()
}

/// Hours of short-time work, at the month of their date.
fn short_time(rows: &CompanyRows, months: &[Month]) -> Vec<f64> {
    let mut hours = vec![0.0; months.len()];
    for row in &rows.consumptions {
        if let Ok(index) = months.binary_search(&Month::of(row.date)) {
            hours[index] += row.hours;
        }
    }
    hours
}

/// Payment delays, zero where there is none: which is also that of a company that pays on time.
fn payment_delays(rows: &CompanyRows, months: &[Month]) -> Vec<f64> {
    let mut paydex = vec![0.0; months.len()];
    super::payment_delays(rows, |month| months.binary_search(&month).ok()).for_each(|(index, days)| paydex[index] = days);
    paydex
}

/// `a / b`, unless that is a division by zero.
fn over(a: Option<f64>, b: Option<f64>) -> Option<f64> {
    Some(a? / b.filter(|b| *b != 0.0)?)
}

fn euros(amount: Option<Cents>) -> Option<f64> {
    amount.map(Cents::euros)
}

fn share(percent: Option<f64>) -> Option<f64> {
    percent.map(|percent| percent / 100.0)
}

/// Accounts of Diane and INPI, with the ratios that have the meaning of those of the tax administration.
fn exercises(rows: &CompanyRows) -> Vec<Exercise> {
    let months = |months: Option<i32>| months.and_then(|months| u32::try_from(months).ok()).filter(|months| *months > 0).unwrap_or(12);
    let diane = rows.company_accounts.iter().filter_map(|row| Exercise::closed(row.closed_on, months(row.months), of_diane(row)));
    let inpi = rows.accounts.iter().filter_map(|row| Exercise::closed(row.closed_on, 12, of_inpi(row)));
    diane.chain(inpi).collect()
}

/// Ratios by name, in the order of [`FINANCIAL`]; the others are unknown.
fn ratios<const N: usize>(known: [(&str, Option<f64>); N]) -> [Option<f64>; RATIOS] {
    FINANCIAL.map(|name| known.iter().find(|(known, _)| *known == name).and_then(|(_, value)| *value))
}

/// What Diane calls « générale » is the published « absolue ».
fn of_diane(row: &CompanyAccounts) -> [Option<f64>; RATIOS] {
    let value = euros(row.added_value);
    ratios([
        ("dette_nette_sur_caf", row.repayment_capacity),
        ("dette_à_terme_sur_k_propres", share(row.debt_ratio)),
        ("ebe_sur_ca", over(euros(row.ebitda), euros(row.turnover))),
        ("va_sur_effectif", over(value, row.headcount.map(f64::from))),
        ("charges_personnel_sur_va", over(euros(row.staff_costs), value)),
        ("liquidité_absolue", row.liquidity),
        ("délai_paiement_sur_délai_encaissement", over(row.supplier_credit_days, row.customer_credit_days)),
        ("solidité_financière", share(row.financial_autonomy)),
    ])
}

fn of_inpi(row: &Accounts) -> [Option<f64>; RATIOS] {
    ratios([
        ("dette_nette_sur_caf", row.repayment_capacity),
        ("dette_à_terme_sur_k_propres", share(row.debt_ratio)),
        ("ebe_sur_ca", over(euros(row.ebitda), euros(row.turnover))),
        ("stocks_sur_ca", row.inventory_days.map(|days| days / 360.0)),
        ("liquidité_absolue", share(row.liquidity)),
        ("délai_paiement_sur_délai_encaissement", over(row.supplier_credit_days, row.customer_credit_days)),
        ("solidité_financière", share(row.financial_autonomy)),
    ])
}

#[cfg(test)]
mod tests {
    use domain::records::{CompanyHeadcount, Contribution};
    use domain::{NaiveDate, Siren, Siret, UrssafPeriod};

    use super::*;

    fn month(text: &str) -> Month {
        text.parse().unwrap()
    }

    fn day(text: &str) -> NaiveDate {
        domain::dates::parse_iso(text.as_bytes()).unwrap()
    }

    fn siret() -> Siret {
        Siret::from_parts(Siren::parse(b"732829320").unwrap(), b"00001").unwrap()
    }

    fn debit(treated_on: &str, history_number: i32, employer: i64) -> Debit {
        Debit {
            siret: siret(),
            account: "a".into(),
            period: UrssafPeriod::new(month("2020-01"), 1).unwrap(),
            gap_number: "1".into(),
            history_number,
            treated_on: day(treated_on),
            employee_part: Cents(0),
            employer_part: Cents(employer),
            account_state: None,
            procol_code: "".into(),
            operation_code: "".into(),
            reason_code: "".into(),
            appeal: false,
        }
    }

    /// A company with employees in these months, that owes 1000 € a month all year, and 500 € of debt since February.
    fn company(staffed: &[&str]) -> CompanyRows {
        let mut rows = CompanyRows::empty(siret().siren());
        rows.company_headcounts =
            staffed.iter().map(|of| CompanyHeadcount { siren: rows.siren, month: month(of), headcount: 10 }).collect();
        rows.contributions = vec![Contribution {
            siret: siret(),
            account: "a".into(),
            period: UrssafPeriod::parse(b"202062").unwrap(),
            paid: None,
            due: Cents(1_200_000),
        }];
        rows.debits = vec![debit("2020-01-15", 1, 50_000)];
        rows
    }

    fn at(rows: &CompanyRows, variables: &Variables, name: &str, of: &str) -> f64 {
        let position = variables.names().iter().position(|column| column == name).expect(name);
        compute(rows, variables, Window::new(month(of), month(of)))[position][0]
    }

    /// `domain/model.md` §11, vector 4: a treatment of the 20th and one of the 21st count from the next month.
    #[test]
    fn a_debt_counts_from_the_first_month_that_begins_after_it() {
        let months: Vec<Month> = month("2020-02").to(month("2020-05")).collect();
        for treated_on in ["2020-03-20", "2020-03-21", "2020-04-01"] {
            assert_eq!(debts(&[debit(treated_on, 1, 100)], &months).1, [0.0, 0.0, 1.0, 1.0], "{treated_on}");
        }
    }

    #[test]
    fn the_highest_history_number_of_what_was_treated_counts() {
        let months: Vec<Month> = month("2020-02").to(month("2020-05")).collect();
        let states = [debit("2020-04-10", 2, 300), debit("2020-02-10", 3, 200), debit("2020-01-10", 1, 100)];
        assert_eq!(debts(&states, &months).1, [1.0, 2.0, 2.0, 2.0], "an operation treated late with a lower number is not seen");
    }

    #[test]
    fn the_variables_of_a_month() {
        let rows = company(&["2020-01", "2020-02", "2020-04"]);
        let value = |name: &str, of: &str| at(&rows, &Variables::STANDARD, name, of);
        assert_eq!([value(CONTRIBUTION, "2020-04"), value(EMPLOYER_DEBT, "2020-04"), value(HEADCOUNT, "2020-04")], [1000.0, 500.0, 10.0]);
        assert_eq!([value(DEBT_PER_EMPLOYEE, "2020-04"), value(DEBT_ON_CONTRIBUTION, "2020-04")], [50.0, 0.5]);
        assert_eq!([value("dette_sociale_patronale_lag1m", "2020-04"), value("dette_sociale_patronale_lag2m", "2020-04")], [500.0, 0.0]);
        assert!(value(HEADCOUNT, "2020-03").is_nan(), "a month without headcount was no row");
        assert_eq!(value(PAYDEX, "2020-04"), 0.0);
    }

    #[test]
    fn a_company_without_contributions_was_dropped() {
        let mut rows = company(&["2020-01", "2020-02"]);
        rows.contributions.clear();
        assert!(
            compute(&rows, &Variables::YEARLY, Window::new(month("2020-01"), month("2020-02")))
                .iter()
                .flatten()
                .all(|value| value.is_nan())
        );
    }
}
