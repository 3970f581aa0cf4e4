//! The fields of a record, and how each kind of value is read (`domain/ingestion.md` §0.2).

use std::borrow::Cow;

use domain::records::Text;
use domain::{Cents, NaiveDate, Siren, Siret, UrssafPeriod, dates, urssaf};

use crate::layout::Layout;
use crate::links::AccountLinks;
use crate::records::Records;
use crate::report::{Reason, SkipReason, Warning};

/// Why a record gives no row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Issue {
    /// Refused: the position of the field at fault, and why.
    Reject(usize, Reason),
    /// Left aside.
    Skip(SkipReason),
}

/// A record of a file, its fields named by their index among the columns that the source declares.
pub struct Fields<'a> {
    layout: &'a Layout,
    record: &'a Records<'a>,
    warnings: &'a mut Vec<Warning>,
    last: &'a mut LastSiret,
    links: Option<&'a AccountLinks>,
}

/// The SIRET that was read last, as it was written: lines of an establishment follow each other.
#[derive(Default)]
pub(crate) struct LastSiret {
    text: [u8; 14],
    siret: Option<Siret>,
}

type Read<T> = Result<T, Issue>;

impl<'a> Fields<'a> {
    pub(crate) fn new(
        layout: &'a Layout,
        record: &'a Records<'a>,
        warnings: &'a mut Vec<Warning>,
        last: &'a mut LastSiret,
        links: Option<&'a AccountLinks>,
    ) -> Self {
        Self { layout, record, warnings, last, links }
    }

    /// Whether the file has a column.
    #[inline]
    pub fn has(&self, column: usize) -> bool {
        self.layout.position(column).is_some()
    }

    /// Bytes of a column, without the spaces around; empty when the file has no such column.
    #[inline]
    pub fn bytes(&self, column: usize) -> &'a [u8] {
        self.layout.position(column).map_or(&[][..], |position| self.record.field(position)).trim_ascii()
    }

    /// Bytes at a position of the file, for columns that are not declared.
    #[inline]
    pub fn at(&self, position: usize) -> &'a [u8] {
        self.record.field(position).trim_ascii()
    }

    /// Refuses the record because of a column.
    pub fn reject<T>(&self, column: usize, reason: Reason) -> Read<T> {
        Err(Issue::Reject(self.layout.position(column).unwrap_or(usize::MAX), reason))
    }

    /// Notes something worth a look.
    pub fn warn(&mut self, warning: Warning) {
        self.warnings.push(warning);
    }

    /// A text; bytes that are not UTF-8 are read as Latin-1.
    #[inline]
    pub fn text(&mut self, column: usize) -> Text {
        let bytes = self.bytes(column);
        std::str::from_utf8(bytes).map_or_else(
            |_| {
                self.warn(Warning::Latin1);
                Text::from(decode(bytes))
            },
            Text::new,
        )
    }

    /// A SIREN. Junk is skipped; a wrong Luhn key is a warning.
    #[inline]
    pub fn siren(&mut self, column: usize) -> Read<Siren> {
        let bytes = self.bytes(column);
        junk(bytes)?;
        let Ok(siren) = Siren::parse(bytes) else { return self.reject(column, Reason::InvalidSiren) };
        self.check(siren);
        Ok(siren)
    }

    /// A SIREN possibly written with spaces between its digits.
    pub fn spaced_siren(&mut self, column: usize) -> Read<Siren> {
        let digits: String = decode(self.bytes(column)).chars().filter(|c| !c.is_whitespace()).collect();
        let Ok(siren) = digits.parse() else { return self.reject(column, Reason::InvalidSiren) };
        self.check(siren);
        Ok(siren)
    }

    /// A SIRET. Junk is skipped; a wrong Luhn key of its SIREN is a warning.
    #[inline]
    pub fn siret(&mut self, column: usize) -> Read<Siret> {
        junk(self.bytes(column))?;
        self.strict_siret(column)
    }

    /// The SIRET of a record; `None` in a file without that column, which names accounts only.
    #[inline]
    pub fn siret_if_named(&mut self, column: usize) -> Read<Option<Siret>> {
        if self.has(column) { self.siret(column).map(Some) } else { Ok(None) }
    }

    /// The SIRET that the record names, or else the establishment of its account on a day (`domain/ingestion.md` §1.4).
    #[inline]
    pub fn establishment(&self, named: Option<Siret>, account: usize, day: NaiveDate) -> Read<Siret> {
        let found = || self.links.and_then(|links| links.at(self.bytes(account), day));
        named.or_else(found).ok_or(Issue::Skip(SkipReason::UnknownAccount))
    }

    /// A SIRET, in files where junk is not expected.
    #[inline]
    pub fn strict_siret(&mut self, column: usize) -> Read<Siret> {
        let bytes = self.bytes(column);
        if let Some(siret) = self.last.siret
            && bytes == self.last.text
        {
            return Ok(siret);
        }
        let Ok(siret) = Siret::parse(bytes) else { return self.reject(column, Reason::InvalidSiret) };
        if !siret.siren().has_valid_key() {
            self.warn(Warning::WrongKey);
        } else if let Ok(text) = bytes.try_into() {
            *self.last = LastSiret { text, siret: Some(siret) };
        }
        Ok(siret)
    }

    /// A SIREN, in files where junk is not expected.
    #[inline]
    pub fn strict_siren(&mut self, column: usize) -> Read<Siren> {
        let Ok(siren) = Siren::parse(self.bytes(column)) else { return self.reject(column, Reason::InvalidSiren) };
        self.check(siren);
        Ok(siren)
    }

    #[inline]
    fn check(&mut self, siren: Siren) {
        if !siren.has_valid_key() {
            self.warn(Warning::WrongKey);
        }
    }

    /// An amount in euros, with a point or a comma.
    #[inline]
    pub fn euros(&self, column: usize) -> Read<Cents> {
        let bytes = self.bytes(column);
        if bytes.is_empty() {
            return self.reject(column, Reason::MissingValue);
        }
        Cents::parse_euros(bytes).map_or_else(|| self.reject(column, Reason::InvalidAmount), Ok)
    }

    /// An amount in euros; empty is none.
    #[inline]
    pub fn optional_euros(&self, column: usize) -> Read<Option<Cents>> {
        if self.bytes(column).is_empty() { Ok(None) } else { self.euros(column).map(Some) }
    }

    /// An amount in cents, possibly written as a decimal.
    #[inline]
    pub fn cents(&self, column: usize) -> Read<Cents> {
        let bytes = self.bytes(column);
        if bytes.is_empty() {
            return self.reject(column, Reason::MissingValue);
        }
        let cents = integer(bytes).or_else(|| number(bytes).filter(|value| value.abs() < 1e15).map(|value| value.round() as i64));
        cents.map_or_else(|| self.reject(column, Reason::InvalidAmount), |cents| Ok(Cents(cents)))
    }

    /// A whole number; empty is none.
    #[inline]
    pub fn optional_int(&self, column: usize) -> Read<Option<i32>> {
        let bytes = self.bytes(column);
        if bytes.is_empty() {
            return Ok(None);
        }
        let value = integer(bytes).and_then(|value| i32::try_from(value).ok());
        value.map_or_else(|| self.reject(column, Reason::InvalidInteger), |value| Ok(Some(value)))
    }

    /// A whole number.
    #[inline]
    pub fn int(&self, column: usize) -> Read<i32> {
        self.optional_int(column)?.map_or_else(|| self.reject(column, Reason::MissingValue), Ok)
    }

    /// A whole number possibly written as a decimal, truncated; empty is none.
    pub fn int_from_float(&self, column: usize) -> Read<Option<i32>> {
        let value = self.optional_float(column)?;
        match value {
            Some(value) if value.abs() >= 2e9 => self.reject(column, Reason::InvalidInteger),
            value => Ok(value.map(|value| value.trunc() as i32)),
        }
    }

    /// A number with a point; empty is none.
    pub fn optional_float(&self, column: usize) -> Read<Option<f64>> {
        let bytes = self.bytes(column);
        if bytes.is_empty() {
            return Ok(None);
        }
        number(bytes).map_or_else(|| self.reject(column, Reason::InvalidNumber), |value| Ok(Some(value)))
    }

    /// A number with a point.
    pub fn float(&self, column: usize) -> Read<f64> {
        self.optional_float(column)?.map_or_else(|| self.reject(column, Reason::MissingValue), Ok)
    }

    /// One of the notations of true and false that the existing importer accepts.
    pub fn boolean(&self, column: usize) -> Read<bool> {
        match self.bytes(column) {
            b"1" | b"t" | b"T" | b"TRUE" | b"true" | b"True" => Ok(true),
            b"0" | b"f" | b"F" | b"FALSE" | b"false" | b"False" => Ok(false),
            _ => self.reject(column, Reason::InvalidBoolean),
        }
    }

    /// A date in some notation.
    #[inline]
    pub fn date(&self, column: usize, parse: fn(&[u8]) -> Option<NaiveDate>) -> Read<NaiveDate> {
        parse(self.bytes(column)).map_or_else(|| self.reject(column, Reason::InvalidDate), Ok)
    }

    /// A date in some notation; empty is none.
    pub fn optional_date(&self, column: usize, parse: fn(&[u8]) -> Option<NaiveDate>) -> Read<Option<NaiveDate>> {
        if self.bytes(column).is_empty() { Ok(None) } else { self.date(column, parse).map(Some) }
    }

    /// What bytes of the record say, when it does not matter much: empty is none, and what cannot be read is left empty
    /// with a warning.
    pub fn lenient<T>(&mut self, bytes: &[u8], parse: impl FnOnce(&[u8]) -> Option<T>) -> Option<T> {
        let value = parse(bytes);
        if value.is_none() && !bytes.is_empty() {
            self.warn(Warning::UnreadableOptional);
        }
        value
    }

    /// A day of creation: one that cannot be read is left empty, with a warning, as INSEE's files demand.
    pub fn lenient_iso_date(&mut self, column: usize) -> Option<NaiveDate> {
        self.lenient(self.bytes(column), dates::parse_iso)
    }

    /// An Urssaf date.
    #[inline]
    pub fn urssaf_date(&self, column: usize) -> Read<NaiveDate> {
        self.date(column, urssaf::parse_date)
    }

    /// An Urssaf period.
    #[inline]
    pub fn period(&self, column: usize) -> Read<UrssafPeriod> {
        UrssafPeriod::parse(self.bytes(column)).map_or_else(|| self.reject(column, Reason::InvalidPeriod), Ok)
    }
}

/// Skips identifiers known to be junk in Urssaf's files (`domain/ingestion.md` §0.3).
fn junk(bytes: &[u8]) -> Read<()> {
    let digits = |part: &[u8]| part.iter().all(u8::is_ascii_digit);
    match bytes {
        [] => Err(Issue::Skip(SkipReason::EmptyIdentifier)),
        bytes if bytes.len() == 10 && digits(&bytes[..7]) && bytes[7].is_ascii_uppercase() && digits(&bytes[8..]) => {
            Err(Issue::Skip(SkipReason::AcossInternalId))
        }
        _ => Ok(()),
    }
}

/// Text of bytes that are UTF-8, or else Latin-1.
#[inline]
pub(crate) fn decode(bytes: &[u8]) -> Cow<'_, str> {
    std::str::from_utf8(bytes).map_or_else(|_| bytes.iter().map(|byte| char::from(*byte)).collect(), Cow::Borrowed)
}

/// A whole number, as the standard library reads one.
pub(crate) fn integer(bytes: &[u8]) -> Option<i64> {
    let (negative, digits) = match bytes {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] | digits => (false, digits),
    };
    // Eighteen digits fit, whatever they are.
    if !(1..=18).contains(&digits.len()) {
        return std::str::from_utf8(bytes).ok()?.parse().ok();
    }
    let mut value = 0;
    for byte in digits {
        value = value * 10 + i64::from(byte.is_ascii_digit().then(|| byte - b'0')?);
    }
    Some(if negative { -value } else { value })
}

/// A finite decimal number; names such as `inf` are none.
fn number(bytes: &[u8]) -> Option<f64> {
    let plain = bytes.iter().all(|byte| byte.is_ascii_digit() || matches!(byte, b'+' | b'-' | b'.' | b'e' | b'E'));
    let value: f64 = std::str::from_utf8(bytes).ok().filter(|_| plain)?.parse().ok()?;
    value.is_finite().then_some(value)
}

/// The same with a comma, as the French write it: each is read as a point.
pub(crate) fn comma_number(bytes: &[u8]) -> Option<f64> {
    let bytes: Vec<u8> = bytes.iter().map(|byte| if *byte == b',' { b'.' } else { *byte }).collect();
    number(&bytes)
}

/// A headcount: digits, possibly grouped by spaces. A sign or a decimal is refused, not swallowed; `559.0` is 559.
pub(crate) fn headcount(bytes: &[u8]) -> Option<u32> {
    let digits = bytes.strip_suffix(b".0").unwrap_or(bytes);
    let mut value: Option<u32> = None;
    let mut rest = digits;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        match byte {
            b'0'..=b'9' => value = Some(value.unwrap_or(0).checked_mul(10)?.checked_add(u32::from(byte - b'0'))?),
            // A space, a no-break space in UTF-8 (C2 A0, E2 80 AF) or in Latin-1 (A0), between digits.
            b' ' | 0xc2 | 0xa0 | 0xe2 | 0x80 | 0xaf if value.is_some() => {}
            _ => return None,
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn whole_numbers_are_those_of_the_standard_library(text in "[+-]{0,2}[0-9]{0,21}[.x]?") {
            prop_assert_eq!(integer(text.as_bytes()), text.parse().ok());
        }
    }

    #[test]
    fn headcounts_are_never_altered() {
        for (text, value) in [
            ("12", Some(12)),
            ("0", Some(0)),
            ("1 234", Some(1234)),
            ("1\u{a0}234", Some(1234)),
            ("1\u{202f}234", Some(1234)),
            ("559.0", Some(559)),
        ] {
            assert_eq!(headcount(text.as_bytes()), value, "{text}");
        }
        for bad in ["-3", "12.5", "", "abc", "n/a", "1,5", " 5", "99999999999"] {
            assert_eq!(headcount(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn junk_is_told_from_errors() {
        assert_eq!(junk(b"1234567A89"), Err(Issue::Skip(SkipReason::AcossInternalId)));
        assert_eq!(junk(b"@"), Ok(()), "junk of one file only");
        assert_eq!(junk(b""), Err(Issue::Skip(SkipReason::EmptyIdentifier)));
        assert_eq!(junk(b"123456789"), Ok(()));
    }

    #[test]
    fn numbers_are_finite_decimals() {
        assert_eq!(number(b"1.5e3"), Some(1500.0));
        for bad in ["inf", "NaN", "1e999", "1,5", ""] {
            assert_eq!(number(bad.as_bytes()), None, "{bad}");
        }
        for (text, value) in
            [("9,13", Some(9.13)), ("-1.5", Some(-1.5)), ("12", Some(12.0)), ("1,2e3", Some(1200.0)), ("1,234.5", None), ("n.s.", None)]
        {
            assert_eq!(comma_number(text.as_bytes()), value, "{text}");
        }
        assert_eq!(decode(b"caf\xe9"), "café");
    }
}
