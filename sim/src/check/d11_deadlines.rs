//! D11: nothing waits in a broker for longer than it asked to.
//!
//! A fetch that finds nothing, and a produce request that waits for its replicas, are parked with a deadline of their own. One that is forgotten
//! holds its connection, and everything the client would say after it, for ever. So every such request is answered by its deadline, give or take
//! `SLACK`; frozen processes and stalled disks excuse, for a broker that cannot act cannot answer. Taken from the frames: the world
//! notes a request that waited for as long as it was allowed to, and those that are still unanswered at the end.

use super::ghost::{Change, Kind};
use super::page::{Page, Weight};
use super::{Check, Scene};
use brokerlab::types::Duration;

/// The id.
pub const ID: &str = "D11";
/// What must hold.
pub const CLAIM: &str = "a request that waits in a broker is answered by its deadline";

/// Clocks drift, syncs take their time, and a busy broker has other things to do first.
const SLACK: Duration = Duration::secs(2);

/// The check. Exercised by every request that waited for as long as it was allowed to.
#[derive(Default)]
pub struct Deadlines;

impl Check for Deadlines {
    fn watches(&self) -> &'static [Kind] {
        &[Kind::Waited]
    }

    fn look(&mut self, scene: &Scene<'_>, change: &Change<'_>, page: &mut Page) {
        let Change::Waited { node, waited, allowed, answered, excused: false } = change else { return };
        if *allowed == Duration::ZERO {
            return;
        }
        page.looked(true);
        if waited.0 > allowed.0 + SLACK.0 {
            page.found(scene.event, None, Weight::VIOLATION, || {
                let node = scene.node(*node);
                let ending = if *answered { "before it was answered" } else { "and is still not answered" };
                format!("a request waited in {node} for {} ms of {} ms {ending}", waited.as_millis(), allowed.as_millis())
            });
        }
    }
}
