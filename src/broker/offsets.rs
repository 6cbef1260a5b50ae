//! Questions about offsets: ListOffsets (which offset belongs to a time?) and OffsetForLeaderEpoch (where did an epoch end?).
//!
//! Both are answered by the leader only, from what it has at this moment; nothing waits.

use crate::replica::Reader;
use crate::types::{BrokerEpoch, BrokerId, LeaderEpoch, PartitionId};
use crate::wire::list_offsets_request::ListOffsetsPartition;
use crate::wire::list_offsets_response::{ListOffsetsPartitionResponse, ListOffsetsTopicResponse};
use crate::wire::offset_for_leader_epoch_request::OffsetForLeaderPartition;
use crate::wire::offset_for_leader_epoch_response::{EpochEndOffset, OffsetForLeaderTopicResult};
use crate::wire::{
    ErrorCode, ListOffsetsRequest, ListOffsetsResponse, OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse,
};

use super::BrokerActor;
use super::reply::{Caller, Step};

/// First version of ListOffsets that tells the leader epoch of the offset.
const FIRST_WITH_LEADER_EPOCH: i16 = 4;
/// `isolation_level` of a reader that wants committed transactions only.
const READ_COMMITTED: i8 = 1;
/// "The first offset on this broker's own disk": with no tiered storage, the first offset.
const EARLIEST_LOCAL: i64 = -4;
const EARLIEST: i64 = -2;
/// Special timestamps from -3 downwards have come one by one, each with a version of its own.
const FIRST_WITH_SPECIAL: [(i64, i16); 3] = [(-3, 7), (EARLIEST_LOCAL, 8), (-5, 9)];

impl BrokerActor {
    /// Answers ListOffsets.
    pub(super) fn on_list_offsets(&mut self, caller: Caller, request: ListOffsetsRequest, step: &mut Step<'_>) {
        let reader = match request.replica_id {
            0.. => Reader::Follower { broker: BrokerId(request.replica_id), broker_epoch: BrokerEpoch::NONE },
            _ => Reader::Consumer { committed_only: request.isolation_level == READ_COMMITTED },
        };
        let mut topics = Vec::with_capacity(request.topics.len());
        for topic in request.topics {
            let mut partitions = Vec::with_capacity(topic.partitions.len());
            for wanted in &topic.partitions {
                let mut answer = self.list_offset(caller.version, &topic.name, wanted, reader, step);
                if caller.version < FIRST_WITH_LEADER_EPOCH {
                    answer.leader_epoch = LeaderEpoch::NONE.0;
                }
                partitions.push(answer);
            }
            topics.push(ListOffsetsTopicResponse { name: topic.name, partitions, ..ListOffsetsTopicResponse::default() });
        }
        caller.answer(ListOffsetsResponse { topics, ..ListOffsetsResponse::default() }, step.out);
    }

    fn list_offset(
        &mut self,
        version: i16,
        topic: &str,
        wanted: &ListOffsetsPartition,
        reader: Reader,
        step: &mut Step<'_>,
    ) -> ListOffsetsPartitionResponse {
        let partition_index = wanted.partition_index;
        let timestamp = if wanted.timestamp == EARLIEST_LOCAL { EARLIEST } else { wanted.timestamp };
        let current = epoch(wanted.current_leader_epoch);
        let too_old = FIRST_WITH_SPECIAL.iter().any(|(special, first)| wanted.timestamp == *special && version < *first);
        let named = if too_old { Err(ErrorCode::UNSUPPORTED_VERSION) } else { self.partition_named(topic, partition_index) };
        let found = named.and_then(|partition| match self.partitions.touch(partition) {
            Some((replica, _)) => replica.list_offset(timestamp, current, reader, step.disk, step.out),
            None => Err(ErrorCode::NOT_LEADER_OR_FOLLOWER),
        });
        let answer = ListOffsetsPartitionResponse { partition_index, ..ListOffsetsPartitionResponse::default() };
        match found {
            Ok((timestamp, offset, leader_epoch)) => {
                ListOffsetsPartitionResponse { timestamp: timestamp.0, offset: offset.0, leader_epoch: leader_epoch.0, ..answer }
            }
            Err(error) => ListOffsetsPartitionResponse { error_code: error.code(), ..answer },
        }
    }

    /// Answers OffsetForLeaderEpoch.
    pub(super) fn on_offset_for_leader_epoch(
        &mut self,
        caller: Caller,
        request: OffsetForLeaderEpochRequest,
        step: &mut Step<'_>,
    ) {
        let mut topics = Vec::with_capacity(request.topics.len());
        for topic in request.topics {
            let partitions = topic.partitions.iter().map(|wanted| self.epoch_end(&topic.topic, wanted)).collect();
            topics.push(OffsetForLeaderTopicResult { topic: topic.topic, partitions, ..OffsetForLeaderTopicResult::default() });
        }
        caller.answer(OffsetForLeaderEpochResponse { topics, ..OffsetForLeaderEpochResponse::default() }, step.out);
    }

    fn epoch_end(&self, topic: &str, wanted: &OffsetForLeaderPartition) -> EpochEndOffset {
        let current = epoch(wanted.current_leader_epoch);
        let found = self.partition_named(topic, wanted.partition).and_then(|partition| {
            let replica = self.partitions.replica(partition).ok_or(ErrorCode::NOT_LEADER_OR_FOLLOWER)?;
            replica.epoch_end(current, LeaderEpoch(wanted.leader_epoch))
        });
        let answer = EpochEndOffset { partition: wanted.partition, ..EpochEndOffset::default() };
        match found {
            Ok(Some((epoch, end))) => EpochEndOffset { leader_epoch: epoch.0, end_offset: end.0, ..answer },
            Ok(None) => answer,
            Err(error) => EpochEndOffset { error_code: error.code(), ..answer },
        }
    }

    pub(super) fn partition_named(&self, topic: &str, index: i32) -> Result<PartitionId, ErrorCode> {
        let topic = self.view.image().topic_by_name(topic).ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)?;
        match topic.partitions.contains_key(&index) {
            true => Ok(PartitionId { topic: topic.id, index }),
            false => Err(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
        }
    }
}

fn epoch(number: i32) -> Option<LeaderEpoch> {
    (number >= 0).then_some(LeaderEpoch(number))
}
