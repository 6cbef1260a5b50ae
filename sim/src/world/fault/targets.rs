//! Whom a fault strikes: found out when it fires, from what the world has heard by then.

use brokerlab::types::BrokerId;

use super::super::cast::Role;
use super::super::chance::{Tag, key_of};
use super::super::state::{World, host, number};
use crate::scenario::model::{FaultKind, Target};

impl World {
    /// Whom this fault strikes, or why nobody.
    pub(super) fn victims(&self, fault: usize, kind: &FaultKind) -> Result<Vec<u16>, String> {
        match kind {
            FaultKind::Crash { target }
            | FaultKind::CrashLoop { target, .. }
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
                let can_stop = self.member(node).is_server() || matches!(self.member(node).role, Role::Member(..));
                if matches!(kind, FaultKind::Restart { .. }) && !can_stop {
                    return Err(format!("{name} is a client, which cannot be stopped in order"));
                }
                Ok(vec![node])
            }
            FaultKind::Outage => self.running_brokers(),
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
            FaultKind::MemberJoins { target } => Ok(vec![self.newcomer(fault, target)?]),
            FaultKind::MemberLeaves { target } | FaultKind::SlowProcessing { target, .. } => self.participant(fault, target),
            FaultKind::ElectPreferred { .. } | FaultKind::DeleteRecords { .. } | FaultKind::RecreateTopic { .. } => {
                Ok(vec![self.admin()?])
            }
            FaultKind::FailedSync { target, .. }
            | FaultKind::IoError { target, .. }
            | FaultKind::FullDisk { target, .. }
            | FaultKind::BitRot { target, .. }
            | FaultKind::WipeDisk { target }
            | FaultKind::ClockJump { target, .. }
            | FaultKind::ClockSkew { target, .. } => {
                let node = self.resolve(fault, target, None)?;
                self.may_break(kind, node)?;
                Ok(vec![node])
            }
            FaultKind::StaleMetadata { target, .. } => {
                let node = self.resolve(fault, target, None)?;
                let controller = self.resolve(fault, &Target::Controller, None)?;
                if matches!(self.member(node).role, Role::Broker(_)) {
                    Ok(vec![node, controller])
                } else {
                    Err(format!("{} is no broker and fetches no metadata log", self.member(node).name))
                }
            }
            FaultKind::Frame { frames, .. } => self.ends(fault, frames.from.as_ref(), frames.to.as_ref()),
            FaultKind::FlappingLink { from, to, .. } | FaultKind::NarrowLink { from, to, .. } => {
                self.ends(fault, Some(from), to.as_ref())
            }
            FaultKind::Split { .. } | FaultKind::Bridge { .. } | FaultKind::MajoritiesRing | FaultKind::CutClients { .. } => {
                self.map(fault, kind).map(|map| map.nodes)
            }
            FaultKind::Cut { from, to, .. } | FaultKind::SlowLink { from, to, .. } => self.ends(fault, Some(from), Some(to)),
        }
    }

    fn running_brokers(&self) -> Result<Vec<u16>, String> {
        let runs = |node: &u16| self.nodes[usize::from(*node)].process.is_some();
        let brokers = (0..number(self.nodes.len())).filter(|node| matches!(self.member(*node).role, Role::Broker(_)));
        let brokers: Vec<u16> = brokers.filter(runs).collect();
        if brokers.is_empty() { Err("no broker runs".to_string()) } else { Ok(brokers) }
    }

    /// The ends of a link, as far as they are named.
    pub(super) fn ends(&self, fault: usize, from: Option<&Target>, to: Option<&Target>) -> Result<Vec<u16>, String> {
        let from = from.map(|from| self.resolve(fault, from, None)).transpose()?;
        let to = to.map(|to| self.resolve(fault, to, from)).transpose()?;
        match (from, to) {
            (Some(from), Some(to)) if from == to => Err(format!("both ends are {}", self.member(from).name)),
            (from, to) => Ok(from.into_iter().chain(to).collect()),
        }
    }

    pub(super) fn resolve(&self, fault: usize, target: &Target, not: Option<u16>) -> Result<u16, String> {
        self.resolve_at(fault, 0, target, not)
    }

    /// As [`World::resolve`]; targets in other places of a list choose for themselves.
    pub(super) fn resolve_at(&self, fault: usize, place: u64, target: &Target, not: Option<u16>) -> Result<u16, String> {
        let choose = |nodes, nobody: &str| self.choose(fault, place, nodes, nobody);
        let partition = |topic: &str, index: u32| {
            self.directory.partition(topic, index).ok_or_else(|| format!("{topic}-{index} does not exist"))
        };
        match target {
            Target::Node(name) => self.by_name(name).ok_or_else(|| format!("there is no node {name}")),
            Target::AnyBroker => {
                let runs = |node: &u16| self.nodes[usize::from(*node)].process.is_some();
                let brokers = (0..number(self.nodes.len())).filter(|node| matches!(self.member(*node).role, Role::Broker(_)));
                choose(brokers.filter(runs).filter(|node| Some(*node) != not).collect(), "no broker runs")
            }
            Target::Coordinator(group) => self.coordinator(group),
            Target::Member(group) => self.any_member(fault, place, group, not),
            Target::Owner { topic, partition, group } => self.owner(topic, *partition, group),
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
                choose(nodes, &format!("no follower is in the ISR of {topic}-{index}"))
            }
            Target::Follower(topic, index) => {
                let entry = partition(topic, *index)?;
                let followers = entry.replicas.iter().filter(|id| Some(**id) != entry.state.leader);
                let nodes = followers.filter_map(|id| self.by_id(*id)).filter(|node| Some(*node) != not).collect();
                choose(nodes, &format!("{topic}-{index} has no follower"))
            }
        }
    }

    pub(super) fn choose(&self, fault: usize, place: u64, mut nodes: Vec<u16>, nobody: &str) -> Result<u16, String> {
        nodes.sort_unstable();
        let last = nodes.len().checked_sub(1).ok_or(nobody)?;
        let mut dice = self.chance.about(Tag::Target, [key_of(&self.plan.faults[fault].id), place, 0, 0]);
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
