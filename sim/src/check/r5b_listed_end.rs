//! R5b: a leader that is asked for the end of a partition knows it.
//!
//! A new leader begins with a high watermark that may lag far behind what is committed: it learned of it as a follower, one fetch late. Until it
//! has reached its epoch start it must answer "not available" (KIP-207), else a client that has read beyond is told that the end is
//! where it has long been. Taken from the frames; the bound is what was committed when the leader made its answer. The end that a zombie
//! names may be stale, for it cannot know better: B12 counts those.

use super::ghost::{Change, Kind};
use super::page::{Page, Weight};
use super::{Check, Scene};
use brokerlab::types::Offset;

/// The id.
pub const ID: &str = "R5b";
/// What must hold.
pub const CLAIM: &str = "the end that the current leader names to a client is not below what is committed";

/// The check. Exercised when a leader of a later epoch than the first answers with something committed.
#[derive(Default)]
pub struct ListedEnd;

impl Check for ListedEnd {
    fn watches(&self) -> &'static [Kind] {
        &[Kind::Listed]
    }

    fn look(&mut self, scene: &Scene<'_>, change: &Change<'_>, page: &mut Page) {
        let Change::Listed { at, offset, committed, current: true, asker } = change else { return };
        let p = scene.ghost.partition(*at);
        page.looked(*committed > Offset::ZERO && p.elections.len() > 1);
        if offset < committed {
            page.found(scene.event, Some(at.partition), Weight::VIOLATION, || {
                let (node, name, asker) = (scene.node(at.node), scene.name(*at), scene.node(*asker));
                format!("{node} leads {name} and tells {asker} that it ends at {offset}, while {committed} is committed")
            });
        }
    }
}
