//! Layouts of the past and files of the open data: each notation, and what a line of it gives.

use std::convert::Infallible;
use std::io::{Read, Write};
use std::slice::from_mut;

use domain::records::{
    AccountLink, CompanyHeadcount, Debit, Headcount, Notice, PaymentDelay, PaymentPlan, ShortTimeConsumption, ShortTimeRequest,
};
use domain::{NaiveDate, ProcolAction, ProcolStage};
use sources::files::{
    AccountLinkParser, CompanyHeadcountParser, DebitParser, FilterParser, HeadcountParser, NoticeParser, PaymentDelayParser,
    PaymentPlanParser, ShortTimeConsumptionParser, ShortTimeRequestParser,
};
use sources::{AccountLinks, FileError, ParseError, ParseReport, Parsed, Rejection, RowParser, parse};

/// Everything that a file gives.
pub(crate) struct All<R> {
    pub(crate) rows: Vec<R>,
    pub(crate) rejections: Vec<Rejection>,
}

fn read<P: RowParser>(text: &str, links: Option<&AccountLinks>) -> Result<(Vec<P::Row>, ParseReport), FileError> {
    read_bytes::<P>(text.as_bytes(), "x.csv", links).map(|(all, report)| (all.rows, report))
}

/// Reads a whole file.
pub(crate) fn read_bytes<P: RowParser>(
    bytes: impl Read,
    name: &str,
    links: Option<&AccountLinks>,
) -> Result<(All<P::Row>, ParseReport), FileError> {
    whole(|rows| parse::<P, _>(bytes, name, links, from_mut(rows)))
}

/// What a parser gave, and its report.
pub(crate) fn whole<R>(
    parse: impl FnOnce(&mut Vec<R>) -> Result<Parsed, ParseError<Infallible>>,
) -> Result<(All<R>, ParseReport), FileError> {
    let mut rows = Vec::new();
    match parse(&mut rows) {
        Ok(Parsed { report, rejections }) => Ok((All { rows, rejections }, report)),
        Err(ParseError::File(error)) => Err(error),
        Err(ParseError::Sink(never)) => match never {},
    }
}

pub(crate) fn day(text: &str) -> NaiveDate {
    domain::dates::parse_iso(text.as_bytes()).unwrap()
}

const ACCOUNTS: &str = "Urssaf_gestion;Dep;Compte;Etat_compte;Siren;Siret;Date_crea_siret;Date_disp_siret;Cle_md5
100;75;abc;1;012345678;01234567891011;1100101;1150101;x
100;75;abc;1;876543210;87654321091011;1150101;1160101;x
100;75;def;1;876543210;87654321091012;1150101;;x
100;75;ghi;1;876543210;not a siret;1150101;;x
";

fn links() -> AccountLinks {
    let (rows, report): (Vec<AccountLink>, _) = read::<AccountLinkParser>(ACCOUNTS, None).unwrap();
    assert_eq!((report.valid, report.rejections()), (3, 1));
    rows.into_iter().collect()
}

#[test]
fn files_that_name_accounts_only_find_their_establishments() {
    let text = "num_cpte;Siren;Dt_immat;Etat_cpte;Cd_pro_col;Periode;Num_Ecn;Num_Hist_Ecn;Dt_trt_ecn;Mt_PO;Mt_PP;Cd_op_ecn;Motif_ecn;Recours_en_cours
abc;;20100101;1;0;201440;101;1;1150110;100;200;1;1;0
abc;;20100101;1;0;201510;101;1;1150410;100;200;1;1;0
abc;;20100101;1;0;201610;101;1;1160410;100;200;1;1;0
zzz;;20100101;1;0;201610;101;1;1160410;100;200;1;1;0
";
    let (rows, report): (Vec<Debit>, _) = read::<DebitParser>(text, Some(&links())).unwrap();
    let sirets: Vec<String> = rows.iter().map(|row| row.siret.to_string()).collect();
    assert_eq!(sirets, ["01234567891011", "87654321091011"]);
    assert_eq!((report.valid, report.skips(), report.lines), (2, 2, 4), "an account of nobody is skipped and counted");
    let error = read::<DebitParser>(text, None).unwrap_err();
    assert!(error.to_string().contains("sigfaible_etablissement_utf8.csv"), "{error}");
}

#[test]
fn payment_plans_of_2018_have_iso_dates() {
    let header = "Numero_compte_externe;Numero_structure;Date_creation;Date_echeance;Duree_delai;Denomination_premiere_ligne;Indic_6M;Annee_creation;Montant_global_echeancier;Code_externe_stade;Code_externe_action";
    let line = "def;1;2018-01-03;2018-04-05;92;X;INF;2018;1000,50;APPROB;SUR PO";
    let (rows, _): (Vec<PaymentPlan>, _) = read::<PaymentPlanParser>(&format!("{header}\n{line}\n"), Some(&links())).unwrap();
    assert_eq!((rows[0].created, rows[0].due), (day("2018-01-03"), day("2018-04-05")));
    let (rows, report) = read::<PaymentPlanParser>(&format!("Siret;{header}\n87654321091012;{line}\n"), None).unwrap();
    assert!(rows.is_empty() && report.rejections() == 1, "today's files have French dates");
}

#[test]
fn short_time_work_dates_of_every_era() {
    let consumed = |dates: [&str; 2]| {
        let line = |date: &str| format!("\"A1\",\"73282932000074\",10.0,5.0,1.0,\"{date}\"\n");
        let text = format!("ID_DA,ETAB_SIRET,HEURES,MONTANTS,EFFECTIFS,MOIS\n{}{}", line(dates[0]), line(dates[1]));
        let (rows, _): (Vec<ShortTimeConsumption>, _) = read::<ShortTimeConsumptionParser>(&text, None).unwrap();
        rows.iter().map(|row| row.date.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(consumed(["2020-12-30", "2021-01-01"]), ["2020-12-30", "2021-01-01"]);
    assert_eq!(consumed(["03/2021", "04/2021"]), ["2021-03-01", "2021-04-01"]);
    assert_eq!(consumed(["43466", "43497"]), ["2019-01-01", "2019-02-01"]);
    assert_eq!(consumed(["2020-12-30", "04/2021"]), ["2020-12-30"], "a file does not change its notation");

    let requested = |start: &str, end: &str| {
        let header = "ID_DA,ETAB_SIRET,EFF_ENT,EFF_ETAB,DATE_STATUT,DATE_DEB,DATE_FIN,HTA,MTA,EFF_AUTO,MOTIF_RECOURS_SE,S_HEURE_CONSOM_TOT,PERIMETRE_AP";
        let text = format!("{header}\nA1,73282932000074,5,5,,{start},{end},100,1,2,1,0,1\n");
        let (rows, _): (Vec<ShortTimeRequest>, _) = read::<ShortTimeRequestParser>(&text, None).unwrap();
        rows.first().map(|row| (row.start.to_string(), row.end.to_string()))
    };
    let expected = Some(("2025-06-01".to_owned(), "2025-06-30".to_owned()));
    assert_eq!(requested("2025-06-01", "2025-06-30"), expected);
    assert_eq!(requested("2025-06-01", "2025-06-30 00:00:00"), expected);
    assert_eq!(requested("01/06/2025", "30/06/2025"), expected);
    assert_eq!(requested("01/06/2025", "2025-06-30"), None);
}

#[test]
fn the_reason_of_a_request_is_one_of_seven_or_none() {
    let header =
        "ID_DA,ETAB_SIRET,EFF_ENT,EFF_ETAB,DATE_STATUT,DATE_DEB,DATE_FIN,HTA,MTA,EFF_AUTO,MOTIF_RECOURS_SE,S_HEURE_CONSOM_TOT,PERIMETRE_AP";
    for (reason, expected) in
        [("", Some(None)), ("1", Some(Some(1))), ("6", Some(Some(6))), ("7", Some(Some(7))), ("0", None), ("8", None), ("x", None)]
    {
        let text = format!("{header}\nA1,73282932000074,5,5,2025-05-20,2025-06-01,2025-06-30,100,1,2,{reason},0,1\n");
        let (rows, report): (Vec<ShortTimeRequest>, _) = read::<ShortTimeRequestParser>(&text, None).unwrap();
        assert_eq!(rows.first().map(|row| row.reason), expected, "'{reason}'");
        assert_eq!(report.rejections(), u64::from(expected.is_none()), "'{reason}'");
    }
}

#[test]
fn headcounts_are_rows_of_a_month() {
    // The old header has more columns around, one a quarter, one without a period.
    let header = "compte;siret;rais_soc;ape_ins;dep;eff201011;eff201012;eff201013;eff201110;eff20;base;UR_EMET";
    let text = format!(
        "{header}\n951;54236870268934;x;1086e;23;629;;0;9;9;116;075\n952;54236870268934;x;1086e;23;1 234;2;3;9;9;116;075\n953;54236870268934;x;1086e;23;n.c.;2;3;9;9;116;075\n"
    );
    let (rows, report): (Vec<Headcount>, _) = read::<HeadcountParser>(&text, None).unwrap();
    let found: Vec<_> = rows.iter().map(|row| (row.account.as_str(), row.month.to_string(), row.headcount)).collect();
    let expected =
        [("951", "2010-01", 629), ("951", "2010-03", 0), ("952", "2010-01", 1_234), ("952", "2010-02", 2), ("952", "2010-03", 3)];
    assert_eq!(found, expected.map(|(account, month, headcount)| (account, month.to_owned(), headcount)), "zero is kept, empty is not");
    assert_eq!((report.valid, report.rejections(), report.rows), (2, 1, 5), "a line with a bad cell gives no row at all");

    let text = "siren;eff201011;eff201012;eff201013;eff201021;eff201022;eff201023;name\n542368702;629;536;209;0;;585;abcde\n";
    let (rows, _): (Vec<CompanyHeadcount>, _) = read::<CompanyHeadcountParser>(text, None).unwrap();
    let found: Vec<_> = rows.iter().map(|row| (row.month.to_string(), row.headcount)).collect();
    let expected = [("2010-01", 629), ("2010-02", 536), ("2010-03", 209), ("2010-04", 0), ("2010-06", 585)];
    assert_eq!(found, expected.map(|(month, headcount)| (month.to_owned(), headcount)));
    let error = read::<CompanyHeadcountParser>("siren;headcount\n542368702;629\n", None).unwrap_err();
    assert!(matches!(error, FileError::MissingColumns { .. }), "{error}");
}

#[test]
fn payment_delays_have_french_dates() {
    let text = "SIREN;NB_JOURS;NB_JOURS_PREC;DATE_VALEUR\n000111222;12;x;15/01/2019\n000111222;;x;15/01/2019\n000111222;12;x;01/15/2019\n";
    let (rows, report): (Vec<PaymentDelay>, _) = read::<PaymentDelayParser>(text, None).unwrap();
    let found: Vec<_> = rows.iter().map(|row| (row.siren.to_string(), row.days, row.value_date)).collect();
    assert_eq!(found, [("000111222".to_owned(), 12, day("2019-01-15"))]);
    assert_eq!(report.rejections(), 2);
}

#[test]
fn a_filter_may_lack_its_header() {
    for (text, valid, skipped, rejected) in
        [("siren\n732829320\n", 1, 0, 0), ("732829320\nsiren\n356000000\n", 2, 1, 0), ("732829320;x\nabc;y\n", 1, 0, 1)]
    {
        let (rows, report) = read::<FilterParser>(text, None).unwrap();
        assert_eq!((rows.len() as u64, report.skips(), report.rejections()), (valid, skipped, rejected), "{text:?}");
    }
}

fn notice(jugement: &str, more: &str) -> String {
    format!(r#"{{"id": "A1", "dateparution": "2020-02-01", "registre": ["732 829 320", "732829320"], "jugement": {jugement}{more}}}"#)
}

#[test]
fn judgments_of_the_bulletin() {
    let opening = notice(r#""{\"nature\": \"Jugement d'ouverture de liquidation judiciaire\", \"date\": \"1er janvier 2020\"}""#, "");
    let undated = notice(r#""{\"famille\": \"Jugement d'ouverture\", \"nature\": \"Ouverture du redressement judiciaire\"}""#, "");
    let cancelled = notice(
        "null",
        r#", "typeavis": "annulation", "parutionavisprecedent": "{\"nomPublication\": \"BODACC A\", \"numeroParution\": \"20200012\", \"numeroAnnonce\": 345}""#,
    );
    let debts = notice(r#""{\"nature\": \"Dépôt de l'état des créances\"}""#, "");
    let sale = notice("null", r#", "familleavis": "vente""#);
    let broken = notice(r#""{broken""#, "");
    let impossible = notice(r#""{\"nature\": \"Jugement d'ouverture de liquidation judiciaire\", \"date\": \"31 février 2020\"}""#, "");
    let nobody = opening.replace("732 829 320", "").replace("732829320", "");
    let text = [&opening, &undated, &cancelled, &debts, &sale, &broken, &impossible, &nobody].map(String::as_str).join("\n");
    let (rows, report): (Vec<Notice>, _) = read::<NoticeParser>(&text, None).unwrap();
    assert_eq!((report.lines, report.valid, report.rejections(), report.skips()), (8, 3, 2, 3));
    assert_eq!(
        (rows[0].effective, rows[0].action, rows[0].stage),
        (day("2020-01-01"), Some(ProcolAction::Liquidation), ProcolStage::Ouverture)
    );
    assert_eq!((rows[1].effective, rows[1].action), (day("2020-02-01"), Some(ProcolAction::Redressement)), "the day of the bulletin");
    assert_eq!((rows[2].cancels, rows[2].replaces.as_str()), (true, "A20200012345"));

    // The same as one array, and compressed.
    let array = format!("[{}]", text.replace('\n', ","));
    assert_eq!(read::<NoticeParser>(&array, None).unwrap().0, rows);
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(text.as_bytes()).unwrap();
    assert_eq!(read_bytes::<NoticeParser>(gzip.finish().unwrap().as_slice(), "x.jsonl.gz", None).unwrap().0.rows, rows);
}

#[test]
fn a_csv_export_of_the_bulletin() {
    let text = "id;dateparution;familleavis;registre;jugement
A1;2020-02-01;collective;\"732 829 320,732829320\";\"{\"\"nature\"\": \"\"Jugement arrêtant le plan de sauvegarde\"\", \"\"date\"\": \"\"2020-01-15\"\"}\"
";
    let (rows, _) = read::<NoticeParser>(text, None).unwrap();
    assert_eq!((rows[0].action, rows[0].stage), (Some(ProcolAction::Sauvegarde), ProcolStage::PlanContinuation));
}
