//! How long answers about a list of the country take: `make bench-lists`. 70,000 invented entries; times are of the answer alone,
//! without gRPC (`make bench-score` has it). Prints the median and the 99th percentile of each kind of question.
#![allow(clippy::print_stdout, clippy::unwrap_used, missing_docs)]

use std::time::Instant;

use api::lists::RankedListFilter;
use domain::{AlertLevel, Department, Siren};
use scoring::list::entry::{Contribution, Entry, FirstAlert, Indicators, ListInfo, Reason};
use scoring::list::query::Query;
use scoring::list::reply::Mask;
use scoring::list::store::List;
use scoring::list::{answer, ranking, summary};
use service_kit::auth::{Principal, Right};

const ENTRIES: u32 = 70_000;
const ROUNDS: u32 = 400;

fn entry(number: u32) -> Entry {
    let lot = u64::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    let department = Department::all().nth(lot as usize % 101);
    let level = [AlertLevel::High, AlertLevel::Moderate][lot as usize % 2];
    Entry {
        siren: Siren::from_number(300_000_000 + number).unwrap(),
        name: format!("SOCIETE DE L'EXEMPLE {lot:x}"),
        siret: None,
        department,
        commune: "EXEMPLE".to_owned(),
        departments: department.into_iter().collect(),
        legal_category: None,
        created: None,
        naf: "43.21A".to_owned(),
        rank: 0,
        department_rank: 0,
        probability: lot as f64 / 4_294_967_296.0,
        level,
        previous_level: None,
        first_alert: FirstAlert::default().seen("2511".parse().unwrap(), level),
        groups: vec![Contribution::default(); 6],
        reasons: (0..6)
            .map(|reason| Reason { text: format!("Raison numéro {reason} : {lot}"), right: (reason % 2 == 0).then_some(Right::Urssaf) })
            .collect(),
        indicators: Indicators { headcount: Some((lot % 300) as f64), social_debt: Some((lot % 90_000) as f64), ..Indicators::default() },
    }
}

fn main() {
    let mut entries: Vec<Entry> = (0..ENTRIES).map(entry).collect();
    ranking::rank(&mut entries);
    let info = ListInfo {
        batch: "2511".parse().unwrap(),
        generation: 1,
        model_id: "m".to_owned(),
        previous: None,
        month: "2025-10".parse().unwrap(),
        groups: ["a", "b", "c", "d", "e", "f"].map(str::to_owned).to_vec(),
        companies: ENTRIES.into(),
        high: 0,
        moderate: 0,
        sha256: String::new(),
    };
    let list = List::new(info, entries);
    let mask = Mask::parse(None).unwrap();
    let everywhere = Principal { rights: [Right::Score, Right::Explain, Right::Urssaf].into_iter().collect(), ..Principal::local() };
    let query = |department: Option<&str>, filter: &str, order: &str| {
        let filters = RankedListFilter { departments: department.into_iter().map(str::to_owned).collect(), ..RankedListFilter::default() };
        Query::new(everywhere.clone(), Some(filters), filter, order).unwrap()
    };
    println!("{ENTRIES} entries, {ROUNDS} rounds, milliseconds\n{:<56}{:>8}{:>8}", "", "p50", "p99");
    for (what, query, after) in [
        ("page of a department", query(Some("21"), "", ""), None),
        ("page of the country", query(None, "", ""), None),
        ("page in the middle of the country", query(None, "", ""), Some(ENTRIES / 2)),
        ("page, headcount >= 50 AND NOT social_debt > 1000", query(None, "headcount >= 50 AND NOT social_debt > 1000", ""), None),
        ("page, part of a name", query(None, "name:exemple", ""), None),
        ("page by social debt", query(None, "", "social_debt desc"), None),
    ] {
        timed(what, || answer::page(&list, &query, mask, 50, after).total);
    }
    let all = query(None, "", "");
    timed("summary of the country", || summary::summarize(&list, &all).total.companies);
}

fn timed(what: &str, mut work: impl FnMut() -> u64) {
    assert!(work() > 0, "{what}: nothing found");
    let mut times: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let start = Instant::now();
            std::hint::black_box(work());
            start.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    times.sort_by(f64::total_cmp);
    println!("{what:<56}{:>8.2}{:>8.2}", times[times.len() / 2], times[times.len() * 99 / 100]);
}
