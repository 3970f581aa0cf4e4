//! `TrainingService`: trains, registers, promotes.

use std::sync::Arc;

use api::google::longrunning::Operation;
use api::training::training_service_server::TrainingService;
use api::training::{
    GetModelCardRequest, GetModelCardResponse, GetModelRequest, JoinTrainingRequest, JoinTrainingResponse, ListModelsRequest,
    ListModelsResponse, Model, PromoteModelRequest, RollBackModelRequest, ShadowModelRequest, ShadowModelResponse, TrainModelRequest,
};
use domain::BatchKey;
use panel::Catalogue;
use service_kit::Context;
use service_kit::error::{ErrorCode, ServiceError};
use tonic::{Request, Response, Status};

use crate::crew::Meeting;
use crate::error::TrainingError;
use crate::registry::Registry;
use crate::setup::Asked;
use crate::{Settings, TRAIN};

/// The service.
pub struct Service {
    /// Storage and jobs.
    pub context: Context,
    /// The features.
    pub catalogue: Arc<Catalogue>,
    /// Where workers come.
    pub meeting: Arc<Meeting>,
    /// What trainings here go by.
    pub settings: Settings,
}

impl Service {
    fn registry(&self) -> Registry<'_> {
        Registry { lake: &self.context.lake, catalogue: &self.catalogue }
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
        Asked::of(&request).map_err(status)?;
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
        let request = request.into_inner();
        Ok(Response::new(self.registry().promote(&request.id, &request.because).await.map_err(status)?))
    }

    async fn roll_back_model(&self, _: Request<RollBackModelRequest>) -> Result<Response<Model>, Status> {
        Ok(Response::new(self.registry().roll_back().await.map_err(status)?))
    }

    async fn shadow_model(&self, request: Request<ShadowModelRequest>) -> Result<Response<ShadowModelResponse>, Status> {
        self.registry().shadow(&request.into_inner().id).await.map_err(status)?;
        Ok(Response::new(ShadowModelResponse {}))
    }

    async fn join_training(&self, request: Request<JoinTrainingRequest>) -> Result<Response<JoinTrainingResponse>, Status> {
        let address = request.into_inner().address;
        let refused = |_| status(TrainingError::External(format!("'{address}' is no IP address with a port")));
        let work = self.meeting.join(address.parse().map_err(refused)?).await.ok_or_else(|| status(TrainingError::NoTraining))?;
        Ok(Response::new(JoinTrainingResponse {
            rank: work.place.rank as u32,
            machines: work.place.machines.iter().map(ToString::to_string).collect(),
            request: Some(work.request),
            setup: work.setup,
            threads: self.settings.threads,
            training_month_step: self.settings.training_month_step,
        }))
    }

    async fn get_model_card(&self, request: Request<GetModelCardRequest>) -> Result<Response<GetModelCardResponse>, Status> {
        let (html, metrics) = self.registry().card(&request.into_inner().id).await.map_err(status)?;
        Ok(Response::new(GetModelCardResponse { html, metrics }))
    }
}
