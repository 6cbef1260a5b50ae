//! L1: every partition has a leader again, and everybody knows it.
//!
//! After healing the controller must have elected a leader, that broker must act in that epoch, and every registered replica must
//! have heard of it. A controller that elects the dead, or a broker that misses the news, leaves the partition without service.

use super::ghost::{Ghost, Partition, Role};

/// The id.
pub const ID: &str = "L1";
/// What must hold.
pub const CLAIM: &str = "after healing every partition has a leader that acts as such and that all its replicas know";

/// Whether a partition meets it.
#[must_use]
pub fn is_met(ghost: &Ghost, partition: usize) -> bool {
    let p = &ghost.partitions[partition];
    let leader = p.state.leader.and_then(|leader| ghost.node_of(leader));
    let acts = |node: usize| ghost.nodes[node].up && matches!(p.shadows[node].role, Role::Leader(_));
    leader.is_some_and(acts) && ignorant(ghost, p).is_none()
}

/// What waits for what.
#[must_use]
pub fn waits(ghost: &Ghost, partition: usize) -> String {
    let (p, name) = (&ghost.partitions[partition], ghost.name(partition));
    match (p.state.leader, ignorant(ghost, p)) {
        (None, _) => format!("{name} waits for a leader: its ISR is {:?}", p.state.isr),
        (Some(leader), Some(node)) => {
            let (node, epoch) = (ghost.node_name(node), p.state.leader_epoch);
            format!("{name} waits for {node} to hear that {leader:?} leads it in epoch {epoch}")
        }
        (Some(leader), None) => format!("{name} waits for {leader:?} to lead it in epoch {}", p.state.leader_epoch),
    }
}

/// A registered replica that operates in another epoch.
fn ignorant(ghost: &Ghost, p: &Partition) -> Option<usize> {
    let mut nodes = p.replicas.iter().filter_map(|replica| ghost.node_of(*replica));
    nodes.find(|node| {
        let life = &ghost.nodes[*node];
        life.up && life.registered && p.shadows[*node].epoch() != p.state.leader_epoch
    })
}
