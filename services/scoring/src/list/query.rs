//! What a caller asks of a list and may have of it: the filter, the order, and the rows that are theirs to see.

use std::collections::BTreeMap;
use std::sync::Arc;

use api::lists::{RankedListFilter, TerritoryMatch};
use domain::{DepartmentSet, Siren};
use service_kit::auth::{Principal, Right};
use service_kit::error::{ErrorCode, ServiceError};

use super::facts::Facts;
use super::filter::{Filter, Row, structured, text};
use super::order::Order;
use super::store::List;
use crate::access::{Company, decide};

/// A checked question of a caller.
#[derive(Debug, Clone)]
pub struct Query {
    principal: Principal,
    /// Whether any establishment in the territory is enough, or the head office must be there.
    any_establishment: bool,
    filter: Filter,
    order: Order,
    /// Companies that the caller follows, and whether they do so as companies of their territory.
    followed: Arc<BTreeMap<Siren, bool>>,
    /// What was asked, in words.
    asked: String,
}

impl Query {
    /// Checks a question: codes and syntax, then the caller's rights to the fields it reads, then the departments it names.
    pub fn new(principal: Principal, message: Option<RankedListFilter>, filter: &str, order_by: &str) -> Result<Self, ServiceError> {
        let message = message.unwrap_or_default();
        let order = Order::parse(order_by)?;
        let asked = words(&message, filter, order_by);
        let filter = Filter::All(vec![structured::parse(&message)?, text::parse(filter)?]);
        for right in filter.rights().into_iter().chain(order.right()) {
            principal.require(right, "a filter or an order on this field")?;
        }
        let query = Self {
            any_establishment: structured::territory(&message)? == TerritoryMatch::AnyEstablishment,
            principal,
            filter,
            order,
            followed: Arc::default(),
            asked,
        };
        query.check_departments(query.filter.departments())?;
        Ok(query)
    }

    /// The question of the suite itself: all entries, by rank.
    pub fn everything() -> Self {
        Self {
            principal: Principal::local(),
            any_establishment: false,
            filter: Filter::everything(),
            order: Order::default(),
            followed: Arc::default(),
            asked: String::new(),
        }
    }

    fn check_departments(&self, asked: DepartmentSet) -> Result<(), ServiceError> {
        let outside = asked.without(self.principal.territories);
        if outside.is_empty() || self.sees_everywhere() {
            return Ok(());
        }
        let codes: Vec<&str> = outside.iter().map(domain::Department::code).collect();
        let message = format!("outside your territory: {}", codes.join(", "));
        Err(ServiceError::new(ErrorCode::OutOfTerritory, message).with("departments", codes.join(",")))
    }

    /// Services ask for companies of the whole country; their rights limit fields, not rows.
    fn sees_everywhere(&self) -> bool {
        self.principal.has(Right::ServiceScore)
    }

    /// The same of a caller who follows these companies: they are theirs to see wherever they are, or, where it says so, as long
    /// as they are in the territory.
    #[must_use]
    pub fn following(self, followed: BTreeMap<Siren, bool>) -> Self {
        Self { followed: Arc::new(followed), ..self }
    }

    /// Whether the caller follows a company.
    pub fn follows(&self, siren: Siren) -> bool {
        self.followed.contains_key(&siren)
    }

    /// Whether a follow opens a company to the caller.
    fn is_opened(&self, facts: &Facts) -> bool {
        let here = || facts.departments.intersects(self.principal.territories);
        self.followed.get(&facts.siren).is_some_and(|of_territory| !of_territory || here())
    }

    /// What a filter reads of an entry.
    pub fn row<'a>(&self, list: &'a List, position: usize) -> Row<'a> {
        let facts = &list.facts[position];
        Row { facts, entry: &list.entries[position], name: &list.names[position], followed: self.follows(facts.siren) }
    }

    /// Companies that the question reaches, and that the caller sees because of a grant alone.
    pub fn opened(&self, list: &List) -> Vec<Siren> {
        let granted = self.followed.iter().filter(|(_, of_territory)| !**of_territory).map(|(siren, _)| *siren);
        let by_grant = |siren: &Siren| {
            let position = list.position(*siren);
            position.is_some_and(|position| self.has(list, position) && !self.sees_if(&list.facts[position], false))
        };
        granted.filter(by_grant).collect()
    }

    /// What was asked, in words, for the record.
    pub fn asked(&self) -> &str {
        &self.asked
    }

    /// Who asks.
    pub fn principal(&self) -> &Principal {
        &self.principal
    }

    /// Whether the row is one that the caller may see, whatever they ask for.
    pub fn sees(&self, facts: &Facts) -> bool {
        self.sees_if(facts, self.is_opened(facts))
    }

    fn sees_if(&self, facts: &Facts, followed: bool) -> bool {
        if self.sees_everywhere() {
            return true;
        }
        let head_office = || facts.department.into_iter().collect();
        let departments = if self.any_establishment { facts.departments } else { head_office() };
        let company = Company { departments, ever_alerted: facts.ever_alerted, followed };
        decide(&self.principal, company, facts.department).rights.has(Right::Score)
    }

    /// Positions of the entries that the caller sees and asks for, in the order asked for.
    pub fn rows<'a>(&'a self, list: &'a List) -> impl Iterator<Item = usize> + 'a {
        list.in_order(self.order).iter().map(|position| *position as usize).filter(move |position| self.has(list, *position))
    }

    /// How many rows there are: in the order of memory, which is several times as fast as in another.
    pub fn count(&self, list: &List) -> usize {
        (0..list.entries.len()).filter(|position| self.has(list, *position)).count()
    }

    /// The rows after the entry of a rank, in the order asked for, whether that entry is still one of them or not; all rows when no
    /// entry has this rank.
    pub fn after<'a>(&'a self, list: &'a List, rank: u32) -> impl Iterator<Item = usize> + 'a {
        let order = list.in_order(self.order);
        let last = list.facts.binary_search_by_key(&rank, |facts| facts.rank).ok();
        let start = last.and_then(|last| order.iter().position(|position| *position as usize == last)).map_or(0, |at| at + 1);
        order[start..].iter().map(|position| *position as usize).filter(move |position| self.has(list, *position))
    }

    /// Whether the caller sees an entry and asks for it.
    fn has(&self, list: &List, position: usize) -> bool {
        self.sees(&list.facts[position]) && self.filter.accepts(self.row(list, position))
    }

    /// Text that two equal questions of equal callers share and two different ones do not. What the caller follows is no part of it:
    /// following a company while walking through pages is no other question.
    pub fn canonical(&self) -> String {
        format!("{:?}", (&self.principal, self.any_establishment, &self.filter, self.order))
    }
}

/// What was given of a question.
fn words(message: &RankedListFilter, text: &str, order_by: &str) -> String {
    let message = if *message == RankedListFilter::default() { String::new() } else { format!("{message:?}") };
    [message.as_str(), text, order_by].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use domain::Department;

    use super::super::tests::{alerted, entry, info};
    use super::*;

    fn agent(departments: &[&str], rights: &[Right]) -> Principal {
        Principal {
            subject: "agent".into(),
            segment: "crp".into(),
            territories: departments.iter().map(|code| code.parse::<Department>().unwrap()).collect(),
            rights: rights.iter().copied().collect(),
        }
    }

    fn list() -> List {
        let mut entries = vec![alerted(1, "21", 0.9), alerted(2, "25", 0.8), alerted(3, "75", 0.7), entry(4, "21", 0.1)];
        entries[2].departments.insert("25".parse().unwrap());
        entries[0].indicators.social_debt = Some(10.0);
        super::super::ranking::rank(&mut entries);
        List::new(info(), entries)
    }

    fn rows(principal: Principal, message: RankedListFilter) -> Result<Vec<usize>, ErrorCode> {
        let query = Query::new(principal, Some(message), "", "").map_err(|error| error.code())?;
        Ok(query.rows(&list()).collect())
    }

    #[test]
    fn rows_are_those_of_the_territory_once_alerted() {
        let any = RankedListFilter { territory_match: TerritoryMatch::AnyEstablishment.into(), ..RankedListFilter::default() };
        let all = RankedListFilter::default;
        let score = [Right::Score];
        assert_eq!(rows(agent(&["21"], &score), all()), Ok(vec![0]), "a company never alerted is closed");
        assert_eq!(rows(agent(&["25"], &score), all()), Ok(vec![1]));
        assert_eq!(rows(agent(&["25"], &score), any), Ok(vec![1, 2]), "head office in 75, plant in 25");
        assert_eq!(rows(agent(&[], &score), all()), Ok(vec![]), "no territory is not the whole country");
        assert_eq!(rows(Principal::local(), all()), Ok(vec![0, 1, 2, 3]));
        assert_eq!(rows(agent(&["21"], &[Right::Urssaf]), all()), Ok(vec![]), "rows need the right to scores");
    }

    #[test]
    fn a_followed_company_is_seen_wherever_it_is_and_following_another_is_no_other_question() {
        let siren = |number| Siren::from_number(number).unwrap();
        let ask = |filter: &str, followed: &[u32]| {
            let query = Query::new(agent(&["21"], &[Right::Score]), None, filter, "").unwrap();
            query.following(followed.iter().map(|number| (siren(*number), *number == 2)).collect())
        };
        let rows = |filter: &str, followed: &[u32]| ask(filter, followed).rows(&list()).collect::<Vec<_>>();
        assert_eq!(rows("", &[]), [0]);
        assert_eq!(rows("", &[3, 4]), [0, 2, 3], "one of another department, one never alerted");
        assert_eq!(rows("", &[2]), [0], "followed as a company of a territory that was the caller's");
        assert_eq!(ask("", &[1, 2, 3, 4]).opened(&list()), [siren(3), siren(4)], "one is the territory's, one is not opened");
        assert_eq!(rows("followed = true", &[1, 3]), [0, 2]);
        assert_eq!(rows("followed = false", &[3]), [0]);
        assert_eq!(ask("", &[]).canonical(), ask("", &[3]).canonical());
        // The company that a page ended with is not followed any more: the next page begins after it all the same.
        let (first, second) = (ask("", &[3]), ask("", &[4]));
        let rank = list().facts[first.rows(&list()).last().unwrap()].rank;
        assert_eq!(second.after(&list(), rank).collect::<Vec<_>>(), [3]);
    }

    #[test]
    fn a_department_outside_the_territory_is_refused_when_asked_for() {
        let paris = RankedListFilter { departments: vec!["75".into(), "21".into()], ..RankedListFilter::default() };
        assert_eq!(rows(agent(&["21"], &[Right::Score]), paris.clone()), Err(ErrorCode::OutOfTerritory));
        assert_eq!(rows(agent(&[], &[Right::Score, Right::ServiceScore]), paris), Ok(vec![0, 2, 3]));
        let ask = |filter: &str| Query::new(agent(&["21"], &[Right::Score]), None, filter, "").map(|_| ()).map_err(|error| error.code());
        for filter in ["department = 75", "region = 11", "headcount > 1 AND (department = 21 OR departments = 75)"] {
            assert_eq!(ask(filter), Err(ErrorCode::OutOfTerritory), "{filter}");
        }
        assert_eq!(ask("department = 21 AND NOT department = 75"), Ok(()), "who leaves it out does not ask for it");
    }

    #[test]
    fn a_filter_or_an_order_needs_the_right_to_its_field() {
        let ask = |rights: &[Right], filter: &str, order: &str| {
            Query::new(agent(&["21"], rights), None, filter, order).map(|_| ()).map_err(|error| error.code())
        };
        for filter in ["social_debt > 1", "NOT (headcount > 1 OR payment_plan = true)", "social_debt_rising = true"] {
            assert_eq!(ask(&[Right::Score], filter, ""), Err(ErrorCode::RightMissing), "{filter}");
            assert_eq!(ask(&[Right::Score, Right::Urssaf], filter, ""), Ok(()));
        }
        assert_eq!(ask(&[Right::Score, Right::Urssaf], "short_time_work = true", ""), Err(ErrorCode::RightMissing));
        assert_eq!(ask(&[Right::Score], "", "social_debt desc"), Err(ErrorCode::RightMissing));
        assert_eq!(ask(&[Right::Score], "headcount > 1", "headcount desc"), Ok(()));
    }
}
