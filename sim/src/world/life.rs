//! The lives of processes and kernels: started, stopped in order, killed, frozen, without power.
//!
//! ```text
//!            start                    crash, stop
//!   (dark) ─────────▶ process runs ◀──────────────▶ kernel alone     the page cache and the sent bytes survive
//!      ▲                  │ pause ⇄ resume                │
//!      └────── power loss ┴───────────────────────────────┘          unsynced sectors survive or not, each on its own
//! ```
//!
//! A process dies by being dropped, at that moment and wholly; a handle to its disk that outlived it would be stale.

use brokerlab::operation::{Command, Operation, OperationId};
use brokerlab::types::Duration;
use brokerlab_reports::event::{AuditMoment, EventId, WorldFact};

use super::cast::Birth;
use super::chance::Tag;
use super::clock::NodeClock;
use super::handover::{Fiber, watched};
use super::process::{Pending, Process, Source};
use super::state::{Due, Ending, World, host};

/// A node that was told to stop and has not after this is killed.
const GRACE: Duration = Duration::secs(30);

impl World {
    /// Starts a process; boots the kernel first if there is none. `reason` is the key of the fault that made this necessary, or 0.
    pub fn start(&mut self, node: u16, reason: u64, cause: EventId) {
        assert!(self.node(node).process.is_none(), "a node has one process");
        self.boot(node);
        let now = self.now;
        let state = self.node(node);
        (state.life, state.started) = (state.life + 1, now);
        let life = state.life;
        let id = self.note_world(Some(node), cause, WorldFact::NodeStarted { life });
        self.audit(node, AuditMoment::BeforeRecovery, id);
        let seed = self.chance.about(Tag::Birth, [u64::from(node), reason, 0, 0]).roll();
        let actor = match watched(|| self.cast.actor(usize::from(node), Birth { seed, life })) {
            Ok(actor) => actor,
            Err(message) => {
                self.note_world(Some(node), id, WorldFact::Panicked { message });
                self.ending = Some(Ending::Panicked);
                return;
            }
        };
        let state = &mut self.nodes[usize::from(node)];
        state.process = Some(Process::new(Fiber::new(actor, state.disk.process(life))));
        self.starting.push_back((node, id));
    }

    fn boot(&mut self, node: u16) {
        if self.fabric.is_powered(host(node)) {
            return;
        }
        let (chance, drift, now) = (self.chance, self.plan.cluster.drift_ppm_max, self.now);
        let state = self.node(node);
        state.boots += 1;
        state.clock = NodeClock::boot(chance, node, state.boots, drift, now);
        state.clock.jump(state.wall_off_ms);
        state.clock.race(state.race_ppm, now);
        self.fabric.power_on(host(node), now);
    }

    /// kill -9.
    pub fn crash(&mut self, node: u16, cause: EventId) {
        self.audit(node, AuditMoment::Crash, cause);
        self.end_process(node, cause);
        self.note_world(Some(node), cause, WorldFact::ProcessCrashed);
    }

    /// The kernel dies too.
    pub fn lose_power(&mut self, node: u16, fault: &str, cause: EventId) {
        // A strike in the middle of a step has come already; the disk still shows what there was just before.
        self.audit(node, AuditMoment::Crash, cause);
        let loss = self.node(node).disk.power_loss(fault);
        if self.node(node).process.is_some() {
            self.drop_process(node);
        }
        self.fabric.power_off(host(node), cause.0, self.now);
        // Whatever was under way belongs to the dead kernel.
        self.node(node).boots += 1;
        let (sectors_lost, sectors_kept) = (loss.sectors_lost, loss.sectors_kept);
        self.note_world(Some(node), cause, WorldFact::PowerLost { sectors_lost, sectors_kept });
    }

    /// If power was lost inside a step: does what follows from it, and says so.
    pub fn notice_strike(&mut self, node: u16) -> bool {
        let state = self.node(node);
        let Some(fault) = state.armed.filter(|_| state.disk.was_struck()) else { return false };
        state.armed = None;
        self.strike(node, fault);
        true
    }

    /// Tells a process to stop in order.
    pub fn stop(&mut self, node: u16, cause: EventId) {
        if !self.stop_worker(node) {
            self.command(node, Operation::Shutdown, cause);
        }
        let life = self.node(node).life;
        self.heap.push(self.now.plus(GRACE), Due::Grace { node, life });
    }

    /// The process says that it has stopped.
    pub fn on_stopped(&mut self, node: u16, cause: EventId) {
        self.audit(node, AuditMoment::Crash, cause);
        self.end_process(node, cause);
        self.note_world(Some(node), cause, WorldFact::NodeStopped);
    }

    /// It was told to stop and has had long enough.
    pub fn on_grace(&mut self, node: u16, life: u32) {
        let state = self.node(node);
        if state.life != life || state.process.is_none() {
            return;
        }
        if let Some(fault) = state.stopping {
            let cause = self.faults[fault].began;
            self.crash(node, cause);
        }
    }

    /// Freezes the process.
    pub fn pause(&mut self, node: u16, cause: EventId) {
        self.node(node).pauses += 1;
        if self.node(node).pauses == 1 {
            self.note_world(Some(node), cause, WorldFact::Paused);
        }
    }

    /// Takes back one pause.
    pub fn resume(&mut self, node: u16, cause: EventId) {
        let state = &mut self.nodes[usize::from(node)];
        assert!(state.pauses > 0, "a process is resumed no more often than paused");
        state.pauses -= 1;
        if state.pauses > 0 {
            return;
        }
        if state.process.is_some() && !state.is_ready {
            state.is_ready = true;
            self.ready.push_back(node);
        }
        if std::mem::take(&mut state.held) {
            self.heap.push(self.now, Due::Drive { node });
        }
        self.note_world(Some(node), cause, WorldFact::Resumed);
    }

    /// Gives a command to the process.
    pub fn command(&mut self, node: u16, operation: Operation, cause: EventId) -> OperationId {
        let state = self.node(node);
        state.operations += 1;
        let id = OperationId(state.operations);
        self.tell(node, Pending::Command(Command { id, operation }, Source::of(cause)));
        id
    }

    /// The process ends; its kernel cleans up behind it.
    fn end_process(&mut self, node: u16, cause: EventId) {
        self.drop_process(node);
        self.node(node).disk.end_process();
        self.fabric.kill(host(node), cause.0, self.now);
    }

    fn drop_process(&mut self, node: u16) {
        let state = &mut self.nodes[usize::from(node)];
        let process = state.process.take().expect("there is a process to end");
        (state.pauses, state.held) = (0, false);
        state.gave_up = None;
        let stopping = state.stopping.take();
        let disarmed = state.armed.take();
        for socket in process.into_sockets() {
            self.forget(socket);
        }
        self.drivers[usize::from(node)].on_death();
        self.directory.forget_owner(node);
        // It was to come back some time after it had stopped, however it ended.
        self.schedule_return(stopping);
        if let Some(fault) = disarmed {
            self.call_off(fault);
        }
    }
}
