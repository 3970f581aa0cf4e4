//! The gRPC server of a process: health, reflection, TLS, limits, metrics, and a drain that loses no request.

use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{oneshot, watch};
use tonic::service::Routes;
use tonic::transport::Server;
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;

use crate::config::ServerConfig;
use crate::error::{ErrorCode, ServiceError};
use crate::limits::Limits;
use crate::observe::Observe;
use crate::tls;

fn configuration(what: &str, error: &dyn std::fmt::Display) -> ServiceError {
    ServiceError::new(ErrorCode::Configuration, format!("{what}: {error}"))
}

/// Adds health, and reflection (v1, and v1alpha for older clients) if it is wanted, to the routes of services.
fn complete(config: &ServerConfig, routes: Routes, names: &[&'static str], reporter: HealthReporter) -> Result<Routes, ServiceError> {
    let health = tonic_health::server::HealthService::from_health_reporter(reporter);
    let routes = routes.add_service(tonic_health::pb::health_server::HealthServer::new(health));
    if !config.reflection {
        return Ok(routes);
    }
    let reflection = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(api::DESCRIPTORS)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    let broken = |error: tonic_reflection::server::Error| ServiceError::new(ErrorCode::Internal, error.to_string());
    let mut v1 = reflection().with_service_name("grpc.health.v1.Health");
    let mut v1alpha = reflection().with_service_name("grpc.health.v1.Health");
    for name in names {
        v1 = v1.with_service_name(*name);
        v1alpha = v1alpha.with_service_name(*name);
    }
    Ok(routes.add_service(v1.build_v1().map_err(broken)?).add_service(v1alpha.build_v1alpha().map_err(broken)?))
}

/// Serves until SIGTERM or SIGINT, then drains: health says no, the listener closes, running requests finish within the
/// grace period. A second signal ends at once. `names` are the full names of the services, for health and reflection.
pub async fn serve(config: &ServerConfig, limits: &Limits, routes: Routes, names: &[&'static str]) -> Result<(), ServiceError> {
    let listener =
        TcpListener::bind(config.listen).await.map_err(|error| configuration(&format!("listen on {}", config.listen), &error))?;
    let admin = TcpListener::bind(config.admin).await.map_err(|error| configuration(&format!("admin on {}", config.admin), &error))?;
    let address = |listener: &TcpListener| listener.local_addr().map_err(|error| configuration("listener", &error));
    let (addr, admin_addr) = (address(&listener)?, address(&admin)?);

    let reporter = HealthReporter::new();
    let routes = complete(config, routes, names, reporter.clone())?;
    let tls = config.tls.as_ref().map(tls::TlsConfig::watched).transpose()?;
    let (ready, readiness) = watch::channel(true);
    tokio::spawn(serve_admin(admin, readiness));
    for name in names {
        reporter.set_service_status(*name, ServingStatus::Serving).await;
    }
    tracing::info!(%addr, admin = %admin_addr, "listening");

    let (close, closed) = oneshot::channel::<()>();
    let server = Server::builder()
        .timeout(Duration::from_secs(config.request_seconds))
        .http2_keepalive_interval(Some(Duration::from_secs(20)))
        .max_connection_age(Duration::from_secs(config.connection_seconds))
        .layer(Observe { limits: limits.clone(), patience: Duration::from_secs(config.request_seconds) })
        .add_routes(routes)
        // The drain begins when no connection comes any more: those that were accepted are served.
        .serve_with_incoming_shutdown(tls::accept(listener, tls, closed), std::future::pending());
    let server = tokio::spawn(server);

    let mut signals = Signals::new()?;
    signals.next().await;
    tracing::info!("draining");
    let _unwatched = ready.send(false);
    reporter.set_service_status("", ServingStatus::NotServing).await;
    for name in names {
        reporter.set_service_status(*name, ServingStatus::NotServing).await;
    }
    // Balancers look away first.
    tokio::time::sleep(Duration::from_millis(config.look_away_ms)).await;
    let _closed = close.send(());
    tokio::select! {
        ended = server => match ended {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(configuration("server", &error)),
            Err(error) => Err(ServiceError::new(ErrorCode::Internal, error.to_string())),
        },
        () = tokio::time::sleep(Duration::from_secs(config.grace_seconds)) => {
            tracing::warn!("requests were still running at the end of the grace period");
            Ok(())
        }
        () = signals.next() => Ok(()),
    }
}

/// SIGTERM and SIGINT.
struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

impl Signals {
    fn new() -> Result<Self, ServiceError> {
        let listen = |kind| signal(kind).map_err(|error| configuration("signals", &error));
        Ok(Self { terminate: listen(SignalKind::terminate())?, interrupt: listen(SignalKind::interrupt())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

async fn serve_admin(listener: TcpListener, readiness: watch::Receiver<bool>) {
    let ready = move || {
        let ready = *readiness.borrow();
        async move { if ready { (StatusCode::OK, "ready\n") } else { (StatusCode::SERVICE_UNAVAILABLE, "draining\n") } }
    };
    let router = Router::new()
        .route("/healthz", get(|| async { "alive\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(|| async { telemetry::render() }));
    if let Err(error) = axum::serve(listener, router).await {
        tracing::error!(%error, "the admin server stopped");
    }
}
