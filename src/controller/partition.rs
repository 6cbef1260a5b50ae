//! One partition as the metadata log says: who holds it, who is in sync, who leads, in which epochs.
//!
//! ```text
//!   PartitionRecord          the whole state, at creation
//!   PartitionChangeRecord    what is different from now on
//!        leader field set    -> leader epoch + 1     (also when it names the same leader again, or none)
//!        any change          -> partition epoch + 1
//! ```
//!
//! The epochs after a change are not in the record: each reader counts them, so readers must not miss one. A record that leads to an
//! impossible partition (a leader outside the ISR, an ISR outside the replicas) comes from a peer and is refused as a value.

use crate::fact::PartitionState;
use crate::types::{BrokerId, LeaderEpoch, PartitionEpoch, PartitionId, Uuid};
use crate::wire::metadata::{PartitionChangeRecord, PartitionRecord};

/// Leader field of a change record: there is no leader from now on.
const NO_LEADER: i32 = -1;
/// Leader field of a change record: the leader is as before.
const LEADER_UNCHANGED: i32 = -2;

/// Whether the leader was elected from outside the ISR and has not yet declared its log sound.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Recovery {
    /// Elected from the ISR, or recovered since.
    Recovered,
    /// Elected uncleanly; the ISR may not grow until the leader reports itself recovered.
    Recovering,
}

impl Recovery {
    /// The number in records and messages.
    #[must_use]
    pub fn code(self) -> i8 {
        match self {
            Recovery::Recovered => 0,
            Recovery::Recovering => 1,
        }
    }

    /// The state of this number.
    #[must_use]
    pub fn from_code(code: i8) -> Option<Recovery> {
        match code {
            0 => Some(Recovery::Recovered),
            1 => Some(Recovery::Recovering),
            _ => None,
        }
    }
}

/// One partition.
///
/// Invariants: the ISR is a non-empty subset of the replicas; the leader, if any, is in the ISR; no broker is named twice.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Partition {
    /// Assigned replicas, the preferred leader first.
    pub replicas: Vec<BrokerId>,
    /// The log directory of each replica, in the same order.
    pub directories: Vec<Uuid>,
    /// In-sync replicas.
    pub isr: Vec<BrokerId>,
    /// The leader, if there is one.
    pub leader: Option<BrokerId>,
    /// Whether the leader was elected uncleanly.
    pub recovery: Recovery,
    /// Counts the leaders.
    pub leader_epoch: LeaderEpoch,
    /// Counts the changes.
    pub partition_epoch: PartitionEpoch,
}

/// Why a partition cannot be as a record says.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, thiserror::Error)]
pub enum PartitionError {
    /// There are no replicas, or one is named twice or negative.
    #[error("the replicas are not a set of brokers")]
    Replicas,
    /// The ISR is empty or not a set of assigned replicas.
    #[error("the ISR is not a non-empty set of replicas")]
    Isr,
    /// The leader is not in the ISR.
    #[error("the leader is not in the ISR")]
    Leader,
    /// The number of the recovery state is unknown.
    #[error("unknown leader recovery state")]
    Recovery,
    /// An epoch is negative or has reached its end.
    #[error("an epoch is out of range")]
    Epoch,
}

impl Partition {
    /// The state at creation: all of `isr` in sync, its first replica in order of assignment leading.
    #[must_use]
    pub fn created(replicas: Vec<BrokerId>, directories: Vec<Uuid>, isr: Vec<BrokerId>) -> Partition {
        let leader = replicas.iter().copied().find(|replica| isr.contains(replica));
        let (leader_epoch, partition_epoch) = (LeaderEpoch(0), PartitionEpoch(0));
        let partition =
            Partition { replicas, directories, isr, leader, recovery: Recovery::Recovered, leader_epoch, partition_epoch };
        assert!(partition.check().is_ok() && partition.leader.is_some(), "a partition is created sound: {partition:?}");
        partition
    }

    /// The partition that `record` describes.
    ///
    /// # Errors
    /// If such a partition cannot be.
    pub fn from_record(record: &PartitionRecord) -> Result<Partition, PartitionError> {
        let partition = Partition {
            replicas: brokers(&record.replicas),
            directories: record.directories.clone(),
            isr: brokers(&record.isr),
            leader: leader(record.leader),
            recovery: Recovery::from_code(record.leader_recovery_state).ok_or(PartitionError::Recovery)?,
            leader_epoch: LeaderEpoch(record.leader_epoch),
            partition_epoch: PartitionEpoch(record.partition_epoch),
        };
        partition.check()?;
        Ok(partition)
    }

    /// The record that creates this partition.
    #[must_use]
    pub fn record(&self, id: PartitionId) -> PartitionRecord {
        PartitionRecord {
            partition_id: id.index,
            topic_id: id.topic,
            replicas: numbers(&self.replicas),
            directories: self.directories.clone(),
            isr: numbers(&self.isr),
            leader: self.leader.map_or(NO_LEADER, |leader| leader.0),
            leader_recovery_state: self.recovery.code(),
            leader_epoch: self.leader_epoch.0,
            partition_epoch: self.partition_epoch.0,
            ..PartitionRecord::default()
        }
    }

    /// The partition after the change.
    ///
    /// # Errors
    /// If the result cannot be.
    pub fn changed_by(&self, record: &PartitionChangeRecord) -> Result<Partition, PartitionError> {
        let mut after = self.clone();
        if self.partition_epoch.0 == i32::MAX || self.leader_epoch.0 == i32::MAX {
            return Err(PartitionError::Epoch);
        }
        after.partition_epoch = self.partition_epoch.next();
        if let Some(replicas) = &record.replicas {
            after.replicas = brokers(replicas);
        }
        if let Some(directories) = &record.directories {
            after.directories = directories.clone();
        }
        if let Some(isr) = &record.isr {
            after.isr = brokers(isr);
        }
        if record.leader != LEADER_UNCHANGED {
            after.leader = leader(record.leader);
            after.leader_epoch = self.leader_epoch.next();
        }
        if record.leader_recovery_state != -1 {
            after.recovery = Recovery::from_code(record.leader_recovery_state).ok_or(PartitionError::Recovery)?;
        }
        after.check()?;
        Ok(after)
    }

    /// The record that leads from this partition to `after`, one change later.
    #[must_use]
    pub fn change_record(&self, id: PartitionId, after: &Partition) -> PartitionChangeRecord {
        let record = PartitionChangeRecord {
            partition_id: id.index,
            topic_id: id.topic,
            isr: (self.isr != after.isr).then(|| numbers(&after.isr)),
            leader: match after.leader {
                leader if leader == self.leader => LEADER_UNCHANGED,
                leader => leader.map_or(NO_LEADER, |leader| leader.0),
            },
            leader_recovery_state: if self.recovery == after.recovery { -1 } else { after.recovery.code() },
            ..PartitionChangeRecord::default()
        };
        assert_eq!(self.changed_by(&record).as_ref(), Ok(after), "a change record leads to what was decided");
        record
    }

    /// The state as facts tell it.
    #[must_use]
    pub fn state(&self) -> PartitionState {
        let mut isr = self.isr.clone();
        isr.sort_unstable();
        let (leader, leader_epoch, partition_epoch) = (self.leader, self.leader_epoch, self.partition_epoch);
        PartitionState { leader, leader_epoch, partition_epoch, isr }
    }

    /// The leader's id as responses carry it, -1 for none.
    #[must_use]
    pub fn leader_number(&self) -> i32 {
        self.leader.map_or(NO_LEADER, |leader| leader.0)
    }

    /// Whether this can be a partition at all.
    ///
    /// # Errors
    /// The first invariant that does not hold.
    pub fn check(&self) -> Result<(), PartitionError> {
        let is_set = |ids: &[BrokerId]| ids.iter().enumerate().all(|(i, id)| id.0 >= 0 && !ids[..i].contains(id));
        if self.replicas.is_empty() || !is_set(&self.replicas) {
            return Err(PartitionError::Replicas);
        }
        if self.isr.is_empty() || !is_set(&self.isr) || !self.isr.iter().all(|id| self.replicas.contains(id)) {
            return Err(PartitionError::Isr);
        }
        if self.leader.is_some_and(|leader| !self.isr.contains(&leader)) {
            return Err(PartitionError::Leader);
        }
        if self.leader_epoch.0 < 0 || self.partition_epoch.0 < 0 {
            return Err(PartitionError::Epoch);
        }
        Ok(())
    }
}

/// Ids as numbers of a message.
#[must_use]
pub fn numbers(ids: &[BrokerId]) -> Vec<i32> {
    ids.iter().map(|id| id.0).collect()
}

/// Numbers of a message as ids.
#[must_use]
pub fn brokers(numbers: &[i32]) -> Vec<BrokerId> {
    numbers.iter().copied().map(BrokerId).collect()
}

fn leader(number: i32) -> Option<BrokerId> {
    (number != NO_LEADER).then_some(BrokerId(number))
}
