//! Settings of telemetry.

use serde::{Deserialize, Serialize};

/// Logs, and where signals go.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TelemetryConfig {
    /// `text` or `json`.
    pub format: LogFormat,
    /// Which log lines, for example `info` or `info,lake=debug`.
    pub filter: String,
    /// An OTLP collector (gRPC), for example `http://collector:4317`: traces, metrics and logs go there too.
    pub otlp: Option<String>,
    /// Share of the traces that begin here and are exported, from 0 to 1. One that began elsewhere follows its beginning.
    pub sampled_share: f64,
}

impl Default for TelemetryConfig {
    fn default() -> Self {
        Self { format: LogFormat::Text, filter: "info".to_owned(), otlp: None, sampled_share: 1.0 }
    }
}

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// For a person.
    Text,
    /// For a collector.
    Json,
}
