//! The model card: one HTML page, made from the report alone, without any reference outside itself. Deterministic.

mod features;
mod figures;
mod plot;
mod published;

use std::fmt::Write;

use domain::Month;
use trees::manifest::Manifest;

use crate::report::Report;

/// Renders the page of a model; `manifest` is absent for a file that nothing is registered of.
pub fn render(title: &str, report: &Report, manifest: Option<&Manifest>) -> String {
    let mut page = String::with_capacity(100_000);
    let title = escape(title);
    let _ = write!(
        page,
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title><style>{STYLE}</style></head><body>"
    );
    let _ = write!(page, "<h1>{title}</h1><p class=\"caution\">{}</p>", escape(&report.caution));
    alarms(&mut page, report);
    page.push_str(if report.lineage.is_of_a_file() { USE_OF_A_FILE } else { INTENDED_USE });
    lineage(&mut page, report, manifest);
    page.push_str(
        "<h2>Test figures</h2><p>All models of a protocol on the same rows, read once; 95 % intervals by company bootstrap. \
         Thresholds were frozen on validation.</p>",
    );
    notes(&mut page, report);
    figures::table(&mut page, &report.sections);
    figures::published(&mut page, &report.sections);
    figures::curves(&mut page, report);
    figures::levels(&mut page, report);
    figures::intervals(&mut page, report);
    figures::horizons(&mut page, &report.sections);
    figures::origins(&mut page, &report.sections);
    features::effects(&mut page, &report.effects);
    figures::breakdown(&mut page, &report.breakdown);
    features::search(&mut page, &report.search);
    page.push_str(if report.lineage.is_of_a_file() { LIMITS_OF_A_FILE } else { LIMITS });
    page.push_str("</body></html>\n");
    page
}

fn alarms(page: &mut String, report: &Report) {
    if report.alarms.is_empty() {
        let features = if report.effects.is_empty() {
            "features were not looked at one by one, which this kind of model does not allow"
        } else {
            "no feature is implausibly good alone, and none dominates"
        };
        let protocols = if report.sections.len() > 1 { "; protocols agree as far as they should" } else { "; one protocol was measured" };
        let _ = write!(page, "<p>No alarm: {features}{protocols}.</p>");
        return;
    }
    page.push_str("<div class=\"alarm\"><b>Alarms: do not act on these figures before somebody has looked.</b><ul>");
    for alarm in &report.alarms {
        let _ = write!(page, "<li>{}</li>", escape(&alarm.message));
    }
    page.push_str("</ul></div>");
}

fn notes(page: &mut String, report: &Report) {
    page.push_str("<ul>");
    for note in &report.notes {
        let _ = write!(page, "<li>{}</li>", escape(note));
    }
    page.push_str("</ul>");
}

fn lineage(page: &mut String, report: &Report, manifest: Option<&Manifest>) {
    let lineage = &report.lineage;
    let mut rows = vec![
        ("data", lineage.data.clone()),
        ("version of the features", lineage.features_version.to_string()),
        ("hash of the features", lineage.schema_hash.clone()),
        ("program", format!("signaux-faibles {}", lineage.code_version)),
        ("parameters", serde_json::to_string(&lineage.params).unwrap_or_default()),
        ("licence", "EUPL-1.2; the data keep the licences of their publishers".to_owned()),
    ];
    if let Some(manifest) = manifest {
        rows.push(("kind", manifest.kind.clone()));
        rows.push(("features", manifest.features.len().to_string()));
        rows.push(("trees", manifest.trees.to_string()));
        rows.push(("SHA-256 of model.txt", manifest.text_sha256.clone()));
    }
    if let Some(section) = report.sections.first() {
        if let Some(model) = section.models.first() {
            let (moderate, high) = (model.thresholds.moderate, model.thresholds.high);
            rows.push(("thresholds", format!("moderate ≥ {moderate:.4}, high ≥ {high:.4}")));
            let (isotonic, beta) = (model.calibration.isotonic.log_loss, model.calibration.beta.log_loss);
            rows.push((
                "calibration",
                format!("{} (log-loss on the other half of validation: isotonic {isotonic:.5}, beta {beta:.5})", model.calibration.kind),
            ));
        }
        let split = section.split;
        let periods = [split.train, split.validation, split.test];
        for (side, period) in section.sides.iter().zip(periods) {
            let when = if section.protocol.is_of_a_file() { String::new() } else { format!("{} to {}: ", period.from, period.to) };
            let text = format!("{when}{} rows, {} followed by a failure", side.rows, side.positives);
            rows.push((
                match side.side.as_str() {
                    "train" => "training",
                    "validation" => "validation",
                    _ => "test",
                },
                text,
            ));
        }
        rows.push(("failing companies in test", section.failing_entities.to_string()));
    }
    page.push_str("<h2>Lineage</h2><table class=\"lineage\">");
    for (name, value) in rows {
        let _ = write!(page, "<tr><th>{name}</th><td>{}</td></tr>", escape(&value));
    }
    page.push_str("</table>");
}

/// A number of a table; what is undefined on the rows is said to be.
fn number(value: f64, digits: usize) -> String {
    if value.is_finite() { format!("{value:.digits$}") } else { "undefined".to_owned() }
}

/// The month of this index; the index itself when it is the place of a time in a file.
fn when(time: i32) -> String {
    Month::from_index(time).map_or_else(|| time.to_string(), |month| month.to_string())
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

const INTENDED_USE: &str = "<h2>Intended use</h2><p>Rank companies by the probability that a collective procedure opens within 18 months, \
so that agents of the State can offer help in time. A score is never a decision, and is shown with its reasons. <b>Not for</b> control, \
credit, pricing or publication.</p>";

const USE_OF_A_FILE: &str = "<h2>Intended use</h2><p>An evaluation of the learning on a file, to compare it with others on the same rows. \
Nothing is registered, and nothing is scored with it.</p>";

const LIMITS_OF_A_FILE: &str = "<h2>Limits</h2><ul><li>What the columns mean, and whether they were known when the outcome was not, is not \
known here: a column that tells the outcome makes every figure too good.</li><li>Figures are those of the sides of this file; another \
division of it gives others.</li></ul>";

const LIMITS: &str = "<h2>Limits</h2><ul><li>Failures without any sign in the sources (a lost customer, an accident, a fraud) are not \
foreseen; difficulties without a procedure count as no failure.</li><li>Help that succeeds looks like a false alarm.</li><li>2020 and 2021 had \
far fewer procedures than their companies' difficulties: validation or test months there measure the public support of those years.</li>\
<li>Headcounts are known months late and accounts after nine months; a company that files nothing is judged on what is left.</li>\
<li>Companies under ten employees are outside of the perimeter.</li></ul>";

const STYLE: &str = "body{font:15px/1.45 sans-serif;max-width:1180px;margin:2em auto;padding:0 1em;color:#1e1e1e}\
table{border-collapse:collapse;margin:1em 0;display:block;overflow-x:auto}th,td{border:1px solid #ccc;padding:.3em .6em;text-align:left;\
font-variant-numeric:tabular-nums;vertical-align:top}td:nth-child(2):last-child{overflow-wrap:anywhere}td.n{white-space:nowrap;text-align:right}th{background:#f2f2f8}\
.lineage{display:table;table-layout:fixed;width:100%}.lineage th{width:12em}.caution{border-left:4px solid #b34000;padding:.5em 1em;background:#fff4ec}.alarm{border:2px solid #c00;padding:.5em 1em;background:#fff0f0}\
.bar{display:inline-block;height:.8em;background:#000091;margin-right:.5em}.plots{display:flex;flex-wrap:wrap;gap:1.5em}\
.plots figure{margin:0}.plots figcaption{font-weight:bold}.legend{font-size:13px;margin:.2em 0;max-width:360px}.none{color:#666;font-style:italic}\
small{color:#555}svg .frame{fill:none;stroke:#999}svg .diagonal{stroke:#999;stroke-dasharray:4}svg text{font-size:11px;fill:#444}";

#[cfg(test)]
mod tests;
