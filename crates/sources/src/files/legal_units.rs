//! `sirene_ul`: legal units of INSEE (`domain/ingestion.md` §1.2).

use domain::records::LegalUnit;
use domain::{HeadcountBand, LegalCategory, NafCode, NafNomenclature};

use super::RowParser;
use super::establishments::activity;
use crate::error::FileError;
use crate::fields::{Fields, Issue};
use crate::layout::{Dialect, Layout};

columns! {
    required {
        SIREN = "siren",
        NAME = "denominationUniteLegale",
        FIRST_NAME_1 = "prenom1UniteLegale",
        FIRST_NAME_2 = "prenom2UniteLegale",
        FIRST_NAME_3 = "prenom3UniteLegale",
        FIRST_NAME_4 = "prenom4UniteLegale",
        LAST_NAME = "nomUniteLegale",
        USUAL_NAME = "nomUsageUniteLegale",
        LEGAL_CATEGORY = "categorieJuridiqueUniteLegale",
        CREATED = "dateCreationUniteLegale",
        STATE = "etatAdministratifUniteLegale",
    }
    optional {
        NAF = "activitePrincipaleUniteLegale",
        NOMENCLATURE = "nomenclatureActivitePrincipaleUniteLegale",
        NAF_2025 = "activitePrincipaleNAF25UniteLegale",
        BAND = "trancheEffectifsUniteLegale",
    }
}

/// Parser of `sirene_ul`.
pub struct LegalUnitParser;

impl RowParser for LegalUnitParser {
    type Row = LegalUnit;
    const DIALECT: Dialect = Dialect::COMMA;
    const REQUIRED: &'static [&'static str] = REQUIRED;
    const OPTIONAL: &'static [&'static str] = OPTIONAL;

    fn new(_: &Layout) -> Result<Self, FileError> {
        Ok(Self)
    }

    fn row(&mut self, fields: &mut Fields<'_>, rows: &mut Vec<LegalUnit>) -> Result<(), Issue> {
        let siren = fields.strict_siren(SIREN)?;
        let names = [FIRST_NAME_1, FIRST_NAME_2, FIRST_NAME_3, FIRST_NAME_4].map(|column| fields.text(column));
        let first_names = names.iter().filter(|name| !name.is_empty()).map(String::as_str).collect::<Vec<_>>().join(" ");
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
