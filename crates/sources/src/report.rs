//! What parsing says of a file: counts, rejections, skips, warnings.

use std::collections::BTreeMap;

use domain::records::Record;
use domain::{Cents, NaiveDate};

macro_rules! codes {
    ($(#[doc = $doc:literal])* $type:ident { $($(#[doc = $item:literal])* $name:ident = $code:literal,)* }) => {
        $(#[doc = $doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $type {
            $($(#[doc = $item])* $name,)*
        }

        impl $type {
            /// Every code with its meaning.
            pub const LIST: &'static [(&'static str, &'static str)] = &[$(($code, concat!($($item),*))),*];

            /// Stable code, for reports.
            pub const fn code(self) -> &'static str {
                match self {
                    $(Self::$name => $code,)*
                }
            }
        }
    };
}

codes! {
    /// Why a line is refused.
    Reason {
        /// More or fewer fields than the header.
        WrongFieldCount = "wrong_field_count",
        /// A quote where none may stand.
        BareQuote = "bare_quote",
        /// A NUL byte: no text holds one.
        NulByte = "nul_byte",
        /// Not a SIREN.
        InvalidSiren = "invalid_siren",
        /// Not a SIRET.
        InvalidSiret = "invalid_siret",
        /// Not a date in the notation of the source.
        InvalidDate = "invalid_date",
        /// Not an Urssaf period.
        InvalidPeriod = "invalid_period",
        /// Not an amount.
        InvalidAmount = "invalid_amount",
        /// Not a whole number.
        InvalidInteger = "invalid_integer",
        /// Not a number.
        InvalidNumber = "invalid_number",
        /// Neither true nor false.
        InvalidBoolean = "invalid_boolean",
        /// Outside the values that the source allows.
        InvalidValue = "invalid_value",
        /// Empty where a value is required.
        MissingValue = "missing_value",
    }
}

codes! {
    /// Why a line is left aside without being wrong.
    SkipReason {
        /// An internal identifier of Urssaf.
        AcossInternalId = "acoss_internal_id",
        /// No identifier.
        EmptyIdentifier = "empty_identifier",
        /// An identifier known to be junk.
        JunkIdentifier = "junk_identifier",
        /// Neither beginning nor end: closed long ago.
        NoDates = "no_dates",
        /// Neither open nor closed.
        UnknownState = "unknown_state",
        /// An account that is no establishment's on that day.
        UnknownAccount = "unknown_account",
        /// A notice about something else than collective proceedings.
        OtherNotice = "other_notice",
        /// A notice that changes no proceeding of the company.
        NoStep = "no_step",
        /// The header again.
        RepeatedHeader = "repeated_header",
    }
}

codes! {
    /// What is accepted but worth a look.
    Warning {
        /// The Luhn key of a SIREN does not hold.
        WrongKey = "wrong_key",
        /// A label that names no proceeding or stage.
        UnknownLabel = "unknown_label",
        /// An optional field that could not be read and is left empty.
        UnreadableOptional = "unreadable_optional",
        /// A judgment without a day, given that of its publication.
        PublicationDay = "publication_day",
        /// A year of accounts without its closing date, left aside.
        UndatedYear = "undated_year",
        /// Bytes that are not UTF-8, read as Latin-1.
        Latin1 = "latin1",
    }
}

/// A refused line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// Physical line, the header being 1.
    pub line: u64,
    /// Data record, 1 for the first; blank lines are not counted.
    pub record: u64,
    /// Column at fault, as the header writes it; `None` when the whole line is.
    pub column: Option<String>,
    /// Why.
    pub reason: Reason,
    /// What stood there, cut at 200 characters; of a whole line, letters are masked.
    pub value: String,
}

/// Counts of a file. Every record is valid, rejected or skipped.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ParseReport {
    /// Data records.
    pub lines: u64,
    /// Records that gave rows (a wide record may give none, or many).
    pub valid: u64,
    /// Rejected records by reason.
    pub rejected: BTreeMap<Reason, u64>,
    /// Skipped records by reason.
    pub skipped: BTreeMap<SkipReason, u64>,
    /// Warnings by kind.
    pub warnings: BTreeMap<Warning, u64>,
    /// Typed rows.
    pub rows: u64,
    /// First and last day that a row is about.
    pub days: Option<(NaiveDate, NaiveDate)>,
    /// Total of the amounts of the rows.
    pub amount: Cents,
}

impl ParseReport {
    /// Counts rows that were made.
    pub(crate) fn made<R: Record>(&mut self, rows: &[R]) {
        self.rows += rows.len() as u64;
        for row in rows {
            if let Some(day) = row.day() {
                self.days = Some(self.days.map_or((day, day), |(first, last)| (first.min(day), last.max(day))));
            }
            if let Some(amount) = row.amount() {
                self.amount += amount;
            }
        }
    }

    /// Adds the counts of another part of the same file.
    pub(crate) fn add(&mut self, other: Self) {
        self.lines += other.lines;
        self.valid += other.valid;
        self.rows += other.rows;
        self.amount += other.amount;
        self.days = match (self.days, other.days) {
            (Some((a, b)), Some((c, d))) => Some((a.min(c), b.max(d))),
            (one, other) => one.or(other),
        };
        add(&mut self.rejected, other.rejected);
        add(&mut self.skipped, other.skipped);
        add(&mut self.warnings, other.warnings);
    }

    /// Rejected records.
    pub fn rejections(&self) -> u64 {
        self.rejected.values().sum()
    }

    /// Skipped records.
    pub fn skips(&self) -> u64 {
        self.skipped.values().sum()
    }
}

fn add<K: Ord>(counts: &mut BTreeMap<K, u64>, others: BTreeMap<K, u64>) {
    for (key, count) in others {
        *counts.entry(key).or_default() += count;
    }
}
