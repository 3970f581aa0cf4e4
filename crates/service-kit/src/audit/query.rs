//! `AuditService`: what the trail of all processes holds.

use std::io::{BufRead, BufReader};
use std::time::SystemTime;

use api::audit::audit_service_server::AuditService;
use api::audit::{AuditRecord, QueryAuditRequest, QueryAuditResponse};
use api::google::r#type::Date;
use chrono::{NaiveDate, Utc};
use flate2::read::GzDecoder;
use futures::stream::{self, StreamExt, TryStreamExt};
use lake::{Lake, LakeError};
use tonic::{Request, Response, Status};

use super::trail::{FOLDER, Trail, corrupt};
use super::{Audited, Record, about};
use crate::error::{ErrorCode, ServiceError};
use crate::paging;

/// Records of a page by default, and at most.
const PAGE: usize = 100;
const LARGEST: usize = 1_000;
/// Days of one question, at most.
const DAYS: i64 = 366;
/// Objects that are looked through for a page, at most, and read at a time.
const OBJECTS: usize = 500;
const READS: usize = 16;

/// The service.
pub struct Audits {
    /// Where the records are.
    pub lake: Lake,
    /// That of this process, whose latest records are stored before it is asked.
    pub trail: Trail,
}

/// Which records are asked for.
struct Wanted {
    from: NaiveDate,
    to: NaiveDate,
    subject: String,
    siren: String,
    method: String,
}

impl Wanted {
    fn of(request: &QueryAuditRequest) -> Result<Self, ServiceError> {
        let today = Utc::now().date_naive();
        let from = request.from.as_ref().map_or(Ok(today), day)?;
        let to = request.to.as_ref().map_or(Ok(today), day)?;
        if to < from || (to - from).num_days() >= DAYS {
            return Err(argument(format!("from {from} to {to} is not a period of at most {DAYS} days")));
        }
        Ok(Self { from, to, subject: request.subject.clone(), siren: request.siren.clone(), method: request.method.clone() })
    }

    fn has(&self, record: &Record) -> bool {
        (self.subject.is_empty() || record.subject == self.subject)
            && (self.siren.is_empty() || record.sirens.contains(&self.siren))
            && record.method.ends_with(&self.method)
    }
}

impl Audits {
    async fn query(&self, request: &QueryAuditRequest) -> Result<QueryAuditResponse, ServiceError> {
        let wanted = Wanted::of(request)?;
        let size = paging::size(request.page_size, PAGE, LARGEST)?;
        let (after, mut skipped) = parse_token(&request.page_token)?;
        self.trail.flush().await?;
        let (mut response, mut looked) = (QueryAuditResponse::default(), 0);
        for day in self.days(&wanted).await.map_err(|error| unreadable(&error))? {
            let paths = self.objects(&day, &after).await.map_err(|error| unreadable(&error))?;
            let lake = self.lake.clone();
            let read = move |path: String| {
                let lake = lake.clone();
                async move { read_object(&lake, &path).await }
            };
            let mut objects = stream::iter(paths.clone()).map(read).buffered(READS);
            for path in &paths {
                if looked == OBJECTS {
                    response.next_page_token = format!("{path}:0");
                    return Ok(response);
                }
                looked += 1;
                let Some(records) = objects.try_next().await.map_err(|error| unreadable(&error))? else { break };
                let start = if *path == after { std::mem::take(&mut skipped) } else { 0 };
                for (at, record) in records.into_iter().enumerate().skip(start) {
                    if !wanted.has(&record) {
                        continue;
                    }
                    if response.records.len() == size {
                        response.next_page_token = format!("{path}:{at}");
                        return Ok(response);
                    }
                    response.records.push(reply(record));
                }
            }
        }
        Ok(response)
    }

    /// Days that are asked for and have records, in order.
    async fn days(&self, wanted: &Wanted) -> Result<Vec<String>, LakeError> {
        let days = self.lake.objects().folders(FOLDER).await?;
        Ok(days.into_iter().filter(|day| day.parse().is_ok_and(|day| (wanted.from..=wanted.to).contains(&day))).collect())
    }

    /// Paths of the objects of a day from one on, in the order of time.
    async fn objects(&self, day: &str, from: &str) -> Result<Vec<String>, LakeError> {
        let folder = format!("{FOLDER}/{day}");
        // Every object of an earlier day comes before.
        if !from.is_empty() && !from.starts_with(&folder) && folder.as_str() < from {
            return Ok(Vec::new());
        }
        let paths = self.lake.objects().list(&folder).await?;
        Ok(paths.into_iter().filter(|path| path.as_str() >= from).collect())
    }
}

/// The records of an object. A line that is not a record is corruption, not something to leave out.
pub(super) async fn read_object(lake: &Lake, path: &str) -> Result<Vec<Record>, LakeError> {
    let bytes = lake.objects().get(path).await?;
    let lines = BufReader::new(GzDecoder::new(bytes.as_ref())).lines();
    let record = |line: std::io::Result<String>| {
        let line = line.map_err(|error| corrupt(path, error))?;
        serde_json::from_str(&line).map_err(|error| corrupt(path, error))
    };
    lines.map(record).collect()
}

fn parse_token(token: &str) -> Result<(String, usize), ServiceError> {
    if token.is_empty() {
        return Ok((String::new(), 0));
    }
    let parts = token.rsplit_once(':').and_then(|(path, at)| Some((path.to_owned(), at.parse().ok()?)));
    parts.ok_or_else(|| ServiceError::new(ErrorCode::PageToken, "page_token is none that an earlier page gave"))
}

fn day(date: &Date) -> Result<NaiveDate, ServiceError> {
    let parts = (u32::try_from(date.month), u32::try_from(date.day));
    let (Ok(month), Ok(day)) = parts else { return Err(argument("from and to are days")) };
    NaiveDate::from_ymd_opt(date.year, month, day).ok_or_else(|| argument("from and to are days"))
}

fn argument(why: impl Into<String>) -> ServiceError {
    ServiceError::new(ErrorCode::InvalidArgument, why)
}

fn unreadable(error: &LakeError) -> ServiceError {
    let code = if matches!(error, LakeError::Corrupt { .. }) { ErrorCode::StorageCorrupt } else { ErrorCode::StorageUnavailable };
    ServiceError::new(code, format!("the audit cannot be read: {error}"))
}

fn reply(record: Record) -> AuditRecord {
    AuditRecord {
        at: Some(SystemTime::from(record.at).into()),
        subject: record.subject,
        segment: record.segment,
        method: record.method,
        outcome: record.outcome,
        purpose: record.purpose,
        list_id: record.list_id,
        sirens: record.sirens,
        rows: record.rows,
        question: record.question,
    }
}

#[tonic::async_trait]
impl AuditService for Audits {
    async fn query_audit(&self, request: Request<QueryAuditRequest>) -> Result<Response<QueryAuditResponse>, Status> {
        let request = request.into_inner();
        let response = self.query(&request).await?;
        let audited = Audited {
            sirens: if request.siren.is_empty() { Vec::new() } else { vec![request.siren] },
            rows: Some(response.records.len() as u64),
            question: format!("subject={} method={}", request.subject, request.method),
            ..Audited::default()
        };
        Ok(about(Response::new(response), audited))
    }
}

#[cfg(test)]
mod tests {
    use super::super::AuditConfig;
    use super::*;
    use crate::auth::Principal;

    fn record(subject: &str, method: &str, siren: &str) -> Record {
        let principal = Principal { subject: subject.into(), ..Principal::local() };
        let audited = Audited { sirens: vec![siren.into()], ..Audited::default() };
        Record::of(&principal, method, String::new(), &axum::http::HeaderMap::new(), audited)
    }

    #[tokio::test]
    async fn records_are_found_by_who_what_and_when_page_by_page() {
        let folder = tempfile::tempdir().unwrap();
        let lake = Lake::open(folder.path().to_str().unwrap(), &lake::LakeOptions::default()).unwrap();
        let trail = Trail::new(lake.clone(), &AuditConfig { flush_seconds: 3_600, ..AuditConfig::default() });
        for number in 0..7 {
            let record = record(if number % 2 == 0 { "a" } else { "b" }, "/lists/ExportList", if number < 4 { "1" } else { "2" });
            trail.keep(&record).unwrap();
            if number % 3 == 0 {
                trail.flush().await.unwrap();
            }
        }
        let audits = Audits { lake, trail };
        let ask = |subject: &str, siren: &str, method: &str, size: i32, token: &str| QueryAuditRequest {
            subject: subject.into(),
            siren: siren.into(),
            method: method.into(),
            page_size: size,
            page_token: token.into(),
            ..QueryAuditRequest::default()
        };
        let count = async |request| audits.query(&request).await.unwrap().records.len();
        assert_eq!(count(ask("", "", "", 0, "")).await, 7);
        assert_eq!(count(ask("a", "", "ExportList", 0, "")).await, 4);
        assert_eq!(count(ask("a", "1", "", 0, "")).await, 2);
        assert_eq!(count(ask("", "", "GetRankedList", 0, "")).await, 0);
        let yesterday = Date { year: 2020, month: 1, day: 1 };
        let past = QueryAuditRequest { from: Some(yesterday), to: Some(yesterday), ..QueryAuditRequest::default() };
        assert_eq!(count(past).await, 0);
        let (mut walked, mut token) = (Vec::new(), String::new());
        loop {
            let page = audits.query(&ask("", "", "", 2, &token)).await.unwrap();
            assert!(page.records.len() <= 2);
            walked.extend(page.records);
            token = page.next_page_token;
            if token.is_empty() {
                break;
            }
        }
        assert_eq!(walked, audits.query(&ask("", "", "", 0, "")).await.unwrap().records);
        // A page looks through so many objects and no more, and the next one goes on there.
        let quiet = record("c", "/a", "3");
        for _ in 0..OBJECTS {
            audits.trail.keep(&quiet).unwrap();
            audits.trail.flush().await.unwrap();
        }
        let first = audits.query(&ask("", "3", "/b", 0, "")).await.unwrap();
        assert!(first.records.is_empty() && !first.next_page_token.is_empty());
        let second = audits.query(&ask("", "3", "/b", 0, &first.next_page_token)).await.unwrap();
        assert_eq!((second.records.len(), second.next_page_token.as_str()), (0, ""));
        let wrong = QueryAuditRequest { from: Some(yesterday), ..QueryAuditRequest::default() };
        assert_eq!(audits.query(&wrong).await.unwrap_err().code(), ErrorCode::InvalidArgument);
        assert_eq!(audits.query(&ask("", "", "", 0, "x")).await.unwrap_err().code(), ErrorCode::PageToken);
    }
}
