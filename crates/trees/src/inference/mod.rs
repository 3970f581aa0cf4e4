//! Predictions and contributions computed here, on flat arrays, from a model's text: the same scores as LightGBM to the last
//! bit, without its locks, its boosters and its copies.
//!
//! [`slots`] turns a row into numbers that every node can ask one question of: is it above a threshold? [`walk`] goes
//! down all trees together. [`shapley`] shares the score out among the features.

mod quadrature;
mod shapley;
mod slots;
mod walk;

use crate::error::{Result, TreesError};
use crate::model_text::{ModelText, TreeText};
use crate::rows::Value;
use shapley::Shares;
use slots::Slots;
use walk::{Steps, Walk};

/// Levels of a tree, at most: each takes room on the stack when contributions are computed.
const DEPTH: u32 = 512;

/// A node of any tree; a leaf is one that leads to itself.
#[derive(Debug, Clone, Copy)]
struct Node {
    /// What the slot is compared with; a leaf's value.
    threshold: f64,
    /// Which number of the row is compared.
    slot: u32,
    /// Where the row goes unless its number is above the threshold; the node after it otherwise.
    left: u32,
}

impl Node {
    fn next(self, slots: &[f64]) -> u32 {
        self.left + u32::from(slots[self.slot as usize] > self.threshold)
    }
}

/// A model ready to score rows.
#[derive(Debug, Clone)]
pub(crate) struct Inference {
    slots: Slots,
    nodes: Vec<Node>,
    walk: Walk,
    shares: Shares,
}

impl Inference {
    /// Lays out the trees of a text. Fails when one is deeper than [`DEPTH`], or when they have more nodes than a number of 32
    /// bits can tell.
    pub(crate) fn new(text: &ModelText) -> Result<Self> {
        let mut slots = Slots::new(text.feature_names.len());
        let mut nodes = Vec::new();
        let mut roots = Vec::with_capacity(text.trees.len());
        let mut shares = Shares::default();
        for tree in &text.trees {
            let root = nodes.len();
            // Children lie side by side: a node tells where the left one is.
            let mut waiting = vec![(root, if tree.nodes.is_empty() { !0 } else { 0 }, 0u32)];
            nodes.push(Node { threshold: 0.0, slot: 0, left: 0 });
            let mut depth = 0;
            let mut order = Vec::with_capacity(tree.nodes.len());
            while let Some((at, name, level)) = waiting.pop() {
                depth = depth.max(level);
                let Ok(index) = usize::try_from(name) else {
                    nodes[at] = Node { threshold: leaf(tree, name).0, slot: slots.lowest(), left: index32(at)? };
                    continue;
                };
                let node = &tree.nodes[index];
                let left = nodes.len();
                nodes.extend([Node { threshold: 0.0, slot: 0, left: 0 }; 2]);
                let (slot, threshold) = slots.question(node, tree);
                nodes[at] = Node { threshold, slot, left: index32(left)? };
                order.push((at, left, index));
                waiting.extend([(left, node.children[0], level + 1), (left + 1, node.children[1], level + 1)]);
            }
            if depth > DEPTH {
                return Err(TreesError::ModelText { problem: format!("a tree has {depth} levels: {DEPTH} are allowed") });
            }
            roots.push(index32(root)?);
            shares.add(tree, root, nodes.len(), &order);
        }
        Ok(Self { slots, nodes, walk: Walk::new(&roots), shares })
    }

    /// The raw score of a row.
    pub(crate) fn raw<V: Value>(&self, row: &[V], scratch: &mut Scratch) -> f64 {
        self.slots.fill(row, &mut scratch.slots);
        self.walk.sum(&self.nodes, &scratch.slots, &mut scratch.steps)
    }

    /// Writes the contribution of each feature, then the base value.
    pub(crate) fn contributions<V: Value>(&self, row: &[V], scratch: &mut Scratch, output: &mut [f64]) {
        self.slots.fill(row, &mut scratch.slots);
        output.fill(0.0);
        self.shares.write(&self.nodes, &scratch.slots, &mut scratch.followed, output);
    }
}

/// Memory of one caller, used again from row to row.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    slots: Vec<f64>,
    steps: Steps,
    followed: Vec<bool>,
}

/// The value and rows of a leaf, by its complement.
fn leaf(tree: &TreeText, name: i64) -> (f64, u64) {
    usize::try_from(!name).ok().and_then(|leaf| tree.leaves.get(leaf)).copied().unwrap_or_default()
}

fn index32(index: usize) -> Result<u32> {
    u32::try_from(index).map_err(|_| TreesError::ModelText { problem: "it has more nodes than can be numbered".to_owned() })
}
