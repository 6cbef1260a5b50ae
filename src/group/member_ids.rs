//! Names for members: what the client calls itself, or its instance id, and 128 bits that nobody else gets.
//!
//! Chance is keyed, as everywhere: by the seed of this life of the broker, the partition, the leader epoch and a count. So a coordinator that
//! loads the groups of another never gives an id that the other one gave.

use std::hash::Hash;
use std::sync::Arc;

use crate::digest::Digest;
use crate::types::{LeaderEpoch, PartitionId};

/// Gives member ids.
#[derive(Hash, Debug)]
pub(super) struct MemberIds {
    seed: u64,
    partition: PartitionId,
    leader_epoch: LeaderEpoch,
    given: u64,
}

impl MemberIds {
    /// For one life of a shard.
    pub fn new(seed: u64, partition: PartitionId, leader_epoch: LeaderEpoch) -> MemberIds {
        MemberIds { seed, partition, leader_epoch, given: 0 }
    }

    /// The next id for somebody who is called so.
    pub fn draw(&mut self, name: &str) -> Arc<str> {
        self.given += 1;
        let mut digest = Digest::new();
        ("member", &*self).hash(&mut digest);
        let hex = format!("{:032x}", digest.value());
        let parts = [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]];
        format!("{name}-{}", parts.join("-")).into()
    }
}
