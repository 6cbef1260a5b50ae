//! G2: an assignment gives every partition to exactly one member.
//!
//! Two owners process the same records twice; none means that nobody does, and no error tells. Whoever assigns works with metadata that may be a
//! little old, so a partition counts only after it has existed for a while. And a cooperative assignor (KIP-429) leaves a partition that is to move
//! with nobody for one generation, in which its owner gives it up.

use std::sync::Arc;

use super::ghost::{Change, Ghost, Kind};
use super::groups::{Group, GroupChange};
use super::page::{Page, Weight};
use super::{Check, Scene};
use brokerlab::types::{Duration, TopicPartition};

/// The id.
pub const ID: &str = "G2";
/// What must hold.
pub const CLAIM: &str = "an assignment gives each partition of the topics subscribed to to exactly one member";

/// By then everybody knows of a new partition.
const NEWS: Duration = Duration::secs(10);

/// The check. Exercised by assignments with something to assign.
#[derive(Default)]
pub struct CompleteAssignment;

impl Check for CompleteAssignment {
    fn watches(&self) -> &'static [Kind] {
        &[Kind::Group]
    }

    fn look(&mut self, scene: &Scene<'_>, change: &Change<'_>, page: &mut Page) {
        let Change::Group(GroupChange::Decided { group, generation, assignment, subscribed, .. }) = change else { return };
        let mut owned: Vec<&TopicPartition> = assignment.iter().flat_map(|(_, partitions)| partitions).collect();
        owned.sort_unstable();
        page.looked(!owned.is_empty() || !subscribed.is_empty());
        let known = &scene.ghost.groups.all[*group];
        let id = &known.id;
        if let Some(twice) = owned.windows(2).find(|pair| pair[0] == pair[1]) {
            page.found(scene.event, None, Weight::VIOLATION, || {
                format!("generation {generation} of {id} gives {} to more than one member", twice[0])
            });
        }
        let nobodys = |partition: &&TopicPartition| {
            owned.binary_search(partition).is_err()
                && is_known(scene.ghost, partition)
                && !is_on_its_way(known, partition, assignment)
        };
        if let Some(missing) = subscribed.iter().find(nobodys) {
            page.found(scene.event, None, Weight::VIOLATION, || {
                format!("generation {generation} of {id} gives {missing} to nobody")
            });
        }
    }
}

/// One who stays had it in the generation before, or believes so.
fn is_on_its_way(group: &Group, partition: &TopicPartition, now: &[(Arc<str>, Vec<TopicPartition>)]) -> bool {
    let stays = |member: &Arc<str>| now.iter().any(|(id, _)| id == member);
    let before = group.notes.iter().rev().filter(|note| note.certain).nth(1);
    let mut owners = before.into_iter().flat_map(|note| &note.assignment).filter(|(_, share)| share.contains(partition));
    let believes = || group.beliefs.iter().any(|belief| belief.partitions.contains(partition) && stays(&belief.member));
    owners.any(|(member, _)| stays(member)) || believes()
}

/// It exists, and has existed long enough for everybody to know.
fn is_known(ghost: &Ghost, partition: &TopicPartition) -> bool {
    ghost.named_once(partition).is_some_and(|number| ghost.time.since(ghost.partitions[number].born) >= NEWS)
}
