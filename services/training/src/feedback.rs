//! What agents did and said, as it bears on learning: rows of a company that count less, more, or not at all.
//!
//! Help that succeeds looks like a false alarm, and teaches the model that such companies survive. The months of a company
//! that was helped can be left out of learning and of the figures (weight 0), or weigh less in learning.

use std::collections::HashMap;

use api::training::Feedback as ApiFeedback;
use domain::{Month, Siren};
use serde::Serialize;
use trees::fingerprint;

use crate::error::TrainingError;
use crate::rows::Row;

/// The largest weight: a single company must not decide a model.
const MOST: f64 = 10.0;

/// Months of a company with their weight.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
struct Spell {
    entity: u32,
    from: i32,
    to: i32,
    weight: f32,
}

/// The weights of rows: 1 where nothing is said.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Feedback {
    spells: HashMap<u32, Vec<Spell>>,
    digest: String,
    weighted: bool,
}

impl Feedback {
    /// Reads what a request says. A weight is between 0 (left out) and 10; of overlapping spells the lowest weight counts.
    pub fn of(said: &[ApiFeedback]) -> Result<Self, TrainingError> {
        let mut all: Vec<Spell> = said.iter().map(spell).collect::<Result<_, _>>()?;
        all.sort_by(|a, b| (a.entity, a.from, a.to).cmp(&(b.entity, b.from, b.to)).then(a.weight.total_cmp(&b.weight)));
        let digest = if all.is_empty() { String::new() } else { fingerprint(&all)? };
        let weighted = all.iter().any(|spell| spell.weight > 0.0);
        let mut spells: HashMap<u32, Vec<Spell>> = HashMap::new();
        for spell in all {
            spells.entry(spell.entity).or_default().push(spell);
        }
        Ok(Self { spells, digest, weighted })
    }

    /// Hash of all that was said; empty when nothing was.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// Whether some rows weigh neither 0 nor 1.
    pub const fn is_weighted(&self) -> bool {
        self.weighted
    }

    /// What a row weighs.
    pub fn weight(&self, row: &Row) -> f32 {
        let spells = self.spells.get(&row.entity).into_iter().flatten();
        spells.filter(|spell| (spell.from..=spell.to).contains(&row.time)).map(|spell| spell.weight).reduce(f32::min).unwrap_or(1.0)
    }
}

fn spell(said: &ApiFeedback) -> Result<Spell, TrainingError> {
    let refused = |what: &str| TrainingError::External(format!("feedback on '{}': {what}", said.siren));
    let siren: Siren = said.siren.parse().map_err(|_| refused("that is no SIREN"))?;
    let month = |text: &str| text.parse::<Month>().map(Month::index).map_err(|_| refused("give months as YYYY-MM"));
    let (from, to) = (month(&said.from_month)?, month(&said.to_month)?);
    if from > to {
        return Err(refused("its first month is after its last one"));
    }
    if !(0.0..=MOST).contains(&said.weight) {
        return Err(refused("a weight is between 0 and 10"));
    }
    Ok(Spell { entity: siren.number(), from, to, weight: said.weight as f32 })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(siren: &str, from: &str, to: &str, weight: f64) -> ApiFeedback {
        ApiFeedback { siren: siren.into(), from_month: from.into(), to_month: to.into(), weight }
    }

    fn row(siren: &str, month: &str) -> Row {
        let (siren, month): (Siren, Month) = (siren.parse().unwrap(), month.parse().unwrap());
        Row { entity: siren.number(), time: month.index(), label: Some(false), lenient: None, next: None, side: None }
    }

    #[test]
    fn the_lowest_weight_of_a_month_counts_and_silence_is_one() {
        let feedback = Feedback::of(&[said("732829320", "2020-01", "2020-06", 0.5), said("732829320", "2020-06", "2020-12", 0.0)]).unwrap();
        let weights = ["2019-12", "2020-01", "2020-06", "2020-12", "2021-01"].map(|month| feedback.weight(&row("732829320", month)));
        assert_eq!(weights, [1.0, 0.5, 0.0, 0.0, 1.0]);
        assert_eq!(feedback.weight(&row("552100554", "2020-06")), 1.0);
        assert!(feedback.is_weighted() && !Feedback::of(&[said("732829320", "2020-01", "2020-06", 0.0)]).unwrap().is_weighted());
    }

    #[test]
    fn its_digest_follows_what_is_said_and_not_the_order() {
        let (one, other) = (said("732829320", "2020-01", "2020-06", 0.0), said("552100554", "2020-01", "2020-06", 0.0));
        let digest = |said: &[ApiFeedback]| Feedback::of(said).unwrap().digest().to_owned();
        assert_eq!(digest(&[one.clone(), other.clone()]), digest(&[other, one.clone()]));
        assert_ne!(digest(&[one]), digest(&[]));
    }

    #[test]
    fn what_it_cannot_mean_is_refused() {
        for wrong in [
            said("1", "2020-01", "2020-02", 0.0),
            said("732829320", "2020-03", "2020-02", 0.0),
            said("732829320", "2020-01", "2020-02", -1.0),
        ] {
            assert!(Feedback::of(&[wrong]).is_err());
        }
    }
}
