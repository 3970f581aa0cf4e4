//! What a ranked list holds: one entry a company, and the description of the whole.

use domain::{AlertLevel, BatchKey, Department, DepartmentSet, LegalCategory, Month, NaiveDate, Siren, Siret};
use serde::{Deserialize, Serialize};
use service_kit::auth::Right;

/// A list as stored in `lists/<batch>/<generation>/list.json`. Immutable: publishing is a pointer elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListInfo {
    /// The batch scored; also the list's identifier.
    pub batch: BatchKey,
    /// Grows when the same batch is scored again with another outcome.
    pub generation: u32,
    /// The model that scored.
    pub model_id: String,
    /// The list before it when it was built.
    pub previous: Option<Previous>,
    /// Month of the feature vectors.
    pub month: Month,
    /// Names of the feature groups, in the order of [`Entry::groups`].
    pub groups: Vec<String>,
    /// Companies scored.
    pub companies: u64,
    /// Companies at the high level.
    pub high: u64,
    /// Companies at the moderate level.
    pub moderate: u64,
    /// SHA-256 of the entries file, hexadecimal.
    pub sha256: String,
}

/// The latest list of an earlier batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Previous {
    /// Its batch.
    pub batch: BatchKey,
    /// The model that scored it.
    pub model_id: String,
}

impl ListInfo {
    /// Whether another model scored the list before: a change of level may then come from it.
    pub fn model_changed(&self) -> bool {
        self.previous.as_ref().is_some_and(|previous| previous.model_id != self.model_id)
    }

    /// What agents call the list: its month in French.
    pub fn label_fr(&self) -> String {
        const MONTHS: [&str; 12] =
            ["Janvier", "Février", "Mars", "Avril", "Mai", "Juin", "Juillet", "Août", "Septembre", "Octobre", "Novembre", "Décembre"];
        let month = self.batch.month();
        format!("{} {}", MONTHS[month.number() as usize - 1], month.year())
    }
}

/// A company on a list.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The company.
    pub siren: Siren,
    /// Its name.
    pub name: String,
    /// Its head office.
    pub siret: Option<Siret>,
    /// Department of its head office.
    pub department: Option<Department>,
    /// Commune of its head office; empty when unknown.
    pub commune: String,
    /// Departments of all its establishments, open or closed.
    pub departments: DepartmentSet,
    /// Legal category.
    pub legal_category: Option<LegalCategory>,
    /// Day of its creation.
    pub created: Option<NaiveDate>,
    /// Main activity, empty when unknown.
    pub naf: String,
    /// Rank in the country, from 1.
    pub rank: u32,
    /// Rank among the head offices of the department, from 1; 0 without department.
    pub department_rank: u32,
    /// Calibrated probability of a collective procedure within 18 months.
    pub probability: f64,
    /// Level at the frozen thresholds of the model.
    pub level: AlertLevel,
    /// Level on the list before, if the company was on it.
    pub previous_level: Option<AlertLevel>,
    /// Since when the company is alerted.
    pub first_alert: FirstAlert,
    /// Contribution of each feature group, in the order of [`ListInfo::groups`].
    pub groups: Vec<Contribution>,
    /// Why, strongest reason first: more than are shown, because not everybody may see all of them.
    pub reasons: Vec<Reason>,
    /// What is known of the company at publication.
    pub indicators: Indicators,
}

/// Why a company is signalled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// In French.
    pub text: String,
    /// The right that the feature behind it needs, beyond those of explanations.
    pub right: Option<Right>,
}

/// Share of a feature group in a score.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Contribution {
    /// In the model's own unit; with the base value they add up to the raw score.
    pub log_odds: f64,
    /// In percentage points; with those of the base value they add up to 100 × probability.
    pub points: f64,
}

/// First alerts of a company, compared with *earlier* lists only (`domain/consumers.md` §6.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FirstAlert {
    /// First list on which it was alerted, this one included.
    pub first: Option<BatchKey>,
    /// First list on which it was at the high level, this one included.
    pub first_high: Option<BatchKey>,
}

impl FirstAlert {
    /// The same once the company has `level` on `list`, the latest so far.
    #[must_use]
    pub fn seen(self, list: BatchKey, level: AlertLevel) -> Self {
        let mark = |first: Option<BatchKey>, reached: bool| first.or_else(|| reached.then_some(list));
        Self { first: mark(self.first, level >= AlertLevel::Moderate), first_high: mark(self.first_high, level == AlertLevel::High) }
    }
}

/// Facts shown beside a score, as of the list's month. `None` where unknown.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Indicators {
    /// Employees.
    pub headcount: Option<f64>,
    /// Social debt, both parts, euros.
    pub social_debt: Option<f64>,
    /// Hours of short-time work consumed over the last known twelve months.
    pub short_time_hours: Option<f64>,
    /// Whether the social debt is larger than three months before.
    pub social_debt_rising: Option<bool>,
    /// Whether a payment plan runs.
    pub payment_plan: Option<bool>,
    /// Turnover of the last accounts known, euros.
    pub turnover: Option<f64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_escalation_is_a_first_high_alert_but_not_a_first_alert() {
        let list = |text: &str| text.parse::<BatchKey>().unwrap();
        let (a, b, c) = (list("2506"), list("2509"), list("2511"));
        let seen = FirstAlert::default().seen(a, AlertLevel::None).seen(b, AlertLevel::Moderate).seen(c, AlertLevel::High);
        assert_eq!(seen, FirstAlert { first: Some(b), first_high: Some(c) });
        assert_eq!(seen.seen(list("2512"), AlertLevel::High), seen, "later lists change nothing");
    }

    #[test]
    fn lists_are_named_in_french() {
        let info = ListInfo {
            batch: "2508".parse().unwrap(),
            generation: 1,
            model_id: String::new(),
            previous: None,
            month: "2025-07".parse().unwrap(),
            groups: vec![],
            companies: 0,
            high: 0,
            moderate: 0,
            sha256: String::new(),
        };
        assert_eq!(info.label_fr(), "Août 2025");
    }
}
