//! How long before the judgment a failing company is flagged (`domain/model.md` §9, item 9).

use serde::{Deserialize, Serialize};

use super::bootstrap::quantile;

/// One scored month of a company that fails later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sighting<G> {
    /// The company.
    pub company: G,
    /// Whole months from the scored month to the judgment, from 1.
    pub months_before: u32,
    /// Whether it was flagged.
    pub flagged: bool,
}

/// Recall among the months at some distance of the judgment.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LeadBand {
    /// First and last number of months before the judgment, inclusive.
    pub months: (u32, u32),
    /// Months of companies in the band.
    pub rows: usize,
    /// Share of them that is flagged; `None` without rows.
    pub recall: Option<f64>,
}

/// How early the failing companies are seen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LeadTime {
    /// Companies that fail.
    pub companies: usize,
    /// Those flagged at least once before.
    pub detected: usize,
    /// Quartiles of the months between the first flag and the judgment, among the detected; `None` without any.
    pub quartiles: Option<[f64; 3]>,
    /// Recall by distance: 1–3, 4–6, 7–12 and 13–18 months.
    pub bands: Vec<LeadBand>,
}

/// Summarises the sightings of failing companies, in any order.
pub fn lead_time<G: Ord + Copy>(sightings: &[Sighting<G>]) -> LeadTime {
    let mut sorted = sightings.to_vec();
    sorted.sort_unstable_by_key(|sighting| (sighting.company, std::cmp::Reverse(sighting.months_before)));
    let (mut companies, mut leads) = (0, Vec::new());
    for company in sorted.chunk_by(|left, right| left.company == right.company) {
        companies += 1;
        leads.extend(company.iter().find(|sighting| sighting.flagged).map(|sighting| f64::from(sighting.months_before)));
    }
    leads.sort_unstable_by(f64::total_cmp);
    let band = |(first, last)| {
        let within = || sightings.iter().filter(|sighting| (first..=last).contains(&sighting.months_before));
        let (rows, flagged) = (within().count(), within().filter(|sighting| sighting.flagged).count());
        LeadBand { months: (first, last), rows, recall: (rows > 0).then(|| flagged as f64 / rows as f64) }
    };
    LeadTime {
        companies,
        detected: leads.len(),
        quartiles: (!leads.is_empty()).then(|| [0.25, 0.5, 0.75].map(|share| quantile(&leads, share))),
        bands: [(1, 3), (4, 6), (7, 12), (13, 18)].map(band).to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_flag_counts() {
        let of = |company, months_before, flagged| Sighting { company, months_before, flagged };
        let summary = lead_time(&[of(1, 2, true), of(1, 8, true), of(1, 14, false), of(2, 3, false), of(3, 4, true)]);
        assert_eq!((summary.companies, summary.detected, summary.quartiles), (3, 2, Some([5.0, 6.0, 7.0])));
        assert_eq!(summary.bands.iter().map(|band| band.recall).collect::<Vec<_>>(), [Some(0.5), Some(1.0), Some(1.0), Some(0.0)]);
        assert_eq!(lead_time::<u32>(&[]).quartiles, None);
    }
}
