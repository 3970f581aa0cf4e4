//! `IngestionService`: uploads, imports, reports.

use api::google::longrunning::Operation;
use api::ingestion::ingestion_service_server::IngestionService;
use api::ingestion::{
    DiffBatchesRequest, GetImportReportRequest, GetUploadRequest, ImportBatchRequest, ImportReport, ListBatchesRequest,
    ListBatchesResponse, PerimeterEntry, PruneBatchesRequest, Reject, SourceDiff, StreamPerimeterRequest, StreamRejectsRequest,
    Upload as UploadStatus, UploadFileRequest, UploadFileResponse,
};
use domain::{Siren, Source};
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use lake::tables::{PerimeterRow, RejectRow};
use service_kit::Context;
use service_kit::error::{ErrorCode, ServiceError};
use tonic::{Request, Response, Status, Streaming};

use crate::error::IngestError;
use crate::gates::Gate;
use crate::import::checked_batch;
use crate::perimeter::Profile;
use crate::upload::{Upload, Uploads};
use crate::{IMPORT, PRUNE, diff, report};

/// The service.
pub struct Ingestion {
    /// Storage and jobs.
    pub context: Context,
    /// Limits of uploads.
    pub uploads: Uploads,
}

fn invalid(field: &str, message: impl Into<String>) -> Status {
    ServiceError::new(ErrorCode::InvalidArgument, message).with("field", field).into()
}

fn checked_sources(names: &[String]) -> Result<(), Status> {
    names.iter().try_for_each(|name| name.parse::<Source>().map(|_| ()).map_err(|error| invalid("sources", error.to_string())))
}

fn status(error: impl Into<IngestError>) -> Status {
    ServiceError::from(error.into()).into()
}

#[tonic::async_trait]
impl IngestionService for Ingestion {
    async fn upload_file(&self, request: Request<Streaming<UploadFileRequest>>) -> Result<Response<UploadFileResponse>, Status> {
        let mut pieces = request.into_inner();
        let header = pieces
            .message()
            .await?
            .and_then(|first| first.header)
            .ok_or_else(|| invalid("header", "the first message names the batch and the file"))?;
        let upload = Upload::new(&self.context.lake, &self.uploads, &header)?;
        let file = upload.take(pieces.map_ok(|piece| piece.data)).await?;
        Ok(Response::new(UploadFileResponse { size: file.size, sha256: file.sha256 }))
    }

    async fn get_upload(&self, request: Request<GetUploadRequest>) -> Result<Response<UploadStatus>, Status> {
        let header = request.into_inner().header.ok_or_else(|| invalid("header", "the header names the batch and the file"))?;
        let progress = Upload::new(&self.context.lake, &self.uploads, &header)?.progress().await?;
        Ok(Response::new(UploadStatus { received: progress.received, complete: progress.complete }))
    }

    async fn import_batch(&self, request: Request<ImportBatchRequest>) -> Result<Response<Operation>, Status> {
        let request = request.into_inner();
        let batch = checked_batch(&request.batch)?;
        checked_sources(&request.sources)?;
        checked_sources(&request.flows)?;
        Profile::parse(&request.profile).ok_or_else(|| status(IngestError::Profile(request.profile.clone())))?;
        for name in &request.allow_gates {
            Gate::from_name(name).ok_or_else(|| {
                let known = Gate::ALL.map(Gate::name).join(", ");
                invalid("allow_gates", format!("'{name}' is no quality gate; the gates are: {known}"))
            })?;
        }
        Ok(Response::new(self.context.jobs.start_alone(IMPORT, &batch.to_string(), &request).await?))
    }

    async fn prune_batches(&self, request: Request<PruneBatchesRequest>) -> Result<Response<Operation>, Status> {
        Ok(Response::new(self.context.jobs.start_alone(PRUNE, "all", &request.into_inner()).await?))
    }

    async fn list_batches(&self, _: Request<ListBatchesRequest>) -> Result<Response<ListBatchesResponse>, Status> {
        let batches = report::summaries(&self.context.lake).await.map_err(status)?;
        Ok(Response::new(ListBatchesResponse { batches, next_page_token: String::new() }))
    }

    async fn get_import_report(&self, request: Request<GetImportReportRequest>) -> Result<Response<ImportReport>, Status> {
        let batch = checked_batch(&request.into_inner().batch)?;
        let found = report::find(&self.context.lake, batch).await.map_err(status)?;
        Ok(Response::new(found.ok_or_else(|| status(IngestError::UnknownBatch(batch)))?))
    }

    type StreamRejectsStream = BoxStream<'static, Result<Reject, Status>>;

    async fn stream_rejects(&self, request: Request<StreamRejectsRequest>) -> Result<Response<Self::StreamRejectsStream>, Status> {
        let request = request.into_inner();
        let batch = checked_batch(&request.batch)?;
        let scan = self.context.lake.table::<RejectRow>().scan(batch, None).await.map_err(status)?;
        let rows = scan.map_ok(|rows| futures::stream::iter(rows).map(Ok::<_, lake::LakeError>)).try_flatten().map_err(status);
        let wanted = move |row: &RejectRow| request.sources.is_empty() || request.sources.contains(&row.source);
        let rejects = rows.try_filter(move |row| std::future::ready(wanted(row))).map_ok(|row| Reject {
            source: row.source,
            file_name: row.file,
            line: row.line,
            record: row.record,
            column: row.column,
            reason: row.reason,
            value: row.value,
        });
        Ok(Response::new(rejects.boxed()))
    }

    type DiffBatchesStream = BoxStream<'static, Result<SourceDiff, Status>>;

    async fn diff_batches(&self, request: Request<DiffBatchesRequest>) -> Result<Response<Self::DiffBatchesStream>, Status> {
        let request = request.into_inner();
        let (before, after) = (checked_batch(&request.before)?, checked_batch(&request.after)?);
        let known = report::batches(&self.context.lake).await.map_err(status)?;
        if let Some(unknown) = [before, after].into_iter().find(|batch| !known.contains(batch)) {
            return Err(status(IngestError::UnknownBatch(unknown)));
        }
        checked_sources(&request.sources)?;
        let lake = self.context.lake.clone();
        let wanted = move |source: &Source| request.sources.is_empty() || request.sources.iter().any(|name| name == source.name());
        let sources = futures::stream::iter(Source::ALL.into_iter().filter(wanted));
        let diffs = sources.then(move |source| {
            let lake = lake.clone();
            async move { diff::diff(&lake, source, before, after).await.map_err(status) }
        });
        Ok(Response::new(diffs.try_filter_map(|found| async move { Ok(found) }).boxed()))
    }

    type StreamPerimeterStream = BoxStream<'static, Result<PerimeterEntry, Status>>;

    async fn stream_perimeter(&self, request: Request<StreamPerimeterRequest>) -> Result<Response<Self::StreamPerimeterStream>, Status> {
        let request = request.into_inner();
        let batch = checked_batch(&request.batch)?;
        let table = self.context.lake.table::<PerimeterRow>();
        if !table.batches().await.map_err(status)?.contains(&batch) {
            return Err(status(IngestError::UnknownBatch(batch)));
        }
        let range = match request.siren.as_str() {
            "" => None,
            text => {
                let siren: Siren = text.parse().map_err(|_| {
                    Status::from(ServiceError::new(ErrorCode::InvalidSiren, format!("'{text}' is not a SIREN: nine digits are expected")))
                })?;
                Some(siren..=siren)
            }
        };
        let scan = table.scan(batch, range).await.map_err(status)?;
        let rows = scan.map_ok(|rows| futures::stream::iter(rows).map(Ok::<_, lake::LakeError>)).try_flatten().map_err(status);
        let entries = rows.map_ok(|row| PerimeterEntry { siren: row.siren.to_string(), included: row.included, reason: row.reason });
        Ok(Response::new(entries.boxed()))
    }
}
