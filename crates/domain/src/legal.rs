//! Legal categories (catégories juridiques) of INSEE.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Four-digit legal category of a company, level III of INSEE's nomenclature.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LegalCategory(u16);

impl LegalCategory {
    /// Reads four digits.
    pub fn parse(text: &[u8]) -> Option<Self> {
        if text.len() != 4 {
            return None;
        }
        let number = text.iter().try_fold(0, |value, byte| byte.is_ascii_digit().then(|| value * 10 + u16::from(byte - b'0')));
        number.map(Self)
    }

    /// The code as a number, 0 to 9999.
    pub const fn number(self) -> u16 {
        self.0
    }

    /// Level I: the first digit (1 natural person, 5 commercial company, 7 public law, 9 association…).
    pub const fn family(self) -> u16 {
        self.0 / 1000
    }

    /// Level II: the first two digits, the legal form used as a categorical feature.
    pub const fn form(self) -> u16 {
        self.0 / 100
    }

    /// Whether companies of this category are outside the perimeter (`domain/ingestion.md` §2.5-B.1).
    pub fn is_excluded(self) -> bool {
        EXCLUDED.iter().any(|(code, _)| *code == self.0)
    }
}

impl fmt::Display for LegalCategory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}", self.0)
    }
}

impl fmt::Debug for LegalCategory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Excluded categories with INSEE's labels (the comments of the existing system mislabel most of them).
const EXCLUDED: [(u16, &str); 17] = [
    (4110, "Établissement public national à caractère industriel ou commercial doté d'un comptable public"),
    (4120, "Établissement public national à caractère industriel ou commercial non doté d'un comptable public"),
    (4140, "Établissement public local à caractère industriel ou commercial"),
    (4160, "Institution Banque de France"),
    (7210, "Commune et commune nouvelle"),
    (7220, "Département"),
    (7346, "Communauté de communes"),
    (7348, "Communauté d'agglomération"),
    (7366, "Établissement public local social et médico-social"),
    (7373, "Établissement public local culturel"),
    (7379, "(Autre) Établissement public administratif local"),
    (7383, "Établissement public national à caractère scientifique culturel et professionnel"),
    (7389, "Établissement public national à caractère administratif"),
    (7410, "Groupement d'intérêt public (GIP)"),
    (7430, "Établissement public des cultes d'Alsace-Lorraine"),
    (7470, "Groupement de coopération sanitaire à gestion publique"),
    (7490, "Autre personne morale de droit administratif"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_exclusions() {
        let category = LegalCategory::parse(b"7346").unwrap();
        assert!(category.is_excluded());
        assert_eq!((category.family(), category.form()), (7, 73));
        assert!(!LegalCategory::parse(b"5710").unwrap().is_excluded());
        assert_eq!(LegalCategory::parse(b"57"), None);
        assert_eq!(LegalCategory::parse(b"57A0"), None);
    }
}
