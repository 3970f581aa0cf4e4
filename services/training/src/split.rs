//! Which rows train, validate and test: the protocols of `design.md` §6, as pure functions of months and companies.

use domain::{Month, Siren};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Months between a row and the end of its label.
pub const HORIZON: i32 = 18;
const TEST_MONTHS: i32 = 22;
const VALIDATION_MONTHS: i32 = 24;
const LEAST_TRAINING_MONTHS: i32 = 12;

/// How rows are divided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    /// By time, with an embargo as long as the label's horizon before validation: the default.
    Holdout,
    /// The holdout at several origins, a year apart.
    Rolling,
    /// Companies at random, all periods mixed: the published evaluation of March 2024, for comparison only.
    Lenient,
}

impl Protocol {
    /// Reads the name of a protocol; empty means the default.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "" | "holdout" => Some(Self::Holdout),
            "rolling" => Some(Self::Rolling),
            "lenient" => Some(Self::Lenient),
            _ => None,
        }
    }

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Holdout => "holdout",
            Self::Rolling => "rolling",
            Self::Lenient => "lenient",
        }
    }
}

/// A period of months, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Period {
    /// First month.
    pub from: Month,
    /// Last month.
    pub to: Month,
}

impl Period {
    /// Whether the month is inside.
    pub fn contains(self, month: Month) -> bool {
        self.from <= month && month <= self.to
    }
}

/// What a row is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Fits the model.
    Train,
    /// Stops it early, calibrates it, sets its thresholds.
    Validation,
    /// Read once, to report.
    Test,
}

/// A division of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Split {
    /// Months of the training rows.
    pub train: Period,
    /// Months of the validation rows.
    pub validation: Period,
    /// Months of the test rows.
    pub test: Period,
    /// Whether companies, not months, tell the roles apart.
    pub by_company: bool,
}

/// Why no split can be made.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{months} months of rows with a known outcome ({from} to {to}) are too few: at least {least} are needed; deliver a longer history")]
pub struct TooShort {
    months: i32,
    from: Month,
    to: Month,
    least: i32,
}

impl Split {
    /// The split of a protocol, for rows from `first` whose outcome is known up to `last_known`
    /// (the last month of the batch). Sizes and their reasons: `docs/decisions/0007-honest-split.md`.
    pub fn new(protocol: Protocol, first: Month, last_known: Month) -> Result<Self, TooShort> {
        let last = last_known.plus(-HORIZON);
        match protocol {
            Protocol::Holdout | Protocol::Rolling => Self::by_time(first, last),
            Protocol::Lenient => {
                let months = last.since(first) + 1;
                let all = Period { from: first, to: last };
                if months < LEAST_TRAINING_MONTHS {
                    return Err(TooShort { months, from: first, to: last, least: LEAST_TRAINING_MONTHS });
                }
                Ok(Self { train: all, validation: all, test: all, by_company: true })
            }
        }
    }

    /// The splits of rolling origins, the latest first: each pretends to stand a year earlier.
    pub fn origins(first: Month, last_known: Month) -> Result<Vec<Self>, TooShort> {
        let latest = Self::new(Protocol::Holdout, first, last_known)?;
        let earlier = (1..).map_while(|years| Self::new(Protocol::Holdout, first, last_known.plus(-12 * years)).ok());
        Ok(std::iter::once(latest).chain(earlier).collect())
    }

    fn by_time(first: Month, last: Month) -> Result<Self, TooShort> {
        let months = last.since(first) + 1;
        let free = months - HORIZON - LEAST_TRAINING_MONTHS;
        if free < 6 {
            return Err(TooShort { months, from: first, to: last, least: HORIZON + LEAST_TRAINING_MONTHS + 6 });
        }
        let test = TEST_MONTHS.min(free * TEST_MONTHS / (TEST_MONTHS + VALIDATION_MONTHS));
        let validation = VALIDATION_MONTHS.min(free - test);
        let test = Period { from: last.plus(1 - test), to: last };
        let validation = Period { from: test.from.plus(-validation), to: test.from.plus(-1) };
        let train = Period { from: first, to: validation.from.plus(-HORIZON - 1) };
        Ok(Self { train, validation, test, by_company: false })
    }

    /// What a row is used for; `None` when it is in no period, for example in the embargo.
    pub fn role(&self, siren: Siren, month: Month) -> Option<Role> {
        if self.by_company {
            return self.train.contains(month).then(|| match hash(siren) % 5 {
                0 => Role::Test,
                1 => Role::Validation,
                _ => Role::Train,
            });
        }
        if self.train.contains(month) {
            Some(Role::Train)
        } else if self.validation.contains(month) {
            Some(Role::Validation)
        } else {
            self.test.contains(month).then_some(Role::Test)
        }
    }
}

/// One of five folds, fixed for a name.
pub fn fold(name: &[u8]) -> u64 {
    scramble(name.iter().fold(0, |hash: u64, byte| hash.wrapping_mul(31).wrapping_add(u64::from(*byte)))) % 5
}

/// A fixed scrambling of a SIREN (the finaliser of SplitMix64), so that neighbours fall on different sides.
fn hash(siren: Siren) -> u64 {
    scramble(siren.number().into())
}

fn scramble(number: u64) -> u64 {
    let mut x = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn month(text: &str) -> Month {
        text.parse().unwrap()
    }

    #[test]
    fn the_periods_of_a_full_history() {
        let split = Split::new(Protocol::Holdout, month("2016-01"), month("2025-10")).unwrap();
        let text = |period: Period| format!("{}..{}", period.from, period.to);
        assert_eq!(text(split.train), "2016-01..2018-12");
        assert_eq!(text(split.validation), "2020-07..2022-06");
        assert_eq!(text(split.test), "2022-07..2024-04");
        assert_eq!(split.role(Siren::from_number(1).unwrap(), month("2019-06")), None, "embargo");
    }

    #[test]
    fn a_short_history_is_refused_with_what_is_missing() {
        let error = Split::new(Protocol::Holdout, month("2023-01"), month("2025-10")).unwrap_err();
        assert!(error.to_string().contains("2023-01 to 2024-04"), "{error}");
    }

    #[test]
    fn origins_go_back_year_by_year() {
        let origins = Split::origins(month("2016-01"), month("2025-10")).unwrap();
        assert!(origins.len() >= 4);
        assert!(origins.windows(2).all(|pair| pair[0].test.to.since(pair[1].test.to) == 12));
    }

    proptest! {
        #[test]
        fn no_training_label_reaches_validation(years in 4i32..12, offset in 0i32..12) {
            let first = month("2014-01").plus(offset);
            let last_known = first.plus(years * 12);
            if let Ok(split) = Split::new(Protocol::Holdout, first, last_known) {
                prop_assert!(split.train.from <= split.train.to);
                prop_assert!(split.train.to.plus(HORIZON) < split.validation.from);
                prop_assert_eq!(split.validation.to.plus(1), split.test.from);
                prop_assert!(split.test.to.plus(HORIZON) <= last_known);
            }
        }

        #[test]
        fn lenient_companies_stand_on_one_side(number in 0u32..1_000_000_000, months in 0i32..100) {
            let split = Split::new(Protocol::Lenient, month("2016-01"), month("2025-10")).unwrap();
            let siren = Siren::from_number(number).unwrap();
            prop_assert_eq!(split.role(siren, split.train.from.plus(months % 99)), split.role(siren, split.train.from));
        }
    }
}
