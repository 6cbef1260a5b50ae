//! A small honest cluster that writes histories, and lets itself be doctored.
//!
//! `b1 b2 b3` hold the one partition `orders-0`; `p1` writes, `reader` reads, `lab` is the laboratory's consumer. Each value is one record
//! in one batch. The cluster keeps its logs in a plain model, so a step like [`History::copy`] needs no offsets; what it leaves out is
//! any will of its own: a history does exactly what the test says, right or wrong.

use std::collections::BTreeMap;
use std::sync::Arc;

use brokerlab::fact::{Fact, PartitionState, TruncationReason};
use brokerlab::operation::{Command, Operation, OperationId, Position};
use brokerlab::types::*;
use brokerlab_reports::event::{AuditMoment, Event, EventId, NodeId, SmallFiles, Tap, TappedBatch, What, WorldFact};
use brokerlab_sim::check::{GroupSetup, Pace, Reset};
use bytes::Bytes;

mod answers;
mod clients;
mod disks;
mod judging;
mod members;

pub use judging::{count, report, told};
pub use members::{OffsetsLog, found, partitions};

const NODES: [&str; 9] = ["b1", "b2", "b3", "p1", "reader", "lab", "c1", "m1", "m2"];
const TOPIC: Uuid = Uuid(7);
pub const ORDERS: PartitionId = PartitionId { topic: TOPIC, index: 0 };

/// One record of the model.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Record {
    pub value: &'static str,
    pub epoch: i32,
    pub sequence: i32,
}

/// One broker of the model.
#[derive(Clone)]
struct Broker {
    log: Vec<Record>,
    epoch: i32,
    leads: bool,
    up: bool,
    life: u32,
    broker_epoch: BrokerEpoch,
    durable: usize,
}

/// What the topic and the producer are like.
#[derive(Clone, Copy)]
pub struct Terms {
    pub acks: i16,
    pub idempotent: bool,
    pub min_isr: u32,
    pub unclean: bool,
    pub flush: bool,
    pub reset: Reset,
}

pub const TERMS: Terms = Terms { acks: -1, idempotent: true, min_isr: 2, unclean: false, flush: false, reset: Reset::Latest };

/// A history in the making.
pub struct History {
    terms: Terms,
    events: Vec<Event>,
    brokers: Vec<Broker>,
    isr: Vec<usize>,
    epoch: i32,
    partition_epoch: i32,
    elected: Option<usize>,
    registrations: i64,
    producer_epoch: i16,
    small_files: SmallFiles,
    shift: u64,
    sequences: BTreeMap<&'static str, i32>,
    operations: BTreeMap<&'static str, u64>,
    requests: BTreeMap<&'static str, EventId>,
    must_exercise: Vec<String>,
    pace: Option<Pace>,
    enabled: bool,
    groups: Vec<GroupSetup>,
    offsets: OffsetsLog,
}

impl History {
    /// All brokers up, `b1` leads in epoch 0, everybody in sync.
    pub fn new() -> History {
        History::on(TERMS)
    }

    pub fn on(terms: Terms) -> History {
        let broker =
            Broker { log: Vec::new(), epoch: 0, leads: false, up: true, life: 1, broker_epoch: BrokerEpoch(0), durable: 0 };
        let mut h = History {
            terms,
            events: Vec::new(),
            brokers: vec![broker; 3],
            isr: vec![0, 1, 2],
            epoch: 0,
            partition_epoch: 0,
            elected: Some(0),
            registrations: 0,
            producer_epoch: 0,
            small_files: SmallFiles::default(),
            shift: 0,
            sequences: BTreeMap::new(),
            operations: BTreeMap::new(),
            requests: BTreeMap::new(),
            must_exercise: Vec::new(),
            pace: None,
            enabled: true,
            groups: Vec::new(),
            offsets: OffsetsLog::default(),
        };
        for (broker, node) in (1..).map(BrokerId).zip(NODES.into_iter().take(3)) {
            h.world(node, WorldFact::NodeStarted { life: 1 });
            h.fact(node, Fact::BrokerStarted { broker, incarnation: Uuid(1), clean: false });
            h.register(node);
        }
        let (min_isr, unclean_election, flush_each_batch) = (terms.min_isr, terms.unclean, terms.flush);
        let name = "orders".to_string();
        h.fact("c1", Fact::TopicCreated { topic: TOPIC, name, min_isr, unclean_election, flush_each_batch });
        let (replicas, state) = (vec![BrokerId(1), BrokerId(2), BrokerId(3)], h.state(Some(0)));
        h.fact("c1", Fact::PartitionCreated { partition: ORDERS, replicas, state });
        for node in NODES.into_iter().take(3) {
            let log = Fact::LogOpened {
                partition: ORDERS,
                log_start: Offset(0),
                log_end: Offset(0),
                high_watermark: Offset(0),
                cut_bytes: 0,
            };
            h.fact(node, log);
        }
        h.act("b1", &["b2", "b3"]);
        h
    }

    // ---- whole lessons -----------------------------------------------------------------------------------------

    /// The value is written, copied by the whole ISR, committed and acknowledged.
    pub fn commit(&mut self, value: &'static str) -> &mut History {
        let leader = self.leader();
        self.write(value).append(leader, value).replicate().advance(leader).ack(leader, value)
    }

    /// Every in-sync follower copies its leader's log and says so.
    pub fn replicate(&mut self) -> &mut History {
        let leader = self.leader();
        for node in self.isr.clone() {
            if NODES[node] != leader && self.brokers[node].up {
                self.copy(NODES[node]).fetch(NODES[node]);
            }
        }
        self
    }

    /// The controller elects; the leader acts; all others that are up follow.
    pub fn elect(&mut self, leader: &'static str) -> &mut History {
        self.decide(leader, false);
        self.everybody_hears(leader)
    }

    /// The same, from outside the ISR.
    pub fn elect_unclean(&mut self, leader: &'static str) -> &mut History {
        self.isr = vec![node(leader)];
        self.decide(leader, true);
        self.everybody_hears(leader)
    }

    /// Only the controller knows so far.
    pub fn decide(&mut self, leader: &'static str, unclean: bool) -> &mut History {
        self.epoch += 1;
        self.partition_epoch += 1;
        self.elected = Some(node(leader));
        let state = self.state(self.elected);
        self.fact("c1", Fact::LeaderElected { partition: ORDERS, state, unclean })
    }

    pub fn everybody_hears(&mut self, leader: &'static str) -> &mut History {
        let others: Vec<&str> = (0..3).filter(|n| self.brokers[*n].up && NODES[*n] != leader).map(|n| NODES[n]).collect();
        self.act(leader, &others)
    }

    /// The named ones hear of the present epoch.
    pub fn act(&mut self, leader: &str, followers: &[&str]) -> &mut History {
        let (leader_epoch, partition_epoch) = (LeaderEpoch(self.epoch), PartitionEpoch(self.partition_epoch));
        let isr = self.isr_ids();
        let (b, end) = (node(leader), Offset(self.brokers[node(leader)].log.len() as i64));
        (self.brokers[b].epoch, self.brokers[b].leads) = (self.epoch, true);
        let high_watermark = Offset(0);
        self.fact(
            leader,
            Fact::BecameLeader { partition: ORDERS, leader_epoch, partition_epoch, epoch_start: end, high_watermark, isr },
        );
        for follower in followers {
            self.follow(follower, leader);
        }
        self
    }

    pub fn follow(&mut self, follower: &str, leader: &str) -> &mut History {
        let b = node(follower);
        (self.brokers[b].epoch, self.brokers[b].leads) = (self.epoch, false);
        let log_end = Offset(self.brokers[b].log.len() as i64);
        let (leader, leader_epoch) = (Some(BrokerId(node(leader) as i32 + 1)), LeaderEpoch(self.epoch));
        let high_watermark = Offset(0);
        self.fact(follower, Fact::BecameFollower { partition: ORDERS, leader_epoch, leader, log_end, high_watermark })
    }

    /// The process dies. Its log is as it was.
    pub fn crash(&mut self, name: &'static str) -> &mut History {
        self.audit(name, AuditMoment::Crash);
        self.brokers[node(name)].up = false;
        self.brokers[node(name)].leads = false;
        self.world(name, WorldFact::ProcessCrashed)
    }

    /// Power is lost, and all but the first `kept` records with it.
    pub fn lose_power(&mut self, name: &'static str, kept: usize) -> &mut History {
        self.audit(name, AuditMoment::Crash);
        let broker = &mut self.brokers[node(name)];
        (broker.up, broker.leads) = (false, false);
        broker.log.truncate(kept);
        broker.durable = broker.durable.min(kept);
        self.world(name, WorldFact::PowerLost { sectors_lost: 1, sectors_kept: 0 })
    }

    /// The process dies, and its log is gone.
    pub fn lose_log(&mut self, name: &'static str) -> &mut History {
        self.crash(name).brokers[node(name)].log.clear();
        self
    }

    /// The node starts again, finds what it has, and registers.
    pub fn restart(&mut self, name: &'static str) -> &mut History {
        self.boot(name).recover(name).register(name)
    }

    pub fn boot(&mut self, name: &'static str) -> &mut History {
        let broker = &mut self.brokers[node(name)];
        (broker.up, broker.life) = (true, broker.life + 1);
        let life = broker.life;
        self.world(name, WorldFact::NodeStarted { life }).audit(name, AuditMoment::BeforeRecovery)
    }

    pub fn recover(&mut self, name: &'static str) -> &mut History {
        let log_end = Offset(self.brokers[node(name)].log.len() as i64);
        let (log_start, high_watermark) = (Offset(0), Offset(0));
        self.fact(name, Fact::LogOpened { partition: ORDERS, log_start, log_end, high_watermark, cut_bytes: 0 });
        let incarnation = Uuid(u128::from(self.brokers[node(name)].life));
        self.fact(name, Fact::BrokerStarted { broker: id(name), incarnation, clean: false });
        self.audit(name, AuditMoment::AfterRecovery)
    }

    pub fn register(&mut self, name: &'static str) -> &mut History {
        self.accept(name, self.brokers[node(name)].life);
        let (broker, broker_epoch) = (id(name), self.brokers[node(name)].broker_epoch);
        self.fact(name, Fact::BrokerRegistered { broker, broker_epoch });
        self.fact("c1", Fact::BrokerUnfenced { broker, broker_epoch })
    }

    /// The controller gives this incarnation of a broker the next epoch.
    pub fn accept(&mut self, name: &'static str, incarnation: u32) -> &mut History {
        self.registrations += 1;
        let broker_epoch = BrokerEpoch(self.registrations);
        self.brokers[node(name)].broker_epoch = broker_epoch;
        let incarnation = Uuid(u128::from(incarnation) << 64 | node(name) as u128);
        self.fact("c1", Fact::RegistrationAccepted { broker: id(name), incarnation, broker_epoch })
    }

    /// The next registration gets this epoch.
    pub fn registrations_go_on_from(&mut self, epoch: i64) -> &mut History {
        self.registrations = epoch - 1;
        self
    }

    /// The controller keeps a broker out.
    pub fn fence(&mut self, name: &'static str) -> &mut History {
        let (broker, broker_epoch) = (id(name), self.brokers[node(name)].broker_epoch);
        self.fact("c1", Fact::BrokerFenced { broker, broker_epoch })
    }

    /// Healing: nothing more happens but that the laboratory reads what the leader has.
    pub fn settle(&mut self) -> &mut History {
        let log = self.brokers[node(self.leader())].log.clone();
        self.settle_reading(&log.iter().map(|record| record.value).collect::<Vec<_>>())
    }

    /// The same, but the laboratory reads this.
    pub fn settle_reading(&mut self, values: &[&'static str]) -> &mut History {
        self.begin_to_settle().read("lab", 0, values).world("c1", WorldFact::Settled)
    }

    pub fn begin_to_settle(&mut self) -> &mut History {
        self.event(None, What::World(WorldFact::SettleBegan));
        let partitions = vec![(orders(), Position::Beginning)];
        let command = Command { id: OperationId(1), operation: Operation::Assign { partitions } };
        self.event(Some("lab"), What::Invoked(command))
    }

    // ---- single steps --------------------------------------------------------------------------------------------

    /// The producer is asked to write.
    pub fn write(&mut self, value: &'static str) -> &mut History {
        self.write_under(None, value)
    }

    /// The same, with a key.
    pub fn write_under(&mut self, key: Option<&'static str>, value: &'static str) -> &mut History {
        let next = self.operations.len() as u64;
        self.operations.insert(value, next);
        let sequence = self.sequences.len() as i32;
        self.sequences.insert(value, sequence);
        let (topic, value) = (Arc::from("orders"), Bytes::from_static(value.as_bytes()));
        let key = key.map(|key| Bytes::from_static(key.as_bytes()));
        let operation = Operation::Produce { topic, partition: Some(0), key, value };
        self.event(Some("p1"), What::Invoked(Command { id: OperationId(next), operation }))
    }

    /// A broker appends the value as a leader does: in its own epoch.
    pub fn append(&mut self, name: &str, value: &'static str) -> &mut History {
        let (epoch, sequence) = (self.brokers[node(name)].epoch, self.sequences.get(value).copied().unwrap_or(0));
        self.requests.insert(value, self.last_event());
        self.append_record(name, Record { value, epoch, sequence })
    }

    pub fn append_record(&mut self, name: &str, record: Record) -> &mut History {
        let offset = self.brokers[node(name)].log.len() as i64;
        self.brokers[node(name)].log.push(record);
        self.state_append(name, offset, record)
    }

    /// Only the fact.
    pub fn state_append(&mut self, name: &str, offset: i64, record: Record) -> &mut History {
        let broker = &self.brokers[node(name)];
        let fact = Fact::BatchAppended {
            partition: ORDERS,
            base_offset: Offset(offset),
            last_offset: Offset(offset),
            leader_epoch: LeaderEpoch(record.epoch),
            role_epoch: LeaderEpoch(broker.epoch),
            crc: crc(record.value),
            producer: self.terms.idempotent.then_some((
                ProducerId(9),
                ProducerEpoch(self.producer_epoch),
                Sequence(record.sequence),
            )),
            as_leader: broker.leads,
        };
        self.fact(name, fact)
    }

    /// A follower appends what the acting leader has beyond its own end.
    pub fn copy(&mut self, name: &str) -> &mut History {
        let leader = self.leader();
        self.copy_from(name, leader)
    }

    pub fn copy_from(&mut self, name: &str, from: &str) -> &mut History {
        let end = self.brokers[node(name)].log.len();
        let rest: Vec<Record> = self.brokers[node(from)].log.iter().skip(end).copied().collect();
        for record in rest {
            self.append_record(name, record);
        }
        self
    }

    /// A follower's fetch reaches the acting leader: everything below its own end is in its log.
    pub fn fetch(&mut self, name: &str) -> &mut History {
        let leader = self.leader();
        self.fetch_from(name, leader, self.brokers[node(name)].epoch)
    }

    pub fn fetch_from(&mut self, name: &str, leader: &str, epoch: i32) -> &mut History {
        let broker = &self.brokers[node(name)];
        let tap = Tap::FollowerFetch {
            partition: ORDERS,
            follower: id(name),
            broker_epoch: broker.broker_epoch,
            fetch_offset: Offset(broker.log.len() as i64),
            leader_epoch: LeaderEpoch(epoch),
            last_fetched_epoch: LeaderEpoch(broker.log.last().map_or(-1, |last| last.epoch)),
        };
        self.event(Some(leader), What::Tap(tap))
    }

    /// The leader's high watermark rises to its log end.
    pub fn advance(&mut self, name: &str) -> &mut History {
        let isr: Vec<&str> = self.isr.iter().map(|n| NODES[*n]).collect();
        self.advance_over(name, &isr)
    }

    /// The same, counting only these.
    pub fn advance_over(&mut self, name: &str, members: &[&str]) -> &mut History {
        self.advance_to(name, self.brokers[node(name)].log.len() as i64, members)
    }

    /// The leader's high watermark moves there.
    pub fn advance_to(&mut self, name: &str, to: i64, members: &[&str]) -> &mut History {
        let broker = &self.brokers[node(name)];
        let isr: Vec<BrokerId> = members.iter().map(|member| id(member)).collect();
        let (epoch, to) = (LeaderEpoch(broker.epoch), Offset(to));
        let fact = Fact::HighWatermarkAdvanced {
            partition: ORDERS,
            leader_epoch: epoch,
            from: Offset(0),
            to,
            maximal_isr: isr.clone(),
            isr,
            min_isr: self.terms.min_isr,
        };
        self.fact(name, fact)
    }

    /// A follower takes over a high watermark.
    pub fn follow_mark(&mut self, name: &str, to: i64) -> &mut History {
        let leader_epoch = LeaderEpoch(self.brokers[node(name)].epoch);
        self.fact(name, Fact::HighWatermarkFollowed { partition: ORDERS, leader_epoch, to: Offset(to) })
    }

    /// The producer's session goes on in this epoch.
    pub fn producer_epoch(&mut self, epoch: i16) -> &mut History {
        self.producer_epoch = epoch;
        self
    }

    /// A follower cuts its log.
    pub fn truncate(&mut self, name: &str, to: i64, reason: TruncationReason) -> &mut History {
        let broker = &mut self.brokers[node(name)];
        let (from, role_epoch) = (Offset(broker.log.len() as i64), LeaderEpoch(broker.epoch));
        broker.log.truncate(to as usize);
        let to = Offset(to);
        self.fact(name, Fact::LogTruncated { partition: ORDERS, from, to, role_epoch, reason })
    }

    /// It gives up what lies below.
    pub fn start_at(&mut self, name: &str, log_start: i64) -> &mut History {
        self.fact(name, Fact::LogStartMoved { partition: ORDERS, log_start: Offset(log_start) })
    }

    /// It compacts what lies below.
    pub fn compact(&mut self, name: &str, up_to: i64) -> &mut History {
        let (first_dirty, up_to) = (Offset::ZERO, Offset(up_to));
        self.fact(name, Fact::CompactionBegan { partition: ORDERS, first_dirty, up_to })
    }

    /// What it has is on its medium, and it says so.
    pub fn flush(&mut self, name: &str) -> &mut History {
        let broker = &mut self.brokers[node(name)];
        broker.durable = broker.log.len();
        let durable_end = Offset(broker.durable as i64);
        self.fact(name, Fact::LogFlushed { partition: ORDERS, durable_end })
    }

    /// The controller commits another ISR under the same leader, which learns it.
    pub fn isr(&mut self, members: &[&'static str]) -> &mut History {
        let shrunk = members.len() < self.isr.len();
        self.isr = members.iter().map(|member| node(member)).collect();
        self.partition_epoch += 1;
        if self.elected.is_some_and(|leader| !self.isr.contains(&leader)) {
            // Whom the controller takes out of the ISR does not lead any more; nobody else does yet.
            (self.elected, self.epoch) = (None, self.epoch + 1);
            let state = self.state(None);
            return self.fact("c1", Fact::LeaderElected { partition: ORDERS, state, unclean: false });
        }
        let state = self.state(self.elected);
        let leader = self.brokers.iter().position(|broker| broker.leads);
        let (partition, isr) = (ORDERS, self.isr_ids());
        let (leader_epoch, partition_epoch) = (LeaderEpoch(self.epoch), PartitionEpoch(self.partition_epoch));
        match shrunk {
            true => self.fact("c1", Fact::IsrShrunk { partition, state }),
            false => self.fact("c1", Fact::IsrExpanded { partition, state }),
        };
        if let Some(leader) = leader {
            self.fact(NODES[leader], Fact::IsrLearned { partition, leader_epoch, partition_epoch, isr });
        }
        self
    }

    /// The ISR of the next election.
    pub fn isr_by_decree(&mut self, members: &[&'static str]) -> &mut History {
        self.isr = members.iter().map(|member| node(member)).collect();
        self
    }

    /// Time goes by.
    pub fn wait(&mut self, seconds: u64) -> &mut History {
        self.shift += Duration::secs(seconds).0;
        self
    }

    /// A consumer begins to read from the beginning.
    pub fn assign(&mut self, who: &str) -> &mut History {
        let operation = Operation::Assign { partitions: vec![(orders(), Position::Beginning)] };
        self.event(Some(who), What::Invoked(Command { id: OperationId(2), operation }))
    }

    pub fn must_exercise(&mut self, check: &str) -> &mut History {
        self.must_exercise.push(check.to_string());
        self
    }

    /// While faults last the producer gets so many writes acknowledged within so many seconds.
    pub fn promise_pace(&mut self, acknowledged: usize, seconds: u64) -> &mut History {
        self.pace = Some(Pace { acknowledged, within: Duration::secs(seconds) });
        self
    }

    pub fn unwatched(&mut self) -> &mut History {
        self.enabled = false;
        self
    }

    pub fn fact(&mut self, name: &str, fact: Fact) -> &mut History {
        self.event(Some(name), What::Fact(fact))
    }

    pub fn world(&mut self, name: &str, fact: WorldFact) -> &mut History {
        self.event(Some(name), What::World(fact))
    }

    fn event(&mut self, name: Option<&str>, what: What) -> &mut History {
        let next = self.events.len() as u64 + 1;
        let node = name.map(|name| NodeId(node(name) as u16));
        self.events.push(Event {
            id: EventId(next),
            at: Time(next + self.shift),
            node,
            cause: EventId::NONE,
            also: EventId::NONE,
            what,
        });
        self
    }

    fn last_event(&self) -> EventId {
        self.events.last().map_or(EventId::NONE, |event| event.id)
    }

    fn leader(&self) -> &'static str {
        let acting = (0..3).filter(|n| self.brokers[*n].leads).max_by_key(|n| self.brokers[*n].epoch);
        NODES[acting.expect("somebody leads")]
    }

    fn place_of(&self, name: &str, value: &str) -> i64 {
        let log = &self.brokers[node(name)].log;
        log.iter().position(|record| record.value == value).map_or(log.len() as i64, |at| at as i64)
    }

    fn tapped(&self, offset: i64, record: Record) -> TappedBatch {
        let id = if self.terms.idempotent { 9 } else { -1 };
        TappedBatch {
            base_offset: Offset(offset),
            last_offset: Offset(offset),
            leader_epoch: LeaderEpoch(record.epoch),
            crc: crc(record.value),
            valid: true,
            producer: (ProducerId(id), ProducerEpoch(self.producer_epoch), Sequence(record.sequence)),
        }
    }

    fn state(&self, leader: Option<usize>) -> PartitionState {
        PartitionState {
            leader: leader.map(|leader| BrokerId(leader as i32 + 1)),
            leader_epoch: LeaderEpoch(self.epoch),
            partition_epoch: PartitionEpoch(self.partition_epoch),
            isr: self.isr_ids(),
        }
    }

    fn isr_ids(&self) -> Vec<BrokerId> {
        self.isr.iter().map(|n| BrokerId(*n as i32 + 1)).collect()
    }
}

fn node(name: &str) -> usize {
    NODES.iter().position(|known| *known == name).expect("the node exists")
}

fn id(name: &str) -> BrokerId {
    BrokerId(node(name) as i32 + 1)
}

fn orders() -> TopicPartition {
    TopicPartition { topic: Arc::from("orders"), index: 0 }
}

fn crc(value: &str) -> u32 {
    value.bytes().fold(17, |hash, byte| hash.wrapping_mul(31).wrapping_add(u32::from(byte)))
}
