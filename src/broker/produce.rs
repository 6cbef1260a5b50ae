//! Produce: append to the partitions led here, and answer when the promises of `acks` are kept.
//!
//! ```text
//!   acks=0    append, no answer at all; an error can only be shown by closing the connection
//!   acks=1    append, answer (with flush.messages=1: once it is on the medium)
//!   acks=all  append, park; answer when every in-sync replica has it, or when that can no longer be
//! ```
//!
//! One request may name many partitions; there is one answer for all of them, so the request waits for the slowest. What has happened to
//! a partition is noted when it happens: a promise that was kept stays kept, even if the leadership is lost while the others are awaited.
//!
//! Requests of one connection are answered in the order in which they came, so one that is settled waits for those before it.
//!
//! At the deadline what is still open becomes REQUEST_TIMED_OUT. Like every error after an append it leaves the fate of the records open.

use std::hash::{Hash, Hasher};

use crate::types::{ConnectionId, Duration, PartitionId, TopicId};
use crate::wire::produce_response::{LeaderIdAndEpoch, NodeEndpoint, PartitionProduceResponse, TopicProduceResponse};
use crate::wire::{ErrorCode, ProduceRequest, ProduceResponse, produce_request::PartitionProduceData};

use super::BrokerActor;
use super::partitions::Partitions;
use super::purgatory::{Parked, Place, Waiting};
use super::reply::{Caller, Step};
use crate::replica::Promise;

/// First version that names topics by id.
const FIRST_WITH_TOPIC_IDS: i16 = 13;
/// First version that can say who leads instead.
const FIRST_WITH_LEADER_HINT: i16 = 10;

/// A produce request after its appends.
#[derive(Debug)]
pub(super) struct WaitingProduce {
    response: ProduceResponse,
    promises: Vec<Awaited>,
    /// acks=0: the client does not hear how it ended.
    silent: bool,
}

/// One promise, and the place of its answer.
#[derive(Debug, Hash)]
struct Awaited {
    partition: PartitionId,
    promise: Promise,
    topic_at: usize,
    partition_at: usize,
    outcome: Option<Result<(), ErrorCode>>,
}

impl Hash for WaitingProduce {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (&self.promises, self.silent).hash(state);
        let answers = self.response.responses.iter().flat_map(|topic| &topic.partition_responses);
        answers.for_each(|answer| (answer.index, answer.error_code, answer.base_offset).hash(state));
    }
}

impl WaitingProduce {
    /// The partitions whose changes it waits for.
    pub fn partitions(&self) -> impl Iterator<Item = PartitionId> + '_ {
        self.promises.iter().map(|awaited| awaited.partition)
    }

    /// Notes what has become of the promises; true if nothing is open any more.
    pub fn note_outcomes(&mut self, partitions: &Partitions) -> bool {
        for awaited in self.promises.iter_mut().filter(|awaited| awaited.outcome.is_none()) {
            awaited.outcome = match partitions.replica(awaited.partition) {
                Some(replica) => replica.promise_outcome(&awaited.promise),
                // The topic was deleted, or the replica moved away.
                None => Some(Err(ErrorCode::NOT_LEADER_OR_FOLLOWER)),
            };
        }
        self.is_settled()
    }

    /// Its time is over: what is open is timed out.
    pub fn expire(&mut self) {
        for awaited in &mut self.promises {
            awaited.outcome.get_or_insert(Err(ErrorCode::REQUEST_TIMED_OUT));
        }
    }

    /// Whether there is nothing to wait for any more.
    fn is_settled(&self) -> bool {
        self.silent || self.promises.iter().all(|awaited| awaited.outcome.is_some())
    }

    fn into_response(mut self) -> ProduceResponse {
        for awaited in &self.promises {
            let answer = &mut self.response.responses[awaited.topic_at].partition_responses[awaited.partition_at];
            if let Err(error) = awaited.outcome.expect("only what is settled is answered") {
                refuse(answer, error);
            }
        }
        self.response
    }

    fn has_errors(&self) -> bool {
        let mut answers = self.response.responses.iter().flat_map(|topic| &topic.partition_responses);
        answers.any(|answer| answer.error_code != 0)
    }
}

impl BrokerActor {
    /// Appends, then answers, parks, or lets the next request in without an answer.
    pub(super) fn on_produce(&mut self, caller: Caller, request: ProduceRequest, step: &mut Step<'_>) {
        let (acks, timeout) = (request.acks, Duration::from_millis_field(i64::from(request.timeout_ms)));
        let mut waiting = self.append_all(caller.version, request, step);
        let settled = waiting.note_outcomes(&self.partitions);
        if acks == 0 && waiting.has_errors() {
            self.close_client(caller.connection, step.out);
        } else if settled && !self.parked.has_waiting(caller.connection) {
            self.answer_produce(caller, waiting, step);
        } else {
            let deadline = step.now.mono.plus(timeout);
            self.parked.park(Parked { caller, deadline, request: Waiting::Produce(waiting) });
        }
    }

    fn append_all(&mut self, version: i16, request: ProduceRequest, step: &mut Step<'_>) -> WaitingProduce {
        let refusal = match (request.acks, &request.transactional_id) {
            (-1..=1, None) => None,
            (-1..=1, Some(_)) => Some(ErrorCode::INVALID_TXN_STATE),
            _ => Some(ErrorCode::INVALID_REQUIRED_ACKS),
        };
        let mut promises = Vec::with_capacity(request.topic_data.len());
        let mut responses = Vec::with_capacity(request.topic_data.len());
        for (topic_at, topic) in request.topic_data.into_iter().enumerate() {
            let id = self.topic_named(version, &topic.name, topic.topic_id);
            let mut partition_responses = Vec::with_capacity(topic.partition_data.len());
            for (partition_at, data) in topic.partition_data.into_iter().enumerate() {
                let mut answer = PartitionProduceResponse { index: data.index, ..PartitionProduceResponse::default() };
                match refusal
                    .map_or(id, Err)
                    .and_then(|id| self.check_not_internal(id))
                    .and_then(|id| self.append(id, data, request.acks, step))
                {
                    Ok((partition, promise)) => {
                        accept(&mut answer, &promise);
                        promises.push(Awaited { partition, promise, topic_at, partition_at, outcome: None });
                    }
                    Err(error) => refuse(&mut answer, error),
                }
                partition_responses.push(answer);
            }
            let (name, topic_id) = (topic.name, topic.topic_id);
            responses.push(TopicProduceResponse { name, topic_id, partition_responses, ..TopicProduceResponse::default() });
        }
        let response = ProduceResponse { responses, ..ProduceResponse::default() };
        WaitingProduce { response, promises, silent: request.acks == 0 }
    }

    fn topic_named(&self, version: i16, name: &str, id: TopicId) -> Result<TopicId, ErrorCode> {
        let (topic, unknown) = match version >= FIRST_WITH_TOPIC_IDS {
            true => (self.view.image().topic(id), ErrorCode::UNKNOWN_TOPIC_ID),
            false => (self.view.image().topic_by_name(name), ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
        };
        topic.map(|topic| topic.id).ok_or(unknown)
    }

    /// What coordinators keep is theirs to write.
    fn check_not_internal(&self, topic: TopicId) -> Result<TopicId, ErrorCode> {
        match self.groups.topic == Some(topic) {
            true => Err(ErrorCode::INVALID_TOPIC_EXCEPTION),
            false => Ok(topic),
        }
    }

    fn append(
        &mut self,
        topic: TopicId,
        data: PartitionProduceData,
        acks: i16,
        step: &mut Step<'_>,
    ) -> Result<(PartitionId, Promise), ErrorCode> {
        let partition = PartitionId { topic, index: data.index };
        let Some((replica, members)) = self.partitions.touch(partition) else { return Err(self.missing(partition)) };
        let records = data.records.ok_or(ErrorCode::INVALID_RECORD)?;
        let promise = replica.append(step.now, records, acks, members, step.disk, step.out)?;
        Ok((partition, promise))
    }

    /// Why there is no replica of this partition here.
    pub(super) fn missing(&self, partition: PartitionId) -> ErrorCode {
        match self.view.image().partition(partition) {
            Some(_) => ErrorCode::NOT_LEADER_OR_FOLLOWER,
            None => ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
        }
    }

    /// Something has happened to a partition that this parked produce watches.
    pub(super) fn look_again_at_produce(&mut self, place: Place, step: &mut Step<'_>) {
        let Some(Parked { request: Waiting::Produce(waiting), .. }) = self.parked.parked_mut(place) else { return };
        if waiting.note_outcomes(&self.partitions) {
            self.answer_produces(place.connection, step);
        }
    }

    /// Sends the answers of this connection that are not behind an open one.
    pub(super) fn answer_produces(&mut self, connection: ConnectionId, step: &mut Step<'_>) {
        while let Some((place, Parked { request: Waiting::Produce(waiting), .. })) = self.parked.first_of(connection)
            && waiting.is_settled()
            && let Some(Parked { caller, request: Waiting::Produce(waiting), .. }) = self.parked.release(place)
        {
            self.answer_produce(caller, waiting, step);
        }
    }

    fn answer_produce(&mut self, caller: Caller, waiting: WaitingProduce, step: &mut Step<'_>) {
        if waiting.silent {
            return step.out.done(caller.connection);
        }
        let mut response = waiting.into_response();
        if caller.version >= FIRST_WITH_LEADER_HINT {
            self.hint_at_leaders(caller.version, &mut response);
        }
        caller.answer(response, step.out);
    }

    /// Who asked the wrong broker is told the right one (KIP-951), and need not ask for metadata first.
    fn hint_at_leaders(&self, version: i16, response: &mut ProduceResponse) {
        for topic in &mut response.responses {
            let misled =
                |answer: &&mut PartitionProduceResponse| ErrorCode(answer.error_code) == ErrorCode::NOT_LEADER_OR_FOLLOWER;
            for answer in topic.partition_responses.iter_mut().filter(misled) {
                let Ok(id) = self.topic_named(version, &topic.name, topic.topic_id) else { continue };
                let Some((leader, epoch)) = self.view.leader_of(PartitionId { topic: id, index: answer.index }) else { continue };
                let (leader_id, leader_epoch) = (leader.id.0, epoch.0);
                answer.current_leader = LeaderIdAndEpoch { leader_id, leader_epoch, ..LeaderIdAndEpoch::default() };
                if response.node_endpoints.iter().all(|known| known.node_id != leader_id) {
                    let (host, port) = (leader.address.host.to_string(), i32::from(leader.address.port));
                    response.node_endpoints.push(NodeEndpoint { node_id: leader_id, host, port, ..NodeEndpoint::default() });
                }
            }
        }
    }
}

fn accept(answer: &mut PartitionProduceResponse, promise: &Promise) {
    answer.base_offset = promise.base_offset.0;
    answer.log_append_time_ms = promise.log_append_time.map_or(-1, |time| time.0);
    answer.log_start_offset = promise.log_start.0;
}

fn refuse(answer: &mut PartitionProduceResponse, error: ErrorCode) {
    answer.error_code = error.code();
    (answer.base_offset, answer.log_append_time_ms, answer.log_start_offset) = (-1, -1, -1);
}
