//! The APIs: keys, versions, and one enum over all requests, one over all responses.
//!
//! A node *implements* the versions its messages declare, and *advertises* nearly the same. The exception is Produce: the
//! versions before 3 are gone, yet they are advertised, because old clients conclude from the lower end of that range what the
//! broker can do at all (KIP-896).

use std::fmt;

use bytes::Bytes;

use super::encoder::Encoder;
use super::header::{HeaderTags, RequestHeader, ResponseHeader};
use super::messages::api_versions::api_versions_response::{ApiVersion, ApiVersionsResponse};
use super::messages::{
    allocate_producer_ids::*, alter_configs::*, alter_partition::*, alter_replica_log_dirs::*, api_versions::*,
    broker_heartbeat::*, broker_registration::*, consumer_group_describe::*, consumer_group_heartbeat::*, create_partitions::*,
    create_topics::*, delete_groups::*, delete_records::*, delete_topics::*, describe_cluster::*, describe_configs::*,
    describe_groups::*, describe_log_dirs::*, describe_quorum::*, describe_topic_partitions::*, elect_leaders::*, envelope::*,
    fetch::*, find_coordinator::*, heartbeat::*, incremental_alter_configs::*, init_producer_id::*, join_group::*,
    leave_group::*, list_config_resources::*, list_groups::*, list_offsets::*, list_partition_reassignments::*, metadata::*,
    offset_commit::*, offset_delete::*, offset_fetch::*, offset_for_leader_epoch::*, produce::*, sync_group::*,
};
use super::mistake::{DecodeError, EncodeError};
use super::schema::{Message, Versions, unsupported};
use super::{Chunks, ErrorCode};

macro_rules! api_keys {
    ($( $(#[$doc:meta])* $name:ident = $code:literal, )*) => {
        /// Names an API. All keys of Kafka 4.1 are listed, so that a request we cannot serve still has a name.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        #[repr(i16)]
        pub enum ApiKey {
            #[default]
            $( $(#[$doc])* $name = $code, )*
        }

        impl ApiKey {
            /// Every key.
            pub const ALL: &'static [ApiKey] = &[ $( ApiKey::$name, )* ];

            /// The key of this number.
            #[must_use]
            pub const fn from_code(code: i16) -> Option<ApiKey> {
                match code {
                    $( $code => Some(ApiKey::$name), )*
                    _ => None,
                }
            }

            /// Kafka's name.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $( ApiKey::$name => stringify!($name), )*
                }
            }
        }
    };
}

api_keys! {
    /// Append record batches.
    Produce = 0,
    /// Read record batches.
    Fetch = 1,
    /// Find offsets by timestamp.
    ListOffsets = 2,
    /// Learn brokers, topics and leaders.
    Metadata = 3,
    /// Store committed offsets.
    OffsetCommit = 8,
    /// Learn committed offsets.
    OffsetFetch = 9,
    /// Find the coordinator of a group.
    FindCoordinator = 10,
    /// Enter a rebalance.
    JoinGroup = 11,
    /// Show that a member lives.
    Heartbeat = 12,
    /// Leave a group.
    LeaveGroup = 13,
    /// Hand in the assignment and receive a part of it.
    SyncGroup = 14,
    /// Learn the members of groups.
    DescribeGroups = 15,
    /// Learn which groups there are.
    ListGroups = 16,
    /// Not declared here: Kafka's SaslHandshake.
    SaslHandshake = 17,
    /// Learn which versions a node speaks.
    ApiVersions = 18,
    /// Create topics.
    CreateTopics = 19,
    /// Delete topics.
    DeleteTopics = 20,
    /// Give up the oldest records.
    DeleteRecords = 21,
    /// Receive a producer id and epoch.
    InitProducerId = 22,
    /// Find where a leader epoch ended.
    OffsetForLeaderEpoch = 23,
    /// Not declared here: Kafka's AddPartitionsToTxn.
    AddPartitionsToTxn = 24,
    /// Not declared here: Kafka's AddOffsetsToTxn.
    AddOffsetsToTxn = 25,
    /// Not declared here: Kafka's EndTxn.
    EndTxn = 26,
    /// Not declared here: Kafka's WriteTxnMarkers.
    WriteTxnMarkers = 27,
    /// Not declared here: Kafka's TxnOffsetCommit.
    TxnOffsetCommit = 28,
    /// Not declared here: Kafka's DescribeAcls.
    DescribeAcls = 29,
    /// Not declared here: Kafka's CreateAcls.
    CreateAcls = 30,
    /// Not declared here: Kafka's DeleteAcls.
    DeleteAcls = 31,
    /// Learn what is configured.
    DescribeConfigs = 32,
    /// Replace configurations.
    AlterConfigs = 33,
    /// Move replicas between directories.
    AlterReplicaLogDirs = 34,
    /// Learn how large logs are.
    DescribeLogDirs = 35,
    /// Not declared here: Kafka's SaslAuthenticate.
    SaslAuthenticate = 36,
    /// Give topics more partitions.
    CreatePartitions = 37,
    /// Not declared here: Kafka's CreateDelegationToken.
    CreateDelegationToken = 38,
    /// Not declared here: Kafka's RenewDelegationToken.
    RenewDelegationToken = 39,
    /// Not declared here: Kafka's ExpireDelegationToken.
    ExpireDelegationToken = 40,
    /// Not declared here: Kafka's DescribeDelegationToken.
    DescribeDelegationToken = 41,
    /// Forget groups.
    DeleteGroups = 42,
    /// Elect leaders now.
    ElectLeaders = 43,
    /// Change configurations entry by entry.
    IncrementalAlterConfigs = 44,
    /// Not declared here: Kafka's AlterPartitionReassignments.
    AlterPartitionReassignments = 45,
    /// Learn which partitions are on their way.
    ListPartitionReassignments = 46,
    /// Forget committed offsets.
    OffsetDelete = 47,
    /// Not declared here: Kafka's DescribeClientQuotas.
    DescribeClientQuotas = 48,
    /// Not declared here: Kafka's AlterClientQuotas.
    AlterClientQuotas = 49,
    /// Not declared here: Kafka's DescribeUserScramCredentials.
    DescribeUserScramCredentials = 50,
    /// Not declared here: Kafka's AlterUserScramCredentials.
    AlterUserScramCredentials = 51,
    /// Not declared here: Kafka's Vote.
    Vote = 52,
    /// Not declared here: Kafka's BeginQuorumEpoch.
    BeginQuorumEpoch = 53,
    /// Not declared here: Kafka's EndQuorumEpoch.
    EndQuorumEpoch = 54,
    /// Learn how far replicas of the metadata log are.
    DescribeQuorum = 55,
    /// Change in-sync replicas.
    AlterPartition = 56,
    /// Not declared here: Kafka's UpdateFeatures.
    UpdateFeatures = 57,
    /// Forward a request to the controller.
    Envelope = 58,
    /// Not declared here: Kafka's FetchSnapshot.
    FetchSnapshot = 59,
    /// Learn which brokers there are.
    DescribeCluster = 60,
    /// Not declared here: Kafka's DescribeProducers.
    DescribeProducers = 61,
    /// Register a broker.
    BrokerRegistration = 62,
    /// Show that a broker lives.
    BrokerHeartbeat = 63,
    /// Not declared here: Kafka's UnregisterBroker.
    UnregisterBroker = 64,
    /// Not declared here: Kafka's DescribeTransactions.
    DescribeTransactions = 65,
    /// Not declared here: Kafka's ListTransactions.
    ListTransactions = 66,
    /// Receive a block of producer ids.
    AllocateProducerIds = 67,
    /// Join, live in and leave a group of the next-generation protocol.
    ConsumerGroupHeartbeat = 68,
    /// Learn the members of groups of the next-generation protocol.
    ConsumerGroupDescribe = 69,
    /// Not declared here: Kafka's ControllerRegistration.
    ControllerRegistration = 70,
    /// Not declared here: Kafka's GetTelemetrySubscriptions.
    GetTelemetrySubscriptions = 71,
    /// Not declared here: Kafka's PushTelemetry.
    PushTelemetry = 72,
    /// Not declared here: Kafka's AssignReplicasToDirs.
    AssignReplicasToDirs = 73,
    /// Learn which resources can be configured.
    ListConfigResources = 74,
    /// Learn leaders and replicas page by page.
    DescribeTopicPartitions = 75,
    /// Not declared here: Kafka's ShareGroupHeartbeat.
    ShareGroupHeartbeat = 76,
    /// Not declared here: Kafka's ShareGroupDescribe.
    ShareGroupDescribe = 77,
    /// Not declared here: Kafka's ShareFetch.
    ShareFetch = 78,
    /// Not declared here: Kafka's ShareAcknowledge.
    ShareAcknowledge = 79,
    /// Not declared here: Kafka's AddRaftVoter.
    AddRaftVoter = 80,
    /// Not declared here: Kafka's RemoveRaftVoter.
    RemoveRaftVoter = 81,
    /// Not declared here: Kafka's UpdateRaftVoter.
    UpdateRaftVoter = 82,
    /// Not declared here: Kafka's InitializeShareGroupState.
    InitializeShareGroupState = 83,
    /// Not declared here: Kafka's ReadShareGroupState.
    ReadShareGroupState = 84,
    /// Not declared here: Kafka's WriteShareGroupState.
    WriteShareGroupState = 85,
    /// Not declared here: Kafka's DeleteShareGroupState.
    DeleteShareGroupState = 86,
    /// Not declared here: Kafka's ReadShareGroupStateSummary.
    ReadShareGroupStateSummary = 87,
    /// Not declared here: Kafka's DescribeShareGroupOffsets.
    DescribeShareGroupOffsets = 90,
    /// Not declared here: Kafka's AlterShareGroupOffsets.
    AlterShareGroupOffsets = 91,
    /// Not declared here: Kafka's DeleteShareGroupOffsets.
    DeleteShareGroupOffsets = 92,
}

impl ApiKey {
    /// The number in headers.
    #[must_use]
    pub const fn code(self) -> i16 {
        self as i16
    }

    /// The versions a node of this kind offers to clients, or `None` if it does not serve the API at all.
    #[must_use]
    pub fn advertised(self, listener: Listener) -> Option<Versions> {
        let serves = match listener {
            Listener::Broker => !matches!(
                self,
                ApiKey::Envelope
                    | ApiKey::AlterPartition
                    | ApiKey::BrokerRegistration
                    | ApiKey::BrokerHeartbeat
                    | ApiKey::AllocateProducerIds
            ),
            Listener::Controller => !matches!(
                self,
                ApiKey::Produce
                    | ApiKey::ListOffsets
                    | ApiKey::Metadata
                    | ApiKey::DeleteRecords
                    | ApiKey::InitProducerId
                    | ApiKey::OffsetForLeaderEpoch
                    | ApiKey::DescribeConfigs
                    | ApiKey::DescribeLogDirs
                    | ApiKey::DescribeCluster
                    | ApiKey::DescribeTopicPartitions
                    | ApiKey::ListConfigResources
                    | ApiKey::ListPartitionReassignments
                    | ApiKey::AlterReplicaLogDirs
                    | ApiKey::FindCoordinator
                    | ApiKey::JoinGroup
                    | ApiKey::SyncGroup
                    | ApiKey::Heartbeat
                    | ApiKey::LeaveGroup
                    | ApiKey::OffsetCommit
                    | ApiKey::OffsetFetch
                    | ApiKey::OffsetDelete
                    | ApiKey::ListGroups
                    | ApiKey::DescribeGroups
                    | ApiKey::DeleteGroups
                    | ApiKey::ConsumerGroupHeartbeat
                    | ApiKey::ConsumerGroupDescribe
            ),
        };
        let implemented = self.implemented().filter(|_| serves)?;
        Some(match self == ApiKey::Produce {
            true => Versions { min: 0, ..implemented },
            false => implemented,
        })
    }
}

impl fmt::Display for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The two kinds of nodes, which serve different APIs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listener {
    /// A broker, as clients see it.
    Broker,
    /// A controller, as brokers see it.
    Controller,
}

/// The content of an ApiVersions response of such a node, in order of keys.
#[must_use]
pub fn api_versions(listener: Listener) -> Vec<ApiVersion> {
    let advertised = ApiKey::ALL.iter().filter_map(|key| Some((key, key.advertised(listener)?)));
    advertised.map(|(key, versions)| api_version(*key, versions)).collect()
}

fn api_version(key: ApiKey, versions: Versions) -> ApiVersion {
    ApiVersion { api_key: key.code(), min_version: versions.min, max_version: versions.max, ..ApiVersion::default() }
}

/// The answer to an ApiVersions request in a version we cannot read: version 0, UNSUPPORTED_VERSION, and the range of
/// ApiVersions itself, from which the client picks the version to ask again in.
#[must_use]
pub fn unsupported_api_versions(correlation_id: i32) -> Chunks {
    let api_keys = vec![api_version(ApiKey::ApiVersions, ApiKey::ApiVersions.implemented().expect("declared below"))];
    let error_code = ErrorCode::UNSUPPORTED_VERSION.code();
    let response = ApiVersionsResponse { error_code, api_keys, ..ApiVersionsResponse::default() };
    encode_response(ApiKey::ApiVersions, 0, correlation_id, &Response::ApiVersions(response))
        .expect("version 0 carries both fields")
}

macro_rules! apis {
    ($( $(#[$doc:meta])* $name:ident : $request:path , $response:path ; )*) => {
        /// Any request we can read and write.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum Request {
            $( $(#[$doc])* $name($request), )*
        }

        /// Any response we can read and write.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum Response {
            $( $(#[$doc])* $name($response), )*
        }

        impl ApiKey {
            /// The versions that can be read and written, or `None` if the messages of this API are not declared.
            #[must_use]
            pub const fn implemented(self) -> Option<Versions> {
                #[allow(clippy::wildcard_enum_match_arm)]
                match self {
                    $( ApiKey::$name => Some(<$request as Message>::VERSIONS), )*
                    _ => None,
                }
            }

            /// Whether requests and responses of this version have compact lengths and tagged fields.
            #[must_use]
            pub const fn is_flexible(self, version: i16) -> bool {
                #[allow(clippy::wildcard_enum_match_arm)]
                match self {
                    $( ApiKey::$name => version >= <$request as Message>::FLEXIBLE, )*
                    _ => false,
                }
            }
        }

        impl Request {
            /// The API this request belongs to.
            #[must_use]
            pub const fn api_key(&self) -> ApiKey {
                match self {
                    $( Request::$name(_) => ApiKey::$name, )*
                }
            }

            fn write(&self, encoder: &mut Encoder) -> Result<(), EncodeError> {
                match self {
                    $( Request::$name(request) => request.write(encoder), )*
                }
            }

            fn read(header: &RequestHeader, frame: &Bytes, at: usize) -> Result<Request, DecodeError> {
                #[allow(clippy::wildcard_enum_match_arm)]
                match header.api_key {
                    $( ApiKey::$name => Message::read_first(header.api_version, frame, at).map(Request::$name), )*
                    _ => Err(DecodeError::UnsupportedVersion { header: header.clone() }),
                }
            }
        }

        impl Response {
            /// The API this response belongs to.
            #[must_use]
            pub const fn api_key(&self) -> ApiKey {
                match self {
                    $( Response::$name(_) => ApiKey::$name, )*
                }
            }

            fn write(&self, encoder: &mut Encoder) -> Result<(), EncodeError> {
                match self {
                    $( Response::$name(response) => response.write(encoder), )*
                }
            }

            fn read(api_key: ApiKey, version: i16, frame: &Bytes, at: usize) -> Result<Response, DecodeError> {
                #[allow(clippy::wildcard_enum_match_arm)]
                match api_key {
                    $( ApiKey::$name => Message::read_at(version, frame, at).map(Response::$name), )*
                    _ => Err(unsupported(api_key, version)),
                }
            }
        }

        $(
            impl From<$request> for Request {
                fn from(request: $request) -> Request {
                    Request::$name(request)
                }
            }

            impl From<$response> for Response {
                fn from(response: $response) -> Response {
                    Response::$name(response)
                }
            }
        )*
    };
}

apis! {
    /// Append record batches.
    Produce: produce_request::ProduceRequest, produce_response::ProduceResponse;
    /// Read record batches.
    Fetch: fetch_request::FetchRequest, fetch_response::FetchResponse;
    /// Find offsets by timestamp.
    ListOffsets: list_offsets_request::ListOffsetsRequest, list_offsets_response::ListOffsetsResponse;
    /// Learn brokers, topics and leaders.
    Metadata: metadata_request::MetadataRequest, metadata_response::MetadataResponse;
    /// Learn which versions a node speaks.
    ApiVersions: api_versions_request::ApiVersionsRequest, api_versions_response::ApiVersionsResponse;
    /// Create topics.
    CreateTopics: create_topics_request::CreateTopicsRequest, create_topics_response::CreateTopicsResponse;
    /// Delete topics.
    DeleteTopics: delete_topics_request::DeleteTopicsRequest, delete_topics_response::DeleteTopicsResponse;
    /// Give up the oldest records.
    DeleteRecords: delete_records_request::DeleteRecordsRequest, delete_records_response::DeleteRecordsResponse;
    /// Elect leaders now.
    ElectLeaders: elect_leaders_request::ElectLeadersRequest, elect_leaders_response::ElectLeadersResponse;
    /// Receive a producer id and epoch.
    InitProducerId: init_producer_id_request::InitProducerIdRequest, init_producer_id_response::InitProducerIdResponse;
    /// Find where a leader epoch ended.
    OffsetForLeaderEpoch: offset_for_leader_epoch_request::OffsetForLeaderEpochRequest,
        offset_for_leader_epoch_response::OffsetForLeaderEpochResponse;
    /// Replace configurations.
    AlterConfigs: alter_configs_request::AlterConfigsRequest, alter_configs_response::AlterConfigsResponse;
    /// Give topics more partitions.
    CreatePartitions: create_partitions_request::CreatePartitionsRequest, create_partitions_response::CreatePartitionsResponse;
    /// Learn which brokers there are.
    DescribeCluster: describe_cluster_request::DescribeClusterRequest, describe_cluster_response::DescribeClusterResponse;
    /// Learn what is configured.
    DescribeConfigs: describe_configs_request::DescribeConfigsRequest, describe_configs_response::DescribeConfigsResponse;
    /// Learn how large logs are.
    DescribeLogDirs: describe_log_dirs_request::DescribeLogDirsRequest, describe_log_dirs_response::DescribeLogDirsResponse;
    /// Learn leaders and replicas page by page.
    DescribeTopicPartitions: describe_topic_partitions_request::DescribeTopicPartitionsRequest,
        describe_topic_partitions_response::DescribeTopicPartitionsResponse;
    /// Change configurations entry by entry.
    IncrementalAlterConfigs: incremental_alter_configs_request::IncrementalAlterConfigsRequest,
        incremental_alter_configs_response::IncrementalAlterConfigsResponse;
    /// Move replicas between directories.
    AlterReplicaLogDirs: alter_replica_log_dirs_request::AlterReplicaLogDirsRequest,
        alter_replica_log_dirs_response::AlterReplicaLogDirsResponse;
    /// Learn how far replicas of the metadata log are.
    DescribeQuorum: describe_quorum_request::DescribeQuorumRequest, describe_quorum_response::DescribeQuorumResponse;
    /// Learn which resources can be configured.
    ListConfigResources: list_config_resources_request::ListConfigResourcesRequest,
        list_config_resources_response::ListConfigResourcesResponse;
    /// Learn which partitions are on their way.
    ListPartitionReassignments: list_partition_reassignments_request::ListPartitionReassignmentsRequest,
        list_partition_reassignments_response::ListPartitionReassignmentsResponse;
    /// Find the coordinator of a group.
    FindCoordinator: find_coordinator_request::FindCoordinatorRequest, find_coordinator_response::FindCoordinatorResponse;
    /// Enter a rebalance.
    JoinGroup: join_group_request::JoinGroupRequest, join_group_response::JoinGroupResponse;
    /// Hand in the assignment and receive a part of it.
    SyncGroup: sync_group_request::SyncGroupRequest, sync_group_response::SyncGroupResponse;
    /// Show that a member lives.
    Heartbeat: heartbeat_request::HeartbeatRequest, heartbeat_response::HeartbeatResponse;
    /// Leave a group.
    LeaveGroup: leave_group_request::LeaveGroupRequest, leave_group_response::LeaveGroupResponse;
    /// Store committed offsets.
    OffsetCommit: offset_commit_request::OffsetCommitRequest, offset_commit_response::OffsetCommitResponse;
    /// Learn committed offsets.
    OffsetFetch: offset_fetch_request::OffsetFetchRequest, offset_fetch_response::OffsetFetchResponse;
    /// Forget committed offsets.
    OffsetDelete: offset_delete_request::OffsetDeleteRequest, offset_delete_response::OffsetDeleteResponse;
    /// Learn which groups there are.
    ListGroups: list_groups_request::ListGroupsRequest, list_groups_response::ListGroupsResponse;
    /// Learn the members of groups.
    DescribeGroups: describe_groups_request::DescribeGroupsRequest, describe_groups_response::DescribeGroupsResponse;
    /// Forget groups.
    DeleteGroups: delete_groups_request::DeleteGroupsRequest, delete_groups_response::DeleteGroupsResponse;
    /// Join, live in and leave a group of the next-generation protocol.
    ConsumerGroupHeartbeat: consumer_group_heartbeat_request::ConsumerGroupHeartbeatRequest,
        consumer_group_heartbeat_response::ConsumerGroupHeartbeatResponse;
    /// Learn the members of groups of the next-generation protocol.
    ConsumerGroupDescribe: consumer_group_describe_request::ConsumerGroupDescribeRequest,
        consumer_group_describe_response::ConsumerGroupDescribeResponse;
    /// Change in-sync replicas.
    AlterPartition: alter_partition_request::AlterPartitionRequest, alter_partition_response::AlterPartitionResponse;
    /// Forward a request to the controller.
    Envelope: envelope_request::EnvelopeRequest, envelope_response::EnvelopeResponse;
    /// Register a broker.
    BrokerRegistration: broker_registration_request::BrokerRegistrationRequest,
        broker_registration_response::BrokerRegistrationResponse;
    /// Show that a broker lives.
    BrokerHeartbeat: broker_heartbeat_request::BrokerHeartbeatRequest, broker_heartbeat_response::BrokerHeartbeatResponse;
    /// Receive a block of producer ids.
    AllocateProducerIds: allocate_producer_ids_request::AllocateProducerIdsRequest,
        allocate_producer_ids_response::AllocateProducerIdsResponse;
}

/// Reads a request frame. Bytes that follow the request are not looked at, as in Kafka: librdkafka 2.16 writes the null list of a Metadata
/// request for all topics four bytes wide where one is meant, and means what the first of them says.
pub fn decode_request(frame: &Bytes) -> Result<(RequestHeader, Request), DecodeError> {
    let (header, at) = RequestHeader::read(frame)?;
    let implemented = header.api_key.implemented();
    if !implemented.is_some_and(|versions| versions.contains(header.api_version)) {
        return Err(DecodeError::UnsupportedVersion { header });
    }
    let request = Request::read(&header, frame, at)?;
    Ok((header, request))
}

/// Writes a request frame.
pub fn encode_request(header: &RequestHeader, request: &Request) -> Result<Chunks, EncodeError> {
    let (api, version) = (header.api_key, header.api_version);
    if request.api_key() != api {
        return Err(EncodeError::WrongApi { api });
    }
    let mut encoder = Encoder::new(api.name(), version, api.is_flexible(version));
    header.write(&mut encoder)?;
    request.write(&mut encoder)?;
    Ok(encoder.finish())
}

/// Reads a response frame to a request of this API and version.
///
/// A node that could not read our version of ApiVersions answers in version 0; such an answer is recognised by its error.
pub fn decode_response(api_key: ApiKey, version: i16, frame: &Bytes) -> Result<(ResponseHeader, Response), DecodeError> {
    if !api_key.implemented().is_some_and(|versions| versions.contains(version)) {
        return Err(unsupported(api_key, version));
    }
    let (header, at) = ResponseHeader::read(frame, HeaderTags::of_response(api_key, version))?;
    let refused = frame[at..].starts_with(&ErrorCode::UNSUPPORTED_VERSION.code().to_be_bytes());
    let version = if api_key == ApiKey::ApiVersions && refused { 0 } else { version };
    let response = Response::read(api_key, version, frame, at)?;
    Ok((header, response))
}

/// Writes a response frame to a request of this API and version.
pub fn encode_response(api_key: ApiKey, version: i16, correlation_id: i32, response: &Response) -> Result<Chunks, EncodeError> {
    if response.api_key() != api_key {
        return Err(EncodeError::WrongApi { api: api_key });
    }
    let mut encoder = Encoder::new(api_key.name(), version, api_key.is_flexible(version));
    let header = ResponseHeader { correlation_id, ..ResponseHeader::default() };
    header.write(&mut encoder, HeaderTags::of_response(api_key, version))?;
    response.write(&mut encoder)?;
    Ok(encoder.finish())
}
