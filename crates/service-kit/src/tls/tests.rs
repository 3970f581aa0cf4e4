//! Who is let in, by which certificate, and what happens when certificates end and are issued anew.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, SanType, date_time_ymd};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tonic::transport::Server;
use tonic::{Request, Response, Status};
use tonic_health::pb::health_client::HealthClient;
use tonic_health::pb::health_server::{Health, HealthServer};
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

use super::{Caller, ClientTlsConfig, TlsConfig, accept};
use crate::channel;

/// An authority, and a folder with what it issued.
struct Authority {
    folder: TempDir,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("ca.pem"), issuer.pem()).unwrap();
        Self { folder, issuer }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes `name.pem` and `name.key` for the service of this name; it ends in this year.
    fn issue(&self, name: &str, end: i32) {
        let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
        params.subject_alt_names.push(SanType::URI(format!("spiffe://sf/{name}").try_into().unwrap()));
        (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(end, 1, 1));
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        std::fs::write(self.path(&format!("{name}.pem")), certificate.pem()).unwrap();
        std::fs::write(self.path(&format!("{name}.key")), key.serialize_pem()).unwrap();
    }

    fn client(&self, name: Option<&str>) -> ClientTlsConfig {
        ClientTlsConfig {
            authorities: Some(self.path("ca.pem")),
            certificate: name.map(|name| self.path(&format!("{name}.pem"))),
            key: name.map(|name| self.path(&format!("{name}.key"))),
            reload_seconds: 0,
        }
    }
}

/// Answers with who asks.
struct WhoAmI;

#[tonic::async_trait]
impl Health for WhoAmI {
    async fn check(&self, request: Request<HealthCheckRequest>) -> Result<Response<HealthCheckResponse>, Status> {
        let caller = request.extensions().get::<Caller>().cloned().unwrap_or_default();
        Err(Status::unknown(caller.identities.join(" ")))
    }

    type WatchStream = futures::stream::Empty<Result<HealthCheckResponse, Status>>;

    async fn watch(&self, _: Request<HealthCheckRequest>) -> Result<Response<Self::WatchStream>, Status> {
        Err(Status::unimplemented(""))
    }
}

async fn serve(authority: &Authority, optional: bool) -> (SocketAddr, oneshot::Sender<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, (stop, stopped)) = (listener.local_addr().unwrap(), oneshot::channel());
    let tls = TlsConfig {
        certificate: authority.path("server.pem"),
        key: authority.path("server.key"),
        client_authorities: Some(authority.path("ca.pem")),
        client_certificate_optional: optional,
        reload_seconds: 0,
    };
    let incoming = accept(listener, Some(tls.watched().unwrap()), stopped);
    tokio::spawn(Server::builder().add_service(HealthServer::new(WhoAmI)).serve_with_incoming(incoming));
    (address, stop)
}

/// Who a server says that this client is; `None` when it lets no one in.
async fn asked(address: SocketAddr, tls: &ClientTlsConfig) -> Option<String> {
    let channel = channel::connect(&format!("https://{address}"), tls).unwrap();
    let answer = HealthClient::new(channel).check(HealthCheckRequest::default()).await.unwrap_err();
    (answer.code() == tonic::Code::Unknown && !answer.message().contains("transport")).then(|| answer.message().to_owned())
}

async fn a_moment() {
    tokio::time::sleep(Duration::from_millis(150)).await;
}

#[tokio::test]
async fn only_certificates_of_the_authority_are_let_in() {
    let (ours, theirs) = (Authority::new(), Authority::new());
    for authority in [&ours, &theirs] {
        authority.issue("server", 2099);
        authority.issue("scoring", 2099);
    }
    ours.issue("old", 2021);
    let (address, _running) = serve(&ours, false).await;
    assert_eq!(asked(address, &ours.client(Some("scoring"))).await.as_deref(), Some("spiffe://sf/scoring"));
    assert_eq!(asked(address, &ours.client(None)).await, None, "no certificate");
    assert_eq!(asked(address, &ours.client(Some("old"))).await, None, "one that ended");
    let foreign = ClientTlsConfig { authorities: Some(ours.path("ca.pem")), ..theirs.client(Some("scoring")) };
    assert_eq!(asked(address, &foreign).await, None, "one of another authority");
    assert_eq!(asked(address, &theirs.client(Some("scoring"))).await, None, "a client that does not trust the server");
    let plain = channel::connect(&format!("http://{address}"), &ClientTlsConfig::default()).unwrap();
    assert!(HealthClient::new(plain).check(HealthCheckRequest::default()).await.unwrap_err().message() != "", "plain text");
}

#[tokio::test]
async fn a_client_without_certificate_may_come_in_where_tokens_tell_who_it_is() {
    let ours = Authority::new();
    ours.issue("server", 2099);
    ours.issue("old", 2021);
    let (address, _running) = serve(&ours, true).await;
    assert_eq!(asked(address, &ours.client(None)).await.as_deref(), Some(""));
    assert_eq!(asked(address, &ours.client(Some("old"))).await, None, "a wrong certificate is not as good as none");
}

#[tokio::test]
async fn a_certificate_that_ended_is_replaced_without_restart_on_both_sides() {
    let ours = Authority::new();
    ours.issue("server", 2021);
    ours.issue("scoring", 2021);
    let (address, _running) = serve(&ours, false).await;
    let channel = channel::connect(&format!("https://{address}"), &ours.client(Some("scoring"))).unwrap();
    let mut client = HealthClient::new(channel);
    let mut ask = async || client.check(HealthCheckRequest::default()).await.unwrap_err();
    assert_ne!(ask().await.message(), "spiffe://sf/scoring", "the server's ended");
    ours.issue("server", 2099);
    a_moment().await;
    assert_ne!(ask().await.message(), "spiffe://sf/scoring", "the client's ended");
    ours.issue("scoring", 2099);
    a_moment().await;
    assert_eq!(ask().await.message(), "spiffe://sf/scoring", "the same client and server, no restart");
    std::fs::write(ours.path("server.pem"), "half a certif").unwrap();
    a_moment().await;
    assert!(asked(address, &ours.client(Some("scoring"))).await.is_some(), "what cannot be read replaces nothing");
}

#[test]
fn what_is_wrong_with_the_files_is_said() {
    let ours = Authority::new();
    ours.issue("server", 2099);
    ours.issue("other", 2099);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let tried = |certificate: &Path, key: &Path| {
        let (certificate, key) = (certificate.to_owned(), key.to_owned());
        let tls = TlsConfig { certificate, key, client_authorities: None, client_certificate_optional: false, reload_seconds: 10 };
        runtime.block_on(async { tls.watched().err().map(|error| error.message().to_owned()) })
    };
    assert_eq!(tried(&ours.path("server.pem"), &ours.path("server.key")), None);
    let said = |certificate, key| tried(&ours.path(certificate), &ours.path(key)).unwrap_or_default();
    assert!(said("none.pem", "server.key").contains("none.pem"));
    assert!(said("server.key", "server.key").contains("no certificate"));
    assert!(said("server.pem", "other.key").contains("server.pem"), "a key of another certificate");
}
