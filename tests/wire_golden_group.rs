//! Records of a group coordinator, and what consumers tell each other through it, against bytes made by Kafka's own Java library.
//!
//! `tests/golden/generator` makes the files; each line holds a record of fixed values. Both directions are compared: our bytes of the
//! same values are the golden ones, and the golden bytes are read as the same values. Lines that say "written" were made by the
//! coordinator's own functions, in the version that it chooses.

#![allow(clippy::unwrap_used)]

use brokerlab::types::Uuid;
use brokerlab::wire::consumer_protocol::{ConsumerProtocolAssignment, ConsumerProtocolSubscription, Embedded, TopicPartition};
use brokerlab::wire::group::*;
use brokerlab::wire::{DecodeError, Message};
use bytes::Bytes;

const RECORDS: &str = include_str!("golden/group-records.txt");
const CONSUMERS: &str = include_str!("golden/consumer-protocol.txt");

const TOPIC: Uuid = Uuid(0x0102030405060708_090a0b0c0d0e0f10);
const OTHER: Uuid = Uuid(0x1112131415161718_191a1b1c1d1e1f20);

struct Golden {
    name: &'static str,
    version: Option<i16>,
    what: &'static str,
    key: Bytes,
    value: Option<Bytes>,
}

impl Golden {
    fn context(&self) -> String {
        format!("{} version {:?} {}", self.name, self.version, self.what)
    }
}

fn unhex(hex: &str) -> Bytes {
    (0..hex.len() / 2).map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).unwrap()).collect()
}

fn golden() -> impl Iterator<Item = Golden> {
    RECORDS.lines().map(|line| {
        let [name, version, what, key, value] = line.split(' ').collect::<Vec<_>>().try_into().unwrap();
        Golden { name, version: version.parse().ok(), what, key: unhex(key), value: (value != "-").then(|| unhex(value)) }
    })
}

/// The values that the generator gives to the line.
fn expected(line: &Golden) -> GroupRecord {
    let (version, what, has_value) = (line.version.unwrap_or(0), line.what, line.value.is_some());
    match line.name {
        "LegacyOffsetCommit" => GroupRecord::LegacyOffsetCommit(legacy_key(), has_value.then(legacy_value)),
        "OffsetCommit" if what == "default" => GroupRecord::OffsetCommit(Default::default(), Some(Default::default())),
        "OffsetCommit" => GroupRecord::OffsetCommit(offset_key(), has_value.then(|| offset(version, what))),
        "GroupMetadata" => {
            let key = GroupMetadataKey { group: "g".into(), ..Default::default() };
            GroupRecord::GroupMetadata(key, has_value.then(|| classic(version, what)))
        }
        "ConsumerGroupMetadata" => {
            let key = ConsumerGroupMetadataKey { group_id: "g".into(), ..Default::default() };
            let metadata_hash = match what {
                "full" => 0x1122_3344_5566_7788,
                "written" => 77,
                _ => 0,
            };
            let value = ConsumerGroupMetadataValue { epoch: 9, metadata_hash, ..Default::default() };
            GroupRecord::ConsumerGroupMetadata(key, has_value.then_some(value))
        }
        "ConsumerGroupPartitionMetadata" => {
            let key = ConsumerGroupPartitionMetadataKey { group_id: "g".into(), ..Default::default() };
            GroupRecord::ConsumerGroupPartitionMetadata(key, has_value.then(topics))
        }
        "ConsumerGroupMemberMetadata" => {
            let key = ConsumerGroupMemberMetadataKey { group_id: "g".into(), member_id: "m1".into(), ..Default::default() };
            GroupRecord::ConsumerGroupMemberMetadata(key, has_value.then(|| member(what)))
        }
        "ConsumerGroupTargetAssignmentMetadata" => {
            let key = ConsumerGroupTargetAssignmentMetadataKey { group_id: "g".into(), ..Default::default() };
            let value = ConsumerGroupTargetAssignmentMetadataValue { assignment_epoch: 9, ..Default::default() };
            GroupRecord::ConsumerGroupTargetAssignmentMetadata(key, has_value.then_some(value))
        }
        "ConsumerGroupTargetAssignmentMember" => {
            let key =
                ConsumerGroupTargetAssignmentMemberKey { group_id: "g".into(), member_id: "m1".into(), ..Default::default() };
            let value = ConsumerGroupTargetAssignmentMemberValue { topic_partitions: target(what), ..Default::default() };
            GroupRecord::ConsumerGroupTargetAssignmentMember(key, has_value.then_some(value))
        }
        "ConsumerGroupCurrentMemberAssignment" => {
            let key =
                ConsumerGroupCurrentMemberAssignmentKey { group_id: "g".into(), member_id: "m1".into(), ..Default::default() };
            GroupRecord::ConsumerGroupCurrentMemberAssignment(key, has_value.then(|| current(what)))
        }
        "ConsumerGroupRegularExpression" => {
            let (group_id, regular_expression) = ("g".into(), "o.*".into());
            let key = ConsumerGroupRegularExpressionKey { group_id, regular_expression, ..Default::default() };
            GroupRecord::ConsumerGroupRegularExpression(key, has_value.then(|| matched(what)))
        }
        other => panic!("no expectation for {other:?}"),
    }
}

fn legacy_key() -> LegacyOffsetCommitKey {
    LegacyOffsetCommitKey { group: "g".into(), topic: "orders".into(), partition: 7, ..Default::default() }
}

fn legacy_value() -> LegacyOffsetCommitValue {
    LegacyOffsetCommitValue { offset: 42, metadata: "m".into(), commit_timestamp: 1000, ..Default::default() }
}

fn offset_key() -> OffsetCommitKey {
    OffsetCommitKey { group: "g".into(), topic: "orders".into(), partition: 7, ..Default::default() }
}

fn offset(version: i16, what: &str) -> OffsetCommitValue {
    let bare = OffsetCommitValue { offset: 42, commit_timestamp: 1000, ..Default::default() };
    if what == "written-bare" {
        return bare;
    }
    OffsetCommitValue {
        metadata: if what == "full" { "Größe".into() } else { "m".into() },
        leader_epoch: if version >= 3 { 3 } else { -1 },
        expire_timestamp: if version == 1 { 2000 } else { -1 },
        topic_id: if version >= 4 { TOPIC } else { Uuid::ZERO },
        ..bare
    }
}

fn classic(version: i16, what: &str) -> GroupMetadataValue {
    let empty = GroupMetadataValue { protocol: None, leader: None, ..Default::default() };
    match what {
        "default" => GroupMetadataValue::default(),
        "empty" => empty,
        "written-empty" => GroupMetadataValue { current_state_timestamp: 1000, ..empty },
        _ => GroupMetadataValue {
            protocol_type: "consumer".into(),
            generation: 5,
            protocol: Some("range".into()),
            leader: Some("m1".into()),
            current_state_timestamp: if version >= 2 { 1000 } else { -1 },
            members: vec![classic_member("m1", version, Some("i1".into())), classic_member("m2", version, None)],
            ..Default::default()
        },
    }
}

fn classic_member(id: &str, version: i16, instance_id: Option<String>) -> MemberMetadata {
    MemberMetadata {
        member_id: id.into(),
        group_instance_id: instance_id.filter(|_| version >= 3),
        client_id: "c".into(),
        client_host: "/h".into(),
        rebalance_timeout: if version >= 1 { 300_000 } else { 0 },
        session_timeout: 45_000,
        subscription: Bytes::from_static(&[0, 1]),
        assignment: Bytes::from_static(&[2, 3, 4]),
        ..Default::default()
    }
}

fn topics() -> ConsumerGroupPartitionMetadataValue {
    let racks = vec!["r1".into(), "r2".into()];
    let partition_metadata = vec![PartitionMetadata { partition: 1, racks, ..Default::default() }];
    let (topic_name, num_partitions) = ("orders".into(), 2);
    let orders = TopicMetadata { topic_id: TOPIC, topic_name, num_partitions, partition_metadata, ..Default::default() };
    let other = TopicMetadata { topic_id: OTHER, topic_name: "other".into(), num_partitions: 1, ..Default::default() };
    ConsumerGroupPartitionMetadataValue { topics: vec![orders, other], ..Default::default() }
}

fn member(what: &str) -> ConsumerGroupMemberMetadataValue {
    let plain = ConsumerGroupMemberMetadataValue {
        instance_id: None,
        rack_id: None,
        client_id: "c".into(),
        client_host: "/h".into(),
        subscribed_topic_regex: None,
        server_assignor: None,
        classic_member_metadata: None,
        ..Default::default()
    };
    let supported = ClassicProtocol { name: "range".into(), metadata: Bytes::from_static(&[0, 1]), ..Default::default() };
    match what {
        "default" => ConsumerGroupMemberMetadataValue::default(),
        "plain" => plain,
        "written" => ConsumerGroupMemberMetadataValue {
            subscribed_topic_names: vec!["orders".into()],
            subscribed_topic_regex: Some(String::new()),
            rebalance_timeout_ms: 300_000,
            ..plain
        },
        _ => ConsumerGroupMemberMetadataValue {
            instance_id: Some("i1".into()),
            rack_id: Some("r1".into()),
            subscribed_topic_names: vec!["orders".into(), "other".into()],
            subscribed_topic_regex: Some("o.*".into()),
            rebalance_timeout_ms: 300_000,
            server_assignor: Some("uniform".into()),
            classic_member_metadata: Some(ClassicMemberMetadata {
                session_timeout_ms: 45_000,
                supported_protocols: vec![supported],
                ..Default::default()
            }),
            ..plain
        },
    }
}

fn partitions(topic_id: Uuid, partitions: &[i32]) -> TopicPartitions {
    TopicPartitions { topic_id, partitions: partitions.to_vec(), ..Default::default() }
}

fn target(what: &str) -> Vec<TopicPartitions> {
    match what {
        "written" => vec![partitions(TOPIC, &[2])],
        _ => vec![partitions(TOPIC, &[0, 2]), partitions(OTHER, &[1])],
    }
}

fn current(what: &str) -> ConsumerGroupCurrentMemberAssignmentValue {
    let epochs = ConsumerGroupCurrentMemberAssignmentValue { member_epoch: 9, previous_member_epoch: 8, ..Default::default() };
    match what {
        "written" => {
            ConsumerGroupCurrentMemberAssignmentValue { state: 2, assigned_partitions: vec![partitions(TOPIC, &[2])], ..epochs }
        }
        _ => ConsumerGroupCurrentMemberAssignmentValue {
            state: 1,
            assigned_partitions: vec![partitions(TOPIC, &[0, 2])],
            partitions_pending_revocation: vec![partitions(OTHER, &[1])],
            ..epochs
        },
    }
}

fn matched(what: &str) -> ConsumerGroupRegularExpressionValue {
    let topics = if what == "written" { vec!["orders".into()] } else { vec!["orders".into(), "other".into()] };
    ConsumerGroupRegularExpressionValue { topics, version: 77, timestamp: 1000, ..Default::default() }
}

#[test]
fn records_are_read_and_written_as_kafka_does() {
    for line in golden() {
        let (expected, context) = (expected(&line), line.context());
        assert_eq!(GroupRecord::decode(&line.key, line.value.as_ref()).as_ref(), Ok(&expected), "{context}");
        let written = expected.encode_version(line.version.unwrap_or(0)).unwrap();
        assert_eq!(written, (line.key, line.value), "{context}");
        assert_eq!((expected.name(), expected.is_tombstone()), (line.name, written.1.is_none()), "{context}");
    }
}

#[test]
fn records_are_stored_in_the_version_that_kafka_chooses() {
    let lines: Vec<Golden> = golden().filter(|line| line.what.starts_with("written")).collect();
    assert_eq!(lines.len(), 11);
    for line in lines {
        assert_eq!(expected(&line).encode().unwrap(), (line.key.clone(), line.value.clone()), "{}", line.context());
    }
}

#[test]
fn every_record_is_covered_in_every_version_and_as_a_tombstone() {
    for (record_type, name, versions) in GroupRecord::ALL {
        for version in versions.min..=versions.max {
            let covers = |line: &Golden| line.name == *name && line.version == Some(version) && line.what == "full";
            assert!(golden().any(|line| covers(&line)), "{name} version {version}");
        }
        let tombstone = golden().find(|line| line.name == *name && line.value.is_none()).unwrap();
        let (key, value) = expected(&tombstone).encode().unwrap();
        assert_eq!((&key[..2], value), (&record_type.to_be_bytes()[..], None), "{name}");
    }
}

#[test]
fn an_older_version_drops_what_it_has_no_place_for() {
    let newest = GroupRecord::GroupMetadata(Default::default(), Some(classic(4, "full")));
    for version in 0..=4 {
        let (key, value) = newest.encode_version(version).unwrap();
        let seen = GroupRecord::GroupMetadata(Default::default(), Some(classic(version, "full")));
        assert_eq!(GroupRecord::decode(&key, value.as_ref()), Ok(seen), "version {version}");
    }
}

#[test]
fn cut_records_are_refused_and_extended_ones_read() {
    for line in golden() {
        for end in 0..line.key.len() {
            let cut = GroupRecord::decode(&line.key.slice(..end), line.value.as_ref());
            assert!(matches!(cut, Err(GroupRecordError::Malformed(_))), "{} key cut at {end}", line.context());
        }
        let Some(value) = &line.value else { continue };
        for end in 0..value.len() {
            let cut = GroupRecord::decode(&line.key, Some(&value.slice(..end)));
            assert!(matches!(cut, Err(GroupRecordError::Malformed(_))), "{} value cut at {end}", line.context());
        }
        let longer = |bytes: &Bytes| Bytes::from([&bytes[..], &[0, 1]].concat());
        let read = GroupRecord::decode(&longer(&line.key), Some(&longer(value)));
        assert_eq!(read, Ok(expected(&line)), "{}", line.context());
    }
}

#[test]
fn unknown_types_and_versions_are_told_apart() {
    let decode = |key: &'static [u8], value: &'static [u8]| {
        GroupRecord::decode(&Bytes::from_static(key), Some(&Bytes::from_static(value))).unwrap_err()
    };
    assert_eq!(decode(&[0, 10, 0, 1, b'g'], &[0, 0]), GroupRecordError::UnknownType { record_type: 10 });
    assert_eq!(decode(&[0xff, 0xff], &[]), GroupRecordError::UnknownType { record_type: -1 });
    let unknown = |message, version| GroupRecordError::UnknownVersion { message, version };
    assert_eq!(decode(&[0, 2, 0, 1, b'g'], &[0, 5]), unknown("GroupMetadataValue", 5));
    assert_eq!(decode(&[0, 3, 0, 1, b'g'], &[0xff, 0xff]), unknown("ConsumerGroupMetadataValue", -1));
    assert!(matches!(decode(&[0, 3, 0xff, 0xff], &[0, 0]), GroupRecordError::Malformed(DecodeError::Null { .. })));
}

fn embedded(topic: &str, partitions: &[i32]) -> TopicPartition {
    TopicPartition { topic: topic.into(), partitions: partitions.to_vec(), ..Default::default() }
}

fn subscription(version: i16, what: &str) -> ConsumerProtocolSubscription {
    if what == "plain" {
        return ConsumerProtocolSubscription { topics: vec!["orders".into()], ..Default::default() };
    }
    let owned = vec![embedded("orders", &[0, 2]), embedded("x", &[1])];
    ConsumerProtocolSubscription {
        topics: vec!["orders".into(), "x".into()],
        user_data: Some(Bytes::from_static(&[7, 8])),
        owned_partitions: if version >= 1 { owned } else { vec![] },
        generation_id: if version >= 2 { 5 } else { -1 },
        rack_id: (version >= 3).then(|| "r1".into()),
        ..Default::default()
    }
}

fn assignment(what: &str) -> ConsumerProtocolAssignment {
    if what == "empty" {
        return ConsumerProtocolAssignment::default();
    }
    ConsumerProtocolAssignment {
        assigned_partitions: vec![embedded("orders", &[0, 2]), embedded("x", &[1])],
        user_data: Some(Bytes::from_static(&[7, 8])),
        ..Default::default()
    }
}

#[test]
fn consumers_are_understood_as_kafka_does() {
    let mut versions = Vec::new();
    for line in CONSUMERS.lines() {
        let [name, version, what, hex] = line.split(' ').collect::<Vec<_>>().try_into().unwrap();
        let (bytes, version) = (unhex(hex), version.parse().unwrap());
        if name == "Subscription" {
            let expected = subscription(version, what);
            assert_eq!(ConsumerProtocolSubscription::extract(&bytes).as_ref(), Ok(&expected), "{line}");
            assert_eq!(expected.embed(version), Ok(bytes), "{line}");
        } else {
            let expected = assignment(what);
            assert_eq!(ConsumerProtocolAssignment::extract(&bytes).as_ref(), Ok(&expected), "{line}");
            assert_eq!(expected.embed(version), Ok(bytes), "{line}");
        }
        versions.push(version);
    }
    versions.dedup();
    let declared = ConsumerProtocolSubscription::VERSIONS;
    assert_eq!(versions, (declared.min..=declared.max).collect::<Vec<_>>());
}
