//! A challenger that scores beside the champion: nobody sees its scores, operators see how it differs.

use std::sync::Arc;

use domain::AlertLevel;
use lake::Lake;
use panel::Catalogue;
use serde::{Deserialize, Serialize};
use trees::signature::TrustedKeys;

use crate::champion::{Champion, Scored};
use crate::error::ScoringError;

/// What the pointer `challenger` holds.
#[derive(Debug, Deserialize)]
struct Pointer {
    id: String,
}

/// How a challenger's scores of the companies of a list differ from the champion's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Shadow {
    /// The challenger.
    pub model_id: String,
    /// Companies compared.
    pub companies: u64,
    /// Rank correlation (Spearman) of the probabilities; 0 where one of them is constant.
    pub rank_correlation: f64,
    /// Mean of the challenger's probability minus the champion's.
    pub mean_difference: f64,
    /// Companies by level: the champion's, then the challenger's; each none, moderate, high.
    pub levels: [[u64; 3]; 3],
}

/// The challenger that the pointer names, if any. One that cannot be loaded is reported and left out: it must never stop a
/// list.
pub async fn challenger(lake: &Lake, catalogue: Arc<Catalogue>, trusted: &TrustedKeys) -> Result<Option<Champion>, ScoringError> {
    let Some((pointer, _)) = lake.pointers().read::<Pointer>("challenger").await? else { return Ok(None) };
    if pointer.id.is_empty() {
        return Ok(None);
    }
    match Champion::load(lake, &pointer.id, catalogue, trusted).await {
        Ok(model) => Ok(Some(model)),
        Err(error) => {
            tracing::warn!(model = pointer.id, %error, "the challenger cannot be loaded; the list is built without it");
            Ok(None)
        }
    }
}

/// Compares the scores of the same companies.
pub fn compare(model_id: &str, champion: &[Scored], challenger: &[Scored]) -> Shadow {
    let place = |level: AlertLevel| match level {
        AlertLevel::None => 0,
        AlertLevel::Moderate => 1,
        AlertLevel::High => 2,
    };
    let mut levels = [[0; 3]; 3];
    for (ours, theirs) in champion.iter().zip(challenger) {
        levels[place(ours.level)][place(theirs.level)] += 1;
    }
    let (ours, theirs) = (ranks(champion), ranks(challenger));
    let difference: f64 = champion.iter().zip(challenger).map(|(ours, theirs)| theirs.probability - ours.probability).sum();
    Shadow {
        model_id: model_id.to_owned(),
        companies: champion.len() as u64,
        rank_correlation: correlation(&ours, &theirs),
        mean_difference: difference / champion.len().max(1) as f64,
        levels,
    }
}

/// Ranks by raw score, equal scores in the middle of their places.
fn ranks(scores: &[Scored]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_unstable_by(|left, right| scores[*left].raw.total_cmp(&scores[*right].raw));
    let mut ranks = vec![0.0; scores.len()];
    let mut place = 0;
    for run in order.chunk_by(|left, right| scores[*left].raw == scores[*right].raw) {
        let middle = place as f64 + (run.len() as f64 - 1.0) / 2.0;
        for at in run {
            ranks[*at] = middle;
        }
        place += run.len();
    }
    ranks
}

fn correlation(x: &[f64], y: &[f64]) -> f64 {
    let middle = (x.len().max(1) - 1) as f64 / 2.0;
    let sum = |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(x, y)| (x - middle) * (y - middle)).sum::<f64>();
    let scale = (sum(x, x) * sum(y, y)).sqrt();
    if scale > 0.0 { sum(x, y) / scale } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scored(raw: f64) -> Scored {
        Scored { raw, probability: raw / 10.0, interval: (0.0, 1.0), level: AlertLevel::of(raw / 10.0, 0.5, 0.8), known: 1.0 }
    }

    #[test]
    fn a_challenger_is_told_apart_by_rank_and_by_level() {
        let champion: Vec<Scored> = (0..10).map(|raw| scored(f64::from(raw))).collect();
        let same = compare("m", &champion, &champion);
        assert_eq!((same.rank_correlation, same.mean_difference, same.levels), (1.0, 0.0, [[5, 0, 0], [0, 3, 0], [0, 0, 2]]));
        let reversed: Vec<Scored> = champion.iter().rev().copied().collect();
        let other = compare("m", &champion, &reversed);
        assert!((other.rank_correlation + 1.0).abs() < 1e-12);
        assert_eq!((other.levels[0][2], other.levels[2][0], other.companies), (2, 2, 10));
        let constant = vec![scored(1.0); 10];
        assert_eq!(compare("m", &champion, &constant).rank_correlation, 0.0);
    }
}
