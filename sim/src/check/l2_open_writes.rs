//! L2: every write ends, well or badly or in doubt.
//!
//! A client that never hears anything can neither go on nor give up. The bound is its own delivery time-out. Nor may a broker or a controller keep
//! a request for ever: what was delivered to it and is not answered when the run is over, though it had time enough, is named too.

use super::ghost::{Change, Kind};
use super::page::{Page, Weight};
use super::{Check, Scene};
use brokerlab::types::Duration;

/// The id.
pub const ID: &str = "L2";
/// What must hold.
pub const CLAIM: &str = "after healing every write that was asked for ends, and every request is answered";

/// A request may take so long beyond what it was told to wait.
const PATIENCE: Duration = Duration::secs(10);

/// The check.
#[derive(Default)]
pub struct OpenWrites;

impl Check for OpenWrites {
    fn watches(&self) -> &'static [Kind] {
        &[Kind::SettleBegan, Kind::Waited]
    }

    fn look(&mut self, scene: &Scene<'_>, change: &Change<'_>, page: &mut Page) {
        if matches!(change, Change::SettleBegan) {
            (0..scene.clients.kinds.len()).for_each(|node| page.looked(scene.clients.open_writes(node) > 0));
        }
        if let Change::Waited { node, waited, allowed, answered: false, excused: false } = change
            && waited.0 > allowed.0 + PATIENCE.0
        {
            page.found(scene.event, None, Weight::HANG, || {
                format!("{} has not answered a request for {} s", scene.node(*node), waited.as_millis() / 1000)
            });
        }
    }

    fn finish(&mut self, scene: &Scene<'_>, page: &mut Page) {
        if !scene.settling {
            return;
        }
        for node in 0..scene.clients.kinds.len() {
            let open = scene.clients.open_writes(node);
            if open > 0 {
                page.found(scene.event, None, Weight::HANG, || waits(scene.node(node), open));
            }
        }
    }
}

/// What waits for what.
#[must_use]
pub fn waits(node: &str, open: usize) -> String {
    format!("{node} waits for the end of {open} writes")
}
