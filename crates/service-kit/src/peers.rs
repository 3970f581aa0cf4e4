//! The other services, for those that ask them: over the network, or in this process.

use std::sync::{Arc, OnceLock};

use serde::{Deserialize, Serialize};
use tonic::service::Routes;
use tonic::transport::Channel;

use crate::channel;
use crate::error::{ErrorCode, ServiceError};
use crate::link::Link;
use crate::tls::ClientTlsConfig;
use crate::token::Token;

/// Where the other services are.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PeersConfig {
    /// The feature store, for example `https://feature-store:7000`; the services of this process when not given. The program shows
    /// it its certificate (`tls`) or its token (`SF_TOKEN`, `SF_TOKEN_FILE`), which needs the right `svc.features`.
    pub features: Option<String>,
    /// How `https` addresses are trusted, and who this program is.
    pub tls: ClientTlsConfig,
}

/// The other services.
#[derive(Clone)]
pub struct Peers {
    features: Option<Channel>,
    here: Arc<OnceLock<Routes>>,
    channel: Arc<OnceLock<Channel>>,
}

impl Peers {
    /// As configured. Connects when first used.
    pub fn new(config: &PeersConfig) -> Result<Self, ServiceError> {
        let features = config.features.as_deref().map(|url| channel::connect(url, &config.tls)).transpose()?;
        Ok(Self { features, here: Arc::default(), channel: Arc::default() })
    }

    /// Says which services run in this process. They are asked without a guard: who calls was checked before.
    pub fn set_here(&self, routes: Routes) {
        let _first = self.here.set(routes);
    }

    /// The feature store.
    pub fn features(&self) -> Result<Link, ServiceError> {
        if let Some(channel) = &self.features {
            return Ok(Token::from_environment().on(channel.clone()));
        }
        let Some(here) = self.here.get() else {
            return Err(ServiceError::new(ErrorCode::Configuration, "no feature store is configured ([peers] features)"));
        };
        Ok(Token::None.on(self.channel.get_or_init(|| channel::in_memory(here.clone())).clone()))
    }
}
