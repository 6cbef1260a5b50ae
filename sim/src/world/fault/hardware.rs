//! Faults of hardware: disks that err, fill up, rot or are replaced; clocks that jump or race.
//!
//! A controller's disk may be slow but never fails: the laboratory's controller is one node, and what a failed disk destroyed there
//! nobody else has.

use super::super::cast::Role;
use super::super::state::{World, host};
use super::Undo as Owed;
use crate::disk::{Broken, Operation};
use crate::scenario::model::{DiskOperation, FaultKind};

/// What the end of such a fault takes back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Undo {
    /// The node's disk works again.
    Disk(u16),
    /// Its wall clock is so many milliseconds ahead.
    Wall(u16, i64),
    /// Its monotonic clock runs so many parts per million too fast.
    Rate(u16, i64),
}

impl World {
    pub(super) fn break_disk(&mut self, fault: usize, node: u16, broken: Broken) {
        let id = self.plan.faults[fault].id.clone();
        self.node(node).disk.break_operations(&id, broken);
        self.owe_hardware(fault, Undo::Disk(node));
    }

    pub(super) fn fill_disk(&mut self, fault: usize, node: u16, room: u64) {
        let id = self.plan.faults[fault].id.clone();
        self.node(node).disk.limit(&id, room);
        self.owe_hardware(fault, Undo::Disk(node));
    }

    pub(super) fn rot_disk(&mut self, fault: usize, node: u16, flips: u64) {
        let id = self.plan.faults[fault].id.clone();
        self.node(node).disk.rot(&id, flips);
    }

    pub(super) fn wipe_disk(&mut self, fault: usize, node: u16) {
        self.keep_down(node, fault);
        if self.node(node).process.is_some() {
            self.crash(node, self.faults[fault].began);
        }
        self.node(node).disk.wipe();
    }

    pub(super) fn jump_clock(&mut self, fault: usize, node: u16, by_ms: i64) {
        self.set_wall(node, by_ms);
        self.owe_hardware(fault, Undo::Wall(node, by_ms));
    }

    pub(super) fn skew_clock(&mut self, fault: usize, node: u16, ppm: i64) {
        self.set_rate(node, ppm);
        self.owe_hardware(fault, Undo::Rate(node, ppm));
    }

    pub(super) fn repair(&mut self, fault: usize, undo: Undo) {
        match undo {
            Undo::Disk(node) => {
                let id = self.plan.faults[fault].id.clone();
                self.node(node).disk.mend(&id);
            }
            Undo::Wall(node, by_ms) => self.set_wall(node, -by_ms),
            Undo::Rate(node, ppm) => self.set_rate(node, -ppm),
        }
    }

    /// Why a fault of hardware cannot strike this node.
    ///
    /// # Errors
    /// In words.
    pub(super) fn may_break(&self, kind: &FaultKind, node: u16) -> Result<(), String> {
        let name = &self.member(node).name;
        let (is_clock, is_wipe) = (
            matches!(kind, FaultKind::ClockJump { .. } | FaultKind::ClockSkew { .. }),
            matches!(kind, FaultKind::WipeDisk { .. }),
        );
        let is_rot = matches!(kind, FaultKind::BitRot { .. });
        if !is_clock && !matches!(self.member(node).role, Role::Broker(_)) {
            return Err(format!("{name} is no broker"));
        }
        if is_wipe && !self.fabric.is_powered(host(node)) {
            return Err(format!("{name} has no power"));
        }
        if is_rot && !self.nodes[usize::from(node)].disk.has_settled_logs() {
            return Err(format!("no log of {name} has reached its medium"));
        }
        Ok(())
    }

    fn set_wall(&mut self, node: u16, by_ms: i64) {
        let state = self.node(node);
        state.wall_off_ms += by_ms;
        state.clock.jump(by_ms);
    }

    fn set_rate(&mut self, node: u16, ppm: i64) {
        let now = self.now;
        let state = self.node(node);
        state.race_ppm += ppm;
        state.clock.race(state.race_ppm, now);
        if let Some(process) = &mut state.process {
            // The moment of the world that was found for its deadline is no longer the right one.
            process.alarm = None;
        }
        self.set_alarm(node);
    }

    fn owe_hardware(&mut self, fault: usize, undo: Undo) {
        self.faults[fault].undo.push(Owed::Hardware(undo));
    }
}

/// The operations that fail.
pub(super) fn broken(operation: DiskOperation, path: &str, nth: u64, times: u64) -> Broken {
    let operation = match operation {
        DiskOperation::Read => Operation::Read,
        DiskOperation::Write => Operation::Write,
    };
    Broken { operation, path: path.to_string(), nth, times }
}

/// The one sync that fails.
pub(super) fn broken_sync(path: &str, nth: u64) -> Broken {
    Broken { operation: Operation::Sync, path: path.to_string(), nth, times: 1 }
}

/// A number and its direction.
pub(super) fn signed(amount: u64, negative: bool) -> i64 {
    // Far beyond any clock, and far from where sums of a few of them overflow.
    let amount = i64::try_from(amount).unwrap_or(i64::MAX).min(1 << 50);
    if negative { -amount } else { amount }
}
