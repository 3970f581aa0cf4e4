//! The monthly history of a company for charts: base series that a person understands.

use domain::time_rules::TimeRules;
use domain::{Month, ProcolState};

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

const CHARTS: [(Series, &str, &str); 10] = [
    (Series::DebtEmployee, "euros", "Dette sociale, part salariale"),
    (Series::DebtEmployer, "euros", "Dette sociale, part patronale"),
    (Series::Contribution, "euros", "Cotisations appelées"),
    (Series::PlanRunning, "flag", "Délai de paiement en cours"),
    (Series::Headcount, "employees", "Effectif"),
    (Series::ShortTimeRequested, "hours", "Activité partielle autorisée"),
    (Series::ShortTimeConsumed, "hours", "Activité partielle consommée"),
    (Series::PaymentDelay, "days", "Retard de paiement aux fournisseurs"),
    (Series::Turnover, "euros", "Chiffre d'affaires"),
    (Series::OpenEstablishments, "number", "Établissements ouverts"),
];

/// The history of the months from `first` to `last`, each as it was known at its end.
pub fn history(rows: &CompanyRows, first: Month, last: Month, rules: &TimeRules) -> History {
    let window = Window::new(first, last);
    let base = BaseSeries::compute(rows, window, rules, &PeerRates::unknown());
    let series =
        CHARTS.map(|(series, unit, label_fr)| ChartSeries { name: series.name(), unit, label_fr, values: base.get(series).to_vec() });
    let procol = (0..window.len).map(|index| state_at(&rows.proceedings, window.month(index).last_day())).collect();
    History { window, series: series.to_vec(), procol }
}
