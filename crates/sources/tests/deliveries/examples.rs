//! The example rows of `domain/ingestion.md` §1.1 to §1.13, and the rules beside them.

use domain::records::{AccountLink, Establishment, EstablishmentState, LegalUnit, PaymentPlan, ProcolEvent, Record, ShortTimeRequest};
use domain::time_rules::TimeRules;
use domain::{Cents, NafNomenclature, ProcolAction, ProcolStage};
use sources::files::{
    AccountLinkParser, CcsfParser, ContributionParser, DebitParser, EstablishmentParser, EstablishmentStateParser, HeadcountParser,
    LegalUnitParser, PaymentPlanParser, ProcolParser, ShortTimeConsumptionParser, ShortTimeRequestParser,
};
use sources::{AccountLinks, Reason, RowParser, SkipReason, Warning};

use super::layouts::{day, read_bytes};
use super::values::{CCSF, CONTRIBUTION, DEBIT, PLAN, REQUESTED, Refused, Sample, changed, with};
use Refused::{Rejected, Skipped};

// SIRENE, establishments (§1.1).

pub(crate) const ESTABLISHMENT: &Sample = &[
    ("siren", "956520573"),
    ("nic", "44947"),
    ("siret", "67323298386574"),
    ("dateCreationEtablissement", "2007-04-20"),
    ("trancheEffectifsEtablissement", "12"),
    ("etablissementSiege", "false"),
    ("complementAdresseEtablissement", "BATIMENT A"),
    ("numeroVoieEtablissement", "55"),
    ("indiceRepetitionEtablissement", "B"),
    ("typeVoieEtablissement", "CHE"),
    ("libelleVoieEtablissement", "dguylittc"),
    ("codePostalEtablissement", "64276"),
    ("libelleCommuneEtablissement", "rjkxla"),
    ("libelleCommuneEtrangerEtablissement", "BRUXELLES"),
    ("distributionSpecialeEtablissement", "BP 12"),
    ("codeCommuneEtablissement", "73187"),
    ("codeCedexEtablissement", "73009"),
    ("libelleCedexEtablissement", "CHAMBERY CEDEX"),
    ("codePaysEtrangerEtablissement", "99131"),
    ("libellePaysEtrangerEtablissement", "BELGIQUE"),
    ("etatAdministratifEtablissement", "A"),
    ("activitePrincipaleEtablissement", "52.21Z"),
    ("nomenclatureActivitePrincipaleEtablissement", "NAFRev2"),
    ("longitude", "6.125600"),
    ("latitude", "14.106745"),
];

#[test]
fn an_establishment() {
    let (found, report) = changed::<EstablishmentParser>(ESTABLISHMENT, &[], None);
    let row = found[0].as_ref().unwrap();
    assert_eq!(row.siret.to_string(), "95652057344947", "siren and nic, not the column siret");
    assert_eq!((row.head_office, row.active, row.created), (false, true, Some(day("2007-04-20"))));
    let texts = [
        (&row.address_complement, "BATIMENT A"),
        (&row.street_number, "55"),
        (&row.repetition, "BIS"),
        (&row.street_type, "CHEMIN"),
        (&row.street, "dguylittc"),
        (&row.postal_code, "64276"),
        (&row.commune, "rjkxla"),
        (&row.foreign_commune, "BRUXELLES"),
        (&row.special_distribution, "BP 12"),
        (&row.commune_code, "73187"),
        (&row.cedex_code, "73009"),
        (&row.cedex, "CHAMBERY CEDEX"),
        (&row.foreign_country_code, "99131"),
        (&row.foreign_country, "BELGIQUE"),
    ];
    for (found, expected) in texts {
        assert_eq!(found, expected);
    }
    assert_eq!(row.department.map(domain::Department::code), Some("73"));
    assert_eq!((row.naf.map(|naf| naf.to_string()).as_deref(), row.naf_not_rev2), (Some("52.21Z"), false));
    assert_eq!(
        (row.longitude, row.latitude, row.headcount_band.map(domain::HeadcountBand::minimum)),
        (Some(6.1256), Some(14.106_745), Some(20))
    );
    assert_eq!(row.known_at(&TimeRules::default()), day("2007-04-20"));
    assert_eq!(report.skips() + report.rejections(), 0);
}

#[track_caller]
fn establishments<T: PartialEq + std::fmt::Debug>(column: &str, read: impl Fn(&Establishment) -> T, cases: &[(&str, Result<T, Refused>)]) {
    for (text, expected) in cases {
        let found = with::<EstablishmentParser>(ESTABLISHMENT, column, text);
        assert_eq!(&found.as_ref().map(&read).map_err(|refused| *refused), expected, "{column} = '{text}'");
    }
}

#[test]
fn addresses_are_spelt_out() {
    let text = |value: &'static str| Ok(value.to_owned());
    let repetitions =
        [("B", text("BIS")), ("T", text("TER")), ("Q", text("QUATER")), ("C", text("QUINQUIES")), ("A", text("")), ("", text(""))];
    establishments("indiceRepetitionEtablissement", |row| row.repetition.to_string(), &repetitions);
    let streets = [
        ("ALL", text("ALLÉE")),
        ("GR", text("GRANDE RUE")),
        ("SEN", text("SENTE - SENTIER")),
        ("RPT", text("ROND POINT")),
        ("VLGE", text("VILLAGE")),
        ("ZA", text("")),
        ("", text("")),
    ];
    establishments("typeVoieEtablissement", |row| row.street_type.to_string(), &streets);
    let postal = [("64276", text("64276")), ("0122", text("")), ("2A004", text("")), ("[ND]", text("")), ("", text(""))];
    establishments("codePostalEtablissement", |row| row.postal_code.to_string(), &postal);
    let place = |commune: &'static str, department: Option<&'static str>| Ok((commune.to_owned(), department));
    let communes = [
        ("2A004", place("2A004", Some("2A"))),
        ("2B033", place("2B033", Some("2B"))),
        ("97411", place("97411", Some("974"))),
        ("98818", place("98818", Some("988"))),
        ("21231", place("21231", Some("21"))),
        ("2C004", place("", None)),
        ("[ND]", place("", None)),
        ("7318", place("", None)),
        ("", place("", None)),
    ];
    establishments(
        "codeCommuneEtablissement",
        |row| (row.commune_code.to_string(), row.department.map(domain::Department::code)),
        &communes,
    );
}

#[test]
fn what_insee_leaves_out_or_spoils() {
    let coordinates = [("14.5", Ok(Some(14.5))), ("", Ok(None)), ("NOT_VALID", Err(Rejected(Reason::InvalidNumber)))];
    establishments("latitude", |row| row.latitude, &coordinates);
    establishments("longitude", |row| row.longitude, &coordinates);
    establishments(
        "etatAdministratifEtablissement",
        |row| row.active,
        &[("A", Ok(true)), ("F", Ok(false)), ("", Ok(false)), ("a", Ok(false))],
    );
    let seat = [("true", Ok(true)), ("false", Ok(false)), ("", Err(Rejected(Reason::InvalidBoolean)))];
    establishments("etablissementSiege", |row| row.head_office, &seat);
    establishments(
        "dateCreationEtablissement",
        |row| row.created,
        &[("", Ok(None)), ("invalid_date", Ok(None)), ("1900-01-01", Ok(Some(day("1900-01-01"))))],
    );
    let siret = [
        ("00012", Ok("95652057300012".to_owned())),
        ("12", Err(Rejected(Reason::InvalidSiret))),
        ("", Err(Rejected(Reason::InvalidSiret))),
    ];
    establishments("nic", |row| row.siret.to_string(), &siret);
    let siren = [
        ("005520135", Ok("00552013544947".to_owned())),
        ("5520135", Err(Rejected(Reason::InvalidSiren))),
        ("", Err(Rejected(Reason::InvalidSiren))),
    ];
    establishments("siren", |row| row.siret.to_string(), &siren);
    let bands = [("NN", Ok(None)), ("", Ok(None)), ("00", Ok(Some(0))), ("53", Ok(Some(10_000)))];
    establishments("trancheEffectifsEtablissement", |row| row.headcount_band.map(domain::HeadcountBand::minimum), &bands);
}

/// The existing importer skips what is not in NAF rev. 2; we keep it and say so (decision 0006).
#[test]
fn activities_of_every_nomenclature() {
    for (code, nomenclature, naf, not_rev2) in [
        ("52.21Z", "NAFRev2", Some(NafNomenclature::Rev2), false),
        ("28.41X", "NAFRev1", Some(NafNomenclature::Older), true),
        ("52.21Y", "NAF2025", Some(NafNomenclature::Naf2025), true),
        ("97.90", "NAF1993", None, true),
        ("5221Z", "NAFRev2", None, false),
        ("", "NAFRev2", None, false),
        ("", "", None, false),
    ] {
        let changes =
            [("activitePrincipaleEtablissement", Some(code)), ("nomenclatureActivitePrincipaleEtablissement", Some(nomenclature))];
        let (found, _) = changed::<EstablishmentParser>(ESTABLISHMENT, &changes, None);
        let row = found[0].as_ref().unwrap();
        assert_eq!((row.naf.map(domain::NafCode::nomenclature), row.naf_not_rev2), (naf, not_rev2), "{code} {nomenclature}");
    }
}

// SIRENE, legal units (§1.2).

const LEGAL_UNIT: &Sample = &[
    ("siren", "138426539"),
    ("trancheEffectifsUniteLegale", "11"),
    ("prenom1UniteLegale", ""),
    ("prenom2UniteLegale", ""),
    ("prenom3UniteLegale", ""),
    ("prenom4UniteLegale", ""),
    ("dateCreationUniteLegale", "1999-12-31"),
    ("etatAdministratifUniteLegale", "A"),
    ("nomUniteLegale", ""),
    ("nomUsageUniteLegale", ""),
    ("denominationUniteLegale", "jjqcmkg"),
    ("categorieJuridiqueUniteLegale", "5465"),
    ("activitePrincipaleUniteLegale", "41.19A"),
    ("nomenclatureActivitePrincipaleUniteLegale", "NAFRev2"),
    ("activitePrincipaleNAF25UniteLegale", "01.11A"),
];

fn unit(changes: &[(&str, Option<&str>)]) -> (LegalUnit, u64) {
    let (mut found, report) = changed::<LegalUnitParser>(LEGAL_UNIT, changes, None);
    (found.remove(0).unwrap(), report.warnings.get(&Warning::UnreadableOptional).copied().unwrap_or_default())
}

#[test]
fn a_legal_unit() {
    let (row, unreadable) = unit(&[]);
    assert_eq!((row.siren.to_string().as_str(), row.name.as_str(), row.active, unreadable), ("138426539", "jjqcmkg", true, 0));
    assert_eq!(row.legal_category.map(|category| category.to_string()).as_deref(), Some("5465"));
    assert_eq!(row.naf.map(|naf| naf.to_string()).as_deref(), Some("41.19A"));
    assert_eq!(row.naf2025.map(|naf| naf.to_string()).as_deref(), Some("01.11A"));
    assert_eq!((row.created, row.headcount_band.map(domain::HeadcountBand::minimum)), (Some(day("1999-12-31")), Some(10)));
    let (row, unreadable) = unit(&[("dateCreationUniteLegale", Some("invalid_date")), ("etatAdministratifUniteLegale", Some("C"))]);
    assert_eq!((row.created, unreadable, row.active), (None, 1, false));
    let (row, unreadable) = unit(&[("dateCreationUniteLegale", Some(""))]);
    assert_eq!((row.created, unreadable), (None, 0));
    let (row, _) =
        unit(&[("activitePrincipaleUniteLegale", Some("97.90")), ("nomenclatureActivitePrincipaleUniteLegale", Some("NAF1993"))]);
    assert_eq!(row.naf, None);
    for absent in ["activitePrincipaleNAF25UniteLegale", "trancheEffectifsUniteLegale", "activitePrincipaleUniteLegale"] {
        unit(&[(absent, None)]);
    }
    for siren in ["", "13842653", "13842653A"] {
        assert_eq!(with::<LegalUnitParser>(LEGAL_UNIT, "siren", siren).err(), Some(Rejected(Reason::InvalidSiren)), "'{siren}'");
    }
}

#[test]
fn natural_persons_have_names() {
    let person =
        [("denominationUniteLegale", ""), ("nomUniteLegale", "TOTO"), ("nomUsageUniteLegale", "TITI"), ("prenom1UniteLegale", "MATHILDE")];
    let person = person.map(|(column, text)| (column, Some(text)));
    let (row, _) = unit(&[&person[..], &[("prenom2UniteLegale", Some("LOUISETTE")), ("prenom4UniteLegale", Some("GÉRALDINE"))]].concat());
    assert_eq!(row.display_name(), "TOTO TITI MATHILDE LOUISETTE GÉRALDINE EI");
    assert_eq!(unit(&[("denominationUniteLegale", Some(""))]).0.display_name(), "", "not published");
}

// SIRENE, past states (§1.3).

#[test]
fn past_states_of_an_establishment() {
    let state = |siret: &str, start: &str, end: &str, state: &str, changed: &str| {
        let header = "siren,nic,siret,dateFin,dateDebut,etatAdministratifEtablissement,changementEtatAdministratifEtablissement";
        let line = format!("{},{},{siret},{end},{start},{state},{changed}", &siret[..9], &siret[9..]);
        let (mut all, report) = read_bytes::<EstablishmentStateParser>(format!("{header}\n{line}\n").as_bytes(), "x.csv", None).unwrap();
        let refused = all.rejections.first().map(|rejection| Rejected(rejection.reason));
        all.rows.pop().ok_or_else(|| refused.or_else(|| report.skipped.keys().next().map(|reason| Skipped(*reason))))
    };
    let siret = "00032517500016";
    let row = |start: Option<&str>, end: Option<&str>, active, changed| {
        Ok(EstablishmentState { siret: siret.parse().unwrap(), start: start.map(day), end: end.map(day), active, changed })
    };
    // The two examples, then the order in which the rules apply.
    assert_eq!(state(siret, "2009-05-27", "", "F", "true"), row(Some("2009-05-27"), None, false, true));
    assert_eq!(state(siret, "2008-01-01", "2009-05-26", "A", "false"), row(Some("2008-01-01"), Some("2009-05-26"), true, false));
    assert_eq!(state(siret, "", "2009-05-26", "A", "false"), row(None, Some("2009-05-26"), true, false));
    assert_eq!(state(siret, "", "", "A", "false"), Err(Some(Skipped(SkipReason::NoDates))));
    assert_eq!(state(siret, "2008-01-01", "", "", "false"), Err(Some(Skipped(SkipReason::UnknownState))));
    assert_eq!(state(siret, "bad", "", "X", "maybe"), Err(Some(Skipped(SkipReason::UnknownState))), "what is skipped is not looked at");
    assert_eq!(state(siret, "bad", "", "A", "false"), Err(Some(Rejected(Reason::InvalidDate))));
    assert_eq!(state(siret, "2008-01-01", "", "A", ""), Err(Some(Rejected(Reason::InvalidBoolean))));
    assert_eq!(state("0003251750001X", "2008-01-01", "", "Z", ""), Err(Some(Skipped(SkipReason::UnknownState))));
}

// Accounts of Urssaf (§1.4).

const LINKS: &str = "Urssaf_gestion;Dep;Compte;Etat_compte;Siren;Siret;Date_crea_siret;Date_disp_siret
049;05;111982477292496174;8;000000000;00000000000000;1130828;
488;99;450359886246036238;2;222222222;22222222222222;1110701;1110801
100;75;abc;1;012345678;01234567891011;1100101;1150101
100;75;abc;1;876543210;87654321091011;1150101;1160101
";

fn links() -> (Vec<AccountLink>, AccountLinks) {
    let (all, report) = read_bytes::<AccountLinkParser>(LINKS.as_bytes(), "x.csv", None).unwrap();
    assert_eq!((report.valid, report.rejections()), (4, 0));
    (all.rows.clone(), all.rows.into_iter().collect())
}

#[test]
fn accounts_are_closed_or_open() {
    let (rows, links) = links();
    assert_eq!((rows[0].account.as_str(), rows[0].closed_on), ("111982477292496174", None));
    assert_eq!((rows[1].siret.to_string().as_str(), rows[1].closed_on), ("22222222222222", Some(day("2011-08-01"))));
    assert!(links.at(b"111982477292496174", day("2099-12-31")).is_some(), "open for ever");
    assert_eq!(links.at(b"450359886246036238", day("2011-08-01")), None);
    // The existing importer writes an open account as closing in 2899.
    let far = LINKS.replace("1130828;\n", "1130828;9990101\n");
    let (all, _) = read_bytes::<AccountLinkParser>(far.as_bytes(), "x.csv", None).unwrap();
    assert_eq!(all.rows[0].closed_on, Some(day("2899-01-01")));
}

/// The establishment that an account was of on the day of a line, in files that do not name it.
fn by_account<P: RowParser>(
    sample: &Sample,
    account: (&str, &str),
    on: &[(&str, &str)],
    siret: fn(&P::Row) -> String,
) -> Result<String, Refused> {
    let changes: Vec<(&str, Option<&str>)> =
        [("Siret", None), (account.0, Some(account.1))].into_iter().chain(on.iter().map(|(column, text)| (*column, Some(*text)))).collect();
    changed::<P>(sample, &changes, Some(&links().1)).0.swap_remove(0).map(|row| siret(&row))
}

#[test]
fn each_file_looks_its_accounts_up_on_its_own_day() {
    let (first, second) = (Ok("01234567891011".to_owned()), Ok("87654321091011".to_owned()));
    let nobody = Err(Skipped(SkipReason::UnknownAccount));
    for (period, expected) in [("201440", &first), ("201443", &first), ("201510", &second), ("201610", &nobody)] {
        let found = by_account::<ContributionParser>(CONTRIBUTION, ("Compte", "abc"), &[("periode", period)], |row| row.siret.to_string());
        assert_eq!(&found, expected, "contribution of {period}: the start of the period");
        let found = by_account::<DebitParser>(DEBIT, ("num_cpte", "abc"), &[("Periode", period), ("Dt_trt_ecn", "1200101")], |row| {
            row.siret.to_string()
        });
        assert_eq!(&found, expected, "debt of {period}: the start of the period, not the day of the operation");
    }
    for (created, expected) in [("31/12/2014", &first), ("01/01/2015", &second), ("01/01/2016", &nobody)] {
        let found = by_account::<PaymentPlanParser>(PLAN, ("Numero_compte_externe", "abc"), &[("Date_creation", created)], |row| {
            row.siret.to_string()
        });
        assert_eq!(&found, expected, "plan of {created}");
    }
    for (treated, expected) in [("1141231", &first), ("1150101", &second), ("1160101", &nobody)] {
        let found = by_account::<CcsfParser>(CCSF, ("Compte", "abc"), &[("Date_de_traitement", treated)], |row| row.siret.to_string());
        assert_eq!(&found, expected, "decision of {treated}");
    }
    let unknown = by_account::<CcsfParser>(CCSF, ("Compte", "xyz"), &[], |row| row.siret.to_string());
    assert_eq!(unknown, nobody);
}

// Files of Urssaf (§1.5 to §1.11).

#[test]
fn contributions_and_debts() {
    let rows = [
        changed::<ContributionParser>(CONTRIBUTION, &[], None).0.remove(0).unwrap(),
        with::<ContributionParser>(CONTRIBUTION, "periode", "0232").unwrap(),
    ];
    assert_eq!(rows[0].siret.to_string(), "11111111111111");
    assert_eq!((rows[0].period.start().to_string(), rows[0].period.end().to_string()), ("2010-07".into(), "2010-08".into()));
    assert_eq!((rows[0].due, rows[0].paid, rows[0].account.as_str()), (Cents(-2_109_900), Some(Cents(-6_823_100)), "636043216536562844"));
    assert_eq!(rows[1].period.start().to_string(), "2002-08");

    let row = changed::<DebitParser>(DEBIT, &[], None).0.remove(0).unwrap();
    assert_eq!((row.employee_part, row.employer_part), (Cents(195_907), Cents(864_497)));
    assert_eq!((row.period.start().to_string(), row.period.months()), ("2017-02".into(), 1));
    assert_eq!((row.siret.to_string().as_str(), row.gap_number.as_str(), row.history_number), ("00000000000000", "659", 9));
    assert_eq!(
        (row.account_state, row.procol_code.as_str(), row.operation_code.as_str(), row.reason_code.as_str()),
        (Some(5), "0", "3", "74")
    );
    assert!(!row.appeal);
    for (treated, month) in
        [("990505", "1999-05"), ("1050820", "2005-08"), ("1050821", "2005-09"), ("1050824", "2005-09"), ("1051231", "2006-01")]
    {
        let row = with::<DebitParser>(DEBIT, "Dt_trt_ecn", treated).unwrap();
        assert_eq!(row.accounting_month().to_string(), month, "{treated}");
        assert_eq!(row.known_at(&TimeRules::default()), day(&format!("{month}-01")));
    }
    let long = with::<DebitParser>(DEBIT, "Num_Ecn", "1012").unwrap();
    assert_eq!(long.gap_number, "1012", "more than three characters stopped the existing importer");
}

#[test]
fn payment_plans_and_decisions() {
    let row = changed::<PaymentPlanParser>(PLAN, &[], None).0.remove(0).unwrap();
    let expected = PaymentPlan {
        siret: "00000000000000".parse().unwrap(),
        account: "111982477292496174".into(),
        case_number: "5856690802766".into(),
        created: day("2000-01-01"),
        due: day("2001-01-04"),
        duration_days: Some(456),
        debtor: "INVENTEE SA".into(),
        six_months: "SUP".into(),
        year: Some(2000),
        amount: Cents(506_579),
        stage: "APPROB".into(),
        action: "SUR PO".into(),
    };
    assert_eq!(row, expected);
    for (text, duration) in [("12", Some(12)), ("", None), ("douze", None), ("1.5", None)] {
        let (found, report) = changed::<PaymentPlanParser>(PLAN, &[("Duree_delai", Some(text))], None);
        assert_eq!(found[0].as_ref().map(|row| row.duration_days), Ok(duration), "'{text}'");
        assert_eq!(report.warnings.contains_key(&Warning::UnreadableOptional), duration.is_none(), "'{text}'");
    }

    for (treated, stage, expected) in [("1180130", "DEBUT", "2018-01-30"), ("990401", "APPROB", "1999-04-01")] {
        let changes = [("Date_de_traitement", Some(treated)), ("Code_externe_stade", Some(stage))];
        let row = changed::<CcsfParser>(CCSF, &changes, None).0.remove(0).unwrap();
        assert_eq!((row.treated_on, row.stage.as_str(), row.action.as_str()), (day(expected), stage, "CCSF"));
    }
}

#[test]
fn several_accounts_of_an_establishment_are_several_rows() {
    let text = "compte;siret;rais_soc;ape_ins;dep;eff201011;eff201012;base;UR_EMET
951406823818346903;54236870268934;INVENTEE;1086e;23;629;536;719;733965
951406823818346904;54236870268934;INVENTEE;1086e;23;1;;719;733965
";
    let (all, report) = read_bytes::<HeadcountParser>(text.as_bytes(), "x.csv", None).unwrap();
    let found: Vec<_> = all.rows.iter().map(|row| (row.account.as_str(), row.month.to_string(), row.headcount)).collect();
    let expected = [("951406823818346903", "2010-01", 629), ("951406823818346903", "2010-02", 536), ("951406823818346904", "2010-01", 1)];
    assert_eq!(found, expected.map(|(account, month, headcount)| (account, month.to_owned(), headcount)));
    assert_eq!((report.lines, report.rows), (2, 3));
}

#[test]
fn proceedings() {
    use ProcolAction::{Liquidation, Redressement, Sauvegarde};
    for (label, action, stage) in [
        ("Solde_procedure_redressement", Some(Redressement), ProcolStage::SoldeProcedure),
        ("ouverture_liquidation", Some(Liquidation), ProcolStage::Ouverture),
        ("redressement_plan_continuation", Some(Redressement), ProcolStage::PlanContinuation),
        ("sauvegarde_abandon_procedure", Some(Sauvegarde), ProcolStage::AbandonProcedure),
        ("fin_procedure_sauvegarde", Some(Sauvegarde), ProcolStage::FinProcedure),
        ("liquidation_inclusion_autre_procedure", Some(Liquidation), ProcolStage::InclusionAutreProcedure),
        ("liquidation_cloture_insuffisance_actif", Some(Liquidation), ProcolStage::ClotureInsuffisanceActif),
        ("autre_chose", None, ProcolStage::Other),
    ] {
        let text = format!("Siret;Siren;Dt_effet;Cat_v2;Lib_actx_stdx\n01234567891011;012345678;26MAY2014;1;{label}\n");
        let (all, report) = read_bytes::<ProcolParser>(text.as_bytes(), "x.csv", None).unwrap();
        let row: &ProcolEvent = &all.rows[0];
        assert_eq!((row.action, row.stage, row.effective), (action, stage, day("2014-05-26")), "{label}");
        assert_eq!(report.warnings.contains_key(&Warning::UnknownLabel), action.is_none(), "{label}");
    }
}

// Short-time work (§1.12, §1.13).

#[test]
fn short_time_work_requested() {
    let row = changed::<ShortTimeRequestParser>(REQUESTED, &[], None).0.remove(0).unwrap();
    let expected = ShortTimeRequest {
        request_id: "f288626887".into(),
        siret: "15756082097503".parse().unwrap(),
        company_headcount: Some(559),
        headcount: Some(0),
        decided: Some(day("2012-02-11")),
        start: day("2017-08-09"),
        end: day("2017-09-09"),
        hours: Some(42_078.52),
        amount: Some(Cents(66_611_356)),
        authorised_headcount: Some(99),
        reason: Some(1),
        perimeter: Some(2),
        consumed_hours: Some(48_512.0),
        consumed_headcount: Some(319),
        consumed_amount: Some(Cents(68_966_330)),
    };
    assert_eq!(row, expected);
    assert_eq!(row.known_at(&TimeRules::default()), day("2012-02-11"), "the day of the decision");
    let row = with::<ShortTimeRequestParser>(REQUESTED, "DATE_STATUT", "").unwrap();
    assert_eq!((row.decided, row.known_at(&TimeRules::default())), (None, day("2017-08-09")));
    // The layout of 2019 to 2021: every date of the file is French.
    let french = [("DATE_STATUT", Some("11/02/2012")), ("DATE_DEB", Some("09/08/2017")), ("DATE_FIN", Some("09/09/2017"))];
    assert_eq!(changed::<ShortTimeRequestParser>(REQUESTED, &french, None).0.remove(0).as_ref(), Ok(&expected));
}

#[test]
fn short_time_work_consumed_in_the_layout_of_24_columns() {
    let header =
        "ID_DA,ETAB_SIRET,DEP,REG,CODENAF2,CODE_NAF2_2,EFF_ENT,EFF_ETAB,MOIS,HEURES,MONTANTS,EFFECTIFS,SOURCE,A,B,C,D,E,F,G,H,I,J,K";
    let line = "p95a076375,53312397597505,75,11,52,21,16,16,12/2020,780.0,62.0,16.0,x,,,,,,,,,,,";
    let text = format!("{header}\n{line}\n{line}\n");
    let (all, report) = read_bytes::<ShortTimeConsumptionParser>(text.as_bytes(), "x.csv", None).unwrap();
    let row = &all.rows[0];
    assert_eq!((row.request_id.as_str(), row.siret.to_string().as_str(), row.date), ("p95a076375", "53312397597505", day("2020-12-01")));
    assert_eq!((row.hours, row.amount, row.headcount), (780.0, Some(Cents(6_200)), Some(16)));
    assert_eq!((report.valid, all.rows.len()), (2, 2), "the same line twice, which emptied the table of the existing importer");
}
