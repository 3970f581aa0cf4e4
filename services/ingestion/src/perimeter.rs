//! The perimeter of a batch: every company that could be followed, in or out, with the reason.

use std::collections::HashMap;

use domain::records::{CompanyHeadcount, Establishment, FilterEntry, LegalUnit};
use domain::{BatchKey, Month, Siren};
use futures::TryStreamExt;
use lake::tables::{PerimeterRow, Stored};
use lake::{Lake, LakeError};
use panel::perimeter::{Facts, Size, SizeBasis, SizeRule};

use crate::error::IngestError;

/// Which files a delivery is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// Those of the administrations, Urssaf's headcounts among them.
    Full,
    /// Public files only.
    OpenData,
}

impl Profile {
    /// The profile of this name; empty is the full one.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "" => Some(Self::Full),
            "open-data" => Some(Self::OpenData),
            _ => None,
        }
    }
}

/// How many companies are in, and why the others are out.
pub struct Summary {
    /// What it was made from.
    pub size: Size,
    /// Companies in.
    pub included: u64,
    /// Companies out, by reason.
    pub excluded: HashMap<String, u64>,
}

type Companies = HashMap<Siren, Facts>;

/// Computes and stores the perimeter of a batch. `None` when nothing says how large companies are, or what they are: without
/// SIRENE, its exclusions would be forgotten quietly (`domain/ingestion.md` §2.2).
///
/// A batch that completes another has its perimeter (`domain/ingestion.md` §2.1); the others have one of their own, from the
/// state of the sources as of the batch. Memory: one entry a company.
pub async fn compute(lake: &Lake, batch: BatchKey, profile: Profile, rule: SizeRule) -> Result<Option<Summary>, IngestError> {
    if let Some(parent) = batch.parent() {
        return inherit(lake, batch, parent).await.map(Some);
    }
    let units = lake.table::<Stored<LegalUnit>>().state(batch).await?;
    let establishments = lake.table::<Stored<Establishment>>().state(batch).await?;
    if units.is_empty() || establishments.is_empty() {
        return Ok(None);
    }
    let Some((basis, mut companies)) = sized(lake, batch, profile, rule).await? else { return Ok(None) };
    let unit = |row: LegalUnit| {
        if let Some(facts) = companies.get_mut(&row.siren) {
            facts.legal_unit(&row);
        }
    };
    units.each(unit).await?;
    let establishment = |row: Establishment| {
        if let Some(facts) = companies.get_mut(&row.siret.siren()) {
            facts.establishment(&row);
        }
    };
    establishments.each(establishment).await?;

    let row = |(siren, facts): (Siren, Facts)| {
        let exclusion = facts.exclusion();
        let reason = exclusion.map(|why| why.code().to_owned()).unwrap_or_default();
        let (headcount, months) = (rule.headcount, rule.months);
        PerimeterRow { siren, included: exclusion.is_none(), reason, basis: basis.code().to_owned(), headcount, months }
    };
    let mut rows: Vec<PerimeterRow> = companies.into_iter().map(row).collect();
    rows.sort_unstable_by_key(|row| row.siren);
    store(lake, batch, Size { basis, rule }, rows).await.map(Some)
}

/// Gives a batch the perimeter of the one that it completes.
async fn inherit(lake: &Lake, batch: BatchKey, parent: BatchKey) -> Result<Summary, IngestError> {
    let rows: Vec<PerimeterRow> = lake.table::<PerimeterRow>().scan(parent, None).await?.try_concat().await?;
    let first = rows.first().ok_or(IngestError::NoParent { batch, parent })?;
    let basis = SizeBasis::from_code(&first.basis);
    let basis = basis.ok_or_else(|| IngestError::Internal(format!("the perimeter of {parent} has the unknown basis '{}'", first.basis)))?;
    let rule = SizeRule { headcount: first.headcount, months: first.months };
    store(lake, batch, Size { basis, rule }, rows).await
}

/// The companies whose size is known, and what says it. A filter counts for its own batch only (`domain/ingestion.md` §1.14).
async fn sized(lake: &Lake, batch: BatchKey, profile: Profile, rule: SizeRule) -> Result<Option<(SizeBasis, Companies)>, LakeError> {
    let filter = lake.table::<Stored<FilterEntry>>();
    if filter.batches().await?.contains(&batch) {
        let mut companies = Companies::new();
        let followed = |row: FilterEntry| {
            companies.insert(row.siren, Facts::new(true));
        };
        filter.state(batch).await?.each(followed).await?;
        return Ok(Some((SizeBasis::Filter, companies)));
    }
    match profile {
        Profile::Full => Ok(by_headcount(lake, batch, rule).await?.map(|companies| (SizeBasis::Headcount, companies))),
        Profile::OpenData => {
            let mut companies = Companies::new();
            // Employers only: a company without a band is no reason to keep an entry.
            let employer = |row: LegalUnit| {
                if row.headcount_band.is_some() {
                    companies.insert(row.siren, Facts::new(rule.enough_by_band(&row)));
                }
            };
            lake.table::<Stored<LegalUnit>>().state(batch).await?.each(employer).await?;
            Ok((!companies.is_empty()).then_some((SizeBasis::HeadcountBands, companies)))
        }
    }
}

async fn by_headcount(lake: &Lake, batch: BatchKey, rule: SizeRule) -> Result<Option<Companies>, LakeError> {
    let headcounts = lake.table::<Stored<CompanyHeadcount>>().state(batch).await?;
    if headcounts.is_empty() {
        return Ok(None);
    }
    let mut last: Option<Month> = None;
    // The last month in which each company was large enough: if that one is too long ago, so are the others.
    let mut reached: HashMap<Siren, Option<Month>> = HashMap::new();
    let headcount = |row: CompanyHeadcount| {
        last = last.max(Some(row.month));
        let latest = reached.entry(row.siren).or_default();
        if row.headcount >= rule.headcount {
            *latest = (*latest).max(Some(row.month));
        }
    };
    headcounts.each(headcount).await?;
    let enough = |month: Option<Month>| month.zip(last).is_some_and(|(month, last)| rule.counts(month, last));
    Ok(Some(reached.into_iter().map(|(siren, latest)| (siren, Facts::new(enough(latest)))).collect()))
}

async fn store(lake: &Lake, batch: BatchKey, size: Size, rows: Vec<PerimeterRow>) -> Result<Summary, IngestError> {
    let mut summary = Summary { size, included: 0, excluded: HashMap::new() };
    for row in &rows {
        if row.included {
            summary.included += 1;
        } else {
            *summary.excluded.entry(row.reason.clone()).or_default() += 1;
        }
    }
    let mut writer = lake.table::<PerimeterRow>().writer(batch);
    writer.write(rows).await?;
    writer.commit().await?;
    Ok(summary)
}
