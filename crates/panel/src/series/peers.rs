//! The rates of the company's sector and department (see [`crate::peers`]).

use super::identity::first_department;
use super::{BaseSeries, Series};
use crate::peers::{Peer, PeerRates, division};
use crate::rows::CompanyRows;

pub(super) fn fill(rows: &CompanyRows, peers: &PeerRates, base: &mut BaseSeries) {
    let window = base.window();
    if let Some(division) = rows.legal_unit.as_ref().and_then(division) {
        base.set(Series::SectorRate, |index| peers.at(Peer::Sector(division), window.month(index)));
    }
    if let Some((known, department)) = first_department(rows, window) {
        base.set(Series::DepartmentRate, |index| {
            if index >= known { peers.at(Peer::Department(department), window.month(index)) } else { f64::NAN }
        });
    }
}
