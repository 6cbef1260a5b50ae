//! How answers, records and groups are told.

use std::fmt::Write as _;

use bytes::Bytes;

use crate::types::Offset;
use crate::wire::consumer_group_describe_response;
use crate::wire::consumer_group_heartbeat_response::Assignment;
use crate::wire::consumer_protocol::{ConsumerProtocolAssignment, ConsumerProtocolSubscription, Embedded};
use crate::wire::offset_fetch_response::OffsetFetchResponseGroup;
use crate::wire::{ConsumerGroupHeartbeatResponse, DescribeGroupsResponse, ErrorCode, GroupRecord, JoinGroupResponse, Response};

use super::stage::{Asked, Stage};

fn error(code: i16) -> String {
    if code == 0 { "ok".to_owned() } else { ErrorCode(code).to_string() }
}

/// `range:orders/payments`, as subscriptions are written in scripts.
pub(super) fn subscription(metadata: &Bytes) -> String {
    match ConsumerProtocolSubscription::extract(metadata) {
        Ok(subscription) => subscription.topics.join("/"),
        Err(_) if metadata.is_empty() => "-".to_owned(),
        Err(_) => String::from_utf8_lossy(metadata).into_owned(),
    }
}

/// `orders-0/orders-1`.
pub(super) fn assignment(bytes: &Bytes) -> String {
    let Ok(assignment) = ConsumerProtocolAssignment::extract(bytes) else {
        return if bytes.is_empty() { "nothing".to_owned() } else { String::from_utf8_lossy(bytes).into_owned() };
    };
    let topics = assignment.assigned_partitions.iter();
    let named: Vec<String> =
        topics.flat_map(|topic| topic.partitions.iter().map(move |index| format!("{}-{index}", topic.topic))).collect();
    if named.is_empty() { "nothing".to_owned() } else { named.join("/") }
}

impl Stage {
    /// One line for an answer.
    pub fn answer(&mut self, asked: &Asked, response: &Response) -> String {
        #[allow(clippy::wildcard_enum_match_arm)] // A script is about groups.
        let told = match response {
            Response::JoinGroup(joined) => self.joined(joined),
            Response::SyncGroup(synced) if synced.error_code != 0 => error(synced.error_code),
            Response::SyncGroup(synced) => assignment(&synced.assignment),
            Response::Heartbeat(told) => error(told.error_code),
            Response::LeaveGroup(told) => {
                let members = told.members.iter().map(|member| {
                    let who = member.group_instance_id.as_ref().unwrap_or(&member.member_id);
                    format!(" {}={}", who, error(member.error_code))
                });
                format!("{}{}", error(told.error_code), members.collect::<String>())
            }
            Response::OffsetCommit(told) => {
                let answers = told.topics.iter().flat_map(|t| t.partitions.iter().map(move |p| (t, p)));
                let named = answers.map(|(t, p)| format!("{}-{}={}", t.name, p.partition_index, error(p.error_code)));
                named.collect::<Vec<_>>().join(" ")
            }
            Response::OffsetDelete(told) => {
                let answers = told.topics.iter().flat_map(|t| t.partitions.iter().map(move |p| (t, p)));
                let named = answers.map(|(t, p)| format!(" {}-{}={}", t.name, p.partition_index, error(p.error_code)));
                format!("{}{}", error(told.error_code), named.collect::<String>())
            }
            Response::DeleteGroups(told) => error(told.results[0].error_code),
            Response::ConsumerGroupHeartbeat(told) => self.heard(told),
            other => format!("{other:?}"),
        };
        let line = format!("{} {}: {told}\n", asked.who, asked.what);
        self.renamed(&line)
    }

    fn heard(&mut self, told: &ConsumerGroupHeartbeatResponse) -> String {
        if told.error_code != 0 {
            return error(told.error_code);
        }
        let owned = match &told.assignment {
            None => "as before".to_owned(),
            Some(assignment) => self.partitions(assignment),
        };
        format!("epoch {}, {owned}", told.member_epoch)
    }

    fn partitions(&self, assignment: &Assignment) -> String {
        let mut named = Vec::new();
        for topic in &assignment.topic_partitions {
            let name = self.topics.name_of(topic.topic_id).map_or("?", |name| name);
            named.extend(topic.partitions.iter().map(|index| format!("{name}-{index}")));
        }
        if named.is_empty() { "nothing".to_owned() } else { named.join("/") }
    }

    /// A group of the newer protocol as an administrator sees it.
    pub fn consumers(&mut self, id: &str) -> String {
        let Some(shard) = &self.shard else { return "nobody coordinates\n".to_owned() };
        let told = shard.describe_consumer_group(id, &self.topics);
        if told.error_code != 0 {
            return format!("{id} {} {}\n", error(told.error_code), told.error_message.unwrap_or_default());
        }
        let (epoch, target) = (told.group_epoch, told.assignment_epoch);
        let mut text = format!("{id} {} epoch {epoch} target {target} {}\n", told.group_state, told.assignor_name);
        let named = |assignment: &consumer_group_describe_response::Assignment| {
            let topics = assignment.topic_partitions.iter();
            let named: Vec<String> =
                topics.flat_map(|t| t.partitions.iter().map(move |index| format!("{}-{index}", t.topic_name))).collect();
            if named.is_empty() { "nothing".to_owned() } else { named.join("/") }
        };
        for member in &told.members {
            let (has, shall) = (named(&member.assignment), named(&member.target_assignment));
            let _ = writeln!(text, "  {} epoch {} has {has}, is to have {shall}", member.member_id, member.member_epoch);
        }
        text
    }

    fn joined(&mut self, joined: &JoinGroupResponse) -> String {
        let me = self.name(&joined.member_id);
        if joined.error_code != 0 {
            let whom = if me.is_empty() { String::new() } else { format!(" {me}") };
            return format!("{}{whom}", error(joined.error_code));
        }
        let mut text = format!("{me} in generation {}", joined.generation_id);
        let protocol = joined.protocol_name.as_deref().unwrap_or("null");
        let _ = write!(text, ", {protocol}, led by {}", joined.leader);
        for member in &joined.members {
            let name = self.name(&member.member_id);
            let _ = write!(text, ", {name} wants {}", subscription(&member.metadata));
        }
        text + if joined.skip_assignment { ", leave the assignment as it is" } else { "" }
    }

    /// The groups as an administrator sees them.
    pub fn described(&mut self, names: &[String], version: i16) -> String {
        let Some(shard) = &self.shard else { return "nobody coordinates\n".to_owned() };
        let mut names = names.to_vec();
        if names.is_empty() {
            match shard.list_groups(&[], &[]) {
                Ok(listed) => names.extend(listed.into_iter().map(|group| group.group_id)),
                Err(error) => return format!("{error}\n"),
            }
        }
        let groups = names.iter().map(|name| shard.describe_group(name, version)).collect();
        let told = DescribeGroupsResponse { groups, ..DescribeGroupsResponse::default() };
        let mut text = String::new();
        for group in &told.groups {
            let _ = write!(text, "{} {}", group.group_id, group.group_state);
            for member in &group.members {
                let _ = write!(text, ", {} has {}", member.member_id, assignment(&member.member_assignment));
            }
            if group.error_code != 0 {
                let _ = write!(text, " {} {}", error(group.error_code), group.error_message.as_deref().unwrap_or_default());
            }
            text.push('\n');
        }
        if text.is_empty() {
            text.push_str("no groups\n");
        }
        self.renamed(&text)
    }

    /// All records of the log.
    pub fn journal(&mut self) -> String {
        let mut text = String::new();
        for (at, record) in &self.log.records {
            let _ = writeln!(text, "{at} {}", written(*at, record));
        }
        self.renamed(&text)
    }
}

fn written(_: Offset, record: &GroupRecord) -> String {
    #[allow(clippy::wildcard_enum_match_arm)] // A script is about what this coordinator writes.
    match record {
        GroupRecord::OffsetCommit(key, value) => {
            let told = value.as_ref().map_or("none".to_owned(), |value| format!("{} {:?}", value.offset, value.metadata));
            format!("{} {}-{} {told}", key.group, key.topic, key.partition)
        }
        GroupRecord::GroupMetadata(key, None) => format!("{} is no more", key.group),
        GroupRecord::GroupMetadata(key, Some(value)) => {
            let members = value.members.iter().map(|m| format!(" {}:{}", m.member_id, assignment(&m.assignment)));
            let members: String = members.collect();
            let leader = value.leader.as_deref().unwrap_or("nobody");
            format!("{} generation {} led by {leader}{members}", key.group, value.generation)
        }
        other => format!("{}{}", other.name(), if other.is_tombstone() { " none" } else { "" }),
    }
}

/// What a group has committed.
pub(super) fn offsets(told: &OffsetFetchResponseGroup) -> String {
    if told.error_code != 0 {
        return format!("{}\n", error(told.error_code));
    }
    let mut text = String::new();
    for topic in &told.topics {
        for partition in &topic.partitions {
            let metadata = partition.metadata.as_deref().unwrap_or("null");
            let _ = write!(text, "{}-{} {}", topic.name, partition.partition_index, partition.committed_offset);
            let _ = writeln!(text, " epoch={} {metadata:?}", partition.committed_leader_epoch);
        }
    }
    if text.is_empty() { "nothing\n".to_owned() } else { text }
}
