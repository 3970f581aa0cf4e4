//! Tables and plots of figures.

use std::fmt::Write;

use trees::metrics::Interval;

use super::plot::{Axes, Mark, Series, plot};
use super::published::{PUBLISHED, Published};
use super::{escape, number, when};
use crate::breakdown::{self, Dimension, Part};
use crate::evaluate::Figure;
use crate::report::{Evaluated, Report, Section};
use crate::split::Protocol;

/// Figures of the main table: name, digits.
const COLUMNS: [(Figure, &str, usize); 18] = [
    (Figure::Auc, "AUC", 3),
    (Figure::AveragePrecision, "average precision", 3),
    (Figure::Prevalence, "prevalence", 4),
    (Figure::FHalf, "F0.5 (high)", 3),
    (Figure::FTwo, "F2 (moderate)", 3),
    (Figure::PrecisionHigh, "precision (high)", 3),
    (Figure::RecallHigh, "recall (high)", 3),
    (Figure::PrecisionModerate, "precision (moderate)", 3),
    (Figure::RecallModerate, "recall (moderate)", 3),
    (Figure::BalancedAccuracyHigh, "balanced accuracy (high)", 3),
    (Figure::BalancedAccuracyModerate, "balanced accuracy (moderate)", 3),
    (Figure::PrecisionTop2Percent, "precision, top 2 %", 3),
    (Figure::RecallTop2Percent, "recall, top 2 %", 3),
    (Figure::PrecisionTop6Percent, "precision, top 6 %", 3),
    (Figure::RecallTop6Percent, "recall, top 6 %", 3),
    (Figure::Brier, "Brier", 4),
    (Figure::Ece, "ECE", 4),
    (Figure::LogLoss, "log-loss", 4),
];

fn cell(interval: Option<&Interval>, digits: usize) -> String {
    match interval {
        Some(found) => format!(
            "<td class=\"n\">{}<br><small>[{}, {}]</small></td>",
            number(found.value, digits),
            number(found.low, digits),
            number(found.high, digits)
        ),
        None => "<td class=\"n\"><small>undefined on these rows</small></td>".to_owned(),
    }
}

/// All figures of all models under all protocols.
pub fn table(page: &mut String, sections: &[Section]) {
    page.push_str("<table><tr><th>protocol</th><th>model</th>");
    for (_, name, _) in COLUMNS {
        let _ = write!(page, "<th>{name}</th>");
    }
    page.push_str("<th>lead of the first model in average precision, same companies drawn</th></tr>");
    for section in sections {
        for (at, model) in section.models.iter().enumerate() {
            let _ = write!(page, "<tr><td>{}</td><td>{}</td>", escape(&section.title()), model.kind.name());
            for (figure, _, digits) in COLUMNS {
                page.push_str(&cell(model.worth.figures.get(&figure), digits));
            }
            if at == 0 {
                page.push_str("<td></td>");
            } else {
                page.push_str(&cell(model.first_leads_by.as_ref(), 3));
            }
            page.push_str("</tr>");
        }
    }
    page.push_str("</table>");
}

/// What was published under the same rules, beside the first model.
pub fn published(page: &mut String, sections: &[Section]) {
    let beside = |published: &'static Published| {
        let section = sections.iter().find(|section| section.protocol == published.protocol)?;
        Some((published, section.models.first()?))
    };
    let found: Vec<_> = PUBLISHED.iter().filter_map(beside).collect();
    if found.is_empty() {
        return;
    }
    page.push_str(
        "<h3>Beside what was published under the same rules</h3><p>Other companies, other years: a comparison of the order of \
         size, and only on real data.</p><table><tr><th>evaluation</th>",
    );
    let columns = || {
        COLUMNS.iter().filter(|(figure, ..)| found.iter().any(|(published, _)| published.figures.iter().any(|(known, _)| known == figure)))
    };
    for (_, name, _) in columns() {
        let _ = write!(page, "<th>{name}</th>");
    }
    page.push_str("</tr>");
    for (published, model) in &found {
        let _ = write!(page, "<tr><td>{}</td>", escape(published.name));
        for (figure, ..) in columns() {
            let value = published.figures.iter().find(|(known, _)| known == figure);
            let _ =
                write!(page, "<td class=\"n\">{}</td>", value.map_or_else(|| "not published".to_owned(), |(_, value)| value.to_string()));
        }
        let _ = write!(page, "</tr><tr><td>ours, {} ({})</td>", model.kind.name(), published.protocol.name());
        for (figure, _, digits) in columns() {
            page.push_str(&cell(model.worth.figures.get(figure), *digits));
        }
        page.push_str("</tr>");
    }
    page.push_str("</table>");
}

fn figure(page: &mut String, caption: &str, drawn: &str) {
    let _ = write!(page, "<figure><figcaption>{}</figcaption>{drawn}</figure>", escape(caption));
}

fn series(section: &Section, points: impl Fn(&Evaluated) -> Vec<(f64, f64)>) -> Vec<Series> {
    section.models.iter().map(|model| Series { name: model.kind.name().to_owned(), points: points(model) }).collect()
}

/// Curves of the first section: precision and recall, ROC, reliability, lead time, learning.
pub fn curves(page: &mut String, report: &Report) {
    let Some(section) = report.sections.first() else { return };
    page.push_str("<h2>Curves</h2><div class=\"plots\">");
    let unit = Some((0.0, 1.0));
    let axes = Axes { title: "precision and recall", x: "recall", y: "precision", x_range: unit, y_range: unit };
    figure(page, "Precision and recall", &plot(&axes, &series(section, |model| model.worth.precision_recall.clone()), Mark::Line, false));
    let axes = Axes { title: "ROC", x: "false positive rate", y: "true positive rate", x_range: unit, y_range: unit };
    figure(page, "ROC", &plot(&axes, &series(section, |model| model.worth.roc.clone()), Mark::Line, true));
    let reliability = series(section, |model| model.worth.reliability.iter().map(|bin| (bin.predicted, bin.observed)).collect());
    let most = reliability.iter().flat_map(|series| &series.points).fold(1e-3, |most: f64, point| most.max(point.0).max(point.1));
    let range = Some((0.0, most * 1.05));
    let axes = Axes { title: "reliability", x: "predicted probability", y: "observed rate", x_range: range, y_range: range };
    figure(page, "Reliability, by tenth of the rows", &plot(&axes, &reliability, Mark::Dots, true));
    let leads = series(section, |model| {
        let bands = model.worth.lead_time.bands.iter();
        bands.filter_map(|band| Some((f64::from(band.months.0 + band.months.1) / 2.0, band.recall?))).collect()
    });
    let axes =
        Axes { title: "lead time", x: "months before the judgment", y: "recall (moderate)", x_range: Some((0.0, 18.0)), y_range: unit };
    figure(page, "How early failures are seen", &plot(&axes, &leads, Mark::Dots, false));
    let learning = vec![Series {
        name: "validation".to_owned(),
        points: report.learning_curve.iter().map(|(round, metric)| (f64::from(*round), *metric)).collect(),
    }];
    let axes = Axes { title: "learning", x: "trees", y: "log-loss on validation", x_range: None, y_range: None };
    figure(page, "Learning", &plot(&axes, &learning, Mark::Line, false));
    page.push_str("</div>");
}

/// Volumes, first alerts and lead time of the models of the first section.
pub fn levels(page: &mut String, report: &Report) {
    let Some(section) = report.sections.first() else { return };
    page.push_str(
        "<h2>Alerts</h2><table><tr><th>model</th><th>high, a month</th><th>moderate, a month</th><th>companies ever high</th>\
         <th>precision of the first high alert</th><th>companies ever moderate or high</th><th>precision of the first alert</th>\
         <th>failing companies</th><th>seen before</th><th>months ahead, quartiles</th></tr>",
    );
    for model in &section.models {
        let worth = &model.worth;
        let rows: usize = worth.volumes.iter().map(|volume| volume.rows).sum();
        let share = |of: usize| number(100.0 * of as f64 / rows.max(1) as f64, 2);
        let (high, moderate) =
            worth.volumes.iter().fold((0, 0), |(high, moderate), volume| (high + volume.high, moderate + volume.moderate));
        let quartiles = worth.lead_time.quartiles.map_or_else(
            || "none was seen".to_owned(),
            |[low, median, up]| format!("{}, {}, {}", number(low, 0), number(median, 0), number(up, 0)),
        );
        let _ = write!(
            page,
            "<tr><td>{}</td><td class=\"n\">{} %</td><td class=\"n\">{} %</td><td class=\"n\">{}</td>{}<td class=\"n\">{}</td>{}\
             <td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{quartiles}</td></tr>",
            model.kind.name(),
            share(high),
            share(moderate),
            worth.first_high.companies,
            cell(worth.first_high.precision.as_ref(), 3),
            worth.first_moderate.companies,
            cell(worth.first_moderate.precision.as_ref(), 3),
            worth.lead_time.companies,
            worth.lead_time.detected,
        );
    }
    page.push_str("</table>");
    if let Some(capacity) = &section.capacity {
        let _ = write!(
            page,
            "<p>By capacity: thresholds for {} companies a department flag {} a month on the test rows, with a precision of {} and a recall of {} \
             ({} % of the rows are located).</p>",
            capacity.companies,
            number(capacity.flagged, 1),
            number(capacity.precision, 3),
            number(capacity.recall, 3),
            number(100.0 * capacity.covered, 1)
        );
    }
    if let (Some(first), true) = (section.models.first(), !section.protocol.is_of_a_file()) {
        let of = |name: &str, count: fn(&crate::evaluate::Volume) -> usize| Series {
            name: name.to_owned(),
            points: first
                .worth
                .volumes
                .iter()
                .map(|volume| (f64::from(volume.time) / 12.0, 100.0 * count(volume) as f64 / volume.rows.max(1) as f64))
                .collect(),
        };
        let drawn = [of("high", |volume| volume.high), of("moderate", |volume| volume.moderate)];
        let axes = Axes { title: "volumes", x: "year", y: "% of the companies", x_range: None, y_range: None };
        let ends = (first.worth.volumes.first().map(|volume| volume.time), first.worth.volumes.last().map(|volume| volume.time));
        if let (Some(from), Some(to)) = ends {
            page.push_str("<div class=\"plots\">");
            figure(page, &format!("Alerts by level, {} to {}", when(from), when(to)), &plot(&axes, &drawn, Mark::Line, false));
            page.push_str("</div>");
        }
    }
}

/// The intervals of the first model beside what happened.
pub fn intervals(page: &mut String, report: &Report) {
    let Some(worth) = report.sections.first().and_then(|section| section.intervals.as_ref()) else { return };
    let _ = write!(
        page,
        "<h2>Intervals</h2><p>Venn–Abers intervals on the test rows, {} wide on the mean; {} % of the calibrated probabilities are outside of \
         theirs, which are served widened to hold them. They were learnt on validation: what changed since is not in them.</p>\
         <table><tr><th>tenth of the rows, the lowest scores first</th><th>mean interval</th><th>observed rate</th></tr>",
        number(worth.width, 4),
        number(100.0 * worth.probability_outside, 1),
    );
    for (at, tenth) in (1..).zip(&worth.tenths) {
        let _ = write!(
            page,
            "<tr><td>{at}</td><td class=\"n\">{} to {}</td><td class=\"n\">{}</td></tr>",
            number(tenth.low, 4),
            number(tenth.high, 4),
            number(tenth.observed, 4),
        );
    }
    page.push_str("</table>");
    if let Some(share) = report.hardly_known {
        let _ = write!(
            page,
            "<p>Of {} % of the test rows less than half of what the model asks is known: their scores are marked as of too little data.</p>",
            number(100.0 * share, 1)
        );
    }
}

/// The hazard at its horizons.
pub fn horizons(page: &mut String, sections: &[Section]) {
    let Some(section) = sections.iter().find(|section| !section.horizons.is_empty()) else { return };
    page.push_str(
        "<h2>Other horizons</h2><p>One model of the risk in each half-year gives every horizon; its probabilities are not calibrated \
         afterwards.</p><table><tr><th>within</th><th>rows whose outcome is known</th><th>prevalence</th><th>mean probability</th><th>AUC</th>\
         <th>average precision</th><th>ECE</th></tr>",
    );
    for horizon in &section.horizons {
        let shown = |value: Option<f64>, digits: usize| value.map_or_else(|| "undefined".to_owned(), |value| number(value, digits));
        let _ = write!(
            page,
            "<tr><td>{} months</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td>\
             <td class=\"n\">{}</td><td class=\"n\">{}</td></tr>",
            horizon.months,
            horizon.rows,
            number(horizon.prevalence, 4),
            number(horizon.predicted, 4),
            shown(horizon.auc, 3),
            shown(horizon.average_precision, 3),
            shown(horizon.ece, 4),
        );
    }
    page.push_str("</table>");
}

/// The first model over rolling origins.
pub fn origins(page: &mut String, sections: &[Section]) {
    let rolling: Vec<&Section> = sections.iter().filter(|section| section.protocol == Protocol::Rolling).collect();
    if rolling.len() < 2 {
        return;
    }
    let line = |name: &str, figure: Figure| Series {
        name: name.to_owned(),
        points: rolling
            .iter()
            .rev()
            .filter_map(|section| {
                let found = section.models.first()?.worth.figures.get(&figure)?;
                Some((f64::from(section.split.test.to.index()) / 12.0, found.value))
            })
            .collect(),
    };
    page.push_str("<h2>Rolling origins</h2><div class=\"plots\">");
    let axes = Axes {
        title: "rolling origins",
        x: "end of the test period (year)",
        y: "AUC, average precision",
        x_range: None,
        y_range: Some((0.0, 1.0)),
    };
    let drawn = [line("AUC", Figure::Auc), line("average precision", Figure::AveragePrecision)];
    figure(page, "The same model trained and tested a year earlier each time", &plot(&axes, &drawn, Mark::Dots, false));
    page.push_str("</div>");
    let auc: Vec<f64> = rolling.iter().filter_map(|section| Some(section.models.first()?.worth.figures.get(&Figure::Auc)?.value)).collect();
    let mean = auc.iter().sum::<f64>() / auc.len().max(1) as f64;
    let deviation = (auc.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (auc.len().max(2) - 1) as f64).sqrt();
    let _ = write!(page, "<p>AUC over {} origins: mean {mean:.3}, standard deviation {deviation:.3}.</p>", auc.len());
}

/// Figures on parts of the test rows.
pub fn breakdown(page: &mut String, parts: &[Part]) {
    if parts.is_empty() {
        return;
    }
    let _ = write!(
        page,
        "<h2>By size, sector, region and year</h2><p>Parts with fewer than {} rows followed by a failure have no figures.</p>",
        breakdown::LEAST_POSITIVES
    );
    for dimension in Dimension::ALL {
        let of: Vec<&Part> = parts.iter().filter(|part| part.dimension == dimension).collect();
        if of.is_empty() {
            continue;
        }
        let name = match dimension {
            Dimension::Size => "employees",
            Dimension::Sector => "section of activity",
            Dimension::Region => "region",
            Dimension::Year => "year",
        };
        let _ = write!(
            page,
            "<table><tr><th>{name}</th><th>rows</th><th>failing rows</th><th>prevalence</th><th>AUC</th><th>average precision</th><th>recall (moderate)</th><th>ECE</th></tr>"
        );
        for part in of {
            let _ = write!(
                page,
                "<tr><td>{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td>",
                escape(&part.part),
                part.rows,
                part.positives
            );
            if part.figures.is_empty() {
                page.push_str("<td colspan=\"5\"><small>too few failures</small></td></tr>");
                continue;
            }
            for figure in breakdown::FIGURES {
                page.push_str(&cell(part.figures.get(&figure), if matches!(figure, Figure::Prevalence | Figure::Ece) { 4 } else { 3 }));
            }
            page.push_str("</tr>");
        }
        page.push_str("</table>");
    }
}
