//! `ScoringService`: from a request to the champion and back. The tables are never read here.

use std::sync::Arc;

use api::common::AlertLevel as ApiLevel;
use api::scoring::scoring_service_server::ScoringService;
use api::scoring::{
    BatchScoreCompaniesRequest, BatchScoreCompaniesResponse, ExplainScoreRequest, GroupContribution, ItemError, Score, ScoreCompanyRequest,
    ScoreCompanyResponse, ScoreExplanation, ScoreResult, score_result,
};
use domain::{AlertLevel, Siren};
use online_store::VectorBlob;
use panel::risk::RiskStatus;
use service_kit::auth::{Principal, Rights};
use service_kit::error::ServiceError;
use tonic::{Request, Response, Status};

use crate::champion::{Champion, Scored};
use crate::error::ScoringError;
use crate::explained;
use crate::reasons::shown;
use crate::state::State;

/// Companies in one request, at most.
const MOST: usize = 1_000;

/// The service over the loaded champion and the online vectors.
pub struct Scoring {
    /// Shared with the list service.
    pub state: Arc<State>,
}

/// A vector that belongs to the champion.
struct Vector {
    blob: VectorBlob,
    stale: bool,
}

impl Scoring {
    /// The vectors of these companies, `None` for those that have none.
    async fn vectors(&self, champion: &Champion, sirens: &[Siren]) -> Result<Vec<Option<Vector>>, ScoringError> {
        let fetched = self.state.vectors.get(sirens).await?;
        let wanted = champion.schema_number();
        fetched
            .blobs
            .into_iter()
            .map(|bytes| {
                let Some(bytes) = bytes else { return Ok(None) };
                let blob = VectorBlob::decode(&bytes)?;
                if blob.schema_hash == wanted {
                    Ok(Some(Vector { blob, stale: fetched.stale }))
                } else {
                    Err(ScoringError::SchemaMismatch {
                        model: champion.id().to_owned(),
                        wanted: format!("{wanted:016x}"),
                        found: format!("{:016x}", blob.schema_hash),
                    })
                }
            })
            .collect()
    }

    async fn score(&self, siren: &str) -> Result<Score, ScoringError> {
        let (champion, siren) = (self.state.champion().await?, parse(siren)?);
        let vector = self.vectors(&champion, &[siren]).await?.pop().flatten().ok_or(ScoringError::UnknownCompany(siren))?;
        let scored = champion.score(&vector.blob.values)?;
        scored.first().map(|scored| score(&champion, siren, &vector, *scored)).ok_or(ScoringError::UnknownCompany(siren))
    }

    async fn explain(&self, siren: &str, rights: Rights) -> Result<ScoreExplanation, ScoringError> {
        let (champion, siren) = (self.state.champion().await?, parse(siren)?);
        let vector = self.vectors(&champion, &[siren]).await?.pop().flatten().ok_or(ScoringError::UnknownCompany(siren))?;
        let (model, values) = (champion.clone(), vector.blob.values.clone());
        let explained = tokio::task::spawn_blocking(move || model.explain(&values));
        let explained = explained.await.map_err(|error| ScoringError::Task(error.to_string()))??;
        let explanation = explained.into_iter().next().ok_or(ScoringError::UnknownCompany(siren))?;
        let catalogue = champion.catalogue();
        let groups = catalogue.groups().iter().zip(&explanation.groups).map(|(group, share)| GroupContribution {
            group: group.name.clone(),
            label_fr: group.label_fr.clone(),
            log_odds: share.log_odds,
            percentage_points: share.points,
        });
        Ok(ScoreExplanation {
            score: Some(score(&champion, siren, &vector, explanation.scored)),
            base_value: explanation.base,
            raw_score: explanation.scored.raw,
            groups: groups.collect(),
            features: explained::features(catalogue, &explanation.features, &vector.blob.values, rights),
            reasons: shown(&explanation.reasons, rights).map(|reason| reason.text.clone()).collect(),
            base_percentage_points: explanation.base_points,
        })
    }

    async fn batch(&self, asked: Vec<String>) -> Result<Vec<ScoreResult>, ScoringError> {
        if asked.len() > MOST {
            return Err(ScoringError::TooMany { found: asked.len(), most: MOST });
        }
        let champion = self.state.champion().await?;
        let parsed: Vec<Result<Siren, ScoringError>> = asked.iter().map(|siren| parse(siren)).collect();
        let known: Vec<Siren> = parsed.iter().filter_map(|siren| siren.as_ref().ok().copied()).collect();
        let vectors = self.vectors(&champion, &known).await?;
        let values: Vec<f32> = vectors.iter().flatten().flat_map(|vector| vector.blob.values.iter().copied()).collect();
        let mut scores = if values.is_empty() { Vec::new() } else { champion.score(&values)? }.into_iter();
        let mut vectors = vectors.into_iter();
        let results = asked.into_iter().zip(parsed).map(|(text, siren)| {
            let result = siren.and_then(|siren| {
                let vector = vectors.next().flatten().ok_or(ScoringError::UnknownCompany(siren))?;
                scores.next().map(|scored| score(&champion, siren, &vector, scored)).ok_or(ScoringError::UnknownCompany(siren))
            });
            ScoreResult {
                siren: text,
                result: Some(match result {
                    Ok(score) => score_result::Result::Score(score),
                    Err(error) => {
                        let error = ServiceError::from(error);
                        score_result::Result::Error(ItemError {
                            code: error.code().as_str().to_owned(),
                            message: error.message().to_owned(),
                        })
                    }
                }),
            }
        });
        Ok(results.collect())
    }
}

fn parse(siren: &str) -> Result<Siren, ScoringError> {
    siren.parse().map_err(|_| ScoringError::InvalidSiren(siren.to_owned()))
}

/// A score, or out of scope with its reason: a company that is not at risk has a vector but no level.
fn score(champion: &Champion, siren: Siren, vector: &Vector, scored: Scored) -> Score {
    let (moderate, high) = champion.thresholds();
    let at_risk = vector.blob.status == RiskStatus::AtRisk as u8;
    let reason = if at_risk { "" } else { RiskStatus::from_number(vector.blob.status).map_or("unknown", RiskStatus::code) };
    Score {
        siren: siren.to_string(),
        probability: if at_risk { scored.probability } else { 0.0 },
        alert_level: if at_risk { level(scored.level) } else { ApiLevel::OutOfScope }.into(),
        moderate_threshold: moderate,
        high_threshold: high,
        model_id: champion.id().to_owned(),
        month: vector.blob.month.to_string(),
        batch: vector.blob.batch.to_string(),
        stale: vector.stale,
        out_of_scope_reason: reason.to_owned(),
        probability_low: if at_risk { scored.interval.0 } else { 0.0 },
        probability_high: if at_risk { scored.interval.1 } else { 0.0 },
        too_little_data: at_risk && scored.too_little_data(),
    }
}

/// A level as the contract names it.
pub fn level(level: AlertLevel) -> ApiLevel {
    match level {
        AlertLevel::None => ApiLevel::None,
        AlertLevel::Moderate => ApiLevel::Moderate,
        AlertLevel::High => ApiLevel::High,
    }
}

fn status(error: ScoringError) -> Status {
    ServiceError::from(error).into()
}

#[tonic::async_trait]
impl ScoringService for Scoring {
    async fn score_company(&self, request: Request<ScoreCompanyRequest>) -> Result<Response<ScoreCompanyResponse>, Status> {
        let score = self.score(&request.into_inner().siren).await.map_err(status)?;
        Ok(Response::new(ScoreCompanyResponse { score: Some(score) }))
    }

    async fn batch_score_companies(
        &self,
        request: Request<BatchScoreCompaniesRequest>,
    ) -> Result<Response<BatchScoreCompaniesResponse>, Status> {
        let results = self.batch(request.into_inner().sirens).await.map_err(status)?;
        Ok(Response::new(BatchScoreCompaniesResponse { results }))
    }

    async fn explain_score(&self, request: Request<ExplainScoreRequest>) -> Result<Response<ScoreExplanation>, Status> {
        let rights = Principal::of(&request)?.rights;
        Ok(Response::new(self.explain(&request.into_inner().siren, rights).await.map_err(status)?))
    }
}
