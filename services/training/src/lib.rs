//! Training: models by an honest protocol, compared on the same rows, registered and promoted.
//!
//! [`split`] says which rows train, validate and test; [`frame`] takes them from the offline features; [`learn`] fits and
//! [`evaluate`] measures; [`registry`] keeps the models. Nothing below the job does I/O.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

pub mod card;
pub mod error;
pub mod evaluate;
pub mod external;
pub mod frame;
pub mod job;
pub mod learn;
pub mod registry;
mod service;
pub mod split;

use std::sync::Arc;

use api::training::training_service_server::{SERVICE_NAME, TrainingServiceServer};
use api::training::{Model, TrainModelRequest};
use panel::Catalogue;
use serde::{Deserialize, Serialize};
use service_kit::Context;
use service_kit::error::{ErrorCode, ServiceError};
use service_kit::operations::{JobProgress, Kind};
use service_kit::process::Service;
use tonic::service::RoutesBuilder;

use crate::job::Training;

/// The job of a training.
pub const TRAIN: Kind = Kind { service: "training", name: "train", response: "signauxfaibles.training.v1.Model" };

/// Settings of training.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Threads of LightGBM. Part of a model's identity: sums of floats depend on how rows are shared out.
    pub threads: u32,
    /// Training keeps one month in this many; neighbouring months say nearly the same.
    pub training_month_step: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self { threads: 2, training_month_step: 3 }
    }
}

/// The training service.
pub struct TrainingProcess;

impl Service for TrainingProcess {
    type Settings = Settings;
    const NAMES: &'static [&'static str] = &[SERVICE_NAME];

    async fn register(context: &Context, settings: Settings, routes: &mut RoutesBuilder) -> Result<(), ServiceError> {
        let catalogue = Catalogue::builtin().map_err(|error| ServiceError::new(ErrorCode::Internal, error.to_string()))?;
        let (lake, catalogue) = (context.lake.clone(), Arc::new(catalogue));
        context.jobs.register(TRAIN, move |request: TrainModelRequest, progress: JobProgress| {
            let (lake, catalogue, settings) = (lake.clone(), catalogue.clone(), settings.clone());
            async move {
                let training = Training { lake: &lake, catalogue: &catalogue, settings: &settings };
                let model: Model = training.run(&request, &progress).await?;
                Ok(model)
            }
        });
        routes.add_service(TrainingServiceServer::new(service::Service { context: context.clone() }));
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
