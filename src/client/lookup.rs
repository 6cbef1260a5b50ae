//! Questions about the ends of partitions: the `ListOffset` command.
//!
//! The leader is asked for the end of its log as consumers see it. A new leader does not know its high watermark yet and says
//! OFFSET_NOT_AVAILABLE (KIP-207); that, like every sign of old metadata, is a reason to ask again, not to fail.

use crate::operation::OperationId;
use crate::types::{LeaderEpoch, Time, TopicPartition};
use crate::wire::ErrorCode;
use crate::wire::Request;
use crate::wire::list_offsets_request::{ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic};
use crate::wire::list_offsets_response::{ListOffsetsPartitionResponse, ListOffsetsResponse};

use super::config::{ConsumerConfig, IsolationLevel};
use super::positions::End;

/// One question that waits for its answer.
#[derive(Hash, Debug)]
pub struct Lookup {
    /// Who asks.
    pub operation: OperationId,
    /// About which partition.
    pub partition: TopicPartition,
    /// About which end.
    pub end: End,
    /// When to give up.
    pub expires: Time,
    /// On its way.
    pub asked: bool,
    /// Not to be asked before.
    pub retry_at: Time,
    /// What the last answer said.
    pub error: ErrorCode,
    failures: u32,
}

impl Lookup {
    /// A question not asked so far.
    #[must_use]
    pub fn new(operation: OperationId, partition: TopicPartition, end: End, expires: Time) -> Lookup {
        let (retry_at, error) = (Time::ZERO, ErrorCode::NONE);
        Lookup { operation, partition, end, expires, asked: false, retry_at, error, failures: 0 }
    }

    /// No answer, or not the one hoped for.
    pub fn fail(&mut self, now: Time, error: Option<ErrorCode>, config: &ConsumerConfig) {
        self.asked = false;
        self.error = error.unwrap_or(self.error);
        self.failures = self.failures.saturating_add(1);
        self.retry_at = now.plus(config.common.retry_backoff.after(self.failures));
    }
}

/// The request for one end of one partition.
#[must_use]
pub fn request(partition: &TopicPartition, end: End, epoch: LeaderEpoch, isolation: IsolationLevel) -> Request {
    let asked = ListOffsetsPartition {
        partition_index: partition.index,
        current_leader_epoch: epoch.0,
        timestamp: end.timestamp(),
        ..ListOffsetsPartition::default()
    };
    let topic = ListOffsetsTopic { name: partition.topic.to_string(), partitions: vec![asked], ..ListOffsetsTopic::default() };
    Request::ListOffsets(ListOffsetsRequest {
        replica_id: -1,
        isolation_level: isolation.code(),
        topics: vec![topic],
        ..ListOffsetsRequest::default()
    })
}

/// What the response says about this partition.
///
/// # Errors
/// What the broker says, or UNKNOWN_SERVER_ERROR if it does not mention the partition or gives no offset.
pub fn answer<'r>(
    response: &'r ListOffsetsResponse,
    partition: &TopicPartition,
) -> Result<&'r ListOffsetsPartitionResponse, ErrorCode> {
    let topics = response.topics.iter().filter(|topic| *topic.name == *partition.topic);
    let found = topics.flat_map(|topic| &topic.partitions).find(|answer| answer.partition_index == partition.index);
    let found = found.ok_or(ErrorCode::UNKNOWN_SERVER_ERROR)?;
    ErrorCode(found.error_code).ok()?;
    if found.offset < 0 { Err(ErrorCode::UNKNOWN_SERVER_ERROR) } else { Ok(found) }
}
