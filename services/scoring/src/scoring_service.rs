//! `ScoringService`: from a request to the champion and back. The tables are never read here.

use std::sync::Arc;

use api::common::AlertLevel as ApiLevel;
use api::scoring::scoring_service_server::ScoringService;
use api::scoring::{
    BatchScoreCompaniesRequest, BatchScoreCompaniesResponse, ExplainScoreRequest, ExplainWhatIfRequest, HistoricScore, ItemError,
    ListScoreHistoryRequest, ListScoreHistoryResponse, Score, ScoreCompanyRequest, ScoreCompanyResponse, ScoreExplanation, ScoreResult,
    StreamScoresRequest, score_result,
};
use domain::{AlertLevel, Siren};
use futures::stream::{BoxStream, StreamExt};
use online_store::VectorBlob;
use panel::risk::RiskStatus;
use service_kit::audit::{Audited, Record, Trail, about, shortened};
use service_kit::auth::{Principal, Rights};
use service_kit::error::ServiceError;
use tonic::{Request, Response, Status, Streaming};

use crate::champion::{Champion, Explanation, Scored};
use crate::error::ScoringError;
use crate::explained;
use crate::list::reply;
use crate::state::State;

/// Companies in one request, at most.
const MOST: usize = 1_000;
/// The method whose companies come one by one.
const STREAM: &str = "/signauxfaibles.scoring.v1.ScoringService/StreamScores";
/// Companies of a stream that are looked up at a time.
const IN_FLIGHT: usize = 32;

/// The service over the loaded champion and the online vectors.
#[derive(Clone)]
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
        if vector.blob.status != RiskStatus::AtRisk as u8 {
            // There is no score to explain.
            let scored = champion.score(&vector.blob.values)?;
            let score = scored.first().map(|scored| score(&champion, siren, &vector, *scored));
            return Ok(ScoreExplanation { score, ..ScoreExplanation::default() });
        }
        let described = |explanation: &Explanation| score(&champion, siren, &vector, explanation.scored);
        explained::explain(&champion, vector.blob.values.clone(), rights, described).await
    }

    /// A company that is not at risk gets a probability too: the caller supposes what it is.
    async fn what_if(&self, request: ExplainWhatIfRequest, principal: &Principal) -> Result<ScoreExplanation, ScoringError> {
        let champion = self.state.champion().await?;
        let (mut values, mut company) = (vec![f32::NAN; champion.catalogue().features().len()], Score::default());
        if !request.siren.is_empty() {
            let siren = parse(&request.siren)?;
            let vector = self.vectors(&champion, &[siren]).await?.pop().flatten().ok_or(ScoringError::UnknownCompany(siren))?;
            company = described(siren, &vector);
            values = vector.blob.values;
        }
        explained::replace(champion.catalogue(), &mut values, &request.features, principal)?;
        let model = champion.clone();
        let company = move |explanation: &Explanation| with(company, &model, explanation.scored);
        explained::explain(&champion, values, principal.rights, company).await
    }

    async fn history(&self, siren: &str) -> Result<Vec<HistoricScore>, ScoringError> {
        let placed = self.state.lists.history(parse(siren)?).await?;
        Ok(placed.into_iter().map(|(info, placed)| reply::placed(&info, placed)).collect())
    }

    /// Scores of these companies, each of which must have a vector.
    pub async fn known(&self, champion: &Champion, sirens: &[String]) -> Result<Vec<Scored>, ScoringError> {
        let sirens: Vec<Siren> = sirens.iter().map(|siren| parse(siren)).collect::<Result<_, _>>()?;
        let mut values = Vec::new();
        for (siren, vector) in sirens.iter().zip(self.vectors(champion, &sirens).await?) {
            values.extend(vector.ok_or(ScoringError::UnknownCompany(*siren))?.blob.values);
        }
        champion.score(&values)
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
            result_of(text, result)
        });
        Ok(results.collect())
    }
}

/// A score, or the error of this company alone.
fn result_of(siren: String, result: Result<Score, ScoringError>) -> ScoreResult {
    let result = match result {
        Ok(score) => score_result::Result::Score(score),
        Err(error) => {
            let error = ServiceError::from(error);
            score_result::Result::Error(ItemError { code: error.code().as_str().to_owned(), message: error.message().to_owned() })
        }
    };
    ScoreResult { siren, result: Some(result) }
}

/// Reads a SIREN of a request.
pub fn parse(siren: &str) -> Result<Siren, ScoringError> {
    siren.parse().map_err(|_| ScoringError::InvalidSiren(siren.to_owned()))
}

/// A score, or out of scope with its reason: a company that is not at risk has a vector but no level.
fn score(champion: &Champion, siren: Siren, vector: &Vector, scored: Scored) -> Score {
    let scored = with(described(siren, vector), champion, scored);
    if vector.blob.status == RiskStatus::AtRisk as u8 {
        return scored;
    }
    let reason = RiskStatus::from_number(vector.blob.status).map_or("unknown", RiskStatus::code);
    Score {
        out_of_scope_reason: reason.to_owned(),
        alert_level: ApiLevel::OutOfScope.into(),
        probability: 0.0,
        probability_low: 0.0,
        probability_high: 0.0,
        too_little_data: false,
        ..scored
    }
}

/// What a vector says of its company, without a score.
fn described(siren: Siren, vector: &Vector) -> Score {
    Score {
        siren: siren.to_string(),
        month: vector.blob.month.to_string(),
        batch: vector.blob.batch.to_string(),
        stale: vector.stale,
        ..Score::default()
    }
}

/// What a model says, in a description of the company.
fn with(described: Score, champion: &Champion, scored: Scored) -> Score {
    let (moderate, high) = champion.thresholds();
    Score {
        probability: scored.probability,
        alert_level: level(scored.level).into(),
        moderate_threshold: moderate,
        high_threshold: high,
        model_id: champion.id().to_owned(),
        probability_low: scored.interval.0,
        probability_high: scored.interval.1,
        too_little_data: scored.too_little_data(),
        ..described
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

/// An answer about a company, with what of it is recorded.
fn of<T>(answer: T, siren: String) -> Response<T> {
    about(Response::new(answer), Audited { sirens: vec![siren], ..Audited::default() })
}

/// The companies that a stream names: recorded as they come, because only its end knows them all.
struct Named {
    trail: Trail,
    principal: Principal,
    sirens: Vec<String>,
}

impl Named {
    fn add(&mut self, siren: &str) -> Result<(), ServiceError> {
        if !self.trail.is_on() {
            return Ok(());
        }
        self.sirens.push(shortened(siren));
        if self.sirens.len() >= MOST { self.record() } else { Ok(()) }
    }

    fn record(&mut self) -> Result<(), ServiceError> {
        let sirens = std::mem::take(&mut self.sirens);
        let audited = Audited { rows: Some(sirens.len() as u64), sirens, question: "of a stream".to_owned(), ..Audited::default() };
        self.trail.keep(&Record::answered(&self.principal, STREAM, audited))
    }
}

impl Drop for Named {
    fn drop(&mut self) {
        if !self.sirens.is_empty()
            && let Err(error) = self.record()
        {
            tracing::error!(%error, "the companies of a stream are not recorded");
        }
    }
}

#[tonic::async_trait]
impl ScoringService for Scoring {
    async fn score_company(&self, request: Request<ScoreCompanyRequest>) -> Result<Response<ScoreCompanyResponse>, Status> {
        let siren = request.into_inner().siren;
        let score = self.score(&siren).await?;
        Ok(of(ScoreCompanyResponse { score: Some(score) }, siren))
    }

    async fn batch_score_companies(
        &self,
        request: Request<BatchScoreCompaniesRequest>,
    ) -> Result<Response<BatchScoreCompaniesResponse>, Status> {
        let sirens = request.into_inner().sirens;
        let audited = Audited { sirens: sirens.clone(), rows: Some(sirens.len() as u64), ..Audited::default() };
        let results = self.batch(sirens).await?;
        Ok(about(Response::new(BatchScoreCompaniesResponse { results }), audited))
    }

    async fn explain_score(&self, request: Request<ExplainScoreRequest>) -> Result<Response<ScoreExplanation>, Status> {
        let rights = Principal::of(&request)?.rights;
        let siren = request.into_inner().siren;
        Ok(of(self.explain(&siren, rights).await?, siren))
    }

    type StreamScoresStream = BoxStream<'static, Result<ScoreResult, Status>>;

    async fn stream_scores(&self, request: Request<Streaming<StreamScoresRequest>>) -> Result<Response<Self::StreamScoresStream>, Status> {
        let scoring = self.clone();
        let mut named = Named { trail: self.state.audit.clone(), principal: Principal::of(&request)?, sirens: Vec::new() };
        let asked = request.into_inner().map(move |asked| {
            let asked = asked?;
            named.add(&asked.siren)?;
            Ok::<_, Status>(asked)
        });
        let answers = asked.map(move |asked| {
            let scoring = scoring.clone();
            async move {
                let siren = asked?.siren;
                let result = scoring.score(&siren).await;
                Ok(result_of(siren, result))
            }
        });
        Ok(Response::new(answers.buffered(IN_FLIGHT).boxed()))
    }

    async fn explain_what_if(&self, request: Request<ExplainWhatIfRequest>) -> Result<Response<ScoreExplanation>, Status> {
        let principal = Principal::of(&request)?;
        let request = request.into_inner();
        let siren = request.siren.clone();
        Ok(of(self.what_if(request, &principal).await?, siren))
    }

    async fn list_score_history(&self, request: Request<ListScoreHistoryRequest>) -> Result<Response<ListScoreHistoryResponse>, Status> {
        let siren = request.into_inner().siren;
        let scores = self.history(&siren).await?;
        Ok(of(ListScoreHistoryResponse { scores }, siren))
    }
}

#[cfg(test)]
mod tests {
    use domain::{BatchKey, Month};
    use lake::{Lake, LakeOptions};
    use online_store::{Published, schema_number, snapshot};
    use panel::Catalogue;
    use service_kit::auth::Right;
    use trees::Params;
    use trees::calibration::{Calibration, Isotonic, VennAbers};
    use trees::manifest::{Manifest, text_digest};

    use super::*;
    use crate::state::tests::opened;

    /// Promotes a model of one question: is the first feature above ten?
    async fn promote(lake: &Lake, catalogue: &Catalogue) {
        let names: Vec<String> = catalogue.features().iter().map(|feature| feature.name.clone()).collect();
        let tree = "Tree=0\nnum_leaves=2\nnum_cat=0\nsplit_feature=0\nthreshold=10\ndecision_type=2\nleft_child=-1\nright_child=-2\n\
            leaf_value=-1 1\nleaf_count=50 50\ninternal_count=100\nis_linear=0\n";
        let head = format!("tree\nnum_class=1\nnum_tree_per_iteration=1\nfeature_names={}\ntree_sizes={}", names.join(" "), tree.len());
        let text = format!("{head}\n\n{tree}end of trees\n");
        let rows = [(-1.0, false), (1.0, true)].map(|(score, positive)| trees::metrics::Scored { score, positive });
        let manifest = Manifest {
            kind: "lightgbm".into(),
            protocol: String::new(),
            batch: "2511".into(),
            features_version: 1,
            schema_hash: catalogue.schema_hash().to_owned(),
            features: names,
            params: Params::default(),
            trees: 1,
            calibration: Calibration::Isotonic(Isotonic::fit(&rows).unwrap()),
            uncertainty: VennAbers::fit(&rows).unwrap(),
            moderate: 0.5,
            high: 0.6,
            capacity: None,
            feedback: String::new(),
            text_sha256: text_digest(&text),
            report_sha256: String::new(),
            code_version: String::new(),
        };
        let objects = lake.objects();
        objects.put("models/m/model.txt", text.into()).await.unwrap();
        objects.put("models/m/model.json", serde_json::to_vec(&manifest).unwrap().into()).await.unwrap();
        lake.pointers().set("champion", &serde_json::json!({ "id": "m" })).await.unwrap();
    }

    /// Publishes vectors of the companies 1, 2 and so on, who stand so.
    async fn publish(lake: &Lake, catalogue: &Catalogue, statuses: &[RiskStatus]) {
        let (batch, month): (BatchKey, Month) = ("2511".parse().unwrap(), "2025-10".parse().unwrap());
        let schema_hash = schema_number(catalogue.schema_hash());
        let vector = |(status, number): (&RiskStatus, u32)| {
            let values = vec![20.0; catalogue.features().len()];
            let blob = VectorBlob { schema_hash, batch, month, status: *status as u8, values };
            (Siren::from_number(number).unwrap(), blob.encode())
        };
        let vectors: Vec<_> = statuses.iter().zip(1..).map(vector).collect();
        let generation = snapshot::write(lake, batch, &vectors).await.unwrap();
        let (schema_hash, companies) = (catalogue.schema_hash().to_owned(), vectors.len() as u64);
        Published { generation, batch, month, schema_hash, companies, features_version: 1 }.point(lake).await.unwrap();
    }

    #[tokio::test]
    async fn of_a_company_out_of_scope_the_reason_is_told_and_no_score_explained() {
        let folder = tempfile::tempdir().unwrap();
        let lake = Lake::open(folder.path().to_str().unwrap(), &LakeOptions::default()).unwrap();
        let catalogue = Catalogue::builtin().unwrap();
        promote(&lake, &catalogue).await;
        publish(&lake, &catalogue, &[RiskStatus::AtRisk, RiskStatus::InProcedure]).await;
        let scoring = Scoring { state: opened(folder.path()).await };
        let explain = async |siren: &str| scoring.explain(siren, Right::ALL.into_iter().collect()).await.unwrap();

        let at_risk = explain("000000001").await;
        assert_eq!((at_risk.groups.len(), at_risk.features.len()), (catalogue.groups().len(), catalogue.features().len()));
        let out = explain("000000002").await;
        let score = out.score.clone().unwrap();
        assert_eq!((score.alert_level, score.out_of_scope_reason.as_str()), (i32::from(ApiLevel::OutOfScope), "in_procedure"));
        assert_eq!((score.probability, score.probability_low, score.probability_high), (0.0, 0.0, 0.0));
        assert_eq!(out, ScoreExplanation { score: Some(score), ..ScoreExplanation::default() });
    }
}
