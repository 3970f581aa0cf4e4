//! What filters, sorts and counts read of an entry: small copies, side by side in memory, so that a list of the whole country
//! is read in a few milliseconds.

use domain::{AlertLevel, BatchKey, Department, DepartmentSet, NafCode, NafNomenclature, NafSection, NaiveDate, Siren};
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use super::entry::Entry;

/// Facts of an entry. NaN where a number is unknown.
#[derive(Debug, Clone, Copy)]
pub struct Facts {
    /// The company.
    pub siren: Siren,
    /// Departments of all establishments.
    pub departments: DepartmentSet,
    /// Department of the head office.
    pub department: Option<Department>,
    /// Section of the main activity.
    pub section: Option<NafSection>,
    /// Level.
    pub level: AlertLevel,
    /// Level on the list before.
    pub previous_level: Option<AlertLevel>,
    /// Whether this list or an earlier one alerted the company.
    pub ever_alerted: bool,
    /// Whether this list is the first that alerted it.
    pub first_alert: bool,
    /// Whether this list is the first that put it at the high level.
    pub first_high_alert: bool,
    /// Whether a payment plan runs.
    pub payment_plan: Option<bool>,
    /// Whether the social debt is larger than three months before.
    pub social_debt_rising: Option<bool>,
    /// Day of creation.
    pub created: Option<NaiveDate>,
    /// Rank.
    pub rank: u32,
    /// Employees.
    pub headcount: f64,
    /// Euros.
    pub social_debt: f64,
    /// Euros.
    pub turnover: f64,
    /// Hours.
    pub short_time_hours: f64,
}

impl Facts {
    /// The facts of an entry of `list`.
    pub fn of(entry: &Entry, list: BatchKey) -> Self {
        let number = |value: Option<f64>| value.unwrap_or(f64::NAN);
        let indicators = entry.indicators;
        Self {
            siren: entry.siren,
            departments: entry.departments,
            department: entry.department,
            section: NafCode::parse(&entry.naf, NafNomenclature::Rev2).and_then(NafCode::section),
            level: entry.level,
            previous_level: entry.previous_level,
            ever_alerted: entry.first_alert.first.is_some(),
            first_alert: entry.first_alert.first == Some(list),
            first_high_alert: entry.first_alert.first_high == Some(list),
            payment_plan: indicators.payment_plan,
            social_debt_rising: indicators.social_debt_rising,
            created: entry.created,
            rank: entry.rank,
            headcount: number(indicators.headcount),
            social_debt: number(indicators.social_debt),
            turnover: number(indicators.turnover),
            short_time_hours: number(indicators.short_time_hours),
        }
    }
}

/// A text for comparison: lower case, without accents.
pub fn folded(text: &str) -> String {
    text.nfd().filter(|character| !is_combining_mark(*character)).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_compared_without_case_and_accents() {
        assert_eq!(folded("Société Générale À L'Œuvre ÇA"), "societe generale a l'œuvre ca");
    }
}
