//! What the services of this process share: the loaded champion, the current vectors, the lists, the jobs.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use lake::Lake;
use online_store::Online;
use panel::Catalogue;
use service_kit::Context;
use service_kit::audit::Trail;
use service_kit::operations::Jobs;
use telemetry::{Attribute, set};
use tokio::sync::{Mutex, Semaphore};
use trees::signature::TrustedKeys;

use crate::champion::Champion;
use crate::error::ScoringError;
use crate::follows::FollowStore;
use crate::list::store::ListStore;
use crate::shadow;

/// Files made at a time: one of the whole country takes hundreds of megabytes.
const EXPORTS: usize = 2;

/// Shared state.
pub struct State {
    /// Current vectors.
    pub vectors: Online,
    /// Lists.
    pub lists: ListStore,
    /// Follows.
    pub follows: FollowStore,
    /// Where requests are recorded.
    pub audit: Trail,
    /// Jobs of the process.
    pub jobs: Jobs,
    /// Turns to make a file.
    pub exports: Arc<Semaphore>,
    /// The features of the program and their groups.
    pub catalogue: Arc<Catalogue>,
    lake: Lake,
    trusted: TrustedKeys,
    champion: ArcSwapOption<Champion>,
    /// One load at a time.
    loading: Mutex<()>,
}

impl State {
    /// Opens everything and follows the pointers, so often, for as long as the process lives.
    pub fn open(context: &Context, vectors: Online, catalogue: Arc<Catalogue>, trusted: TrustedKeys, follow_every: Duration) -> Arc<Self> {
        let (lake, jobs, audit) = (context.lake.clone(), context.jobs.clone(), context.audit.clone());
        let (lists, follows) = (ListStore::new(lake.clone()), FollowStore::new(lake.clone()));
        let (champion, loading) = (ArcSwapOption::empty(), Mutex::new(()));
        let exports = Arc::new(Semaphore::new(EXPORTS));
        let state = Arc::new(Self { vectors, lists, follows, audit, jobs, exports, catalogue, lake, trusted, champion, loading });
        // Each on its own: storage that is away keeps one waiting for minutes, and readers must hear of it from the other.
        let follower = state.clone();
        tokio::spawn(async move {
            loop {
                let followed = follower.follow().await;
                set("sf.serving.stale", f64::from(u8::from(followed.is_err())), &[Attribute::new("part", "model")]);
                if let Err(error) = followed {
                    tracing::warn!(%error, "the champion cannot be loaded; scoring with the one in memory, if any");
                }
                tokio::time::sleep(follow_every).await;
            }
        });
        let lists = state.lists.clone();
        tokio::spawn(async move {
            loop {
                if let Err(error) = lists.follow().await {
                    tracing::warn!(%error, "the lists in use cannot be looked up; serving those in memory");
                }
                tokio::time::sleep(follow_every).await;
            }
        });
        state
    }

    /// Storage.
    pub fn lake(&self) -> &Lake {
        &self.lake
    }

    /// The champion in memory, loaded now if there is none yet.
    pub async fn champion(&self) -> Result<Arc<Champion>, ScoringError> {
        if let Some(champion) = self.champion.load_full() {
            return Ok(champion);
        }
        self.current().await
    }

    /// The champion that the pointer names now: for jobs, which must not score with one that was just replaced.
    pub async fn current(&self) -> Result<Arc<Champion>, ScoringError> {
        self.follow().await?;
        self.champion.load_full().ok_or(ScoringError::NoChampion)
    }

    /// The challenger that scores beside the champion when a list is built, if there is one.
    pub async fn challenger(&self) -> Result<Option<Champion>, ScoringError> {
        shadow::challenger(&self.lake, self.catalogue.clone(), &self.trusted).await
    }

    async fn follow(&self) -> Result<(), ScoringError> {
        let Some(id) = Champion::current_id(&self.lake).await? else { return Ok(()) };
        let _one = self.loading.lock().await;
        if self.champion.load().as_ref().is_none_or(|champion| champion.id() != id) {
            let champion = Champion::load(&self.lake, &id, self.catalogue.clone(), &self.trusted).await?;
            tracing::info!(model = id, "champion loaded");
            champion.tell(&self.lake).await;
            self.champion.store(Some(Arc::new(champion)));
        }
        Ok(())
    }
}

#[cfg(test)]
pub(crate) mod tests {
    //! The state of a process, for tests.

    use std::path::Path;

    use online_store::Role;
    use service_kit::config::{Config, LakeConfig};

    use super::*;
    use crate::Settings;

    /// Opened on what a folder holds by now: what comes later is not followed.
    pub(crate) async fn opened(folder: &Path) -> Arc<State> {
        let lake = LakeConfig { root: folder.display().to_string(), ..LakeConfig::default() };
        let context = Context::new(&Config { lake, ..Config::<Settings>::default() }).unwrap();
        let vectors = Online::open(context.lake.clone(), None, Role::Reader).await.unwrap();
        let catalogue = Arc::new(Catalogue::builtin().unwrap());
        State::open(&context, vectors, catalogue, TrustedKeys::default(), Duration::from_hours(1))
    }
}
