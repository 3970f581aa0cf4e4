//! `ListService`: builds, publishes and reads ranked lists.

use std::sync::Arc;

use api::common::Chunk;
use api::google::longrunning::Operation;
use api::lists::list_service_server::ListService;
use api::lists::{
    BuildListRequest, DetectionList, DiffListsRequest, DiffListsResponse, ExportListRequest, GetListRequest, GetRankedListRequest,
    GetRankedListResponse, ListEntries, ListListsRequest, ListListsResponse, ListSummary, ProposeCuratedListRequest,
    ProposeCuratedListResponse, PublishListRequest, RankedListFilter, RollbackListRequest, StreamRankedListRequest,
    SummarizeRankedListRequest,
};
use bytes::Bytes;
use domain::BatchKey;
use futures::stream::{self, BoxStream, StreamExt};
use service_kit::audit::{Audited, about};
use service_kit::auth::{Principal, Right};
use service_kit::error::{ErrorCode, ServiceError};
use tonic::{Request, Response, Status};

use crate::error::ScoringError;
use crate::list::entry::ListInfo;
use crate::list::page::{self, Page};
use crate::list::query::Query;
use crate::list::reply::{self, Mask};
use crate::list::store::{LATEST, Served};
use crate::list::summary::summarize;
use crate::list::{answer, curated, export};
use crate::state::State;

/// Bytes of a piece of an export.
const PIECE: usize = 64 * 1024;

/// The service over the stored lists.
pub struct Lists {
    /// Shared with the scoring service.
    pub state: Arc<State>,
}

impl Lists {
    async fn describe(&self, info: &ListInfo) -> DetectionList {
        reply::described(info, self.state.lists.published_known().await)
    }

    async fn served(&self, served: &Served) -> DetectionList {
        reply::served(served, self.state.lists.published_known().await)
    }

    /// A checked question of a caller, with what they follow.
    async fn query(
        &self,
        principal: Principal,
        filter: Option<RankedListFilter>,
        text: &str,
        order_by: &str,
    ) -> Result<Query, ScoringError> {
        let query = Query::new(principal, filter, text, order_by)?;
        let followed = self.state.follows.sirens(query.principal()).await;
        Ok(query.following(followed))
    }

    /// The list of this name, for a caller who may read it.
    async fn open(&self, principal: &Principal, id: &str) -> Result<Served, ScoringError> {
        if reads_drafts(principal) {
            return self.state.lists.serve(id).await;
        }
        let latest = self.state.lists.serve(LATEST).await?;
        match readable(id, latest.list.info.batch)? {
            LATEST => Ok(latest),
            earlier => self.state.lists.serve(earlier).await,
        }
    }

    async fn page(&self, principal: Principal, request: GetRankedListRequest) -> Result<GetRankedListResponse, ScoringError> {
        let size = page::size(request.page_size)?;
        let mask = Mask::parse(request.read_mask.as_ref())?;
        let query = self.query(principal, request.structured_filter, &request.filter, &request.order_by).await?;
        let served = self.open(query.principal(), &request.id).await?;
        let (list, seal) = (&served.list, self.state.lists.seal().await?);
        let (batch, generation) = list.identity();
        let mut after = None;
        if !request.page_token.is_empty() {
            let page = Page::parse(&request.page_token, &query, seal)?;
            if (page.list, page.generation) != (batch, generation) {
                return Err(page::moved(batch, generation).into());
            }
            after = Some(page.after_rank);
        }
        let answer = answer::page(list, &query, mask, size, after);
        let token = |after_rank| Page { list: batch, generation, after_rank }.token(&query, seal);
        Ok(GetRankedListResponse {
            list: Some(self.served(&served).await),
            entries: answer.entries,
            next_page_token: answer.next_after.map(token).unwrap_or_default(),
            total_size: answer.total,
        })
    }

    /// All entries in batches. The list is the one served at the start, whatever is published meanwhile.
    async fn stream(
        &self,
        principal: Principal,
        request: StreamRankedListRequest,
    ) -> Result<(DetectionList, BoxStream<'static, Result<ListEntries, Status>>), ScoringError> {
        let mask = Mask::parse(request.read_mask.as_ref())?;
        let query = self.query(principal, request.structured_filter, &request.filter, &request.order_by).await?;
        let served = self.open(query.principal(), &request.id).await?;
        let list = self.served(&served).await;
        let first = ListEntries { list: Some(list.clone()), entries: Vec::new() };
        let batches = answer::batches(served.list, query, mask).map(|entries| Ok(ListEntries { list: None, entries }));
        Ok((list, stream::iter(std::iter::once(Ok(first)).chain(batches)).boxed()))
    }

    async fn summary(&self, principal: Principal, request: SummarizeRankedListRequest) -> Result<ListSummary, ScoringError> {
        let query = self.query(principal, request.structured_filter, &request.filter, "").await?;
        let served = self.open(query.principal(), &request.id).await?;
        Ok(reply::summary(&summarize(&served.list, &query), self.served(&served).await))
    }

    async fn diff(&self, principal: Principal, request: DiffListsRequest) -> Result<DiffListsResponse, ScoringError> {
        let query = self.query(principal, request.structured_filter, "", "").await?;
        let caller = query.principal();
        let (from, to) = (self.open(caller, &request.from_id).await?.list, self.open(caller, &request.to_id).await?.list);
        Ok(DiffListsResponse { changes: answer::changes(&from, &to, &query), model_changed: from.info.model_id != to.info.model_id })
    }

    async fn propose(&self, principal: Principal, request: ProposeCuratedListRequest) -> Result<ProposeCuratedListResponse, ScoringError> {
        let query = self.query(principal, request.structured_filter, "", "").await?;
        let served = self.open(query.principal(), &request.id).await?;
        if request.least_age_years > curated::LARGEST_AGE {
            let message = format!("least_age_years: {} at most", curated::LARGEST_AGE);
            return Err(ServiceError::new(ErrorCode::InvalidArgument, message).with("field", "least_age_years").into());
        }
        let given = |value: u32, default: u32| if value == 0 { default } else { value };
        let (cap, age) = (given(request.per_department, curated::CAP), given(request.least_age_years, curated::LEAST_AGE));
        let (entries, proposal) = answer::proposal(&served.list, &query, cap, age)?;
        Ok(ProposeCuratedListResponse { list: Some(self.served(&served).await), entries, cuts: reply::cuts(&proposal) })
    }

    async fn export(&self, principal: Principal, request: ExportListRequest) -> Result<(ListInfo, Bytes), ScoringError> {
        let asked = export::Asked::parse(&request)?;
        let query = self.query(principal, request.structured_filter, &request.filter, &request.order_by).await?;
        let list = self.open(query.principal(), &request.id).await?.list;
        let info = list.info.clone();
        let write = move || export::write(&list, &query, &asked);
        let bytes = tokio::task::spawn_blocking(write).await.map_err(|error| ScoringError::Task(error.to_string()))??;
        Ok((info, bytes.into()))
    }
}

/// The name of a list that readers may ask for: the published one, or that of an earlier batch. A later one is a draft; for them
/// it does not exist yet.
fn readable(id: &str, published: BatchKey) -> Result<&str, ScoringError> {
    match id.parse::<BatchKey>() {
        _ if id.is_empty() || id == LATEST => Ok(LATEST),
        Ok(batch) if batch == published => Ok(LATEST),
        Ok(batch) if batch < published => Ok(id),
        _ => Err(ScoringError::ListNotFound(id.to_owned())),
    }
}

/// What of a reading is recorded.
fn read(info: &ListInfo, rows: Option<u64>, question: String) -> Audited {
    Audited { list_id: info.batch.to_string(), rows, question, ..Audited::default() }
}

/// The same of a list as a reply names it.
fn named(list: Option<&DetectionList>, rows: Option<u64>, question: String) -> Audited {
    Audited { list_id: list.map(|list| list.id.clone()).unwrap_or_default(), rows, question, ..Audited::default() }
}

/// What was asked, for the record: only what was given.
fn question(message: Option<&RankedListFilter>, text: &str, order_by: &str) -> String {
    let message = message.filter(|message| **message != RankedListFilter::default()).map(|message| format!("{message:?}"));
    let parts = [message.unwrap_or_default(), text.to_owned(), order_by.to_owned()];
    parts.iter().filter(|part| !part.is_empty()).map(String::as_str).collect::<Vec<_>>().join("; ")
}

/// Whether a caller reads lists before they are published.
fn reads_drafts(principal: &Principal) -> bool {
    principal.has(Right::Operator) || principal.has(Right::ServiceScore)
}

#[tonic::async_trait]
impl ListService for Lists {
    async fn build_list(&self, request: Request<BuildListRequest>) -> Result<Response<Operation>, Status> {
        let request = request.into_inner();
        request.batch.parse::<BatchKey>().map_err(|error| crate::error::batch(&error))?;
        Ok(Response::new(self.state.jobs.start(crate::BUILD_LIST, &request).await?))
    }

    async fn publish_list(&self, request: Request<PublishListRequest>) -> Result<Response<DetectionList>, Status> {
        let list = self.state.lists.publish(&request.into_inner().id).await?;
        Ok(about(Response::new(self.describe(&list.info).await), Audited { durable: true, ..read(&list.info, None, String::new()) }))
    }

    async fn rollback_list(&self, _: Request<RollbackListRequest>) -> Result<Response<DetectionList>, Status> {
        let list = self.state.lists.roll_back().await?;
        Ok(about(Response::new(self.describe(&list.info).await), Audited { durable: true, ..read(&list.info, None, String::new()) }))
    }

    async fn list_lists(&self, request: Request<ListListsRequest>) -> Result<Response<ListListsResponse>, Status> {
        let drafts = reads_drafts(&Principal::of(&request)?);
        let published = self.state.lists.published().await?;
        let lists = self.state.lists.all().await?;
        let open = |info: &&ListInfo| drafts || published.is_some_and(|(batch, _)| info.batch <= batch);
        let lists = lists.iter().filter(open).map(|info| reply::described(info, published)).collect();
        Ok(Response::new(ListListsResponse { lists, next_page_token: String::new() }))
    }

    async fn get_list(&self, request: Request<GetListRequest>) -> Result<Response<DetectionList>, Status> {
        let principal = Principal::of(&request)?;
        let served = self.open(&principal, &request.into_inner().id).await?;
        Ok(about(Response::new(self.served(&served).await), read(&served.list.info, None, String::new())))
    }

    async fn get_ranked_list(&self, request: Request<GetRankedListRequest>) -> Result<Response<GetRankedListResponse>, Status> {
        let principal = Principal::of(&request)?;
        let request = request.into_inner();
        let question = question(request.structured_filter.as_ref(), &request.filter, &request.order_by);
        let page = self.page(principal, request).await?;
        let audited = named(page.list.as_ref(), Some(page.entries.len() as u64), question);
        Ok(about(Response::new(page), audited))
    }

    type StreamRankedListStream = BoxStream<'static, Result<ListEntries, Status>>;

    async fn stream_ranked_list(
        &self,
        request: Request<StreamRankedListRequest>,
    ) -> Result<Response<Self::StreamRankedListStream>, Status> {
        let principal = Principal::of(&request)?;
        let request = request.into_inner();
        let question = question(request.structured_filter.as_ref(), &request.filter, &request.order_by);
        let (list, stream) = self.stream(principal, request).await?;
        Ok(about(Response::new(stream), Audited { durable: true, ..named(Some(&list), None, question) }))
    }

    async fn summarize_ranked_list(&self, request: Request<SummarizeRankedListRequest>) -> Result<Response<ListSummary>, Status> {
        let principal = Principal::of(&request)?;
        let request = request.into_inner();
        let question = question(request.structured_filter.as_ref(), &request.filter, "");
        let summary = self.summary(principal, request).await?;
        let audited = named(summary.list.as_ref(), None, question);
        Ok(about(Response::new(summary), audited))
    }

    async fn diff_lists(&self, request: Request<DiffListsRequest>) -> Result<Response<DiffListsResponse>, Status> {
        let principal = Principal::of(&request)?;
        let request = request.into_inner();
        let lists = format!("{} {}", request.from_id, request.to_id);
        let question = question(request.structured_filter.as_ref(), "", "");
        let diff = self.diff(principal, request).await?;
        let audited = Audited { list_id: lists, rows: Some(diff.changes.len() as u64), question, ..Audited::default() };
        Ok(about(Response::new(diff), audited))
    }

    async fn propose_curated_list(
        &self,
        request: Request<ProposeCuratedListRequest>,
    ) -> Result<Response<ProposeCuratedListResponse>, Status> {
        let principal = Principal::of(&request)?;
        let request = request.into_inner();
        let question = question(request.structured_filter.as_ref(), "", "");
        let proposal = self.propose(principal, request).await?;
        let audited = named(proposal.list.as_ref(), Some(proposal.entries.len() as u64), question);
        Ok(about(Response::new(proposal), audited))
    }

    type ExportListStream = BoxStream<'static, Result<Chunk, Status>>;

    async fn export_list(&self, request: Request<ExportListRequest>) -> Result<Response<Self::ExportListStream>, Status> {
        let principal = Principal::of(&request)?;
        let request = request.into_inner();
        let asked = question(request.structured_filter.as_ref(), &request.filter, &request.order_by);
        let question = format!("{} {} {asked}", request.format, request.columns);
        let (info, bytes) = self.export(principal, request).await?;
        let pieces =
            (0..bytes.len()).step_by(PIECE).map(move |start| Ok(Chunk { data: bytes.slice(start..bytes.len().min(start + PIECE)) }));
        // A file leaves the suite: that it did is on record before its first byte.
        let audited = Audited { durable: true, ..read(&info, None, question) };
        Ok(about(Response::new(stream::iter(pieces).boxed()), audited))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_draft_does_not_exist_for_readers() {
        let published = "2511".parse().unwrap();
        for (id, expected) in [
            ("", Some("latest")),
            ("latest", Some("latest")),
            ("2511", Some("latest")),
            ("2509", Some("2509")),
            ("2512", None),
            ("x", None),
        ] {
            assert_eq!(readable(id, published).ok(), expected, "{id}");
        }
    }
}
