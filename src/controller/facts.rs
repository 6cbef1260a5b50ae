//! What a record of the metadata log says, in the field's words.
//!
//! A change of a partition is one fact: another leader (or none) is [`Fact::LeaderElected`], else a member lost is
//! [`Fact::IsrShrunk`], else [`Fact::IsrExpanded`]. That last one also stands for a leader that only declares itself recovered; its
//! ISR is then the same and only the partition epoch has moved. A broker that begins to shut down is seen by its partitions.

use super::delta::Change;
use super::image::{MetadataImage, Topic};
use super::partition::Partition;
use crate::fact::Fact;
use crate::types::{BrokerId, PartitionId, TopicId};
use crate::wire::MetadataRecord;

/// Adds to `facts` what `record`, which made this `change` of the `image`, says. A configuration belongs to the fact that its topic
/// exists.
pub fn note(facts: &mut Vec<Fact>, record: &MetadataRecord, change: Change, image: &MetadataImage) {
    match change {
        Change::Nothing | Change::ProducerIds | Change::BrokerRemoved(_) => {}
        Change::BrokerRegistered(id) => facts.extend(registered(id, image)),
        Change::BrokerChanged(id) => facts.extend(broker_changed(record, id, image)),
        Change::TopicCreated(id) => facts.extend(image.topic(id).map(created)),
        Change::TopicConfigured(id) => configured(facts, id, image),
        Change::TopicDeleted(topic) => facts.push(Fact::TopicDeleted { topic: topic.id }),
        Change::PartitionCreated(partition) => facts.extend(image.partition(partition).map(|now| Fact::PartitionCreated {
            partition,
            replicas: now.replicas.clone(),
            state: now.state(),
        })),
        Change::PartitionChanged(partition, before) => {
            facts.extend(image.partition(partition).map(|now| partition_changed(partition, &before, now)));
        }
    }
}

fn registered(id: BrokerId, image: &MetadataImage) -> Option<Fact> {
    let broker = image.broker(id)?;
    Some(Fact::RegistrationAccepted { broker: id, incarnation: broker.incarnation, broker_epoch: broker.epoch })
}

fn broker_changed(record: &MetadataRecord, id: BrokerId, image: &MetadataImage) -> Option<Fact> {
    let MetadataRecord::BrokerRegistrationChangeRecord(record) = record else { return None };
    let broker_epoch = image.broker(id)?.epoch;
    match record.fenced {
        0 => None,
        fenced if fenced > 0 => Some(Fact::BrokerFenced { broker: id, broker_epoch }),
        _ => Some(Fact::BrokerUnfenced { broker: id, broker_epoch }),
    }
}

fn created(topic: &Topic) -> Fact {
    Fact::TopicCreated {
        topic: topic.id,
        name: topic.name.to_string(),
        min_isr: topic.config.min_isr(),
        unclean_election: topic.config.unclean_election(),
        flush_each_batch: topic.config.flush_each_batch(),
    }
}

fn configured(facts: &mut [Fact], id: TopicId, image: &MetadataImage) {
    let fact = facts.iter_mut().rev().find(|fact| matches!(fact, Fact::TopicCreated { topic, .. } if *topic == id));
    if let (Some(fact), Some(topic)) = (fact, image.topic(id)) {
        *fact = created(topic);
    }
}

fn partition_changed(partition: PartitionId, before: &Partition, now: &Partition) -> Fact {
    let state = now.state();
    if now.leader_epoch != before.leader_epoch {
        let unclean = now.leader.is_some_and(|leader| !before.isr.contains(&leader));
        return Fact::LeaderElected { partition, state, unclean };
    }
    match before.isr.iter().all(|member| now.isr.contains(member)) {
        true => Fact::IsrExpanded { partition, state },
        false => Fact::IsrShrunk { partition, state },
    }
}
