//! Who keeps the metadata log, and how far it reaches: what `kafka-metadata-quorum` asks.
//!
//! One controller is the whole quorum, and brokers are its observers. How far a broker has read is not kept here; -1 says so. The answer
//! waits, like every other, until all that was written before is committed, so what is told as the high watermark is the log end.

use super::state::Controller;
use crate::wire::describe_quorum_response::{PartitionData, ReplicaState, TopicData};
use crate::wire::{DescribeQuorumRequest, DescribeQuorumResponse, ErrorCode};

/// The name of the metadata log.
const METADATA_LOG: &str = "__cluster_metadata";

impl Controller {
    /// Describes the quorum of the metadata log, the only log that has one.
    pub fn on_describe_quorum(&self, request: &DescribeQuorumRequest) -> DescribeQuorumResponse {
        let is_ours = |topic: &str, index: i32| topic == METADATA_LOG && index == 0;
        let topics = request.topics.iter().map(|topic| {
            let told = topic.partitions.iter().map(|wanted| match is_ours(&topic.topic_name, wanted.partition_index) {
                true => self.quorum(),
                false => PartitionData {
                    partition_index: wanted.partition_index,
                    error_code: ErrorCode::UNKNOWN_TOPIC_OR_PARTITION.code(),
                    error_message: None,
                    ..PartitionData::default()
                },
            });
            TopicData { topic_name: topic.topic_name.clone(), partitions: told.collect(), ..TopicData::default() }
        });
        DescribeQuorumResponse { error_message: None, topics: topics.collect(), ..DescribeQuorumResponse::default() }
    }

    fn quorum(&self) -> PartitionData {
        let end = self.image.end().0;
        let own = ReplicaState { replica_id: self.config.id.0, log_end_offset: end, ..ReplicaState::default() };
        let observer =
            |broker: &super::Broker| ReplicaState { replica_id: broker.id.0, log_end_offset: -1, ..ReplicaState::default() };
        PartitionData {
            error_message: None,
            leader_id: self.config.id.0,
            leader_epoch: self.epoch.0,
            high_watermark: end,
            current_voters: vec![own],
            observers: self.image.brokers().map(observer).collect(),
            ..PartitionData::default()
        }
    }
}
