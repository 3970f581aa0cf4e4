//! Scoring: scores and explanations by SIREN, and the ranked lists.
//!
//! The champion and the vectors are in memory or in Redis: a request never reads a table. Lists are built by a job, stored
//! as immutable generations, and published by a pointer.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

pub mod access;
pub mod champion;
pub mod company;
pub mod error;
pub mod explained;
mod feedback;
pub mod follows;
mod inference;
pub mod list;
mod list_service;
pub mod reasons;
mod scoring_service;
pub mod shadow;
mod state;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use api::companies::company_service_server::{CompanyServiceServer, SERVICE_NAME as COMPANIES};
use api::feedback::feedback_service_server::{FeedbackServiceServer, SERVICE_NAME as FEEDBACK};
use api::inference::grpc_inference_service_server::{GrpcInferenceServiceServer, SERVICE_NAME as INFERENCE};
use api::lists::list_service_server::{ListServiceServer, SERVICE_NAME as LISTS};
use api::lists::{BuildListRequest, DetectionList};
use api::scoring::scoring_service_server::{SERVICE_NAME as SCORING, ScoringServiceServer};
use domain::BatchKey;
use online_store::{Online, Role};
use panel::Catalogue;
use serde::{Deserialize, Serialize};
use service_kit::Context;
use service_kit::error::{ErrorCode, ServiceError};
use service_kit::operations::{JobProgress, Kind};
use service_kit::process::Service;
use tonic::service::RoutesBuilder;
use trees::signature::TrustedKeys;

use crate::error::ScoringError;
use crate::state::State;

/// The job of a list.
pub const BUILD_LIST: Kind = Kind { service: "scoring", name: "build-list", response: "signauxfaibles.lists.v1.DetectionList" };

/// Settings of scoring.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// How long a change of the champion or of a list may go unseen, milliseconds.
    pub follow_milliseconds: u64,
    /// Public keys, PEM, of those whose models are accepted; without any, signatures are not looked at.
    pub trusted_keys: Vec<PathBuf>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { follow_milliseconds: 2_000, trusted_keys: Vec::new() }
    }
}

/// The scoring service.
pub struct ScoringProcess;

impl Service for ScoringProcess {
    type Settings = Settings;
    const PROGRAM: &'static str = "scoring";
    const NAMES: &'static [&'static str] = &[SCORING, LISTS, COMPANIES, FEEDBACK, INFERENCE];

    async fn register(context: &Context, settings: Settings, routes: &mut RoutesBuilder) -> Result<(), ServiceError> {
        let catalogue = Catalogue::builtin().map_err(|error| ServiceError::new(ErrorCode::Internal, error.to_string()))?;
        let trusted = TrustedKeys::read(&settings.trusted_keys)
            .map_err(|error| ServiceError::new(ErrorCode::Configuration, error.to_string()).with("field", "service.trusted_keys"))?;
        let vectors =
            Online::open(context.lake.clone(), context.online.redis_url.as_deref(), Role::Reader).await.map_err(ScoringError::from)?;
        let state =
            State::open(context, vectors, Arc::new(catalogue), trusted, Duration::from_millis(settings.follow_milliseconds.max(10)));
        let builder = state.clone();
        context.jobs.register(BUILD_LIST, move |request: BuildListRequest, progress: JobProgress| {
            let state = builder.clone();
            async move { Ok(build(&state, &request, &progress).await?) }
        });
        let scoring = scoring_service::Scoring { state: state.clone() };
        routes.add_service(GrpcInferenceServiceServer::new(inference::Inference { scoring: scoring.clone() }));
        routes.add_service(ScoringServiceServer::new(scoring));
        routes.add_service(CompanyServiceServer::new(company::Companies { state: state.clone(), peers: context.peers.clone() }));
        routes.add_service(FeedbackServiceServer::new(feedback::Feedback { state: state.clone() }));
        routes.add_service(ListServiceServer::new(list_service::Lists { state }));
        Ok(())
    }
}

async fn build(state: &State, request: &BuildListRequest, progress: &JobProgress) -> Result<DetectionList, ScoringError> {
    let batch: BatchKey = request.batch.parse().map_err(|error| error::batch(&error))?;
    let champion = state.current().await?;
    let told = |done, total| progress.set(done, total, "companies", "scores and explanations");
    let challenger = state.challenger().await?;
    let (mut list, shadow) = list::build::build(state.lake(), &state.lists, champion, challenger, batch, &told).await?;
    if request.publish {
        list = state.lists.publish(&batch.to_string()).await?;
    }
    let described = list::reply::described(&list.info, state.lists.published().await?);
    Ok(DetectionList { shadow: shadow.as_ref().map(list::reply::shadow), ..described })
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
