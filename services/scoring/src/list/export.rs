//! A list as a file: CSV that opens well in a French spreadsheet, a workbook, or Parquet. Written from what the caller may see.

mod columns;
mod workbook;

use api::lists::ExportListRequest;
use panel::Catalogue;
use parquet::file::metadata::KeyValue;
use service_kit::error::{ErrorCode, ServiceError};

use self::columns::{Cell, Column, Row, Sheet};
use super::codec;
use super::entry::Entry;
use super::query::Query;
use super::store::List;
use super::view::Reader;
use crate::error::ScoringError;

/// Kind of file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Csv,
    Xlsx,
    Parquet,
}

/// A checked request for a file.
#[derive(Debug, Clone)]
pub struct Asked {
    format: Format,
    sheet: Sheet,
    request: ExportListRequest,
}

impl Asked {
    /// Checks the format and the columns.
    pub fn parse(request: &ExportListRequest) -> Result<Self, ScoringError> {
        let format = match request.format.as_str() {
            "" | "csv" => Format::Csv,
            "xlsx" => Format::Xlsx,
            "parquet" => Format::Parquet,
            other => return Err(ScoringError::UnknownFormat(other.to_owned())),
        };
        let invalid = |why: &str| ServiceError::new(ErrorCode::InvalidArgument, format!("columns: {why}")).with("field", "columns");
        let sheet = match request.columns.as_str() {
            "" | "full" => Sheet::Full,
            "codefi" if format == Format::Parquet => return Err(invalid("a Parquet file has all of them").into()),
            "codefi" => Sheet::Codefi,
            other => return Err(invalid(&format!("'{other}' is not a choice of columns: full or codefi")).into()),
        };
        Ok(Self { format, sheet, request: request.clone() })
    }
}

/// Writes the entries that the caller sees and asks for, in their order. The same list, question and rights give the same CSV
/// and Parquet bytes; a workbook says when it was made, and for whom.
pub fn write(list: &List, query: &Query, asked: &Asked, catalogue: &Catalogue) -> Result<Vec<u8>, ScoringError> {
    let reader = Reader::new(query.principal().rights);
    let entries = query.rows(list).map(|position| reader.view(&list.entries[position]));
    let columns = asked.sheet.columns(list, query, catalogue);
    match asked.format {
        Format::Parquet => {
            let withheld = reader.withheld().collect::<Vec<_>>().join(",");
            codec::encode_with(&list.info.groups, &entries.collect::<Vec<_>>(), vec![KeyValue::new("withheld".to_owned(), withheld)])
        }
        Format::Csv => csv(list, &columns, entries).map_err(|error| ScoringError::Export(error.to_string())),
        Format::Xlsx => workbook::write(list, query, asked, &columns, entries).map_err(|error| ScoringError::Export(error.to_string())),
    }
}

/// UTF-8 with a byte-order mark, `;` between fields, decimal comma. SIRENs stay text, and a text that a spreadsheet could take
/// for a formula is prefixed with an apostrophe (`domain/consumers.md` §6.2).
fn csv(list: &List, columns: &[Column<'_>], entries: impl Iterator<Item = Entry>) -> Result<Vec<u8>, csv::Error> {
    let mut out = csv::WriterBuilder::new().delimiter(b';').from_writer("\u{feff}".as_bytes().to_vec());
    out.write_record(columns.iter().map(|column| column.name.as_str()))?;
    for entry in entries {
        let row = Row { info: &list.info, entry: &entry };
        out.write_record(columns.iter().map(|column| column.cell(&row).csv()))?;
    }
    out.into_inner().map_err(|error| error.into_error().into())
}

impl Cell {
    fn csv(&self) -> String {
        match self {
            Self::Text(text) => safe(text),
            Self::Number(Some(number), digits) => format!("{number:.digits$}").replace('.', ","),
            Self::Day(Some(day)) => day.format("%d/%m/%Y").to_string(),
            Self::Number(None, _) | Self::Day(None) => String::new(),
        }
    }
}

/// Keeps a spreadsheet from running a text as a formula.
fn safe(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}") } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use service_kit::auth::{Principal, Right};

    use super::super::entry::{ListInfo, Reason};
    use super::super::tests::{alerted, info};
    use super::*;

    fn list() -> List {
        let mut company = alerted(5_520_135, "2A", 0.123_456);
        company.name = "=HYPERLINK(\"x\");".into();
        company.reasons = ["Dette : 3 mois", "-20 % d'effectif"].map(|text| Reason { text: text.into(), right: None }).to_vec();
        company.indicators.social_debt = Some(1234.5);
        company.created = domain::NaiveDate::from_ymd_opt(2001, 2, 3);
        let mut entries = vec![company];
        super::super::ranking::rank(&mut entries);
        List::new(info(), entries)
    }

    fn exported(columns: &str, rights: &[Right]) -> (String, String) {
        let asked = Asked::parse(&ExportListRequest { columns: columns.into(), ..ExportListRequest::default() }).unwrap();
        let principal = Principal { rights: rights.iter().copied().collect(), ..Principal::local() };
        let text = String::from_utf8(
            write(&list(), &Query::new(principal, None, "", "").unwrap(), &asked, &Catalogue::builtin().unwrap()).unwrap(),
        )
        .unwrap();
        let mut lines = text.lines();
        (lines.next().unwrap().to_owned(), lines.next().unwrap().to_owned())
    }

    #[test]
    fn a_spreadsheet_reads_it_safely() {
        let (header, line) = exported("", &Right::ALL);
        assert!(header.starts_with("\u{feff}liste;siren;"));
        assert!(line.starts_with("2511;005520135;"), "{line}");
        assert!(line.contains(";\"'=HYPERLINK(\"\"x\"\");\";"), "{line}");
        assert!(line.contains(";12,346;") && line.contains(";1234,50;") && line.contains(";03/02/2001;"), "{line}");
        assert!(line.ends_with("Dette : 3 mois | -20 % d'effectif"), "{line}");
    }

    #[test]
    fn what_is_withheld_is_said_and_not_left_empty() {
        let (header, line) = exported("", &[Right::Score]);
        let cell =
            |name: &str| line.split(';').nth_back(header.split(';').rev().position(|column| column == name).unwrap()).unwrap().to_owned();
        assert_eq!(cell("dette_sociale_euros"), "non communiqué");
        assert_eq!(cell("raisons"), "non communiqué");
        assert!(!line.contains("1234"), "{line}");
    }

    #[test]
    fn agents_find_the_24_columns_they_know() {
        let (header, line) = exported("codefi", &Right::ALL);
        assert_eq!((header.split(';').count(), line.split(';').count()), (24, 25), "a semicolon in the name");
        assert!(header.starts_with("\u{feff}Liste de détection;Siren;Siret (siège);Raison sociale;"));
        assert!(header.ends_with(";Entreprises récentes;Accompagnement"));
    }

    #[test]
    fn groups_are_headed_in_french_and_one_of_an_older_catalogue_by_its_name() {
        let groups = ["social_debts", "supplier_payments", "of_old"].map(str::to_owned).to_vec();
        let list = List::new(ListInfo { groups, ..info() }, list().entries);
        let principal = Principal { rights: Right::ALL.into_iter().collect(), ..Principal::local() };
        let asked = Asked::parse(&ExportListRequest::default()).unwrap();
        let file = write(&list, &Query::new(principal, None, "", "").unwrap(), &asked, &Catalogue::builtin().unwrap()).unwrap();
        let file = String::from_utf8(file).unwrap();
        let header = file.lines().next().unwrap();
        assert!(header.contains(";points_dettes_sociales;points_retards_de_paiement_fournisseurs;points_of_old;"), "{header}");
    }

    #[test]
    fn unknown_formats_and_columns_are_refused() {
        let parse = |format: &str, columns: &str| {
            let request = ExportListRequest { format: format.into(), columns: columns.into(), ..ExportListRequest::default() };
            Asked::parse(&request).map(|_| ())
        };
        assert!(parse("xlsx", "codefi").is_ok() && parse("", "").is_ok());
        assert!(parse("pdf", "").is_err() && parse("csv", "all").is_err() && parse("parquet", "codefi").is_err());
    }
}
