//! Scores and contributions are those of LightGBM's own code, for models that no training would make and rows that no
//! delivery has.

use std::fmt::Write;

use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use trees::reference::Reference;
use trees::{Model, Rows};

/// Features of a model: a thread keeps memory from one model to the next, which may be a smaller one.
const WIDTHS: [usize; 3] = [3, 12, 40];
const CATEGORIES: u32 = 100;
/// Numbers near which comparisons go wrong first.
const EDGES: [f64; 17] =
    [0.0, -0.0, 1e-35, -1e-35, 5e-36, 1e-34, 1.0, 1.5, 2.0, -1.0, 31.0, 32.0, 1e300, -1e300, f64::INFINITY, f64::NEG_INFINITY, 0.1];

/// One tree as text, of a model with so many features.
fn tree(width: usize, random: &mut ChaCha8Rng) -> String {
    let nodes = *[0usize, 1, 2, 7, 30, 90].choose(random).unwrap();
    // Of few features or many, bushy or one long way: each asks another rule of the contributions.
    let features_asked = width.min(*WIDTHS.choose(random).unwrap());
    let straight = *[0.0, 0.5, 1.0].choose(random).unwrap();
    // Grown leaf by leaf: a random leaf becomes a node.
    let (mut left, mut right): (Vec<i64>, Vec<i64>) = (Vec::new(), Vec::new());
    let mut places: Vec<(usize, bool)> = Vec::new();
    for node in 0..nodes {
        if node > 0 {
            let at = if random.random_bool(straight) { places.len() - 1 } else { random.random_range(0..places.len()) };
            let (parent, is_left) = places.swap_remove(at);
            if is_left { left[parent] = node as i64 } else { right[parent] = node as i64 }
        }
        left.push(0);
        right.push(0);
        places.extend([(node, true), (node, false)]);
    }
    for (leaf, (parent, is_left)) in places.iter().enumerate() {
        if *is_left { left[*parent] = !(leaf as i64) } else { right[*parent] = !(leaf as i64) }
    }
    let leaf_counts: Vec<u64> = (0..=nodes).map(|_| random.random_range(1..500)).collect();
    let mut counts = vec![0u64; nodes];
    for node in (0..nodes).rev() {
        let rows = |child: i64| usize::try_from(child).map_or_else(|_| leaf_counts[usize::try_from(!child).unwrap()], |node| counts[node]);
        counts[node] = rows(left[node]) + rows(right[node]);
    }
    let (mut ends, mut words, mut thresholds, mut decisions, mut features) = (vec![0], vec![], vec![], vec![], vec![]);
    for _ in 0..nodes {
        features.push(random.random_range(0..features_asked));
        if random.random_range(0..4) == 0 {
            thresholds.push((ends.len() - 1) as f64);
            words.extend((0..random.random_range(1..4)).map(|_| random.random::<u32>()));
            ends.push(words.len());
            decisions.push(1);
        } else {
            let edge = *EDGES.choose(random).unwrap();
            thresholds.push(if random.random() { edge } else { random.random_range(-3.0..3.0) });
            decisions.push(2 * random.random_range(0..2u8) + 4 * random.random_range(0..3u8));
        }
    }
    let mut text = format!("num_leaves={}\nnum_cat={}\n", nodes + 1, ends.len() - 1);
    let mut line = |key: &str, values: Vec<String>| writeln!(text, "{key}={}", values.join(" ")).unwrap();
    let strings = |values: &[i64]| values.iter().map(ToString::to_string).collect();
    line("split_feature", features.iter().map(ToString::to_string).collect());
    line("split_gain", features.iter().map(|_| "1".to_owned()).collect());
    line("threshold", thresholds.iter().map(|value| format!("{value:?}")).collect());
    line("decision_type", decisions.iter().map(ToString::to_string).collect());
    line("left_child", strings(&left));
    line("right_child", strings(&right));
    line("leaf_value", leaf_counts.iter().map(|_| format!("{:?}", random.random_range(-2.0..2.0))).collect());
    line("leaf_weight", leaf_counts.iter().map(ToString::to_string).collect());
    line("leaf_count", leaf_counts.iter().map(ToString::to_string).collect());
    line("internal_value", counts.iter().map(|_| "0".to_owned()).collect());
    line("internal_weight", counts.iter().map(ToString::to_string).collect());
    line("internal_count", counts.iter().map(ToString::to_string).collect());
    if ends.len() > 1 {
        line("cat_boundaries", ends.iter().map(ToString::to_string).collect());
        line("cat_threshold", words.iter().map(ToString::to_string).collect());
    }
    text + "is_linear=0\nshrinkage=1\n\n\n"
}

fn model(width: usize, random: &mut ChaCha8Rng) -> String {
    let count = random.random_range(1..20);
    let trees: Vec<String> = (0..count).map(|at| format!("Tree={at}\n{}", tree(width, random))).collect();
    let names: Vec<String> = (0..width).map(|feature| format!("f{feature}")).collect();
    let infos = vec!["none"; width].join(" ");
    let sizes: Vec<String> = trees.iter().map(|tree| tree.len().to_string()).collect();
    format!(
        "tree\nversion=v4\nnum_class=1\nnum_tree_per_iteration=1\nlabel_index=0\nmax_feature_idx={}\nobjective=binary sigmoid:1\n\
         feature_names={}\nfeature_infos={infos}\ntree_sizes={}\n\n{}end of trees\n\nfeature_importances:\n\nparameters:\nend of parameters\n\n\
         pandas_categorical:null\n",
        width - 1,
        names.join(" "),
        sizes.join(" "),
        trees.concat()
    )
}

fn value(random: &mut ChaCha8Rng) -> f64 {
    match random.random_range(0..6) {
        0 => f64::NAN,
        1 => *EDGES.choose(random).unwrap(),
        2 => f64::from(random.random_range(0..CATEGORIES + 20)),
        3 => f64::from(random.random_range(-5..5i32)) / 2.0,
        _ => random.random_range(-3.0..3.0),
    }
}

#[test]
fn a_million_random_rows_have_the_scores_of_lightgbm_to_the_last_bit() {
    let mut random = ChaCha8Rng::seed_from_u64(20_261_126);
    for _ in 0..50 {
        let width = *WIDTHS.choose(&mut random).unwrap();
        let text = model(width, &mut random);
        let (mut lightgbm, ours) = (Reference::from_text(&text).unwrap(), Model::from_text(text.clone()).unwrap());
        let wide: Vec<f64> = (0..10_000 * width).map(|_| value(&mut random)).collect();
        let narrow: Vec<f32> = wide.iter().rev().map(|value| *value as f32).collect();
        let (wide, narrow) = (Rows::new(&wide, width).unwrap(), Rows::new(&narrow, width).unwrap());
        let bits = |scores: Vec<f64>| scores.into_iter().map(f64::to_bits).collect::<Vec<_>>();
        assert!(bits(ours.predict_raw(wide).unwrap()) == bits(lightgbm.predict_raw(wide, 2).unwrap()), "{text}");
        let of_narrow = bits(ours.predict_raw(narrow).unwrap());
        assert!(of_narrow == bits(lightgbm.predict_raw(narrow, 2).unwrap()), "{text}");
        assert!(of_narrow == bits(lightgbm.predict_one_by_one(narrow).unwrap()), "{text}");
    }
}

#[test]
fn contributions_are_those_of_lightgbm_and_add_up() {
    let mut random = ChaCha8Rng::seed_from_u64(7);
    for _ in 0..50 {
        let width = *WIDTHS.choose(&mut random).unwrap();
        let text = model(width, &mut random);
        let (mut lightgbm, ours) = (Reference::from_text(&text).unwrap(), Model::from_text(text).unwrap());
        let values: Vec<f64> = (0..100 * width).map(|_| value(&mut random)).collect();
        let rows = Rows::new(&values, width).unwrap();
        let (found, expected) = (ours.contributions(rows).unwrap(), lightgbm.contributions(rows, 2).unwrap());
        let raw = ours.predict_raw(rows).unwrap();
        for ((found, expected), raw) in found.chunks(width + 1).zip(expected.chunks(width + 1)).zip(raw) {
            // Relative to the size of what is shared out: a contribution may itself be as good as nothing.
            let scale = expected.iter().map(|value| value.abs()).sum::<f64>().max(1.0);
            assert!(found.iter().zip(expected).all(|(found, expected)| (found - expected).abs() <= 1e-9 * scale), "{found:?} {expected:?}");
            assert!((found.iter().sum::<f64>() - raw).abs() <= 1e-9 * scale);
        }
    }
}
