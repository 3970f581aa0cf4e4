//! Makes connections to a service: to any of its addresses that answers, encrypted if the address says so.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rand::seq::SliceRandom;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::{TlsConnector, TlsStream};

use super::connection::{Caller, Connection, Stream};
use super::{ClientTlsConfig, HTTP2, Watched, certificates, private_key, provider, refused};
use crate::error::{ErrorCode, ServiceError};

/// How long one address may take to accept, and to shake hands.
const ATTEMPT: Duration = Duration::from_secs(3);

/// Connects to the addresses of a service.
#[derive(Clone)]
pub struct Dialer {
    /// `host:port`, at least one.
    authorities: Arc<[String]>,
    tls: Option<Arc<Watched<ClientConfig>>>,
}

impl ClientTlsConfig {
    fn watched(&self) -> Result<Arc<Watched<ClientConfig>>, ServiceError> {
        let identity = match (&self.certificate, &self.key) {
            (Some(certificate), Some(key)) => Some((certificate.clone(), key.clone())),
            (None, None) => None,
            _ => return Err(refused("client", &"a certificate needs its key, and a key its certificate")),
        };
        let identity_files = identity.iter().flat_map(|(certificate, key)| [certificate.clone(), key.clone()]);
        let paths = identity_files.chain(self.authorities.clone()).collect();
        let authorities = self.authorities.clone();
        Watched::new(paths, Duration::from_secs(self.reload_seconds), move |contents| {
            let mut roots = RootCertStore::empty();
            match (&authorities, contents.last()) {
                (Some(path), Some(pem)) => {
                    for authority in certificates(path, pem)? {
                        roots.add(authority).map_err(|error| refused(&path.display().to_string(), &error))?;
                    }
                }
                _ => {
                    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
                }
            }
            let builder = ClientConfig::builder_with_provider(provider());
            let builder = builder.with_safe_default_protocol_versions().map_err(|error| refused("protocol", &error))?;
            let builder = builder.with_root_certificates(roots);
            let mut config = match &identity {
                None => builder.with_no_client_auth(),
                Some((certificate, key)) => builder
                    .with_client_auth_cert(certificates(certificate, &contents[0])?, private_key(key, &contents[1])?)
                    .map_err(|error| refused(&certificate.display().to_string(), &error))?,
            };
            config.alpn_protocols = vec![HTTP2.to_vec()];
            Ok(config)
        })
    }
}

impl Dialer {
    /// Reads `http://host:port` or `https://host:port`; several addresses of one service are separated by commas.
    pub fn new(url: &str, tls: &ClientTlsConfig) -> Result<Self, ServiceError> {
        let wrong = |why: &str| ServiceError::new(ErrorCode::Configuration, format!("'{url}' is not the address of a service: {why}"));
        let (scheme, rest) = url.split_once("://").ok_or_else(|| wrong("write http://host:port"))?;
        let authorities: Arc<[String]> = rest.trim_end_matches('/').split(',').map(|host| host.trim().to_owned()).collect();
        for authority in authorities.iter() {
            let parsed: axum::http::uri::Authority = authority.parse().map_err(|_| wrong("a host cannot be read"))?;
            if parsed.port_u16().is_none() || parsed.host().is_empty() {
                return Err(wrong("a host has no port"));
            }
        }
        let tls = match scheme {
            "http" => None,
            "https" => Some(tls.watched()?),
            _ => return Err(wrong("write http:// or https://")),
        };
        Ok(Self { authorities, tls })
    }

    /// The first host, which requests are addressed to.
    pub fn authority(&self) -> &str {
        self.authorities.first().map_or("", String::as_str)
    }

    /// A connection to an address drawn among all that the hosts have, or to another one if it does not answer: many clients
    /// spread over many servers.
    #[expect(clippy::disallowed_methods, reason = "which server is asked changes no answer, and replicas must not agree on one")]
    pub async fn dial(&self) -> io::Result<Connection> {
        let mut addresses: Vec<(&str, SocketAddr)> = Vec::new();
        let mut failed = io::Error::other("the host has no address");
        for authority in self.authorities.iter() {
            let host = authority.rsplit_once(':').map_or(authority.as_str(), |(host, _)| host);
            match tokio::net::lookup_host(authority.as_str()).await {
                Ok(found) => addresses.extend(found.map(|address| (host, address))),
                Err(error) => failed = error,
            }
        }
        addresses.shuffle(&mut rand::rng());
        for (host, address) in addresses {
            match timeout(ATTEMPT, self.attempt(host, address)).await {
                Ok(Ok(connection)) => return Ok(connection),
                Ok(Err(error)) => failed = error,
                Err(_) => failed = io::ErrorKind::TimedOut.into(),
            }
        }
        Err(failed)
    }

    async fn attempt(&self, host: &str, address: SocketAddr) -> io::Result<Connection> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let caller = Caller { address: Some(address), ..Caller::default() };
        let Some(tls) = &self.tls else { return Ok(Connection::new(Stream::Plain(stream), caller)) };
        let name = ServerName::try_from(host.trim_matches(['[', ']']).to_owned()).map_err(io::Error::other)?;
        let stream = TlsConnector::from(tls.now()).connect(name, stream).await?;
        Ok(Connection::new(Stream::Secured(Box::new(TlsStream::from(stream))), caller))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_a_service() {
        let dialer = |url: &str| Dialer::new(url, &ClientTlsConfig::default());
        assert_eq!(dialer("http://one:1,two:2").unwrap().authorities.len(), 2);
        assert_eq!(dialer("http://[::1]:7000/").unwrap().authority(), "[::1]:7000");
        for wrong in ["one:1", "http://one", "ftp://one:1", "http://", "http://one:1,", "http://one:x"] {
            assert!(dialer(wrong).is_err(), "{wrong}");
        }
    }

    #[tokio::test]
    async fn a_dead_address_is_passed_over() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (alive, dead) = (listener.local_addr().unwrap(), "127.0.0.1:1");
        let dialer = Dialer::new(&format!("http://{dead},{alive}"), &ClientTlsConfig::default()).unwrap();
        for _ in 0..20 {
            dialer.dial().await.unwrap();
        }
        assert!(Dialer::new(&format!("http://{dead}"), &ClientTlsConfig::default()).unwrap().dial().await.is_err());
    }
}
