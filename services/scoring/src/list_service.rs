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
use service_kit::paging;
use tonic::{Request, Response, Status};

use crate::error::ScoringError;
use crate::list::entry::ListInfo;
use crate::list::page::{self, Page};
use crate::list::query::Query;
use crate::list::reply::{self, Mask};
use crate::list::store::{LATEST, List, Served};
use crate::list::summary::summarize;
use crate::list::{answer, curated, export};
use crate::state::State;

/// Entries of a page by default, and at most.
const PAGE: usize = 50;
const LARGEST: usize = 500;
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
            None => Ok(latest),
            Some(earlier) => self.state.lists.serve_published(earlier).await,
        }
    }

    async fn page(&self, principal: Principal, request: GetRankedListRequest) -> Result<(GetRankedListResponse, Audited), ScoringError> {
        let size = paging::size(request.page_size, PAGE, LARGEST)?;
        let mask = Mask::parse(request.read_mask.as_ref())?;
        let query = self.query(principal, request.structured_filter, &request.filter, &request.order_by).await?;
        let served = self.open(query.principal(), &request.id).await?;
        let list = &served.list;
        let (batch, generation) = list.identity();
        let mut after = None;
        if !request.page_token.is_empty() {
            let page = Page::parse(&request.page_token, &query, self.state.lists.seal().await?)?;
            if (page.list, page.generation) != (batch, generation) {
                return Err(page::moved(batch, generation).into());
            }
            after = Some(page.after_rank);
        }
        let answer = answer::page(list, &query, mask, size, after);
        let next_page_token = match answer.next_after {
            Some(after_rank) => Page { list: batch, generation, after_rank }.token(&query, self.state.lists.seal().await?),
            None => String::new(),
        };
        let audited = audited(&query, list, Some(answer.entries.len()));
        let response = GetRankedListResponse {
            list: Some(self.served(&served).await),
            entries: answer.entries,
            next_page_token,
            total_size: answer.total,
        };
        Ok((response, audited))
    }

    /// All entries in batches. The list is the one served at the start, whatever is published meanwhile.
    async fn stream(
        &self,
        principal: Principal,
        request: StreamRankedListRequest,
    ) -> Result<(BoxStream<'static, Result<ListEntries, Status>>, Audited), ScoringError> {
        let mask = Mask::parse(request.read_mask.as_ref())?;
        let query = self.query(principal, request.structured_filter, &request.filter, &request.order_by).await?;
        let served = self.open(query.principal(), &request.id).await?;
        let audited = Audited { durable: true, ..audited(&query, &served.list, None) };
        let first = ListEntries { list: Some(self.served(&served).await), entries: Vec::new() };
        let batches = answer::batches(served.list, query, mask).map(|entries| Ok(ListEntries { list: None, entries }));
        Ok((stream::iter(std::iter::once(Ok(first)).chain(batches)).boxed(), audited))
    }

    async fn summary(&self, principal: Principal, request: SummarizeRankedListRequest) -> Result<(ListSummary, Audited), ScoringError> {
        let query = self.query(principal, request.structured_filter, &request.filter, "").await?;
        let served = self.open(query.principal(), &request.id).await?;
        let summary = reply::summary(&summarize(&served.list, &query), self.served(&served).await);
        Ok((summary, audited(&query, &served.list, None)))
    }

    async fn diff(&self, principal: Principal, request: DiffListsRequest) -> Result<(DiffListsResponse, Audited), ScoringError> {
        let query = self.query(principal, request.structured_filter, "", "").await?;
        let caller = query.principal();
        let (from, to) = (self.open(caller, &request.from_id).await?.list, self.open(caller, &request.to_id).await?.list);
        let changes = answer::changes(&from, &to, &query);
        let both = format!("{} {}", from.info.batch, to.info.batch);
        let mut audited = Audited { list_id: both, ..audited(&query, &to, Some(changes.len())) };
        let opened = query.opened(&from);
        audited.durable |= !opened.is_empty();
        audited.sirens.extend(opened.iter().map(ToString::to_string));
        audited.sirens.sort_unstable();
        audited.sirens.dedup();
        Ok((DiffListsResponse { changes, model_changed: from.info.model_id != to.info.model_id }, audited))
    }

    async fn propose(
        &self,
        principal: Principal,
        request: ProposeCuratedListRequest,
    ) -> Result<(ProposeCuratedListResponse, Audited), ScoringError> {
        let query = self.query(principal, request.structured_filter, "", "").await?;
        let served = self.open(query.principal(), &request.id).await?;
        if request.least_age_years > curated::LARGEST_AGE {
            let message = format!("least_age_years: {} at most", curated::LARGEST_AGE);
            return Err(ServiceError::new(ErrorCode::InvalidArgument, message).with("field", "least_age_years").into());
        }
        let given = |value: u32, default: u32| if value == 0 { default } else { value };
        let (cap, age) = (given(request.per_department, curated::CAP), given(request.least_age_years, curated::LEAST_AGE));
        let (entries, proposal) = answer::proposal(&served.list, &query, cap, age)?;
        let audited = audited(&query, &served.list, Some(entries.len()));
        Ok((ProposeCuratedListResponse { list: Some(self.served(&served).await), entries, cuts: reply::cuts(&proposal) }, audited))
    }

    async fn export(&self, principal: Principal, request: ExportListRequest) -> Result<(Bytes, Audited), ScoringError> {
        let asked = export::Asked::parse(&request)?;
        let query = self.query(principal, request.structured_filter, &request.filter, &request.order_by).await?;
        let list = self.open(query.principal(), &request.id).await?.list;
        // A file leaves the suite: that it did is on record before its first byte.
        let audited = audited(&query, &list, None);
        let question = format!("{} {} {}", request.format, request.columns, audited.question);
        let audited = Audited { durable: true, question, ..audited };
        let catalogue = self.state.catalogue.clone();
        // A file is made in memory, whoever still waits for it: few at a time.
        let turn = self.state.exports.clone().acquire_owned().await.map_err(|error| ScoringError::Task(error.to_string()))?;
        let write = move || {
            let _turn = turn;
            export::write(&list, &query, &asked, &catalogue)
        };
        let bytes = tokio::task::spawn_blocking(write).await.map_err(|error| ScoringError::Task(error.to_string()))??;
        Ok((bytes.into(), audited))
    }
}

/// The earlier list that readers ask for by this name, or none for the published one. A later one is a draft; for them it does not
/// exist yet.
fn readable(id: &str, published: BatchKey) -> Result<Option<BatchKey>, ScoringError> {
    match id.parse::<BatchKey>() {
        _ if id.is_empty() || id == LATEST => Ok(None),
        Ok(batch) if batch == published => Ok(None),
        Ok(batch) if batch < published => Ok(Some(batch)),
        _ => Err(ScoringError::ListNotFound(id.to_owned())),
    }
}

/// What of a question about a list is recorded. What a grant opened is named, and on record before it is answered.
fn audited(query: &Query, list: &List, rows: Option<usize>) -> Audited {
    let sirens: Vec<String> = query.opened(list).iter().map(ToString::to_string).collect();
    let durable = !sirens.is_empty();
    Audited { sirens, rows: rows.map(|rows| rows as u64), question: query.asked().to_owned(), durable, ..named(&list.info) }
}

/// The same of a list as such.
fn named(info: &ListInfo) -> Audited {
    Audited { list_id: info.batch.to_string(), ..Audited::default() }
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
        Ok(about(Response::new(self.describe(&list.info).await), Audited { durable: true, ..named(&list.info) }))
    }

    async fn rollback_list(&self, _: Request<RollbackListRequest>) -> Result<Response<DetectionList>, Status> {
        let list = self.state.lists.roll_back().await?;
        Ok(about(Response::new(self.describe(&list.info).await), Audited { durable: true, ..named(&list.info) }))
    }

    async fn list_lists(&self, request: Request<ListListsRequest>) -> Result<Response<ListListsResponse>, Status> {
        let drafts = reads_drafts(&Principal::of(&request)?);
        let published = self.state.lists.published().await?;
        let lists = self.state.lists.all(drafts).await?.iter().map(|info| reply::described(info, published)).collect();
        Ok(Response::new(ListListsResponse { lists, next_page_token: String::new() }))
    }

    async fn get_list(&self, request: Request<GetListRequest>) -> Result<Response<DetectionList>, Status> {
        let principal = Principal::of(&request)?;
        let served = self.open(&principal, &request.into_inner().id).await?;
        Ok(about(Response::new(self.served(&served).await), named(&served.list.info)))
    }

    async fn get_ranked_list(&self, request: Request<GetRankedListRequest>) -> Result<Response<GetRankedListResponse>, Status> {
        let (page, audited) = self.page(Principal::of(&request)?, request.into_inner()).await?;
        Ok(about(Response::new(page), audited))
    }

    type StreamRankedListStream = BoxStream<'static, Result<ListEntries, Status>>;

    async fn stream_ranked_list(
        &self,
        request: Request<StreamRankedListRequest>,
    ) -> Result<Response<Self::StreamRankedListStream>, Status> {
        let (entries, audited) = self.stream(Principal::of(&request)?, request.into_inner()).await?;
        Ok(about(Response::new(entries), audited))
    }

    async fn summarize_ranked_list(&self, request: Request<SummarizeRankedListRequest>) -> Result<Response<ListSummary>, Status> {
        let (summary, audited) = self.summary(Principal::of(&request)?, request.into_inner()).await?;
        Ok(about(Response::new(summary), audited))
    }

    async fn diff_lists(&self, request: Request<DiffListsRequest>) -> Result<Response<DiffListsResponse>, Status> {
        let (diff, audited) = self.diff(Principal::of(&request)?, request.into_inner()).await?;
        Ok(about(Response::new(diff), audited))
    }

    async fn propose_curated_list(
        &self,
        request: Request<ProposeCuratedListRequest>,
    ) -> Result<Response<ProposeCuratedListResponse>, Status> {
        let (proposal, audited) = self.propose(Principal::of(&request)?, request.into_inner()).await?;
        Ok(about(Response::new(proposal), audited))
    }

    type ExportListStream = BoxStream<'static, Result<Chunk, Status>>;

    async fn export_list(&self, request: Request<ExportListRequest>) -> Result<Response<Self::ExportListStream>, Status> {
        let (bytes, audited) = self.export(Principal::of(&request)?, request.into_inner()).await?;
        let pieces =
            (0..bytes.len()).step_by(PIECE).map(move |start| Ok(Chunk { data: bytes.slice(start..bytes.len().min(start + PIECE)) }));
        Ok(about(Response::new(stream::iter(pieces).boxed()), audited))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Duration;

    use chrono::Utc;
    use domain::Siren;
    use lake::{Lake, LakeOptions};
    use tokio::time::timeout;

    use super::*;
    use crate::list::entry::Entry;
    use crate::list::ranking::rank;
    use crate::list::store::ListStore;
    use crate::list::tests::{alerted, info};
    use crate::state::tests::opened;

    /// Publishes a list of companies: their numbers and departments.
    async fn publish(folder: &Path, batch: &str, companies: &[(u32, &str)]) {
        let store = ListStore::new(Lake::open(folder.to_str().unwrap(), &LakeOptions::default()).unwrap());
        let mut entries: Vec<Entry> = companies.iter().map(|(number, department)| alerted(*number, department, 0.5)).collect();
        rank(&mut entries);
        store.save(ListInfo { batch: batch.parse().unwrap(), ..info() }, entries).await.unwrap();
        store.publish(batch).await.unwrap();
    }

    #[tokio::test]
    async fn a_row_of_the_earlier_list_that_a_grant_opens_is_on_record() {
        let folder = tempfile::tempdir().unwrap();
        publish(folder.path(), "2510", &[(1, "21"), (2, "75")]).await;
        publish(folder.path(), "2511", &[(1, "21")]).await;
        let lists = Lists { state: opened(folder.path()).await };
        let (siren, motive) = (Siren::from_number(2).unwrap(), "asked by the prefect");
        let agent = |name: &str| Principal {
            subject: name.into(),
            territories: ["21".parse().unwrap()].into_iter().collect(),
            rights: [Right::Score].into_iter().collect(),
            ..Principal::local()
        };
        let granted = agent("granted");
        lists.state.follows.change(&granted, |follows| follows.break_glass(siren, motive, false, Utc::now())).await.unwrap();
        let ask = async |principal: Principal| {
            let question = DiffListsRequest { from_id: "2510".into(), to_id: "2511".into(), structured_filter: None };
            let mut request = Request::new(question);
            request.extensions_mut().insert(principal);
            let response = lists.diff_lists(request).await.unwrap();
            let audited = response.extensions().get::<Audited>().cloned().unwrap();
            let found: Vec<String> = response.into_inner().changes.into_iter().map(|change| change.siren).collect();
            (found, audited.sirens, audited.durable)
        };
        let left = vec![siren.to_string()];
        assert_eq!(ask(granted).await, (left.clone(), left, true), "it left the list, and that was told");
        assert_eq!(ask(agent("other")).await, (vec![], vec![], false));
    }

    #[tokio::test]
    async fn two_files_are_made_at_a_time_and_another_waits() {
        let folder = tempfile::tempdir().unwrap();
        publish(folder.path(), "2511", &[(1, "21")]).await;
        let lists = Lists { state: opened(folder.path()).await };
        let turn = || lists.state.exports.clone().try_acquire_owned().ok();
        let (first, second) = (turn(), turn());
        assert!(first.is_some() && second.is_some() && turn().is_none());
        let mut file = Box::pin(lists.export(Principal::local(), ExportListRequest::default()));
        assert!(timeout(Duration::from_millis(300), &mut file).await.is_err(), "two others are being made");
        drop(first);
        let (bytes, _) = file.await.unwrap();
        assert!(!bytes.is_empty());
    }

    #[test]
    fn a_draft_does_not_exist_for_readers() {
        let published = "2511".parse().unwrap();
        for (id, expected) in
            [("", Some(None)), ("latest", Some(None)), ("2511", Some(None)), ("2509", Some(Some("2509"))), ("2512", None), ("x", None)]
        {
            let expected = expected.map(|earlier| earlier.map(|batch: &str| batch.parse().unwrap()));
            assert_eq!(readable(id, published).ok(), expected, "{id}");
        }
    }
}
