//! R10: the leader counts everybody whom the controller may elect.
//!
//! While a change of the ISR is on its way, the leader does not know which set is in force, so it counts the larger: the committed ISR and
//! whoever is being added. Counting fewer lets the controller elect somebody who was not asked (KAFKA-13091 and its kin); counting others, whom
//! nobody proposed, is counting for nothing. A leader that the controller has replaced cannot know the newest ISR and is not held to it.

use super::ghost::{Change, Kind, Partition};
use super::page::{Page, Weight};
use super::{Check, Scene};
use brokerlab::types::{BrokerId, LeaderEpoch};

/// The id.
pub const ID: &str = "R10";
/// What must hold.
pub const CLAIM: &str =
    "the replicas that a leader counts include the controller's ISR, and beyond its own only those it proposed";

/// The check. Exercised when the ISR that the leader knows and what it counts differ, or the ISR is not full.
#[derive(Default)]
pub struct QuorumSuperset;

impl Check for QuorumSuperset {
    fn watches(&self) -> &'static [Kind] {
        &[Kind::Advanced]
    }

    fn look(&mut self, scene: &Scene<'_>, change: &Change<'_>, page: &mut Page) {
        let Change::Advanced { at, epoch, isr, maximal_isr, to, .. } = change else { return };
        let p = scene.ghost.partition(*at);
        page.looked(isr != maximal_isr || isr.len() < p.replicas.len());
        let proposed = scene.ghost.shadow(*at).leading().map_or(&[][..], |leading| &leading.proposed);
        if let Some(why) = is_wrong(p, *epoch, isr, maximal_isr, proposed) {
            page.found(scene.event, Some(at.partition), Weight::VIOLATION, || {
                let (node, name) = (scene.node(at.node), scene.name(*at));
                format!("{node} counts {maximal_isr:?} to commit {name} up to {to}, but {why}")
            });
        }
    }
}

fn is_wrong(p: &Partition, epoch: LeaderEpoch, isr: &[BrokerId], counted: &[BrokerId], proposed: &[BrokerId]) -> Option<String> {
    if let Some(member) = isr.iter().find(|member| !counted.contains(member)) {
        return Some(format!("{member:?} is in the ISR that it knows"));
    }
    if epoch == p.state.leader_epoch
        && let Some(member) = p.state.isr.iter().find(|member| !counted.contains(member))
    {
        return Some(format!("{member:?} is in the ISR by the controller's word"));
    }
    let stranger = counted.iter().find(|member| !isr.contains(member) && !proposed.contains(member));
    stranger.map(|stranger| format!("it never proposed {stranger:?}"))
}
