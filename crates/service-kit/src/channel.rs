//! Channels to services: over the network, or inside the process.

use std::time::Duration;

use hyper_util::rt::TokioIo;
use tokio::io::DuplexStream;
use tokio::sync::mpsc;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::service::Routes;
use tonic::transport::{Channel, Endpoint, Server, Uri};

use crate::error::{ErrorCode, ServiceError};
use crate::limits::Limits;
use crate::observe::Observe;
use crate::tls::{ClientTlsConfig, Dialer};

/// Largest message that a client accepts: a page of a list or a batch of vectors is far below.
pub const MAX_MESSAGE: usize = 64 * 1024 * 1024;
/// Bytes in flight of an in-process connection.
const PIPE: usize = 1024 * 1024;
/// Inside a process nobody gives up.
const FOREVER: Duration = Duration::from_hours(24 * 365);
/// How long a client looks for a server that answers.
const CONNECT: Duration = Duration::from_secs(10);

/// A channel to a service, by `http://host:port` or `https://host:port`, or several hosts separated by commas ([`Dialer`]).
/// Connects when first used, and again, to any of the addresses, after a failure.
pub fn connect(url: &str, tls: &ClientTlsConfig) -> Result<Channel, ServiceError> {
    let dialer = Dialer::new(url, tls)?;
    // The dialer encrypts: for the layer above every connection is plain.
    let endpoint = Endpoint::from_shared(format!("http://{}", dialer.authority()))
        .map_err(|error| ServiceError::new(ErrorCode::Configuration, format!("'{url}' is not the address of a service: {error}")))?;
    let endpoint = endpoint.connect_timeout(CONNECT).http2_keep_alive_interval(Duration::from_secs(20));
    let connector = tower::service_fn(move |_: Uri| {
        let dialer = dialer.clone();
        async move { dialer.dial().await.map(TokioIo::new) }
    });
    Ok(endpoint.connect_with_connector_lazy(connector))
}

/// Serves `routes` inside this process and gives a channel to them. The server ends with the last clone of the channel.
pub fn in_memory(routes: Routes) -> Channel {
    let (sender, receiver) = mpsc::unbounded_channel::<DuplexStream>();
    let incoming = UnboundedReceiverStream::new(receiver).map(Ok::<_, std::io::Error>);
    let observe = Observe { limits: Limits::none(), patience: FOREVER };
    tokio::spawn(async move {
        if let Err(error) = Server::builder().layer(observe).add_routes(routes).serve_with_incoming(incoming).await {
            tracing::error!(%error, "the in-process server stopped");
        }
    });
    let connector = tower::service_fn(move |_: Uri| {
        let sender = sender.clone();
        async move {
            let (client, server) = tokio::io::duplex(PIPE);
            sender.send(server).map_err(|_| std::io::Error::from(std::io::ErrorKind::ConnectionRefused))?;
            Ok::<_, std::io::Error>(TokioIo::new(client))
        }
    });
    Endpoint::from_static("http://in-process").connect_with_connector_lazy(connector)
}
