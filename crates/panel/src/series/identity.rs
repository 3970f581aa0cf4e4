//! Who the company is: age, activity, legal form, establishments. From snapshots, only what does not change is read.

use domain::records::EstablishmentState;
use domain::{Month, NaiveDate};

use super::{BaseSeries, Series};
use crate::rows::CompanyRows;
use crate::window::Window;

pub(super) fn fill(rows: &CompanyRows, base: &mut BaseSeries) {
    let window = base.window();
    let unit = rows.legal_unit.as_ref();
    if let Some(created) = unit.and_then(|unit| unit.created).filter(|created| *created >= OLDEST) {
        base.set(Series::Age, |month| {
            let age = window.month(month).since(Month::of(created));
            if age >= 0 { age.into() } else { f64::NAN }
        });
    }
    let division = unit.and_then(|unit| unit.naf).filter(|naf| naf.section().is_some()).map(|naf| f64::from(naf.division()));
    base.set(Series::NafDivision, |_| division.unwrap_or(f64::NAN));
    let form = unit.and_then(|unit| unit.legal_category).map(|category| f64::from(category.form()));
    base.set(Series::LegalForm, |_| form.unwrap_or(f64::NAN));
    let open = open_establishments(rows, window);
    base.set(Series::OpenEstablishments, |month| open[month].map_or(f64::NAN, f64::from));
}

/// A creation before this day is a default of INSEE's, not a date.
const OLDEST: NaiveDate = match NaiveDate::from_ymd_opt(1901, 1, 1) {
    Some(day) => day,
    None => NaiveDate::MIN,
};

/// Establishments open at the end of each month, from the states known then; `None` before any state is known. Only the
/// beginning of a state is read: its end is known no earlier than the beginning of the next.
pub(crate) fn open_establishments(rows: &CompanyRows, window: Window) -> Vec<Option<u32>> {
    let mut states: Vec<&EstablishmentState> = rows.states.iter().collect();
    states.sort_by_key(|state| (state.siret, state.start, state.active));
    let mut open = vec![None; window.len];
    for establishment in states.chunk_by(|a, b| a.siret == b.siret) {
        for (position, state) in establishment.iter().enumerate() {
            let begins = state.start.map_or(Some(0), |start| window.known(start));
            let Some(begins) = begins else { break };
            let next = establishment.get(position + 1).and_then(|next| next.start).and_then(|start| window.known(start));
            for slot in &mut open[begins..next.unwrap_or(window.len).max(begins)] {
                *slot = Some(slot.unwrap_or(0) + u32::from(state.active));
            }
        }
    }
    open
}
