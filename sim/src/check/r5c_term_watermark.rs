//! R5c: within one leadership the high watermark only rises.
//!
//! Across leaders it may fall: each learned it from the one before. But one leader in one epoch has told consumers and followers how far they
//! may go; taking it back would unsay that. So whatever makes it compute anew (a follower that falls back, a changed ISR, a restart of the
//! counting) may hold it up, never pull it down.

use super::ghost::{Change, Kind};
use super::page::{Page, Weight};
use super::{Check, Scene};
use brokerlab::types::Offset;

/// The id.
pub const ID: &str = "R5c";
/// What must hold.
pub const CLAIM: &str = "within one leadership the high watermark never falls";

/// The check. Exercised when a leader moves a high watermark that it has moved before.
#[derive(Default)]
pub struct TermWatermark;

impl Check for TermWatermark {
    fn watches(&self) -> &'static [Kind] {
        &[Kind::Advanced, Kind::Began]
    }

    fn look(&mut self, scene: &Scene<'_>, change: &Change<'_>, page: &mut Page) {
        let (Change::Advanced { at, own_before: Some(before), to: after, .. }
        | Change::Began { at, marks: Some((before, after)), .. }) = change
        else {
            return;
        };
        page.looked(*before > Offset::ZERO);
        if after < before {
            page.found(scene.event, Some(at.partition), Weight::VIOLATION, || {
                let (node, name, epoch) = (scene.node(at.node), scene.name(*at), scene.ghost.shadow(*at).epoch());
                format!("{node} takes the high watermark of {name} back from {before} to {after} in epoch {epoch}")
            });
        }
    }
}
