//! Configuration of the services that run in this process: defaults ← TOML file ← environment ← flags.

use serde::{Deserialize, Serialize};
use service_kit::config::Config;
use service_kit::error::ServiceError;

use crate::args::Arguments;

/// Configuration of `sf`: that of a service, with the settings of all four.
pub type Configuration = Config<Settings>;

/// What is particular to each service, under `[service.NAME]`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Ingestion.
    pub ingestion: ingestion::Settings,
    /// Feature store.
    pub features: feature_store::Settings,
    /// Training.
    pub training: training::Settings,
    /// Scoring.
    pub scoring: scoring::Settings,
}

/// The configuration that the arguments ask for. `--data DIR` puts the lake under `DIR/lake`, whatever the file says.
pub fn load(arguments: &Arguments) -> Result<Configuration, ServiceError> {
    let root = arguments.data.as_ref().map(|data| ("lake.root", data.join("lake").display().to_string()));
    service_kit::config::load(arguments.config.as_deref(), root.as_slice())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use clap::Parser;

    use super::*;

    fn example() -> std::path::PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("config.example.toml")
    }

    #[test]
    fn the_example_configuration_is_the_defaults() {
        assert_eq!(service_kit::config::load::<Configuration>(Some(&example()), &[]).unwrap(), Configuration::default());
    }

    #[test]
    fn the_data_folder_wins_over_the_file() {
        let example = example();
        let arguments = ["sf", "--config", example.to_str().unwrap(), "--data", "/tmp/x", "doctor"];
        let config = load(&Arguments::parse_from(arguments)).unwrap();
        assert_eq!(config.lake.root, "/tmp/x/lake");
    }
}
