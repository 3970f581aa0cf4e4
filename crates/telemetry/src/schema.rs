//! `schema.toml`: all metrics and spans, with their units, attributes and meaning.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use serde::Deserialize;

/// The file.
const TEXT: &str = include_str!("schema.toml");

/// Everything that may be measured.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schema {
    /// Metrics.
    #[serde(rename = "metric")]
    pub metrics: Vec<Metric>,
    /// Kinds of spans.
    #[serde(rename = "span")]
    pub spans: Vec<SpanKind>,
}

/// A metric.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Metric {
    /// OpenTelemetry's name.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// Unit (UCUM).
    pub unit: String,
    /// Names of attributes.
    #[serde(default)]
    pub attributes: BTreeSet<String>,
    /// Upper bounds of a histogram.
    #[serde(default)]
    pub buckets: Vec<f64>,
    /// What it says.
    pub meaning: String,
}

/// Kinds of metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Only grows.
    Counter,
    /// Grows and shrinks by steps.
    UpDown,
    /// A state.
    Gauge,
    /// A distribution.
    Histogram,
}

/// A kind of span.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SpanKind {
    /// Target in the source, one of [`crate::SPANS`].
    pub target: String,
    /// How its name is made.
    pub name: String,
    /// OpenTelemetry's kind: server, client, internal.
    pub kind: String,
    /// Names of attributes.
    #[serde(default)]
    pub attributes: BTreeSet<String>,
    /// What it covers.
    pub meaning: String,
}

impl Metric {
    /// Its name in Prometheus: dots become underscores, unit and kind are appended.
    pub fn prometheus(&self) -> String {
        let name = self.name.replace('.', "_");
        let unit = match self.unit.as_str() {
            "s" => "_seconds",
            "By" => "_bytes",
            "1" if self.kind == Kind::Gauge => "_ratio",
            _ => "",
        };
        let total = if self.kind == Kind::Counter { "_total" } else { "" };
        format!("{name}{unit}{total}")
    }
}

/// The schema of this program. Empty only if the file cannot be read, which a test excludes.
pub fn schema() -> &'static Schema {
    static SCHEMA: LazyLock<Schema> = LazyLock::new(|| toml::from_str(TEXT).unwrap_or_default());
    &SCHEMA
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_read_and_every_name_is_told_once() {
        let schema: Schema = toml::from_str(TEXT).unwrap();
        let names: BTreeSet<&str> = schema.metrics.iter().map(|metric| metric.name.as_str()).collect();
        assert_eq!(names.len(), schema.metrics.len());
        for metric in &schema.metrics {
            assert!(!metric.meaning.is_empty(), "{}", metric.name);
            assert_eq!(metric.kind == Kind::Histogram, !metric.buckets.is_empty(), "{}", metric.name);
            assert!(metric.buckets.is_sorted(), "{}", metric.name);
        }
        for span in &schema.spans {
            assert!(crate::SPANS.contains(&span.target.as_str()), "{}", span.target);
        }
        assert_eq!(schema.metrics[0].prometheus(), "rpc_server_call_duration_seconds");
    }
}
