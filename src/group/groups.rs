//! One group: its protocol, its offsets, and the fold of its records.
//!
//! [`Group::replay`] is the only way in which what is durable of a group changes, in a coordinator that serves as in one that loads.
//! [`Group::write`] appends and then replays what it appended.

use std::sync::Arc;

use crate::fact::group::{GroupFact, LoadedGroup};
use crate::types::Offset;
use crate::wire::{ErrorCode, GroupRecord};

use super::classic::Classic;
use super::consumer::ConsumerGroup;
use super::offsets::{CommittedOffset, Offsets, Uncommitted};
use super::shard::Work;
use super::stored::Stored;
use crate::types::TopicPartition;

/// A group.
#[derive(Hash, Debug)]
pub(super) struct Group {
    /// Its name.
    pub id: Arc<str>,
    /// Its members, if it has any. A group that only keeps offsets is one of these without ever having had a member.
    pub classic: Classic,
    /// The same of the newer protocol; a group is of one of them at a time.
    pub consumer: Option<Box<ConsumerGroup>>,
    /// What it has committed.
    pub offsets: Offsets,
}

impl Group {
    /// A group that nothing is known of.
    pub fn new(id: Arc<str>) -> Group {
        Group { id, classic: Classic::default(), consumer: None, offsets: Offsets::default() }
    }

    /// Takes in a record of this group, which stands at `at`.
    pub fn replay(&mut self, record: &GroupRecord, at: Offset, uncommitted: &mut Uncommitted) {
        match record {
            GroupRecord::OffsetCommit(key, value) => {
                let partition = TopicPartition { topic: Arc::from(key.topic.as_str()), index: key.partition };
                self.offsets.set(partition.clone(), at, value.as_ref().map(CommittedOffset::read));
                uncommitted.push(at, self.id.clone(), partition);
            }
            GroupRecord::GroupMetadata(_, value) => self.classic.store(value.as_ref().map(Stored::read), at.next()),
            // Offsets as they were stored before there was any version of Kafka that we speak with, and what newer versions only remove.
            GroupRecord::LegacyOffsetCommit(..) | GroupRecord::ConsumerGroupPartitionMetadata(..) => {}
            GroupRecord::ConsumerGroupMetadata(..)
            | GroupRecord::ConsumerGroupMemberMetadata(..)
            | GroupRecord::ConsumerGroupTargetAssignmentMetadata(..)
            | GroupRecord::ConsumerGroupTargetAssignmentMember(..)
            | GroupRecord::ConsumerGroupCurrentMemberAssignment(..)
            | GroupRecord::ConsumerGroupRegularExpression(..) => self.replay_consumer(record),
        }
    }

    fn replay_consumer(&mut self, record: &GroupRecord) {
        // Compaction may have left the members' records before that of the group; tombstones make no group.
        if self.consumer.is_none() && !record.is_tombstone() {
            self.consumer = Some(Box::default());
        }
        if self.consumer.as_deref_mut().is_some_and(|group| group.replay(record)) {
            self.consumer = None;
        }
    }

    /// Appends records and takes them in; gives their end.
    pub fn write(&mut self, work: &mut Work<'_, '_>, records: &[GroupRecord]) -> Result<Offset, ErrorCode> {
        assert!(!records.is_empty(), "{} writes nothing", self.id);
        let end = work.turn.journal.append(records).map_err(super::coordinator_error)?;
        let first = end.plus(-(records.len() as i64));
        assert!(first >= self.classic.stored_end, "records are appended behind those before them");
        for (delta, record) in records.iter().enumerate() {
            self.replay(record, first.plus(delta as i64), &mut work.desk.uncommitted);
        }
        Ok(end)
    }

    /// Whether nothing is left that anybody could ask for.
    pub fn is_void(&self) -> bool {
        self.classic.is_void() && self.consumer.is_none() && self.offsets.is_empty()
    }

    /// Whether the group exists for those who ask; one whose end is on its way to being committed does not.
    pub fn exists(&self) -> bool {
        !self.classic.is_void() || self.consumer.is_some() || !self.offsets.is_ending_empty()
    }

    /// Its generation, or group epoch.
    pub fn generation(&self) -> i32 {
        self.consumer.as_ref().map_or(self.classic.generation, |group| group.epoch)
    }

    /// As loading has found it.
    pub fn loaded(&self) -> LoadedGroup {
        let (generation, members) = match (&self.consumer, &self.classic.stored) {
            (Some(group), _) => (group.epoch, group.members.keys().cloned().collect()),
            (None, Some(stored)) => (stored.generation, stored.members.keys().cloned().collect()),
            (None, None) => (-1, Vec::new()),
        };
        LoadedGroup {
            group: self.id.clone(),
            generation,
            members,
            offsets: self.offsets.newest().map(|(partition, value)| (partition.clone(), value.offset)).collect(),
        }
    }

    /// Somebody is not, or no longer, what it says it is.
    pub fn note_fenced(&self, work: &mut Work<'_, '_>, member: &str, error: ErrorCode) {
        let fencing = [
            ErrorCode::UNKNOWN_MEMBER_ID,
            ErrorCode::ILLEGAL_GENERATION,
            ErrorCode::FENCED_INSTANCE_ID,
            ErrorCode::FENCED_MEMBER_EPOCH,
            ErrorCode::STALE_MEMBER_EPOCH,
        ];
        if fencing.contains(&error) {
            work.fact(GroupFact::MemberFenced { group: self.id.clone(), member: Arc::from(member), code: error.code() });
        }
    }
}

/// What the log says of a group: its members, and its offsets.
#[cfg(test)]
pub(super) type Durable = (Option<Stored>, Option<ConsumerGroup>, Vec<(TopicPartition, CommittedOffset)>);

#[cfg(test)]
impl Group {
    /// What must hold between steps.
    pub fn check(&self) {
        use super::classic::Phase;
        assert!(!self.is_void(), "{} is kept for nothing", self.id);
        let classic = &self.classic;
        assert!(self.consumer.is_none() || classic.is_void(), "{} is of two protocols", self.id);
        if let Some(group) = &self.consumer {
            group.check();
        }
        match classic.phase {
            Phase::Empty => assert!(classic.members.is_empty(), "{} is empty with members", self.id),
            Phase::Preparing { .. } => {}
            Phase::Completing { .. } => assert!(!classic.members.is_empty(), "{} awaits nobody's assignment", self.id),
            Phase::Stable { .. } => assert!(classic.is_as_stored(), "{} is stable and not as stored", self.id),
        }
        assert!(classic.instances.values().all(|id| classic.members.contains_key(id)), "{} has a stray instance", self.id);
        assert!(classic.leader.as_ref().is_none_or(|id| classic.members.contains_key(id)), "{} is led by nobody", self.id);
    }

    /// What the log says of it.
    pub fn durable(&self) -> Durable {
        let offsets = self.offsets.newest().map(|(partition, value)| (partition.clone(), value.clone())).collect();
        (self.classic.stored.clone(), self.consumer.as_ref().map(|group| group.durable()), offsets)
    }
}
