//! `paydex`: payment delays towards suppliers (`domain/ingestion.md` §1.17).

use domain::dates::parse_french;
use domain::records::PaymentDelay;

use super::{Columns, RowParser};
use crate::error::FileError;
use crate::fields::{Fields, Issue};
use crate::layout::{Dialect, Layout};

columns! { required { SIREN = "SIREN": "SIREN", DAYS = "NB_JOURS": "whole number", VALUE_DATE = "DATE_VALEUR": "DD/MM/YYYY" } optional {} }

/// Parser of `paydex`.
#[derive(Clone)]
pub struct PaymentDelayParser;

impl RowParser for PaymentDelayParser {
    type Row = PaymentDelay;
    const DIALECT: Dialect = Dialect::SEMICOLON;
    const COLUMNS: Columns = COLUMNS;

    fn new(_: &Layout) -> Result<Self, FileError> {
        Ok(Self)
    }

    fn row(&mut self, fields: &mut Fields<'_>, rows: &mut Vec<PaymentDelay>) -> Result<(), Issue> {
        rows.push(PaymentDelay {
            siren: fields.strict_siren(SIREN)?,
            days: fields.int(DAYS)?,
            value_date: fields.date(VALUE_DATE, parse_french)?,
        });
        Ok(())
    }
}
