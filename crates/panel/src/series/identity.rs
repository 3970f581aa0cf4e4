//! Who the company is: age, activity, legal form, establishments. From snapshots, only what does not change is read.

use domain::records::EstablishmentState;
use domain::time_rules::ALWAYS_KNOWN;
use domain::{Department, Month, NaiveDate, Siret};

use super::{BaseSeries, Series};
use crate::peers::division;
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
    let division = unit.and_then(division).map(f64::from);
    base.set(Series::NafDivision, |_| division.unwrap_or(f64::NAN));
    let form = unit.and_then(|unit| unit.legal_category).map(|category| f64::from(category.form()));
    base.set(Series::LegalForm, |_| form.unwrap_or(f64::NAN));
    let position = |department| Department::all().position(|other| other == department);
    if let Some((known, position)) = first_department(rows, window).and_then(|(known, department)| Some((known, position(department)?))) {
        base.set(Series::Department, |month| if known <= month { position as f64 } else { f64::NAN });
    }
    let open = open_establishments(rows, window);
    base.set(Series::OpenEstablishments, |month| open[month].map_or(f64::NAN, f64::from));
    moves(rows, base);
}

/// The department of the first establishment, and the month from which it is known. The first one and not the head office: where the latter is today may be a later fact than the month computed.
pub(super) fn first_department(rows: &CompanyRows, window: Window) -> Option<(usize, Department)> {
    let located = rows.establishments.iter().filter_map(|row| Some((row.created.unwrap_or(ALWAYS_KNOWN), row.siret, row.department?)));
    let (created, _, department) = located.min()?;
    Some((window.known(created)?, department))
}

/// Establishments that open and close in each month: the states that change, but the first when it is an open one without
/// a beginning.
fn moves(rows: &CompanyRows, base: &mut BaseSeries) {
    let window = base.window();
    for series in [Series::OpenedEstablishments, Series::ClosedEstablishments] {
        base.set(series, |_| 0.0);
    }
    let mut states: Vec<(Siret, NaiveDate, bool)> =
        rows.states.iter().filter_map(|state| Some((state.siret, state.start?, state.active))).collect();
    states.sort_unstable();
    for establishment in states.chunk_by(|a, b| a.0 == b.0) {
        let mut before = None;
        for (_, start, active) in establishment {
            let changes = before.map_or(*active, |before| before != *active);
            before = Some(*active);
            if let Some(month) = window.index(Month::of(*start)).filter(|_| changes) {
                base.get_mut(if *active { Series::OpenedEstablishments } else { Series::ClosedEstablishments })[month] += 1.0;
            }
        }
    }
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
