//! Follows: which companies an agent opened to themselves, why, and for how long (`domain/consumers.md` §6.4).
//!
//! In the agent's territory a follow is free and lasts. Elsewhere it is a grant: with a comment, for 90 days, for so many companies at
//! a time. Breaking the glass opens one company for a day. The rules are pure; [`FollowStore`] keeps the document of each agent.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, Days, TimeDelta, Utc};
use domain::Siren;
use lake::{Lake, LakeError};
use serde::{Deserialize, Serialize};
use service_kit::auth::Principal;
use service_kit::error::{ErrorCode, ServiceError};

use crate::error::{ScoringError, within};

/// Days that a follow outside of the territory lasts.
const GRANT: Days = Days::new(90);
/// How long a broken glass stays open.
const GLASS: TimeDelta = TimeDelta::hours(24);
/// Companies outside of the territory that an agent follows at a time, at most.
const MOST: usize = 50;
/// Companies that an agent follows at all, at most.
const MOST_AT_ALL: usize = 5_000;
/// Shortest motive, characters.
const SHORTEST: usize = 10;
/// Longest comment, characters.
const LONGEST: usize = 2_000;
/// How long a document may be served from memory: a follow made on another replica may go unseen for so long.
const FRESH: Duration = Duration::from_secs(2);
/// The same while storage is away: an outage is not waited for by each request.
const AWAY: Duration = Duration::from_secs(10);
/// How long storage may take to give a document, before it counts as away.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long a change may take.
const CHANGE: Duration = Duration::from_secs(10);
/// Agents whose documents are in memory, at most.
const CACHED: usize = 10_000;

/// Why a company is followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// A list signals it.
    Detection,
    /// Somebody outside of the network does.
    ExternalSource,
    /// Somebody of the network does.
    InternalSource,
    /// Another reason.
    Other,
}

/// A company that is open to an agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// Which.
    pub siren: Siren,
    /// Why; none for a broken glass.
    pub reason: Option<Reason>,
    /// Comment, or motive.
    pub comment: String,
    /// Since when.
    pub since: DateTime<Utc>,
    /// Until when; a follow in the territory lasts.
    pub until: Option<DateTime<Utc>>,
}

impl Grant {
    /// Whether it holds.
    pub fn holds(&self, now: DateTime<Utc>) -> bool {
        self.until.is_none_or(|until| now < until)
    }

    /// Whether it was made as a follow in the territory: it opens the company only as long as it is there.
    pub const fn is_of_territory(&self) -> bool {
        self.until.is_none()
    }

    /// Whether the glass was broken for it.
    pub const fn is_break_glass(&self) -> bool {
        self.reason.is_none()
    }
}

/// The follows of an agent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Follows {
    grants: Vec<Grant>,
}

impl Follows {
    /// Those that hold.
    pub fn holding(&self, now: DateTime<Utc>) -> impl Iterator<Item = &Grant> {
        self.grants.iter().filter(move |grant| grant.holds(now))
    }

    /// The one of a company, if it holds.
    pub fn of(&self, siren: Siren, now: DateTime<Utc>) -> Option<&Grant> {
        self.holding(now).find(|grant| grant.siren == siren)
    }

    /// Follows a company; `visible` says whether it is in the territory. Following it again begins anew.
    pub fn follow(
        &mut self,
        siren: Siren,
        reason: Reason,
        comment: &str,
        visible: bool,
        now: DateTime<Utc>,
    ) -> Result<Grant, ServiceError> {
        if !visible {
            motive(comment, "following a company outside of your territory")?;
        }
        let until = (!visible).then(|| now + GRANT);
        self.open(Grant { siren, reason: Some(reason), comment: checked(comment)?, since: now, until }, now)
    }

    /// Opens a company for a day. A follow that holds stays as it is where it opens as much: one of a territory that is the caller's
    /// no more does not.
    pub fn break_glass(&mut self, siren: Siren, given: &str, visible: bool, now: DateTime<Utc>) -> Result<Grant, ServiceError> {
        motive(given, "breaking the glass")?;
        let opens = |grant: &&Grant| !grant.is_break_glass() && (visible || !grant.is_of_territory());
        if let Some(grant) = self.of(siren, now).filter(opens) {
            return Ok(grant.clone());
        }
        self.open(Grant { siren, reason: None, comment: checked(given)?, since: now, until: Some(now + GLASS) }, now)
    }

    /// Ends the follow of a company.
    pub fn unfollow(&mut self, siren: Siren) {
        self.grants.retain(|grant| grant.siren != siren);
    }

    fn open(&mut self, grant: Grant, now: DateTime<Utc>) -> Result<Grant, ServiceError> {
        self.grants.retain(|other| other.siren != grant.siren && other.holds(now));
        let outside = self.grants.iter().filter(|grant| grant.until.is_some()).count();
        for (found, most) in [(outside, MOST), (self.grants.len(), MOST_AT_ALL)] {
            if found >= most && (most == MOST_AT_ALL || grant.until.is_some()) {
                let message = format!("you follow {found} companies, {most} at most at a time: end a follow first");
                return Err(ServiceError::new(ErrorCode::TooManyFollows, message).with("most", most.to_string()));
            }
        }
        self.grants.push(grant.clone());
        Ok(grant)
    }
}

/// Refuses a motive that says nothing.
fn motive(text: &str, what: &str) -> Result<(), ServiceError> {
    if text.trim().chars().count() >= SHORTEST {
        return Ok(());
    }
    Err(ServiceError::new(ErrorCode::MotiveMissing, format!("{what} needs a motive of at least {SHORTEST} characters")))
}

fn checked(comment: &str) -> Result<String, ServiceError> {
    if comment.chars().count() <= LONGEST {
        return Ok(comment.trim().to_owned());
    }
    Err(ServiceError::new(ErrorCode::InvalidArgument, format!("a comment has at most {LONGEST} characters")))
}

/// The document of an agent in memory.
#[derive(Debug, Clone)]
struct Remembered {
    /// When it was so.
    at: Instant,
    /// Until when it is served without asking again.
    until: Instant,
    follows: Arc<Follows>,
}

/// Where follows are kept: a document for each agent, changed by compare-and-swap.
#[derive(Clone)]
pub struct FollowStore {
    lake: Lake,
    known: Arc<Mutex<HashMap<String, Remembered>>>,
}

impl FollowStore {
    /// In this lake.
    pub fn new(lake: Lake) -> Self {
        Self { lake, known: Arc::default() }
    }

    /// The follows of an agent. While storage is away, those last known; without any, none: nothing is opened by an outage.
    pub async fn of(&self, principal: &Principal) -> Arc<Follows> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).get(&principal.subject).cloned();
        if let Some(known) = known.as_ref().filter(|known| Instant::now() < known.until) {
            return known.follows.clone();
        }
        let path = path(principal);
        let document = self.lake.versioned(&path);
        let began = Instant::now();
        let (follows, fresh) = match within(PATIENCE, document.read::<Follows>()).await {
            Ok(found) => (Arc::new(found.map(|(follows, _)| follows).unwrap_or_default()), FRESH),
            Err(error) => {
                tracing::warn!(%error, "the follows of an agent cannot be read; those last known are used");
                (known.map(|known| known.follows).unwrap_or_default(), AWAY)
            }
        };
        self.remember(principal, began, follows.clone(), fresh);
        follows
    }

    /// The companies that an agent follows now, and whether they do so as companies of their territory.
    pub async fn sirens(&self, principal: &Principal) -> BTreeMap<Siren, bool> {
        self.of(principal).await.holding(Utc::now()).map(|grant| (grant.siren, grant.is_of_territory())).collect()
    }

    /// Changes the follows of an agent, again on what another replica wrote meanwhile.
    pub async fn change<T>(
        &self,
        principal: &Principal,
        change: impl FnMut(&mut Follows) -> Result<T, ServiceError>,
    ) -> Result<T, ScoringError> {
        within(CHANGE, self.changed(principal, change)).await
    }

    async fn changed<T>(
        &self,
        principal: &Principal,
        mut change: impl FnMut(&mut Follows) -> Result<T, ServiceError>,
    ) -> Result<T, ScoringError> {
        let path = path(principal);
        let document = self.lake.versioned(&path);
        loop {
            let found = document.read::<Follows>().await?;
            let (mut follows, version) = found.map_or_else(|| (Follows::default(), None), |(follows, version)| (follows, Some(version)));
            let changed = change(&mut follows)?;
            match document.compare_and_swap(version.as_ref(), &follows).await {
                Ok(_) => {
                    self.remember(principal, Instant::now(), Arc::new(follows), FRESH);
                    return Ok(changed);
                }
                Err(LakeError::Conflict(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Remembers what was true at a moment, unless something later is remembered already.
    fn remember(&self, principal: &Principal, at: Instant, follows: Arc<Follows>, time: Duration) {
        let now = Instant::now();
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.get(&principal.subject).is_some_and(|known| known.at > at) {
            return;
        }
        if known.len() >= CACHED {
            known.retain(|_, known| now < known.until);
        }
        known.insert(principal.subject.clone(), Remembered { at, until: now + time, follows });
    }
}

/// The document of an agent, under a name that does not tell who.
fn path(principal: &Principal) -> String {
    format!("follows/{}", principal.pseudonym())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn siren(number: u32) -> Siren {
        Siren::from_number(number).unwrap()
    }

    fn day(number: u64) -> DateTime<Utc> {
        DateTime::<Utc>::UNIX_EPOCH + Days::new(number)
    }

    const MOTIVE: &str = "asked by the prefect";

    #[test]
    fn a_follow_lasts_in_the_territory_and_ends_elsewhere() {
        let mut follows = Follows::default();
        let inside = follows.follow(siren(1), Reason::Detection, "", true, day(0)).unwrap();
        let outside = follows.follow(siren(2), Reason::Other, MOTIVE, false, day(0)).unwrap();
        assert_eq!((inside.until, outside.until), (None, Some(day(90))));
        let holding = |follows: &Follows, now| follows.holding(now).map(|grant| grant.siren).collect::<Vec<_>>();
        assert_eq!(holding(&follows, day(89)), [siren(1), siren(2)]);
        assert_eq!(holding(&follows, day(90)), [siren(1)]);
        follows.follow(siren(2), Reason::Other, MOTIVE, false, day(80)).unwrap();
        assert_eq!(follows.of(siren(2), day(100)).unwrap().until, Some(day(170)), "following again begins anew");
        follows.unfollow(siren(2));
        follows.unfollow(siren(2));
        assert_eq!(holding(&follows, day(0)), [siren(1)]);
    }

    #[test]
    fn access_elsewhere_needs_a_motive_and_is_limited() {
        let mut follows = Follows::default();
        let code = |result: Result<Grant, ServiceError>| result.map_err(|error| error.code()).map(|_| ());
        assert_eq!(code(follows.follow(siren(1), Reason::Other, "  short   ", false, day(0))), Err(ErrorCode::MotiveMissing));
        assert_eq!(code(follows.break_glass(siren(1), "", false, day(0))), Err(ErrorCode::MotiveMissing));
        assert_eq!(code(follows.follow(siren(1), Reason::Other, &"x".repeat(2_001), true, day(0))), Err(ErrorCode::InvalidArgument));
        for number in 1..=50 {
            follows.follow(siren(number), Reason::Other, MOTIVE, false, day(0)).unwrap();
        }
        assert_eq!(code(follows.follow(siren(51), Reason::Other, MOTIVE, false, day(1))), Err(ErrorCode::TooManyFollows));
        assert_eq!(code(follows.break_glass(siren(51), MOTIVE, false, day(1))), Err(ErrorCode::TooManyFollows));
        assert_eq!(code(follows.follow(siren(51), Reason::Other, "", true, day(1))), Ok(()), "the territory is free");
        assert_eq!(code(follows.follow(siren(50), Reason::Other, MOTIVE, false, day(1))), Ok(()), "it is followed already");
        assert_eq!(code(follows.follow(siren(52), Reason::Other, MOTIVE, false, day(100))), Ok(()), "the others are over");
    }

    #[test]
    fn a_broken_glass_is_open_for_a_day_and_takes_nothing_from_a_follow() {
        let mut follows = Follows::default();
        let glass = follows.break_glass(siren(1), MOTIVE, false, day(0)).unwrap();
        assert!(glass.is_break_glass() && glass.until == Some(day(1)));
        assert!(follows.of(siren(1), day(1)).is_none());
        follows.follow(siren(1), Reason::Detection, "", true, day(2)).unwrap();
        let kept = follows.break_glass(siren(1), MOTIVE, true, day(2)).unwrap();
        assert!(!kept.is_break_glass() && kept.until.is_none());
        let moved = follows.break_glass(siren(1), MOTIVE, false, day(2)).unwrap();
        assert!(moved.is_break_glass(), "the territory is the agent's no more");
    }

    #[tokio::test]
    async fn agents_have_their_own_follows_and_two_changes_at_once_are_both_kept() {
        let folder = tempfile::tempdir().unwrap();
        let lake = Lake::open(folder.path().to_str().unwrap(), &lake::LakeOptions::default()).unwrap();
        let agent = |name: &str| Principal { subject: name.into(), ..Principal::local() };
        let (a, b) = (FollowStore::new(lake.clone()), FollowStore::new(lake));
        let follow = async |store: &FollowStore, principal: &Principal, number: u32| {
            let mut change = |follows: &mut Follows| follows.follow(siren(number), Reason::Detection, "", true, Utc::now());
            store.change(principal, &mut change).await.unwrap()
        };
        let (u, v) = (agent("u"), agent("v"));
        tokio::join!(follow(&a, &u, 1), follow(&b, &u, 2), follow(&a, &v, 3));
        let fresh = FollowStore::new(a.lake.clone());
        assert_eq!(fresh.sirens(&u).await, BTreeMap::from([(siren(1), true), (siren(2), true)]));
        assert_eq!(fresh.sirens(&v).await, BTreeMap::from([(siren(3), true)]));
        assert!(fresh.sirens(&agent("w")).await.is_empty());
    }
}
