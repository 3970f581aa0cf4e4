//! How many requests are answered: at a time by the process, at a time by method, and a second by caller. What is beyond is refused
//! at once with a code and a time after which to try again, so that those that are answered are answered fast.

mod adaptive;
mod rate;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use telemetry::{Attribute, counter, set};

use self::adaptive::Adaptive;
use self::rate::Rates;
use crate::auth::{Principal, Right};
use crate::error::{ErrorCode, ServiceError};

/// Methods that somebody waits for, and that take about as long each time: the number that is answered at a time follows how long
/// they take. Others only count among all.
const WAITED_FOR: [&str; 9] = [
    "inference.GRPCInferenceService/ModelInfer",
    "signauxfaibles.companies.v1.CompanyService/GetCompany",
    "signauxfaibles.companies.v1.CompanyService/SearchCompanies",
    "signauxfaibles.features.v1.FeatureService/BatchGetFeatures",
    "signauxfaibles.lists.v1.ListService/GetRankedList",
    "signauxfaibles.lists.v1.ListService/SummarizeRankedList",
    "signauxfaibles.scoring.v1.ScoringService/BatchScoreCompanies",
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

    /// Lets a request of this method in, or refuses it.
    pub(crate) fn admit(&self, method: &'static str) -> Result<Permit, ServiceError> {
        let counted = if method.starts_with(HEALTH) { None } else { Some(method) };
        let own = counted.and_then(|method| self.0.methods.get(method));
        if counted.is_some() && self.0.running.fetch_add(1, Ordering::Relaxed) >= self.0.config.in_flight {
            self.0.running.fetch_sub(1, Ordering::Relaxed);
            return Err(overloaded());
        }
        let mut running = 0;
        if let Some(own) = own {
            let mut own = own.lock().unwrap_or_else(PoisonError::into_inner);
            if own.running >= own.limit.now() {
                self.0.running.fetch_sub(1, Ordering::Relaxed);
                return Err(overloaded());
            }
            own.running += 1;
            running = own.running;
        }
        Ok(Permit { limits: self.clone(), method: counted, running, start: Instant::now() })
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
    /// `None` when it does not count.
    method: Option<&'static str>,
    /// Requests of the method when it came, itself included.
    running: usize,
    start: Instant,
}

impl Permit {
    /// The answer is there, though perhaps not sent: what took this long was our work.
    pub(crate) fn answered(&self) {
        let Some((method, own)) = self.method.and_then(|method| Some((method, self.limits.0.methods.get(method)?))) else { return };
        let took: Duration = self.start.elapsed();
        let mut own = own.lock().unwrap_or_else(PoisonError::into_inner);
        let before = own.limit.now();
        own.limit.learn(took, self.running);
        let after = own.limit.now();
        drop(own);
        if before != after {
            set("sf.requests.limit", after as f64, &[Attribute::new("rpc.method", method)]);
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let Some(method) = self.method else { return };
        self.limits.0.running.fetch_sub(1, Ordering::Relaxed);
        if let Some(own) = self.limits.0.methods.get(method) {
            own.lock().unwrap_or_else(PoisonError::into_inner).running -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCORE: &str = "signauxfaibles.scoring.v1.ScoringService/ScoreCompany";
    const OTHER: &str = "signauxfaibles.lists.v1.ListService/PublishList";

    #[test]
    fn what_is_beyond_the_limit_is_refused_and_what_left_makes_room() {
        let limits = Limits::new(&LimitsConfig { in_flight: 2, ..LimitsConfig::default() });
        let (one, _two) = (limits.admit(SCORE).unwrap(), limits.admit(OTHER).unwrap());
        assert_eq!(limits.admit(OTHER).err().map(|error| error.code()), Some(ErrorCode::Overloaded));
        assert!(limits.admit("grpc.health.v1.Health/Check").is_ok(), "who asks whether it lives is answered");
        one.answered();
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
        while let Ok(permit) = limits.admit(SCORE) {
            permits.push(permit);
        }
        assert!(permits.len() < 100, "{}", permits.len());
        assert!(limits.admit(OTHER).is_ok(), "other methods are not held responsible");
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
