//! The model card: one HTML page without any reference outside itself.

use std::fmt::Write;

use api::training::{Evaluation, Model};
use trees::metrics::ReliabilityBin;

/// Said on every page that shows figures.
const CAUTION: &str =
    "These figures describe the rows of this delivery. On invented data they prove the plumbing, never the worth of the model.";

/// What the page shows beside the model itself.
pub struct Card<'a> {
    /// The model with its evaluations.
    pub model: &'a Model,
    /// Predicted and observed rates on test.
    pub reliability: &'a [ReliabilityBin],
    /// Features by total gain, strongest first.
    pub importance: &'a [(String, f64)],
}

/// Renders the page. Deterministic.
pub fn render(card: &Card<'_>) -> String {
    let model = card.model;
    let mut page = String::with_capacity(16_384);
    let title = format!("Model card {}", escape(&model.id));
    page.push_str("<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>");
    page.push_str(&title);
    page.push_str("</title><style>");
    page.push_str(STYLE);
    page.push_str("</style></head><body><h1>");
    page.push_str(&title);
    let _ = write!(page, "</h1><p class=\"caution\">{CAUTION}</p>");
    page.push_str(
        "<p><b>Intended use.</b> Rank companies by the probability that a collective procedure opens within 18 months, so that \
         agents can offer help. A score is never a decision. <b>Not for</b> control, credit, or publication.</p>",
    );
    facts(&mut page, model);
    evaluations(&mut page, &model.evaluations);
    page.push_str("<h2>Reliability on the test rows</h2>");
    reliability(&mut page, card.reliability);
    page.push_str("<h2>Features by gain</h2><table><tr><th>feature</th><th>share of the gain</th></tr>");
    let total: f64 = card.importance.iter().map(|(_, gain)| gain).sum();
    for (name, gain) in card.importance.iter().take(25) {
        let share = 100.0 * gain / total.max(f64::MIN_POSITIVE);
        let _ = write!(
            page,
            "<tr><td>{}</td><td><div class=\"bar\" style=\"width:{:.1}px\"></div>{share:.1} %</td></tr>",
            escape(name),
            share * 4.0
        );
    }
    page.push_str("</table></body></html>\n");
    page
}

fn facts(page: &mut String, model: &Model) {
    let mut rows = vec![
        ("kind", model.kind.clone()),
        ("batch", model.batch.clone()),
        ("protocol", model.protocol.clone()),
        ("features (schema)", model.schema_hash.clone()),
        ("calibration", model.calibration.clone()),
    ];
    if let Some(thresholds) = &model.thresholds {
        rows.push(("thresholds", format!("moderate ≥ {:.4}, high ≥ {:.4} (frozen on validation)", thresholds.moderate, thresholds.high)));
    }
    if let Some(split) = &model.split {
        let period =
            |from: &str, to: &str, rows: u64, positives: u64| format!("{from} to {to}: {rows} rows, {positives} followed by a procedure");
        rows.push(("training", period(&split.train_from, &split.train_to, split.train_rows, split.train_positives)));
        rows.push(("validation", period(&split.validation_from, &split.validation_to, split.validation_rows, split.validation_positives)));
        rows.push(("test", period(&split.test_from, &split.test_to, split.test_rows, split.test_positives)));
    }
    page.push_str("<h2>Facts</h2><table>");
    for (name, value) in rows {
        let _ = write!(page, "<tr><th>{name}</th><td>{}</td></tr>", escape(&value));
    }
    page.push_str("</table>");
}

fn evaluations(page: &mut String, evaluations: &[Evaluation]) {
    page.push_str(
        "<h2>Test figures</h2><p>All models on the same rows; 95 % intervals by company bootstrap.</p><table><tr><th>model</th><th>AUC</th>\
         <th>average precision</th><th>F0.5 (high)</th><th>F2 (moderate)</th><th>precision (high)</th><th>recall (moderate)</th>\
         <th>precision top 2 %</th><th>recall top 6 %</th><th>Brier</th><th>ECE</th><th>median lead (months)</th></tr>",
    );
    for e in evaluations {
        let _ = write!(
            page,
            "<tr><td>{}</td><td>{:.3} [{:.3}, {:.3}]</td><td>{:.3} [{:.3}, {:.3}]</td><td>{:.3}</td><td>{:.3}</td><td>{:.3}</td><td>{:.3}</td>\
             <td>{:.3}</td><td>{:.3}</td><td>{:.4}</td><td>{:.4}</td><td>{:.1}</td></tr>",
            escape(&e.model),
            e.auc,
            e.auc_low,
            e.auc_high,
            e.average_precision,
            e.average_precision_low,
            e.average_precision_high,
            e.f_half,
            e.f_two,
            e.precision_high,
            e.recall_moderate,
            e.precision_top_2_percent,
            e.recall_top_6_percent,
            e.brier,
            e.ece,
            e.median_lead_time,
        );
    }
    page.push_str("</table>");
    if let Some(first) = evaluations.first() {
        let _ = write!(page, "<p>Prevalence in the test rows: {:.2} %.</p>", 100.0 * first.prevalence);
    }
}

/// Predicted against observed, both on the scale of the largest one.
fn reliability(page: &mut String, bins: &[ReliabilityBin]) {
    const SIZE: f64 = 320.0;
    let most = bins.iter().fold(1e-6, |most: f64, bin| most.max(bin.predicted).max(bin.observed));
    let x = |value: f64| 40.0 + value / most * SIZE;
    let y = |value: f64| 20.0 + SIZE - value / most * SIZE;
    let _ = write!(
        page,
        "<svg width=\"400\" height=\"380\" role=\"img\" aria-label=\"reliability diagram\"><rect x=\"40\" y=\"20\" width=\"{SIZE}\" height=\"{SIZE}\" class=\"frame\"/>"
    );
    let _ = write!(page, "<line x1=\"{}\" y1=\"{}\" x2=\"{}\" y2=\"{}\" class=\"diagonal\"/>", x(0.0), y(0.0), x(most), y(most));
    for bin in bins {
        let _ = write!(
            page,
            "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"4\"><title>predicted {:.2} %, observed {:.2} %, {} rows</title></circle>",
            x(bin.predicted),
            y(bin.observed),
            100.0 * bin.predicted,
            100.0 * bin.observed,
            bin.rows
        );
    }
    let _ = write!(page, "<text x=\"40\" y=\"365\">predicted, 0 to {:.1} %; observed on the other axis</text></svg>", 100.0 * most);
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

const STYLE: &str = "body{font:15px/1.45 sans-serif;max-width:1100px;margin:2em auto;padding:0 1em;color:#1e1e1e}\
table{border-collapse:collapse;margin:1em 0}th,td{border:1px solid #ccc;padding:.3em .6em;text-align:left;font-variant-numeric:tabular-nums}\
th{background:#f2f2f8}.caution{border-left:4px solid #b34000;padding:.5em 1em;background:#fff4ec}\
.bar{display:inline-block;height:.8em;background:#000091;margin-right:.5em}\
svg .frame{fill:none;stroke:#999}svg .diagonal{stroke:#999;stroke-dasharray:4}svg circle{fill:#000091}svg text{font-size:12px}";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_stands_alone_and_is_honest() {
        let model = Model {
            id: "<m>".into(),
            evaluations: vec![Evaluation { model: "lightgbm".into(), ..Default::default() }],
            ..Default::default()
        };
        let page = render(&Card { model: &model, reliability: &[], importance: &[("debt".into(), 2.0)] });
        assert!(page.contains("&lt;m&gt;") && page.contains(CAUTION));
        assert!(!page.contains("http") && !page.contains("src="), "nothing is loaded from elsewhere");
    }
}
