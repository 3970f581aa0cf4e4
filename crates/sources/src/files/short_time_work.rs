//! `apdemande` and `apconso`: short-time work requested and consumed (`domain/ingestion.md` §1.12 and §1.13).

use domain::NaiveDate;
use domain::dates::{parse_french, parse_iso, parse_iso_midnight, parse_month_year, parse_spreadsheet_day};
use domain::records::{ShortTimeConsumption, ShortTimeRequest};

use super::{Columns, RowParser};
use crate::error::FileError;
use crate::fields::{Fields, Issue};
use crate::layout::{Dialect, Layout};
use crate::report::Reason;

type ParseDate = fn(&[u8]) -> Option<NaiveDate>;

/// The notation of a file's dates: it changed four times from 2019 to 2025, always for a whole file, so that the first date
/// that can be read settles it.
#[derive(Clone)]
struct Notation {
    known: &'static [ParseDate],
    settled: Option<ParseDate>,
}

impl Notation {
    const fn one_of(known: &'static [ParseDate]) -> Self {
        Self { known, settled: None }
    }

    fn date(&mut self, fields: &Fields<'_>, column: usize) -> Result<NaiveDate, Issue> {
        if self.settled.is_none() {
            self.settled = self.known.iter().copied().find(|parse| parse(fields.bytes(column)).is_some());
        }
        fields.date(column, self.settled.unwrap_or(parse_iso))
    }

    fn optional_date(&mut self, fields: &Fields<'_>, column: usize) -> Result<Option<NaiveDate>, Issue> {
        if fields.bytes(column).is_empty() { Ok(None) } else { self.date(fields, column).map(Some) }
    }
}

/// Columns of `apconso`.
mod consumption {
    use super::Columns;

    columns! {
        pub(super) required {
            REQUEST = "ID_DA": "text",
            SIRET = "ETAB_SIRET": "SIRET",
            MONTH = "MOIS": "YYYY-MM-DD; MM/YYYY until May 2021; a day of a spreadsheet until July 2019",
            HOURS = "HEURES": "number",
            AMOUNT = "MONTANTS": "euros or empty",
            HEADCOUNT = "EFFECTIFS": "whole number, possibly with decimals, or empty",
        }
        optional {}
    }
}

/// Parser of `apconso`.
#[derive(Clone)]
pub struct ShortTimeConsumptionParser(Notation);

impl RowParser for ShortTimeConsumptionParser {
    type Row = ShortTimeConsumption;
    const DIALECT: Dialect = Dialect::COMMA;
    const COLUMNS: Columns = consumption::COLUMNS;

    fn new(_: &Layout) -> Result<Self, FileError> {
        Ok(Self(Notation::one_of(&[parse_iso, parse_month_year, parse_spreadsheet_day])))
    }

    fn settled(&self) -> bool {
        self.0.settled.is_some()
    }

    fn row(&mut self, fields: &mut Fields<'_>, rows: &mut Vec<ShortTimeConsumption>) -> Result<(), Issue> {
        use consumption::{AMOUNT, HEADCOUNT, HOURS, MONTH, REQUEST, SIRET};
        rows.push(ShortTimeConsumption {
            request_id: fields.text(REQUEST),
            siret: fields.strict_siret(SIRET)?,
            date: self.0.date(fields, MONTH)?,
            hours: fields.float(HOURS)?,
            amount: fields.optional_euros(AMOUNT)?,
            headcount: fields.int_from_float(HEADCOUNT)?,
        });
        Ok(())
    }
}

columns! {
    required {
        REQUEST = "ID_DA": "text",
        SIRET = "ETAB_SIRET": "SIRET",
        COMPANY_HEADCOUNT = "EFF_ENT": "whole number, possibly with decimals, or empty",
        HEADCOUNT = "EFF_ETAB": "whole number, possibly with decimals, or empty",
        DECIDED = "DATE_STATUT": "date or empty",
        START = "DATE_DEB": "YYYY-MM-DD; DD/MM/YYYY until May 2021",
        END = "DATE_FIN": "YYYY-MM-DD, at midnight in 2025; DD/MM/YYYY until May 2021. Included",
        HOURS = "HTA": "number or empty",
        AUTHORISED_HEADCOUNT = "EFF_AUTO": "whole number, possibly with decimals, or empty",
        REASON = "MOTIF_RECOURS_SE": "1 to 7, or empty",
        CONSUMED_HOURS = "S_HEURE_CONSOM_TOT": "number or empty",
        PERIMETER = "PERIMETRE_AP": "whole number or empty",
    }
    optional {
        AMOUNT = "MTA": "euros or empty",
        CONSUMED_HEADCOUNT = "S_EFF_CONSOM_TOT": "whole number, possibly with decimals, or empty",
        CONSUMED_AMOUNT = "S_MONTANT_CONSOM_TOT": "euros or empty",
    }
}

/// Parser of `apdemande`.
#[derive(Clone)]
pub struct ShortTimeRequestParser(Notation);

impl RowParser for ShortTimeRequestParser {
    type Row = ShortTimeRequest;
    const DIALECT: Dialect = Dialect::COMMA.lazy();
    const COLUMNS: Columns = COLUMNS;

    fn new(_: &Layout) -> Result<Self, FileError> {
        Ok(Self(Notation::one_of(&[parse_iso_midnight, parse_french])))
    }

    fn settled(&self) -> bool {
        self.0.settled.is_some()
    }

    fn row(&mut self, fields: &mut Fields<'_>, rows: &mut Vec<ShortTimeRequest>) -> Result<(), Issue> {
        let reason = match fields.optional_int(REASON)? {
            Some(reason @ 1..=7) => Some(reason as u8),
            None => None,
            Some(_) => return fields.reject(REASON, Reason::InvalidValue),
        };
        rows.push(ShortTimeRequest {
            request_id: fields.text(REQUEST),
            siret: fields.strict_siret(SIRET)?,
            company_headcount: fields.int_from_float(COMPANY_HEADCOUNT)?,
            headcount: fields.int_from_float(HEADCOUNT)?,
            decided: self.0.optional_date(fields, DECIDED)?,
            start: self.0.date(fields, START)?,
            end: self.0.date(fields, END)?,
            hours: fields.optional_float(HOURS)?,
            amount: fields.optional_euros(AMOUNT)?,
            authorised_headcount: fields.int_from_float(AUTHORISED_HEADCOUNT)?,
            reason,
            perimeter: fields.optional_int(PERIMETER)?,
            consumed_hours: fields.optional_float(CONSUMED_HOURS)?,
            consumed_headcount: fields.int_from_float(CONSUMED_HEADCOUNT)?,
            consumed_amount: fields.optional_euros(CONSUMED_AMOUNT)?,
        });
        Ok(())
    }
}
