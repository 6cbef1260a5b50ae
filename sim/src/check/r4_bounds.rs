//! R4: a replica's offsets stand in order.
//!
//! ```text
//!   log start  ≤  own high watermark  ≤  log end            durable end  ≤  log end
//!                 own high watermark  ≤  true high watermark
//!                 log end of a follower  ≤  log end of the leader whose epoch it copies
//! ```
//!
//! Each is an assumption of everything else: a watermark beyond the true one calls uncommitted records committed, a durable end beyond the
//! log end promises bytes that are not there, and a follower that is longer than its leader has records from nowhere. Looked at where one of
//! the terms moves. Replicas of a log that was lost are exempt until they have truncated.

use super::ghost::{Change, Ghost, Kind, Place};
use super::page::{Page, Weight};
use super::{Check, Scene};
use brokerlab::types::{LeaderEpoch, Offset};

/// The id.
pub const ID: &str = "R4";
/// What must hold.
pub const CLAIM: &str = "log start, high watermark, durable end and log end of a replica stand in order, and below its leader's";

/// The check. Exercised where two terms differ, so that their order says something.
#[derive(Default)]
pub struct Bounds;

impl Check for Bounds {
    fn watches(&self) -> &'static [Kind] {
        &[Kind::Flushed, Kind::Appended, Kind::Advanced, Kind::Followed]
    }

    fn look(&mut self, scene: &Scene<'_>, change: &Change<'_>, page: &mut Page) {
        if let Change::Flushed { at, claimed } = change {
            durable(scene, *at, *claimed, page);
        } else if let Change::Appended { at, role_epoch, as_leader: false, .. } = change {
            length(scene, *at, *role_epoch, page);
        } else if let Change::Advanced { at, .. } | Change::Followed { at } = change {
            watermark(scene, *at, page);
        }
    }
}

fn durable(scene: &Scene<'_>, at: Place, claimed: Offset, page: &mut Page) {
    let end = scene.ghost.shadow(at).log.end();
    page.looked(claimed > Offset::ZERO);
    if claimed > end {
        page.found(scene.event, Some(at.partition), Weight::VIOLATION, || {
            format!("{} says that {} is durable up to {claimed}, but it ends at {end}", scene.node(at.node), scene.name(at))
        });
    }
}

fn length(scene: &Scene<'_>, at: Place, epoch: LeaderEpoch, page: &mut Page) {
    let Some(leaders) = leaders_end(scene.ghost, at, epoch) else { return };
    let end = scene.ghost.shadow(at).log.end();
    page.looked(end < leaders);
    if end > leaders {
        page.found(scene.event, Some(at.partition), Weight::VIOLATION, || {
            let (node, name) = (scene.node(at.node), scene.name(at));
            format!("{node} has {name} up to {end}, but its leader in epoch {epoch} only up to {leaders}")
        });
    }
}

/// Where the log of the leader of that epoch ends, if it leads in it now.
fn leaders_end(ghost: &Ghost, at: Place, epoch: LeaderEpoch) -> Option<Offset> {
    let p = ghost.partition(at);
    let leader = ghost.node_of(p.election(epoch)?.leader)?;
    let shadow = p.shadows.get(leader).filter(|shadow| shadow.leading().is_some_and(|leading| leading.epoch == epoch))?;
    Some(shadow.log.end())
}

fn watermark(scene: &Scene<'_>, at: Place, page: &mut Page) {
    let (p, shadow) = (scene.ghost.partition(at), scene.ghost.shadow(at));
    let (mark, start, end, committed) = (shadow.high_watermark, shadow.log.start(), shadow.log.end(), p.true_high_watermark());
    page.looked(mark < end || mark < committed);
    let is_exempt = shadow.exempt || !shadow.known || p.is_exempt(shadow.epoch());
    let why = if mark > end {
        format!("its log ends at {end}")
    } else if mark < start {
        format!("its log starts at {start}")
    } else if mark > committed && !is_exempt {
        format!("only what is below {committed} is committed")
    } else {
        return;
    };
    page.found(scene.event, Some(at.partition), Weight::VIOLATION, || {
        format!("{} has {mark} as the high watermark of {}, but {why}", scene.node(at.node), scene.name(at))
    });
}
