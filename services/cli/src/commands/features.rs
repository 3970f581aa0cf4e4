//! `sf features`.

use api::common::Chunk;
use api::features::{
    BuildFeaturesRequest, BuildReport, CompanyHistory, ExportFeaturesRequest, GetCompanyHistoryRequest, GetDriftRequest,
    GetFreshnessRequest, GetHistoricalFeaturesRequest, ListFeaturesRequest,
};
use domain::{BatchKey, Month};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tonic::Streaming;

use super::Session;
use crate::args::Features;
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
        Features::Export { batch, from, to, out } => {
            let request = ExportFeaturesRequest { batch: batch.to_string(), from_month: text(from), to_month: text(to) };
            let size = save(client.export_features(request).await?.into_inner(), &out).await?;
            Output::new(&["file", "#bytes"], vec![vec![out.display().to_string(), count(size)]], json!({ "file": out, "bytes": size }))
        }
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
            let request = GetDriftRequest { batch: text(batch), reference_month: text(reference) };
            let drift = client.get_drift(request).await?.into_inner();
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
            let json = json!({ "month": drift.month, "reference_month": drift.reference_month, "features": json.collect::<Vec<_>>() });
            let header = ["feature", "#psi", "#null", "#null before", "#mean", "#mean before"];
            Output::new(&header, rows.collect(), json)
                .note(format!("{} against {}. Above 0.25 the model sees another world.", drift.month, drift.reference_month))
        }
    };
    output.print(session.format)
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
    let row =
        [vec![report.batch.clone(), report.month.clone()], counts.to_vec(), vec![report.generation.clone(), number(report.seconds, 2)]]
            .concat();
    let header = ["batch", "month", "#companies", "#vectors", "#features", "generation", "#seconds"];
    Output::new(&header, vec![row], serde_json::to_value(report).unwrap_or_default())
}

fn history(history: &CompanyHistory) -> Output {
    let mut header = vec!["month"];
    let names: Vec<&'static str> = panel_names(history);
    header.extend(&names);
    header.push("procol");
    let rows = history.months.iter().enumerate().map(|(index, month)| {
        let values = history.series.iter().map(|series| number(series.values.get(index).copied().unwrap_or(f64::NAN), 2));
        let procol = history.procol.get(index).cloned().unwrap_or_default();
        std::iter::once(month.clone()).chain(values).chain([procol]).collect()
    });
    let series: serde_json::Map<String, Value> = history.series.iter().map(|series| (series.name.clone(), json!(series.values))).collect();
    let json =
        json!({ "siren": history.siren, "name": history.name, "months": history.months, "series": series, "procol": history.procol });
    Output::new(&header, rows.collect(), json).note(format!("{} {}", history.siren, history.name))
}

/// Names of the columns, as the table marks numbers.
fn panel_names(history: &CompanyHistory) -> Vec<&'static str> {
    const KNOWN: [&str; 10] = [
        "#debt_employee",
        "#debt_employer",
        "#contribution",
        "#plan_running",
        "#headcount",
        "#short_time_requested",
        "#short_time_consumed",
        "#payment_delay",
        "#turnover",
        "#open_establishments",
    ];
    history.series.iter().map(|series| KNOWN.into_iter().find(|known| known[1..] == series.name).unwrap_or("#other")).collect()
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
