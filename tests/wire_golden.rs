//! Stored metadata records and error codes against bytes made by Kafka's own Java library.
//!
//! `tests/golden/generator` makes the files; each line holds a record of fixed values. Both directions are compared: our bytes of the
//! same values are the golden ones, and the golden bytes are read as the same values.

#![allow(clippy::unwrap_used)]

use brokerlab::types::Uuid;
use brokerlab::wire::metadata::*;
use brokerlab::wire::{DecodeError, ErrorCode};
use bytes::Bytes;

const RECORDS: &str = include_str!("golden/metadata-records.txt");
const ERRORS: &str = include_str!("golden/error-codes.txt");

const TOPIC: Uuid = Uuid(0x0102030405060708_090a0b0c0d0e0f10);
const INCARNATION: Uuid = Uuid(0x1112131415161718_191a1b1c1d1e1f20);
const DIR_A: Uuid = Uuid(0x2122232425262728_292a2b2c2d2e2f30);
const DIR_B: Uuid = Uuid(0x3132333435363738_393a3b3c3d3e3f40);

struct Golden {
    name: &'static str,
    version: i16,
    what: &'static str,
    bytes: Bytes,
}

fn golden() -> impl Iterator<Item = Golden> {
    RECORDS.lines().map(|line| {
        let [name, version, what, hex] = line.split(' ').collect::<Vec<_>>().try_into().unwrap();
        let bytes = (0..hex.len() / 2).map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).unwrap()).collect();
        Golden { name, version: version.parse().unwrap(), what, bytes }
    })
}

/// The values that the generator gives to the line of this name, version and remark.
fn expected(name: &str, version: i16, what: &str) -> MetadataRecord {
    match (name, what) {
        ("NoOpRecord", _) => NoOpRecord::default().into(),
        ("RegisterBrokerRecord", "full") => register_broker(version).into(),
        ("RegisterBrokerRecord", _) => {
            let (broker_id, incarnation_id, broker_epoch, rack) = (1, INCARNATION, 7, None);
            RegisterBrokerRecord { broker_id, incarnation_id, broker_epoch, rack, ..Default::default() }.into()
        }
        ("UnregisterBrokerRecord", _) => {
            UnregisterBrokerRecord { broker_id: 3, broker_epoch: 1_234_567_890_123, ..Default::default() }.into()
        }
        ("BrokerRegistrationChangeRecord", _) => registration_change(what).into(),
        ("FenceBrokerRecord", _) => FenceBrokerRecord { id: 5, epoch: 55, ..Default::default() }.into(),
        ("UnfenceBrokerRecord", _) => UnfenceBrokerRecord { id: 6, epoch: 66, ..Default::default() }.into(),
        ("TopicRecord", _) => topic(what).into(),
        ("RemoveTopicRecord", _) => RemoveTopicRecord { topic_id: TOPIC, ..Default::default() }.into(),
        ("PartitionRecord", "default") => PartitionRecord::default().into(),
        ("PartitionRecord", "no-elr") => partition(1).into(),
        ("PartitionRecord", _) => partition(version).into(),
        ("PartitionChangeRecord", _) => partition_change(what, version).into(),
        ("ConfigRecord", _) => config(what).into(),
        ("ProducerIdsRecord", "full") => {
            ProducerIdsRecord { broker_id: 1, broker_epoch: 9, next_producer_id: 1000, ..Default::default() }.into()
        }
        ("ProducerIdsRecord", _) => ProducerIdsRecord { broker_id: 1, next_producer_id: i64::MAX, ..Default::default() }.into(),
        ("FeatureLevelRecord", _) => {
            FeatureLevelRecord { name: "metadata.version".into(), feature_level: 27, ..Default::default() }.into()
        }
        other => panic!("no expectation for {other:?}"),
    }
}

fn register_broker(version: i16) -> RegisterBrokerRecord {
    let end_point = |name: &str, host: &str, port, security_protocol| BrokerEndpoint {
        name: name.into(),
        host: host.into(),
        port,
        security_protocol,
        ..Default::default()
    };
    RegisterBrokerRecord {
        broker_id: 1,
        is_migrating_zk_broker: version >= 2,
        incarnation_id: INCARNATION,
        broker_epoch: 123,
        end_points: vec![end_point("PLAINTEXT", "b1", 9092, 0), end_point("EXTERNAL", "example.org", 65535, 1)],
        features: vec![BrokerFeature {
            name: "metadata.version".into(),
            min_supported_version: 1,
            max_supported_version: 27,
            ..Default::default()
        }],
        rack: Some("rack-a".into()),
        fenced: false,
        in_controlled_shutdown: version >= 1,
        log_dirs: if version >= 3 { vec![DIR_A, DIR_B] } else { vec![] },
        ..Default::default()
    }
}

fn registration_change(what: &str) -> BrokerRegistrationChangeRecord {
    let (fenced, in_controlled_shutdown) = match what {
        "nothing" => (0, 0),
        "fenced" => (1, 0),
        "unfenced-stopping" => (-1, 1),
        _ => (1, 1),
    };
    let log_dirs = if what == "full" { vec![DIR_A, DIR_B] } else { vec![] };
    let (broker_id, broker_epoch) = (2, 100);
    BrokerRegistrationChangeRecord { broker_id, broker_epoch, fenced, in_controlled_shutdown, log_dirs, ..Default::default() }
}

fn topic(what: &str) -> TopicRecord {
    let (name, unknown_tags) = match what {
        "unicode" => ("Größe-日", vec![]),
        "unknown-tags" => ("t", vec![(100, Bytes::from_static(&[1, 2, 3])), (40_000, Bytes::new())]),
        _ => ("orders", vec![]),
    };
    TopicRecord { name: name.into(), topic_id: TOPIC, unknown_tags: unknown_tags.into_iter().collect() }
}

fn partition(version: i16) -> PartitionRecord {
    PartitionRecord {
        partition_id: 4,
        topic_id: TOPIC,
        replicas: vec![1, 2, 3, 4],
        isr: vec![1, 2],
        removing_replicas: vec![3],
        adding_replicas: vec![4],
        leader: 1,
        leader_recovery_state: 1,
        leader_epoch: 11,
        partition_epoch: 12,
        directories: if version >= 1 { vec![DIR_A, DIR_B] } else { vec![] },
        eligible_leader_replicas: (version >= 2).then(|| vec![2]),
        last_known_elr: (version >= 2).then(|| vec![3, 1]),
        ..Default::default()
    }
}

fn partition_change(what: &str, version: i16) -> PartitionChangeRecord {
    let same = PartitionChangeRecord { partition_id: 4, topic_id: TOPIC, ..Default::default() };
    match what {
        "default" => same,
        "leader" => PartitionChangeRecord { leader: -1, ..same },
        "empty-lists" => PartitionChangeRecord {
            isr: Some(vec![]),
            removing_replicas: Some(vec![]),
            adding_replicas: Some(vec![]),
            eligible_leader_replicas: Some(vec![]),
            last_known_elr: Some(vec![]),
            directories: Some(vec![]),
            ..same
        },
        _ => PartitionChangeRecord {
            isr: Some(vec![1, 2]),
            leader: 2,
            replicas: Some(vec![1, 2, 3, 4]),
            removing_replicas: Some(vec![3]),
            adding_replicas: Some(vec![4]),
            leader_recovery_state: 0,
            directories: (version >= 1).then(|| vec![DIR_A, DIR_B]),
            eligible_leader_replicas: (version >= 2).then(|| vec![2]),
            last_known_elr: (version >= 2).then(|| vec![3, 1]),
            ..same
        },
    }
}

fn config(what: &str) -> ConfigRecord {
    let (resource_type, resource_name, name, value) = match what {
        "set" => (2, "orders", "min.insync.replicas", Some("2".to_owned())),
        _ => (4, "", "retention.ms", None),
    };
    ConfigRecord { resource_type, resource_name: resource_name.into(), name: name.into(), value, ..Default::default() }
}

#[test]
fn records_are_read_and_written_as_kafka_does() {
    for Golden { name, version, what, bytes } in golden() {
        let expected = expected(name, version, what);
        let context = format!("{name} version {version} {what}");
        assert_eq!(MetadataRecord::decode(&bytes).as_ref(), Ok(&expected), "{context}");
        assert_eq!(expected.encode_version(version).as_ref(), Ok(&bytes), "{context}");
    }
}

#[test]
fn every_record_is_covered_in_every_version() {
    for (_, name, versions) in MetadataRecord::ALL {
        for version in versions.min..=versions.max {
            assert!(golden().any(|line| line.name == *name && line.version == version), "{name} version {version}");
        }
    }
}

#[test]
fn cut_or_extended_records_are_refused() {
    for Golden { name, version, bytes, .. } in golden() {
        for end in 0..bytes.len() {
            assert!(MetadataRecord::decode(&bytes.slice(..end)).is_err(), "{name} version {version} cut at {end}");
        }
        let longer = [&bytes[..], &[0]].concat().into();
        assert!(matches!(MetadataRecord::decode(&longer), Err(DecodeError::Leftover { remaining: 1, .. })), "{name}");
    }
}

#[test]
fn a_record_of_an_unknown_kind_is_refused() {
    let unknown = |bytes: &'static [u8]| MetadataRecord::decode(&Bytes::from_static(bytes)).unwrap_err();
    assert_eq!(unknown(&[2, 0, 0]), DecodeError::UnsupportedRecord { key: -1, version: 2 });
    assert_eq!(unknown(&[1, 99, 0, 0]), DecodeError::UnsupportedRecord { key: 99, version: 0 });
    assert_eq!(unknown(&[1, 2, 9, 0]), DecodeError::UnsupportedRecord { key: 2, version: 9 });
}

#[test]
fn error_codes_have_kafkas_numbers_and_names() {
    let ours: Vec<String> = ErrorCode::ALL
        .iter()
        .map(|error| format!("{} {error}{}", error.code(), if error.is_retriable() { " retriable" } else { "" }))
        .collect();
    assert_eq!(ours, ERRORS.lines().collect::<Vec<_>>());
}
