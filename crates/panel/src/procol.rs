//! In which collective proceeding a company is (`procol_at_date`: `domain/ingestion.md` §2.7, `domain/model.md` §1.3).

use chrono::Months;
use domain::records::ProcolEvent;
use domain::{NaiveDate, ProcolAction, ProcolStage, ProcolState};

/// Years after which a continuation plan is over even if nobody says so.
const PLAN_YEARS: u32 = 10;

/// The most severe proceeding that is open on a day: for each kind, the last event up to that day, unless it ends the
/// proceeding, merges it into another, or is a plan of more than ten years. `None` means in bonis.
pub fn state_at(events: &[ProcolEvent], day: NaiveDate) -> Option<ProcolState> {
    ProcolAction::ALL.into_iter().rev().find_map(|action| {
        let of_kind = events.iter().filter(|event| event.action == Some(action) && event.effective <= day);
        // The settling of accounts announces no new state. Of two events of a day, the further stage counts.
        let last = of_kind.filter(|event| event.stage != ProcolStage::SoldeProcedure).max_by_key(|event| (event.effective, event.stage))?;
        let plan = last.stage == ProcolStage::PlanContinuation;
        let over = match last.stage {
            ProcolStage::FinProcedure | ProcolStage::InclusionAutreProcedure | ProcolStage::AbandonProcedure => true,
            ProcolStage::PlanContinuation => last.effective.checked_add_months(Months::new(12 * PLAN_YEARS)).is_none_or(|end| end <= day),
            _ => false,
        };
        (!over).then_some(ProcolState { action, plan })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        domain::dates::parse_iso(text.as_bytes()).unwrap()
    }

    fn event(date: &str, action: ProcolAction, stage: ProcolStage) -> ProcolEvent {
        ProcolEvent {
            siren: "732829320".parse().unwrap(),
            siret: None,
            effective: day(date),
            action: Some(action),
            stage,
            label: "".into(),
        }
    }

    #[test]
    fn states_follow_the_events() {
        use {ProcolAction as A, ProcolStage as S};
        let events = [
            event("2010-01-15", A::Redressement, S::Ouverture),
            event("2010-09-01", A::Redressement, S::PlanContinuation),
            event("2021-03-10", A::Sauvegarde, S::Ouverture),
            event("2021-06-01", A::Sauvegarde, S::FinProcedure),
            event("2022-01-01", A::Redressement, S::Ouverture),
            event("2022-05-01", A::Liquidation, S::Ouverture),
        ];
        let state = |date: &str| state_at(&events, day(date)).map(|state| (state.action, state.plan));
        assert_eq!(state("2010-01-14"), None);
        assert_eq!(state("2010-01-15"), Some((A::Redressement, false)));
        assert_eq!(state("2012-01-01"), Some((A::Redressement, true)));
        assert_eq!(state("2020-09-01"), None, "a plan lasts ten years");
        assert_eq!(state("2021-04-01"), Some((A::Sauvegarde, false)));
        assert_eq!(state("2021-06-01"), None);
        assert_eq!(state("2022-06-01"), Some((A::Liquidation, false)), "the most severe counts");
    }

    #[test]
    fn settling_the_accounts_changes_nothing() {
        use {ProcolAction as A, ProcolStage as S};
        let open = event("2020-01-01", A::Redressement, S::Ouverture);
        let ended = event("2020-02-01", A::Redressement, S::FinProcedure);
        let settled = event("2020-03-01", A::Redressement, S::SoldeProcedure);
        assert!(state_at(&[open.clone(), settled.clone()], day("2020-04-01")).is_some());
        assert_eq!(state_at(&[settled, ended, open], day("2020-04-01")), None, "and the order of the rows neither");
    }
}
