//! OffsetCommit and OffsetDelete: how far a group has come.
//!
//! ```text
//!   who commits                          may it?
//!   a member, in its generation          yes, except between joining and the new assignment (REBALANCE_IN_PROGRESS)
//!   a member of another generation       ILLEGAL_GENERATION: its partitions may be somebody else's by now (G5)
//!   nobody in particular (-1)            only while the group has no members: an administrator, or a consumer that assigns itself
//! ```
//!
//! A member that is still at work when a rebalance is being prepared may commit: that is how it hands over. Its partitions are not checked
//! against its assignment, as they are not in Kafka: the generation vouches for them.
//!
//! A commit shows that the member lives, like a heartbeat.

use std::sync::Arc;

use crate::fact::group::{CommitRemoval, GroupFact};
use crate::mutant::Mutant;
use crate::types::{Duration, Offset, Timestamp, TopicPartition};
use crate::wire::offset_commit_request::OffsetCommitRequestPartition;
use crate::wire::offset_commit_response::{OffsetCommitResponsePartition, OffsetCommitResponseTopic};
use crate::wire::offset_delete_response::{OffsetDeleteResponsePartition, OffsetDeleteResponseTopic};
use crate::wire::{ErrorCode, GroupRecord, OffsetCommitRequest, OffsetCommitResponse, OffsetDeleteRequest, OffsetDeleteResponse};

use super::classic::Phase;
use super::groups::Group;
use super::offsets::{CommittedOffset, tombstone};
use super::refusals;
use super::shard::Work;
use super::{Asker, Token};

/// First version that tells a group that does not exist from a generation of the past.
const FIRST_WITH_GROUP_NOT_FOUND: i16 = 9;
/// First version that may name a member epoch.
const FIRST_WITH_MEMBER_EPOCH: i16 = 9;

impl Group {
    /// Stores offsets; answers when they are committed.
    pub(super) fn on_commit(&mut self, work: &mut Work<'_, '_>, token: Token, asker: &Asker, request: &OffsetCommitRequest) {
        let permission = self.check_commit(asker.version, request).or_else(|error| self.overlook(work, request, error));
        if let Err(error) = permission {
            self.note_fenced(work, &request.member_id, error);
            return work.answer(token, refusals::commit(request, error));
        }
        self.note_alive_by_commit(work, &request.member_id);
        let (response, mut commits) = self.sort_commits(work, request);
        if commits.iter().any(|(_, value)| value.leader_epoch >= 0) && work.spoils(Mutant::EpochlessCommitAfterCoordinatorLoss) {
            commits.iter_mut().for_each(|(_, value)| value.leader_epoch = -1);
        }
        if commits.is_empty() {
            return work.answer(token, response);
        }
        let records: Vec<GroupRecord> = commits.iter().map(|(partition, value)| value.record(&self.id, partition)).collect();
        match self.write(work, &records) {
            Ok(end) => {
                self.state_commits(work, request, commits, end);
                work.answer_when_committed(end, token, response);
            }
            Err(error) => work.answer(token, refusals::commit(request, error)),
        }
    }

    fn check_commit(&self, version: i16, request: &OffsetCommitRequest) -> Result<(), ErrorCode> {
        let generation = request.generation_id_or_member_epoch;
        let (member, instance) = (request.member_id.as_str(), request.group_instance_id.as_deref());
        if !self.exists() {
            return match generation {
                ..0 => Ok(()),
                _ if version >= FIRST_WITH_GROUP_NOT_FOUND => Err(ErrorCode::GROUP_ID_NOT_FOUND),
                _ => Err(ErrorCode::ILLEGAL_GENERATION),
            };
        }
        if let Some(group) = &self.consumer {
            return match generation {
                ..0 if group.members.is_empty() => Ok(()),
                _ if !group.members.contains_key(member) => Err(ErrorCode::UNKNOWN_MEMBER_ID),
                _ if version < FIRST_WITH_MEMBER_EPOCH => Err(ErrorCode::UNSUPPORTED_VERSION),
                _ => group.check_epoch(member, generation),
            };
        }
        let is_empty = self.classic.phase == Phase::Empty;
        if generation < 0 && is_empty {
            return Ok(());
        }
        if generation < 0 && member.is_empty() && instance.is_none() {
            return Err(ErrorCode::UNKNOWN_MEMBER_ID);
        }
        self.classic.check_generation(member, instance, generation)?;
        match self.classic.phase {
            Phase::Completing { .. } => Err(ErrorCode::REBALANCE_IN_PROGRESS),
            Phase::Empty | Phase::Preparing { .. } | Phase::Stable { .. } => Ok(()),
        }
    }

    /// Planted bugs: what is wrong with a commit is not looked at.
    fn overlook(&self, work: &mut Work<'_, '_>, request: &OffsetCommitRequest, error: ErrorCode) -> Result<(), ErrorCode> {
        let is_of_the_past =
            [ErrorCode::ILLEGAL_GENERATION, ErrorCode::UNKNOWN_MEMBER_ID, ErrorCode::STALE_MEMBER_EPOCH].contains(&error);
        let names_generation = request.generation_id_or_member_epoch >= 0 && self.exists();
        let is_overlooked = (is_of_the_past && names_generation && work.spoils(Mutant::NoGenerationCheck))
            || (error == ErrorCode::REBALANCE_IN_PROGRESS && work.spoils(Mutant::CommitInCompletingRebalance));
        if is_overlooked { Ok(()) } else { Err(error) }
    }

    fn note_alive_by_commit(&mut self, work: &mut Work<'_, '_>, member: &str) {
        if let Some((id, _)) = self.classic.members.get_key_value(member) {
            let id = id.clone();
            self.note_alive(work, &id);
        }
    }

    /// Which offsets are stored, and what is said of each.
    fn sort_commits(
        &self,
        work: &Work<'_, '_>,
        request: &OffsetCommitRequest,
    ) -> (OffsetCommitResponse, Vec<(TopicPartition, CommittedOffset)>) {
        let (now, most) = (work.turn.now.wall, work.desk.config.metadata_bytes_max);
        let retention = Some(request.retention_time_ms).filter(|retention| *retention >= 0);
        let expires = retention.map(|retention| Timestamp(now.0.saturating_add(retention)));
        let (mut topics, mut commits) = (Vec::new(), Vec::new());
        for topic in &request.topics {
            let name: Arc<str> = Arc::from(topic.name.as_str());
            let mut partitions = Vec::new();
            for wanted in &topic.partitions {
                let error = check_metadata(wanted, most);
                partitions.push(answered(wanted.partition_index, error));
                if error.is_none() {
                    let partition = TopicPartition { topic: name.clone(), index: wanted.partition_index };
                    commits.push((partition, committed(wanted, now, expires)));
                }
            }
            topics.push(OffsetCommitResponseTopic { name: topic.name.clone(), partitions, ..Default::default() });
        }
        (OffsetCommitResponse { topics, ..Default::default() }, commits)
    }

    fn state_commits(
        &self,
        work: &mut Work<'_, '_>,
        request: &OffsetCommitRequest,
        commits: Vec<(TopicPartition, CommittedOffset)>,
        end: Offset,
    ) {
        let member: Arc<str> = Arc::from(request.member_id.as_str());
        let first = end.plus(-(commits.len() as i64));
        for (delta, (partition, value)) in commits.into_iter().enumerate() {
            work.fact(GroupFact::CommitStored {
                group: self.id.clone(),
                member: member.clone(),
                generation: request.generation_id_or_member_epoch,
                partition,
                offset: value.offset,
                at: first.plus(delta as i64),
            });
        }
    }

    /// Forgets offsets of topics that nobody in the group reads; answers when that is committed.
    pub(super) fn on_delete_offsets(&mut self, work: &mut Work<'_, '_>, token: Token, request: &OffsetDeleteRequest) {
        if let Err(error) = self.check_delete_offsets() {
            return work.answer(token, refusals::delete_offsets(error));
        }
        let (mut topics, mut gone) = (Vec::new(), Vec::new());
        for topic in &request.topics {
            let name: Arc<str> = Arc::from(topic.name.as_str());
            let is_in_use = self.is_subscribed_to(&topic.name);
            let error = if is_in_use { ErrorCode::GROUP_SUBSCRIBED_TO_TOPIC } else { ErrorCode::NONE };
            let indices = || topic.partitions.iter().map(|wanted| wanted.partition_index);
            let answer = |partition_index| OffsetDeleteResponsePartition {
                partition_index,
                error_code: error.code(),
                ..Default::default()
            };
            let partitions = indices().map(answer).collect();
            topics.push(OffsetDeleteResponseTopic { name: topic.name.clone(), partitions, ..Default::default() });
            if !is_in_use {
                gone.extend(indices().map(|index| TopicPartition { topic: name.clone(), index }));
            }
        }
        gone.retain(|partition| self.offsets.newest_of(partition).is_some());
        let response = OffsetDeleteResponse { topics, ..Default::default() };
        match self.remove_offsets(work, &gone, CommitRemoval::Deleted, false) {
            Ok(end) => work.answer_when_committed(end, token, response),
            Err(error) => work.answer(token, refusals::delete_offsets(error)),
        }
    }

    /// Whether somebody in the group reads this topic.
    pub(super) fn is_subscribed_to(&self, topic: &str) -> bool {
        self.classic.is_subscribed_to(topic) || self.consumer.as_ref().is_some_and(|group| group.is_subscribed_to(topic))
    }

    fn check_delete_offsets(&self) -> Result<(), ErrorCode> {
        match self.classic.phase {
            _ if !self.exists() => Err(ErrorCode::GROUP_ID_NOT_FOUND),
            Phase::Empty => Ok(()),
            Phase::Preparing { .. } | Phase::Completing { .. } | Phase::Stable { .. } if self.classic.is_of_consumers() => Ok(()),
            Phase::Preparing { .. } | Phase::Completing { .. } | Phase::Stable { .. } => Err(ErrorCode::NON_EMPTY_GROUP),
        }
    }

    /// Writes tombstones, for the group itself too if `and_group`; gives their end.
    pub(super) fn remove_offsets(
        &mut self,
        work: &mut Work<'_, '_>,
        gone: &[TopicPartition],
        reason: CommitRemoval,
        and_group: bool,
    ) -> Result<Offset, ErrorCode> {
        let mut records: Vec<GroupRecord> = gone.iter().map(|partition| tombstone(&self.id, partition)).collect();
        if and_group && self.classic.stored.is_some() {
            records.push(super::stored::Stored::tombstone(&self.id));
        }
        if let Some(group) = self.consumer.as_ref().filter(|_| and_group) {
            records.extend(group.tombstones(&self.id));
        }
        if records.is_empty() {
            return Ok(Offset::ZERO);
        }
        let end = self.write(work, &records)?;
        for partition in gone {
            let (group, partition) = (self.id.clone(), partition.clone());
            work.fact(GroupFact::CommitRemoved { group, partition, reason });
        }
        Ok(end)
    }
}

fn check_metadata(wanted: &OffsetCommitRequestPartition, most: usize) -> ErrorCode {
    match wanted.committed_metadata.as_ref().is_some_and(|metadata| metadata.len() > most) {
        true => ErrorCode::OFFSET_METADATA_TOO_LARGE,
        false => ErrorCode::NONE,
    }
}

fn committed(wanted: &OffsetCommitRequestPartition, at: Timestamp, expires: Option<Timestamp>) -> CommittedOffset {
    CommittedOffset {
        offset: Offset(wanted.committed_offset),
        leader_epoch: wanted.committed_leader_epoch,
        metadata: Arc::from(wanted.committed_metadata.as_deref().unwrap_or_default()),
        at,
        expires,
    }
}

fn answered(partition_index: i32, error: ErrorCode) -> OffsetCommitResponsePartition {
    OffsetCommitResponsePartition { partition_index, error_code: error.code(), ..Default::default() }
}

/// How long after `from` it is now; nothing if the clock has gone back.
pub(super) fn age(now: Timestamp, from: Timestamp) -> Duration {
    Duration::from_millis_field(now.0.saturating_sub(from.0))
}
