//! From the tables to the rows of each company: a merge of fifteen scans, all sorted by SIREN.

use std::collections::BTreeMap;
use std::iter::Peekable;
use std::ops::RangeInclusive;
use std::vec::IntoIter;

use domain::records::{
    Accounts, CcsfDecision, CompanyHeadcount, Contribution, Debit, Establishment, EstablishmentState, Headcount, LegalUnit, Notice,
    PaymentDelay, PaymentPlan, ProcolEvent, Record, ShortTimeConsumption, ShortTimeRequest,
};
use domain::{BatchKey, Siren, Source, bodacc};
use futures::TryStreamExt;
use lake::tables::{Partition, Stored};
use lake::{Lake, TableRow};
use panel::CompanyRows;

use crate::error::FeatureError;

/// The state of every source as of a batch, opened once: later commits do not change what a build reads. A source that was
/// never delivered has no rows.
pub struct Tables {
    batches: BTreeMap<Source, BatchKey>,
    units: Opened<LegalUnit>,
    establishments: Opened<Establishment>,
    states: Opened<EstablishmentState>,
    headcounts: Opened<Headcount>,
    company_headcounts: Opened<CompanyHeadcount>,
    contributions: Opened<Contribution>,
    debits: Opened<Debit>,
    plans: Opened<PaymentPlan>,
    ccsf: Opened<CcsfDecision>,
    proceedings: Opened<ProcolEvent>,
    notices: Opened<Notice>,
    consumptions: Opened<ShortTimeConsumption>,
    requests: Opened<ShortTimeRequest>,
    payment_delays: Opened<PaymentDelay>,
    accounts: Opened<Accounts>,
}

type Opened<R> = Option<Partition<Stored<R>>>;

impl Tables {
    /// Opens the latest partition of each source that is not after `batch`.
    pub async fn as_of(lake: &Lake, batch: BatchKey) -> Result<Self, FeatureError> {
        let mut batches = BTreeMap::new();
        Ok(Self {
            units: open(lake, batch, &mut batches).await?,
            establishments: open(lake, batch, &mut batches).await?,
            states: open(lake, batch, &mut batches).await?,
            headcounts: open(lake, batch, &mut batches).await?,
            company_headcounts: open(lake, batch, &mut batches).await?,
            contributions: open(lake, batch, &mut batches).await?,
            debits: open(lake, batch, &mut batches).await?,
            plans: open(lake, batch, &mut batches).await?,
            ccsf: open(lake, batch, &mut batches).await?,
            proceedings: open(lake, batch, &mut batches).await?,
            notices: open(lake, batch, &mut batches).await?,
            consumptions: open(lake, batch, &mut batches).await?,
            requests: open(lake, batch, &mut batches).await?,
            payment_delays: open(lake, batch, &mut batches).await?,
            accounts: open(lake, batch, &mut batches).await?,
            batches,
        })
    }

    /// The batch that the rows of a source come from.
    pub fn batch_of(&self, source: Source) -> Option<BatchKey> {
        self.batches.get(&source).copied()
    }

    /// Headcounts by company; `None` when none was ever delivered.
    pub fn company_headcounts(&self) -> Option<&Partition<Stored<CompanyHeadcount>>> {
        self.company_headcounts.as_ref()
    }
}

async fn open<R: Record>(lake: &Lake, batch: BatchKey, batches: &mut BTreeMap<Source, BatchKey>) -> Result<Opened<R>, FeatureError>
where
    Stored<R>: TableRow,
{
    let table = lake.table::<Stored<R>>();
    let Some(found) = lake::as_of(&table.batches().await?, batch) else { return Ok(None) };
    batches.insert(R::SOURCE, found);
    Ok(Some(table.partition(found).await?))
}

/// The rows of these companies, in the order given, which must be that of the SIRENs. Memory: those rows.
pub async fn load(tables: &Tables, sirens: &[Siren]) -> Result<Vec<CompanyRows>, FeatureError> {
    let (Some(&first), Some(&last)) = (sirens.first(), sirens.last()) else { return Ok(Vec::new()) };
    let range = first..=last;
    macro_rules! read {
        ($table:ident) => {
            rows(tables.$table.as_ref(), range.clone())
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
            proceedings: if tables.proceedings.is_some() { proceedings.take(siren) } else { bodacc::events(&notices.take(siren)) },
            consumptions: consumptions.take(siren),
            requests: requests.take(siren),
            payment_delays: payment_delays.take(siren),
            accounts: accounts.take(siren),
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

async fn rows<R: Record>(table: Option<&Partition<Stored<R>>>, range: RangeInclusive<Siren>) -> Result<Sorted<R>, FeatureError>
where
    Stored<R>: TableRow,
{
    let mut all: Vec<R> = Vec::new();
    if let Some(partition) = table {
        let mut scan = partition.scan(Some(range))?;
        while let Some(chunk) = scan.try_next().await? {
            all.extend(chunk.into_iter().map(|stored| stored.row));
        }
    }
    // A partition may be several sorted runs; a stable sort keeps the order of the files within a company.
    all.sort_by_key(Record::siren);
    Ok(Sorted(all.into_iter().peekable()))
}
