//! `sf train` and `sf models`.

use std::io::{Write, stdout};

use api::training::{Evaluation, GetModelCardRequest, GetModelRequest, ListModelsRequest, Model, PromoteModelRequest, TrainModelRequest};
use domain::BatchKey;
use serde_json::json;
use service_kit::error::ServiceError;

use super::Session;
use crate::args::{self, Format, ModelKind, Models, Protocol, Train};
use crate::failure::Failure;
use crate::job;
use crate::output::{Output, number};

/// Said under every table of figures.
const CAUTION: &str =
    "Measured on the data of this delivery. On invented data these figures prove the plumbing, never the worth of the model.";

pub async fn train(session: &Session, arguments: &Train) -> Result<(), Failure> {
    let Some(batch) = arguments.batch else { return Err(Failure::usage("--batch is needed")) };
    let model = learn(session, batch, arguments.protocol, arguments.model, false).await?;
    evaluation(&model).print(session.format)
}

/// Trains a model.
pub async fn learn(
    session: &Session,
    batch: BatchKey,
    protocol: Protocol,
    kind: ModelKind,
    promote_if_none: bool,
) -> Result<Model, Failure> {
    let request = TrainModelRequest {
        batch: batch.to_string(),
        protocol: args::name(&protocol),
        model: args::name(&kind),
        force: false,
        promote_if_none,
    };
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
        vec![
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
        output = output.note(format!(
            "Trained on {} to {} ({} rows), validated on {} to {} ({}), tested on {} to {} ({} rows, {} % followed by a procedure within 18 months).",
            split.train_from,
            split.train_to,
            split.train_rows,
            split.validation_from,
            split.validation_to,
            split.validation_rows,
            split.test_from,
            split.test_to,
            split.test_rows,
            number(prevalence, 2)
        ));
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
        Models::Promote { id } => {
            let model = client.promote_model(PromoteModelRequest { id }).await?.into_inner();
            let row = vec![model.id.clone(), model.state.clone()];
            Output::new(&["model", "state"], vec![row], json!({ "id": model.id, "state": model.state })).print(session.format)
        }
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

/// Trains on a frame given as a file; needs no service.
pub fn external(arguments: &Train, format: Format) -> Result<(), Failure> {
    let (Some(frame), Some(entity), Some(time), Some(label), Some(out)) =
        (&arguments.frame, &arguments.entity, &arguments.time, &arguments.label, &arguments.out)
    else {
        return Err(Failure::usage("--frame needs --entity, --time, --label and --out"));
    };
    let columns = training::external::Columns { entity: entity.clone(), time: time.clone(), label: label.clone() };
    let threads = training::Settings::default().threads;
    let figures = training::external::run(frame, &columns, out, threads).map_err(ServiceError::from)?;
    let model = Model {
        id: frame.display().to_string(),
        state: "external".into(),
        protocol: "entities apart".into(),
        evaluations: vec![figures],
        ..Model::default()
    };
    evaluation(&model).print(format)
}
