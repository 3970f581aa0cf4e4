//! The rows of one company.

use domain::records::{
    Accounts, BankRatios, CcsfDecision, CompanyAccounts, CompanyHeadcount, Contribution, Debit, Establishment, EstablishmentState,
    Headcount, LegalUnit, PaymentDelay, PaymentPlan, ProcolEvent, Record, ShortTimeConsumption, ShortTimeRequest,
};
use domain::time_rules::TimeRules;
use domain::{NaiveDate, Siren};

/// Everything known of a company, in any order.
#[derive(Debug, Clone, PartialEq)]
pub struct CompanyRows {
    /// The company.
    pub siren: Siren,
    /// `sirene_ul`.
    pub legal_unit: Option<LegalUnit>,
    /// `sirene`.
    pub establishments: Vec<Establishment>,
    /// `sirene_histo`.
    pub states: Vec<EstablishmentState>,
    /// `effectif`.
    pub headcounts: Vec<Headcount>,
    /// `effectif_ent`.
    pub company_headcounts: Vec<CompanyHeadcount>,
    /// `cotisation`.
    pub contributions: Vec<Contribution>,
    /// `debit`.
    pub debits: Vec<Debit>,
    /// `delai`.
    pub plans: Vec<PaymentPlan>,
    /// `ccsf`.
    pub ccsf: Vec<CcsfDecision>,
    /// `procol`.
    pub proceedings: Vec<ProcolEvent>,
    /// `apconso`.
    pub consumptions: Vec<ShortTimeConsumption>,
    /// `apdemande`.
    pub requests: Vec<ShortTimeRequest>,
    /// `paydex`.
    pub payment_delays: Vec<PaymentDelay>,
    /// `ratios_inpi_bce`.
    pub accounts: Vec<Accounts>,
    /// `diane`.
    pub company_accounts: Vec<CompanyAccounts>,
    /// `bdf`.
    pub bank_ratios: Vec<BankRatios>,
}

impl CompanyRows {
    /// A company that nothing is known of.
    pub fn empty(siren: Siren) -> Self {
        Self {
            siren,
            legal_unit: None,
            establishments: vec![],
            states: vec![],
            headcounts: vec![],
            company_headcounts: vec![],
            contributions: vec![],
            debits: vec![],
            plans: vec![],
            ccsf: vec![],
            proceedings: vec![],
            consumptions: vec![],
            requests: vec![],
            payment_delays: vec![],
            accounts: vec![],
            company_accounts: vec![],
            bank_ratios: vec![],
        }
    }

    /// The rows known by a day, for the leak test. The legal unit and the establishments are snapshots of identity, of which
    /// the panel reads what does not change; they stay.
    #[must_use]
    pub fn known_by(&self, day: NaiveDate, rules: &TimeRules) -> Self {
        fn keep<R: Record>(rows: &[R], day: NaiveDate, rules: &TimeRules) -> Vec<R> {
            rows.iter().filter(|row| row.known_at(rules) <= day).cloned().collect()
        }
        Self {
            siren: self.siren,
            legal_unit: self.legal_unit.clone(),
            establishments: keep(&self.establishments, day, rules),
            states: keep(&self.states, day, rules),
            headcounts: keep(&self.headcounts, day, rules),
            company_headcounts: keep(&self.company_headcounts, day, rules),
            contributions: keep(&self.contributions, day, rules),
            debits: keep(&self.debits, day, rules),
            plans: keep(&self.plans, day, rules),
            ccsf: keep(&self.ccsf, day, rules),
            proceedings: keep(&self.proceedings, day, rules),
            consumptions: keep(&self.consumptions, day, rules),
            requests: keep(&self.requests, day, rules),
            payment_delays: keep(&self.payment_delays, day, rules),
            accounts: keep(&self.accounts, day, rules),
            company_accounts: keep(&self.company_accounts, day, rules),
            bank_ratios: keep(&self.bank_ratios, day, rules),
        }
    }
}
