//! The header of a file: which columns a source needs, and where this file has them.

use domain::Source;

use crate::error::FileError;
use crate::files::Columns;

/// How a source's files are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dialect {
    /// Between fields.
    pub delimiter: u8,
    /// Whether a quote inside an unquoted field is text.
    pub lazy_quotes: bool,
}

impl Dialect {
    /// Semicolons: Urssaf, Altares, INPI.
    pub const SEMICOLON: Self = Self { delimiter: b';', lazy_quotes: false };
    /// Commas: INSEE, DGEFP.
    pub const COMMA: Self = Self { delimiter: b',', lazy_quotes: false };

    /// The same, tolerant of stray quotes.
    #[must_use]
    pub const fn lazy(self) -> Self {
        Self { lazy_quotes: true, ..self }
    }
}

/// The columns of a file.
#[derive(Debug, Clone)]
pub struct Layout {
    names: Vec<String>,
    /// Position of each needed column, `usize::MAX` for an absent optional one.
    positions: Vec<usize>,
}

impl Layout {
    /// Finds the required columns, then the optional ones, by name: case and order do not matter, other columns are ignored.
    pub(crate) fn find(source: Source, names: Vec<String>, columns: Columns) -> Result<Self, FileError> {
        let position = |wanted: &str| names.iter().position(|name| name.eq_ignore_ascii_case(wanted));
        let missing: Vec<String> =
            columns.required.iter().map(|column| column.name).filter(|name| position(name).is_none()).map(str::to_owned).collect();
        if !missing.is_empty() {
            return Err(match crate::files::recognise(&names).filter(|found| *found != source) {
                Some(looks_like) => FileError::WrongSource { expected: source, looks_like },
                None => FileError::MissingColumns { missing, found: names },
            });
        }
        let positions = columns.all().map(|column| position(column.name).unwrap_or(usize::MAX)).collect();
        Ok(Self { names, positions })
    }

    /// All names, as the file writes them.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Position of a needed column, by its index among the required then the optional ones.
    #[inline]
    pub(crate) fn position(&self, column: usize) -> Option<usize> {
        self.positions.get(column).copied().filter(|position| *position != usize::MAX)
    }
}
