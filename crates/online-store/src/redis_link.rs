//! The connection to Redis: one server, or a cluster. It connects again by itself.

use std::sync::Arc;
use std::time::{Duration, Instant};

use redis::aio::{ConnectionLike, ConnectionManager, ConnectionManagerConfig};
use redis::cluster::{ClusterClientBuilder, ClusterConfig};
use redis::cluster_async::ClusterConnection;
use redis::io::tcp::TcpSettings;
use redis::{Client, Cmd, ErrorKind, IntoConnectionInfo, Pipeline, RedisFuture, RedisResult, Value};
use telemetry::{Attribute, Timer};
use tracing::field::Empty;
use tracing::{Instrument, info_span};

use crate::breaker::Breaker;
use crate::error::OnlineError;

/// How long to wait for a connection.
const CONNECT: Duration = Duration::from_millis(500);
/// How long to wait for an answer. The longest request loads a thousand vectors, which takes milliseconds.
const ANSWER: Duration = Duration::from_secs(1);

/// A connection, cheap to clone. On a cluster a pipeline may only name keys of one slot. While Redis fails again and again,
/// requests fail at once.
#[derive(Clone)]
pub(crate) struct Link {
    connection: Connection,
    breaker: Arc<Breaker>,
}

#[derive(Clone)]
enum Connection {
    One(ConnectionManager),
    Cluster(ClusterConnection),
}

impl Link {
    /// Connects lazily. `redis://…` and `rediss://…` name one server; `redis+cluster://[user:password@]host:port,host:port`
    /// (or `rediss+cluster://`) some nodes of a cluster. With TLS a server is checked against the authorities of the system, or
    /// those of the file that SSL_CERT_FILE names.
    pub(crate) fn open(url: &str) -> Result<Self, OnlineError> {
        // The client takes the process's choice of cryptography. An error means that it was made already.
        let _made = rustls::crypto::ring::default_provider().install_default();
        if let Some((scheme, rest)) = url.split_once("+cluster://") {
            let (login, hosts) = rest.rsplit_once('@').unwrap_or(("", rest));
            let at = if login.is_empty() { "" } else { "@" };
            let nodes: Vec<String> = hosts.split(',').map(|host| format!("{scheme}://{login}{at}{host}")).collect();
            let client = ClusterClientBuilder::new(nodes).retries(2).max_retry_wait(200).tcp_settings(at_once()).build()?;
            let config = ClusterConfig::new().set_connection_timeout(CONNECT).set_response_timeout(ANSWER);
            return Ok(Self::over(Connection::Cluster(client.get_pending_async_connection_with_config(config))));
        }
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(CONNECT))
            .set_response_timeout(Some(ANSWER))
            .set_number_of_retries(1)
            .set_max_delay(Duration::from_millis(200));
        let server = url.into_connection_info()?.set_tcp_settings(at_once());
        Ok(Self::over(Connection::One(ConnectionManager::new_lazy_with_config(Client::open(server)?, config)?)))
    }

    fn over(connection: Connection) -> Self {
        Self { connection, breaker: Arc::default() }
    }

    /// Whether keys are spread over several servers.
    pub(crate) const fn is_cluster(&self) -> bool {
        matches!(self.connection, Connection::Cluster(_))
    }
}

/// A request leaves at once, even if the answer to the one before is awaited.
fn at_once() -> TcpSettings {
    TcpSettings::default().set_nodelay(true)
}

/// Runs a request: as a span, timed, and not at all while the breaker is open.
async fn told<T>(breaker: Arc<Breaker>, operation: String, size: usize, request: impl Future<Output = RedisResult<T>>) -> RedisResult<T> {
    if !breaker.lets(Instant::now()) {
        return Err((ErrorKind::Io, "Redis failed again and again: it is asked again in a second").into());
    }
    let span = info_span!(
        target: "storage",
        "redis",
        otel.name = format!("redis {operation}"),
        otel.kind = "client",
        db.system.name = "redis",
        db.operation.name = operation,
        db.operation.batch.size = size,
        outcome = Empty,
    );
    let timer = Timer::start("sf.redis.duration");
    let asked = Asked { breaker, since: Instant::now(), ended: false };
    let result = request.instrument(span.clone()).await;
    // A refusal, for example of a wrong type, is an answer of a server that lives.
    let away = result.as_ref().is_err_and(|error| {
        error.is_timeout()
            || error.is_io_error()
            || error.is_connection_dropped()
            || error.is_unrecoverable_error()
            || error.is_cluster_error()
    });
    asked.end(away);
    let outcome = if result.is_ok() { "ok" } else { "error" };
    span.record("outcome", outcome);
    timer.stop(&[Attribute::new("operation", operation), Attribute::new("outcome", outcome)]);
    result
}

/// A request of which the breaker learns how it ended. One that is dropped after a while was waited for in vain.
struct Asked {
    breaker: Arc<Breaker>,
    since: Instant,
    ended: bool,
}

/// Time after which a request that nobody waits for any more says something of Redis.
const IN_VAIN: Duration = Duration::from_millis(300);

impl Asked {
    fn end(mut self, away: bool) {
        self.tell(away);
    }

    fn tell(&mut self, away: bool) {
        self.ended = true;
        if let Some(open) = self.breaker.learn(away, Instant::now()) {
            telemetry::set("sf.breaker.open", f64::from(u8::from(open)), &[Attribute::new("target", "redis")]);
            tracing::warn!(open, "the circuit breaker of Redis changed");
        }
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        if !self.ended && self.since.elapsed() > IN_VAIN {
            self.tell(true);
        }
    }
}

/// What a command is called.
fn name(command: &Cmd) -> String {
    let first = command.args_iter().next();
    match first {
        Some(redis::Arg::Simple(name)) => String::from_utf8_lossy(name).to_ascii_uppercase(),
        _ => "UNKNOWN".to_owned(),
    }
}

impl ConnectionLike for Link {
    fn req_packed_command<'a>(&'a mut self, command: &'a Cmd) -> RedisFuture<'a, Value> {
        let request = match &mut self.connection {
            Connection::One(connection) => connection.req_packed_command(command),
            Connection::Cluster(connection) => connection.req_packed_command(command),
        };
        Box::pin(told(Arc::clone(&self.breaker), name(command), 1, request))
    }

    fn req_packed_commands<'a>(&'a mut self, pipeline: &'a Pipeline, offset: usize, count: usize) -> RedisFuture<'a, Vec<Value>> {
        let request = match &mut self.connection {
            Connection::One(connection) => connection.req_packed_commands(pipeline, offset, count),
            Connection::Cluster(connection) => connection.req_packed_commands(pipeline, offset, count),
        };
        Box::pin(told(Arc::clone(&self.breaker), "PIPELINE".to_owned(), pipeline.cmd_iter().count(), request))
    }

    fn get_db(&self) -> i64 {
        match &self.connection {
            Connection::One(connection) => connection.get_db(),
            Connection::Cluster(connection) => connection.get_db(),
        }
    }
}
