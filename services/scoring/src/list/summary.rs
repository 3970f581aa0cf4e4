//! Counts of the entries that a caller sees and asks for.

use std::collections::BTreeMap;

use domain::AlertLevel;

use super::query::Query;
use super::store::List;

/// Counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Companies.
    pub companies: u64,
    /// At the high level.
    pub high: u64,
    /// At the moderate level.
    pub moderate: u64,
    /// Alerted for the first time.
    pub first_alerts: u64,
}

/// Counts in all and by what companies have in common. A key is empty for companies that have none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// All.
    pub total: Counts,
    /// By department of the head office: its code, then its name.
    pub departments: BTreeMap<(String, String), Counts>,
    /// By section of NAF: its letter, then its name.
    pub sections: BTreeMap<(String, String), Counts>,
}

/// Counts the rows of a question.
pub fn summarize(list: &List, query: &Query) -> Summary {
    let mut summary = Summary::default();
    for position in query.rows(list) {
        let facts = &list.facts[position];
        let department = facts.department.map(|it| (it.code().to_owned(), it.name().to_owned())).unwrap_or_default();
        let section = facts.section.map(|it| (it.letter().to_string(), it.label_fr().to_owned())).unwrap_or_default();
        let parts = [summary.departments.entry(department).or_default(), summary.sections.entry(section).or_default(), &mut summary.total];
        for counts in parts {
            counts.companies += 1;
            counts.high += u64::from(facts.level == AlertLevel::High);
            counts.moderate += u64::from(facts.level == AlertLevel::Moderate);
            counts.first_alerts += u64::from(facts.first_alert);
        }
    }
    summary
}

#[cfg(test)]
mod tests {
    use service_kit::auth::Principal;

    use super::super::tests::{alerted, entry, info};
    use super::*;

    #[test]
    fn parts_add_up_to_the_whole() {
        let mut entries = vec![alerted(1, "21", 0.9), alerted(2, "21", 0.8), entry(3, "75", 0.7), entry(4, "75", 0.1)];
        entries[1].first_alert.first = Some("2509".parse().unwrap());
        entries[3].department = None;
        super::super::ranking::rank(&mut entries);
        let list = List::new(info(), entries);
        let summary = summarize(&list, &Query::new(Principal::local(), None, "", "").unwrap());
        assert_eq!(summary.total, Counts { companies: 4, high: 2, moderate: 0, first_alerts: 1 });
        let departments: Vec<(&str, u64)> =
            summary.departments.iter().map(|((code, _), counts)| (code.as_str(), counts.companies)).collect();
        assert_eq!(departments, [("", 1), ("21", 2), ("75", 1)]);
        assert_eq!(summary.sections.values().map(|counts| counts.companies).sum::<u64>(), 4);
    }
}
