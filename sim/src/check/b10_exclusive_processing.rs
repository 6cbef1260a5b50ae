//! B10: a partition is processed by one member at a time.
//!
//! Two members of one generation never work on the same partition. A member of the past may still be at work when the next owner begins, because
//! nobody can reach it; but once it has learned that it owns the partition no longer, it stops.

use super::ghost::{Change, Kind};
use super::groups::{GroupChange, Session};
use super::page::Page;
use super::{Check, Scene};

/// The id.
pub const ID: &str = "B10";
/// What must hold.
pub const CLAIM: &str = "members of one generation never process the same partition, and who has given it up stops";

/// The check. Exercised by records of partitions that had several owners.
#[derive(Default)]
pub struct ExclusiveProcessing;

impl Check for ExclusiveProcessing {
    fn watches(&self) -> &'static [Kind] {
        &[Kind::Group]
    }

    fn look(&mut self, scene: &Scene<'_>, change: &Change<'_>, page: &mut Page) {
        let Change::Group(GroupChange::Processed { group, node, partition, from, session, .. }) = change else { return };
        let known = &scene.ghost.groups.all[*group];
        let sessions = &known.courses[*partition].sessions;
        let own = &sessions[*session];
        let others = || sessions.iter().filter(|other| other.node != *node && other.worked.is_some());
        page.looked(others().next().is_some());
        let counts_in = |one: &Session| known.current().is_none_or(|term| term.members.contains_key(&one.member));
        // Epochs of the newer protocol are each member's own.
        let is_modern = known.current().is_some_and(|term| term.modern);
        let is_rival = |other: &&Session| {
            let same = other.generation == own.generation || is_modern;
            let both = other.ended.is_none() && own.ended.is_none() && same;
            both && own.generation >= 0 && counts_in(own) && counts_in(other)
        };
        // It has given the partition up, and somebody has begun since.
        let is_heir = |other: &&Session| own.ended.is_some_and(|end| other.worked.is_some_and(|(first, _)| first > end));
        let rival = others().find(is_rival).map(|other| (other, "in the same generation"));
        let heir = || others().find(is_heir).map(|other| (other, "which owns it since"));
        if let Some((other, how)) = rival.or_else(heir) {
            page.found(scene.event, scene.ghost.named(partition), scene.ghost.weigh_group(*group), || {
                let (node, other) = (scene.node(*node), scene.node(other.node));
                format!("{node} processes {from} of {partition} for {}, and so does {other}, {how}", known.id)
            });
        }
    }
}
