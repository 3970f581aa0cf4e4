//! The perimeter of a batch: every company that could be followed, in or out, with the reason.

use std::collections::HashMap;

use domain::records::{CompanyHeadcount, Establishment, FilterEntry, LegalUnit};
use domain::{BatchKey, Month, Siren};
use futures::TryStreamExt;
use lake::tables::{PerimeterRow, Stored, Table};
use lake::{Lake, LakeError, TableRow, as_of};
use panel::perimeter::{Facts, HEADCOUNT, SizeBasis, counts, enough_by_band};

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
    pub basis: SizeBasis,
    /// Companies in.
    pub included: u64,
    /// Companies out, by reason.
    pub excluded: HashMap<String, u64>,
}

type Companies = HashMap<Siren, Facts>;

/// Computes and stores the perimeter from the state of the sources as of the batch. `None` when nothing says how large
/// companies are. Memory: one entry a company.
pub async fn compute(lake: &Lake, batch: BatchKey, profile: Profile) -> Result<Option<Summary>, LakeError> {
    let Some((basis, mut companies)) = sized(lake, batch, profile).await? else { return Ok(None) };
    each(&lake.table::<Stored<LegalUnit>>(), batch, |row| {
        if let Some(facts) = companies.get_mut(&row.siren()) {
            facts.legal_unit(&row.row);
        }
    })
    .await?;
    each(&lake.table::<Stored<Establishment>>(), batch, |row| {
        if let Some(facts) = companies.get_mut(&row.siren()) {
            facts.establishment(&row.row);
        }
    })
    .await?;
    store(lake, batch, basis, companies).await.map(Some)
}

/// The companies whose size is known, and what says it. A filter counts for its own batch only (`domain/ingestion.md` §1.14).
async fn sized(lake: &Lake, batch: BatchKey, profile: Profile) -> Result<Option<(SizeBasis, Companies)>, LakeError> {
    let filter = lake.table::<Stored<FilterEntry>>();
    if filter.batches().await?.contains(&batch) {
        let mut companies = Companies::new();
        each(&filter, batch, |row| {
            companies.insert(row.siren(), Facts::new(true));
        })
        .await?;
        return Ok(Some((SizeBasis::Filter, companies)));
    }
    match profile {
        Profile::Full => Ok(by_headcount(lake, batch).await?.map(|companies| (SizeBasis::Headcount, companies))),
        Profile::OpenData => {
            let mut companies = Companies::new();
            let units = lake.table::<Stored<LegalUnit>>();
            // Employers only: a company without a band is no reason to keep an entry.
            each(&units, batch, |row| {
                if row.row.headcount_band.is_some() {
                    companies.insert(row.siren(), Facts::new(enough_by_band(&row.row)));
                }
            })
            .await?;
            Ok((!companies.is_empty()).then_some((SizeBasis::HeadcountBands, companies)))
        }
    }
}

async fn by_headcount(lake: &Lake, batch: BatchKey) -> Result<Option<Companies>, LakeError> {
    let headcounts = lake.table::<Stored<CompanyHeadcount>>();
    let mut last: Option<Month> = None;
    let mut reached: HashMap<Siren, Vec<Month>> = HashMap::new();
    let found = each(&headcounts, batch, |Stored { row, .. }| {
        last = last.max(Some(row.month));
        let months = reached.entry(row.siren).or_default();
        if row.headcount >= HEADCOUNT {
            months.push(row.month);
        }
    })
    .await?;
    let enough = |months: &[Month]| last.is_some_and(|last| months.iter().any(|month| counts(*month, last)));
    Ok(found.then(|| reached.into_iter().map(|(siren, months)| (siren, Facts::new(enough(&months)))).collect()))
}

/// Calls `take` with each row of a table as of a batch; `false` when there is none.
async fn each<R: TableRow>(table: &Table<R>, batch: BatchKey, mut take: impl FnMut(R)) -> Result<bool, LakeError> {
    let Some(partition) = as_of(&table.batches().await?, batch) else { return Ok(false) };
    let mut scan = table.scan(partition, None).await?;
    while let Some(rows) = scan.try_next().await? {
        rows.into_iter().for_each(&mut take);
    }
    Ok(true)
}

async fn store(lake: &Lake, batch: BatchKey, basis: SizeBasis, companies: Companies) -> Result<Summary, LakeError> {
    let mut summary = Summary { basis, included: 0, excluded: HashMap::new() };
    let row = |(siren, facts): (Siren, Facts)| {
        let exclusion = facts.exclusion();
        let reason = exclusion.map(|why| why.code().to_owned()).unwrap_or_default();
        PerimeterRow { siren, included: exclusion.is_none(), reason, basis: basis.code().to_owned() }
    };
    let mut rows: Vec<PerimeterRow> = companies.into_iter().map(row).collect();
    rows.sort_unstable_by_key(|row| row.siren);
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
