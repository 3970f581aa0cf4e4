//! What both kinds of writers hold between their first row and the commit.

use arrow::datatypes::Schema;
use deltalake_core::kernel::Add;
use domain::{BatchKey, Delivery};
use serde_json::{Map, Value};
use tokio::task::JoinSet;

use crate::delta::log::{Log, Written};
use crate::error::Result;
use crate::parquet_io::Encoded;

/// Files written and not yet committed.
pub(super) struct Staging {
    log: Log,
    batch: BatchKey,
    delivery: Delivery,
    files: Vec<Written>,
    info: Map<String, Value>,
    /// Rows were taken from the caller and are neither in a file nor on their way to one: encoding or writing failed, or was
    /// given up in the middle. A commit without them would be wrong.
    lost: bool,
    /// Files being written.
    pending: JoinSet<Result<Written>>,
}

impl Staging {
    pub(super) fn new(log: Log, batch: BatchKey) -> Self {
        let (files, info, pending) = (Vec::new(), Map::new(), JoinSet::new());
        Self { log, batch, delivery: Delivery::Stock, files, info, lost: false, pending }
    }

    pub(super) fn set_delivery(&mut self, delivery: Delivery) {
        self.delivery = delivery;
    }

    pub(super) fn describe(&mut self, name: &str, value: impl Into<Value>) {
        self.info.insert(name.to_owned(), value.into());
    }

    /// Encodes rows and writes their file in the background, so that the next rows are made meanwhile. With `most` files on
    /// their way, waits for one. Fails if earlier rows were lost.
    pub(super) async fn start(&mut self, most: usize, encode: impl FnOnce() -> Result<Encoded> + Send + 'static) -> Result<()> {
        self.check()?;
        // Until they are in a task.
        self.lost = true;
        while self.pending.len() >= most {
            self.settle_one().await?;
        }
        let (log, batch, delivery) = (self.log.clone(), self.batch, self.delivery);
        self.pending.spawn(async move {
            let file = tokio::task::spawn_blocking(encode).await.map_err(|error| log.error(error))??;
            log.put(batch, delivery, file).await
        });
        self.lost = false;
        Ok(())
    }

    /// Waits for a file being written.
    async fn settle_one(&mut self) -> Result<()> {
        let Some(written) = self.pending.join_next().await else { return Ok(()) };
        let written = written.map_err(|error| self.log.error(error)).flatten();
        self.lost |= written.is_err();
        self.files.push(written?);
        Ok(())
    }

    /// Runs work that takes rows on a thread of its own: encoding is heavy. Fails if earlier rows were lost.
    pub(super) async fn blocking<T: Send + 'static>(&mut self, work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
        self.check()?;
        self.lost = true;
        let done = tokio::task::spawn_blocking(work).await.map_err(|error| self.log.error(error))??;
        self.lost = false;
        Ok(done)
    }

    /// Writes a file. Fails if earlier rows were lost.
    pub(super) async fn put(&mut self, file: Encoded) -> Result<()> {
        self.check()?;
        self.lost = true;
        self.files.push(self.log.put(self.batch, self.delivery, file).await?);
        self.lost = false;
        Ok(())
    }

    pub(super) async fn commit(mut self, schema: &Schema) -> Result<i64> {
        while !self.pending.is_empty() {
            self.settle_one().await?;
        }
        self.check()?;
        let mut added: Vec<Add> = Vec::with_capacity(self.files.len());
        for Written { add, safe } in self.files {
            safe.await.map_err(|error| self.log.error(error))??;
            added.push(add);
        }
        self.log.replace(schema, self.batch, &added, &self.info).await
    }

    fn check(&self) -> Result<()> {
        if self.lost { Err(self.log.error("an earlier write failed, its rows are lost: start a new writer")) } else { Ok(()) }
    }
}
