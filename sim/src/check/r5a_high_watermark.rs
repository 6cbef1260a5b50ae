//! R5a: what is committed is never rewritten.
//!
//! The true high watermark is the highest that any acting leader computed. Every leader that reaches it again must have the same records
//! below it; otherwise a record that consumers may have read turns into another one. Leaders of a log that was lost are exempt.

use super::ghost::{Change, Kind};
use super::page::{Page, Weight};
use super::{Check, Scene};
use brokerlab::types::Offset;

/// The id.
pub const ID: &str = "R5a";
/// What must hold.
pub const CLAIM: &str = "whoever advances the high watermark agrees with everything committed before";

/// The check.
#[derive(Default)]
pub struct HighWatermark;

impl Check for HighWatermark {
    fn watches(&self) -> &'static [Kind] {
        &[Kind::Advanced]
    }

    fn look(&mut self, scene: &Scene<'_>, change: &Change<'_>, page: &mut Page) {
        let Change::Advanced { at, epoch, to, true_before, agreed, .. } = change else { return };
        // After a rewrite was found the epoch is the exempting one itself, so it still counts here.
        if scene.ghost.partition(*at).is_exempt(*epoch) {
            return;
        }
        page.looked(*true_before > Offset::ZERO);
        if !*agreed {
            page.found(scene.event, Some(at.partition), Weight::VIOLATION, || {
                let agreed = scene.ghost.partition(*at).losses.last().map_or(*true_before, |loss| loss.from);
                format!(
                    "{} advances the high watermark of {} to {to} in epoch {epoch}, but from {agreed} on its log is not what was committed",
                    scene.node(at.node),
                    scene.name(*at)
                )
            });
        }
    }
}
