//! SIREN (a company) and SIRET (an establishment), the identifiers given by INSEE.

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Why a text is not an identifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum IdentifierError {
    /// The field is empty.
    #[error("empty identifier")]
    Empty,
    /// Wrong number of characters.
    #[error("wrong length: a SIREN has 9 digits, a SIRET 14")]
    Length,
    /// A character that cannot stand there.
    #[error("unexpected character in an identifier")]
    Character,
}

/// Nine-digit identifier of a company (legal unit). Its Luhn key is *not* required: real files hold a few wrong ones,
/// which are counted as warnings (`design.md` §3). See [`Siren::has_valid_key`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Siren(u32);

impl Siren {
    /// Reads exactly nine ASCII digits.
    #[inline]
    pub fn parse(text: &[u8]) -> Result<Self, IdentifierError> {
        if text.is_empty() {
            return Err(IdentifierError::Empty);
        }
        let Ok([first @ .., last]) = <&[u8; 9]>::try_from(text) else { return Err(IdentifierError::Length) };
        let value = eight_digits(*first).zip(digits(&[*last])).map(|(first, last)| first * 10 + last);
        value.map(|value| Self(value as u32)).ok_or(IdentifierError::Character)
    }

    /// The SIREN of this number, below one thousand million.
    pub const fn from_number(number: u32) -> Option<Self> {
        if number < 1_000_000_000 { Some(Self(number)) } else { None }
    }

    /// The identifier as a number, for storage and sorting (same order as the text).
    #[inline]
    pub const fn number(self) -> u32 {
        self.0
    }

    /// All numbers cut into ranges of one width, in order: what a large table is walked by. `count` divides 10^9.
    pub fn slices(count: u32) -> impl Iterator<Item = RangeInclusive<Self>> + Send {
        let width = 1_000_000_000 / count;
        (0..count).map(move |slice| Self(slice * width)..=Self(slice * width + width - 1))
    }

    /// The nine digits, in ASCII.
    #[inline]
    pub const fn digits(self) -> [u8; 9] {
        let mut digits = [b'0'; 9];
        let (mut rest, mut at) = (self.0, 9);
        while at > 0 {
            at -= 1;
            digits[at] = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
        digits
    }

    /// Whether the last digit is the Luhn key of the eight others.
    #[inline]
    pub fn has_valid_key(self) -> bool {
        luhn(u64::from(self.0)).is_multiple_of(10)
    }
}

impl fmt::Display for Siren {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:09}", self.0)
    }
}

impl fmt::Debug for Siren {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Siren {
    type Err = IdentifierError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text.as_bytes())
    }
}

impl TryFrom<String> for Siren {
    type Error = IdentifierError;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Siren> for String {
    fn from(siren: Siren) -> Self {
        siren.to_string()
    }
}

/// What kind of establishment identifier a SIRET is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SiretKind {
    /// Given by INSEE.
    Ordinary,
    /// Made by Urssaf for temporary work, modelling and film production: its tenth digit is 5, 6, 7 or 9.
    Pseudo,
    /// Not yet given by INSEE: its NIC holds a letter.
    Provisional,
}

/// Fourteen-character identifier of an establishment: a SIREN and a five-character NIC.
///
/// Ordinary ones are digits only. Pseudo-SIRETs and provisional ones count for their company and never match an
/// establishment of SIRENE (`domain/model.md` §8.2).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Siret {
    siren: Siren,
    nic: [u8; 5],
}

impl Siret {
    /// Reads nine digits then five characters that are digits, or capital letters for a provisional NIC.
    #[inline]
    pub fn parse(text: &[u8]) -> Result<Self, IdentifierError> {
        if text.is_empty() {
            return Err(IdentifierError::Empty);
        }
        if text.len() != 14 {
            return Err(IdentifierError::Length);
        }
        let siren = Siren::parse(&text[..9])?;
        Self::from_parts(siren, &text[9..])
    }

    /// Joins a SIREN and a five-character NIC.
    #[inline]
    pub fn from_parts(siren: Siren, nic: &[u8]) -> Result<Self, IdentifierError> {
        let nic: [u8; 5] = nic.try_into().map_err(|_| IdentifierError::Length)?;
        if nic.iter().all(|c| c.is_ascii_digit() || c.is_ascii_uppercase()) {
            Ok(Self { siren, nic })
        } else {
            Err(IdentifierError::Character)
        }
    }

    /// The company.
    #[inline]
    pub const fn siren(self) -> Siren {
        self.siren
    }

    /// The fourteen characters, in ASCII.
    #[inline]
    pub const fn characters(self) -> [u8; 14] {
        let mut characters = [0; 14];
        let (siren, nic) = characters.split_at_mut(9);
        siren.copy_from_slice(&self.siren.digits());
        nic.copy_from_slice(&self.nic);
        characters
    }

    /// The five characters after the SIREN.
    pub fn nic(&self) -> &str {
        // Checked ASCII by every constructor.
        std::str::from_utf8(&self.nic).unwrap_or_default()
    }

    /// Ordinary, pseudo or provisional.
    pub fn kind(self) -> SiretKind {
        if self.nic.iter().any(u8::is_ascii_uppercase) {
            SiretKind::Provisional
        } else if matches!(self.nic[0], b'5' | b'6' | b'7' | b'9') {
            SiretKind::Pseudo
        } else {
            SiretKind::Ordinary
        }
    }

    /// Whether the Luhn key holds. La Poste (SIREN 356000000) uses the sum of the digits being a multiple of 5 instead.
    #[inline]
    pub fn has_valid_key(self) -> bool {
        let Some(nic) = digits(&self.nic) else { return false };
        let number = u64::from(self.siren.0) * 100_000 + nic;
        if self.siren.0 == 356_000_000 {
            luhn(number).is_multiple_of(10) || digit_sum(number).is_multiple_of(5)
        } else {
            luhn(number).is_multiple_of(10)
        }
    }
}

impl fmt::Display for Siret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.siren, self.nic())
    }
}

impl fmt::Debug for Siret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Siret {
    type Err = IdentifierError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text.as_bytes())
    }
}

impl TryFrom<String> for Siret {
    type Error = IdentifierError;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Siret> for String {
    fn from(siret: Siret) -> Self {
        siret.to_string()
    }
}

/// The number written by these ASCII digits, or `None` when another byte stands among them.
#[inline]
fn digits(text: &[u8]) -> Option<u64> {
    text.iter().try_fold(0, |value, byte| byte.is_ascii_digit().then(|| value * 10 + u64::from(byte - b'0')))
}

/// The same for eight digits at once, as every row of a file asks for them: the bytes of a word are added up in pairs, then fours.
#[inline]
const fn eight_digits(text: [u8; 8]) -> Option<u64> {
    const HIGH: u64 = 0x8080_8080_8080_8080;
    const QUARTERS: u64 = 0x0000_00ff_0000_00ff;
    let values = u64::from_le_bytes(text) ^ 0x3030_3030_3030_3030;
    // The high bit of each byte above 9; a carry comes only out of such a byte.
    if (values.wrapping_add(0x7676_7676_7676_7676) | values) & HIGH != 0 {
        return None;
    }
    let pairs = values * 10 + (values >> 8);
    let (odd, even) = (pairs & QUARTERS, (pairs >> 16) & QUARTERS);
    Some(odd.wrapping_mul(100 + (1_000_000 << 32)).wrapping_add(even.wrapping_mul(1 + (10_000 << 32))) >> 32)
}

/// Sum of the Luhn algorithm, the key included: a multiple of ten for a valid number. Every row asks for it: three digits are
/// looked up together.
#[inline]
const fn luhn(mut number: u64) -> u64 {
    let (mut sum, mut parity) = (0, 0);
    while number > 0 {
        sum += LUHN[parity][(number % 1_000) as usize] as u64;
        parity = 1 - parity;
        number /= 1_000;
    }
    sum
}

/// Sums of three digits, those doubled being the second, or the first and the third.
static LUHN: [[u8; 1_000]; 2] = {
    let mut sums = [[0; 1_000]; 2];
    let mut number = 0;
    while number < 1_000 {
        let digits = [number % 10, number / 10 % 10, number / 100];
        let mut at = 0;
        while at < 3 {
            let doubled = if digits[at] < 5 { digits[at] * 2 } else { digits[at] * 2 - 9 };
            sums[at % 2][number] += digits[at] as u8;
            sums[1 - at % 2][number] += doubled as u8;
            at += 1;
        }
        number += 1;
    }
    sums
};

fn digit_sum(mut number: u64) -> u64 {
    let mut sum = 0;
    while number > 0 {
        sum += number % 10;
        number /= 10;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_are_those_of_the_text() {
        for text in ["73282932000074", "00000000100001", "99999999900A1Z"] {
            let siret: Siret = text.parse().unwrap();
            assert_eq!(siret.characters(), text.as_bytes());
            assert_eq!(siret.siren().digits(), text.as_bytes()[..9]);
        }
    }

    #[test]
    fn eight_digits_are_read_like_one_by_one() {
        for text in [*b"00000000", *b"12345678", *b"99999999", *b"90817263", *b"00000001"] {
            assert_eq!(eight_digits(text), digits(&text));
        }
        for at in 0..8 {
            for byte in (0..=255).filter(|byte: &u8| !byte.is_ascii_digit()) {
                let mut text = *b"90817263";
                text[at] = byte;
                assert_eq!(eight_digits(text), None, "{text:?}");
            }
        }
    }

    #[test]
    fn slices_hold_every_siren_once() {
        let bounds: Vec<u32> = Siren::slices(100).flat_map(|slice| [slice.start().number(), slice.end().number()]).collect();
        assert_eq!((bounds[0], bounds[bounds.len() - 1], bounds.len()), (0, 999_999_999, 200));
        assert!(bounds[1..199].chunks(2).all(|pair| pair[1] == pair[0] + 1));
    }

    #[test]
    fn a_siren_has_nine_digits() {
        assert_eq!(Siren::parse(b"005520135").unwrap().to_string(), "005520135");
        assert_eq!(Siren::parse(b""), Err(IdentifierError::Empty));
        assert_eq!(Siren::parse(b"12345678"), Err(IdentifierError::Length));
        assert_eq!(Siren::parse(b"12345678A"), Err(IdentifierError::Character));
        assert_eq!(Siren::from_number(1_000_000_000), None);
    }

    #[test]
    fn the_luhn_key_is_a_property_not_a_condition() {
        assert!(Siren::parse(b"732829320").unwrap().has_valid_key());
        assert!(!Siren::parse(b"732829321").unwrap().has_valid_key());
        assert!(Siret::parse(b"73282932000074").unwrap().has_valid_key());
        assert!(Siret::parse(b"35600000000048").unwrap().has_valid_key(), "head office of La Poste");
    }

    #[test]
    fn pseudo_and_provisional_sirets_are_recognised() {
        let kind = |text: &str| text.parse::<Siret>().unwrap().kind();
        assert_eq!(kind("73282932000074"), SiretKind::Ordinary);
        for tenth in ['5', '6', '7', '9'] {
            assert_eq!(kind(&format!("732829320{tenth}0074")), SiretKind::Pseudo);
        }
        assert_eq!(kind("73282932080074"), SiretKind::Ordinary);
        assert_eq!(kind("732829320A0074"), SiretKind::Provisional);
    }

    #[test]
    fn the_order_is_that_of_the_text() {
        let (a, b): (Siret, Siret) = ("10000000000001".parse().unwrap(), "10000000000002".parse().unwrap());
        assert!(a < b && a.siren() == b.siren());
    }
}
