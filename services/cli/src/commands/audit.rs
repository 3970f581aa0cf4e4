//! `sf audit`: who asked for what.

use api::audit::{AuditRecord, QueryAuditRequest};
use api::google::r#type::Date;
use chrono::{DateTime, Datelike, NaiveDate, SecondsFormat};
use prost_types::Timestamp;
use serde_json::{Value, json};

use super::Session;
use crate::args::Audit;
use crate::failure::Failure;
use crate::output::Output;

/// Records asked for in one page.
const PAGE: u32 = 1_000;

pub async fn audit(session: &Session, asked: Audit) -> Result<(), Failure> {
    let mut client = session.clients.audit();
    let mut request = QueryAuditRequest {
        from: asked.from.map(date),
        to: asked.to.map(date),
        subject: asked.subject,
        siren: asked.siren.map(|siren| siren.to_string()).unwrap_or_default(),
        method: asked.method,
        page_size: asked.limit.min(PAGE) as i32,
        page_token: String::new(),
    };
    let mut records: Vec<AuditRecord> = Vec::new();
    loop {
        let page = client.query_audit(request.clone()).await?.into_inner();
        records.extend(page.records);
        if page.next_page_token.is_empty() || records.len() >= asked.limit as usize {
            break;
        }
        request.page_token = page.next_page_token;
    }
    records.truncate(asked.limit as usize);
    let rows = records.iter().map(|record| {
        let method = record.method.rsplit('/').next().unwrap_or_default().to_owned();
        let what = [record.list_id.clone(), record.sirens.join(" "), record.question.clone()].join(" ");
        vec![at(record), record.subject.clone(), method, record.outcome.clone(), record.purpose.clone(), what.trim().to_owned()]
    });
    let json = records.iter().map(|record| {
        json!({
            "at": at(record), "subject": record.subject, "segment": record.segment, "method": record.method, "outcome": record.outcome,
            "purpose": record.purpose, "list": record.list_id, "sirens": record.sirens, "rows": record.rows, "question": record.question,
        })
    });
    let output = Output::new(&["at", "subject", "method", "outcome", "purpose", "what"], rows.collect(), Value::Array(json.collect()));
    // Without names there is nothing to record, which an empty table does not say.
    let note = "No record. Services keep one of each request where they have an identity provider ([auth]).";
    if records.is_empty() { output.note(note) } else { output }.print(session.format)
}

fn at(record: &AuditRecord) -> String {
    record.at.as_ref().map(moment).unwrap_or_default()
}

/// A moment, in UTC.
pub fn moment(at: &Timestamp) -> String {
    let moment = DateTime::from_timestamp(at.seconds, at.nanos.unsigned_abs());
    moment.map(|moment| moment.to_rfc3339_opts(SecondsFormat::Secs, true)).unwrap_or_default()
}

fn date(day: NaiveDate) -> Date {
    Date { year: day.year(), month: day.month() as i32, day: day.day() as i32 }
}
