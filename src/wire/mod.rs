//! Kafka's wire protocol: every message and every stored record, as declarations, and one bounded codec for all of them.
//!
//! ```text
//!   frame      length | frame                       cutting a stream into frames           no bytes of records copied
//!   window     frames -> an actor                   how many are given before they are answered
//!   header     key, version, correlation id         what comes before every message
//!   schema     message! { name: type [versions] }   what a message is; the macro
//!   messages   one file per API                     the declarations
//!   metadata   records of the metadata log          more declarations
//!   group      records of __consumer_offsets        more declarations
//!   consumer_protocol, sticky_user_data             what consumers tell each other within JoinGroup and SyncGroup
//!   decoder    bytes -> values                      every count checked before anything is allocated
//!   encoder    values -> chunks                     record bytes are chunks of their own
//!   record     record batches, version 2            header peeked, checksummed, patched; records read and built
//! ```
//!
//! Frames come and go without their length prefix, which only [`frame`] knows. [`decode_request`] and [`encode_response`] serve a
//! node, [`encode_request`] and [`decode_response`] its clients. What a peer sends can be wrong in any way; then the result is a
//! [`DecodeError`] that names the field. What we want to send can be impossible in the version chosen; then it is an
//! [`EncodeError`].
//!
//! Simplified: of Kafka's APIs only those in [`Request`] are declared; batches are never compressed here.

pub mod api;
pub mod consumer_protocol;
pub mod decoder;
pub mod encoder;
pub mod error_code;
pub mod frame;
pub mod group;
pub mod header;
pub mod messages;
pub mod metadata;
pub mod mistake;
pub mod record;
pub mod schema;
pub mod sticky_user_data;
pub mod value;
pub mod varint;
pub mod window;

pub use api::{
    ApiKey, Listener, Request, Response, api_versions, decode_request, decode_response, encode_request, encode_response,
    unsupported_api_versions,
};
pub use encoder::join;
pub use error_code::ErrorCode;
pub use group::{GroupRecord, GroupRecordError};
pub use header::{HeaderTags, RequestHeader, ResponseHeader, peek_correlation_id, peek_request_header};
pub use metadata::MetadataRecord;
pub use mistake::{DecodeError, EncodeError, Place};
pub use schema::{Message, UnknownTags, Versions};

pub use crate::types::Uuid;

/// The bytes of a frame in order, without length prefix; record bytes are chunks of their own.
pub type Chunks = Vec<bytes::Bytes>;

macro_rules! reexport {
    ($( $api:ident: $request:ident::$Request:ident, $response:ident::$Response:ident; )*) => {
        $(
            pub use messages::$api::{$request, $response};
            pub use messages::$api::$request::$Request;
            pub use messages::$api::$response::$Response;
        )*
    };
}

reexport! {
    allocate_producer_ids: allocate_producer_ids_request::AllocateProducerIdsRequest,
        allocate_producer_ids_response::AllocateProducerIdsResponse;
    alter_configs: alter_configs_request::AlterConfigsRequest, alter_configs_response::AlterConfigsResponse;
    alter_partition: alter_partition_request::AlterPartitionRequest, alter_partition_response::AlterPartitionResponse;
    alter_replica_log_dirs: alter_replica_log_dirs_request::AlterReplicaLogDirsRequest,
        alter_replica_log_dirs_response::AlterReplicaLogDirsResponse;
    api_versions: api_versions_request::ApiVersionsRequest, api_versions_response::ApiVersionsResponse;
    broker_heartbeat: broker_heartbeat_request::BrokerHeartbeatRequest, broker_heartbeat_response::BrokerHeartbeatResponse;
    broker_registration: broker_registration_request::BrokerRegistrationRequest,
        broker_registration_response::BrokerRegistrationResponse;
    consumer_group_describe: consumer_group_describe_request::ConsumerGroupDescribeRequest,
        consumer_group_describe_response::ConsumerGroupDescribeResponse;
    consumer_group_heartbeat: consumer_group_heartbeat_request::ConsumerGroupHeartbeatRequest,
        consumer_group_heartbeat_response::ConsumerGroupHeartbeatResponse;
    create_partitions: create_partitions_request::CreatePartitionsRequest, create_partitions_response::CreatePartitionsResponse;
    create_topics: create_topics_request::CreateTopicsRequest, create_topics_response::CreateTopicsResponse;
    delete_groups: delete_groups_request::DeleteGroupsRequest, delete_groups_response::DeleteGroupsResponse;
    delete_records: delete_records_request::DeleteRecordsRequest, delete_records_response::DeleteRecordsResponse;
    delete_topics: delete_topics_request::DeleteTopicsRequest, delete_topics_response::DeleteTopicsResponse;
    describe_cluster: describe_cluster_request::DescribeClusterRequest, describe_cluster_response::DescribeClusterResponse;
    describe_configs: describe_configs_request::DescribeConfigsRequest, describe_configs_response::DescribeConfigsResponse;
    describe_groups: describe_groups_request::DescribeGroupsRequest, describe_groups_response::DescribeGroupsResponse;
    describe_log_dirs: describe_log_dirs_request::DescribeLogDirsRequest, describe_log_dirs_response::DescribeLogDirsResponse;
    describe_quorum: describe_quorum_request::DescribeQuorumRequest, describe_quorum_response::DescribeQuorumResponse;
    describe_topic_partitions: describe_topic_partitions_request::DescribeTopicPartitionsRequest,
        describe_topic_partitions_response::DescribeTopicPartitionsResponse;
    elect_leaders: elect_leaders_request::ElectLeadersRequest, elect_leaders_response::ElectLeadersResponse;
    envelope: envelope_request::EnvelopeRequest, envelope_response::EnvelopeResponse;
    fetch: fetch_request::FetchRequest, fetch_response::FetchResponse;
    find_coordinator: find_coordinator_request::FindCoordinatorRequest, find_coordinator_response::FindCoordinatorResponse;
    heartbeat: heartbeat_request::HeartbeatRequest, heartbeat_response::HeartbeatResponse;
    incremental_alter_configs: incremental_alter_configs_request::IncrementalAlterConfigsRequest,
        incremental_alter_configs_response::IncrementalAlterConfigsResponse;
    init_producer_id: init_producer_id_request::InitProducerIdRequest, init_producer_id_response::InitProducerIdResponse;
    join_group: join_group_request::JoinGroupRequest, join_group_response::JoinGroupResponse;
    leave_group: leave_group_request::LeaveGroupRequest, leave_group_response::LeaveGroupResponse;
    list_config_resources: list_config_resources_request::ListConfigResourcesRequest,
        list_config_resources_response::ListConfigResourcesResponse;
    list_groups: list_groups_request::ListGroupsRequest, list_groups_response::ListGroupsResponse;
    list_offsets: list_offsets_request::ListOffsetsRequest, list_offsets_response::ListOffsetsResponse;
    list_partition_reassignments: list_partition_reassignments_request::ListPartitionReassignmentsRequest,
        list_partition_reassignments_response::ListPartitionReassignmentsResponse;
    metadata: metadata_request::MetadataRequest, metadata_response::MetadataResponse;
    offset_commit: offset_commit_request::OffsetCommitRequest, offset_commit_response::OffsetCommitResponse;
    offset_delete: offset_delete_request::OffsetDeleteRequest, offset_delete_response::OffsetDeleteResponse;
    offset_fetch: offset_fetch_request::OffsetFetchRequest, offset_fetch_response::OffsetFetchResponse;
    offset_for_leader_epoch: offset_for_leader_epoch_request::OffsetForLeaderEpochRequest,
        offset_for_leader_epoch_response::OffsetForLeaderEpochResponse;
    produce: produce_request::ProduceRequest, produce_response::ProduceResponse;
    sync_group: sync_group_request::SyncGroupRequest, sync_group_response::SyncGroupResponse;
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
