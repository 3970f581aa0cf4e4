//! `sirene_ul`: legal units of INSEE (`domain/ingestion.md` §1.2).

use domain::records::{LegalUnit, Text};
use domain::{HeadcountBand, LegalCategory, NafCode, NafNomenclature};

use super::establishments::activity;
use super::{Columns, RowParser};
use crate::error::FileError;
use crate::fields::{Fields, Issue};
use crate::layout::{Dialect, Layout};

columns! {
    required {
        SIREN = "siren": "SIREN",
        NAME = "denominationUniteLegale": "text",
        FIRST_NAME_1 = "prenom1UniteLegale": "text",
        FIRST_NAME_2 = "prenom2UniteLegale": "text",
        FIRST_NAME_3 = "prenom3UniteLegale": "text",
        FIRST_NAME_4 = "prenom4UniteLegale": "text",
        LAST_NAME = "nomUniteLegale": "text",
        USUAL_NAME = "nomUsageUniteLegale": "text",
        LEGAL_CATEGORY = "categorieJuridiqueUniteLegale": "four digits; others are left empty",
        CREATED = "dateCreationUniteLegale": "YYYY-MM-DD; unreadable is left empty",
        STATE = "etatAdministratifUniteLegale": "`A` is active",
    }
    optional {
        NAF = "activitePrincipaleUniteLegale": "NAF code with its dot",
        NOMENCLATURE = "nomenclatureActivitePrincipaleUniteLegale": "NAFRev2, NAF2025 or an older one",
        NAF_2025 = "activitePrincipaleNAF25UniteLegale": "NAF 2025 code",
        BAND = "trancheEffectifsUniteLegale": "headcount band of INSEE",
    }
}

/// Parser of `sirene_ul`.
#[derive(Clone)]
pub struct LegalUnitParser;

impl RowParser for LegalUnitParser {
    type Row = LegalUnit;
    const DIALECT: Dialect = Dialect::COMMA;
    const COLUMNS: Columns = COLUMNS;

    fn new(_: &Layout) -> Result<Self, FileError> {
        Ok(Self)
    }

    fn row(&mut self, fields: &mut Fields<'_>, rows: &mut Vec<LegalUnit>) -> Result<(), Issue> {
        let siren = fields.strict_siren(SIREN)?;
        let names = [FIRST_NAME_1, FIRST_NAME_2, FIRST_NAME_3, FIRST_NAME_4].map(|column| fields.text(column));
        let first_names = names.iter().filter(|name| !name.is_empty()).map(Text::as_str).collect::<Vec<_>>().join(" ").into();
        let (naf, _) = activity(fields, NAF, NOMENCLATURE);
        let naf2025 = fields.text(NAF_2025);
        let band = fields.text(BAND);
        rows.push(LegalUnit {
            siren,
            name: fields.text(NAME),
            first_names,
            last_name: fields.text(LAST_NAME),
            usual_name: fields.text(USUAL_NAME),
            legal_category: LegalCategory::parse(fields.bytes(LEGAL_CATEGORY)),
            naf,
            naf2025: NafCode::parse(&naf2025, NafNomenclature::Naf2025),
            headcount_band: HeadcountBand::parse(&band),
            created: fields.lenient_iso_date(CREATED),
            active: fields.bytes(STATE) == b"A",
        });
        Ok(())
    }
}
