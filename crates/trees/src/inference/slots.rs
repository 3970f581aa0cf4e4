//! A row as numbers of which every node asks the same: "is it above the threshold?"
//!
//! LightGBM's nodes differ in where a missing value goes, in whether zero counts as missing, and in comparing numbers or
//! looking a category up (its `Tree::NumericalDecision` and `Tree::CategoricalDecision`). A missing value that goes left is
//! minus infinity, one that goes right plus infinity: each feature has a slot for either. The few questions of another kind
//! are answered beforehand, in slots of their own.

use std::ops::Range;

use crate::model_text::{NodeText, TreeText};
use crate::rows::Value;

/// What LightGBM takes for zero: `1e-35f` as a double.
const ZERO: f64 = 1e-35_f32 as f64;

/// Bits of a node's decision.
const CATEGORICAL: u8 = 1;
const MISSING_LEFT: u8 = 2;
/// What is missing, in bits 2 and 3.
const ZEROS: u8 = 1;
const NOT_A_NUMBER: u8 = 2;

/// The slots of a model: missing values low, missing values high, the lowest number, then the answers.
#[derive(Debug, Clone)]
pub(super) struct Slots {
    features: usize,
    /// Questions that are answered beforehand.
    asked: Vec<Question>,
    /// Sets of categories of all of them.
    words: Vec<u32>,
}

#[derive(Debug, Clone)]
struct Question {
    feature: u32,
    kind: Kind,
}

#[derive(Debug, Clone)]
enum Kind {
    /// Left when the category is in the set.
    Among(Range<u32>),
    /// A zero or missing value goes left or not; another by the threshold.
    Zeros { threshold: f64, left: bool },
    /// Left when it is there: every number is up to plus infinity.
    Present,
}

impl Slots {
    pub(super) fn new(features: usize) -> Self {
        Self { features, asked: Vec::new(), words: Vec::new() }
    }

    /// A slot that is never above anything.
    pub(super) fn lowest(&self) -> u32 {
        2 * self.features as u32
    }

    /// The slot and the threshold for a node.
    pub(super) fn question(&mut self, node: &NodeText, tree: &TreeText) -> (u32, f64) {
        let left = node.decision & MISSING_LEFT != 0;
        if node.decision & CATEGORICAL != 0 {
            let set = node.threshold as usize;
            let start = self.words.len() as u32;
            self.words.extend_from_slice(&tree.set_words[tree.set_ends[set]..tree.set_ends[set + 1]]);
            return self.ask(node, Kind::Among(start..self.words.len() as u32));
        }
        let missing_left = match (node.decision >> 2) & 3 {
            ZEROS => return self.ask(node, Kind::Zeros { threshold: node.threshold, left }),
            NOT_A_NUMBER => left,
            // Nothing is missing: a value that is not there counts as zero.
            _ => 0.0 <= node.threshold,
        };
        match missing_left {
            true => (node.feature as u32, node.threshold),
            false if node.threshold == f64::INFINITY => self.ask(node, Kind::Present),
            false => ((self.features + node.feature) as u32, node.threshold),
        }
    }

    fn ask(&mut self, node: &NodeText, kind: Kind) -> (u32, f64) {
        self.asked.push(Question { feature: node.feature as u32, kind });
        ((2 * self.features + self.asked.len()) as u32, 0.0)
    }

    /// Writes the slots of a row, over those of another row or of another model.
    pub(super) fn fill<V: Value>(&self, row: &[V], slots: &mut Vec<f64>) {
        slots.resize(2 * self.features + 1 + self.asked.len(), f64::NEG_INFINITY);
        let (low, rest) = slots.split_at_mut(self.features);
        let (high, answers) = rest.split_at_mut(self.features);
        answers[0] = f64::NEG_INFINITY;
        for ((value, low), high) in row.iter().zip(low).zip(high) {
            let value: f64 = (*value).into();
            // As LightGBM's reader of rows does.
            let value = if value.abs() <= ZERO { 0.0 } else { value };
            *low = if value.is_nan() { f64::NEG_INFINITY } else { value };
            *high = if value.is_nan() { f64::INFINITY } else { value };
        }
        for (question, answer) in self.asked.iter().zip(&mut answers[1..]) {
            let value: f64 = row[question.feature as usize].into();
            *answer = if self.is_left(&question.kind, value) { f64::NEG_INFINITY } else { f64::INFINITY };
        }
    }

    fn is_left(&self, kind: &Kind, value: f64) -> bool {
        match kind {
            Kind::Present => !value.is_nan(),
            Kind::Zeros { left, .. } if value.is_nan() || value.abs() <= ZERO => *left,
            Kind::Zeros { threshold, .. } => value <= *threshold,
            // Below one in absolute value is category 0, as a conversion to a whole number makes it.
            Kind::Among(set) => {
                let category = value as i64;
                let Ok(category) = usize::try_from(category) else { return false };
                let set = &self.words[set.start as usize..set.end as usize];
                !value.is_nan() && set.get(category / 32).is_some_and(|word| word >> (category % 32) & 1 == 1)
            }
        }
    }
}
