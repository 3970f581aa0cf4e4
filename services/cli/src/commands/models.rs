//! `sf train` and `sf models`.

use std::io::{Write, stdout};
use std::path::Path;

use api::training::{
    Evaluation, Feedback, GetModelCardRequest, GetModelRequest, ListModelsRequest, Model, PromoteModelRequest, RollBackModelRequest,
    ShadowModelRequest, TrainModelRequest,
};
use domain::BatchKey;
use serde_json::json;
use service_kit::error::ServiceError;

use super::Session;
use crate::args::{self, Arguments, Format, ModelKind, Models, Protocol, Train, TrainWorker};
use crate::config;
use crate::connect::{Clients, open_lake};
use crate::failure::Failure;
use crate::job;
use crate::output::{Output, number};

/// Said under every table of figures.
const CAUTION: &str =
    "Measured on the data of this delivery. On invented data these figures prove the plumbing, never the worth of the model.";

pub async fn train(session: &Session, arguments: &Train) -> Result<(), Failure> {
    let Some(batch) = arguments.batch else { return Err(Failure::usage("--batch is needed")) };
    let request = TrainModelRequest {
        compare: arguments.compare.iter().map(args::name).collect(),
        parameters: arguments.parameters.iter().cloned().collect(),
        feedback: arguments.feedback.as_deref().map(feedback).transpose()?.unwrap_or_default(),
        workers: arguments.workers,
        search: arguments.search,
        search_seconds: arguments.search_minutes.unwrap_or(0).saturating_mul(60),
        ..request(batch, arguments.protocol, arguments.model)
    };
    let model = learn(session, request).await?;
    if let Some(out) = &arguments.out {
        let id = model.id.clone();
        let card = session.clients.training().get_model_card(GetModelCardRequest { id }).await?.into_inner();
        std::fs::create_dir_all(out).map_err(|error| Failure::file(out, &error))?;
        for (name, bytes) in [("card.html", &card.html), ("metrics.json", &card.metrics)] {
            let path = out.join(name);
            std::fs::write(&path, bytes).map_err(|error| Failure::file(&path, &error))?;
        }
    }
    evaluation(&model).print(session.format)
}

/// What a file of agents says.
fn feedback(path: &Path) -> Result<Vec<Feedback>, Failure> {
    let refused = |error: csv::Error| Failure::usage(format!("{}: {error}", path.display()));
    let mut reader = csv::Reader::from_path(path).map_err(refused)?;
    reader
        .deserialize::<(String, String, String, f64)>()
        .map(|row| row.map(|(siren, from_month, to_month, weight)| Feedback { siren, from_month, to_month, weight }).map_err(refused))
        .collect()
}

/// A request with the defaults.
pub fn request(batch: BatchKey, protocol: Protocol, kind: ModelKind) -> TrainModelRequest {
    TrainModelRequest { batch: batch.to_string(), protocol: args::name(&protocol), model: args::name(&kind), ..Default::default() }
}

/// Trains a model.
pub async fn learn(session: &Session, request: TrainModelRequest) -> Result<Model, Failure> {
    let client = session.clients.training();
    let call = || {
        let (mut client, request) = (client.clone(), request.clone());
        async move { client.train_model(request).await }
    };
    job::run(&session.clients.training, &session.waiting, session.quiet, call).await
}

/// Figures of a model and of those it is compared with.
pub fn evaluation(model: &Model) -> Output {
    let interval = |value: f64, low: f64, high: f64| format!("{} [{}, {}]", number(value, 3), number(low, 3), number(high, 3));
    let row = |e: &Evaluation| {
        let protocol = if e.protocol == "rolling" { format!("rolling to {}", e.test_to) } else { e.protocol.clone() };
        vec![
            protocol,
            e.model.clone(),
            interval(e.auc, e.auc_low, e.auc_high),
            interval(e.average_precision, e.average_precision_low, e.average_precision_high),
            number(e.f_half, 3),
            number(e.f_two, 3),
            number(e.precision_top_2_percent, 3),
            number(e.recall_top_6_percent, 3),
            number(e.brier, 4),
            number(e.ece, 4),
            number(e.median_lead_time, 0),
        ]
    };
    let header = [
        "protocol",
        "model",
        "#AUC [95 %]",
        "#average precision [95 %]",
        "#F0.5",
        "#F2",
        "#precision top 2 %",
        "#recall top 6 %",
        "#Brier",
        "#ECE",
        "#lead (months)",
    ];
    let rows = model.evaluations.iter().map(row).collect();
    let mut output = Output::new(&header, rows, serde_json::to_value(model).unwrap_or_default());
    output = output.note(format!("Model {} ({}), protocol {}, calibration {}.", model.id, model.state, model.protocol, model.calibration));
    if let Some(split) = &model.split {
        let prevalence = model.evaluations.first().map_or(f64::NAN, |e| 100.0 * e.prevalence);
        let period = |from: &str, to: &str| if from.is_empty() { String::new() } else { format!("{from} to {to}, ") };
        output = output.note(format!(
            "Trained on {}{} rows, validated on {}{}, tested on {}{} ({} % followed by a failure).",
            period(&split.train_from, &split.train_to),
            split.train_rows,
            period(&split.validation_from, &split.validation_to),
            split.validation_rows,
            period(&split.test_from, &split.test_to),
            split.test_rows,
            number(prevalence, 2)
        ));
    }
    for note in &model.notes {
        output = output.note(note);
    }
    for alarm in &model.alarms {
        output = output.note(format!("ALARM: {alarm}"));
    }
    output.note(CAUTION)
}

pub async fn models(session: &Session, verb: Models) -> Result<(), Failure> {
    let mut client = session.clients.training();
    match verb {
        Models::List => {
            let models = client.list_models(ListModelsRequest::default()).await?.into_inner().models;
            let rows = models.iter().map(|model| {
                let auc = model.evaluations.first().map_or(f64::NAN, |e| e.auc);
                vec![
                    model.id.clone(),
                    model.state.clone(),
                    model.batch.clone(),
                    model.protocol.clone(),
                    number(auc, 3),
                    model.created_at.clone(),
                ]
            });
            let header = ["model", "state", "batch", "protocol", "#AUC", "registered"];
            Output::new(&header, rows.collect(), json!({ "models": models })).note(CAUTION).print(session.format)
        }
        Models::Show { id } => evaluation(&client.get_model(GetModelRequest { id }).await?.into_inner()).print(session.format),
        Models::Promote { id, because } => {
            let request = PromoteModelRequest { id, because: because.unwrap_or_default() };
            state(&client.promote_model(request).await?.into_inner()).print(session.format)
        }
        Models::Shadow { id } => {
            let id = id.unwrap_or_default();
            client.shadow_model(ShadowModelRequest { id: id.clone() }).await?;
            let row = vec![if id.is_empty() { "–".to_owned() } else { id.clone() }];
            Output::new(&["challenger"], vec![row], json!({ "challenger": id })).print(session.format)
        }
        Models::Rollback => state(&client.roll_back_model(RollBackModelRequest {}).await?.into_inner()).print(session.format),
        Models::Card { id, out } => {
            let html = client.get_model_card(GetModelCardRequest { id }).await?.into_inner().html;
            match out {
                Some(path) => std::fs::write(&path, html).map_err(|error| Failure::file(&path, &error))?,
                None => stdout().lock().write_all(&html)?,
            }
            Ok(())
        }
    }
}

fn state(model: &Model) -> Output {
    let row = vec![model.id.clone(), model.state.clone()];
    Output::new(&["model", "state"], vec![row], json!({ "id": model.id, "state": model.state }))
}

/// Helps the training service of `--server`.
#[allow(clippy::print_stderr, reason = "a command line speaks to a person")]
pub async fn worker(arguments: &Arguments, worker: &TrainWorker) -> Result<(), Failure> {
    let Some(servers) = &arguments.server else {
        return Err(Failure::usage("--server is needed: the service whose trainings this process helps"));
    };
    let config = config::load(arguments)?;
    let (lake, catalogue) = (open_lake(&config)?, panel::Catalogue::builtin().map_err(|error| Failure::usage(error.to_string()))?);
    let worker_of =
        training::worker::Worker { client: Clients::remote(servers)?.training(), lake: &lake, catalogue: &catalogue, host: worker.address };
    let quiet = arguments.quiet;
    let mut told = |what: &str| {
        if !quiet {
            eprintln!("{what}");
        }
    };
    Ok(worker_of.serve(worker.trainings, &mut told).await.map_err(ServiceError::from)?)
}

/// Trains on a frame given as a file; needs no service.
pub fn external(arguments: &Train, format: Format) -> Result<(), Failure> {
    let (Some(frame), Some(entity), Some(time), Some(label), Some(out)) =
        (&arguments.frame, &arguments.entity, &arguments.time, &arguments.label, &arguments.out)
    else {
        return Err(Failure::usage("--frame needs --entity, --time, --label and --out"));
    };
    let name = args::name(&arguments.model);
    let asked = training::external::Asked {
        frame: frame.clone(),
        columns: training::external::Columns {
            entity: entity.clone(),
            time: time.clone(),
            label: label.clone(),
            side: arguments.split.clone(),
            ignored: arguments.ignore.clone(),
            embargo: arguments.embargo,
        },
        kind: training::learn::Kind::parse(&name).ok_or_else(|| Failure::usage("--model is unknown"))?,
        alone: arguments.alone,
        parameters: arguments.parameters.clone(),
        threads: training::Settings::default().threads,
        out: out.clone(),
    };
    let report = training::external::run(&asked, &mut |_, _| ()).map_err(ServiceError::from)?;
    let measured = training::describe::measured(&report);
    let kind = report.sections.first().and_then(|section| section.models.first());
    let model = Model {
        id: frame.display().to_string(),
        state: "external".into(),
        protocol: report.sections.first().map(|section| section.protocol.name().to_owned()).unwrap_or_default(),
        calibration: kind.map(|model| model.calibration.kind.clone()).unwrap_or_default(),
        ..measured
    };
    evaluation(&model).print(format)
}
