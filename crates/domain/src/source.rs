//! The sources: one per kind of file that a delivery may hold.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A text that is not a source name.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("'{0}' is not a source; the sources are: {known}", known = Source::ALL.map(Source::name).join(", "))]
pub struct SourceError(String);

/// Whether a delivery of a source replaces what was known or adds to it (`design.md` §3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Delivery {
    /// A delivery replaces all earlier ones.
    Stock,
    /// A delivery adds to the earlier ones.
    Flow,
}

impl Delivery {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Stock, Self::Flow];

    /// Name in tables, manifests and reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Stock => "stock",
            Self::Flow => "flow",
        }
    }

    /// The one of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|delivery| delivery.name() == name)
    }
}

/// A source file of `domain/ingestion.md` §1, under the name used everywhere: tables, reports, command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// INSEE: establishments.
    Sirene,
    /// INSEE: legal units.
    SireneUl,
    /// INSEE: past states of establishments.
    SireneHisto,
    /// Urssaf: headcount by establishment, account and month.
    Effectif,
    /// Urssaf: headcount by company and month.
    EffectifEnt,
    /// Urssaf: contributions due.
    Cotisation,
    /// Urssaf: debts.
    Debit,
    /// Urssaf: payment plans.
    Delai,
    /// Urssaf: decisions of the commissions of financial department heads.
    Ccsf,
    /// Urssaf: collective proceedings.
    Procol,
    /// DGEFP: short-time work consumed.
    Apconso,
    /// DGEFP: short-time work requested.
    Apdemande,
    /// Altares: payment delays towards suppliers.
    Paydex,
    /// DGE and INPI: financial ratios of published accounts.
    RatiosInpiBce,
    /// DILA: judgments announced in the official bulletin.
    Bodacc,
    /// Urssaf: accounts and their establishments, for deliveries before December 2025.
    AdminUrssaf,
    /// An explicit perimeter.
    Filter,
    /// Bureau van Dijk: accounts filed with the courts, 2018 to 2023.
    Diane,
    /// Banque de France: ratios of Bourgogne-Franche-Comté, 2018 to 2023.
    Bdf,
    /// Ellisphere: heads of groups and their subsidiaries, 2021 to 2025.
    Ellisphere,
}

impl Source {
    /// All sources, in the order of their import.
    pub const ALL: [Self; 20] = [
        // First, since it says whose the accounts of the other files are.
        Self::AdminUrssaf,
        Self::Sirene,
        Self::SireneUl,
        Self::SireneHisto,
        Self::Effectif,
        Self::EffectifEnt,
        Self::Cotisation,
        Self::Debit,
        Self::Delai,
        Self::Ccsf,
        Self::Procol,
        Self::Apconso,
        Self::Apdemande,
        Self::Paydex,
        Self::RatiosInpiBce,
        Self::Bodacc,
        Self::Filter,
        Self::Diane,
        Self::Bdf,
        Self::Ellisphere,
    ];

    /// Name in tables, reports and on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sirene => "sirene",
            Self::SireneUl => "sirene_ul",
            Self::SireneHisto => "sirene_histo",
            Self::Effectif => "effectif",
            Self::EffectifEnt => "effectif_ent",
            Self::Cotisation => "cotisation",
            Self::Debit => "debit",
            Self::Delai => "delai",
            Self::Ccsf => "ccsf",
            Self::Procol => "procol",
            Self::Apconso => "apconso",
            Self::Apdemande => "apdemande",
            Self::Paydex => "paydex",
            Self::RatiosInpiBce => "ratios_inpi_bce",
            Self::Bodacc => "bodacc",
            Self::AdminUrssaf => "admin_urssaf",
            Self::Filter => "filter",
            Self::Diane => "diane",
            Self::Bdf => "bdf",
            Self::Ellisphere => "ellisphere",
        }
    }

    /// Whether a delivery replaces or adds, when its manifest does not say. Every source is delivered whole each month,
    /// as the existing system treats them (`domain/ingestion.md` §2.3-6).
    pub const fn default_delivery(self) -> Delivery {
        Delivery::Stock
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Source {
    type Err = SourceError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|source| source.name() == text).ok_or_else(|| SourceError(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_read_back() {
        for source in Source::ALL {
            assert_eq!(source.name().parse(), Ok(source));
        }
        let error = "debits".parse::<Source>().unwrap_err().to_string();
        assert!(error.contains("debit,"), "{error}");
    }
}
