//! A circuit breaker: after some failures in a row nothing is asked for a moment, so that nobody waits for what will not come;
//! then one request tries again.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Failures in a row that open it.
const FAILURES: u32 = 3;
/// How long it stays open, and how long the one that tries again has.
const PAUSE: Duration = Duration::from_secs(1);

/// Counts failures in a row.
#[derive(Debug, Default)]
pub(crate) struct Breaker(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    failures: u32,
    /// Until when nothing is asked.
    open_until: Option<Instant>,
}

impl Breaker {
    /// Whether a request may be made now. While it is open, one in [`PAUSE`] may.
    pub(crate) fn lets(&self, now: Instant) -> bool {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match state.open_until {
            Some(until) if now < until => false,
            Some(_) => {
                state.open_until = Some(now + PAUSE);
                true
            }
            None => true,
        }
    }

    /// Learns how a request ended; says whether it is open now, if that changed.
    pub(crate) fn learn(&self, failed: bool, now: Instant) -> Option<bool> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let was_open = state.open_until.is_some();
        if failed {
            state.failures = state.failures.saturating_add(1);
            if state.failures >= FAILURES {
                state.open_until = Some(now + PAUSE);
            }
        } else {
            *state = State::default();
        }
        let is_open = state.open_until.is_some();
        (was_open != is_open).then_some(is_open)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_opens_after_failures_in_a_row_tries_one_request_and_closes_when_that_works() {
        let (breaker, start) = (Breaker::default(), Instant::now());
        let at = |millis: u64| start + Duration::from_millis(millis);
        assert_eq!(breaker.learn(true, at(0)), None);
        assert_eq!(breaker.learn(false, at(0)), None, "a success between them begins the count again");
        assert_eq!([true; 3].map(|failed| breaker.learn(failed, at(0))), [None, None, Some(true)]);
        assert!(!breaker.lets(at(999)));
        assert!(breaker.lets(at(1_000)) && !breaker.lets(at(1_001)), "one tries");
        assert_eq!(breaker.learn(true, at(1_500)), None);
        assert!(!breaker.lets(at(2_400)) && breaker.lets(at(2_600)));
        assert_eq!(breaker.learn(false, at(2_700)), Some(false));
        assert!(breaker.lets(at(2_701)));
    }
}
