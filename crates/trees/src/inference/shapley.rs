//! Shapley values of the features of a row, exactly, in time proportional to the number of nodes.
//!
//! A tree where some features are known and others are not follows the row at the nodes of the known ones, and goes both
//! ways by the shares of the training rows at the others (the path-dependent values of Lundberg et al., "Consistent
//! individualized feature attribution for tree ensembles", 2018). On the way to a leaf every feature j has a share `z_j` of rows
//! that pass at its nodes, and `o_j`, 1 when the row itself passes. If each feature is known with probability t, the leaf is
//! reached with probability Π (z_j (1 - t) + o_j t), and the Shapley value of a feature is the integral over t of how much
//! knowing it changes that (Owen, "Multilinear extensions of games", 1972):
//!
//! > φ_i = Σ over leaves of value · (o_i - z_i) · ∫ Π over j ≠ i of (z_j (1 - t) + o_j t) dt
//!
//! The product is a polynomial, whose integral a few points give exactly. At each point one walk down the tree carries the
//! product, and the way back up carries the sum over the leaves below, out of which the factor of a node's own feature is divided
//! (as in Yu et al., "Linear TreeShap", 2022). Every factor is positive: nothing cancels.

use std::collections::BTreeMap;

use super::quadrature::gauss_legendre;
use super::{Node, leaf};
use crate::model_text::TreeText;

/// No node.
const NONE: u32 = u32::MAX;
/// Points that go down a tree together; as many for twice the features. Few features need few points.
const FEW: usize = 4;
const MANY: usize = 8;

/// How a node is reached.
#[derive(Debug, Clone, Copy)]
struct Edge {
    /// Share of the training rows that pass at all nodes of the feature up to here.
    passing: f64,
    /// Share of those that came to the parent which come here.
    share: f64,
    /// The feature of the parent.
    feature: u32,
    /// The last node before this one that was reached by the same feature.
    before: u32,
}

#[derive(Debug, Clone)]
struct Tree {
    root: u32,
    /// Features that can be on one way, at most.
    features: usize,
}

/// What sharing out takes besides the nodes.
#[derive(Debug, Clone, Default)]
pub(super) struct Shares {
    trees: Vec<Tree>,
    /// By node.
    edges: Vec<Edge>,
    /// Sum of the expected values of the trees.
    base: f64,
    few: Option<Points<FEW>>,
    /// The points of a rule, by how many times `MANY` it has.
    many: BTreeMap<usize, Vec<Points<MANY>>>,
}

impl Shares {
    /// Adds a tree whose nodes are `root..end`; `order` are its inner nodes from the root on: where it is, where its left child is,
    /// its number in the text.
    pub(super) fn add(&mut self, tree: &TreeText, root: usize, end: usize, order: &[(usize, usize, usize)]) {
        self.edges.resize(end, Edge { passing: 1.0, share: 1.0, feature: NONE, before: NONE });
        let rows_of = |name: i64| usize::try_from(name).map_or_else(|_| leaf(tree, name).1, |node| tree.nodes[node].rows);
        let mut parents = vec![NONE; end - root];
        let mut known = vec![0; end - root];
        for &(at, left, index) in order {
            let node = &tree.nodes[index];
            for (child, name) in (left..).zip(node.children) {
                parents[child - root] = at as u32;
                let share = if node.rows == 0 { 0.0 } else { rows_of(name) as f64 / node.rows as f64 };
                let mut before = at as u32;
                while before != NONE && self.edges[before as usize].feature != node.feature as u32 {
                    before = parents[before as usize - root];
                }
                let passing = if before == NONE { 1.0 } else { self.edges[before as usize].passing };
                known[child - root] = known[at - root] + usize::from(before == NONE);
                self.edges[child] = Edge { passing: passing * share, share, feature: node.feature as u32, before };
            }
        }
        self.base += match tree.nodes.first() {
            None => leaf(tree, !0).0,
            Some(node) => tree.leaves.iter().fold(0.0, |sum, (value, rows)| sum + *rows as f64 / node.rows as f64 * value),
        };
        let tree = Tree { root: root as u32, features: known.into_iter().max().unwrap_or(0) };
        if tree.is_small() {
            self.few.get_or_insert_with(|| Points::new(&gauss_legendre(FEW)));
        } else {
            let blocks = tree.blocks();
            let rule = || gauss_legendre(blocks * MANY).chunks(MANY).map(Points::new).collect();
            self.many.entry(blocks).or_insert_with(rule);
        }
        self.trees.push(tree);
    }

    /// Adds the contribution of each feature, and the base value after them.
    pub(super) fn write(&self, nodes: &[Node], slots: &[f64], followed: &mut Vec<bool>, output: &mut [f64]) {
        followed.resize(nodes.len(), true);
        for tree in &self.trees {
            if tree.is_small() {
                self.few.iter().for_each(|points| self.share_out(points, tree, nodes, slots, followed, output));
            } else {
                // A sum over points is that over its blocks.
                let blocks = self.many.get(&tree.blocks()).into_iter().flatten();
                blocks.for_each(|points| self.share_out(points, tree, nodes, slots, followed, output));
            }
        }
        if let Some(base) = output.last_mut() {
            *base = self.base;
        }
    }

    fn share_out<const N: usize>(
        &self,
        points: &Points<N>,
        tree: &Tree,
        nodes: &[Node],
        slots: &[f64],
        followed: &mut [bool],
        output: &mut [f64],
    ) {
        let mut descent = Descent { points, nodes, edges: &self.edges, slots, followed, output };
        descent.below(tree.root, points.weights);
    }
}

impl Tree {
    fn is_small(&self) -> bool {
        self.features <= 2 * FEW
    }

    /// Blocks of points that make the integrals exact.
    fn blocks(&self) -> usize {
        self.features.div_ceil(2 * MANY)
    }
}

/// Where polynomials are known.
#[derive(Debug, Clone)]
struct Points<const N: usize> {
    /// `t`.
    at: [f64; N],
    /// `1 - t`.
    left: [f64; N],
    /// `1 / (1 - t)`.
    inverse: [f64; N],
    weights: [f64; N],
}

impl<const N: usize> Points<N> {
    /// Of points and their weights.
    fn new(rule: &[(f64, f64)]) -> Self {
        let at = std::array::from_fn(|point| rule[point].0);
        let left = at.map(|t: f64| 1.0 - t);
        Self { at, left, inverse: left.map(f64::recip), weights: std::array::from_fn(|point| rule[point].1) }
    }
}

struct Descent<'a, const N: usize> {
    points: &'a Points<N>,
    nodes: &'a [Node],
    edges: &'a [Edge],
    slots: &'a [f64],
    /// By node: whether the row passes at all nodes of the edge's feature up to there.
    followed: &'a mut [bool],
    output: &'a mut [f64],
}

impl<const N: usize> Descent<'_, N> {
    /// Shares out what is below a node that is reached with this probability at each point, times the weight of the point;
    /// gives the sum over its leaves of their value times that of reaching them.
    fn below(&mut self, at: u32, reached: [f64; N]) -> [f64; N] {
        let node = self.nodes[at as usize];
        if node.left == at {
            return reached.map(|reached| reached * node.threshold);
        }
        let taken = node.next(self.slots);
        let mut total = [0.0; N];
        for child in [node.left, node.left + 1] {
            let sum = self.child(child, child == taken, &reached);
            for (total, sum) in total.iter_mut().zip(sum) {
                *total += sum;
            }
        }
        total
    }

    fn child(&mut self, child: u32, taken: bool, reached: &[f64; N]) -> [f64; N] {
        let edge = self.edges[child as usize];
        let before = (edge.before != NONE).then(|| (self.edges[edge.before as usize].passing, self.followed[edge.before as usize]));
        let follows = taken && before.is_none_or(|(_, followed)| followed);
        self.followed[child as usize] = follows;
        // The feature's factor up to here takes the place of that up to its node before.
        let mut here = *reached;
        match before {
            Some((_, false)) => here.iter_mut().for_each(|here| *here *= edge.share),
            Some((passing, true)) => {
                let (new, old) = (self.factor(edge.passing, follows), self.factor(passing, true));
                for (here, (new, old)) in here.iter_mut().zip(new.iter().zip(old)) {
                    *here *= new / old;
                }
            }
            None => {
                for (here, new) in here.iter_mut().zip(self.factor(edge.passing, follows)) {
                    *here *= new;
                }
            }
        }
        let sum = self.below(child, here);
        let mut change = self.change(edge.passing, follows, &sum);
        if let Some((passing, followed)) = before {
            change -= self.change(passing, followed, &sum);
        }
        self.output[edge.feature as usize] += change;
        sum
    }

    /// `z (1 - t) + o t` at each point.
    fn factor(&self, passing: f64, follows: bool) -> [f64; N] {
        let follows = f64::from(u8::from(follows));
        std::array::from_fn(|point| passing * self.points.left[point] + follows * self.points.at[point])
    }

    /// `(o - z)` times the integral of a sum from which the feature's own factor is divided out.
    fn change(&self, passing: f64, follows: bool, sum: &[f64; N]) -> f64 {
        if follows {
            let factor = self.factor(passing, true);
            (1.0 - passing) * sum.iter().zip(factor).map(|(sum, factor)| sum / factor).sum::<f64>()
        } else {
            // z cancels: -z Σ / (z (1 - t)).
            -sum.iter().zip(&self.points.inverse).map(|(sum, inverse)| sum * inverse).sum::<f64>()
        }
    }
}
