//! The consumer: an actor that reads assigned partitions from their leaders and hands out records poll by poll.
//!
//! Each partition has a `Place` that says what has to happen next; one fetch per leader is on its way at a
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

mod fetching;

use std::collections::{BTreeSet, VecDeque};
use std::hash::Hash;
use std::sync::Arc;

use crate::actor::{Actor, Event, Now, Outbox};
use crate::client::certainty::is_stale_metadata;
use crate::client::cluster::Cluster;
use crate::client::config::ConsumerConfig;
use crate::client::connections::Reply;
use crate::client::lookup::{self, Lookup};
use crate::client::positions::{End, Place, Stage};
use crate::digest::Digest;
use crate::disk::Disk;
use crate::operation::{Certainty, Command, Completion, Operation, OperationId, Outcome, PolledRecord, Position};
use crate::types::{BrokerId, Duration, LeaderEpoch, Offset, Time, TopicId, TopicPartition};
use crate::wire::list_offsets_response::ListOffsetsResponse;
use crate::wire::offset_for_leader_epoch_request::{OffsetForLeaderEpochRequest, OffsetForLeaderPartition, OffsetForLeaderTopic};
use crate::wire::offset_for_leader_epoch_response::OffsetForLeaderEpochResponse;
use crate::wire::{ErrorCode, Request, Response};

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

    // ---- polls ------------------------------------------------------------------------------------------------

    /// Answers the polls that can be answered. Says whether there was one.
    fn serve(&mut self, now: Time, out: &mut Outbox) -> bool {
        let mut served = false;
        while let Some(poll) = self.polls.front() {
            let records = self.collect(now, poll.records_max);
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
    fn collect(&mut self, now: Time, records_max: usize) -> Vec<PolledRecord> {
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
                // An answer that brought us no further would be asked for again at once, for ever.
                if fetched.from == place.position.offset {
                    place.fail(now, self.config.common.retry_backoff);
                }
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
