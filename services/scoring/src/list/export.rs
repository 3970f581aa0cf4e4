//! A list as a CSV file that opens well in a French spreadsheet, or as a workbook.

use rust_xlsxwriter::{Workbook, XlsxError};

use super::entry::{Entry, ListInfo};

/// Writes the entries in their order: UTF-8 with a byte-order mark, `;` between fields, decimal comma.
///
/// SIRENs stay text and a text that a spreadsheet could take for a formula is prefixed with an apostrophe
/// (`domain/consumers.md` §6.2). Deterministic: the same list gives the same bytes.
pub fn csv<'a>(info: &ListInfo, entries: impl Iterator<Item = &'a Entry>) -> Result<Vec<u8>, csv::Error> {
    let mut out = csv::WriterBuilder::new().delimiter(b';').from_writer("\u{feff}".as_bytes().to_vec());
    out.write_record(header(info))?;
    for entry in entries {
        out.write_record(row(info, entry).iter().map(Cell::csv))?;
    }
    out.into_inner().map_err(|error| error.into_error().into())
}

/// Writes the entries as a workbook of one sheet, with typed cells.
pub fn xlsx<'a>(info: &ListInfo, entries: impl Iterator<Item = &'a Entry>) -> Result<Vec<u8>, XlsxError> {
    let mut workbook = Workbook::new();
    let sheet = workbook.add_worksheet().set_name("Entreprises")?;
    for (column, name) in header(info).into_iter().enumerate() {
        sheet.write_string(0, column as u16, name)?;
    }
    for (line, entry) in entries.enumerate() {
        for (column, cell) in row(info, entry).into_iter().enumerate() {
            let (line, column) = (line as u32 + 1, column as u16);
            match cell {
                Cell::Text(text) => sheet.write_string(line, column, text)?,
                Cell::Number(Some(number), _) => sheet.write_number(line, column, number)?,
                Cell::Number(None, _) => sheet,
            };
        }
    }
    sheet.set_freeze_panes(1, 0)?;
    workbook.save_to_buffer()
}

/// A field of the export.
enum Cell {
    Text(String),
    /// A number and its decimals in text; empty when unknown.
    Number(Option<f64>, usize),
}

impl Cell {
    fn csv(&self) -> String {
        match self {
            Self::Text(text) => safe(text),
            Self::Number(Some(number), digits) => format!("{number:.digits$}").replace('.', ","),
            Self::Number(None, _) => String::new(),
        }
    }
}

fn header(info: &ListInfo) -> Vec<String> {
    let mut header: Vec<String> = [
        "liste",
        "siren",
        "raison_sociale",
        "departement",
        "code_naf",
        "rang",
        "rang_departement",
        "niveau",
        "niveau_precedent",
        "premiere_alerte",
        "premiere_alerte_elevee",
        "probabilite_pourcent",
        "effectif",
        "dette_sociale_euros",
        "heures_activite_partielle",
        "delai_de_paiement",
    ]
    .map(str::to_owned)
    .to_vec();
    header.extend(info.groups.iter().map(|group| format!("points_{group}")));
    header.push("raisons".to_owned());
    header
}

fn row(info: &ListInfo, entry: &Entry) -> Vec<Cell> {
    let batch = |key: Option<domain::BatchKey>| Cell::Text(key.map(|key| key.to_string()).unwrap_or_default());
    let label = |level: domain::AlertLevel| level.label_fr().to_owned();
    let mut cells = vec![
        Cell::Text(info.batch.to_string()),
        Cell::Text(entry.siren.to_string()),
        Cell::Text(entry.name.clone()),
        Cell::Text(entry.department.map(|department| department.code().to_owned()).unwrap_or_default()),
        Cell::Text(entry.naf.clone()),
        Cell::Number(Some(entry.rank.into()), 0),
        Cell::Number(Some(entry.department_rank.into()), 0),
        Cell::Text(label(entry.level)),
        Cell::Text(entry.previous_level.map(label).unwrap_or_default()),
        batch(entry.first_alert.first),
        batch(entry.first_alert.first_high),
        Cell::Number(Some(entry.probability * 100.0), 3),
        Cell::Number(entry.indicators.headcount, 0),
        Cell::Number(entry.indicators.social_debt, 2),
        Cell::Number(entry.indicators.short_time_hours, 1),
        Cell::Text(if entry.indicators.payment_plan { "oui" } else { "non" }.to_owned()),
    ];
    cells.extend(entry.groups.iter().map(|share| Cell::Number(Some(share.points), 2)));
    cells.push(Cell::Text(entry.reasons.join(" | ")));
    cells
}

/// Keeps a spreadsheet from running a text as a formula.
fn safe(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}") } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{entry, info};
    use super::*;

    #[test]
    fn a_spreadsheet_reads_it_safely() {
        let mut company = entry(5_520_135, "2A", 0.123_456);
        company.name = "=HYPERLINK(\"x\");".into();
        company.reasons = vec!["Dette : 3 mois".into(), "-20 % d'effectif".into()];
        let bytes = csv(&info(), [company].iter()).unwrap();
        let text = String::from_utf8(bytes).unwrap();
        assert!(text.starts_with("\u{feff}liste;siren;"));
        let line = text.lines().nth(1).unwrap();
        assert!(line.starts_with("2511;005520135;\"'=HYPERLINK(\"\"x\"\");\";2A;"), "{line}");
        assert!(line.contains(";12,346;"), "{line}");
        assert!(line.ends_with("Dette : 3 mois | -20 % d'effectif"), "{line}");
    }
}
