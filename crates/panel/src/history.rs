//! The monthly history of a company for charts: base series that a person understands.

use domain::records::Record;
use domain::time_rules::TimeRules;
use domain::{Month, NaiveDate, ProcolState};

use crate::peers::PeerRates;
use crate::procol::state_at;
use crate::rows::CompanyRows;
use crate::series::{BaseSeries, Series};
use crate::window::Window;

/// A series of a chart.
#[derive(Debug, Clone, PartialEq)]
pub struct ChartSeries {
    /// Name.
    pub name: &'static str,
    /// Unit, as in the catalogue.
    pub unit: &'static str,
    /// What agents read.
    pub label_fr: &'static str,
    /// One value a month, NaN where unknown.
    pub values: Vec<f64>,
    /// What each value stands on; `None` where unknown.
    pub basis: Vec<Option<Basis>>,
}

/// What a value of a month stands on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Basis {
    /// A file says it of this month, or said it this month for the first time.
    Observed,
    /// The latest value known, of an earlier month.
    Carried,
    /// An amount of a longer period spread over its months.
    Estimated,
}

/// How a source tells a series.
enum Told {
    /// What stands or happens in each month.
    Monthly,
    /// Hours of a request, spread over its days.
    Spread,
    /// Now and then: each row is carried until the next one. Gives when rows become known, and whether each is of more than
    /// a month.
    Reported(fn(&CompanyRows, &TimeRules) -> Vec<(NaiveDate, bool)>),
}

/// The history of a company.
#[derive(Debug, Clone, PartialEq)]
pub struct History {
    /// The months.
    pub window: Window,
    /// Series, each as long as the window.
    pub series: Vec<ChartSeries>,
    /// Proceeding at the end of each month.
    pub procol: Vec<Option<ProcolState>>,
}

const CHARTS: [(Series, &str, &str, Told); 10] = [
    (Series::DebtEmployee, "euros", "Dette sociale, part salariale", Told::Monthly),
    (Series::DebtEmployer, "euros", "Dette sociale, part patronale", Told::Monthly),
    (Series::Contribution, "euros", "Cotisations appelées", Told::Reported(contributions)),
    (Series::PlanRunning, "flag", "Délai de paiement en cours", Told::Monthly),
    (Series::Headcount, "employees", "Effectif", Told::Reported(headcounts)),
    (Series::ShortTimeRequested, "hours", "Activité partielle autorisée", Told::Spread),
    (Series::ShortTimeConsumed, "hours", "Activité partielle consommée", Told::Monthly),
    (Series::PaymentDelay, "days", "Retard de paiement aux fournisseurs", Told::Reported(payment_delays)),
    (Series::Turnover, "euros", "Chiffre d'affaires", Told::Reported(accounts)),
    (Series::OpenEstablishments, "number", "Établissements ouverts", Told::Monthly),
];

fn contributions(rows: &CompanyRows, rules: &TimeRules) -> Vec<(NaiveDate, bool)> {
    rows.contributions.iter().map(|row| (row.known_at(rules), row.period.months() > 1)).collect()
}

fn headcounts(rows: &CompanyRows, rules: &TimeRules) -> Vec<(NaiveDate, bool)> {
    let companies = rows.company_headcounts.iter().map(|row| row.known_at(rules));
    companies.chain(rows.headcounts.iter().map(|row| row.known_at(rules))).map(|known| (known, false)).collect()
}

fn payment_delays(rows: &CompanyRows, rules: &TimeRules) -> Vec<(NaiveDate, bool)> {
    rows.payment_delays.iter().map(|row| (row.known_at(rules), false)).collect()
}

fn accounts(rows: &CompanyRows, rules: &TimeRules) -> Vec<(NaiveDate, bool)> {
    rows.accounts.iter().map(|row| (row.known_at(rules), false)).collect()
}

/// The history of the months from `first` to `last`, each as it was known at its end.
pub fn history(rows: &CompanyRows, first: Month, last: Month, rules: &TimeRules) -> History {
    let window = Window::new(first, last);
    let base = BaseSeries::compute(rows, window, rules, &PeerRates::unknown());
    let series = CHARTS.map(|(series, unit, label_fr, told)| {
        let values = base.get(series).to_vec();
        let basis = basis(&told, &values, rows, rules, window);
        ChartSeries { name: series.name(), unit, label_fr, values, basis }
    });
    let procol = (0..window.len).map(|index| state_at(&rows.proceedings, window.month(index).last_day())).collect();
    History { window, series: series.to_vec(), procol }
}

/// What each value stands on.
fn basis(told: &Told, values: &[f64], rows: &CompanyRows, rules: &TimeRules, window: Window) -> Vec<Option<Basis>> {
    let mut said: Vec<Option<Basis>> = vec![None; window.len];
    if let Told::Reported(known) = told {
        for (known_at, long) in known(rows, rules) {
            if let Some(month) = window.index(Month::of(known_at)) {
                said[month] = said[month].max(Some(if long { Basis::Estimated } else { Basis::Observed }));
            }
        }
    }
    let of = |(month, value): (usize, &f64)| match told {
        _ if value.is_nan() => None,
        Told::Monthly => Some(Basis::Observed),
        Told::Spread => Some(if *value > 0.0 { Basis::Estimated } else { Basis::Observed }),
        Told::Reported(_) => said[month].or(Some(Basis::Carried)),
    };
    values.iter().enumerate().map(of).collect()
}

#[cfg(test)]
mod tests {
    use domain::records::{CompanyHeadcount, Contribution};
    use domain::{Cents, Siren, Siret, UrssafPeriod};

    use super::*;

    #[test]
    fn a_point_says_what_it_stands_on() {
        let siren = Siren::parse(b"732829320").unwrap();
        let mut rows = CompanyRows::empty(siren);
        let month = |text: &str| text.parse::<Month>().unwrap();
        // Known in April, and in August.
        rows.company_headcounts = ["2025-01", "2025-05"].map(|of| CompanyHeadcount { siren, month: month(of), headcount: 10 }).to_vec();
        let siret = Siret::from_parts(siren, b"00001").unwrap();
        let due = |period: &[u8]| Contribution {
            siret,
            account: "a".into(),
            period: UrssafPeriod::parse(period).unwrap(),
            paid: None,
            due: Cents(300),
        };
        // The first quarter, known in April, and April, known in May.
        rows.contributions = vec![due(b"202510"), due(b"202521")];
        let history = history(&rows, month("2025-03"), month("2025-08"), &TimeRules::default());
        let of = |name: &str| &history.series.iter().find(|series| series.name == name).unwrap().basis;
        let (observed, carried, estimated) = (Some(Basis::Observed), Some(Basis::Carried), Some(Basis::Estimated));
        assert_eq!(*of("headcount"), [None, observed, carried, carried, carried, observed]);
        assert_eq!(of("contribution")[..4], [None, estimated, observed, carried]);
        assert!(of("debt_employer").iter().all(|basis| *basis == observed), "no debt is known to be none");
        assert!(of("turnover").iter().all(Option::is_none));
    }
}
