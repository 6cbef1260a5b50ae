//! The state of a group as a fold of its records, and the records that change it.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::types::Duration;
use crate::wire::GroupRecord;
use crate::wire::group::{
    ConsumerGroupCurrentMemberAssignmentKey, ConsumerGroupCurrentMemberAssignmentValue, ConsumerGroupMemberMetadataKey,
    ConsumerGroupMemberMetadataValue, ConsumerGroupMetadataKey, ConsumerGroupMetadataValue, ConsumerGroupRegularExpressionKey,
    ConsumerGroupRegularExpressionValue, ConsumerGroupTargetAssignmentMemberKey, ConsumerGroupTargetAssignmentMemberValue,
    ConsumerGroupTargetAssignmentMetadataKey, ConsumerGroupTargetAssignmentMetadataValue, TopicPartitions,
};

use super::{ConsumerGroup, ConsumerMember, Partitions, Progress, Resolved};

impl ConsumerGroup {
    /// Takes in a record; gives whether it ends the group.
    pub fn replay(&mut self, record: &GroupRecord) -> bool {
        match record {
            GroupRecord::ConsumerGroupMetadata(_, None) => return true,
            GroupRecord::ConsumerGroupMetadata(_, Some(value)) => {
                (self.epoch, self.metadata_hash) = (value.epoch, value.metadata_hash);
            }
            GroupRecord::ConsumerGroupMemberMetadata(key, value) => self.replay_member(&key.member_id, value.as_ref()),
            GroupRecord::ConsumerGroupTargetAssignmentMetadata(_, value) => {
                self.target_epoch = value.as_ref().map_or(0, |value| value.assignment_epoch);
            }
            GroupRecord::ConsumerGroupTargetAssignmentMember(key, Some(value)) => {
                self.targets.insert(Arc::from(key.member_id.as_str()), read(&value.topic_partitions));
            }
            GroupRecord::ConsumerGroupTargetAssignmentMember(key, None) => drop(self.targets.remove(key.member_id.as_str())),
            GroupRecord::ConsumerGroupCurrentMemberAssignment(key, value) => self.replay_current(&key.member_id, value.as_ref()),
            GroupRecord::ConsumerGroupRegularExpression(key, Some(value)) => {
                let topics = value.topics.iter().map(|topic| Arc::from(topic.as_str())).collect();
                self.regexes.insert(Arc::from(key.regular_expression.as_str()), Resolved { topics });
            }
            GroupRecord::ConsumerGroupRegularExpression(key, None) => drop(self.regexes.remove(key.regular_expression.as_str())),
            GroupRecord::LegacyOffsetCommit(..)
            | GroupRecord::OffsetCommit(..)
            | GroupRecord::GroupMetadata(..)
            | GroupRecord::ConsumerGroupPartitionMetadata(..) => {}
        }
        false
    }

    fn replay_member(&mut self, id: &str, value: Option<&ConsumerGroupMemberMetadataValue>) {
        let Some(value) = value else {
            self.vigils.remove(id);
            if let Some(gone) = self.members.remove(id) {
                self.release(&gone);
                let instance = gone.instance.filter(|instance| self.instances.get(instance).is_some_and(|at| &**at == id));
                instance.map(|instance| self.instances.remove(&instance));
            }
            return;
        };
        let id: Arc<str> = Arc::from(id);
        let arc = |text: &String| Arc::from(text.as_str());
        let member = self.members.entry(id.clone()).or_default();
        member.instance = value.instance_id.as_ref().map(arc);
        member.rack = value.rack_id.as_ref().map(arc);
        (member.client_id, member.host) = (arc(&value.client_id), arc(&value.client_host));
        member.topics = value.subscribed_topic_names.iter().map(arc).collect();
        member.regex = value.subscribed_topic_regex.as_ref().filter(|regex| !regex.is_empty()).map(arc);
        member.rebalance = Duration::from_millis_field(i64::from(value.rebalance_timeout_ms));
        member.assignor = value.server_assignor.as_ref().map(arc);
        if let Some(instance) = member.instance.clone() {
            self.instances.insert(instance, id);
        }
    }

    fn replay_current(&mut self, id: &str, value: Option<&ConsumerGroupCurrentMemberAssignmentValue>) {
        let Some((id, before)) = self.members.get_key_value(id).map(|(id, member)| (id.clone(), member.clone())) else { return };
        self.release(&before);
        let blank = ConsumerGroupCurrentMemberAssignmentValue::default();
        let value = value.unwrap_or(&blank);
        let after = ConsumerMember {
            epoch: value.member_epoch,
            previous_epoch: value.previous_member_epoch,
            progress: match value.state {
                1 => Progress::Unrevoked,
                2 => Progress::Unreleased,
                _ => Progress::Stable,
            },
            assigned: read(&value.assigned_partitions),
            revoking: read(&value.partitions_pending_revocation),
            ..before
        };
        for (topic, indices) in after.assigned.iter().chain(&after.revoking) {
            self.owners.extend(indices.iter().map(|index| ((*topic, *index), id.clone())));
        }
        self.members.insert(id, after);
    }

    /// What a member had is free.
    fn release(&mut self, member: &ConsumerMember) {
        for (topic, indices) in member.assigned.iter().chain(&member.revoking) {
            for index in indices {
                self.owners.remove(&(*topic, *index));
            }
        }
    }
}

fn read(stored: &[TopicPartitions]) -> Partitions {
    let topics = stored.iter().map(|topic| (topic.topic_id, topic.partitions.iter().copied().collect::<BTreeSet<i32>>()));
    topics.filter(|(_, indices)| !indices.is_empty()).collect()
}

fn write(partitions: &Partitions) -> Vec<TopicPartitions> {
    let topic = |(topic, indices): (&crate::types::TopicId, &BTreeSet<i32>)| TopicPartitions {
        topic_id: *topic,
        partitions: indices.iter().copied().collect(),
        ..TopicPartitions::default()
    };
    partitions.iter().map(topic).collect()
}

fn millis(span: Duration) -> i32 {
    i32::try_from(span.as_millis()).unwrap_or(i32::MAX)
}

/// The group epoch; `None` ends the group.
pub(super) fn group_record(group: &str, epoch: Option<(i32, i64)>) -> GroupRecord {
    let key = ConsumerGroupMetadataKey { group_id: group.to_owned(), ..Default::default() };
    let value = |(epoch, metadata_hash)| ConsumerGroupMetadataValue { epoch, metadata_hash, ..Default::default() };
    GroupRecord::ConsumerGroupMetadata(key, epoch.map(value))
}

/// Who a member is; `None` removes it.
pub(super) fn member_record(group: &str, id: &str, member: Option<&ConsumerMember>) -> GroupRecord {
    let key = ConsumerGroupMemberMetadataKey { group_id: group.to_owned(), member_id: id.to_owned(), ..Default::default() };
    let text = |text: &Option<Arc<str>>| text.as_deref().map(str::to_owned);
    let value = |member: &ConsumerMember| ConsumerGroupMemberMetadataValue {
        instance_id: text(&member.instance),
        rack_id: text(&member.rack),
        client_id: member.client_id.to_string(),
        client_host: member.host.to_string(),
        subscribed_topic_names: member.topics.iter().map(ToString::to_string).collect(),
        subscribed_topic_regex: text(&member.regex),
        rebalance_timeout_ms: millis(member.rebalance),
        server_assignor: text(&member.assignor),
        classic_member_metadata: None,
        ..Default::default()
    };
    GroupRecord::ConsumerGroupMemberMetadata(key, member.map(value))
}

/// The epoch of the target assignment.
pub(super) fn target_record(group: &str, epoch: Option<i32>) -> GroupRecord {
    let key = ConsumerGroupTargetAssignmentMetadataKey { group_id: group.to_owned(), ..Default::default() };
    let value = |assignment_epoch| ConsumerGroupTargetAssignmentMetadataValue { assignment_epoch, ..Default::default() };
    GroupRecord::ConsumerGroupTargetAssignmentMetadata(key, epoch.map(value))
}

/// What a member is to own.
pub(super) fn target_member_record(group: &str, id: &str, target: Option<&Partitions>) -> GroupRecord {
    let key =
        ConsumerGroupTargetAssignmentMemberKey { group_id: group.to_owned(), member_id: id.to_owned(), ..Default::default() };
    let value = |target| ConsumerGroupTargetAssignmentMemberValue { topic_partitions: write(target), ..Default::default() };
    GroupRecord::ConsumerGroupTargetAssignmentMember(key, target.map(value))
}

/// What a member owns, and how far it is.
pub(super) fn current_record(group: &str, id: &str, member: Option<&ConsumerMember>) -> GroupRecord {
    let key =
        ConsumerGroupCurrentMemberAssignmentKey { group_id: group.to_owned(), member_id: id.to_owned(), ..Default::default() };
    let value = |member: &ConsumerMember| ConsumerGroupCurrentMemberAssignmentValue {
        member_epoch: member.epoch,
        previous_member_epoch: member.previous_epoch,
        state: match member.progress {
            Progress::Stable => 0,
            Progress::Unrevoked => 1,
            Progress::Unreleased => 2,
        },
        assigned_partitions: write(&member.assigned),
        partitions_pending_revocation: write(&member.revoking),
        ..Default::default()
    };
    GroupRecord::ConsumerGroupCurrentMemberAssignment(key, member.map(value))
}

/// What an expression stands for.
pub(super) fn regex_record(group: &str, regex: &str, resolved: Option<&Resolved>, now: i64) -> GroupRecord {
    let (group_id, regular_expression) = (group.to_owned(), regex.to_owned());
    let key = ConsumerGroupRegularExpressionKey { group_id, regular_expression, ..Default::default() };
    let value = |resolved: &Resolved| ConsumerGroupRegularExpressionValue {
        topics: resolved.topics.iter().map(ToString::to_string).collect(),
        version: 0,
        timestamp: now,
        ..Default::default()
    };
    GroupRecord::ConsumerGroupRegularExpression(key, resolved.map(value))
}

impl ConsumerGroup {
    /// The records that remove everything of the group.
    pub fn tombstones(&self, group: &str) -> Vec<GroupRecord> {
        let mut records = Vec::new();
        for id in self.members.keys() {
            records.push(current_record(group, id, None));
        }
        records.extend(self.targets.keys().map(|id| target_member_record(group, id, None)));
        records.push(target_record(group, None));
        records.extend(self.members.keys().map(|id| member_record(group, id, None)));
        records.extend(self.regexes.keys().map(|regex| regex_record(group, regex, None, 0)));
        records.push(group_record(group, None));
        records
    }
}
