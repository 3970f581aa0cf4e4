//! Ranked lists: their content, order, filters, pages, differences and exports. Pure, except [`store`] and [`build`].

pub mod build;
pub mod codec;
pub mod diff;
pub mod entry;
pub mod export;
pub mod filter;
pub mod page;
pub mod ranking;
pub mod store;

#[cfg(test)]
pub(crate) mod tests {
    //! Entries for tests.

    use domain::{AlertLevel, Siren};

    use super::entry::{Entry, FirstAlert, Indicators, ListInfo};

    pub(crate) fn entry(number: u32, department: &str, probability: f64) -> Entry {
        Entry {
            siren: Siren::from_number(number).unwrap(),
            name: format!("SOCIETE {number}"),
            department: Some(department.parse().unwrap()),
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

    pub(crate) fn info() -> ListInfo {
        ListInfo {
            batch: "2511".parse().unwrap(),
            generation: 1,
            model_id: "m".into(),
            month: "2025-10".parse().unwrap(),
            groups: vec![],
            companies: 0,
            high: 0,
            moderate: 0,
            sha256: String::new(),
        }
    }
}
