//! Checks a text model before LightGBM's reader sees it.
//!
//! That reader trusts its input: arrays that are too short end the process, and children that do not exist are read
//! beyond the memory of the tree. A text that passes here has whole trees over existing features.

use std::str::FromStr;

use crate::error::{Result, TreesError};

/// What the crate itself needs of a text.
#[derive(Debug)]
pub(crate) struct Frame {
    /// Names of the features, in the order of a row.
    pub(crate) feature_names: Vec<String>,
    /// Number of trees.
    pub(crate) trees: usize,
}

impl Frame {
    /// Reads the header and checks every tree.
    pub(crate) fn read(text: &str) -> Result<Self> {
        let (head, _) = text.split_once("\nTree=").ok_or_else(|| wrong("there is no tree"))?;
        if head.lines().next() != Some("tree") {
            return Err(wrong("the first line is not `tree`"));
        }
        let header = Section { name: "header", text: head };
        if header.one::<u32>("num_class")? != 1 || header.one::<u32>("num_tree_per_iteration")? != 1 {
            return Err(wrong("it has not exactly one output"));
        }
        let feature_names: Vec<String> = header.value("feature_names")?.split_whitespace().map(str::to_owned).collect();
        let sizes: Vec<usize> = header.many("tree_sizes")?;
        let mut rest = text.get(head.len() + 1..).unwrap_or_default();
        for size in &sizes {
            let (tree, after) = rest.split_at_checked(*size).ok_or_else(|| wrong("the trees are cut short"))?;
            let (name, body) = tree.split_once('\n').ok_or_else(|| wrong("a tree is empty"))?;
            check_tree(&Section { name, text: body }, feature_names.len())?;
            rest = after;
        }
        if !rest.starts_with("end of trees") {
            return Err(wrong("the sizes of the trees do not lead to `end of trees`"));
        }
        Ok(Self { feature_names, trees: sizes.len() })
    }
}

fn wrong(problem: impl Into<String>) -> TreesError {
    TreesError::ModelText { problem: problem.into() }
}

/// Lines of `key=value`.
struct Section<'a> {
    name: &'a str,
    text: &'a str,
}

impl<'a> Section<'a> {
    fn value(&self, key: &str) -> Result<&'a str> {
        let found = self.text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
        found.ok_or_else(|| wrong(format!("`{key}` is missing in {}", self.name)))
    }

    fn one<T: FromStr>(&self, key: &str) -> Result<T> {
        self.value(key)?.parse().map_err(|_| wrong(format!("`{key}` is not a number in {}", self.name)))
    }

    fn many<T: FromStr>(&self, key: &str) -> Result<Vec<T>> {
        let numbers = self.value(key)?.split_whitespace().map(str::parse);
        numbers.collect::<Result<_, _>>().map_err(|_| wrong(format!("`{key}` has something else than numbers in {}", self.name)))
    }

    fn exactly<T: FromStr>(&self, key: &str, count: usize) -> Result<Vec<T>> {
        let numbers = self.many(key)?;
        if numbers.len() == count {
            Ok(numbers)
        } else {
            Err(wrong(format!("`{key}` has {} numbers instead of {count} in {}", numbers.len(), self.name)))
        }
    }
}

/// Checks the arrays of one tree: their lengths, and that every index in them exists.
fn check_tree(tree: &Section<'_>, features: usize) -> Result<()> {
    let leaves: usize = tree.one("num_leaves")?;
    let values = tree.exactly::<f64>("leaf_value", leaves)?;
    if leaves == 0 || values.iter().any(|value| !value.is_finite()) {
        return Err(wrong(format!("{} has no leaf or a leaf without value", tree.name)));
    }
    if tree.one::<u32>("is_linear")? != 0 {
        return Err(wrong(format!("{} has linear leaves", tree.name)));
    }
    if leaves == 1 {
        return Ok(());
    }
    let nodes = leaves - 1;
    tree.exactly::<u64>("leaf_count", leaves)?;
    tree.exactly::<u64>("internal_count", nodes)?;
    let split_features = tree.exactly::<usize>("split_feature", nodes)?;
    if split_features.iter().any(|feature| *feature >= features) {
        return Err(wrong(format!("{} splits on a feature that does not exist", tree.name)));
    }
    for side in ["left_child", "right_child"] {
        // A node comes after its parent, which rules out circles; a leaf is written as the complement of its index.
        let exists = |node: usize, child: i64| match usize::try_from(child) {
            Ok(child) => child > node && child < nodes,
            Err(_) => usize::try_from(!child).is_ok_and(|leaf| leaf < leaves),
        };
        if tree.exactly::<i64>(side, nodes)?.into_iter().enumerate().any(|(node, child)| !exists(node, child)) {
            return Err(wrong(format!("`{side}` points to nothing in {}", tree.name)));
        }
    }
    check_categories(tree, nodes)
}

/// Checks the thresholds; that of a categorical split is the index of a set of categories.
fn check_categories(tree: &Section<'_>, nodes: usize) -> Result<()> {
    let thresholds = tree.exactly::<f64>("threshold", nodes)?;
    let kinds = tree.exactly::<u8>("decision_type", nodes)?;
    let sets: usize = tree.one("num_cat")?;
    let categorical = thresholds.iter().zip(&kinds).filter(|(_, kind)| **kind & 1 == 1);
    if categorical.into_iter().any(|(set, _)| !(*set >= 0.0 && *set < sets as f64)) {
        return Err(wrong(format!("{} splits on categories that do not exist", tree.name)));
    }
    if sets > 0 {
        let ends = tree.exactly::<usize>("cat_boundaries", sets + 1)?;
        let words = tree.many::<u32>("cat_threshold")?.len();
        if !ends.is_sorted() || ends.first() != Some(&0) || ends.last() != Some(&words) {
            return Err(wrong(format!("the sets of categories do not fit in {}", tree.name)));
        }
    }
    Ok(())
}
