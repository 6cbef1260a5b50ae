//! R16: what brokers act upon is what the controller committed.
//!
//! Brokers learn the metadata by reading one log, so each of them holds a prefix of it: maybe late, never different, never ahead of what is
//! committed (a record that can still be lost must not be acted upon). The contents are compared where they matter: the epochs and the ISR with
//! which a leader begins, or goes on, must be those of the very state with that partition epoch. (Also known as Q10.)

use super::ghost::{Belief, Change, Kind, Partition, Place};
use super::page::{Page, Weight};
use super::{Check, Scene};
use brokerlab::types::Offset;

/// The id.
pub const ID: &str = "R16";
/// What must hold.
pub const CLAIM: &str = "every broker acts upon a prefix of the committed metadata";

/// The check. Exercised by a leader that acts upon a changed state, and by a node that has more than it had.
#[derive(Default)]
pub struct MetadataPrefix;

impl Check for MetadataPrefix {
    fn watches(&self) -> &'static [Kind] {
        &[Kind::Began, Kind::Learned, Kind::Applied]
    }

    fn look(&mut self, scene: &Scene<'_>, change: &Change<'_>, page: &mut Page) {
        if let Change::Began { at, believes: Some(belief), .. } | Change::Learned { at, belief } = change {
            believe(scene, *at, belief, page);
        } else if let Change::Applied { node, end, before } = change {
            apply(scene, *node, *end, *before, page);
        }
    }
}

fn believe(scene: &Scene<'_>, at: Place, belief: &Belief<'_>, page: &mut Page) {
    let p = scene.ghost.partition(at);
    page.looked(p.states.len() > 1);
    if !is_committed(p, belief) {
        page.found(scene.event, Some(at.partition), Weight::VIOLATION, || {
            let (node, name, Belief { leader_epoch, partition_epoch, isr }) = (scene.node(at.node), scene.name(at), belief);
            format!(
                "{node} leads {name} in epoch {leader_epoch} with the ISR {isr:?} as of partition epoch {partition_epoch:?}, \
                 which the controller never committed"
            )
        });
    }
}

fn is_committed(p: &Partition, belief: &Belief<'_>) -> bool {
    let state = p.state_in(belief.partition_epoch);
    state.is_some_and(|state| state.leader_epoch == belief.leader_epoch && state.isr == belief.isr)
}

fn apply(scene: &Scene<'_>, node: usize, end: Offset, before: Offset, page: &mut Page) {
    page.looked(before > Offset::ZERO);
    let committed = scene.ghost.metadata_end;
    let why = if end < before {
        format!("it had {before} already")
    } else if end > committed {
        format!("only what is below {committed} is committed")
    } else {
        return;
    };
    page.found(scene.event, None, Weight::VIOLATION, || {
        format!("{} applies the metadata up to {end}, but {why}", scene.node(node))
    });
}
