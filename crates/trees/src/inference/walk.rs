//! Scores: a row goes down all trees together, two levels at a time, so that memory answers for one tree while others are
//! asked. Trees in which it has arrived are asked no more: most leaves are near the root, a few are deep, and which ones
//! differs from row to row.

use super::Node;

/// Where a row is in a tree.
#[derive(Debug, Clone, Copy)]
struct Place {
    tree: u32,
    node: u32,
}

/// Where rows begin: the roots, in the order of the trees.
#[derive(Debug, Clone)]
pub(super) struct Walk {
    roots: Vec<Place>,
}

/// Memory of a walk, used again from row to row.
#[derive(Debug, Default)]
pub(super) struct Steps {
    /// Trees in which the row has not arrived, and what is left of the steps before.
    places: Vec<Place>,
    /// The value of each tree.
    leaves: Vec<f64>,
}

impl Walk {
    /// Through trees with these roots.
    pub(super) fn new(roots: &[u32]) -> Self {
        Self { roots: (0..).zip(roots).map(|(tree, &node)| Place { tree, node }).collect() }
    }

    /// The sum of the leaves, added in the order of the trees as LightGBM does.
    pub(super) fn sum(&self, nodes: &[Node], slots: &[f64], steps: &mut Steps) -> f64 {
        let trees = self.roots.len();
        steps.places.clear();
        steps.places.extend_from_slice(&self.roots);
        steps.leaves.resize(trees, 0.0);
        let (places, leaves) = (&mut steps.places[..trees], &mut steps.leaves[..trees]);
        let mut walking = trees;
        while walking > 0 {
            let mut left = 0;
            // No branch depends on the row: each tree writes its value and its place, and the place of one that has arrived is
            // written over. A leaf leads to itself.
            for at in 0..walking.min(trees) {
                let Place { tree, node } = places[at];
                let first = nodes[node as usize].next(slots);
                let second = nodes[first as usize].next(slots);
                leaves[tree as usize] = nodes[first as usize].threshold;
                places[left] = Place { tree, node: second };
                left += usize::from(second != first);
            }
            walking = left;
        }
        leaves.iter().fold(0.0, |sum, leaf| sum + leaf)
    }
}
