//! The files of INSEE: establishments, legal units, past states.

use domain::Month;
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::{FileKind, Lines, name, siret};
use crate::company::{Company, Kind};

pub(super) const ESTABLISHMENTS: &str = "siren,nic,siret,dateCreationEtablissement,trancheEffectifsEtablissement,etablissementSiege,complementAdresseEtablissement,numeroVoieEtablissement,indiceRepetitionEtablissement,typeVoieEtablissement,libelleVoieEtablissement,codePostalEtablissement,libelleCommuneEtablissement,libelleCommuneEtrangerEtablissement,distributionSpecialeEtablissement,codeCommuneEtablissement,codeCedexEtablissement,libelleCedexEtablissement,codePaysEtrangerEtablissement,libellePaysEtrangerEtablissement,etatAdministratifEtablissement,activitePrincipaleEtablissement,nomenclatureActivitePrincipaleEtablissement,longitude,latitude\n";
pub(super) const UNITS: &str = "siren,dateCreationUniteLegale,prenom1UniteLegale,prenom2UniteLegale,prenom3UniteLegale,prenom4UniteLegale,trancheEffectifsUniteLegale,etatAdministratifUniteLegale,nomUniteLegale,nomUsageUniteLegale,denominationUniteLegale,categorieJuridiqueUniteLegale,activitePrincipaleUniteLegale,nomenclatureActivitePrincipaleUniteLegale,activitePrincipaleNAF25UniteLegale\n";
pub(super) const STATES: &str = "siren,nic,siret,dateFin,dateDebut,etatAdministratifEtablissement,changementEtatAdministratifEtablissement,activitePrincipaleEtablissement\n";

/// Writes the lines of a company, as INSEE knows it at the end of `last`: a closing that is to come is in no file.
pub(super) fn write(company: &Company, last: Month, lines: &mut Lines, random: &mut ChaCha8Rng) {
    let place = company.place;
    let created = company.created.first_day();
    let closed = company.closed.filter(|closed| *closed <= last);
    let open = if closed.is_some() { "F" } else { "A" };
    let band = band(company.months.last().map_or(0.0, |state| state.headcount));
    for establishment in 0..company.establishments.len() {
        let siret = siret(company, establishment);
        let (siren, nic) = siret.split_at(9);
        let head_office = establishment == 0;
        let (postal, commune, code, country, label) = if company.kind == Kind::HeadOfficeAbroad && head_office {
            ("", "", "", "99131", "BELGIQUE")
        } else {
            (place.postal_code, place.name, place.commune, "", "")
        };
        let number = random.random_range(1..200);
        lines.push(
            FileKind::Sirene,
            &format!(
                "{siren},{nic},{siret},{created},{band},{head_office},,{number},,RUE,DE LA REPUBLIQUE,{postal},{commune},,,{code},,,{country},{label},{open},{},NAFRev2,2.35,48.85\n",
                company.naf
            ),
        );
        lines.push(FileKind::SireneHisto, &format!("{siren},{nic},{siret},{},{created},A,true,{}\n", eve(closed), company.naf));
        if let Some(closed) = closed {
            lines.push(FileKind::SireneHisto, &format!("{siren},{nic},{siret},,{},F,true,{}\n", closed.first_day(), company.naf));
        }
    }
    let category = match company.kind {
        Kind::PublicLaw => 7410,
        _ if company.number.is_multiple_of(3) => 5499,
        _ if company.number.is_multiple_of(11) => 9220,
        _ => 5710,
    };
    let state = if closed.is_some() { "C" } else { "A" };
    lines.push(
        FileKind::SireneUl,
        &format!("{},{created},,,,,{band},{state},,,{},{category},{},NAFRev2,\n", company.siren, name(company), company.naf),
    );
}

fn eve(closed: Option<Month>) -> String {
    closed.map(|closed| closed.plus(-1).last_day().to_string()).unwrap_or_default()
}

/// Headcount band of INSEE.
pub(super) fn band(headcount: f64) -> &'static str {
    const BANDS: [(f64, &str); 12] = [
        (1.0, "NN"),
        (3.0, "01"),
        (6.0, "02"),
        (10.0, "03"),
        (20.0, "11"),
        (50.0, "12"),
        (100.0, "21"),
        (200.0, "22"),
        (250.0, "31"),
        (500.0, "32"),
        (1000.0, "41"),
        (2000.0, "42"),
    ];
    BANDS.iter().find(|(bound, _)| headcount < *bound).map_or("51", |(_, code)| code)
}
