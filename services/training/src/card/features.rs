//! What each feature does, as tables and strips of dots.

use std::fmt::Write;

use super::plot::{bar, strip};
use super::{escape, number};
use crate::effects::Effect;
use crate::search::Trial;

/// Features shown.
const SHOWN: usize = 25;

/// Importance by gain, and the summary of contributions.
pub fn effects(page: &mut String, effects: &[Effect]) {
    if effects.is_empty() {
        return;
    }
    page.push_str("<h2>Contributions on test rows (SHAP)</h2><p>A dot is a company in a month: to the right the feature raises its risk, to the left \
         it lowers it, in log-odds. Blue is a low value, red a high one, grey an unknown one. <i>Alone</i> is the AUC of the feature by itself.</p>\
         <table><tr><th>feature</th><th>mean absolute contribution</th><th>direction</th><th>alone</th><th>contributions</th></tr>");
    let drawn: Vec<&Effect> = effects.iter().filter(|effect| !effect.points.is_empty()).collect();
    let most = drawn.iter().flat_map(|effect| &effect.points).fold(1e-6, |most: f64, point| most.max(f64::from(point.1).abs()));
    for effect in drawn {
        let _ = write!(
            page,
            "<tr><td>{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td>{}</td></tr>",
            escape(&effect.feature),
            number(effect.contribution, 3),
            effect.direction.map_or_else(|| "constant".to_owned(), |direction| format!("{direction:+.2}")),
            effect.auc_alone.map_or_else(|| "undefined".to_owned(), |auc| number(auc, 3)),
            strip(&effect.points, most)
        );
    }
    page.push_str("</table><h2>Importance</h2><table><tr><th>feature</th><th>share of the gain</th></tr>");
    let mut by_gain: Vec<&Effect> = effects.iter().collect();
    by_gain.sort_by(|a, b| b.gain.total_cmp(&a.gain).then_with(|| a.feature.cmp(&b.feature)));
    for effect in by_gain.iter().take(SHOWN) {
        let _ = write!(page, "<tr><td>{}</td><td>{}</td></tr>", escape(&effect.feature), bar(effect.gain));
    }
    page.push_str("</table>");
}

/// Parameters that were tried.
pub fn search(page: &mut String, trials: &[Trial]) {
    if trials.is_empty() {
        return;
    }
    page.push_str(
        "<h2>Search</h2><p>Loss on validation after a tenth, three tenths and all of the trees; the test rows were not read.</p>\
         <table><tr><th>candidate</th><th>losses</th><th>leaves</th><th>learning rate</th><th>rows of a leaf</th><th>L2</th>\
         <th>share of features</th><th>share of rows</th></tr>",
    );
    for trial in trials {
        let losses: Vec<String> = trial.losses.iter().map(|loss| number(*loss, 5)).collect();
        let params = &trial.params;
        let _ = write!(
            page,
            "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            if trial.candidate == 0 { "as given".to_owned() } else { trial.candidate.to_string() },
            losses.join(", "),
            params.num_leaves,
            params.learning_rate,
            params.min_data_in_leaf,
            params.lambda_l2,
            params.feature_fraction,
            params.bagging_fraction,
        );
    }
    page.push_str("</table>");
}
