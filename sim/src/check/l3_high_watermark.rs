//! L3: when producers stop, everything in the leader's log gets committed.
//!
//! If the high watermark stays below the log end, some replica that counts does not fetch, or its fetches are not counted.

use super::ghost::{Ghost, Role, Shadow};

/// The id.
pub const ID: &str = "L3";
/// What must hold.
pub const CLAIM: &str = "when producers stop the high watermark reaches the log end";

/// Whether a partition meets it.
#[must_use]
pub fn is_met(ghost: &Ghost, partition: usize) -> bool {
    let committed = ghost.partitions[partition].true_high_watermark();
    leader(ghost, partition).is_some_and(|leader| leader.high_watermark == leader.log.end() && leader.log.end() == committed)
}

/// What waits for what.
#[must_use]
pub fn waits(ghost: &Ghost, partition: usize) -> String {
    let name = ghost.name(partition);
    let Some(leading) = leader(ghost, partition) else {
        return format!("{name} waits for a leader before anything is committed");
    };
    let (end, mark) = (leading.log.end(), leading.high_watermark);
    let p = &ghost.partitions[partition];
    let behind = |node: &usize| p.shadows[*node].log.end() < end;
    let isr = p.state.isr.iter().filter_map(|member| ghost.node_of(*member));
    let behind: Vec<&str> = isr.filter(behind).map(|node| ghost.node_name(node)).collect();
    if behind.is_empty() {
        return format!("{name} is committed up to {mark} of {end}, though every in-sync replica has all of it");
    }
    format!("{name} is committed up to {mark} of {end}: it waits for {} to fetch the rest", behind.join(", "))
}

/// The elected leader, if it acts.
fn leader(ghost: &Ghost, partition: usize) -> Option<&Shadow> {
    let p = &ghost.partitions[partition];
    let node = ghost.node_of(p.state.leader?)?;
    p.shadows.get(node).filter(|shadow| matches!(shadow.role, Role::Leader(_)))
}
