//! How many requests of a kind are answered at a time, learnt from how long they take.
//!
//! The limit grows while requests take about as long as they did on the long run, and shrinks with the ratio of the two when they
//! take longer: they wait for each other then (the gradient of Netflix's concurrency-limits).

use std::time::Duration;

/// A process that stands still for ten milliseconds, or a client that does, finds as many waiting: they are no overload.
const LEAST: f64 = 128.0;
/// Where it begins, and where it goes back to while there is little to do.
const START: f64 = 256.0;
const MOST: f64 = 1_000.0;
/// Requests that may wait for each other without being too many.
const QUEUE: f64 = 8.0;
/// Longer than on the long run by this factor is no sign yet.
const TOLERANCE: f64 = 2.0;
/// Weight of the last request in the long run.
const MEMORY: f64 = 1.0 / 600.0;
/// Weight of the beginning, with each request while there is little to do.
const RETURN: f64 = 0.01;
/// Weight of what the last request asks for.
const STEP: f64 = 0.1;

/// A limit that follows the time that requests take.
#[derive(Debug, Clone)]
pub(super) struct Adaptive {
    limit: f64,
    /// Seconds that a request takes on the long run.
    usual: f64,
}

impl Default for Adaptive {
    fn default() -> Self {
        Self { limit: START, usual: 0.0 }
    }
}

impl Adaptive {
    /// Requests that may be answered at a time.
    pub(super) fn now(&self) -> usize {
        self.limit as usize
    }

    /// Learns from a request that took so long while so many were being answered.
    pub(super) fn learn(&mut self, took: Duration, running: usize) {
        let took = took.as_secs_f64().max(1e-6);
        self.usual = if self.usual == 0.0 { took } else { self.usual + MEMORY * (took - self.usual) };
        // With few requests nothing can be learnt about many, but that whatever it was is over.
        if (running as f64) < self.limit / 2.0 {
            self.limit += RETURN * (START - self.limit).max(0.0);
            return;
        }
        // After an overload the long run is too long; it comes back faster than it went.
        if self.usual > 2.0 * took {
            self.usual *= 0.95;
        }
        let gradient = (TOLERANCE * self.usual / took).clamp(0.5, 1.0);
        let wanted = self.limit * gradient + QUEUE;
        self.limit = (self.limit + STEP * (wanted - self.limit)).clamp(LEAST, MOST);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(limit: &mut Adaptive, requests: usize, millis: u64) -> usize {
        for _ in 0..requests {
            limit.learn(Duration::from_millis(millis), limit.now());
        }
        limit.now()
    }

    #[test]
    fn it_grows_while_requests_are_fast_and_shrinks_when_they_wait_for_each_other() {
        let mut limit = Adaptive::default();
        assert!(after(&mut limit, 2_000, 2) > 900);
        assert!(after(&mut limit, 60, 200) < 150);
        assert!(after(&mut limit, 5_000, 2) > 900, "it recovers");
    }

    #[test]
    fn some_short_requests_among_the_usual_ones_do_not_close_the_door() {
        let mut limit = Adaptive::default();
        for number in 0..20_000 {
            let millis = if number % 50 == 0 { 1 } else { 5 };
            limit.learn(Duration::from_millis(millis), limit.now());
        }
        assert!(limit.now() > 500, "{}", limit.now());
    }

    #[test]
    fn an_idle_process_learns_nothing_and_the_bounds_hold() {
        let mut limit = Adaptive::default();
        for millis in [1, 10_000, 1] {
            limit.learn(Duration::from_millis(millis), 1);
            assert_eq!(limit.now(), 256);
        }
        after(&mut limit, 10_000, 1);
        for _ in 0..10_000 {
            limit.learn(Duration::from_mins(1), 1_000);
            assert!((128..=1_000).contains(&limit.now()));
        }
        for _ in 0..1_000 {
            limit.learn(Duration::from_millis(1), 1);
        }
        assert!(limit.now() > 250, "it is forgotten: {}", limit.now());
    }
}
