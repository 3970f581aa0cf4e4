//! Accepts the connections of clients, in plain text or encrypted.

use std::io;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::{RootCertStore, ServerConfig};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio_rustls::{TlsAcceptor, TlsStream};
use tokio_stream::wrappers::ReceiverStream;

use super::connection::{Caller, Connection, Stream};
use super::{HTTP2, TlsConfig, Watched, certificates, ends, identities, private_key, provider, refused};
use crate::error::ServiceError;

/// How long a client may take to shake hands.
const HANDSHAKE: Duration = Duration::from_secs(3);
/// Hands that are shaken at a time. Who comes then is turned away: waiting would keep everybody out.
const HANDSHAKES: usize = 1_024;
/// A certificate that ends within this is warned of.
const SOON: i64 = 7 * 86_400;

impl TlsConfig {
    /// What the files say, followed.
    pub fn watched(&self) -> Result<Arc<Watched<ServerConfig>>, ServiceError> {
        let mut paths = vec![self.certificate.clone(), self.key.clone()];
        paths.extend(self.client_authorities.clone());
        let config = self.clone();
        Watched::new(paths, Duration::from_secs(self.reload_seconds), move |contents| config.make(contents))
    }

    fn make(&self, contents: &[Vec<u8>]) -> Result<ServerConfig, ServiceError> {
        let chain = certificates(&self.certificate, &contents[0])?;
        let key = private_key(&self.key, &contents[1])?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs() as i64;
        let end = chain.first().and_then(ends);
        if let Some(end) = end {
            telemetry::set("sf.tls.certificate.end", end as f64, &[]);
        }
        if let Some(end) = end.filter(|end| end - now < SOON) {
            tracing::warn!(file = %self.certificate.display(), seconds = end - now, "the certificate of this server ends soon, or has ended");
        }
        let builder = ServerConfig::builder_with_provider(provider());
        let builder = builder.with_safe_default_protocol_versions().map_err(|error| refused("protocol", &error))?;
        let builder = match &self.client_authorities {
            None => builder.with_no_client_auth(),
            Some(path) => {
                let mut roots = RootCertStore::empty();
                for authority in certificates(path, &contents[2])? {
                    roots.add(authority).map_err(|error| refused(&path.display().to_string(), &error))?;
                }
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider());
                let verifier = if self.client_certificate_optional { verifier.allow_unauthenticated() } else { verifier };
                builder.with_client_cert_verifier(verifier.build().map_err(|error| refused(&path.display().to_string(), &error))?)
            }
        };
        let certificate = self.certificate.display().to_string();
        let mut config = builder.with_single_cert(chain, key).map_err(|error| refused(&certificate, &error))?;
        config.alpn_protocols = vec![HTTP2.to_vec()];
        // A session that is resumed would bring back a certificate that has ended since.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(config)
    }
}

/// Accepts connections until told to stop; then the listener closes, and clients turn to another server at once.
pub fn accept(
    listener: TcpListener,
    tls: Option<Arc<Watched<ServerConfig>>>,
    stop: oneshot::Receiver<()>,
) -> ReceiverStream<io::Result<Connection>> {
    let (sender, receiver) = mpsc::channel(64);
    tokio::spawn(async move {
        tokio::select! {
            _ = stop => {}
            () = sender.closed() => {}
            () = accept_all(&listener, tls.as_ref(), &sender) => {}
        }
    });
    ReceiverStream::new(receiver)
}

async fn accept_all(listener: &TcpListener, tls: Option<&Arc<Watched<ServerConfig>>>, sender: &mpsc::Sender<io::Result<Connection>>) {
    let hands = Arc::new(Semaphore::new(HANDSHAKES));
    loop {
        let (stream, address) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of file descriptors, for example: it passes, or not, but spinning helps nobody.
                tracing::warn!(%error, "a connection cannot be accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        // A small answer leaves at once: held back until the client acknowledges the one before, it would be late by up to 40 ms.
        let _latency_only = stream.set_nodelay(true);
        let caller = Caller { address: Some(address), ..Caller::default() };
        let Some(tls) = tls else {
            let _closed = sender.send(Ok(Connection::new(Stream::Plain(stream), caller))).await;
            continue;
        };
        let Ok(hand) = Arc::clone(&hands).try_acquire_owned() else {
            tracing::warn!(%address, "a client was turned away: too many are shaking hands");
            continue;
        };
        let (acceptor, sender) = (TlsAcceptor::from(tls.now()), sender.clone());
        tokio::spawn(async move {
            let shaken = tokio::time::timeout(HANDSHAKE, acceptor.accept(stream)).await;
            drop(hand);
            match shaken {
                Ok(Ok(stream)) => {
                    let shown = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first()).map(identities);
                    let caller = Caller { identities: shown.unwrap_or_default().into(), ..caller };
                    let _closed = sender.send(Ok(Connection::new(Stream::Secured(Box::new(TlsStream::from(stream))), caller))).await;
                }
                Ok(Err(error)) => tracing::info!(%address, %error, "a client was refused in the handshake"),
                Err(_) => tracing::info!(%address, "a client did not end its handshake"),
            }
        });
    }
}
