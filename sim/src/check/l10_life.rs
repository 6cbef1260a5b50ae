//! L10: every broker that runs takes part.
//!
//! A start has its own little path: load the logs, register, catch up with the metadata, be let in. A broker that stays behind on it is up, and looks
//! well from outside, and serves nobody. After healing each broker has come to the end of the path, and has applied all metadata that is
//! committed.

use super::ghost::{Change, Ghost, Kind};
use super::page::{Page, Weight};
use super::{Check, Scene};

/// The id.
pub const ID: &str = "L10";
/// What must hold.
pub const CLAIM: &str = "after healing every broker has loaded its logs, is registered, unfenced, and has all committed metadata";

/// The check. Exercised where a broker was not through when faults ended.
#[derive(Default)]
pub struct Life;

impl Check for Life {
    fn watches(&self) -> &'static [Kind] {
        &[Kind::SettleBegan]
    }

    fn look(&mut self, scene: &Scene<'_>, change: &Change<'_>, page: &mut Page) {
        if matches!(change, Change::SettleBegan) {
            (0..scene.ghost.nodes.len()).for_each(|node| page.looked(waits(scene.ghost, node).is_some()));
        }
    }

    fn finish(&mut self, scene: &Scene<'_>, page: &mut Page) {
        for node in (0..scene.ghost.nodes.len()).filter(|_| scene.settling) {
            if let Some(text) = waits(scene.ghost, node) {
                page.found(scene.event, None, Weight::HANG, || text);
            }
        }
    }
}

/// Whether a node meets it.
#[must_use]
pub fn is_met(ghost: &Ghost, node: usize) -> bool {
    let life = &ghost.nodes[node];
    life.broker.is_none() || (life.started && life.registered && !life.fenced && life.applied >= ghost.metadata_end)
}

/// What waits for what.
#[must_use]
pub fn waits(ghost: &Ghost, node: usize) -> Option<String> {
    let life = &ghost.nodes[node];
    let name = &life.name;
    if is_met(ghost, node) {
        return None;
    }
    Some(if !life.up {
        format!("{name} waits to be started")
    } else if !life.started {
        format!("{name} waits for its logs to be loaded")
    } else if !life.registered {
        format!("{name} waits for the controller to register it")
    } else if life.fenced {
        format!("{name} waits for the controller to let it in")
    } else {
        format!("{name} waits for metadata: it has {} of {}", life.applied, ghost.metadata_end)
    })
}
