//! Logs, on standard error.

use std::io::stderr;

use tracing_subscriber::EnvFilter;

use crate::config::{LogFormat, TelemetryConfig};
use crate::error::{ErrorCode, ServiceError};

/// Starts logging for this process. Fails when the filter cannot be read; a second call changes nothing.
pub fn init(config: &TelemetryConfig) -> Result<(), ServiceError> {
    let refused = |error: &dyn std::fmt::Display| ServiceError::new(ErrorCode::Configuration, format!("telemetry.filter: {error}"));
    let filter = EnvFilter::try_new(&config.filter).map_err(|error| refused(&error))?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(stderr);
    // An error here means that a subscriber is in place already, as in tests.
    let _already = match config.format {
        LogFormat::Text => builder.try_init(),
        LogFormat::Json => builder.json().try_init(),
    };
    Ok(())
}
