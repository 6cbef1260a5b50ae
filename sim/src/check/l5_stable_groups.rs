//! L5: every group comes to rest, and every partition has its owner.
//!
//! After healing a group has a coordinator that calls it stable, and each member owns what it was assigned, no less and no more. A group that
//! rebalances for ever, or whose partitions nobody owns, is not read, and nothing says so. How long it may take follows from the settle phase.

use super::ghost::{Change, Ghost, Kind};
use super::groups::{Belief, Group, Term};
use super::page::{Page, Weight};
use super::{Check, Scene};
use brokerlab::fact::group::GroupState;
use brokerlab::types::TopicPartition;

/// The id.
pub const ID: &str = "L5";
/// What must hold.
pub const CLAIM: &str = "after healing every group is stable, and its members own all that they were assigned";

/// The check. Exercised where a group was not at rest when faults ended.
#[derive(Default)]
pub struct StableGroups;

impl Check for StableGroups {
    fn watches(&self) -> &'static [Kind] {
        &[Kind::SettleBegan]
    }

    fn look(&mut self, scene: &Scene<'_>, change: &Change<'_>, page: &mut Page) {
        if matches!(change, Change::SettleBegan) {
            (0..scene.ghost.groups.all.len()).for_each(|group| page.looked(waits(scene.ghost, group).is_some()));
        }
    }

    fn finish(&mut self, scene: &Scene<'_>, page: &mut Page) {
        if !scene.settling {
            return;
        }
        for reason in (0..scene.ghost.groups.all.len()).filter_map(|group| waits(scene.ghost, group)) {
            page.found(scene.event, None, Weight::HANG, || reason);
        }
    }
}

/// What waits for what.
#[must_use]
pub fn waits(ghost: &Ghost, group: usize) -> Option<String> {
    let group = &ghost.groups.all[group];
    let living = || group.beliefs.iter().filter(|belief| ghost.nodes[belief.node].up && !belief.partitions.is_empty());
    let Some(term) = group.current() else {
        return living().next().map(|_| format!("{} waits for a coordinator", group.id));
    };
    let (id, node) = (&group.id, ghost.node_name(term.node));
    match term.state {
        GroupState::Stable => unowned(ghost, group, term),
        GroupState::Empty | GroupState::Dead => living()
            .next()
            .map(|belief| format!("{id} waits for {} to join: it has no members at {node}", ghost.node_name(belief.node))),
        GroupState::PreparingRebalance | GroupState::CompletingRebalance | GroupState::Assigning | GroupState::Reconciling => {
            Some(format!("{id} waits to become stable: at {node} it is {:?}", term.state))
        }
    }
}

fn unowned(ghost: &Ghost, group: &Group, term: &Term) -> Option<String> {
    let exists = |partition: &&TopicPartition| ghost.named(partition).is_some_and(|number| !ghost.is_deleted(number));
    for (member, partitions) in &term.assignment {
        let owner = group.beliefs.iter().find(|belief| belief.member == *member && ghost.nodes[belief.node].up);
        let missing = |partition: &&TopicPartition| owner.is_none_or(|owner| !owner.partitions.contains(*partition));
        if let Some(partition) = partitions.iter().filter(exists).find(missing) {
            return Some(format!("{partition} waits for {member} of {} to take it", group.id));
        }
    }
    let is_given = |partition: &&TopicPartition| term.assignment.iter().any(|(_, share)| share.contains(*partition));
    let wanted = group.subscribed.iter().filter(|_| !term.assignment.is_empty()).filter(exists);
    if let Some(partition) = wanted.into_iter().find(|partition| !is_given(partition)) {
        return Some(format!("{partition} waits for {} to give it to somebody", group.id));
    }
    let is_stray = |belief: &&Belief| {
        let target = term.target(&belief.member).unwrap_or(&[]);
        ghost.nodes[belief.node].up && belief.partitions.iter().any(|partition| !target.contains(partition))
    };
    let stray = group.beliefs.iter().filter(|_| !term.assignment.is_empty()).find(is_stray)?;
    Some(format!("{} waits for {} to give up what is not its", group.id, ghost.node_name(stray.node)))
}
