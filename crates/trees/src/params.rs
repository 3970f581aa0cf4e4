//! The parameters of a training, and how LightGBM is told them.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::error::{Result, TreesError};

/// How trees are put together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Boosting {
    /// Gradient boosting: each tree corrects those before it.
    GradientBoosting,
    /// A forest: independent trees, averaged.
    RandomForest,
}

/// What is followed on the validation set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ValidationMetric {
    /// Average precision: higher is better.
    AveragePrecision,
    /// Area under the ROC curve: higher is better.
    Auc,
    /// Logarithmic loss: lower is better.
    BinaryLogloss,
}

impl ValidationMetric {
    fn lightgbm_name(self) -> &'static str {
        match self {
            Self::AveragePrecision => "average_precision",
            Self::Auc => "auc",
            Self::BinaryLogloss => "binary_logloss",
        }
    }

    /// Whether `value` is strictly better than `best`.
    pub fn improves(self, value: f64, best: f64) -> bool {
        match self {
            Self::AveragePrecision | Self::Auc => value > best,
            Self::BinaryLogloss => value < best,
        }
    }
}

/// The parameters of a training. The objective is always binary; missing values are NaN and go to the better side of each
/// split; runs are deterministic for the same rows in the same order, the same parameters and number of threads.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Params {
    /// Boosting or forest.
    pub boosting: Boosting,
    /// Number of trees, at most, when early stopping is on.
    pub rounds: u32,
    /// Weight of each new tree, in (0, 1]. Unused by a forest.
    pub learning_rate: f64,
    /// Leaves of a tree, at most; at least 2.
    pub num_leaves: u32,
    /// Depth of a tree, at most; no limit when absent.
    pub max_depth: Option<u32>,
    /// Rows of a leaf, at least.
    pub min_data_in_leaf: u32,
    /// Sum of second derivatives of a leaf, at least.
    pub min_sum_hessian_in_leaf: f64,
    /// Loss reduction of a split, at least.
    pub min_gain_to_split: f64,
    /// L1 penalty of leaf values.
    pub lambda_l1: f64,
    /// L2 penalty of leaf values.
    pub lambda_l2: f64,
    /// L2 penalty of leaf values in splits of categories; more makes rare categories tell less.
    pub category_l2: f64,
    /// Rows of the common rate that temper the rate of a category before categories are sorted by it.
    pub category_smoothing: f64,
    /// Share of the features that a tree may use, in (0, 1].
    pub feature_fraction: f64,
    /// Share of the features that a node may use, in (0, 1].
    pub feature_fraction_by_node: f64,
    /// Share of the rows that a tree sees, in (0, 1].
    pub bagging_fraction: f64,
    /// Rounds after which rows are drawn again; 0 means never.
    pub bagging_frequency: u32,
    /// Weight of a positive row relative to a negative one.
    pub positive_weight: f64,
    /// For each feature +1 (more never lowers the risk), -1 or 0; empty when there is none. A categorical feature has 0.
    pub monotone_constraints: Vec<i8>,
    /// What is followed on the validation set.
    pub metric: ValidationMetric,
    /// Rounds without improvement after which training stops and keeps the best round; needs a validation set.
    pub early_stopping_rounds: Option<u32>,
    /// Seed of every random choice.
    pub seed: u32,
    /// Number of threads, at least 1. Part of the fingerprint, because sums of floats depend on how rows are shared out.
    pub threads: u32,
}

impl Default for Params {
    fn default() -> Self {
        Self {
            boosting: Boosting::GradientBoosting,
            rounds: 400,
            learning_rate: 0.05,
            num_leaves: 31,
            max_depth: None,
            min_data_in_leaf: 20,
            min_sum_hessian_in_leaf: 1e-3,
            min_gain_to_split: 0.0,
            lambda_l1: 0.0,
            lambda_l2: 0.0,
            category_l2: 10.0,
            category_smoothing: 10.0,
            feature_fraction: 1.0,
            feature_fraction_by_node: 1.0,
            bagging_fraction: 1.0,
            bagging_frequency: 0,
            positive_weight: 1.0,
            monotone_constraints: Vec::new(),
            metric: ValidationMetric::AveragePrecision,
            early_stopping_rounds: None,
            seed: 42,
            threads: 1,
        }
    }
}

impl Params {
    /// The forest published in 2024 (`domain/model.md` §3, G5): 100 trees of depth 9, √features at each node. A tree sees
    /// 63.2 % of the rows, the share of distinct rows in a bootstrap sample, since LightGBM draws without replacement.
    pub fn published_forest(features: usize) -> Self {
        Self {
            boosting: Boosting::RandomForest,
            rounds: 100,
            max_depth: Some(9),
            num_leaves: 1 << 9,
            min_data_in_leaf: 1,
            min_sum_hessian_in_leaf: 0.0,
            feature_fraction_by_node: 1.0 / (features.max(1) as f64).sqrt(),
            bagging_fraction: 0.632,
            bagging_frequency: 1,
            ..Self::default()
        }
    }

    /// The same with one parameter changed, by its name and as text: how clients and searches name parameters. The value is
    /// JSON, or a bare word.
    pub fn with(&self, name: &str, text: &str) -> Result<Self> {
        let refused = |problem: String| TreesError::Setting { name: name.to_owned(), problem };
        let mut document = serde_json::to_value(self)?;
        let known = document.as_object_mut().ok_or_else(|| refused("parameters are no document".to_owned()))?;
        if !known.contains_key(name) {
            let names: Vec<&str> = known.keys().map(String::as_str).collect();
            return Err(refused(format!("there is none of this name; there are {}", names.join(", "))));
        }
        let value = serde_json::from_str(text).unwrap_or_else(|_| serde_json::Value::String(text.to_owned()));
        known.insert(name.to_owned(), value);
        serde_json::from_value(document).map_err(|error| refused(error.to_string()))
    }

    /// Checks ranges, and the constraints against the number of features and the categorical ones.
    pub fn check(&self, features: usize, categorical: &[usize]) -> Result<()> {
        let shares = [
            ("feature_fraction", self.feature_fraction),
            ("feature_fraction_by_node", self.feature_fraction_by_node),
            ("bagging_fraction", self.bagging_fraction),
            ("learning_rate", self.learning_rate),
        ];
        for (name, share) in shares {
            if !(share > 0.0 && share <= 1.0) {
                return Err(TreesError::parameter(name, format!("{share} is not in (0, 1]")));
            }
        }
        let not_negative = [
            ("min_sum_hessian_in_leaf", self.min_sum_hessian_in_leaf),
            ("min_gain_to_split", self.min_gain_to_split),
            ("lambda_l1", self.lambda_l1),
            ("lambda_l2", self.lambda_l2),
            ("category_l2", self.category_l2),
            ("category_smoothing", self.category_smoothing),
        ];
        for (name, value) in not_negative {
            if !(value >= 0.0 && value.is_finite()) {
                return Err(TreesError::parameter(name, format!("{value} is not a number of at least 0")));
            }
        }
        if !(self.positive_weight > 0.0 && self.positive_weight.is_finite()) {
            return Err(TreesError::parameter("positive_weight", format!("{} is not a number above 0", self.positive_weight)));
        }
        let at_least = [
            ("rounds", self.rounds, 1),
            ("num_leaves", self.num_leaves, 2),
            ("threads", self.threads, 1),
            ("early_stopping_rounds", self.early_stopping_rounds.unwrap_or(1), 1),
            ("max_depth", self.max_depth.unwrap_or(1), 1),
        ];
        for (name, value, least) in at_least {
            if value < least || i32::try_from(value).is_err() {
                return Err(TreesError::parameter(name, format!("{value} is not between {least} and 2147483647")));
            }
        }
        if self.boosting == Boosting::RandomForest && (self.bagging_fraction >= 1.0 || self.bagging_frequency == 0) {
            return Err(TreesError::parameter("bagging_fraction", "a forest draws rows: give less than 1, and a frequency of at least 1"));
        }
        self.check_constraints(features, categorical)
    }

    fn check_constraints(&self, features: usize, categorical: &[usize]) -> Result<()> {
        if self.monotone_constraints.is_empty() {
            return Ok(());
        }
        TreesError::check_length("monotone constraints", features, self.monotone_constraints.len())?;
        if let Some(other) = self.monotone_constraints.iter().find(|sign| !matches!(sign, -1..=1)) {
            return Err(TreesError::parameter("monotone_constraints", format!("{other} is neither -1, 0 nor 1")));
        }
        match categorical.iter().find(|&&feature| self.monotone_constraints.get(feature).is_some_and(|sign| *sign != 0)) {
            Some(feature) => Err(TreesError::parameter("monotone_constraints", format!("feature {feature} is categorical: give 0"))),
            None => Ok(()),
        }
    }

    /// Hash of the parameters, for the registry: see [`fingerprint`].
    pub fn fingerprint(&self) -> Result<String> {
        fingerprint(self)
    }

    /// LightGBM's spelling. Never `num_threads`: see `ffi`.
    pub(crate) fn to_lightgbm(&self) -> String {
        let boosting = match self.boosting {
            Boosting::GradientBoosting => "gbdt",
            Boosting::RandomForest => "rf",
        };
        let depth = self.max_depth.map_or(-1, i64::from);
        let mut text = format!(
            "objective=binary boosting={boosting} num_iterations={} learning_rate={} num_leaves={} max_depth={depth} min_data_in_leaf={} \
             min_sum_hessian_in_leaf={} min_gain_to_split={} lambda_l1={} lambda_l2={} cat_l2={} cat_smooth={} feature_fraction={} feature_fraction_bynode={} \
             bagging_fraction={} bagging_freq={} scale_pos_weight={} metric={} seed={} deterministic=true force_row_wise=true",
            self.rounds,
            self.learning_rate,
            self.num_leaves,
            self.min_data_in_leaf,
            self.min_sum_hessian_in_leaf,
            self.min_gain_to_split,
            self.lambda_l1,
            self.lambda_l2,
            self.category_l2,
            self.category_smoothing,
            self.feature_fraction,
            self.feature_fraction_by_node,
            self.bagging_fraction,
            self.bagging_frequency,
            self.positive_weight,
            self.metric.lightgbm_name(),
            self.seed,
        );
        if !self.monotone_constraints.is_empty() {
            let signs: Vec<String> = self.monotone_constraints.iter().map(i8::to_string).collect();
            text.push_str(" monotone_constraints=");
            text.push_str(&signs.join(","));
        }
        text
    }
}

/// How values are put into bins, before any training.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Binning {
    /// Bins of a feature, at most.
    pub max_bin: u32,
    /// Sampled rows of a bin, at least.
    pub min_data_in_bin: u32,
    /// Rows sampled to find the bins, at most. A sampled row takes up to 12 bytes a feature.
    pub sample_rows: u32,
    /// Seed of the sample.
    pub seed: u64,
}

impl Default for Binning {
    fn default() -> Self {
        Self { max_bin: 255, min_data_in_bin: 3, sample_rows: 200_000, seed: 1 }
    }
}

impl Binning {
    /// Checks ranges.
    pub fn check(&self) -> Result<()> {
        if !(2..=65_535).contains(&self.max_bin) {
            return Err(TreesError::parameter("max_bin", format!("{} is not between 2 and 65535", self.max_bin)));
        }
        if self.min_data_in_bin == 0 || i32::try_from(self.min_data_in_bin).is_err() {
            return Err(TreesError::parameter("min_data_in_bin", format!("{} is not between 1 and 2147483647", self.min_data_in_bin)));
        }
        if self.sample_rows == 0 || i32::try_from(self.sample_rows).is_err() {
            return Err(TreesError::parameter("sample_rows", format!("{} is not between 1 and 2147483647", self.sample_rows)));
        }
        Ok(())
    }

    /// LightGBM's spelling, with what it needs to know of the columns.
    pub(crate) fn to_lightgbm(&self, categorical: &[usize]) -> String {
        let mut text = format!(
            "max_bin={} min_data_in_bin={} bin_construct_sample_cnt={} use_missing=true zero_as_missing=false feature_pre_filter=false verbosity=-1",
            self.max_bin, self.min_data_in_bin, self.sample_rows
        );
        if !categorical.is_empty() {
            let columns: Vec<String> = categorical.iter().map(usize::to_string).collect();
            text.push_str(" categorical_feature=");
            text.push_str(&columns.join(","));
        }
        text
    }
}

/// A stable hash of anything that serde can write: SHA-256 of its compact JSON, in hexadecimal. Fields are written in the
/// order of their declaration, so the same parameters have the same hash on every machine.
pub fn fingerprint<T: Serialize>(value: &T) -> Result<String> {
    Ok(hex::encode(Sha256::digest(serde_json::to_vec(value)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fingerprint_follows_the_values_only() {
        let params = Params::default();
        let read: Params = serde_json::from_str("{\"rounds\":400,\"seed\":42}").unwrap();
        assert_eq!(params.fingerprint().unwrap(), read.fingerprint().unwrap());
        assert_eq!(params.fingerprint().unwrap().len(), 64);
        assert_ne!(params.fingerprint().unwrap(), Params { seed: 43, ..params }.fingerprint().unwrap());
        assert!(serde_json::from_str::<Params>("{\"num_iterations\":3}").is_err(), "unknown fields are refused");
    }

    #[test]
    fn a_parameter_is_set_by_its_name() {
        let params = Params::default();
        assert_eq!(params.with("num_leaves", "63").unwrap(), Params { num_leaves: 63, ..params.clone() });
        assert_eq!(params.with("metric", "auc").unwrap().metric, ValidationMetric::Auc);
        assert_eq!(params.with("max_depth", "null").unwrap(), params);
        assert!(params.with("leaves", "63").unwrap_err().to_string().contains("num_leaves"));
        assert!(params.with("num_leaves", "many").is_err() && params.with("seed", "-1").is_err());
    }

    #[test]
    fn parameters_without_meaning_are_refused() {
        let ok = Params::default();
        assert!(ok.check(3, &[]).is_ok());
        assert!(Params::published_forest(150).check(150, &[]).is_ok());
        let wrong = [
            Params { learning_rate: 0.0, ..ok.clone() },
            Params { bagging_fraction: f64::NAN, ..ok.clone() },
            Params { num_leaves: 1, ..ok.clone() },
            Params { threads: 0, ..ok.clone() },
            Params { lambda_l2: -1.0, ..ok.clone() },
            Params { boosting: Boosting::RandomForest, ..ok.clone() },
            Params { monotone_constraints: vec![1, 0], ..ok.clone() },
            Params { monotone_constraints: vec![1, 0, 2], ..ok.clone() },
            Params { monotone_constraints: vec![0, 0, 1], ..ok },
        ];
        for params in wrong {
            assert!(params.check(3, &[2]).is_err(), "{params:?}");
        }
        assert!(Binning { max_bin: 1, ..Binning::default() }.check().is_err());
    }
}
