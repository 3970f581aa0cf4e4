//! What operators see: one trace from a command to storage through all services, metrics that the schema names, logs of a trace.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use acceptance::cluster::{Cluster, Setup};
use acceptance::collector::Collector;
use acceptance::sf::Sf;
use serde_json::Value;
use tempfile::tempdir;

const SERVICES: [&str; 4] = ["ingestion", "feature-store", "training", "scoring"];

/// Spans of OpenTelemetry's numbers for kinds.
const SERVER: u64 = 2;
const CLIENT: u64 = 3;

/// The spans of a trace, by their identifiers.
struct Trace(BTreeMap<String, Value>);

impl Trace {
    /// The trace that a command began; waits until it is whole.
    fn of(collector: &Collector, command: &str, whole: impl Fn(&Self) -> bool) -> Self {
        let start = Instant::now();
        loop {
            let spans = collector.received("span");
            let root = spans.iter().find(|span| span["name"] == command);
            let of_root = |span: &&Value| root.is_some_and(|root| root["trace"] == span["trace"]);
            let key = |span: &Value| (span["id"].as_str().unwrap().to_owned(), span.clone());
            let trace = Self(spans.iter().filter(of_root).map(key).collect());
            if whole(&trace) {
                return trace;
            }
            assert!(start.elapsed() < Duration::from_mins(1), "the trace of {command} is not whole:\n{}", trace.shown());
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    fn shown(&self) -> String {
        let line = |span: &Value| format!("{} {} {} <- {}", span["id"], span["service"], span["name"], span["parent"]);
        self.0.values().map(line).collect::<Vec<_>>().join("\n")
    }

    /// Whether every span but the first has its parent in the trace.
    fn has_no_orphans(&self) -> bool {
        self.0.values().all(|span| span["parent"] == "" || self.0.contains_key(span["parent"].as_str().unwrap()))
    }

    /// Whether some span is under others, each at some depth below the one before it: (service, beginning of the name, kind).
    fn has_path(&self, path: &[(&str, &str, u64)]) -> bool {
        let fits = |span: &Value, (service, name, kind): &(&str, &str, u64)| {
            span["service"] == *service && span["name"].as_str().unwrap().starts_with(name) && (*kind == 0 || span["kind"] == *kind)
        };
        self.0.values().any(|span| {
            let mut wanted = path.iter().rev().peekable();
            let mut here = Some(span);
            if wanted.next_if(|wanted| fits(span, wanted)).is_none() {
                return false;
            }
            while let (Some(span), Some(next)) = (here, wanted.peek()) {
                here = self.0.get(span["parent"].as_str().unwrap());
                if here.is_some_and(|parent| fits(parent, next)) {
                    wanted.next();
                }
            }
            wanted.peek().is_none()
        })
    }
}

const SHEET: &str = "signauxfaibles.companies.v1.CompanyService/GetCompany";
const HISTORY: &str = "signauxfaibles.features.v1.FeatureService/GetCompanyHistory";

#[test]
fn one_trace_leads_from_a_command_to_storage_and_metrics_are_those_of_the_schema() {
    let folder = tempdir().unwrap();
    let collector = Collector::start(folder.path());
    let cluster = Cluster::start_with(folder.path(), Setup::default().with("SF_TELEMETRY__OTLP", &collector.url));
    let sf = Sf::remote(&cluster.servers()).with_env("SF_TELEMETRY__OTLP", &collector.url);
    let delivery = Sf::delivery(folder.path(), 400);
    sf.ok(&["run", delivery.to_str().unwrap(), "--batch", "2511"]);

    // A monthly run: the command asks all four services, and each of them storage.
    let jobs = [("ingestion", "import"), ("feature-store", "build"), ("training", "train"), ("scoring", "build-list")];
    let path = |(service, job): &(&'static str, &'static str)| {
        [
            ("sf", "sf run", 0),
            ("sf", "signauxfaibles.", CLIENT),
            (*service, "signauxfaibles.", SERVER),
            (*service, job, 0),
            (*service, "object_store", CLIENT),
        ]
    };
    let redis = [("sf", "sf run", 0), ("feature-store", "redis ", CLIENT)];
    Trace::of(&collector, "sf run", |trace| {
        trace.has_no_orphans() && trace.has_path(&redis) && jobs.iter().all(|job| trace.has_path(&path(job)))
    });

    // A sheet: the command, scoring, the feature store, storage.
    let list = sf.json(&["lists", "show", "latest", "--limit", "1"]);
    sf.ok(&["companies", "show", list["entries"][0]["siren"].as_str().unwrap()]);
    let hops = [
        ("sf", "sf companies", 0),
        ("sf", SHEET, CLIENT),
        ("scoring", SHEET, SERVER),
        ("scoring", HISTORY, CLIENT),
        ("feature-store", HISTORY, SERVER),
        ("feature-store", "object_store get", CLIENT),
    ];
    Trace::of(&collector, "sf companies", |trace| trace.has_path(&hops));

    logs_belong_to_services(&collector);
    the_schema_names_everything(&collector, &cluster);
}

fn logs_belong_to_services(collector: &Collector) {
    let services: BTreeSet<String> = collector.received("log").iter().map(|log| log["service"].as_str().unwrap().to_owned()).collect();
    assert!(SERVICES.iter().all(|service| services.contains(*service)), "{services:?}");
}

/// Spans, metrics sent, and metrics fetched have no name and no attribute that `schema.toml` has not.
fn the_schema_names_everything(collector: &Collector, cluster: &Cluster) {
    let schema = telemetry::schema();
    let known: BTreeMap<&str, &telemetry::Metric> = schema.metrics.iter().map(|metric| (metric.name.as_str(), metric)).collect();
    let start = Instant::now();
    let sent = loop {
        let sent = collector.received("metric");
        if SERVICES.iter().all(|service| sent.iter().any(|metric| metric["service"] == *service)) {
            break sent;
        }
        assert!(start.elapsed() < Duration::from_mins(1), "no metrics of a service");
        std::thread::sleep(Duration::from_millis(500));
    };
    for metric in sent {
        let found = known.get(metric["name"].as_str().unwrap()).unwrap_or_else(|| panic!("{metric} is not in schema.toml"));
        assert_eq!(metric["unit"], found.unit.as_str(), "{metric}");
        for attribute in metric["attributes"].as_array().unwrap() {
            assert!(found.attributes.contains(attribute.as_str().unwrap()), "{metric} has an attribute that is not in schema.toml");
        }
    }
    let attributes: BTreeSet<&str> = schema.spans.iter().flat_map(|span| span.attributes.iter().map(String::as_str)).collect();
    for span in collector.received("span") {
        for attribute in span["attributes"].as_object().unwrap().keys() {
            // What the library adds of itself.
            let own = ["busy_ns", "idle_ns", "target", "level"].contains(&attribute.as_str());
            assert!(own || attributes.contains(attribute.as_str()), "{span} has an attribute that is not in schema.toml");
        }
    }
    let fetched: BTreeSet<String> = schema.metrics.iter().map(telemetry::Metric::prometheus).collect();
    for service in SERVICES {
        let text = cluster.metrics(service);
        let names: BTreeSet<&str> = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect();
        assert!(names.contains("rpc_server_call_duration_seconds"), "{service}: {names:?}");
        for name in names {
            assert!(name == "target_info" || fetched.contains(name), "{service}: {name} is not in schema.toml");
        }
    }
    let scoring = cluster.metrics("scoring");
    for state in ["sf_list_month_seconds", "sf_list_companies", "sf_model_month_seconds", "sf_model_quality_ratio", "sf_serving_stale"] {
        assert!(scoring.contains(&format!("\n{state}")), "{state}\n{scoring}");
    }
}
