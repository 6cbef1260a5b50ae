//! Our codec against an independent one, the `kafka-protocol` crate, which is generated from the schemas of Kafka 4.1.0.
//!
//! Random bytes are made for every message in every version; both codecs must read the same fields by name out of them, write the
//! same bytes, and agree on which values another version can carry.

#![allow(clippy::unwrap_used)]

#[allow(dead_code)]
#[path = "wire/generate.rs"]
mod generate;
#[path = "wire/tree.rs"]
mod tree;

use std::fmt::Debug;

use brokerlab::wire::consumer_protocol::{ConsumerProtocolAssignment, ConsumerProtocolSubscription};
use brokerlab::wire::record::{BatchBuilder, Header, batches};
use brokerlab::wire::schema::{Kind, Schema};
use brokerlab::wire::{self, ApiKey, EncodeError, RequestHeader, join};
use bytes::{Bytes, BytesMut};
use kafka_protocol::messages as theirs;
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, Message as TheirMessage};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use tree::tree;

const ROUNDS: u64 = if cfg!(debug_assertions) { 60 } else { 200 };

/// Fields of versions that Kafka 4.1 does not offer and we do not declare: two-phase commit in InitProducerId version 6, topic ids in
/// version 10 of OffsetCommit and OffsetFetch.
fn undeclared(message: &str) -> &'static [&'static str] {
    match message {
        "InitProducerIdRequest" | "InitProducerIdResponse" => {
            &["enable_2_pc", "keep_prepared_txn", "ongoing_txn_producer_id", "ongoing_txn_producer_epoch"]
        }
        "OffsetCommitRequest" | "OffsetCommitResponse" | "OffsetFetchRequest" | "OffsetFetchResponse" => &["topic_id"],
        _ => &[],
    }
}

fn random(version: i16, round: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(u64::from(version.unsigned_abs()) << 32 | round)
}

fn their_bytes(message: &impl Encodable, version: i16) -> Option<Bytes> {
    let mut bytes = BytesMut::new();
    message.encode(&mut bytes, version).ok()?;
    Some(bytes.freeze())
}

/// Both codecs read the same from one frame and write it back alike.
fn same_message<O, T>()
where
    O: wire::Message + Debug + PartialEq,
    T: TheirMessage + Encodable + Decodable + Debug + PartialEq,
{
    assert_eq!(O::VERSIONS.min, T::VERSIONS.min, "{}", O::NAME);
    assert!(O::VERSIONS.max <= T::VERSIONS.max, "{}", O::NAME);
    for version in O::VERSIONS.min..=O::VERSIONS.max {
        for round in 0..ROUNDS {
            let mut random = random(version, round);
            let frame = Bytes::from(generate::message(O::SCHEMA, version, O::is_flexible(version), &mut random).bytes);
            let context = format!("{} version {version} round {round}", O::NAME);
            let our = O::from_bytes(version, &frame).unwrap_or_else(|error| panic!("{context}: {error}"));
            let mut rest = frame.clone();
            let their = T::decode(&mut rest, version).unwrap_or_else(|error| panic!("{context}: {error}"));
            assert!(rest.is_empty(), "{context}: they leave {} bytes", rest.len());
            assert_eq!(tree(&our), tree(&their).without(undeclared(O::NAME)), "{context}");

            let our_bytes = join(&our.to_chunks(version).unwrap());
            assert_eq!(our_bytes, their_bytes(&their, version).unwrap(), "{context}");
            assert_eq!(O::from_bytes(version, &our_bytes).unwrap(), our, "{context}");
            assert_eq!(T::decode(&mut our_bytes.clone(), version).unwrap(), their, "{context}");
        }
    }
}

/// A value made for one version is carried, cut short or refused by another in the same way.
fn same_refusals<O, T>()
where
    O: wire::Message + Debug,
    T: TheirMessage + Encodable + Decodable + Debug,
{
    for (version, round) in (O::VERSIONS.min..=O::VERSIONS.max).flat_map(|v| (0..ROUNDS / 3).map(move |r| (v, r))) {
        let mut random = random(version, round);
        let frame = Bytes::from(generate::message(O::SCHEMA, version, O::is_flexible(version), &mut random).bytes);
        let our = O::from_bytes(version, &frame).unwrap();
        let their = T::decode(&mut frame.clone(), version).unwrap();
        // They drop unknown tagged fields silently where a version has no place for them; we refuse.
        let unknown = format!("{our:?}").contains("unknown_tags: [(");
        for other in (O::VERSIONS.min..=O::VERSIONS.max).filter(|other| !unknown || O::is_flexible(*other)) {
            let ours = our.to_chunks(other).map(|chunks| join(&chunks));
            if ours.as_ref().is_err_and(|error| they_write_it_anyway(O::SCHEMA, error)) {
                continue;
            }
            let context = format!("{} from version {version} to {other}, round {round}: {ours:?}\n{our:?}", O::NAME);
            assert_eq!(ours.ok(), their_bytes(&their, other), "{context}");
        }
    }
}

/// Kafka's own library refuses these as we do; this codec writes null where it is not allowed, and drops tagged fields of other
/// versions without asking whether they may be ignored.
fn they_write_it_anyway(schema: &Schema, error: &EncodeError) -> bool {
    match error {
        EncodeError::Null { .. } => true,
        EncodeError::CannotCarry { message, field, .. } => is_tagged(schema, message, field),
        EncodeError::UnsupportedVersion { .. }
        | EncodeError::TooLong { .. }
        | EncodeError::TagOrder { .. }
        | EncodeError::WrongApi { .. } => false,
    }
}

fn is_tagged(schema: &Schema, message: &str, name: &str) -> bool {
    schema.fields.iter().any(|field| {
        let here = field.message == message && field.name == name && field.rule.tag.is_some();
        here || structs_of(&field.kind).is_some_and(|inner| is_tagged(inner, message, name))
    })
}

fn structs_of(kind: &Kind) -> Option<&'static Schema> {
    match kind {
        Kind::Struct(schema) | Kind::Optional(schema) => Some(schema),
        Kind::Array(element) => structs_of(element),
        Kind::Fixed(_) | Kind::String | Kind::Bytes => None,
    }
}

/// Both put the same header before the same request, and strip it from the same response.
fn same_headers(api: ApiKey, theirs: theirs::ApiKey) {
    let versions = api.implemented().unwrap();
    for version in versions.min..=versions.max {
        for client_id in [None, Some("kcat".to_owned())] {
            let header = RequestHeader { client_id, ..RequestHeader::new(api, version, 42) };
            let frame = their_header(&header, theirs.request_header_version(version));
            assert_eq!(wire::peek_request_header(&frame).as_ref(), Ok(&header), "{api} version {version}");
        }
        let tags = wire::HeaderTags::of_response(api, version) == wire::HeaderTags::Present;
        assert_eq!(theirs.response_header_version(version) == 1, tags, "{api} version {version}");
    }
}

fn their_header(header: &RequestHeader, version: i16) -> Bytes {
    let client_id = header.client_id.clone().map(Into::into);
    let their = theirs::RequestHeader::default()
        .with_request_api_key(header.api_key.code())
        .with_request_api_version(header.api_version)
        .with_correlation_id(header.correlation_id)
        .with_client_id(client_id);
    their_bytes(&their, version).unwrap()
}

/// Whole frames, header and message, of a request.
fn same_frames<O, T>(api: ApiKey)
where
    O: wire::Message + Into<wire::Request>,
    T: HeaderVersion + Encodable + Decodable,
{
    for version in O::VERSIONS.min..=O::VERSIONS.max {
        let mut random = random(version, 7);
        let body = Bytes::from(generate::message(O::SCHEMA, version, O::is_flexible(version), &mut random).bytes);
        let header = RequestHeader { client_id: Some("x".into()), ..RequestHeader::new(api, version, 7) };
        let request: wire::Request = O::from_bytes(version, &body).unwrap().into();
        let ours = join(&wire::encode_request(&header, &request).unwrap());
        let their = T::decode(&mut body.clone(), version).unwrap();
        let frame = [their_header(&header, T::header_version(version)), their_bytes(&their, version).unwrap()].concat();
        assert_eq!(ours, frame, "{api} version {version}");
        assert_eq!(wire::decode_request(&ours).unwrap(), (header, request));
    }
}

macro_rules! apis {
    ($( $test:ident: $api:ident, $request:ident, $response:ident; )*) => { $(
        #[test]
        fn $test() {
            same_message::<wire::$request, theirs::$request>();
            same_message::<wire::$response, theirs::$response>();
            same_refusals::<wire::$request, theirs::$request>();
            same_refusals::<wire::$response, theirs::$response>();
            same_headers(ApiKey::$api, theirs::ApiKey::$api);
            same_frames::<wire::$request, theirs::$request>(ApiKey::$api);
        }
    )* };
}

apis! {
    produce: Produce, ProduceRequest, ProduceResponse;
    fetch: Fetch, FetchRequest, FetchResponse;
    list_offsets: ListOffsets, ListOffsetsRequest, ListOffsetsResponse;
    metadata: Metadata, MetadataRequest, MetadataResponse;
    api_versions: ApiVersions, ApiVersionsRequest, ApiVersionsResponse;
    create_topics: CreateTopics, CreateTopicsRequest, CreateTopicsResponse;
    delete_records: DeleteRecords, DeleteRecordsRequest, DeleteRecordsResponse;
    elect_leaders: ElectLeaders, ElectLeadersRequest, ElectLeadersResponse;
    delete_topics: DeleteTopics, DeleteTopicsRequest, DeleteTopicsResponse;
    init_producer_id: InitProducerId, InitProducerIdRequest, InitProducerIdResponse;
    offset_for_leader_epoch: OffsetForLeaderEpoch, OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse;
    alter_configs: AlterConfigs, AlterConfigsRequest, AlterConfigsResponse;
    create_partitions: CreatePartitions, CreatePartitionsRequest, CreatePartitionsResponse;
    describe_cluster: DescribeCluster, DescribeClusterRequest, DescribeClusterResponse;
    describe_configs: DescribeConfigs, DescribeConfigsRequest, DescribeConfigsResponse;
    describe_log_dirs: DescribeLogDirs, DescribeLogDirsRequest, DescribeLogDirsResponse;
    describe_topic_partitions: DescribeTopicPartitions, DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse;
    incremental_alter_configs: IncrementalAlterConfigs, IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse;
    alter_replica_log_dirs: AlterReplicaLogDirs, AlterReplicaLogDirsRequest, AlterReplicaLogDirsResponse;
    describe_quorum: DescribeQuorum, DescribeQuorumRequest, DescribeQuorumResponse;
    list_config_resources: ListConfigResources, ListConfigResourcesRequest, ListConfigResourcesResponse;
    list_partition_reassignments: ListPartitionReassignments, ListPartitionReassignmentsRequest, ListPartitionReassignmentsResponse;
    find_coordinator: FindCoordinator, FindCoordinatorRequest, FindCoordinatorResponse;
    join_group: JoinGroup, JoinGroupRequest, JoinGroupResponse;
    sync_group: SyncGroup, SyncGroupRequest, SyncGroupResponse;
    heartbeat: Heartbeat, HeartbeatRequest, HeartbeatResponse;
    leave_group: LeaveGroup, LeaveGroupRequest, LeaveGroupResponse;
    offset_commit: OffsetCommit, OffsetCommitRequest, OffsetCommitResponse;
    offset_fetch: OffsetFetch, OffsetFetchRequest, OffsetFetchResponse;
    offset_delete: OffsetDelete, OffsetDeleteRequest, OffsetDeleteResponse;
    list_groups: ListGroups, ListGroupsRequest, ListGroupsResponse;
    describe_groups: DescribeGroups, DescribeGroupsRequest, DescribeGroupsResponse;
    delete_groups: DeleteGroups, DeleteGroupsRequest, DeleteGroupsResponse;
    consumer_group_heartbeat: ConsumerGroupHeartbeat, ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse;
    consumer_group_describe: ConsumerGroupDescribe, ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse;
    alter_partition: AlterPartition, AlterPartitionRequest, AlterPartitionResponse;
    envelope: Envelope, EnvelopeRequest, EnvelopeResponse;
    broker_registration: BrokerRegistration, BrokerRegistrationRequest, BrokerRegistrationResponse;
    broker_heartbeat: BrokerHeartbeat, BrokerHeartbeatRequest, BrokerHeartbeatResponse;
    allocate_producer_ids: AllocateProducerIds, AllocateProducerIdsRequest, AllocateProducerIdsResponse;
}

#[test]
fn consumer_protocol() {
    same_message::<ConsumerProtocolSubscription, theirs::ConsumerProtocolSubscription>();
    same_message::<ConsumerProtocolAssignment, theirs::ConsumerProtocolAssignment>();
    same_refusals::<ConsumerProtocolSubscription, theirs::ConsumerProtocolSubscription>();
    same_refusals::<ConsumerProtocolAssignment, theirs::ConsumerProtocolAssignment>();
}

#[test]
fn keys_have_kafkas_numbers_and_names() {
    let their_keys = (0..=200).filter_map(|code| theirs::ApiKey::try_from(code).ok());
    let their_names: Vec<(i16, String)> = their_keys.map(|key| (key as i16, format!("{key:?}"))).collect();
    let our_names: Vec<(i16, String)> = ApiKey::ALL.iter().map(|key| (key.code(), key.name().to_owned())).collect();
    assert_eq!(our_names, their_names);
}

#[test]
fn swapped_fields_of_one_type_would_be_noticed() {
    let ours = wire::fetch_response::LeaderIdAndEpoch { leader_id: 1, leader_epoch: 2, ..Default::default() };
    let mut theirs = theirs::produce_response::LeaderIdAndEpoch::default().with_leader_id(1.into()).with_leader_epoch(2);
    assert_eq!(tree(&ours), tree(&theirs));
    theirs = theirs.with_leader_id(2.into()).with_leader_epoch(1);
    assert_ne!(tree(&ours), tree(&theirs));
}

#[test]
fn batches_hold_the_records_they_see() {
    use brokerlab::types::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, Sequence, Timestamp};
    use kafka_protocol::records::{Compression, RecordBatchDecoder, RecordBatchEncoder, RecordEncodeOptions};

    let mut builder = BatchBuilder::new()
        .at(Offset(1000), LeaderEpoch(3))
        .producer(ProducerId(77), ProducerEpoch(2), Sequence(500))
        .transactional();
    let header = Header { name: Bytes::from_static(b"trace"), value: Some(Bytes::from_static(b"\x01\x02")) };
    builder.push(Timestamp(10_000), Some(b"key"), Some(b"value"), &[header]);
    builder.push(Timestamp(9_000), None, Some(&[7; 300]), &[]);
    builder.push(Timestamp(12_000), Some(b""), None, &[Header { name: Bytes::from_static(b"n"), value: None }]);
    let batch = builder.build();

    let set = RecordBatchDecoder::decode(&mut batch.clone()).unwrap();
    let ours: Vec<_> = batches(&batch).next().unwrap().unwrap().records().unwrap().map(Result::unwrap).collect();
    assert_eq!(set.records.len(), ours.len());
    for (their, our) in set.records.iter().zip(&ours) {
        assert_eq!((their.offset, their.timestamp), (our.offset.0, our.timestamp.0));
        assert_eq!((&their.key, &their.value), (&our.key, &our.value));
        assert_eq!((their.producer_id, their.producer_epoch, their.partition_leader_epoch), (77, 2, 3));
        assert!(their.transactional && !their.control);
        let headers: Vec<_> = their.headers.iter().map(|(name, value)| (name.as_bytes(), value.as_deref())).collect();
        let our_headers: Vec<_> = our.headers.iter().map(|h| (&h.name[..], h.value.as_deref())).collect();
        assert_eq!(headers, our_headers);
    }

    let mut encoded = BytesMut::new();
    let options = RecordEncodeOptions { version: 2, compression: Compression::None };
    RecordBatchEncoder::encode(&mut encoded, &set.records, &options).unwrap();
    let again = batches(&encoded.freeze()).next().unwrap().unwrap();
    again.verify_crc().unwrap();
    assert_eq!(again.records().unwrap().map(Result::unwrap).collect::<Vec<_>>(), ours);
}
