//! What a sheet shows of a company: pure, of what is known and what the caller may see.

use std::time::SystemTime;

use api::companies::{Access, Company as ApiCompany, CompanySheet, Period, ProcolPeriod};
use api::features::{CompanyHistory, Series};
use domain::{NafCode, NafNomenclature};
use service_kit::auth::{Principal, Right};

use crate::access::{Company, Decision, decide};
use crate::follows::Grant;
use crate::list::entry::{Entry, ListInfo};
use crate::list::reply;
use crate::list::store::Placed;

/// The right that each series of the feature store needs (`domain/consumers.md` §3.2): headcount, published accounts and what INSEE
/// says are public. One that no line names is shown to nobody but operators.
const SERIES: [(&str, Option<Right>); 9] = [
    ("debt_employee", Some(Right::Urssaf)),
    ("debt_employer", Some(Right::Urssaf)),
    ("contribution", Some(Right::Urssaf)),
    ("headcount", None),
    ("short_time_requested", Some(Right::Dgefp)),
    ("short_time_consumed", Some(Right::Dgefp)),
    ("payment_delay", None),
    ("turnover", None),
    ("open_establishments", None),
];
/// The series that is shown as the months of payment plans.
const PLANS: (&str, Right) = ("plan_running", Right::Urssaf);

/// What is known of a company.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    /// Its entry of the published list, if it is on it.
    pub entry: Option<&'a Entry>,
    /// Its history in the feature store, if that knows it.
    pub history: Option<&'a CompanyHistory>,
    /// Where it was on published lists, latest first; not yet known before it is decided who may know it, unless `entry` is missing.
    pub places: &'a [(ListInfo, Placed)],
    /// What opened it to the caller, if that holds.
    pub grant: Option<&'a Grant>,
}

impl Known<'_> {
    /// Where it is, or was when a list last had it: one that failed since is no longer on the published list, and open as before.
    fn last(&self) -> Option<Placed> {
        self.entry.map(Placed::of).or_else(|| self.places.first().map(|(_, placed)| *placed))
    }

    /// What the caller may see of it. A company that never was on a list has no establishment that we know of.
    pub fn decide(&self, principal: &Principal) -> Decision {
        let departments = self.last().map(|last| last.departments).unwrap_or_default();
        let company = Company { departments, ever_alerted: self.ever_alerted(), followed: self.opens(principal) };
        decide(principal, company, self.last().and_then(|last| last.department))
    }

    /// Whether the grant opens it: one that was made as a follow in the territory does as long as the company is there.
    fn opens(&self, principal: &Principal) -> bool {
        let here = || self.last().is_some_and(|last| last.departments.intersects(principal.territories));
        self.grant.is_some_and(|grant| !grant.is_of_territory() || here())
    }

    /// Whether something of it is open to the caller by a grant that ends, and by nothing else.
    pub fn is_opened_by_grant(&self, principal: &Principal) -> bool {
        let without = Self { grant: None, ..*self };
        let ends = self.grant.is_some_and(|grant| !grant.is_of_territory());
        ends && self.decide(principal).rights != without.decide(principal).rights
    }

    fn ever_alerted(&self) -> bool {
        self.last().is_some_and(|last| last.ever_alerted)
    }
}

/// The sheet of a company, from this month (YYYY-MM) on.
pub fn sheet(known: Known<'_>, principal: &Principal, from: &str) -> CompanySheet {
    let decision = known.decide(principal);
    let opens = |right: Option<Right>| right.is_none_or(|right| decision.rights.has(right));
    let mut withheld = Vec::new();
    let first = known.history.map_or(0, |history| history.months.partition_point(|month| month.as_str() < from));
    let mut series = Vec::new();
    for found in known.history.iter().flat_map(|history| &history.series).filter(|series| series.name != PLANS.0) {
        if opens(right_of(&found.name)) {
            series.push(charted(found, first));
        } else {
            withheld.push(format!("series.{}", found.name));
        }
    }
    let plans = opens(Some(PLANS.1));
    let scores = opens(Some(Right::Score));
    withheld.extend((!plans).then(|| "payment_plans".to_owned()));
    withheld.extend((!scores).then(|| "scores".to_owned()));
    CompanySheet {
        company: Some(identity(known.entry, known.history)),
        months: known.history.map(|history| history.months[first..].to_vec()).unwrap_or_default(),
        series,
        procedures: known.history.map(procedures).unwrap_or_default(),
        payment_plans: known.history.filter(|_| plans).map(payment_plans).unwrap_or_default(),
        scores: if scores { known.places.iter().map(|(info, placed)| reply::placed(info, *placed)).collect() } else { Vec::new() },
        access: Some(Access {
            visible: decision.visible,
            in_territory: decision.in_territory,
            // Whether a list alerted the company is a fact about its score.
            ever_alerted: scores && known.ever_alerted(),
            followed: known.grant.is_some(),
            break_glass: known.grant.is_some_and(Grant::is_break_glass),
            until: known.grant.and_then(|grant| grant.until).map(|until| SystemTime::from(until).into()),
            withheld,
        }),
        stale: false,
    }
}

/// Who a company is: public.
pub fn identity(entry: Option<&Entry>, history: Option<&CompanyHistory>) -> ApiCompany {
    let Some(entry) = entry else {
        let named =
            |history: &CompanyHistory| ApiCompany { siren: history.siren.clone(), name: history.name.clone(), ..ApiCompany::default() };
        return history.map(named).unwrap_or_default();
    };
    let naf = NafCode::parse(&entry.naf, NafNomenclature::Rev2).and_then(NafCode::label_fr);
    ApiCompany {
        siren: entry.siren.to_string(),
        name: entry.name.clone(),
        siret: entry.siret.map(|siret| siret.to_string()).unwrap_or_default(),
        department: reply::code(entry.department),
        commune: entry.commune.clone(),
        departments: entry.departments.iter().map(|department| department.code().to_owned()).collect(),
        naf_code: entry.naf.clone(),
        naf_label_fr: naf.unwrap_or_default().to_owned(),
        legal_category: entry.legal_category.map(|category| category.to_string()).unwrap_or_default(),
        created: entry.created.map(reply::date),
        headcount: entry.indicators.headcount,
    }
}

fn right_of(series: &str) -> Option<Right> {
    SERIES.iter().find(|(name, _)| *name == series).map_or(Some(Right::Operator), |(_, right)| *right)
}

/// The months of a series from `first` on.
fn charted(series: &Series, first: usize) -> Series {
    Series {
        values: series.values.get(first..).unwrap_or_default().to_vec(),
        basis: series.basis.get(first..).unwrap_or_default().to_vec(),
        ..series.clone()
    }
}

/// Runs of equal months: what stands, its first and its last month, empty when it goes on.
fn runs<T: PartialEq>(months: &[String], states: impl Iterator<Item = Option<T>>) -> Vec<(T, String, String)> {
    let mut runs: Vec<(T, usize, usize)> = Vec::new();
    for (month, state) in states.enumerate() {
        let Some(state) = state else { continue };
        match runs.last_mut() {
            Some((current, _, last)) if *last + 1 == month && *current == state => *last = month,
            _ => runs.push((state, month, month)),
        }
    }
    let name = |month: usize| months.get(month).cloned().unwrap_or_default();
    let end = |last: usize| if last + 1 == months.len() { String::new() } else { name(last) };
    runs.into_iter().map(|(state, first, last)| (state, name(first), end(last))).collect()
}

fn procedures(history: &CompanyHistory) -> Vec<ProcolPeriod> {
    let states = history.procol.iter().map(|state| (!state.is_empty()).then(|| state.clone()));
    let periods = runs(&history.months, states).into_iter();
    periods.map(|(label_fr, from_month, to_month)| ProcolPeriod { label_fr, from_month, to_month }).collect()
}

fn payment_plans(history: &CompanyHistory) -> Vec<Period> {
    let Some(plans) = history.series.iter().find(|series| series.name == PLANS.0) else { return Vec::new() };
    let periods = runs(&history.months, plans.values.iter().map(|running| (*running > 0.0).then_some(()))).into_iter();
    periods.map(|((), from_month, to_month)| Period { from_month, to_month }).collect()
}

#[cfg(test)]
mod tests {
    use api::features::Basis;
    use chrono::{DateTime, Utc};
    use domain::Month;
    use service_kit::auth::Rights;

    use super::*;
    use crate::follows::Reason;
    use crate::list::tests::{alerted, entry, info};

    /// A history of a year with every series of the feature store, of which the first half of the year is observed.
    fn history() -> CompanyHistory {
        let rows = panel::CompanyRows::empty(domain::Siren::from_number(1).unwrap());
        let (first, last) = (Month::new(2025, 1).unwrap(), Month::new(2025, 12).unwrap());
        let charts = panel::history::history(&rows, first, last, &domain::time_rules::TimeRules::default());
        let observed = |month: i32| if month < 6 { Basis::Observed } else { Basis::Carried };
        let series = charts.series.iter().map(|series| Series {
            name: series.name.into(),
            values: (0..12).map(|month| f64::from(u8::from((3..5).contains(&month) || month == 11))).collect(),
            basis: (0..12).map(|month| observed(month).into()).collect(),
            data_until: "2025-06".into(),
            ..Series::default()
        });
        CompanyHistory {
            siren: "000000001".into(),
            name: "A".into(),
            months: (0..12).map(|month| first.plus(month).to_string()).collect(),
            series: series.collect(),
            procol: (0..12).map(|month| if month < 10 { String::new() } else { "Redressement judiciaire".to_owned() }).collect(),
        }
    }

    fn agent(rights: &[Right]) -> Principal {
        let rights: Rights = rights.iter().copied().collect();
        Principal { territories: ["21".parse::<domain::Department>().unwrap()].into_iter().collect(), rights, ..Principal::local() }
    }

    fn names(sheet: &CompanySheet) -> Vec<&str> {
        sheet.series.iter().map(|series| series.name.as_str()).collect()
    }

    const PUBLIC: [&str; 4] = ["headcount", "payment_delay", "turnover", "open_establishments"];

    #[test]
    fn a_right_opens_its_data_where_the_company_is_open() {
        let (history, here) = (history(), alerted(1, "21", 0.9));
        let known = Known { entry: Some(&here), history: Some(&history), places: &[], grant: None };
        let bare = sheet(known, &agent(&[]), "2025-07");
        assert_eq!(names(&bare), PUBLIC);
        let access = bare.access.unwrap();
        assert_eq!(access.withheld.len(), 7, "{:?}", access.withheld);
        assert!(access.visible && !access.ever_alerted && bare.payment_plans.is_empty());
        let urssaf = sheet(known, &agent(&[Right::Urssaf]), "2025-07");
        assert_eq!(urssaf.series.len(), 7);
        assert_eq!(urssaf.payment_plans.len(), 2);
        assert_eq!(urssaf.payment_plans[1], Period { from_month: "2025-12".into(), to_month: String::new() });
        let elsewhere = alerted(1, "75", 0.9);
        let closed = sheet(Known { entry: Some(&elsewhere), ..known }, &agent(&Right::ALL), "");
        assert_eq!(names(&closed), PUBLIC);
        assert!(!closed.access.unwrap().visible);
    }

    #[test]
    fn a_company_never_alerted_is_closed_until_it_is_followed() {
        let (history, quiet) = (history(), entry(1, "21", 0.1));
        let known = Known { entry: Some(&quiet), history: Some(&history), places: &[], grant: None };
        assert_eq!(names(&sheet(known, &agent(&Right::ALL), "")), PUBLIC);
        let since = DateTime::<Utc>::UNIX_EPOCH;
        let grant = Grant { siren: quiet.siren, reason: Some(Reason::Other), comment: String::new(), since, until: Some(since) };
        let followed = Known { grant: Some(&grant), ..known };
        assert!(followed.is_opened_by_grant(&agent(&Right::ALL)) && !known.is_opened_by_grant(&agent(&Right::ALL)));
        assert!(!followed.is_opened_by_grant(&agent(&[])), "who has no right is shown nothing more");
        let open = sheet(followed, &agent(&Right::ALL), "");
        assert_eq!(open.series.len(), 9);
        let access = open.access.unwrap();
        assert!(access.followed && !access.break_glass && access.until.is_some() && access.withheld.is_empty());
    }

    #[test]
    fn a_company_that_left_the_list_is_open_to_whom_it_was() {
        let (history, alert) = (history(), alerted(1, "21", 0.9));
        let places = [(info(), Placed::of(&alert))];
        let known = Known { entry: None, history: Some(&history), places: &places, grant: None };
        let open = sheet(known, &agent(&Right::ALL), "");
        assert_eq!((open.series.len(), open.scores.len()), (9, 1));
        let access = open.access.unwrap();
        assert!(access.visible && access.in_territory && access.ever_alerted);
        let quiet = [(info(), Placed::of(&entry(1, "21", 0.1)))];
        assert_eq!(names(&sheet(Known { places: &quiet, ..known }, &agent(&Right::ALL), "")), PUBLIC, "never alerted");
    }

    #[test]
    fn series_begin_where_they_are_asked_for() {
        let history = history();
        let known = Known { entry: None, history: Some(&history), places: &[], grant: None };
        let found = sheet(known, &agent(&[]), "2025-09");
        assert_eq!((found.months.len(), found.series[0].values.len(), found.series[0].basis.len()), (4, 4, 4));
        assert_eq!(found.series[0].data_until, "2025-06");
        assert_eq!(
            found.procedures,
            [ProcolPeriod { label_fr: "Redressement judiciaire".into(), from_month: "2025-11".into(), to_month: String::new() }]
        );
        assert_eq!(sheet(known, &agent(&[]), "2030-01").months.len(), 0);
        assert_eq!(found.company.unwrap().name, "A");
    }

    /// A new series of the feature store must be given its right before anybody sees it.
    #[test]
    fn every_series_has_its_right() {
        for series in history().series.iter().filter(|series| series.name != PLANS.0) {
            assert!(SERIES.iter().any(|(name, _)| *name == series.name), "{}", series.name);
        }
        assert_eq!(right_of("tax_debt"), Some(Right::Operator));
    }
}
