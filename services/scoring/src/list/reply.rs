//! Lists and entries as replies have them.

use api::common::AlertLevel as ApiLevel;
use api::google::r#type::Date;
use api::lists::{
    CuratedCut, DetectionList, EntryContribution, FirstAlert, Indicators, LevelCounts, ListEntry, ListSummary, Shadow as ApiShadow,
    SummaryPart,
};
use api::scoring::HistoricScore;
use chrono::Datelike;
use domain::{BatchKey, Department, NaiveDate};
use prost_types::FieldMask;
use service_kit::error::{ErrorCode, ServiceError};

use super::entry::{Entry, ListInfo};
use super::store::{Placed, Served};
use super::summary::{Counts, Summary};
use super::view::Reader;
use crate::scoring_service::level;
use crate::shadow::Shadow;

/// Fields of an entry that a mask may name; the two that are long come only when asked for.
const FIELDS: [&str; 19] = [
    "siren",
    "name",
    "department",
    "naf_code",
    "rank",
    "department_rank",
    "probability",
    "alert_level",
    "previous_level",
    "first_alert",
    "indicators",
    "siret",
    "departments",
    "legal_category",
    "created",
    "commune",
    "followed",
    "groups",
    "reasons",
];
const LONG: [&str; 2] = ["groups", "reasons"];

/// Which fields of entries are asked for, one bit each, in the order of [`FIELDS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mask(u32);

impl Mask {
    /// Reads a mask. Without one, the fields of a card; `*` is all.
    pub fn parse(mask: Option<&FieldMask>) -> Result<Self, ServiceError> {
        let bit = |name: &str| FIELDS.iter().position(|field| *field == name).map(|position| 1 << position);
        let all = (1 << FIELDS.len()) - 1;
        let paths = mask.map(|mask| mask.paths.as_slice()).unwrap_or_default();
        if paths.is_empty() {
            return Ok(Self(LONG.iter().filter_map(|name| bit(name)).fold(all, |bits: u32, bit: u32| bits & !bit)));
        }
        let unknown = |path: &str| {
            let message = format!("read_mask: '{path}' is not a field of an entry; there are {} and *", FIELDS.join(", "));
            ServiceError::new(ErrorCode::InvalidArgument, message).with("field", "read_mask")
        };
        let mut bits = paths.iter().map(|path| if path == "*" { Ok(all) } else { bit(path).ok_or_else(|| unknown(path)) });
        bits.try_fold(0, |bits, bit| bit.map(|bit| bits | bit)).map(Self)
    }

    fn has(self, name: &str) -> bool {
        FIELDS.iter().position(|field| *field == name).is_some_and(|position| self.0 >> position & 1 == 1)
    }
}

/// A list for clients. `published` names the published one.
pub fn described(info: &ListInfo, published: Option<(BatchKey, u32)>) -> DetectionList {
    DetectionList {
        id: info.batch.to_string(),
        batch: info.batch.to_string(),
        model_id: info.model_id.clone(),
        label_fr: info.label_fr(),
        companies: info.companies,
        high: info.high,
        moderate: info.moderate,
        published: published == Some((info.batch, info.generation)),
        month: info.month.to_string(),
        generation: info.generation,
        shadow: None,
        stale: false,
    }
}

/// A list that is served, for clients.
pub fn served(served: &Served, published: Option<(BatchKey, u32)>) -> DetectionList {
    DetectionList { stale: served.stale, ..described(&served.list.info, published) }
}

/// Where a company was on a list, for clients.
pub fn placed(info: &ListInfo, placed: Placed) -> HistoricScore {
    HistoricScore {
        list_id: info.batch.to_string(),
        label_fr: info.label_fr(),
        model_id: info.model_id.clone(),
        probability: placed.probability,
        alert_level: level(placed.level).into(),
        rank: placed.rank,
    }
}

/// How a challenger differs, for clients.
pub fn shadow(shadow: &Shadow) -> ApiShadow {
    let count = |wanted: fn(usize, usize) -> bool| {
        let cells = (0..3).flat_map(|ours| (0..3).map(move |theirs| (ours, theirs)));
        cells.filter(|(ours, theirs)| wanted(*ours, *theirs)).map(|(ours, theirs)| shadow.levels[ours][theirs]).sum()
    };
    ApiShadow {
        model_id: shadow.model_id.clone(),
        companies: shadow.companies,
        rank_correlation: shadow.rank_correlation,
        mean_difference: shadow.mean_difference,
        raised: count(|ours, theirs| theirs > ours),
        lowered: count(|ours, theirs| theirs < ours),
        same: count(|ours, theirs| theirs == ours),
    }
}

/// An entry as this reader sees it, who may follow it, with the fields asked for.
pub fn entry(info: &ListInfo, entry: &Entry, reader: Reader, followed: bool, mask: Mask) -> ListEntry {
    let entry = reader.view(entry);
    let text = |name: &str, value: String| if mask.has(name) { value } else { String::new() };
    ListEntry {
        siren: text("siren", entry.siren.to_string()),
        name: text("name", entry.name),
        department: text("department", code(entry.department)),
        naf_code: text("naf_code", entry.naf),
        rank: if mask.has("rank") { entry.rank } else { 0 },
        department_rank: if mask.has("department_rank") { entry.department_rank } else { 0 },
        probability: if mask.has("probability") { entry.probability } else { 0.0 },
        alert_level: if mask.has("alert_level") { level(entry.level) } else { ApiLevel::Unspecified }.into(),
        previous_level: entry.previous_level.filter(|_| mask.has("previous_level")).map_or(ApiLevel::Unspecified, level).into(),
        first_alert: mask.has("first_alert").then(|| first_alert(info, entry.first_alert)),
        groups: if mask.has("groups") { groups(info, &entry.groups) } else { Vec::new() },
        reasons: if mask.has("reasons") { entry.reasons.into_iter().map(|reason| reason.text).collect() } else { Vec::new() },
        indicators: mask.has("indicators").then(|| indicators(entry.indicators)),
        siret: text("siret", entry.siret.map(|siret| siret.to_string()).unwrap_or_default()),
        departments: if mask.has("departments") { entry.departments.iter().map(|it| it.code().to_owned()).collect() } else { Vec::new() },
        legal_category: text("legal_category", entry.legal_category.map(|it| it.to_string()).unwrap_or_default()),
        created: entry.created.filter(|_| mask.has("created")).map(date),
        commune: text("commune", entry.commune),
        followed: followed && mask.has("followed"),
        withheld: reader.withheld().filter(|field| mask.has(field.split('.').next().unwrap_or_default())).map(str::to_owned).collect(),
    }
}

fn first_alert(info: &ListInfo, first: super::entry::FirstAlert) -> FirstAlert {
    let list = |key: Option<BatchKey>| key.map(|key| key.to_string()).unwrap_or_default();
    FirstAlert {
        first_list: list(first.first),
        first_high_list: list(first.first_high),
        is_first: first.first == Some(info.batch),
        is_first_high: first.first_high == Some(info.batch),
        model_changed: info.model_changed(),
    }
}

fn groups(info: &ListInfo, shares: &[super::entry::Contribution]) -> Vec<EntryContribution> {
    let named = info.groups.iter().zip(shares);
    named
        .map(|(group, share)| EntryContribution { group: group.clone(), log_odds: share.log_odds, percentage_points: share.points })
        .collect()
}

fn indicators(indicators: super::entry::Indicators) -> Indicators {
    let unknown = f64::NAN;
    Indicators {
        headcount: indicators.headcount.unwrap_or(unknown),
        social_debt: indicators.social_debt.unwrap_or(unknown),
        short_time_hours: indicators.short_time_hours.unwrap_or(unknown),
        payment_plan: indicators.payment_plan.unwrap_or(false),
        // A company in a procedure is not at risk, hence not on a list.
        procol: String::new(),
        social_debt_rising: indicators.social_debt_rising.unwrap_or(false),
        turnover: indicators.turnover.unwrap_or(unknown),
    }
}

/// A department for clients.
pub fn code(department: Option<Department>) -> String {
    department.map(|department| department.code().to_owned()).unwrap_or_default()
}

/// A day for clients.
pub fn date(day: NaiveDate) -> Date {
    Date { year: day.year(), month: day.month() as i32, day: day.day() as i32 }
}

/// Counts for clients.
pub fn summary(summary: &Summary, list: DetectionList) -> ListSummary {
    let counts = |counts: &Counts| LevelCounts {
        companies: counts.companies,
        high: counts.high,
        moderate: counts.moderate,
        first_alerts: counts.first_alerts,
    };
    let parts = |parts: &std::collections::BTreeMap<(String, String), Counts>| {
        parts
            .iter()
            .map(|((code, label), found)| SummaryPart { code: code.clone(), label_fr: label.clone(), counts: Some(counts(found)) })
            .collect()
    };
    ListSummary {
        list: Some(list),
        total: Some(counts(&summary.total)),
        departments: parts(&summary.departments),
        naf_sections: parts(&summary.sections),
    }
}

/// What a proposal leaves out, for clients.
pub fn cuts(proposal: &super::curated::Proposal) -> Vec<CuratedCut> {
    proposal.cut.iter().map(|(department, left_out)| CuratedCut { department: (*department).to_owned(), left_out: *left_out }).collect()
}

#[cfg(test)]
mod tests {
    use service_kit::auth::Right;

    use super::super::entry::Reason;
    use super::super::tests::{alerted, info};
    use super::*;

    #[test]
    fn a_mask_gives_what_it_names_and_nothing_else() {
        let mut company = alerted(1, "21", 0.5);
        company.reasons = vec![Reason { text: "Effectif : 3".into(), right: None }];
        let reader = Reader::new([Right::Score, Right::Explain].into_iter().collect());
        let masked = |paths: &[&str]| {
            let mask = FieldMask { paths: paths.iter().map(ToString::to_string).collect() };
            Mask::parse(Some(&mask)).map(|mask| entry(&info(), &company, reader, false, mask))
        };
        let card = entry(&info(), &company, reader, true, Mask::parse(None).unwrap());
        assert!(card.followed);
        assert!(card.reasons.is_empty() && card.rank == company.rank && card.indicators.is_some());
        assert_eq!(card.withheld.len(), 4, "{:?}", card.withheld);
        let all = masked(&["*"]).unwrap();
        assert_eq!((all.reasons.as_slice(), all.withheld.len()), (["Effectif : 3".to_owned()].as_slice(), 5));
        let few = masked(&["siren", "department"]).unwrap();
        assert_eq!(few, ListEntry { siren: company.siren.to_string(), department: "21".into(), ..ListEntry::default() });
        assert_eq!(masked(&["score"]).unwrap_err().code(), ErrorCode::InvalidArgument);
    }
}
