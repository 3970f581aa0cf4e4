//! Reads and checks a text model.
//!
//! LightGBM's own reader, which some calls still need, trusts its input: arrays that are too short end the process, and
//! children that do not exist are read beyond the memory of the tree. A text that passes here has whole trees over existing
//! features.

use std::str::FromStr;

use crate::error::{Result, TreesError};

/// The parts of a text that predictions need.
#[derive(Debug)]
pub(crate) struct ModelText {
    /// Names of the features, in the order of a row.
    pub(crate) feature_names: Vec<String>,
    /// The trees, in the order in which their values are added.
    pub(crate) trees: Vec<TreeText>,
}

/// One tree: nodes, of which 0 is the root, and leaves. A tree of one leaf has no node.
#[derive(Debug, Default)]
pub(crate) struct TreeText {
    pub(crate) nodes: Vec<NodeText>,
    /// Value and number of training rows of each leaf.
    pub(crate) leaves: Vec<(f64, u64)>,
    /// Where the sets of categories begin and end among the words.
    pub(crate) set_ends: Vec<usize>,
    /// Sets of categories, 32 to a word.
    pub(crate) set_words: Vec<u32>,
}

/// What a node asks of a row.
#[derive(Debug, Clone)]
pub(crate) struct NodeText {
    pub(crate) feature: usize,
    /// Values up to it go left; the number of a set of categories for a categorical node.
    pub(crate) threshold: f64,
    /// Bit 0: categorical; bit 1: missing values go left; bits 2 and 3: what is missing (0 nothing, 1 zeros, 2 NaN).
    pub(crate) decision: u8,
    /// Training rows that came by.
    pub(crate) rows: u64,
    /// Left and right: the number of a node, or the complement of that of a leaf.
    pub(crate) children: [i64; 2],
}

impl ModelText {
    /// Reads the header and every tree.
    pub(crate) fn read(text: &str) -> Result<Self> {
        let Cut { head, trees } = Cut::of(text)?;
        let header = Section { name: "header", text: head };
        if header.one::<u32>("num_class")? != 1 || header.one::<u32>("num_tree_per_iteration")? != 1 {
            return Err(wrong("it has not exactly one output"));
        }
        let feature_names: Vec<String> = header.value("feature_names")?.split_whitespace().map(str::to_owned).collect();
        let trees = trees.iter().map(|tree| read_tree(tree, feature_names.len())).collect::<Result<_>>()?;
        Ok(Self { feature_names, trees })
    }

    /// How many nodes ask for each feature.
    pub(crate) fn splits_by_feature(&self) -> Vec<u32> {
        let mut splits = vec![0; self.feature_names.len()];
        self.trees.iter().flat_map(|tree| &tree.nodes).for_each(|node| splits[node.feature] += 1);
        splits
    }
}

/// A text cut into its header and its trees.
pub(crate) struct Cut<'a> {
    /// The lines before the first tree.
    pub(crate) head: &'a str,
    /// The trees.
    pub(crate) trees: Vec<Section<'a>>,
}

impl<'a> Cut<'a> {
    /// Cuts a text where it says that its trees end.
    pub(crate) fn of(text: &'a str) -> Result<Self> {
        let (head, _) = text.split_once("\nTree=").ok_or_else(|| wrong("there is no tree"))?;
        if head.lines().next() != Some("tree") {
            return Err(wrong("the first line is not `tree`"));
        }
        let mut rest = text.get(head.len() + 1..).unwrap_or_default();
        let mut trees = Vec::new();
        for size in (Section { name: "header", text: head }).many::<usize>("tree_sizes")? {
            let (tree, after) = rest.split_at_checked(size).ok_or_else(|| wrong("the trees are cut short"))?;
            let (name, text) = tree.split_once('\n').ok_or_else(|| wrong("a tree is empty"))?;
            trees.push(Section { name, text });
            rest = after;
        }
        if !rest.starts_with("end of trees") {
            return Err(wrong("the sizes of the trees do not lead to `end of trees`"));
        }
        Ok(Self { head, trees })
    }
}

fn wrong(problem: impl Into<String>) -> TreesError {
    TreesError::ModelText { problem: problem.into() }
}

/// Lines of `key=value`.
pub(crate) struct Section<'a> {
    /// What errors call it.
    pub(crate) name: &'a str,
    /// The lines.
    pub(crate) text: &'a str,
}

impl<'a> Section<'a> {
    fn value(&self, key: &str) -> Result<&'a str> {
        let found = self.text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
        found.ok_or_else(|| wrong(format!("`{key}` is missing in {}", self.name)))
    }

    /// The number of a key.
    pub(crate) fn one<T: FromStr>(&self, key: &str) -> Result<T> {
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

/// Reads one tree, and checks that every index in it exists.
fn read_tree(tree: &Section<'_>, features: usize) -> Result<TreeText> {
    let count: usize = tree.one("num_leaves")?;
    let values = tree.exactly::<f64>("leaf_value", count)?;
    if count == 0 || values.iter().any(|value| !value.is_finite()) {
        return Err(wrong(format!("{} has no leaf or a leaf without value", tree.name)));
    }
    if tree.one::<u32>("is_linear")? != 0 {
        return Err(wrong(format!("{} has linear leaves", tree.name)));
    }
    if count == 1 {
        return Ok(TreeText { leaves: values.into_iter().map(|value| (value, 0)).collect(), ..TreeText::default() });
    }
    let nodes = count - 1;
    let leaf_rows = tree.exactly::<u64>("leaf_count", count)?;
    let rows = tree.exactly::<u64>("internal_count", nodes)?;
    let split_features = tree.exactly::<usize>("split_feature", nodes)?;
    if split_features.iter().any(|feature| *feature >= features) {
        return Err(wrong(format!("{} splits on a feature that does not exist", tree.name)));
    }
    let (left, right) = (read_children(tree, "left_child", nodes)?, read_children(tree, "right_child", nodes)?);
    let mut visits = vec![0u8; nodes + count];
    for child in left.iter().chain(&right) {
        let at = usize::try_from(*child).unwrap_or_else(|_| nodes + usize::try_from(!child).unwrap_or(0));
        visits[at] = visits[at].saturating_add(1);
    }
    if visits[0] != 0 || visits[1..].iter().any(|visits| *visits != 1) {
        return Err(wrong(format!("a node of {} has not exactly one parent", tree.name)));
    }
    let thresholds = tree.exactly::<f64>("threshold", nodes)?;
    let decisions = tree.exactly::<u8>("decision_type", nodes)?;
    if thresholds.iter().any(|threshold| threshold.is_nan()) {
        return Err(wrong(format!("{} has a threshold that is not a number", tree.name)));
    }
    let (set_ends, set_words) = read_sets(tree, &thresholds, &decisions)?;
    let node = |at: usize| NodeText {
        feature: split_features[at],
        threshold: thresholds[at],
        decision: decisions[at],
        rows: rows[at],
        children: [left[at], right[at]],
    };
    Ok(TreeText { nodes: (0..nodes).map(node).collect(), leaves: values.into_iter().zip(leaf_rows).collect(), set_ends, set_words })
}

/// The children of one side. A node comes after its parent, which rules out circles; a leaf is written as the complement of
/// its index.
fn read_children(tree: &Section<'_>, side: &str, nodes: usize) -> Result<Vec<i64>> {
    let exists = |node: usize, child: i64| match usize::try_from(child) {
        Ok(child) => child > node && child < nodes,
        Err(_) => usize::try_from(!child).is_ok_and(|leaf| leaf <= nodes),
    };
    let children = tree.exactly::<i64>(side, nodes)?;
    if children.iter().enumerate().all(|(node, child)| exists(node, *child)) {
        Ok(children)
    } else {
        Err(wrong(format!("`{side}` points to nothing in {}", tree.name)))
    }
}

/// The sets of categories; the threshold of a categorical split is the number of one.
fn read_sets(tree: &Section<'_>, thresholds: &[f64], decisions: &[u8]) -> Result<(Vec<usize>, Vec<u32>)> {
    let sets: usize = tree.one("num_cat")?;
    let mut categorical = thresholds.iter().zip(decisions).filter(|(_, kind)| **kind & 1 == 1);
    if categorical.any(|(set, _)| !(*set >= 0.0 && *set < sets as f64)) {
        return Err(wrong(format!("{} splits on categories that do not exist", tree.name)));
    }
    if sets == 0 {
        return Ok((Vec::new(), Vec::new()));
    }
    let ends = tree.exactly::<usize>("cat_boundaries", sets + 1)?;
    let words = tree.many::<u32>("cat_threshold")?;
    if !ends.is_sorted() || ends.first() != Some(&0) || ends.last() != Some(&words.len()) {
        return Err(wrong(format!("the sets of categories do not fit in {}", tree.name)));
    }
    Ok((ends, words))
}
