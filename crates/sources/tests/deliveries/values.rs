//! What every file has in common: how lines are split, how each kind of value is written, which identifiers are junk
//! (`domain/ingestion.md` §0).

use domain::Source;
use domain::records::{Contribution, Debit, EstablishmentState, PaymentPlan, ProcolEvent, ShortTimeConsumption};
use sources::files::{
    CcsfParser, CompanyHeadcountParser, ContributionParser, DebitParser, EstablishmentParser, EstablishmentStateParser, HeadcountParser,
    PaymentPlanParser, ProcolParser, ShortTimeConsumptionParser, ShortTimeRequestParser,
};
use sources::{AccountLinks, FileError, MOST_REJECTIONS, ParseReport, Reason, RowParser, SkipReason, Warning};

use super::layouts::{All, day, read_bytes};

/// Why a line gave no row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    Rejected(Reason),
    Skipped(SkipReason),
}

use Refused::{Rejected, Skipped};

/// The columns of a file and what an ordinary line of it holds.
pub(crate) type Sample = [(&'static str, &'static str)];

pub(crate) const CONTRIBUTION: &Sample = &[
    ("Urssaf_gestion", "671"),
    ("Dep", "14"),
    ("Siret", "11111111111111"),
    ("Compte", "636043216536562844"),
    ("periode", "1031"),
    ("mer", "5"),
    ("enc_direct", "-68231"),
    ("cotis_due", "-21099"),
];

pub(crate) const DEBIT: &Sample = &[
    ("Urssaf_gestion", "939"),
    ("Dep", "27"),
    ("num_cpte", "111982477292496174"),
    ("Siren", "000000000"),
    ("Siret", "00000000000000"),
    ("Dt_immat", "20150708"),
    ("Etat_cpte", "5"),
    ("Cd_pro_col", "0"),
    ("Periode", "201712"),
    ("Num_Ecn", "659"),
    ("Num_Hist_Ecn", "9"),
    ("Dt_trt_ecn", "990505"),
    ("Mt_PO", "195907"),
    ("Mt_PP", "864497"),
    ("Cd_op_ecn", "3"),
    ("Motif_ecn", "74"),
    ("Recours_en_cours", "0"),
];

pub(crate) const PLAN: &Sample = &[
    ("Urssaf_gestion", "217"),
    ("Dep", "63"),
    ("Siret", "00000000000000"),
    ("Numero_compte_externe", "111982477292496174"),
    ("Numero_structure", "5856690802766"),
    ("Date_creation", "01/01/2000"),
    ("Date_echeance", "04/01/2001"),
    ("Duree_delai", "456"),
    ("Denomination_premiere_ligne", "INVENTEE SA"),
    ("Indic_6M", "SUP"),
    ("Annee_creation", "2000"),
    ("Montant_global_echeancier", "5065.79"),
    ("Code_externe_stade", "APPROB"),
    ("Code_externe_action", "SUR PO"),
];

pub(crate) const CCSF: &Sample = &[
    ("Urssaf_gestion", "152"),
    ("Dep", "75"),
    ("Siret", "00000000000000"),
    ("Compte", "111982477292496174"),
    ("Date_de_traitement", "1180130"),
    ("Code_externe_stade", "DEBUT"),
    ("Code_externe_action", "CCSF"),
];

const PROCOL: &Sample = &[
    ("Siret", "01234567891011"),
    ("Siren", "012345678"),
    ("Dt_effet", "26MAY2014"),
    ("Cat_v2", "1"),
    ("Lib_actx_stdx", "ouverture_liquidation"),
];

const CONSUMED: &Sample = &[
    ("ID_DA", "d363954866"),
    ("ETAB_SIRET", "61433760225578"),
    ("HEURES", "311.54"),
    ("MONTANTS", "214.0"),
    ("EFFECTIFS", "0.0"),
    ("MOIS", "2004-12-01"),
];

pub(crate) const REQUESTED: &Sample = &[
    ("ID_DA", "f288626887"),
    ("ETAB_SIRET", "15756082097503"),
    ("EFF_ENT", "559.0"),
    ("EFF_ETAB", "0.0"),
    ("DATE_STATUT", "2012-02-11"),
    ("DATE_DEB", "2017-08-09"),
    ("DATE_FIN", "2017-09-09"),
    ("HTA", "42078.52"),
    ("MTA", "666113.56"),
    ("EFF_AUTO", "99.0"),
    ("MOTIF_RECOURS_SE", "1"),
    ("PERIMETRE_AP", "2"),
    ("S_HEURE_CONSOM_TOT", "48512.0"),
    ("S_EFF_CONSOM_TOT", "319.0"),
    ("S_MONTANT_CONSOM_TOT", "689663.3"),
    ("RECOURS_ANTERIEUR", "3"),
];

const STATE: &Sample = &[
    ("siret", "00032517500016"),
    ("dateDebut", "2008-01-01"),
    ("dateFin", "2009-05-26"),
    ("etatAdministratifEtablissement", "A"),
    ("changementEtatAdministratifEtablissement", "false"),
];

/// What a line gives when these columns hold something else than in the sample; a column with `None` is not in the file.
pub(crate) fn changed<P: RowParser>(
    sample: &Sample,
    changes: &[(&str, Option<&str>)],
    links: Option<&AccountLinks>,
) -> (Vec<Result<P::Row, Refused>>, ParseReport) {
    for (name, _) in changes {
        assert!(sample.iter().any(|(column, _)| column == name), "{name} is no column of the sample");
    }
    let value = |name: &str, usual: &'static str| changes.iter().find(|(column, _)| *column == name).map_or(Some(usual), |change| change.1);
    let cells: Vec<(&str, &str)> = sample.iter().filter_map(|(name, usual)| Some((*name, value(name, usual)?))).collect();
    let delimiter = char::from(P::DIALECT.delimiter).to_string();
    let [header, line] =
        [0, 1].map(|row| cells.iter().map(|cell| if row == 0 { cell.0 } else { cell.1 }).collect::<Vec<_>>().join(&delimiter));
    let (All { rows, rejections }, report) = read_bytes::<P>(format!("{header}\n{line}\n").as_bytes(), "x.csv", links).unwrap();
    let refused = rejections.iter().map(|rejection| Rejected(rejection.reason)).chain(report.skipped.keys().map(|reason| Skipped(*reason)));
    (rows.into_iter().map(Ok).chain(refused.map(Err)).collect(), report)
}

/// What the line gives when one column holds something else.
pub(crate) fn with<P: RowParser>(sample: &Sample, column: &str, value: &str) -> Result<P::Row, Refused> {
    let mut found = changed::<P>(sample, &[(column, Some(value))], None).0;
    assert_eq!(found.len(), 1, "one line, one outcome");
    found.swap_remove(0)
}

#[track_caller]
fn table<P: RowParser, T: PartialEq + std::fmt::Debug>(
    sample: &Sample,
    column: &str,
    read: impl Fn(&P::Row) -> T,
    cases: impl IntoIterator<Item = (&'static str, Result<T, Reason>)>,
) {
    for (text, expected) in cases {
        let found = with::<P>(sample, column, text).map(|row| read(&row));
        assert_eq!(found, expected.map_err(Rejected), "{column} = '{text}'");
    }
}

#[test]
fn true_and_false_have_twelve_notations() {
    let yes = ["1", "t", "T", "TRUE", "true", "True"].map(|text| (text, Ok(true)));
    let no = ["0", "f", "F", "FALSE", "false", "False"].map(|text| (text, Ok(false)));
    let bad = ["", "yes", "oui", "2", "tRUE", "01"].map(|text| (text, Err(Reason::InvalidBoolean)));
    let all = || yes.into_iter().chain(no).chain(bad);
    table::<DebitParser, _>(DEBIT, "Recours_en_cours", |row: &Debit| row.appeal, all());
    table::<EstablishmentStateParser, _>(STATE, "changementEtatAdministratifEtablissement", |row: &EstablishmentState| row.changed, all());
}

#[test]
fn whole_numbers() {
    let bad = ["9.0", "a", "9a", "1 0", "99999999999"].map(|text| (text, Err(Reason::InvalidInteger)));
    let good = [("9", 9), ("-9", -9), ("+9", 9), ("0", 0), ("007", 7)];
    let needed = good.map(|(text, value)| (text, Ok(value))).into_iter().chain(bad).chain([("", Err(Reason::MissingValue))]);
    table::<DebitParser, _>(DEBIT, "Num_Hist_Ecn", |row: &Debit| row.history_number, needed);
    let optional = [("5", Ok(Some(5))), ("", Ok(None)), ("x", Err(Reason::InvalidInteger))];
    table::<DebitParser, _>(DEBIT, "Etat_cpte", |row: &Debit| row.account_state, optional);
    table::<PaymentPlanParser, _>(
        PLAN,
        "Annee_creation",
        |row: &PaymentPlan| row.year,
        [("", Ok(None)), ("MM", Err(Reason::InvalidInteger))],
    );

    let truncated = [
        ("559.0", Ok(Some(559))),
        ("559.9", Ok(Some(559))),
        ("-1.9", Ok(Some(-1))),
        ("5", Ok(Some(5))),
        ("1e2", Ok(Some(100))),
        ("", Ok(None)),
        ("1;5", Err(Reason::InvalidNumber)),
        ("n.c.", Err(Reason::InvalidNumber)),
        ("3e9", Err(Reason::InvalidInteger)),
    ];
    table::<ShortTimeConsumptionParser, _>(CONSUMED, "EFFECTIFS", |row: &ShortTimeConsumption| row.headcount, truncated);
}

#[test]
fn numbers_and_amounts() {
    let hours = [
        ("311.54", Ok(311.54)),
        ("1.5e3", Ok(1500.0)),
        ("-2", Ok(-2.0)),
        ("0", Ok(0.0)),
        ("1;5", Err(Reason::InvalidNumber)),
        ("\"1,5\"", Err(Reason::InvalidNumber)),
        ("inf", Err(Reason::InvalidNumber)),
        ("", Err(Reason::MissingValue)),
    ];
    table::<ShortTimeConsumptionParser, _>(CONSUMED, "HEURES", |row: &ShortTimeConsumption| row.hours, hours);
    let euros = [
        ("-21099", Ok(-2_109_900)),
        ("21223,48", Ok(2_122_348)),
        ("21223.48", Ok(2_122_348)),
        ("0", Ok(0)),
        ("1,234.5", Err(Reason::InvalidAmount)),
        ("12 000", Err(Reason::InvalidAmount)),
        ("", Err(Reason::MissingValue)),
    ];
    table::<ContributionParser, _>(CONTRIBUTION, "cotis_due", |row: &Contribution| row.due.0, euros);
    let paid = [("", Ok(None)), ("9,5", Ok(Some(950))), ("x", Err(Reason::InvalidAmount))];
    table::<ContributionParser, _>(CONTRIBUTION, "enc_direct", |row: &Contribution| row.paid.map(|paid| paid.0), paid);
    // Cents. An empty part stopped the existing importer.
    let cents = [
        ("195907", Ok(195_907)),
        ("-3", Ok(-3)),
        ("0", Ok(0)),
        ("195907.0", Ok(195_907)),
        ("3.6", Ok(4)),
        ("3,6", Err(Reason::InvalidAmount)),
        ("abc", Err(Reason::InvalidAmount)),
        ("", Err(Reason::MissingValue)),
    ];
    table::<DebitParser, _>(DEBIT, "Mt_PO", |row: &Debit| row.employee_part.0, cents);
    table::<DebitParser, _>(DEBIT, "Mt_PP", |row: &Debit| row.employer_part.0, cents);
}

#[test]
fn dates_of_four_notations() {
    fn bad<T>(texts: &'static [&'static str]) -> impl Iterator<Item = (&'static str, Result<T, Reason>)> {
        texts.iter().map(|text| (*text, Err(Reason::InvalidDate)))
    }
    let urssaf = [("1180130", Ok(day("2018-01-30"))), ("990401", Ok(day("1999-04-01")))];
    let all = urssaf.into_iter().chain(bad(&["0000000", "1180151", "11A0203", "", "2018-01-30"]));
    table::<CcsfParser, _>(CCSF, "Date_de_traitement", |row| row.treated_on, all);
    let sas = [("26MAY2014", Ok(day("2014-05-26"))), ("26may2014", Ok(day("2014-05-26")))];
    let all = sas.into_iter().chain(bad(&["26MAI2014", "31FEB2014", "", "2014-05-26"]));
    table::<ProcolParser, _>(PROCOL, "Dt_effet", |row: &ProcolEvent| row.effective, all);
    let french = [("04/01/2001", Ok(day("2001-01-04")))];
    let all = french.into_iter().chain(bad(&["2001-01-04", "31/02/2001", "4/1/2001", ""]));
    table::<PaymentPlanParser, _>(PLAN, "Date_echeance", |row: &PaymentPlan| row.due, all);
    let iso = [("2009-05-26", Ok(Some(day("2009-05-26")))), ("", Ok(None))];
    let all = iso.into_iter().chain(bad(&["26/05/2009", "2009-5-26", "2009-02-30"]));
    table::<EstablishmentStateParser, _>(STATE, "dateFin", |row: &EstablishmentState| row.end, all);
}

#[test]
fn periods_of_urssaf() {
    // Every notation is a case of `domain::urssaf`: these show that a file goes through it.
    let good = [("201712", "2017-02", 1), ("1820", "2018-04", 3), ("0162", "2001-01", 12), ("0232", "2002-08", 1)]
        .map(|(text, start, months)| (text, Ok((start.to_owned(), months))));
    // The last one names no quarter: the existing importer lets it overflow into another year.
    let bad = ["56331", "", "199904"].map(|text| (text, Err(Reason::InvalidPeriod)));
    let read = |row: &Contribution| (row.period.start().to_string(), row.period.months());
    table::<ContributionParser, _>(CONTRIBUTION, "periode", read, good.into_iter().chain(bad));
}

#[test]
fn junk_is_skipped_where_it_is_known_and_refused_elsewhere() {
    let acoss = "1234567A89";
    fn refused<P: RowParser>(sample: &Sample, column: &str, value: &str) -> Option<Refused> {
        with::<P>(sample, column, value).err()
    }
    let headcounts: &Sample = &[("compte", "951"), ("siret", "54236870268934"), ("eff201011", "5")];
    let company: &Sample = &[("siren", "542368702"), ("eff201011", "5")];
    for (value, urssaf, plan) in [
        (acoss, Skipped(SkipReason::AcossInternalId), Skipped(SkipReason::AcossInternalId)),
        ("", Skipped(SkipReason::EmptyIdentifier), Skipped(SkipReason::EmptyIdentifier)),
        ("@", Rejected(Reason::InvalidSiret), Skipped(SkipReason::JunkIdentifier)),
        ("12345678", Rejected(Reason::InvalidSiret), Skipped(SkipReason::JunkIdentifier)),
        ("1234567", Rejected(Reason::InvalidSiret), Rejected(Reason::InvalidSiret)),
        ("123456789", Rejected(Reason::InvalidSiret), Rejected(Reason::InvalidSiret)),
    ] {
        for found in [
            refused::<ContributionParser>(CONTRIBUTION, "Siret", value),
            refused::<DebitParser>(DEBIT, "Siret", value),
            refused::<ProcolParser>(PROCOL, "Siret", value),
            refused::<CcsfParser>(CCSF, "Siret", value),
            refused::<HeadcountParser>(headcounts, "siret", value),
        ] {
            assert_eq!(found, Some(urssaf), "'{value}'");
        }
        assert_eq!(refused::<PaymentPlanParser>(PLAN, "Siret", value), Some(plan), "'{value}'");
    }
    assert_eq!(refused::<CompanyHeadcountParser>(company, "siren", ""), Some(Skipped(SkipReason::EmptyIdentifier)));
    assert_eq!(refused::<CompanyHeadcountParser>(company, "siren", "54236870"), Some(Rejected(Reason::InvalidSiren)));
    for value in ["", acoss, "6143376022557"] {
        assert_eq!(refused::<ShortTimeConsumptionParser>(CONSUMED, "ETAB_SIRET", value), Some(Rejected(Reason::InvalidSiret)), "'{value}'");
        assert_eq!(refused::<ShortTimeRequestParser>(REQUESTED, "ETAB_SIRET", value), Some(Rejected(Reason::InvalidSiret)), "'{value}'");
    }
}

#[test]
fn agencies_of_urssaf_and_wrong_keys_are_accepted() {
    for tenth in ['5', '6', '7', '9'] {
        let siret = format!("111111111{tenth}1111");
        let row = with::<ContributionParser>(CONTRIBUTION, "Siret", &siret).unwrap();
        assert_eq!(row.siret.to_string(), siret);
    }
    let (found, report) = changed::<ContributionParser>(CONTRIBUTION, &[], None);
    assert!(found[0].is_ok());
    assert_eq!(report.warnings.get(&Warning::WrongKey), Some(&1), "111111111 has a wrong key, which is said and no more");
}

/// Lines, valid, rejected of a text.
fn counts<P: RowParser>(text: &str) -> (u64, u64, u64) {
    let (_, report) = read_bytes::<P>(text.as_bytes(), "x.csv", None).unwrap();
    (report.lines, report.valid, report.rejections())
}

#[test]
fn lines_are_split_as_the_existing_importer_splits_them() {
    let header = "Siret;Compte;periode;mer;enc_direct;cotis_due";
    let line = "11111111111111;636;1031;5;1;2";
    let cases = [
        (format!("{header}\n{line}\n"), (1, 1, 0)),
        (format!("\n\r\n{header}\n\n{line}\n\n"), (1, 1, 0)),
        (format!("{header}\r\n{line}\r\n"), (1, 1, 0)),
        (format!("\u{feff}{}\n{line}", header.to_uppercase()), (1, 1, 0)),
        (format!("more;{header}\nx;{line}\n"), (1, 1, 0)),
        (format!("{header}\n{line};\n{line}\n"), (2, 1, 1)),
        (format!("{header}\n11111111111111;636\n{line}\n"), (2, 1, 1)),
        (format!("{header}\n{}\n{line}\n", line.replace(";636;", ";\"636\";")), (2, 2, 0)),
        (format!("{header}\n{}\n", line.replace(";636;", ";\"6;36\";")), (1, 1, 0)),
        // Stray quotes are text in this file, which is read lazily.
        (format!("{header}\n{}\n{line}\n", line.replace(";636;", ";6\"36;")), (2, 2, 0)),
        (format!("{header}\n{}\n", line.replace(';', ",")), (1, 0, 1)),
        (format!("{header}\n"), (0, 0, 0)),
    ];
    for (text, expected) in cases {
        assert_eq!(counts::<ContributionParser>(&text), expected, "{text:?}");
    }
    // The next one is read strictly.
    let header = "Siret;Siren;Dt_effet;Cat_v2;Lib_actx_stdx";
    let line = |label: &str| format!("73282932000074;732829320;26MAY2014;1;{label}");
    let text = format!("{header}\n{}\n{}\n", line("ouv\"erture_liquidation"), line("\"ouverture_liquidation\""));
    assert_eq!(counts::<ProcolParser>(&text), (2, 1, 1));
    // Requests of short-time work are read lazily, and from commas.
    let names = REQUESTED.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(",");
    let values = REQUESTED.iter().map(|(_, value)| *value).collect::<Vec<_>>().join(",");
    assert_eq!(counts::<ShortTimeRequestParser>(&format!("{names}\n{}\n", values.replace("f28", "f\"28"))), (1, 1, 0));
}

#[test]
fn a_column_that_is_needed_is_named_and_one_that_is_not_may_lack() {
    for (column, source) in [("cotis_due", Source::Cotisation), ("periode", Source::Cotisation), ("Compte", Source::Cotisation)] {
        let names: Vec<&str> = CONTRIBUTION.iter().map(|(name, _)| *name).filter(|name| *name != column).collect();
        let error = read_bytes::<ContributionParser>(names.join(";").as_bytes(), "x.csv", None).err().unwrap();
        assert!(matches!(&error, FileError::MissingColumns { missing, .. } if missing == &[column]), "{source:?}: {error}");
    }
    // The existing importer died on a file without these.
    for column in ["MTA", "S_EFF_CONSOM_TOT", "S_MONTANT_CONSOM_TOT"] {
        let (found, _) = changed::<ShortTimeRequestParser>(REQUESTED, &[(column, None)], None);
        assert!(found[0].is_ok(), "{column}: {found:?}");
    }
    let (found, _) = changed::<EstablishmentParser>(
        super::examples::ESTABLISHMENT,
        &[("activitePrincipaleEtablissement", None), ("nomenclatureActivitePrincipaleEtablissement", None)],
        None,
    );
    assert_eq!(found[0].as_ref().map(|row| (row.naf, row.naf_not_rev2)), Ok((None, false)));
}

#[test]
fn every_bad_line_is_counted_and_the_first_ones_are_kept() {
    let bad = "not a siret;732829320;26MAY2014;1;ouverture_liquidation\n".repeat(MOST_REJECTIONS + 1);
    let text = format!("Siret;Siren;Dt_effet;Cat_v2;Lib_actx_stdx\n{bad}");
    let (all, report) = read_bytes::<ProcolParser>(text.as_bytes(), "x.csv", None).unwrap();
    assert_eq!((all.rejections.len(), report.rejections()), (MOST_REJECTIONS, MOST_REJECTIONS as u64 + 1));
}
