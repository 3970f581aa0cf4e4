//! What is answered to a question about a list. Pure: of the list, the question and the rights of who asks.

use std::sync::Arc;

use api::lists::{ListChange, ListEntry};
use service_kit::auth::Right;
use service_kit::error::ServiceError;

use super::curated::{self, Proposal};
use super::diff;
use super::query::Query;
use super::reply::{self, Mask};
use super::store::List;
use super::view::Reader;
use crate::scoring_service::level;

/// Entries of a batch of a stream.
const BATCH: usize = 500;

/// A page.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// Its entries.
    pub entries: Vec<ListEntry>,
    /// Entries on all pages.
    pub total: u64,
    /// Rank of the last entry of the page, if another one follows.
    pub next_after: Option<u32>,
}

/// The page of `size` entries after the one of a rank.
pub fn page(list: &List, query: &Query, mask: Mask, size: usize, after: Option<u32>) -> Answer {
    // No entry has rank 0: all rows come after it.
    let mut rows = query.after(list, after.unwrap_or(0));
    let positions: Vec<usize> = rows.by_ref().take(size).collect();
    let next_after = rows.next().and_then(|_| positions.last()).map(|last| list.facts[*last].rank);
    let entries = positions.into_iter().map(|position| shown(list, query, mask, position)).collect();
    Answer { entries, total: query.count(list) as u64, next_after }
}

/// An entry as its reader sees it.
fn shown(list: &List, query: &Query, mask: Mask, position: usize) -> ListEntry {
    let entry = &list.entries[position];
    reply::entry(&list.info, entry, Reader::new(query.principal().rights), query.follows(entry.siren), mask)
}

/// All entries, a batch at a time.
pub fn batches(list: Arc<List>, query: Query, mask: Mask) -> impl Iterator<Item = Vec<ListEntry>> {
    let rows: Vec<usize> = query.rows(&list).collect();
    (0..rows.len()).step_by(BATCH).map(move |start| {
        let rows = &rows[start..rows.len().min(start + BATCH)];
        rows.iter().map(|row| shown(&list, &query, mask, *row)).collect()
    })
}

/// How a list differs from an earlier one.
pub fn changes(from: &List, to: &List, query: &Query) -> Vec<ListChange> {
    let changes = diff::diff(from, to, query).into_iter().map(|(change, entry, was, is)| ListChange {
        siren: entry.siren.to_string(),
        name: entry.name.clone(),
        department: reply::code(entry.department),
        change: change.name().to_owned(),
        from_level: level(was).into(),
        to_level: level(is).into(),
    });
    changes.collect()
}

/// A curated list, with what it leaves out. Whether a payment plan runs is part of its rule: without the right to that, it would
/// tell.
pub fn proposal(list: &List, query: &Query, cap: u32, least_age: u32) -> Result<(Vec<ListEntry>, Proposal), ServiceError> {
    query.principal().require(Right::Urssaf, "a proposal")?;
    let proposal = curated::propose(list, query, cap, least_age);
    let mask = Mask::parse(None)?;
    let entries = proposal.rows.iter().map(|row| shown(list, query, mask, *row)).collect();
    Ok((entries, proposal))
}
