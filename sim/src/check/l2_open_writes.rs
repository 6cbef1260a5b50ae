//! L2: every write ends, well or badly or in doubt.
//!
//! A client that never hears anything can neither go on nor give up. The bound is its own delivery time-out.

use super::ghost::Change;
use super::page::{Page, Weight};
use super::{Check, Scene};

/// The id.
pub const ID: &str = "L2";
/// What must hold.
pub const CLAIM: &str = "after healing every write that was asked for ends";

/// The check.
#[derive(Default)]
pub struct OpenWrites;

impl Check for OpenWrites {
    fn look(&mut self, scene: &Scene<'_>, change: &Change<'_>, page: &mut Page) {
        if matches!(change, Change::SettleBegan) {
            (0..scene.clients.kinds.len()).for_each(|node| page.looked(scene.clients.open_writes(node) > 0));
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
