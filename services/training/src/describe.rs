//! A registered model as clients see it, from its manifest and its report.

use api::training::{Evaluation, Model, Split as ApiSplit, Thresholds};
use domain::Month;
use trees::manifest::Manifest;

use crate::evaluate::Figure;
use crate::report::{Evaluated, Report, Section, calibration_name};

/// A model without its state and its time of registration, which the registry knows.
pub fn model(id: &str, manifest: &Manifest, report: &Report) -> Model {
    Model {
        id: id.to_owned(),
        kind: manifest.kind.clone(),
        protocol: manifest.protocol.clone(),
        batch: manifest.batch.clone(),
        schema_hash: manifest.schema_hash.clone(),
        thresholds: Some(Thresholds { moderate: manifest.moderate, high: manifest.high }),
        calibration: calibration_name(&manifest.calibration).to_owned(),
        ..measured(report)
    }
}

/// What a report says of a model that is registered nowhere.
pub fn measured(report: &Report) -> Model {
    Model {
        evaluations: report.sections.iter().flat_map(|section| section.models.iter().map(|model| evaluation(section, model))).collect(),
        split: report.sections.first().map(split),
        alarms: report.alarms.iter().map(|alarm| alarm.message.clone()).collect(),
        notes: report.notes.clone(),
        ..Model::default()
    }
}

/// A row of figures; NaN where one is undefined on the rows.
fn evaluation(section: &Section, model: &Evaluated) -> Evaluation {
    let interval = |figure| model.worth.figures.get(&figure).copied();
    let value = |figure| interval(figure).map_or(f64::NAN, |found| found.value);
    let ends = |figure| interval(figure).map_or((f64::NAN, f64::NAN), |found| (found.low, found.high));
    let ((auc_low, auc_high), (average_precision_low, average_precision_high)) = (ends(Figure::Auc), ends(Figure::AveragePrecision));
    Evaluation {
        model: model.kind.name().to_owned(),
        auc: value(Figure::Auc),
        average_precision: value(Figure::AveragePrecision),
        f_half: value(Figure::FHalf),
        f_two: value(Figure::FTwo),
        precision_high: value(Figure::PrecisionHigh),
        recall_moderate: value(Figure::RecallModerate),
        precision_top_2_percent: value(Figure::PrecisionTop2Percent),
        recall_top_2_percent: value(Figure::RecallTop2Percent),
        precision_top_6_percent: value(Figure::PrecisionTop6Percent),
        recall_top_6_percent: value(Figure::RecallTop6Percent),
        brier: value(Figure::Brier),
        ece: value(Figure::Ece),
        auc_low,
        auc_high,
        average_precision_low,
        average_precision_high,
        prevalence: value(Figure::Prevalence),
        median_lead_time: model.worth.lead_time.quartiles.map_or(f64::NAN, |quartiles| quartiles[1]),
        protocol: section.protocol.name().to_owned(),
        test_to: if section.protocol.is_of_a_file() { String::new() } else { section.split.test.to.to_string() },
    }
}

fn split(section: &Section) -> ApiSplit {
    let size = |at: usize| section.sides.get(at).map_or((0, 0), |side| (side.rows as u64, side.positives as u64));
    let ((train_rows, train_positives), (validation_rows, validation_positives), (test_rows, test_positives)) = (size(0), size(1), size(2));
    // The times of a file play no part.
    let text = |month: Month| if section.protocol.is_of_a_file() { String::new() } else { month.to_string() };
    let split = section.split;
    ApiSplit {
        train_from: text(split.train.from),
        train_to: text(split.train.to),
        validation_from: text(split.validation.from),
        validation_to: text(split.validation.to),
        test_from: text(split.test.from),
        test_to: text(split.test.to),
        train_rows,
        validation_rows,
        test_rows,
        train_positives,
        validation_positives,
        test_positives,
    }
}
