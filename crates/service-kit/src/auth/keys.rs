//! Public keys of an issuer: read from a file or an address, kept, and read again when they grow old or a token names one
//! that is not among them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use jsonwebtoken::jwk::{Jwk, JwkSet};
use tokio::sync::Mutex;

use super::AuthConfig;
use crate::error::{ErrorCode, ServiceError};

/// Age after which keys are read again.
const OLD: Duration = Duration::from_mins(10);
/// Least time between two readings, so that tokens with invented key names cost nothing.
const PAUSE: Duration = Duration::from_secs(10);

/// What was read last, and when.
struct Read {
    keys: JwkSet,
    at: Option<Instant>,
}

/// The keys of an issuer.
pub(super) struct Keys {
    source: Source,
    read: ArcSwap<Read>,
    reading: Mutex<()>,
}

enum Source {
    File(String),
    Address { client: reqwest::Client, url: String },
}

impl Keys {
    /// Of the configured issuer. Nothing is read yet.
    pub fn new(config: &AuthConfig) -> Result<Self, ServiceError> {
        let refused = |error: &dyn std::fmt::Display| ServiceError::new(ErrorCode::Configuration, format!("auth.jwks: {error}"));
        let source = if config.jwks.starts_with("https://") || config.jwks.starts_with("http://") {
            let mut client = reqwest::Client::builder().timeout(Duration::from_secs(5));
            if let Some(path) = &config.authorities {
                let pem = std::fs::read(path).map_err(|error| refused(&format!("{}: {error}", path.display())))?;
                client = client.add_root_certificate(reqwest::Certificate::from_pem(&pem).map_err(|error| refused(&error))?);
            }
            Source::Address { client: client.build().map_err(|error| refused(&error))?, url: config.jwks.clone() }
        } else {
            Source::File(config.jwks.clone())
        };
        Ok(Self { source, read: ArcSwap::from_pointee(Read { keys: JwkSet { keys: Vec::new() }, at: None }), reading: Mutex::new(()) })
    }

    /// The key of this name. A failure to read them again leaves those that are known.
    pub async fn get(&self, name: &str) -> Result<Option<Jwk>, ServiceError> {
        let known = self.read.load();
        let fresh = known.at.is_some_and(|at| at.elapsed() < OLD);
        if let Some(key) = known.keys.find(name).filter(|_| fresh) {
            return Ok(Some(key.clone()));
        }
        let refreshed = self.refresh().await;
        let now = self.read.load();
        match (now.keys.find(name), refreshed) {
            (Some(key), Err(error)) => {
                tracing::warn!(%error, "the keys of the issuer cannot be read again; those known are used");
                Ok(Some(key.clone()))
            }
            (key, Ok(())) => Ok(key.cloned()),
            (None, Err(error)) => Err(error),
        }
    }

    async fn refresh(&self) -> Result<(), ServiceError> {
        let _one = self.reading.lock().await;
        if self.read.load().at.is_some_and(|at| at.elapsed() < PAUSE) {
            return Ok(());
        }
        let text = self.text().await.map_err(|error| {
            ServiceError::new(ErrorCode::IdentityUnavailable, format!("the keys of the identity provider cannot be read: {error}"))
        })?;
        let keys = serde_json::from_slice(&text).map_err(|error| {
            ServiceError::new(ErrorCode::IdentityUnavailable, format!("the identity provider's keys are no JWKS: {error}"))
        })?;
        self.read.store(Arc::new(Read { keys, at: Some(Instant::now()) }));
        Ok(())
    }

    async fn text(&self) -> Result<Vec<u8>, String> {
        match &self.source {
            Source::File(path) => tokio::fs::read(path).await.map_err(|error| format!("{path}: {error}")),
            Source::Address { client, url } => {
                let answer =
                    client.get(url).send().await.and_then(reqwest::Response::error_for_status).map_err(|error| error.to_string())?;
                Ok(answer.bytes().await.map_err(|error| error.to_string())?.to_vec())
            }
        }
    }
}
