//! Two properties over random lists, callers and questions.
//!
//! *No leak*: whatever a caller may not see is changed, and no answer of any kind changes: no page, stream, count, difference,
//! proposal, file or error. *One list*: walking its pages, streaming it and exporting it give the same rows in the same order.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use api::lists::{ExportListRequest, ListEntry, Range, RankedListFilter, TerritoryMatch};
use domain::{AlertLevel, Department, DepartmentSet, NaiveDate, Siren};
use panel::Catalogue;
use proptest::prelude::*;
use prost::Message;
use prost_types::FieldMask;
use service_kit::auth::{Principal, Right, Rights};

use super::entry::{Contribution, Entry, FirstAlert, Reason};
use super::export::{self, Asked};
use super::query::Query;
use super::reply::{self, Mask};
use super::store::List;
use super::summary::summarize;
use super::tests::{entry, info};
use super::{answer, ranking};
use crate::access::explains;

static CATALOGUE: LazyLock<Catalogue> = LazyLock::new(|| Catalogue::builtin().unwrap());

const DEPARTMENTS: [&str; 4] = ["21", "2A", "75", "976"];
const GATED: [Right; 5] = [Right::Score, Right::Explain, Right::Urssaf, Right::Dgefp, Right::Bdf];
const FILTERS: [&str; 12] = [
    "",
    "headcount >= 20",
    "social_debt > 1000",
    "NOT social_debt > 1000",
    "payment_plan = true OR name:a",
    "short_time_work = true",
    "social_debt_rising != true AND turnover > 0",
    "alert_level >= MODERATE",
    "first_alert = true headcount < 30",
    "departments = 75",
    "followed = true",
    "NOT followed = true AND headcount < 30",
];
const ORDERS: [&str; 6] = ["", "rank desc", "name", "headcount desc", "social_debt", "turnover"];
const MASKS: [&[&str]; 4] = [&[], &["*"], &["siren", "reasons"], &["indicators", "groups"]];

/// A question of any kind.
#[derive(Debug, Clone)]
struct Question {
    message: RankedListFilter,
    filter: &'static str,
    order: &'static str,
    mask: &'static [&'static str],
    followed: BTreeMap<Siren, bool>,
}

fn departments(bits: u8) -> DepartmentSet {
    let chosen = DEPARTMENTS.iter().enumerate().filter(|(at, _)| bits >> at & 1 == 1);
    chosen.filter_map(|(_, code)| code.parse::<Department>().ok()).collect()
}

fn principals() -> impl Strategy<Value = Principal> {
    (0..16u8, 0..32u8, prop::bool::weighted(0.1)).prop_map(|(territory, rights, service)| {
        let rights = GATED.into_iter().enumerate().filter(|(at, _)| rights >> at & 1 == 1).map(|(_, right)| right);
        Principal {
            subject: "agent".into(),
            segment: "crp".into(),
            territories: departments(territory),
            rights: rights.chain(service.then_some(Right::ServiceScore)).collect(),
        }
    })
}

fn questions() -> impl Strategy<Value = Question> {
    let filters = (
        prop::option::of(prop::sample::select(DEPARTMENTS.to_vec())),
        any::<bool>(),
        prop::option::of(0.0..2_000.0),
        prop::option::of(any::<bool>()),
    );
    let texts = (prop::sample::select(FILTERS.to_vec()), prop::sample::select(ORDERS.to_vec()), prop::sample::select(MASKS.to_vec()));
    let followed = prop::collection::btree_map(1..14u32, any::<bool>(), 0..3);
    (filters, texts, followed).prop_map(|((department, any, debt, plan), (filter, order, mask), followed)| Question {
        followed: followed.into_iter().filter_map(|(number, here)| Some((Siren::from_number(number)?, here))).collect(),
        message: RankedListFilter {
            departments: department.into_iter().map(str::to_owned).collect(),
            territory_match: if any { TerritoryMatch::AnyEstablishment } else { TerritoryMatch::HeadOffice }.into(),
            // Rare, so that most questions are answered.
            social_debt: debt.filter(|debt| *debt < 200.0).map(|debt| Range { min: Some(debt), max: None }),
            has_payment_plan: plan.filter(|plan| *plan),
            ..RankedListFilter::default()
        },
        filter,
        order,
        mask,
    })
}

fn entries() -> impl Strategy<Value = Vec<Entry>> {
    let one = (0..16u8, 0..4usize, 0..3u8, prop::option::of(0.0..2_000.0), prop::option::of(any::<bool>()), "[a-c ]{0,3}");
    prop::collection::vec(one, 0..12).prop_map(|made| {
        let mut entries: Vec<Entry> = Vec::new();
        for (number, (places, home, level, amount, flag, name)) in made.into_iter().enumerate() {
            let mut one = entry(number as u32 + 1, DEPARTMENTS[home], 0.9 - number as f64 / 20.0);
            one.name = name;
            places_of(&mut one, places);
            one.level = [AlertLevel::None, AlertLevel::Moderate, AlertLevel::High][level as usize];
            one.first_alert = FirstAlert::default().seen(if level == 1 { "2509" } else { "2511" }.parse().unwrap(), one.level);
            one.groups = vec![Contribution { log_odds: 1.0, points: 2.0 }];
            secrets(&mut one, amount, flag, "first");
            one.indicators.headcount = amount.map(|amount| amount / 50.0);
            one.indicators.turnover = amount;
            entries.push(one);
        }
        ranking::rank(&mut entries);
        entries
    })
}

fn places_of(entry: &mut Entry, bits: u8) {
    departments(bits).iter().for_each(|department| entry.departments.insert(department));
}

/// Writes everything that a right guards.
fn secrets(entry: &mut Entry, amount: Option<f64>, flag: Option<bool>, word: &str) {
    entry.indicators.social_debt = amount;
    entry.indicators.social_debt_rising = flag;
    entry.indicators.payment_plan = flag;
    entry.indicators.short_time_hours = amount;
    let rights = [Some(Right::Urssaf), None, Some(Right::Dgefp), Some(Right::Bdf)];
    entry.reasons = rights.into_iter().map(|right| Reason { text: format!("{word} {right:?} {amount:?}"), right }).collect();
}

/// The same list after everything that the caller may not see was changed: the whole row where the row is not theirs, and the
/// fields that they lack the right to.
fn disguised(list: &List, principal: &Principal, question: &Question) -> List {
    let mut entries = list.entries.clone();
    let sight = RankedListFilter { territory_match: question.message.territory_match, ..RankedListFilter::default() };
    let sight = Query::new(principal.clone(), Some(sight), "", "").unwrap().following(question.followed.clone());
    for (entry, facts) in entries.iter_mut().zip(&list.facts) {
        let (seen, kept) = (sight.sees(facts), entry.clone());
        secrets(entry, Some(777.0), Some(true), "other");
        if seen {
            restore(entry, &kept, principal.rights);
        } else {
            entry.name = format!("{}z", entry.name);
            entry.indicators.headcount = Some(1e6);
            entry.indicators.turnover = None;
            entry.groups.clear();
            entry.created = NaiveDate::from_ymd_opt(2020, 1, 1);
            entry.siren = domain::Siren::from_number(900_000_000 + entry.rank).unwrap();
        }
    }
    List::new(list.info.clone(), entries)
}

fn restore(entry: &mut Entry, kept: &Entry, rights: Rights) {
    if rights.has(Right::Urssaf) {
        entry.indicators.social_debt = kept.indicators.social_debt;
        entry.indicators.social_debt_rising = kept.indicators.social_debt_rising;
        entry.indicators.payment_plan = kept.indicators.payment_plan;
    }
    if rights.has(Right::Dgefp) {
        entry.indicators.short_time_hours = kept.indicators.short_time_hours;
    }
    for (reason, kept) in entry.reasons.iter_mut().zip(&kept.reasons).filter(|(_, kept)| explains(rights, kept.right)) {
        reason.clone_from(kept);
    }
}

/// The list before: without the alerts that are new, and without some companies.
fn earlier(list: &List) -> List {
    let mut entries: Vec<Entry> = list.entries.iter().filter(|entry| entry.rank % 4 != 3).cloned().collect();
    for entry in entries.iter_mut().filter(|entry| entry.first_alert.first == "2511".parse().ok()) {
        (entry.level, entry.first_alert) = (AlertLevel::None, FirstAlert::default());
    }
    List::new(list.info.clone(), entries)
}

/// Every answer to a question, in bytes; an error is its code and its words.
fn answers(list: &List, earlier: &List, principal: &Principal, question: &Question) -> Vec<Result<Vec<u8>, String>> {
    let mask = FieldMask { paths: question.mask.iter().map(ToString::to_string).collect() };
    let mask = Mask::parse(Some(&mask)).unwrap();
    let query = match Query::new(principal.clone(), Some(question.message.clone()), question.filter, question.order) {
        Ok(query) => query.following(question.followed.clone()),
        Err(error) => return vec![Err(error.to_string())],
    };
    let bytes = |entries: &[ListEntry]| entries.iter().flat_map(Message::encode_length_delimited_to_vec).collect::<Vec<u8>>();
    let page = answer::page(list, &query, mask, 3, None);
    let summary = reply::summary(&summarize(list, &query), reply::described(&list.info, None));
    let mut all = vec![
        Ok(bytes(&page.entries)),
        Ok(format!("{} {:?}", page.total, page.next_after).into_bytes()),
        Ok(summary.encode_to_vec()),
        Ok(answer::changes(earlier, list, &query).iter().flat_map(Message::encode_length_delimited_to_vec).collect()),
        Ok(answer::changes(list, earlier, &query).iter().flat_map(Message::encode_length_delimited_to_vec).collect()),
        answer::proposal(list, &query, 1, 3)
            .map(|(entries, proposal)| [bytes(&entries), format!("{:?}", proposal.cut).into_bytes()].concat())
            .map_err(|error| error.to_string()),
    ];
    // Parquet costs as much as all others together.
    let parquet = (list.entries.len() == 6).then_some(("parquet", "full"));
    for (format, columns) in [("csv", "full"), ("csv", "codefi")].into_iter().chain(parquet) {
        let request = ExportListRequest { format: format.into(), columns: columns.into(), ..ExportListRequest::default() };
        all.push(export::write(list, &query, &Asked::parse(&request).unwrap(), &CATALOGUE).map_err(|error| error.to_string()));
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_forbidden_changes_any_answer(entries in entries(), principal in principals(), question in questions()) {
        let list = List::new(info(), entries);
        let other = disguised(&list, &principal, &question);
        let (before, other_before) = (earlier(&list), earlier(&other));
        let (seen, disguised) = (answers(&list, &before, &principal, &question), answers(&other, &other_before, &principal, &question));
        prop_assert_eq!(seen, disguised);
    }

    #[test]
    fn pages_stream_and_file_are_one_list(entries in entries(), principal in principals(), question in questions()) {
        let list = Arc::new(List::new(info(), entries));
        let query = Query::new(principal, Some(question.message), question.filter, question.order);
        let Ok(query) = query.map(|query| query.following(question.followed)) else { return Ok(()) };
        let mask = Mask::parse(None).unwrap();
        let (mut walked, mut after, mut totals) = (Vec::new(), None, Vec::new());
        loop {
            let page = answer::page(&list, &query, mask, 2, after);
            walked.extend(page.entries);
            totals.push(page.total);
            after = page.next_after;
            if after.is_none() {
                break;
            }
        }
        let streamed: Vec<ListEntry> = answer::batches(list.clone(), query.clone(), mask).flatten().collect();
        let summary = summarize(&list, &query);
        prop_assert!(totals.iter().all(|total| *total == streamed.len() as u64 && *total == summary.total.companies));
        let bytes = |entries: &[ListEntry]| entries.iter().map(Message::encode_to_vec).collect::<Vec<_>>();
        prop_assert_eq!(bytes(&walked), bytes(&streamed));
        let file = export::write(&list, &query, &Asked::parse(&ExportListRequest::default()).unwrap(), &CATALOGUE).unwrap();
        let file = String::from_utf8(file).unwrap();
        let written: Vec<&str> = file.lines().skip(1).filter_map(|line| line.split(';').nth(1)).collect();
        prop_assert_eq!(written, streamed.iter().map(|entry| entry.siren.as_str()).collect::<Vec<_>>());
    }
}
