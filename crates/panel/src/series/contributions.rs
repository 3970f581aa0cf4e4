//! Contributions due, smoothed over the months of their period (`domain/ingestion.md` §3.2, `domain/model.md` §2.1).

use domain::records::{Contribution, Record};
use domain::time_rules::TimeRules;

use super::{BaseSeries, Series, flag, ratio};
use crate::rows::CompanyRows;

/// Months of the mean.
const MEAN: usize = 12;
/// Months of the recent mean, of which the trend is made.
const RECENT: usize = 3;
/// Months after which the last contributions known say nothing of today: a yearly payer is known 13 months late at most.
const STALE: usize = 15;
/// Months before the window whose contributions can matter inside of it.
const LEAD: usize = MEAN + STALE;

pub(super) fn fill(rows: &CompanyRows, rules: &TimeRules, base: &mut BaseSeries) {
    let window = base.window();
    let event = window.extended(LEAD);
    let mut known: Vec<(usize, &Contribution)> =
        rows.contributions.iter().filter_map(|row| Some((window.known(row.known_at(rules))?, row))).collect();
    // Exact duplicates are one row.
    known.sort();
    known.dedup();
    let mut due = vec![0.0; event.len];
    let mut covered = vec![false; event.len];
    let (mut next, mut last) = (0, None);
    for month in 0..window.len {
        while let Some((_, row)) = known.get(next).filter(|(index, _)| *index <= month) {
            for of in row.period.start().to(row.period.last()) {
                if let Some(index) = event.index(of) {
                    due[index] += row.due.euros() / f64::from(row.period.months());
                    covered[index] = true;
                    last = last.max(Some(index));
                }
            }
            next += 1;
        }
        let Some(last) = last.filter(|last| month + LEAD - last <= STALE) else { continue };
        base.get_mut(Series::Contribution)[month] = due[last];
        if last + 1 >= MEAN && covered[last + 1 - MEAN..=last].iter().all(|covered| *covered) {
            let mean = |months: usize| due[last + 1 - months..=last].iter().sum::<f64>() / months as f64;
            base.get_mut(Series::ContributionMean)[month] = mean(MEAN);
            base.get_mut(Series::ContributionTrend)[month] = ratio(mean(RECENT), mean(MEAN)) - 1.0;
        }
    }
    for month in 0..window.len {
        let debt_ratio = ratio(base.get(Series::Debt)[month], base.get(Series::ContributionMean)[month]);
        base.get_mut(Series::DebtRatio)[month] = debt_ratio;
        base.get_mut(Series::DebtAboveContribution)[month] = if debt_ratio.is_nan() { f64::NAN } else { flag(debt_ratio > 1.0) };
    }
}
