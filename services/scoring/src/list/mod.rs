//! Ranked lists: their content, order, filters, pages, differences and exports. Pure, except [`store`] and [`build`].

pub mod answer;
pub mod build;
pub mod codec;
pub mod curated;
pub mod diff;
pub mod entry;
pub mod export;
pub mod facts;
pub mod filter;
pub mod order;
pub mod page;
pub mod query;
pub mod ranking;
pub mod reply;
pub mod store;
pub mod summary;
pub mod view;

#[cfg(test)]
mod leaks;

#[cfg(test)]
pub(crate) mod tests {
    //! Entries for tests.

    use domain::{AlertLevel, Siren};

    use super::entry::{Entry, FirstAlert, Indicators, ListInfo};

    pub(crate) fn entry(number: u32, department: &str, probability: f64) -> Entry {
        Entry {
            siren: Siren::from_number(number).unwrap(),
            name: format!("SOCIETE {number}"),
            siret: None,
            department: Some(department.parse().unwrap()),
            commune: String::new(),
            departments: [department.parse().unwrap()].into_iter().collect(),
            legal_category: None,
            created: None,
            naf: "43.21A".into(),
            rank: 0,
            department_rank: 0,
            probability,
            level: AlertLevel::None,
            previous_level: None,
            first_alert: FirstAlert::default(),
            groups: vec![],
            reasons: vec![],
            indicators: Indicators::default(),
        }
    }

    /// An entry at the high level, for the first time on the list 2511.
    pub(crate) fn alerted(number: u32, department: &str, probability: f64) -> Entry {
        let first_alert = FirstAlert::default().seen("2511".parse().unwrap(), AlertLevel::High);
        Entry { level: AlertLevel::High, first_alert, ..entry(number, department, probability) }
    }

    pub(crate) fn info() -> ListInfo {
        ListInfo {
            batch: "2511".parse().unwrap(),
            generation: 1,
            model_id: "m".into(),
            previous: None,
            month: "2025-10".parse().unwrap(),
            groups: vec![],
            companies: 0,
            high: 0,
            moderate: 0,
            sha256: String::new(),
        }
    }
}
