//! Who is at risk at a month, and what became of them (`design.md` §6).

use domain::time_rules::TimeRules;
use domain::{Month, NaiveDate, ProcolAction, ProcolState};

use crate::legacy::target::judged_within;
use crate::perimeter::{Facts, Size, SizeBasis};
use crate::procol::state_at;
use crate::rows::CompanyRows;
use crate::series::{headcount_by_month, open_establishments};
use crate::window::Window;

/// Whether a company is at risk, or why not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum RiskStatus {
    /// In the perimeter, active, in bonis.
    AtRisk = 0,
    /// Out of the perimeter.
    OutOfPerimeter = 1,
    /// Without any open establishment.
    Inactive = 2,
    /// In a collective proceeding.
    InProcedure = 3,
}

impl RiskStatus {
    const ALL: [Self; 4] = [Self::AtRisk, Self::OutOfPerimeter, Self::Inactive, Self::InProcedure];

    /// Stable name.
    pub const fn code(self) -> &'static str {
        match self {
            Self::AtRisk => "at_risk",
            Self::OutOfPerimeter => "out_of_perimeter",
            Self::Inactive => "inactive",
            Self::InProcedure => "in_procedure",
        }
    }

    /// The status of this number.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|status| *status as u8 == number)
    }

    /// The status of this name.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.code() == code)
    }
}

/// How a company stands at the end of a month, from what was known then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// In the perimeter as it could be seen then: enough employees in one of the months known, and not excluded by nature.
    pub in_perimeter: bool,
    /// Has an open establishment, or none is known to have closed.
    pub active: bool,
    /// The proceeding that it is in.
    pub procedure: Option<ProcolState>,
}

impl Standing {
    /// The status, given whether the company counts as in the perimeter.
    pub fn status(self, in_perimeter: bool) -> RiskStatus {
        if !in_perimeter {
            RiskStatus::OutOfPerimeter
        } else if self.procedure.is_some() {
            RiskStatus::InProcedure
        } else if self.active {
            RiskStatus::AtRisk
        } else {
            RiskStatus::Inactive
        }
    }
}

/// How the company stands at each month, its size judged as `size` says.
pub fn standings(rows: &CompanyRows, first: Month, last: Month, rules: &TimeRules, size: Size) -> Vec<Standing> {
    let window = Window::new(first, last);
    let excluded = Facts::of(rows).exclusion_by_nature().is_some();
    let headcounts = headcount_by_month(rows);
    let by_band = rows.legal_unit.as_ref().is_some_and(|unit| size.rule.enough_by_band(unit));
    let created = rows.legal_unit.as_ref().and_then(|unit| unit.created).map(Month::of);
    let open = open_establishments(rows, window);
    (0..window.len)
        .map(|index| {
            let month = window.month(index);
            let known = month.plus(-(rules.headcount_months as i32));
            let enough = match size.basis {
                SizeBasis::HeadcountBands => by_band && created.is_none_or(|created| created <= month),
                SizeBasis::Headcount | SizeBasis::Filter => size.rule.enough(&headcounts, known),
            };
            Standing {
                in_perimeter: !excluded && enough,
                active: open[index].is_none_or(|open| open > 0),
                procedure: state_at(&rows.proceedings, month.last_day()),
            }
        })
        .collect()
}

/// What became of a company after a month.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    /// Whether it entered a proceeding within the horizon. `None` when it is in one already, or when the end of the
    /// horizon is after the last month known.
    pub label: Option<bool>,
    /// The next proceeding that it is known to have entered, and in how many months (1 is the next month). `None` while it
    /// is in one, and when none is known.
    pub next: Option<(u16, ProcolAction)>,
    /// The target published in 2024 (`domain/model.md` §1.3, G5), for comparison only: the first judgment ever known is at
    /// most so many months after the first day of the month, or past. It stays true for ever after.
    pub lenient: bool,
}

/// What became of the company after each month, for a horizon in months, from what is known at the end of `last_known`.
pub fn outcomes(rows: &CompanyRows, first: Month, last: Month, last_known: Month, horizon: u16) -> Vec<Outcome> {
    let window = Window::new(first, last);
    let until = last_known.last_day();
    // A proceeding that opens and ends within a month counts too: each event is looked at on its own day.
    let mut entries: Vec<(NaiveDate, ProcolAction)> = rows
        .proceedings
        .iter()
        .filter(|event| event.effective <= until)
        .filter_map(|event| state_at(&rows.proceedings, event.effective).map(|state| (event.effective, state.action)))
        .collect();
    entries.sort_unstable_by_key(|(day, action)| (*day, std::cmp::Reverse(*action)));
    let first_judgment =
        rows.proceedings.iter().filter(|event| event.action.is_some() && event.effective <= until).map(|event| event.effective).min();
    (0..window.len)
        .map(|index| {
            let month = window.month(index);
            let free = state_at(&rows.proceedings, month.last_day()).is_none();
            let ahead = entries.iter().find(|(day, _)| free && *day > month.last_day());
            let next = ahead.map(|(day, action)| (Month::of(*day).since(month) as u16, *action));
            let known = free && month.plus(i32::from(horizon)) <= last_known;
            Outcome {
                label: known.then(|| next.is_some_and(|(months, _)| months <= horizon)),
                next,
                lenient: judged_within(month, first_judgment, i32::from(horizon)),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use domain::ProcolStage;
    use domain::records::ProcolEvent;

    use super::*;

    fn month(text: &str) -> Month {
        text.parse().unwrap()
    }

    fn company(events: &[(&str, ProcolAction, ProcolStage)]) -> CompanyRows {
        let siren = "732829320".parse().unwrap();
        let event = |(day, action, stage): &(&str, ProcolAction, ProcolStage)| ProcolEvent {
            siren,
            siret: None,
            effective: domain::dates::parse_iso(day.as_bytes()).unwrap(),
            action: Some(*action),
            stage: *stage,
            label: "".into(),
        };
        CompanyRows { proceedings: events.iter().map(event).collect(), ..CompanyRows::empty(siren) }
    }

    #[test]
    fn the_next_proceeding_its_kind_and_the_label() {
        use {ProcolAction as A, ProcolStage as S};
        let rows = company(&[
            ("2020-03-10", A::Sauvegarde, S::Ouverture),
            ("2020-06-10", A::Sauvegarde, S::FinProcedure),
            ("2022-07-15", A::Liquidation, S::Ouverture),
        ]);
        let found = outcomes(&rows, month("2020-02"), month("2022-08"), month("2022-12"), 18);
        let at = |text: &str| found[month(text).since(month("2020-02")) as usize];
        assert_eq!((at("2020-02").next, at("2020-02").label), (Some((1, A::Sauvegarde)), Some(true)));
        assert_eq!((at("2020-04").next, at("2020-04").label), (None, None), "in a proceeding: neither at risk nor labelled");
        assert_eq!((at("2020-12").next, at("2020-12").label), (Some((19, A::Liquidation)), Some(false)));
        assert_eq!(at("2021-01").label, Some(true));
        assert_eq!((at("2021-07").next, at("2021-07").label), (Some((12, A::Liquidation)), None), "its horizon ends after what is known");
        assert_eq!(at("2022-08").next, None);
    }

    /// `domain/model.md` §11, vector 3.
    #[test]
    fn the_target_of_2024_is_latched() {
        let rows = company(&[("2018-07-15", ProcolAction::Redressement, ProcolStage::Ouverture)]);
        let found = outcomes(&rows, month("2016-12"), month("2019-01"), month("2020-12"), 18);
        let at = |text: &str| found[month(text).since(month("2016-12")) as usize].lenient;
        assert_eq!((at("2017-01"), at("2017-02"), at("2019-01")), (false, true, true));
        assert!(!outcomes(&company(&[]), month("2017-01"), month("2017-01"), month("2020-12"), 18)[0].lenient);
    }
}
