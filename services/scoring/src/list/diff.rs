//! How a list differs from another.

use std::collections::{HashMap, HashSet};

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

/// Companies whose level changed, of those that the question is about: those that it finds on the later list, in its order, then those
/// that it finds on the earlier one only, for example because their level is no longer one that is asked for. A company absent from a
/// list counts as not alerted on it.
pub fn diff<'a>(from: &'a List, to: &'a List, query: &'a Query) -> Vec<(Change, &'a Entry, AlertLevel, AlertLevel)> {
    let before: HashMap<Siren, AlertLevel> = from.entries.iter().map(|entry| (entry.siren, entry.level)).collect();
    let found: Vec<&Entry> = query.rows(to).map(|row| &to.entries[row]).collect();
    let sirens: HashSet<Siren> = found.iter().map(|entry| entry.siren).collect();
    let on_later = found.into_iter().filter_map(|entry| {
        let was = before.get(&entry.siren).copied().unwrap_or(AlertLevel::None);
        Change::between(was, entry.level).map(|change| (change, entry, was, entry.level))
    });
    let on_earlier = query.rows(from).map(|row| &from.entries[row]).filter(|entry| !sirens.contains(&entry.siren)).filter_map(|entry| {
        let (entry, was, is) = match to.position(entry.siren) {
            // What became of it is told to who may see it now.
            Some(now) if !query.sees(&to.facts[now]) => return None,
            Some(now) => (&to.entries[now], entry.level, to.entries[now].level),
            None => (entry, entry.level, AlertLevel::None),
        };
        Change::between(was, is).map(|change| (change, entry, was, is))
    });
    on_later.chain(on_earlier).collect()
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

    #[test]
    fn a_filter_on_the_level_finds_those_that_had_it() {
        use api::common::AlertLevel::High;
        let level = |number, level| Entry { level, ..entry(number, "21", 0.5) };
        let from = List::new(info(), vec![level(1, AlertLevel::High), level(2, AlertLevel::High), level(3, AlertLevel::High)]);
        let to = List::new(info(), vec![level(1, AlertLevel::None), level(2, AlertLevel::Moderate), level(3, AlertLevel::High)]);
        let high = api::lists::RankedListFilter { alert_levels: vec![High.into()], ..Default::default() };
        let query = Query::new(Principal::local(), Some(high), "", "").unwrap();
        let changes: Vec<_> = diff(&from, &to, &query).into_iter().map(|(change, entry, ..)| (change, entry.siren.number())).collect();
        assert_eq!(changes, [(Change::Left, 1), (Change::DeEscalated, 2)]);
    }
}
