//! `FeedbackService`: what agents say of detections, one immutable document a rating.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use api::feedback::feedback_service_server::FeedbackService;
use api::feedback::{
    ExportFeedbackRequest, ExportFeedbackResponse, ListRatingReasonsRequest, ListRatingReasonsResponse, RateDetectionRequest,
    Rating as ApiRating, RatingReason,
};
use chrono::{DateTime, Utc};
use domain::{AlertLevel, BatchKey, Month, Siren};
use futures::stream::{self, BoxStream, StreamExt};
use lake::LakeError;
use serde::{Deserialize, Serialize};
use service_kit::audit::{Audited, about};
use service_kit::auth::{Principal, Right};
use service_kit::error::{ErrorCode, ServiceError};
use tonic::{Request, Response, Status};

use crate::company::sheet::Known;
use crate::error::{ScoringError, within};
use crate::list::store::LATEST;
use crate::scoring_service::parse;
use crate::state::State;

/// Folder of the ratings.
const FOLDER: &str = "feedback";
/// Reasons that a rating may give: code and what agents read. The list of the existing system is not public.
const REASONS: [(&str, &str); 8] = [
    ("CONNUE", "Difficultés déjà connues et suivies"),
    ("SAINE", "L'entreprise va bien"),
    ("DONNEES", "Données fausses ou périmées"),
    ("PONCTUEL", "Événement ponctuel ou saisonnier"),
    ("GROUPE", "Soutenue par son groupe"),
    ("PROCEDURE", "Procédure collective déjà ouverte"),
    ("CESSATION", "Cession ou arrêt de l'activité déjà prévu"),
    (OTHER, "Autre raison, à préciser en commentaire"),
];
/// The reason that needs a comment.
const OTHER: &str = "AUTRE";
/// How long a rating may take to be stored.
const PATIENCE: Duration = Duration::from_secs(10);
/// Longest comment, characters.
const LONGEST: usize = 2_000;
/// Ratings of a message of an export, and documents read at a time.
const BATCH: usize = 500;
const READS: usize = 16;

/// A rating as stored. Who gave it is only in its name, hashed: one rating an agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Rating {
    siren: Siren,
    list: BatchKey,
    /// Month of the list's vectors.
    month: Month,
    useful: bool,
    reasons: Vec<String>,
    comment: String,
    segment: String,
    at: DateTime<Utc>,
}

impl Rating {
    /// Whether it says the same.
    fn says(&self, other: &Self) -> bool {
        (self.useful, &self.reasons, &self.comment) == (other.useful, &other.reasons, &other.comment)
    }

    fn reply(self) -> ApiRating {
        ApiRating {
            siren: self.siren.to_string(),
            list_id: self.list.to_string(),
            useful: self.useful,
            reasons: self.reasons,
            comment: self.comment,
            at: Some(SystemTime::from(self.at).into()),
            segment: self.segment,
            month: self.month.to_string(),
        }
    }
}

/// Checks what a rating says: known reasons, each once, at least one when it was not useful; a comment for another one.
fn reasons(request: &RateDetectionRequest) -> Result<Vec<String>, ServiceError> {
    let invalid =
        |field: &str, why: String| Err(ServiceError::new(ErrorCode::InvalidArgument, format!("{field}: {why}")).with("field", field));
    let mut reasons = request.reasons.clone();
    reasons.sort();
    reasons.dedup();
    if let Some(unknown) = reasons.iter().find(|reason| !REASONS.iter().any(|(code, _)| code == reason)) {
        let codes: Vec<&str> = REASONS.iter().map(|(code, _)| *code).collect();
        return invalid("reasons", format!("'{unknown}' is none of {}", codes.join(", ")));
    }
    if !request.useful && reasons.is_empty() {
        return invalid("reasons", "say why the detection was not useful".to_owned());
    }
    if reasons.iter().any(|reason| reason == OTHER) && request.comment.trim().is_empty() {
        return invalid("comment", format!("the reason {OTHER} needs one"));
    }
    if request.comment.chars().count() > LONGEST {
        return invalid("comment", format!("{LONGEST} characters at most"));
    }
    Ok(reasons)
}

/// The service.
pub struct Feedback {
    /// Shared with the other services of the process.
    pub state: Arc<State>,
}

impl Feedback {
    async fn rate(&self, principal: &Principal, request: &RateDetectionRequest) -> Result<Rating, ScoringError> {
        let (siren, reasons) = (parse(&request.siren)?, reasons(request)?);
        let list = self.state.lists.serve(LATEST).await?.list;
        let entry = list.find(siren);
        let follows = self.state.follows.of(principal).await;
        let known = Known { entry, history: None, places: &[], grant: follows.of(siren, Utc::now()) };
        let sees = known.decide(principal).rights.has(Right::Score);
        if !sees || entry.is_none_or(|entry| entry.level < AlertLevel::Moderate) {
            let message = format!("company {siren} cannot be rated: it is not alerted on the published list, or not yours to see");
            return Err(ServiceError::new(ErrorCode::NotRateable, message).into());
        }
        let rating = Rating {
            siren,
            list: list.info.batch,
            month: list.info.month,
            useful: request.useful,
            reasons,
            comment: request.comment.trim().to_owned(),
            segment: principal.segment.clone(),
            at: Utc::now(),
        };
        let path = format!("{FOLDER}/{}/{siren}-{}.json", rating.list, &principal.pseudonym()[..16]);
        let bytes = serde_json::to_vec(&rating).map_err(|error| ScoringError::document(path.as_str(), error))?;
        match within(PATIENCE, self.state.lake().objects().put_new(&path, bytes.into())).await {
            Ok(()) => Ok(rating),
            Err(ScoringError::Lake(LakeError::Immutable(_))) => {
                let before = self.read(&path).await?;
                if before.says(&rating) {
                    return Ok(before);
                }
                let message = format!("you rated the detection of {siren} on the list {} before", rating.list);
                Err(ServiceError::new(ErrorCode::AlreadyRated, message).into())
            }
            Err(error) => Err(error),
        }
    }

    async fn read(&self, path: &str) -> Result<Rating, ScoringError> {
        let bytes = self.state.lake().objects().get(path).await?;
        serde_json::from_slice(&bytes).map_err(|error| ScoringError::document(path, error))
    }

    /// Paths of the ratings of some lists; of all when none is named.
    async fn paths(&self, lists: &[String]) -> Result<Vec<String>, ScoringError> {
        let objects = self.state.lake().objects();
        if lists.is_empty() {
            return Ok(objects.list(FOLDER).await?);
        }
        let mut paths = Vec::new();
        for list in lists {
            let batch: BatchKey = list.parse().map_err(|error| crate::error::batch(&error))?;
            paths.extend(objects.list(&format!("{FOLDER}/{batch}")).await?);
        }
        Ok(paths)
    }
}

#[tonic::async_trait]
impl FeedbackService for Feedback {
    async fn rate_detection(&self, request: Request<RateDetectionRequest>) -> Result<Response<ApiRating>, Status> {
        let principal = Principal::of(&request)?;
        let rating = self.rate(&principal, &request.into_inner()).await?;
        let audited = Audited { list_id: rating.list.to_string(), sirens: vec![rating.siren.to_string()], ..Audited::default() };
        Ok(about(Response::new(rating.reply()), audited))
    }

    async fn list_rating_reasons(&self, _: Request<ListRatingReasonsRequest>) -> Result<Response<ListRatingReasonsResponse>, Status> {
        let reasons = REASONS.map(|(code, label)| RatingReason { code: code.to_owned(), label_fr: label.to_owned() });
        Ok(Response::new(ListRatingReasonsResponse { reasons: reasons.to_vec() }))
    }

    type ExportFeedbackStream = BoxStream<'static, Result<ExportFeedbackResponse, Status>>;

    async fn export_feedback(&self, request: Request<ExportFeedbackRequest>) -> Result<Response<Self::ExportFeedbackStream>, Status> {
        let lists = request.into_inner().lists;
        let paths = self.paths(&lists).await?;
        let audited = Audited { list_id: lists.join(","), rows: Some(paths.len() as u64), durable: true, ..Audited::default() };
        let reader = Arc::new(Self { state: self.state.clone() });
        let read = move |path: String| {
            let reader = reader.clone();
            async move { reader.read(&path).await.map(|rating| ApiRating { comment: String::new(), ..rating.reply() }) }
        };
        let ratings = stream::iter(paths).map(read).buffered(READS).chunks(BATCH).map(|ratings| {
            let ratings = ratings.into_iter().collect::<Result<_, ScoringError>>()?;
            Ok(ExportFeedbackResponse { ratings })
        });
        Ok(about(Response::new(ratings.boxed()), audited))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rating_says_why() {
        let ask = |useful, codes: &[&str], comment: &str| {
            let reasons_asked = codes.iter().map(ToString::to_string).collect();
            reasons(&RateDetectionRequest { siren: String::new(), useful, reasons: reasons_asked, comment: comment.into() }).ok()
        };
        assert_eq!(ask(true, &[], ""), Some(vec![]));
        assert_eq!(ask(false, &["SAINE", "GROUPE", "SAINE"], ""), Some(vec!["GROUPE".into(), "SAINE".into()]));
        assert_eq!(ask(false, &[], "no"), None, "it was not useful: why?");
        assert_eq!(ask(false, &["AUTRE"], " "), None, "another reason: which?");
        assert_eq!(ask(false, &["saine"], ""), None);
        assert_eq!(ask(true, &[], &"x".repeat(2_001)), None);
    }
}
