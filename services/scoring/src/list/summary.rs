//! Counts of the entries that a caller sees and asks for.

use std::collections::BTreeMap;

use domain::{AlertLevel, Department, NafSection};

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
    let (mut total, mut departments, mut sections) = (Counts::default(), BTreeMap::new(), BTreeMap::new());
    for position in query.rows(list) {
        let facts = &list.facts[position];
        let (of_department, of_section) = (departments.entry(facts.department), sections.entry(facts.section));
        for counts in [&mut total, of_department.or_default(), of_section.or_default()] {
            let counts: &mut Counts = counts;
            counts.companies += 1;
            counts.high += u64::from(facts.level == AlertLevel::High);
            counts.moderate += u64::from(facts.level == AlertLevel::Moderate);
            counts.first_alerts += u64::from(facts.first_alert);
        }
    }
    let department = |it: Department| (it.code().to_owned(), it.name().to_owned());
    let section = |it: NafSection| (it.letter().to_string(), it.label_fr().to_owned());
    Summary {
        total,
        departments: departments.into_iter().map(|(key, counts)| (key.map(department).unwrap_or_default(), counts)).collect(),
        sections: sections.into_iter().map(|(key, counts)| (key.map(section).unwrap_or_default(), counts)).collect(),
    }
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
