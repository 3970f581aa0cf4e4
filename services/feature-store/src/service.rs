//! `FeatureService`: builds, vectors, histories.

use std::collections::HashSet;
use std::sync::Arc;

use api::common::Chunk;
use api::features::feature_service_server::FeatureService;
use api::features::{
    BatchGetFeaturesRequest, BatchGetFeaturesResponse, BuildFeaturesRequest, CheckConsistencyRequest, CompanyHistory, Drift,
    ExportFeaturesRequest, Feature, FeatureStatus, FeatureVector, FrameFormat, FrameView, Freshness, GetCompanyHistoryRequest,
    GetDriftRequest, GetFreshnessRequest, GetHistoricalFeaturesRequest, ListFeaturesRequest, ListFeaturesResponse,
};
use api::google::longrunning::Operation;
use domain::time_rules::TimeRules;
use domain::{BatchKey, Month, Siren};
use futures::stream::{self, BoxStream, StreamExt, TryStreamExt};
use online_store::{Online, VectorBlob};
use panel::Catalogue;
use panel::legacy::View;
use service_kit::Context;
use service_kit::error::{ErrorCode, ServiceError};
use tonic::{Request, Response, Status};

use crate::error::FeatureError;
use crate::frame::{Format, Frame, Sample};
use crate::read::Reader;
use crate::{BUILD_FEATURES, CHECK_CONSISTENCY};

/// Companies in one request, at most.
const MOST: usize = 1_000;
/// Bytes of a piece of an export.
const PIECE: usize = 64 * 1024;

/// The service.
pub(crate) struct Features {
    /// Storage and jobs.
    pub context: Context,
    /// Current vectors.
    pub online: Online,
    /// The features.
    pub catalogue: Arc<Catalogue>,
    /// Publication delays.
    pub rules: TimeRules,
    /// Months after which a vector is too old to be scored; never when none.
    pub max_age_months: Option<u16>,
}

impl Features {
    fn reader(&self) -> Reader<'_> {
        Reader { lake: &self.context.lake, catalogue: self.catalogue.clone(), rules: self.rules.clone() }
    }

    fn position(&self, name: &str) -> Result<usize, ServiceError> {
        self.catalogue.index_of(name).ok_or_else(|| unknown(name))
    }

    /// What an export asks for.
    fn frame(&self, request: &ExportFeaturesRequest) -> Result<(Frame, Option<View>, Format), ServiceError> {
        let month = |text: &str, field: &'static str| match text {
            "" => Ok(None),
            text => text.parse::<Month>().map(Some).map_err(|error| FeatureError::argument(field, error)),
        };
        if !(0.0..=1.0).contains(&request.sample) {
            return Err(ServiceError::new(ErrorCode::InvalidArgument, "the sample is a share: between 0 and 1").with("field", "sample"));
        }
        let view = legacy_view(request.view());
        let inputs = view.map(View::columns);
        for name in &request.names {
            let exists = inputs.as_ref().map_or_else(|| self.catalogue.index_of(name).is_some(), |inputs| inputs.contains(name));
            if !exists {
                return Err(unknown(name));
            }
        }
        let sirens = request.sirens.iter().map(|text| siren(text)).collect::<Result<HashSet<_>, _>>()?;
        let frame = Frame {
            from: month(&request.from_month, "from_month")?,
            to: month(&request.to_month, "to_month")?,
            sirens: (!sirens.is_empty()).then_some(sirens),
            labelled: request.labelled,
            at_risk: request.at_risk,
            sample: (request.sample > 0.0).then_some(Sample { share: request.sample, seed: request.seed }),
            features: (!request.names.is_empty()).then(|| request.names.clone()),
        };
        let format = if request.format() == FrameFormat::Arrow { Format::Arrow } else { Format::Parquet };
        Ok((frame, view, format))
    }

    async fn batch_get(&self, request: BatchGetFeaturesRequest) -> Result<BatchGetFeaturesResponse, ServiceError> {
        if request.sirens.len() > MOST {
            let message = format!("{} companies in one request: {MOST} at most", request.sirens.len());
            return Err(ServiceError::new(ErrorCode::TooManyItems, message));
        }
        let sirens: Vec<Siren> = request.sirens.iter().map(|text| siren(text)).collect::<Result<_, _>>()?;
        let wanted: Vec<usize> = if request.names.is_empty() {
            (0..self.catalogue.features().len()).collect()
        } else {
            request.names.iter().map(|name| self.position(name)).collect::<Result<_, _>>()?
        };
        let oldest = self.max_age_months.map(|months| Month::of(chrono::Utc::now().date_naive()).plus(-i32::from(months)));
        let fetched = self.online.get(&sirens).await.map_err(FeatureError::from)?;
        let vector = |(siren, blob): (&Siren, Option<bytes::Bytes>)| -> Result<FeatureVector, FeatureError> {
            let Some(blob) = blob else {
                return Ok(FeatureVector { siren: siren.to_string(), status: FeatureStatus::NotFound.into(), ..Default::default() });
            };
            let blob = VectorBlob::decode(&blob)?;
            let values: Vec<f32> = wanted.iter().filter_map(|position| blob.values.get(*position).copied()).collect();
            Ok(FeatureVector {
                siren: siren.to_string(),
                status: status_of(blob.month, &values, oldest).into(),
                month: blob.month.to_string(),
                batch: blob.batch.to_string(),
                values,
                names: Vec::new(),
            })
        };
        Ok(BatchGetFeaturesResponse {
            vectors: sirens.iter().zip(fetched.blobs).map(vector).collect::<Result<_, _>>()?,
            names: wanted.iter().map(|position| self.catalogue.features()[*position].name.clone()).collect(),
            schema_hash: self.catalogue.schema_hash().to_owned(),
            stale: fetched.stale,
        })
    }
}

fn unknown(name: &str) -> ServiceError {
    ServiceError::new(ErrorCode::InvalidArgument, format!("there is no feature '{name}'")).with("field", "names")
}

/// What a vector of a month is worth, when none before `oldest` may be scored.
fn status_of(month: Month, values: &[f32], oldest: Option<Month>) -> FeatureStatus {
    if oldest.is_some_and(|oldest| month < oldest) {
        FeatureStatus::OutsideMaxAge
    } else if values.iter().all(|value| value.is_nan()) {
        FeatureStatus::NullValue
    } else {
        FeatureStatus::Present
    }
}

fn legacy_view(view: FrameView) -> Option<View> {
    match view {
        FrameView::Unspecified => None,
        FrameView::G3 => Some(View::G3),
        FrameView::G5 => Some(View::G5),
        FrameView::G5Yearly => Some(View::G5Yearly),
    }
}

fn siren(text: &str) -> Result<Siren, ServiceError> {
    text.parse().map_err(|_| ServiceError::new(ErrorCode::InvalidSiren, format!("'{text}' is not a SIREN: nine digits are expected")))
}

fn status(error: FeatureError) -> Status {
    ServiceError::from(error).into()
}

#[tonic::async_trait]
impl FeatureService for Features {
    async fn list_features(&self, _: Request<ListFeaturesRequest>) -> Result<Response<ListFeaturesResponse>, Status> {
        let features = self.catalogue.features().iter().map(|feature| Feature {
            name: feature.name.clone(),
            group: feature.group.clone(),
            source: feature.source.clone(),
            unit: feature.unit.name().to_owned(),
            formula: feature.formula.clone(),
            confidentiality: feature.confidentiality.name().to_owned(),
            monotone: feature.monotone.into(),
            label_fr: feature.label_fr.clone(),
            categorical: feature.is_categorical(),
        });
        Ok(Response::new(ListFeaturesResponse { features: features.collect(), schema_hash: self.catalogue.schema_hash().to_owned() }))
    }

    async fn build_features(&self, request: Request<BuildFeaturesRequest>) -> Result<Response<Operation>, Status> {
        let request = request.into_inner();
        let refused =
            |error: domain::batch::BatchKeyError| ServiceError::new(ErrorCode::BatchKey, error.to_string()).with("field", "batch");
        request.batch.parse::<BatchKey>().map_err(refused)?;
        Ok(Response::new(self.context.jobs.start(BUILD_FEATURES, &request).await?))
    }

    async fn batch_get_features(&self, request: Request<BatchGetFeaturesRequest>) -> Result<Response<BatchGetFeaturesResponse>, Status> {
        Ok(Response::new(self.batch_get(request.into_inner()).await?))
    }

    async fn get_historical_features(&self, request: Request<GetHistoricalFeaturesRequest>) -> Result<Response<FeatureVector>, Status> {
        let request = request.into_inner();
        let vector = self.reader().vector(siren(&request.siren)?, &request.month, &request.batch).await;
        Ok(Response::new(vector.map_err(status)?))
    }

    async fn get_company_history(&self, request: Request<GetCompanyHistoryRequest>) -> Result<Response<CompanyHistory>, Status> {
        let request = request.into_inner();
        let history = self.reader().history(siren(&request.siren)?, &request.batch).await;
        Ok(Response::new(history.map_err(status)?))
    }

    type ExportFeaturesStream = BoxStream<'static, Result<Chunk, Status>>;

    async fn export_features(&self, request: Request<ExportFeaturesRequest>) -> Result<Response<Self::ExportFeaturesStream>, Status> {
        let request = request.into_inner();
        let (frame, view, format) = self.frame(&request)?;
        let pieces = self.reader().export(&request.batch, frame, view, format).await.map_err(status)?;
        let chunks = pieces.map_err(status).map_ok(|bytes| {
            let cut =
                (0..bytes.len()).step_by(PIECE).map(move |start| Ok(Chunk { data: bytes.slice(start..bytes.len().min(start + PIECE)) }));
            stream::iter(cut)
        });
        Ok(Response::new(chunks.try_flatten().boxed()))
    }

    async fn check_consistency(&self, request: Request<CheckConsistencyRequest>) -> Result<Response<Operation>, Status> {
        Ok(Response::new(self.context.jobs.start(CHECK_CONSISTENCY, &request.into_inner()).await?))
    }

    async fn get_freshness(&self, request: Request<GetFreshnessRequest>) -> Result<Response<Freshness>, Status> {
        Ok(Response::new(self.reader().freshness(&request.into_inner().batch).await.map_err(status)?))
    }

    async fn get_drift(&self, request: Request<GetDriftRequest>) -> Result<Response<Drift>, Status> {
        Ok(Response::new(self.reader().drift(request.get_ref()).await.map_err(status)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vector_is_worth_what_its_month_and_values_are() {
        let month = |text: &str| text.parse::<Month>().unwrap();
        let of = |values: &[f32], oldest: Option<&str>| status_of(month("2025-10"), values, oldest.map(month));
        assert_eq!(of(&[1.0, f32::NAN], None), FeatureStatus::Present);
        assert_eq!(of(&[f32::NAN], Some("2025-10")), FeatureStatus::NullValue);
        assert_eq!(of(&[1.0], Some("2025-11")), FeatureStatus::OutsideMaxAge);
    }
}
