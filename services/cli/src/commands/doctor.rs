//! `sf doctor`: is everything in place, and what to do if not.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use api::features::{GetFreshnessRequest, ListFeaturesRequest};
use api::ingestion::ListBatchesRequest;
use api::lists::GetListRequest;
use api::training::GetModelRequest;
use chrono::{DateTime, TimeDelta, Utc};
use lake::LakeError;
use online_store::{OnlineStore, RedisStore};
use serde_json::json;
use service_kit::error::{ErrorCode, ServiceError};
use service_kit::tls::{ClientTlsConfig, validity_of};
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

/// The check that reads a list: who operates the suite need not be one who may.
const LIST: &str = "published list";

pub async fn doctor(session: &Session, config: Option<&Configuration>) -> Result<ExitCode, Failure> {
    let mut checks: Vec<Check> = Vec::new();
    if let Some(config) = config {
        let before = Utc::now();
        let stored = storage(config).await;
        let span = (stored.0 == Verdict::Ok).then(|| (before, Utc::now()));
        checks.push(stored);
        if let Some(span) = span {
            checks.extend(clock(config, span).await);
        }
        checks.extend(redis(config).await);
    }
    checks.extend(certificates(config));
    let clients = &session.clients;
    checks.push(reply("ingestion", clients.ingestion().list_batches(ListBatchesRequest::default()).await, |batches| {
        format!("{} batches imported", batches.batches.len())
    }));
    let features = clients.features().list_features(ListFeaturesRequest {}).await;
    let schema = features.as_ref().ok().map(|listed| listed.get_ref().schema_hash.clone());
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
    if let (Ok(model), Some(schema)) = (&champion, &schema)
        && model.get_ref().schema_hash != *schema
    {
        let text = format!(
            "{} was trained on other features ({}): build features and train again",
            model.get_ref().id,
            model.get_ref().schema_hash
        );
        checks.push((Verdict::Fail, "champion's features", text));
    }
    checks.push(reply("champion", champion, |model| model.id.clone()));
    checks.push(reply(LIST, clients.lists().get_list(GetListRequest { id: "latest".to_owned() }).await, |list| {
        format!("{} ({}), {} companies", list.id, list.label_fr, count(list.companies))
    }));

    let failed = checks.iter().any(|(verdict, ..)| *verdict == Verdict::Fail);
    let rows = checks.iter().map(|(verdict, what, text)| vec![verdict.name().to_owned(), (*what).to_owned(), text.clone()]).collect();
    let json = checks.iter().map(|(verdict, what, text)| json!({ "verdict": verdict.name(), "check": what, "detail": text }));
    Output::new(&["verdict", "check", "detail"], rows, json!({ "checks": json.collect::<Vec<_>>() })).print(session.format)?;
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// What a service answered. Nothing done yet is a warning, and so is a list that the caller may not read. A service that does not
/// answer, or refuses what operators need, is a failure.
fn reply<T>(what: &'static str, reply: Result<tonic::Response<T>, Status>, describe: impl FnOnce(&T) -> String) -> Check {
    match reply {
        Ok(reply) => (Verdict::Ok, what, describe(reply.get_ref())),
        Err(status) => {
            let error = ServiceError::from_status(&status);
            let verdict = match error.code() {
                ErrorCode::NoChampion | ErrorCode::NothingPublished | ErrorCode::FeaturesNotBuilt => Verdict::Warn,
                ErrorCode::RightMissing if what == LIST => Verdict::Warn,
                _ => Verdict::Fail,
            };
            (verdict, what, error.to_string())
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

/// Further from other clocks, tokens just issued are not valid yet; S3 refuses what is signed a quarter of an hour away.
const CLOCKS_APART: TimeDelta = TimeDelta::seconds(30);

/// Compares the clock of this machine with that of the storage, which wrote a document within this span.
async fn clock(config: &Configuration, span: (DateTime<Utc>, DateTime<Utc>)) -> Option<Check> {
    let written = connect::open_lake(config).ok()?.objects().describe("pointers").await.ok()?;
    let written = written.into_iter().find(|found| found.path.ends_with("/doctor"))?.modified;
    Some(clock_verdict(span, written))
}

fn clock_verdict((before, after): (DateTime<Utc>, DateTime<Utc>), written: DateTime<Utc>) -> Check {
    let (apart, side) = if before - written > written - after { (before - written, "ahead of") } else { (written - after, "behind") };
    if apart <= CLOCKS_APART {
        return (Verdict::Ok, "clock", "that of the storage".to_owned());
    }
    let text =
        format!("{} s {side} that of the storage: tokens, and later signed requests, are refused; set both by NTP", apart.num_seconds());
    (Verdict::Warn, "clock", text)
}

/// How long the certificates are still good that this program would show.
fn certificates(config: Option<&Configuration>) -> Vec<Check> {
    let paths: Vec<PathBuf> = match config {
        Some(config) => {
            let server = config.server.tls.as_ref().map(|tls| tls.certificate.clone());
            server.into_iter().chain(config.peers.tls.certificate.clone()).collect()
        }
        None => ClientTlsConfig::from_environment().certificate.into_iter().collect(),
    };
    paths.iter().map(|path| certificate(path, validity_of(path), Utc::now().timestamp())).collect()
}

/// A certificate in the last fifth of its time should have been issued anew: cert-manager does so after two thirds.
fn certificate(path: &Path, validity: Result<(i64, i64), ServiceError>, now: i64) -> Check {
    let (begin, end) = match validity {
        Ok(validity) => validity,
        Err(error) => return (Verdict::Fail, "certificate", error.to_string()),
    };
    let day = |time| {
        DateTime::from_timestamp(time, 0).map_or_else(String::new, |time: DateTime<Utc>| time.format("%Y-%m-%d %H:%M UTC").to_string())
    };
    let named = path.display();
    if now >= end {
        (Verdict::Fail, "certificate", format!("{named} ended on {}: issue it anew; it is read again by itself", day(end)))
    } else if now < begin {
        (Verdict::Fail, "certificate", format!("{named} is good from {} only", day(begin)))
    } else if end - now < (end - begin) / 5 {
        (Verdict::Warn, "certificate", format!("{named} ends on {}: it should have been issued anew by now", day(end)))
    } else {
        (Verdict::Ok, "certificate", format!("{named}, until {}", day(end)))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operator_may_lack_the_right_to_the_list_and_no_other() {
        let verdict = |what, code| reply::<()>(what, Err(ServiceError::new(code, "no").into()), |()| String::new()).0.name();
        assert_eq!(verdict(LIST, ErrorCode::RightMissing), "WARN");
        assert_eq!(verdict("ingestion", ErrorCode::RightMissing), "FAIL");
        assert_eq!(verdict("champion", ErrorCode::NoChampion), "WARN", "nothing was done yet");
        assert_eq!(verdict(LIST, ErrorCode::Unreachable), "FAIL");
    }

    #[test]
    fn clocks_may_differ_by_half_a_minute() {
        let before = DateTime::from_timestamp(1_764_000_000, 0).unwrap();
        // The write took a minute.
        let span = (before, before + TimeDelta::seconds(60));
        let cases =
            [(0, "OK", ""), (60, "OK", ""), (-30, "OK", ""), (90, "OK", ""), (-31, "WARN", "31 s ahead"), (460, "WARN", "400 s behind")];
        for (seconds, verdict, says) in cases {
            let (found, _, text) = clock_verdict(span, before + TimeDelta::seconds(seconds));
            assert_eq!(found.name(), verdict, "{seconds}: {text}");
            assert!(text.starts_with(says), "{seconds}: {text}");
        }
    }

    #[test]
    fn certificates_are_told_before_they_end() {
        let at = |now| certificate(Path::new("a.pem"), Ok((1_000, 2_000)), now).0.name();
        let cases = [(999, "FAIL"), (1_000, "OK"), (1_800, "OK"), (1_801, "WARN"), (1_999, "WARN"), (2_000, "FAIL")];
        for (now, verdict) in cases {
            assert_eq!(at(now), verdict, "{now}");
        }
    }
}
