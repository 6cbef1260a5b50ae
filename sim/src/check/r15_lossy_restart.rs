//! R15: who came back with less than it had is not in sync before it has caught up.
//!
//! A loss of power may take records from a replica that was counted for them. If it stays in the ISR, it can be elected without them (this is
//! what KIP-966 calls an unclean shutdown). So between such a restart and a fetch that shows it has everything committed, in the current leader
//! epoch and under its new broker epoch, it must neither be added to an ISR, nor elected, nor let in again while still a member. Only the
//! last member stays: there is nobody better to ask, and what that costs R8 judges. And before the new life has registered the controller cannot
//! know of it: whom it elects then is a life that is over, and no broker acts upon that.

use super::ghost::{Change, Kind, Partition};
use super::page::{Page, Weight};
use super::{Check, Scene};
use brokerlab::types::BrokerId;

/// The id.
pub const ID: &str = "R15";
/// What must hold.
pub const CLAIM: &str = "a replica that lost records with its power is not in sync before it has caught up again";

/// The check. Exercised by every decision about a partition, and every admission of a broker, while some replica has lost records.
#[derive(Default)]
pub struct LossyRestart;

impl Check for LossyRestart {
    fn watches(&self) -> &'static [Kind] {
        &[Kind::Decided, Kind::Unfenced]
    }

    fn look(&mut self, scene: &Scene<'_>, change: &Change<'_>, page: &mut Page) {
        if let Change::Decided { partition, .. } = change {
            let p = &scene.ghost.partitions[*partition];
            let earlier = &p.state_before.isr;
            let new = |member: &BrokerId| !earlier.contains(member) || p.state.leader == Some(*member);
            members(scene, *partition, p, new, "decides on", page);
        }
        if let Change::Unfenced { node } = change {
            let Some(broker) = scene.ghost.nodes[*node].broker else { return };
            for (partition, p) in scene.ghost.partitions.iter().enumerate() {
                members(scene, partition, p, |member| *member == broker, "lets in", page);
            }
        }
    }
}

fn members(scene: &Scene<'_>, partition: usize, p: &Partition, is_new: impl Fn(&BrokerId) -> bool, verb: &str, page: &mut Page) {
    if p.shadows.iter().all(|shadow| !shadow.lossy) {
        return;
    }
    page.looked(true);
    // The last one of the ISR, or whom an unclean election made the last one.
    if p.state.isr.len() <= 1 {
        return;
    }
    let ghost = scene.ghost;
    let is_lossy = |node: usize| p.shadows[node].lossy && ghost.nodes[node].known_anew;
    let is_lossy = |member: &&BrokerId| ghost.node_of(**member).is_some_and(is_lossy);
    if let Some(member) = p.state.isr.iter().filter(|member| is_new(member)).find(is_lossy) {
        page.found(scene.event, Some(partition), Weight::VIOLATION, || {
            let (name, isr) = (scene.ghost.name(partition), &p.state.isr);
            format!(
                "the controller {verb} {member:?} with the ISR {isr:?} of {name}, though it lost records and has not caught up"
            )
        });
    }
}
