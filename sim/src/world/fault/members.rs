//! Members of groups: who they are when a fault asks, and how they come and go.
//!
//! Joining and leaving are no faults in the strict sense; they are what a group's operators do when they scale it. The application is told,
//! and its client does what clients do; how soon, depends on what it is at.

use brokerlab::fact::GroupFact;
use brokerlab::types::{Duration, TopicPartition};
use brokerlab_reports::event::EventId;

use super::super::cast::Role;
use super::super::state::{World, number};
use super::Undo as Owed;
use crate::scenario::model::Target;
use crate::workload::{Driver, Wish, Worker};

/// What the end of such a fault takes back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Undo {
    /// A member was called in.
    Leave(u16),
    /// A member was called out.
    Join(u16),
    /// A member was made slower.
    Hurry(u16, Duration),
}

impl World {
    /// The member that this fault calls in: one that stands by.
    pub(super) fn newcomer(&self, fault: usize, target: &Target) -> Result<u16, String> {
        let node = if let Target::Member(group) = target {
            let spare = self.workers(group).filter(|(_, worker)| !worker.takes_part()).map(|(node, _)| node).collect();
            self.choose(fault, 0, spare, &format!("nobody stands by in group {group}"))?
        } else {
            self.resolve(fault, target, None)?
        };
        match self.worker(node) {
            Some(worker) if worker.takes_part() => Err(format!("{} takes part already", self.member(node).name)),
            Some(_) => Ok(node),
            None => Err(format!("{} is no member of a group", self.member(node).name)),
        }
    }

    /// A member that takes part.
    pub(super) fn participant(&self, fault: usize, target: &Target) -> Result<Vec<u16>, String> {
        let node = self.resolve(fault, target, None)?;
        match self.worker(node) {
            Some(worker) if worker.takes_part() => Ok(vec![node]),
            Some(_) => Err(format!("{} does not take part", self.member(node).name)),
            None => Err(format!("{} is no member of a group", self.member(node).name)),
        }
    }

    /// A member of the group that runs and takes part.
    pub(super) fn any_member(&self, fault: usize, place: u64, group: &str, not: Option<u16>) -> Result<u16, String> {
        let runs = |node: u16| self.nodes[usize::from(node)].process.is_some();
        let members = self.workers(group).filter(|(node, worker)| worker.takes_part() && runs(*node) && Some(*node) != not);
        self.choose(fault, place, members.map(|(node, _)| node).collect(), &format!("no member of group {group} runs"))
    }

    /// Who coordinates the group.
    pub(super) fn coordinator(&self, group: &str) -> Result<u16, String> {
        let leader = self.directory.coordinator(group).ok_or_else(|| format!("group {group} has no coordinator"))?;
        let is_leader = |role| role == Role::Broker(leader);
        let node = self.cast.members().iter().position(|member| is_leader(member.role)).map(number);
        node.ok_or_else(|| format!("leader {leader} is no node"))
    }

    /// Who owns the partition.
    pub(super) fn owner(&self, topic: &str, partition: u32, group: &str) -> Result<u16, String> {
        let index = i32::try_from(partition).unwrap_or(i32::MAX);
        let partition = TopicPartition { topic: topic.into(), index };
        self.directory.owner(group, &partition).ok_or_else(|| format!("nobody owns {partition} in group {group}"))
    }

    /// A coordinator or a member has stated something.
    pub fn learn_of_group(&mut self, node: u16, fact: &GroupFact) {
        self.directory.learn_ownership(node, fact);
        if let (GroupFact::PartitionsAssigned { .. }, Driver::Worker(worker)) = (fact, &mut self.drivers[usize::from(node)]) {
            worker.expect_work();
        }
    }

    /// Calls a member in until the fault ends.
    pub(super) fn call_in(&mut self, fault: usize, node: u16) {
        self.owe_member(fault, Undo::Leave(node));
        self.tell_worker(node, Worker::join);
    }

    /// Calls a member out until the fault ends.
    pub(super) fn call_out(&mut self, fault: usize, node: u16) {
        self.owe_member(fault, Undo::Join(node));
        self.tell_worker(node, Worker::leave);
    }

    /// Each record takes a member longer until the fault ends.
    pub(super) fn slow_worker(&mut self, fault: usize, node: u16, by: Duration) {
        self.owe_member(fault, Undo::Hurry(node, by));
        if let Driver::Worker(worker) = &mut self.drivers[usize::from(node)] {
            worker.slow_down(by);
        }
    }

    fn hurry(&mut self, node: u16, by: Duration) {
        if let Driver::Worker(worker) = &mut self.drivers[usize::from(node)] {
            worker.speed_up(by);
        }
    }

    pub(super) fn call_back(&mut self, undo: Undo) {
        match undo {
            Undo::Leave(node) => self.tell_worker(node, Worker::leave),
            Undo::Join(node) => self.tell_worker(node, Worker::join),
            Undo::Hurry(node, by) => self.hurry(node, by),
        }
    }

    /// A client that runs an application is stopped by it, when it has done what it is at. False if it has none.
    pub fn stop_worker(&mut self, node: u16) -> bool {
        let is_worker = self.worker(node).is_some();
        if is_worker {
            self.tell_worker(node, Worker::stop);
        }
        is_worker
    }

    fn tell_worker(&mut self, node: u16, tell: impl FnOnce(&mut Worker, brokerlab::types::Time) -> Wish) {
        let now = self.now;
        let runs = self.node(node).process.is_some();
        if let Driver::Worker(worker) = &mut self.drivers[usize::from(node)] {
            let wish = tell(worker, now);
            // A process that is down asks again when it has started.
            if runs {
                self.act_for(node, wish, EventId::NONE);
            } else {
                worker_is_down(&mut self.drivers[usize::from(node)]);
            }
        }
    }

    fn workers(&self, group: &str) -> impl Iterator<Item = (u16, &Worker)> {
        let workers = (0..number(self.nodes.len())).filter_map(|node| Some((node, self.worker(node)?)));
        workers.filter(move |(_, worker)| **worker.group() == *group)
    }

    fn worker(&self, node: u16) -> Option<&Worker> {
        match &self.drivers[usize::from(node)] {
            Driver::Worker(worker) => Some(worker),
            Driver::Nobody | Driver::Writer(_) | Driver::Reader(_) | Driver::TopicCreator(_) | Driver::Laboratory(_) => None,
        }
    }

    fn owe_member(&mut self, fault: usize, undo: Undo) {
        self.faults[fault].undo.push(Owed::Member(undo));
    }
}

/// What it asked for was not asked of anybody.
fn worker_is_down(driver: &mut Driver) {
    driver.on_death();
}
