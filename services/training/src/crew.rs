//! Several processes that grow one model together: the one that runs the job gives workers their places, and each reads the
//! table itself and trains on its part of the companies (`trees::network`).
//!
//! A worker asks for a place again and again; it is answered once as many as the training wants have come. When one is lost
//! the training of all ends with an error, the workers ask again, and the job starts over, a few times.

use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use api::training::TrainModelRequest;
use tokio::sync::{Notify, oneshot};

use crate::error::TrainingError;

/// How long processes that train together wait for each other's next message: one may read its rows much longer than another.
/// One that is gone is noticed at once.
pub const SILENCE: Duration = Duration::from_mins(10);
/// How long a training waits for its workers.
pub const PATIENCE: Duration = Duration::from_mins(2);

/// The place of a process among those that train together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Its number, from 0, the process that runs the job.
    pub rank: usize,
    /// Where each listens, by rank.
    pub machines: Vec<SocketAddr>,
}

impl Place {
    /// Whether the training rows of an entity are this process's own.
    pub fn owns(&self, entity: u32) -> bool {
        (crate::split::scramble(u64::from(entity) ^ SALT) % self.machines.len().max(1) as u64) as usize == self.rank
    }
}

/// Divides companies among processes in another way than among sides.
const SALT: u64 = 0x5eed_c0de;

/// What a worker is to do.
#[derive(Debug, Clone, PartialEq)]
pub struct Work {
    /// Its place.
    pub place: Place,
    /// What the job was asked.
    pub request: TrainModelRequest,
    /// Hash of the job's rows and parameters, with which the worker's must agree.
    pub setup: String,
}

struct Group {
    request: TrainModelRequest,
    setup: String,
    wanted: usize,
    came: Vec<(SocketAddr, oneshot::Sender<Work>)>,
}

/// Where workers and the job of a process meet. One training gathers at a time.
#[derive(Default)]
pub struct Meeting {
    group: Mutex<Option<Group>>,
    changed: Notify,
}

impl Meeting {
    fn group(&self) -> std::sync::MutexGuard<'_, Option<Group>> {
        self.group.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the workers of a training that wants `processes` in all, this one at `own` among them, and gives each its
    /// place. Fails when another training gathers, or when too few come in time.
    pub async fn gather(
        &self,
        request: &TrainModelRequest,
        setup: &str,
        own: SocketAddr,
        processes: usize,
    ) -> Result<Place, TrainingError> {
        self.gather_within(request, setup, own, processes, PATIENCE).await
    }

    async fn gather_within(
        &self,
        request: &TrainModelRequest,
        setup: &str,
        own: SocketAddr,
        processes: usize,
        patience: Duration,
    ) -> Result<Place, TrainingError> {
        {
            let mut group = self.group();
            if group.is_some() {
                return Err(TrainingError::Workers("another training waits for workers here: ask again when it has started".into()));
            }
            *group =
                Some(Group { request: request.clone(), setup: setup.to_owned(), wanted: processes.saturating_sub(1), came: Vec::new() });
        }
        // A job that is stopped while it waits leaves nobody waiting.
        let gathering = Gathering(self);
        let all_came = tokio::time::timeout(patience, async {
            loop {
                let changed = self.changed.notified();
                if self.group().as_mut().is_none_or(Group::is_complete) {
                    break;
                }
                changed.await;
            }
        })
        .await;
        let group = gathering.end().ok_or_else(|| TrainingError::Workers("the training was called off".into()))?;
        if all_came.is_err() {
            let (came, wanted) = (group.came.len(), group.wanted);
            return Err(TrainingError::Workers(format!("{came} of {wanted} workers came within {} s", patience.as_secs())));
        }
        let machines: Vec<SocketAddr> = std::iter::once(own).chain(group.came.iter().map(|(address, _)| *address)).collect();
        for (rank, (_, answer)) in (1..).zip(group.came) {
            let place = Place { rank, machines: machines.clone() };
            let work = Work { place, request: group.request.clone(), setup: group.setup.clone() };
            // One that left meanwhile is noticed by the network.
            let _left = answer.send(work);
        }
        Ok(Place { rank: 0, machines })
    }

    /// Asks for a place, listening at this address. Answers once all have come; `None` when no training waits.
    pub async fn join(&self, address: SocketAddr) -> Option<Work> {
        let answer = {
            let mut waiting = self.group();
            let group = waiting.as_mut()?;
            if group.is_complete() {
                return None;
            }
            let (send, receive) = oneshot::channel();
            group.came.push((address, send));
            receive
        };
        self.changed.notify_waiters();
        answer.await.ok()
    }
}

/// A gathering that ends when the value is dropped, if it has not ended before.
struct Gathering<'a>(&'a Meeting);

impl Gathering<'_> {
    /// Ends it, and gives who came.
    fn end(self) -> Option<Group> {
        let group = self.0.group().take();
        // Another one may begin from now on.
        std::mem::forget(self);
        group
    }
}

impl Drop for Gathering<'_> {
    fn drop(&mut self) {
        self.0.group().take();
    }
}

impl Group {
    /// Whether as many are waiting as are wanted; those that gave up are forgotten.
    fn is_complete(&mut self) -> bool {
        self.came.retain(|(_, answer)| !answer.is_closed());
        self.came.len() >= self.wanted
    }
}

/// A free address of this host to train at.
pub fn address(host: std::net::IpAddr) -> Result<SocketAddr, TrainingError> {
    let listener = std::net::TcpListener::bind((host, 0)).and_then(|listener| listener.local_addr());
    listener.map_err(|error| TrainingError::Workers(format!("no port is free at {host}: {error}")))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn at(port: u16) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], port))
    }

    #[tokio::test]
    async fn each_gets_its_place_once_all_have_come() {
        let meeting = Arc::new(Meeting::default());
        assert_eq!(meeting.join(at(1)).await, None, "nothing waits yet");
        let request = TrainModelRequest { batch: "2511".into(), workers: 3, ..Default::default() };
        let job = tokio::spawn({
            let (meeting, request) = (meeting.clone(), request.clone());
            async move { meeting.gather(&request, "rows", at(10), 3).await }
        });
        while meeting.group().is_none() {
            tokio::task::yield_now().await;
        }
        let busy = meeting.gather(&request, "rows", at(11), 3).await;
        assert!(matches!(busy, Err(TrainingError::Workers(_))));
        let leaver = meeting.join(at(12));
        assert!(tokio::time::timeout(Duration::from_millis(20), leaver).await.is_err(), "it gives up before the others come");
        let (first, second) = tokio::join!(meeting.join(at(20)), meeting.join(at(21)));
        let place = job.await.unwrap().unwrap();
        assert_eq!((place.rank, &place.machines), (0, &vec![at(10), at(20), at(21)]));
        let works = [first.unwrap(), second.unwrap()];
        assert_eq!(works.iter().map(|work| work.place.rank).collect::<Vec<_>>(), [1, 2]);
        assert!(works.iter().all(|work| work.request == request && work.setup == "rows" && work.place.machines == place.machines));
        let owners = (0..1_000).map(|entity| [&place, &works[0].place, &works[1].place].iter().filter(|place| place.owns(entity)).count());
        assert!(owners.into_iter().all(|owners| owners == 1), "every company has one owner");
    }

    #[tokio::test]
    async fn a_job_that_is_stopped_while_it_waits_leaves_room_for_the_next() {
        let (meeting, request) = (Meeting::default(), TrainModelRequest::default());
        let waiting = meeting.gather_within(&request, "rows", at(1), 2, Duration::from_mins(1));
        assert!(tokio::time::timeout(Duration::from_millis(10), waiting).await.is_err(), "it is dropped");
        assert_eq!(meeting.join(at(2)).await, None, "nothing waits");
        let failed = meeting.gather_within(&request, "rows", at(1), 2, Duration::from_millis(10)).await.unwrap_err();
        assert!(failed.to_string().contains("0 of 1 workers"), "{failed}");
    }

    #[tokio::test]
    async fn a_training_whose_workers_do_not_come_fails_and_another_may_gather() {
        let meeting = Meeting::default();
        let request = TrainModelRequest::default();
        for _ in 0..2 {
            let failed = meeting.gather_within(&request, "rows", at(1), 2, Duration::from_millis(10)).await.unwrap_err();
            assert!(failed.to_string().contains("0 of 1 workers"), "{failed}");
        }
    }
}
