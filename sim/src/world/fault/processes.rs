//! Faults that strike a process, or the kernel under it.

use brokerlab_reports::event::EventId;

use super::super::chance::key_of;
use super::super::state::World;
use super::Undo as Owed;

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

    fn keep_down(&mut self, node: u16, fault: usize) {
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
                    let reason = key_of(&self.plan.faults[fault].id);
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
