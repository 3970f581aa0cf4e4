//! Instruments by their names in the schema. They are made once, and cost a lookup.

use std::collections::BTreeMap;
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::Instant;

use opentelemetry::metrics::{Counter, Gauge, Histogram, Meter, UpDownCounter};
use opentelemetry::{KeyValue, global};

use crate::schema::{Metric, schema};

static METER: LazyLock<Meter> = LazyLock::new(|| global::meter("signaux-faibles"));

fn described(name: &'static str) -> Option<&'static Metric> {
    let found = schema().metrics.iter().find(|metric| metric.name == name);
    debug_assert!(found.is_some(), "{name} is not in schema.toml");
    found
}

macro_rules! instrument {
    ($($(#[doc = $doc:literal])* $function:ident: $type:ty, $builder:ident $(, $more:ident)?;)*) => {$(
        $(#[doc = $doc])*
        pub fn $function(name: &'static str) -> $type {
            static KNOWN: Mutex<BTreeMap<&'static str, $type>> = Mutex::new(BTreeMap::new());
            let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
            let made = known.entry(name).or_insert_with(|| {
                let builder = METER.$builder(name);
                let Some(metric) = described(name) else { return builder.build() };
                let builder = builder.with_unit(metric.unit.as_str()).with_description(metric.meaning.as_str());
                $(let builder = builder.$more(metric.buckets.clone());)?
                builder.build()
            });
            made.clone()
        }
    )*};
}

instrument! {
    /// A counter of the schema.
    counter: Counter<u64>, u64_counter;
    /// A quantity that grows and shrinks by steps.
    up_down: UpDownCounter<i64>, i64_up_down_counter;
    /// A state.
    gauge: Gauge<f64>, f64_gauge;
    /// A distribution.
    histogram: Histogram<f64>, f64_histogram, with_boundaries;
}

/// Says the state that a gauge shows from now on.
pub fn set(name: &'static str, value: f64, attributes: &[KeyValue]) {
    gauge(name).record(value, attributes);
}

/// Measures how long something takes.
pub struct Timer {
    name: &'static str,
    start: Instant,
}

impl Timer {
    /// Starts; `name` is a histogram of seconds.
    pub fn start(name: &'static str) -> Self {
        Self { name, start: Instant::now() }
    }

    /// Records the time since.
    pub fn stop(self, attributes: &[KeyValue]) {
        histogram(self.name).record(self.start.elapsed().as_secs_f64(), attributes);
    }
}
