//! The public files, in the exact layouts of their publishers: SIRENE as INSEE zips it, BODACC as DILA's API exports it.
//!
//! They show less and later than those of the administrations: a company liquidated stays active for about two years, then
//! loses its headcount band; a judgment is known on the day of its bulletin.

use chrono::Datelike;
use domain::{Month, NaiveDate, ProcolAction};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::insee::band;
use super::{FileKind, Lines, name, siret};
use crate::company::{Company, Failure, Kind};
use crate::random::Macro;

pub(super) const ESTABLISHMENTS: &str = "siren,nic,siret,statutDiffusionEtablissement,dateCreationEtablissement,trancheEffectifsEtablissement,anneeEffectifsEtablissement,activitePrincipaleRegistreMetiersEtablissement,dateDernierTraitementEtablissement,etablissementSiege,nombrePeriodesEtablissement,complementAdresseEtablissement,numeroVoieEtablissement,indiceRepetitionEtablissement,dernierNumeroVoieEtablissement,indiceRepetitionDernierNumeroVoieEtablissement,typeVoieEtablissement,libelleVoieEtablissement,codePostalEtablissement,libelleCommuneEtablissement,libelleCommuneEtrangerEtablissement,distributionSpecialeEtablissement,codeCommuneEtablissement,codeCedexEtablissement,libelleCedexEtablissement,codePaysEtrangerEtablissement,libellePaysEtrangerEtablissement,identifiantAdresseEtablissement,coordonneeLambertAbscisseEtablissement,coordonneeLambertOrdonneeEtablissement,complementAdresse2Etablissement,numeroVoie2Etablissement,indiceRepetition2Etablissement,typeVoie2Etablissement,libelleVoie2Etablissement,codePostal2Etablissement,libelleCommune2Etablissement,libelleCommuneEtranger2Etablissement,distributionSpeciale2Etablissement,codeCommune2Etablissement,codeCedex2Etablissement,libelleCedex2Etablissement,codePaysEtranger2Etablissement,libellePaysEtranger2Etablissement,dateDebut,etatAdministratifEtablissement,enseigne1Etablissement,enseigne2Etablissement,enseigne3Etablissement,denominationUsuelleEtablissement,activitePrincipaleEtablissement,nomenclatureActivitePrincipaleEtablissement,caractereEmployeurEtablissement\n";
pub(super) const UNITS: &str = "siren,statutDiffusionUniteLegale,unitePurgeeUniteLegale,dateCreationUniteLegale,sigleUniteLegale,sexeUniteLegale,prenom1UniteLegale,prenom2UniteLegale,prenom3UniteLegale,prenom4UniteLegale,prenomUsuelUniteLegale,pseudonymeUniteLegale,identifiantAssociationUniteLegale,trancheEffectifsUniteLegale,anneeEffectifsUniteLegale,dateDernierTraitementUniteLegale,nombrePeriodesUniteLegale,categorieEntreprise,anneeCategorieEntreprise,dateDebut,etatAdministratifUniteLegale,nomUniteLegale,nomUsageUniteLegale,denominationUniteLegale,denominationUsuelle1UniteLegale,denominationUsuelle2UniteLegale,denominationUsuelle3UniteLegale,categorieJuridiqueUniteLegale,activitePrincipaleUniteLegale,nomenclatureActivitePrincipaleUniteLegale,nicSiegeUniteLegale,economieSocialeSolidaireUniteLegale,caractereEmployeurUniteLegale\n";
pub(super) const STATES: &str = "siren,nic,siret,dateFin,dateDebut,etatAdministratifEtablissement,changementEtatAdministratifEtablissement,enseigne1Etablissement,enseigne2Etablissement,enseigne3Etablissement,changementEnseigneEtablissement,denominationUsuelleEtablissement,changementDenominationUsuelleEtablissement,activitePrincipaleEtablissement,nomenclatureActivitePrincipaleEtablissement,changementActivitePrincipaleEtablissement,caractereEmployeurEtablissement,changementCaractereEmployeurEtablissement\n";

/// Months that a liquidation takes, before INSEE learns that the company has ceased.
const LIQUIDATION: i32 = 24;

/// A line of a layout: the values of some columns, the others empty.
fn line(header: &str, values: &[(&str, &str)]) -> String {
    let value = |column: &str| values.iter().find(|(name, _)| *name == column).map_or("", |(_, value)| value);
    header.trim_end().split(',').map(value).collect::<Vec<_>>().join(",") + "\n"
}

pub(super) fn write(company: &Company, weather: &Macro, lines: &mut Lines, random: &mut ChaCha8Rng) {
    let ceased = company.closed.map(|closed| closed.plus(LIQUIDATION)).filter(|ceased| *ceased <= weather.last);
    register(company, ceased, lines, random);
    for (position, failure) in company.failures.iter().enumerate() {
        for (step, (month, nature, family)) in steps(failure).into_iter().enumerate() {
            if month <= weather.last {
                notice(company, position * 4 + step, month, nature, family, lines, random);
            }
        }
    }
}

fn register(company: &Company, ceased: Option<Month>, lines: &mut Lines, random: &mut ChaCha8Rng) {
    let siren = company.siren.to_string();
    let created = company.created.first_day().to_string();
    let band = if ceased.is_some() { "NN" } else { band(company.months.last().map_or(0.0, |state| state.headcount)) };
    let foreign = company.kind == Kind::HeadOfficeAbroad;
    for establishment in 0..company.establishments.len() {
        let (siret, abroad, number) =
            (siret(company, establishment), foreign && establishment == 0, random.random_range(1..200).to_string());
        let of_place = |text: &'static str| if abroad { "" } else { text };
        let mut values = vec![
            ("siren", siren.as_str()),
            ("nic", &siret[9..]),
            ("siret", &siret),
            ("statutDiffusionEtablissement", "O"),
            ("dateCreationEtablissement", &created),
            ("trancheEffectifsEtablissement", band),
            ("etablissementSiege", if establishment == 0 { "true" } else { "false" }),
            ("numeroVoieEtablissement", &number),
            ("typeVoieEtablissement", "RUE"),
            ("libelleVoieEtablissement", "DE LA REPUBLIQUE"),
            ("codePostalEtablissement", of_place(company.place.postal_code)),
            ("libelleCommuneEtablissement", of_place(company.place.name)),
            ("codeCommuneEtablissement", of_place(company.place.commune)),
            ("etatAdministratifEtablissement", if ceased.is_some() { "F" } else { "A" }),
            ("activitePrincipaleEtablissement", company.naf),
            ("nomenclatureActivitePrincipaleEtablissement", "NAFRev2"),
        ];
        if abroad {
            values.extend([("codePaysEtrangerEtablissement", "99131"), ("libellePaysEtrangerEtablissement", "BELGIQUE")]);
        }
        lines.push(FileKind::PublicSirene, &line(ESTABLISHMENTS, &values));
        let (last_day, first_day) =
            (ceased.map(|month| month.plus(-1).last_day().to_string()), ceased.map(|month| month.first_day().to_string()));
        let mut state = |start: &str, end: &str, state: &str| {
            let values = [
                ("siren", siren.as_str()),
                ("nic", &siret[9..]),
                ("siret", &siret),
                ("dateFin", end),
                ("dateDebut", start),
                ("etatAdministratifEtablissement", state),
                ("changementEtatAdministratifEtablissement", "true"),
            ];
            lines.push(FileKind::PublicSireneHisto, &line(STATES, &values));
        };
        state(&created, last_day.as_deref().unwrap_or_default(), "A");
        if let Some(first_day) = first_day {
            state(&first_day, "", "F");
        }
    }
    let values = [
        ("siren", siren.as_str()),
        ("statutDiffusionUniteLegale", "O"),
        ("dateCreationUniteLegale", &created),
        ("trancheEffectifsUniteLegale", band),
        ("etatAdministratifUniteLegale", if ceased.is_some() { "C" } else { "A" }),
        ("denominationUniteLegale", &name(company)),
        ("categorieJuridiqueUniteLegale", if company.kind == Kind::PublicLaw { "7410" } else { "5710" }),
        ("activitePrincipaleUniteLegale", company.naf),
        ("nomenclatureActivitePrincipaleUniteLegale", "NAFRev2"),
    ];
    lines.push(FileKind::PublicSireneUl, &line(UNITS, &values));
}

/// The judgments of a failure: month, nature and family.
fn steps(failure: &Failure) -> Vec<(Month, &'static str, &'static str)> {
    let opening = match failure.kind {
        ProcolAction::Liquidation => "Jugement d'ouverture de liquidation judiciaire",
        ProcolAction::Redressement => "Jugement d'ouverture d'une procédure de redressement judiciaire",
        ProcolAction::Sauvegarde => "Jugement d'ouverture d'une procédure de sauvegarde",
    };
    let mut steps = vec![
        (failure.month, opening, "Jugement d'ouverture"),
        (failure.month.plus(2), "Dépôt de l'état des créances", "Dépôt de l'état des créances"),
    ];
    if let Some(month) = failure.liquidated {
        steps.push((month, "Jugement de conversion en liquidation judiciaire", "Jugement prononçant"));
    }
    if let Some((month, stage)) = failure.ended {
        let nature = match (failure.kind, stage) {
            (ProcolAction::Sauvegarde, "plan_continuation") => "Jugement arrêtant le plan de sauvegarde",
            (_, "plan_continuation") => "Jugement arrêtant le plan de redressement",
            (ProcolAction::Sauvegarde, _) => "Jugement mettant fin à la procédure de sauvegarde",
            _ => "Jugement mettant fin à la procédure de redressement judiciaire",
        };
        steps.push((month, nature, "Autre jugement et ordonnance"));
    }
    steps
}

fn notice(company: &Company, rank: usize, month: Month, nature: &str, family: &str, lines: &mut Lines, random: &mut ChaCha8Rng) {
    let judged = month.first_day() + chrono::Duration::days(random.random_range(0..28));
    let published = judged + chrono::Duration::days(random.random_range(5..25));
    let number = company.number as usize * 16 + rank;
    let bulletin = format!("{}{:04}", published.year(), published.ordinal());
    let (siren, day) = (company.siren.to_string(), day(judged));
    let spaced = format!("{} {} {}", &siren[..3], &siren[3..6], &siren[6..]);
    let jugement = format!(r#"{{\"type\": \"initial\", \"famille\": \"{family}\", \"nature\": \"{nature}\", \"date\": \"{day}\"}}"#);
    lines.push(
        FileKind::Bodacc,
        &format!(
            r#"{{"id": "A{bulletin}{number}", "publicationavis": "A", "parution": "{bulletin}", "dateparution": "{published}", "numeroannonce": {number}, "typeavis": "annonce", "familleavis": "collective", "numerodepartement": "{}", "tribunal": "Greffe du tribunal de commerce", "registre": ["{spaced}", "{siren}"], "jugement": "{jugement}", "parutionavisprecedent": null}}
"#,
            &company.place.commune[..2],
        ),
    );
}

/// Words at first, numbers since 2016.
fn day(date: NaiveDate) -> String {
    const MONTHS: [&str; 12] =
        ["janvier", "février", "mars", "avril", "mai", "juin", "juillet", "août", "septembre", "octobre", "novembre", "décembre"];
    if date.year() >= 2016 {
        return date.to_string();
    }
    let first = if date.day() == 1 { "er" } else { "" };
    format!("{}{first} {} {}", date.day(), MONTHS[date.month0() as usize], date.year())
}
