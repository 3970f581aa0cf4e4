//! Scores: a row goes down several trees at a time, so that the memory answers one while the others are asked.

use super::{Node, index32};
use crate::error::Result;

/// Trees that are walked together.
const TOGETHER: usize = 16;

/// Trees of about the same depth.
#[derive(Debug, Clone)]
struct Group {
    depth: u32,
    roots: [u32; TOGETHER],
    /// Which trees of the model they are.
    trees: [u32; TOGETHER],
}

/// In which order trees are walked.
#[derive(Debug, Clone)]
pub(super) struct Walk {
    groups: Vec<Group>,
    trees: usize,
}

impl Walk {
    /// Takes the root and the depth of each tree, and adds a leaf that fills the last group.
    pub(super) fn new(roots: &[(u32, u32)], nodes: &mut Vec<Node>, lowest: u32) -> Result<Self> {
        let filler = index32(nodes.len())?;
        nodes.push(Node { threshold: 0.0, slot: lowest, left: filler });
        let trees = roots.len();
        let mut order: Vec<usize> = (0..trees).collect();
        order.sort_by_key(|tree| roots[*tree].1);
        let group = |members: &[usize]| {
            let mut group = Group { depth: 0, roots: [filler; TOGETHER], trees: [trees as u32; TOGETHER] };
            for (lane, &tree) in members.iter().enumerate() {
                group.depth = group.depth.max(roots[tree].1);
                group.roots[lane] = roots[tree].0;
                group.trees[lane] = tree as u32;
            }
            group
        };
        Ok(Self { groups: order.chunks(TOGETHER).map(group).collect(), trees })
    }

    /// The sum of the leaves, added in the order of the trees as LightGBM does.
    pub(super) fn sum(&self, nodes: &[Node], slots: &[f64], leaves: &mut Vec<f64>) -> f64 {
        leaves.resize(self.trees + 1, 0.0);
        for group in &self.groups {
            let mut at = group.roots;
            for _ in 0..group.depth {
                let before = at;
                for lane in &mut at {
                    *lane = nodes[*lane as usize].next(slots);
                }
                // Leaves lead to themselves: all have arrived.
                if at == before {
                    break;
                }
            }
            for (lane, tree) in at.iter().zip(&group.trees) {
                leaves[*tree as usize] = nodes[*lane as usize].threshold;
            }
        }
        leaves[..self.trees].iter().fold(0.0, |sum, leaf| sum + leaf)
    }
}
