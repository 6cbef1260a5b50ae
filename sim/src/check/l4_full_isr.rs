//! L4: when all brokers are back, all replicas are in sync again.
//!
//! A replica that never rejoins the ISR is one failure away from data loss, silently.

use super::ghost::Ghost;

/// The id.
pub const ID: &str = "L4";
/// What must hold.
pub const CLAIM: &str = "after healing every replica returns to the in-sync replicas";

/// Whether a partition meets it.
#[must_use]
pub fn is_met(ghost: &Ghost, partition: usize) -> bool {
    let p = &ghost.partitions[partition];
    p.replicas.iter().all(|replica| p.state.isr.contains(replica))
}

/// What waits for what.
#[must_use]
pub fn waits(ghost: &Ghost, partition: usize) -> String {
    let p = &ghost.partitions[partition];
    let missing =
        p.replicas.iter().filter(|replica| !p.state.isr.contains(replica)).filter_map(|replica| ghost.node_of(*replica));
    let missing: Vec<String> = missing.map(|node| describe(ghost, partition, node)).collect();
    format!("{} waits for its full ISR: missing {}", ghost.name(partition), missing.join(", "))
}

fn describe(ghost: &Ghost, partition: usize, node: usize) -> String {
    let (life, end) = (&ghost.nodes[node], ghost.partitions[partition].shadows[node].log.end());
    let state = match (life.up, life.registered) {
        (false, _) => "down".to_string(),
        (true, false) => "not registered".to_string(),
        (true, true) => format!("log end {end}"),
    };
    format!("{} ({state})", life.name)
}
