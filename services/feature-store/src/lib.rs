//! The feature store: each company's vectors as they could have been known, built offline and served online.
//!
//! A build ([`build`]) walks the companies in the order of their SIRENs, computes their months with `panel`, writes them to
//! the offline table and publishes the latest ones. Reads of the past ([`read`]) compute from the rows: always right.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

pub mod build;
pub mod companies;
pub mod consistency;
pub mod drift;
pub mod encode;
pub mod error;
pub mod frame;
pub mod legacy;
pub mod peers;
pub mod read;
mod service;

use std::sync::Arc;

use api::features::feature_service_server::{FeatureServiceServer, SERVICE_NAME};
use api::features::{BuildFeaturesRequest, BuildReport, CheckConsistencyRequest};
use domain::time_rules::TimeRules;
use domain::{BatchKey, Month};
use online_store::{Online, Role};
use panel::Catalogue;
use serde::{Deserialize, Serialize};
use service_kit::Context;
use service_kit::error::{ErrorCode, ServiceError};
use service_kit::operations::{JobProgress, Kind};
use service_kit::process::Service;
use tonic::service::RoutesBuilder;

use crate::build::Build;
use crate::consistency::Check;
use crate::error::FeatureError;

/// The job of a build.
pub const BUILD_FEATURES: Kind =
    Kind { service: "feature-store", name: "build-features", response: "signauxfaibles.features.v1.BuildReport" };

/// The job that compares the ways to a vector.
pub const CHECK_CONSISTENCY: Kind =
    Kind { service: "feature-store", name: "check-consistency", response: "signauxfaibles.features.v1.ConsistencyReport" };

/// Companies that a check looks at, unless told.
const CHECKED: u32 = 1_000;

/// Settings of the feature store.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// First month computed.
    pub from_month: Month,
    /// When rows become known; the same as ingestion's.
    pub time_rules: TimeRules,
    /// Months after which a vector is marked too old to be scored: its month against today's. Never when absent.
    pub max_age_months: Option<u16>,
}

impl Default for Settings {
    fn default() -> Self {
        /// All sources cover the months from here on (`domain/model.md` §1.1).
        const FROM: Month = match Month::new(2016, 1) {
            Some(month) => month,
            None => unreachable!(),
        };
        Self { from_month: FROM, time_rules: TimeRules::default(), max_age_months: None }
    }
}

/// The feature store.
pub struct FeatureStoreProcess;

impl Service for FeatureStoreProcess {
    type Settings = Settings;
    const PROGRAM: &'static str = "feature-store";
    const NAMES: &'static [&'static str] = &[SERVICE_NAME];

    async fn register(context: &Context, settings: Settings, routes: &mut RoutesBuilder) -> Result<(), ServiceError> {
        let catalogue = Catalogue::builtin().map_err(|error| ServiceError::new(ErrorCode::Internal, error.to_string()))?;
        let catalogue = Arc::new(catalogue);
        let online =
            Online::open(context.lake.clone(), context.online.redis_url.as_deref(), Role::Keeper).await.map_err(FeatureError::from)?;
        let service = service::Features {
            context: context.clone(),
            online: online.clone(),
            catalogue: catalogue.clone(),
            rules: settings.time_rules.clone(),
            max_age_months: settings.max_age_months,
        };
        let (lake, store, features, rules) = (context.lake.clone(), online.clone(), catalogue.clone(), settings.time_rules.clone());
        context.jobs.register(CHECK_CONSISTENCY, move |request: CheckConsistencyRequest, progress: JobProgress| {
            let (lake, online, catalogue, rules) = (lake.clone(), store.clone(), features.clone(), rules.clone());
            async move {
                let companies = if request.companies == 0 { CHECKED } else { request.companies } as usize;
                let check = Check { lake: &lake, online: &online, catalogue, rules };
                Ok(check.run(companies, request.seed, &|done, total| progress.set(done, total, "companies", "check")).await?)
            }
        });
        let lake = context.lake.clone();
        context.jobs.register(BUILD_FEATURES, move |request: BuildFeaturesRequest, progress: JobProgress| {
            let (lake, online, catalogue, settings) = (lake.clone(), online.clone(), catalogue.clone(), settings.clone());
            async move {
                let batch: BatchKey = request.batch.parse().map_err(|error| FeatureError::argument("batch", error))?;
                let from = match request.from_month.as_str() {
                    "" => settings.from_month,
                    text => text.parse().map_err(|error| FeatureError::argument("from_month", error))?,
                };
                let build = Build { lake: &lake, online: &online, catalogue, rules: settings.time_rules, from };
                let report: BuildReport = build.run(batch, &|done, total| progress.set(done, total, "companies", "features")).await?;
                Ok(report)
            }
        });
        routes.add_service(FeatureServiceServer::new(service));
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
