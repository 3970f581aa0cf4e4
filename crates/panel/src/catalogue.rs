//! The catalogue: every feature declared once, in a file a group under `catalogue/`, by the base series and the operation
//! that make it. The code, the documentation (`docs/features.md`), the RPC and the model read it; the order of the files is
//! that of a vector.

use std::collections::HashMap;

use domain::Department;
use serde::Deserialize;
use thiserror::Error;

use crate::operation::Operation;
use crate::series::Series;

/// The catalogue of the program, group by group.
const BUILTIN: [&str; 6] = [
    include_str!("catalogue/social_debts.toml"),
    include_str!("catalogue/short_time_work.toml"),
    include_str!("catalogue/headcount.toml"),
    include_str!("catalogue/financial_health.toml"),
    include_str!("catalogue/supplier_payments.toml"),
    include_str!("catalogue/identity.toml"),
];

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
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Name.
    pub name: String,
    /// What agents read.
    pub label_fr: String,
}

/// A feature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Feature {
    /// Name, also of its column.
    pub name: String,
    /// Group.
    pub group: String,
    /// Sources that it comes from, joined by `+`.
    pub source: String,
    /// What it is measured in.
    pub unit: Unit,
    /// The series it is made of, and how.
    recipe: Recipe,
    /// What it is, in words.
    pub formula: String,
    /// Who may see it.
    pub confidentiality: Confidentiality,
    /// 1 when more means more risk, -1 when less does, 0 when neither is certain.
    pub monotone: i8,
    /// What a missing value means.
    pub missing: String,
    /// First version of the catalogue that has it.
    pub since: u32,
    /// What agents read.
    pub label_fr: String,
}

/// An operation on a base series over a number of months, 0 for the plain value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Recipe {
    pub series: Series,
    pub operation: Operation,
    pub months: usize,
}

impl Feature {
    /// Whether its values are codes without order.
    pub fn is_categorical(&self) -> bool {
        self.unit == Unit::Category
    }

    /// The code that a value of a category stands for, as agents read it; `None` when it stands for none.
    pub fn category_fr(&self, value: f32) -> Option<String> {
        let position = (value >= 0.0).then_some(value as usize)?;
        match self.recipe.series {
            Series::Department => {
                Department::all().nth(position).map(|department| format!("{} ({})", department.name(), department.code()))
            }
            Series::NafDivision | Series::LegalForm => Some(format!("{position:02}")),
            _ if self.is_categorical() => Some(position.to_string()),
            _ => None,
        }
    }

    /// Months that it looks at, the current one included.
    pub fn window(&self) -> usize {
        self.recipe.operation.reach(self.recipe.months) + 1
    }
}

/// A file of the catalogue.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    /// Group.
    name: String,
    label_fr: String,
    series: Vec<SeriesEntry>,
}

/// A series with the features that are made of it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SeriesEntry {
    series: String,
    source: String,
    unit: Unit,
    confidentiality: Confidentiality,
    formula: String,
    missing: String,
    label_fr: String,
    features: Vec<FeatureEntry>,
}

/// A feature of a series. Its formula, label, unit and what its absence means follow from the operation.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FeatureEntry {
    name: String,
    #[serde(default)]
    operation: Operation,
    #[serde(default)]
    months: usize,
    #[serde(default)]
    monotone: i8,
    since: u32,
    /// A better label than the one that is made.
    label_fr: Option<String>,
}

impl SeriesEntry {
    /// The feature of an entry, or what is wrong with it.
    fn feature(&self, entry: &FeatureEntry, group: &str) -> Result<Feature, String> {
        let series = Series::ALL.iter().copied().find(|series| series.name() == self.series);
        let series = series.ok_or_else(|| format!("there is no series '{}'", self.series))?;
        let (operation, months) = (entry.operation, entry.months);
        if operation.takes_months() == (months == 0) {
            return Err("an operation over time needs months, and the plain value takes none".to_owned());
        }
        let unit = operation.unit(self.unit);
        if unit == Unit::Category && operation.takes_months() {
            return Err("a category has no operation over time".to_owned());
        }
        if entry.monotone.abs() > 1 || (unit == Unit::Category && entry.monotone != 0) {
            return Err("monotone is -1, 0 or 1, and 0 for a category".to_owned());
        }
        Ok(Feature {
            name: entry.name.clone(),
            group: group.to_owned(),
            source: self.source.clone(),
            unit,
            recipe: Recipe { series, operation, months },
            formula: operation.formula(&self.formula, months),
            confidentiality: self.confidentiality,
            monotone: entry.monotone,
            missing: operation.missing(&self.missing, months),
            since: entry.since,
            label_fr: entry.label_fr.clone().unwrap_or_else(|| operation.label_fr(&self.label_fr, months)),
        })
    }
}

/// A checked catalogue.
#[derive(Debug, Clone)]
pub struct Catalogue {
    groups: Vec<Group>,
    features: Vec<Feature>,
    index: HashMap<String, usize>,
    schema_hash: String,
}

impl Catalogue {
    /// The catalogue of this version of the program.
    pub fn builtin() -> Result<Self, CatalogueError> {
        Self::parse(&BUILTIN)
    }

    /// Reads a catalogue, a text a group; refuses unknown series and operations, and names given twice.
    pub fn parse(groups: &[&str]) -> Result<Self, CatalogueError> {
        let mut catalogue = Self { groups: Vec::new(), features: Vec::new(), index: HashMap::new(), schema_hash: String::new() };
        for text in groups {
            let document: Document = toml::from_str(text)?;
            for (series, entry) in document.series.iter().flat_map(|series| series.features.iter().map(move |entry| (series, entry))) {
                let wrong = |reason: String| CatalogueError::Feature { feature: entry.name.clone(), reason };
                let feature = series.feature(entry, &document.name).map_err(wrong)?;
                if catalogue.index.insert(entry.name.clone(), catalogue.features.len()).is_some() {
                    return Err(wrong("the name is given twice".to_owned()));
                }
                catalogue.features.push(feature);
            }
            catalogue.groups.push(Group { name: document.name, label_fr: document.label_fr });
        }
        catalogue.schema_hash = schema_hash(&catalogue.features);
        Ok(catalogue)
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
    pub fn schema_hash(&self) -> &str {
        &self.schema_hash
    }

    /// Months before the first one computed that the operations read.
    pub(crate) fn reach(&self) -> usize {
        self.features.iter().map(Feature::window).max().unwrap_or(1) - 1
    }

    /// How each feature is made.
    pub(crate) fn recipes(&self) -> impl Iterator<Item = Recipe> {
        self.features.iter().map(|feature| feature.recipe)
    }
}

fn schema_hash(features: &[Feature]) -> String {
    // FNV-1a: stable between versions of the program and of its libraries, which the standard hasher is not.
    let mut hash = 0xcbf2_9ce4_8422_2325u64;
    for feature in features {
        let Recipe { series, operation, months } = feature.recipe;
        let text = format!("{}|{}|{operation:?}|{months}\n", feature.name, series.name());
        hash = text.bytes().fold(hash, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    }
    format!("{hash:016x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_builtin_catalogue_is_sound() {
        let catalogue = Catalogue::builtin().unwrap();
        assert!((150..=180).contains(&catalogue.features().len()), "{}", catalogue.features().len());
        for feature in catalogue.features() {
            let text = [&feature.formula, &feature.missing, &feature.label_fr];
            assert!(text.iter().all(|text| !text.is_empty()), "{} lacks a text", feature.name);
            let known = feature.source.split('+').all(|source| source.parse::<domain::Source>().is_ok());
            assert!(known, "{}: {}", feature.name, feature.source);
        }
        let used: std::collections::BTreeSet<Series> = catalogue.recipes().map(|recipe| recipe.series).collect();
        let unused: Vec<&str> = Series::ALL.iter().filter(|series| !used.contains(series)).map(|series| series.name()).collect();
        assert_eq!(unused, [""; 0], "series that no feature is made of");
        let labels: std::collections::BTreeSet<&str> = catalogue.features().iter().map(|feature| feature.label_fr.as_str()).collect();
        assert_eq!(labels.len(), catalogue.features().len(), "two features have the same label");
        for group in catalogue.groups() {
            assert!(catalogue.features().iter().any(|feature| feature.group == group.name), "{} is empty", group.name);
        }
    }

    #[test]
    fn categories_are_read_as_codes() {
        let catalogue = Catalogue::builtin().unwrap();
        let read = |name: &str, value: f32| catalogue.features()[catalogue.index_of(name).unwrap()].category_fr(value);
        let rhone = Department::all().position(|department| department.code() == "69").unwrap();
        assert_eq!(read("department", rhone as f32).unwrap(), "Rhône (69)");
        assert_eq!(read("naf_division", 1.0).unwrap(), "01");
        for none in [read("department", 500.0), read("department", f32::NAN), read("department", -1.0), read("headcount", 12.0)] {
            assert_eq!(none, None);
        }
    }

    #[test]
    fn mistakes_are_refused_by_name() {
        let group = |series: &str, unit: &str, operation: &str, months: usize| {
            format!(
                "name='g'\nlabel_fr='G'\n[[series]]\nseries='{series}'\nsource='debit'\nunit='{unit}'\nconfidentiality='urssaf'\nformula='x'\n\
                 missing='x'\nlabel_fr='x'\nfeatures=[{{ name='f', operation='{operation}', months={months}, since=1 }}]"
            )
        };
        let parse = |series: &str, unit: &str, operation: &str, months: usize| Catalogue::parse(&[&group(series, unit, operation, months)]);
        assert!(parse("debt", "euros", "lag", 1).is_ok());
        assert!(parse("dept", "euros", "lag", 1).unwrap_err().to_string().contains("'dept'"));
        assert!(parse("debt", "euros", "lag", 0).is_err());
        assert!(parse("debt", "euros", "level", 1).is_err());
        assert!(parse("debt", "euros", "magic", 1).is_err());
        assert!(parse("naf_division", "category", "lag", 1).is_err());
        let text = group("debt", "euros", "lag", 1);
        assert!(Catalogue::parse(&[&text, &text]).unwrap_err().to_string().contains("twice"));
    }

    #[test]
    fn the_hash_follows_meaning_only() {
        let with = |from: &str, to: &str| {
            let texts = BUILTIN.map(|text| text.replace(from, to));
            Catalogue::parse(&texts.each_ref().map(String::as_str)).unwrap().schema_hash().to_owned()
        };
        let builtin = Catalogue::builtin().unwrap();
        let hash = builtin.schema_hash();
        assert_eq!(with("label_fr = \"Dette", "label_fr = \"La dette"), hash);
        assert_ne!(with("months = 12", "months = 11"), hash);
    }

    #[test]
    fn texts_follow_from_the_operation() {
        let catalogue = Catalogue::builtin().unwrap();
        let feature = |name: &str| &catalogue.features()[catalogue.index_of(name).unwrap()];
        let lag = feature("debt_employee_lag3");
        assert_eq!(lag.label_fr, "Dette sociale, part salariale, il y a 3 mois");
        assert_eq!(lag.formula, "employees' part of the debt, 3 months ago");
        assert_eq!((lag.unit, lag.window()), (Unit::Euros, 4));
        let change = feature("headcount_change12");
        assert_eq!((change.unit, change.monotone, change.window()), (Unit::Share, -1, 13));
        assert_eq!(change.missing, "unknown for two years, then or now, or not positive then");
        assert_eq!(feature("debt_months_12").unit, Unit::Months);
        assert!(feature("naf_division").is_categorical());
    }
}
