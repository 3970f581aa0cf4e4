//! NAF: the French nomenclature of activities. Codes carry their nomenclature, because INSEE is moving from rev. 2 to NAF 2025.

use std::fmt;
use std::sync::OnceLock;

use serde::{Deserialize, Serialize};

/// The 732 sub-classes of NAF rev. 2 and their labels (INSEE, open licence), by code.
const NAF_LABELS: &str = include_str!("naf_labels.tsv");
static LABELS: OnceLock<Vec<(&str, &str)>> = OnceLock::new();

/// Which nomenclature a code belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum NafNomenclature {
    /// NAF rev. 2, in force since 2008.
    Rev2,
    /// NAF 2025.
    Naf2025,
    /// NAF rev. 1, NAF 1993, NAP 1973: units closed before 2008.
    Older,
}

/// An activity: a code of the form `52.21Z` and its nomenclature.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NafCode {
    code: [u8; 6],
    nomenclature: NafNomenclature,
}

impl NafCode {
    /// Reads two digits, a dot, two digits and a capital letter. `None` for any other shape.
    pub fn parse(text: &str, nomenclature: NafNomenclature) -> Option<Self> {
        let code: [u8; 6] = text.as_bytes().try_into().ok()?;
        let digits = [0, 1, 3, 4].iter().all(|&position| code[position].is_ascii_digit());
        (digits && code[2] == b'.' && code[5].is_ascii_uppercase()).then_some(Self { code, nomenclature })
    }

    /// The code with its dot, as INSEE writes it.
    pub fn as_str(&self) -> &str {
        // Checked ASCII by the constructor.
        std::str::from_utf8(&self.code).unwrap_or_default()
    }

    /// Its nomenclature.
    pub const fn nomenclature(self) -> NafNomenclature {
        self.nomenclature
    }

    /// Division: the first two digits.
    pub const fn division(self) -> u8 {
        (self.code[0] - b'0') * 10 + self.code[1] - b'0'
    }

    /// Section of the division; `None` for a division that does not exist or a nomenclature older than rev. 2.
    pub fn section(self) -> Option<NafSection> {
        if self.nomenclature == NafNomenclature::Older { None } else { NafSection::of_division(self.division()) }
    }

    /// INSEE's label of the activity; `None` for a code that NAF rev. 2 does not have, and for other nomenclatures.
    pub fn label_fr(self) -> Option<&'static str> {
        if self.nomenclature != NafNomenclature::Rev2 {
            return None;
        }
        let labels = LABELS.get_or_init(|| NAF_LABELS.lines().filter_map(|line| line.split_once('\t')).collect());
        let found = labels.binary_search_by_key(&self.as_str(), |(code, _)| code).ok()?;
        labels.get(found).map(|(_, label)| *label)
    }

    /// Whether companies of this activity are outside the perimeter (`domain/ingestion.md` §2.5-B.2).
    pub fn is_excluded(self) -> bool {
        self.nomenclature == NafNomenclature::Rev2 && EXCLUDED.contains(&self.as_str())
    }
}

impl fmt::Display for NafCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for NafCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{:?}", self.as_str(), self.nomenclature)
    }
}

/// One of the 21 sections, `A` to `U`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NafSection(u8);

impl NafSection {
    /// All sections.
    pub fn all() -> impl ExactSizeIterator<Item = Self> {
        (0..SECTIONS.len() as u8).map(Self)
    }

    /// The section with this letter.
    pub fn from_letter(letter: char) -> Option<Self> {
        SECTIONS.iter().position(|row| row.0 == letter).map(|position| Self(position as u8))
    }

    /// The section that holds this division.
    pub fn of_division(division: u8) -> Option<Self> {
        SECTIONS.iter().position(|row| row.2.contains(&division)).map(|position| Self(position as u8))
    }

    /// Its letter.
    pub const fn letter(self) -> char {
        SECTIONS[self.0 as usize].0
    }

    /// French label.
    pub const fn label_fr(self) -> &'static str {
        SECTIONS[self.0 as usize].1
    }

    /// Its divisions, two digits each.
    pub const fn divisions(self) -> &'static [u8] {
        SECTIONS[self.0 as usize].2
    }
}

/// Letter, French label and divisions of each section (NAF rev. 2).
const SECTIONS: [(char, &str, &[u8]); 21] = [
    ('A', "Agriculture, sylviculture et pêche", &[1, 2, 3]),
    ('B', "Industries extractives", &[5, 6, 7, 8, 9]),
    ('C', "Industrie manufacturière", &[10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33]),
    ('D', "Production et distribution d'électricité, de gaz, de vapeur et d'air conditionné", &[35]),
    ('E', "Production et distribution d'eau ; assainissement, gestion des déchets et dépollution", &[36, 37, 38, 39]),
    ('F', "Construction", &[41, 42, 43]),
    ('G', "Commerce ; réparation d'automobiles et de motocycles", &[45, 46, 47]),
    ('H', "Transports et entreposage", &[49, 50, 51, 52, 53]),
    ('I', "Hébergement et restauration", &[55, 56]),
    ('J', "Information et communication", &[58, 59, 60, 61, 62, 63]),
    ('K', "Activités financières et d'assurance", &[64, 65, 66]),
    ('L', "Activités immobilières", &[68]),
    ('M', "Activités spécialisées, scientifiques et techniques", &[69, 70, 71, 72, 73, 74, 75]),
    ('N', "Activités de services administratifs et de soutien", &[77, 78, 79, 80, 81, 82]),
    ('O', "Administration publique", &[84]),
    ('P', "Enseignement", &[85]),
    ('Q', "Santé humaine et action sociale", &[86, 87, 88]),
    ('R', "Arts, spectacles et activités récréatives", &[90, 91, 92, 93]),
    ('S', "Autres activités de services", &[94, 95, 96]),
    (
        'T',
        "Activités des ménages en tant qu'employeurs ; activités indifférenciées des ménages en tant que producteurs de biens et services pour usage propre",
        &[97, 98],
    ),
    ('U', "Activités extra-territoriales", &[99]),
];

/// Sub-classes outside the perimeter: public administration, education, associations, finance, extra-territorial bodies.
const EXCLUDED: [&str; 41] = [
    "84.11Z", "84.12Z", "84.13Z", "84.21Z", "84.22Z", "84.23Z", "84.24Z", "84.25Z", "84.30A", "84.30B", "84.30C", "85.10Z", "85.20Z",
    "85.31Z", "85.32Z", "85.41Z", "85.42Z", "94.11Z", "94.12Z", "94.20Z", "94.91Z", "94.92Z", "64.11Z", "64.19Z", "64.30Z", "64.91Z",
    "64.92Z", "64.99Z", "65.11Z", "65.12Z", "65.20Z", "65.30Z", "66.11Z", "66.12Z", "66.19A", "66.19B", "66.21Z", "66.22Z", "66.29Z",
    "66.30Z", "99.00Z",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nomenclature_has_21_sections_and_88_divisions() {
        assert_eq!(NafSection::all().len(), 21);
        assert_eq!(NafSection::all().map(|section| section.divisions().len()).sum::<usize>(), 88);
        assert_eq!(NafSection::of_division(4), None, "division 04 does not exist");
        assert_eq!(NafSection::from_letter('C').unwrap().divisions().len(), 24);
    }

    #[test]
    fn codes_have_one_shape() {
        let rev2 = |text| NafCode::parse(text, NafNomenclature::Rev2);
        let code = rev2("52.21Z").unwrap();
        assert_eq!((code.division(), code.section().unwrap().letter()), (52, 'H'));
        for bad in ["5221Z", "52.21z", "52.2Z", "", "97.90", "52-21Z"] {
            assert_eq!(rev2(bad), None, "{bad}");
        }
        assert_eq!(NafCode::parse("28.41X", NafNomenclature::Older).unwrap().section(), None);
    }

    #[test]
    fn exclusions_hold_for_rev2_only() {
        assert!(NafCode::parse("84.11Z", NafNomenclature::Rev2).unwrap().is_excluded());
        assert!(!NafCode::parse("84.11Z", NafNomenclature::Naf2025).unwrap().is_excluded());
        assert!(!NafCode::parse("64.20Z", NafNomenclature::Rev2).unwrap().is_excluded(), "holdings stay");
    }

    #[test]
    fn sub_classes_have_their_labels() {
        let label = |code: &str| NafCode::parse(code, NafNomenclature::Rev2).unwrap().label_fr();
        assert_eq!(label("01.12Z"), Some("Culture du riz"));
        assert_eq!(label("01.99Z"), None);
        let codes: Vec<&str> = NAF_LABELS.lines().filter_map(|line| line.split_once('\t')).map(|(code, _)| code).collect();
        assert!(codes.len() == 732 && codes.is_sorted());
        assert!(codes.iter().all(|code| label(code).is_some_and(|label| !label.is_empty())));
    }
}
