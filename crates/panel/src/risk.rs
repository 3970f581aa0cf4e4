//! Who is at risk at a month, and what became of them (`design.md` §6).

use domain::Month;
use domain::ProcolState;
use domain::time_rules::TimeRules;

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
        [Self::AtRisk, Self::OutOfPerimeter, Self::Inactive, Self::InProcedure].into_iter().find(|status| *status as u8 == number)
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

/// What became of the company after each month: whether it entered a proceeding within `horizon` months. `None` when it is
/// in one already, or when the end of the horizon is after `last_known`.
pub fn labels(rows: &CompanyRows, first: Month, last: Month, last_known: Month, horizon: i32) -> Vec<Option<bool>> {
    let window = Window::new(first, last);
    let ahead = Window::new(first, last_known);
    let in_procedure: Vec<bool> =
        (0..ahead.len).map(|index| state_at(&rows.proceedings, ahead.month(index).last_day()).is_some()).collect();
    (0..window.len)
        .map(|index| {
            let end = index + usize::try_from(horizon).unwrap_or(0);
            let known = end < in_procedure.len() && !in_procedure[index];
            known.then(|| {
                let (today, until) = (window.month(index).last_day(), ahead.month(end).last_day());
                // A proceeding that opens and ends within a month counts too: each event is looked at on its own day.
                rows.proceedings.iter().any(|event| {
                    event.effective > today && event.effective <= until && state_at(&rows.proceedings, event.effective).is_some()
                })
            })
        })
        .collect()
}
