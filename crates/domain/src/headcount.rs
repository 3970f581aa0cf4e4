//! Headcount bands (tranches d'effectif) of SIRENE.

use serde::{Deserialize, Serialize};

/// A band of SIRENE; `NN` (unknown or no employee) is no band.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct HeadcountBand(u8);

impl HeadcountBand {
    /// The band with this two-character code.
    pub fn parse(code: &str) -> Option<Self> {
        BANDS.iter().position(|row| row.0 == code).map(|position| Self(position as u8))
    }

    /// Its code.
    pub const fn code(self) -> &'static str {
        BANDS[self.0 as usize].0
    }

    /// Smallest headcount of the band.
    pub const fn minimum(self) -> u32 {
        BANDS[self.0 as usize].1
    }
}

/// Code and smallest headcount.
const BANDS: [(&str, u32); 15] = [
    ("00", 0),
    ("01", 1),
    ("02", 3),
    ("03", 6),
    ("11", 10),
    ("12", 20),
    ("21", 50),
    ("22", 100),
    ("31", 200),
    ("32", 250),
    ("41", 500),
    ("42", 1000),
    ("51", 2000),
    ("52", 5000),
    ("53", 10000),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bands_grow() {
        assert_eq!(HeadcountBand::parse("11").unwrap().minimum(), 10);
        assert_eq!(HeadcountBand::parse("NN"), None);
        assert!(BANDS.windows(2).all(|pair| pair[0].1 < pair[1].1));
    }
}
