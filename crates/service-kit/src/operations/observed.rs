//! What is told of a running operation: a span, how many run, how they end.

use std::time::{SystemTime, UNIX_EPOCH};

use telemetry::{Attribute, counter, set, up_down};
use tracing::field::Empty;
use tracing::{Span, info_span};
use tracing_opentelemetry::OpenTelemetrySpanExt;

use super::Record;
use crate::error::ServiceError;

/// A running operation. One that is dropped was taken over by another process.
pub(super) struct Observed {
    pub(super) span: Span,
    kind: Attribute,
    ended: bool,
}

impl Observed {
    pub(super) fn begin(record: &Record) -> Self {
        let kind = Attribute::new("kind", record.kind.clone());
        up_down("sf.jobs.running").add(1, std::slice::from_ref(&kind));
        // Not a child for `tracing`, which would keep the request's span open, and untold, until the job ends.
        let span = info_span!(
            target: "job",
            parent: None,
            "job",
            otel.name = record.kind,
            otel.status_code = Empty,
            kind = record.kind,
            operation = record.name,
            outcome = Empty,
        );
        let _unexported = span.set_parent(Span::current().context());
        Self { span, kind, ended: false }
    }

    pub(super) fn end(mut self, result: Result<(), &ServiceError>) {
        self.tell(result.map_or_else(|error| error.code().as_str(), |()| "done"));
        if result.is_ok() {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            set("sf.jobs.last_success", now.as_secs_f64(), std::slice::from_ref(&self.kind));
        }
    }

    fn tell(&mut self, outcome: &'static str) {
        self.ended = true;
        self.span.record("outcome", outcome);
        if outcome != "done" {
            self.span.record("otel.status_code", "ERROR");
        }
        up_down("sf.jobs.running").add(-1, std::slice::from_ref(&self.kind));
        counter("sf.jobs.ended").add(1, &[self.kind.clone(), Attribute::new("outcome", outcome)]);
    }
}

impl Drop for Observed {
    fn drop(&mut self) {
        if !self.ended {
            self.tell("taken_over");
        }
    }
}
