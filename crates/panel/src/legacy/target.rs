//! What the earlier generations learnt to foresee (`domain/model.md` §1.3): the lenient targets.

use domain::{Month, NaiveDate};

/// Months of default that made an establishment fail.
const DEFAULT: usize = 3;

/// The months in default: debts are above a month's contributions for the third time or more, of a series of debt ratios (NaN where
/// unknown). As published, a month without any debt is skipped: it does not end the count. Strictly, it does.
pub fn defaults(ratios: &[f64], strict: bool) -> impl Iterator<Item = usize> + '_ {
    let mut months = 0;
    (0..).zip(ratios).filter_map(move |(month, &ratio)| {
        if ratio > 1.0 {
            months += 1;
        } else if strict || ratio > 0.0 {
            months = 0;
        }
        (ratio > 1.0 && months >= DEFAULT).then_some(month)
    })
}

/// The outcome of generations one to three at a month.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    /// Whether the event is at most the horizon away: ahead, or behind.
    pub outcome: bool,
    /// Months until the event, negative after it; `None` without any event.
    pub months_until: Option<i32>,
}

/// The outcome at month `index` of an event at month `event`. A latched event (a proceeding) never ends: it happens again
/// every month.
pub fn outcome(index: i32, event: Option<i32>, horizon: i32, latched: bool) -> Outcome {
    let months_until = event.map(|event| if latched { (event - index).max(0) } else { event - index });
    Outcome { outcome: months_until.is_some_and(|months| months.abs() <= horizon), months_until }
}

/// The target of the fifth generation: the first judgment is less than `horizon` months after the month, or before it, even
/// if the company recovered.
pub fn judged_within(month: Month, first_judgment: Option<NaiveDate>, horizon: i32) -> bool {
    first_judgment.is_some_and(|day| month.plus(horizon).first_day() >= day)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `domain/model.md` §11, vector 1.
    #[test]
    fn a_month_without_debt_did_not_end_a_default() {
        let first = |ratios: &[f64], strict| defaults(ratios, strict).next();
        for (ratios, published, strict) in
            [([1.2, 1.3, 0.0, 1.1], Some(3), None), ([1.2, 1.3, 0.5, 1.1], None, None), ([1.2, 1.3, 1.4, 0.0], Some(2), Some(2))]
        {
            assert_eq!((first(&ratios, false), first(&ratios, true)), (published, strict), "{ratios:?}");
        }
        assert_eq!(first(&[1.2, f64::NAN, 1.3, 1.1], false), Some(3), "unknown counts as none");
        assert_eq!(defaults(&[1.2, 1.3, 1.1, 0.0, 1.4, 0.9, 1.1], false).collect::<Vec<_>>(), [2, 4]);
    }

    /// `domain/model.md` §11, vector 2.
    #[test]
    fn the_outcome_looks_both_ways() {
        let at = |index: i32| outcome(index, Some(20), 18, false);
        let is = |outcome: bool, months: i32| Outcome { outcome, months_until: Some(months) };
        assert_eq!([0, 1].map(at), [is(false, 20), is(false, 19)]);
        for index in 2..=38 {
            assert_eq!(at(index), is(true, 20 - index));
        }
        assert_eq!([39, 40].map(at), [is(false, -19), is(false, -20)]);
        assert_eq!(outcome(40, Some(20), 18, true), is(true, 0));
        assert_eq!(outcome(7, None, 18, true), Outcome { outcome: false, months_until: None });
    }

    /// `domain/model.md` §11, vector 3.
    #[test]
    fn the_target_of_the_fifth_generation_never_ends() {
        let judged = domain::dates::parse_iso(b"2018-07-15");
        let label = |month: &str| judged_within(month.parse().unwrap(), judged, 18);
        assert_eq!(["2017-01", "2017-02", "2019-01"].map(label), [false, true, true]);
        assert!(!judged_within("2019-01".parse().unwrap(), None, 18));
    }
}
