//! From the tables to the rows of each company: a merge of seventeen scans.

use std::iter::Peekable;
use std::ops::RangeInclusive;
use std::vec::IntoIter;

use domain::records::{
    Accounts, BankRatios, CcsfDecision, CompanyAccounts, CompanyHeadcount, Contribution, Debit, Establishment, EstablishmentState,
    Headcount, LegalUnit, Notice, PaymentDelay, PaymentPlan, ProcolEvent, Record, ShortTimeConsumption, ShortTimeRequest,
};
use domain::{BatchKey, Siren, bodacc};
use lake::tables::{State, Stored};
use lake::{Columnar, Lake};
use panel::CompanyRows;

use crate::error::FeatureError;

/// The state of every source as of a batch, opened once: later commits do not change what a build reads. A source that was
/// never delivered has no rows.
pub struct Tables {
    pub(crate) units: State<LegalUnit>,
    pub(crate) establishments: State<Establishment>,
    states: State<EstablishmentState>,
    headcounts: State<Headcount>,
    pub(crate) company_headcounts: State<CompanyHeadcount>,
    contributions: State<Contribution>,
    debits: State<Debit>,
    plans: State<PaymentPlan>,
    ccsf: State<CcsfDecision>,
    pub(crate) proceedings: State<ProcolEvent>,
    pub(crate) notices: State<Notice>,
    consumptions: State<ShortTimeConsumption>,
    requests: State<ShortTimeRequest>,
    payment_delays: State<PaymentDelay>,
    accounts: State<Accounts>,
    company_accounts: State<CompanyAccounts>,
    bank_ratios: State<BankRatios>,
}

impl Tables {
    /// Opens the state of each source as of `batch`.
    pub async fn as_of(lake: &Lake, batch: BatchKey) -> Result<Self, FeatureError> {
        Ok(Self {
            units: open(lake, batch).await?,
            establishments: open(lake, batch).await?,
            states: open(lake, batch).await?,
            headcounts: open(lake, batch).await?,
            company_headcounts: open(lake, batch).await?,
            contributions: open(lake, batch).await?,
            debits: open(lake, batch).await?,
            plans: open(lake, batch).await?,
            ccsf: open(lake, batch).await?,
            proceedings: open(lake, batch).await?,
            notices: open(lake, batch).await?,
            consumptions: open(lake, batch).await?,
            requests: open(lake, batch).await?,
            payment_delays: open(lake, batch).await?,
            accounts: open(lake, batch).await?,
            company_accounts: open(lake, batch).await?,
            bank_ratios: open(lake, batch).await?,
        })
    }
}

async fn open<R: Record + Columnar>(lake: &Lake, batch: BatchKey) -> Result<State<R>, FeatureError> {
    Ok(lake.table::<Stored<R>>().state(batch).await?)
}

/// The rows of these companies, in the order given, which must be that of the SIRENs. Memory: those rows.
pub async fn load(tables: &Tables, sirens: &[Siren]) -> Result<Vec<CompanyRows>, FeatureError> {
    let (Some(&first), Some(&last)) = (sirens.first(), sirens.last()) else { return Ok(Vec::new()) };
    let range = first..=last;
    macro_rules! read {
        ($table:ident) => {
            sorted(&tables.$table, range.clone())
        };
    }
    let (mut units, mut establishments, mut states, mut headcounts, mut company_headcounts, mut contributions, mut debits) = futures::try_join!(
        read!(units),
        read!(establishments),
        read!(states),
        read!(headcounts),
        read!(company_headcounts),
        read!(contributions),
        read!(debits),
    )?;
    let (mut plans, mut ccsf, mut proceedings, mut notices, mut consumptions, mut requests, mut payment_delays, mut accounts) = futures::try_join!(
        read!(plans),
        read!(ccsf),
        read!(proceedings),
        read!(notices),
        read!(consumptions),
        read!(requests),
        read!(payment_delays),
        read!(accounts),
    )?;
    let (mut company_accounts, mut bank_ratios) = futures::try_join!(read!(company_accounts), read!(bank_ratios))?;
    Ok(sirens
        .iter()
        .map(|&siren| CompanyRows {
            siren,
            legal_unit: units.take(siren).pop(),
            establishments: establishments.take(siren),
            states: states.take(siren),
            headcounts: headcounts.take(siren),
            company_headcounts: company_headcounts.take(siren),
            contributions: contributions.take(siren),
            debits: debits.take(siren),
            plans: plans.take(siren),
            ccsf: ccsf.take(siren),
            // What Urssaf delivers is complete; the bulletin stands in where there is none of it.
            proceedings: if tables.proceedings.is_empty() { bodacc::events(&notices.take(siren)) } else { proceedings.take(siren) },
            consumptions: consumptions.take(siren),
            requests: requests.take(siren),
            payment_delays: payment_delays.take(siren),
            accounts: accounts.take(siren),
            company_accounts: company_accounts.take(siren),
            bank_ratios: bank_ratios.take(siren),
        })
        .collect())
}

/// Rows sorted by SIREN, taken company by company.
struct Sorted<R>(Peekable<IntoIter<R>>);

impl<R: Record> Sorted<R> {
    /// The rows of a company; those of smaller SIRENs, which nobody asked for, are left behind.
    fn take(&mut self, siren: Siren) -> Vec<R> {
        while self.0.next_if(|row| row.siren() < siren).is_some() {}
        std::iter::from_fn(|| self.0.next_if(|row| row.siren() == siren)).collect()
    }
}

async fn sorted<R: Record + Columnar>(state: &State<R>, range: RangeInclusive<Siren>) -> Result<Sorted<R>, FeatureError> {
    let mut rows = state.rows(Some(range)).await?;
    // A state may be several sorted runs; a stable sort keeps the order of the files within a company.
    rows.sort_by_key(Record::siren);
    Ok(Sorted(rows.into_iter().peekable()))
}
