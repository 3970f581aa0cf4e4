//! Every request to the object store as a span and in a histogram: what waits for storage is seen.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMultipartOptions, PutOptions,
    PutPayload, PutResult, RenameOptions, Result,
};
use telemetry::{Attribute, Timer};
use tracing::field::Empty;
use tracing::{Instrument, Span, info_span};

/// A store whose requests are told.
#[derive(Debug)]
pub(crate) struct Observed(pub(crate) Arc<dyn ObjectStore>);

/// A request that runs.
struct Request {
    operation: &'static str,
    span: Span,
    timer: Option<Timer>,
    outcome: &'static str,
}

impl Request {
    fn begin(operation: &'static str, path: Option<&Path>) -> Self {
        let span = info_span!(
            target: "storage",
            "object_store",
            otel.name = format!("object_store {operation}"),
            otel.kind = "client",
            operation,
            path = path.map_or("", AsRef::as_ref),
            outcome = Empty,
        );
        Self { operation, span, timer: Some(Timer::start("sf.object_store.duration")), outcome: "cancelled" }
    }

    async fn run<T>(mut self, work: impl Future<Output = Result<T>>) -> Result<T> {
        let result = work.instrument(self.span.clone()).await;
        self.outcome = outcome(&result);
        result
    }

    /// An item of an answer that is a stream.
    const fn see<T>(&mut self, item: &Result<T>) {
        if item.is_err() {
            self.outcome = outcome(item);
        }
    }
}

impl Drop for Request {
    fn drop(&mut self) {
        self.span.record("outcome", self.outcome);
        if let Some(timer) = self.timer.take() {
            timer.stop(&[Attribute::new("operation", self.operation), Attribute::new("outcome", self.outcome)]);
        }
    }
}

/// Absent objects and lost races are answers, not failures.
const fn outcome<T>(result: &Result<T>) -> &'static str {
    match result {
        Ok(_) => "ok",
        Err(Error::NotFound { .. }) => "not_found",
        Err(Error::AlreadyExists { .. } | Error::Precondition { .. } | Error::NotModified { .. }) => "conflict",
        Err(_) => "error",
    }
}

impl fmt::Display for Observed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[async_trait]
impl ObjectStore for Observed {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        Request::begin("put", Some(location)).run(self.0.put_opts(location, payload, options)).await
    }

    async fn put_multipart_opts(&self, location: &Path, options: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        Request::begin("put_multipart", Some(location)).run(self.0.put_multipart_opts(location, options)).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let operation = if options.head { "head" } else { "get" };
        Request::begin(operation, Some(location)).run(self.0.get_opts(location, options)).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        Request::begin("get_ranges", Some(location)).run(self.0.get_ranges(location, ranges)).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        told(Request::begin("delete", None), self.0.delete_stream(locations))
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        told(Request::begin("list", prefix), self.0.list(prefix))
    }

    fn list_with_offset(&self, prefix: Option<&Path>, offset: &Path) -> BoxStream<'static, Result<ObjectMeta>> {
        told(Request::begin("list", prefix), self.0.list_with_offset(prefix, offset))
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        Request::begin("list", prefix).run(self.0.list_with_delimiter(prefix)).await
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        Request::begin("rename", Some(to)).run(self.0.rename_opts(from, to, options)).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        Request::begin("copy", Some(to)).run(self.0.copy_opts(from, to, options)).await
    }
}

/// A stream whose request ends with it.
fn told<T: 'static>(mut request: Request, stream: BoxStream<'static, Result<T>>) -> BoxStream<'static, Result<T>> {
    request.outcome = "ok";
    stream.inspect(move |item| request.see(item)).boxed()
}
