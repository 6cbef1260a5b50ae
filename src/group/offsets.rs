//! Committed offsets of one group.
//!
//! ```text
//!   orders-0    committed 120        newer: 130 (record 44), 135 (record 51)
//!                         │                        │
//!     what OffsetFetch tells         high watermark 45: 130 is what it tells, 135 waits
//! ```
//!
//! Whoever asks is told what is below the high watermark only. A value above it may yet be lost with its leader, and a member that had
//! started there would have skipped records that nobody has processed. So each partition keeps its committed value and, with the offset of its
//! record, every value written since; an index in log order ([`Uncommitted`]) says which of them become committed when the high watermark moves.
//!
//! A tombstone is a value like the others: a deletion is told when it is committed.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crate::types::{Offset, Timestamp, TopicPartition};
use crate::wire::GroupRecord;
use crate::wire::group::{OffsetCommitKey, OffsetCommitValue};

/// A committed offset.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct CommittedOffset {
    /// The next record to be read.
    pub offset: Offset,
    /// Leader epoch of the last record read, -1 if the client did not tell (KIP-320).
    pub leader_epoch: i32,
    /// What the client stored beside it.
    pub metadata: Arc<str>,
    /// When it was committed.
    pub at: Timestamp,
    /// When it expires, if the client said so (old clients only).
    pub expires: Option<Timestamp>,
}

impl CommittedOffset {
    /// As a record tells it.
    pub fn read(value: &OffsetCommitValue) -> CommittedOffset {
        CommittedOffset {
            offset: Offset(value.offset),
            leader_epoch: value.leader_epoch,
            metadata: Arc::from(value.metadata.as_str()),
            at: Timestamp(value.commit_timestamp),
            expires: Some(Timestamp(value.expire_timestamp)).filter(|expires| expires.0 >= 0),
        }
    }

    /// The record that stores it.
    pub fn record(&self, group: &str, partition: &TopicPartition) -> GroupRecord {
        let value = OffsetCommitValue {
            offset: self.offset.0,
            leader_epoch: self.leader_epoch,
            metadata: self.metadata.to_string(),
            commit_timestamp: self.at.0,
            expire_timestamp: self.expires.map_or(-1, |expires| expires.0),
            ..OffsetCommitValue::default()
        };
        GroupRecord::OffsetCommit(key(group, partition), Some(value))
    }
}

/// The record that removes an offset.
pub(super) fn tombstone(group: &str, partition: &TopicPartition) -> GroupRecord {
    GroupRecord::OffsetCommit(key(group, partition), None)
}

fn key(group: &str, partition: &TopicPartition) -> OffsetCommitKey {
    let (group, topic) = (group.to_owned(), partition.topic.to_string());
    OffsetCommitKey { group, topic, partition: partition.index, ..OffsetCommitKey::default() }
}

/// One partition's.
#[derive(Default, Clone, PartialEq, Eq, Hash, Debug)]
struct Entry {
    committed: Option<CommittedOffset>,
    /// With the offsets of their records, rising.
    newer: VecDeque<(Offset, Option<CommittedOffset>)>,
}

impl Entry {
    fn newest(&self) -> Option<&CommittedOffset> {
        self.newer.back().map_or(self.committed.as_ref(), |(_, value)| value.as_ref())
    }
}

/// All of a group's.
#[derive(Default, Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Offsets(BTreeMap<TopicPartition, Entry>);

/// Which values of a shard are not yet committed, in the order of their records.
#[derive(Default, Hash, Debug)]
pub(super) struct Uncommitted(VecDeque<(Offset, Arc<str>, TopicPartition)>);

impl Uncommitted {
    /// A record of this group about this partition was appended.
    pub fn push(&mut self, record: Offset, group: Arc<str>, partition: TopicPartition) {
        self.0.push_back((record, group, partition));
    }

    /// The first that is committed now.
    pub fn committed(&mut self, high_watermark: Offset) -> Option<(Arc<str>, TopicPartition)> {
        let is_committed = self.0.front().is_some_and(|(record, _, _)| *record < high_watermark);
        is_committed.then(|| self.0.pop_front())?.map(|(_, group, partition)| (group, partition))
    }
}

impl Offsets {
    /// A record says what is committed for a partition, or that nothing is.
    pub fn set(&mut self, partition: TopicPartition, record: Offset, value: Option<CommittedOffset>) {
        self.0.entry(partition).or_default().newer.push_back((record, value));
    }

    /// Every value whose record is below the high watermark is committed.
    pub fn commit(&mut self, partition: &TopicPartition, high_watermark: Offset) {
        let Some(entry) = self.0.get_mut(partition) else { return };
        while entry.newer.front().is_some_and(|(record, _)| *record < high_watermark) {
            entry.committed = entry.newer.pop_front().and_then(|(_, value)| value);
        }
        if entry.committed.is_none() && entry.newer.is_empty() {
            self.0.remove(partition);
        }
    }

    /// What is told of a partition.
    pub fn committed(&self, partition: &TopicPartition) -> Option<&CommittedOffset> {
        self.0.get(partition)?.committed.as_ref()
    }

    /// What is told of all partitions.
    pub fn all_committed(&self) -> impl Iterator<Item = (&TopicPartition, &CommittedOffset)> {
        self.0.iter().filter_map(|(partition, entry)| Some((partition, entry.committed.as_ref()?)))
    }

    /// What the log says at its end, of all partitions.
    pub fn newest(&self) -> impl Iterator<Item = (&TopicPartition, &CommittedOffset)> {
        self.0.iter().filter_map(|(partition, entry)| Some((partition, entry.newest()?)))
    }

    /// What the log says at its end.
    pub fn newest_of(&self, partition: &TopicPartition) -> Option<&CommittedOffset> {
        self.0.get(partition)?.newest()
    }

    /// Whether the log says nothing at its end, and nothing else is told any more.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the log says nothing at its end.
    pub fn is_ending_empty(&self) -> bool {
        self.0.values().all(|entry| entry.newest().is_none())
    }
}
