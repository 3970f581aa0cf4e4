//! Rows of INSEE's register SIRENE (`domain/ingestion.md` §1.1 to §1.3).

use chrono::NaiveDate;

use super::Text;
use crate::time_rules::ALWAYS_KNOWN;
use crate::{Department, HeadcountBand, LegalCategory, NafCode, Siren, Siret};

/// `sirene`: an establishment as INSEE describes it today. Texts are empty when INSEE gives none.
#[derive(Debug, Clone, PartialEq)]
pub struct Establishment {
    /// Identifier.
    pub siret: Siret,
    /// Whether it is the head office (siège).
    pub head_office: bool,
    /// Administrative state: open, not closed.
    pub active: bool,
    /// Day of creation.
    pub created: Option<NaiveDate>,
    /// Headcount band of INSEE.
    pub headcount_band: Option<HeadcountBand>,
    /// Main activity with its nomenclature.
    pub naf: Option<NafCode>,
    /// Whether INSEE gives an activity in another nomenclature than NAF rev. 2 (the existing system drops such rows).
    pub naf_not_rev2: bool,
    /// INSEE code of the commune, five characters; empty abroad and for protected units.
    pub commune_code: Text,
    /// Department of the commune.
    pub department: Option<Department>,
    /// Complement of the address.
    pub address_complement: Text,
    /// Number in the street.
    pub street_number: Text,
    /// BIS, TER, QUATER, QUINQUIES or empty.
    pub repetition: Text,
    /// Kind of street in full, for example AVENUE.
    pub street_type: Text,
    /// Name of the street.
    pub street: Text,
    /// Special distribution (BP, CS…).
    pub special_distribution: Text,
    /// Postal code, five digits or empty.
    pub postal_code: Text,
    /// Name of the commune.
    pub commune: Text,
    /// Commune abroad.
    pub foreign_commune: Text,
    /// CEDEX code.
    pub cedex_code: Text,
    /// CEDEX label.
    pub cedex: Text,
    /// Country code abroad.
    pub foreign_country_code: Text,
    /// Country abroad.
    pub foreign_country: Text,
    /// Degrees east.
    pub longitude: Option<f64>,
    /// Degrees north.
    pub latitude: Option<f64>,
}
record!(Establishment, Sirene, |row| row.siret.siren(), Siret: |row| row.siret, |row, _| row.created.unwrap_or(ALWAYS_KNOWN), |row| row.created);

/// `sirene_ul`: a legal unit as INSEE describes it today.
#[derive(Debug, Clone, PartialEq)]
pub struct LegalUnit {
    /// Identifier.
    pub siren: Siren,
    /// Company name, empty for a natural person.
    pub name: Text,
    /// First names of a natural person, separated by spaces.
    pub first_names: Text,
    /// Birth name of a natural person.
    pub last_name: Text,
    /// Name in use of a natural person.
    pub usual_name: Text,
    /// Legal category.
    pub legal_category: Option<LegalCategory>,
    /// Main activity with its nomenclature.
    pub naf: Option<NafCode>,
    /// Main activity in NAF 2025, when INSEE gives it.
    pub naf2025: Option<NafCode>,
    /// Headcount band of INSEE.
    pub headcount_band: Option<HeadcountBand>,
    /// Day of creation.
    pub created: Option<NaiveDate>,
    /// Administrative state: active, not ceased.
    pub active: bool,
}
record!(LegalUnit, SireneUl, |row| row.siren, Siren: |row| row.siren, |row, _| row.created.unwrap_or(ALWAYS_KNOWN), |row| row.created);

impl LegalUnit {
    /// Name for agents: the company name, or for a natural person `NOM [USAGE ]PRENOMS EI` (`domain/ingestion.md` §1.2).
    pub fn display_name(&self) -> String {
        if !self.name.is_empty() {
            return self.name.to_string();
        }
        let parts = [&self.last_name, &self.usual_name, &self.first_names];
        let person = parts.iter().filter(|part| !part.is_empty()).map(|part| part.as_str()).collect::<Vec<_>>().join(" ");
        if person.is_empty() { person } else { person + " EI" }
    }
}

/// `sirene_histo`: a state of an establishment from a day on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EstablishmentState {
    /// Establishment.
    pub siret: Siret,
    /// First day of the state; `None` for the first state known.
    pub start: Option<NaiveDate>,
    /// Last day of the state. Known only when the next one begins: features never read it.
    pub end: Option<NaiveDate>,
    /// Open, not closed.
    pub active: bool,
    /// Whether this state differs from the one before in being open or closed.
    pub changed: bool,
}
record!(EstablishmentState, SireneHisto, |row| row.siret.siren(), (Siret, Option<NaiveDate>): |row| (row.siret, row.start), |row, _| row.start.unwrap_or(ALWAYS_KNOWN), |row| row.start);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::Record;
    use crate::time_rules::TimeRules;

    #[test]
    fn natural_persons_are_named_with_their_status() {
        let mut unit = LegalUnit {
            siren: Siren::parse(b"732829320").unwrap(),
            name: Text::default(),
            first_names: "MATHILDE LOUISETTE".into(),
            last_name: "TOTO".into(),
            usual_name: "TITI".into(),
            legal_category: None,
            naf: None,
            naf2025: None,
            headcount_band: None,
            created: None,
            active: true,
        };
        assert_eq!(unit.display_name(), "TOTO TITI MATHILDE LOUISETTE EI");
        unit.name = "ACME".into();
        assert_eq!(unit.display_name(), "ACME");
        assert_eq!(unit.known_at(&TimeRules::default()), ALWAYS_KNOWN);
    }
}
