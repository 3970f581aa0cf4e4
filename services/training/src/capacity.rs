//! Alerts by what agents can follow: a threshold a department, so that about so many of its companies are above it a month.

use std::collections::{BTreeMap, BTreeSet};

use domain::Department;
use serde::{Deserialize, Serialize};
use trees::manifest::Capacity;

use crate::evaluate::wilson;
use crate::scored::Observed;

/// What the thresholds of a capacity give on the test rows.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct CapacityWorth {
    /// Companies a department and month that the thresholds were made for.
    pub companies: u32,
    /// Companies a department and month that they flag.
    pub flagged: f64,
    /// Share of the flagged rows that are followed by a failure.
    pub precision: f64,
    /// Share of the failing rows that are flagged.
    pub recall: f64,
    /// Share of the rows of known departments.
    pub covered: f64,
}

fn department(row: &Observed) -> Option<&'static str> {
    let place = row.facts.department;
    let known = place.is_finite() && place >= 0.0;
    known.then(|| Department::all().nth(place as usize)).flatten().map(Department::code)
}

/// For each department the median over the validation months of its `companies`-th highest probability; 0 where there are
/// not more companies than that. `None` when no row tells its department.
pub fn thresholds(rows: &[Observed], probabilities: &[f64], companies: u32) -> Option<Capacity> {
    let mut months: BTreeMap<(&str, i32), Vec<f64>> = BTreeMap::new();
    for (row, &probability) in rows.iter().zip(probabilities) {
        if let Some(department) = department(row) {
            months.entry((department, row.time)).or_default().push(probability);
        }
    }
    let mut cuts: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for ((department, _), mut of_month) in months {
        of_month.sort_unstable_by(|left, right| right.total_cmp(left));
        let last = (companies as usize).saturating_sub(1);
        cuts.entry(department).or_default().push(if of_month.len() > companies as usize { of_month[last] } else { 0.0 });
    }
    let median = |mut cuts: Vec<f64>| {
        cuts.sort_unstable_by(f64::total_cmp);
        cuts[cuts.len() / 2]
    };
    let thresholds: BTreeMap<String, f64> = cuts.into_iter().map(|(department, cuts)| (department.to_owned(), median(cuts))).collect();
    (!thresholds.is_empty()).then_some(Capacity { companies, thresholds })
}

/// Measures the thresholds on the test rows.
pub fn worth(rows: &[Observed], probabilities: &[f64], capacity: &Capacity) -> CapacityWorth {
    let (mut flagged, mut right, mut failing, mut covered) = (0usize, 0usize, 0usize, 0usize);
    let mut months: BTreeSet<(&str, i32)> = BTreeSet::new();
    for (row, &probability) in rows.iter().zip(probabilities) {
        let Some((department, threshold)) = department(row).and_then(|code| Some((code, *capacity.thresholds.get(code)?))) else {
            continue;
        };
        covered += 1;
        months.insert((department, row.time));
        failing += usize::from(row.label);
        if probability >= threshold {
            flagged += 1;
            right += usize::from(row.label);
        }
    }
    let share = |part: usize, whole: usize| wilson(part, whole).map_or(0.0, |interval| interval.value);
    CapacityWorth {
        companies: capacity.companies,
        flagged: flagged as f64 / months.len().max(1) as f64,
        precision: share(right, flagged),
        recall: share(right, failing),
        covered: share(covered, rows.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scored::Facts;

    #[test]
    fn as_many_companies_of_each_department_are_above_as_agents_can_follow() {
        let row = |entity: u32, time, department| Observed {
            entity,
            time,
            label: entity.is_multiple_of(5),
            next: None,
            facts: Facts { headcount: 20.0, naf_division: f32::NAN, department },
        };
        // Forty companies of one department, three of another, some without any.
        let rows: Vec<Observed> = (0..3)
            .flat_map(|time| {
                let first = (0..40).map(move |entity| row(entity, time, 0.0));
                first
                    .chain((40..43).map(move |entity| row(entity, time, 1.0)))
                    .chain((43..50).map(move |entity| row(entity, time, f32::NAN)))
            })
            .collect();
        let probabilities: Vec<f64> = rows.iter().map(|row| f64::from(row.entity % 40) / 40.0).collect();
        let capacity = thresholds(&rows, &probabilities, 8).unwrap();
        let codes: Vec<&str> = Department::all().take(2).map(Department::code).collect();
        assert_eq!((capacity.thresholds[codes[0]], capacity.thresholds[codes[1]]), (32.0 / 40.0, 0.0));
        let worth = worth(&rows, &probabilities, &capacity);
        assert_eq!((worth.flagged, worth.covered), (f64::midpoint(8.0, 3.0), 129.0 / 150.0));
        assert_eq!(worth.precision, 2.0 / 11.0, "35 and 40 of the first eleven");
        assert_eq!(thresholds(&rows[43..50], &probabilities[43..50], 8), None);
    }
}
