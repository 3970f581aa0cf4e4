//! `CompanyService`: sheets, search, follows.

pub mod search;
pub mod sheet;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use api::companies::company_service_server::CompanyService;
use api::companies::{
    BreakGlassRequest, CompanySheet, Follow, FollowCompanyRequest, FollowOutcome, FollowReason, GetCompanyRequest, ListFollowsRequest,
    ListFollowsResponse, SearchCompaniesRequest, SearchCompaniesResponse, UnfollowCompanyRequest, UnfollowCompanyResponse,
};
use api::features::feature_service_client::FeatureServiceClient;
use api::features::{CompanyHistory, GetCompanyHistoryRequest};
use chrono::Utc;
use domain::{Month, Siren};
use service_kit::audit::{Audited, about};
use service_kit::auth::{Principal, Right};
use service_kit::channel::MAX_MESSAGE;
use service_kit::error::{ErrorCode, ServiceError};
use service_kit::paging;
use service_kit::peers::Peers;
use tonic::{Code, Request, Response, Status};

use self::sheet::Known;
use crate::error::{ScoringError, within};
use crate::follows::{Grant, Reason};
use crate::list::entry::ListInfo;
use crate::list::store::{LATEST, Placed, Served};
use crate::scoring_service::parse;
use crate::state::State;

/// Months of a sheet when the caller does not say.
const MONTHS: i32 = 36;
/// How long a part of a sheet may take, before it is left out.
const PATIENCE: Duration = Duration::from_secs(10);
/// Companies of a search by default, and at most.
const PAGE: usize = 10;
const LARGEST: usize = 50;

/// The service over the published list and the feature store.
pub struct Companies {
    /// Shared with the other services of the process.
    pub state: Arc<State>,
    /// Where the feature store is.
    pub peers: Peers,
}

impl Companies {
    /// The history of a company; `None` when the feature store does not know it.
    async fn history(&self, siren: Siren) -> Result<Option<CompanyHistory>, ScoringError> {
        let mut client = FeatureServiceClient::new(self.peers.features()?).max_decoding_message_size(MAX_MESSAGE);
        match client.get_company_history(GetCompanyHistoryRequest { siren: siren.to_string(), batch: String::new() }).await {
            Ok(history) => Ok(Some(history.into_inner())),
            Err(status) => {
                let error = ServiceError::from_status(&status);
                if matches!(error.code(), ErrorCode::UnknownCompany | ErrorCode::FeaturesNotBuilt) { Ok(None) } else { Err(error.into()) }
            }
        }
    }

    /// The published list; `None` when there is none yet.
    async fn published(&self) -> Result<Option<Served>, ScoringError> {
        match self.state.lists.serve(LATEST).await {
            Ok(served) => Ok(Some(served)),
            Err(ScoringError::NoListPublished) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Where a company was on lists that are or were published.
    async fn places(&self, siren: Siren, served: Option<&Served>) -> Result<Vec<(ListInfo, Placed)>, ScoringError> {
        let Some(served) = served else { return Ok(Vec::new()) };
        // The published list as it is served: a later generation of it is a draft.
        let list = &served.list;
        let latest = list.find(siren).map(|entry| (list.info.clone(), Placed::of(entry)));
        let places = self.state.lists.history(siren).await?;
        Ok(latest.into_iter().chain(places.into_iter().filter(|(info, _)| info.batch < list.info.batch)).collect())
    }

    /// A sheet, and whether a grant opened it. What storage or the feature store would say is left out while they are away, and
    /// the sheet says so.
    async fn sheet(&self, principal: &Principal, request: &GetCompanyRequest) -> Result<(CompanySheet, bool), ScoringError> {
        let siren = parse(&request.siren)?;
        let served = self.published().await?;
        let mut stale = served.as_ref().is_some_and(|served| served.stale);
        let entry = served.as_ref().and_then(|served| served.list.find(siren));
        let history = match within(PATIENCE, self.history(siren)).await {
            Err(error) if entry.is_some() => left_out(error, &mut stale)?,
            history => history?,
        };
        if entry.is_none() && history.is_none() {
            return Err(ScoringError::UnknownCompany(siren));
        }
        let follows = self.state.follows.of(principal).await;
        let known = Known { entry, history: history.as_ref(), places: &[], grant: follows.of(siren, Utc::now()) };
        // The history of scores costs a reading of every list: only for those who may see it, and of a company that left the list.
        let mut places = Vec::new();
        if entry.is_none() || known.decide(principal).rights.has(Right::Score) {
            places = match within(PATIENCE, self.places(siren, served.as_ref())).await {
                Err(error) => left_out(error, &mut stale)?,
                places => places?,
            };
        }
        let from = from_month(&request.from_month, history.as_ref())?;
        let known = Known { places: &places, ..known };
        let shown = sheet::sheet(known, principal, &from);
        Ok((CompanySheet { stale, ..shown }, known.is_opened_by_grant(principal)))
    }

    async fn search(&self, request: &SearchCompaniesRequest) -> Result<SearchCompaniesResponse, ScoringError> {
        let length = request.query.trim().chars().count();
        if !(search::SHORTEST..=search::LONGEST).contains(&length) {
            let message = format!("query: {} to {} characters", search::SHORTEST, search::LONGEST);
            return Err(ServiceError::new(ErrorCode::InvalidArgument, message).with("field", "query").into());
        }
        let size = paging::size(request.page_size, PAGE, LARGEST)?;
        let Some(served) = self.published().await? else { return Ok(SearchCompaniesResponse::default()) };
        let (found, total) = search::search(&served.list, &request.query, size);
        let companies = found.into_iter().map(|position| sheet::identity(Some(&served.list.entries[position]), None));
        Ok(SearchCompaniesResponse { companies: companies.collect(), total: total as u32 })
    }

    /// Whether a company exists, and whether an establishment of it is in the caller's territory.
    async fn visible(&self, principal: &Principal, siren: Siren) -> Result<bool, ScoringError> {
        let served = self.published().await?;
        let entry = served.as_ref().and_then(|served| served.list.find(siren)).map(Placed::of);
        let last = match entry {
            Some(entry) => Some(entry),
            None => within(PATIENCE, self.places(siren, served.as_ref())).await?.first().map(|(_, placed)| *placed),
        };
        match last {
            Some(last) => Ok(last.departments.intersects(principal.territories)),
            None if within(PATIENCE, self.history(siren)).await?.is_some() => Ok(false),
            None => Err(ScoringError::UnknownCompany(siren)),
        }
    }

    async fn follow(&self, principal: &Principal, request: &FollowCompanyRequest) -> Result<Grant, ScoringError> {
        let siren = parse(&request.siren)?;
        let reason = match FollowReason::try_from(request.reason) {
            Ok(FollowReason::Detection) => Reason::Detection,
            Ok(FollowReason::ExternalSource) => Reason::ExternalSource,
            Ok(FollowReason::InternalSource) => Reason::InternalSource,
            Ok(FollowReason::Other) => Reason::Other,
            Ok(FollowReason::Unspecified) | Err(_) => {
                let message = "reason: say why you follow the company (DETECTION, EXTERNAL_SOURCE, INTERNAL_SOURCE or OTHER)";
                return Err(ServiceError::new(ErrorCode::MotiveMissing, message).with("field", "reason").into());
            }
        };
        let visible = self.visible(principal, siren).await?;
        let now = Utc::now();
        self.state.follows.change(principal, |follows| follows.follow(siren, reason, &request.comment, visible, now)).await
    }

    async fn break_glass(&self, principal: &Principal, request: &BreakGlassRequest) -> Result<Grant, ScoringError> {
        let siren = parse(&request.siren)?;
        let visible = self.visible(principal, siren).await?;
        let now = Utc::now();
        self.state.follows.change(principal, |follows| follows.break_glass(siren, &request.motive, visible, now)).await
    }
}

/// Nothing, in the place of what cannot be had while others are away; any other error stays one.
fn left_out<T: Default>(error: ScoringError, stale: &mut bool) -> Result<T, ScoringError> {
    let error = ServiceError::from(error);
    if error.code().status() != Code::Unavailable {
        return Err(error.into());
    }
    tracing::warn!(%error, "a part of a sheet is left out");
    *stale = true;
    Ok(T::default())
}

/// The first month of a sheet.
fn from_month(asked: &str, history: Option<&CompanyHistory>) -> Result<String, ServiceError> {
    if asked.is_empty() {
        let last = history.and_then(|history| history.months.last()).and_then(|month| month.parse::<Month>().ok());
        return Ok(last.map(|last| last.plus(1 - MONTHS).to_string()).unwrap_or_default());
    }
    let month = asked.parse::<Month>();
    let month =
        month.map_err(|error| ServiceError::new(ErrorCode::InvalidArgument, format!("from_month: {error}")).with("field", "from_month"));
    month.map(|month| month.to_string())
}

fn reply(grant: &Grant) -> Follow {
    let reason = match grant.reason {
        Some(Reason::Detection) => FollowReason::Detection,
        Some(Reason::ExternalSource) => FollowReason::ExternalSource,
        Some(Reason::InternalSource) => FollowReason::InternalSource,
        Some(Reason::Other) => FollowReason::Other,
        None => FollowReason::Unspecified,
    };
    Follow {
        siren: grant.siren.to_string(),
        reason: reason.into(),
        comment: grant.comment.clone(),
        since: Some(SystemTime::from(grant.since).into()),
        until: grant.until.map(|until| SystemTime::from(until).into()),
        break_glass: grant.is_break_glass(),
    }
}

#[tonic::async_trait]
impl CompanyService for Companies {
    async fn get_company(&self, request: Request<GetCompanyRequest>) -> Result<Response<CompanySheet>, Status> {
        let principal = Principal::of(&request)?;
        let request = request.into_inner();
        let (sheet, by_grant) = self.sheet(&principal, &request).await?;
        // A look that a grant opened is on record before it is answered.
        let question = if by_grant { "by a grant" } else { "" };
        let audited = Audited { sirens: vec![request.siren], question: question.to_owned(), durable: by_grant, ..Audited::default() };
        Ok(about(Response::new(sheet), audited))
    }

    async fn search_companies(&self, request: Request<SearchCompaniesRequest>) -> Result<Response<SearchCompaniesResponse>, Status> {
        let request = request.into_inner();
        let found = self.search(&request).await?;
        let audited = Audited { rows: Some(found.companies.len() as u64), question: request.query, ..Audited::default() };
        Ok(about(Response::new(found), audited))
    }

    async fn follow_company(&self, request: Request<FollowCompanyRequest>) -> Result<Response<Follow>, Status> {
        let principal = Principal::of(&request)?;
        let request = request.into_inner();
        let grant = self.follow(&principal, &request).await?;
        let audited = Audited { sirens: vec![request.siren], question: request.comment, durable: true, ..Audited::default() };
        Ok(about(Response::new(reply(&grant)), audited))
    }

    async fn unfollow_company(&self, request: Request<UnfollowCompanyRequest>) -> Result<Response<UnfollowCompanyResponse>, Status> {
        let principal = Principal::of(&request)?;
        let request = request.into_inner();
        let siren = parse(&request.siren)?;
        let outcome = FollowOutcome::try_from(request.outcome).unwrap_or_default();
        if outcome == FollowOutcome::Unspecified {
            let message = "outcome: say what came of it (ACTIONS or NO_ACTION)";
            return Err(ServiceError::new(ErrorCode::InvalidArgument, message).with("field", "outcome").into());
        }
        let end = |follows: &mut crate::follows::Follows| {
            follows.unfollow(siren);
            Ok(())
        };
        self.state.follows.change(&principal, end).await?;
        let question = format!("{} {}", outcome.as_str_name(), request.comment);
        let audited = Audited { sirens: vec![request.siren], question, durable: true, ..Audited::default() };
        Ok(about(Response::new(UnfollowCompanyResponse {}), audited))
    }

    async fn list_follows(&self, request: Request<ListFollowsRequest>) -> Result<Response<ListFollowsResponse>, Status> {
        let principal = Principal::of(&request)?;
        let follows = self.state.follows.of(&principal).await;
        let mut grants: Vec<&Grant> = follows.holding(Utc::now()).collect();
        grants.sort_by_key(|grant| (std::cmp::Reverse(grant.since), grant.siren));
        Ok(Response::new(ListFollowsResponse { follows: grants.into_iter().map(reply).collect() }))
    }

    async fn break_glass(&self, request: Request<BreakGlassRequest>) -> Result<Response<Follow>, Status> {
        let principal = Principal::of(&request)?;
        let request = request.into_inner();
        let grant = self.break_glass(&principal, &request).await?;
        tracing::warn!(siren = request.siren, until = ?grant.until, "an agent opened a company outside of their territory");
        let audited = Audited { sirens: vec![request.siren], question: request.motive, durable: true, ..Audited::default() };
        Ok(about(Response::new(reply(&grant)), audited))
    }
}
