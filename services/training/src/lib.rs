//! Training: models by an honest protocol, compared on the same rows, registered and promoted.
//!
//! [`split`] says which [`rows`] train, validate and test; [`prepare`], [`learn`], [`scored`] and [`evaluate`] are the steps of
//! a [`study`], which reads its rows chunk by chunk from the [`offline`] features or from an [`external`] file; [`alarms`] and
//! [`promotion`] judge its [`report`], a [`contest`] with the champion too; [`registry`] keeps the models.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

pub mod alarms;
pub mod breakdown;
pub mod capacity;
pub mod card;
pub mod contest;
pub mod crew;
pub mod describe;
pub mod effects;
pub mod error;
pub mod evaluate;
pub mod external;
pub mod feedback;
pub mod hazard;
pub mod job;
pub mod learn;
pub mod mixture;
pub mod offline;
pub mod prepare;
pub mod promotion;
pub mod registry;
pub mod report;
pub mod rows;
pub mod scored;
pub mod search;
mod service;
pub mod setup;
pub mod split;
pub mod study;
pub mod worker;

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
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
use trees::signature::{SignatureError, SigningKey};

use crate::crew::Meeting;
use crate::error::TrainingError;
use crate::job::Training;
use crate::split::Protocol;

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
    /// Companies that the agents of a department can follow at once: thresholds by capacity flag about so many a month.
    pub capacity: u32,
    /// Private Ed25519 key, a PEM file, that signs the models; without one they are not signed.
    pub signing_key: Option<PathBuf>,
    /// Address at which other processes reach this one when they train together, at a free port.
    pub host: IpAddr,
    /// Protocols measured beside the one asked for, when a request names none.
    pub compare: Vec<String>,
}

impl Settings {
    /// The protocols to compare with.
    fn protocols(&self) -> Result<Vec<Protocol>, TrainingError> {
        let parse = |name: &String| Protocol::parse(name).ok_or_else(|| TrainingError::UnknownProtocol(name.clone()));
        self.compare.iter().map(parse).collect()
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            threads: 2,
            training_month_step: 3,
            capacity: 20,
            signing_key: None,
            host: IpAddr::V4(Ipv4Addr::LOCALHOST),
            compare: vec!["lenient".to_owned()],
        }
    }
}

/// The training service.
pub struct TrainingProcess;

impl Service for TrainingProcess {
    type Settings = Settings;
    const PROGRAM: &'static str = "training";
    const NAMES: &'static [&'static str] = &[SERVICE_NAME];

    async fn register(context: &Context, settings: Settings, routes: &mut RoutesBuilder) -> Result<(), ServiceError> {
        let catalogue = Catalogue::builtin().map_err(|error| ServiceError::new(ErrorCode::Internal, error.to_string()))?;
        let refused =
            |error: SignatureError| ServiceError::new(ErrorCode::Configuration, error.to_string()).with("field", "service.signing_key");
        let key = settings.signing_key.as_deref().map(SigningKey::read).transpose().map_err(refused)?.map(Arc::new);
        let (lake, catalogue, meeting) = (context.lake.clone(), Arc::new(catalogue), Arc::new(Meeting::default()));
        let service = service::Service {
            context: context.clone(),
            catalogue: catalogue.clone(),
            meeting: meeting.clone(),
            settings: settings.clone(),
        };
        context.jobs.register(TRAIN, move |request: TrainModelRequest, progress: JobProgress| {
            let (lake, catalogue, settings, key, meeting) =
                (lake.clone(), catalogue.clone(), settings.clone(), key.clone(), meeting.clone());
            async move {
                let training = Training { lake: &lake, catalogue: &catalogue, settings: &settings, key: key.as_deref(), meeting: &meeting };
                let model: Model = training.run(&request, &progress).await?;
                Ok(model)
            }
        });
        routes.add_service(TrainingServiceServer::new(service));
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
