//! Ingestion: the files of a batch in, typed tables out.
//!
//! A delivery is stored as it came ([`service`]); an import ([`import`]) parses each source, judges it ([`gates`]) and
//! commits its rows in one step, then computes the [`perimeter`]. A bad file never harms what was there.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

pub mod diff;
mod duplicates;
pub mod error;
pub mod files;
pub mod gates;
pub mod import;
mod load;
pub mod manifest;
pub mod perimeter;
pub mod preview;
mod prune;
pub mod report;
mod service;
mod tables;
pub mod upload;

use std::sync::Arc;

use api::ingestion::ingestion_service_server::{IngestionServiceServer, SERVICE_NAME};
use api::ingestion::{ImportBatchRequest, ImportReport, PruneBatchesRequest};
use domain::time_rules::TimeRules;
use panel::perimeter::SizeRule;
use serde::{Deserialize, Serialize};
use service_kit::Context;
use service_kit::error::ServiceError;
use service_kit::operations::{JobProgress, Kind};
use service_kit::process::Service;
use tonic::service::RoutesBuilder;

use crate::gates::Gates;
use crate::import::{Import, checked_batch};
use crate::prune::Prune;
use crate::upload::Uploads;

/// The job of an import.
pub const IMPORT: Kind = Kind { service: "ingestion", name: "import", response: "signauxfaibles.ingestion.v1.ImportReport" };

/// The job that removes old batches and files.
pub const PRUNE: Kind = Kind { service: "ingestion", name: "prune", response: "signauxfaibles.ingestion.v1.PruneReport" };

/// Settings of ingestion.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// When a source is too bad to be committed.
    pub gates: Gates,
    /// When rows become known.
    pub time_rules: TimeRules,
    /// How large a company must be to be followed.
    pub perimeter: SizeRule,
    /// Limits of uploads.
    pub uploads: Uploads,
}

/// The ingestion service.
pub struct IngestionProcess;

impl Service for IngestionProcess {
    type Settings = Settings;
    const PROGRAM: &'static str = "ingestion";
    const NAMES: &'static [&'static str] = &[SERVICE_NAME];

    async fn register(context: &Context, settings: Settings, routes: &mut RoutesBuilder) -> Result<(), ServiceError> {
        let (lake, uploads, settings) = (context.lake.clone(), settings.uploads.clone(), Arc::new(settings));
        context.jobs.register(IMPORT, move |request: ImportBatchRequest, progress: JobProgress| {
            let (lake, settings) = (lake.clone(), settings.clone());
            async move {
                let batch = checked_batch(&request.batch)?;
                let report: ImportReport = Import { lake: &lake, settings: &settings, batch, request: &request }.run(&progress).await?;
                Ok(report)
            }
        });
        let lake = context.lake.clone();
        context.jobs.register(PRUNE, move |request: PruneBatchesRequest, _: JobProgress| {
            let lake = lake.clone();
            async move { Ok(Prune::run(&lake, &request).await?) }
        });
        routes.add_service(IngestionServiceServer::new(service::Ingestion { context: context.clone(), uploads }));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use service_kit::config::{self, Config};

    use super::*;

    #[test]
    fn the_example_configuration_is_the_defaults() {
        let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("config.example.toml");
        assert_eq!(config::load::<Config<Settings>>(Some(&example), &[]).unwrap(), Config::default());
    }
}
