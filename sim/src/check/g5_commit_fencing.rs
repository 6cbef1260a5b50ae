//! G5: only members commit, and only in their generation.
//!
//! A member that was frozen through a rebalance comes back and commits what it had read before. Its partitions are somebody else's by then: taken, its
//! commit would throw the new owner back, or make the group skip what nobody has processed. The generation tells the two apart. Nor may
//! anybody commit between joining and the new assignment: the partitions belong to nobody then. Who names no generation may commit to a group
//! without members only.

use super::ghost::{Change, Kind};
use super::groups::{GroupChange, Term};
use super::page::{Page, Weight};
use super::{Check, Scene};
use brokerlab::fact::group::GroupState;

/// The id.
pub const ID: &str = "G5";
/// What must hold.
pub const CLAIM: &str = "a commit is stored only for a member of the group that names its present generation";

/// The check. Exercised by commits of members.
#[derive(Default)]
pub struct CommitFencing;

impl Check for CommitFencing {
    fn watches(&self) -> &'static [Kind] {
        &[Kind::Group]
    }

    fn look(&mut self, scene: &Scene<'_>, change: &Change<'_>, page: &mut Page) {
        let Change::Group(GroupChange::Stored { group, node, member, generation, partition, offset, .. }) = change else {
            return;
        };
        page.looked(*generation >= 0);
        let known = &scene.ghost.groups.all[*group];
        let reason = match known.term(*node) {
            Some(term) => objection(term, member, *generation),
            None if *generation < 0 => None,
            None => Some("nothing is known of the group there".to_string()),
        };
        if let Some(reason) = reason {
            page.found(scene.event, scene.ghost.named(partition), Weight::VIOLATION, || {
                let (node, id) = (scene.node(*node), &known.id);
                format!("{node} stores {offset} of {partition} for {id} from {member:?} in generation {generation}, but {reason}")
            });
        }
    }
}

/// Why a commit should have been refused.
fn objection(term: &Term, member: &str, generation: i32) -> Option<String> {
    if generation < 0 {
        return (!term.members.is_empty()).then(|| "the group has members".to_string());
    }
    let Some(known) = term.members.get(member) else { return Some("that is no member".into()) };
    let present = known.reconciled.as_ref().map_or(term.generation, |state| state.epoch);
    if generation != present {
        return Some(format!("its generation is {present}"));
    }
    (term.state == GroupState::CompletingRebalance).then(|| "the new assignment is awaited".to_string())
}
