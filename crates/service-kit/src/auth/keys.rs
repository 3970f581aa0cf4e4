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
/// Least time between two readings, whether or not they succeed: tokens with invented key names cost nothing, and a provider
/// that is away is not waited for by every request.
const PAUSE: Duration = Duration::from_secs(10);

/// What was read last, and when.
struct Read {
    keys: JwkSet,
    at: Option<Instant>,
}

/// The last reading, and why it failed if it did.
struct Attempt {
    at: Instant,
    failure: Option<ServiceError>,
}

/// The keys of an issuer.
pub(super) struct Keys(Arc<Inner>);

struct Inner {
    source: Source,
    read: ArcSwap<Read>,
    /// Held while they are read.
    attempt: Mutex<Option<Attempt>>,
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
        let read = ArcSwap::from_pointee(Read { keys: JwkSet { keys: Vec::new() }, at: None });
        Ok(Self(Arc::new(Inner { source, read, attempt: Mutex::new(None) })))
    }

    /// The key of this name. One that is known is given at once, and those that grew old are read again in the background; a
    /// failure to read them leaves those that are known.
    pub async fn get(&self, name: &str) -> Result<Option<Jwk>, ServiceError> {
        let read = self.0.read.load();
        if let Some(key) = read.keys.find(name) {
            if read.at.is_none_or(|at| at.elapsed() >= OLD) && self.0.attempt.try_lock().is_ok() {
                let keys = self.0.clone();
                tokio::spawn(async move {
                    if let Err(error) = keys.refresh().await {
                        tracing::warn!(%error, "the keys of the identity provider cannot be read again; those known are used");
                    }
                });
            }
            return Ok(Some(key.clone()));
        }
        self.0.refresh().await?;
        Ok(self.0.read.load().keys.find(name).cloned())
    }
}

impl Inner {
    /// Reads the keys, unless they just were.
    async fn refresh(&self) -> Result<(), ServiceError> {
        let mut attempt = self.attempt.lock().await;
        if let Some(last) = attempt.as_ref().filter(|last| last.at.elapsed() < PAUSE) {
            return last.failure.clone().map_or(Ok(()), Err);
        }
        let unavailable = |what: &str, error: &dyn std::fmt::Display| {
            ServiceError::new(ErrorCode::IdentityUnavailable, format!("the keys of the identity provider {what}: {error}"))
        };
        let text = self.text().await.map_err(|error| unavailable("cannot be read", &error));
        let keys = text.and_then(|text| serde_json::from_slice(&text).map_err(|error| unavailable("are no JWKS", &error)));
        let at = Instant::now();
        let failure = match keys {
            Ok(keys) => {
                self.read.store(Arc::new(Read { keys, at: Some(at) }));
                None
            }
            Err(error) => Some(error),
        };
        *attempt = Some(Attempt { at, failure: failure.clone() });
        failure.map_or(Ok(()), Err)
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
