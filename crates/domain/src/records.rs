//! The typed rows of the sources: what a parser makes, what a Delta table stores, what the panel reads.
//!
//! One struct a source, in the order of `domain/ingestion.md` §1. Amounts are [`Cents`]; `None` means that the file left
//! the field empty. [`Record::known_at`] is the day from which a row may be used.

use chrono::NaiveDate;
use compact_str::CompactString;

use crate::time_rules::{ALWAYS_KNOWN, TimeRules};
use crate::urssaf::accounting_month;
use crate::{
    Cents, Department, HeadcountBand, LegalCategory, Month, NafCode, ProcolAction, ProcolStage, Siren, Siret, Source, UrssafPeriod,
};

/// A text of a row. Up to 24 bytes, which most have, it is held in place: reading a row allocates nothing.
pub type Text = CompactString;

/// A typed row of a source.
pub trait Record: Clone + std::fmt::Debug + PartialEq + Send + 'static {
    /// Where the row comes from.
    const SOURCE: Source;

    /// The company that the row is about.
    fn siren(&self) -> Siren;

    /// The day from which the row is known (`design.md` §3).
    fn known_at(&self, rules: &TimeRules) -> NaiveDate;

    /// The day that the row is about, for reports; `None` when it is about none.
    fn day(&self) -> Option<NaiveDate>;

    /// The amount that the row is about, for reports.
    fn amount(&self) -> Option<Cents> {
        None
    }
}

macro_rules! record {
    ($type:ident, $source:ident, $siren:expr, $known_at:expr, $day:expr $(, $amount:expr)?) => {
        impl Record for $type {
            const SOURCE: Source = Source::$source;
            fn siren(&self) -> Siren {
                let siren: fn(&Self) -> Siren = $siren;
                siren(self)
            }
            fn known_at(&self, rules: &TimeRules) -> NaiveDate {
                let known_at: fn(&Self, &TimeRules) -> NaiveDate = $known_at;
                known_at(self, rules)
            }
            fn day(&self) -> Option<NaiveDate> {
                let day: fn(&Self) -> Option<NaiveDate> = $day;
                day(self)
            }
            $(fn amount(&self) -> Option<Cents> {
                let amount: fn(&Self) -> Option<Cents> = $amount;
                amount(self)
            })?
        }
    };
}

mod past;

pub use past::{BankRatios, CompanyAccounts, GroupLink};

/// `sirene`: an establishment as INSEE describes it today. Texts are empty when INSEE gives none.
#[derive(Debug, Clone, PartialEq)]
pub struct Establishment {
    /// Identifier.
    pub siret: Siret,
    /// Whether it is the head office (siège).
    pub head_office: bool,
    /// Administrative state: open, not closed.
    pub active: bool,
    /// Day of creation.
    pub created: Option<NaiveDate>,
    /// Headcount band of INSEE.
    pub headcount_band: Option<HeadcountBand>,
    /// Main activity with its nomenclature.
    pub naf: Option<NafCode>,
    /// Whether INSEE gives an activity in another nomenclature than NAF rev. 2 (the existing system drops such rows).
    pub naf_not_rev2: bool,
    /// INSEE code of the commune, five characters; empty abroad and for protected units.
    pub commune_code: Text,
    /// Department of the commune.
    pub department: Option<Department>,
    /// Complement of the address.
    pub address_complement: Text,
    /// Number in the street.
    pub street_number: Text,
    /// BIS, TER, QUATER, QUINQUIES or empty.
    pub repetition: Text,
    /// Kind of street in full, for example AVENUE.
    pub street_type: Text,
    /// Name of the street.
    pub street: Text,
    /// Special distribution (BP, CS…).
    pub special_distribution: Text,
    /// Postal code, five digits or empty.
    pub postal_code: Text,
    /// Name of the commune.
    pub commune: Text,
    /// Commune abroad.
    pub foreign_commune: Text,
    /// CEDEX code.
    pub cedex_code: Text,
    /// CEDEX label.
    pub cedex: Text,
    /// Country code abroad.
    pub foreign_country_code: Text,
    /// Country abroad.
    pub foreign_country: Text,
    /// Degrees east.
    pub longitude: Option<f64>,
    /// Degrees north.
    pub latitude: Option<f64>,
}
record!(Establishment, Sirene, |row| row.siret.siren(), |row, _| row.created.unwrap_or(ALWAYS_KNOWN), |row| row.created);

/// `sirene_ul`: a legal unit as INSEE describes it today.
#[derive(Debug, Clone, PartialEq)]
pub struct LegalUnit {
    /// Identifier.
    pub siren: Siren,
    /// Company name, empty for a natural person.
    pub name: Text,
    /// First names of a natural person, separated by spaces.
    pub first_names: Text,
    /// Birth name of a natural person.
    pub last_name: Text,
    /// Name in use of a natural person.
    pub usual_name: Text,
    /// Legal category.
    pub legal_category: Option<LegalCategory>,
    /// Main activity with its nomenclature.
    pub naf: Option<NafCode>,
    /// Main activity in NAF 2025, when INSEE gives it.
    pub naf2025: Option<NafCode>,
    /// Headcount band of INSEE.
    pub headcount_band: Option<HeadcountBand>,
    /// Day of creation.
    pub created: Option<NaiveDate>,
    /// Administrative state: active, not ceased.
    pub active: bool,
}
record!(LegalUnit, SireneUl, |row| row.siren, |row, _| row.created.unwrap_or(ALWAYS_KNOWN), |row| row.created);

impl LegalUnit {
    /// Name for agents: the company name, or for a natural person `NOM [USAGE ]PRENOMS EI` (`domain/ingestion.md` §1.2).
    pub fn display_name(&self) -> String {
        if !self.name.is_empty() {
            return self.name.to_string();
        }
        let parts = [&self.last_name, &self.usual_name, &self.first_names];
        let person = parts.iter().filter(|part| !part.is_empty()).map(|part| part.as_str()).collect::<Vec<_>>().join(" ");
        if person.is_empty() { person } else { person + " EI" }
    }
}

/// `sirene_histo`: a state of an establishment from a day on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EstablishmentState {
    /// Establishment.
    pub siret: Siret,
    /// First day of the state; `None` for the first state known.
    pub start: Option<NaiveDate>,
    /// Last day of the state. Known only when the next one begins: features never read it.
    pub end: Option<NaiveDate>,
    /// Open, not closed.
    pub active: bool,
    /// Whether this state differs from the one before in being open or closed.
    pub changed: bool,
}
record!(EstablishmentState, SireneHisto, |row| row.siret.siren(), |row, _| row.start.unwrap_or(ALWAYS_KNOWN), |row| row.start);

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
record!(Headcount, Effectif, |row| row.siret.siren(), |row, rules| rules.headcount(row.month), |row| Some(row.month.first_day()));

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
record!(CompanyHeadcount, EffectifEnt, |row| row.siren, |row, rules| rules.headcount(row.month), |row| Some(row.month.first_day()));

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
    |row| row.siret.siren(),
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
record!(Debit, Debit, |row| row.siret.siren(), |row, _| row.accounting_month().first_day(), |row| Some(row.treated_on), |row| Some(
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
record!(PaymentPlan, Delai, |row| row.siret.siren(), |row, _| row.created, |row| Some(row.created), |row| Some(row.amount));

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
record!(CcsfDecision, Ccsf, |row| row.siret.siren(), |row, _| row.treated_on, |row| Some(row.treated_on));

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
record!(ProcolEvent, Procol, |row| row.siren, |row, _| row.effective, |row| Some(row.effective));

/// `apconso`: short-time work consumed by an establishment in a month.
#[derive(Debug, Clone, PartialEq)]
pub struct ShortTimeConsumption {
    /// Request that the hours belong to.
    pub request_id: Text,
    /// Establishment.
    pub siret: Siret,
    /// Date as delivered, usually a first of month.
    pub date: NaiveDate,
    /// Hours not worked.
    pub hours: f64,
    /// Allowance paid.
    pub amount: Option<Cents>,
    /// Employees concerned.
    pub headcount: Option<i32>,
}
record!(
    ShortTimeConsumption,
    Apconso,
    |row| row.siret.siren(),
    |row, rules| rules.short_time_consumption(Month::of(row.date)),
    |row| Some(row.date),
    |row| row.amount
);

/// `apdemande`: a request of short-time work.
#[derive(Debug, Clone, PartialEq)]
pub struct ShortTimeRequest {
    /// Identifier of the request.
    pub request_id: Text,
    /// Establishment.
    pub siret: Siret,
    /// Employees of the company.
    pub company_headcount: Option<i32>,
    /// Employees of the establishment.
    pub headcount: Option<i32>,
    /// Day of the decision.
    pub decided: Option<NaiveDate>,
    /// First day requested.
    pub start: NaiveDate,
    /// Last day requested, included.
    pub end: NaiveDate,
    /// Hours authorised over the whole request.
    pub hours: Option<f64>,
    /// Amount authorised.
    pub amount: Option<Cents>,
    /// Employees authorised.
    pub authorised_headcount: Option<i32>,
    /// 1 economic situation, 2 supply, 3 disaster or weather, 4 transformation, 5 other, 6 and 7 unknown.
    pub reason: Option<u8>,
    /// Perimeter of the request, 1 to 4.
    pub perimeter: Option<i32>,
    /// Hours consumed so far, as of the delivery.
    pub consumed_hours: Option<f64>,
    /// Employees concerned so far, as of the delivery.
    pub consumed_headcount: Option<i32>,
    /// Allowance paid so far, as of the delivery.
    pub consumed_amount: Option<Cents>,
}
record!(ShortTimeRequest, Apdemande, |row| row.siret.siren(), |row, _| row.decided.unwrap_or(row.start), |row| Some(row.start), |row| row
    .amount);

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
record!(PaymentDelay, Paydex, |row| row.siren, |row, rules| rules.payment_delay(row.value_date), |row| Some(row.value_date));

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
record!(Accounts, RatiosInpiBce, |row| row.siren, |row, rules| rules.accounts(row.closed_on), |row| Some(row.closed_on));

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
record!(Notice, Bodacc, |row| row.siren, |row, _| row.published, |row| Some(row.effective));

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
record!(AccountLink, AdminUrssaf, |row| row.siret.siren(), |_, _| ALWAYS_KNOWN, |row| row.closed_on);

/// `filter`: a company of an explicit perimeter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilterEntry {
    /// Company.
    pub siren: Siren,
}
record!(FilterEntry, Filter, |row| row.siren, |_, _| ALWAYS_KNOWN, |_| None);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn natural_persons_are_named_with_their_status() {
        let mut unit = LegalUnit {
            siren: Siren::parse(b"732829320").unwrap(),
            name: Text::default(),
            first_names: "MATHILDE LOUISETTE".into(),
            last_name: "TOTO".into(),
            usual_name: "TITI".into(),
            legal_category: None,
            naf: None,
            naf2025: None,
            headcount_band: None,
            created: None,
            active: true,
        };
        assert_eq!(unit.display_name(), "TOTO TITI MATHILDE LOUISETTE EI");
        unit.name = "ACME".into();
        assert_eq!(unit.display_name(), "ACME");
        assert_eq!(unit.known_at(&TimeRules::default()), ALWAYS_KNOWN);
    }
}
