//! The perimeter of a batch: every company of the headcount file, in or out, with the reason.

use std::collections::HashMap;

use domain::records::{CompanyHeadcount, Establishment, LegalUnit};
use domain::{BatchKey, Month, Siren};
use futures::TryStreamExt;
use lake::tables::{PerimeterRow, Stored, Table};
use lake::{Lake, LakeError, TableRow, as_of};
use panel::perimeter::{Facts, HEADCOUNT, counts};

/// How many companies are in, and why the others are out.
pub struct Summary {
    /// Companies in.
    pub included: u64,
    /// Companies out, by reason.
    pub excluded: HashMap<String, u64>,
}

/// Computes and stores the perimeter from the state of the sources as of the batch. `None` when no headcount was ever
/// delivered. Memory: one entry for each company of the headcount file.
pub async fn compute(lake: &Lake, batch: BatchKey) -> Result<Option<Summary>, LakeError> {
    let headcounts = lake.table::<Stored<CompanyHeadcount>>();
    let Some(partition) = as_of(&headcounts.batches().await?, batch) else { return Ok(None) };
    let mut last: Option<Month> = None;
    let mut reached: HashMap<Siren, Vec<Month>> = HashMap::new();
    let mut scan = headcounts.scan(partition, None).await?;
    while let Some(rows) = scan.try_next().await? {
        for Stored { row, .. } in rows {
            last = last.max(Some(row.month));
            let months = reached.entry(row.siren).or_default();
            if row.headcount >= HEADCOUNT {
                months.push(row.month);
            }
        }
    }
    let enough = |months: &[Month]| last.is_some_and(|last| months.iter().any(|month| counts(*month, last)));
    let mut companies: HashMap<Siren, Facts> = reached.into_iter().map(|(siren, months)| (siren, Facts::new(enough(&months)))).collect();
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
    store(lake, batch, companies).await.map(Some)
}

/// Calls `take` with each row of a table as of a batch.
async fn each<R: TableRow>(table: &Table<R>, batch: BatchKey, mut take: impl FnMut(R)) -> Result<(), LakeError> {
    let Some(partition) = as_of(&table.batches().await?, batch) else { return Ok(()) };
    let mut scan = table.scan(partition, None).await?;
    while let Some(rows) = scan.try_next().await? {
        rows.into_iter().for_each(&mut take);
    }
    Ok(())
}

async fn store(lake: &Lake, batch: BatchKey, companies: HashMap<Siren, Facts>) -> Result<Summary, LakeError> {
    let mut summary = Summary { included: 0, excluded: HashMap::new() };
    let row = |(siren, facts): (Siren, Facts)| {
        let exclusion = facts.exclusion();
        PerimeterRow { siren, included: exclusion.is_none(), reason: exclusion.map(|why| why.code().to_owned()).unwrap_or_default() }
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
