//! What both kinds of writers hold between their first row and the commit.

use arrow::datatypes::Schema;
use deltalake_core::kernel::Add;
use domain::{BatchKey, Delivery};
use serde_json::{Map, Value};
use tokio::task::JoinHandle;

use crate::delta::log::Log;
use crate::error::Result;
use crate::parquet_io::Encoded;

/// Files written and not yet committed.
pub(super) struct Staging {
    log: Log,
    batch: BatchKey,
    delivery: Delivery,
    files: Vec<Add>,
    info: Map<String, Value>,
    /// Rows were taken from the caller and are not in a file yet. Stays so when encoding or writing fails, or is given up in
    /// the middle: such rows are lost, and a commit without them would be wrong.
    owing: bool,
    /// The file being written.
    pending: Option<JoinHandle<Result<Add>>>,
}

impl Staging {
    pub(super) fn new(log: Log, batch: BatchKey) -> Self {
        Self { log, batch, delivery: Delivery::Stock, files: Vec::new(), info: Map::new(), owing: false, pending: None }
    }

    pub(super) fn set_delivery(&mut self, delivery: Delivery) {
        self.delivery = delivery;
    }

    pub(super) fn describe(&mut self, name: &str, value: impl Into<Value>) {
        self.info.insert(name.to_owned(), value.into());
    }

    /// Encodes rows and writes the file in the background, so that the next rows are made meanwhile; the one before is waited
    /// for. Fails if earlier rows were lost.
    pub(super) async fn start(&mut self, encode: impl FnOnce() -> Result<Encoded> + Send + 'static) -> Result<()> {
        self.settle().await?;
        self.check()?;
        self.owing = true;
        let (log, batch, delivery) = (self.log.clone(), self.batch, self.delivery);
        self.pending = Some(tokio::spawn(async move {
            let file = tokio::task::spawn_blocking(encode).await.map_err(|error| log.error(error))??;
            log.put(batch, delivery, file).await
        }));
        Ok(())
    }

    async fn settle(&mut self) -> Result<()> {
        if let Some(pending) = self.pending.take() {
            self.files.push(pending.await.map_err(|error| self.log.error(error))??);
            self.owing = false;
        }
        Ok(())
    }

    /// Runs work that takes rows on a thread of its own: encoding is heavy. Fails if earlier rows were lost.
    pub(super) async fn blocking<T: Send + 'static>(&mut self, work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
        self.check()?;
        self.owing = true;
        let done = tokio::task::spawn_blocking(work).await.map_err(|error| self.log.error(error))??;
        self.owing = false;
        Ok(done)
    }

    /// Writes a file. Fails if earlier rows were lost.
    pub(super) async fn put(&mut self, file: Encoded) -> Result<()> {
        self.check()?;
        self.owing = true;
        self.files.push(self.log.put(self.batch, self.delivery, file).await?);
        self.owing = false;
        Ok(())
    }

    pub(super) async fn commit(mut self, schema: &Schema) -> Result<i64> {
        self.settle().await?;
        self.check()?;
        self.log.replace(schema, self.batch, &self.files, &self.info).await
    }

    fn check(&self) -> Result<()> {
        if self.owing { Err(self.log.error("an earlier write failed, its rows are lost: start a new writer")) } else { Ok(()) }
    }
}
