//! R13: consumers are shown only what is committed, byte for byte.
//!
//! A record that a consumer has read must never vanish or change, so nothing above the high watermark may be shown: an uncommitted record
//! disappears when its leader does. Taken from the frames: each batch must be one of the committed log, with a checksum that fits.

use super::chain::Link;
use super::ghost::{Change, Kind};
use super::page::{Page, Weight};
use super::{Check, Scene};

/// The id.
pub const ID: &str = "R13";
/// What must hold.
pub const CLAIM: &str = "consumers are shown committed records only, unchanged";

/// The check.
#[derive(Default)]
pub struct LegalExposure;

impl Check for LegalExposure {
    fn watches(&self) -> &'static [Kind] {
        &[Kind::Exposed]
    }

    fn look(&mut self, scene: &Scene<'_>, change: &Change<'_>, page: &mut Page) {
        let Change::Exposed { at, batches, consumer } = change else { return };
        let p = scene.ghost.partition(*at);
        if p.is_exempt(p.shadows[at.node].epoch()) {
            return;
        }
        for batch in *batches {
            page.looked(true);
            let link = Link::of(batch);
            let why = if link.end > p.true_high_watermark() {
                "which is not committed"
            } else if !batch.valid {
                "whose bytes do not fit their checksum"
            } else if !p.holds_or_held(&link) && link.base >= p.log.start() {
                "which is not the committed batch there"
            } else {
                continue;
            };
            // An answer given before a loss may leave after it.
            let weight = scene.ghost.excuse(at.partition, link.base, Some(link.epoch)).unwrap_or(Weight::VIOLATION);
            page.found(scene.event, Some(at.partition), weight, || {
                format!(
                    "{} shows [{}, {}) of {} to {}, {why} (committed up to {})",
                    scene.node(at.node),
                    link.base,
                    link.end,
                    scene.name(*at),
                    scene.node(*consumer),
                    p.true_high_watermark()
                )
            });
        }
    }
}
