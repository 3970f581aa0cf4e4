//! `effectif` and `effectif_ent`: one column a month (`domain/ingestion.md` §1.9 and §1.10).

use domain::records::{CompanyHeadcount, Headcount};
use domain::{Month, UrssafPeriod};

use super::{Columns, RowParser};
use crate::error::FileError;
use crate::fields::{Fields, Issue, headcount};
use crate::layout::{Dialect, Layout};
use crate::report::Reason;

/// The columns `effYYYYQM` of a file, by position.
#[derive(Clone)]
struct MonthColumns(Vec<(usize, Month)>);

impl MonthColumns {
    fn find(layout: &Layout) -> Result<Self, FileError> {
        let month = |name: &String| {
            let period = name.get(..3).filter(|start| start.eq_ignore_ascii_case("eff")).and_then(|_| name.get(3..))?;
            UrssafPeriod::parse(period.as_bytes()).filter(|period| period.months() == 1).map(UrssafPeriod::start)
        };
        let columns: Vec<(usize, Month)> =
            layout.names().iter().enumerate().filter_map(|(position, name)| Some((position, month(name)?))).collect();
        if columns.is_empty() {
            return Err(FileError::MissingColumns { missing: vec!["effYYYYQM".to_owned()], found: layout.names().to_vec() });
        }
        Ok(Self(columns))
    }

    /// The headcounts of a record; empty cells give none.
    fn read(&self, fields: &Fields<'_>, mut found: impl FnMut(Month, u32)) -> Result<(), Issue> {
        for &(position, month) in &self.0 {
            let cell = fields.at(position);
            if !cell.is_empty() {
                found(month, headcount(cell).ok_or(Issue::Reject(position, Reason::InvalidValue))?);
            }
        }
        Ok(())
    }
}

/// Columns of `effectif`.
mod by_establishment {
    use super::Columns;

    columns! { pub(super) required { SIRET = "siret": "SIRET", ACCOUNT = "compte": "text" } optional {} }
}

/// Parser of `effectif`.
#[derive(Clone)]
pub struct HeadcountParser(MonthColumns);

impl RowParser for HeadcountParser {
    type Row = Headcount;
    const DIALECT: Dialect = Dialect::SEMICOLON;
    const COLUMNS: Columns = by_establishment::COLUMNS;

    fn new(layout: &Layout) -> Result<Self, FileError> {
        MonthColumns::find(layout).map(Self)
    }

    fn row(&mut self, fields: &mut Fields<'_>, rows: &mut Vec<Headcount>) -> Result<(), Issue> {
        let (siret, account) = (fields.siret(by_establishment::SIRET)?, fields.text(by_establishment::ACCOUNT));
        self.0.read(fields, |month, headcount| rows.push(Headcount { siret, account: account.clone(), month, headcount }))
    }
}

/// Columns of `effectif_ent`.
mod by_company {
    use super::Columns;

    columns! { pub(super) required { SIREN = "siren": "SIREN" } optional {} }
}

/// Parser of `effectif_ent`.
#[derive(Clone)]
pub struct CompanyHeadcountParser(MonthColumns);

impl RowParser for CompanyHeadcountParser {
    type Row = CompanyHeadcount;
    const DIALECT: Dialect = Dialect::SEMICOLON;
    const COLUMNS: Columns = by_company::COLUMNS;

    fn new(layout: &Layout) -> Result<Self, FileError> {
        MonthColumns::find(layout).map(Self)
    }

    fn row(&mut self, fields: &mut Fields<'_>, rows: &mut Vec<CompanyHeadcount>) -> Result<(), Issue> {
        let siren = fields.siren(by_company::SIREN)?;
        self.0.read(fields, |month, headcount| rows.push(CompanyHeadcount { siren, month, headcount }))
    }
}
