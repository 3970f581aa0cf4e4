//! The whole of a service's `main`: arguments, configuration, storage, registration, server.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use lake::{Lake, LakeOptions};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tonic::service::{Routes, RoutesBuilder};

use crate::Context;
use crate::auth::{Authenticator, guard};
use crate::config::{self, Config};
use crate::error::ServiceError;
use crate::operations::{Jobs, OperationsService};
use crate::{server, telemetry};

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

    /// Full names of its gRPC services.
    const NAMES: &'static [&'static str];

    /// Adds its gRPC servers to `routes` and its jobs to `context.jobs`.
    fn register(
        context: &Context,
        settings: Self::Settings,
        routes: &mut RoutesBuilder,
    ) -> impl Future<Output = Result<(), ServiceError>> + Send;
}

/// Full name of the operations service, which every process has.
pub const OPERATIONS: &str = "google.longrunning.Operations";

/// Adds the operations service to the routes, and puts the guard in front of all of them: once, after all services registered.
pub fn finish(context: &Context, mut routes: RoutesBuilder) -> Routes {
    let operations = OperationsService(context.jobs.clone());
    routes.add_service(api::google::longrunning::operations_server::OperationsServer::new(operations));
    guard(routes.routes(), context.auth.clone())
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
    telemetry::init(&config.telemetry)?;
    let lake = Lake::open(&config.lake.root, &LakeOptions { s3: config.lake.s3.clone() })?;
    let auth = Authenticator::new(config.auth.as_ref())?;
    auth.announce();
    let context = Context { jobs: Jobs::new(lake.clone(), &config.jobs), lake, online: config.online.clone(), auth };
    let mut routes = RoutesBuilder::default();
    S::register(&context, config.service, &mut routes).await?;
    context.jobs.watch();
    let names: Vec<&'static str> = S::NAMES.iter().copied().chain([OPERATIONS]).collect();
    server::serve(&config.server, finish(&context, routes), &names).await
}
