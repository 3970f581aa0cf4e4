//! The whole of a service's `main`: arguments, configuration, storage, registration, server.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tonic::service::{Routes, RoutesBuilder};

use crate::Context;
use crate::audit::Audits;
use crate::auth::guard;
use crate::config::{self, Config};
use crate::error::ServiceError;
use crate::operations::OperationsService;
use crate::server;

/// Arguments of a service.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// TOML file of the configuration.
    #[arg(long)]
    config: Option<PathBuf>,
    /// gRPC address; overrides the configuration.
    #[arg(long)]
    listen: Option<String>,
    /// Address of /healthz, /readyz and /metrics; overrides the configuration.
    #[arg(long)]
    admin: Option<String>,
    /// Print the effective configuration, secrets masked, and exit.
    #[arg(long)]
    print_config: bool,
}

/// A service that a process can run.
pub trait Service {
    /// Its own settings.
    type Settings: Default + Serialize + DeserializeOwned + Send;

    /// Its name in telemetry.
    const PROGRAM: &'static str;
    /// Full names of its gRPC services.
    const NAMES: &'static [&'static str];

    /// Adds its gRPC servers to `routes` and its jobs to `context.jobs`.
    fn register(
        context: &Context,
        settings: Self::Settings,
        routes: &mut RoutesBuilder,
    ) -> impl Future<Output = Result<(), ServiceError>> + Send;
}

/// Full names of the services that every process has.
pub const COMMON: [&str; 2] = ["google.longrunning.Operations", "signauxfaibles.audit.v1.AuditService"];

/// Adds the common services to the routes, and puts the guard in front of all of them: once, after all services registered.
pub fn finish(context: &Context, mut routes: RoutesBuilder) -> Routes {
    let operations = OperationsService(context.jobs.clone());
    routes.add_service(api::google::longrunning::operations_server::OperationsServer::new(operations));
    let audits = Audits { lake: context.lake.clone(), trail: context.audit.clone() };
    routes.add_service(api::audit::audit_service_server::AuditServiceServer::new(audits));
    let routes = routes.routes();
    context.peers.set_here(routes.clone());
    guard(routes, context.auth.clone(), context.audit.clone(), context.limits.clone())
}

/// Runs a service until it is told to stop. The exit code is 0 after a clean drain, 64 for a bad configuration.
pub fn main<S: Service>() -> ExitCode {
    let arguments = Arguments::parse();
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error),
    };
    match runtime.block_on(run::<S>(arguments)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    }
}

#[allow(clippy::print_stderr, reason = "the log may not have been started yet")]
fn fail(error: &dyn std::fmt::Display) -> ExitCode {
    eprintln!("error{error}");
    ExitCode::from(64)
}

#[allow(clippy::print_stdout, reason = "--print-config is asked for by a person")]
async fn run<S: Service>(arguments: Arguments) -> Result<(), ServiceError> {
    let flags = [("server.listen", arguments.listen), ("server.admin", arguments.admin)];
    let overrides: Vec<(&str, String)> = flags.into_iter().filter_map(|(key, value)| value.map(|value| (key, value))).collect();
    let config: Config<S::Settings> = config::load(arguments.config.as_deref(), &overrides)?;
    if arguments.print_config {
        println!("{}", config::shown(&config)?);
        return Ok(());
    }
    telemetry::init(&config.telemetry, S::PROGRAM)?;
    let context = Context::new(&config)?;
    context.auth.announce();
    let mut routes = RoutesBuilder::default();
    S::register(&context, config.service, &mut routes).await?;
    context.jobs.watch();
    let names: Vec<&'static str> = S::NAMES.iter().copied().chain(COMMON).collect();
    let served = server::serve(&config.server, &context.limits, finish(&context, routes), &names).await;
    context.audit.close().await;
    // Blocks, and has nothing beside it any more.
    let _sent = tokio::task::spawn_blocking(telemetry::close).await;
    served
}
