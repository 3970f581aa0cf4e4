//! TLS on both sides, from PEM files that are read again when they change: a certificate that is issued anew is used without a
//! restart, for connections made from then on.

mod client;
mod connection;
mod server;
#[cfg(test)]
mod tests;
mod watched;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::{CryptoProvider, ring};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use serde::{Deserialize, Serialize};
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

pub use client::Dialer;
pub use connection::{Caller, Connection};
pub use server::accept;
pub use watched::Watched;

use crate::error::{ErrorCode, ServiceError};

/// What HTTP/2 is called in a handshake.
const HTTP2: &[u8] = b"h2";

/// PEM files of a server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsConfig {
    /// Certificate chain.
    pub certificate: PathBuf,
    /// Private key.
    pub key: PathBuf,
    /// Authorities of client certificates; clients need none without.
    #[serde(default)]
    pub client_authorities: Option<PathBuf>,
    /// Whether a client without certificate is let in, to be known by a token.
    #[serde(default)]
    pub client_certificate_optional: bool,
    /// Seconds between two looks at the files.
    #[serde(default = "ten")]
    pub reload_seconds: u64,
}

/// PEM files of a client. Without authorities those of the system are trusted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ClientTlsConfig {
    /// Authorities of servers.
    pub authorities: Option<PathBuf>,
    /// Certificate chain that is shown to servers.
    pub certificate: Option<PathBuf>,
    /// Its private key.
    pub key: Option<PathBuf>,
    /// Seconds between two looks at the files.
    pub reload_seconds: u64,
}

impl Default for ClientTlsConfig {
    fn default() -> Self {
        Self { authorities: None, certificate: None, key: None, reload_seconds: ten() }
    }
}

impl ClientTlsConfig {
    /// What `SF_TLS_AUTHORITIES`, `SF_TLS_CERTIFICATE` and `SF_TLS_KEY` name: for command lines.
    pub fn from_environment() -> Self {
        let path = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        Self {
            authorities: path("SF_TLS_AUTHORITIES"),
            certificate: path("SF_TLS_CERTIFICATE"),
            key: path("SF_TLS_KEY"),
            ..Self::default()
        }
    }
}

const fn ten() -> u64 {
    10
}

fn refused(what: &str, error: &dyn std::fmt::Display) -> ServiceError {
    ServiceError::new(ErrorCode::Configuration, format!("tls, {what}: {error}"))
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// The certificates of a file: a chain, or authorities.
fn certificates(path: &Path, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, ServiceError> {
    let named = path.display().to_string();
    let found = CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>().map_err(|error| refused(&named, &error))?;
    if found.is_empty() { Err(refused(&named, &"no certificate in it")) } else { Ok(found) }
}

fn private_key(path: &Path, pem: &[u8]) -> Result<PrivateKeyDer<'static>, ServiceError> {
    PrivateKeyDer::from_pem_slice(pem).map_err(|error| refused(&path.display().to_string(), &error))
}

/// The names (URIs of the subject's alternative names, as SPIFFE has them) of a certificate that was verified.
fn identities(certificate: &CertificateDer<'_>) -> Vec<String> {
    let Ok((_, parsed)) = X509Certificate::from_der(certificate) else { return Vec::new() };
    let Ok(Some(names)) = parsed.subject_alternative_name() else { return Vec::new() };
    let uri = |name: &GeneralName<'_>| if let GeneralName::URI(uri) = name { Some((*uri).to_owned()) } else { None };
    names.value.general_names.iter().filter_map(uri).collect()
}

/// When a certificate ends, seconds since 1970.
fn ends(certificate: &CertificateDer<'_>) -> Option<i64> {
    validity(certificate).map(|(_, end)| end)
}

/// When a certificate begins and ends, seconds since 1970.
fn validity(certificate: &CertificateDer<'_>) -> Option<(i64, i64)> {
    let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
    Some((parsed.validity().not_before.timestamp(), parsed.validity().not_after.timestamp()))
}

/// When the first certificate of a PEM file begins and ends, in seconds since 1970.
pub fn validity_of(path: &Path) -> Result<(i64, i64), ServiceError> {
    let named = path.display().to_string();
    let pem = std::fs::read(path).map_err(|error| refused(&named, &error))?;
    let found = certificates(path, &pem)?;
    found.first().and_then(validity).ok_or_else(|| refused(&named, &"its first certificate cannot be read"))
}
