//! The import of a batch: each source parsed, judged and committed by itself, then the rejected lines, the perimeter and
//! the report. Running it again replaces exactly what it wrote.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use api::ingestion::{FileReport, ImportBatchRequest, ImportReport};
use domain::records::{AccountLink, Record};
use domain::{BatchKey, Delivery, Source};
use futures::future::BoxFuture;
use futures::{FutureExt, TryStreamExt};
use lake::tables::{RejectRow, Stored};
use lake::{Columnar, Lake};
use service_kit::error::{ErrorCode, ServiceError};
use service_kit::operations::JobProgress;
use sources::{AccountLinks, RowParser};
use telemetry::{Attribute, counter};

use crate::Settings;
use crate::error::IngestError;
use crate::files::{File, Files};
use crate::gates::{Finding, Gate, Measured};
use crate::load::load;
use crate::perimeter::{self, Profile};
use crate::report::entry::{count, described, fail, unknown};
use crate::{report, tables};

/// An import of one batch.
pub struct Import<'a> {
    /// Where everything is.
    pub lake: &'a Lake,
    /// Thresholds and delays.
    pub settings: &'a Settings,
    /// The batch.
    pub batch: BatchKey,
    /// What was asked.
    pub request: &'a ImportBatchRequest,
}

impl Import<'_> {
    /// Imports, and gives the report. Faults of files are in the report; an error means that nothing can be said.
    pub async fn run(&self, progress: &JobProgress) -> Result<ImportReport, IngestError> {
        if !self.request.uri.is_empty() {
            progress.set(0, 1, "sources", "copying the files");
        }
        let mut delivered = Files::find(self.lake, self.batch, self.request, &self.settings.uploads).await?;
        let total = delivered.by_source.len() as u64 + 1;
        let mut files: Vec<FileReport> = Vec::new();
        let mut rejects: Vec<RejectRow> = Vec::new();
        let mut sources = BTreeSet::new();
        let mut links = None;
        // In the order of the sources: that of the accounts first, since it says whose the lines of the others are.
        let mut done = 0;
        for source in Source::ALL {
            let Some(present) = delivered.by_source.remove(&source) else { continue };
            progress.set(done, total, "sources", source.name());
            done += 1;
            if source != Source::AdminUrssaf && links.is_none() {
                links = Some(self.links().await?);
            }
            let outcome = dispatch(source, self, present, delivered.delivery(source), links.clone().flatten()).await?;
            files.extend(outcome.files);
            rejects.extend(outcome.rejects);
            sources.insert(source.name().to_owned());
        }
        for file in delivered.unknown {
            let name = file.name.clone();
            files.push(unknown(&name, &file.store(self.lake, self.batch).await?));
        }
        let mut report = ImportReport {
            batch: self.batch.to_string(),
            check_only: self.request.check_only,
            imported_at: chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
            complete: files.iter().all(|file| file.error_code.is_empty()),
            files,
            ..ImportReport::default()
        };
        if self.request.check_only {
            return Ok(report);
        }
        progress.set(total - 1, total, "sources", "rejects and perimeter");
        self.store_rejects(&sources, rejects).await?;
        if let Some(summary) = perimeter::compute(self.lake, self.batch, self.profile()?, self.settings.perimeter).await? {
            report.perimeter = summary.included;
            report.excluded = summary.excluded;
            summary.size.basis.code().clone_into(&mut report.perimeter_basis);
            (report.perimeter_headcount, report.perimeter_months) = (summary.size.rule.headcount, summary.size.rule.months);
        }
        report::store(self.lake, self.batch, &mut report).await?;
        Ok(report)
    }

    /// Stores the rejected lines of the sources imported, beside those that other sources had.
    async fn store_rejects(&self, sources: &BTreeSet<String>, rejects: Vec<RejectRow>) -> Result<(), IngestError> {
        let table = self.lake.table::<RejectRow>();
        let mut kept: Vec<RejectRow> = table.scan(self.batch, None).await?.try_concat().await?;
        kept.retain(|row| !sources.contains(&row.source));
        kept.extend(rejects);
        let mut writer = table.writer(self.batch);
        writer.write(kept).await?;
        writer.commit().await?;
        Ok(())
    }

    fn overrides(&self, gate: Gate) -> bool {
        self.request.allow_degraded || self.request.allow_gates.iter().any(|name| name == gate.name())
    }

    fn profile(&self) -> Result<Profile, IngestError> {
        Profile::parse(&self.request.profile).ok_or_else(|| IngestError::Profile(self.request.profile.clone()))
    }

    /// Whose the Urssaf accounts are, as of the batch; `None` when no delivery said so, as today's need not.
    /// Memory: one entry an account.
    async fn links(&self) -> Result<Option<Arc<AccountLinks>>, IngestError> {
        let state = self.lake.table::<Stored<AccountLink>>().state(self.batch).await?;
        Ok(if state.is_empty() { None } else { Some(Arc::new(state.rows(None).await?.into_iter().collect())) })
    }

    /// Imports the files of one source: all of them, or nothing.
    async fn source<P: RowParser>(
        &self,
        files: Vec<File>,
        delivery: Delivery,
        links: Option<Arc<AccountLinks>>,
    ) -> Result<Outcome, IngestError>
    where
        P::Row: Columnar,
    {
        let table = self.lake.table::<Stored<P::Row>>();
        let mut writer = if self.request.check_only { None } else { Some(table.writer(self.batch).with_delivery(delivery)) };
        let mut outcome = Outcome::default();
        let mut measured = Measured::default();
        for file in files {
            let start = Instant::now();
            let loaded = load::<P>(self.lake, &file, &self.settings.time_rules, links.clone(), writer.as_mut()).await;
            let name = file.name.clone();
            // What a commit is made from is safe before it.
            let mut entry = described(&name, P::Row::SOURCE.name(), &file.store(self.lake, self.batch).await?);
            delivery.name().clone_into(&mut entry.delivery);
            match loaded {
                Ok(loaded) => {
                    count(&mut entry, &loaded.report);
                    let source = || Attribute::new("source", P::Row::SOURCE.name());
                    for (outcome, lines) in [("accepted", entry.lines_valid), ("rejected", entry.lines_rejected)] {
                        counter("sf.ingestion.lines").add(lines, &[source(), Attribute::new("outcome", outcome)]);
                    }
                    entry.lines_duplicated = loaded.duplicates;
                    measured.add(&loaded.report);
                    outcome.rejects.extend(loaded.rejects);
                }
                Err(error @ IngestError::File { .. }) => fail(&mut entry, &error),
                Err(error) => return Err(error),
            }
            entry.seconds = start.elapsed().as_secs_f64();
            outcome.files.push(entry);
        }
        if outcome.files.iter().any(|file| !file.error_code.is_empty()) {
            // Dropping the writer leaves the rows of earlier imports as they are.
            return Ok(outcome.all("unchanged"));
        }
        let before = report::before(self.lake, self.batch, P::Row::SOURCE, delivery).await?;
        let (refusals, warnings): (Vec<_>, Vec<_>) =
            self.settings.gates.judge(measured, before).into_iter().partition(|found| found.refuses);
        let (overridden, refusals): (Vec<_>, Vec<_>) = refusals.into_iter().partition(|found| self.overrides(found.gate));
        let texts = |findings: &[Finding]| findings.iter().map(ToString::to_string).collect::<Vec<_>>();
        for file in &mut outcome.files {
            file.gate_warnings = texts(&warnings);
            file.overridden_gates = texts(&overridden);
        }
        if !refusals.is_empty() {
            return Ok(outcome.refused(&texts(&refusals).join("; ")));
        }
        let Some(writer) = writer else { return Ok(outcome.all("checked")) };
        let version = writer.commit().await?;
        outcome.files.iter_mut().for_each(|file| file.table_version = version);
        Ok(outcome.all("committed"))
    }
}

/// What the import of a source gives.
#[derive(Default)]
struct Outcome {
    files: Vec<FileReport>,
    rejects: Vec<RejectRow>,
}

impl Outcome {
    fn all(mut self, outcome: &str) -> Self {
        self.files.iter_mut().for_each(|file| outcome.clone_into(&mut file.outcome));
        self
    }

    fn refused(self, reason: &str) -> Self {
        let mut refused = self.all("refused");
        for file in &mut refused.files {
            ErrorCode::QualityGate.as_str().clone_into(&mut file.error_code);
            file.error_message = format!(
                "{}: {reason}. The rows of the previous import stay. See `sf batches rejects`, or import again with --allow and the name of the gate",
                file.file_name
            );
        }
        refused
    }
}

/// Calls [`Import::source`] with the parser of a source known at run time.
fn dispatch<'a>(
    source: Source,
    import: &'a Import<'_>,
    files: Vec<File>,
    delivery: Delivery,
    links: Option<Arc<AccountLinks>>,
) -> BoxFuture<'a, Result<Outcome, IngestError>> {
    tables::dispatch!(source, Parser => import.source::<Parser>(files, delivery, links).boxed())
}

/// A batch key of a request.
pub fn checked_batch(text: &str) -> Result<BatchKey, ServiceError> {
    text.parse()
        .map_err(|error: domain::batch::BatchKeyError| ServiceError::new(ErrorCode::BatchKey, error.to_string()).with("field", "batch"))
}

#[cfg(test)]
mod tests;
