//! What leaders can know of producers.
//!
//! A replica knows a producer from the batches that it appended, and keeps that knowledge when retention gives the batches up (KAFKA-5793). But
//! a follower that begins anew at its leader's start drops everything that it knew, and the leader cannot hand on what it knows itself: a
//! fetch carries records only. Kafka is no different (`ProducerStateManager.truncateFullyAndStartAt`), so of a session whose last batch lies
//! below the place where a leader began anew, that leader knows nothing, and takes whatever comes for new.
//!
//! ```text
//!   former leader   [0 .. given up .. 50) 50 ... 60      knows p's batches at 20 and at 55
//!   the next one    began anew at 50      50 ... 60      knows the one at 55: a retry of it is still a duplicate
//!                   began anew at 60      60             knows neither
//! ```
//!
//! What else a leader may forget (snapshots lost with their segments, a crash, a truncation) excuses nothing.

use std::collections::BTreeMap;

use brokerlab::types::{LeaderEpoch, Offset};

use super::ghost::{Change, Ghost};

/// Where the knowledge of each leader begins, by partition and leader epoch.
#[derive(Default)]
pub struct Memory {
    begins: Vec<BTreeMap<LeaderEpoch, Offset>>,
}

impl Memory {
    /// A replica begins to lead: from then on, it stays as it is in its epoch, for a leader never truncates.
    pub fn note(&mut self, ghost: &Ghost, change: &Change<'_>) {
        let Change::Began { at, epoch, leads: true, .. } = change else { return };
        if self.begins.len() <= at.partition {
            self.begins.resize_with(at.partition + 1, BTreeMap::new);
        }
        self.begins[at.partition].entry(*epoch).or_insert(ghost.shadow(*at).began_anew);
    }

    /// Whether the leader of that epoch began anew at or above `end`, where the last batch ended by which it could know a session.
    #[must_use]
    pub fn lacks(&self, partition: usize, leader: LeaderEpoch, end: Offset) -> bool {
        self.begins.get(partition).and_then(|begins| begins.get(&leader)).is_some_and(|begin| end <= *begin)
    }
}
