//! The trail of a process: records in memory, and from time to time in one more object of `audit/<day>/`.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use bytes::Bytes;
use chrono::{Days, NaiveDate, Utc};
use flate2::Compression;
use flate2::write::GzEncoder;
use lake::{Lake, LakeError};
use telemetry::{Attribute, counter};
use tokio::sync::Notify;

use super::{AuditConfig, Record};
use crate::error::{ErrorCode, ServiceError};

/// Folder of the records.
pub(super) const FOLDER: &str = "audit";
/// Bytes of lines that are worth a write before its time.
const ENOUGH: usize = 4 * 1024 * 1024;
/// Bytes of lines that wait for storage, at most: some hundred thousand records.
const MOST: usize = 64 * 1024 * 1024;
/// How long a request waits for its record to be stored.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often the last records are tried when a process ends.
const LAST_TRIES: u32 = 5;

/// Where records go. One that is off keeps none.
#[derive(Clone, Default)]
pub struct Trail(Option<Arc<Inner>>);

struct Inner {
    lake: Lake,
    config: AuditConfig,
    /// Makes the names of this process's objects its own.
    instance: String,
    written: AtomicU64,
    /// Lines that are not stored yet, by the day of their records.
    waiting: Mutex<BTreeMap<NaiveDate, Vec<u8>>>,
    /// The object that is being written. A failed write is tried again under the same name: it may have been done.
    writing: tokio::sync::Mutex<Option<(String, Bytes)>>,
    enough: Notify,
}

impl Trail {
    /// A trail that keeps nothing.
    pub const fn off() -> Self {
        Self(None)
    }

    /// A trail in a lake. It writes for as long as it is used.
    pub fn new(lake: Lake, config: &AuditConfig) -> Self {
        let instance = uuid::Uuid::new_v4().simple().to_string()[..12].to_owned();
        let inner = Arc::new(Inner {
            lake,
            config: config.clone(),
            instance,
            written: AtomicU64::new(0),
            waiting: Mutex::default(),
            writing: tokio::sync::Mutex::default(),
            enough: Notify::new(),
        });
        tokio::spawn(write_on(Arc::downgrade(&inner), Duration::from_secs(config.flush_seconds.max(1))));
        Self(Some(inner))
    }

    /// Whether records are kept.
    pub const fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// Keeps a record. Fails when too many wait for storage: who asked must then not be answered.
    pub fn keep(&self, record: &Record) -> Result<(), ServiceError> {
        let Some(inner) = &self.0 else { return Ok(()) };
        let mut line = serde_json::to_vec(record).map_err(|error| ServiceError::new(ErrorCode::Internal, error.to_string()))?;
        line.push(b'\n');
        let bytes = {
            let mut waiting = inner.waiting();
            let bytes: usize = waiting.values().map(Vec::len).sum();
            if bytes + line.len() > MOST {
                counter("sf.audit.records").add(1, &[Attribute::new("outcome", "refused")]);
                let why = "requests cannot be recorded, because storage has not answered for a long time: try again later";
                return Err(ServiceError::new(ErrorCode::AuditUnavailable, why));
            }
            counter("sf.audit.records").add(1, &[Attribute::new("outcome", "kept")]);
            waiting.entry(record.at.date_naive()).or_default().append(&mut line);
            bytes
        };
        if bytes > ENOUGH {
            inner.enough.notify_one();
        }
        Ok(())
    }

    /// Stores what is kept so far; gives up waiting for it after a few seconds.
    pub async fn flush(&self) -> Result<(), ServiceError> {
        let Some(inner) = self.0.clone() else { return Ok(()) };
        // A task of its own: a caller who is gone must not take records with them.
        let written = tokio::spawn(async move { inner.flush().await });
        let why = match tokio::time::timeout(PATIENCE, written).await {
            Ok(Ok(Ok(()))) => return Ok(()),
            Ok(Ok(Err(error))) => error.to_string(),
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("it did not answer within {} s", PATIENCE.as_secs()),
        };
        let message = format!("the request cannot be recorded, because storage is away ({why}): try again later");
        Err(ServiceError::new(ErrorCode::AuditUnavailable, message))
    }

    /// Stores the last records, before a process ends.
    pub async fn close(&self) {
        for _ in 0..LAST_TRIES {
            let Err(error) = self.flush().await else { return };
            tracing::warn!(%error, "the last records of the audit are not stored yet");
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        tracing::error!("records of the audit are lost: storage was away to the end");
    }
}

impl Inner {
    fn waiting(&self) -> MutexGuard<'_, BTreeMap<NaiveDate, Vec<u8>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn flush(&self) -> Result<(), LakeError> {
        let mut writing = self.writing.lock().await;
        loop {
            if writing.is_none() {
                let Some((day, lines)) = self.waiting().pop_first() else { return Ok(()) };
                let number = self.written.fetch_add(1, Ordering::Relaxed);
                // Names sort by time.
                let name = format!("{}-{}-{number:08}.jsonl.gz", Utc::now().format("%H%M%S%3f"), self.instance);
                let path = format!("{FOLDER}/{day}/{name}");
                let bytes = compressed(&path, lines).await?;
                *writing = Some((path, bytes));
            }
            if let Some((path, bytes)) = &*writing {
                self.lake.objects().put_new(path, bytes.clone()).await?;
            }
            *writing = None;
        }
    }

    /// Removes the days that are over.
    async fn forget(&self, today: NaiveDate) -> Result<(), LakeError> {
        let objects = self.lake.objects();
        let Some(first) = today.checked_sub_days(Days::new(self.config.retention_days.into())) else { return Ok(()) };
        for day in objects.folders(FOLDER).await? {
            if day.parse::<NaiveDate>().is_ok_and(|day| day < first) {
                for path in objects.list(&format!("{FOLDER}/{day}")).await? {
                    objects.delete(&path).await?;
                }
            }
        }
        Ok(())
    }
}

/// What cannot be read or made.
pub(super) fn corrupt(path: &str, error: impl std::fmt::Display) -> LakeError {
    LakeError::Corrupt { path: path.to_owned(), reason: error.to_string() }
}

async fn compressed(path: &str, lines: Vec<u8>) -> Result<Bytes, LakeError> {
    let work = move || {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(&lines).and_then(|()| encoder.finish()).map(Bytes::from)
    };
    match tokio::task::spawn_blocking(work).await {
        Ok(bytes) => bytes.map_err(|error| corrupt(path, error)),
        Err(error) => Err(corrupt(path, error)),
    }
}

/// Writes from time to time, and forgets once a day.
async fn write_on(trail: Weak<Inner>, every: Duration) {
    let mut forgotten = None;
    loop {
        let Some(inner) = trail.upgrade() else { return };
        tokio::select! {
            () = tokio::time::sleep(every) => {}
            () = inner.enough.notified() => {}
        }
        if let Err(error) = inner.flush().await {
            tracing::warn!(%error, "the audit cannot be stored; its records wait");
            continue;
        }
        let today = Utc::now().date_naive();
        if forgotten != Some(today) {
            match inner.forget(today).await {
                Ok(()) => forgotten = Some(today),
                Err(error) => tracing::warn!(%error, "old records of the audit cannot be removed"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use lake::faults::{Fault, Faulty};

    use super::super::Audited;
    use super::super::query::read_object;
    use super::*;
    use crate::auth::Principal;

    fn record(method: &str) -> Record {
        Record::of(&Principal::local(), method, String::new(), &axum::http::HeaderMap::new(), Audited::default())
    }

    /// Never writes by itself.
    fn quiet() -> AuditConfig {
        AuditConfig { flush_seconds: 3_600, ..AuditConfig::default() }
    }

    async fn methods(lake: &Lake) -> Vec<String> {
        let mut methods: Vec<String> = Vec::new();
        for path in lake.objects().list(FOLDER).await.unwrap() {
            methods.extend(read_object(lake, &path).await.unwrap().into_iter().map(|record| record.method));
        }
        methods
    }

    #[tokio::test]
    async fn records_are_stored_once_whatever_becomes_of_the_answers() {
        for fault in [Fault::AnswerLost, Fault::SentTwice, Fault::Refused] {
            let (lake, store) = Faulty::lake();
            let trail = Trail::new(lake.clone(), &quiet());
            trail.keep(&record("/a")).unwrap();
            store.fail(FOLDER, fault);
            let first = trail.flush().await;
            assert_eq!(first.is_err(), fault != Fault::SentTwice, "{fault:?}");
            trail.keep(&record("/b")).unwrap();
            trail.flush().await.unwrap();
            trail.flush().await.unwrap();
            assert_eq!(methods(&lake).await, ["/a", "/b"], "{fault:?}");
        }
    }

    #[tokio::test]
    async fn when_too_many_wait_requests_are_refused_and_accepted_again_once_they_are_stored() {
        let (lake, _) = Faulty::lake();
        let trail = Trail::new(lake.clone(), &quiet());
        let large = Record { question: "x".repeat(MOST / 4), ..record("/a") };
        let kept = (0..5).filter(|_| trail.keep(&large).is_ok()).count();
        assert_eq!(kept, 3);
        assert_eq!(trail.keep(&large).unwrap_err().code(), ErrorCode::AuditUnavailable);
        trail.flush().await.unwrap();
        assert!(trail.keep(&record("/b")).is_ok());
    }

    #[tokio::test]
    async fn days_that_are_over_are_removed_and_the_others_stay() {
        let (lake, _) = Faulty::lake();
        for day in ["2025-11-25", "2025-11-26", "2026-11-26"] {
            lake.objects().put(&format!("{FOLDER}/{day}/x.jsonl.gz"), Bytes::from_static(b"x")).await.unwrap();
        }
        let Trail(Some(inner)) = Trail::new(lake.clone(), &quiet()) else { unreachable!() };
        inner.forget("2026-11-26".parse().unwrap()).await.unwrap();
        assert_eq!(lake.objects().folders(FOLDER).await.unwrap(), ["2025-11-26", "2026-11-26"]);
    }

    #[tokio::test]
    async fn a_trail_that_is_off_keeps_nothing() {
        let trail = Trail::off();
        assert!(!trail.is_on() && trail.keep(&record("/a")).is_ok() && trail.flush().await.is_ok());
    }
}
