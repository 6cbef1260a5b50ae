//! R1: a replica never goes back to an older leader epoch.
//!
//! An epoch fences the past: whoever has seen a newer leader must not listen to, or act as, an older one (KIP-101, KIP-320). This holds
//! across restarts too: a new life reads the metadata afresh, but acts on nothing before its own registration, which is newer than
//! anything that its former life knew.

use super::ghost::{Change, Kind};
use super::page::{Page, Weight};
use super::{Check, Scene};
use brokerlab::types::LeaderEpoch;

/// The id.
pub const ID: &str = "R1";
/// What must hold.
pub const CLAIM: &str = "the leader epoch of a replica never decreases";

/// The check.
#[derive(Default)]
pub struct EpochMonotone;

impl Check for EpochMonotone {
    fn watches(&self) -> &'static [Kind] {
        &[Kind::Began]
    }

    fn look(&mut self, scene: &Scene<'_>, change: &Change<'_>, page: &mut Page) {
        let Change::Began { at, epoch, leads, before: floor, .. } = change else { return };
        page.looked(*floor != LeaderEpoch::NONE);
        if epoch < floor {
            page.found(scene.event, Some(at.partition), Weight::VIOLATION, || {
                let verb = if *leads { "leads" } else { "follows in" };
                format!("{} {verb} {} in epoch {epoch} after it knew epoch {floor}", scene.node(at.node), scene.name(*at))
            });
        }
    }
}
