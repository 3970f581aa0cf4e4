//! In front of a server: each request gets a span, is counted and timed to the end of its answer, and belongs to the trace and the
//! deadline that it came with.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use axum::http::{HeaderMap, Request, Response};
use bytes::Bytes;
use futures::future::BoxFuture;
use http_body::{Frame, SizeHint};
use opentelemetry::metrics::{Histogram, UpDownCounter};
use prost::Message;
use prost_types::{FileDescriptorSet, MethodDescriptorProto};
use telemetry::{Attribute, histogram, up_down};
use tonic::body::Body;
use tonic::{Code, Status};
use tower::{Layer, Service};
use tracing::field::Empty;
use tracing::{Instrument, Span, info_span};

use crate::call;
use crate::limits::{Limits, Permit};

/// Attribute of the outcome of a request.
pub(crate) const STATUS: &str = "rpc.response.status_code";
/// What a method is called that no service has: names that callers invent are not counted apart.
const UNKNOWN: &str = "_OTHER";

static ACTIVE: LazyLock<UpDownCounter<i64>> = LazyLock::new(|| up_down("rpc.server.active_requests"));
static DURATION: LazyLock<Histogram<f64>> = LazyLock::new(|| histogram("rpc.server.call.duration"));

/// `package.Service/Method` of all methods, and whether the answer is a stream.
static METHODS: LazyLock<BTreeMap<String, bool>> = LazyLock::new(|| {
    let sets = [api::DESCRIPTORS, tonic_health::pb::FILE_DESCRIPTOR_SET];
    let files = sets.iter().filter_map(|set| FileDescriptorSet::decode(*set).ok()).flat_map(|set| set.file);
    files
        .flat_map(|file| {
            let package = file.package.clone().unwrap_or_default();
            file.service.into_iter().map(move |service| (package.clone(), service))
        })
        .flat_map(|(package, service)| {
            let name = service.name.unwrap_or_default();
            let streams = |method: &MethodDescriptorProto| method.server_streaming.unwrap_or(false);
            let named = move |method: MethodDescriptorProto| (format!("{package}.{name}/{}", method.name()), streams(&method));
            service.method.into_iter().map(named)
        })
        .collect()
});

/// The method of a path, if a service has it.
pub(crate) fn method(path: &str) -> &'static str {
    METHODS.get_key_value(path.trim_start_matches('/')).map_or(UNKNOWN, |(name, _)| name)
}

/// The status that headers or trailers tell, as gRPC spells it.
pub(crate) fn status(headers: &HeaderMap) -> Option<&'static str> {
    Status::from_header_map(headers).map(|status| name(status.code()))
}

const fn name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

/// Observes all requests of a server, and refuses those that are too many.
#[derive(Clone)]
pub struct Observe {
    /// How many there may be.
    pub limits: Limits,
    /// After which time the server gives up a request.
    pub patience: Duration,
}

impl<S> Layer<S> for Observe {
    type Service = Observed<S>;

    fn layer(&self, inner: S) -> Observed<S> {
        Observed { inner, observe: self.clone() }
    }
}

/// See [`Observe`].
#[derive(Clone)]
pub struct Observed<S> {
    inner: S,
    observe: Observe,
}

impl<S, B> Service<Request<B>> for Observed<S>
where
    S: Service<Request<B>, Response = Response<Body>>,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<Response<Body>, S::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let method = method(request.uri().path());
        let span = info_span!(
            target: "rpc",
            "rpc.server",
            otel.name = method,
            otel.kind = "server",
            otel.status_code = Empty,
            rpc.system.name = "grpc",
            rpc.method = method,
            rpc.response.status_code = Empty,
        );
        call::follow(request.headers_mut(), &span);
        let deadline = call::deadline(request.headers());
        let late = Instant::now() + self.observe.patience;
        let until = deadline.map_or(late, |deadline| deadline.min(late));
        let mut running = Running::begin(method, span.clone(), until);
        match self.observe.limits.admit(method) {
            Ok(permit) => {
                let permit = Arc::new(permit);
                request.extensions_mut().insert(Arc::clone(&permit));
                running.permit = Some(permit);
            }
            Err(error) => {
                let refused = Status::from(error);
                running.end(name(refused.code()));
                return Box::pin(std::future::ready(Ok(refused.into_http())));
            }
        }
        let answer = span.in_scope(|| self.inner.call(request));
        Box::pin(call::within(
            deadline,
            async move {
                let (parts, body) = answer.await?.into_parts();
                let mut running = running;
                // A failed unary answer has headers only; otherwise the status comes behind the body.
                let status = status(&parts.headers);
                if let Some(permit) = &running.permit {
                    permit.settle(status.is_none());
                }
                // What is left to do is the client's: one that does not read must not take the room of others.
                running.permit.take_if(|_| !METHODS.get(method).is_some_and(|streams| *streams));
                let running = match status {
                    Some(status) => {
                        running.end(status);
                        None
                    }
                    None => Some(running),
                };
                Ok(Response::from_parts(parts, Body::new(Watched { inner: body, running })))
            }
            .instrument(span),
        ))
    }
}

/// A request that is being answered. One that is dropped was cancelled.
struct Running {
    method: &'static str,
    span: Span,
    start: Instant,
    /// When the server gives it up.
    until: Instant,
    ended: bool,
    permit: Option<Arc<Permit>>,
}

impl Running {
    fn begin(method: &'static str, span: Span, until: Instant) -> Self {
        ACTIVE.add(1, &[]);
        Self { method, span, start: Instant::now(), until, ended: false, permit: None }
    }

    fn end(mut self, status: &'static str) {
        self.record(status);
    }

    fn record(&mut self, status: &'static str) {
        self.ended = true;
        self.span.record(STATUS, status);
        if matches!(status, "UNKNOWN" | "INTERNAL" | "UNAVAILABLE" | "DATA_LOSS" | "DEADLINE_EXCEEDED" | "UNIMPLEMENTED") {
            self.span.record("otel.status_code", "ERROR");
        }
        ACTIVE.add(-1, &[]);
        let attributes = [Attribute::new("rpc.method", self.method), Attribute::new(STATUS, status)];
        DURATION.record(self.start.elapsed().as_secs_f64(), &attributes);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.ended {
            self.record(if Instant::now() >= self.until { "DEADLINE_EXCEEDED" } else { "CANCELLED" });
        }
    }
}

/// The body of an answer, whose trailers tell how the request ended.
struct Watched {
    inner: Body,
    running: Option<Running>,
}

impl http_body::Body for Watched {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let polled = Pin::new(&mut self.inner).poll_frame(context);
        let status = match &polled {
            Poll::Ready(Some(Ok(frame))) => frame.trailers_ref().map(|trailers| status(trailers).unwrap_or("UNKNOWN")),
            Poll::Ready(Some(Err(error))) => Some(name(error.code())),
            Poll::Ready(None) => Some("OK"),
            Poll::Pending => None,
        };
        if let (Some(status), Some(running)) = (status, self.running.take_if(|_| status.is_some())) {
            running.end(status);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_are_those_of_the_protos_and_all_others_are_one() {
        assert_eq!(method("/signauxfaibles.lists.v1.ListService/GetRankedList"), "signauxfaibles.lists.v1.ListService/GetRankedList");
        assert_eq!(method("/grpc.health.v1.Health/Check"), "grpc.health.v1.Health/Check");
        assert_eq!(method("/inference.GRPCInferenceService/ModelInfer"), "inference.GRPCInferenceService/ModelInfer");
        assert_eq!(method("/a/b"), UNKNOWN);
        assert!(METHODS.len() > 40, "{}", METHODS.len());
    }
}
