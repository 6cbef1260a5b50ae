//! The state of the cluster as a fold of the metadata log.
//!
//! ```text
//!   record ─apply─▶ image      brokers      id   -> incarnation, epoch, fenced?, shutting down?, address
//!                              topics       id   -> name, configuration, partitions
//!                              names        name -> id
//!                              replicas     id   -> partitions assigned to that broker
//! ```
//!
//! Controller and brokers fold the same records with the same code; equal prefixes give equal images, and nothing but records
//! changes one. Applying is pure and takes time in what the record says, not in the size of the cluster. A record can come from a
//! peer, so one that cannot be true is refused as a value, and the image is then as before.
//!
//! Records of kinds that this build has no use for (features, broker configurations) move the end on and change nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::delta::{Change, DeletedTopic};
use super::partition::{Partition, PartitionError};
use super::topic_config::{ConfigError, TopicConfig};
use crate::types::{Address, BrokerEpoch, BrokerId, Offset, PartitionId, ProducerId, TopicId, Uuid};
use crate::wire::MetadataRecord;
use crate::wire::metadata::{
    BrokerRegistrationChangeRecord, ConfigRecord, PartitionChangeRecord, PartitionRecord, RegisterBrokerRecord, TopicRecord,
};

/// `ConfigRecord.resource_type` of a topic.
pub const TOPIC_RESOURCE: i8 = 2;

/// A registered broker.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Broker {
    /// Which.
    pub id: BrokerId,
    /// Names its present life.
    pub incarnation: Uuid,
    /// The offset of the record that registered this life.
    pub epoch: BrokerEpoch,
    /// Where it listens.
    pub address: Address,
    /// Its log directories.
    pub directories: Vec<Uuid>,
    /// Whether it may neither lead nor be in an ISR.
    pub is_fenced: bool,
    /// Whether it hands over what it leads, to stop in order.
    pub is_shutting_down: bool,
}

impl Broker {
    /// Whether it may lead and join an ISR.
    #[must_use]
    pub fn is_active(&self) -> bool {
        !self.is_fenced && !self.is_shutting_down
    }
}

/// A topic.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Topic {
    /// Its identity.
    pub id: TopicId,
    /// Its name.
    pub name: Arc<str>,
    /// What was configured for it.
    pub config: TopicConfig,
    /// Its partitions by number.
    pub partitions: BTreeMap<i32, Partition>,
}

/// Why a record cannot be applied.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ImageError {
    /// The record does not lie at the image's end.
    #[error("record {got} where {wanted} was expected")]
    Gap {
        /// The next offset of the image.
        wanted: Offset,
        /// The offset given.
        got: Offset,
    },
    /// A record about a broker that is not registered with that epoch.
    #[error("broker {broker} is not registered with epoch {epoch}")]
    Broker {
        /// Which.
        broker: BrokerId,
        /// The epoch in the record.
        epoch: BrokerEpoch,
    },
    /// A registration that gives away no listener, a negative id or an epoch that has been used.
    #[error("broker {0} cannot be registered like that")]
    Registration(BrokerId),
    /// The topic's name or id is taken.
    #[error("topic {0} exists already")]
    TopicExists(TopicId),
    /// There is no such topic.
    #[error("topic {0} does not exist")]
    TopicMissing(TopicId),
    /// There is no topic of that name.
    #[error("topic `{0}` does not exist")]
    TopicNameMissing(String),
    /// The partition is there already.
    #[error("partition {0:?} exists already")]
    PartitionExists(PartitionId),
    /// There is no such partition.
    #[error("partition {0:?} does not exist")]
    PartitionMissing(PartitionId),
    /// The partition would be impossible.
    #[error("partition {0:?}: {1}")]
    Partition(PartitionId, PartitionError),
    /// A configuration is impossible.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Producer ids would be given away twice.
    #[error("producer ids below {0} are given away")]
    ProducerIds(ProducerId),
}

/// The state of the cluster up to one offset of the metadata log.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct MetadataImage {
    end: Offset,
    brokers: BTreeMap<BrokerId, Broker>,
    topics: BTreeMap<TopicId, Topic>,
    names: BTreeMap<Arc<str>, TopicId>,
    replicas: BTreeMap<BrokerId, BTreeSet<PartitionId>>,
    next_producer_id: ProducerId,
}

impl MetadataImage {
    /// The image of the empty log.
    #[must_use]
    pub fn new() -> MetadataImage {
        MetadataImage::default()
    }

    /// The end of what is applied: the offset of the next record.
    #[must_use]
    pub fn end(&self) -> Offset {
        self.end
    }

    /// A registered broker.
    #[must_use]
    pub fn broker(&self, id: BrokerId) -> Option<&Broker> {
        self.brokers.get(&id)
    }

    /// All registered brokers, in order of ids.
    pub fn brokers(&self) -> impl Iterator<Item = &Broker> {
        self.brokers.values()
    }

    /// Whether the broker is registered and may lead.
    #[must_use]
    pub fn is_active(&self, id: BrokerId) -> bool {
        self.broker(id).is_some_and(Broker::is_active)
    }

    /// A topic by identity.
    #[must_use]
    pub fn topic(&self, id: TopicId) -> Option<&Topic> {
        self.topics.get(&id)
    }

    /// A topic by name.
    #[must_use]
    pub fn topic_by_name(&self, name: &str) -> Option<&Topic> {
        self.names.get(name).and_then(|id| self.topics.get(id))
    }

    /// All topics, in order of names.
    pub fn topics(&self) -> impl Iterator<Item = &Topic> {
        self.names.values().filter_map(|id| self.topics.get(id))
    }

    /// A partition.
    #[must_use]
    pub fn partition(&self, id: PartitionId) -> Option<&Partition> {
        self.topic(id.topic)?.partitions.get(&id.index)
    }

    /// The partitions of which this broker is an assigned replica.
    pub fn partitions_of(&self, broker: BrokerId) -> impl Iterator<Item = PartitionId> {
        self.replicas.get(&broker).into_iter().flatten().copied()
    }

    /// All partitions, topic by topic.
    pub fn partitions(&self) -> impl Iterator<Item = (PartitionId, &Partition)> {
        self.topics.values().flat_map(|topic| {
            topic.partitions.iter().map(|(index, partition)| (PartitionId { topic: topic.id, index: *index }, partition))
        })
    }

    /// The first producer id not yet given away.
    #[must_use]
    pub fn next_producer_id(&self) -> ProducerId {
        self.next_producer_id
    }

    /// Moves the end over an offset that holds no metadata record (a control record of the log).
    ///
    /// # Errors
    /// If it is not the next offset.
    pub fn skip(&mut self, offset: Offset) -> Result<(), ImageError> {
        self.expect_end(offset)?;
        self.end = offset.next();
        Ok(())
    }

    /// Applies the record at `offset`, which must be the end.
    ///
    /// # Errors
    /// If the record cannot be true; the image is then unchanged.
    pub fn apply(&mut self, record: &MetadataRecord, offset: Offset) -> Result<Change, ImageError> {
        self.expect_end(offset)?;
        let change = match record {
            MetadataRecord::RegisterBrokerRecord(record) => self.register_broker(record)?,
            MetadataRecord::BrokerRegistrationChangeRecord(record) => self.change_broker(record)?,
            MetadataRecord::FenceBrokerRecord(record) => self.fence_broker(record.id, record.epoch, true)?,
            MetadataRecord::UnfenceBrokerRecord(record) => self.fence_broker(record.id, record.epoch, false)?,
            MetadataRecord::UnregisterBrokerRecord(record) => self.remove_broker(record.broker_id, record.broker_epoch)?,
            MetadataRecord::TopicRecord(record) => self.create_topic(record)?,
            MetadataRecord::RemoveTopicRecord(record) => self.delete_topic(record.topic_id)?,
            MetadataRecord::PartitionRecord(record) => self.create_partition(record)?,
            MetadataRecord::PartitionChangeRecord(record) => self.change_partition(record)?,
            MetadataRecord::ConfigRecord(record) => self.configure(record)?,
            MetadataRecord::ProducerIdsRecord(record) => self.allocate_producer_ids(ProducerId(record.next_producer_id))?,
            MetadataRecord::FeatureLevelRecord(_) | MetadataRecord::NoOpRecord(_) => Change::Nothing,
        };
        self.end = offset.next();
        Ok(change)
    }

    fn expect_end(&self, offset: Offset) -> Result<(), ImageError> {
        match offset == self.end {
            true => Ok(()),
            false => Err(ImageError::Gap { wanted: self.end, got: offset }),
        }
    }

    fn register_broker(&mut self, record: &RegisterBrokerRecord) -> Result<Change, ImageError> {
        let (id, epoch) = (BrokerId(record.broker_id), BrokerEpoch(record.broker_epoch));
        let is_known = self.broker(id).is_some_and(|known| known.epoch == epoch && known.incarnation == record.incarnation_id);
        let is_newer = epoch.0 >= 0 && self.broker(id).is_none_or(|known| known.epoch < epoch);
        let Some(end_point) = record.end_points.first().filter(|_| id.0 >= 0 && (is_known || is_newer)) else {
            return Err(ImageError::Registration(id));
        };
        let broker = Broker {
            id,
            incarnation: record.incarnation_id,
            epoch,
            address: Address::new(&end_point.host, end_point.port),
            directories: record.log_dirs.clone(),
            is_fenced: record.fenced,
            is_shutting_down: record.in_controlled_shutdown,
        };
        self.brokers.insert(id, broker);
        Ok(Change::BrokerRegistered(id))
    }

    fn change_broker(&mut self, record: &BrokerRegistrationChangeRecord) -> Result<Change, ImageError> {
        let broker = self.broker_mut(record.broker_id, record.broker_epoch)?;
        match record.fenced {
            0 => {}
            fenced => broker.is_fenced = fenced > 0,
        }
        broker.is_shutting_down |= record.in_controlled_shutdown != 0;
        if !record.log_dirs.is_empty() {
            broker.directories.clone_from(&record.log_dirs);
        }
        Ok(Change::BrokerChanged(BrokerId(record.broker_id)))
    }

    fn fence_broker(&mut self, id: i32, epoch: i64, is_fenced: bool) -> Result<Change, ImageError> {
        self.broker_mut(id, epoch)?.is_fenced = is_fenced;
        Ok(Change::BrokerChanged(BrokerId(id)))
    }

    fn remove_broker(&mut self, id: i32, epoch: i64) -> Result<Change, ImageError> {
        self.broker_mut(id, epoch)?;
        self.brokers.remove(&BrokerId(id));
        Ok(Change::BrokerRemoved(BrokerId(id)))
    }

    fn broker_mut(&mut self, id: i32, epoch: i64) -> Result<&mut Broker, ImageError> {
        let (id, epoch) = (BrokerId(id), BrokerEpoch(epoch));
        let broker = self.brokers.get_mut(&id).filter(|broker| broker.epoch == epoch);
        broker.ok_or(ImageError::Broker { broker: id, epoch })
    }

    fn create_topic(&mut self, record: &TopicRecord) -> Result<Change, ImageError> {
        let id = record.topic_id;
        if id == Uuid::ZERO || self.topics.contains_key(&id) || self.names.contains_key(record.name.as_str()) {
            return Err(ImageError::TopicExists(id));
        }
        let name: Arc<str> = Arc::from(record.name.as_str());
        self.names.insert(name.clone(), id);
        self.topics.insert(id, Topic { id, name, config: TopicConfig::default(), partitions: BTreeMap::new() });
        Ok(Change::TopicCreated(id))
    }

    fn delete_topic(&mut self, id: TopicId) -> Result<Change, ImageError> {
        let topic = self.topics.remove(&id).ok_or(ImageError::TopicMissing(id))?;
        self.names.remove(&topic.name);
        for (index, partition) in &topic.partitions {
            self.unassign(PartitionId { topic: id, index: *index }, &partition.replicas);
        }
        Ok(Change::TopicDeleted(DeletedTopic { id, name: topic.name, partitions: topic.partitions }))
    }

    fn create_partition(&mut self, record: &PartitionRecord) -> Result<Change, ImageError> {
        let id = PartitionId { topic: record.topic_id, index: record.partition_id };
        let partition = Partition::from_record(record).map_err(|error| ImageError::Partition(id, error))?;
        let topic = self.topics.get_mut(&id.topic).ok_or(ImageError::TopicMissing(id.topic))?;
        if id.index < 0 || topic.partitions.contains_key(&id.index) {
            return Err(ImageError::PartitionExists(id));
        }
        let replicas = partition.replicas.clone();
        topic.partitions.insert(id.index, partition);
        self.assign(id, &replicas);
        Ok(Change::PartitionCreated(id))
    }

    fn change_partition(&mut self, record: &PartitionChangeRecord) -> Result<Change, ImageError> {
        let id = PartitionId { topic: record.topic_id, index: record.partition_id };
        let slot = self.topics.get_mut(&id.topic).and_then(|topic| topic.partitions.get_mut(&id.index));
        let slot = slot.ok_or(ImageError::PartitionMissing(id))?;
        let after = slot.changed_by(record).map_err(|error| ImageError::Partition(id, error))?;
        let replicas = after.replicas.clone();
        let before = std::mem::replace(slot, after);
        if before.replicas != replicas {
            self.unassign(id, &before.replicas);
            self.assign(id, &replicas);
        }
        Ok(Change::PartitionChanged(id, before))
    }

    fn assign(&mut self, id: PartitionId, replicas: &[BrokerId]) {
        for replica in replicas {
            self.replicas.entry(*replica).or_default().insert(id);
        }
    }

    fn unassign(&mut self, id: PartitionId, replicas: &[BrokerId]) {
        for replica in replicas {
            let Some(partitions) = self.replicas.get_mut(replica) else { continue };
            partitions.remove(&id);
            if partitions.is_empty() {
                self.replicas.remove(replica);
            }
        }
    }

    fn configure(&mut self, record: &ConfigRecord) -> Result<Change, ImageError> {
        if record.resource_type != TOPIC_RESOURCE {
            return Ok(Change::Nothing);
        }
        let topic = self.names.get(record.resource_name.as_str()).and_then(|id| self.topics.get_mut(id));
        let topic = topic.ok_or_else(|| ImageError::TopicNameMissing(record.resource_name.clone()))?;
        topic.config.apply(&record.name, record.value.as_deref())?;
        Ok(Change::TopicConfigured(topic.id))
    }

    fn allocate_producer_ids(&mut self, next: ProducerId) -> Result<Change, ImageError> {
        if next < self.next_producer_id {
            return Err(ImageError::ProducerIds(self.next_producer_id));
        }
        self.next_producer_id = next;
        Ok(Change::ProducerIds)
    }
}
