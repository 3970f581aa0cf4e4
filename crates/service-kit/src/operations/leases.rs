//! Whether the owner of an operation still works on it, told without trusting clocks of other machines.
//!
//! At each renewal of its lease an owner writes a new time into the record. Who watches cares for the change, not for the time:
//! it notes, by its own steady clock, when it first saw what stands there, and calls the owner gone once that has stood still
//! for a whole lease. So two machines whose clocks disagree take nothing from each other, and a dead owner whose clock ran
//! ahead is replaced as soon as any other. Wall clocks are compared only to save a process that has just begun from waiting
//! for an owner that died long ago (`docs/decisions/0023-leases-by-watching.md`).

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::record::{Record, State};

/// After so long past its lease an owner is gone for a process that has just begun, without being watched: more than clocks of
/// one system disagree. Where they disagree by more, such a process may start a job again that is not abandoned, once.
const LONG_AGO: Duration = Duration::from_mins(10);

/// What is known of the owner of a running operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Owner {
    /// It renewed its lease while this process watched.
    Working,
    /// This process has not watched for long enough.
    Unknown,
    /// It has been silent for a lease.
    Gone,
}

/// What an owner last said: the end of its lease, its name, and the run of the record.
type Word = (i64, String, u32);

/// A record as it was last seen.
struct Seen {
    word: Word,
    /// When it was first seen with this word.
    since: Instant,
    /// Whether it was seen to change.
    moved: bool,
}

/// The running operations that this process has looked at.
pub(super) struct Leases {
    lease: Duration,
    /// When this process began to look.
    begun: Instant,
    seen: Mutex<BTreeMap<String, Seen>>,
}

impl Leases {
    /// For owners that renew their leases well within this time, and a process that begins now.
    pub(super) const fn new(lease: Duration, now: Instant) -> Self {
        Self { lease, begun: now, seen: Mutex::new(BTreeMap::new()) }
    }

    /// Looks at a record, `now` being the time of this process and `clock` that of its wall clock, in milliseconds since 1970.
    /// An ended operation has no owner any more.
    pub(super) fn owner(&self, record: &Record, now: Instant, clock: i64) -> Owner {
        let mut all = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if record.state != State::Running {
            all.remove(&record.name);
            return Owner::Gone;
        }
        let word = (record.lease_until, record.owner.clone(), record.run);
        let seen = all.entry(record.name.clone()).or_insert_with(|| Seen { word: word.clone(), since: now, moved: false });
        if seen.word != word {
            *seen = Seen { word, since: now, moved: true };
        }
        let just_begun = !seen.moved && now.saturating_duration_since(self.begun) < self.lease;
        let long_ago = record.lease_until.saturating_add(LONG_AGO.as_millis() as i64) < clock;
        if now.saturating_duration_since(seen.since) >= self.lease || (just_begun && long_ago) {
            Owner::Gone
        } else if seen.moved {
            Owner::Working
        } else {
            Owner::Unknown
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::record::Progress;
    use super::*;

    const LEASE: Duration = Duration::from_secs(15);
    const CLOCK: i64 = 1_764_000_000_000;

    fn record(lease_until: i64) -> Record {
        Record {
            name: "operations/test/a".into(),
            kind: "echo".into(),
            run: 1,
            request: String::new(),
            state: State::Running,
            owner: "somebody".into(),
            lease_until,
            cancelled: false,
            progress: Progress::default(),
            response: String::new(),
            error: String::new(),
        }
    }

    /// Whatever the owner's clock says: within ten minutes for a process that has just begun.
    #[test]
    fn clocks_that_disagree_change_nothing() {
        for skew in [-590_000, -60_000, 0, 60_000, 3_600_000_000] {
            let start = Instant::now();
            let leases = Leases::new(LEASE, start);
            let look = |renewed: i64, seconds: u32| {
                let until = CLOCK + skew + renewed * 1_000 + LEASE.as_millis() as i64;
                leases.owner(&record(until), start + seconds * Duration::from_secs(1), CLOCK + i64::from(seconds) * 1_000)
            };
            assert_eq!(look(0, 0), Owner::Unknown, "{skew}");
            assert_eq!(look(0, 4), Owner::Unknown, "{skew}");
            assert_eq!(look(5, 5), Owner::Working, "{skew}");
            assert_eq!(look(5, 19), Owner::Working, "{skew}");
            assert_eq!(look(5, 20), Owner::Gone, "{skew}");
            assert_eq!(look(21, 21), Owner::Working, "{skew}: it was only slow, and nobody took its place");
        }
    }

    #[test]
    fn who_died_long_ago_is_not_waited_for() {
        let start = Instant::now();
        let look =
            |ago: Duration, after: Duration| Leases::new(LEASE, start).owner(&record(CLOCK - ago.as_millis() as i64), start + after, CLOCK);
        assert_eq!(look(LONG_AGO, Duration::ZERO), Owner::Unknown);
        assert_eq!(look(LONG_AGO + Duration::from_secs(1), Duration::ZERO), Owner::Gone);
        assert_eq!(look(100 * LONG_AGO, LEASE), Owner::Unknown, "who has been here for a while goes by what it sees");
    }

    #[test]
    fn another_owner_begins_anew() {
        let start = Instant::now();
        let leases = Leases::new(LEASE, start);
        assert_eq!(leases.owner(&record(CLOCK), start, CLOCK), Owner::Unknown);
        let taken = Record { owner: "another".into(), ..record(CLOCK) };
        assert_eq!(leases.owner(&taken, start + LEASE, CLOCK), Owner::Working);
        leases.owner(&Record { state: State::Done, ..taken }, start + LEASE, CLOCK);
        assert!(leases.seen.lock().unwrap().is_empty());
    }
}
