//! The replicas on this broker: which there are is the metadata's word, what they do is their own.
//!
//! ```text
//!   start          directories found, logs loaded ──▶ unclaimed
//!   metadata       assigned here:  claimed, or created ──▶ replica ──▶ told its registration
//!                  not, or deleted: log removed
//!                  first image:     what is still unclaimed belongs to topics that are gone: removed
//! ```
//!
//! A directory is named after the topic, but belongs to a topic *id*: a topic deleted and created again while this broker was down leaves a
//! directory of the right name and the wrong id, which must not be taken over (KAFKA-14616).
//!
//! Whoever works on a replica goes through [`Partitions::touch`]. At the end of a step exactly the touched ones are looked at: whom to
//! wake, what to fetch, propose or sync.

use std::collections::{BTreeMap, BTreeSet};

use crate::controller::{Delta, MetadataImage, Partition, Recovery, Topic};
use crate::disk::DiskError;
use crate::fact::Fact;
use crate::log::{Log, LogError};
use crate::mutant::Mutant;
use crate::replica::{Members, Registration, Replica};
use crate::types::{BrokerId, Offset, PartitionId, Ticket, TopicPartition};

use super::config::BrokerConfig;
use super::recovery::{self, Found, Loaded};
use super::reply::Step;
use super::topic_settings::{log_config, replica_settings};

/// The replicas, and the logs that are not yet anybody's.
#[derive(Debug, Hash)]
pub(super) struct Partitions {
    broker: BrokerId,
    replicas: BTreeMap<PartitionId, Replica>,
    /// By directory.
    unclaimed: BTreeMap<String, Loaded>,
    /// Directories of which the checkpoints on the disk may tell although there is another log in them, or none.
    used: BTreeSet<String>,
    members: Members,
    touched: BTreeSet<PartitionId>,
}

impl Partitions {
    /// No replica yet.
    pub fn new(broker: BrokerId) -> Partitions {
        let (replicas, unclaimed) = (BTreeMap::new(), BTreeMap::new());
        Partitions { broker, replicas, unclaimed, used: BTreeSet::new(), members: Members::new(), touched: BTreeSet::new() }
    }

    /// The logs that were found on the disk.
    pub fn found(&mut self, found: Found) {
        self.used = found.used;
        self.unclaimed = found.logs.into_iter().map(|loaded| (loaded.log.dir().to_owned(), loaded)).collect();
    }

    /// Whether there are logs that are nobody's yet.
    pub fn has_unclaimed(&self) -> bool {
        !self.unclaimed.is_empty()
    }

    /// A replica, to look at.
    pub fn replica(&self, partition: PartitionId) -> Option<&Replica> {
        self.replicas.get(&partition)
    }

    /// A replica, to look at, with the brokers as they are known.
    pub fn replica_among(&self, partition: PartitionId) -> Option<(&Replica, &Members)> {
        self.replicas.get(&partition).map(|replica| (replica, &self.members))
    }

    /// All replicas, to look at.
    pub fn replicas(&self) -> impl Iterator<Item = &Replica> {
        self.replicas.values()
    }

    /// All replicas' partitions.
    pub fn ids(&self) -> impl Iterator<Item = PartitionId> {
        self.replicas.keys().copied()
    }

    /// Whether the log of a replica is compacted.
    pub fn compacts(&self, partition: PartitionId) -> bool {
        self.replicas.get(&partition).is_some_and(|replica| replica.log().config().compaction.is_some())
    }

    /// A replica to work on, with the brokers as they are known. It is looked at again at the end of the step.
    pub fn touch(&mut self, partition: PartitionId) -> Option<(&mut Replica, &Members)> {
        let replica = self.replicas.get_mut(&partition)?;
        self.touched.insert(partition);
        Some((replica, &self.members))
    }

    /// A replica to work on in a way that nobody else cares about.
    pub fn touch_quietly(&mut self, partition: PartitionId) -> Option<(&mut Replica, &Members)> {
        Some((self.replicas.get_mut(&partition)?, &self.members))
    }

    /// All replicas to work on.
    pub fn touch_all(&mut self) -> (impl Iterator<Item = &mut Replica>, &Members) {
        self.touched.extend(self.replicas.keys());
        (self.replicas.values_mut(), &self.members)
    }

    /// The next one that was touched and has not been looked at since.
    pub fn next_touched(&mut self) -> Option<PartitionId> {
        self.touched.pop_first()
    }

    /// A sync has ended; whose it was is its own knowledge.
    pub fn on_synced(&mut self, ticket: Ticket, result: Result<(), DiskError>, step: &mut Step<'_>) {
        for (partition, replica) in &mut self.replicas {
            if replica.on_synced(ticket, result, step.now, &self.members, step.out) {
                self.touched.insert(*partition);
                return;
            }
        }
    }

    /// Does what the metadata says has changed.
    ///
    /// # Errors
    /// When the disk fails; nothing of it can be relied upon then.
    pub fn apply(
        &mut self,
        delta: &Delta,
        image: &MetadataImage,
        members: Members,
        config: &BrokerConfig,
        step: &mut Step<'_>,
    ) -> Result<(), LogError> {
        if !delta.brokers.is_empty() {
            self.members = members;
        }
        for topic in delta.deleted.values() {
            for index in topic.partitions.keys() {
                self.remove(PartitionId { topic: topic.id, index: *index }, step)?;
            }
        }
        for topic in delta.topics.iter().filter_map(|id| image.topic(*id)) {
            self.configure(topic, config, step);
        }
        for partition in &delta.partitions {
            let known = image.topic(partition.topic).and_then(|topic| Some((topic, topic.partitions.get(&partition.index)?)));
            match known.filter(|(_, state)| state.replicas.contains(&self.broker)) {
                Some((topic, state)) => self.assign(*partition, topic, state, config, step)?,
                None => self.remove(*partition, step)?,
            }
        }
        Ok(())
    }

    fn assign(
        &mut self,
        partition: PartitionId,
        topic: &Topic,
        state: &Partition,
        config: &BrokerConfig,
        step: &mut Step<'_>,
    ) -> Result<(), LogError> {
        if !self.replicas.contains_key(&partition) {
            let replica = self.make(partition, topic, config, step)?;
            self.replicas.insert(partition, replica);
        }
        let (replica, members) = self.touch(partition).expect("it is there or was just made");
        replica.on_registration(step.now, &registration(state), members, step.disk, step.out);
        Ok(())
    }

    /// Lets the replicas of a topic know what is configured now.
    fn configure(&mut self, topic: &Topic, config: &BrokerConfig, step: &mut Step<'_>) {
        let (settings, log) = (replica_settings(config, &topic.config), log_config(config, &topic.config));
        for index in topic.partitions.keys() {
            let partition = PartitionId { topic: topic.id, index: *index };
            let Some(replica) = self.replicas.get_mut(&partition) else { continue };
            if replica.configure(settings, &log, step.now, &self.members, step.out) {
                self.touched.insert(partition);
            }
        }
    }

    /// Claims the log that was found, or creates one.
    fn make(
        &mut self,
        partition: PartitionId,
        topic: &Topic,
        config: &BrokerConfig,
        step: &mut Step<'_>,
    ) -> Result<Replica, LogError> {
        let name = TopicPartition { topic: topic.name.clone(), index: partition.index };
        let settings = replica_settings(config, &topic.config);
        let dir = recovery::directory(&name);
        let (log, high_watermark) = match self.unclaimed.remove(&dir) {
            Some(mut found) if found.log.topic() == partition.topic => {
                found.log.configure(log_config(config, &topic.config));
                (found.log, found.high_watermark)
            }
            Some(mut found) if config.mutants.is(Mutant::RecreatedTopicByName) => {
                step.out.fact(Mutant::RecreatedTopicByName.acted());
                found.log.configure(log_config(config, &topic.config));
                step.out.fact(recovery::opened(&found.log, partition, found.high_watermark, 0));
                (found.log, found.high_watermark)
            }
            stale => {
                if let Some(stale) = stale {
                    discard(stale.log, partition.index, step)?;
                }
                let create = if self.used.contains(&dir) { Log::create_over } else { Log::create };
                let log = create(step.disk, &dir, partition.topic, log_config(config, &topic.config))?;
                step.out.fact(recovery::opened(&log, partition, Offset::ZERO, 0));
                (log, Offset::ZERO)
            }
        };
        Ok(Replica::new(partition, name, self.broker, settings, log, high_watermark))
    }

    fn remove(&mut self, partition: PartitionId, step: &mut Step<'_>) -> Result<(), LogError> {
        match self.replicas.remove(&partition) {
            Some(replica) => {
                self.touched.insert(partition);
                self.used.insert(replica.log().dir().to_owned());
                discard(replica.into_log(), partition.index, step)
            }
            None => Ok(()),
        }
    }

    /// What nobody has claimed by the time the first image is complete belongs to topics that are gone, or to other brokers now.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn remove_unclaimed(&mut self, step: &mut Step<'_>) -> Result<(), LogError> {
        for (dir, stray) in std::mem::take(&mut self.unclaimed) {
            self.used.insert(dir);
            discard(stray.log, stray.index, step)?;
        }
        Ok(())
    }

    /// The disk error of some replica, if one has failed.
    pub fn failure(&self, partition: PartitionId) -> Option<DiskError> {
        self.replicas.get(&partition).and_then(Replica::failed)
    }
}

fn discard(log: Log, index: i32, step: &mut Step<'_>) -> Result<(), LogError> {
    let partition = PartitionId { topic: log.topic(), index };
    log.remove(step.disk)?;
    step.out.fact(Fact::LogRemoved { partition });
    Ok(())
}

fn registration(state: &Partition) -> Registration {
    Registration {
        replicas: state.replicas.clone(),
        isr: state.isr.clone(),
        leader: state.leader,
        leader_epoch: state.leader_epoch,
        partition_epoch: state.partition_epoch,
        recovering: state.recovery == Recovery::Recovering,
    }
}
