//! `bdf`: ratios of Banque de France (`domain/ingestion.md` §1.16), workbooks until 2019 and CSV files after them.
//!
//! Names, postal codes, regions and sectors are not kept: SIRENE says them better.

use domain::NaiveDate;
use domain::dates::{parse_iso_midnight, parse_sas_french, parse_spreadsheet_day};
use domain::records::BankRatios;

use super::{Columns, RowParser};
use crate::error::FileError;
use crate::fields::{Fields, Issue};
use crate::layout::{Dialect, Layout};

columns! {
    required {
        SIREN = "D1": "SIREN, spaces removed",
        YEAR = "ANNEE": "integer",
        CLOSED_ON = "ARRETE_BILAN": "DDMMMYYYY with a French or English month; in workbooks a date, its number or YYYY-MM-DD",
        WORKING_CAPITAL = "POIDS_FRNG": "number or empty",
        MARGIN = "TX_MARGE": "number or empty",
        SUPPLIER_DAYS = "DELAI_FRS": "number or empty",
        TAX_AND_SOCIAL_DEBT = "POIDS_DFISC_SOC": "number or empty",
        SHORT_TERM_FINANCING = "POIDS_FIN_CT": "number or empty",
        FINANCIAL_COSTS = "POIDS_FRAIS_FIN": "number or empty",
    }
    optional {}
}

/// Parser of `bdf`.
#[derive(Clone)]
pub struct BankRatiosParser;

impl RowParser for BankRatiosParser {
    type Row = BankRatios;
    const DIALECT: Dialect = Dialect::SEMICOLON.lazy();
    const COLUMNS: Columns = COLUMNS;

    fn new(_: &Layout) -> Result<Self, FileError> {
        Ok(Self)
    }

    fn row(&mut self, fields: &mut Fields<'_>, rows: &mut Vec<BankRatios>) -> Result<(), Issue> {
        rows.push(BankRatios {
            siren: fields.spaced_siren(SIREN)?,
            year: fields.int(YEAR)?,
            closed_on: fields.date(CLOSED_ON, closing_date)?,
            working_capital_share: fields.optional_float(WORKING_CAPITAL)?,
            margin: fields.optional_float(MARGIN)?,
            supplier_days: fields.optional_float(SUPPLIER_DAYS)?,
            tax_and_social_debt_share: fields.optional_float(TAX_AND_SOCIAL_DEBT)?,
            short_term_financing_share: fields.optional_float(SHORT_TERM_FINANCING)?,
            financial_costs_share: fields.optional_float(FINANCIAL_COSTS)?,
        });
        Ok(())
    }
}

/// `DDMMMYYYY` in CSV files; an ISO date or the number of the day in workbooks. No text is a date in two of them.
fn closing_date(text: &[u8]) -> Option<NaiveDate> {
    parse_sas_french(text).or_else(|| parse_iso_midnight(text)).or_else(|| parse_spreadsheet_day(text))
}
