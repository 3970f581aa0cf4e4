//! Payment plans granted by Urssaf, and decisions of the CCSF (`domain/ingestion.md` §3.6 and §3.7).

use domain::Month;
use domain::records::PaymentPlan;

use super::{BaseSeries, Series, flag, months_since, ratio};
use crate::rows::CompanyRows;

/// Stages of a plan that runs: granted, or being granted.
const RUNNING: [&str; 2] = ["APPROB", "PR"];

pub(super) fn fill(rows: &CompanyRows, base: &mut BaseSeries) {
    let mut plans: Vec<&PaymentPlan> =
        rows.plans.iter().filter(|plan| RUNNING.contains(&plan.stage.as_str()) && plan.due > plan.created && plan.amount.0 > 0).collect();
    plans.sort();
    plans.dedup();
    let window = base.window();
    for month in 0..window.len {
        let today = window.month(month).last_day();
        let running = plans.iter().filter(|plan| plan.created <= today && plan.due > today);
        let (mut amount, mut foreseen, mut remaining, mut count) = (0.0, 0.0, 0, 0);
        for plan in running {
            let stated = plan.duration_days.filter(|days| *days > 0).map(i64::from);
            let total = stated.unwrap_or_else(|| (plan.due - plan.created).num_days());
            let left = (plan.due - today).num_days();
            amount += plan.amount.euros();
            foreseen += plan.amount.euros() * left as f64 / total as f64;
            remaining = remaining.max(left);
            count += 1;
        }
        let (debt, mean) = (base.get(Series::Debt)[month], base.get(Series::ContributionMean)[month]);
        let runs = count > 0;
        base.get_mut(Series::PlanRunning)[month] = flag(runs);
        base.get_mut(Series::PlanRemaining)[month] = remaining as f64;
        base.get_mut(Series::PlanWeight)[month] = if runs { ratio(amount, mean) } else { 0.0 };
        base.get_mut(Series::PlanDeviation)[month] = if runs { (debt - foreseen) / amount } else { f64::NAN };
        base.get_mut(Series::PlanShare)[month] = ratio(debt.min(foreseen), debt);
    }
    base.set(Series::PlansGranted, |_| 0.0);
    for plan in &plans {
        if let Some(month) = window.index(Month::of(plan.created)) {
            base.get_mut(Series::PlansGranted)[month] += 1.0;
        }
    }
    let decisions = rows.ccsf.iter().filter_map(|row| Some((window.known(row.treated_on)?, Month::of(row.treated_on))));
    months_since(decisions, window, |month, since| base.get_mut(Series::CcsfSince)[month] = since);
}
