//! How a list differs from another.

use std::collections::HashMap;

use domain::{AlertLevel, Siren};

use super::entry::Entry;
use super::query::Query;
use super::store::List;

/// What happened to a company between two lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    /// Alerted now, not before.
    New,
    /// At a higher level than before.
    Escalated,
    /// At a lower level than before, still alerted.
    DeEscalated,
    /// Alerted before, not any more.
    Left,
}

impl Change {
    /// Name in replies and files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Escalated => "escalated",
            Self::DeEscalated => "de_escalated",
            Self::Left => "left",
        }
    }

    /// The change between two levels, if any.
    pub fn between(from: AlertLevel, to: AlertLevel) -> Option<Self> {
        match (from, to) {
            (from, to) if from == to => None,
            (AlertLevel::None, _) => Some(Self::New),
            (_, AlertLevel::None) => Some(Self::Left),
            (from, to) => Some(if to > from { Self::Escalated } else { Self::DeEscalated }),
        }
    }
}

/// Companies whose level changed, of those that the question is about, in the order of the later list, then those that left
/// it. A company absent from a list counts as not alerted on it.
pub fn diff<'a>(from: &'a List, to: &'a List, query: &'a Query) -> Vec<(Change, &'a Entry, AlertLevel, AlertLevel)> {
    let levels = |list: &List| list.entries.iter().map(|entry| (entry.siren, entry.level)).collect::<HashMap<Siren, AlertLevel>>();
    let (before, after) = (levels(from), levels(to));
    let present = query.rows(to).map(|row| &to.entries[row]).filter_map(|entry| {
        let was = before.get(&entry.siren).copied().unwrap_or(AlertLevel::None);
        Change::between(was, entry.level).map(|change| (change, entry, was, entry.level))
    });
    let gone =
        query.rows(from).map(|row| &from.entries[row]).filter(|entry| !after.contains_key(&entry.siren)).filter_map(|entry| {
            Change::between(entry.level, AlertLevel::None).map(|change| (change, entry, entry.level, AlertLevel::None))
        });
    present.chain(gone).collect()
}

#[cfg(test)]
mod tests {
    use service_kit::auth::Principal;

    use super::super::tests::{entry, info};
    use super::*;

    #[test]
    fn every_pair_of_levels_has_one_change() {
        use AlertLevel::{High, Moderate, None};
        for (from, to, change) in [
            (None, Moderate, Some(Change::New)),
            (None, High, Some(Change::New)),
            (Moderate, High, Some(Change::Escalated)),
            (High, Moderate, Some(Change::DeEscalated)),
            (High, None, Some(Change::Left)),
            (Moderate, Moderate, Option::None),
        ] {
            assert_eq!(Change::between(from, to), change);
        }
    }

    #[test]
    fn companies_absent_from_the_later_list_have_left() {
        let level = |number, level| Entry { level, ..entry(number, "21", 0.5) };
        let from = List::new(info(), vec![level(1, AlertLevel::High), level(2, AlertLevel::None)]);
        let to = List::new(info(), vec![level(3, AlertLevel::Moderate), level(2, AlertLevel::High)]);
        let query = Query::new(Principal::local(), None, "", "").unwrap();
        let changes: Vec<_> = diff(&from, &to, &query).into_iter().map(|(change, entry, ..)| (change, entry.siren.number())).collect();
        assert_eq!(changes, [(Change::New, 3), (Change::New, 2), (Change::Left, 1)]);
    }
}
