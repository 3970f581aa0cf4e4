//! What changed in a source between two batches: rows added, removed and changed, by the natural key of the source.
//!
//! Companies are compared slice by slice, so that memory holds a hundredth of a table, as digests.

use std::collections::{BTreeSet, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::RangeInclusive;
use std::sync::Arc;

use api::ingestion::SourceDiff;
use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::Schema;
use arrow::row::{RowConverter, SortField};
use domain::{BatchKey, Siren, Source};
use futures::TryStreamExt;
use lake::tables::DynamicTable;
use lake::{Lake, as_of};

use crate::error::IngestError;

/// Slices of the companies.
const SLICES: u32 = 100;

/// Columns that tell a row of a source from the others.
const fn key(source: Source) -> &'static [&'static str] {
    match source {
        Source::AdminUrssaf => &["account", "siret"],
        Source::Sirene => &["siret"],
        Source::SireneUl | Source::Filter => &["siren"],
        Source::SireneHisto => &["siret", "start"],
        Source::Effectif => &["siret", "account", "month"],
        Source::EffectifEnt => &["siren", "month"],
        Source::Cotisation => &["siret", "account", "period_start", "period_end"],
        Source::Debit => &["siret", "account", "period_start", "period_end", "gap_number", "history_number"],
        Source::Delai => &["siret", "account", "case_number"],
        Source::Ccsf => &["siret", "account", "treated_on"],
        Source::Procol => &["siren", "effective", "label"],
        Source::Apconso => &["request_id", "siret", "date"],
        Source::Apdemande => &["request_id", "siret"],
        Source::Paydex => &["siren", "value_date"],
        Source::RatiosInpiBce => &["siren", "closed_on", "kind"],
        Source::Bodacc => &["id", "siren"],
        Source::Diane | Source::Bdf => &["siren", "year"],
        Source::Ellisphere => &["siren", "group_code"],
    }
}

/// Digests of the contents of the rows of a key, and whose they are.
#[derive(Default)]
struct Rows {
    siren: String,
    before: Vec<u64>,
    after: Vec<u64>,
}

impl Rows {
    /// Rows added, removed and changed: equal contents cancel each other, the rest pairs up.
    fn differences(&mut self) -> (u64, u64, u64) {
        let mut gone = Vec::new();
        for content in self.before.drain(..) {
            match self.after.iter().position(|other| *other == content) {
                Some(found) => drop(self.after.swap_remove(found)),
                None => gone.push(content),
            }
        }
        let (gone, new) = (gone.len() as u64, self.after.len() as u64);
        let changed = gone.min(new);
        (new - changed, gone - changed, changed)
    }
}

/// Compares the rows of a source as of two batches; `None` when neither has any.
pub async fn diff(lake: &Lake, source: Source, before: BatchKey, after: BatchKey) -> Result<Option<SourceDiff>, IngestError> {
    let table = DynamicTable::new(lake, source.name(), Arc::new(Schema::empty()));
    let batches = table.batches().await?;
    let sides = [as_of(&batches, before), as_of(&batches, after)];
    if sides == [None, None] {
        return Ok(None);
    }
    let name = |side: Option<BatchKey>| side.map(|batch| batch.to_string()).unwrap_or_default();
    let mut diff =
        SourceDiff { source: source.name().to_owned(), batch_before: name(sides[0]), batch_after: name(sides[1]), ..SourceDiff::default() };
    let mut companies = BTreeSet::new();
    for slice in slices() {
        let mut rows: HashMap<u64, Rows> = HashMap::new();
        if let Some(batch) = sides[0] {
            diff.rows_before +=
                read(&table, source, batch, slice.clone(), |key, siren, content| entry(&mut rows, key, siren).before.push(content)).await?;
        }
        if let Some(batch) = sides[1] {
            diff.rows_after +=
                read(&table, source, batch, slice.clone(), |key, siren, content| entry(&mut rows, key, siren).after.push(content)).await?;
        }
        for rows in rows.values_mut() {
            let (added, removed, changed) = rows.differences();
            (diff.added, diff.removed, diff.changed) = (diff.added + added, diff.removed + removed, diff.changed + changed);
            if added + removed + changed > 0 {
                companies.insert(std::mem::take(&mut rows.siren));
            }
        }
    }
    diff.companies = companies.len() as u64;
    Ok(Some(diff))
}

fn entry<'a>(rows: &'a mut HashMap<u64, Rows>, key: u64, siren: &str) -> &'a mut Rows {
    rows.entry(key).or_insert_with(|| Rows { siren: siren.to_owned(), ..Rows::default() })
}

fn slices() -> impl Iterator<Item = RangeInclusive<Siren>> {
    let width = 1_000_000_000 / SLICES;
    (0..SLICES).filter_map(move |slice| Some(Siren::from_number(slice * width)?..=Siren::from_number(slice * width + width - 1)?))
}

/// Reads the rows of a slice: their key, company and content. Gives their number.
async fn read(
    table: &DynamicTable,
    source: Source,
    batch: BatchKey,
    slice: RangeInclusive<Siren>,
    mut found: impl FnMut(u64, &str, u64),
) -> Result<u64, IngestError> {
    let (first, last) = (slice.start().to_string(), slice.end().to_string());
    let mut count = 0;
    let mut scan = table.scan(batch, Some(slice), None).await?;
    while let Some(rows) = scan.try_next().await? {
        let sirens = rows.column_by_name("siren").map(AsArray::as_string::<i32>);
        let sirens = sirens.ok_or_else(|| IngestError::Internal(format!("table {source} has no column siren")))?;
        let keys = digests(&rows, |name| key(source).contains(&name))?;
        let contents = digests(&rows, |_| true)?;
        for row in (0..rows.num_rows()).filter(|row| (first.as_str()..=last.as_str()).contains(&sirens.value(*row))) {
            found(keys[row], sirens.value(row), contents[row]);
            count += 1;
        }
    }
    Ok(count)
}

/// A digest of some columns of each row.
fn digests(rows: &RecordBatch, wanted: impl Fn(&str) -> bool) -> Result<Vec<u64>, IngestError> {
    let failed = |error: arrow::error::ArrowError| IngestError::Internal(error.to_string());
    let schema = rows.schema();
    let columns: Vec<_> =
        schema.fields().iter().zip(rows.columns()).filter(|(field, _)| wanted(field.name())).map(|(_, column)| column.clone()).collect();
    let converter = RowConverter::new(columns.iter().map(|column| SortField::new(column.data_type().clone())).collect()).map_err(failed)?;
    let encoded = converter.convert_columns(&columns).map_err(failed)?;
    let digest = |bytes: &[u8]| {
        let mut hasher = DefaultHasher::new();
        bytes.hash(&mut hasher);
        hasher.finish()
    };
    Ok(encoded.iter().map(|row| digest(row.as_ref())).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_a_key_cancel_pair_up_or_remain() {
        for (before, after, expected) in [
            (vec![1], vec![1], (0, 0, 0)),
            (vec![], vec![1], (1, 0, 0)),
            (vec![1], vec![], (0, 1, 0)),
            (vec![1], vec![2], (0, 0, 1)),
            (vec![1, 1], vec![1], (0, 1, 0)),
            (vec![1, 2], vec![2, 3, 4], (1, 0, 1)),
        ] {
            let mut rows = Rows { siren: String::new(), before: before.clone(), after: after.clone() };
            assert_eq!(rows.differences(), expected, "{before:?} {after:?}");
        }
    }

    #[test]
    fn slices_hold_every_siren_once() {
        let bounds: Vec<u32> = slices().flat_map(|slice| [slice.start().number(), slice.end().number()]).collect();
        assert_eq!((bounds[0], bounds[bounds.len() - 1], bounds.len()), (0, 999_999_999, 200));
        assert!(bounds[1..199].chunks(2).all(|pair| pair[1] == pair[0] + 1));
    }
}
