//! Reading features back: a company's vectors and history at any month, exports, freshness, drift.

use std::sync::Arc;

use api::features::{
    Basis as ApiBasis, CompanyHistory, Drift, FeatureDrift, FeatureStatus, FeatureVector, Freshness, GetDriftRequest, Series,
    SourceFreshness,
};
use bytes::Bytes;
use domain::records::{
    Accounts, BankRatios, CcsfDecision, CompanyAccounts, CompanyHeadcount, Contribution, Debit, Establishment, EstablishmentState,
    Headcount, LegalUnit, PaymentDelay, PaymentPlan, ProcolEvent, Record, ShortTimeConsumption, ShortTimeRequest,
};
use domain::time_rules::TimeRules;
use domain::{BatchKey, Month, NaiveDate, ProcolState, Siren};
use futures::TryStreamExt;
use futures::stream::BoxStream;
use lake::tables::{DynamicTable, Stored};
use lake::{Columnar, Lake};
use panel::history::{self, Basis};
use panel::legacy::View;
use panel::{Catalogue, CompanyRows};

use crate::companies::{self, Tables};
use crate::drift::{Sample, psi};
use crate::encode;
use crate::error::FeatureError;
use crate::frame::{self, Format, Frame};
use crate::legacy::Legacy;
use crate::peers;

/// First month of a history.
const HISTORY_FROM: Month = match Month::new(2014, 1) {
    Some(month) => month,
    None => unreachable!(),
};

/// Rows that a comparison of several months is made of, about.
const COMPARED: u64 = 200_000;

/// Reads what builds wrote, and computes what they did not.
pub struct Reader<'a> {
    /// Tables and objects.
    pub lake: &'a Lake,
    /// The features.
    pub catalogue: Arc<Catalogue>,
    /// Publication delays.
    pub rules: TimeRules,
}

impl Reader<'_> {
    fn table(&self) -> DynamicTable {
        encode::table(self.lake, &self.catalogue)
    }

    /// The batch asked for, or the latest one with features.
    pub async fn batch(&self, asked: &str) -> Result<BatchKey, FeatureError> {
        if asked.is_empty() {
            return self.table().batches().await?.into_iter().max().ok_or(FeatureError::NothingPublished);
        }
        asked.parse().map_err(|error| FeatureError::argument("batch", error))
    }

    /// The latest batch of which anything is stored, for what needs no features.
    async fn delivered(&self, asked: &str) -> Result<BatchKey, FeatureError> {
        if asked.is_empty() {
            let latest = self.lake.table::<Stored<CompanyHeadcount>>().batches().await?.into_iter().max();
            return latest.ok_or(FeatureError::NothingPublished);
        }
        asked.parse().map_err(|error| FeatureError::argument("batch", error))
    }

    async fn company(&self, siren: Siren, batch: BatchKey) -> Result<CompanyRows, FeatureError> {
        let tables = Tables::as_of(self.lake, batch).await?;
        let rows = companies::load(&tables, &[siren]).await?.pop().unwrap_or_else(|| CompanyRows::empty(siren));
        if rows == CompanyRows::empty(siren) { Err(FeatureError::UnknownCompany(siren)) } else { Ok(rows) }
    }

    /// The vector of a company as it could have been known at a month, according to a batch.
    pub async fn vector(&self, siren: Siren, month: &str, batch: &str) -> Result<FeatureVector, FeatureError> {
        let batch = self.delivered(batch).await?;
        let month = match month {
            "" => batch.last_month(),
            text => text.parse().map_err(|error| FeatureError::argument("month", error))?,
        };
        if month < HISTORY_FROM || month > batch.last_month() {
            return Err(FeatureError::MonthOutOfRange(month, batch));
        }
        let rows = self.company(siren, batch).await?;
        let rates = peers::load(self.lake, batch).await?;
        let panel = panel::build(&rows, &rates, month, month, &self.rules, &self.catalogue);
        Ok(FeatureVector {
            siren: siren.to_string(),
            status: FeatureStatus::Present.into(),
            month: month.to_string(),
            batch: batch.to_string(),
            values: panel.vector(month),
            names: self.names(),
        })
    }

    /// Names of the features, in order.
    pub fn names(&self) -> Vec<String> {
        self.catalogue.features().iter().map(|feature| feature.name.clone()).collect()
    }

    /// The monthly series of a company.
    pub async fn history(&self, siren: Siren, batch: &str) -> Result<CompanyHistory, FeatureError> {
        let batch = self.delivered(batch).await?;
        let rows = self.company(siren, batch).await?;
        let history = history::history(&rows, HISTORY_FROM, batch.last_month(), &self.rules);
        let window = history.window;
        let until = |basis: &[Option<Basis>]| {
            let said = basis.iter().rposition(|basis| matches!(basis, Some(Basis::Observed | Basis::Estimated)));
            said.map(|index| window.month(index).to_string()).unwrap_or_default()
        };
        Ok(CompanyHistory {
            siren: siren.to_string(),
            name: rows.legal_unit.as_ref().map(LegalUnit::display_name).unwrap_or_default(),
            months: (0..history.window.len).map(|index| history.window.month(index).to_string()).collect(),
            series: history
                .series
                .into_iter()
                .map(|series| Series {
                    name: series.name.into(),
                    unit: series.unit.into(),
                    label_fr: series.label_fr.into(),
                    values: series.values,
                    data_until: until(&series.basis),
                    basis: series.basis.into_iter().map(|basis| api_basis(basis).into()).collect(),
                })
                .collect(),
            procol: history.procol.iter().map(|state| state.map(ProcolState::label_fr).unwrap_or_default().to_owned()).collect(),
        })
    }

    /// The bytes of a frame of a batch, as they are read; of `legacy`, with the inputs of a published model.
    pub async fn export(
        &self,
        batch: &str,
        mut frame: Frame,
        legacy: Option<View>,
        format: Format,
    ) -> Result<BoxStream<'static, Result<Bytes, FeatureError>>, FeatureError> {
        let (batch, table) = (self.batch(batch).await?, self.table());
        if !table.batches().await?.contains(&batch) {
            return Err(FeatureError::NotBuilt(batch));
        }
        let all = encode::schema(&self.catalogue);
        let Some(view) = legacy else {
            let schema = frame.schema(&all)?;
            return frame::write(frame.scan(&table, batch, schema.clone()).await?, &schema, format);
        };
        let tables = Tables::as_of(self.lake, batch).await?;
        let names = frame.features.replace(Vec::new()).unwrap_or_default();
        let legacy = Legacy { tables, view, names, from: frame.from.unwrap_or(HISTORY_FROM), last: batch.last_month() };
        let (fixed, schema) = (frame.schema(&all)?, legacy.schema(&all));
        let rows = frame.scan(&table, batch, fixed.clone()).await?;
        frame::write(legacy.add(rows, fixed, schema.clone()), &schema, format)
    }

    /// How far each source reaches as of a batch.
    pub async fn freshness(&self, batch: &str) -> Result<Freshness, FeatureError> {
        let batch = self.delivered(batch).await?;
        let mut sources = Vec::new();
        macro_rules! look {
            ($($record:ident),*) => {$(sources.push(freshness_of::<$record>(self.lake, batch).await?);)*};
        }
        look!(Establishment, LegalUnit, EstablishmentState, Headcount, CompanyHeadcount, Contribution, Debit);
        look!(PaymentPlan, CcsfDecision, ProcolEvent, ShortTimeConsumption, ShortTimeRequest, PaymentDelay, Accounts);
        look!(CompanyAccounts, BankRatios);
        Ok(Freshness { sources })
    }

    /// How the latest month of a batch differs from earlier ones, feature by feature: companies at risk, of all or an evenly
    /// drawn part of the rows.
    pub async fn drift(&self, request: &GetDriftRequest) -> Result<Drift, FeatureError> {
        let batch = self.batch(&request.batch).await?;
        let month = batch.last_month();
        let read = |text: &str, field: &'static str, otherwise: Month| match text {
            "" => Ok(otherwise),
            text => text.parse().map_err(|error| FeatureError::argument(field, error)),
        };
        let from = read(&request.reference_month, "reference_month", month.plus(-12))?;
        let to = read(&request.reference_to_month, "reference_to_month", from)?;
        let reference = if request.reference_batch.is_empty() { batch } else { self.batch(&request.reference_batch).await? };
        let (now, then) = (self.columns(batch, month, month).await?, self.columns(reference, from, to).await?);
        if then.first().is_none_or(Vec::is_empty) {
            return Err(FeatureError::MonthOutOfRange(from, reference));
        }
        let features = self.catalogue.features().iter().zip(now.iter().zip(&then)).map(|(feature, (now, then))| {
            let (now, then) = (Sample(now), Sample(then));
            FeatureDrift {
                name: feature.name.clone(),
                psi: psi(&then, &now),
                null_rate: now.null_rate(),
                reference_null_rate: then.null_rate(),
                mean: now.mean(),
                reference_mean: then.mean(),
            }
        });
        Ok(Drift {
            month: month.to_string(),
            reference_month: from.to_string(),
            reference_to_month: to.to_string(),
            reference_batch: reference.to_string(),
            features: features.collect(),
        })
    }

    /// The values of each feature over some months, of companies at risk. Of more rows than [`COMPARED`], every so many.
    async fn columns(&self, batch: BatchKey, from: Month, to: Month) -> Result<Vec<Vec<f32>>, FeatureError> {
        let (table, schema) = (self.table(), encode::schema(&self.catalogue));
        let frame = Frame { from: Some(from), to: Some(to), at_risk: true, ..Frame::default() };
        // Of all months together one row in so many would be compared.
        let step = if from == to { 1 } else { usize::try_from(table.count(batch).await? / COMPARED).unwrap_or(usize::MAX).max(1) };
        let mut columns: Vec<Vec<f32>> = vec![Vec::new(); self.catalogue.features().len()];
        let (mut scan, mut seen) = (frame.scan(&table, batch, schema).await?, 0);
        while let Some(rows) = scan.try_next().await? {
            let first = (step - seen % step) % step;
            for (stored, values) in encode::columns(&rows, &self.catalogue)?.into_iter().zip(&mut columns) {
                values.extend((first..rows.num_rows()).step_by(step).map(|row| encode::value(stored, row)));
            }
            seen += rows.num_rows();
        }
        Ok(columns)
    }
}

fn api_basis(basis: Option<Basis>) -> ApiBasis {
    match basis {
        None => ApiBasis::Unspecified,
        Some(Basis::Observed) => ApiBasis::Observed,
        Some(Basis::Carried) => ApiBasis::Carried,
        Some(Basis::Estimated) => ApiBasis::Estimated,
    }
}

async fn freshness_of<R: Record + Columnar>(lake: &Lake, batch: BatchKey) -> Result<SourceFreshness, FeatureError> {
    let state = lake.table::<Stored<R>>().state(batch).await?;
    let (mut rows, mut until): (u64, Option<NaiveDate>) = (0, None);
    let mut scan = state.scan(None)?;
    while let Some(chunk) = scan.try_next().await? {
        rows += chunk.len() as u64;
        until = until.max(chunk.iter().map(|row| row.known_at).max());
    }
    Ok(SourceFreshness {
        source: R::SOURCE.name().to_owned(),
        batch: state.latest().map(|batch| batch.to_string()).unwrap_or_default(),
        rows,
        known_until: until.map(|day| day.to_string()).unwrap_or_default(),
    })
}
