//! `sf features`.

use api::common::Chunk;
use api::features::{
    Basis, BuildFeaturesRequest, BuildReport, CheckConsistencyRequest, CompanyHistory, ConsistencyReport, ExportFeaturesRequest,
    FrameFormat, FrameView as ApiView, GetCompanyHistoryRequest, GetDriftRequest, GetFreshnessRequest, GetHistoricalFeaturesRequest,
    ListFeaturesRequest, Series,
};
use api::training::{GetModelRequest, Model};
use domain::{BatchKey, Month};
use serde_json::{Value, json};
use service_kit::error::{ErrorCode, ServiceError};
use tokio::io::AsyncWriteExt;
use tonic::Streaming;

use super::Session;
use crate::args::{Features, FrameView};
use crate::failure::Failure;
use crate::job;
use crate::output::{Output, count, number};

fn text(value: Option<impl ToString>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

pub async fn features(session: &Session, verb: Features) -> Result<(), Failure> {
    let mut client = session.clients.features();
    let output = match verb {
        Features::List => catalogue(session).await?,
        Features::Build { batch, from } => report(&build(session, batch, from).await?),
        Features::Get { siren, month, batch } => {
            let request = GetHistoricalFeaturesRequest { siren: siren.to_string(), month: text(month), batch: text(batch) };
            let vector = client.get_historical_features(request).await?.into_inner();
            let values = vector.names.iter().zip(&vector.values);
            let rows = values.clone().map(|(name, value)| vec![name.clone(), number(f64::from(*value), 4)]).collect();
            let document: serde_json::Map<String, Value> = values.map(|(name, value)| (name.clone(), json!(value))).collect();
            let json = json!({ "siren": vector.siren, "month": vector.month, "batch": vector.batch, "features": document });
            Output::new(&["feature", "#value"], rows, json)
                .note(format!("{} as known at the end of {}, batch {}.", vector.siren, vector.month, vector.batch))
        }
        Features::History { siren, batch } => {
            let request = GetCompanyHistoryRequest { siren: siren.to_string(), batch: text(batch) };
            history(&client.get_company_history(request).await?.into_inner())
        }
        Features::Export(arguments) => {
            let arrow = arguments.out.extension().is_some_and(|extension| extension == "arrows");
            let request = ExportFeaturesRequest {
                batch: arguments.batch.to_string(),
                from_month: text(arguments.from),
                to_month: text(arguments.to),
                format: if arrow { FrameFormat::Arrow } else { FrameFormat::Parquet }.into(),
                names: arguments.features,
                sirens: arguments.sirens.iter().map(ToString::to_string).collect(),
                labelled: arguments.labelled,
                at_risk: arguments.at_risk,
                sample: arguments.sample.unwrap_or_default(),
                seed: arguments.seed,
                view: view(arguments.view).into(),
            };
            let size = save(client.export_features(request).await?.into_inner(), &arguments.out).await?;
            let file = arguments.out;
            Output::new(&["file", "#bytes"], vec![vec![file.display().to_string(), count(size)]], json!({ "file": file, "bytes": size }))
        }
        Features::Check { companies, seed } => return check(session, companies, seed).await,
        Features::Freshness { batch } => {
            let freshness = client.get_freshness(GetFreshnessRequest { batch: text(batch) }).await?.into_inner();
            let rows = freshness
                .sources
                .iter()
                .map(|source| vec![source.source.clone(), source.batch.clone(), count(source.rows), source.known_until.clone()]);
            let json = freshness.sources.iter().map(
                |source| json!({ "source": source.source, "batch": source.batch, "rows": source.rows, "known_until": source.known_until }),
            );
            Output::new(&["source", "batch", "#rows", "known until"], rows.collect(), json!({ "sources": json.collect::<Vec<_>>() }))
        }
        Features::Drift { batch, reference } => {
            let drift = client.get_drift(drift_request(session, batch, reference).await).await?.into_inner();
            let mut features = drift.features;
            features.sort_by(|a, b| b.psi.total_cmp(&a.psi));
            let rows = features.iter().map(|feature| {
                let numbers = [feature.psi, feature.null_rate, feature.reference_null_rate, feature.mean, feature.reference_mean];
                std::iter::once(feature.name.clone()).chain(numbers.map(|value| number(value, 3))).collect()
            });
            let json = features.iter().map(|feature| {
                json!({
                    "name": feature.name, "psi": feature.psi, "null_rate": feature.null_rate, "reference_null_rate": feature.reference_null_rate,
                    "mean": feature.mean, "reference_mean": feature.reference_mean,
                })
            });
            let json = json!({
                "month": drift.month, "reference_month": drift.reference_month, "reference_to_month": drift.reference_to_month,
                "reference_batch": drift.reference_batch, "features": json.collect::<Vec<_>>(),
            });
            let reference = if drift.reference_to_month == drift.reference_month {
                drift.reference_month
            } else {
                format!("{} to {} of batch {}", drift.reference_month, drift.reference_to_month, drift.reference_batch)
            };
            let header = ["feature", "#psi", "#null", "#null before", "#mean", "#mean before"];
            Output::new(&header, rows.collect(), json)
                .note(format!("{} against {reference}. Above 0.25 the model sees another world.", drift.month))
        }
    };
    output.print(session.format)
}

/// What to compare with: the month asked for, else what the champion learnt from.
async fn drift_request(session: &Session, batch: Option<BatchKey>, reference: Option<Month>) -> GetDriftRequest {
    let request = GetDriftRequest { batch: text(batch), reference_month: text(reference), ..Default::default() };
    let champion = match reference {
        Some(_) => None,
        None => session.clients.training().get_model(GetModelRequest { id: "champion".to_owned() }).await.ok(),
    };
    match champion.map(tonic::Response::into_inner) {
        Some(Model { batch: reference_batch, split: Some(split), .. }) => {
            GetDriftRequest { reference_month: split.train_from, reference_to_month: split.train_to, reference_batch, ..request }
        }
        _ => request,
    }
}

fn view(view: FrameView) -> ApiView {
    match view {
        FrameView::Features => ApiView::Unspecified,
        FrameView::G3 => ApiView::G3,
        FrameView::G5 => ApiView::G5,
        FrameView::G5Yearly => ApiView::G5Yearly,
    }
}

/// Compares the ways to a vector; fails when they disagree.
async fn check(session: &Session, companies: u32, seed: u64) -> Result<(), Failure> {
    let (client, request) = (session.clients.features(), CheckConsistencyRequest { companies, seed });
    let call = || {
        let mut client = client.clone();
        async move { client.check_consistency(request).await }
    };
    let report: ConsistencyReport = job::run(&session.clients.features, &session.waiting, session.quiet, call).await?;
    let rows = report.listed.iter().map(|mismatch| {
        let values = [mismatch.online, mismatch.offline, mismatch.computed].map(|value| number(value.map_or(f64::NAN, f64::from), 6));
        [vec![mismatch.siren.clone(), mismatch.feature.clone()], values.to_vec()].concat()
    });
    let found = match report.mismatches {
        0 => "the same bits online, offline and from the rows of the sources".to_owned(),
        mismatches => format!("{} values differ", count(mismatches)),
    };
    let note = format!(
        "{} companies of batch {} at {}, {} of them stored offline{}: {found}.",
        count(report.companies),
        report.batch,
        report.month,
        count(report.offline),
        if report.stale { ", Redis away" } else { "" }
    );
    let json = serde_json::to_value(&report).unwrap_or_default();
    Output::new(&["siren", "feature", "#online", "#offline", "#computed"], rows.collect(), json).note(note).print(session.format)?;
    let inconsistent = || ServiceError::new(ErrorCode::InconsistentFeatures, format!("{} values differ", count(report.mismatches)));
    if report.mismatches == 0 { Ok(()) } else { Err(inconsistent().into()) }
}

async fn catalogue(session: &Session) -> Result<Output, Failure> {
    let listed = session.clients.features().list_features(ListFeaturesRequest {}).await?.into_inner();
    let rows = listed.features.iter().map(|feature| {
        vec![
            feature.name.clone(),
            feature.group.clone(),
            feature.source.clone(),
            feature.unit.clone(),
            feature.confidentiality.clone(),
            feature.label_fr.clone(),
        ]
    });
    let json = listed.features.iter().map(|feature| {
        json!({
            "name": feature.name, "group": feature.group, "source": feature.source, "unit": feature.unit, "formula": feature.formula,
            "confidentiality": feature.confidentiality, "monotone": feature.monotone, "label_fr": feature.label_fr, "categorical": feature.categorical,
        })
    });
    let json = json!({ "schema_hash": listed.schema_hash, "features": json.collect::<Vec<_>>() });
    Ok(Output::new(&["feature", "group", "source", "unit", "confidentiality", "label"], rows.collect(), json))
}

/// Builds the features of a batch.
pub async fn build(session: &Session, batch: BatchKey, from: Option<Month>) -> Result<BuildReport, Failure> {
    let request = BuildFeaturesRequest { batch: batch.to_string(), from_month: text(from) };
    let client = session.clients.features();
    let call = || {
        let (mut client, request) = (client.clone(), request.clone());
        async move { client.build_features(request).await }
    };
    job::run(&session.clients.features, &session.waiting, session.quiet, call).await
}

/// What a build did.
pub fn report(report: &BuildReport) -> Output {
    let counts = [report.companies, report.vectors, report.features].map(count);
    let row = [
        vec![report.batch.clone(), report.month.clone()],
        counts.to_vec(),
        vec![report.proceedings_known_until.clone(), report.generation.clone(), number(report.seconds, 2)],
    ]
    .concat();
    let header = ["batch", "month", "#companies", "#vectors", "#features", "outcomes to", "generation", "#seconds"];
    Output::new(&header, vec![row], serde_json::to_value(report).unwrap_or_default())
}

fn history(history: &CompanyHistory) -> Output {
    let names = history.series.iter().map(|series| format!("#{}", series.name));
    let header = std::iter::once("month".to_owned()).chain(names).chain(["procol".to_owned()]).collect();
    let rows = history.months.iter().enumerate().map(|(index, month)| {
        let values = history.series.iter().map(|series| {
            let mark = match series.basis.get(index).and_then(|basis| Basis::try_from(*basis).ok()) {
                Some(Basis::Carried) => "<",
                Some(Basis::Estimated) => "~",
                _ => "",
            };
            format!("{mark}{}", number(series.values.get(index).copied().unwrap_or(f64::NAN), 2))
        });
        let procol = history.procol.get(index).cloned().unwrap_or_default();
        std::iter::once(month.clone()).chain(values).chain([procol]).collect()
    });
    let series: serde_json::Map<String, Value> = history.series.iter().map(|series| (series.name.clone(), json!(series.values))).collect();
    let basis: serde_json::Map<String, Value> = history.series.iter().map(|series| (series.name.clone(), json!(bases(series)))).collect();
    let json = json!({
        "siren": history.siren, "name": history.name, "months": history.months, "series": series, "basis": basis, "procol": history.procol,
    });
    Output { header, rows: rows.collect(), json, notes: Vec::new() }
        .note(format!("{} {}", history.siren, history.name))
        .note("< carried from an earlier month, ~ estimated from a longer period.")
}

fn bases(series: &Series) -> Vec<Option<&'static str>> {
    let name = |basis: &i32| match Basis::try_from(*basis).ok()? {
        Basis::Unspecified => None,
        Basis::Observed => Some("observed"),
        Basis::Carried => Some("carried"),
        Basis::Estimated => Some("estimated"),
    };
    series.basis.iter().map(name).collect()
}

/// Saves a streamed file; gives its size.
pub async fn save(mut chunks: Streaming<Chunk>, path: &std::path::Path) -> Result<u64, Failure> {
    let mut file = tokio::fs::File::create(path).await?;
    let mut size = 0;
    while let Some(chunk) = chunks.message().await? {
        size += chunk.data.len() as u64;
        file.write_all(&chunk.data).await?;
    }
    file.flush().await?;
    Ok(size)
}
