//! Feature vectors as rows of the offline table.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanBuilder, Date32Builder, Float32Array, Float32Builder, Int32Builder, RecordBatch, StringBuilder,
};
use arrow::datatypes::{DataType, Field, Float32Type, Schema, SchemaRef};
use domain::{Month, NaiveDate};
use lake::Lake;
use lake::tables::DynamicTable;
use panel::risk::{Outcome, RiskStatus, Standing};
use panel::{Catalogue, Panel};
use rayon::prelude::*;

use crate::error::FeatureError;

/// A company's panel with what is known of its risk, month by month.
pub struct Labelled {
    /// Features.
    pub panel: Panel,
    /// How the company stands at each month of the panel.
    pub standings: Vec<Standing>,
    /// What became of the company after each month.
    pub outcomes: Vec<Outcome>,
    /// In the batch's perimeter.
    pub in_perimeter: bool,
}

impl Labelled {
    fn is_last(&self, position: usize) -> bool {
        position + 1 == self.standings.len()
    }

    /// The status at a month: by the perimeter as it was seen then, and by the batch's own at the last month.
    pub fn status(&self, position: usize) -> RiskStatus {
        let standing = self.standings[position];
        standing.status(if self.is_last(position) { self.in_perimeter } else { standing.in_perimeter })
    }

    /// Whether the offline table keeps the row of this month.
    fn keeps(&self, position: usize) -> bool {
        self.status(position) != RiskStatus::OutOfPerimeter
    }

    /// The label of a month: only a company at risk has one.
    fn label(&self, position: usize) -> Option<bool> {
        self.outcomes[position].label.filter(|_| self.status(position) == RiskStatus::AtRisk)
    }
}

/// The columns of the offline table that come before the features.
pub const FIXED: [&str; 7] = ["siren", "month", "risk", "label", "event_in", "event", "lenient_label"];

/// Columns of the offline table: `siren`, `month`, `risk`, `label`, `event_in` and `event` (months to the next proceeding
/// known, and its kind), `lenient_label` (the target of 2024), then one column a feature, null where unknown.
pub fn schema(catalogue: &Catalogue) -> SchemaRef {
    let mut fields = vec![
        Field::new("siren", DataType::Utf8, false),
        Field::new("month", DataType::Date32, false),
        Field::new("risk", DataType::Utf8, false),
        Field::new("label", DataType::Boolean, true),
        Field::new("event_in", DataType::Int32, true),
        Field::new("event", DataType::Utf8, true),
        Field::new("lenient_label", DataType::Boolean, false),
    ];
    fields.extend(catalogue.features().iter().map(|feature| Field::new(&feature.name, DataType::Float32, true)));
    Arc::new(Schema::new(fields))
}

/// The offline table.
pub fn table(lake: &Lake, catalogue: &Catalogue) -> DynamicTable {
    DynamicTable::new(lake, "features", schema(catalogue))
}

/// A column of rows of the offline table.
pub fn column<'a>(rows: &'a RecordBatch, name: &str) -> Result<&'a dyn Array, FeatureError> {
    rows.column_by_name(name).map(AsRef::as_ref).ok_or_else(|| FeatureError::OtherVersion(name.to_owned()))
}

/// The columns of all features, in the order of the catalogue.
pub fn columns<'a>(rows: &'a RecordBatch, catalogue: &Catalogue) -> Result<Vec<&'a Float32Array>, FeatureError> {
    catalogue.features().iter().map(|feature| column(rows, &feature.name).map(AsArray::as_primitive::<Float32Type>)).collect()
}

/// A value, NaN for null.
pub fn value(column: &Float32Array, row: usize) -> f32 {
    if column.is_null(row) { f32::NAN } else { column.value(row) }
}

/// The rows of some companies, in their order, each by month.
pub fn encode(schema: &SchemaRef, companies: &[Labelled]) -> Result<RecordBatch, FeatureError> {
    let features = schema.fields().len() - FIXED.len();
    let (mut sirens, mut months, mut risks, mut labels) =
        (StringBuilder::new(), Date32Builder::new(), StringBuilder::new(), BooleanBuilder::new());
    let (mut events_in, mut events, mut lenient) = (Int32Builder::new(), StringBuilder::new(), BooleanBuilder::new());
    for company in companies {
        let siren = company.panel.siren.to_string();
        for position in (0..company.standings.len()).filter(|&position| company.keeps(position)) {
            sirens.append_value(&siren);
            months.append_value(days(company.panel.window.month(position)));
            risks.append_value(company.status(position).code());
            labels.append_option(company.label(position));
            let outcome = company.outcomes[position];
            events_in.append_option(outcome.next.map(|(months, _)| i32::from(months)));
            events.append_option(outcome.next.map(|(_, action)| action.name()));
            lenient.append_value(outcome.lenient);
        }
    }
    let mut columns: Vec<ArrayRef> = vec![
        Arc::new(sirens.finish()),
        Arc::new(months.finish()),
        Arc::new(risks.finish()),
        Arc::new(labels.finish()),
        Arc::new(events_in.finish()),
        Arc::new(events.finish()),
        Arc::new(lenient.finish()),
    ];
    let kept: Vec<Vec<usize>> =
        companies.iter().map(|company| (0..company.standings.len()).filter(|&position| company.keeps(position)).collect()).collect();
    let rows = columns[0].len();
    let column = |feature: usize| -> ArrayRef {
        let mut column = Float32Builder::with_capacity(rows);
        for (company, kept) in companies.iter().zip(&kept) {
            let values = company.panel.column(feature);
            kept.iter().map(|&position| values[position]).for_each(|value| column.append_option((!value.is_nan()).then_some(value)));
        }
        Arc::new(column.finish())
    };
    columns.par_extend((0..features).into_par_iter().map(column));
    Ok(RecordBatch::try_new(schema.clone(), columns)?)
}

/// 1970-01-01, from which Arrow counts days.
const EPOCH: NaiveDate = match NaiveDate::from_ymd_opt(1970, 1, 1) {
    Some(day) => day,
    None => unreachable!(),
};

/// Days from 1970-01-01 to the first day of a month, as Arrow stores dates.
pub fn days(month: Month) -> i32 {
    (month.first_day() - EPOCH).num_days() as i32
}

/// The month of a day that Arrow stores.
pub fn month(days: i32) -> Option<Month> {
    EPOCH.checked_add_signed(chrono::Duration::days(i64::from(days))).map(Month::of)
}
