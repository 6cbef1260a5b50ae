//! R3: the controller decides nothing absurd.
//!
//! Every state of a partition that the controller commits makes sense by itself: the leader is in sync, in-sync replicas are assigned
//! ones, each once, never none, and nobody is in sync whom the controller keeps out (fenced). Whoever is fenced leaves every ISR but one in
//! which nobody else is left: to empty it would forget who has everything. (Also known as Q8.)

use brokerlab::fact::PartitionState;

use super::ghost::{Change, Ghost, Kind, Partition};
use super::page::{Page, Weight};
use super::{Check, Scene};

/// The id.
pub const ID: &str = "R3";
/// What must hold.
pub const CLAIM: &str = "the leader is in sync, in-sync replicas are assigned and not fenced, and there is always one";

/// The check. Exercised by states in which somebody is missing from the ISR: only then could it be wrong about anybody.
#[derive(Default)]
pub struct ControllerSanity;

impl Check for ControllerSanity {
    fn watches(&self) -> &'static [Kind] {
        &[Kind::Decided]
    }

    fn look(&mut self, scene: &Scene<'_>, change: &Change<'_>, page: &mut Page) {
        let Change::Decided { partition, .. } = change else { return };
        let p = &scene.ghost.partitions[*partition];
        page.looked(p.state.isr.len() < p.replicas.len());
        if let Some(why) = is_absurd(scene.ghost, p, &p.state) {
            page.found(scene.event, Some(*partition), Weight::VIOLATION, || {
                let (name, state) = (scene.ghost.name(*partition), &p.state);
                format!("the controller decides that {:?} leads {name} with the ISR {:?}, but {why}", state.leader, state.isr)
            });
        }
    }
}

fn is_absurd(ghost: &Ghost, p: &Partition, state: &PartitionState) -> Option<String> {
    if state.isr.is_empty() {
        return Some("nobody is in sync".to_string());
    }
    if let Some(leader) = state.leader.filter(|leader| !state.isr.contains(leader)) {
        return Some(format!("{leader:?} is not in sync"));
    }
    if let Some(stranger) = state.isr.iter().find(|member| !p.replicas.contains(member)) {
        return Some(format!("{stranger:?} is no replica"));
    }
    if state.isr.iter().enumerate().any(|(at, member)| state.isr[..at].contains(member)) {
        return Some("somebody is counted twice".to_string());
    }
    let is_fenced = |node: usize| ghost.nodes[node].fenced;
    let mut others = state.isr.iter().filter(|_| state.isr.len() > 1);
    others.find(|member| ghost.node_of(**member).is_some_and(is_fenced)).map(|member| format!("{member:?} is fenced"))
}
