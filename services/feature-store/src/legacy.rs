//! Frames with the inputs of published models instead of the catalogue's features: the same rows, so that a baseline is
//! measured on what the others are.
//!
//! Which rows, and what is known of their risk, is read from the offline table; their inputs are computed from the rows of
//! the sources. Memory holds those of the companies of a few batches of rows.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Float32Array, RecordBatch};
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, Date32Type, Field, Schema, SchemaRef};
use domain::{Month, Siren};
use futures::stream::{BoxStream, StreamExt, TryStreamExt};
use panel::legacy::{Inputs, View};
use rayon::prelude::*;

use crate::companies::{self, Tables};
use crate::encode::{self, FIXED, column};
use crate::error::FeatureError;

/// Batches of rows whose companies are read together: reading few companies costs as much as reading many.
const TOGETHER: usize = 16;

/// A view of the companies of a batch.
pub struct Legacy {
    /// The rows of the sources as of the batch.
    pub tables: Tables,
    /// Which model's inputs.
    pub view: View,
    /// Inputs wanted, all when empty.
    pub names: Vec<String>,
    /// First month of the rows.
    pub from: Month,
    /// Last month of the batch: what is known later is not read.
    pub last: Month,
}

impl Legacy {
    /// The columns of a frame: those that it always has, then the inputs.
    pub fn schema(&self, table: &SchemaRef) -> SchemaRef {
        let fixed = table.fields().iter().filter(|field| FIXED.contains(&field.name().as_str())).cloned();
        let input = |(_, name): (usize, String)| Arc::new(Field::new(name, DataType::Float32, true));
        Arc::new(Schema::new(fixed.chain(self.wanted().map(input)).collect::<Vec<_>>()))
    }

    /// Positions and names of the inputs wanted.
    fn wanted(&self) -> impl Iterator<Item = (usize, String)> {
        let wanted = |(_, name): &(usize, String)| self.names.is_empty() || self.names.contains(name);
        self.view.columns().into_iter().enumerate().filter(wanted)
    }

    /// Adds the inputs to rows that have the fixed columns only.
    pub fn add(
        self,
        rows: BoxStream<'static, Result<RecordBatch, FeatureError>>,
        fixed: SchemaRef,
        schema: SchemaRef,
    ) -> BoxStream<'static, Result<RecordBatch, FeatureError>> {
        let legacy = Arc::new(self);
        let several = rows.try_chunks(TOGETHER).map_err(|error| error.1);
        several
            .and_then(move |rows| {
                let (legacy, fixed, schema) = (legacy.clone(), fixed.clone(), schema.clone());
                async move { legacy.inputs(&concat_batches(&fixed, &rows)?, schema).await }
            })
            .boxed()
    }

    async fn inputs(self: Arc<Self>, rows: &RecordBatch, schema: SchemaRef) -> Result<RecordBatch, FeatureError> {
        let texts = column(rows, "siren")?.as_string::<i32>();
        let months = column(rows, "month")?.as_primitive::<Date32Type>().values().clone();
        let mut companies: Vec<Siren> = Vec::new();
        // Which company each row is of: rows are sorted by company.
        let mut of: Vec<usize> = Vec::with_capacity(rows.num_rows());
        for text in texts.iter().flatten() {
            let siren = text.parse().map_err(|error| FeatureError::argument("siren", error))?;
            if companies.last() != Some(&siren) {
                companies.push(siren);
            }
            of.push(companies.len() - 1);
        }
        let sources = companies::load(&self.tables, &companies).await?;
        let wanted: Vec<usize> = self.wanted().map(|(position, _)| position).collect();
        let compute = move || -> Vec<ArrayRef> {
            let inputs: Vec<Inputs> = sources.par_iter().map(|rows| self.view.compute(rows, self.from, self.last)).collect();
            let column = |input: &usize| -> ArrayRef {
                let value = |(company, month): (&usize, &i32)| {
                    let inputs = &inputs[*company];
                    let value = inputs.columns[*input][inputs.window.index(encode::month(*month)?)?];
                    (!value.is_nan()).then_some(value as f32)
                };
                Arc::new(of.iter().zip(months.iter()).map(value).collect::<Float32Array>())
            };
            wanted.par_iter().map(column).collect()
        };
        let inputs = tokio::task::spawn_blocking(compute).await.map_err(|error| FeatureError::Task(error.to_string()))?;
        Ok(RecordBatch::try_new(schema, rows.columns().iter().cloned().chain(inputs).collect())?)
    }
}
