//! The time variables of the fifth generation (`domain/model.md` §2.6): over the rows that a company happens to have.

use domain::Month;

/// The value `rows` rows earlier, which is that many months earlier only where no month is absent. Rows that have none so
/// early take the first value of the company; a company with too few rows has zero.
pub(super) fn lag(values: &[f64], rows: usize) -> Vec<f64> {
    let first = if values.len() > rows { values[0] } else { 0.0 };
    (0..values.len()).map(|row| row.checked_sub(rows).map_or(first, |earlier| values[earlier])).collect()
}

/// The mean over the rows of a month and of the `back` months before it: one month more than its name says.
pub(super) fn mean(months: &[Month], values: &[f64], back: i32) -> Vec<f64> {
    let mut from = 0;
    (0..values.len())
        .map(|row| {
            while months[row].since(months[from]) > back {
                from += 1;
            }
            values[from..=row].iter().sum::<f64>() / (row + 1 - from) as f64
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn months(texts: &[&str]) -> Vec<Month> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    /// `domain/model.md` §11, vector 8: the thirteenth month counts.
    #[test]
    fn twelve_months_are_thirteen() {
        let january: Month = "2020-01".parse().unwrap();
        let months: Vec<Month> = (0..13).map(|month| january.plus(month)).collect();
        let mut values = vec![0.0; 13];
        values[0] = 13.0;
        assert_eq!(mean(&months, &values, 12)[12], 1.0);
    }

    #[test]
    fn a_mean_is_over_the_rows_of_its_months() {
        let months = months(&["2020-01", "2020-02", "2020-04", "2020-08"]);
        assert_eq!(mean(&months, &[4.0, 8.0, 3.0, 1.0], 3), [4.0, 6.0, 5.0, 1.0]);
    }

    /// `domain/model.md` §11, vector 9: a gap shifts the lag.
    #[test]
    fn a_lag_counts_rows() {
        // Rows of 2020-01, 2020-02 and 2020-04.
        assert_eq!(lag(&[10.0, 20.0, 40.0], 1), [10.0, 10.0, 20.0]);
        assert_eq!(lag(&[10.0, 20.0, 40.0], 2), [10.0, 10.0, 10.0]);
        assert_eq!(lag(&[10.0, 20.0, 40.0], 3), [0.0, 0.0, 0.0], "no row has a value to be filled with");
        assert_eq!(lag(&[], 1), [0.0; 0]);
    }
}
