//! The consumer: an actor that reads assigned partitions from their leaders and hands out records poll by poll.
//!
//! Each partition has a [`Place`](super::positions::Place) that says what has to happen next; one fetch per leader is on its way at a
//! time, for all partitions it leads of which nothing fetched is left. A fetch parks at the broker until something is there (long
//! poll). Positions move only with what a poll was given: what was fetched and never polled is read again by the next consumer.
//!
//! ```text
//!        poll 1 waits          answered            poll 2
//!   ───────┬──────────────────────┬───────────────────┬──────▶
//!          └─ fetch ──▶ records ──┘─ fetch ahead ─────┘
//! ```
//!
//! Nothing is fetched for nobody: only while a poll waits, and once ahead when one was answered. Simplified: no fetch sessions (KIP-227
//! lets a client decline them), no fetching from followers (KIP-392), no compression.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::hash::Hash;
use std::sync::Arc;

use super::certainty::is_stale_metadata;
use super::cluster::Cluster;
use super::config::ConsumerConfig;
use super::connections::Reply;
use super::fetched::Fetched;
use super::lookup::{self, Lookup};
use super::positions::{End, Place, Stage};
use crate::actor::{Actor, Event, Now, Outbox};
use crate::digest::Digest;
use crate::disk::Disk;
use crate::operation::{Certainty, Command, Completion, Operation, OperationId, Outcome, PolledRecord, Position};
use crate::types::{BrokerId, Duration, LeaderEpoch, Offset, Time, TopicId, TopicPartition, Uuid};
use crate::wire::fetch_request::{FetchPartition, FetchRequest, FetchTopic};
use crate::wire::fetch_response::{FetchResponse, PartitionData};
use crate::wire::list_offsets_response::ListOffsetsResponse;
use crate::wire::offset_for_leader_epoch_request::{OffsetForLeaderEpochRequest, OffsetForLeaderPartition, OffsetForLeaderTopic};
use crate::wire::offset_for_leader_epoch_response::OffsetForLeaderEpochResponse;
use crate::wire::{ApiKey, ErrorCode, Request, Response};

/// The first version of Fetch that names topics by id.
const TOPIC_IDS_SINCE: i16 = 13;

/// Reads records.
#[derive(Hash, Debug)]
pub struct ConsumerActor {
    config: ConsumerConfig,
    cluster: Cluster<Errand>,
    /// Numbers the requests about places, so that answers nobody waits for any more are recognised.
    questions: u64,
    places: Vec<Place>,
    /// The place whose records are polled next.
    turn: usize,
    polls: VecDeque<PendingPoll>,
    lookups: Vec<Lookup>,
    /// Brokers with a fetch of ours on its way.
    fetching: BTreeSet<BrokerId>,
    /// An error to be told to the next poll that would be empty.
    complaint: Option<ErrorCode>,
    wake: Option<Time>,
}

#[derive(Hash, Debug)]
struct PendingPoll {
    operation: OperationId,
    records_max: usize,
    expires: Time,
}

#[derive(Hash, Debug)]
enum Errand {
    Lookup(OperationId),
    Locate { question: Question, leader_epoch: LeaderEpoch },
    Validate { question: Question, leader_epoch: LeaderEpoch },
    Fetch { broker: BrokerId, seats: Vec<Seat> },
}

/// A request about a place.
#[derive(Clone, Copy, Hash, Debug)]
struct Question {
    place: usize,
    number: u64,
}

/// A partition within a fetch.
#[derive(Hash, Debug)]
struct Seat {
    question: Question,
    topic: TopicId,
    offset: Offset,
}

impl ConsumerActor {
    /// A consumer without any partition.
    #[must_use]
    pub fn new(config: ConsumerConfig) -> ConsumerActor {
        ConsumerActor {
            cluster: Cluster::new(&config.common),
            config,
            questions: 0,
            places: Vec::new(),
            turn: 0,
            polls: VecDeque::new(),
            lookups: Vec::new(),
            fetching: BTreeSet::new(),
            complaint: None,
            wake: None,
        }
    }

    // ---- commands ---------------------------------------------------------------------------------------------

    #[allow(clippy::wildcard_enum_match_arm)]
    fn on_command(&mut self, now: Time, command: Command, out: &mut Outbox) {
        let operation = command.id;
        match command.operation {
            Operation::Assign { partitions } => {
                self.assign(partitions);
                out.complete(Completion { id: operation, outcome: Outcome::Assigned });
            }
            Operation::Poll { records_max, wait_ms } => {
                let expires = now.plus(Duration::millis(wait_ms));
                let records_max = records_max.min(self.config.poll_records_max);
                self.polls.push_back(PendingPoll { operation, records_max, expires });
            }
            Operation::ListOffset { partition, position: Position::Beginning } => {
                self.look_up(now, operation, partition, End::First)
            }
            Operation::ListOffset { partition, position: Position::End } => self.look_up(now, operation, partition, End::Last),
            _ => fail(operation, ErrorCode::INVALID_REQUEST, out),
        }
    }

    fn assign(&mut self, partitions: Vec<(TopicPartition, Position)>) {
        self.turn = 0;
        self.complaint = None;
        self.places.clear();
        for (partition, position) in partitions {
            self.cluster.follow(&partition.topic);
            self.places.push(match position {
                Position::Beginning => Place::at_end(partition, End::First),
                Position::End => Place::at_end(partition, End::Last),
                Position::At(offset) => Place::at(partition, offset),
            });
        }
    }

    fn look_up(&mut self, now: Time, operation: OperationId, partition: TopicPartition, end: End) {
        self.cluster.follow(&partition.topic);
        self.lookups.push(Lookup::new(operation, partition, end, now.plus(self.config.common.api_timeout)));
    }

    // ---- replies ----------------------------------------------------------------------------------------------

    fn on_reply(&mut self, now: Time, reply: Reply<Errand>, out: &mut Outbox) {
        match reply.context {
            Errand::Lookup(operation) => self.on_lookup(now, operation, list_offsets(reply.response.as_ref()), out),
            Errand::Locate { question, leader_epoch } => {
                self.on_located(now, question, leader_epoch, list_offsets(reply.response.as_ref()));
            }
            Errand::Validate { question, leader_epoch } => {
                let response = match &reply.response {
                    Some(Response::OffsetForLeaderEpoch(response)) => Some(response),
                    _ => None,
                };
                self.on_validated(now, question, leader_epoch, response);
            }
            Errand::Fetch { broker, seats } => {
                self.fetching.remove(&broker);
                self.on_fetched(now, &seats, reply.response);
            }
        }
    }

    /// The place that waits for this answer, if it still does.
    fn asker(&mut self, question: Question) -> Option<&mut Place> {
        self.places.get_mut(question.place).filter(|place| place.asked == Some(question.number))
    }

    fn on_lookup(&mut self, now: Time, operation: OperationId, response: Option<&ListOffsetsResponse>, out: &mut Outbox) {
        let Some(at) = self.lookups.iter().position(|lookup| lookup.operation == operation) else { return };
        let answer = response.map(|response| lookup::answer(response, &self.lookups[at].partition));
        match answer {
            Some(Ok(found)) => {
                let partition = self.lookups.remove(at).partition;
                out.complete(Completion { id: operation, outcome: Outcome::Offset { partition, offset: Offset(found.offset) } });
            }
            Some(Err(error)) if !error.is_retriable() && !is_stale_metadata(error) => {
                self.lookups.remove(at);
                fail(operation, error, out);
            }
            Some(Err(error)) => {
                self.cluster.refresh();
                self.lookups[at].fail(now, Some(error), &self.config);
            }
            None => self.lookups[at].fail(now, None, &self.config),
        }
    }

    fn on_located(&mut self, now: Time, question: Question, leader_epoch: LeaderEpoch, response: Option<&ListOffsetsResponse>) {
        let backoff = self.config.common.retry_backoff;
        let Some(place) = self.asker(question) else { return };
        let answer = response.map(|response| lookup::answer(response, &place.partition));
        match answer {
            Some(Ok(found)) => place.on_located(Offset(found.offset), LeaderEpoch(found.leader_epoch), leader_epoch),
            Some(Err(_)) | None => {
                place.fail(now, backoff);
                self.cluster.refresh();
            }
        }
    }

    fn on_validated(
        &mut self,
        now: Time,
        question: Question,
        leader_epoch: LeaderEpoch,
        response: Option<&OffsetForLeaderEpochResponse>,
    ) {
        let (reset, backoff) = (self.config.reset, self.config.common.retry_backoff);
        let Some(place) = self.asker(question) else { return };
        let topics = response.iter().flat_map(|response| &response.topics).filter(|topic| *topic.topic == *place.partition.topic);
        let answer = topics.flat_map(|topic| &topic.partitions).find(|answer| answer.partition == place.partition.index);
        match answer {
            Some(answer) if answer.error_code == 0 => place.on_validated(answer, leader_epoch, reset),
            Some(_) | None => {
                place.fail(now, backoff);
                self.cluster.refresh();
            }
        }
    }

    fn on_fetched(&mut self, now: Time, seats: &[Seat], response: Option<Response>) {
        let response = match response {
            Some(Response::Fetch(response)) => response,
            _ => FetchResponse { error_code: ErrorCode::NETWORK_EXCEPTION.code(), ..FetchResponse::default() },
        };
        let backoff = self.config.common.retry_backoff;
        for seat in seats {
            let Some(place) = self.asker(seat.question) else { continue };
            let is_topic =
                |name: &str, id: TopicId| if name.is_empty() { id == seat.topic } else { *name == *place.partition.topic };
            let topics = response.responses.iter().filter(|topic| is_topic(&topic.topic, topic.topic_id));
            let answer = topics.flat_map(|topic| &topic.partitions).find(|p| p.partition_index == place.partition.index);
            match answer.filter(|_| response.error_code == 0) {
                Some(answer) => self.on_partition(now, seat, answer),
                None => {
                    place.fail(now, backoff);
                    self.cluster.refresh();
                }
            }
        }
    }

    fn on_partition(&mut self, now: Time, seat: &Seat, answer: &PartitionData) {
        let place = &mut self.places[seat.question.place];
        assert!(place.stage == Stage::Reading && place.position.offset == seat.offset, "{place:?} waits for {seat:?}");
        match ErrorCode(answer.error_code) {
            ErrorCode::NONE => {
                place.succeed();
                let records = answer.records.clone().filter(|records| !records.is_empty());
                let aborted = answer.aborted_transactions.as_deref().unwrap_or_default();
                place.fetched = records.map(|records| Fetched::new(records, aborted));
            }
            ErrorCode::OFFSET_OUT_OF_RANGE => {
                place.succeed();
                place.reset(self.config.reset, ErrorCode::OFFSET_OUT_OF_RANGE);
            }
            error => {
                place.fail(now, self.config.common.retry_backoff);
                if is_stale_metadata(error) {
                    let (partition, leader) = (&place.partition, &answer.current_leader);
                    self.cluster.learn_leader(&partition.topic, partition.index, leader.leader_id, leader.leader_epoch);
                    self.cluster.refresh();
                } else if !error.is_retriable() && error != ErrorCode::UNKNOWN_SERVER_ERROR {
                    self.complaint = Some(error);
                }
            }
        }
    }

    // ---- polls ------------------------------------------------------------------------------------------------

    /// Answers the polls that can be answered. Says whether there was one.
    fn serve(&mut self, now: Time, out: &mut Outbox) -> bool {
        let mut served = false;
        while let Some(poll) = self.polls.front() {
            let records = self.collect(poll.records_max);
            let poll = self.polls.front().expect("nothing was taken out");
            let outcome = match self.trouble() {
                Some(error) if records.is_empty() => {
                    self.complaint = None;
                    Outcome::Failed { code: error.code(), certainty: Certainty::Definite }
                }
                _ if records.is_empty() && poll.records_max > 0 && now < poll.expires => break,
                _ => Outcome::Polled { records },
            };
            out.complete(Completion { id: poll.operation, outcome });
            self.polls.pop_front();
            served = true;
        }
        served
    }

    fn trouble(&self) -> Option<ErrorCode> {
        let stuck = self.places.iter().find_map(|place| match place.stage {
            Stage::Stuck(error) => Some(error),
            Stage::Locating(_) | Stage::Validating | Stage::Reading => None,
        });
        self.complaint.or(stuck)
    }

    /// Takes records out of what was fetched: all there is of one partition, then of the next.
    fn collect(&mut self, records_max: usize) -> Vec<PolledRecord> {
        let mut records = Vec::new();
        for _ in 0..self.places.len() {
            self.turn %= self.places.len();
            let place = &mut self.places[self.turn];
            let Some(fetched) = place.fetched.as_mut().filter(|_| place.stage == Stage::Reading) else {
                self.turn += 1;
                continue;
            };
            while records.len() < records_max {
                match fetched.next(&mut place.position) {
                    Ok(Some(record)) => records.push(PolledRecord {
                        partition: place.partition.clone(),
                        offset: record.offset,
                        leader_epoch: record.leader_epoch,
                        timestamp: record.timestamp,
                        key: record.key,
                        value: record.value,
                    }),
                    Ok(None) => break,
                    Err(error) => {
                        self.complaint = Some(error);
                        break;
                    }
                }
            }
            if fetched.is_drained() {
                place.fetched = None;
            }
            if records.len() >= records_max {
                break;
            }
            self.turn += 1;
        }
        records
    }

    // ---- requests ---------------------------------------------------------------------------------------------

    /// Positions whose partition has a newer leader are compared with its log before anything else is read.
    fn notice_epochs(&mut self) {
        for place in &mut self.places {
            place.on_leader_epoch(self.cluster.metadata().epoch(&place.partition.topic, place.partition.index));
        }
    }

    fn ask_for_lookups(&mut self, now: Time, out: &mut Outbox) {
        let expired = |lookup: &Lookup| lookup.expires <= now;
        for lookup in self.lookups.iter().filter(|lookup| expired(lookup)) {
            let topic = self.cluster.metadata().topic(&lookup.partition.topic);
            let unknown = topic.map_or(ErrorCode::NONE, |topic| ErrorCode(topic.error));
            fail(lookup.operation, if lookup.error.is_none() { unknown } else { lookup.error }, out);
        }
        self.lookups.retain(|lookup| !expired(lookup));
        for lookup in self.lookups.iter_mut().filter(|lookup| !lookup.asked && lookup.retry_at <= now) {
            let partition = &lookup.partition;
            let Some(leader) = self.cluster.leader(&partition.topic, partition.index) else { continue };
            let request = lookup::request(partition, lookup.end, leader.epoch, self.config.isolation);
            match send(&mut self.cluster, leader.broker, request, Errand::Lookup(lookup.operation), now, out) {
                Sent::OnItsWay => lookup.asked = true,
                Sent::NotYet => {}
                Sent::Impossible => lookup.fail(now, Some(ErrorCode::UNSUPPORTED_VERSION), &self.config),
            }
        }
    }

    fn ask_for_positions(&mut self, now: Time, out: &mut Outbox) {
        let due = |place: &Place| place.is_asking() && place.asked.is_none() && place.retry_at <= now;
        for (at, place) in self.places.iter_mut().enumerate().filter(|(_, place)| due(place)) {
            let Some(leader) = self.cluster.leader(&place.partition.topic, place.partition.index) else { continue };
            let leader_epoch = leader.epoch;
            self.questions += 1;
            let question = Question { place: at, number: self.questions };
            let (request, errand) = match place.stage {
                Stage::Locating(end) => (
                    lookup::request(&place.partition, end, leader_epoch, self.config.isolation),
                    Errand::Locate { question, leader_epoch },
                ),
                Stage::Validating => (validate_request(place, leader_epoch), Errand::Validate { question, leader_epoch }),
                Stage::Reading | Stage::Stuck(_) => continue,
            };
            match send(&mut self.cluster, leader.broker, request, errand, now, out) {
                Sent::OnItsWay => place.asked = Some(question.number),
                Sent::NotYet => {}
                // A broker too old to compare epochs cannot be asked: the offset alone has to do.
                Sent::Impossible if place.stage == Stage::Validating => {
                    place.leader_epoch = leader.epoch;
                    place.stage = Stage::Reading;
                }
                Sent::Impossible => place.fail(now, self.config.common.retry_backoff),
            }
        }
    }

    /// One fetch to each leader that has none on its way, for all its partitions of which nothing is left.
    fn fetch(&mut self, now: Time, out: &mut Outbox) {
        let mut hungry: BTreeMap<BrokerId, Vec<usize>> = BTreeMap::new();
        for (at, place) in self.places.iter().enumerate().filter(|(_, place)| place.is_hungry() && place.retry_at <= now) {
            if let Some(leader) = self.cluster.leader(&place.partition.topic, place.partition.index) {
                hungry.entry(leader.broker).or_default().push(at);
            }
        }
        for (broker, places) in hungry {
            if !self.fetching.contains(&broker) {
                self.fetch_from(broker, &places, now, out);
            }
        }
    }

    fn fetch_from(&mut self, broker: BrokerId, places: &[usize], now: Time, out: &mut Outbox) {
        let Some(contact) = self.cluster.version(broker, ApiKey::Fetch, now, out) else { return };
        self.questions += 1;
        let seats: Vec<Seat> = places.iter().map(|place| self.seat(*place)).collect();
        let names = seats.iter().any(|seat| seat.topic == Uuid::ZERO);
        let version = contact.version.map(|version| if names { version.min(TOPIC_IDS_SINCE - 1) } else { version });
        let request = self.fetch_request(&seats, version.is_some_and(|version| version < TOPIC_IDS_SINCE));
        let errand = Errand::Fetch { broker, seats };
        let sent =
            version.is_some_and(|version| self.cluster.send(&contact.address, version, request, Some(errand), now, out).is_ok());
        for place in places {
            let place = &mut self.places[*place];
            match sent {
                true => place.asked = Some(self.questions),
                false => place.fail(now, self.config.common.retry_backoff),
            }
        }
        if sent {
            self.fetching.insert(broker);
        }
    }

    fn seat(&self, place: usize) -> Seat {
        let Place { partition, position, .. } = &self.places[place];
        let topic = self.cluster.metadata().topic(&partition.topic).map_or(Uuid::ZERO, |topic| topic.id);
        Seat { question: Question { place, number: self.questions }, topic, offset: position.offset }
    }

    fn fetch_request(&self, seats: &[Seat], names: bool) -> Request {
        let mut topics: Vec<FetchTopic> = Vec::new();
        for seat in seats {
            let Place { partition, leader_epoch, .. } = &self.places[seat.question.place];
            let asked = FetchPartition {
                partition: partition.index,
                current_leader_epoch: leader_epoch.0,
                fetch_offset: seat.offset.0,
                partition_max_bytes: self.config.partition_bytes_max,
                ..FetchPartition::default()
            };
            match topics.iter_mut().find(|t| if names { *t.topic == *partition.topic } else { t.topic_id == seat.topic }) {
                Some(topic) => topic.partitions.push(asked),
                None => topics.push(FetchTopic {
                    topic: if names { partition.topic.to_string() } else { String::new() },
                    topic_id: seat.topic,
                    partitions: vec![asked],
                    ..FetchTopic::default()
                }),
            }
        }
        Request::Fetch(FetchRequest {
            max_wait_ms: i32::try_from(self.config.fetch_wait_max.as_millis()).unwrap_or(i32::MAX),
            min_bytes: self.config.fetch_bytes_min,
            max_bytes: self.config.fetch_bytes_max,
            isolation_level: self.config.isolation.code(),
            topics,
            ..FetchRequest::default()
        })
    }

    /// Topics nobody reads or asks about any more are not worth metadata.
    fn unfollow(&mut self, before: &[Arc<str>]) {
        for topic in before {
            let read = self.places.iter().any(|place| place.partition.topic == *topic);
            if !read && !self.lookups.iter().any(|lookup| lookup.partition.topic == *topic) {
                self.cluster.unfollow(topic);
            }
        }
    }

    fn topics(&self) -> Vec<Arc<str>> {
        let read = self.places.iter().map(|place| &place.partition.topic);
        read.chain(self.lookups.iter().map(|lookup| &lookup.partition.topic)).cloned().collect()
    }

    fn next_wake(&self, now: Time) -> Option<Time> {
        let polled = !self.polls.is_empty();
        let wanted = |place: &&Place| (place.is_asking() && place.asked.is_none()) || (place.is_hungry() && polled);
        let places = self.places.iter().filter(wanted).map(|place| place.retry_at);
        let lookups = self.lookups.iter().flat_map(|lookup| [lookup.expires, lookup.retry_at]);
        let polls = self.polls.iter().map(|poll| poll.expires);
        // What is due already waits for an answer or a connection, not for the clock.
        let own = places.chain(lookups).chain(polls).filter(|at| *at > now).min();
        [own, self.cluster.deadline(now)].into_iter().flatten().min()
    }
}

impl Actor for ConsumerActor {
    fn step(&mut self, now: Now, event: Event, _disk: &mut dyn Disk, out: &mut Outbox) {
        let now = now.mono;
        for reply in self.cluster.on_event(now, &event, out) {
            self.on_reply(now, reply, out);
        }
        let assigns = matches!(&event, Event::Command(command) if matches!(command.operation, Operation::Assign { .. }));
        let may_end = assigns || !self.lookups.is_empty();
        let before = if may_end { self.topics() } else { Vec::new() };
        if let Event::Command(command) = event {
            self.on_command(now, command, out);
        }
        self.notice_epochs();
        let served = self.serve(now, out);
        // Before the rest, so that the question does not queue behind a fetch that waits for records.
        self.cluster.drive(now, out);
        self.ask_for_lookups(now, out);
        self.ask_for_positions(now, out);
        if served || !self.polls.is_empty() {
            self.fetch(now, out);
        }
        self.unfollow(&before);
        self.cluster.drive(now, out);
        self.wake = self.next_wake(now);
    }

    fn deadline(&self) -> Option<Time> {
        self.wake
    }

    fn digest(&self, hash: &mut Digest) {
        self.hash(hash);
    }
}

enum Sent {
    OnItsWay,
    NotYet,
    Impossible,
}

fn send(cluster: &mut Cluster<Errand>, to: BrokerId, request: Request, errand: Errand, now: Time, out: &mut Outbox) -> Sent {
    let Some(contact) = cluster.version(to, request.api_key(), now, out) else { return Sent::NotYet };
    let Some(version) = contact.version else { return Sent::Impossible };
    match cluster.send(&contact.address, version, request, Some(errand), now, out) {
        Ok(()) => Sent::OnItsWay,
        Err(_) => Sent::Impossible,
    }
}

fn validate_request(place: &Place, epoch: LeaderEpoch) -> Request {
    let partition = OffsetForLeaderPartition {
        partition: place.partition.index,
        current_leader_epoch: epoch.0,
        leader_epoch: place.position.epoch.0,
        ..OffsetForLeaderPartition::default()
    };
    let topic = OffsetForLeaderTopic {
        topic: place.partition.topic.to_string(),
        partitions: vec![partition],
        ..OffsetForLeaderTopic::default()
    };
    Request::OffsetForLeaderEpoch(OffsetForLeaderEpochRequest { replica_id: -1, topics: vec![topic], ..Default::default() })
}

fn list_offsets(response: Option<&Response>) -> Option<&ListOffsetsResponse> {
    match response {
        Some(Response::ListOffsets(response)) => Some(response),
        _ => None,
    }
}

fn fail(id: OperationId, error: ErrorCode, out: &mut Outbox) {
    out.complete(Completion { id, outcome: Outcome::Failed { code: error.code(), certainty: Certainty::Definite } });
}
