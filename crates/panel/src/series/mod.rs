//! Base series: one number a month, as it was known at the end of the month; NaN where nothing was known.
//!
//! Each module makes the series of one subject. What is *known* and what has *happened* are kept apart: a series is
//! indexed by the month of knowledge.

mod accounts;
mod contributions;
mod debts;
mod headcount;
mod identity;
mod plans;
mod short_time;
mod suppliers;

use domain::time_rules::TimeRules;

use crate::rows::CompanyRows;
use crate::window::Window;

pub use debts::by_establishment as debts_by_establishment;
pub(crate) use headcount::by_month as headcount_by_month;
pub(crate) use identity::open_establishments;

macro_rules! series {
    ($($(#[doc = $doc:literal])* $name:ident = $text:literal,)*) => {
        /// A base series.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(usize)]
        pub enum Series {
            $($(#[doc = $doc])* $name,)*
        }

        impl Series {
            /// All series.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// Name in the catalogue.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }
        }
    };
}

series! {
    /// Employees' part of the social debt, euros.
    DebtEmployee = "debt_employee",
    /// Employer's part of the social debt, euros.
    DebtEmployer = "debt_employer",
    /// Both parts, euros.
    Debt = "debt",
    /// Debt over mean monthly contributions.
    DebtRatio = "debt_ratio",
    /// Months in a row with debt, this one included; 0 without.
    DebtSpell = "debt_spell",
    /// Months since the last month with debt, 0 during it; NaN when there never was any.
    DebtSince = "debt_since",
    /// Contributions of the last month known, euros.
    Contribution = "contribution",
    /// Mean monthly contributions of the last twelve months known, euros.
    ContributionMean = "contribution_mean",
    /// 1 while a payment plan runs, else 0.
    PlanRunning = "plan_running",
    /// Amount of the running plans over mean monthly contributions; 0 without plan.
    PlanWeight = "plan_weight",
    /// Days to the last due date of the running plans; 0 without plan.
    PlanRemaining = "plan_remaining",
    /// Debt above what the running plans foresee, as a share of their amount; NaN without plan.
    PlanDeviation = "plan_deviation",
    /// Months since the last decision of a CCSF; NaN when there was none.
    CcsfSince = "ccsf_since",
    /// Employees.
    Headcount = "headcount",
    /// Months between the headcount's month and this one.
    HeadcountAge = "headcount_age",
    /// Hours of short-time work requested for the month.
    ShortTimeRequested = "short_time_requested",
    /// Hours of short-time work consumed, of the month that became known.
    ShortTimeConsumed = "short_time_consumed",
    /// Hours consumed over the hours of the staff.
    ShortTimeIntensity = "short_time_intensity",
    /// Days of delay of payments to suppliers.
    PaymentDelay = "payment_delay",
    /// Turnover, euros.
    Turnover = "turnover",
    /// Result over turnover, %.
    NetMargin = "net_margin",
    /// EBITDA over turnover, %.
    EbitdaMargin = "ebitda_margin",
    /// Taux d'endettement, %.
    DebtToEquity = "debt_to_equity",
    /// Ratio de liquidité, %.
    Liquidity = "liquidity",
    /// Ratio de vétusté, %.
    AssetWear = "asset_wear",
    /// Autonomie financière, %.
    Autonomy = "autonomy",
    /// BFR over turnover, days.
    WorkingCapitalDays = "working_capital_days",
    /// Couverture des intérêts.
    InterestCoverage = "interest_coverage",
    /// CAF over turnover, %.
    CashFlowShare = "cash_flow_share",
    /// Capacité de remboursement, years.
    RepaymentCapacity = "repayment_capacity",
    /// Pre-tax result over turnover, %.
    PretaxShare = "pretax_share",
    /// Inventory, days.
    InventoryDays = "inventory_days",
    /// Customer credit, days.
    CustomerDays = "customer_days",
    /// Supplier credit, days.
    SupplierDays = "supplier_days",
    /// Months since the closing of the accounts.
    AccountsAge = "accounts_age",
    /// 1 when no accounts of the last three years are known, else 0.
    AccountsMissing = "accounts_missing",
    /// Turnover over that of the year before, minus one.
    TurnoverChange = "turnover_change",
    /// EBITDA margin minus that of the year before, points.
    EbitdaMarginChange = "ebitda_margin_change",
    /// Months since the creation of the company.
    Age = "age",
    /// NAF division, a category.
    NafDivision = "naf_division",
    /// Legal form, a category.
    LegalForm = "legal_form",
    /// Establishments open.
    OpenEstablishments = "open_establishments",
}

/// The base series of a company over a window, one array a series.
pub struct BaseSeries {
    window: Window,
    values: Vec<f64>,
}

impl BaseSeries {
    /// Computes all series.
    pub fn compute(rows: &CompanyRows, window: Window, rules: &TimeRules) -> Self {
        let mut base = Self { window, values: vec![f64::NAN; Series::ALL.len() * window.len] };
        debts::fill(rows, &mut base);
        contributions::fill(rows, rules, &mut base);
        headcount::fill(rows, rules, &mut base);
        short_time::fill(rows, rules, &mut base);
        suppliers::fill(rows, rules, &mut base);
        accounts::fill(rows, rules, &mut base);
        plans::fill(rows, &mut base);
        identity::fill(rows, &mut base);
        base
    }

    /// The months.
    pub fn window(&self) -> Window {
        self.window
    }

    /// A series, month after month.
    pub fn get(&self, series: Series) -> &[f64] {
        let start = series as usize * self.window.len;
        &self.values[start..start + self.window.len]
    }

    fn get_mut(&mut self, series: Series) -> &mut [f64] {
        let start = series as usize * self.window.len;
        &mut self.values[start..start + self.window.len]
    }

    fn set(&mut self, series: Series, value: impl Fn(usize) -> f64) {
        for (index, slot) in self.get_mut(series).iter_mut().enumerate() {
            *slot = value(index);
        }
    }
}

/// `a / b`, NaN when `b` is not positive.
fn ratio(a: f64, b: f64) -> f64 {
    if b > 0.0 { a / b } else { f64::NAN }
}

/// The latest event known at each month: `events` gives for each the index from which it is known and its own order; of
/// those known, the greatest order counts. Calls `set` with the months where there is one.
fn latest<T: Copy>(events: &mut [(usize, i64, T)], months: usize, mut set: impl FnMut(usize, T)) {
    events.sort_by_key(|(known, order, _)| (*known, *order));
    let (mut next, mut current): (usize, Option<(i64, T)>) = (0, None);
    for month in 0..months {
        while let Some(&(_, order, value)) = events.get(next).filter(|(known, ..)| *known <= month) {
            if current.is_none_or(|(best, _)| order >= best) {
                current = Some((order, value));
            }
            next += 1;
        }
        if let Some((_, value)) = current {
            set(month, value);
        }
    }
}
