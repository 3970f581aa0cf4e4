//! Requests a second by caller: each has a bucket that fills at the rate and holds two seconds of it.

use std::collections::HashMap;
use std::time::{Duration, Instant};

/// Callers that are remembered. More than that at a time are a defect or an attack, and the memory stays bounded.
const CALLERS: usize = 10_000;
/// Seconds of the rate that a bucket holds.
const BURST: f64 = 2.0;

/// The buckets of all callers.
#[derive(Debug, Default)]
pub(super) struct Rates(HashMap<String, Bucket>);

#[derive(Debug)]
struct Bucket {
    left: f64,
    filled: Instant,
}

impl Rates {
    /// Takes one request from the bucket of a caller; otherwise says after what time there will be one.
    pub(super) fn take(&mut self, caller: &str, per_second: f64, now: Instant) -> Result<(), Duration> {
        let full = (BURST * per_second).max(1.0);
        if self.0.len() >= CALLERS && !self.0.contains_key(caller) {
            // Those whose bucket is full again are as good as unknown.
            self.0.retain(|_, bucket| bucket.left + per_second * now.saturating_duration_since(bucket.filled).as_secs_f64() < full);
            if self.0.len() >= CALLERS {
                return Err(Duration::from_secs(1));
            }
        }
        let bucket = self.0.entry(caller.to_owned()).or_insert(Bucket { left: full, filled: now });
        bucket.left = (bucket.left + per_second * now.saturating_duration_since(bucket.filled).as_secs_f64()).min(full);
        bucket.filled = now;
        if bucket.left >= 1.0 {
            bucket.left -= 1.0;
            return Ok(());
        }
        Err(Duration::from_secs_f64((1.0 - bucket.left) / per_second))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_fills_with_time_and_never_overflows() {
        let (mut rates, start) = (Rates::default(), Instant::now());
        let mut sent =
            |at: f64, count: usize| (0..count).filter(|_| rates.take("a", 10.0, start + Duration::from_secs_f64(at)).is_ok()).count();
        assert_eq!([sent(0.0, 100), sent(0.0, 1), sent(1.0, 100), sent(100.0, 100)], [20, 0, 10, 20]);
        assert_eq!(rates.take("a", 10.0, start + Duration::from_secs(100)), Err(Duration::from_millis(100)));
        let mut slow = Rates::default();
        assert!(slow.take("a", 0.1, start).is_ok() && slow.take("a", 0.1, start).is_err(), "one at least");
    }

    #[test]
    fn memory_is_bounded_and_the_idle_make_room() {
        let (mut rates, start) = (Rates::default(), Instant::now());
        for caller in 0..CALLERS {
            rates.take(&caller.to_string(), 1.0, start).unwrap();
        }
        assert!(rates.take("new", 1.0, start).is_err());
        assert!(rates.take("new", 1.0, start + Duration::from_secs(5)).is_ok());
        assert_eq!(rates.0.len(), 1);
    }
}
