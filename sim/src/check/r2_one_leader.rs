//! R2: one leader per epoch.
//!
//! Offsets within an epoch are given by its leader alone; two leaders of one epoch would give the same offset to different records, and no
//! truncation by epoch could tell them apart (the premise of KIP-101). The controller assigns an epoch to at most one broker, and only that
//! broker acts as leader in it.

use super::ghost::{Change, Kind};
use super::page::{Page, Weight};
use super::{Check, Scene};

/// The id.
pub const ID: &str = "R2";
/// What must hold.
pub const CLAIM: &str = "each leader epoch has at most one leader, and it is the elected one";

/// The check.
#[derive(Default)]
pub struct OneLeader;

impl Check for OneLeader {
    fn watches(&self) -> &'static [Kind] {
        &[Kind::Decided, Kind::Began]
    }

    fn look(&mut self, scene: &Scene<'_>, change: &Change<'_>, page: &mut Page) {
        if let Change::Decided { partition, rival, .. } = change {
            page.looked(scene.ghost.partitions[*partition].elections.len() > 1);
            if let Some(rival) = rival {
                let state = &scene.ghost.partitions[*partition].state;
                page.found(scene.event, Some(*partition), Weight::VIOLATION, || {
                    let name = scene.ghost.name(*partition);
                    format!("the controller gives epoch {} of {name} to {:?} and to {rival:?}", state.leader_epoch, state.leader)
                });
            }
        }
        let Change::Began { at, epoch, leads: true, .. } = change else { return };
        let Some(elected) = scene.ghost.partition(*at).election(*epoch).map(|election| election.leader) else { return };
        page.looked(scene.ghost.partition(*at).elections.len() > 1);
        if scene.ghost.nodes[at.node].broker != Some(elected) {
            page.found(scene.event, Some(at.partition), Weight::VIOLATION, || {
                format!("{} leads {} in epoch {epoch}, which was given to {elected:?}", scene.node(at.node), scene.name(*at))
            });
        }
    }
}
