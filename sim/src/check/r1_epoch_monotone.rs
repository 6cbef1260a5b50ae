//! R1: a replica never goes back to an older leader epoch.
//!
//! An epoch fences the past: whoever has seen a newer leader must not listen to, or act as, an older one (KIP-101, KIP-320). Within one
//! life of a process this holds for every role. A new life learns the metadata afresh and may pass through epochs that it already knew
//! while it follows; but to *lead* in an epoch older than one it has known is wrong at any time.

use super::ghost::Change;
use super::page::{Page, Weight};
use super::{Check, Scene};

/// The id.
pub const ID: &str = "R1";
/// What must hold.
pub const CLAIM: &str = "the leader epoch of a replica never decreases";

/// The check.
#[derive(Default)]
pub struct EpochMonotone;

impl Check for EpochMonotone {
    fn look(&mut self, scene: &Scene<'_>, change: &Change<'_>, page: &mut Page) {
        let Change::Began { at, epoch, leads, before_in_life, before_ever, .. } = change else { return };
        let floor = if *leads { before_ever } else { before_in_life };
        page.looked(*before_ever >= brokerlab::types::LeaderEpoch(0));
        if epoch < floor {
            page.found(scene.event, Some(at.partition), Weight::VIOLATION, || {
                let verb = if *leads { "leads" } else { "follows in" };
                format!("{} {verb} {} in epoch {epoch} after it knew epoch {floor}", scene.node(at.node), scene.name(*at))
            });
        }
    }
}
