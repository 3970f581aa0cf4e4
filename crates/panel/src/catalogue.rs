//! The catalogue: every feature declared once, in `catalogue.toml`, by the operation and the base series that make it.

use std::collections::HashMap;

use serde::Deserialize;
use thiserror::Error;

use crate::operation::Operation;
use crate::series::Series;

/// The catalogue of the program.
const BUILTIN: &str = include_str!("catalogue.toml");

/// Why a catalogue cannot be used.
#[derive(Debug, Error)]
pub enum CatalogueError {
    /// Not the TOML that is expected.
    #[error("the catalogue cannot be read: {0}")]
    Toml(#[from] toml::de::Error),
    /// A feature that cannot be what it says.
    #[error("feature '{feature}': {reason}")]
    Feature {
        /// Its name.
        feature: String,
        /// What is wrong.
        reason: String,
    },
}

/// Who may see a feature (`design.md` §5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Confidentiality {
    /// Anybody.
    Public,
    /// Anybody, if the company lets its accounts be shown.
    PublicIfPublished,
    /// Who may see Urssaf's data.
    Urssaf,
    /// Who may see DGEFP's data.
    Dgefp,
}

impl Confidentiality {
    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::PublicIfPublished => "public_if_published",
            Self::Urssaf => "urssaf",
            Self::Dgefp => "dgefp",
        }
    }
}

/// What a value is measured in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Euros.
    Euros,
    /// Months.
    Months,
    /// Days.
    Days,
    /// Hours.
    Hours,
    /// Employees.
    Employees,
    /// Hundredths.
    Percent,
    /// A part of one.
    Share,
    /// A quotient or another number without unit.
    Number,
    /// One or zero.
    Flag,
    /// A code without order.
    Category,
}

impl Unit {
    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Euros => "euros",
            Self::Months => "months",
            Self::Days => "days",
            Self::Hours => "hours",
            Self::Employees => "employees",
            Self::Percent => "percent",
            Self::Share => "share",
            Self::Number => "number",
            Self::Flag => "flag",
            Self::Category => "category",
        }
    }
}

/// A group of features as agents know them.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// Name.
    pub name: String,
    /// What agents read.
    pub label_fr: String,
}

/// A feature.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Feature {
    /// Name, also of its column.
    pub name: String,
    /// Group.
    pub group: String,
    /// Source that it comes from.
    pub source: String,
    /// What it is measured in.
    pub unit: Unit,
    /// Base series, by name.
    series: String,
    /// Operation on it.
    operation: Operation,
    /// Months of the operation; 0 for the plain value.
    #[serde(default)]
    pub months: usize,
    /// What it is, in words.
    pub formula: String,
    /// Who may see it.
    pub confidentiality: Confidentiality,
    /// 1 when more means more risk, -1 when less does, 0 when neither is certain.
    #[serde(default)]
    pub monotone: i8,
    /// What a missing value means.
    pub missing: String,
    /// First version of the catalogue that has it.
    pub since: u32,
    /// What agents read.
    pub label_fr: String,
}

impl Feature {
    /// Whether its values are codes without order.
    pub fn is_categorical(&self) -> bool {
        self.unit == Unit::Category
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    group: Vec<Group>,
    feature: Vec<Feature>,
}

/// A checked catalogue.
#[derive(Debug, Clone)]
pub struct Catalogue {
    groups: Vec<Group>,
    features: Vec<Feature>,
    /// Series of each feature.
    series: Vec<Series>,
    index: HashMap<String, usize>,
}

impl Catalogue {
    /// The catalogue of this version of the program.
    pub fn builtin() -> Result<Self, CatalogueError> {
        Self::parse(BUILTIN)
    }

    /// Reads a catalogue; refuses unknown series, operations and groups, and names given twice.
    pub fn parse(text: &str) -> Result<Self, CatalogueError> {
        let document: Document = toml::from_str(text)?;
        let mut index = HashMap::new();
        let mut series = Vec::with_capacity(document.feature.len());
        for (position, feature) in document.feature.iter().enumerate() {
            let wrong = |reason: String| CatalogueError::Feature { feature: feature.name.clone(), reason };
            let found = Series::ALL.iter().copied().find(|series| series.name() == feature.series);
            series.push(found.ok_or_else(|| wrong(format!("there is no series '{}'", feature.series)))?);
            if !document.group.iter().any(|group| group.name == feature.group) {
                return Err(wrong(format!("there is no group '{}'", feature.group)));
            }
            if feature.operation.takes_months() == (feature.months == 0) {
                return Err(wrong("an operation over time needs months, and the plain value takes none".to_owned()));
            }
            if feature.monotone.abs() > 1 || (feature.is_categorical() && feature.monotone != 0) {
                return Err(wrong("monotone is -1, 0 or 1, and 0 for a category".to_owned()));
            }
            if index.insert(feature.name.clone(), position).is_some() {
                return Err(wrong("the name is given twice".to_owned()));
            }
        }
        Ok(Self { groups: document.group, features: document.feature, series, index })
    }

    /// Features in the order of a vector.
    pub fn features(&self) -> &[Feature] {
        &self.features
    }

    /// Groups in the order of a list's contributions.
    pub fn groups(&self) -> &[Group] {
        &self.groups
    }

    /// Position of a group; groups of features are checked to exist.
    pub fn group_index(&self, name: &str) -> usize {
        self.groups.iter().position(|group| group.name == name).unwrap_or(0)
    }

    /// Position of a feature.
    pub fn index_of(&self, name: &str) -> Option<usize> {
        self.index.get(name).copied()
    }

    /// Hash of what a vector means: names, series, operations and their order. Sixteen hexadecimal digits.
    pub fn schema_hash(&self) -> String {
        // FNV-1a: stable between versions of the program and of its libraries, which the standard hasher is not.
        let mut hash = 0xcbf2_9ce4_8422_2325u64;
        for feature in &self.features {
            let text = format!("{}|{}|{:?}|{}\n", feature.name, feature.series, feature.operation, feature.months);
            hash = text.bytes().fold(hash, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        }
        format!("{hash:016x}")
    }

    /// Months before the first one computed that the operations read.
    pub(crate) fn reach(&self) -> usize {
        self.features.iter().map(|feature| feature.operation.reach(feature.months)).max().unwrap_or(0)
    }

    /// How each feature is made.
    pub(crate) fn recipes(&self) -> impl Iterator<Item = (Series, Operation, usize)> {
        self.features.iter().zip(&self.series).map(|(feature, series)| (*series, feature.operation, feature.months))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_builtin_catalogue_is_sound() {
        let catalogue = Catalogue::builtin().unwrap();
        assert!((55..=90).contains(&catalogue.features().len()), "{}", catalogue.features().len());
        for feature in catalogue.features() {
            let text = [&feature.formula, &feature.missing, &feature.label_fr];
            assert!(text.iter().all(|text| !text.is_empty()), "{} lacks a text", feature.name);
            assert!(
                feature.source.split('+').all(|source| source.parse::<domain::Source>().is_ok()),
                "{}: {}",
                feature.name,
                feature.source
            );
        }
        let used: std::collections::BTreeSet<Series> = catalogue.recipes().map(|(series, ..)| series).collect();
        let unused: Vec<&str> = Series::ALL.iter().filter(|series| !used.contains(series)).map(|series| series.name()).collect();
        assert_eq!(unused, ["contribution"], "series that only charts show");
        for group in catalogue.groups() {
            assert!(catalogue.features().iter().any(|feature| feature.group == group.name), "{} is empty", group.name);
        }
    }

    #[test]
    fn mistakes_are_refused_by_name() {
        let entry = |series: &str, operation: &str, months: usize| {
            format!(
                "[[group]]\nname='g'\nlabel_fr='G'\n[[feature]]\nname='f'\ngroup='g'\nsource='debit'\nunit='euros'\nseries='{series}'\n\
                 operation='{operation}'\nmonths={months}\nformula='x'\nconfidentiality='urssaf'\nmissing='x'\nsince=1\nlabel_fr='x'\n"
            )
        };
        assert!(Catalogue::parse(&entry("debt", "lag", 1)).is_ok());
        assert!(Catalogue::parse(&entry("dept", "lag", 1)).unwrap_err().to_string().contains("'dept'"));
        assert!(Catalogue::parse(&entry("debt", "lag", 0)).is_err());
        assert!(Catalogue::parse(&entry("debt", "level", 1)).is_err());
        assert!(Catalogue::parse(&entry("debt", "magic", 1)).is_err());
    }

    #[test]
    fn the_hash_follows_meaning_only() {
        let text = include_str!("catalogue.toml");
        let catalogue = Catalogue::parse(text).unwrap();
        assert_eq!(
            Catalogue::parse(&text.replace("label_fr = \"Dette", "label_fr = \"La dette")).unwrap().schema_hash(),
            catalogue.schema_hash()
        );
        assert_ne!(Catalogue::parse(&text.replace("months = 12", "months = 11")).unwrap().schema_hash(), catalogue.schema_hash());
    }
}
