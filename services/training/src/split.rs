//! Which rows train, validate and test: the protocols of `design.md` §6, as pure functions of months and companies.

use domain::Month;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::rows::{Row, Side};

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
    /// The same periods, and companies apart besides: what a model knows of companies it has never seen.
    Disjoint,
    /// The holdout at several origins, a year apart.
    Rolling,
    /// Companies at random, all periods mixed, companies in a proceeding counted as failing: the published evaluation of
    /// March 2024, for comparison only.
    Lenient,
    /// The sides that a file gives, or its entities at random.
    Given,
    /// The times of a file, in their order: what is known of an entity may be of several sides.
    GivenByTime,
}

impl Protocol {
    /// Those that can be asked for.
    pub const ALL: [Self; 4] = [Self::Holdout, Self::Disjoint, Self::Rolling, Self::Lenient];

    /// Reads the name of a protocol; empty means the default.
    pub fn parse(name: &str) -> Option<Self> {
        if name.is_empty() { Some(Self::Holdout) } else { Self::ALL.into_iter().find(|protocol| protocol.name() == name) }
    }

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Holdout => "holdout",
            Self::Disjoint => "disjoint",
            Self::Rolling => "rolling",
            Self::Lenient => "lenient",
            Self::Given => "given",
            Self::GivenByTime => "given_by_time",
        }
    }

    /// Whether the sides are those of a file, whose times are not months.
    pub const fn is_of_a_file(self) -> bool {
        matches!(self, Self::Given | Self::GivenByTime)
    }

    /// Whether an entity must stand on one side only.
    pub const fn forbids_overlap(self) -> bool {
        matches!(self, Self::Disjoint | Self::Lenient | Self::Given)
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
    /// Whether the month of this index is inside.
    pub const fn holds(self, time: i32) -> bool {
        self.from.index() <= time && time <= self.to.index()
    }
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
    /// Which protocol it follows.
    pub protocol: Protocol,
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
    /// The split of a protocol, for rows from `first` whose proceedings are known up to `last_known`
    /// ([`panel::reach`]; the last month of the batch, when its files are whole). Sizes and their reasons: `docs/decisions/0007-honest-split.md`.
    pub fn new(protocol: Protocol, first: Month, last_known: Month) -> Result<Self, TooShort> {
        let last = last_known.plus(-HORIZON);
        match protocol {
            Protocol::Holdout | Protocol::Rolling | Protocol::Disjoint => Self::by_time(protocol, first, last),
            Protocol::Given | Protocol::GivenByTime => Ok(Self::given(protocol)),
            Protocol::Lenient => {
                let months = last.since(first) + 1;
                let all = Period { from: first, to: last };
                if months < LEAST_TRAINING_MONTHS {
                    return Err(TooShort { months, from: first, to: last, least: LEAST_TRAINING_MONTHS });
                }
                Ok(Self { train: all, validation: all, test: all, protocol })
            }
        }
    }

    /// The split of a file, whose rows carry their sides: [`Protocol::Given`] or [`Protocol::GivenByTime`].
    pub fn given(protocol: Protocol) -> Self {
        let all = Period { from: ALWAYS, to: ALWAYS };
        Self { train: all, validation: all, test: all, protocol }
    }

    /// The splits of rolling origins, the latest first: each pretends to stand a year earlier.
    pub fn origins(first: Month, last_known: Month) -> Result<Vec<Self>, TooShort> {
        let latest = Self::new(Protocol::Rolling, first, last_known)?;
        let earlier = (1..).map_while(|years| Self::new(Protocol::Rolling, first, last_known.plus(-12 * years)).ok());
        Ok(std::iter::once(latest).chain(earlier).collect())
    }

    fn by_time(protocol: Protocol, first: Month, last: Month) -> Result<Self, TooShort> {
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
        Ok(Self { train, validation, test, protocol })
    }

    /// What a row is used for, and its outcome; `None` when it is in no period, for example in the embargo, or its outcome
    /// is not known.
    pub fn place(&self, row: &Row) -> Option<(Side, bool)> {
        match self.protocol {
            Protocol::Holdout | Protocol::Rolling => Some((self.period_of(row.time)?, row.label?)),
            Protocol::Disjoint => {
                let side = by_entity(row.entity);
                (self.period_of(row.time)? == side).then_some((side, row.label?))
            }
            Protocol::Lenient => self.train.holds(row.time).then_some((by_entity(row.entity), row.lenient?)),
            Protocol::Given => Some((row.side.unwrap_or_else(|| by_entity(row.entity)), row.label?)),
            Protocol::GivenByTime => Some((row.side?, row.label?)),
        }
    }

    fn period_of(&self, time: i32) -> Option<Side> {
        let periods = [(self.train, Side::Train), (self.validation, Side::Validation), (self.test, Side::Test)];
        periods.into_iter().find(|(period, _)| period.holds(time)).map(|(_, side)| side)
    }
}

/// Stands for the times of a file, which play no part.
const ALWAYS: Month = match Month::new(2000, 1) {
    Some(month) => month,
    None => unreachable!(),
};

/// The side of an entity where entities are divided: a fifth tests, a fifth validates.
fn by_entity(entity: u32) -> Side {
    match scramble(entity.into()) % 5 {
        0 => Side::Test,
        1 => Side::Validation,
        _ => Side::Train,
    }
}

/// A fixed scrambling of a number (the finaliser of SplitMix64), so that neighbours fall on different sides.
pub fn scramble(number: u64) -> u64 {
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

    fn row(entity: u32, time: &str) -> Row {
        Row { entity, time: month(time).index(), label: Some(true), lenient: Some(true), next: None, side: None }
    }

    #[test]
    fn the_periods_of_a_full_history() {
        let split = Split::new(Protocol::Holdout, month("2016-01"), month("2025-10")).unwrap();
        let text = |period: Period| format!("{}..{}", period.from, period.to);
        assert_eq!(text(split.train), "2016-01..2018-12");
        assert_eq!(text(split.validation), "2020-07..2022-06");
        assert_eq!(text(split.test), "2022-07..2024-04");
        assert_eq!(split.place(&row(1, "2019-06")), None, "embargo");
        assert_eq!(split.place(&row(1, "2018-06")), Some((Side::Train, true)));
        assert_eq!(split.place(&Row { label: None, ..row(1, "2018-06") }), None, "an outcome that is not known");
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
        assert!(origins.iter().all(|origin| origin.protocol == Protocol::Rolling), "reports tell them apart by it");
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
        fn companies_stand_on_one_side_where_they_must(number in 0u32..1_000_000_000, months in 0i32..100) {
            let (first, last) = (month("2016-01"), month("2025-10"));
            for protocol in [Protocol::Lenient, Protocol::Disjoint] {
                let split = Split::new(protocol, first, last).unwrap();
                let at = |months: i32| split.place(&Row { time: first.plus(months).index(), ..row(number, "2016-01") });
                let sides: Vec<_> = (0..100).filter_map(at).chain(at(months)).map(|(side, _)| side).collect();
                prop_assert!(sides.windows(2).all(|pair| pair[0] == pair[1]));
                prop_assert!(protocol == Protocol::Disjoint || sides.len() >= 99);
            }
        }
    }
}
