//! What a program tells of itself: logs on standard error, metrics for Prometheus, and all three signals by OTLP if a collector is
//! configured.
//!
//! Metrics and spans are those of `schema.toml`, and no others: dashboards and alerts are written against that file.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod config;
mod instruments;
mod schema;

use std::collections::HashSet;
use std::io::stderr;
use std::sync::OnceLock;
use std::time::Duration;

use opentelemetry::trace::TracerProvider;
use opentelemetry::{Key, KeyValue, global};
use opentelemetry_appender_tracing::layer::OpenTelemetryTracingBridge;
use opentelemetry_otlp::tonic_types::transport::ClientTlsConfig;
use opentelemetry_otlp::{ExporterBuildError, LogExporter, MetricExporter, SpanExporter, WithExportConfig, WithTonicConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::logs::SdkLoggerProvider;
use opentelemetry_sdk::metrics::{PeriodicReader, SdkMeterProvider};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
use prometheus::{Registry, TextEncoder};
use tracing_opentelemetry::OpenTelemetryLayer;
use tracing_subscriber::filter::{EnvFilter, LevelFilter, Targets};
use tracing_subscriber::fmt::format::FmtSpan;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt};

pub use config::{LogFormat, TelemetryConfig};
pub use instruments::{Timer, counter, gauge, histogram, set, up_down};
pub use opentelemetry::KeyValue as Attribute;
pub use schema::{Kind, Metric, Schema, SpanKind, schema};

/// Targets of the spans that are exported: calls between programs, and to storage.
pub const SPANS: [&str; 4] = ["rpc", "storage", "job", "command"];
/// Seconds between two exports of metrics.
const INTERVAL: Duration = Duration::from_secs(15);

/// Why telemetry cannot start.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The filter of log lines.
    #[error("telemetry.filter: {0}")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    /// The collector's address.
    #[error("telemetry.otlp: {0}")]
    Exporter(#[from] ExporterBuildError),
    /// Metrics.
    #[error("metrics: {0}")]
    Metrics(#[from] opentelemetry_sdk::error::OTelSdkError),
}

/// What was started in this process.
struct Started {
    registry: Registry,
    meters: SdkMeterProvider,
    tracers: Option<SdkTracerProvider>,
    logs: Option<SdkLoggerProvider>,
}

static STARTED: OnceLock<Started> = OnceLock::new();

/// Starts telemetry for this process, which calls itself `program`; needs Tokio's runtime if there is a collector. A second call
/// changes nothing.
pub fn init(config: &TelemetryConfig, program: &str) -> Result<(), TelemetryError> {
    let filter = EnvFilter::try_new(&config.filter)?;
    if STARTED.get().is_some() {
        return Ok(());
    }
    let started = start(config, program)?;
    // Spans of calls are for traces: in front of each log line they would hide what it says.
    let filter = SPANS.iter().fold(filter, |filter, target| match format!("{target}=off").parse() {
        Ok(directive) => filter.add_directive(directive),
        Err(_) => filter,
    });
    let lines = fmt::layer().with_writer(stderr).with_span_events(FmtSpan::NONE);
    // Only layers that are there: beside one that is none, spans that nobody wants are asked about each time.
    let mut layers = vec![match config.format {
        LogFormat::Text => lines.with_filter(filter).boxed(),
        LogFormat::Json => lines.json().with_filter(filter).boxed(),
    }];
    if let Some(tracers) = &started.tracers {
        let wanted: Targets = SPANS.iter().map(|target| (*target, tracing::Level::INFO)).collect();
        let spans = OpenTelemetryLayer::new(tracers.tracer("signaux-faibles")).with_location(false).with_threads(false);
        layers.push(spans.with_filter(wanted).boxed());
    }
    if let Some(logs) = &started.logs {
        // The exporter's own lines would be exported, and so on.
        let own = Targets::new().with_default(tracing::Level::INFO);
        let own =
            ["opentelemetry", "tonic", "h2", "hyper", "tower"].iter().fold(own, |own, target| own.with_target(*target, LevelFilter::OFF));
        layers.push(OpenTelemetryTracingBridge::new(logs).with_filter(own).boxed());
    }
    global::set_meter_provider(started.meters.clone());
    global::set_text_map_propagator(TraceContextPropagator::new());
    // An error here means that a subscriber is in place already, as in tests.
    let _already = tracing_subscriber::registry().with(layers).try_init();
    let _first = STARTED.set(started);
    Ok(())
}

fn start(config: &TelemetryConfig, program: &str) -> Result<Started, TelemetryError> {
    let resource = Resource::builder()
        .with_service_name(program.to_owned())
        .with_attribute(KeyValue::new("service.namespace", "signaux-faibles"))
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .build();
    let registry = Registry::new();
    // Each series says whose it is, wherever it was fetched from.
    let pulled = opentelemetry_prometheus::exporter()
        .with_registry(registry.clone())
        .with_resource_selector(HashSet::from([Key::new("service.name")]))
        .scope_info_enabled(false)
        .build()?;
    let meters = SdkMeterProvider::builder().with_resource(resource.clone()).with_reader(pulled);
    let Some(collector) = config.otlp.as_deref() else {
        return Ok(Started { registry, meters: meters.build(), tracers: None, logs: None });
    };
    let spans = sent_to(collector, SpanExporter::builder().with_tonic()).build()?;
    let lines = sent_to(collector, LogExporter::builder().with_tonic()).build()?;
    let figures = sent_to(collector, MetricExporter::builder().with_tonic()).build()?;
    let sampler = Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(config.sampled_share)));
    Ok(Started {
        registry,
        meters: meters.with_reader(PeriodicReader::builder(figures).with_interval(INTERVAL).build()).build(),
        tracers: Some(
            SdkTracerProvider::builder().with_resource(resource.clone()).with_sampler(sampler).with_batch_exporter(spans).build(),
        ),
        logs: Some(SdkLoggerProvider::builder().with_resource(resource).with_batch_exporter(lines).build()),
    })
}

/// An `https` collector is checked against the authorities of the system, or those of SSL_CERT_FILE.
fn sent_to<B: WithExportConfig + WithTonicConfig>(collector: &str, builder: B) -> B {
    let builder = builder.with_endpoint(collector);
    if collector.starts_with("https:") { builder.with_tls_config(ClientTlsConfig::new().with_native_roots()) } else { builder }
}

/// All metrics of this process, in Prometheus' text format; empty before [`init`].
pub fn render() -> String {
    let Some(started) = STARTED.get() else { return String::new() };
    TextEncoder::new().encode_to_string(&started.registry.gather()).unwrap_or_default()
}

/// Sends what was not sent yet: the last thing that a program does. Blocks for a few seconds if the collector is away.
pub fn close() {
    let Some(started) = STARTED.get() else { return };
    let limit = Duration::from_secs(3);
    // Nobody is left to tell.
    let _unsent = started.tracers.as_ref().map(|tracers| tracers.shutdown_with_timeout(limit));
    let _unsent = started.logs.as_ref().map(|logs| logs.shutdown_with_timeout(limit));
    let _unsent = started.meters.shutdown_with_timeout(limit);
}
