//! G7: what a coordinator begins with is what its log says, and all that was acknowledged is in it.
//!
//! A coordinator that begins with less makes groups read again what they have long processed, or forget their members; one that begins with more
//! has made it up. The log that counts is its own, to its end and not to its high watermark, which lags after an election (GR-06).
//! What was acknowledged stands below the true high watermark, so every leader has it, unless the main ghost knows of a loss.

use super::chain::Chain;
use super::ghost::{Change, Ghost, Kind};
use super::groups::{Group, GroupChange};
use super::page::{Page, Weight};
use super::{Check, Scene};
use brokerlab::fact::group::LoadedGroup;
use brokerlab::types::{LeaderEpoch, Offset, TopicPartition};

/// The id.
pub const ID: &str = "G7";
/// What must hold.
pub const CLAIM: &str = "a coordinator begins with what its log says, which holds every acknowledged commit";

/// The check. Exercised by coordinators that begin with something in their log.
#[derive(Default)]
pub struct StateIsReplay;

impl Check for StateIsReplay {
    fn watches(&self) -> &'static [Kind] {
        &[Kind::Group]
    }

    fn look(&mut self, scene: &Scene<'_>, change: &Change<'_>, page: &mut Page) {
        let Change::Group(GroupChange::Loaded { shard, node, epoch, groups, .. }) = change else { return };
        let ghost = scene.ghost;
        let log = &ghost.partitions[*shard].shadows[*node].log;
        // What was appended in a step that a loss of power ended, no coordinator ever told of.
        let tells_all = !ghost.partitions[*shard].untold.iter().any(|link| log.holds(link));
        for group in ghost.groups.all.iter().filter(|group| group.shard == Some(*shard)) {
            let loaded = groups.iter().find(|loaded| loaded.group == group.id);
            page.looked(
                group.registers.values().any(|register| register.fold(log).is_some()) || group.notes_in(log).next().is_some(),
            );
            let wrong = || wrong_offset(group, loaded, log).or_else(|| wrong_members(group, loaded, log));
            let lost = || lost_commit(ghost, *shard, *epoch, group, log);
            if let Some((weight, text)) = tells_all.then(wrong).flatten().map(|text| (Weight::VIOLATION, text)).or_else(lost) {
                page.found(scene.event, Some(*shard), weight, || {
                    format!("{} begins to coordinate {} in epoch {epoch} {text}", scene.node(*node), group.id)
                });
            }
        }
    }
}

fn wrong_offset(group: &Group, loaded: Option<&LoadedGroup>, log: &Chain) -> Option<String> {
    let told = |partition: &TopicPartition| {
        let told = loaded?.offsets.iter().find(|(known, _)| known == partition)?;
        Some(told.1)
    };
    let says = |offset: Option<Offset>| offset.map_or("nothing".to_string(), |offset| offset.to_string());
    for (partition, register) in &group.registers {
        let found = register.fold(log);
        let (written, told) = (found.and_then(|stored| stored.value), told(partition));
        let is_known = found.is_some() || !register.is_pruned;
        if written != told && is_known {
            return Some(format!("with {} committed of {partition}, where its log says {}", says(told), says(written)));
        }
    }
    let unknown = loaded?.offsets.iter().find(|(partition, _)| !group.registers.contains_key(partition));
    unknown.map(|(partition, offset)| format!("with {offset} committed of {partition}, which nobody has stored"))
}

fn wrong_members(group: &Group, loaded: Option<&LoadedGroup>, log: &Chain) -> Option<String> {
    let (generation, members) = loaded.map_or((-1, &[][..]), |loaded| (loaded.generation, loaded.members.as_slice()));
    let mut notes = group.notes_in(log).peekable();
    // Without a certain record the log may as well say nothing.
    let certain = group.notes_in(log).any(|note| note.certain);
    if (!certain && generation < 0) || notes.any(|note| note.generation == generation && note.members == members) {
        return None;
    }
    let last = group.notes_in(log).last();
    let last = last.map_or("nothing".to_string(), |note| format!("generation {} of {:?}", note.generation, note.members));
    Some(format!("with generation {generation} of {members:?}, where its log says {last}"))
}

/// What later epochs promised, the coordinator of this one cannot know: it may have been deposed while it waited to begin.
fn lost_commit(ghost: &Ghost, shard: usize, epoch: LeaderEpoch, group: &Group, log: &Chain) -> Option<(Weight, String)> {
    for (partition, register) in &group.registers {
        let Some(promised) = register.acknowledged_up_to(epoch) else { continue };
        if register.fold(log).is_none_or(|found| found.place < promised.place) {
            let weight = ghost.excuse(shard, promised.place.at, Some(promised.place.epoch)).unwrap_or(Weight::VIOLATION);
            let value = promised.value.unwrap_or(Offset::ZERO);
            return Some((weight, format!("without the commit of {value} of {partition}, which was acknowledged")));
        }
    }
    None
}
