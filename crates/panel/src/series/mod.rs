//! Base series: one number a month, as it was known at the end of the month; NaN where nothing was known.
//!
//! Each module makes the series of one subject. What is *known* and what has *happened* are kept apart: a series is
//! indexed by the month of knowledge.

mod accounts;
mod bank_ratios;
mod contributions;
mod debts;
mod headcount;
mod identity;
mod peers;
mod per_employee;
mod plans;
mod short_time;
mod suppliers;

use domain::Month;
use domain::time_rules::TimeRules;

use crate::peers::PeerRates;
use crate::rows::CompanyRows;
use crate::window::Window;

pub use debts::by_establishment as debts_by_establishment;
pub(crate) use headcount::{ByMonth, by_month as headcount_by_month};
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
    /// Employees' part of the debt over both; NaN without debt.
    DebtEmployeeShare = "debt_employee_share",
    /// Debts open: periods, accounts and gaps with something owed.
    DebtsOpen = "debts_open",
    /// Months since the end of the oldest period owed; NaN without debt.
    DebtOldest = "debt_oldest",
    /// Share of the debt that is for periods ended six months ago or more; NaN without debt.
    DebtOldShare = "debt_old_share",
    /// What was added to debts in the month, euros.
    DebtAppeared = "debt_appeared",
    /// What was paid, cancelled or written off in the month, euros.
    DebtCleared = "debt_cleared",
    /// Urssaf's code for the motive of the largest debt, a category; NaN without debt.
    DebtMotive = "debt_motive",
    /// 1 when the debt is above a month of contributions, else 0.
    DebtAboveContribution = "debt_above_contribution",
    /// Debt over employees, euros.
    DebtPerEmployee = "debt_per_employee",
    /// Contributions of the last month known, euros.
    Contribution = "contribution",
    /// Mean monthly contributions of the last twelve months known, euros.
    ContributionMean = "contribution_mean",
    /// Mean of the last three months known over that of the last twelve, minus one.
    ContributionTrend = "contribution_trend",
    /// Mean monthly contributions over employees, euros.
    ContributionPerEmployee = "contribution_per_employee",
    /// 1 while a payment plan runs, else 0.
    PlanRunning = "plan_running",
    /// Amount of the running plans over mean monthly contributions; 0 without plan.
    PlanWeight = "plan_weight",
    /// Days to the last due date of the running plans; 0 without plan.
    PlanRemaining = "plan_remaining",
    /// Debt above what the running plans foresee, as a share of their amount; NaN without plan.
    PlanDeviation = "plan_deviation",
    /// Share of the debt that running plans foresee, 1 at most; 0 without plan, NaN without debt.
    PlanShare = "plan_share",
    /// Plans granted in the month.
    PlansGranted = "plans_granted",
    /// Months since the last decision of a CCSF; NaN when there was none.
    CcsfSince = "ccsf_since",
    /// Employees.
    Headcount = "headcount",
    /// Months between the headcount's month and this one.
    HeadcountAge = "headcount_age",
    /// Establishments with employees.
    StaffedEstablishments = "staffed_establishments",
    /// Share of the employees who are in the largest establishment.
    LargestEstablishmentShare = "largest_establishment_share",
    /// Hours of short-time work requested for the month.
    ShortTimeRequested = "short_time_requested",
    /// The same, for the economic situation only.
    ShortTimeRequestedEconomic = "short_time_requested_economic",
    /// Hours requested over the hours of the staff.
    ShortTimeRequestedIntensity = "short_time_requested_intensity",
    /// Requests decided in the month.
    ShortTimeRequests = "short_time_requests",
    /// Months since the last request was decided; NaN when there was none.
    ShortTimeRequestSince = "short_time_request_since",
    /// Hours of short-time work consumed, of the month that became known.
    ShortTimeConsumed = "short_time_consumed",
    /// Hours consumed over the hours of the staff.
    ShortTimeIntensity = "short_time_intensity",
    /// Months since hours consumed last became known; NaN when there were none.
    ShortTimeConsumedSince = "short_time_consumed_since",
    /// Days of delay of payments to suppliers.
    PaymentDelay = "payment_delay",
    /// 1 when suppliers wait for more than 30 days beyond the term, else 0.
    PaymentDelayLong = "payment_delay_long",
    /// Turnover, euros.
    Turnover = "turnover",
    /// Result over turnover, %.
    NetMargin = "net_margin",
    /// Result, euros.
    NetIncome = "net_income",
    /// EBITDA, euros.
    Ebitda = "ebitda",
    /// Gross margin over turnover, %.
    GrossMarginShare = "gross_margin_share",
    /// EBIT over turnover, %.
    EbitShare = "ebit_share",
    /// Turnover over employees, euros.
    TurnoverPerEmployee = "turnover_per_employee",
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
    /// Net margin minus that of the year before, points.
    NetMarginChange = "net_margin_change",
    /// Autonomy minus that of the year before, points.
    AutonomyChange = "autonomy_change",
    /// Debt to equity minus that of the year before, points.
    DebtToEquityChange = "debt_to_equity_change",
    /// Liquidity minus that of the year before, points.
    LiquidityChange = "liquidity_change",
    /// Working capital minus that of the year before, days.
    WorkingCapitalDaysChange = "working_capital_days_change",
    /// Customer credit minus that of the year before, days.
    CustomerDaysChange = "customer_days_change",
    /// Supplier credit minus that of the year before, days.
    SupplierDaysChange = "supplier_days_change",
    /// 1 when the last accounts show a loss, else 0.
    Loss = "loss",
    /// 1 when the last accounts and those of the year before show a loss, else 0.
    LossTwice = "loss_twice",
    /// Bank overdrafts over turnover, %.
    OverdraftShare = "overdraft_share",
    /// Tax and social debts over added value, %.
    TaxAndSocialDebtShare = "tax_and_social_debt_share",
    /// Financial costs over what operations earn, %.
    FinancialCostsShare = "financial_costs_share",
    /// EBITDA over added value, %.
    AddedValueMargin = "added_value_margin",
    /// Net working capital over turnover, %.
    NetWorkingCapitalShare = "net_working_capital_share",
    /// Staff costs over added value, %.
    StaffCostsShare = "staff_costs_share",
    /// Months since the creation of the company.
    Age = "age",
    /// NAF division, a category.
    NafDivision = "naf_division",
    /// Legal form, a category.
    LegalForm = "legal_form",
    /// Establishments open.
    OpenEstablishments = "open_establishments",
    /// Establishments opened in the month.
    OpenedEstablishments = "opened_establishments",
    /// Establishments closed in the month.
    ClosedEstablishments = "closed_establishments",
    /// Department of the first establishment, a category.
    Department = "department",
    /// Companies of the sector that entered a proceeding within a year, per hundred.
    SectorRate = "sector_rate",
    /// Companies of the department that entered a proceeding within a year, per hundred.
    DepartmentRate = "department_rate",
}

/// The base series of a company over a window, one array a series.
pub struct BaseSeries {
    window: Window,
    values: Vec<f64>,
}

impl BaseSeries {
    /// Computes all series.
    pub fn compute(rows: &CompanyRows, window: Window, rules: &TimeRules, peers: &PeerRates) -> Self {
        let mut base = Self { window, values: vec![f64::NAN; Series::ALL.len() * window.len] };
        debts::fill(rows, &mut base);
        contributions::fill(rows, rules, &mut base);
        headcount::fill(rows, rules, &mut base);
        short_time::fill(rows, rules, &mut base);
        suppliers::fill(rows, rules, &mut base);
        accounts::fill(rows, rules, &mut base);
        bank_ratios::fill(rows, rules, &mut base);
        plans::fill(rows, &mut base);
        identity::fill(rows, &mut base);
        peers::fill(rows, peers, &mut base);
        per_employee::fill(&mut base);
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

/// One when so, else zero.
fn flag(is: bool) -> f64 {
    f64::from(u8::from(is))
}

/// Months since the last of these events; NaN before the first. `known` gives the index from which each is known, and its
/// month.
fn months_since(events: impl Iterator<Item = (usize, Month)>, window: Window, mut set: impl FnMut(usize, f64)) {
    let mut events: Vec<(usize, i64, Month)> = events.map(|(known, month)| (known, month.index().into(), month)).collect();
    latest(&mut events, window.len, |at, month| set(at, window.month(at).since(month).into()));
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
