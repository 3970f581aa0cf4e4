//! Clients of the services: in this process, or over the network.

use api::audit::audit_service_client::AuditServiceClient;
use api::companies::company_service_client::CompanyServiceClient;
use api::features::feature_service_client::FeatureServiceClient;
use api::feedback::feedback_service_client::FeedbackServiceClient;
use api::google::longrunning::operations_client::OperationsClient;
use api::ingestion::ingestion_service_client::IngestionServiceClient;
use api::lists::list_service_client::ListServiceClient;
use api::scoring::scoring_service_client::ScoringServiceClient;
use api::training::training_service_client::TrainingServiceClient;
use lake::{Lake, LakeOptions};
use service_kit::Context;
use service_kit::channel::{self, MAX_MESSAGE};
use service_kit::error::ServiceError;
use service_kit::process::{self, COMMON, Service};
use tonic::service::{Routes, RoutesBuilder};

use crate::config::Configuration;
use crate::servers::Servers;
use service_kit::link::Link;
use service_kit::tls::ClientTlsConfig;
use service_kit::token::Token;

/// Clients of all services.
#[derive(Clone)]
pub struct Clients {
    /// Ingestion.
    pub ingestion: Link,
    /// Feature store.
    pub features: Link,
    /// Training.
    pub training: Link,
    /// Scoring and lists.
    pub scoring: Link,
}

macro_rules! client {
    ($($(#[doc = $doc:literal])* $name:ident: $channel:ident => $client:ident;)*) => {$(
        $(#[doc = $doc])*
        pub fn $name(&self) -> $client<Link> {
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
        /// Sheets, search, follows.
        companies: scoring => CompanyServiceClient;
        /// Ratings.
        feedback: scoring => FeedbackServiceClient;
        /// Who asked for what; every service answers for all.
        audit: scoring => AuditServiceClient;
    }

    /// Operations of the service behind a channel.
    pub fn operations(channel: &Link) -> OperationsClient<Link> {
        OperationsClient::new(channel.clone())
    }

    /// Starts all services in this process.
    pub async fn embedded(config: &Configuration) -> Result<Self, ServiceError> {
        let channel = Token::None.on(channel::in_memory(routes(config).await?.0));
        Ok(Self { ingestion: channel.clone(), features: channel.clone(), training: channel.clone(), scoring: channel })
    }

    /// Clients of running services. Connects when first used.
    pub fn remote(servers: &Servers) -> Result<Self, ServiceError> {
        let token = Token::from_environment();
        let tls = ClientTlsConfig::from_environment();
        let link = |url: &str| Ok::<_, ServiceError>(token.clone().on(channel::connect(url, &tls)?));
        Ok(Self {
            ingestion: link(&servers.ingestion)?,
            features: link(&servers.features)?,
            training: link(&servers.training)?,
            scoring: link(&servers.scoring)?,
        })
    }
}

/// Opens the lake of an embedded run.
pub fn open_lake(config: &Configuration) -> Result<Lake, ServiceError> {
    Ok(Lake::open(&config.lake.root, &LakeOptions { s3: config.lake.s3.clone() })?)
}

/// Full names of all services, for health and reflection.
pub fn service_names() -> Vec<&'static str> {
    let names = [
        ingestion::IngestionProcess::NAMES,
        feature_store::FeatureStoreProcess::NAMES,
        training::TrainingProcess::NAMES,
        scoring::ScoringProcess::NAMES,
        &COMMON,
    ];
    names.concat()
}

/// All services in one set of routes, and what they share. A command runs those it asks for; only a server looks for
/// abandoned ones.
pub async fn routes(config: &Configuration) -> Result<(Routes, Context), ServiceError> {
    let context = Context::new(config)?;
    let settings = config.service.clone();
    let mut routes = RoutesBuilder::default();
    ingestion::IngestionProcess::register(&context, settings.ingestion, &mut routes).await?;
    feature_store::FeatureStoreProcess::register(&context, settings.features, &mut routes).await?;
    training::TrainingProcess::register(&context, settings.training, &mut routes).await?;
    scoring::ScoringProcess::register(&context, settings.scoring, &mut routes).await?;
    Ok((process::finish(&context, routes), context))
}
