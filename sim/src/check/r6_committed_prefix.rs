//! R6: below its own high watermark every running replica holds what is committed.
//!
//! A replica believes that records below its high watermark cannot change. It may be elected, or serve readers, on that belief. The local
//! watermark may lag or fall; it must only never cover a record that differs from the committed one.

use super::ghost::{Change, Kind, Place};
use super::page::{Page, Weight};
use super::{Check, Scene};
use brokerlab::types::Offset;

/// The id.
pub const ID: &str = "R6";
/// What must hold.
pub const CLAIM: &str = "below its high watermark a running replica has exactly the committed records";

/// The check.
#[derive(Default)]
pub struct CommittedPrefix;

impl Check for CommittedPrefix {
    fn watches(&self) -> &'static [Kind] {
        &[Kind::Appended, Kind::Truncated, Kind::Advanced, Kind::Followed, Kind::Recovered]
    }

    fn look(&mut self, scene: &Scene<'_>, change: &Change<'_>, page: &mut Page) {
        if let Change::Appended { at, .. }
        | Change::Truncated { at, .. }
        | Change::Advanced { at, .. }
        | Change::Followed { at }
        | Change::Recovered { at, .. } = change
        {
            agree(scene, *at, page);
        }
    }
}

fn agree(scene: &Scene<'_>, at: Place, page: &mut Page) {
    let (p, shadow) = (scene.ghost.partition(at), scene.ghost.shadow(at));
    if shadow.exempt || !shadow.known || p.is_exempt(shadow.epoch()) {
        return;
    }
    let claimed = shadow.high_watermark.min(p.true_high_watermark());
    page.looked(claimed > Offset::ZERO);
    if shadow.agreed < claimed {
        page.found(scene.event, Some(at.partition), Weight::VIOLATION, || {
            format!(
                "{} says that {} is committed up to {}, but from {} on its log is not what was committed",
                scene.node(at.node),
                scene.name(at),
                shadow.high_watermark,
                shadow.agreed
            )
        });
    }
}
