//! Counts and durations of RPCs, in Prometheus' text format.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Instant;

use futures::future::BoxFuture;
use tower::{Layer, Service};

/// Upper bounds of the duration buckets, seconds.
const BUCKETS: [f64; 10] = [0.001, 0.002, 0.005, 0.01, 0.025, 0.1, 0.5, 2.5, 10.0, 60.0];

#[derive(Default)]
struct Series {
    buckets: [u64; BUCKETS.len()],
    count: u64,
    seconds: f64,
}

/// The figures of a process. Cheap to clone.
#[derive(Clone, Default)]
pub struct Metrics {
    /// By method and gRPC status.
    rpcs: Arc<Mutex<BTreeMap<(String, String), Series>>>,
}

impl Metrics {
    fn record(&self, method: &str, status: &str, seconds: f64) {
        let mut rpcs = self.rpcs.lock().unwrap_or_else(PoisonError::into_inner);
        let series = rpcs.entry((method.to_owned(), status.to_owned())).or_default();
        series.count += 1;
        series.seconds += seconds;
        for (bucket, bound) in series.buckets.iter_mut().zip(BUCKETS) {
            *bucket += u64::from(seconds <= bound);
        }
    }

    /// Everything, in Prometheus' text format.
    pub fn render(&self) -> String {
        let mut text = String::from("# TYPE sf_rpc_duration_seconds histogram\n");
        for ((method, status), series) in self.rpcs.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            let labels = format!("method=\"{method}\",status=\"{status}\"");
            for (bound, count) in BUCKETS.iter().zip(series.buckets) {
                let _ = writeln!(text, "sf_rpc_duration_seconds_bucket{{{labels},le=\"{bound}\"}} {count}");
            }
            let _ = writeln!(text, "sf_rpc_duration_seconds_bucket{{{labels},le=\"+Inf\"}} {}", series.count);
            let _ = writeln!(text, "sf_rpc_duration_seconds_sum{{{labels}}} {}", series.seconds);
            let _ = writeln!(text, "sf_rpc_duration_seconds_count{{{labels}}} {}", series.count);
        }
        text
    }
}

/// Wraps a server so that each RPC is recorded.
#[derive(Clone)]
pub struct Observe(pub Metrics);

impl<S> Layer<S> for Observe {
    type Service = Observed<S>;
    fn layer(&self, inner: S) -> Self::Service {
        Observed { inner, metrics: self.0.clone() }
    }
}

/// See [`Observe`].
#[derive(Clone)]
pub struct Observed<S> {
    inner: S,
    metrics: Metrics,
}

impl<S, B, R> Service<axum::http::Request<B>> for Observed<S>
where
    S: Service<axum::http::Request<B>, Response = axum::http::Response<R>>,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
    R: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<S::Response, S::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: axum::http::Request<B>) -> Self::Future {
        let (method, start) = (request.uri().path().to_owned(), Instant::now());
        let metrics = self.metrics.clone();
        let reply = self.inner.call(request);
        Box::pin(async move {
            let reply = reply.await;
            // A failed unary RPC answers with headers only; a status in the trailers of a stream is not seen here.
            let status = reply.as_ref().ok().and_then(|reply| reply.headers().get("grpc-status")?.to_str().ok().map(str::to_owned));
            metrics.record(&method, status.as_deref().unwrap_or("0"), start.elapsed().as_secs_f64());
            reply
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_cumulative() {
        let metrics = Metrics::default();
        metrics.record("/a/B", "0", 0.004);
        metrics.record("/a/B", "0", 0.5);
        let text = metrics.render();
        assert!(text.contains("le=\"0.002\"} 0") && text.contains("le=\"0.005\"} 1") && text.contains("le=\"+Inf\"} 2"), "{text}");
    }
}
