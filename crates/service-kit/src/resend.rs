//! A request that a closing connection did not take is sent again, on another connection.
//!
//! A server that ends, and one that ends a connection of its age, says so on the connection, with the last request that it will answer;
//! what was sent after that, or was about to be, it never began. Such a request may go elsewhere whatever it asks for. This is the
//! transparent retry of gRPC (gRFC A6), which tonic leaves to its users.

use std::error::Error;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use axum::http::Request;
use bytes::Bytes;
use h2::Reason;
use http_body::{Body as _, Frame, SizeHint};
use tonic::Status;
use tonic::body::Body;
use tower::{Service, ServiceExt};

/// Connections that a request is given to at most. The one that was closing may be chosen once more before its end is known.
const ATTEMPTS: usize = 4;
/// Bytes kept of a body, so that they can be sent again: any request that is one message of the usual size, not the upload of a file.
const KEPT: usize = 256 * 1024;

/// Sends a request by a channel that is ready, and once more, up to four times in all, as long as it fails in a way that says that the
/// server never began with it.
///
/// # Errors
/// That of the channel.
pub async fn send<S>(mut channel: S, request: Request<Body>, never_began: impl Fn(&S::Error, bool) -> bool) -> Result<S::Response, S::Error>
where
    S: Service<Request<Body>>,
{
    let (parts, body) = request.into_parts();
    let mut body = Kept::new(body);
    for _ in 1..ATTEMPTS {
        let answer = channel.call(Request::from_parts(parts.clone(), Body::new(body.clone()))).await;
        match answer {
            Err(error) if never_began(&error, body.untouched()) => {
                let Some(again) = body.again() else { return Err(error) };
                body = again;
                telemetry::counter("sf.requests.sent_again").add(1, &[]);
            }
            answer => return answer,
        }
        channel.ready().await?;
    }
    channel.call(Request::from_parts(parts, Body::new(body))).await
}

/// Whether an error of a connection says that the server never began with a request; `untouched` says that nothing of its body was read.
pub fn never_began(error: &(dyn Error + 'static), untouched: bool) -> bool {
    std::iter::successors(Some(error), |&error| error.source()).any(|error| {
        if let Some(error) = error.downcast_ref::<hyper::Error>() {
            // It waited for a connection that then ended.
            error.is_canceled() && untouched
        } else if let Some(error) = error.downcast_ref::<h2::Error>() {
            // RFC 9113 §6.8 and §8.7. Only requests after the last one that the server answers fail by its GOAWAY.
            error.is_remote()
                && (error.is_go_away() && error.reason() == Some(Reason::NO_ERROR)
                    || error.is_reset() && error.reason() == Some(Reason::REFUSED_STREAM))
        } else {
            false
        }
    })
}

/// A body that can be sent again from its beginning, as long as it is short.
#[derive(Clone)]
struct Kept {
    state: Arc<Mutex<State>>,
    /// Which attempt this is for: earlier ones get nothing any more.
    attempt: usize,
    /// How many of the kept parts it gave.
    given: usize,
}

struct State {
    body: Body,
    attempt: usize,
    /// What was read, `None` once it is too much.
    parts: Option<Vec<Bytes>>,
    size: usize,
    ended: bool,
}

impl Kept {
    fn new(body: Body) -> Self {
        let state = State { body, attempt: 0, parts: Some(Vec::new()), size: 0, ended: false };
        Self { state: Arc::new(Mutex::new(state)), attempt: 0, given: 0 }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether nothing of it was read.
    fn untouched(&self) -> bool {
        let state = self.state();
        !state.ended && state.parts.as_ref().is_some_and(Vec::is_empty)
    }

    /// The same body from its beginning; `None` when that is not kept.
    fn again(&self) -> Option<Self> {
        let mut state = self.state();
        state.parts.as_ref()?;
        state.attempt += 1;
        Some(Self { state: Arc::clone(&self.state), attempt: state.attempt, given: 0 })
    }
}

impl State {
    /// Reads on.
    fn read(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let read = Pin::new(&mut self.body).poll_frame(context);
        match &read {
            Poll::Pending => {}
            Poll::Ready(None) => self.ended = true,
            Poll::Ready(Some(frame)) => {
                let data = frame.as_ref().ok().and_then(Frame::data_ref);
                self.size += data.map_or(usize::MAX, Bytes::len).min(KEPT + 1);
                match (data, &mut self.parts) {
                    (Some(data), Some(parts)) if self.size <= KEPT => parts.push(data.clone()),
                    _ => self.parts = None,
                }
            }
        }
        read
    }
}

impl http_body::Body for Kept {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = self.get_mut();
        let mut state = this.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.attempt != this.attempt {
            return Poll::Ready(Some(Err(Status::cancelled("the request is sent by another connection"))));
        }
        if let Some(part) = state.parts.as_ref().and_then(|parts| parts.get(this.given)) {
            this.given += 1;
            return Poll::Ready(Some(Ok(Frame::data(part.clone()))));
        }
        let read = state.read(context);
        this.given = state.parts.as_ref().map_or(0, Vec::len);
        read
    }

    fn is_end_stream(&self) -> bool {
        let state = self.state();
        let all = state.parts.as_ref().is_none_or(|parts| parts.len() == self.given);
        all && (state.ended || state.body.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use axum::http::Response;
    use futures::StreamExt;
    use tokio::net::TcpListener;
    use tokio::task::JoinSet;
    use tokio_stream::wrappers::TcpListenerStream;
    use tonic::transport::Server;
    use tonic_health::pb::HealthCheckRequest;
    use tonic_health::pb::health_client::HealthClient;

    use super::*;
    use crate::channel;
    use crate::tls::ClientTlsConfig;
    use crate::token::Token;

    /// Fails `fail` times, each time after it read so many parts of the body; then gives the whole body back.
    struct Line {
        fail: usize,
        reads: usize,
        asked: Arc<Mutex<usize>>,
    }

    impl Service<Request<Body>> for Line {
        type Response = Response<Vec<u8>>;
        type Error = &'static str;
        type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, request: Request<Body>) -> Self::Future {
            let mut asked = self.asked.lock().unwrap();
            *asked += 1;
            let (fails, reads) = (*asked <= self.fail, if *asked <= self.fail { self.reads } else { usize::MAX });
            Box::pin(async move {
                let parts: Vec<_> = axum::body::Body::new(request.into_body()).into_data_stream().take(reads).collect().await;
                let parts: Vec<_> = parts.into_iter().map(|part| part.unwrap()).collect();
                if fails { Err("closed") } else { Ok(Response::new(parts.concat())) }
            })
        }
    }

    async fn tried(fail: usize, reads: usize, parts: &[usize], never_began: bool) -> (bool, usize) {
        let parts: Vec<Bytes> = parts.iter().enumerate().map(|(index, size)| vec![index as u8; *size].into()).collect();
        let body = axum::body::Body::from_stream(futures::stream::iter(parts.clone().into_iter().map(Ok::<_, std::io::Error>)));
        let asked = Arc::<Mutex<usize>>::default();
        let line = Line { fail, reads, asked: Arc::clone(&asked) };
        let answer = send(line, Request::new(Body::new(body)), |_, _| never_began).await;
        if let Ok(answer) = &answer {
            assert!(*answer.body() == parts.concat(), "another body arrived than the one that was sent");
        }
        let asked = *asked.lock().unwrap();
        (answer.is_ok(), asked)
    }

    #[tokio::test]
    async fn a_request_that_never_began_is_sent_again_whole() {
        for (fail, reads, parts, never_began, wanted) in [
            (0, 0, &[3, 4][..], true, (true, 1)),
            (1, 0, &[3, 4], true, (true, 2)),
            (1, 1, &[3, 4], true, (true, 2)),
            (3, 9, &[3, 4, 5], true, (true, 4)),
            (2, 1, &[], true, (true, 3)),
            (4, 0, &[3], true, (false, 4)),
            (1, 0, &[3], false, (false, 1)),
            (1, 1, &[KEPT], true, (true, 2)),
            (1, 2, &[KEPT, 1], true, (false, 1)),
            (1, 1, &[KEPT, 1], true, (true, 2)),
        ] {
            assert_eq!(tried(fail, reads, parts, never_began).await, wanted, "{fail} {reads} {parts:?} {never_began}");
        }
    }

    #[tokio::test]
    async fn an_earlier_attempt_takes_nothing_from_a_later_one() {
        let first = Kept::new(Body::new("text".to_owned()));
        let second = first.again().unwrap();
        assert!(axum::body::to_bytes(axum::body::Body::new(first), 9).await.is_err());
        assert_eq!(axum::body::to_bytes(axum::body::Body::new(second), 9).await.unwrap(), "text");
    }

    /// Connections that end all the time, as when servers are restarted. Without sending again about one request in a hundred fails.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn connections_that_end_fail_no_request() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (_reporter, health) = tonic_health::server::health_reporter();
        let server = Server::builder().max_connection_age(Duration::from_millis(5)).add_service(health);
        tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
        let channel = channel::connect(&format!("http://{address}"), &ClientTlsConfig::default()).unwrap();
        let mut asking = JoinSet::new();
        for _ in 0..8 {
            let mut client = HealthClient::new(Token::None.on(channel.clone()));
            asking.spawn(async move {
                let mut failed = Vec::new();
                for _ in 0..250 {
                    failed.extend(client.check(HealthCheckRequest::default()).await.err());
                }
                failed
            });
        }
        let failed = asking.join_all().await.concat();
        assert!(failed.is_empty(), "{} failed, the first: {:?}", failed.len(), failed[0]);
    }
}
