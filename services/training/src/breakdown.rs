//! The figures of a model on parts of the test rows: by size, sector, region and year.

use std::collections::BTreeMap;

use domain::{Department, Month, NafSection};
use serde::{Deserialize, Serialize};
use trees::metrics::{Bootstrap, Interval};

use crate::error::TrainingError;
use crate::evaluate::{Figure, figures, scored};
use crate::learn::Thresholds;
use crate::scored::Observed;

/// Fewer failing rows than this say nothing: the part is reported without figures.
pub const LEAST_POSITIVES: usize = 50;

/// Figures that are broken down.
pub const FIGURES: [Figure; 5] = [Figure::Prevalence, Figure::Auc, Figure::AveragePrecision, Figure::RecallModerate, Figure::Ece];

/// What rows are divided by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dimension {
    /// Headcount, in bands.
    Size,
    /// Section of the main activity.
    Sector,
    /// Region of the first establishment.
    Region,
    /// Year of the row.
    Year,
}

impl Dimension {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Size, Self::Sector, Self::Region, Self::Year];

    /// The part that a row belongs to, its order first.
    fn part(self, row: &Observed) -> (u32, String) {
        let unknown = || (u32::MAX, "unknown".to_owned());
        let code = |value: f32| (value.is_finite() && value >= 0.0).then_some(value as usize);
        match self {
            Self::Size => size(row.facts.headcount).map_or_else(unknown, |(order, name)| (order, name.to_owned())),
            Self::Sector => {
                let section = code(row.facts.naf_division).and_then(|division| NafSection::of_division(u8::try_from(division).ok()?));
                section.map_or_else(unknown, |section| (section.letter().into(), section.letter().to_string()))
            }
            Self::Region => {
                let department = code(row.facts.department).and_then(|place| Department::all().nth(place));
                let region = department.and_then(Department::region);
                region.map_or_else(unknown, |region| (0, region.name().to_owned()))
            }
            Self::Year => Month::from_index(row.time).map_or_else(unknown, |month| (month.year() as u32, month.year().to_string())),
        }
    }
}

fn size(headcount: f32) -> Option<(u32, &'static str)> {
    let bands = [(10.0, "under 10"), (20.0, "10 to 19"), (50.0, "20 to 49"), (250.0, "50 to 249"), (f32::INFINITY, "250 and more")];
    (0..).zip(bands).find(|(_, (below, _))| headcount < *below).map(|(order, (_, name))| (order, name))
}

/// A part of the test rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Part {
    /// What rows are divided by.
    pub dimension: Dimension,
    /// Which part.
    pub part: String,
    /// Rows.
    pub rows: usize,
    /// Rows followed by a failure.
    pub positives: usize,
    /// Figures, of those in [`FIGURES`]; none when there are too few failures.
    pub figures: BTreeMap<Figure, Interval>,
}

/// Divides the rows in every dimension where there is more than one part.
pub fn breakdown(
    rows: &[Observed],
    probabilities: &[f64],
    thresholds: &Thresholds,
    bootstrap: &Bootstrap,
) -> Result<Vec<Part>, TrainingError> {
    let mut parts = Vec::new();
    for dimension in Dimension::ALL {
        let mut divided: BTreeMap<(u32, String), Vec<usize>> = BTreeMap::new();
        for (at, row) in rows.iter().enumerate() {
            divided.entry(dimension.part(row)).or_default().push(at);
        }
        if divided.len() < 2 {
            continue;
        }
        for ((_, part), members) in divided {
            let within: Vec<Observed> = members.iter().map(|at| rows[*at]).collect();
            let probabilities: Vec<f64> = members.iter().map(|at| probabilities[*at]).collect();
            let positives = within.iter().filter(|row| row.label).count();
            let mut figures = if positives < LEAST_POSITIVES || positives == within.len() {
                BTreeMap::new()
            } else {
                figures(&within, &scored(&within, &probabilities), thresholds, bootstrap)?
            };
            figures.retain(|figure, _| FIGURES.contains(figure));
            parts.push(Part { dimension, part, rows: within.len(), positives, figures });
        }
    }
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scored::Facts;

    #[test]
    fn parts_cover_the_rows_and_small_ones_have_no_figures() {
        let row = |at: u32| Observed {
            entity: at,
            time: Month::new(2022, 1).unwrap().plus((at % 24) as i32).index(),
            label: at.is_multiple_of(3),
            next: None,
            facts: Facts { headcount: if at < 12 { 300.0 } else { 15.0 }, naf_division: f32::NAN, department: f32::NAN },
        };
        let rows: Vec<Observed> = (0..600).map(row).collect();
        let probabilities: Vec<f64> = rows.iter().map(|row| f64::from(row.entity % 7) / 10.0 + f64::from(row.label) / 5.0).collect();
        let bootstrap = Bootstrap { replicates: 10, ..Bootstrap::default() };
        let parts = breakdown(&rows, &probabilities, &Thresholds { moderate: 0.3, high: 0.5 }, &bootstrap).unwrap();
        let of = |dimension| parts.iter().filter(move |part| part.dimension == dimension);
        assert_eq!(of(Dimension::Size).map(|part| part.part.as_str()).collect::<Vec<_>>(), ["10 to 19", "250 and more"]);
        assert_eq!(of(Dimension::Year).map(|part| part.rows).sum::<usize>(), 600);
        assert_eq!(of(Dimension::Sector).count(), 0, "one part is no breakdown");
        let small = of(Dimension::Size).next_back().unwrap();
        assert!(small.figures.is_empty() && small.positives == 4);
        assert_eq!(of(Dimension::Year).next().unwrap().figures.len(), FIGURES.len());
    }
}
