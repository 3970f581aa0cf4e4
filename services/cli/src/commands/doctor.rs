//! `sf doctor`: is everything in place, and what to do if not.

use std::process::ExitCode;

use api::features::{GetFreshnessRequest, ListFeaturesRequest};
use api::ingestion::ListBatchesRequest;
use api::lists::GetListRequest;
use api::training::GetModelRequest;
use lake::LakeError;
use online_store::{OnlineStore, RedisStore};
use serde_json::json;
use service_kit::error::{ErrorCode, ServiceError};
use tonic::Status;

use super::Session;
use crate::config::Configuration;
use crate::connect;
use crate::failure::Failure;
use crate::output::{Output, count};

/// How a check ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Ok,
    Warn,
    Fail,
}

impl Verdict {
    const fn name(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Warn => "WARN",
            Self::Fail => "FAIL",
        }
    }
}

type Check = (Verdict, &'static str, String);

pub async fn doctor(session: &Session, config: Option<&Configuration>) -> Result<ExitCode, Failure> {
    let mut checks: Vec<Check> = Vec::new();
    if let Some(config) = config {
        checks.push(storage(config).await);
        checks.extend(redis(config).await);
    }
    let clients = &session.clients;
    checks.push(reply("ingestion", clients.ingestion().list_batches(ListBatchesRequest::default()).await, |batches| {
        format!("{} batches imported", batches.batches.len())
    }));
    let features = clients.features().list_features(ListFeaturesRequest {}).await;
    let schema = features.as_ref().map(|listed| listed.get_ref().schema_hash.clone()).unwrap_or_default();
    checks.push(reply("feature store", features, |listed| format!("{} features, schema {}", listed.features.len(), listed.schema_hash)));
    checks.push(reply("freshness", clients.features().get_freshness(GetFreshnessRequest::default()).await, |freshness| {
        let oldest = freshness.sources.iter().filter(|source| source.rows == 0).map(|source| source.source.as_str()).collect::<Vec<_>>();
        let rows: u64 = freshness.sources.iter().map(|source| source.rows).sum();
        if oldest.is_empty() {
            format!("{} rows, every source delivered", count(rows))
        } else {
            format!("{} rows; never delivered: {}", count(rows), oldest.join(", "))
        }
    }));
    let champion = clients.training().get_model(GetModelRequest { id: "champion".to_owned() }).await;
    if let Ok(model) = &champion
        && model.get_ref().schema_hash != schema
    {
        let text = format!(
            "{} was trained on other features ({}): build features and train again",
            model.get_ref().id,
            model.get_ref().schema_hash
        );
        checks.push((Verdict::Fail, "champion's features", text));
    }
    checks.push(reply("champion", champion, |model| model.id.clone()));
    checks.push(reply("published list", clients.lists().get_list(GetListRequest { id: "latest".to_owned() }).await, |list| {
        format!("{} ({}), {} companies", list.id, list.label_fr, count(list.companies))
    }));

    let failed = checks.iter().any(|(verdict, ..)| *verdict == Verdict::Fail);
    let rows = checks.iter().map(|(verdict, what, text)| vec![verdict.name().to_owned(), (*what).to_owned(), text.clone()]).collect();
    let json = checks.iter().map(|(verdict, what, text)| json!({ "verdict": verdict.name(), "check": what, "detail": text }));
    Output::new(&["verdict", "check", "detail"], rows, json!({ "checks": json.collect::<Vec<_>>() })).print(session.format)?;
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// What a service answered. Nothing done yet is a warning; a service that does not answer is a failure.
fn reply<T>(what: &'static str, reply: Result<tonic::Response<T>, Status>, describe: impl FnOnce(&T) -> String) -> Check {
    match reply {
        Ok(reply) => (Verdict::Ok, what, describe(reply.get_ref())),
        Err(status) => {
            let error = ServiceError::from_status(&status);
            let early = matches!(error.code(), ErrorCode::NoChampion | ErrorCode::NothingPublished | ErrorCode::FeaturesNotBuilt);
            (if early { Verdict::Warn } else { Verdict::Fail }, what, error.to_string())
        }
    }
}

/// Writes, reads, swaps and removes a scratch document.
async fn storage(config: &Configuration) -> Check {
    let check = async {
        let lake = connect::open_lake(config)?;
        let pointers = lake.pointers();
        let known = pointers.read::<u64>("doctor").await?;
        let next = known.as_ref().map_or(0, |(value, _)| value + 1);
        pointers.compare_and_swap("doctor", known.as_ref().map(|(_, version)| version), &next).await?;
        match pointers.compare_and_swap("doctor", None, &next).await {
            Err(LakeError::Conflict(_)) => Ok(lake.url().to_string()),
            Err(error) => Err(error.into()),
            Ok(_) => Err(ServiceError::new(ErrorCode::StorageCorrupt, "compare-and-swap is not honoured: this store cannot be used")),
        }
    };
    match check.await {
        Ok(url) => (Verdict::Ok, "storage", format!("{url}: written, read back, compare-and-swap holds")),
        Err(error) => (Verdict::Fail, "storage", error.to_string()),
    }
}

async fn redis(config: &Configuration) -> Option<Check> {
    let url = config.online.redis_url.clone()?;
    let generation = async { RedisStore::connect(&url)?.generation().await };
    Some(match generation.await {
        Ok(Some(generation)) => (Verdict::Ok, "Redis", format!("generation {generation}")),
        Ok(None) => (Verdict::Warn, "Redis", "answers, but holds no vectors: build features".to_owned()),
        Err(error) => (Verdict::Fail, "Redis", format!("{error}: vectors are served from the snapshot")),
    })
}
