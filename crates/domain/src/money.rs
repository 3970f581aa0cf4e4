//! Money in integer cents.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Neg, Sub};

use serde::{Deserialize, Serialize};

/// An amount in euro cents, possibly negative. Never a float: sums are exact and do not depend on their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Cents(pub i64);

impl Cents {
    /// The amount in euros, for features and display.
    pub fn euros(self) -> f64 {
        self.0 as f64 / 100.0
    }

    /// The nearest amount to a number of euros; `None` for NaN, infinities and amounts beyond ±10¹³ euros.
    pub fn from_euros(euros: f64) -> Option<Self> {
        let cents = (euros * 100.0).round();
        (cents.abs() <= 1e15).then_some(Self(cents as i64))
    }

    /// Reads a decimal amount in euros with at most one separator, `.` or `,`; digits after the second decimal are
    /// rounded half away from zero. `None` when the text is anything else.
    #[inline]
    pub fn parse_euros(text: &[u8]) -> Option<Self> {
        Self::parse_decimal::<2>(text)
    }

    /// The same in thousands of euros (kEUR): exact to the fifth decimal, which is a cent.
    pub fn parse_thousands(text: &[u8]) -> Option<Self> {
        Self::parse_decimal::<5>(text)
    }

    /// Reads a decimal number of units of `10^PLACES` cents.
    #[inline]
    fn parse_decimal<const PLACES: u32>(text: &[u8]) -> Option<Self> {
        let (negative, digits) = match text.split_first() {
            Some((b'-', rest)) => (true, rest),
            Some((b'+', rest)) => (false, rest),
            _ => (false, text),
        };
        if let Some(cents) = short::<PLACES>(digits) {
            return Some(Self(if negative { -cents } else { cents }));
        }
        let (whole, fraction) = match digits.iter().position(|byte| matches!(byte, b'.' | b',')) {
            Some(separator) => (&digits[..separator], &digits[separator + 1..]),
            None => (digits, &[][..]),
        };
        let (kept, dropped) = fraction.split_at(fraction.len().min(PLACES as usize));
        if whole.is_empty() && fraction.is_empty() || !dropped.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let value = number(number(0, whole)?, kept)?;
        let round_up = dropped.first().is_some_and(|digit| *digit >= b'5');
        let scale = 10i64.pow(PLACES - kept.len() as u32);
        let cents = value.checked_mul(scale)?.checked_add(i64::from(round_up))?;
        Some(Self(if negative { -cents } else { cents }))
    }
}

/// An amount as nearly all are written, in one pass: short enough that no step overflows, and without decimals to round.
/// `None` for any other.
#[inline]
fn short<const PLACES: u32>(text: &[u8]) -> Option<i64> {
    const LONGEST: usize = 12;
    if text.len() > LONGEST {
        return None;
    }
    let (mut value, mut digits, mut separator) = (0i64, 0, None);
    for byte in text {
        let digit = byte.wrapping_sub(b'0');
        if digit <= 9 {
            (value, digits) = (value * 10 + i64::from(digit), digits + 1);
        } else if separator.is_none() && matches!(byte, b'.' | b',') {
            separator = Some(digits);
        } else {
            return None;
        }
    }
    let decimals = separator.map_or(0, |before| digits - before);
    (digits > 0 && decimals <= PLACES).then(|| value * 10i64.pow(PLACES - decimals))
}

/// Appends decimal digits to a number.
#[inline]
fn number(start: i64, digits: &[u8]) -> Option<i64> {
    let mut value = start;
    for digit in digits {
        let digit = digit.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value.checked_mul(10)?.checked_add(i64::from(digit))?;
    }
    Some(value)
}

impl fmt::Display for Cents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        write!(f, "{sign}{}.{:02}", self.0.unsigned_abs() / 100, self.0.unsigned_abs() % 100)
    }
}

impl Add for Cents {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl AddAssign for Cents {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sub for Cents {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl Neg for Cents {
    type Output = Self;
    fn neg(self) -> Self {
        Self(self.0.saturating_neg())
    }
}

impl Sum for Cents {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::default(), Add::add)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn euros_are_read_exactly() {
        for (text, cents) in
            [("5", 500), ("-68231", -6_823_100), ("21223,48", 2_122_348), ("0.1", 10), (".5", 50), ("1.005", 101), ("-0,01", -1)]
        {
            assert_eq!(Cents::parse_euros(text.as_bytes()), Some(Cents(cents)), "{text}");
        }
        for bad in ["", "-", ".", "1,234.5", "12a", "1e3", " 1", "99999999999999999999"] {
            assert_eq!(Cents::parse_euros(bad.as_bytes()), None, "{bad}");
        }
    }

    /// Whatever the length, the two ways of reading agree.
    #[test]
    fn long_amounts_are_read_like_short_ones() {
        for (text, cents) in [
            ("123456789012", 12_345_678_901_200),
            ("1234567890123", 123_456_789_012_300),
            ("123456789,12", 12_345_678_912),
            ("1234567890,12", 123_456_789_012),
            ("000000000000001,5", 150),
            ("1,5000000000000", 150),
            ("-0000000000000,01", -1),
        ] {
            assert_eq!(Cents::parse_euros(text.as_bytes()), Some(Cents(cents)), "{text}");
        }
    }

    #[test]
    fn thousands_of_euros_are_read_exactly() {
        for (text, cents) in [
            ("332", 33_200_000),
            ("-9,13", -913_000),
            ("0,00001", 1),
            ("12,3456", 1_234_560),
            ("0.123455", 12_346),
            (",5", 50_000),
            ("92233720368547,75807", i64::MAX),
        ] {
            assert_eq!(Cents::parse_thousands(text.as_bytes()), Some(Cents(cents)), "{text}");
        }
        for bad in ["", ",", "1 234", "n.s.", "1,234.5", "1e3", "92233720368547,75808"] {
            assert_eq!(Cents::parse_thousands(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn display_keeps_the_sign_of_small_amounts() {
        assert_eq!(Cents(-5).to_string(), "-0.05");
        assert_eq!(Cents(123_456).to_string(), "1234.56");
    }
}
