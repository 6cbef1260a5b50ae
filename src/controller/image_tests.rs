//! Whatever a record says, an image stays sound: random records, most of them impossible, against what must hold.

use proptest::prelude::*;

use super::MetadataImage;
use crate::types::{BrokerId, Offset, PartitionId, Uuid};
use crate::wire::MetadataRecord;
use crate::wire::metadata::{
    BrokerEndpoint, BrokerRegistrationChangeRecord, ConfigRecord, FenceBrokerRecord, PartitionChangeRecord, PartitionRecord,
    ProducerIdsRecord, RegisterBrokerRecord, RemoveTopicRecord, TopicRecord, UnfenceBrokerRecord, UnregisterBrokerRecord,
};

fn broker() -> impl Strategy<Value = i32> {
    prop_oneof![9 => 1..4, 1 => -2..0]
}

fn brokers() -> impl Strategy<Value = Vec<i32>> {
    proptest::collection::vec(broker(), 0..4)
}

fn topic() -> impl Strategy<Value = Uuid> {
    (0u128..4).prop_map(Uuid)
}

fn registration() -> impl Strategy<Value = MetadataRecord> {
    (broker(), 0u128..3, -1i64..30, any::<bool>()).prop_map(|(broker_id, life, broker_epoch, has_listener)| {
        let end_points = if has_listener { vec![BrokerEndpoint::default()] } else { Vec::new() };
        RegisterBrokerRecord { broker_id, incarnation_id: Uuid(life), broker_epoch, end_points, ..Default::default() }.into()
    })
}

fn partition() -> impl Strategy<Value = MetadataRecord> {
    (topic(), -1..3, brokers(), brokers(), -1..4, -1..3, 0i8..3).prop_map(
        |(topic_id, partition_id, replicas, isr, leader, epoch, leader_recovery_state)| {
            let (leader_epoch, partition_epoch) = (epoch, epoch);
            PartitionRecord {
                topic_id,
                partition_id,
                replicas,
                isr,
                leader,
                leader_epoch,
                partition_epoch,
                leader_recovery_state,
                ..Default::default()
            }
            .into()
        },
    )
}

fn change() -> impl Strategy<Value = MetadataRecord> {
    let lists = || proptest::option::of(brokers());
    (topic(), 0..3, lists(), lists(), -2..4, -1i8..3).prop_map(
        |(topic_id, partition_id, isr, replicas, leader, leader_recovery_state)| {
            PartitionChangeRecord { topic_id, partition_id, isr, replicas, leader, leader_recovery_state, ..Default::default() }
                .into()
        },
    )
}

fn others() -> impl Strategy<Value = MetadataRecord> {
    let name = || prop_oneof![Just("a".to_owned()), Just("b".to_owned()), Just("min.insync.replicas".to_owned())];
    prop_oneof![
        (broker(), -1i64..30, -1i8..2, 0i8..2).prop_map(|(broker_id, broker_epoch, fenced, in_controlled_shutdown)| {
            BrokerRegistrationChangeRecord { broker_id, broker_epoch, fenced, in_controlled_shutdown, ..Default::default() }
                .into()
        }),
        (broker(), -1i64..30).prop_map(|(id, epoch)| FenceBrokerRecord { id, epoch, ..Default::default() }.into()),
        (broker(), -1i64..30).prop_map(|(id, epoch)| UnfenceBrokerRecord { id, epoch, ..Default::default() }.into()),
        (broker(), -1i64..30).prop_map(|(broker_id, broker_epoch)| UnregisterBrokerRecord {
            broker_id,
            broker_epoch,
            ..Default::default()
        }
        .into()),
        topic().prop_map(|topic_id| RemoveTopicRecord { topic_id, ..Default::default() }.into()),
        (name(), name(), proptest::option::of(name()), 0i8..4).prop_map(|(resource_name, name, value, resource_type)| {
            ConfigRecord { resource_name, name, value, resource_type, ..Default::default() }.into()
        }),
        (0i64..5000).prop_map(|next_producer_id| ProducerIdsRecord { next_producer_id, ..Default::default() }.into()),
    ]
}

fn record() -> impl Strategy<Value = MetadataRecord> {
    let name = prop_oneof![Just("a".to_owned()), Just("b".to_owned())];
    let topics = (topic(), name).prop_map(|(topic_id, name)| TopicRecord { name, topic_id, ..Default::default() }.into());
    prop_oneof![2 => registration(), 2 => topics, 3 => partition(), 4 => change(), 2 => others()]
}

fn check(image: &MetadataImage) {
    for (id, partition) in image.partitions() {
        assert_eq!(partition.check(), Ok(()));
        assert_eq!(image.partition(id), Some(partition));
        assert!(partition.replicas.iter().all(|replica| image.partitions_of(*replica).any(|known| known == id)));
    }
    let assigned = |id: PartitionId, replica| image.partition(id).is_some_and(|partition| partition.replicas.contains(&replica));
    for replica in (-2..4).map(BrokerId) {
        assert!(image.partitions_of(replica).all(|id| assigned(id, replica)));
    }
    for topic in image.topics() {
        assert_eq!(image.topic_by_name(&topic.name).map(|named| named.id), Some(topic.id));
        assert!(topic.config.min_isr() >= 1);
    }
}

proptest! {
    #[test]
    fn no_record_breaks_an_image_and_a_refused_one_changes_nothing(records in proptest::collection::vec(record(), 1..60)) {
        let mut image = MetadataImage::new();
        let mut applied = Vec::new();
        for record in records {
            let before = image.clone();
            match image.apply(&record, before.end()) {
                Ok(_) => applied.push(record),
                Err(_) => prop_assert_eq!(&image, &before),
            }
            check(&image);
        }
        prop_assert!(image.apply(&applied.first().cloned().unwrap_or(MetadataRecord::NoOpRecord(Default::default())),
            image.end().next()).is_err(), "records cannot be skipped");
        let mut again = MetadataImage::new();
        for (record, offset) in applied.iter().zip(0..) {
            let bytes = record.encode().expect("what was read can be written");
            let read = MetadataRecord::decode(&bytes).expect("what was written can be read");
            again.apply(&read, Offset(offset)).expect("equal prefixes give equal images");
        }
        prop_assert_eq!(again, image);
    }
}
