//! The inputs of the models of earlier generations, as they were published, flaws included (`domain/model.md` §2.4, §2.6):
//! baselines to be compared with on the same rows. Nothing that is served reads them.
//!
//! What differs from a faithful copy is said where it does, and comes down to two things. The third generation worked by
//! establishment; here its inputs are those of the company, its establishments added up. And the accounts of the tax
//! administration are not delivered to this system: ratios that Diane or INPI publish with the same meaning stand in, and the
//! others are what they were for a company without accounts (zero for the fifth generation, missing for the third).

mod accounts;
mod g3;
mod g5;
mod rows;
pub mod target;

use domain::{Month, Siren};

use crate::rows::CompanyRows;
use crate::window::Window;

/// The inputs of a published model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum View {
    /// Third generation (2021): 17 inputs, and the target, `outcome`.
    G3,
    /// Fifth generation (2024), `standard.json` and `tree-based.json`: 36 inputs.
    G5,
    /// Fifth generation with yearly lags, `tree-based_waterfall.json`: 100 inputs.
    G5Yearly,
}

impl View {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::G3, Self::G5, Self::G5Yearly];

    /// Names of the inputs, as published, in order.
    pub fn columns(self) -> Vec<String> {
        match self {
            Self::G3 => g3::COLUMNS.map(str::to_owned).to_vec(),
            Self::G5 => g5::Variables::STANDARD.names(),
            Self::G5Yearly => g5::Variables::YEARLY.names(),
        }
    }

    /// The inputs of a company from `first` to `last`. Rows after `last` are not read; what is *in* it may have been
    /// published later: that is the leak of the fifth generation.
    pub fn compute(self, rows: &CompanyRows, first: Month, last: Month) -> Inputs {
        let window = Window::new(first, last);
        let columns = match self {
            Self::G3 => g3::compute(rows, window),
            Self::G5 => g5::compute(rows, &g5::Variables::STANDARD, window),
            Self::G5Yearly => g5::compute(rows, &g5::Variables::YEARLY, window),
        };
        Inputs { siren: rows.siren, window, columns }
    }
}

/// The inputs of a company over a window.
#[derive(Debug, Clone)]
pub struct Inputs {
    /// The company.
    pub siren: Siren,
    /// The months.
    pub window: Window,
    /// Input after input, each month after month; NaN where missing. A month that the fifth generation dropped (no headcount,
    /// or no contributions in a year) is NaN in all of them.
    pub columns: Vec<Vec<f64>>,
}

/// The last payment delay of each month, days. `index` gives the place of a month, if it has one.
fn payment_delays<'a>(rows: &'a CompanyRows, index: impl Fn(Month) -> Option<usize> + 'a) -> impl Iterator<Item = (usize, f64)> + 'a {
    let mut delays: Vec<_> = rows.payment_delays.iter().map(|row| (row.value_date, row.days)).collect();
    delays.sort_unstable();
    delays.into_iter().filter_map(move |(date, days)| Some((index(Month::of(date))?, f64::from(days))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn views_have_the_inputs_that_were_published() {
        let names = |view: View| view.columns();
        assert_eq!(View::ALL.map(|view| names(view).len()), [18, 36, 100]);
        for view in View::ALL {
            let mut unique = names(view);
            unique.sort();
            unique.dedup();
            assert_eq!(unique.len(), names(view).len(), "{view:?}");
            let empty = CompanyRows::empty(Siren::parse(b"732829320").unwrap());
            let inputs = view.compute(&empty, "2024-01".parse().unwrap(), "2024-06".parse().unwrap());
            assert_eq!(inputs.columns.len(), names(view).len());
            assert!(inputs.columns.iter().all(|column| column.len() == 6));
        }
    }
}
