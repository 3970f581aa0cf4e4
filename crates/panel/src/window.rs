//! A run of consecutive months, indexed from zero.

use domain::{Month, NaiveDate};

/// The months from `first` on, `len` of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// First month.
    pub first: Month,
    /// Number of months.
    pub len: usize,
}

impl Window {
    /// From `first` to `last`, both included; empty when `last` is earlier.
    pub fn new(first: Month, last: Month) -> Self {
        Self { first, len: usize::try_from(last.since(first) + 1).unwrap_or(0) }
    }

    /// The same preceded by `months` more.
    #[must_use]
    pub fn extended(self, months: usize) -> Self {
        Self { first: self.first.plus(-(months as i32)), len: self.len + months }
    }

    /// Month of an index.
    pub fn month(self, index: usize) -> Month {
        self.first.plus(index as i32)
    }

    /// Index of a month, those before the window being 0; `None` after its end.
    pub fn clamp(self, month: Month) -> Option<usize> {
        let index = usize::try_from(month.since(self.first)).unwrap_or(0);
        (index < self.len).then_some(index)
    }

    /// Index from which something known on this day is known; `None` after the window.
    pub fn known(self, day: NaiveDate) -> Option<usize> {
        self.clamp(Month::of(day))
    }

    /// Index of a month inside the window.
    pub fn index(self, month: Month) -> Option<usize> {
        usize::try_from(month.since(self.first)).ok().filter(|index| *index < self.len)
    }
}
