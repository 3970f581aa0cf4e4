//! The sources that are no longer delivered: each example and rule of §1.15, §1.16 and §1.18.

use std::io::{Cursor, Write};

use domain::records::{BankRatios, CompanyAccounts, GroupLink, Record};
use domain::time_rules::{ALWAYS_KNOWN, TimeRules};
use domain::{Cents, Source};
use proptest::prelude::*;
use rust_xlsxwriter::{ExcelDateTime, Format, Workbook};
use sources::files::{BankRatiosParser, CompanyAccountsParser, GroupLinkParser};
use sources::{Dialect, FileError, ParseReport, Reason, RowParser, SkipReason, Warning, parse_file};

use super::layouts::{All, day, read_bytes, whole};

type Parsed<P> = Result<(All<<P as RowParser>::Row>, ParseReport), FileError>;

fn text<P: RowParser>(text: &str) -> Parsed<P> {
    read_bytes::<P>(text.as_bytes(), "x.csv", None)
}

fn sheet<P: RowParser>(workbook: &mut Workbook) -> Parsed<P> {
    let bytes = workbook.save_to_buffer().unwrap();
    whole(|rows| parse_file::<P, _>(Cursor::new(bytes), "x.xlsx", None, std::slice::from_mut(rows)))
}

// Diane.

const ONCE: [&str; 8] = [
    "Marquée",
    "Nom de l'entreprise",
    "Numéro Siren",
    "Statut juridique ",
    "Procédure collective",
    "Nombre d’ES",
    "Nombre de filiales",
    "Taille de la Composition du Groupe",
];
const YEARLY: [&str; 26] = [
    "Effectif consolidé",
    "Dettes fiscales et sociales kEUR",
    "Date de clôture",
    "Nombre de mois",
    "Conc. banc. cour. & sold. cr. kEUR",
    "Autonomie fin. %",
    "Liquidité générale",
    "Liquidité réduite",
    "Crédit clients jours",
    "Crédit fournisseurs jours",
    "Taux d'endettement %",
    "Capacité de remboursement",
    "Couv. du C.A. par le f.d.r. jours",
    "Chiffre d'affaires net (H.T.) kEUR",
    "Valeur ajoutée kEUR",
    "Charges de personnel kEUR",
    "Dot. d'exploit. aux amort. et  prov. kEUR",
    "Excédent brut d'exploitation kEUR",
    "Résultat d'expl. kEUR",
    "Produits fin. kEUR",
    "Charges fin. kEUR",
    "Intérêts et charges assimilées kEUR",
    "Résultat courant avant impôts kEUR",
    "Produits except. kEUR",
    "Charges except.  kEUR",
    "Bénéfice ou perte kEUR",
];
const YEARS: [i32; 3] = [2019, 2018, 2017];

/// The columns of an export, variable by variable as Bureau van Dijk orders them.
fn diane_columns() -> Vec<String> {
    let yearly = YEARLY.iter().flat_map(|name| YEARS.iter().map(move |year| format!("{name} {year}")));
    ONCE.iter().map(ToString::to_string).chain(yearly).collect()
}

fn diane_header() -> String {
    diane_columns().iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(";") + "\r\n"
}

/// A line with these cells, the others empty.
fn diane_line(cells: &[(&str, &str)]) -> String {
    let columns = diane_columns();
    assert!(cells.iter().all(|(name, _)| columns.iter().any(|column| column == name)), "{cells:?}");
    let cell = |column: &String| cells.iter().find(|(name, _)| name == column).map_or("", |(_, value)| value);
    columns.iter().map(cell).collect::<Vec<_>>().join(";") + "\r\n"
}

const COMPANY: [(&str, &str); 3] = [("Numéro Siren", "000111222"), ("Procédure collective", "Non"), ("Nombre de filiales", "5")];

fn diane(lines: &[&[(&str, &str)]]) -> (All<CompanyAccounts>, ParseReport) {
    let lines: String = lines.iter().map(|cells| diane_line(cells)).collect();
    text::<CompanyAccountsParser>(&(diane_header() + &lines)).unwrap()
}

fn warned(report: &ParseReport, warning: Warning) -> u64 {
    report.warnings.get(&warning).copied().unwrap_or_default()
}

#[test]
fn a_company_gives_a_row_for_each_year_with_a_closing_date() {
    let cells = [
        ("Date de clôture 2019", "31/12/2019"),
        ("Date de clôture 2017", "30/09/2017"),
        ("Nombre de mois 2019", "12"),
        ("Effectif consolidé 2019", "17"),
        ("Dettes fiscales et sociales kEUR 2019", "332"),
        ("Chiffre d'affaires net (H.T.) kEUR 2019", "1966,5"),
        ("Valeur ajoutée kEUR 2017", "-9,13"),
        ("Charges except.  kEUR 2017", "78"),
        ("Couv. du C.A. par le f.d.r. jours 2017", "5,25"),
        ("Taux d'endettement % 2019", "2.92"),
    ];
    let (all, report) = diane(&[&[&COMPANY[..], &cells].concat()]);
    assert_eq!((report.lines, report.valid, report.rows), (1, 1, 2));
    let [old, new] = all.rows.as_slice() else { panic!("{:?}", all.rows) };
    assert_eq!((old.year, old.closed_on, new.year, new.closed_on), (2017, day("2017-09-30"), 2019, day("2019-12-31")));
    assert_eq!((new.siren.to_string().as_str(), new.months, new.headcount, new.subsidiaries), ("000111222", Some(12), Some(17), Some(5)));
    assert_eq!((new.tax_and_social_debt, new.turnover, new.added_value), (Some(Cents(33_200_000)), Some(Cents(196_650_000)), None));
    assert_eq!((old.added_value, old.exceptional_costs), (Some(Cents(-913_000)), Some(Cents(7_800_000))), "two spaces count as one");
    assert_eq!((old.working_capital_days, new.debt_ratio), (Some(5.25), Some(2.92)));
    assert!(!new.in_proceeding && new.group_size.is_none());
    assert_eq!(old.known_at(&TimeRules::default()), day("2018-06-30"), "nine months after the closing");
    assert_eq!((warned(&report, Warning::UnreadableOptional), warned(&report, Warning::UndatedYear)), (0, 0));
}

#[test]
fn each_variable_is_read_from_its_own_column() {
    // A value of its own in every column: a number that grows with the position.
    let mut cells = vec![("Numéro Siren", "000111222".to_owned()), ("Date de clôture 2019", "31/12/2019".to_owned())];
    let names: Vec<String> = YEARLY.iter().map(|name| format!("{name} 2019")).collect();
    let numbers =
        names.iter().zip(1..).filter(|(name, _)| !name.starts_with("Date")).map(|(name, number)| (name.as_str(), format!("{number}")));
    cells.extend(numbers);
    cells.extend([("Nombre de filiales", "101".to_owned()), ("Taille de la Composition du Groupe", "102".to_owned())]);
    let cells: Vec<(&str, &str)> = cells.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let (all, _) = diane(&[&cells]);
    let row = &all.rows[0];
    let number = |name: &str| f64::from(YEARLY.iter().position(|known| *known == name).unwrap() as u32 + 1);
    assert_eq!((row.subsidiaries, row.group_size), (Some(101), Some(102)));
    assert_eq!((row.months, row.headcount), (Some(number("Nombre de mois") as i32), Some(number("Effectif consolidé") as i32)));
    for (found, name) in [
        (row.tax_and_social_debt, "Dettes fiscales et sociales kEUR"),
        (row.bank_overdraft, "Conc. banc. cour. & sold. cr. kEUR"),
        (row.turnover, "Chiffre d'affaires net (H.T.) kEUR"),
        (row.added_value, "Valeur ajoutée kEUR"),
        (row.staff_costs, "Charges de personnel kEUR"),
        (row.ebitda, "Excédent brut d'exploitation kEUR"),
        (row.operating_income, "Résultat d'expl. kEUR"),
        (row.financial_income, "Produits fin. kEUR"),
        (row.financial_costs, "Charges fin. kEUR"),
        (row.interest, "Intérêts et charges assimilées kEUR"),
        (row.pretax_income, "Résultat courant avant impôts kEUR"),
        (row.exceptional_income, "Produits except. kEUR"),
        (row.exceptional_costs, "Charges except.  kEUR"),
        (row.net_income, "Bénéfice ou perte kEUR"),
    ] {
        assert_eq!(found, Some(Cents(number(name) as i64 * 100_000)), "{name}");
    }
    for (found, name) in [
        (row.financial_autonomy, "Autonomie fin. %"),
        (row.debt_ratio, "Taux d'endettement %"),
        (row.liquidity, "Liquidité générale"),
        (row.repayment_capacity, "Capacité de remboursement"),
        (row.customer_credit_days, "Crédit clients jours"),
        (row.supplier_credit_days, "Crédit fournisseurs jours"),
        (row.working_capital_days, "Couv. du C.A. par le f.d.r. jours"),
    ] {
        assert_eq!(found, Some(number(name)), "{name}");
    }
}

#[test]
fn cells_that_cannot_be_read_are_empty_and_counted() {
    for (name, value, unreadable) in [
        ("Chiffre d'affaires net (H.T.) kEUR 2019", "n.s.", 1),
        ("Chiffre d'affaires net (H.T.) kEUR 2019", "1 966", 1),
        ("Chiffre d'affaires net (H.T.) kEUR 2019", "1,966.5", 1),
        ("Liquidité générale 2019", "inf", 1),
        ("Nombre de mois 2019", "12,5", 1),
        ("Effectif consolidé 2019", "99999999999", 1),
        ("Nombre de filiales", "beaucoup", 1),
        ("Effectif consolidé 2019", " 17 ", 0),
        ("Effectif consolidé 2018", "17", 0),
        ("Liquidité réduite 2019", "not read", 0),
    ] {
        let company = [("Numéro Siren", "000111222"), ("Date de clôture 2019", "31/12/2019"), (name, value)];
        let (all, report) = diane(&[&company]);
        assert_eq!((report.valid, all.rows.len()), (1, 1), "{name}: {value}");
        assert_eq!(warned(&report, Warning::UnreadableOptional), unreadable, "{name}: {value}");
        assert_eq!(warned(&report, Warning::UndatedYear), u64::from(name.ends_with("2018")), "{name}: {value}");
    }
    for date in ["2019-12-31", "31/13/2019", "31/12/19"] {
        let (all, report) = diane(&[&[("Numéro Siren", "000111222"), ("Date de clôture 2019", date)]]);
        assert!(all.rows.is_empty() && report.valid == 1, "{date}");
        assert_eq!((warned(&report, Warning::UnreadableOptional), warned(&report, Warning::UndatedYear)), (1, 1), "{date}");
    }
}

#[test]
fn a_proceeding_is_a_yes() {
    for (word, expected) in [("Oui", true), ("Non", false), ("", false), ("oui", false)] {
        let (all, _) = diane(&[&[("Numéro Siren", "000111222"), ("Procédure collective", word), ("Date de clôture 2019", "31/12/2019")]]);
        assert_eq!(all.rows[0].in_proceeding, expected, "{word}");
    }
}

#[test]
fn lines_of_another_width_or_company_are_refused() {
    let good = diane_line(&[&COMPANY[..], &[("Date de clôture 2019", "31/12/2019")]].concat());
    for (line, reason) in [
        ("000111222;Oui\r\n".to_owned(), Reason::WrongFieldCount),
        (good.replacen(';', ";;", 1), Reason::WrongFieldCount),
        (good.replace("000111222", "00011122"), Reason::InvalidSiren),
        (good.replace("000111222", ""), Reason::InvalidSiren),
    ] {
        let (all, report) = text::<CompanyAccountsParser>(&(diane_header() + &line + &good)).unwrap();
        assert_eq!((report.lines, report.valid, all.rejections.len()), (2, 1, 1), "{line}");
        assert_eq!(all.rejections[0].reason, reason, "{line}");
    }
    // The columns that matter, but fewer than any export has.
    let columns: Vec<String> = diane_columns().into_iter().filter(|name| !name.ends_with("2018") && !name.ends_with("2017")).collect();
    let narrow = format!("{}\r\n{}\r\n", columns.join(";"), ";".repeat(columns.len() - 1));
    let (all, report) = text::<CompanyAccountsParser>(&narrow).unwrap();
    assert_eq!((columns.len(), report.lines, report.valid), (34, 1, 0));
    assert_eq!(all.rejections[0].reason, Reason::WrongFieldCount);
}

#[test]
fn a_variable_absent_of_every_year_is_named() {
    let header = diane_header().replace("Bénéfice ou perte kEUR", "Bénéfice");
    let error = text::<CompanyAccountsParser>(&header).err().unwrap().to_string();
    assert!(error.starts_with("the header lacks 'Bénéfice ou perte kEUR YYYY';"), "{error}");
    let header = diane_header().replace("Bénéfice ou perte kEUR 2018", "Bénéfice");
    assert!(text::<CompanyAccountsParser>(&header).is_ok(), "one year may lack it");
}

#[test]
fn utf16_says_the_same_as_utf8_plain_and_compressed() {
    let cells = [("Date de clôture 2019", "31/12/2019"), ("Bénéfice ou perte kEUR 2019", "54"), ("Nom de l'entreprise", "SOCIÉTÉ \"É\"")];
    let utf8 = diane_header() + &diane_line(&[&COMPANY[..], &cells].concat());
    let (expected, report) = text::<CompanyAccountsParser>(&utf8).unwrap();
    assert_eq!(expected.rows.len(), 1, "stray quotes are text");
    for order in [u16::to_le_bytes, u16::to_be_bytes] {
        let bytes: Vec<u8> = format!("\u{feff}{utf8}").encode_utf16().flat_map(order).collect();
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        gzip.write_all(&bytes).unwrap();
        let gzip = gzip.finish().unwrap();
        for (bytes, name) in [(bytes.as_slice(), "Diane.txt"), (gzip.as_slice(), "Diane.txt.gz")] {
            let (all, again) = read_bytes::<CompanyAccountsParser>(bytes, name, None).unwrap();
            assert_eq!((&all.rows, &again), (&expected.rows, &report), "{name}");
        }
        let cut = read_bytes::<CompanyAccountsParser>(&bytes[..bytes.len() - 1], "Diane.txt", None).err().unwrap();
        assert!(matches!(&cut, FileError::Unreadable(error) if error.kind() == std::io::ErrorKind::InvalidData), "{cut}");
    }
}

// Banque de France.

const BDF: [&str; 13] = [
    "D1",
    "ANNEE",
    "ARRETE_BILAN",
    "DENOM",
    "CP",
    "REGION",
    "SECTEUR",
    "POIDS_FRNG",
    "TX_MARGE",
    "DELAI_FRS",
    "POIDS_DFISC_SOC",
    "POIDS_FIN_CT",
    "POIDS_FRAIS_FIN",
];
const BDF_LINE: &str = "000 111 222;2013;31DEC2012;SOCIETE;87000;NOUVELLE-AQUITAINE;01 Industrie;-37.5;-63.1;88.5;561.0;5.2;-9.4";

fn bdf_example() -> BankRatios {
    BankRatios {
        siren: "000111222".parse().unwrap(),
        year: 2013,
        closed_on: day("2012-12-31"),
        working_capital_share: Some(-37.5),
        margin: Some(-63.1),
        supplier_days: Some(88.5),
        tax_and_social_debt_share: Some(561.0),
        short_term_financing_share: Some(5.2),
        financial_costs_share: Some(-9.4),
    }
}

fn bdf(line: &str) -> (All<BankRatios>, ParseReport) {
    text::<BankRatiosParser>(&format!("{}\n{line}\n", BDF.join(";"))).unwrap()
}

#[test]
fn ratios_of_the_bank() {
    let (all, report) = bdf(BDF_LINE);
    assert_eq!((all.rows.as_slice(), report.valid), (&[bdf_example()][..], 1));
    assert_eq!(all.rows[0].known_at(&TimeRules::default()), day("2013-09-30"));
    for (from, to, expected) in [
        ("000 111 222", "000111222", Ok("2012-12-31")),
        ("000 111 222", "000\u{a0}111\u{202f}222", Ok("2012-12-31")),
        ("31DEC2012", "31déc2012", Ok("2012-12-31")),
        ("31DEC2012", "28févr2013", Ok("2013-02-28")),
        ("31DEC2012", "30juin2013", Ok("2013-06-30")),
        ("SOCIETE", "SOCIETE \"LA", Ok("2012-12-31")),
        (";-9.4", ";", Ok("2012-12-31")),
        ("000 111 222", "000 111 22", Err(Reason::InvalidSiren)),
        ("000 111 222", "", Err(Reason::InvalidSiren)),
        ("31DEC2012", "31FOO2012", Err(Reason::InvalidDate)),
        ("31DEC2012", "", Err(Reason::InvalidDate)),
        (";2013;", ";;", Err(Reason::MissingValue)),
        ("88.5", "88,5", Err(Reason::InvalidNumber)),
        ("88.5", "88.5;1", Err(Reason::WrongFieldCount)),
    ] {
        let (all, report) = bdf(&BDF_LINE.replace(from, to));
        let found = all.rows.first().map(|row| row.closed_on).ok_or_else(|| all.rejections[0].reason);
        assert_eq!(found, expected.map(day), "{from} → {to}");
        assert_eq!((report.lines, report.valid + report.rejections()), (1, 1));
    }
}

#[test]
fn workbooks_of_the_bank_have_dates_of_three_kinds() {
    let mut workbook = Workbook::new();
    let page = workbook.add_worksheet();
    page.write_row(0, 0, BDF).unwrap();
    let format = Format::new().set_num_format("dd/mm/yyyy");
    for row in 1..=3 {
        page.write(row, 0, "000 111 222").unwrap();
        page.write(row, 1, 2013).unwrap();
        page.write_row(row, 7, [-37.5, -63.1, 88.5, 561.0, 5.2, -9.4]).unwrap();
    }
    page.write_with_format(1, 2, ExcelDateTime::from_ymd(2012, 12, 31).unwrap(), &format).unwrap();
    page.write(2, 2, 41274).unwrap();
    page.write(3, 2, "2012-12-31").unwrap();
    let (all, report) = sheet::<BankRatiosParser>(&mut workbook).unwrap();
    assert_eq!((report.lines, report.valid), (3, 3), "{:?}", all.rejections);
    assert_eq!(all.rows, [bdf_example(), bdf_example(), bdf_example()]);
}

// Ellisphere.

const ELLISPHERE: [&str; 21] = [
    "GRP Code",
    "GRP Personne PouM",
    "GRP SIREN 9",
    "GRP RefID",
    "GRP Raison Sociale",
    "GRP Adresse",
    "GRP Code Postal",
    "GRP Ville",
    "GRP Pays",
    "Niveau de détention",
    "% Financier",
    "Tranche % Financier",
    "FIL Code",
    "FIL Personne PouM",
    "FIL SIREN 9",
    "FIL RefID",
    "FIL Raison Sociale",
    "FIL Adresse",
    "FIL Code Postal",
    "FIL Ville",
    "FIL Pays",
];
const LINK: [&str; 21] = [
    "G1",
    "M",
    "000999888",
    "R1",
    "TETE; \"INVENTEE\"",
    "1 rue",
    "00000",
    "VILLE",
    "FRANCE",
    "2",
    "51.5",
    "A",
    "F1",
    "M",
    "000111222",
    "R2",
    "FILIALE",
    "2 rue",
    "00000",
    "VILLE",
    "FRANCE",
];

fn links(changes: &[(&str, &str)]) -> (All<GroupLink>, ParseReport) {
    let mut workbook = Workbook::new();
    let page = workbook.add_worksheet();
    page.write_row(0, 0, ELLISPHERE).unwrap();
    for (column, (name, value)) in ELLISPHERE.into_iter().zip(LINK).enumerate() {
        let value = changes.iter().find(|(changed, _)| *changed == name).map_or(value, |(_, value)| value);
        match value.parse::<f64>().ok().filter(|_| matches!(column, 9 | 10)) {
            Some(number) => page.write(1, column as u16, number),
            None => page.write(1, column as u16, value),
        }
        .unwrap();
    }
    sheet::<GroupLinkParser>(&mut workbook).unwrap()
}

#[test]
fn subsidiaries_and_the_heads_of_their_groups() {
    let (all, report) = links(&[]);
    let expected = GroupLink {
        siren: "000111222".parse().unwrap(),
        group_siren: Some("000999888".parse().unwrap()),
        group_code: "G1".into(),
        group_person: "M".into(),
        group_reference: "R1".into(),
        group_name: "TETE; \"INVENTEE\"".into(),
        group_country: "FRANCE".into(),
        level: Some(2),
        share: Some(51.5),
        share_band: "A".into(),
        code: "F1".into(),
        person: "M".into(),
        reference: "R2".into(),
    };
    assert_eq!((all.rows.as_slice(), report.lines, report.valid), (&[expected][..], 1, 1), "the header is no data");
    assert_eq!(all.rows[0].known_at(&TimeRules::default()), ALWAYS_KNOWN);
    for (column, value, outcome) in [
        ("FIL Pays", "", Ok((true, 0))),
        ("GRP SIREN 9", "", Ok((false, 0))),
        ("GRP SIREN 9", "HRB 12", Ok((false, 1))),
        ("FIL SIREN 9", "", Err(None)),
        ("FIL SIREN 9", "111222", Err(Some(Reason::InvalidSiren))),
        ("Niveau de détention", "1.5", Err(Some(Reason::InvalidInteger))),
        ("% Financier", "beaucoup", Err(Some(Reason::InvalidNumber))),
    ] {
        let (all, report) = links(&[(column, value)]);
        let found = all.rows.first().map(|row| (row.group_siren.is_some(), warned(&report, Warning::UnreadableOptional)));
        let found = found.ok_or_else(|| all.rejections.first().map(|rejection| rejection.reason));
        assert_eq!(found, outcome, "{column}: {value}");
        assert_eq!(report.skipped.get(&SkipReason::EmptyIdentifier).copied(), (outcome == Err(None)).then_some(1));
        assert_eq!(report.lines, report.valid + report.rejections() + report.skips());
    }
    let headless = text::<GroupLinkParser>("G1;M;000999888\n").err().unwrap();
    assert!(matches!(headless, FileError::MissingColumns { .. }), "{headless}");
}

#[test]
fn a_file_of_another_source_is_told() {
    let found = text::<CompanyAccountsParser>(&format!("{}\n", BDF.join(";"))).err().unwrap();
    assert!(matches!(found, FileError::WrongSource { looks_like: Source::Bdf, .. }), "{found}");
    let found = text::<BankRatiosParser>(&diane_header()).err().unwrap();
    assert!(matches!(found, FileError::WrongSource { looks_like: Source::Diane, .. }), "{found}");
    assert_eq!(CompanyAccountsParser::DIALECT, Dialect::SEMICOLON.lazy());
}

proptest! {
    #[test]
    fn any_body_is_accounted_for(cells in prop::collection::vec("[0-9A-Z;\", ./é]{0,12}", 0..200), wide in any::<bool>()) {
        fn check<P: RowParser>(text: &str) -> Result<(), TestCaseError> {
            let (all, report) = read_bytes::<P>(text.as_bytes(), "x.csv", None).unwrap();
            prop_assert_eq!(report.lines, report.valid + report.rejections() + report.skips());
            prop_assert_eq!(report.rows, all.rows.len() as u64);
            prop_assert_eq!(report.rejections(), all.rejections.len() as u64);
            Ok(())
        }
        let line = |width: usize| cells.iter().map(String::as_str).chain(std::iter::repeat("31/12/2019")).take(width).collect::<Vec<_>>().join(";");
        let width = |columns: usize| if wide { columns } else { cells.len() };
        check::<CompanyAccountsParser>(&(diane_header() + &line(width(diane_columns().len()))))?;
        check::<BankRatiosParser>(&format!("{}\n{}", BDF.join(";"), line(width(BDF.len()))))?;
        check::<GroupLinkParser>(&format!("{}\n{}", ELLISPHERE.join(";"), line(width(ELLISPHERE.len()))))?;
    }
}
