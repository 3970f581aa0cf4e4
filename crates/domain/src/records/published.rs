//! What companies show of themselves, and what is published about them: payment delays, accounts, judgments.

use chrono::NaiveDate;

use super::Text;
use crate::{Cents, ProcolAction, ProcolStage, Siren};

/// `paydex`: mean delay of payment towards suppliers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaymentDelay {
    /// Company.
    pub siren: Siren,
    /// Days of delay.
    pub days: i32,
    /// Day of the value.
    pub value_date: NaiveDate,
}
record!(PaymentDelay, Paydex, |row| row.siren, (Siren, NaiveDate): |row| (row.siren, row.value_date), |row, rules| rules.payment_delay(row.value_date), |row| Some(row.value_date));

/// `ratios_inpi_bce`: published accounts of a year and the ratios computed by DGE and INPI (percent or days).
#[derive(Debug, Clone, PartialEq)]
pub struct Accounts {
    /// Company.
    pub siren: Siren,
    /// Closing date.
    pub closed_on: NaiveDate,
    /// Chiffre d'affaires.
    pub turnover: Option<Cents>,
    /// Marge brute.
    pub gross_margin: Option<Cents>,
    /// EBE: excédent brut d'exploitation.
    pub ebitda: Option<Cents>,
    /// EBIT.
    pub ebit: Option<Cents>,
    /// Résultat net.
    pub net_income: Option<Cents>,
    /// Taux d'endettement, %.
    pub debt_ratio: Option<f64>,
    /// Ratio de liquidité, %.
    pub liquidity: Option<f64>,
    /// Ratio de vétusté, %.
    pub asset_wear: Option<f64>,
    /// Autonomie financière, %.
    pub financial_autonomy: Option<f64>,
    /// Poids du BFR d'exploitation sur CA, %.
    pub working_capital_share: Option<f64>,
    /// Couverture des intérêts.
    pub interest_coverage: Option<f64>,
    /// CAF sur CA, %.
    pub cash_flow_share: Option<f64>,
    /// Capacité de remboursement, years.
    pub repayment_capacity: Option<f64>,
    /// Marge d'EBE, %.
    pub ebitda_margin: Option<f64>,
    /// Résultat courant avant impôts sur CA, %.
    pub pretax_income_share: Option<f64>,
    /// Poids du BFR d'exploitation sur CA, days.
    pub working_capital_days: Option<f64>,
    /// Rotation des stocks, days.
    pub inventory_days: Option<f64>,
    /// Crédit clients, days.
    pub customer_credit_days: Option<f64>,
    /// Crédit fournisseurs, days.
    pub supplier_credit_days: Option<f64>,
    /// Kind of balance sheet: `C` complete, `K` consolidated, `S` simplified.
    pub kind: Text,
    /// Whether the company lets its accounts be shown.
    pub public: bool,
}
record!(Accounts, RatiosInpiBce, |row| row.siren, (Siren, NaiveDate, Text): |row| (row.siren, row.closed_on, row.kind.clone()), |row, rules| rules.accounts(row.closed_on), |row| Some(row.closed_on));

/// `bodacc`: a judgment of a collective proceeding, as the official bulletin announced it. A notice about several companies
/// is a row for each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// Identifier of the notice: edition, number of the bulletin, number in it.
    pub id: Text,
    /// Company.
    pub siren: Siren,
    /// Day of the bulletin.
    pub published: NaiveDate,
    /// Day of the judgment; that of the bulletin when the notice gives none.
    pub effective: NaiveDate,
    /// Which proceeding; `None` when the nature names none.
    pub action: Option<ProcolAction>,
    /// Stage announced.
    pub stage: ProcolStage,
    /// Family of the judgment, in words.
    pub family: Text,
    /// Nature of the judgment, in words.
    pub nature: Text,
    /// Identifier of the notice that this one corrects or cancels; empty when none.
    pub replaces: Text,
    /// Whether it cancels a notice and announces nothing itself.
    pub cancels: bool,
}
record!(Notice, Bodacc, |row| row.siren, (Text, Siren): |row| (row.id.clone(), row.siren), |row, _| row.published, |row| Some(row.effective));
