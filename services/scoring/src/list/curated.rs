//! A short list to start from, as the DGFiP makes it by hand (`domain/consumers.md` §5.1): first alerts, in bonis, without
//! payment plan, old enough, and no more of a department than its agents can follow.

use std::collections::BTreeMap;

use domain::{AlertLevel, Month};

use super::filter::{Compare, Filter, Flag, Test};
use super::query::Query;
use super::store::List;

/// Entries of a department, at most, when the caller does not say.
pub const CAP: u32 = 200;
/// Youngest age of a company, years, when the caller does not say.
pub const LEAST_AGE: u32 = 3;
/// What a caller may ask for, at most.
pub const LARGEST_AGE: u32 = 100;

/// A proposal.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Proposal {
    /// Positions of the entries, by rank.
    pub rows: Vec<usize>,
    /// Entries left out, for the departments that had more than the cap.
    pub cut: BTreeMap<&'static str, u64>,
}

/// What is asked of an entry. Companies on a list are in bonis: those in a procedure are not scored. A company whose day of
/// creation is unknown is kept, as the existing system does.
pub fn wanted(month: Month, least_age: u32) -> Filter {
    let young = Filter::Test(Test::Created(Compare::More, month.plus(-12 * least_age as i32).last_day()));
    let old = Filter::Any(vec![Filter::Not(Box::new(young)), Filter::Test(Test::CreatedUnknown)]);
    Filter::All(vec![
        Filter::Test(Test::Level(Compare::AtLeast, AlertLevel::Moderate)),
        Filter::Test(Test::Flag(Flag::FirstAlert, true)),
        Filter::Test(Test::Flag(Flag::PaymentPlan, false)),
        old,
    ])
}

/// The rows of a question that are [`wanted`], the first of each department by rank.
///
/// The rule behind the existing list prefers degraded accounts, then the moderate level; ours keeps the order of the risk,
/// because a calibrated probability holds the accounts already.
pub fn propose(list: &List, query: &Query, cap: u32, least_age: u32) -> Proposal {
    let wanted = wanted(list.info.month, least_age);
    let mut proposal = Proposal::default();
    let mut taken: BTreeMap<Option<domain::Department>, u32> = BTreeMap::new();
    for position in query.rows(list) {
        let facts = &list.facts[position];
        if !wanted.accepts(query.row(list, position)) {
            continue;
        }
        let of_department = taken.entry(facts.department).or_default();
        if *of_department < cap {
            *of_department += 1;
            proposal.rows.push(position);
        } else {
            *proposal.cut.entry(facts.department.map(domain::Department::code).unwrap_or_default()).or_default() += 1;
        }
    }
    proposal
}

#[cfg(test)]
mod tests {
    use domain::NaiveDate;
    use service_kit::auth::Principal;

    use super::super::tests::{alerted, info};
    use super::*;

    #[test]
    fn a_proposal_keeps_the_first_of_each_department() {
        let mut entries: Vec<_> =
            (1..=8).map(|number| alerted(number, if number > 5 { "75" } else { "21" }, 1.0 / f64::from(number))).collect();
        for entry in &mut entries {
            entry.indicators.payment_plan = Some(false);
        }
        entries[1].first_alert.first = Some("2509".parse().unwrap());
        entries[2].indicators.payment_plan = Some(true);
        entries[3].created = NaiveDate::from_ymd_opt(2022, 11, 1);
        entries[4].created = NaiveDate::from_ymd_opt(2022, 10, 31);
        super::super::ranking::rank(&mut entries);
        let list = List::new(info(), entries);
        let query = Query::new(Principal::local(), None, "", "").unwrap();
        let proposal = propose(&list, &query, 2, LEAST_AGE);
        assert_eq!(proposal.rows, [0, 4, 5, 6]);
        assert_eq!(proposal.cut.into_iter().collect::<Vec<_>>(), [("75", 1)]);
    }
}
