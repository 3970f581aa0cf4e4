//! `TrainingService`: trains, registers, promotes.

use api::google::longrunning::Operation;
use api::training::training_service_server::TrainingService;
use api::training::{
    GetModelCardRequest, GetModelCardResponse, GetModelRequest, ListModelsRequest, ListModelsResponse, Model, PromoteModelRequest,
    TrainModelRequest,
};
use domain::BatchKey;
use service_kit::Context;
use service_kit::error::{ErrorCode, ServiceError};
use tonic::{Request, Response, Status};

use crate::TRAIN;
use crate::error::TrainingError;
use crate::learn::Kind;
use crate::registry::Registry;
use crate::split::Protocol;

/// The service.
pub struct Service {
    /// Storage and jobs.
    pub context: Context,
}

impl Service {
    fn registry(&self) -> Registry<'_> {
        Registry { lake: &self.context.lake }
    }
}

fn status(error: TrainingError) -> Status {
    ServiceError::from(error).into()
}

#[tonic::async_trait]
impl TrainingService for Service {
    async fn train_model(&self, request: Request<TrainModelRequest>) -> Result<Response<Operation>, Status> {
        let request = request.into_inner();
        let refused =
            |error: domain::batch::BatchKeyError| ServiceError::new(ErrorCode::BatchKey, error.to_string()).with("field", "batch");
        request.batch.parse::<BatchKey>().map_err(refused)?;
        Protocol::parse(&request.protocol).ok_or_else(|| status(TrainingError::UnknownProtocol(request.protocol.clone())))?;
        Kind::parse(&request.model).ok_or_else(|| status(TrainingError::UnknownKind(request.model.clone())))?;
        Ok(Response::new(self.context.jobs.start(TRAIN, &request).await?))
    }

    async fn list_models(&self, _: Request<ListModelsRequest>) -> Result<Response<ListModelsResponse>, Status> {
        let models = self.registry().all().await.map_err(status)?;
        Ok(Response::new(ListModelsResponse { models, next_page_token: String::new() }))
    }

    async fn get_model(&self, request: Request<GetModelRequest>) -> Result<Response<Model>, Status> {
        Ok(Response::new(self.registry().get(&request.into_inner().id).await.map_err(status)?))
    }

    async fn promote_model(&self, request: Request<PromoteModelRequest>) -> Result<Response<Model>, Status> {
        Ok(Response::new(self.registry().promote(&request.into_inner().id).await.map_err(status)?))
    }

    async fn get_model_card(&self, request: Request<GetModelCardRequest>) -> Result<Response<GetModelCardResponse>, Status> {
        let html = self.registry().card(&request.into_inner().id).await.map_err(status)?;
        Ok(Response::new(GetModelCardResponse { html }))
    }
}
