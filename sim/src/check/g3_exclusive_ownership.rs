//! G3: no two members of one generation believe that they own the same partition.
//!
//! A member that was fenced may go on believing for a while; that cannot be helped, and its commits are refused (G5). But two members that the
//! coordinator counts in, in the same generation, have been given the same partition, or one of them has kept what it should have given up. In KIP-848
//! each member has an epoch of its own, and a partition belongs to one of them whatever their epochs are.

use super::ghost::{Change, Kind};
use super::groups::{Belief, GroupChange};
use super::page::Page;
use super::{Check, Scene};

/// The id.
pub const ID: &str = "G3";
/// What must hold.
pub const CLAIM: &str = "no two members of the same generation own the same partition";

/// The check. Exercised where several members own something.
#[derive(Default)]
pub struct ExclusiveOwnership;

impl Check for ExclusiveOwnership {
    fn watches(&self) -> &'static [Kind] {
        &[Kind::Group]
    }

    fn look(&mut self, scene: &Scene<'_>, change: &Change<'_>, page: &mut Page) {
        let Change::Group(GroupChange::Assigned { group, node, generation, .. }) = change else { return };
        let known = &scene.ghost.groups.all[*group];
        let Some(own) = known.belief(*node) else { return };
        let counts_in = |belief: &Belief| known.current().is_none_or(|term| term.members.contains_key(&belief.member));
        let is_modern = known.current().is_some_and(|term| term.modern);
        let is_rival =
            |belief: &&Belief| belief.node != *node && (is_modern || belief.generation == *generation) && counts_in(belief);
        page.looked(known.beliefs.iter().any(|belief| is_rival(&belief) && !belief.partitions.is_empty()));
        if !counts_in(own) {
            return;
        }
        for rival in known.beliefs.iter().filter(is_rival) {
            if let Some(both) = own.partitions.intersection(&rival.partitions).next() {
                page.found(scene.event, scene.ghost.named(both), scene.ghost.weigh_group(*group), || {
                    let (node, other) = (scene.node(*node), scene.node(rival.node));
                    format!("{node} and {other} both own {both} in generation {generation} of {}", known.id)
                });
            }
        }
    }
}
