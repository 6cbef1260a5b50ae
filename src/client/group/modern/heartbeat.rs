//! ConsumerGroupHeartbeat: what is said, when, and what the answer means.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{Partitions, Said};
use crate::client::group::config::{GroupConfig, Protocol};
use crate::client::group::line::{Asked, Ready};
use crate::client::group::requests::Signature;
use crate::client::group::{Desk, Membership, Ownership, Phase};
use crate::types::{Duration, Time, TopicId};
use crate::wire::consumer_group_heartbeat_request::{ConsumerGroupHeartbeatRequest, TopicPartitions};
use crate::wire::consumer_group_heartbeat_response::{Assignment, ConsumerGroupHeartbeatResponse};
use crate::wire::{ApiKey, ErrorCode, Request, Response};

/// Member epoch of one who joins.
const JOIN: i32 = 0;
/// Member epoch of one who leaves.
const LEAVE: i32 = -1;
/// Member epoch of a static member who leaves and may come back.
const LEAVE_FOR_NOW: i32 = -2;
/// A coordinator that wants to hear of us all the time does not know what it says.
const INTERVAL_MIN: Duration = Duration::millis(10);

impl Membership {
    /// Sends a heartbeat if it is time to, or if there is something to say; leaves if the application hangs.
    pub(in crate::client::group) fn speak(&mut self, desk: &mut Desk<'_>) {
        let is_entering = matches!(self.phase, Phase::Entering);
        if is_entering && !desk.is_polling || !is_entering && !self.is_beating() {
            return;
        }
        if !is_entering && !desk.is_polling && self.polled_at.plus(self.config.poll_interval_max) <= desk.now {
            return self.leave_for_the_application(desk);
        }
        let says = self.says();
        if self.speaks_at(&says).is_none_or(|at| at > desk.now) {
            return;
        }
        let sent = match self.line.ready(ApiKey::ConsumerGroupHeartbeat, desk.now, desk.out) {
            Ready::NotYet => return,
            Ready::Unsupported => false,
            Ready::Version(version) => self.say(says, version, desk),
        };
        if !sent {
            self.talk.attempt.fail(desk.now, self.common.retry_backoff);
            self.complaint = Some(ErrorCode::UNSUPPORTED_VERSION);
        }
    }

    fn say(&mut self, says: Said, version: i16, desk: &mut Desk<'_>) -> bool {
        let number = self.line.next_number();
        let who = Signature { config: &self.config, member: &self.member, generation: self.generation.max(JOIN) };
        let request = heartbeat(who, self.talk.known.as_ref(), &says);
        self.talk.attempt.sent(number);
        self.talk.saying = Some(says);
        self.line.send(request, version, None, Asked::Epoch(number), desk.now, desk.out)
    }

    /// What is to be said about us.
    fn says(&self) -> Said {
        let mut owned = Partitions::new();
        for partition in &self.owned.partitions {
            if let Some(id) = self.talk.ids.get(&partition.topic) {
                owned.entry(*id).or_default().insert(partition.index);
            }
        }
        Said { topics: self.topics.clone(), owned }
    }

    /// When the next heartbeat is due; `None` while one is on its way.
    fn speaks_at(&self, says: &Said) -> Option<Time> {
        let possible = self.talk.attempt.deadline()?;
        let has_news = self.talk.known.as_ref() != Some(says);
        Some(if has_news { possible } else { possible.max(self.talk.next) })
    }

    /// The moments to come.
    pub(in crate::client::group) fn talk_deadline(&self, is_polling: bool) -> [Option<Time>; 2] {
        let (is_entering, is_in) = (matches!(self.phase, Phase::Entering), self.is_beating());
        let speaks = (is_in || is_entering && is_polling).then(|| self.speaks_at(&self.says())).flatten();
        let poll = (is_in && !is_polling).then(|| self.polled_at.plus(self.config.poll_interval_max));
        [speaks, poll]
    }

    pub(in crate::client::group) fn on_epoch(&mut self, number: u64, response: Option<Response>, desk: &mut Desk<'_>) {
        if !self.talk.attempt.ends_with(number) {
            return;
        }
        let said = self.talk.saying.take();
        self.talk.known = None;
        self.talk.attempt.fail(desk.now, self.common.retry_backoff);
        let Some(Response::ConsumerGroupHeartbeat(response)) = response else { return };
        match ErrorCode(response.error_code) {
            ErrorCode::NONE => {
                self.talk.known = said;
                self.hear(response, desk);
            }
            ErrorCode::GROUP_ID_NOT_FOUND if self.generation > JOIN => self.lose(ErrorCode::GROUP_ID_NOT_FOUND),
            error => {
                if !self.on_common_error(desk.now, error) && !error.is_retriable() {
                    self.complaint = Some(error);
                }
            }
        }
    }

    fn hear(&mut self, response: ConsumerGroupHeartbeatResponse, desk: &mut Desk<'_>) {
        self.line.trust();
        self.talk.attempt.succeed();
        let interval = Duration::from_millis_field(i64::from(response.heartbeat_interval_ms)).max(INTERVAL_MIN);
        self.talk.next = desk.now.plus(interval);
        self.generation = response.member_epoch;
        if let Some(assignment) = response.assignment {
            self.talk.assigned = partitions(&assignment);
        }
        if matches!(self.phase, Phase::Entering) {
            self.phase = Phase::In;
            self.owned = Ownership { member: Arc::clone(&self.member), ..self.owned.clone() };
        }
        self.owned.generation = self.generation;
    }

    /// Says that we leave; false if that cannot be said now. Nobody waits for the answer for long.
    pub(in crate::client::group) fn say_goodbye(&mut self, version: i16, number: u64, desk: &mut Desk<'_>) -> bool {
        let epoch = if self.config.instance.is_some() { LEAVE_FOR_NOW } else { LEAVE };
        let request = goodbye(Signature { config: &self.config, member: &self.member, generation: epoch });
        self.line.send(request, version, None, Asked::Leave(number), desk.now, desk.out)
    }
}

/// A heartbeat that says what is not known.
fn heartbeat(who: Signature<'_>, known: Option<&Said>, says: &Said) -> Request {
    let is_all = known.is_none();
    let topics = || says.topics.iter().map(ToString::to_string).collect();
    let owned = || says.owned.iter().map(|(id, indices)| owned_of(*id, indices)).collect();
    Request::ConsumerGroupHeartbeat(ConsumerGroupHeartbeatRequest {
        rebalance_timeout_ms: if is_all { rebalance_timeout(who.config) } else { -1 },
        server_assignor: assignor(who.config).filter(|_| is_all),
        subscribed_topic_names: known.is_none_or(|known| known.topics != says.topics).then(topics),
        topic_partitions: known.is_none_or(|known| known.owned != says.owned).then(owned),
        ..signed(who)
    })
}

fn goodbye(who: Signature<'_>) -> Request {
    Request::ConsumerGroupHeartbeat(signed(who))
}

fn signed(who: Signature<'_>) -> ConsumerGroupHeartbeatRequest {
    ConsumerGroupHeartbeatRequest {
        group_id: who.config.id.to_string(),
        member_id: who.member.to_owned(),
        member_epoch: who.generation,
        // In each of them: by its instance id a successor is told from us.
        instance_id: who.config.instance.as_deref().map(str::to_owned),
        ..ConsumerGroupHeartbeatRequest::default()
    }
}

fn owned_of(topic_id: TopicId, indices: &BTreeSet<i32>) -> TopicPartitions {
    TopicPartitions { topic_id, partitions: indices.iter().copied().collect(), ..TopicPartitions::default() }
}

fn rebalance_timeout(config: &GroupConfig) -> i32 {
    i32::try_from(config.poll_interval_max.as_millis()).unwrap_or(i32::MAX)
}

fn assignor(config: &GroupConfig) -> Option<String> {
    match &config.protocol {
        Protocol::Consumer { assignor } => assignor.map(str::to_owned),
        Protocol::Classic => None,
    }
}

fn partitions(assignment: &Assignment) -> Partitions {
    let mut found = Partitions::new();
    for topic in &assignment.topic_partitions {
        found.entry(topic.topic_id).or_default().extend(topic.partitions.iter().copied().filter(|index| *index >= 0));
    }
    found
}
