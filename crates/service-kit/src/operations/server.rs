//! `google.longrunning.Operations` over the jobs of a process.

use std::time::Duration;

use api::google::longrunning::operations_server::Operations;
use api::google::longrunning::{
    CancelOperationRequest, DeleteOperationRequest, GetOperationRequest, ListOperationsRequest, ListOperationsResponse, Operation,
    WaitOperationRequest,
};
use tonic::{Request, Response, Status};

use super::Jobs;

/// Longest wait of one request.
const LONGEST_WAIT: Duration = Duration::from_mins(1);

/// The gRPC service.
pub struct OperationsService(pub Jobs);

#[tonic::async_trait]
impl Operations for OperationsService {
    async fn list_operations(&self, request: Request<ListOperationsRequest>) -> Result<Response<ListOperationsResponse>, Status> {
        let prefix = request.into_inner().name;
        let mut operations = self.0.list().await?;
        operations.retain(|operation| operation.name.starts_with(&prefix));
        Ok(Response::new(ListOperationsResponse { operations, ..Default::default() }))
    }

    async fn get_operation(&self, request: Request<GetOperationRequest>) -> Result<Response<Operation>, Status> {
        Ok(Response::new(self.0.get(&request.into_inner().name).await?))
    }

    async fn delete_operation(&self, _: Request<DeleteOperationRequest>) -> Result<Response<()>, Status> {
        Err(Status::unimplemented("operations are kept: they say what was done"))
    }

    async fn cancel_operation(&self, request: Request<CancelOperationRequest>) -> Result<Response<()>, Status> {
        self.0.cancel(&request.into_inner().name).await?;
        Ok(Response::new(()))
    }

    async fn wait_operation(&self, request: Request<WaitOperationRequest>) -> Result<Response<Operation>, Status> {
        let request = request.into_inner();
        let asked = request.timeout.and_then(|timeout| Duration::try_from(timeout).ok()).unwrap_or(LONGEST_WAIT);
        Ok(Response::new(self.0.wait(&request.name, asked.min(LONGEST_WAIT)).await?))
    }
}
