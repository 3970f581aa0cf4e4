//! `admin_urssaf` and `filter`: whose the accounts are, and which companies are asked for (`domain/ingestion.md` §1.4, §1.14).

use domain::records::{AccountLink, FilterEntry};
use domain::urssaf;

use super::{Column, Columns, RowParser};
use crate::error::FileError;
use crate::fields::{Fields, Issue};
use crate::layout::{Dialect, Layout};
use crate::report::SkipReason;

columns! { required { ACCOUNT = "compte": "text", SIRET = "siret": "SIRET", CLOSED = "date_disp_siret": "Urssaf date (Y)YYMMDD; empty while open" } optional {} }

/// Parser of `admin_urssaf`.
#[derive(Clone)]
pub struct AccountLinkParser;

impl RowParser for AccountLinkParser {
    type Row = AccountLink;
    const DIALECT: Dialect = Dialect::SEMICOLON;
    const COLUMNS: Columns = COLUMNS;

    fn new(_: &Layout) -> Result<Self, FileError> {
        Ok(Self)
    }

    fn row(&mut self, fields: &mut Fields<'_>, rows: &mut Vec<AccountLink>) -> Result<(), Issue> {
        rows.push(AccountLink {
            siret: fields.siret(SIRET)?,
            account: fields.text(ACCOUNT),
            closed_on: fields.optional_date(CLOSED, urssaf::parse_date)?,
        });
        Ok(())
    }
}

/// Parser of `filter`.
#[derive(Clone)]
pub struct FilterParser;

impl RowParser for FilterParser {
    type Row = FilterEntry;
    const DIALECT: Dialect = Dialect::SEMICOLON;
    const COLUMNS: Columns = Columns { required: &[Column { name: "siren", kind: "SIREN" }], optional: &[] };
    const HEADER_MAY_LACK: bool = true;

    fn new(_: &Layout) -> Result<Self, FileError> {
        Ok(Self)
    }

    fn row(&mut self, fields: &mut Fields<'_>, rows: &mut Vec<FilterEntry>) -> Result<(), Issue> {
        if fields.bytes(0).eq_ignore_ascii_case(b"siren") {
            return Err(Issue::Skip(SkipReason::RepeatedHeader));
        }
        rows.push(FilterEntry { siren: fields.strict_siren(0)? });
        Ok(())
    }
}
