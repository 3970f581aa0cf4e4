//! Departments, regions and overseas collectivities.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A code that is neither a department, a region nor an overseas collectivity.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("'{0}' is not a known department or region code")]
pub struct TerritoryError(String);

/// One of the 101 departments, or an overseas collectivity: both appear in addresses.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Department(u8);

/// One of the 18 regions.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Region(u8);

impl Department {
    /// Departments then collectivities, in the order of their codes.
    pub fn all() -> impl ExactSizeIterator<Item = Self> {
        (0..DEPARTMENTS.len() as u8).map(Self)
    }

    /// Position among [`Department::all`], below 128.
    pub(crate) const fn position(self) -> u8 {
        self.0
    }

    /// INSEE code: `01` to `95`, `2A`, `2B`, `971` to `989`.
    pub const fn code(self) -> &'static str {
        DEPARTMENTS[self.0 as usize].0
    }

    /// French name.
    pub const fn name(self) -> &'static str {
        DEPARTMENTS[self.0 as usize].1
    }

    /// Its region; `None` for an overseas collectivity.
    pub fn region(self) -> Option<Region> {
        DEPARTMENTS[self.0 as usize].2.parse().ok()
    }

    /// The department of a commune's INSEE code: its first three characters overseas (97, 98), else two.
    pub fn of_commune(commune: &str) -> Option<Self> {
        let length = if commune.starts_with("97") || commune.starts_with("98") { 3 } else { 2 };
        (commune.len() == 5).then(|| commune.get(..length)?.parse().ok()).flatten()
    }
}

impl Region {
    /// All 18, in the order of their codes.
    pub fn all() -> impl ExactSizeIterator<Item = Self> {
        (0..REGIONS.len() as u8).map(Self)
    }

    /// INSEE code, two digits.
    pub const fn code(self) -> &'static str {
        REGIONS[self.0 as usize].0
    }

    /// French name.
    pub const fn name(self) -> &'static str {
        REGIONS[self.0 as usize].1
    }

    /// Its departments.
    pub fn departments(self) -> impl Iterator<Item = Department> {
        Department::all().filter(move |department| department.region() == Some(self))
    }
}

macro_rules! coded {
    ($type:ident, $table:ident) => {
        impl FromStr for $type {
            type Err = TerritoryError;
            fn from_str(code: &str) -> Result<Self, Self::Err> {
                let position = $table.iter().position(|row| row.0 == code);
                position.map(|position| Self(position as u8)).ok_or_else(|| TerritoryError(code.to_owned()))
            }
        }

        impl TryFrom<String> for $type {
            type Error = TerritoryError;
            fn try_from(code: String) -> Result<Self, Self::Error> {
                code.parse()
            }
        }

        impl From<$type> for String {
            fn from(value: $type) -> Self {
                value.code().to_owned()
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.code())
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.code())
            }
        }
    };
}
coded!(Department, DEPARTMENTS);
coded!(Region, REGIONS);

/// Code and name (INSEE, code officiel géographique).
const REGIONS: [(&str, &str); 18] = [
    ("01", "Guadeloupe"),
    ("02", "Martinique"),
    ("03", "Guyane"),
    ("04", "La Réunion"),
    ("06", "Mayotte"),
    ("11", "Île-de-France"),
    ("24", "Centre-Val de Loire"),
    ("27", "Bourgogne-Franche-Comté"),
    ("28", "Normandie"),
    ("32", "Hauts-de-France"),
    ("44", "Grand Est"),
    ("52", "Pays de la Loire"),
    ("53", "Bretagne"),
    ("75", "Nouvelle-Aquitaine"),
    ("76", "Occitanie"),
    ("84", "Auvergne-Rhône-Alpes"),
    ("93", "Provence-Alpes-Côte d'Azur"),
    ("94", "Corse"),
];

/// Code, name and region of the departments, then of the overseas collectivities, which have no region.
const DEPARTMENTS: [(&str, &str, &str); 109] = [
    ("01", "Ain", "84"),
    ("02", "Aisne", "32"),
    ("03", "Allier", "84"),
    ("04", "Alpes-de-Haute-Provence", "93"),
    ("05", "Hautes-Alpes", "93"),
    ("06", "Alpes-Maritimes", "93"),
    ("07", "Ardèche", "84"),
    ("08", "Ardennes", "44"),
    ("09", "Ariège", "76"),
    ("10", "Aube", "44"),
    ("11", "Aude", "76"),
    ("12", "Aveyron", "76"),
    ("13", "Bouches-du-Rhône", "93"),
    ("14", "Calvados", "28"),
    ("15", "Cantal", "84"),
    ("16", "Charente", "75"),
    ("17", "Charente-Maritime", "75"),
    ("18", "Cher", "24"),
    ("19", "Corrèze", "75"),
    ("21", "Côte-d'Or", "27"),
    ("22", "Côtes-d'Armor", "53"),
    ("23", "Creuse", "75"),
    ("24", "Dordogne", "75"),
    ("25", "Doubs", "27"),
    ("26", "Drôme", "84"),
    ("27", "Eure", "28"),
    ("28", "Eure-et-Loir", "24"),
    ("29", "Finistère", "53"),
    ("2A", "Corse-du-Sud", "94"),
    ("2B", "Haute-Corse", "94"),
    ("30", "Gard", "76"),
    ("31", "Haute-Garonne", "76"),
    ("32", "Gers", "76"),
    ("33", "Gironde", "75"),
    ("34", "Hérault", "76"),
    ("35", "Ille-et-Vilaine", "53"),
    ("36", "Indre", "24"),
    ("37", "Indre-et-Loire", "24"),
    ("38", "Isère", "84"),
    ("39", "Jura", "27"),
    ("40", "Landes", "75"),
    ("41", "Loir-et-Cher", "24"),
    ("42", "Loire", "84"),
    ("43", "Haute-Loire", "84"),
    ("44", "Loire-Atlantique", "52"),
    ("45", "Loiret", "24"),
    ("46", "Lot", "76"),
    ("47", "Lot-et-Garonne", "75"),
    ("48", "Lozère", "76"),
    ("49", "Maine-et-Loire", "52"),
    ("50", "Manche", "28"),
    ("51", "Marne", "44"),
    ("52", "Haute-Marne", "44"),
    ("53", "Mayenne", "52"),
    ("54", "Meurthe-et-Moselle", "44"),
    ("55", "Meuse", "44"),
    ("56", "Morbihan", "53"),
    ("57", "Moselle", "44"),
    ("58", "Nièvre", "27"),
    ("59", "Nord", "32"),
    ("60", "Oise", "32"),
    ("61", "Orne", "28"),
    ("62", "Pas-de-Calais", "32"),
    ("63", "Puy-de-Dôme", "84"),
    ("64", "Pyrénées-Atlantiques", "75"),
    ("65", "Hautes-Pyrénées", "76"),
    ("66", "Pyrénées-Orientales", "76"),
    ("67", "Bas-Rhin", "44"),
    ("68", "Haut-Rhin", "44"),
    ("69", "Rhône", "84"),
    ("70", "Haute-Saône", "27"),
    ("71", "Saône-et-Loire", "27"),
    ("72", "Sarthe", "52"),
    ("73", "Savoie", "84"),
    ("74", "Haute-Savoie", "84"),
    ("75", "Paris", "11"),
    ("76", "Seine-Maritime", "28"),
    ("77", "Seine-et-Marne", "11"),
    ("78", "Yvelines", "11"),
    ("79", "Deux-Sèvres", "75"),
    ("80", "Somme", "32"),
    ("81", "Tarn", "76"),
    ("82", "Tarn-et-Garonne", "76"),
    ("83", "Var", "93"),
    ("84", "Vaucluse", "93"),
    ("85", "Vendée", "52"),
    ("86", "Vienne", "75"),
    ("87", "Haute-Vienne", "75"),
    ("88", "Vosges", "44"),
    ("89", "Yonne", "27"),
    ("90", "Territoire de Belfort", "27"),
    ("91", "Essonne", "11"),
    ("92", "Hauts-de-Seine", "11"),
    ("93", "Seine-Saint-Denis", "11"),
    ("94", "Val-de-Marne", "11"),
    ("95", "Val-d'Oise", "11"),
    ("971", "Guadeloupe", "01"),
    ("972", "Martinique", "02"),
    ("973", "Guyane", "03"),
    ("974", "La Réunion", "04"),
    ("975", "Saint-Pierre-et-Miquelon", ""),
    ("976", "Mayotte", "06"),
    ("977", "Saint-Barthélemy", ""),
    ("978", "Saint-Martin", ""),
    ("984", "Terres australes et antarctiques françaises", ""),
    ("986", "Wallis-et-Futuna", ""),
    ("987", "Polynésie française", ""),
    ("988", "Nouvelle-Calédonie", ""),
    ("989", "Île de Clipperton", ""),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_those_of_the_official_geography() {
        assert_eq!(Region::all().len(), 18);
        assert_eq!(Department::all().filter(|department| department.region().is_some()).count(), 101);
        assert_eq!(Region::all().map(|region| region.departments().count()).sum::<usize>(), 101);
    }

    #[test]
    fn communes_lead_to_their_department() {
        let department = |commune: &str| Department::of_commune(commune).map(Department::code);
        assert_eq!(department("2A004"), Some("2A"));
        assert_eq!(department("97411"), Some("974"));
        assert_eq!(department("98818"), Some("988"));
        assert_eq!(department("21231"), Some("21"));
        assert_eq!(department("20004"), None);
        assert_eq!(department("99"), None);
    }
}
