//! D10: no checkpoint on the medium speaks of bytes that are not there.
//!
//! The recovery point says: everything below is durable, recovery need not look. If it reaches the medium before the bytes do, a loss of power
//! leaves a hole that nobody will ever notice. So data first, then the point (KAFKA-9393 shows how long such an order can be wrong). A cut
//! below the point is told by a mark of its own, which counts until a newer point is there; and of what was cut and not synced yet a loss of power
//! may leave any part, with the mark or without it: what had been cut when a life ended may be missing.
//!
//! Indexes are not looked at: recovery rebuilds them above the recovery point and checks them below.

use super::ghost::{Change, Kind};
use super::page::{Page, Weight};
use super::{Check, Scene};
use brokerlab::types::Offset;

/// The id.
pub const ID: &str = "D10";
/// What must hold.
pub const CLAIM: &str = "the recovery point on the medium is not beyond the durable end of the log";

/// The check. Exercised by every audit of a log that has a recovery point above its start.
#[derive(Default)]
pub struct SyncOrder;

impl Check for SyncOrder {
    fn watches(&self) -> &'static [Kind] {
        &[Kind::Audited]
    }

    fn look(&mut self, scene: &Scene<'_>, change: &Change<'_>, page: &mut Page) {
        let Change::Audited { at, image, struck: false } = change else { return };
        let (point, end) = (image.small_files.recovery_point, image.durable_end.max(image.base));
        page.looked(point > Offset::ZERO);
        let former = scene.ghost.shadow(*at).downfall.as_ref().map(|downfall| &downfall.log);
        let cut_at = former.map_or(point, |log| log.end());
        // Below a start that had moved beyond the point nothing is spoken of.
        let is_given_up = former.is_some_and(|log| point <= log.start());
        if point.min(cut_at) > end && !is_given_up {
            page.found(scene.event, Some(at.partition), Weight::VIOLATION, || {
                let (node, name) = (scene.node(at.node), scene.name(*at));
                format!("the disk of {node} has {point} as the recovery point of {name}, which is durable only up to {end}")
            });
        }
    }
}
