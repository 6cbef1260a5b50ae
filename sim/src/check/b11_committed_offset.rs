//! B11: committed offsets behave like a register.
//!
//! Whoever asks is told a value that was written, that nothing acknowledged before the question has overwritten, and that cannot be lost any more:
//! one that is committed. As with ends of partitions (B12), Kafka has no read barrier: a coordinator that was deposed and has not heard of it
//! answers what it knows; that is counted and not blamed.

use super::ghost::{Change, Ghost, Kind};
use super::groups::{Group, GroupChange};
use super::page::Page;
use super::{Check, Scene};
use brokerlab::types::{Offset, TopicPartition};
use brokerlab_reports::event::EventId;

/// The id.
pub const ID: &str = "B11";
/// What must hold.
pub const CLAIM: &str = "who asks for a committed offset is told the newest one acknowledged, or a later committed one";

/// The check. Exercised by questions about offsets of which something is known.
#[derive(Default)]
pub struct CommittedOffset {
    stale: u64,
}

impl Check for CommittedOffset {
    fn watches(&self) -> &'static [Kind] {
        &[Kind::Group]
    }

    fn look(&mut self, scene: &Scene<'_>, change: &Change<'_>, page: &mut Page) {
        let Change::Group(GroupChange::OffsetTold { group, node, partition, offset, request }) = change else { return };
        let (ghost, known) = (scene.ghost, &scene.ghost.groups.all[*group]);
        page.looked(known.registers.contains_key(*partition));
        let Some(objection) = objection(ghost, known, partition, *offset, *request) else { return };
        if known.shard.is_some_and(|shard| !leads(ghost, shard, *node)) {
            self.stale += 1;
            return;
        }
        page.found(scene.event, ghost.named(partition), ghost.weigh_group(*group), || {
            let told = offset.map_or("nothing".into(), |offset| offset.to_string());
            format!("{} tells that {told} is committed of {partition} for {}, {objection}", scene.node(*node), known.id)
        });
    }

    fn stale(&self) -> u64 {
        self.stale
    }
}

fn objection(ghost: &Ghost, group: &Group, partition: &TopicPartition, told: Option<Offset>, request: EventId) -> Option<String> {
    let Some(register) = group.registers.get(partition) else {
        return told.map(|_| "which nobody has stored".to_string());
    };
    if !register.is_legal(told, request) {
        let floor = register.acknowledged_before(request).and_then(|stored| stored.value);
        return Some(floor.map_or("which nobody has stored".into(), |floor| format!("though {floor} was acknowledged before")));
    }
    let (shard, value) = (group.shard?, told?);
    let mut written = register.written.iter().filter(|stored| stored.value == Some(value));
    let committed = written.any(|stored| stored.acknowledged.is_some() || ghost.is_committed(shard, stored.place));
    (!committed).then(|| "whose record is not committed".to_string())
}

/// Whether that node is the newest leader, and not about to be replaced.
fn leads(ghost: &Ghost, shard: usize, node: usize) -> bool {
    let p = &ghost.partitions[shard];
    let epoch = p.shadows[node].leading().map(|leading| leading.epoch);
    epoch.is_some_and(|epoch| epoch >= p.acting && epoch == p.state.leader_epoch)
}
