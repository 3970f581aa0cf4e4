//! How many requests are answered: at a time by the process, at a time by method, and a second by caller. What is beyond is refused
//! at once with a code and a time after which to try again, so that those that are answered are answered fast.

mod adaptive;
mod rate;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Instant;

use serde::{Deserialize, Serialize};
use telemetry::{Attribute, counter, set};

use self::adaptive::Adaptive;
use self::rate::Rates;
use crate::auth::{Principal, Right};
use crate::error::{ErrorCode, ServiceError};

/// Methods that somebody waits for, and that take about as long each time: the number that is answered at a time follows how long
/// they take. Others only count among all.
const WAITED_FOR: [&str; 7] = [
    "inference.GRPCInferenceService/ModelInfer",
    "signauxfaibles.companies.v1.CompanyService/GetCompany",
    "signauxfaibles.companies.v1.CompanyService/SearchCompanies",
    "signauxfaibles.lists.v1.ListService/GetRankedList",
    "signauxfaibles.lists.v1.ListService/SummarizeRankedList",
    "signauxfaibles.scoring.v1.ScoringService/ExplainScore",
    "signauxfaibles.scoring.v1.ScoringService/ScoreCompany",
];
/// Asked by who looks whether the process lives: never refused.
const HEALTH: &str = "grpc.health.v1.Health/";

/// Limits of a process.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LimitsConfig {
    /// Requests that are answered at a time.
    pub in_flight: usize,
    /// Requests a second of one agent; 0 for any number. Twice as many may come in a burst.
    pub agent_per_second: f64,
    /// Requests a second of one service: a caller with a right `svc.*` or `operator`.
    pub service_per_second: f64,
}

impl Default for LimitsConfig {
    fn default() -> Self {
        Self { in_flight: 1_000, agent_per_second: 0.0, service_per_second: 0.0 }
    }
}

/// The limits of a process, and how far they are used. Cheap to clone.
#[derive(Clone)]
pub struct Limits(Arc<State>);

struct State {
    config: LimitsConfig,
    running: AtomicUsize,
    methods: BTreeMap<&'static str, Mutex<Method>>,
    callers: Mutex<Rates>,
}

/// Requests of one method.
#[derive(Default)]
struct Method {
    running: usize,
    limit: Adaptive,
}

impl Limits {
    /// As configured.
    pub fn new(config: &LimitsConfig) -> Self {
        let methods = WAITED_FOR.into_iter().map(|method| (method, Mutex::default())).collect();
        Self(Arc::new(State { config: config.clone(), running: AtomicUsize::new(0), methods, callers: Mutex::default() }))
    }

    /// No limits: for calls inside a process.
    pub(crate) fn none() -> Self {
        Self::new(&LimitsConfig { in_flight: usize::MAX, ..LimitsConfig::default() })
    }

    /// Lets a request of this method in, or refuses it because the process has no room.
    pub(crate) fn admit(&self, method: &'static str) -> Result<Permit, ServiceError> {
        let counted = !method.starts_with(HEALTH);
        if counted && self.0.running.fetch_add(1, Ordering::Relaxed) >= self.0.config.in_flight {
            self.0.running.fetch_sub(1, Ordering::Relaxed);
            return Err(overloaded());
        }
        Ok(Permit { limits: self.clone(), counted, method, entered: OnceLock::new(), settled: AtomicBool::new(false) })
    }

    /// Counts a request of a caller, or refuses it.
    pub(crate) fn count(&self, caller: &Principal) -> Result<(), ServiceError> {
        let service = [Right::ServiceScore, Right::ServiceFeatures, Right::Operator].into_iter().any(|right| caller.has(right));
        let per_second = if service { self.0.config.service_per_second } else { self.0.config.agent_per_second };
        if per_second <= 0.0 {
            return Ok(());
        }
        let mut callers = self.0.callers.lock().unwrap_or_else(PoisonError::into_inner);
        callers.take(&caller.subject, per_second, Instant::now()).map_err(|wait| {
            counter("sf.requests.refused").add(1, &[Attribute::new("reason", "rate")]);
            let message = format!("you sent more than {per_second} requests a second: wait {:.1} s", wait.as_secs_f64());
            ServiceError::new(ErrorCode::TooManyRequests, message)
        })
    }
}

fn overloaded() -> ServiceError {
    counter("sf.requests.refused").add(1, &[Attribute::new("reason", "overload")]);
    ServiceError::new(ErrorCode::Overloaded, "too many requests are being answered: try again in a second")
}

/// A request that was let in; it leaves when this is dropped.
pub(crate) struct Permit {
    limits: Limits,
    counted: bool,
    method: &'static str,
    /// How many of the method were being answered when its turn came, itself included, and when that was.
    entered: OnceLock<(usize, Instant)>,
    /// What can be learnt of it was.
    settled: AtomicBool,
}

impl Permit {
    fn own(&self) -> Option<&Mutex<Method>> {
        self.limits.0.methods.get(self.method)
    }

    /// Whoever asks is known, and may: lets the request in among those of its method, or refuses it.
    pub(crate) fn enter(&self) -> Result<(), ServiceError> {
        let Some(own) = self.own() else { return Ok(()) };
        let mut own = own.lock().unwrap_or_else(PoisonError::into_inner);
        if own.running >= own.limit.now() {
            return Err(overloaded());
        }
        if self.entered.set((own.running + 1, Instant::now())).is_ok() {
            own.running += 1;
        }
        Ok(())
    }

    /// The answer is there, though perhaps not sent. One that was given says how long our work takes; a refusal says nothing.
    pub(crate) fn settle(&self, given: bool) {
        if !self.settled.swap(true, Ordering::Relaxed) && given {
            self.learn();
        }
    }

    fn learn(&self) {
        let (Some((running, since)), Some(own)) = (self.entered.get(), self.own()) else { return };
        let mut own = own.lock().unwrap_or_else(PoisonError::into_inner);
        let before = own.limit.now();
        own.limit.learn(since.elapsed(), *running);
        let after = own.limit.now();
        drop(own);
        if before != after {
            set("sf.requests.limit", after as f64, &[Attribute::new("rpc.method", self.method)]);
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        // Nobody waited for the answer any more: it took at least this long.
        if !self.settled.load(Ordering::Relaxed) {
            self.learn();
        }
        if self.counted {
            self.limits.0.running.fetch_sub(1, Ordering::Relaxed);
        }
        if self.entered.get().is_some()
            && let Some(own) = self.own()
        {
            own.lock().unwrap_or_else(PoisonError::into_inner).running -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const SCORE: &str = "signauxfaibles.scoring.v1.ScoringService/ScoreCompany";
    const OTHER: &str = "signauxfaibles.lists.v1.ListService/PublishList";

    #[test]
    fn what_is_beyond_the_limit_is_refused_and_what_left_makes_room() {
        let limits = Limits::new(&LimitsConfig { in_flight: 2, ..LimitsConfig::default() });
        let (one, _two) = (limits.admit(SCORE).unwrap(), limits.admit(OTHER).unwrap());
        assert_eq!(limits.admit(OTHER).err().map(|error| error.code()), Some(ErrorCode::Overloaded));
        assert!(limits.admit("grpc.health.v1.Health/Check").is_ok(), "who asks whether it lives is answered");
        one.settle(true);
        drop(one);
        assert!(limits.admit(SCORE).is_ok());
    }

    #[test]
    fn methods_that_are_waited_for_exist() {
        for method in WAITED_FOR {
            assert_eq!(crate::observe::method(method), method);
        }
    }

    #[test]
    fn a_method_that_gets_slow_is_refused_before_all_room_is_taken() {
        let limits = Limits::new(&LimitsConfig::default());
        let own = limits.0.methods.get(SCORE).unwrap();
        for _ in 0..1_000 {
            own.lock().unwrap().limit.learn(Duration::from_millis(1), 10);
        }
        for _ in 0..100 {
            own.lock().unwrap().limit.learn(Duration::from_secs(1), 256);
        }
        let mut permits = Vec::new();
        loop {
            let permit = limits.admit(SCORE).unwrap();
            if permit.enter().is_err() {
                break;
            }
            permits.push(permit);
        }
        assert!(permits.len() < 150, "{}", permits.len());
        assert!(limits.admit(OTHER).unwrap().enter().is_ok(), "other methods are not held responsible");
        let running = permits.len();
        drop(permits);
        assert_eq!(own.lock().unwrap().running, 0, "all {running} left");
    }

    #[test]
    fn refusals_teach_nothing_and_requests_that_nobody_waits_for_any_more_do() {
        let limits = Limits::new(&LimitsConfig::default());
        let usual = || limits.0.methods.get(SCORE).unwrap().lock().unwrap().limit.clone();
        let before = format!("{:?}", usual());
        for refused in [true, false] {
            let permit = limits.admit(SCORE).unwrap();
            if !refused {
                permit.enter().unwrap();
            }
            permit.settle(false);
        }
        drop(limits.admit(SCORE).unwrap());
        assert_eq!(format!("{:?}", usual()), before);
        let permit = limits.admit(SCORE).unwrap();
        permit.enter().unwrap();
        drop(permit);
        assert_ne!(format!("{:?}", usual()), before);
    }

    #[test]
    fn callers_have_rates_of_their_own() {
        let limits = Limits::new(&LimitsConfig { agent_per_second: 1.0, ..LimitsConfig::default() });
        let agent =
            |subject: &str| Principal { subject: subject.into(), rights: [Right::Score].into_iter().collect(), ..Principal::local() };
        let sent = |who: &Principal| (0..5).filter(|_| limits.count(who).is_ok()).count();
        assert_eq!((sent(&agent("a")), sent(&agent("b"))), (2, 2));
        assert_eq!(sent(&Principal::local()), 5, "services have another rate");
    }
}
