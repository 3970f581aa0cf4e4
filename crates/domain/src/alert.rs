//! Alert levels of a ranked list.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A text that is not an alert level.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("'{0}' is not an alert level: expected none, moderate or high")]
pub struct AlertLevelError(String);

/// How strongly a company is signalled. Levels compare by severity.
///
/// The labels of the existing system ("Alerte seuil F1", "F2", "F1/2") exist only where its files are read or written
/// (`domain/model.md` §4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlertLevel {
    /// Below both thresholds.
    None,
    /// At or above the threshold that maximises F2: recall first.
    Moderate,
    /// At or above the threshold that maximises F0.5: precision first.
    High,
}

impl AlertLevel {
    /// The level of a probability. Both thresholds are included (`design.md` §6).
    pub fn of(probability: f64, moderate: f64, high: f64) -> Self {
        if probability >= high {
            Self::High
        } else if probability >= moderate {
            Self::Moderate
        } else {
            Self::None
        }
    }

    /// Lower-case English name, used in files and on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Moderate => "moderate",
            Self::High => "high",
        }
    }

    /// What agents read.
    pub const fn label_fr(self) -> &'static str {
        match self {
            Self::None => "pas d'alerte",
            Self::Moderate => "risque modéré",
            Self::High => "risque élevé",
        }
    }
}

impl fmt::Display for AlertLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for AlertLevel {
    type Err = AlertLevelError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [Self::None, Self::Moderate, Self::High]
            .into_iter()
            .find(|level| level.name() == text)
            .ok_or_else(|| AlertLevelError(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_are_included() {
        for (p, level) in [(0.65, AlertLevel::Moderate), (0.88, AlertLevel::High), (0.6499, AlertLevel::None)] {
            assert_eq!(AlertLevel::of(p, 0.65, 0.88), level);
        }
        assert!(AlertLevel::High > AlertLevel::Moderate && AlertLevel::Moderate > AlertLevel::None);
        assert_eq!("high".parse(), Ok(AlertLevel::High));
        assert!("F1".parse::<AlertLevel>().is_err());
    }
}
