//! Faults of a disk.

use brokerlab::types::Duration;

use super::super::state::World;
use super::Undo as Owed;

/// What the end of such a fault takes back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Undo {
    /// A disk takes so much longer.
    Quicken(u16, Duration),
    /// A disk is stuck.
    Free(u16),
}

impl World {
    pub(super) fn slow_disk(&mut self, fault: usize, node: u16, by: Duration) {
        let began = self.faults[fault].began;
        let state = self.node(node);
        state.slow = (Duration(state.slow.0.0 + by.0), began);
        self.faults[fault].undo.push(Owed::Disk(Undo::Quicken(node, by)));
    }

    pub(super) fn stick_disk(&mut self, fault: usize, node: u16) {
        let began = self.faults[fault].began;
        let state = self.node(node);
        state.stuck = (state.stuck.0 + 1, began);
        self.faults[fault].undo.push(Owed::Disk(Undo::Free(node)));
    }

    pub(super) fn mend_disk(&mut self, undo: Undo) {
        match undo {
            Undo::Quicken(node, by) => self.node(node).slow.0.0 -= by.0,
            Undo::Free(node) => {
                self.node(node).stuck.0 -= 1;
                if self.node(node).stuck.0 == 0 {
                    self.free_disk(node);
                }
            }
        }
    }
}
