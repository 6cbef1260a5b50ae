//! G8: a partition is given up before it is given away.
//!
//! In a cooperative rebalance (KIP-429) and in KIP-848 members go on reading while partitions move. So a partition that moves is free in between:
//! its owner gives it up, says so, and only then another one gets it. In the eager protocol everybody gives up everything before joining. A member
//! that has been counted out is not waited for, nor is a static one that was absent: what it still believes, it believes as a zombie.

use super::ghost::{Change, Kind};
use super::groups::{Belief, GroupChange, Term};
use super::page::Page;
use super::{Check, Scene};

/// The id.
pub const ID: &str = "G8";
/// What must hold.
pub const CLAIM: &str = "a member gets a partition only after its former owner has given it up or was counted out";

/// The check. Exercised by partitions that had another owner before.
#[derive(Default)]
pub struct RevokeBeforeAssign;

impl Check for RevokeBeforeAssign {
    fn watches(&self) -> &'static [Kind] {
        &[Kind::Group]
    }

    fn look(&mut self, scene: &Scene<'_>, change: &Change<'_>, page: &mut Page) {
        let Change::Group(GroupChange::Assigned { group, node, generation, partitions, .. }) = change else { return };
        let known = &scene.ghost.groups.all[*group];
        let Some(term) = known.current() else { return };
        for partition in *partitions {
            let sessions = known.courses.get(partition).map_or(&[][..], |course| course.sessions.as_slice());
            page.looked(sessions.iter().any(|session| session.node != *node));
            let keeps = |belief: &&Belief| {
                // Who gets something in an older generation was counted out, and cannot know it yet.
                let is_other = belief.node != *node && belief.generation < *generation;
                is_other && belief.partitions.contains(partition) && is_waited_for(term, belief)
            };
            if let Some(former) = known.beliefs.iter().find(keeps) {
                page.found(scene.event, scene.ghost.named(partition), scene.ghost.weigh_group(*group), || {
                    let (node, other) = (scene.node(*node), scene.node(former.node));
                    format!("{node} gets {partition} in generation {generation} of {}, but {other} has not given it up", known.id)
                });
            }
        }
    }
}

fn is_waited_for(term: &Term, belief: &Belief) -> bool {
    term.members.get(&belief.member).is_some_and(|member| member.instance.is_none())
}
