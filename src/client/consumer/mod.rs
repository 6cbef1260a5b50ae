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
mod polls;

use std::collections::{BTreeSet, VecDeque};
use std::hash::Hash;
use std::sync::Arc;

use crate::actor::{Actor, Event, Now, Outbox};
use crate::client::certainty::is_stale_metadata;
use crate::client::cluster::Cluster;
use crate::client::config::ConsumerConfig;
use crate::client::connections::Reply;
use crate::client::group::{Desk, Ending, Membership};
use crate::client::lookup::{self, Lookup};
use crate::client::places::Places;
use crate::client::positions::{End, Place, Stage};
use crate::digest::Digest;
use crate::disk::Disk;
use crate::mutant::Mutant;
use crate::operation::{Certainty, Command, Completion, Operation, OperationId, Outcome, Position};
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
    /// Its part in a group, if it has a `group.id`.
    group: Option<Membership>,
    /// Numbers the requests about places, so that answers nobody waits for any more are recognised.
    questions: u64,
    places: Places,
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

/// What a request was for.
#[derive(Hash, Debug)]
pub enum Errand {
    /// A `ListOffset` command.
    Lookup(OperationId),
    /// A position to be found at an end of a partition.
    Locate {
        /// Of which place.
        question: Question,
        /// The leader that was asked.
        leader_epoch: LeaderEpoch,
    },
    /// A position to be compared with the leader's log.
    Validate {
        /// Of which place.
        question: Question,
        /// The leader that was asked.
        leader_epoch: LeaderEpoch,
    },
    /// Records.
    Fetch {
        /// From whom.
        broker: BrokerId,
        /// Of which partitions.
        seats: Vec<Seat>,
    },
    /// The coordinator of the group, with the number of the search.
    Coordinator(u64),
}

/// A request about a place.
#[derive(Clone, Copy, Hash, Debug)]
pub struct Question {
    /// Number of the place.
    place: u64,
    /// Number of the request.
    number: u64,
}

/// A partition within a fetch.
#[derive(Hash, Debug)]
pub struct Seat {
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
            group: config.group.clone().map(|group| Membership::new(group, &config)),
            config,
            questions: 0,
            places: Places::default(),
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
            Operation::Assign { .. } if self.is_subscribed() => fail(operation, ErrorCode::INVALID_REQUEST, out),
            Operation::Assign { partitions } => {
                self.assign(partitions);
                out.complete(Completion { id: operation, outcome: Outcome::Assigned });
            }
            Operation::Subscribe { topics } => self.subscribe(now, operation, topics, out),
            Operation::Unsubscribe => self.leave(now, operation, Ending::Unsubscribe, out),
            Operation::Shutdown => self.leave(now, operation, Ending::Stop, out),
            Operation::Commit { offsets, mode } => {
                let asked = self.with_group(now, out, |group, desk| group.commit(operation, offsets, mode, desk));
                if asked.is_none() {
                    fail(operation, ErrorCode::INVALID_GROUP_ID, out);
                }
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
            self.places.add(match position {
                Position::Beginning => Place::at_end(partition, End::First),
                Position::End => Place::at_end(partition, End::Last),
                Position::At(offset) => Place::at(partition, offset),
            });
        }
    }

    fn is_subscribed(&self) -> bool {
        self.group.as_ref().is_some_and(Membership::is_subscribed)
    }

    fn subscribe(&mut self, now: Time, operation: OperationId, topics: Vec<Arc<str>>, out: &mut Outbox) {
        let Some(group) = &mut self.group else { return fail(operation, ErrorCode::INVALID_GROUP_ID, out) };
        let was_subscribed = group.is_subscribed();
        if topics.is_empty() || !group.subscribe(now, topics.iter().cloned().collect()) {
            return fail(operation, ErrorCode::INVALID_REQUEST, out);
        }
        topics.iter().for_each(|topic| self.cluster.follow(topic));
        if !was_subscribed {
            self.assign(Vec::new());
        }
        out.complete(Completion { id: operation, outcome: Outcome::Subscribed });
    }

    fn leave(&mut self, now: Time, operation: OperationId, ending: Ending, out: &mut Outbox) {
        if self.is_subscribed() {
            self.with_group(now, out, |group, desk| group.begin_to_leave(operation, ending, desk));
        } else {
            out.complete(Completion { id: operation, outcome: ending.outcome() });
        }
    }

    fn with_group<T>(&mut self, now: Time, out: &mut Outbox, act: impl FnOnce(&mut Membership, &mut Desk<'_>) -> T) -> Option<T> {
        let (cluster, places, is_polling) = (&mut self.cluster, &mut self.places, !self.polls.is_empty());
        self.group.as_mut().map(|group| act(group, &mut Desk { now, cluster, places, is_polling, out }))
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
            Errand::Coordinator(number) => {
                if let Some(group) = &mut self.group {
                    group.on_coordinator(now, number, reply.response);
                }
            }
        }
    }

    /// The place that waits for this answer, if it still does.
    fn asker(&mut self, question: Question) -> Option<&mut Place> {
        self.places.find(question.place).filter(|place| place.asked == Some(question.number))
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

    // ---- requests ---------------------------------------------------------------------------------------------

    /// Positions whose partition has a newer leader are compared with its log before anything else is read.
    fn notice_epochs(&mut self, out: &mut Outbox) {
        for place in self.places.iter_mut() {
            let epoch = self.cluster.metadata().epoch(&place.partition.topic, place.partition.index);
            place.on_leader_epoch(epoch);
            if place.stage == Stage::Validating && self.config.common.mutants.is(Mutant::ConsumerNoTruncationCheck) {
                place.trust(epoch);
                out.fact(Mutant::ConsumerNoTruncationCheck.acted());
            }
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
        for place in self.places.iter_mut().filter(|place| due(place)) {
            let Some(leader) = self.cluster.leader(&place.partition.topic, place.partition.index) else { continue };
            let leader_epoch = leader.epoch;
            if place.stage == Stage::Validating && leader_epoch != LeaderEpoch::NONE && leader_epoch < place.position.epoch {
                // Whoever committed that has heard of a later leader than we have; ours may know nothing of these records (KIP-320).
                self.cluster.miss();
                continue;
            }
            self.questions += 1;
            let question = Question { place: place.number, number: self.questions };
            let (request, errand) = match place.stage {
                Stage::Locating(end) => (
                    lookup::request(&place.partition, end, leader_epoch, self.config.isolation),
                    Errand::Locate { question, leader_epoch },
                ),
                Stage::Validating => (validate_request(place, leader_epoch), Errand::Validate { question, leader_epoch }),
                Stage::Recalling | Stage::Reading | Stage::Stuck(_) => continue,
            };
            match send(&mut self.cluster, leader.broker, request, errand, now, out) {
                Sent::OnItsWay => place.asked = Some(question.number),
                Sent::NotYet => {}
                // A broker too old to compare epochs cannot be asked: the offset alone has to do.
                Sent::Impossible if place.stage == Stage::Validating => place.trust(leader_epoch),
                Sent::Impossible => place.fail(now, self.config.common.retry_backoff),
            }
        }
    }

    /// Topics nobody reads or asks about any more are not worth metadata.
    fn unfollow(&mut self, before: &[Arc<str>]) {
        for topic in before {
            let read = self.places.iter().any(|place| place.partition.topic == *topic);
            let of_group = self.group.iter().flat_map(Membership::topics).any(|wanted| wanted == topic);
            if !read && !of_group && !self.lookups.iter().any(|lookup| lookup.partition.topic == *topic) {
                self.cluster.unfollow(topic);
            }
        }
    }

    fn topics(&self) -> Vec<Arc<str>> {
        let read = self.places.iter().map(|place| &place.partition.topic);
        let of_group = self.group.iter().flat_map(Membership::topics);
        read.chain(self.lookups.iter().map(|lookup| &lookup.partition.topic)).chain(of_group).cloned().collect()
    }

    fn next_wake(&self, now: Time) -> Option<Time> {
        let polled = !self.polls.is_empty();
        let wanted = |place: &&Place| (place.is_asking() && place.asked.is_none()) || (place.is_hungry() && polled);
        let group = self.group.as_ref().and_then(|group| group.deadline(now, polled));
        let places = self.places.iter().filter(wanted).map(|place| place.retry_at);
        let lookups = self.lookups.iter().flat_map(|lookup| [lookup.expires, lookup.retry_at]);
        let polls = self.polls.iter().map(|poll| poll.expires);
        // What is due already waits for an answer or a connection, not for the clock.
        let own = places.chain(lookups).chain(polls).filter(|at| *at > now).min();
        [own, self.cluster.deadline(now), group].into_iter().flatten().min()
    }
}

impl Actor for ConsumerActor {
    fn step(&mut self, now: Now, event: Event, _disk: &mut dyn Disk, out: &mut Outbox) {
        let now = now.mono;
        for reply in self.cluster.on_event(now, &event, out) {
            self.on_reply(now, reply, out);
        }
        self.with_group(now, out, |group, desk| group.on_event(&event, desk));
        let assigns = matches!(&event, Event::Command(command) if matches!(command.operation, Operation::Assign { .. }));
        let may_end = assigns || !self.lookups.is_empty() || self.is_subscribed();
        let before = if may_end { self.topics() } else { Vec::new() };
        if let Event::Command(command) = event {
            self.on_command(now, command, out);
        }
        self.notice_epochs(out);
        self.with_group(now, out, |group, desk| group.drive(desk));
        self.notice_epochs(out);
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
