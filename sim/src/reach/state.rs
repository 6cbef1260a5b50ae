//! The abstract state of a partition: who stands where relative to whom.
//!
//! ```text
//!   per broker    alive? frozen?   leader, follower, idle   epoch: the controller's, one behind, further behind, ahead
//!                 log end against the leader's   records above its own high watermark?   high watermark against the leader's
//!                 in the controller's ISR?   knows that ISR?   a shrink or an expansion pending
//!   in all        does anybody lead?
//! ```
//!
//! Numbers, names and the order of the brokers are left out, so that runs can be compared: what is counted are kinds of situations.

use std::cmp::Ordering;

use brokerlab::types::Offset;

use super::model::{Model, Node, Partition, Replica, Role};

/// A hash of the abstract state.
pub(super) fn signature(model: &Model, partition: &Partition) -> u64 {
    let leader = partition.state.leader.and_then(|leader| model.node_of(leader)).map(|node| &partition.replicas[node]);
    let brokers = model.nodes.iter().zip(&partition.replicas).filter(|(node, _)| node.broker.is_some());
    // A sum does not tell in which order the brokers stand.
    brokers.fold(u64::from(partition.state.leader.is_some()), |sum, (node, replica)| {
        sum.wrapping_add(mix(code(node, replica, partition, leader)))
    })
}

fn code(node: &Node, replica: &Replica, partition: &Partition, leader: Option<&Replica>) -> u32 {
    let mut code = Code(1);
    code.push(1, u32::from(node.up));
    code.push(1, u32::from(node.frozen));
    code.push(
        2,
        match replica.role {
            Role::Idle => 0,
            Role::Follower => 1,
            Role::Leader => 2,
        },
    );
    let behind = partition.state.leader_epoch.0.saturating_sub(replica.epoch.0);
    code.push(2, if behind < 0 { 3 } else { behind.unsigned_abs().min(2) });
    code.push(2, against(replica.end, leader.map(|leader| leader.end)));
    code.push(1, u32::from(replica.end > replica.high_watermark));
    code.push(2, against(replica.high_watermark, leader.map(|leader| leader.high_watermark)));
    code.push(1, u32::from(node.broker.is_some_and(|broker| partition.state.isr.contains(&broker))));
    code.push(1, u32::from(node.broker.is_some() && node.broker == partition.state.leader));
    code.push(1, u32::from(replica.role == Role::Leader && replica.isr == partition.state.isr));
    code.push(2, replica.pending.as_ref().map_or(0, |(_, wanted)| if wanted.len() < replica.isr.len() { 1 } else { 2 }));
    code.0
}

struct Code(u32);

impl Code {
    fn push(&mut self, bits: u32, value: u32) {
        self.0 = (self.0 << bits) | value;
    }
}

fn against(own: Offset, leaders: Option<Offset>) -> u32 {
    match leaders.map(|leaders| own.cmp(&leaders)) {
        None => 0,
        Some(Ordering::Less) => 1,
        Some(Ordering::Equal) => 2,
        Some(Ordering::Greater) => 3,
    }
}

/// One round of splitmix64.
fn mix(code: u32) -> u64 {
    let mut hash = u64::from(code).wrapping_add(0x9E37_79B9_7F4A_7C15);
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    hash ^ (hash >> 31)
}
