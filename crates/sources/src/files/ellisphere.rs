//! `ellisphere`: subsidiaries and the heads of their groups (`domain/ingestion.md` §1.18), a workbook of 21 columns.
//!
//! Addresses are not kept. A subsidiary without a SIREN (abroad, or a natural person) is skipped and counted.

use domain::Siren;
use domain::records::GroupLink;

use super::{Columns, RowParser};
use crate::error::FileError;
use crate::fields::{Fields, Issue};
use crate::layout::{Dialect, Layout};

columns! {
    required {
        GROUP_CODE = "GRP Code": "text",
        GROUP_PERSON = "GRP Personne PouM": "`P` natural person, `M` legal one",
        GROUP_SIREN = "GRP SIREN 9": "SIREN or empty; unreadable is left empty",
        GROUP_REFERENCE = "GRP RefID": "text",
        GROUP_NAME = "GRP Raison Sociale": "text",
        LEVEL = "Niveau de détention": "integer or empty",
        SHARE = "% Financier": "number or empty",
        CODE = "FIL Code": "text",
        PERSON = "FIL Personne PouM": "`P` natural person, `M` legal one",
        SIREN = "FIL SIREN 9": "SIREN; empty is skipped",
        REFERENCE = "FIL RefID": "text",
    }
    optional {
        GROUP_COUNTRY = "GRP Pays": "text",
        SHARE_BAND = "Tranche % Financier": "`A` above 50 %, `B` above 25 %, `C` below",
    }
}

/// Parser of `ellisphere`.
#[derive(Clone)]
pub struct GroupLinkParser;

impl RowParser for GroupLinkParser {
    type Row = GroupLink;
    const DIALECT: Dialect = Dialect::SEMICOLON;
    const COLUMNS: Columns = COLUMNS;

    fn new(_: &Layout) -> Result<Self, FileError> {
        Ok(Self)
    }

    fn row(&mut self, fields: &mut Fields<'_>, rows: &mut Vec<GroupLink>) -> Result<(), Issue> {
        rows.push(GroupLink {
            siren: fields.siren(SIREN)?,
            group_siren: fields.lenient(fields.bytes(GROUP_SIREN), |text| Siren::parse(text).ok()),
            group_code: fields.text(GROUP_CODE),
            group_person: fields.text(GROUP_PERSON),
            group_reference: fields.text(GROUP_REFERENCE),
            group_name: fields.text(GROUP_NAME),
            group_country: fields.text(GROUP_COUNTRY),
            level: fields.optional_int(LEVEL)?,
            share: fields.optional_float(SHARE)?,
            share_band: fields.text(SHARE_BAND),
            code: fields.text(CODE),
            person: fields.text(PERSON),
            reference: fields.text(REFERENCE),
        });
        Ok(())
    }
}
