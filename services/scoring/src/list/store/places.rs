//! Where companies were on a list: what a history and a sheet read of it.

use domain::{AlertLevel, Department, DepartmentSet, Siren};

use super::super::entry::{Entry, ListInfo};
use super::List;

/// Where a company was on a list.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Placed {
    siren: Siren,
    /// Its probability.
    pub probability: f64,
    /// Its level.
    pub level: AlertLevel,
    /// Its rank in the country.
    pub rank: u32,
    /// Department of its head office.
    pub department: Option<Department>,
    /// Departments of its establishments.
    pub departments: DepartmentSet,
    /// Whether this list or one before it alerted it.
    pub ever_alerted: bool,
}

impl Placed {
    /// Where an entry is on its list.
    pub fn of(entry: &Entry) -> Self {
        Self {
            siren: entry.siren,
            probability: entry.probability,
            level: entry.level,
            rank: entry.rank,
            department: entry.department,
            departments: entry.departments,
            ever_alerted: entry.first_alert.first.is_some(),
        }
    }
}

/// The places of a list by SIREN: a small part of it, kept for all lists that a history was asked of.
#[derive(Debug)]
pub(super) struct Places {
    pub info: ListInfo,
    by_siren: Vec<Placed>,
}

impl Places {
    pub fn of(list: &List) -> Self {
        let mut by_siren: Vec<Placed> = list.entries.iter().map(Placed::of).collect();
        by_siren.sort_unstable_by_key(|placed| placed.siren);
        Self { info: list.info.clone(), by_siren }
    }

    pub fn find(&self, siren: Siren) -> Option<Placed> {
        self.by_siren.binary_search_by_key(&siren, |placed| placed.siren).ok().map(|found| self.by_siren[found])
    }
}
