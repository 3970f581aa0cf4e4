//! `sirene_histo`: past states of establishments (`domain/ingestion.md` §1.3).

use domain::dates::parse_iso;
use domain::records::EstablishmentState;

use super::{Columns, RowParser};
use crate::error::FileError;
use crate::fields::{Fields, Issue};
use crate::layout::{Dialect, Layout};
use crate::report::SkipReason;

columns! {
    required {
        SIRET = "siret": "SIRET",
        START = "dateDebut": "YYYY-MM-DD or empty",
        END = "dateFin": "YYYY-MM-DD or empty",
        STATE = "etatAdministratifEtablissement": "A or F; others are skipped",
        CHANGED = "changementEtatAdministratifEtablissement": "true or false",
    }
    optional {}
}

/// Parser of `sirene_histo`.
#[derive(Clone)]
pub struct EstablishmentStateParser;

impl RowParser for EstablishmentStateParser {
    type Row = EstablishmentState;
    const DIALECT: Dialect = Dialect::COMMA;
    const COLUMNS: Columns = COLUMNS;

    fn new(_: &Layout) -> Result<Self, FileError> {
        Ok(Self)
    }

    fn row(&mut self, fields: &mut Fields<'_>, rows: &mut Vec<EstablishmentState>) -> Result<(), Issue> {
        let active = match fields.bytes(STATE) {
            b"A" => true,
            b"F" => false,
            _ => return Err(Issue::Skip(SkipReason::UnknownState)),
        };
        if fields.bytes(START).is_empty() && fields.bytes(END).is_empty() {
            return Err(Issue::Skip(SkipReason::NoDates));
        }
        rows.push(EstablishmentState {
            siret: fields.strict_siret(SIRET)?,
            start: fields.optional_date(START, parse_iso)?,
            end: fields.optional_date(END, parse_iso)?,
            active,
            changed: fields.boolean(CHANGED)?,
        });
        Ok(())
    }
}
