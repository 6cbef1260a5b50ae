//! The plan's faults, as they strike and as they end.
//!
//! A target is resolved when the fault fires, from what the world has heard by then; the choice is keyed by the fault's id, so it does
//! not depend on other faults. A fault that finds nobody, or somebody to whom it can do nothing, is skipped and says so. Whatever a
//! fault does is noted in its list of things to undo, so overlapping faults nest.
//!
//! ```text
//!   targets    whom it strikes                  processes    crash, power loss, pause, restart
//!   disks      what a device does to its node   links        what the network does; maps: cuts of many links at once
//!   requests   what is asked of the cluster     members      who takes part in groups
//!   hardware   disks that fail, clocks that are wrong
//! ```

use std::sync::Arc;

use brokerlab::types::Duration;
use brokerlab_reports::event::{EventId, NodeId, WorldFact};

use super::phases::Phase;
use super::state::{Due, World};
use crate::scenario::model::FaultKind;
use hardware::{broken, broken_sync, signed};

mod disks;
mod hardware;
mod links;
mod maps;
mod members;
mod processes;
mod requests;
mod targets;

/// A fault while it goes on.
#[derive(Debug, Default)]
pub struct Ongoing {
    /// The event in which it began; `NONE` before.
    pub began: EventId,
    /// It is over.
    pub ended: bool,
    /// Whom it strikes again and again.
    victim: Option<u16>,
    /// How often it will strike again.
    again: u64,
    /// What its end takes back.
    undo: Vec<Undo>,
    /// Directions that it cuts and heals in turn.
    flaps: Vec<(u16, u16)>,
}

/// Something to be taken back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Undo {
    Link(links::Undo),
    Process(processes::Undo),
    Disk(disks::Undo),
    Hardware(hardware::Undo),
    Member(members::Undo),
}

impl World {
    /// A fault's moment has come.
    pub fn begin_fault(&mut self, fault: usize) {
        if !matches!(self.phase, Phase::Faults { .. }) {
            return;
        }
        let id: Arc<str> = Arc::from(self.plan.faults[fault].id.as_str());
        let kind = self.plan.faults[fault].kind.clone();
        match self.victims(fault, &kind) {
            Ok(nodes) => {
                let victims = nodes.iter().copied().map(NodeId).collect();
                let fact = WorldFact::FaultBegan { fault: id, kind: Arc::from(kind.name()), nodes: victims };
                let began = self.note_world(None, EventId::NONE, fact);
                self.faults[fault].began = began;
                self.strike_with(fault, &kind, &nodes);
            }
            Err(reason) => {
                self.faults[fault].ended = true;
                self.note_world(None, EventId::NONE, WorldFact::FaultSkipped { fault: id, reason });
            }
        }
    }

    /// A fault is over: takes back what it did.
    pub fn end_fault(&mut self, fault: usize) {
        let ongoing = &mut self.faults[fault];
        if ongoing.ended || ongoing.began == EventId::NONE {
            return;
        }
        if ongoing.again > 0 && matches!(self.phase, Phase::Faults { .. }) {
            return self.recur(fault);
        }
        ongoing.ended = true;
        let began = ongoing.began;
        let id = Arc::from(self.plan.faults[fault].id.as_str());
        let ended = self.note_world(None, began, WorldFact::FaultEnded { fault: id });
        let undo = std::mem::take(&mut self.faults[fault].undo);
        self.mend(fault, undo, ended);
    }

    fn mend(&mut self, fault: usize, undo: Vec<Undo>, ended: EventId) {
        for undo in undo {
            match undo {
                Undo::Link(undo) => self.mend_link(fault, undo),
                Undo::Process(undo) => self.revive(fault, undo, ended),
                Undo::Disk(undo) => self.mend_disk(undo),
                Undo::Hardware(undo) => self.repair(fault, undo),
                Undo::Member(undo) => self.call_back(undo),
            }
        }
    }

    /// All faults that go on end now.
    pub fn end_all_faults(&mut self) {
        for fault in 0..self.faults.len() {
            // A node that is still stopping in order comes back when it has stopped.
            let is_stopping = self.nodes.iter().any(|node| node.stopping == Some(fault));
            if !is_stopping {
                self.end_fault(fault);
            }
        }
    }

    /// The process for whose disk operation this fault waited is dead.
    pub fn call_off(&mut self, fault: usize) {
        self.end_fault(fault);
    }

    /// The node that this fault keeps down comes back after the fault's time; at once, if all faults are over.
    pub fn schedule_return(&mut self, fault: Option<usize>) {
        if let Some(fault) = fault {
            let is_over = matches!(self.phase, Phase::Settle { .. });
            let lasts = if is_over { Duration::ZERO } else { self.plan.faults[fault].lasts };
            self.heap.push(self.now.plus(lasts), Due::FaultEnds(fault));
        }
    }

    fn strike_with(&mut self, fault: usize, kind: &FaultKind, nodes: &[u16]) {
        // Some kinds strike no node in particular; none of these asks for this one.
        let node = nodes.first().copied().unwrap_or(u16::MAX);
        match kind {
            // These two end some time after they have struck, which is not yet.
            FaultKind::PowerLossAtOperation { nth, .. } => return self.arm_power_loss(fault, node, *nth),
            FaultKind::Restart { .. } => return self.stop_in_order(fault, node),
            FaultKind::Crash { .. } => self.kill_process(fault, node),
            FaultKind::Outage => nodes.iter().for_each(|node| self.kill_process(fault, *node)),
            FaultKind::PowerLoss { .. } => self.take_power(fault, node),
            FaultKind::Pause { .. } => self.freeze(fault, node),
            FaultKind::Isolate { except_clients, .. } => self.isolate(fault, node, *except_clients),
            FaultKind::Cut { one_way, .. } => self.cut_link(fault, node, nodes[1], *one_way),
            FaultKind::SlowLink { by, .. } => self.slow_link(fault, node, nodes[1], *by),
            FaultKind::SlowDisk { by, .. } => self.slow_disk(fault, node, *by),
            FaultKind::StuckDisk { .. } => self.stick_disk(fault, node),
            FaultKind::Frame { frames, fate } => self.operate(fault, frames, *fate),
            FaultKind::StaleMetadata { by, .. } => self.age_metadata(fault, node, nodes[1], *by),
            FaultKind::NarrowLink { bandwidth, .. } => self.narrow_link(fault, node, nodes.get(1).copied(), *bandwidth),
            FaultKind::FlappingLink { one_way, .. } => self.flap(fault, node, nodes.get(1).copied(), *one_way),
            FaultKind::Split { .. } | FaultKind::Bridge { .. } | FaultKind::MajoritiesRing | FaultKind::CutClients { .. } => {
                self.cut_map(fault, kind);
            }
            FaultKind::ElectPreferred { target } => self.elect_preferred(node, target, self.faults[fault].began),
            FaultKind::DeleteRecords { target, keep } => self.delete_records(node, target, *keep, self.faults[fault].began),
            FaultKind::RecreateTopic { target } => self.recreate_topic(node, target, self.faults[fault].began),
            FaultKind::MemberJoins { .. } => self.call_in(fault, node),
            FaultKind::MemberLeaves { .. } => self.call_out(fault, node),
            FaultKind::SlowProcessing { by, .. } => self.slow_worker(fault, node, *by),
            FaultKind::CrashLoop { times, .. } => self.begin_crash_loop(fault, node, *times),
            FaultKind::FailedSync { path, nth, .. } => self.break_disk(fault, node, broken_sync(path, *nth)),
            FaultKind::IoError { operation, path, nth, times, .. } => {
                self.break_disk(fault, node, broken(*operation, path, *nth, *times));
            }
            FaultKind::FullDisk { room, .. } => self.fill_disk(fault, node, *room),
            FaultKind::BitRot { flips, .. } => self.rot_disk(fault, node, *flips),
            FaultKind::WipeDisk { .. } => self.wipe_disk(fault, node),
            FaultKind::ClockJump { by, back, .. } => self.jump_clock(fault, node, signed(by.as_millis(), *back)),
            FaultKind::ClockSkew { ppm, slow, .. } => self.skew_clock(fault, node, signed(u64::from(*ppm), *slow)),
        }
        self.schedule_return(Some(fault));
    }
}
