//! The connection to Redis: one server, or a cluster. It connects again by itself.

use std::time::Duration;

use redis::aio::{ConnectionLike, ConnectionManager, ConnectionManagerConfig};
use redis::cluster::{ClusterClientBuilder, ClusterConfig};
use redis::cluster_async::ClusterConnection;
use redis::io::tcp::TcpSettings;
use redis::{Client, Cmd, IntoConnectionInfo, Pipeline, RedisFuture, Value};

use crate::error::OnlineError;

/// How long to wait for a connection.
const CONNECT: Duration = Duration::from_millis(500);
/// How long to wait for an answer. The longest request loads a thousand vectors, which takes milliseconds.
const ANSWER: Duration = Duration::from_secs(1);

/// A connection, cheap to clone. On a cluster a pipeline may only name keys of one slot.
#[derive(Clone)]
pub(crate) enum Link {
    One(ConnectionManager),
    Cluster(ClusterConnection),
}

impl Link {
    /// Connects lazily. `redis://…` and `rediss://…` name one server; `redis+cluster://[user:password@]host:port,host:port`
    /// (or `rediss+cluster://`) some nodes of a cluster.
    pub(crate) fn open(url: &str) -> Result<Self, OnlineError> {
        if let Some((scheme, rest)) = url.split_once("+cluster://") {
            let (login, hosts) = rest.rsplit_once('@').unwrap_or(("", rest));
            let at = if login.is_empty() { "" } else { "@" };
            let nodes: Vec<String> = hosts.split(',').map(|host| format!("{scheme}://{login}{at}{host}")).collect();
            let client = ClusterClientBuilder::new(nodes).retries(2).max_retry_wait(200).tcp_settings(at_once()).build()?;
            let config = ClusterConfig::new().set_connection_timeout(CONNECT).set_response_timeout(ANSWER);
            return Ok(Self::Cluster(client.get_pending_async_connection_with_config(config)));
        }
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(CONNECT))
            .set_response_timeout(Some(ANSWER))
            .set_number_of_retries(1)
            .set_max_delay(Duration::from_millis(200));
        let server = url.into_connection_info()?.set_tcp_settings(at_once());
        Ok(Self::One(ConnectionManager::new_lazy_with_config(Client::open(server)?, config)?))
    }

    /// Whether keys are spread over several servers.
    pub(crate) const fn is_cluster(&self) -> bool {
        matches!(self, Self::Cluster(_))
    }
}

/// A request leaves at once, even if the answer to the one before is awaited.
fn at_once() -> TcpSettings {
    TcpSettings::default().set_nodelay(true)
}

impl ConnectionLike for Link {
    fn req_packed_command<'a>(&'a mut self, command: &'a Cmd) -> RedisFuture<'a, Value> {
        match self {
            Self::One(connection) => connection.req_packed_command(command),
            Self::Cluster(connection) => connection.req_packed_command(command),
        }
    }

    fn req_packed_commands<'a>(&'a mut self, pipeline: &'a Pipeline, offset: usize, count: usize) -> RedisFuture<'a, Vec<Value>> {
        match self {
            Self::One(connection) => connection.req_packed_commands(pipeline, offset, count),
            Self::Cluster(connection) => connection.req_packed_commands(pipeline, offset, count),
        }
    }

    fn get_db(&self) -> i64 {
        match self {
            Self::One(connection) => connection.get_db(),
            Self::Cluster(connection) => connection.get_db(),
        }
    }
}
