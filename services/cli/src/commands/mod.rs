//! What each verb does.

mod batches;
mod doctor;
mod features;
mod ingest;
mod lists;
mod local;
mod models;
mod run;
mod score;
mod up;

use std::process::ExitCode;

use crate::args::{Arguments, Format, Verb};
use crate::connect::Clients;
use crate::failure::Failure;

/// What a command needs besides its own arguments.
pub struct Session {
    /// Clients of the services.
    pub clients: Clients,
    /// How results are printed.
    pub format: Format,
    /// No progress.
    pub quiet: bool,
}

/// Runs a verb.
pub async fn run(arguments: Arguments) -> Result<ExitCode, Failure> {
    let filter = std::env::var("SF_LOG").unwrap_or_else(|_| if matches!(arguments.verb, Verb::Up(_)) { "info" } else { "warn" }.to_owned());
    let telemetry = service_kit::config::TelemetryConfig { filter, ..Default::default() };
    service_kit::telemetry::init(&telemetry)?;
    match &arguments.verb {
        Verb::Datagen(datagen) => return local::datagen(datagen).map(|()| ExitCode::SUCCESS),
        Verb::Parse(parse) => return local::parse(parse),
        Verb::Train(train) if train.frame.is_some() => return models::external(train, arguments.format).map(|()| ExitCode::SUCCESS),
        Verb::Up(up) => return up::up(&arguments, up).await.map(|()| ExitCode::SUCCESS),
        _ => {}
    }
    let session = Session { clients: Clients::open(&arguments).await?, format: arguments.format, quiet: arguments.quiet };
    match arguments.verb {
        Verb::Ingest(ingest) => ingest::ingest(&session, &ingest).await?,
        Verb::Batches(batches) => batches::batches(&session, batches).await?,
        Verb::Perimeter(perimeter) => batches::perimeter(&session, perimeter).await?,
        Verb::Features(features) => features::features(&session, features).await?,
        Verb::Train(train) => models::train(&session, &train).await?,
        Verb::Models(models) => models::models(&session, models).await?,
        Verb::Score(score) => score::score(&session, score).await?,
        Verb::Lists(lists) => lists::lists(&session, lists).await?,
        Verb::Run(run) => run::run(&session, &run).await?,
        Verb::Doctor => return doctor::doctor(&session, &arguments.data, arguments.server.is_none()).await,
        Verb::Datagen(_) | Verb::Parse(_) | Verb::Up(_) => {}
    }
    Ok(ExitCode::SUCCESS)
}
