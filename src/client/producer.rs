//! The producer: an actor that turns `Produce` commands into records in the log, and says for each how it ended.
//!
//! ```text
//!   Command ─▶ unrouted ─▶ lane of its partition ─▶ one request per broker, a batch of each lane in it ─▶ Completion
//!              (until the    (accumulator.rs)          (at most max.in.flight per connection)
//!               topic is known)
//! ```
//!
//! Every command is answered once, within `delivery.timeout.ms`: written, or failed with a certainty that follows from all attempts
//! (see [`certainty`](super::certainty)). Waiting for metadata counts as part of that time; Kafka has `max.block.ms` for it.
//! Simplified: no compression, no transactions, and a batch that is too large for the broker fails whole instead of being split.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::hash::Hash;
use std::sync::Arc;

use super::accumulator::{Ended, Ending, Landing, Lane, PendingRecord};
use super::certainty::is_stale_metadata;
use super::cluster::{Cluster, Contact};
use super::config::{Acks, ProducerConfig};
use super::connections::Reply;
use super::partitioner::{Sticky, by_key};
use super::sequences::{Identity, Retirement, Session};
use crate::actor::{Actor, Event, Now, Outbox};
use crate::digest::Digest;
use crate::disk::Disk;
use crate::operation::{Certainty, Command, Completion, Operation, OperationId, Outcome};
use crate::types::{BrokerId, Offset, ProducerEpoch, ProducerId, Time, TopicId, TopicPartition, Uuid};
use crate::wire::init_producer_id_request::InitProducerIdRequest;
use crate::wire::init_producer_id_response::InitProducerIdResponse;
use crate::wire::produce_request::{PartitionProduceData, ProduceRequest, TopicProduceData};
use crate::wire::produce_response::{PartitionProduceResponse, ProduceResponse};
use crate::wire::{ApiKey, ErrorCode, Request, Response};

/// A request is not filled beyond this (`max.request.size`).
const REQUEST_BYTES_MAX: usize = 1 << 20;
/// The first version of Produce that names topics by id.
const TOPIC_IDS_SINCE: i16 = 13;

/// Writes records.
#[derive(Hash, Debug)]
pub struct ProducerActor {
    config: ProducerConfig,
    cluster: Cluster<Errand>,
    session: Session,
    unrouted: VecDeque<Unrouted>,
    topics: BTreeMap<Arc<str>, Topic>,
    lanes: Vec<Lane>,
    /// Lanes in which something waits or flies.
    busy: BTreeSet<usize>,
    batches: u64,
    wake: Option<Time>,
}

#[derive(Hash, Debug)]
enum Errand {
    Identity,
    Produce(Vec<Passenger>),
}

/// A batch within a request.
#[derive(Hash, Debug)]
struct Passenger {
    lane: usize,
    batch: u64,
    topic: TopicId,
}

/// A record whose partition is not known so far.
#[derive(Hash, Debug)]
struct Unrouted {
    topic: Arc<str>,
    partition: Option<i32>,
    record: PendingRecord,
}

impl Unrouted {
    fn expires(&self, config: &ProducerConfig) -> Time {
        self.record.given.plus(config.delivery_timeout)
    }
}

#[derive(Hash, Debug, Default)]
struct Topic {
    sticky: Sticky,
    lanes: BTreeMap<i32, usize>,
}

/// Why a record cannot be given to a lane.
enum Unroutable {
    /// Not yet.
    Unknown,
    /// The topic will never do.
    Never(ErrorCode),
}

impl ProducerActor {
    /// A producer that has done nothing so far.
    #[must_use]
    pub fn new(config: ProducerConfig) -> ProducerActor {
        ProducerActor {
            cluster: Cluster::new(&config.common),
            config,
            session: Session::new(),
            unrouted: VecDeque::new(),
            topics: BTreeMap::new(),
            lanes: Vec::new(),
            busy: BTreeSet::new(),
            batches: 0,
            wake: None,
        }
    }

    fn on_command(&mut self, now: Now, command: Command, out: &mut Outbox) {
        let Operation::Produce { topic, partition, key, value } = command.operation else {
            return out.complete(refusal(command.id));
        };
        let record = PendingRecord { operation: command.id, given: now.mono, timestamp: now.wall, key, value };
        self.cluster.follow(&topic);
        // Records of a partition keep their order also while metadata are awaited.
        let queued = self.unrouted.iter().any(|other| other.topic == topic && other.partition == partition);
        let unrouted = Unrouted { topic, partition, record };
        match self.route(&unrouted) {
            Ok(lane) if !queued => self.enter(now.mono, lane, unrouted.record),
            Err(Unroutable::Never(error)) => fail(unrouted.record.operation, error, Certainty::Definite, out),
            Ok(_) | Err(Unroutable::Unknown) => {
                self.cluster.miss();
                self.unrouted.push_back(unrouted);
            }
        }
    }

    /// The lane for a record.
    fn route(&mut self, unrouted: &Unrouted) -> Result<usize, Unroutable> {
        let metadata = self.cluster.metadata();
        let known = metadata.topic(&unrouted.topic).ok_or(Unroutable::Unknown)?;
        match ErrorCode(known.error) {
            ErrorCode::NONE => {}
            error @ (ErrorCode::INVALID_TOPIC_EXCEPTION | ErrorCode::TOPIC_AUTHORIZATION_FAILED) => {
                return Err(Unroutable::Never(error));
            }
            _ => return Err(Unroutable::Unknown),
        }
        if !self.topics.contains_key(&unrouted.topic) {
            self.topics.insert(Arc::clone(&unrouted.topic), Topic::default());
        }
        let topic = self.topics.get_mut(&unrouted.topic).expect("it was put there if it was missing");
        let partitions = i32::try_from(known.partitions.len()).unwrap_or(i32::MAX);
        let index = match (unrouted.partition, &unrouted.record.key) {
            (Some(index), _) => index,
            (None, Some(key)) => by_key(key, partitions),
            (None, None) => {
                let led = |index: i32| known.partitions.get(&index).is_some_and(|partition| partition.leader.is_some());
                let size = unrouted.record.size();
                let stay = topic.sticky.stay(size, self.config.batch_bytes_max, led);
                let switch = || {
                    let all = || known.partitions.keys().copied();
                    let available: Vec<i32> = if all().any(led) { all().filter(|i| led(*i)).collect() } else { all().collect() };
                    topic.sticky.switch(self.config.common.seed, &unrouted.topic, &available, size)
                };
                stay.or_else(switch).ok_or(Unroutable::Unknown)?
            }
        };
        if !known.partitions.contains_key(&index) {
            return Err(if index < 0 { Unroutable::Never(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION) } else { Unroutable::Unknown });
        }
        let lanes = &mut self.lanes;
        Ok(*topic.lanes.entry(index).or_insert_with(|| {
            lanes.push(Lane::new(Arc::clone(&unrouted.topic), index));
            lanes.len() - 1
        }))
    }

    fn enter(&mut self, now: Time, lane: usize, record: PendingRecord) {
        self.lanes[lane].push(now, record, &mut self.batches, &self.config);
        self.busy.insert(lane);
    }

    /// Gives waiting records to their lanes as far as metadata allow, and up those that have waited too long.
    fn route_unrouted(&mut self, now: Time, out: &mut Outbox) {
        let mut stuck: BTreeSet<(Arc<str>, Option<i32>)> = BTreeSet::new();
        for unrouted in std::mem::take(&mut self.unrouted) {
            let kind = (Arc::clone(&unrouted.topic), unrouted.partition);
            let routed = if stuck.contains(&kind) { Err(Unroutable::Unknown) } else { self.route(&unrouted) };
            match routed {
                Ok(lane) => self.enter(now, lane, unrouted.record),
                Err(Unroutable::Never(error)) => fail(unrouted.record.operation, error, Certainty::Definite, out),
                Err(Unroutable::Unknown) if unrouted.expires(&self.config) <= now => {
                    let error = self.cluster.metadata().topic(&unrouted.topic).map_or(0, |topic| topic.error);
                    fail(unrouted.record.operation, ErrorCode(error), Certainty::Definite, out);
                }
                Err(Unroutable::Unknown) => {
                    stuck.insert(kind);
                    self.unrouted.push_back(unrouted);
                }
            }
        }
    }

    fn on_reply(&mut self, now: Time, reply: Reply<Errand>, out: &mut Outbox) {
        match (reply.context, reply.response) {
            (Errand::Identity, Some(Response::InitProducerId(response))) => self.on_identity(now, Some(&response)),
            (Errand::Identity, _) => self.on_identity(now, None),
            (Errand::Produce(passengers), Some(Response::Produce(response))) => {
                for passenger in &passengers {
                    let answer = self.answer_for(passenger, &response);
                    self.on_answer(now, passenger, answer, out);
                }
            }
            (Errand::Produce(passengers), _) => {
                for passenger in &passengers {
                    self.on_landing(now, passenger, Landing::Lost, out);
                }
            }
        }
    }

    fn answer_for<'r>(&self, passenger: &Passenger, response: &'r ProduceResponse) -> Option<&'r PartitionProduceResponse> {
        let lane = &self.lanes[passenger.lane];
        let is_topic = |name: &str, id: TopicId| if name.is_empty() { id == passenger.topic } else { *name == *lane.topic };
        let topics = response.responses.iter().filter(|topic| is_topic(&topic.name, topic.topic_id));
        topics.flat_map(|topic| &topic.partition_responses).find(|partition| partition.index == lane.index)
    }

    fn on_answer(&mut self, now: Time, passenger: &Passenger, answer: Option<&PartitionProduceResponse>, out: &mut Outbox) {
        // A broker that does not mention a partition has said nothing about its fate.
        let Some(answer) = answer else { return self.on_landing(now, passenger, Landing::Lost, out) };
        let error = ErrorCode(answer.error_code);
        if is_stale_metadata(error) {
            let lane = &self.lanes[passenger.lane];
            let leader = &answer.current_leader;
            self.cluster.learn_leader(&lane.topic, lane.index, leader.leader_id, leader.leader_epoch);
            self.cluster.refresh();
        }
        self.on_landing(now, passenger, Landing::Answered(error, answer.base_offset), out);
    }

    fn on_landing(&mut self, now: Time, passenger: &Passenger, landing: Landing, out: &mut Outbox) {
        let mut ended = Vec::new();
        let retired = self.lanes[passenger.lane].land(now, passenger.batch, landing, &self.config, &mut ended);
        self.after_change(passenger.lane, retired, ended, out);
    }

    fn after_change(&mut self, lane: usize, retired: Option<(Identity, Retirement)>, ended: Vec<Ended>, out: &mut Outbox) {
        if let Some(mutant) = self.config.common.mutants.planted()
            && self.lanes[lane].take_acted()
        {
            out.fact(mutant.acted());
        }
        if let Some((identity, why)) = retired {
            self.session.retire(identity, why);
        }
        for ended in ended {
            self.complete(lane, ended, out);
        }
        if self.lanes[lane].is_idle() {
            self.busy.remove(&lane);
        }
    }

    fn complete(&self, lane: usize, ended: Ended, out: &mut Outbox) {
        let lane = &self.lanes[lane];
        for (place, record) in (0..).zip(ended.records) {
            match ended.ending {
                Ending::Written(base) => {
                    let partition = TopicPartition { topic: Arc::clone(&lane.topic), index: lane.index };
                    let offset = base.map(|base| Offset(base.0.saturating_add(place)));
                    out.complete(Completion { id: record.operation, outcome: Outcome::Produced { partition, offset } });
                }
                Ending::Failed(error, certainty) => fail(record.operation, error, certainty, out),
            }
        }
    }

    fn on_identity(&mut self, now: Time, response: Option<&InitProducerIdResponse>) {
        let failures = match self.session {
            Session::Asked { failures } => failures + 1,
            Session::Missing { failures, .. } => failures + 1,
            Session::Held(_) => return,
        };
        self.session = match response {
            Some(r) if r.error_code == 0 && r.producer_id >= 0 && r.producer_epoch >= 0 => {
                Session::Held(Identity { id: ProducerId(r.producer_id), epoch: ProducerEpoch(r.producer_epoch) })
            }
            _ => Session::Missing { not_before: now.plus(self.config.common.retry_backoff.after(failures)), failures },
        };
    }

    fn ask_identity(&mut self, now: Time, out: &mut Outbox) {
        let Session::Missing { not_before, failures } = self.session else { return };
        let needed = self.config.idempotence && !(self.busy.is_empty() && self.unrouted.is_empty());
        if !needed || now < not_before {
            return;
        }
        let Some(contact) = self.cluster.any(ApiKey::InitProducerId, now, out) else { return };
        let request = InitProducerIdRequest { transactional_id: None, transaction_timeout_ms: i32::MAX, ..Default::default() };
        let request = Request::InitProducerId(request);
        let sent = contact.version.is_some_and(|version| {
            self.cluster.send(&contact.address, version, request, Some(Errand::Identity), now, out).is_ok()
        });
        self.session = Session::Asked { failures };
        if !sent {
            self.on_identity(now, None);
        }
    }

    /// Sends what may be sent, until nothing more may.
    fn launch(&mut self, now: Time, out: &mut Outbox) {
        loop {
            let mut ready = self.ready(now);
            ready.sort();
            let mut progress = false;
            for group in ready.chunk_by(|a, b| a.0 == b.0) {
                let Some(contact) = self.cluster.version(group[0].0, ApiKey::Produce, now, out) else { continue };
                if contact.in_flight < self.config.in_flight_max {
                    let lanes: Vec<usize> = group.iter().map(|(_, lane)| *lane).collect();
                    self.send(now, &contact, &lanes, out);
                    progress = true;
                }
            }
            if !progress {
                return;
            }
        }
    }

    /// Lanes whose front may go, and to whom.
    fn ready(&mut self, now: Time) -> Vec<(BrokerId, usize)> {
        let current = self.session.identity();
        let mut ready = Vec::new();
        for &at in &self.busy {
            let lane = &self.lanes[at];
            if lane.ready_at(&self.config).is_some_and(|at| at <= now)
                && lane.may_launch(current, &self.config)
                && let Some(leader) = self.cluster.leader(&lane.topic, lane.index)
            {
                ready.push((leader.broker, at));
            }
        }
        ready
    }

    /// One request with the fronts of these lanes, as many as fit.
    fn send(&mut self, now: Time, contact: &Contact, lanes: &[usize], out: &mut Outbox) {
        let mut topic_data: Vec<TopicProduceData> = Vec::new();
        let mut passengers = Vec::with_capacity(lanes.len());
        let ids: Vec<TopicId> = lanes.iter().map(|lane| self.topic_id(*lane)).collect();
        let names = ids.contains(&Uuid::ZERO) || contact.version.is_none_or(|version| version < TOPIC_IDS_SINCE);
        let mut bytes = 0;
        for (&at, &id) in lanes.iter().zip(&ids) {
            let lane = &mut self.lanes[at];
            bytes += lane.front_size();
            if bytes > REQUEST_BYTES_MAX && !passengers.is_empty() {
                break;
            }
            let index = lane.index;
            let batch = lane.launch(self.session.identity(), &self.config);
            let data = PartitionProduceData { index, records: Some(batch.encode()), ..Default::default() };
            passengers.push(Passenger { lane: at, batch: batch.id, topic: id });
            match topic_data.iter_mut().find(|topic| if names { *topic.name == *lane.topic } else { topic.topic_id == id }) {
                Some(topic) => topic.partition_data.push(data),
                None => {
                    let name = if names { lane.topic.to_string() } else { String::new() };
                    topic_data.push(TopicProduceData { name, topic_id: id, partition_data: vec![data], ..Default::default() });
                }
            }
        }
        let request = Request::Produce(ProduceRequest {
            acks: self.config.acks.code(),
            timeout_ms: i32::try_from(self.config.common.request_timeout.as_millis()).unwrap_or(i32::MAX),
            topic_data,
            ..Default::default()
        });
        self.dispatch(now, contact, names, request, passengers, out);
    }

    fn dispatch(
        &mut self,
        now: Time,
        contact: &Contact,
        names: bool,
        request: Request,
        passengers: Vec<Passenger>,
        out: &mut Outbox,
    ) {
        let answered = self.config.acks != Acks::Zero;
        let landings: Vec<(usize, u64)> = passengers.iter().map(|passenger| (passenger.lane, passenger.batch)).collect();
        let version = contact.version.map(|version| if names { version.min(TOPIC_IDS_SINCE - 1) } else { version });
        let sent = version.is_some_and(|version| {
            let context = answered.then_some(Errand::Produce(passengers));
            self.cluster.send(&contact.address, version, request, context, now, out).is_ok()
        });
        if sent && answered {
            return;
        }
        // With acks=0 nobody will ever answer: what is written to an open connection counts as written.
        let landing =
            if sent { Landing::Answered(ErrorCode::NONE, -1) } else { Landing::Unsendable(ErrorCode::UNSUPPORTED_VERSION) };
        for (lane, batch) in landings {
            self.on_landing(now, &Passenger { lane, batch, topic: Uuid::ZERO }, landing, out);
        }
    }

    fn topic_id(&self, lane: usize) -> TopicId {
        self.cluster.metadata().topic(&self.lanes[lane].topic).map_or(Uuid::ZERO, |topic| topic.id)
    }

    fn expire(&mut self, now: Time, out: &mut Outbox) {
        let busy: Vec<usize> = self.busy.iter().copied().collect();
        for lane in busy {
            if self.lanes[lane].expires(&self.config).is_some_and(|at| at <= now) {
                let mut ended = Vec::new();
                let retired = self.lanes[lane].expire(now, &self.config, &mut ended);
                self.after_change(lane, retired, ended, out);
            }
        }
    }

    fn next_wake(&self, now: Time) -> Option<Time> {
        let lanes = self.busy.iter().flat_map(|lane| {
            let lane = &self.lanes[*lane];
            [lane.ready_at(&self.config), lane.expires(&self.config)]
        });
        let identity = match self.session {
            Session::Missing { not_before, .. } => Some(not_before),
            Session::Asked { .. } | Session::Held(_) => None,
        };
        let unrouted = self.unrouted.front().map(|unrouted| unrouted.expires(&self.config));
        // What is due already waits for an answer or a connection, not for the clock.
        let own = lanes.chain([identity, unrouted]).flatten().filter(|at| *at > now).min();
        [own, self.cluster.deadline(now)].into_iter().flatten().min()
    }
}

impl Actor for ProducerActor {
    fn step(&mut self, now: Now, event: Event, _disk: &mut dyn Disk, out: &mut Outbox) {
        for reply in self.cluster.on_event(now.mono, &event, out) {
            self.on_reply(now.mono, reply, out);
        }
        if let Event::Command(command) = event {
            self.on_command(now, command, out);
        }
        if !self.unrouted.is_empty() {
            self.route_unrouted(now.mono, out);
        }
        self.expire(now.mono, out);
        // Before the rest, so that the question does not queue behind a request that waits for replicas.
        self.cluster.drive(now.mono, out);
        self.ask_identity(now.mono, out);
        self.launch(now.mono, out);
        self.cluster.drive(now.mono, out);
        self.wake = self.next_wake(now.mono);
    }

    fn deadline(&self) -> Option<Time> {
        self.wake
    }

    fn digest(&self, hash: &mut Digest) {
        self.hash(hash);
    }
}

fn fail(id: OperationId, error: ErrorCode, certainty: Certainty, out: &mut Outbox) {
    out.complete(Completion { id, outcome: Outcome::Failed { code: error.code(), certainty } });
}

/// The answer to a command that this kind of client does not know.
fn refusal(id: OperationId) -> Completion {
    Completion { id, outcome: Outcome::Failed { code: ErrorCode::INVALID_REQUEST.code(), certainty: Certainty::Definite } }
}
