//! What changed in a source between two batches: rows added, removed and changed, by the natural key of the source.
//!
//! Companies are compared slice by slice, so that memory holds a hundredth of a table on each side.

use std::collections::{HashMap, HashSet};

use api::ingestion::SourceDiff;
use domain::records::Record;
use domain::{BatchKey, Siren, Source};
use futures::FutureExt;
use futures::future::BoxFuture;
use lake::tables::{State, Stored};
use lake::{Columnar, Lake};
use sources::RowParser;

use crate::error::IngestError;
use crate::tables;

/// Slices of the companies.
const SLICES: u32 = 100;

/// Compares the rows of a source as of two batches; `None` when neither has any.
pub fn diff(lake: &Lake, source: Source, before: BatchKey, after: BatchKey) -> BoxFuture<'_, Result<Option<SourceDiff>, IngestError>> {
    tables::dispatch!(source, Parser => of::<<Parser as RowParser>::Row>(lake, before, after).boxed())
}

async fn of<R: Record + Columnar>(lake: &Lake, before: BatchKey, after: BatchKey) -> Result<Option<SourceDiff>, IngestError> {
    let table = lake.table::<Stored<R>>();
    let (before, after) = (table.state(before).await?, table.state(after).await?);
    if before.is_empty() && after.is_empty() {
        return Ok(None);
    }
    let name = |state: &State<R>| state.latest().map(|batch| batch.to_string()).unwrap_or_default();
    let mut diff =
        SourceDiff { source: R::SOURCE.name().to_owned(), batch_before: name(&before), batch_after: name(&after), ..SourceDiff::default() };
    for slice in Siren::slices(SLICES) {
        let (before, after) = (before.rows(Some(slice.clone())).await?, after.rows(Some(slice)).await?);
        (diff.rows_before, diff.rows_after) = (diff.rows_before + before.len() as u64, diff.rows_after + after.len() as u64);
        compare(before, after, &mut diff);
    }
    Ok(Some(diff))
}

/// The rows of a key on both sides.
struct Sides<R> {
    before: Vec<R>,
    after: Vec<R>,
}

/// Adds the differences of a slice: rows of a key that are equal cancel each other, the rest pairs up.
fn compare<R: Record>(before: Vec<R>, after: Vec<R>, diff: &mut SourceDiff) {
    let mut keys: HashMap<R::Key, Sides<R>> = HashMap::new();
    let none = || Sides { before: Vec::new(), after: Vec::new() };
    for row in before {
        keys.entry(row.key()).or_insert_with(none).before.push(row);
    }
    for row in after {
        keys.entry(row.key()).or_insert_with(none).after.push(row);
    }
    let mut companies = HashSet::new();
    for Sides { before, mut after } in keys.into_values() {
        let siren = before.first().or_else(|| after.first()).map(Record::siren);
        let mut gone = 0;
        for row in before {
            match after.iter().position(|other| *other == row) {
                Some(found) => drop(after.swap_remove(found)),
                None => gone += 1,
            }
        }
        let new = after.len() as u64;
        let changed = new.min(gone);
        (diff.added, diff.removed, diff.changed) = (diff.added + new - changed, diff.removed + gone - changed, diff.changed + changed);
        companies.extend(siren.filter(|_| new + gone > 0));
    }
    diff.companies += companies.len() as u64;
}

#[cfg(test)]
mod tests {
    use domain::records::CompanyHeadcount;

    use super::*;

    #[test]
    fn rows_of_a_key_cancel_pair_up_or_remain() {
        let row = |headcount: &u32| CompanyHeadcount {
            siren: "732829320".parse().unwrap(),
            month: "2025-01".parse().unwrap(),
            headcount: *headcount,
        };
        for (before, after, expected) in [
            (vec![1], vec![1], [0, 0, 0, 0]),
            (vec![], vec![1], [1, 0, 0, 1]),
            (vec![1], vec![], [0, 1, 0, 1]),
            (vec![1], vec![2], [0, 0, 1, 1]),
            (vec![1, 1], vec![1], [0, 1, 0, 1]),
            (vec![1, 2], vec![2, 3, 4], [1, 0, 1, 1]),
        ] {
            let mut diff = SourceDiff::default();
            compare(before.iter().map(row).collect(), after.iter().map(row).collect(), &mut diff);
            assert_eq!([diff.added, diff.removed, diff.changed, diff.companies], expected, "{before:?} {after:?}");
        }
    }
}
