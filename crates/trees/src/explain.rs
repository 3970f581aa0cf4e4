//! Why a company has its score: contributions by group of features, in log-odds and in percentage points.
//!
//! Contributions in log-odds add up by construction. Percentages do not: the calibrated probability is a curve. The
//! points of a group are its exact Shapley value in the game "which groups are known": the mean, over all orders in
//! which the groups could be added to the base, of the change of the calibrated probability when it is added. This does
//! not depend on any order, is always finite (unlike sharing out the percentage in proportion, which divides by a sum
//! that may be 0), is 0 for a group without effect, never has the sign opposite to the group's log-odds since the
//! calibration increases, and with the base adds up to the percentage shown.

use serde::{Deserialize, Serialize};

use crate::error::{Result, TreesError};

/// Groups beyond this would take more than 2¹⁶ evaluations of the calibration.
pub const MAX_GROUPS: usize = 16;

/// A score taken apart by group, in the unit of the model (log-odds).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GroupContributions {
    /// The score of no feature known.
    pub base: f64,
    /// What each group adds.
    pub groups: Vec<f64>,
}

/// A probability taken apart by group, in percentage points.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GroupPoints {
    /// The percentage of the base.
    pub base: f64,
    /// Points that each group adds or takes away.
    pub groups: Vec<f64>,
}

impl GroupContributions {
    /// Sums one row of [`crate::Model::contributions`] by group. `group_of` gives the group of each feature, below `groups`.
    pub fn new(contributions: &[f64], group_of: &[usize], groups: usize) -> Result<Self> {
        let Some((base, features)) = contributions.split_last() else {
            return Err(TreesError::Shape { values: 0, features: group_of.len() + 1 });
        };
        TreesError::check_features(group_of.len(), features.len())?;
        let mut sums = vec![0.0; groups];
        for (contribution, group) in features.iter().zip(group_of) {
            let sum =
                sums.get_mut(*group).ok_or_else(|| TreesError::parameter("group_of", format!("group {group} is not below {groups}")))?;
            *sum += contribution;
        }
        Ok(Self { base: *base, groups: sums })
    }

    /// The score: base and groups together.
    pub fn total(&self) -> f64 {
        self.base + self.groups.iter().sum::<f64>()
    }

    /// The groups in percentage points: see the module. `probability` is the calibration, from log-odds. Fails beyond
    /// [`MAX_GROUPS`] groups.
    pub fn points(&self, probability: impl Fn(f64) -> f64) -> Result<GroupPoints> {
        let count = self.groups.len();
        if count > MAX_GROUPS {
            return Err(TreesError::parameter("groups", format!("{count} are more than {MAX_GROUPS}")));
        }
        // The percentage of each set of groups; bit g of the index says whether group g is in it.
        let members = |set: usize| self.groups.iter().enumerate().filter(move |(group, _)| set >> group & 1 == 1);
        let percent: Vec<f64> =
            (0..1usize << count).map(|set| 100.0 * probability(self.base + members(set).map(|(_, value)| value).sum::<f64>())).collect();
        // Share of the orders in which exactly `size` given groups come before a given one.
        let weights: Vec<f64> = (0..count).map(|size| 1.0 / (count as f64 * binomial(count - 1, size))).collect();
        let shapley = |group: usize| {
            let without = (0..percent.len()).filter(|set| set >> group & 1 == 0);
            without.map(|set| weights[set.count_ones() as usize] * (percent[set | 1 << group] - percent[set])).sum()
        };
        Ok(GroupPoints { base: percent[0], groups: (0..count).map(shapley).collect() })
    }
}

impl GroupPoints {
    /// The percentage: base and groups together.
    pub fn total(&self) -> f64 {
        self.base + self.groups.iter().sum::<f64>()
    }
}

fn binomial(n: usize, k: usize) -> f64 {
    (0..k).fold(1.0, |product, step| product * (n - step) as f64 / (step + 1) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sigmoid::sigmoid;

    fn points(base: f64, groups: &[f64]) -> GroupPoints {
        GroupContributions { base, groups: groups.to_vec() }.points(sigmoid).unwrap()
    }

    #[test]
    fn points_add_up_and_keep_their_sign() {
        for groups in [vec![3.0, -2.0, 0.0, 1e-3, -1.0, 4.0], vec![2.0, -2.0], vec![-40.0, 40.0, 0.5], vec![]] {
            let points = points(-3.5, &groups);
            let expected = 100.0 * sigmoid(-3.5 + groups.iter().sum::<f64>());
            assert!((points.total() - expected).abs() < 1e-10, "{points:?} {expected}");
            assert!(points.groups.iter().zip(&groups).all(|(points, value)| points * value >= 0.0 && (*value != 0.0 || *points == 0.0)));
        }
    }

    #[test]
    fn points_do_not_depend_on_the_order_of_the_groups() {
        let (one, other) = (points(-3.0, &[2.0, -1.0, 0.5]), points(-3.0, &[0.5, 2.0, -1.0]));
        assert!([(0, 1), (1, 2), (2, 0)].iter().all(|(i, j)| (one.groups[*i] - other.groups[*j]).abs() < 1e-12));
    }

    #[test]
    fn two_groups_by_hand() {
        // Mean of "added first" and "added last".
        let probability = |x: f64| 100.0 * sigmoid(x);
        let first = f64::midpoint(probability(-1.0) - probability(-3.0), probability(0.0) - probability(-2.0));
        assert!((points(-3.0, &[2.0, 1.0]).groups[0] - first).abs() < 1e-12);
    }

    #[test]
    fn features_are_summed_into_their_groups() {
        let grouped = GroupContributions::new(&[0.5, -0.25, 1.0, -3.0], &[1, 0, 1], 2).unwrap();
        assert_eq!(grouped, GroupContributions { base: -3.0, groups: vec![-0.25, 1.5] });
        assert_eq!(grouped.total(), -1.75);
        assert!(GroupContributions::new(&[0.5, -3.0], &[2], 2).is_err());
        assert!(GroupContributions::new(&[0.5, -3.0], &[0, 1], 2).is_err());
        assert!(GroupContributions { base: 0.0, groups: vec![0.0; 17] }.points(sigmoid).is_err());
    }
}
