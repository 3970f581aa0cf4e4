//! Clients of the services: in this process, or over the network.

use std::path::Path;

use api::features::feature_service_client::FeatureServiceClient;
use api::google::longrunning::operations_client::OperationsClient;
use api::ingestion::ingestion_service_client::IngestionServiceClient;
use api::lists::list_service_client::ListServiceClient;
use api::scoring::scoring_service_client::ScoringServiceClient;
use api::training::training_service_client::TrainingServiceClient;
use lake::{Lake, LakeOptions};
use service_kit::Context;
use service_kit::channel::{self, MAX_MESSAGE};
use service_kit::config::{Config, LakeConfig, OnlineConfig};
use service_kit::error::{ErrorCode, ServiceError};
use service_kit::operations::Jobs;
use service_kit::process::{self, OPERATIONS, Service};
use tonic::service::{Routes, RoutesBuilder};
use tonic::transport::Channel;

use crate::args::Arguments;

/// Clients of all services.
#[derive(Clone)]
pub struct Clients {
    /// Ingestion.
    pub ingestion: Channel,
    /// Feature store.
    pub features: Channel,
    /// Training.
    pub training: Channel,
    /// Scoring and lists.
    pub scoring: Channel,
}

macro_rules! client {
    ($($(#[doc = $doc:literal])* $name:ident: $channel:ident => $client:ident;)*) => {$(
        $(#[doc = $doc])*
        pub fn $name(&self) -> $client<Channel> {
            $client::new(self.$channel.clone()).max_decoding_message_size(MAX_MESSAGE)
        }
    )*};
}

impl Clients {
    client! {
        /// Deliveries.
        ingestion: ingestion => IngestionServiceClient;
        /// Features.
        features: features => FeatureServiceClient;
        /// Models.
        training: training => TrainingServiceClient;
        /// Scores.
        scoring: scoring => ScoringServiceClient;
        /// Lists.
        lists: scoring => ListServiceClient;
    }

    /// Operations of the service behind a channel.
    pub fn operations(channel: &Channel) -> OperationsClient<Channel> {
        OperationsClient::new(channel.clone())
    }

    /// The clients that the arguments ask for.
    pub async fn open(arguments: &Arguments) -> Result<Self, ServiceError> {
        match &arguments.server {
            Some(servers) => Self::remote(servers),
            None => Self::embedded(&arguments.data).await,
        }
    }

    async fn embedded(data: &Path) -> Result<Self, ServiceError> {
        let channel = channel::in_memory(routes(data).await?);
        Ok(Self { ingestion: channel.clone(), features: channel.clone(), training: channel.clone(), scoring: channel })
    }

    fn remote(servers: &str) -> Result<Self, ServiceError> {
        let [ingestion, features, training, scoring] = urls(servers)?;
        Ok(Self {
            ingestion: channel::connect(&ingestion)?,
            features: channel::connect(&features)?,
            training: channel::connect(&training)?,
            scoring: channel::connect(&scoring)?,
        })
    }
}

/// Names of the services in `--server`, in the order of [`urls`].
const NAMES: [&str; 4] = ["ingestion", "features", "training", "scoring"];

/// The address of each service: one URL for all, or one for each name.
fn urls(servers: &str) -> Result<[String; 4], ServiceError> {
    let refused = |message: String| ServiceError::new(ErrorCode::Configuration, message);
    if !servers.contains('=') {
        return Ok([(); 4].map(|()| servers.to_owned()));
    }
    let mut urls: [String; 4] = Default::default();
    for part in servers.split(',') {
        let (name, url) = part.split_once('=').ok_or_else(|| refused(format!("--server: '{part}' is not NAME=URL")))?;
        let position = NAMES.iter().position(|known| *known == name);
        let position = position.ok_or_else(|| refused(format!("--server: '{name}' is not one of {}", NAMES.join(", "))))?;
        url.clone_into(&mut urls[position]);
    }
    match urls.iter().position(String::is_empty) {
        Some(missing) => Err(refused(format!("--server: the address of {} is missing", NAMES[missing]))),
        None => Ok(urls),
    }
}

/// Configuration of an embedded run: defaults, environment, and the lake under `data` unless another one is named.
pub fn configuration(data: &Path) -> Result<Config<()>, ServiceError> {
    let mut config: Config<()> = service_kit::config::load(None, &[])?;
    if config.lake.root == LakeConfig::default().root {
        config.lake.root = data.join("lake").display().to_string();
    }
    Ok(config)
}

/// Opens the lake of an embedded run.
pub fn open_lake(config: &Config<()>) -> Result<Lake, ServiceError> {
    Ok(Lake::open(&config.lake.root, &LakeOptions { s3: config.lake.s3.clone() })?)
}

/// Full names of all services, for health and reflection.
pub fn service_names() -> Vec<&'static str> {
    let names = [
        ingestion::IngestionProcess::NAMES,
        feature_store::FeatureStoreProcess::NAMES,
        training::TrainingProcess::NAMES,
        scoring::ScoringProcess::NAMES,
        &[OPERATIONS],
    ];
    names.concat()
}

/// All services in one set of routes.
pub async fn routes(data: &Path) -> Result<Routes, ServiceError> {
    let config = configuration(data)?;
    let lake = open_lake(&config)?;
    let online = OnlineConfig { redis_url: config.online.redis_url.clone() };
    let context = Context { jobs: Jobs::new(lake.clone(), &config.jobs), lake, online };
    let mut routes = RoutesBuilder::default();
    ingestion::IngestionProcess::register(&context, ingestion::Settings::default(), &mut routes).await?;
    feature_store::FeatureStoreProcess::register(&context, feature_store::Settings::default(), &mut routes).await?;
    training::TrainingProcess::register(&context, training::Settings::default(), &mut routes).await?;
    scoring::ScoringProcess::register(&context, scoring::Settings::default(), &mut routes).await?;
    Ok(process::finish(&context, routes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_one_url_or_one_for_each() {
        assert_eq!(urls("http://a:1").unwrap(), ["http://a:1"; 4]);
        let each = urls("scoring=http://s,ingestion=http://i,features=http://f,training=http://t").unwrap();
        assert_eq!(each, ["http://i", "http://f", "http://t", "http://s"]);
        assert!(urls("scoring=http://s").unwrap_err().message().contains("ingestion"));
        assert!(urls("score=http://s").is_err());
    }
}
