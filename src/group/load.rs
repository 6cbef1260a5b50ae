//! Reading a shard's partition when this broker becomes its leader.
//!
//! ```text
//!   log start          compacted away            high watermark      log end at the election
//!       │  ▓▓▓ ▓ ▓▓       ····                ▓▓▓▓▓▓ │ ▓▓▓▓▓▓            │
//!       └────────────── read, piece by piece ───────────────────────────▶│   then wait until the high watermark is here, too
//! ```
//!
//! Three traps:
//!
//! - *To the end, not to the high watermark* (GR-06). Right after an election the high watermark of the new leader lags; what its predecessor had
//!   confirmed may lie above it.
//! - *Not served before it is committed*. What lies above the high watermark may, until it is passed, still be lost; what lies below it may
//!   be older than what was told before. Only at the end of the log are both questions settled.
//! - *Gaps* (GR-07, KAFKA-9065). After compaction the last records before the end may be missing, so the end is reached when the next batch would
//!   lie there, or when there is none.
//!
//! The broker reads, as much as it likes in a step, and hands the bytes in. The records come in batches, possibly compressed.

use bytes::Bytes;

use crate::fact::GroupFact;
use crate::mutant::Mutant;
use crate::types::{Offset, Time};
use crate::wire::group::{OffsetCommitKey, OffsetCommitValue};
use crate::wire::record::{BatchError, Record, batches};
use crate::wire::{GroupRecord, GroupRecordError};

use super::groups::Group;
use super::shard::{Phase, Shard, Turn, Work};

/// How far loading has come.
#[derive(Hash, Debug)]
pub(super) struct Loading {
    /// Everything below was replayed.
    pub next: Offset,
    /// Log end at the election.
    pub end: Offset,
}

/// Why a log cannot be loaded.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum LoadError {
    /// Not record batches.
    #[error(transparent)]
    Batch(#[from] BatchError),
    /// Not a record of a group.
    #[error(transparent)]
    Record(#[from] GroupRecordError),
    /// A record without a key says nothing.
    #[error("the record at {at} has no key")]
    NoKey {
        /// Where.
        at: Offset,
    },
}

impl Shard {
    /// From where, and up to where, it has to be read on; `None` if nothing is missing.
    #[must_use]
    pub fn wants(&self) -> Option<(Offset, Offset)> {
        match &self.phase {
            Phase::Loading(loading) if loading.next < loading.end => Some((loading.next, loading.end)),
            Phase::Loading(_) | Phase::Active { .. } | Phase::Broken => None,
        }
    }

    /// Takes in whole batches, read from where it [wants](Shard::wants) them on. None at all means that there are no more.
    ///
    /// # Errors
    /// What cannot be read. The shard serves nobody then.
    pub fn load(&mut self, bytes: &Bytes, turn: &mut Turn<'_>) -> Result<(), LoadError> {
        let Phase::Loading(Loading { next, end }) = self.phase else { return Ok(()) };
        let is_skipped = self.desk.config.mutants.is(Mutant::GroupStateNotReplayed) && !bytes.is_empty();
        if is_skipped {
            turn.effects.acted.set();
        }
        let replayed = if is_skipped { Ok(end) } else { self.replay_batches(bytes, next) };
        let next = match replayed {
            Ok(reached) if reached == next => end,
            Ok(reached) => reached.min(end),
            Err(error) => {
                self.phase = Phase::Broken;
                self.groups.clear();
                return Err(error);
            }
        };
        self.phase = Phase::Loading(Loading { next, end });
        self.begin_if_loaded(turn);
        Ok(())
    }

    fn replay_batches(&mut self, bytes: &Bytes, from: Offset) -> Result<Offset, LoadError> {
        let mut next = from;
        for batch in batches(bytes) {
            let batch = batch?;
            next = next.max(batch.header.next_offset());
            if batch.header.is_control() {
                continue;
            }
            for record in batch.opened_records()? {
                let record = record?;
                if record.offset >= from {
                    self.replay_stored(&record)?;
                }
            }
        }
        Ok(next)
    }

    fn replay_stored(&mut self, record: &Record) -> Result<(), LoadError> {
        let key = record.key.as_ref().ok_or(LoadError::NoKey { at: record.offset })?;
        match GroupRecord::decode(key, record.value.as_ref()) {
            Ok(decoded) => {
                self.replay(&modern(decoded), record.offset);
                Ok(())
            }
            // Left from a newer broker that was rolled back: nothing that we would know what to do with.
            Err(GroupRecordError::UnknownType { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Takes in a record that stands in the log.
    pub(super) fn replay(&mut self, record: &GroupRecord, at: Offset) {
        let id = group_of(record);
        let group = self.groups.entry(id.into()).or_insert_with(|| Group::new(id.into()));
        group.replay(record, at, &mut self.desk.uncommitted);
        // What is committed already need not be remembered as anything else.
        while let Some((id, partition)) = self.desk.uncommitted.committed(self.desk.high_watermark) {
            if let Some(group) = self.groups.get_mut(&id) {
                group.offsets.commit(&partition, self.desk.high_watermark);
            }
        }
        self.forget_if_void(id);
    }

    /// Serves from now on, if everything is read and committed.
    pub(super) fn begin_if_loaded(&mut self, turn: &mut Turn<'_>) {
        let Phase::Loading(Loading { next, end }) = self.phase else { return };
        if next < end || self.desk.high_watermark < end {
            return;
        }
        self.begin(turn, end);
    }

    fn begin(&mut self, turn: &mut Turn<'_>, log_end: Offset) {
        let expiry_due: Time = turn.now.mono.plus(self.desk.config.retention_check_interval);
        self.phase = Phase::Active { expiry_due };
        turn.effects.facts.push(GroupFact::CoordinatorLoaded {
            shard: self.partition,
            leader_epoch: self.leader_epoch,
            log_end,
            groups: self.groups.values().filter(|group| group.exists()).map(Group::loaded).collect(),
        });
        let mut work = Work { turn, desk: &mut self.desk };
        self.groups.values_mut().for_each(|group| {
            group.revive(&mut work);
            group.revive_consumers(&mut work);
        });
    }
}

/// Offsets of the oldest kind as those of today.
fn modern(record: GroupRecord) -> GroupRecord {
    match record {
        GroupRecord::LegacyOffsetCommit(key, value) => {
            let key = OffsetCommitKey { group: key.group, topic: key.topic, partition: key.partition, ..Default::default() };
            let value = value.map(|value| OffsetCommitValue {
                offset: value.offset,
                metadata: value.metadata,
                commit_timestamp: value.commit_timestamp,
                ..Default::default()
            });
            GroupRecord::OffsetCommit(key, value)
        }
        other @ (GroupRecord::OffsetCommit(..)
        | GroupRecord::GroupMetadata(..)
        | GroupRecord::ConsumerGroupMetadata(..)
        | GroupRecord::ConsumerGroupPartitionMetadata(..)
        | GroupRecord::ConsumerGroupMemberMetadata(..)
        | GroupRecord::ConsumerGroupTargetAssignmentMetadata(..)
        | GroupRecord::ConsumerGroupTargetAssignmentMember(..)
        | GroupRecord::ConsumerGroupCurrentMemberAssignment(..)
        | GroupRecord::ConsumerGroupRegularExpression(..)) => other,
    }
}

/// The group that a record is about.
fn group_of(record: &GroupRecord) -> &str {
    match record {
        GroupRecord::LegacyOffsetCommit(key, _) => &key.group,
        GroupRecord::OffsetCommit(key, _) => &key.group,
        GroupRecord::GroupMetadata(key, _) => &key.group,
        GroupRecord::ConsumerGroupMetadata(key, _) => &key.group_id,
        GroupRecord::ConsumerGroupPartitionMetadata(key, _) => &key.group_id,
        GroupRecord::ConsumerGroupMemberMetadata(key, _) => &key.group_id,
        GroupRecord::ConsumerGroupTargetAssignmentMetadata(key, _) => &key.group_id,
        GroupRecord::ConsumerGroupTargetAssignmentMember(key, _) => &key.group_id,
        GroupRecord::ConsumerGroupCurrentMemberAssignment(key, _) => &key.group_id,
        GroupRecord::ConsumerGroupRegularExpression(key, _) => &key.group_id,
    }
}
