//! Long-running operations: jobs that outlive the process that started them.
//!
//! The state of a job is a document changed by compare-and-swap. Its owner renews a lease while it works; once a dead owner
//! has been silent for that long (`leases`), any replica that knows the kind of job takes it over and runs it again from the
//! start: jobs are idempotent. Asking for a job that is running gives the running one; asking for another in the place of an
//! abandoned one replaces it.

mod leases;
mod observed;
mod record;
mod server;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use api::google::longrunning::Operation;
use futures::FutureExt;
use futures::future::BoxFuture;
use lake::{Lake, LakeError, Version};
use prost::Message;
use sha2::{Digest, Sha256};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tracing::Instrument;
use uuid::Uuid;

use self::leases::{Leases, Owner};
use self::observed::Observed;
pub use record::{Progress, Record, State};
pub use server::OperationsService;

use crate::config::JobsConfig;
use crate::error::{ErrorCode, ServiceError};

/// Between two looks at an operation that may end in another process.
const ELSEWHERE: Duration = Duration::from_millis(200);

/// A kind of job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kind {
    /// Service that runs it; first part of the names of its operations.
    pub service: &'static str,
    /// Name, for example `import`.
    pub name: &'static str,
    /// Full name of the response's message.
    pub response: &'static str,
}

/// How a running job tells how far it is.
#[derive(Clone, Default)]
pub struct JobProgress(Arc<Mutex<Progress>>);

impl JobProgress {
    /// Says how many units are done, of how many.
    pub fn set(&self, done: u64, total: u64, unit: &str, message: &str) {
        let mut progress = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *progress = Progress { done, total, unit: unit.to_owned(), message: message.to_owned() };
    }

    fn get(&self) -> Progress {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

type Handler = Arc<dyn Fn(Vec<u8>, JobProgress) -> BoxFuture<'static, Result<Vec<u8>, ServiceError>> + Send + Sync>;

/// The jobs of a process. Cheap to clone.
#[derive(Clone)]
pub struct Jobs {
    inner: Arc<Inner>,
}

struct Inner {
    lake: Lake,
    owner: String,
    lease: Duration,
    leases: Leases,
    /// Names and runs of the operations that this process works on.
    held: Mutex<BTreeSet<(String, u32)>>,
    handlers: Mutex<BTreeMap<&'static str, (Kind, Handler)>>,
    /// Told whenever a job of this process has ended.
    ended: Notify,
}

impl Jobs {
    /// Jobs stored in this lake, owned by this process.
    pub fn new(lake: Lake, config: &JobsConfig) -> Self {
        let owner = format!("{}-{}", std::process::id(), Uuid::now_v7().simple());
        let lease = Duration::from_secs(config.lease_seconds.max(1));
        let (leases, handlers, ended) = (Leases::new(lease, Instant::now()), Mutex::default(), Notify::new());
        Self { inner: Arc::new(Inner { lake, owner, lease, leases, held: Mutex::default(), handlers, ended }) }
    }

    /// Declares a kind of job and what runs it. The handler must be idempotent: it may run again after a crash.
    pub fn register<Req, Res, Fut>(&self, kind: Kind, handler: impl Fn(Req, JobProgress) -> Fut + Send + Sync + 'static)
    where
        Req: Message + Default,
        Res: Message,
        Fut: Future<Output = Result<Res, ServiceError>> + Send + 'static,
    {
        let handler: Handler = Arc::new(move |request, progress| match Req::decode(request.as_slice()) {
            Ok(request) => {
                let job = handler(request, progress);
                async move { job.await.map(|response| response.encode_to_vec()) }.boxed()
            }
            Err(error) => {
                let error = ServiceError::new(ErrorCode::OperationCrashed, format!("the stored request cannot be read: {error}"));
                async move { Err(error) }.boxed()
            }
        });
        self.inner.handlers.lock().unwrap_or_else(PoisonError::into_inner).insert(kind.name, (kind, handler));
    }

    /// Starts a job, or gives the running one of the same request.
    pub async fn start(&self, kind: Kind, request: &impl Message) -> Result<Operation, ServiceError> {
        let request = request.encode_to_vec();
        let id = hex::encode(&Sha256::digest([kind.name.as_bytes(), &request].concat())[..8]);
        self.start_named(kind, &id, &hex::encode(&request)).await
    }

    /// The same for jobs that would undo each other's work: one of this kind runs at a time on a subject, for example a
    /// batch. Fails with `OperationBusy` while one of another request runs.
    pub async fn start_alone(&self, kind: Kind, subject: &str, request: &impl Message) -> Result<Operation, ServiceError> {
        self.start_named(kind, subject, &hex::encode(request.encode_to_vec())).await
    }

    async fn start_named(&self, kind: Kind, id: &str, request: &str) -> Result<Operation, ServiceError> {
        let name = format!("operations/{}/{}-{id}", kind.service, kind.name);
        loop {
            let stored = self.read(&name).await?;
            if let Some((record, _)) = stored.as_ref().filter(|(record, _)| record.state == State::Running) {
                let owner = self.owner_of(record);
                if owner != Owner::Gone && record.request == request {
                    self.attend(name);
                    return Ok(record.operation(kind.response));
                }
                match owner {
                    Owner::Working => return Err(busy(&name)),
                    Owner::Unknown => {
                        sleep(ELSEWHERE).await;
                        continue;
                    }
                    Owner::Gone => {}
                }
            }
            let record = Record {
                name: name.clone(),
                kind: kind.name.to_owned(),
                run: stored.as_ref().map_or(0, |(record, _)| record.run) + 1,
                request: request.to_owned(),
                state: State::Running,
                owner: self.inner.owner.clone(),
                lease_until: self.lease_end(),
                cancelled: false,
                progress: Progress::default(),
                response: String::new(),
                error: String::new(),
            };
            match self.write(stored.as_ref().map(|(_, version)| version), &record).await {
                Ok(version) => {
                    let operation = record.operation(kind.response);
                    self.run(record, version);
                    return Ok(operation);
                }
                Err(LakeError::Conflict(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Looks for jobs of dead owners, now and as long as this process lives.
    pub fn watch(&self) {
        let jobs = self.clone();
        tokio::spawn(async move {
            loop {
                if let Err(error) = jobs.take_over().await {
                    tracing::warn!(%error, "abandoned operations cannot be looked for; trying again");
                }
                sleep(jobs.inner.lease / 3).await;
            }
        });
    }

    /// Sees an operation that somebody here waits for to its end, whatever happens to its owners.
    fn attend(&self, name: String) {
        let jobs = self.clone();
        tokio::spawn(async move {
            loop {
                match jobs.attended(&name).await {
                    Ok(true) => return,
                    Ok(false) => {}
                    Err(error) => tracing::warn!(operation = name, %error, "an operation waited for cannot be looked at; trying again"),
                }
                sleep(jobs.inner.lease / 3).await;
            }
        });
    }

    /// Claims an operation if it is abandoned; says whether it has ended or is in hand here.
    async fn attended(&self, name: &str) -> Result<bool, LakeError> {
        self.claim(name).await?;
        let stored = self.read(name).await?;
        Ok(stored.is_none_or(|(record, _)| record.state != State::Running || self.inner.holds(&record)))
    }

    /// The operation of this name.
    pub async fn get(&self, name: &str) -> Result<Operation, ServiceError> {
        let (record, _) = self.read(name).await?.ok_or_else(|| not_found(name))?;
        Ok(record.operation(self.response_of(&record.kind)))
    }

    /// Operations of the services of this process, by name.
    pub async fn list(&self) -> Result<Vec<Operation>, ServiceError> {
        let records = self.records().await?;
        Ok(records.iter().map(|record| record.operation(self.response_of(&record.kind))).collect())
    }

    /// Asks the owner of a running operation to stop it.
    pub async fn cancel(&self, name: &str) -> Result<(), ServiceError> {
        loop {
            let (mut record, version) = self.read(name).await?.ok_or_else(|| not_found(name))?;
            if record.state != State::Running {
                return Ok(());
            }
            record.cancelled = true;
            match self.write(Some(&version), &record).await {
                Ok(_) => return Ok(()),
                Err(LakeError::Conflict(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// The operation once it has ended, or as it is after `limit`. One that ends in this process is seen at once.
    pub async fn wait(&self, name: &str, limit: Duration) -> Result<Operation, ServiceError> {
        let end = Instant::now() + limit;
        loop {
            // Listens before it looks, so that no end falls in between.
            let ended = self.inner.ended.notified();
            let operation = self.get(name).await?;
            if operation.done || timeout_at(end, timeout(ELSEWHERE, ended)).await.is_err() {
                return Ok(operation);
            }
        }
    }

    fn response_of(&self, kind: &str) -> &'static str {
        let handlers = self.inner.handlers.lock().unwrap_or_else(PoisonError::into_inner);
        handlers.get(kind).map_or("google.protobuf.Empty", |(kind, _)| kind.response)
    }

    fn lease_end(&self) -> i64 {
        now() + self.inner.lease.as_millis() as i64
    }

    /// What is known of the owner of an operation.
    fn owner_of(&self, record: &Record) -> Owner {
        if self.inner.holds(record) { Owner::Working } else { self.inner.leases.owner(record, Instant::now(), now()) }
    }

    async fn read(&self, name: &str) -> Result<Option<(Record, Version)>, LakeError> {
        if !name.starts_with("operations/") || name.contains("..") {
            return Ok(None);
        }
        self.inner.lake.versioned(name).read().await
    }

    async fn write(&self, expected: Option<&Version>, record: &Record) -> Result<Version, LakeError> {
        self.inner.lake.versioned(&record.name).compare_and_swap(expected, record).await
    }

    /// Operations of the services that have a handler here.
    async fn records(&self) -> Result<Vec<Record>, LakeError> {
        let services: BTreeSet<&str> = {
            let handlers = self.inner.handlers.lock().unwrap_or_else(PoisonError::into_inner);
            handlers.values().map(|(kind, _)| kind.service).collect()
        };
        let mut records = Vec::new();
        for service in services {
            for name in self.inner.lake.objects().list(&format!("operations/{service}")).await? {
                records.extend(self.read(&name).await?.map(|(record, _)| record));
            }
        }
        Ok(records)
    }

    async fn take_over(&self) -> Result<(), LakeError> {
        let gone = |record: &Record| self.owner_of(record) == Owner::Gone && record.state == State::Running;
        for abandoned in self.records().await?.into_iter().filter(gone) {
            self.claim(&abandoned.name).await?;
        }
        Ok(())
    }

    /// Makes an abandoned operation that this process can run its own, and runs it. Another process may be faster.
    async fn claim(&self, name: &str) -> Result<(), LakeError> {
        let Some((mut record, version)) = self.read(name).await? else { return Ok(()) };
        let known = self.inner.handlers.lock().unwrap_or_else(PoisonError::into_inner).contains_key(record.kind.as_str());
        if !known || record.state != State::Running || self.owner_of(&record) != Owner::Gone {
            return Ok(());
        }
        tracing::info!(operation = record.name, from = record.owner, "taking over an abandoned operation");
        record.owner.clone_from(&self.inner.owner);
        record.lease_until = self.lease_end();
        match self.write(Some(&version), &record).await {
            Ok(version) => self.run(record, version),
            Err(LakeError::Conflict(_)) => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Runs the job of a record that this process owns.
    fn run(&self, record: Record, version: Version) {
        let handler = self
            .inner
            .handlers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(record.kind.as_str())
            .map(|(_, handler)| handler.clone());
        let Some(handler) = handler else {
            tracing::error!(kind = record.kind, "no handler for a job that was started here");
            return;
        };
        let jobs = self.clone();
        // Here, and not in the task: it belongs to the request that asked for it.
        let observed = Observed::begin(&record);
        let holding = Holding::begin(self.inner.clone(), &record);
        tokio::spawn(async move {
            let _holding = holding;
            let progress = JobProgress::default();
            let request = hex::decode(&record.request).unwrap_or_default();
            let mut job = tokio::spawn(handler(request, progress.clone()).instrument(observed.span.clone()));
            let mut held = (record, version);
            let result = loop {
                tokio::select! {
                    ended = &mut job => break ended.unwrap_or_else(|error| Err(crashed(&error))),
                    () = sleep(jobs.inner.lease / 3) => match jobs.renew(&held, progress.get()).await {
                        Ok(Some(renewed)) if renewed.0.cancelled => {
                            job.abort();
                            held = renewed;
                            break Err(ServiceError::new(ErrorCode::OperationCancelled, "the operation was cancelled"));
                        }
                        Ok(Some(renewed)) => held = renewed,
                        Ok(None) => {
                            tracing::warn!(operation = held.0.name, "another process took the operation over: stopping here");
                            job.abort();
                            return;
                        }
                        // The lease may still be renewed at the next turn; if not, another process takes over.
                        Err(error) => tracing::warn!(operation = held.0.name, %error, "the lease could not be renewed"),
                    },
                }
            };
            observed.end(result.as_ref().map(drop));
            if let Err(error) = &result {
                tracing::warn!(operation = held.0.name, %error, "operation failed");
            }
            jobs.end(held, progress.get(), result).await;
        });
    }

    /// Renews the lease and stores the progress. `None` when this process owns the operation no more.
    async fn renew(&self, held: &(Record, Version), progress: Progress) -> Result<Option<(Record, Version)>, LakeError> {
        let Some((mut record, version)) = self.read(&held.0.name).await? else { return Ok(None) };
        if record.owner != self.inner.owner || record.run != held.0.run {
            return Ok(None);
        }
        record.progress = progress;
        record.lease_until = self.lease_end();
        match self.write(Some(&version), &record).await {
            Ok(version) => Ok(Some((record, version))),
            // Somebody asked to cancel in between: seen at the next turn.
            Err(LakeError::Conflict(_)) => Ok(Some(held.clone())),
            Err(error) => Err(error),
        }
    }

    /// Stores the end of an operation, as long as this process owns it.
    async fn end(&self, mut held: (Record, Version), progress: Progress, result: Result<Vec<u8>, ServiceError>) {
        loop {
            held.0.progress = progress.clone();
            held.0.finish(result.clone());
            match self.write(Some(&held.1), &held.0).await {
                Ok(_) => return self.inner.ended.notify_waiters(),
                Err(LakeError::Conflict(_)) => match self.read(&held.0.name).await {
                    Ok(Some((record, version))) if record.owner == self.inner.owner && record.run == held.0.run => held = (record, version),
                    _ => return,
                },
                Err(error) => {
                    tracing::warn!(operation = held.0.name, %error, "the end of an operation could not be stored; trying again");
                    sleep(self.inner.lease / 3).await;
                }
            }
        }
    }
}

impl Inner {
    /// Whether this process works on the operation. Its name in the record is not enough: a write whose answer was lost may have put it
    /// there without anybody at work.
    fn holds(&self, record: &Record) -> bool {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        record.owner == self.owner && held.contains(&(record.name.clone(), record.run))
    }
}

/// An operation is in hand as long as this lives.
struct Holding {
    inner: Arc<Inner>,
    what: (String, u32),
}

impl Holding {
    fn begin(inner: Arc<Inner>, record: &Record) -> Self {
        let what = (record.name.clone(), record.run);
        inner.held.lock().unwrap_or_else(PoisonError::into_inner).insert(what.clone());
        Self { inner, what }
    }
}

impl Drop for Holding {
    fn drop(&mut self) {
        self.inner.held.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.what);
    }
}

fn now() -> i64 {
    chrono::Utc::now().timestamp_millis()
}

fn not_found(name: &str) -> ServiceError {
    ServiceError::new(ErrorCode::OperationNotFound, format!("there is no operation '{name}'")).with("operation", name)
}

fn busy(name: &str) -> ServiceError {
    let message = format!("{name} is running for another request: wait for its end, or cancel it, then ask again");
    ServiceError::new(ErrorCode::OperationBusy, message).with("operation", name)
}

fn crashed(error: &tokio::task::JoinError) -> ServiceError {
    ServiceError::new(ErrorCode::OperationCrashed, format!("the job stopped on a defect of the program: {error}"))
}

#[cfg(test)]
mod tests;
