//! R18: offsets are dense. Each batch begins where the log ended.
//!
//! A gap is a lost batch, an overlap is an offset given twice; both follow from appends after a failed write (KAFKA-10778, KAFKA-7866).
//! The first batch of an empty log may stand anywhere: a follower may begin where its leader's log does. A gap that compaction has left in the leader's
//! log is filled by the [ghost](super::ghost) before it is looked at here; any other is a gap.

use super::ghost::{Change, Kind};
use super::page::{Page, Weight};
use super::{Check, Scene};

/// The id.
pub const ID: &str = "R18";
/// What must hold.
pub const CLAIM: &str = "every batch begins where the log ended, and its epoch does not fall";

/// The check.
#[derive(Default)]
pub struct Density;

impl Check for Density {
    fn watches(&self) -> &'static [Kind] {
        &[Kind::Appended]
    }

    fn look(&mut self, scene: &Scene<'_>, change: &Change<'_>, page: &mut Page) {
        let Change::Appended { at, link, expected, first, .. } = change else { return };
        page.looked(!*first);
        if !*first && link.base != *expected {
            page.found(scene.event, Some(at.partition), Weight::VIOLATION, || {
                let (node, name) = (scene.node(at.node), scene.name(*at));
                format!("{node} appends [{}, {}) to {name}, whose log ends at {expected}", link.base, link.end)
            });
        }
        let links = scene.ghost.shadow(*at).log.links();
        let before = links.len().checked_sub(2).and_then(|before| links.get(before));
        if let Some(before) = before.filter(|before| before.epoch > link.epoch) {
            page.found(scene.event, Some(at.partition), Weight::VIOLATION, || {
                let (node, name) = (scene.node(at.node), scene.name(*at));
                format!("{node} appends a batch of epoch {} to {name} after one of epoch {}", link.epoch, before.epoch)
            });
        }
    }
}
