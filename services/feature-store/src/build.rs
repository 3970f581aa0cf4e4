//! The build of a batch: every company's months, computed bucket by bucket, written offline, then published online.
//!
//! Memory holds the rows of two buckets of companies, the months of two, and the latest vectors. The same batch gives the same bytes, whatever was
//! interrupted before: the offline partition is replaced by one commit, the snapshot is named by its content, and the
//! pointer moves last.

use std::collections::HashSet;
use std::sync::Arc;

use api::features::BuildReport;
use arrow::datatypes::SchemaRef;
use bytes::Bytes;
use domain::time_rules::TimeRules;
use domain::{BatchKey, Month, Siren};
use futures::TryStreamExt;
use lake::Lake;
use lake::tables::{DynamicWriter, PerimeterRow};
use online_store::{Online, Published, VectorBlob, schema_number, snapshot};
use panel::peers::PeerRates;
use panel::perimeter::{Exclusion, Size, SizeBasis, SizeRule};
use panel::risk;
use panel::{Catalogue, CompanyRows};
use rayon::prelude::*;

use crate::companies::{self, Tables};
use crate::encode::{self, Labelled};
use crate::error::FeatureError;
use crate::peers::{self, Followed};

/// Months that a label looks ahead (`design.md` §6).
pub const HORIZON: u16 = 18;
/// Companies computed together.
const BUCKET: usize = 1_000;

/// Everything a build needs.
pub struct Build<'a> {
    /// Tables and objects.
    pub lake: &'a Lake,
    /// Where the latest vectors go.
    pub online: &'a Online,
    /// The features.
    pub catalogue: Arc<Catalogue>,
    /// Publication delays.
    pub rules: TimeRules,
    /// First month computed.
    pub from: Month,
}

impl Build<'_> {
    /// Builds and publishes a batch. `progress` is told the companies done and all of them.
    pub async fn run(&self, batch: BatchKey, progress: &(dyn Fn(u64, u64) + Sync)) -> Result<BuildReport, FeatureError> {
        let started = std::time::Instant::now();
        let tables = Tables::as_of(self.lake, batch).await?;
        let perimeter = self.perimeter(batch).await?;
        let Followed { sirens, counts, known } = Followed::gather(&tables, batch, perimeter.size, &perimeter.large, &self.rules).await?;
        peers::store(self.lake, batch, &counts).await?;
        let rates = Arc::new(counts.rates());
        let last = batch.last_month();
        if known < last {
            tracing::warn!(%batch, %known, "the files of proceedings end early: outcomes are known up to then only");
        }
        let schema = encode::schema(&self.catalogue);
        let mut writer = encode::table(self.lake, &self.catalogue).writer(batch)?;
        let mut vectors: Vec<(Siren, Bytes)> = Vec::with_capacity(sirens.len());
        let mut rows = 0;
        let mut chunks = sirens.chunks(BUCKET);
        let mut next = companies::load(&tables, chunks.next().unwrap_or_default()).await?;
        let mut ready: Vec<Labelled> = Vec::new();
        let mut done = 0;
        while !(next.is_empty() && ready.is_empty()) {
            let (bucket, finished) = (std::mem::take(&mut next), std::mem::take(&mut ready));
            done += finished.len() as u64;
            vectors.extend(finished.iter().map(|company| (company.panel.siren, self.blob(batch, last, company))));
            // A bucket is computed while the next one is read and the one before is written.
            let (computed, following, written) = tokio::join!(
                self.compute((last, known), bucket, &perimeter, rates.clone()),
                companies::load(&tables, chunks.next().unwrap_or_default()),
                write(&mut writer, &schema, finished),
            );
            (ready, next) = (computed?, following?);
            rows += written?;
            progress(done, sirens.len() as u64);
        }
        let version = writer.commit().await?;
        let published = self.publish(batch, last, version, vectors).await?;
        Ok(BuildReport {
            batch: batch.to_string(),
            companies: published.companies,
            vectors: rows,
            features: self.catalogue.features().len() as u64,
            schema_hash: self.catalogue.schema_hash().to_owned(),
            month: last.to_string(),
            generation: published.generation,
            seconds: started.elapsed().as_secs_f64(),
            table_version: version,
            proceedings_known_until: known.to_string(),
        })
    }

    async fn perimeter(&self, batch: BatchKey) -> Result<Perimeter, FeatureError> {
        let table = self.lake.table::<PerimeterRow>();
        if !table.batches().await?.contains(&batch) {
            return Err(FeatureError::NoPerimeter(batch));
        }
        let rows: Vec<PerimeterRow> = table.scan(batch, None).await?.try_concat().await?;
        let first = rows.first().ok_or(FeatureError::NoPerimeter(batch))?;
        let basis = SizeBasis::from_code(&first.basis).ok_or_else(|| FeatureError::Basis { batch, code: first.basis.clone() })?;
        let size = Size { basis, rule: SizeRule { headcount: first.headcount, months: first.months } };
        let large = |row: &&PerimeterRow| row.reason != Exclusion::Headcount.code();
        let large = rows.iter().filter(large).map(|row| row.siren).collect();
        let included = rows.into_iter().filter(|row| row.included).map(|row| row.siren).collect();
        Ok(Perimeter { size, included, large })
    }

    /// Months and outcomes of some companies, up to the last month of the batch and to that of which proceedings are known.
    async fn compute(
        &self,
        (last, known): (Month, Month),
        bucket: Vec<CompanyRows>,
        perimeter: &Perimeter,
        rates: Arc<PeerRates>,
    ) -> Result<Vec<Labelled>, FeatureError> {
        let (catalogue, rules, from) = (self.catalogue.clone(), self.rules.clone(), self.from);
        let included: Vec<bool> = bucket.iter().map(|company| perimeter.included.contains(&company.siren)).collect();
        let size = perimeter.size;
        let compute = move || {
            let company = |(rows, in_perimeter): (&CompanyRows, &bool)| Labelled {
                panel: panel::build(rows, &rates, from, last, &rules, &catalogue),
                standings: risk::standings(rows, from, last, &rules, size),
                outcomes: risk::outcomes(rows, from, last, known, HORIZON),
                in_perimeter: *in_perimeter,
            };
            bucket.par_iter().zip(&included).map(company).collect()
        };
        tokio::task::spawn_blocking(compute).await.map_err(|error| FeatureError::Task(error.to_string()))
    }

    /// The latest vector of a company.
    fn blob(&self, batch: BatchKey, month: Month, company: &Labelled) -> Bytes {
        VectorBlob {
            schema_hash: schema_number(self.catalogue.schema_hash()),
            batch,
            month,
            status: company.status(company.standings.len() - 1) as u8,
            values: company.panel.vector(month),
        }
        .encode()
    }

    /// Snapshot, online store, pointers: in this order, so that a reader never sees a generation that is not whole.
    async fn publish(
        &self,
        batch: BatchKey,
        month: Month,
        features_version: i64,
        vectors: Vec<(Siren, Bytes)>,
    ) -> Result<Published, FeatureError> {
        let companies = vectors.len() as u64;
        let generation = snapshot::write(self.lake, batch, &vectors).await?;
        self.online.publish(&generation, &vectors).await?;
        let published =
            Published { generation, batch, month, schema_hash: self.catalogue.schema_hash().to_owned(), companies, features_version };
        published.point(self.lake).await?;
        Ok(published)
    }
}

/// Writes the months of some companies; gives the number of rows.
async fn write(writer: &mut DynamicWriter, schema: &SchemaRef, companies: Vec<Labelled>) -> Result<u64, FeatureError> {
    let schema = schema.clone();
    let encoded = tokio::task::spawn_blocking(move || encode::encode(&schema, &companies)).await;
    let encoded = encoded.map_err(|error| FeatureError::Task(error.to_string()))??;
    let rows = encoded.num_rows() as u64;
    if rows > 0 {
        writer.write(encoded).await?;
    }
    Ok(rows)
}

/// The perimeter of a batch.
struct Perimeter {
    size: Size,
    included: HashSet<Siren>,
    /// Large enough today, whether something else excludes them or not.
    large: Vec<Siren>,
}
