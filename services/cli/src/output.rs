//! Results as a table, JSON or CSV.

use std::io::{Write, stdout};

use comfy_table::presets::UTF8_HORIZONTAL_ONLY;
use comfy_table::{Cell, CellAlignment, ContentArrangement, Table, TableComponent};
use serde_json::Value;

use crate::args::Format;
use crate::failure::Failure;

/// A result: rows for tables and CSV, a document for JSON.
pub struct Output {
    /// Names of the columns. Those that start with `#` hold numbers.
    pub header: Vec<String>,
    /// Rows.
    pub rows: Vec<Vec<String>>,
    /// The same for programs.
    pub json: Value,
    /// Said under a table, for a person.
    pub notes: Vec<String>,
}

impl Output {
    /// Rows with their document.
    pub fn new(header: &[&str], rows: Vec<Vec<String>>, json: Value) -> Self {
        Self { header: header.iter().map(|name| (*name).to_owned()).collect(), rows, json, notes: Vec::new() }
    }

    /// The same with a note.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }

    /// Prints it.
    pub fn print(&self, format: Format) -> Result<(), Failure> {
        let mut out = stdout().lock();
        match format {
            Format::Table => {
                writeln!(out, "{}", self.table())?;
                for note in &self.notes {
                    writeln!(out, "{note}")?;
                }
            }
            Format::Json => {
                serde_json::to_writer_pretty(&mut out, &self.json).map_err(std::io::Error::from)?;
                writeln!(out)?;
            }
            Format::Csv => {
                let mut csv = csv::Writer::from_writer(out);
                let record = |result: Result<(), csv::Error>| {
                    result.map_err(|error| match error.into_kind() {
                        csv::ErrorKind::Io(error) => error,
                        other => std::io::Error::other(format!("{other:?}")),
                    })
                };
                record(csv.write_record(self.header.iter().map(|name| name.trim_start_matches('#'))))?;
                for row in &self.rows {
                    record(csv.write_record(row))?;
                }
                csv.flush()?;
            }
        }
        Ok(())
    }

    fn table(&self) -> Table {
        let mut table = Table::new();
        table.load_preset(UTF8_HORIZONTAL_ONLY);
        for line in [
            TableComponent::TopBorder,
            TableComponent::HorizontalLines,
            TableComponent::MiddleIntersections,
            TableComponent::TopBorderIntersections,
        ] {
            table.remove_style(line);
        }
        // Folded to the width of a terminal; whole in a file or a pipe.
        if table.width().is_some() {
            table.set_content_arrangement(ContentArrangement::Dynamic);
        }
        table.set_header(self.header.iter().map(|name| name.trim_start_matches('#')));
        for row in &self.rows {
            table.add_row(row.iter().zip(&self.header).map(|(text, name)| {
                let cell = Cell::new(text);
                if name.starts_with('#') { cell.set_alignment(CellAlignment::Right) } else { cell }
            }));
        }
        table
    }
}

/// A count with thin groups of three digits.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

/// A number with this many decimals, `–` when unknown.
pub fn number(value: f64, decimals: usize) -> String {
    if value.is_nan() { "–".to_owned() } else { format!("{value:.decimals$}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_and_numbers() {
        assert_eq!(count(1_234_567), "1\u{202f}234\u{202f}567");
        assert_eq!(number(0.12345, 3), "0.123");
        assert_eq!(number(f64::NAN, 3), "–");
    }
}
