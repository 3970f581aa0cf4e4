//! What each verb does.

mod audit;
mod backup;
mod batches;
mod companies;
mod doctor;
mod features;
mod feedback;
mod ingest;
mod lists;
mod load;
mod local;
mod models;
mod run;
mod score;
mod up;
mod upload;

use std::process::ExitCode;

use service_kit::error::ServiceError;
use telemetry::{LogFormat, TelemetryConfig};
use tracing::{Instrument, Span, info_span};

use crate::args::{Arguments, Format, Verb};
use crate::config::{self, Configuration};
use crate::connect::Clients;
use crate::failure::Failure;
use crate::job::{self, Waiting};

/// What a command needs besides its own arguments.
pub struct Session {
    /// Clients of the services.
    pub clients: Clients,
    /// Configuration of the services when they run in this process.
    pub config: Option<Configuration>,
    /// The operation that is waited for.
    pub waiting: Waiting,
    /// How results are printed.
    pub format: Format,
    /// No progress.
    pub quiet: bool,
}

/// As shells report a program that Ctrl-C ended.
const INTERRUPTED: u8 = 130;

/// What is told: what the configuration says, though only warnings are logged by commands that end; `SF_LOG` has the last word.
fn telemetry(arguments: &Arguments) -> Result<TelemetryConfig, Failure> {
    let mut telemetry = config::load(arguments)?.telemetry;
    if !matches!(arguments.verb, Verb::Up(_)) {
        telemetry = TelemetryConfig { filter: "warn".to_owned(), format: LogFormat::Text, ..telemetry };
    }
    if let Ok(filter) = std::env::var("SF_LOG") {
        telemetry.filter = filter;
    }
    Ok(telemetry)
}

/// Runs a verb; what it asks of services is one trace.
pub async fn run(arguments: Arguments) -> Result<ExitCode, Failure> {
    telemetry::init(&telemetry(&arguments)?, "sf").map_err(ServiceError::from)?;
    let verb = arguments.verb.name();
    // What a server does belongs to those who ask it.
    let span = if verb == "up" { Span::none() } else { info_span!(target: "command", "command", otel.name = format!("sf {verb}"), verb) };
    dispatch(arguments).instrument(span).await
}

async fn dispatch(arguments: Arguments) -> Result<ExitCode, Failure> {
    match &arguments.verb {
        Verb::Datagen(datagen) => return local::datagen(datagen).map(|()| ExitCode::SUCCESS),
        Verb::Parse(parse) => return local::parse(parse),
        Verb::Train(train) if train.frame.is_some() => return models::external(train, arguments.format).map(|()| ExitCode::SUCCESS),
        Verb::TrainWorker(worker) => return models::worker(&arguments, worker).await.map(|()| ExitCode::SUCCESS),
        Verb::Backup(asked) => {
            return backup::backup(&config::load(&arguments)?, arguments.format, asked).await.map(|()| ExitCode::SUCCESS);
        }
        Verb::Up(up) => return up::up(&config::load(&arguments)?, up).await.map(|()| ExitCode::SUCCESS),
        _ => {}
    }
    let (clients, config) = if let Some(servers) = &arguments.server {
        (Clients::remote(servers)?, None)
    } else {
        let mut config = config::load(&arguments)?;
        // The service is this program's own.
        config.service.ingestion.uploads.local_folders = true;
        (Clients::embedded(&config).await?, Some(config))
    };
    let session = Session { clients, config, waiting: Waiting::default(), format: arguments.format, quiet: arguments.quiet };
    tokio::select! {
        done = verb(&session, arguments.verb) => done,
        Ok(()) = tokio::signal::ctrl_c() => Ok(interrupted(&session).await),
    }
}

async fn verb(session: &Session, verb: Verb) -> Result<ExitCode, Failure> {
    match verb {
        Verb::Ingest(ingest) => ingest::ingest(session, &ingest).await?,
        Verb::Batches(batches) => batches::batches(session, batches).await?,
        Verb::Perimeter(perimeter) => batches::perimeter(session, perimeter).await?,
        Verb::Features(features) => features::features(session, features).await?,
        Verb::Train(train) => models::train(session, &train).await?,
        Verb::Models(models) => models::models(session, models).await?,
        Verb::Score(score) => score::score(session, score).await?,
        Verb::Lists(lists) => lists::lists(session, lists).await?,
        Verb::Companies(companies) => companies::companies(session, companies).await?,
        Verb::Feedback(feedback) => feedback::feedback(session, feedback).await?,
        Verb::Audit(audit) => audit::audit(session, audit).await?,
        Verb::Run(run) => run::run(session, &run).await?,
        Verb::Load(load) => load::load(session, &load).await?,
        Verb::Doctor => return doctor::doctor(session, session.config.as_ref()).await,
        Verb::Datagen(_) | Verb::Parse(_) | Verb::TrainWorker(_) | Verb::Backup(_) | Verb::Up(_) => {}
    }
    Ok(ExitCode::SUCCESS)
}

/// After Ctrl-C: a job of this process is cancelled, so that nothing says it still runs; that of a service goes on.
#[allow(clippy::print_stderr, reason = "a command line speaks to a person")]
async fn interrupted(session: &Session) -> ExitCode {
    if let Some((channel, name)) = session.waiting.get() {
        if session.config.is_none() {
            eprintln!("interrupted: {name} goes on in its service; the same command joins it");
        } else if job::cancel(&channel, &name).await {
            eprintln!("interrupted: {name} is cancelled, what was committed before stays");
        } else {
            eprintln!("interrupted: {name} ends with this process, and another one may take it over");
        }
    }
    ExitCode::from(INTERRUPTED)
}
