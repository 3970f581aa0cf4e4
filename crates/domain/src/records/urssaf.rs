//! Rows of Urssaf's files (`domain/ingestion.md` §1.4 to §1.11).

use chrono::NaiveDate;

use super::Text;
use crate::time_rules::ALWAYS_KNOWN;
use crate::urssaf::accounting_month;
use crate::{Cents, Month, ProcolAction, ProcolStage, Siren, Siret, UrssafPeriod};

/// `admin_urssaf`: an Urssaf account and the establishment that it belongs to until a day. Files before December 2025 name
/// accounts only (`domain/ingestion.md` §1.4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountLink {
    /// Urssaf account.
    pub account: Text,
    /// Establishment.
    pub siret: Siret,
    /// First day on which the account is no longer the establishment's; `None` while it is.
    pub closed_on: Option<NaiveDate>,
}
record!(AccountLink, AdminUrssaf, |row| row.siret.siren(), (Text, Siret): |row| (row.account.clone(), row.siret), |_, _| ALWAYS_KNOWN, |row| row.closed_on);

/// `effectif`: employees of an establishment and Urssaf account at the end of a month.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Headcount {
    /// Establishment.
    pub siret: Siret,
    /// Urssaf account; an establishment may have several, whose headcounts add up.
    pub account: Text,
    /// Month.
    pub month: Month,
    /// Employees.
    pub headcount: u32,
}
record!(Headcount, Effectif, |row| row.siret.siren(), (Siret, Text, Month): |row| (row.siret, row.account.clone(), row.month), |row, rules| rules.headcount(row.month), |row| Some(row.month.first_day()));

/// `effectif_ent`: employees of a company at the end of a month.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompanyHeadcount {
    /// Company.
    pub siren: Siren,
    /// Month.
    pub month: Month,
    /// Employees.
    pub headcount: u32,
}
record!(CompanyHeadcount, EffectifEnt, |row| row.siren, (Siren, Month): |row| (row.siren, row.month), |row, rules| rules.headcount(row.month), |row| Some(row.month.first_day()));

/// `cotisation`: contributions due for a period.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Contribution {
    /// Establishment.
    pub siret: Siret,
    /// Urssaf account.
    pub account: Text,
    /// Months that the contributions are about.
    pub period: UrssafPeriod,
    /// Directly cashed (encaissé).
    pub paid: Option<Cents>,
    /// Due, possibly negative.
    pub due: Cents,
}
record!(
    Contribution,
    Cotisation,
    |row| row.siret.siren(), (Siret, Text, UrssafPeriod): |row| (row.siret, row.account.clone(), row.period),
    |row, rules| rules.contribution(row.period),
    |row| Some(row.period.start().first_day()),
    |row| Some(row.due)
);

/// `debit`: a state of a debt (écart négatif). The amounts are the *balance* after the operation, not an increment.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Debit {
    /// Establishment.
    pub siret: Siret,
    /// Urssaf account.
    pub account: Text,
    /// Months of the contributions owed.
    pub period: UrssafPeriod,
    /// Order number of the debt in its period (écart négatif).
    pub gap_number: Text,
    /// Order number of the operation inside the debt.
    pub history_number: i32,
    /// Day of the operation (date de traitement).
    pub treated_on: NaiveDate,
    /// Employees' part still owed (part ouvrière).
    pub employee_part: Cents,
    /// Employer's part still owed (part patronale).
    pub employer_part: Cents,
    /// State of the account *at delivery*: never a feature of a past month (`design.md` §3).
    pub account_state: Option<i32>,
    /// Proceeding of the account *at delivery*: never a feature of a past month.
    pub procol_code: Text,
    /// Kind of operation: 1 put in recovery, 2 payment, 3 non-value, 4 remission, 5 write-off, 11 to 15 cancellations.
    pub operation_code: Text,
    /// Why the debt arose, 0 to 27.
    pub reason_code: Text,
    /// Whether an appeal is pending.
    pub appeal: bool,
}
record!(Debit, Debit, |row| row.siret.siren(), (Siret, Text, UrssafPeriod, Text, i32): |row| (row.siret, row.account.clone(), row.period, row.gap_number.clone(), row.history_number), |row, _| row.accounting_month().first_day(), |row| Some(row.treated_on), |row| Some(
    row.employee_part + row.employer_part
));

impl Debit {
    /// Month in which the operation is taken into account.
    pub fn accounting_month(&self) -> Month {
        accounting_month(self.treated_on)
    }
}

/// `delai`: a payment plan granted by Urssaf.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PaymentPlan {
    /// Establishment.
    pub siret: Siret,
    /// Urssaf account.
    pub account: Text,
    /// File number of the litigation department.
    pub case_number: Text,
    /// First day.
    pub created: NaiveDate,
    /// Last due date.
    pub due: NaiveDate,
    /// Duration in days, when the file gives a number.
    pub duration_days: Option<i32>,
    /// Name of the debtor.
    pub debtor: Text,
    /// `INF` or `SUP` six months.
    pub six_months: Text,
    /// Year of creation.
    pub year: Option<i32>,
    /// Amount of the plan.
    pub amount: Cents,
    /// Stage (APPROB, …).
    pub stage: Text,
    /// Action (SUR PO, …).
    pub action: Text,
}
record!(PaymentPlan, Delai, |row| row.siret.siren(), (Siret, Text, Text): |row| (row.siret, row.account.clone(), row.case_number.clone()), |row, _| row.created, |row| Some(row.created), |row| Some(row.amount));

/// `ccsf`: a decision of a commission of financial department heads.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct CcsfDecision {
    /// Establishment.
    pub siret: Siret,
    /// Urssaf account.
    pub account: Text,
    /// Day of the decision.
    pub treated_on: NaiveDate,
    /// DEBUT, REFUS, APPROB, FIN or REJ.
    pub stage: Text,
    /// Always CCSF.
    pub action: Text,
}
record!(CcsfDecision, Ccsf, |row| row.siret.siren(), (Siret, Text, NaiveDate): |row| (row.siret, row.account.clone(), row.treated_on), |row, _| row.treated_on, |row| Some(row.treated_on));

/// `procol`: an event of a collective proceeding.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ProcolEvent {
    /// Company.
    pub siren: Siren,
    /// Establishment named by the event; the proceeding is the company's.
    pub siret: Option<Siret>,
    /// Day of effect.
    pub effective: NaiveDate,
    /// Which proceeding; `None` when the label names none.
    pub action: Option<ProcolAction>,
    /// Stage announced.
    pub stage: ProcolStage,
    /// The label as delivered, for what the two fields above do not say.
    pub label: Text,
}
record!(ProcolEvent, Procol, |row| row.siren, (Siren, NaiveDate, Text): |row| (row.siren, row.effective, row.label.clone()), |row, _| row.effective, |row| Some(row.effective));
