//! Configuration: defaults ← TOML file ← environment ← flags. Unknown keys are refused.
//!
//! A key `lake.root` is `SF_LAKE__ROOT` in the environment: sections are separated by two underscores.

use std::net::SocketAddr;
use std::path::Path;

use figment::Figment;
use figment::providers::{Env, Format, Serialized, Toml};
use lake::S3Options;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use telemetry::TelemetryConfig;

use crate::audit::AuditConfig;
use crate::auth::AuthConfig;
use crate::error::{ErrorCode, ServiceError};
use crate::limits::LimitsConfig;
use crate::peers::PeersConfig;
use crate::tls::TlsConfig;

/// Configuration of a service; `S` is what is particular to it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config<S: Default> {
    /// Addresses and TLS.
    pub server: ServerConfig,
    /// Storage.
    pub lake: LakeConfig,
    /// How many requests are answered.
    pub limits: LimitsConfig,
    /// Online store.
    pub online: OnlineConfig,
    /// Long-running operations.
    pub jobs: JobsConfig,
    /// The identity provider; without one every caller may do everything.
    pub auth: Option<AuthConfig>,
    /// How requests are recorded.
    pub audit: AuditConfig,
    /// The other services.
    pub peers: PeersConfig,
    /// Logs, metrics, traces.
    pub telemetry: TelemetryConfig,
    /// The service's own settings.
    pub service: S,
}

/// Where a service listens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ServerConfig {
    /// gRPC address; port 0 takes a free one.
    pub listen: SocketAddr,
    /// HTTP address of `/healthz`, `/readyz` and `/metrics`.
    pub admin: SocketAddr,
    /// Certificate, key and client authorities; plain text without.
    pub tls: Option<TlsConfig>,
    /// Milliseconds between saying "not serving" and refusing connections when the service stops, for balancers to look away.
    pub look_away_ms: u64,
    /// Seconds that running requests are given to finish after that.
    pub grace_seconds: u64,
    /// Seconds after which a unary request is given up.
    pub request_seconds: u64,
    /// Largest message received, bytes.
    pub max_message_bytes: usize,
    /// Seconds after which a client is asked to connect again, so that clients spread over replicas that came later.
    pub connection_seconds: u64,
    /// Whether clients may ask which services and methods there are.
    pub reflection: bool,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            listen: ([127, 0, 0, 1], 0).into(),
            admin: ([127, 0, 0, 1], 0).into(),
            tls: None,
            look_away_ms: 500,
            grace_seconds: 30,
            request_seconds: 120,
            max_message_bytes: 8 * 1024 * 1024,
            connection_seconds: 300,
            reflection: false,
        }
    }
}

/// Where everything is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LakeConfig {
    /// A folder, `file:///…` or `s3://bucket/prefix`.
    pub root: String,
    /// Access to S3.
    pub s3: S3Options,
}

impl Default for LakeConfig {
    fn default() -> Self {
        Self { root: "./sf-data/lake".to_owned(), s3: S3Options::default() }
    }
}

/// The online store.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OnlineConfig {
    /// `redis://host:port`, or `redis+cluster://host:port,host:port` for a cluster; `rediss` for TLS. Without it vectors are
    /// served from the snapshot in memory.
    pub redis_url: Option<String>,
}

/// Long-running operations.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct JobsConfig {
    /// Seconds after which the job of a silent owner is taken over.
    pub lease_seconds: u64,
}

impl Default for JobsConfig {
    fn default() -> Self {
        Self { lease_seconds: 15 }
    }
}

/// Reads a configuration. `overrides` are dotted keys and values, from flags.
pub fn load<T: Default + Serialize + DeserializeOwned>(file: Option<&Path>, overrides: &[(&str, String)]) -> Result<T, ServiceError> {
    let mut figment = Figment::from(Serialized::defaults(T::default()));
    if let Some(file) = file {
        if !file.is_file() {
            return Err(ServiceError::new(ErrorCode::Configuration, format!("{} is not a file", file.display())));
        }
        figment = figment.merge(Toml::file_exact(file));
    }
    // Variables without a section (SF_CACHE, SF_SERVER…) are not configuration.
    figment = figment.merge(Env::prefixed("SF_").filter(|key| key.as_str().contains("__")).split("__"));
    for (key, value) in overrides {
        figment = figment.merge(Serialized::default(key, value));
    }
    figment.extract().map_err(|error| ServiceError::new(ErrorCode::Configuration, error.to_string()))
}

/// The effective configuration as TOML, secrets masked.
pub fn shown<T: Serialize>(config: &T) -> Result<String, ServiceError> {
    let internal = |error: &dyn std::fmt::Display| ServiceError::new(ErrorCode::Internal, error.to_string());
    let mut value = toml::Value::try_from(config).map_err(|error| internal(&error))?;
    mask(&mut value);
    toml::to_string_pretty(&value).map_err(|error| internal(&error))
}

fn mask(value: &mut toml::Value) {
    let toml::Value::Table(table) = value else { return };
    for (key, value) in table.iter_mut() {
        let secret = ["secret", "password", "token", "redis_url"].iter().any(|word| key.contains(word));
        match value {
            toml::Value::String(text) if secret && !text.is_empty() => "***".clone_into(text),
            value => mask(value),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_keys_are_refused_by_name() {
        let folder = std::env::temp_dir().join(format!("sf-config-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let file = folder.join("c.toml");
        std::fs::write(&file, "[lake]\nroot = '/tmp/x'\nrooot = 'y'\n").unwrap();
        let error = load::<Config<()>>(Some(&file), &[]).unwrap_err();
        assert!(error.message().contains("rooot"), "{error}");
        std::fs::write(&file, "[lake]\nroot = '/tmp/x'\n").unwrap();
        let config = load::<Config<()>>(Some(&file), &[("server.listen", "127.0.0.1:7001".into())]).unwrap();
        assert_eq!((config.lake.root.as_str(), config.server.listen.port()), ("/tmp/x", 7001));
        std::fs::remove_dir_all(folder).unwrap();
        assert!(load::<Config<()>>(Some(Path::new("/nowhere.toml")), &[]).is_err());
    }

    /// Settings of a service without any.
    #[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
    struct Nothing {}

    #[test]
    fn secrets_are_masked() {
        let mut config = Config::<Nothing>::default();
        config.lake.s3.secret_access_key = Some("hunter2".to_owned());
        config.online.redis_url = Some("redis://:hunter2@host".to_owned());
        let text = shown(&config).unwrap();
        assert!(!text.contains("hunter2") && text.contains("***"), "{text}");
    }
}
