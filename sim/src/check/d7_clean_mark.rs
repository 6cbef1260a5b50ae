//! D7: the clean-shutdown mark tells the truth.
//!
//! A broker that finds the mark believes its logs without looking at them. So the mark may be on the medium only if everything else in the data
//! directory is: not one batch that a loss of power could still take, and no half-written one. It goes, durably, before anything is
//! written again (KAFKA-10471). Judged by the auditor, on the image that would survive whatever happens next.

use super::ghost::{Change, Kind};
use super::page::{Page, Weight};
use super::{Check, Scene};

/// The id.
pub const ID: &str = "D7";
/// What must hold.
pub const CLAIM: &str = "while the clean-shutdown mark is on the medium, so is everything in the logs";

/// The check. Exercised by every audit of a log that holds something beside a mark.
#[derive(Default)]
pub struct CleanMark;

impl Check for CleanMark {
    fn watches(&self) -> &'static [Kind] {
        &[Kind::Audited]
    }

    fn look(&mut self, scene: &Scene<'_>, change: &Change<'_>, page: &mut Page) {
        let Change::Audited { at, image, struck: false } = change else { return };
        let Some(last) = image.batches.last().filter(|_| image.small_files.clean_mark) else { return };
        page.looked(true);
        let end = last.last_offset.next();
        if image.durable_end < end || image.trailing_bytes > 0 {
            page.found(scene.event, Some(at.partition), Weight::VIOLATION, || {
                format!(
                    "the disk of {} is marked as cleanly shut down, but {} is durable only up to {} of {end}, with {} bytes behind",
                    scene.node(at.node),
                    scene.name(*at),
                    image.durable_end,
                    image.trailing_bytes
                )
            });
        }
    }
}
