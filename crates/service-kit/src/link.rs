//! A channel as a client of ours uses it: each request carries the token of this program, the trace that it belongs to, and the
//! time that is left to the request that it serves. What a closing connection did not take is sent by the next one.

use std::task::{Context, Poll};

use axum::http::{Request, Response};
use futures::future::BoxFuture;
use tonic::body::Body;
use tonic::transport::{Channel, Error};
use tower::Service;
use tracing::field::Empty;
use tracing::{Instrument, Span, info_span};

use crate::call;
use crate::observe::{self, STATUS};
use crate::resend;
use crate::token::Token;

/// A channel that carries a token, a trace and a deadline. Cheap to clone.
#[derive(Clone)]
pub struct Link {
    channel: Channel,
    token: Token,
}

impl Link {
    /// This channel with this token.
    pub const fn new(channel: Channel, token: Token) -> Self {
        Self { channel, token }
    }
}

/// The span of a request that is sent.
fn span(path: &str) -> Span {
    let method = path.trim_start_matches('/');
    info_span!(
        target: "rpc",
        "rpc.client",
        otel.name = method,
        otel.kind = "client",
        otel.status_code = Empty,
        rpc.system.name = "grpc",
        rpc.method = method,
        rpc.response.status_code = Empty,
    )
}

impl Service<Request<Body>> for Link {
    type Response = Response<Body>;
    type Error = Error;
    type Future = BoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.channel.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        match self.token.header() {
            Ok(None) => {}
            Ok(Some(value)) => drop(request.headers_mut().insert(axum::http::header::AUTHORIZATION, value)),
            Err(status) => return Box::pin(std::future::ready(Ok(status.into_http()))),
        }
        let span = span(request.uri().path());
        call::pass_on(request.headers_mut(), &span);
        // Of the two, the channel that was polled is the one that is ready.
        let next = self.channel.clone();
        let answer =
            resend::send(std::mem::replace(&mut self.channel, next), request, |error, untouched| resend::never_began(error, untouched));
        Box::pin(
            async move {
                let answer = answer.await;
                // The status of an answer with a body comes behind it, and is the server's span to tell.
                let status = answer.as_ref().map_or(Some("UNAVAILABLE"), |answer| observe::status(answer.headers()));
                if let Some(status) = status {
                    Span::current().record(STATUS, status);
                    if status != "OK" {
                        Span::current().record("otel.status_code", "ERROR");
                    }
                }
                answer
            }
            .instrument(span),
        )
    }
}
