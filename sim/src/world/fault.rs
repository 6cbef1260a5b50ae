//! The plan's faults, as they strike and as they end.
//!
//! A target is resolved when the fault fires, from what the world has heard by then; the choice is keyed by the fault's id, so it does
//! not depend on other faults. A fault that finds nobody, or somebody to whom it can do nothing, is skipped and says so. Whatever a
//! fault does is noted in its list of things to undo, so overlapping faults nest.

use std::sync::Arc;

use brokerlab::types::{BrokerId, Duration};
use brokerlab_reports::event::{EventId, NodeId, WorldFact};

use super::cast::Role;
use super::chance::{Tag, key_of};
use super::phases::Phase;
use super::state::{Due, World, host, number};
use crate::scenario::model::{FaultKind, Target};

/// A fault while it goes on.
#[derive(Debug, Default)]
pub struct Ongoing {
    /// The event in which it began; `NONE` before.
    pub began: EventId,
    /// It is over.
    pub ended: bool,
    /// What its end takes back.
    undo: Vec<Undo>,
}

/// Something to be taken back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Undo {
    Heal(u16, u16),
    Hasten(u16, u16, Duration),
    Resume { node: u16, life: u32 },
    Start(u16),
    QuickenDisk(u16, Duration),
    FreeDisk(u16),
    Disarm(u16),
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
        ongoing.ended = true;
        let (began, undo) = (ongoing.began, std::mem::take(&mut ongoing.undo));
        let id = Arc::from(self.plan.faults[fault].id.as_str());
        let ended = self.note_world(None, began, WorldFact::FaultEnded { fault: id });
        for undo in undo {
            self.take_back(fault, undo, ended);
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

    /// Power is lost in the middle of a step, as this fault wanted.
    pub fn strike(&mut self, node: u16, fault: usize) {
        let id = self.plan.faults[fault].id.clone();
        let began = self.faults[fault].began;
        self.keep_down(node, fault);
        self.lose_power(node, &id, began);
        self.schedule_return(Some(fault));
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

    fn keep_down(&mut self, node: u16, fault: usize) {
        self.node(node).outages += 1;
        self.faults[fault].undo.push(Undo::Start(node));
    }

    fn strike_with(&mut self, fault: usize, kind: &FaultKind, nodes: &[u16]) {
        let began = self.faults[fault].began;
        let id = self.plan.faults[fault].id.clone();
        let node = nodes[0];
        match kind {
            FaultKind::Crash { .. } => {
                self.keep_down(node, fault);
                self.crash(node, began);
            }
            FaultKind::PowerLoss { .. } => {
                self.keep_down(node, fault);
                self.lose_power(node, &id, began);
            }
            FaultKind::PowerLossAtOperation { nth, .. } => {
                self.node(node).disk.arm_power_loss(*nth, &id);
                self.node(node).armed = Some(fault);
                self.faults[fault].undo.push(Undo::Disarm(node));
                return;
            }
            FaultKind::Pause { .. } => {
                let life = self.node(node).life;
                self.faults[fault].undo.push(Undo::Resume { node, life });
                self.pause(node, began);
            }
            FaultKind::Restart { .. } => {
                self.keep_down(node, fault);
                self.node(node).stopping = Some(fault);
                self.stop(node, began);
                return;
            }
            FaultKind::Isolate { except_clients, .. } => self.isolate(fault, node, *except_clients),
            FaultKind::Cut { one_way, .. } => {
                self.cut(fault, node, nodes[1]);
                if !one_way {
                    self.cut(fault, nodes[1], node);
                }
            }
            FaultKind::SlowLink { by, .. } => {
                self.slow(fault, node, nodes[1], *by);
                self.slow(fault, nodes[1], node, *by);
            }
            FaultKind::SlowDisk { by, .. } => {
                let state = self.node(node);
                state.slow = (Duration(state.slow.0.0 + by.0), began);
                self.faults[fault].undo.push(Undo::QuickenDisk(node, *by));
            }
            FaultKind::StuckDisk { .. } => {
                let state = self.node(node);
                state.stuck = (state.stuck.0 + 1, began);
                self.faults[fault].undo.push(Undo::FreeDisk(node));
            }
        }
        self.schedule_return(Some(fault));
    }

    fn isolate(&mut self, fault: usize, node: u16, except_clients: bool) {
        for other in 0..number(self.nodes.len()) {
            let is_server = self.member(other).is_server();
            if other != node && (is_server || !except_clients) {
                self.cut(fault, node, other);
                self.cut(fault, other, node);
            }
        }
    }

    fn cut(&mut self, fault: usize, from: u16, to: u16) {
        self.fabric.cut(host(from), host(to), self.faults[fault].began.0, self.now);
        self.faults[fault].undo.push(Undo::Heal(from, to));
    }

    fn slow(&mut self, fault: usize, from: u16, to: u16, by: Duration) {
        self.fabric.slow(host(from), host(to), by, self.faults[fault].began.0);
        self.faults[fault].undo.push(Undo::Hasten(from, to, by));
    }

    fn take_back(&mut self, fault: usize, undo: Undo, ended: EventId) {
        match undo {
            Undo::Heal(from, to) => self.fabric.heal(host(from), host(to), self.now),
            Undo::Hasten(from, to, by) => self.fabric.hasten(host(from), host(to), by),
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
            Undo::QuickenDisk(node, by) => self.node(node).slow.0.0 -= by.0,
            Undo::FreeDisk(node) => {
                self.node(node).stuck.0 -= 1;
                if self.node(node).stuck.0 == 0 {
                    self.free_disk(node);
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

    // ---- targets --------------------------------------------------------------------------------------------------------------

    /// Whom this fault strikes, or why nobody.
    fn victims(&self, fault: usize, kind: &FaultKind) -> Result<Vec<u16>, String> {
        match kind {
            FaultKind::Crash { target }
            | FaultKind::PowerLossAtOperation { target, .. }
            | FaultKind::Pause { target }
            | FaultKind::Restart { target } => {
                let node = self.resolve(fault, target, None)?;
                let state = &self.nodes[usize::from(node)];
                let name = &self.member(node).name;
                if state.process.is_none() {
                    return Err(format!("{name} does not run"));
                }
                if state.stopping.is_some() && matches!(kind, FaultKind::Restart { .. }) {
                    return Err(format!("{name} is stopping"));
                }
                if state.armed.is_some() && matches!(kind, FaultKind::PowerLossAtOperation { .. }) {
                    return Err(format!("{name} is about to lose power already"));
                }
                if matches!(kind, FaultKind::Restart { .. }) && !self.member(node).is_server() {
                    return Err(format!("{name} is a client, which cannot be stopped in order"));
                }
                Ok(vec![node])
            }
            FaultKind::PowerLoss { target } => {
                let node = self.resolve(fault, target, None)?;
                if !self.fabric.is_powered(host(node)) {
                    return Err(format!("{} has no power", self.member(node).name));
                }
                Ok(vec![node])
            }
            FaultKind::Isolate { target, .. } | FaultKind::SlowDisk { target, .. } | FaultKind::StuckDisk { target } => {
                Ok(vec![self.resolve(fault, target, None)?])
            }
            FaultKind::Cut { from, to, .. } | FaultKind::SlowLink { from, to, .. } => {
                let from = self.resolve(fault, from, None)?;
                let to = self.resolve(fault, to, Some(from))?;
                if from == to {
                    return Err(format!("both ends are {}", self.member(from).name));
                }
                Ok(vec![from, to])
            }
        }
    }

    fn resolve(&self, fault: usize, target: &Target, not: Option<u16>) -> Result<u16, String> {
        let partition = |topic: &str, index: u32| {
            self.directory.partition(topic, index).ok_or_else(|| format!("{topic}-{index} does not exist"))
        };
        match target {
            Target::Node(name) => self.by_name(name).ok_or_else(|| format!("there is no node {name}")),
            Target::AnyBroker => {
                let runs = |node: &u16| self.nodes[usize::from(*node)].process.is_some();
                let brokers = (0..number(self.nodes.len())).filter(|node| matches!(self.member(*node).role, Role::Broker(_)));
                self.choose(fault, brokers.filter(runs).filter(|node| Some(*node) != not).collect(), "no broker runs")
            }
            Target::Controller => {
                let controller = self.directory.controller().ok_or("there is no active controller")?;
                self.by_id(controller).ok_or_else(|| format!("controller {controller} is no node"))
            }
            Target::Leader(topic, index) => {
                let leader = partition(topic, *index)?.state.leader;
                let leader = leader.ok_or_else(|| format!("{topic}-{index} has no leader"))?;
                self.by_id(leader).ok_or_else(|| format!("leader {leader} is no node"))
            }
            Target::FollowerInIsr(topic, index) => {
                let entry = partition(topic, *index)?;
                let followers = entry.state.isr.iter().filter(|id| Some(**id) != entry.state.leader);
                let nodes = followers.filter_map(|id| self.by_id(*id)).filter(|node| Some(*node) != not).collect();
                self.choose(fault, nodes, &format!("no follower is in the ISR of {topic}-{index}"))
            }
            Target::Follower(topic, index) => {
                let entry = partition(topic, *index)?;
                let followers = entry.replicas.iter().filter(|id| Some(**id) != entry.state.leader);
                let nodes = followers.filter_map(|id| self.by_id(*id)).filter(|node| Some(*node) != not).collect();
                self.choose(fault, nodes, &format!("{topic}-{index} has no follower"))
            }
        }
    }

    fn choose(&self, fault: usize, mut nodes: Vec<u16>, nobody: &str) -> Result<u16, String> {
        nodes.sort_unstable();
        let last = nodes.len().checked_sub(1).ok_or(nobody)?;
        let mut dice = self.chance.about(Tag::Target, [key_of(&self.plan.faults[fault].id), 0, 0, 0]);
        Ok(nodes[dice.up_to(last as u64) as usize])
    }

    fn by_name(&self, name: &str) -> Option<u16> {
        let short = name.strip_prefix("broker ").map(|id| format!("b{id}"));
        let wanted = short.as_deref().unwrap_or(name);
        self.cast.members().iter().position(|member| member.name == wanted).map(number)
    }

    fn by_id(&self, id: BrokerId) -> Option<u16> {
        let is = |role| role == Role::Broker(id) || role == Role::Controller(id);
        self.cast.members().iter().position(|member| is(member.role)).map(number)
    }
}
