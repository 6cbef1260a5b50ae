//! Faults of the network.

use brokerlab::types::Duration;

use super::super::state::{World, host, number};
use super::Undo as Owed;

/// What the end of such a fault takes back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Undo {
    /// One direction is cut.
    Heal(u16, u16),
    /// One direction is slower.
    Hasten(u16, u16, Duration),
}

impl World {
    pub(super) fn isolate(&mut self, fault: usize, node: u16, except_clients: bool) {
        for other in 0..number(self.nodes.len()) {
            let is_server = self.member(other).is_server();
            if other != node && (is_server || !except_clients) {
                self.cut(fault, node, other);
                self.cut(fault, other, node);
            }
        }
    }

    pub(super) fn cut_link(&mut self, fault: usize, from: u16, to: u16, one_way: bool) {
        self.cut(fault, from, to);
        if !one_way {
            self.cut(fault, to, from);
        }
    }

    pub(super) fn slow_link(&mut self, fault: usize, from: u16, to: u16, by: Duration) {
        for (from, to) in [(from, to), (to, from)] {
            self.fabric.slow(host(from), host(to), by, self.faults[fault].began.0);
            self.owe_link(fault, Undo::Hasten(from, to, by));
        }
    }

    fn cut(&mut self, fault: usize, from: u16, to: u16) {
        self.fabric.cut(host(from), host(to), self.faults[fault].began.0, self.now);
        self.owe_link(fault, Undo::Heal(from, to));
    }

    fn owe_link(&mut self, fault: usize, undo: Undo) {
        self.faults[fault].undo.push(Owed::Link(undo));
    }

    pub(super) fn mend_link(&mut self, undo: Undo) {
        match undo {
            Undo::Heal(from, to) => self.fabric.heal(host(from), host(to), self.now),
            Undo::Hasten(from, to, by) => self.fabric.hasten(host(from), host(to), by),
        }
    }
}
