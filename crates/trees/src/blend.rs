//! One model out of several: a weighted sum of raw scores is again a sum of trees, so that a blend of LightGBM models is a
//! LightGBM model, with one text that is stored, served and explained like any other.

use std::fmt::Write as _;

use crate::error::{Result, TreesError};
use crate::model::Model;
use crate::model_text::{Cut, Section};

/// A model of a blend and what its raw score is multiplied by.
#[derive(Debug, Clone, Copy)]
pub struct Part<'a> {
    /// The model; all parts have the same features.
    pub model: &'a Model,
    /// Its weight. Finite.
    pub factor: f64,
}

/// The model whose raw score is `shift` plus the weighted sum of those of its parts. The header is the first part's; gains are
/// weighted like the steps that the trees make, so that the importance of features is that of the whole.
pub fn blend(parts: &[Part<'_>], shift: f64) -> Result<Model> {
    let first = parts.first().ok_or_else(|| wrong("it has no part"))?.model;
    if !shift.is_finite() || parts.iter().any(|part| !part.factor.is_finite()) {
        return Err(wrong("a factor or the shift is not a finite number"));
    }
    let mut trees: Vec<String> = Vec::new();
    for part in parts {
        if part.model.feature_names() != first.feature_names() {
            return Err(wrong("its parts have not the same features"));
        }
        for tree in Cut::of(part.model.to_text())?.trees {
            let shift = if trees.is_empty() { shift } else { 0.0 };
            trees.push(scaled(&tree, trees.len(), part.factor, shift)?);
        }
    }
    let head = Cut::of(first.to_text())?.head;
    let sizes: Vec<String> = trees.iter().map(|tree| tree.len().to_string()).collect();
    let mut text = String::new();
    for line in head.lines().filter(|line| !line.is_empty() && *line != "average_output") {
        if line.starts_with("tree_sizes=") {
            let _infallible = writeln!(text, "tree_sizes={}", sizes.join(" "));
        } else {
            let _infallible = writeln!(text, "{line}");
        }
    }
    let _infallible = write!(text, "\n{}end of trees\n", trees.concat());
    Model::from_text(text)
}

/// The text of a tree under another number, with its values times a factor, plus a shift.
fn scaled(tree: &Section<'_>, number: usize, factor: f64, shift: f64) -> Result<String> {
    let shrinkage: f64 = tree.one("shrinkage")?;
    let mut text = format!("Tree={number}\n");
    for line in tree.text.lines() {
        let (key, values) = line.split_once('=').unwrap_or((line, ""));
        let (factor, shift) = match key {
            "leaf_value" | "internal_value" => (factor, shift),
            "split_gain" => (factor.abs() * shrinkage, 0.0),
            _ => {
                text.push_str(line);
                text.push('\n');
                continue;
            }
        };
        let numbers = values.split_whitespace().map(|value| value.parse::<f64>().map(|value| (value * factor + shift).to_string()));
        let numbers: Vec<String> =
            numbers.collect::<Result<_, _>>().map_err(|_| wrong(format!("`{key}` has something else than numbers")))?;
        let _infallible = writeln!(text, "{key}={}", numbers.join(" "));
    }
    Ok(text)
}

fn wrong(problem: impl Into<String>) -> TreesError {
    TreesError::ModelText { problem: format!("a blend cannot be made: {}", problem.into()) }
}
