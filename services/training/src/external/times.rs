//! The times of a file: their order, how far apart they are, and the sides that they make. Pure.

use crate::error::TrainingError;
use crate::rows::Side;

/// The times of a file in their order.
#[derive(Debug, Default)]
pub(super) struct Times {
    names: Vec<Box<str>>,
    /// Where each is: a whole number as it stands, a month or a day as the number of its month, others by their place.
    positions: Vec<i64>,
}

/// What the rows of a time are: whether one has an outcome, and the sides given to those that have.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Seen {
    /// Whether a row has an outcome.
    pub(super) labelled: bool,
    /// The sides of such rows, a bit for each.
    pub(super) sides: u8,
}

impl Times {
    /// Sorts times: as numbers or months where all are, as text otherwise.
    pub(super) fn of(mut names: Vec<Box<str>>) -> Self {
        names.sort_unstable();
        let read = |of: fn(&str) -> Option<i64>| names.iter().map(|name| of(name)).collect::<Option<Vec<i64>>>();
        let Some(positions) = read(|name| name.parse().ok()).or_else(|| read(month)) else {
            return Self { positions: (0..).take(names.len()).collect(), names };
        };
        let mut both: Vec<(i64, Box<str>)> = positions.into_iter().zip(names).collect();
        both.sort_by_key(|(position, _)| *position);
        let (positions, names) = both.into_iter().unzip();
        Self { names, positions }
    }

    /// The times, each with its place.
    pub(super) fn places(&self) -> impl Iterator<Item = (i32, &str)> {
        (0..).zip(self.names.iter().map(AsRef::as_ref))
    }

    /// The name of a time.
    pub(super) fn name(&self, place: i32) -> &str {
        usize::try_from(place).ok().and_then(|place| self.names.get(place)).map_or("", AsRef::as_ref)
    }

    /// The side of each time: of those with an outcome the last fifth tests, the one before validates, and those that are more than
    /// `embargo` before it train.
    pub(super) fn divide(&self, seen: &[Seen], embargo: u16) -> Result<Vec<Option<Side>>, TrainingError> {
        let labelled: Vec<i64> = self.positions.iter().zip(seen).filter(|(_, seen)| seen.labelled).map(|(position, _)| *position).collect();
        let fifth = (labelled.len() / 5).max(1);
        let from_end = |times: usize| labelled.len().checked_sub(times).and_then(|place| labelled.get(place)).copied();
        let none_left = || {
            let times = labelled.len();
            TrainingError::External(format!(
                "{times} times with an outcome are too few for an embargo of {embargo}: none is left to train on"
            ))
        };
        let (validation, test) = from_end(2 * fifth).zip(from_end(fifth)).ok_or_else(none_left)?;
        let side = |position: i64| match position {
            _ if position >= test => Some(Side::Test),
            _ if position >= validation => Some(Side::Validation),
            _ if position < validation - i64::from(embargo) => Some(Side::Train),
            _ => None,
        };
        if labelled.first().is_none_or(|first| side(*first) != Some(Side::Train)) {
            return Err(none_left());
        }
        Ok(self.positions.iter().map(|position| side(*position)).collect())
    }

    /// Whether given sides follow each other in time, with more than the embargo between the first two.
    pub(super) fn check(&self, seen: &[Seen], embargo: u16) -> Result<(), TrainingError> {
        let span = |side: Side| {
            let mut places = (0..seen.len()).filter(|place| seen[*place].sides & (1 << side as u8) != 0);
            let first = places.next()?;
            Some((first, places.next_back().unwrap_or(first)))
        };
        let [Some(train), Some(validation), Some(test)] = Side::ALL.map(span) else {
            let why = "an embargo is of three sides with outcomes: give train, validation and test";
            return Err(TrainingError::External(why.to_owned()));
        };
        let apart = self.positions[validation.0] - self.positions[train.1];
        if apart > i64::from(embargo) && test.0 > validation.1 {
            return Ok(());
        }
        let name = |place: usize| self.names[place].as_ref();
        Err(TrainingError::External(format!(
            "the sides do not follow each other in time: train ends at {}, validation is {} to {}, test begins at {}, with an embargo of {embargo}",
            name(train.1),
            name(validation.0),
            name(validation.1),
            name(test.0)
        )))
    }
}

/// The number of the month of `YYYY-MM`, or of a day or an instant in it.
fn month(name: &str) -> Option<i64> {
    let month = name.get(..7)?.parse::<domain::Month>().ok()?;
    matches!(name.as_bytes().get(7), None | Some(b'-')).then(|| month.index().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(names: &[&str]) -> Times {
        Times::of(names.iter().map(|name| (*name).into()).collect())
    }

    fn labelled(times: &Times, labelled: impl Fn(&str) -> bool) -> Vec<Seen> {
        times.places().map(|(_, name)| Seen { labelled: labelled(name), sides: 0 }).collect()
    }

    #[test]
    fn times_are_sorted_by_what_they_are() {
        let sorted = |names: &[&str]| times(names).places().map(|(_, name)| name.to_owned()).collect::<Vec<_>>();
        assert_eq!(sorted(&["10", "9", "-1"]), ["-1", "9", "10"]);
        assert_eq!(sorted(&["2021-01-31", "2020-12-31"]), ["2020-12-31", "2021-01-31"]);
        assert_eq!(sorted(&["T2", "T10", "T1"]), ["T1", "T10", "T2"], "as text");
    }

    #[test]
    fn only_times_with_an_outcome_are_divided_and_months_count_as_months() {
        // Every third month of five years, the last one and a half without outcome.
        let names: Vec<String> = (0..20).map(|quarter| format!("{}-{:02}", 2019 + quarter / 4, 1 + quarter % 4 * 3)).collect();
        let times = times(&names.iter().map(String::as_str).collect::<Vec<_>>());
        let seen = labelled(&times, |name| name < "2022-08");
        let sides = times.divide(&seen, 6).unwrap();
        let of = |side| times.places().filter(|(place, _)| sides[*place as usize] == Some(side)).map(|(_, name)| name).collect::<Vec<_>>();
        assert_eq!(of(Side::Validation), ["2021-04", "2021-07", "2021-10"]);
        assert_eq!(of(Side::Test)[..3], ["2022-01", "2022-04", "2022-07"]);
        assert_eq!(of(Side::Train).last(), Some(&"2020-07"), "more than six months before April 2021");
        assert!(times.divide(&seen, 40).unwrap_err().to_string().contains("none is left"));
    }

    #[test]
    fn sides_whose_embargo_is_not_in_the_file_are_apart() {
        let times = times(&["2020-11", "2020-12", "2022-07", "2022-08"]);
        let sides = |given: [u8; 4]| given.map(|side| Seen { labelled: true, sides: 1 << side });
        assert!(times.check(&sides([0, 0, 1, 2]), 18).is_ok());
        assert!(times.check(&sides([0, 0, 1, 2]), 19).is_err());
        assert!(times.check(&sides([0, 1, 2, 1]), 0).is_err(), "validation on both sides of test");
        assert!(times.check(&sides([0, 0, 1, 1]), 0).is_err(), "nothing tests");
    }
}
