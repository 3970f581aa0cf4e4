//! Training over several machines by LightGBM's own network layer: each has a part of the rows, and they exchange the
//! histograms of each split (its data-parallel learner).
//!
//! Every machine makes its training data set from its own rows while it is joined, and gets the same bins as the others;
//! every machine needs the same validation set, so that all stop at the same round. All end with the same model. A machine
//! that is lost ends the training of the others with an error. LightGBM listens on all addresses of the machine and trusts
//! whoever connects: keep its port inside of the cluster.

use std::net::SocketAddr;

use crate::error::{Result, TreesError};
use crate::ffi::NetworkHandle;

/// A place among machines that train together, of the calling thread only; it is left when dropped.
#[derive(Debug)]
pub struct Network {
    handle: NetworkHandle,
}

impl Network {
    /// Joins machines, of which this is number `rank`. Waits up to `minutes` for the others, and as long for each message.
    pub fn join(machines: &[SocketAddr], rank: usize, minutes: u32) -> Result<Self> {
        let own = machines.get(rank).ok_or_else(|| TreesError::parameter("rank", format!("{rank} is not below {}", machines.len())))?;
        if machines.len() < 2 {
            return Err(TreesError::parameter("machines", "give at least two"));
        }
        let list: Vec<String> = machines.iter().map(|machine| format!("{}:{}", machine.ip(), machine.port())).collect();
        Ok(Self { handle: NetworkHandle::join(&list.join(","), rank, machines.len(), own.port(), minutes)? })
    }

    /// Number of machines.
    pub fn machines(&self) -> usize {
        self.handle.machines
    }
}
