//! D5: compaction stops at its bound.
//!
//! A record that is not committed may yet be cut away, so it must not replace another; one that is not durable here may be gone after a loss of power, and
//! the record that it replaced with it (the latter is a rule of this broker, Kafka looks at the high watermark only). So a pass may reach up to the
//! replica's own high watermark, the true one, and its durable end, whichever is least. Replicas of a log that was lost are exempt until they have truncated.

use super::ghost::{Change, Kind};
use super::page::{Page, Weight};
use super::{Check, Scene};

/// The id.
pub const ID: &str = "D5";
/// What must hold.
pub const CLAIM: &str = "compaction touches only what is committed, and durable at the replica that does it";

/// The check. Exercised by every pass.
#[derive(Default)]
pub struct CompactionBounded;

impl Check for CompactionBounded {
    fn watches(&self) -> &'static [Kind] {
        &[Kind::CompactionBegan]
    }

    fn look(&mut self, scene: &Scene<'_>, change: &Change<'_>, page: &mut Page) {
        let Change::CompactionBegan { at, up_to } = change else { return };
        let (p, shadow) = (scene.ghost.partition(*at), scene.ghost.shadow(*at));
        let committed = p.true_high_watermark();
        page.looked(true);
        let is_exempt = shadow.exempt || !shadow.known || p.is_exempt(shadow.epoch());
        let why = if *up_to > shadow.high_watermark {
            format!("has {} as its high watermark", shadow.high_watermark)
        } else if *up_to > committed && !is_exempt {
            format!("knows nothing above {committed} to be committed")
        } else if *up_to > shadow.durable {
            format!("has only what is below {} on its medium", shadow.durable)
        } else {
            return;
        };
        page.found(scene.event, Some(at.partition), Weight::VIOLATION, || {
            format!("{} compacts {} below {up_to}, but {why}", scene.node(at.node), scene.name(*at))
        });
    }
}
