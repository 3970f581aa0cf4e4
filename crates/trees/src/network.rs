//! Training over several machines by LightGBM's data-parallel learner: each has a part of the rows, and they exchange the
//! histograms of each split.
//!
//! Every machine makes its training data set from its own rows while it is joined, and gets the same bins as the others;
//! every machine needs the same validation set, so that all stop at the same round. All end with the same model. A machine
//! that is lost ends the training of the others with an error. Connections are plain, and only those that know the list of
//! machines are let in: keep the ports inside of the cluster.

use std::net::SocketAddr;
use std::time::Duration;

use crate::collective::NetworkHandle;
use crate::error::{Result, TreesError};
use crate::mesh::Mesh;

/// A place among machines that train together, of the calling thread only; it is left when dropped.
#[derive(Debug)]
pub struct Network {
    handle: NetworkHandle,
}

impl Network {
    /// Joins machines, of which this is number `rank`, listening at its own address of the list. Waits as long as `patience` for
    /// the others to come, and then as long as `silence` for each of their messages.
    pub fn join(machines: &[SocketAddr], rank: usize, patience: Duration, silence: Duration) -> Result<Self> {
        if rank >= machines.len() {
            return Err(TreesError::parameter("rank", format!("{rank} is not below {}", machines.len())));
        }
        if machines.len() < 2 {
            return Err(TreesError::parameter("machines", "give at least two"));
        }
        let mesh = Mesh::connect(machines, rank, patience, silence).map_err(|error| TreesError::Network { problem: error.to_string() })?;
        Ok(Self { handle: NetworkHandle::join(mesh, rank, machines.len())? })
    }

    /// Number of machines.
    pub fn machines(&self) -> usize {
        self.handle.machines
    }
}
