//! The course of a run.
//!
//! ```text
//!   boot            until every topic has its leaders and full ISRs        limit: BOOT_LIMIT
//!   fault phase     writers and readers work, faults strike                exactly `duration`
//!   settle          faults end, nodes restart, writers stop; once all is quiet the laboratory reads everything;
//!                   over when every obligation is met                      limit: Kafka's own time-outs + 30 s, and as long as the
//!                                                                          laboratory, a reader or a group gets on with reading, or
//!                                                                          somebody was started anew
//! ```

use std::collections::BTreeMap;
use std::sync::Arc;

use brokerlab::operation::{CommitMode, Completion, Operation, Outcome};
use brokerlab::types::{Duration, Time, TopicPartition};
use brokerlab_reports::event::{AuditMoment, EventId, What, WorldFact};

use super::cast::Role;
use super::state::{Due, Ending, World, number};
use crate::scenario::model::Topic;
use crate::workload::{Driver, Wish};

/// The topics must be ready by then.
const BOOT_LIMIT: Duration = Duration::secs(60);
/// Added to the time-outs that must mature in the settle phase.
const SETTLE_MARGIN: Duration = Duration::secs(30);
/// How much longer it may be read, as long as somebody gets on.
const READ_LIMIT: Duration = Duration::secs(300);
/// Time between two looks at whether a phase is over.
const LOOK_EVERY: Duration = Duration::millis(20);

/// Where in the run we are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Phase {
    /// The topics are not ready.
    Boot,
    /// Faults strike.
    Faults {
        /// When the phase ends.
        until: Time,
    },
    /// Healing.
    Settle {
        /// When patience ends.
        until: Time,
    },
}

impl World {
    /// Starts everybody.
    pub fn begin(&mut self) {
        for node in 0..number(self.nodes.len()) {
            self.start(node, 0, EventId::NONE);
        }
        self.look_again();
    }

    /// Looks whether the phase is over.
    pub fn look(&mut self) {
        match self.phase {
            Phase::Boot => self.look_at_boot(),
            Phase::Faults { until } if self.now >= until => self.settle(),
            Phase::Faults { .. } => {}
            Phase::Settle { until } => self.look_at_rest(until),
        }
    }

    fn look_again(&mut self) {
        self.heap.push(self.now.plus(LOOK_EVERY), Due::Look);
    }

    fn look_at_boot(&mut self) {
        let topics = self.plan.topics.iter();
        let missing: Vec<String> = topics.flat_map(|topic| self.directory.missing(&topic.name, topic.partitions)).collect();
        if missing.is_empty() {
            self.begin_faults();
        } else if self.now >= Time::ZERO.plus(BOOT_LIMIT) {
            self.give_up(missing.into_iter().map(|reason| format!("boot: {reason}")).collect());
        } else {
            self.look_again();
        }
    }

    fn begin_faults(&mut self) {
        let until = self.now.plus(self.plan.duration);
        self.phase = Phase::Faults { until };
        self.fault_phase = Some(self.now);
        for (fault, planned) in self.plan.faults.iter().enumerate() {
            self.heap.push(self.now.plus(planned.at), Due::FaultBegins(fault));
        }
        self.heap.push(until, Due::Look);
        for node in 0..number(self.nodes.len()) {
            let now = self.now;
            let wish = match &mut self.drivers[usize::from(node)] {
                Driver::Writer(writer) => writer.begin(now),
                Driver::Reader(reader) => reader.begin(),
                Driver::Worker(worker) => worker.begin(now),
                Driver::Nobody | Driver::TopicCreator(_) | Driver::Laboratory(_) => Wish::nothing(),
            };
            self.act(node, wish);
        }
    }

    fn settle(&mut self) {
        self.note_world(None, EventId::NONE, WorldFact::SettleBegan);
        self.phase = Phase::Settle { until: self.now.plus(settle_limit(self)) };
        self.operations = Some(self.asked_by_applications());
        for driver in &mut self.drivers {
            match driver {
                Driver::Writer(writer) => writer.stop(),
                Driver::Nobody | Driver::Reader(_) | Driver::Worker(_) | Driver::TopicCreator(_) | Driver::Laboratory(_) => {}
            }
        }
        self.end_all_faults();
        self.look_again();
    }

    fn look_at_rest(&mut self, until: Time) {
        let judge = self.journal.judge();
        let is_whole = self.nodes.iter().all(|node| node.process.is_some() && node.stopping.is_none());
        if is_whole && self.has_read() && judge.is_settled() && self.busy_groups().is_empty() {
            self.audit_all();
            self.note_world(None, EventId::NONE, WorldFact::Settled);
            self.ending = Some(Ending::Phases);
        } else if self.now >= until && !self.somebody_gets_on(until) {
            let mut reasons = judge.obligations();
            reasons.extend(self.unread());
            reasons.extend(self.busy_groups());
            self.give_up(reasons);
        } else {
            if is_whole && judge.is_quiet() {
                self.let_laboratory_read();
            }
            self.look_again();
        }
    }

    fn give_up(&mut self, reasons: Vec<String>) {
        self.audit_all();
        self.note_world(None, EventId::NONE, WorldFact::SettleFailed { reasons });
        self.ending = Some(Ending::Phases);
    }

    fn audit_all(&mut self) {
        self.tap_unanswered();
        for node in 0..number(self.nodes.len()) {
            self.audit(node, AuditMoment::End, EventId::NONE);
        }
    }

    fn has_read(&self) -> bool {
        self.drivers.iter().all(|driver| match driver {
            Driver::Laboratory(laboratory) => laboratory.is_done(),
            Driver::Nobody | Driver::Writer(_) | Driver::Reader(_) | Driver::Worker(_) | Driver::TopicCreator(_) => true,
        })
    }

    /// A cluster that came to rest late, or has much to be read, is not stuck while the laboratory, a reader or a group reads, or
    /// a broker has begun anew a short while ago.
    fn somebody_gets_on(&self, until: Time) -> bool {
        let gets_on = |driver: &Driver| match driver {
            Driver::Laboratory(laboratory) => laboratory.gets_on(self.now),
            Driver::Worker(worker) => worker.gets_on(self.now),
            Driver::Reader(reader) => reader.gets_on(self.now),
            Driver::Nobody | Driver::Writer(_) | Driver::TopicCreator(_) => false,
        };
        // Rot may be found late, by a reader: whoever sets its log aside begins anew, as all others did when faults ended.
        let limit = settle_limit(self);
        let begins_anew = self.nodes.iter().any(|node| node.started.plus(limit) > self.now);
        self.now < until.plus(READ_LIMIT) && (begins_anew || self.drivers.iter().any(gets_on))
    }

    fn unread(&self) -> Vec<String> {
        let laboratories = self.drivers.iter().filter_map(|driver| match driver {
            Driver::Laboratory(laboratory) => Some(laboratory.missing()),
            Driver::Nobody | Driver::Writer(_) | Driver::Reader(_) | Driver::Worker(_) | Driver::TopicCreator(_) => None,
        });
        laboratories.flatten().collect()
    }

    /// What groups still have to do: partitions that nobody owns, members that had something to do at their last poll.
    fn busy_groups(&self) -> Vec<String> {
        let mut reasons = Vec::new();
        for (at, group) in self.plan.groups.iter().enumerate() {
            let of_group = |node: &u16| matches!(self.member(*node).role, Role::Member(of, _) if of == at);
            let workers =
                (0..number(self.nodes.len())).filter(of_group).filter_map(|node| match &self.drivers[usize::from(node)] {
                    Driver::Worker(worker) => Some((node, worker)),
                    Driver::Nobody | Driver::Writer(_) | Driver::Reader(_) | Driver::TopicCreator(_) | Driver::Laboratory(_) => {
                        None
                    }
                });
            let workers: Vec<_> = workers.collect();
            let busy = workers.iter().filter(|(_, worker)| !worker.is_idle());
            reasons.extend(busy.map(|(node, _)| format!("{} still had something to do", self.member(*node).name)));
            if workers.iter().any(|(_, worker)| worker.takes_part()) {
                let is_owned = |partition: &TopicPartition| self.directory.owner(&group.name, partition).is_some();
                let topics = self.plan.topics.iter().filter(|topic| group.topics.contains(&topic.name));
                let unowned = topics.flat_map(partitions_of).filter(|partition| !is_owned(partition));
                reasons.extend(unowned.map(|partition| format!("nobody in group {} owns {partition}", group.name)));
            }
        }
        reasons
    }

    fn let_laboratory_read(&mut self) {
        // A deletion that was long on its way may have come after the creation that followed it: what is not there cannot be read.
        let directory = &self.directory;
        let topics = self.plan.topics.iter().filter(|topic| directory.topic(&topic.name).is_some());
        let all: Vec<TopicPartition> = topics.flat_map(partitions_of).collect();
        for node in 0..number(self.nodes.len()) {
            let Driver::Laboratory(laboratory) = &mut self.drivers[usize::from(node)] else { continue };
            laboratory.retain(|partition| all.contains(partition));
            if !laboratory.has_begun() || laboratory.is_done() {
                // Done and yet not enough: a request of a writer who had given it up long ago came after all.
                let wish = laboratory.begin(all.clone());
                self.act(node, wish);
            }
        }
    }

    // ---- drivers --------------------------------------------------------------------------------------------------------------

    /// A driver wanted to be asked now.
    pub fn drive(&mut self, node: u16) {
        // An application that processes records freezes with its process.
        if self.node(node).pauses > 0 && matches!(self.drivers[usize::from(node)], Driver::Worker(_)) {
            self.node(node).held = true;
            return;
        }
        let wish = self.drivers[usize::from(node)].on_time(self.now);
        self.act(node, wish);
    }

    /// Does what a driver wants.
    pub fn act(&mut self, node: u16, wish: Wish) {
        self.act_for(node, wish, EventId::NONE);
    }

    /// Does what a driver wants because of that event.
    pub fn act_for(&mut self, node: u16, wish: Wish, cause: EventId) {
        for run in
            wish.processed.chunk_by(|(partition, at), (next_partition, next)| partition == next_partition && at.next() == *next)
        {
            let (handed, (partition, from)) = (self.node(node).handed, run[0].clone());
            let to = run[run.len() - 1].1.next();
            self.note_world(Some(node), handed, WorldFact::Processed { partition, from, to });
        }
        if let Some(again) = wish.again {
            self.heap.push(again, Due::Drive { node });
        }
        let Some(operation) = wish.operation else { return };
        let state = self.node(node);
        let is_able = state.process.is_some() && state.pauses == 0;
        match (&mut self.drivers[usize::from(node)], &operation) {
            // An application that is frozen or dead writes nothing.
            (Driver::Writer(writer), Operation::Produce { .. }) if !is_able => writer.take_back(),
            (_, Operation::Commit { mode: CommitMode::Async, .. }) => {
                self.command(node, operation, cause);
            }
            (_, _) => {
                let id = self.command(node, operation, cause);
                if let Driver::Worker(worker) = &mut self.drivers[usize::from(node)] {
                    worker.on_asked(id);
                }
            }
        }
    }

    /// An actor says how a command ended.
    pub fn complete(&mut self, node: u16, completion: Completion, cause: EventId) {
        let is_stopped = completion.outcome == Outcome::Stopped;
        let wish = self.drivers[usize::from(node)].on_outcome(&completion, self.now);
        let is_handed = matches!(&completion.outcome, Outcome::Polled { records } if !records.is_empty());
        let id = self.note(Some(node), cause, EventId::NONE, What::Completed(completion));
        if is_handed {
            self.node(node).handed = id;
        }
        if is_stopped && self.node(node).stopping.is_some() {
            self.on_stopped(node, id);
        } else {
            self.act(node, wish);
        }
    }
}

/// How long the settle phase may take: until the slowest time-out of the configuration has matured, and a margin.
fn settle_limit(world: &World) -> Duration {
    let plan = &world.plan;
    let delivery = plan.producers.iter().map(|producer| millis(&producer.config, "delivery.timeout.ms", 120_000)).max();
    let lag = millis(&plan.cluster.config, "replica.lag.time.max.ms", 30_000).times(2);
    let session = millis(&plan.cluster.config, "broker.session.timeout.ms", 9_000);
    // A member that died is waited for until its session is over; one that joins again, as long as a rebalance may take.
    let groups = plan.groups.iter().map(|group| {
        let configs = std::iter::once(&group.config).chain(&group.spare_config);
        let limit = |config| {
            // In the newer protocol it is the coordinator's, and by default the same.
            let session = millis(config, "session.timeout.ms", 45_000);
            let rebalance = millis(config, "max.poll.interval.ms", 300_000);
            Duration(session.0 * 2 + rebalance.min(session).0)
        };
        configs.map(limit).max().unwrap_or(Duration::ZERO)
    });
    let groups = groups.max().unwrap_or(Duration::ZERO);
    Duration(delivery.unwrap_or(Duration::ZERO).max(lag).max(session).max(groups).0 + SETTLE_MARGIN.0)
}

fn partitions_of(topic: &Topic) -> impl Iterator<Item = TopicPartition> {
    let name: Arc<str> = Arc::from(topic.name.as_str());
    let count = i32::try_from(topic.partitions).unwrap_or(i32::MAX);
    (0..count).map(move |index| TopicPartition { topic: name.clone(), index })
}

fn millis(config: &BTreeMap<String, String>, key: &str, otherwise: i64) -> Duration {
    Duration::from_millis_field(config.get(key).and_then(|value| value.trim().parse().ok()).unwrap_or(otherwise))
}
