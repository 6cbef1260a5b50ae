//! Faults that strike a process, or the kernel under it.

use brokerlab_reports::event::EventId;

use super::super::chance::key_of;
use super::super::state::{Due, World};
use super::Undo as Owed;
use crate::scenario::model::FaultKind;

/// What the end of such a fault takes back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Undo {
    /// A process is frozen, if it still lives.
    Resume {
        /// Where.
        node: u16,
        /// Which life.
        life: u32,
    },
    /// A node is kept down.
    Start(u16),
    /// A disk is armed.
    Disarm(u16),
}

impl World {
    /// Power is lost in the middle of a step, as this fault wanted.
    pub fn strike(&mut self, node: u16, fault: usize) {
        self.take_power(fault, node);
        self.schedule_return(Some(fault));
    }

    pub(super) fn take_power(&mut self, fault: usize, node: u16) {
        let id = self.plan.faults[fault].id.clone();
        let began = self.faults[fault].began;
        self.keep_down(node, fault);
        self.lose_power(node, &id, began);
    }

    pub(super) fn kill_process(&mut self, fault: usize, node: u16) {
        self.keep_down(node, fault);
        self.crash(node, self.faults[fault].began);
    }

    pub(super) fn begin_crash_loop(&mut self, fault: usize, node: u16, times: u64) {
        let ongoing = &mut self.faults[fault];
        (ongoing.victim, ongoing.again) = (Some(node), times.saturating_sub(1));
        self.kill_process(fault, node);
    }

    /// A crash loop starts its victim, to kill it again later.
    pub(super) fn recur(&mut self, fault: usize) {
        let FaultKind::CrashLoop { every, .. } = self.plan.faults[fault].kind else { return };
        let undo = std::mem::take(&mut self.faults[fault].undo);
        self.mend(fault, undo, self.faults[fault].began);
        self.faults[fault].again -= 1;
        self.heap.push(self.now.plus(every), Due::CrashAgain(fault));
    }

    /// A crash loop comes to its next crash.
    pub fn crash_again(&mut self, fault: usize) {
        let ongoing = &self.faults[fault];
        let Some(node) = ongoing.victim.filter(|_| !ongoing.ended) else { return };
        // If something else keeps it down already, that counts.
        if self.node(node).process.is_some() {
            self.kill_process(fault, node);
        }
        self.schedule_return(Some(fault));
    }

    pub(super) fn stop_in_order(&mut self, fault: usize, node: u16) {
        self.keep_down(node, fault);
        self.node(node).stopping = Some(fault);
        self.stop(node, self.faults[fault].began);
    }

    pub(super) fn freeze(&mut self, fault: usize, node: u16) {
        let life = self.node(node).life;
        self.owe(fault, Undo::Resume { node, life });
        self.pause(node, self.faults[fault].began);
    }

    pub(super) fn arm_power_loss(&mut self, fault: usize, node: u16, nth: u64) {
        let id = self.plan.faults[fault].id.clone();
        self.node(node).disk.arm_power_loss(nth, &id);
        self.node(node).armed = Some(fault);
        self.owe(fault, Undo::Disarm(node));
    }

    pub(super) fn keep_down(&mut self, node: u16, fault: usize) {
        self.node(node).outages += 1;
        self.owe(fault, Undo::Start(node));
    }

    fn owe(&mut self, fault: usize, undo: Undo) {
        self.faults[fault].undo.push(Owed::Process(undo));
    }

    pub(super) fn revive(&mut self, fault: usize, undo: Undo, ended: EventId) {
        match undo {
            Undo::Resume { node, life } => {
                let state = self.node(node);
                if state.life == life && state.process.is_some() {
                    self.resume(node, ended);
                }
            }
            Undo::Start(node) => {
                let state = self.node(node);
                state.outages -= 1;
                if state.outages == 0 && state.process.is_none() {
                    // Each round of a crash loop gives birth to another life.
                    let reason = key_of(&self.plan.faults[fault].id).wrapping_add(self.faults[fault].again);
                    self.start(node, reason, ended);
                }
            }
            Undo::Disarm(node) => {
                let state = self.node(node);
                if state.armed.take().is_some() {
                    state.disk.arm_power_loss(u64::MAX, "");
                }
            }
        }
    }
}
