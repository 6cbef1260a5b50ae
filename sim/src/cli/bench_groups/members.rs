//! A coordinator, and consumers that live in its groups: the least of both that there is a group.
//!
//! ```text
//!            JoinGroup            MEMBER_ID_REQUIRED: again, with the id       SyncGroup (the leading member's
//!   start ───────────▶ Joining ──────────────────────────────────────▶ ...  ───────────▶ Syncing     with the assignment)
//!                         ▲                                                                  │
//!                         └────────── REBALANCE_IN_PROGRESS ◀── Heartbeat, every 3 s ◀── Settled
//! ```
//!
//! Events are ordered by time and then by number, so that the same arguments make the same run.

use std::collections::BTreeMap;
use std::sync::Arc;

use brokerlab::actor::Now;
use brokerlab::group::{Asker, Effects, GroupConfig, GroupRequest, Journal, Shard, Token, TopicShape, Topics, Turn};
use brokerlab::types::{Duration, LeaderEpoch, Offset, PartitionId, Time, Timestamp, Uuid};
use brokerlab::wire::consumer_protocol::{
    ConsumerProtocolAssignment, ConsumerProtocolSubscription, Embedded, PROTOCOL_TYPE, TopicPartition,
};
use brokerlab::wire::join_group_request::JoinGroupRequestProtocol;
use brokerlab::wire::sync_group_request::SyncGroupRequestAssignment;
use brokerlab::wire::{
    ApiKey, ErrorCode, GroupRecord, HeartbeatRequest, JoinGroupRequest, JoinGroupResponse, Response, SyncGroupRequest,
};
use bytes::Bytes;

/// From a member to its coordinator, or back.
const ON_ITS_WAY: Duration = Duration::millis(1);
/// From writing a record to its being committed.
const COMMIT: Duration = Duration::millis(2);
/// `heartbeat.interval.ms`.
const HEARTBEAT: Duration = Duration::secs(3);
/// `session.timeout.ms`.
const SESSION_MS: i32 = 45_000;
/// `max.poll.interval.ms`, which is how long a rebalance waits for a member.
const REBALANCE_MS: i32 = 300_000;
/// It is given up then.
const GIVE_UP: Duration = Duration::secs(3_600);
/// What the groups read.
const TOPIC: &str = "orders";
/// The assignor that all members know.
const ASSIGNOR: &str = "range";

/// What has happened so far.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Counts {
    /// JoinGroup requests handled.
    pub joins: u64,
    /// SyncGroup requests handled.
    pub syncs: u64,
    /// Heartbeat requests handled.
    pub heartbeats: u64,
    /// Generations in which a leading member assigned.
    pub generations: u64,
    /// Records written.
    pub records: u64,
    /// Bytes of their keys and values.
    pub record_bytes: u64,
}

impl Counts {
    /// What has happened after that.
    pub(super) fn since(self, earlier: Counts) -> Counts {
        Counts {
            joins: self.joins - earlier.joins,
            syncs: self.syncs - earlier.syncs,
            heartbeats: self.heartbeats - earlier.heartbeats,
            generations: self.generations - earlier.generations,
            records: self.records - earlier.records,
            record_bytes: self.record_bytes - earlier.record_bytes,
        }
    }
}

/// A log that only counts.
#[derive(Default)]
struct CountingLog {
    end: Offset,
    bytes: u64,
}

impl Journal for CountingLog {
    fn append(&mut self, records: &[GroupRecord]) -> Result<Offset, ErrorCode> {
        for record in records {
            let (key, value) = record.encode().map_err(|_| ErrorCode::INVALID_RECORD)?;
            self.bytes += (key.len() + value.map_or(0, |value| value.len())) as u64;
        }
        self.end = self.end.plus(records.len() as i64);
        Ok(self.end)
    }
}

/// A consumer.
struct Member {
    group: String,
    id: String,
    generation: i32,
    is_settled: bool,
}

enum Event {
    /// A request has come to the coordinator.
    Asked(usize, GroupRequest),
    /// An answer has come to a member.
    Answered(usize, Box<Response>),
    /// The next heartbeat is due, in this generation.
    Beat(usize, i32),
    /// Everything below is committed.
    Committed(Offset),
}

/// A coordinator with its members.
pub(super) struct Stage {
    now: Time,
    shard: Shard,
    topics: Topics,
    log: CountingLog,
    asker: Asker,
    asker_of_heartbeats: Asker,
    members: Vec<Member>,
    groups: usize,
    settled: usize,
    events: BTreeMap<(Time, u64), Event>,
    numbered: u64,
    committing: Offset,
    subscription: Bytes,
    counts: Counts,
}

impl Stage {
    /// Groups of so many members each, who will start spread over a time.
    pub(super) fn new(groups: usize, members: usize, over: Duration) -> Stage {
        let mut topics = Topics::default();
        topics.insert(Arc::from(TOPIC), TopicShape { id: Uuid(1), partitions: i32::try_from(members).unwrap_or(i32::MAX) });
        let partition = PartitionId { topic: Uuid(2), index: 0 };
        let nothing = (Offset::ZERO, Offset::ZERO);
        let asker = |api: ApiKey| Asker {
            client_id: Arc::from("till"),
            host: Arc::from("/10.0.0.7"),
            version: api.implemented().expect("a coordinator serves it").max,
        };
        let subscription = ConsumerProtocolSubscription { topics: vec![TOPIC.to_owned()], ..Default::default() };
        let mut stage = Stage {
            now: Time(1),
            shard: Shard::new(partition, LeaderEpoch(0), nothing, GroupConfig::default(), 1),
            topics,
            log: CountingLog::default(),
            asker: asker(ApiKey::JoinGroup),
            asker_of_heartbeats: asker(ApiKey::Heartbeat),
            members: Vec::new(),
            groups,
            settled: 0,
            events: BTreeMap::new(),
            numbered: 0,
            committing: Offset::ZERO,
            subscription: subscription.embed(3).expect("version 3 has all fields"),
            counts: Counts::default(),
        };
        stage.step(|shard, turn| shard.on_high_watermark(Offset::ZERO, turn));
        let all = groups * members;
        for index in 0..all {
            stage.start(index % groups, over.times(index as u64).divided(all as u64));
        }
        stage
    }

    /// One more member of the first group.
    pub(super) fn one_more(&mut self) {
        self.start(0, Duration::ZERO);
    }

    /// One more member, who joins after that time.
    fn start(&mut self, group: usize, after: Duration) {
        let index = self.members.len();
        self.members.push(Member { group: format!("group-{group:05}"), id: String::new(), generation: -1, is_settled: false });
        let request = self.join_request(index);
        self.later(after.0 + ON_ITS_WAY.0, Event::Asked(index, request));
    }

    /// What has happened so far.
    pub(super) fn counts(&self) -> Counts {
        Counts { records: self.log.end.0.unsigned_abs(), record_bytes: self.log.bytes, ..self.counts }
    }

    /// Lets time pass until every member has its part and every group is stable: how long that took. `None` if it takes too long.
    pub(super) fn until_stable(&mut self) -> Option<Duration> {
        let begun = self.now;
        while !self.is_stable() {
            let event = self.events.first_key_value().map(|((at, _), _)| *at);
            let due = self.shard.deadline().map(|at| at.max(self.now));
            self.now = [event, due].into_iter().flatten().min()?;
            if self.now.since(begun) > GIVE_UP {
                return None;
            }
            if due.is_some_and(|due| due <= self.now) {
                self.step(Shard::on_time);
            }
            while let Some(next) = self.events.first_entry().filter(|next| next.key().0 <= self.now) {
                let event = next.remove();
                self.on_event(event);
            }
        }
        Some(self.now.since(begun))
    }

    fn is_stable(&self) -> bool {
        let stable = |shard: &Shard| shard.list_groups(&["Stable".to_owned()], &[]).map_or(0, |groups| groups.len());
        self.settled == self.members.len() && stable(&self.shard) == self.groups
    }

    fn later(&mut self, nanoseconds: u64, event: Event) {
        self.numbered += 1;
        self.events.insert((self.now.plus(Duration(nanoseconds)), self.numbered), event);
    }

    fn on_event(&mut self, event: Event) {
        match event {
            Event::Asked(member, request) => self.on_request(member, request),
            Event::Answered(member, response) => self.on_answer(member, *response),
            Event::Beat(member, generation) => {
                if self.members[member].is_settled && self.members[member].generation == generation {
                    let request = self.heartbeat_request(member);
                    self.later(ON_ITS_WAY.0, Event::Asked(member, request));
                }
            }
            Event::Committed(end) => self.step(|shard, turn| shard.on_high_watermark(end, turn)),
        }
    }

    fn on_request(&mut self, member: usize, request: GroupRequest) {
        let version = |api: ApiKey| api.implemented().expect("a coordinator serves it").max;
        let (count, api) = match &request {
            GroupRequest::Join(_) => (&mut self.counts.joins, ApiKey::JoinGroup),
            GroupRequest::Sync(_) => (&mut self.counts.syncs, ApiKey::SyncGroup),
            GroupRequest::Heartbeat(_) => (&mut self.counts.heartbeats, ApiKey::Heartbeat),
            GroupRequest::Leave(_)
            | GroupRequest::Commit(_)
            | GroupRequest::DeleteOffsets(_)
            | GroupRequest::ConsumerHeartbeat(_)
            | GroupRequest::Delete(_) => unreachable!("no member here asks for that"),
        };
        *count += 1;
        let asker = Asker { version: version(api), ..self.asker.clone() };
        self.step(|shard, turn| shard.on_request(Token(member as u64), &asker, request, turn));
    }

    /// A step of the coordinator, and what follows from it.
    fn step(&mut self, act: impl FnOnce(&mut Shard, &mut Turn<'_>)) {
        let mut effects = Effects::default();
        let now = Now { mono: self.now, wall: Timestamp(1_000_000 + (self.now.0 / 1_000_000) as i64) };
        act(&mut self.shard, &mut Turn { now, topics: &self.topics, journal: &mut self.log, effects: &mut effects });
        for (Token(member), response) in effects.answers {
            self.later(ON_ITS_WAY.0, Event::Answered(member as usize, Box::new(response)));
        }
        if self.log.end > self.committing {
            self.committing = self.log.end;
            self.later(COMMIT.0, Event::Committed(self.log.end));
        }
    }

    #[allow(clippy::wildcard_enum_match_arm)]
    fn on_answer(&mut self, member: usize, response: Response) {
        match response {
            Response::JoinGroup(response) => self.on_joined(member, response),
            Response::SyncGroup(response) if response.error_code == 0 => {
                self.settle(member, true);
                self.later(HEARTBEAT.0, Event::Beat(member, self.members[member].generation));
            }
            Response::Heartbeat(response) if response.error_code == 0 => {
                self.later(HEARTBEAT.0, Event::Beat(member, self.members[member].generation));
            }
            Response::SyncGroup(_) | Response::Heartbeat(_) => self.join(member),
            other => unreachable!("nobody asked for {other:?}"),
        }
    }

    fn on_joined(&mut self, member: usize, response: JoinGroupResponse) {
        match ErrorCode(response.error_code) {
            ErrorCode::NONE => {}
            error => {
                // A coordinator that does not know an id any more wants a newcomer.
                self.members[member].id = if error == ErrorCode::UNKNOWN_MEMBER_ID { String::new() } else { response.member_id };
                return self.join(member);
            }
        }
        let known = &mut self.members[member];
        known.generation = response.generation_id;
        known.id.clone_from(&response.member_id);
        let leads = response.leader == response.member_id;
        self.counts.generations += u64::from(leads);
        let assignments = if leads { response.members.iter().enumerate().map(assigned).collect() } else { Vec::new() };
        let request = GroupRequest::Sync(SyncGroupRequest {
            group_id: known.group.clone(),
            generation_id: known.generation,
            member_id: known.id.clone(),
            protocol_type: Some(PROTOCOL_TYPE.to_owned()),
            protocol_name: Some(ASSIGNOR.to_owned()),
            assignments,
            ..SyncGroupRequest::default()
        });
        self.later(ON_ITS_WAY.0, Event::Asked(member, request));
    }

    fn settle(&mut self, member: usize, is_settled: bool) {
        let known = &mut self.members[member];
        self.settled = self.settled + usize::from(is_settled) - usize::from(known.is_settled);
        known.is_settled = is_settled;
    }

    fn join(&mut self, member: usize) {
        self.settle(member, false);
        let request = self.join_request(member);
        self.later(ON_ITS_WAY.0, Event::Asked(member, request));
    }

    fn join_request(&self, member: usize) -> GroupRequest {
        let protocol = JoinGroupRequestProtocol {
            name: ASSIGNOR.to_owned(),
            metadata: self.subscription.clone(),
            ..JoinGroupRequestProtocol::default()
        };
        GroupRequest::Join(JoinGroupRequest {
            group_id: self.members[member].group.clone(),
            session_timeout_ms: SESSION_MS,
            rebalance_timeout_ms: REBALANCE_MS,
            member_id: self.members[member].id.clone(),
            protocol_type: PROTOCOL_TYPE.to_owned(),
            protocols: vec![protocol],
            ..JoinGroupRequest::default()
        })
    }

    fn heartbeat_request(&self, member: usize) -> GroupRequest {
        let Member { group, id, generation, .. } = &self.members[member];
        GroupRequest::Heartbeat(HeartbeatRequest {
            group_id: group.clone(),
            generation_id: *generation,
            member_id: id.clone(),
            ..HeartbeatRequest::default()
        })
    }

    /// Rounds of heartbeats of all members, one member after the other: whole rounds, and no fewer heartbeats than asked for.
    pub(super) fn heartbeats(&self, at_least: usize) -> Vec<GroupRequest> {
        let rounds = at_least.div_ceil(self.members.len());
        (0..rounds).flat_map(|_| (0..self.members.len()).map(|member| self.heartbeat_request(member))).collect()
    }

    /// Hands rounds of heartbeats to the coordinator, as long apart as members send them. How many were told that all is well.
    pub(super) fn handle(&mut self, requests: Vec<GroupRequest>) -> u64 {
        let mut effects = Effects::default();
        let mut good = 0;
        for (index, request) in requests.into_iter().enumerate() {
            if index % self.members.len() == 0 {
                self.now = self.now.plus(HEARTBEAT);
            }
            let now = Now { mono: self.now, wall: Timestamp(1_000_000 + (self.now.0 / 1_000_000) as i64) };
            let mut turn = Turn { now, topics: &self.topics, journal: &mut self.log, effects: &mut effects };
            self.shard.on_request(Token(index as u64), &self.asker_of_heartbeats, request, &mut turn);
            if self.shard.deadline().is_some_and(|due| due <= self.now) {
                self.shard.on_time(&mut turn);
            }
            let is_good =
                |(_, response): &(Token, Response)| matches!(response, Response::Heartbeat(told) if told.error_code == 0);
            good += effects.answers.drain(..).filter(is_good).count() as u64;
            effects.facts.clear();
        }
        good
    }
}

/// One partition for each member.
fn assigned(
    (index, member): (usize, &brokerlab::wire::join_group_response::JoinGroupResponseMember),
) -> SyncGroupRequestAssignment {
    let partitions = vec![i32::try_from(index).unwrap_or(i32::MAX)];
    let topic = TopicPartition { topic: TOPIC.to_owned(), partitions, ..TopicPartition::default() };
    let assignment = ConsumerProtocolAssignment { assigned_partitions: vec![topic], ..Default::default() };
    SyncGroupRequestAssignment {
        member_id: member.member_id.clone(),
        assignment: assignment.embed(3).expect("version 3 has all fields"),
        ..SyncGroupRequestAssignment::default()
    }
}
