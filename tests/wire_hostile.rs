//! What a peer may send: anything. No frame makes a node panic, and none makes it allocate more than a small multiple of the frame's
//! size, whatever counts and lengths it declares.
//!
//! The allocator counts every byte asked for, also of what is freed again.

#![allow(clippy::unwrap_used)]

#[path = "wire/generate.rs"]
mod generate;

use std::alloc::System;

use brokerlab::wire::record::{BatchBuilder, batches};
use brokerlab::wire::schema::Schema;
use brokerlab::wire::{self, ApiKey, GroupRecord, Message, MetadataRecord, RequestHeader};
use bytes::Bytes;
use generate::{Generator, Length, LengthForm};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Bytes that may be allocated for each byte of a frame.
const FACTOR: usize = 512;
const MUTATIONS: usize = if cfg!(debug_assertions) { 100_000 } else { 1_000_000 };

/// What stands in a frame: which message, and how it is read.
#[derive(Clone, Copy)]
enum Kind {
    Request(ApiKey),
    Response(ApiKey),
}

struct Shape {
    what: Kind,
    schema: &'static Schema,
    version: i16,
}

fn shapes() -> Vec<Shape> {
    fn of<Q: Message, P: Message>(key: ApiKey) -> impl Iterator<Item = Shape> {
        let versions = key.implemented().unwrap();
        (versions.min..=versions.max).flat_map(move |version| {
            let pair = [(Kind::Request(key), Q::SCHEMA), (Kind::Response(key), P::SCHEMA)];
            pair.map(|(what, schema)| Shape { what, schema, version })
        })
    }
    let mut shapes = Vec::new();
    shapes.extend(of::<wire::ProduceRequest, wire::ProduceResponse>(ApiKey::Produce));
    shapes.extend(of::<wire::FetchRequest, wire::FetchResponse>(ApiKey::Fetch));
    shapes.extend(of::<wire::ListOffsetsRequest, wire::ListOffsetsResponse>(ApiKey::ListOffsets));
    shapes.extend(of::<wire::MetadataRequest, wire::MetadataResponse>(ApiKey::Metadata));
    shapes.extend(of::<wire::ApiVersionsRequest, wire::ApiVersionsResponse>(ApiKey::ApiVersions));
    shapes.extend(of::<wire::CreateTopicsRequest, wire::CreateTopicsResponse>(ApiKey::CreateTopics));
    shapes.extend(of::<wire::DeleteTopicsRequest, wire::DeleteTopicsResponse>(ApiKey::DeleteTopics));
    shapes.extend(of::<wire::DeleteRecordsRequest, wire::DeleteRecordsResponse>(ApiKey::DeleteRecords));
    shapes.extend(of::<wire::ElectLeadersRequest, wire::ElectLeadersResponse>(ApiKey::ElectLeaders));
    shapes.extend(of::<wire::InitProducerIdRequest, wire::InitProducerIdResponse>(ApiKey::InitProducerId));
    shapes.extend(of::<wire::OffsetForLeaderEpochRequest, wire::OffsetForLeaderEpochResponse>(ApiKey::OffsetForLeaderEpoch));
    shapes.extend(of::<wire::AlterConfigsRequest, wire::AlterConfigsResponse>(ApiKey::AlterConfigs));
    shapes.extend(of::<wire::CreatePartitionsRequest, wire::CreatePartitionsResponse>(ApiKey::CreatePartitions));
    shapes.extend(of::<wire::DescribeClusterRequest, wire::DescribeClusterResponse>(ApiKey::DescribeCluster));
    shapes.extend(of::<wire::DescribeConfigsRequest, wire::DescribeConfigsResponse>(ApiKey::DescribeConfigs));
    shapes.extend(of::<wire::DescribeLogDirsRequest, wire::DescribeLogDirsResponse>(ApiKey::DescribeLogDirs));
    shapes.extend(of::<wire::DescribeTopicPartitionsRequest, wire::DescribeTopicPartitionsResponse>(
        ApiKey::DescribeTopicPartitions,
    ));
    shapes.extend(of::<wire::IncrementalAlterConfigsRequest, wire::IncrementalAlterConfigsResponse>(
        ApiKey::IncrementalAlterConfigs,
    ));
    shapes.extend(of::<wire::AlterReplicaLogDirsRequest, wire::AlterReplicaLogDirsResponse>(ApiKey::AlterReplicaLogDirs));
    shapes.extend(of::<wire::DescribeQuorumRequest, wire::DescribeQuorumResponse>(ApiKey::DescribeQuorum));
    shapes.extend(of::<wire::ListConfigResourcesRequest, wire::ListConfigResourcesResponse>(ApiKey::ListConfigResources));
    shapes.extend(of::<wire::ListPartitionReassignmentsRequest, wire::ListPartitionReassignmentsResponse>(
        ApiKey::ListPartitionReassignments,
    ));
    shapes.extend(of::<wire::FindCoordinatorRequest, wire::FindCoordinatorResponse>(ApiKey::FindCoordinator));
    shapes.extend(of::<wire::JoinGroupRequest, wire::JoinGroupResponse>(ApiKey::JoinGroup));
    shapes.extend(of::<wire::SyncGroupRequest, wire::SyncGroupResponse>(ApiKey::SyncGroup));
    shapes.extend(of::<wire::HeartbeatRequest, wire::HeartbeatResponse>(ApiKey::Heartbeat));
    shapes.extend(of::<wire::LeaveGroupRequest, wire::LeaveGroupResponse>(ApiKey::LeaveGroup));
    shapes.extend(of::<wire::OffsetCommitRequest, wire::OffsetCommitResponse>(ApiKey::OffsetCommit));
    shapes.extend(of::<wire::OffsetFetchRequest, wire::OffsetFetchResponse>(ApiKey::OffsetFetch));
    shapes.extend(of::<wire::OffsetDeleteRequest, wire::OffsetDeleteResponse>(ApiKey::OffsetDelete));
    shapes.extend(of::<wire::ListGroupsRequest, wire::ListGroupsResponse>(ApiKey::ListGroups));
    shapes.extend(of::<wire::DescribeGroupsRequest, wire::DescribeGroupsResponse>(ApiKey::DescribeGroups));
    shapes.extend(of::<wire::DeleteGroupsRequest, wire::DeleteGroupsResponse>(ApiKey::DeleteGroups));
    shapes
        .extend(of::<wire::ConsumerGroupHeartbeatRequest, wire::ConsumerGroupHeartbeatResponse>(ApiKey::ConsumerGroupHeartbeat));
    shapes.extend(of::<wire::ConsumerGroupDescribeRequest, wire::ConsumerGroupDescribeResponse>(ApiKey::ConsumerGroupDescribe));
    shapes.extend(of::<wire::AlterPartitionRequest, wire::AlterPartitionResponse>(ApiKey::AlterPartition));
    shapes.extend(of::<wire::EnvelopeRequest, wire::EnvelopeResponse>(ApiKey::Envelope));
    shapes.extend(of::<wire::BrokerRegistrationRequest, wire::BrokerRegistrationResponse>(ApiKey::BrokerRegistration));
    shapes.extend(of::<wire::BrokerHeartbeatRequest, wire::BrokerHeartbeatResponse>(ApiKey::BrokerHeartbeat));
    shapes.extend(of::<wire::AllocateProducerIdsRequest, wire::AllocateProducerIdsResponse>(ApiKey::AllocateProducerIds));
    assert!(ApiKey::ALL.iter().filter(|key| key.implemented().is_some()).count() == 40, "every API is listed");
    shapes
}

/// A frame of this shape, and where its counts and lengths lie.
fn frame(shape: &Shape, random: &mut ChaCha8Rng) -> (Vec<u8>, Vec<Length>) {
    let (Kind::Request(key) | Kind::Response(key)) = shape.what;
    let flexible = key.is_flexible(shape.version);
    let Generator { bytes, lengths, .. } = generate::message(shape.schema, shape.version, flexible, random);
    let header = header(shape);
    let lengths = lengths.into_iter().map(|length| Length { at: length.at + header.len(), ..length }).collect();
    ([header, bytes].concat(), lengths)
}

fn header(shape: &Shape) -> Vec<u8> {
    match shape.what {
        Kind::Request(key) => {
            let mut header = [key.code().to_be_bytes(), shape.version.to_be_bytes(), [0, 0], [0, 1], [0, 1]].concat();
            header.push(b'c');
            header.extend(key.is_flexible(shape.version).then_some(0));
            header
        }
        Kind::Response(key) => {
            let tags = wire::HeaderTags::of_response(key, shape.version) == wire::HeaderTags::Present;
            [0, 0, 0, 1].into_iter().chain(tags.then_some(0)).collect()
        }
    }
}

/// Reads the frame as a node would; tells whether that went well.
fn read(shape: &Shape, frame: &Bytes) -> bool {
    match shape.what {
        Kind::Request(_) => wire::decode_request(frame).is_ok(),
        Kind::Response(key) => wire::decode_response(key, shape.version, frame).is_ok(),
    }
}

/// Reads the frame and fails if that takes too much memory.
fn read_bounded(shape: &Shape, frame: Vec<u8>, what: &str) -> bool {
    let frame = Bytes::from(frame);
    let region = Region::new(ALLOCATOR);
    let fine = read(shape, &frame);
    let allocated = region.change().bytes_allocated;
    assert!(
        allocated <= FACTOR * frame.len(),
        "{} version {}, {what}: {allocated} bytes allocated for a frame of {}",
        shape.schema.name,
        shape.version,
        frame.len()
    );
    fine
}

fn hostile_lengths(form: LengthForm) -> Vec<Vec<u8>> {
    match form {
        LengthForm::Compact => vec![
            vec![0xff, 0xff, 0xff, 0xff, 0x0f],
            vec![0xff, 0xff, 0xff, 0xff, 0x07],
            vec![0xff, 0xff, 0xff, 0xff, 0xff],
            vec![0x80, 0x80, 0x80, 0x80, 0x01],
            vec![0xff, 0xff, 0x03],
            vec![0x00],
        ],
        LengthForm::Narrow => [i16::MAX, i16::MIN, -1, -2, 300].map(|length| length.to_be_bytes().to_vec()).to_vec(),
        LengthForm::Wide => [i32::MAX, i32::MIN, -1, -2, 1 << 20, 1000].map(|length| length.to_be_bytes().to_vec()).to_vec(),
    }
}

/// Every count and every length of every message, replaced by the worst ones.
fn hostile_counts_are_refused(shapes: &[Shape]) {
    for (seed, shape) in shapes.iter().enumerate() {
        let mut random = ChaCha8Rng::seed_from_u64(seed as u64);
        for _ in 0..if cfg!(debug_assertions) { 3 } else { 20 } {
            let (frame, lengths) = frame(shape, &mut random);
            assert!(read_bounded(shape, frame.clone(), "well-formed"), "{} {}", shape.schema.name, shape.version);
            for length in &lengths {
                for hostile in hostile_lengths(length.form) {
                    let mut frame = frame.clone();
                    frame.splice(length.at..length.at + length.size, hostile);
                    read_bounded(shape, frame, "hostile length");
                }
            }
        }
    }
}

/// Frames whose every byte is the same declare counts at every level at once.
fn uniform_bytes_are_refused(shapes: &[Shape]) {
    for shape in shapes {
        for byte in 0..=255 {
            for size in [0, 1, 16, 300] {
                let frame = [header(shape), vec![byte; size]].concat();
                read_bounded(shape, frame, "uniform bytes");
            }
        }
    }
}

fn mutate(bytes: &mut Vec<u8>, random: &mut ChaCha8Rng) {
    for _ in 0..random.gen_range(1..5) {
        let at = random.gen_range(0..=bytes.len());
        match random.gen_range(0..5) {
            0 => bytes.truncate(at),
            1 => bytes.insert(at, random.r#gen()),
            2 => {
                let from = random.gen_range(0..=at);
                bytes.drain(from..at);
            }
            _ if at == bytes.len() => bytes.extend([0xff; 4]),
            3 => bytes[at] ^= 1 << random.gen_range(0..8),
            _ => bytes[at] = [0, 0x7f, 0x80, 0xff][random.gen_range(0..4)],
        }
    }
}

/// Mutated frames are read as something or refused; what is read can be written, and reads the same again.
fn mutated_frames_never_panic(shapes: &[Shape]) {
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let mut accepted = 0;
    for i in 0..MUTATIONS {
        let shape = &shapes[i % shapes.len()];
        let (mut bytes, _) = frame(shape, &mut random);
        mutate(&mut bytes, &mut random);
        let bytes = Bytes::from(bytes);
        let _ = wire::peek_request_header(&bytes);
        let again = match shape.what {
            Kind::Request(_) => wire::decode_request(&bytes).ok().map(rewritten_request),
            Kind::Response(key) => {
                let response = wire::decode_response(key, shape.version, &bytes).ok();
                response.map(|(_, response)| rewritten_response(key, shape.version, &response))
            }
        };
        accepted += usize::from(again.is_some());
    }
    assert!(accepted > MUTATIONS / 50, "only {accepted} of {MUTATIONS} frames were read: the mutations are too coarse");
}

fn rewritten_request((header, request): (RequestHeader, wire::Request)) {
    let bytes = wire::join(&wire::encode_request(&header, &request).unwrap());
    assert_eq!(wire::decode_request(&bytes).unwrap(), (header, request));
}

fn rewritten_response(key: ApiKey, version: i16, response: &wire::Response) {
    // A refusal of ApiVersions is read in version 0, and can only be written in it.
    let refused = matches!(response, wire::Response::ApiVersions(versions) if versions.error_code == 35);
    let version = if refused { 0 } else { version };
    let bytes = wire::join(&wire::encode_response(key, version, 1, response).unwrap());
    assert_eq!(&wire::decode_response(key, version, &bytes).unwrap().1, response);
}

fn unhex(hex: &str) -> Vec<u8> {
    (0..hex.len() / 2).map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).unwrap()).collect()
}

fn mutated_records_never_panic() {
    let mut random = ChaCha8Rng::seed_from_u64(2);
    let golden = include_str!("golden/metadata-records.txt").lines().map(|line| line.rsplit(' ').next().unwrap());
    let golden: Vec<Vec<u8>> = golden.map(unhex).collect();
    for i in 0..MUTATIONS / 10 {
        let mut bytes = golden[i % golden.len()].clone();
        mutate(&mut bytes, &mut random);
        let bytes = Bytes::from(bytes);
        let region = Region::new(ALLOCATOR);
        let _ = MetadataRecord::decode(&bytes);
        let allocated = region.change().bytes_allocated;
        assert!(allocated <= FACTOR * bytes.len(), "{allocated} bytes for a record of {}", bytes.len());
    }
}

fn mutated_group_records_never_panic() {
    let mut random = ChaCha8Rng::seed_from_u64(4);
    let golden = include_str!("golden/group-records.txt").lines().map(|line| line.split(' ').skip(3).map(unhex).collect());
    let golden: Vec<Vec<Vec<u8>>> = golden.collect();
    let mut accepted = 0;
    for i in 0..MUTATIONS / 10 {
        let [mut key, mut value] = golden[i % golden.len()].clone().try_into().unwrap();
        let mutated = if random.r#gen() { &mut key } else { &mut value };
        mutate(mutated, &mut random);
        let (key, value) = (Bytes::from(key), Bytes::from(value));
        let region = Region::new(ALLOCATOR);
        let decoded = GroupRecord::decode(&key, Some(&value));
        let (allocated, size) = (region.change().bytes_allocated, key.len() + value.len());
        assert!(allocated <= FACTOR * size, "{allocated} bytes for a record of {size}");
        let Ok(record) = decoded else { continue };
        let (key, value) = record.encode_version(i16::from_be_bytes([value[0], value[1]])).unwrap();
        assert_eq!(GroupRecord::decode(&key, value.as_ref()), Ok(record));
        accepted += 1;
    }
    assert!(accepted > MUTATIONS / 500, "only {accepted} records were read: the mutations are too coarse");
}

fn mutated_batches_never_panic() {
    let mut random = ChaCha8Rng::seed_from_u64(3);
    let mut builder = BatchBuilder::new();
    for i in 0..5 {
        builder.push(brokerlab::types::Timestamp(i), Some(b"key"), Some(b"value"), &[]);
    }
    let batch = builder.build();
    let two = [batch.clone(), batch].concat();
    for _ in 0..MUTATIONS / 10 {
        let mut bytes = two.clone();
        mutate(&mut bytes, &mut random);
        let bytes = Bytes::from(bytes);
        let region = Region::new(ALLOCATOR);
        for batch in batches(&bytes).flatten() {
            let _ = batch.verify_crc();
            let _ = (batch.header.next_offset(), batch.header.last_sequence(), batch.header.delete_horizon());
            batch.records().into_iter().flatten().for_each(drop);
        }
        let allocated = region.change().bytes_allocated;
        assert!(allocated <= FACTOR * bytes.len().max(1), "{allocated} bytes for batches of {}", bytes.len());
    }
}

/// One test, because the allocator counts for all threads.
#[test]
fn no_frame_costs_more_than_it_weighs() {
    let shapes = shapes();
    hostile_counts_are_refused(&shapes);
    uniform_bytes_are_refused(&shapes);
    mutated_frames_never_panic(&shapes);
    mutated_records_never_panic();
    mutated_group_records_never_panic();
    mutated_batches_never_panic();
}
