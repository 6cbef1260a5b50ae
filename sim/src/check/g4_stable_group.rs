//! G4: a group is stable when everybody has what it was assigned (KIP-848).
//!
//! In the newer protocol each member goes to the group's epoch at its own pace: it gives up first, says so, and is given the rest. Stable says
//! that nobody is on the way any more. The classic protocol has no such epochs: its members all wait for each other.

use super::ghost::{Change, Kind};
use super::groups::{GroupChange, Member, Term};
use super::page::{Page, Weight};
use super::{Check, Scene};
use brokerlab::fact::group::GroupState;

/// The id.
pub const ID: &str = "G4";
/// What must hold.
pub const CLAIM: &str = "in a stable group of the newer protocol every member is at the group epoch and owns its target";

/// The check. Exercised by groups of the newer protocol that become stable.
#[derive(Default)]
pub struct StableGroup;

impl Check for StableGroup {
    fn watches(&self) -> &'static [Kind] {
        &[Kind::Group]
    }

    fn look(&mut self, scene: &Scene<'_>, change: &Change<'_>, page: &mut Page) {
        let Change::Group(GroupChange::Entered { group, node, state: GroupState::Stable, generation, .. }) = change else {
            return;
        };
        let known = &scene.ghost.groups.all[*group];
        let Some(term) = known.term(*node).filter(|term| term.modern) else { return };
        page.looked(!term.members.is_empty());
        for (member, state) in &term.members {
            if let Some(lack) = lack(term, member, state, *generation) {
                page.found(scene.event, None, Weight::VIOLATION, || {
                    format!("{} calls {} stable in epoch {generation}, but {member} {lack}", scene.node(*node), known.id)
                });
            }
        }
    }
}

/// What a member lacks of being where the group is.
fn lack(term: &Term, id: &str, member: &Member, epoch: i32) -> Option<String> {
    let Some(state) = &member.reconciled else { return Some("was never told anything".into()) };
    if state.epoch != epoch {
        return Some(format!("is at epoch {}", state.epoch));
    }
    if let Some(partition) = state.revoking.first() {
        return Some(format!("has still to give up {partition}"));
    }
    let target = term.target(id).unwrap_or(&[]);
    let missing = target.iter().find(|partition| !state.assigned.contains(partition));
    let surplus = state.assigned.iter().find(|partition| !target.contains(partition));
    let missing = missing.map(|partition| format!("was not given {partition}"));
    missing.or_else(|| surplus.map(|partition| format!("was given {partition}, which is not its")))
}
