//! `ListService`: builds, publishes and reads ranked lists.

use std::sync::Arc;

use api::common::{AlertLevel as ApiLevel, Chunk};
use api::google::longrunning::Operation;
use api::lists::list_service_server::ListService;
use api::lists::{
    BuildListRequest, DetectionList, DiffListsRequest, DiffListsResponse, EntryContribution, ExportListRequest, FirstAlert, GetListRequest,
    GetRankedListRequest, GetRankedListResponse, Indicators, ListChange, ListEntry, ListListsRequest, ListListsResponse,
    PublishListRequest, RollbackListRequest, Shadow as ApiShadow,
};
use bytes::Bytes;
use domain::BatchKey;
use futures::stream::{self, BoxStream, StreamExt};
use service_kit::error::ServiceError;
use tonic::{Request, Response, Status};

use crate::error::ScoringError;
use crate::list::entry::{Entry, ListInfo};
use crate::list::filter::Filter;
use crate::list::page::{self, Page};
use crate::list::store::List;
use crate::list::{codec, diff, export};
use crate::scoring_service::level;
use crate::shadow::Shadow;
use crate::state::State;

/// Bytes of a piece of an export.
const PIECE: usize = 64 * 1024;

/// The service over the stored lists.
pub struct Lists {
    /// Shared with the scoring service.
    pub state: Arc<State>,
}

impl Lists {
    async fn describe(&self, info: &ListInfo) -> Result<DetectionList, ScoringError> {
        Ok(describe(info, self.state.lists.published().await?))
    }

    async fn page(&self, request: GetRankedListRequest) -> Result<GetRankedListResponse, ScoringError> {
        let size = page::size(request.page_size)?;
        let filter = Filter::parse(request.filter)?;
        let list = self.state.lists.get(&request.id).await?;
        let after = if request.page_token.is_empty() {
            0
        } else {
            let page = Page::parse(&request.page_token, &filter)?;
            if (page.list, page.generation) != (list.info.batch, list.info.generation) {
                return Err(page::moved().into());
            }
            page.after_rank
        };
        let matching = || list.entries.iter().filter(|entry| filter.accepts(entry, list.info.batch));
        let total_size = matching().count() as u64;
        let mut rest = matching().filter(|entry| entry.rank > after);
        let entries: Vec<&Entry> = rest.by_ref().take(size).collect();
        let next_page_token = match (rest.next(), entries.last()) {
            (Some(_), Some(last)) => Page { list: list.info.batch, generation: list.info.generation, after_rank: last.rank }.token(&filter),
            _ => String::new(),
        };
        let model_changed = self.model_changed(&list).await?;
        let entries = entries.into_iter().map(|entry| list_entry(&list.info, entry, model_changed)).collect();
        Ok(GetRankedListResponse { list: Some(self.describe(&list.info).await?), entries, next_page_token, total_size })
    }

    /// Whether the list before this one was made by another model.
    async fn model_changed(&self, list: &List) -> Result<bool, ScoringError> {
        let before = self.state.lists.all().await?.into_iter().find(|info| info.batch < list.info.batch);
        Ok(before.is_some_and(|info| info.model_id != list.info.model_id))
    }

    async fn diff(&self, request: DiffListsRequest) -> Result<DiffListsResponse, ScoringError> {
        let (from, to) = (self.state.lists.get(&request.from_id).await?, self.state.lists.get(&request.to_id).await?);
        let changes = diff::diff(&from.entries, &to.entries).into_iter().map(|(change, entry, was, is)| ListChange {
            siren: entry.siren.to_string(),
            name: entry.name.clone(),
            department: department(entry),
            change: change.name().to_owned(),
            from_level: level(was).into(),
            to_level: level(is).into(),
        });
        Ok(DiffListsResponse { changes: changes.collect(), model_changed: from.info.model_id != to.info.model_id })
    }

    async fn export(&self, request: ExportListRequest) -> Result<Bytes, ScoringError> {
        let filter = Filter::parse(request.filter)?;
        let list = self.state.lists.get(&request.id).await?;
        let format = request.format;
        let write = move || {
            let entries = list.entries.iter().filter(|entry| filter.accepts(entry, list.info.batch));
            match format.as_str() {
                "" | "csv" => export::csv(&list.info, entries).map_err(|error| ScoringError::Export(error.to_string())),
                "xlsx" => export::xlsx(&list.info, entries).map_err(|error| ScoringError::Export(error.to_string())),
                "parquet" => codec::encode(&list.info.groups, &entries.cloned().collect::<Vec<_>>()),
                other => Err(ScoringError::UnknownFormat(other.to_owned())),
            }
        };
        let bytes = tokio::task::spawn_blocking(write).await.map_err(|error| ScoringError::Task(error.to_string()))??;
        Ok(bytes.into())
    }
}

/// A list for clients. `published` names the published one.
pub fn describe(info: &ListInfo, published: Option<(BatchKey, u32)>) -> DetectionList {
    DetectionList {
        id: info.batch.to_string(),
        batch: info.batch.to_string(),
        model_id: info.model_id.clone(),
        label_fr: info.label_fr(),
        companies: info.companies,
        high: info.high,
        moderate: info.moderate,
        published: published == Some((info.batch, info.generation)),
        month: info.month.to_string(),
        generation: info.generation,
        shadow: None,
    }
}

/// How a challenger differs, for clients.
pub fn describe_shadow(shadow: &Shadow) -> ApiShadow {
    let count = |wanted: fn(usize, usize) -> bool| {
        let cells = (0..3).flat_map(|ours| (0..3).map(move |theirs| (ours, theirs)));
        cells.filter(|(ours, theirs)| wanted(*ours, *theirs)).map(|(ours, theirs)| shadow.levels[ours][theirs]).sum()
    };
    ApiShadow {
        model_id: shadow.model_id.clone(),
        companies: shadow.companies,
        rank_correlation: shadow.rank_correlation,
        mean_difference: shadow.mean_difference,
        raised: count(|ours, theirs| theirs > ours),
        lowered: count(|ours, theirs| theirs < ours),
        same: count(|ours, theirs| theirs == ours),
    }
}

fn department(entry: &Entry) -> String {
    entry.department.map(|department| department.code().to_owned()).unwrap_or_default()
}

fn list_entry(info: &ListInfo, entry: &Entry, model_changed: bool) -> ListEntry {
    let list = |key: Option<BatchKey>| key.map(|key| key.to_string()).unwrap_or_default();
    let unknown = f64::NAN;
    ListEntry {
        siren: entry.siren.to_string(),
        name: entry.name.clone(),
        department: department(entry),
        naf_code: entry.naf.clone(),
        rank: entry.rank,
        department_rank: entry.department_rank,
        probability: entry.probability,
        alert_level: level(entry.level).into(),
        previous_level: entry.previous_level.map_or(ApiLevel::Unspecified, level).into(),
        first_alert: Some(FirstAlert {
            first_list: list(entry.first_alert.first),
            first_high_list: list(entry.first_alert.first_high),
            is_first: entry.first_alert.first == Some(info.batch),
            is_first_high: entry.first_alert.first_high == Some(info.batch),
            model_changed,
        }),
        groups: info
            .groups
            .iter()
            .zip(&entry.groups)
            .map(|(group, share)| EntryContribution { group: group.clone(), log_odds: share.log_odds, percentage_points: share.points })
            .collect(),
        reasons: entry.reasons.clone(),
        indicators: Some(Indicators {
            headcount: entry.indicators.headcount.unwrap_or(unknown),
            social_debt: entry.indicators.social_debt.unwrap_or(unknown),
            short_time_hours: entry.indicators.short_time_hours.unwrap_or(unknown),
            payment_plan: entry.indicators.payment_plan,
            // A company in a procedure is not at risk, hence not on a list.
            procol: String::new(),
        }),
    }
}

fn status(error: ScoringError) -> Status {
    ServiceError::from(error).into()
}

#[tonic::async_trait]
impl ListService for Lists {
    async fn build_list(&self, request: Request<BuildListRequest>) -> Result<Response<Operation>, Status> {
        let request = request.into_inner();
        request.batch.parse::<BatchKey>().map_err(|error| status(crate::error::batch(&error)))?;
        Ok(Response::new(self.state.jobs.start(crate::BUILD_LIST, &request).await?))
    }

    async fn publish_list(&self, request: Request<PublishListRequest>) -> Result<Response<DetectionList>, Status> {
        let list = self.state.lists.publish(&request.into_inner().id).await.map_err(status)?;
        Ok(Response::new(self.describe(&list.info).await.map_err(status)?))
    }

    async fn rollback_list(&self, _: Request<RollbackListRequest>) -> Result<Response<DetectionList>, Status> {
        let list = self.state.lists.roll_back().await.map_err(status)?;
        Ok(Response::new(self.describe(&list.info).await.map_err(status)?))
    }

    async fn list_lists(&self, _: Request<ListListsRequest>) -> Result<Response<ListListsResponse>, Status> {
        let published = self.state.lists.published().await.map_err(status)?;
        let lists = self.state.lists.all().await.map_err(status)?;
        let lists = lists.iter().map(|info| describe(info, published)).collect();
        Ok(Response::new(ListListsResponse { lists, next_page_token: String::new() }))
    }

    async fn get_list(&self, request: Request<GetListRequest>) -> Result<Response<DetectionList>, Status> {
        let list = self.state.lists.get(&request.into_inner().id).await.map_err(status)?;
        Ok(Response::new(self.describe(&list.info).await.map_err(status)?))
    }

    async fn get_ranked_list(&self, request: Request<GetRankedListRequest>) -> Result<Response<GetRankedListResponse>, Status> {
        Ok(Response::new(self.page(request.into_inner()).await.map_err(status)?))
    }

    async fn diff_lists(&self, request: Request<DiffListsRequest>) -> Result<Response<DiffListsResponse>, Status> {
        Ok(Response::new(self.diff(request.into_inner()).await.map_err(status)?))
    }

    type ExportListStream = BoxStream<'static, Result<Chunk, Status>>;

    async fn export_list(&self, request: Request<ExportListRequest>) -> Result<Response<Self::ExportListStream>, Status> {
        let bytes = self.export(request.into_inner()).await.map_err(status)?;
        let pieces =
            (0..bytes.len()).step_by(PIECE).map(move |start| Ok(Chunk { data: bytes.slice(start..bytes.len().min(start + PIECE)) }));
        Ok(Response::new(stream::iter(pieces).boxed()))
    }
}
