//! `sirene`: establishments of INSEE, geocoded or not (`domain/ingestion.md` §1.1).

use domain::records::{Establishment, Text};
use domain::{Department, HeadcountBand, NafCode, NafNomenclature, Siret};

use super::{Columns, RowParser};
use crate::error::FileError;
use crate::fields::{Fields, Issue};
use crate::layout::{Dialect, Layout};
use crate::report::Reason;

columns! {
    required {
        SIREN = "siren": "SIREN",
        NIC = "nic": "five digits",
        HEAD_OFFICE = "etablissementSiege": "true or false",
        COMPLEMENT = "complementAdresseEtablissement": "text",
        STREET_NUMBER = "numeroVoieEtablissement": "text",
        REPETITION = "indiceRepetitionEtablissement": "B, T, Q, C; others are left empty",
        STREET_TYPE = "typeVoieEtablissement": "code of a kind of street; unknown is left empty",
        STREET = "libelleVoieEtablissement": "text",
        POSTAL_CODE = "codePostalEtablissement": "five digits; others are left empty",
        COMMUNE = "libelleCommuneEtablissement": "text",
        FOREIGN_COMMUNE = "libelleCommuneEtrangerEtablissement": "text",
        SPECIAL = "distributionSpecialeEtablissement": "text",
        COMMUNE_CODE = "codeCommuneEtablissement": "INSEE code; others are left empty. Gives the department",
        CEDEX_CODE = "codeCedexEtablissement": "text",
        CEDEX = "libelleCedexEtablissement": "text",
        COUNTRY_CODE = "codePaysEtrangerEtablissement": "text",
        COUNTRY = "libellePaysEtrangerEtablissement": "text",
        CREATED = "dateCreationEtablissement": "YYYY-MM-DD; unreadable is left empty",
        STATE = "etatAdministratifEtablissement": "`A` is open",
    }
    optional {
        NAF = "activitePrincipaleEtablissement": "NAF code with its dot",
        NOMENCLATURE = "nomenclatureActivitePrincipaleEtablissement": "NAFRev2, NAF2025 or an older one",
        BAND = "trancheEffectifsEtablissement": "headcount band of INSEE",
        LONGITUDE = "longitude": "number or empty",
        LATITUDE = "latitude": "number or empty",
    }
}

/// Parser of `sirene`.
#[derive(Clone)]
pub struct EstablishmentParser;

impl RowParser for EstablishmentParser {
    type Row = Establishment;
    const DIALECT: Dialect = Dialect::COMMA;
    const COLUMNS: Columns = COLUMNS;

    fn new(_: &Layout) -> Result<Self, FileError> {
        Ok(Self)
    }

    fn row(&mut self, fields: &mut Fields<'_>, rows: &mut Vec<Establishment>) -> Result<(), Issue> {
        let siren = fields.strict_siren(SIREN)?;
        let Ok(siret) = Siret::from_parts(siren, fields.bytes(NIC)) else { return fields.reject(NIC, Reason::InvalidSiret) };
        let (naf, naf_not_rev2) = activity(fields, NAF, NOMENCLATURE);
        let commune_code = Some(fields.text(COMMUNE_CODE)).filter(|code| is_commune(code)).unwrap_or_default();
        let postal_code = Some(fields.text(POSTAL_CODE)).filter(|code| code.len() == 5 && code.bytes().all(|c| c.is_ascii_digit()));
        let band = fields.text(BAND);
        rows.push(Establishment {
            siret,
            head_office: fields.boolean(HEAD_OFFICE)?,
            active: fields.bytes(STATE) == b"A",
            created: fields.lenient_iso_date(CREATED),
            headcount_band: HeadcountBand::parse(&band),
            naf,
            naf_not_rev2,
            department: Department::of_commune(&commune_code),
            commune_code,
            address_complement: fields.text(COMPLEMENT),
            street_number: fields.text(STREET_NUMBER),
            repetition: expand(&REPETITIONS, fields.bytes(REPETITION)),
            street_type: expand(&STREET_TYPES, fields.bytes(STREET_TYPE)),
            street: fields.text(STREET),
            special_distribution: fields.text(SPECIAL),
            postal_code: postal_code.unwrap_or_default(),
            commune: fields.text(COMMUNE),
            foreign_commune: fields.text(FOREIGN_COMMUNE),
            cedex_code: fields.text(CEDEX_CODE),
            cedex: fields.text(CEDEX),
            foreign_country_code: fields.text(COUNTRY_CODE),
            foreign_country: fields.text(COUNTRY),
            longitude: fields.optional_float(LONGITUDE)?,
            latitude: fields.optional_float(LATITUDE)?,
        });
        Ok(())
    }
}

/// The activity and whether it is in another nomenclature than NAF rev. 2. A code of another shape is left empty.
pub(super) fn activity(fields: &mut Fields<'_>, code: usize, nomenclature: usize) -> (Option<NafCode>, bool) {
    let code = fields.text(code);
    let nomenclature = match fields.bytes(nomenclature) {
        b"NAFRev2" => NafNomenclature::Rev2,
        b"NAF2025" | b"NAF25" => NafNomenclature::Naf2025,
        _ => NafNomenclature::Older,
    };
    (NafCode::parse(&code, nomenclature), !code.is_empty() && nomenclature != NafNomenclature::Rev2)
}

/// `^[0-9][0-9A-B][0-9]{3}$`.
fn is_commune(code: &str) -> bool {
    let bytes = code.as_bytes();
    bytes.len() == 5
        && bytes[0].is_ascii_digit()
        && (bytes[1].is_ascii_digit() || matches!(bytes[1], b'A' | b'B'))
        && bytes[2..].iter().all(u8::is_ascii_digit)
}

fn expand(table: &[(&str, &str)], code: &[u8]) -> Text {
    table.iter().find(|(short, _)| short.as_bytes() == code).map(|(_, long)| Text::from(*long)).unwrap_or_default()
}

const REPETITIONS: [(&str, &str); 4] = [("B", "BIS"), ("T", "TER"), ("Q", "QUATER"), ("C", "QUINQUIES")];

const STREET_TYPES: [(&str, &str); 42] = [
    ("ALL", "ALLÉE"),
    ("AV", "AVENUE"),
    ("BD", "BOULEVARD"),
    ("CAR", "CARREFOUR"),
    ("CHE", "CHEMIN"),
    ("CHS", "CHAUSSÉE"),
    ("CITE", "CITÉ"),
    ("COR", "CORNICHE"),
    ("CRS", "COURS"),
    ("DOM", "DOMAINE"),
    ("DSC", "DESCENTE"),
    ("ECA", "ECART"),
    ("ESP", "ESPLANADE"),
    ("FG", "FAUBOURG"),
    ("GR", "GRANDE RUE"),
    ("HAM", "HAMEAU"),
    ("HLE", "HALLE"),
    ("IMP", "IMPASSE"),
    ("LD", "LIEU DIT"),
    ("LOT", "LOTISSEMENT"),
    ("MAR", "MARCHÉ"),
    ("MTE", "MONTÉE"),
    ("PAS", "PASSAGE"),
    ("PL", "PLACE"),
    ("PLN", "PLAINE"),
    ("PLT", "PLATEAU"),
    ("PRO", "PROMENADE"),
    ("PRV", "PARVIS"),
    ("QUA", "QUARTIER"),
    ("QUAI", "QUAI"),
    ("RES", "RÉSIDENCE"),
    ("RLE", "RUELLE"),
    ("ROC", "ROCADE"),
    ("RPT", "ROND POINT"),
    ("RTE", "ROUTE"),
    ("RUE", "RUE"),
    ("SEN", "SENTE - SENTIER"),
    ("SQ", "SQUARE"),
    ("TPL", "TERRE-PLEIN"),
    ("TRA", "TRAVERSE"),
    ("VLA", "VILLA"),
    ("VLGE", "VILLAGE"),
];
