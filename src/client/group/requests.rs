//! What is asked of coordinators, in whatever version was agreed on.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::operation::OffsetToCommit;
use crate::types::TopicPartition;
use crate::wire::Request;
use crate::wire::consumer_protocol::PROTOCOL_TYPE;
use crate::wire::find_coordinator_request::FindCoordinatorRequest;
use crate::wire::heartbeat_request::HeartbeatRequest;
use crate::wire::join_group_request::{JoinGroupRequest, JoinGroupRequestProtocol};
use crate::wire::leave_group_request::{LeaveGroupRequest, MemberIdentity};
use crate::wire::offset_commit_request::{OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use crate::wire::offset_fetch_request::{
    OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use crate::wire::sync_group_request::{SyncGroupRequest, SyncGroupRequestAssignment};

use super::config::GroupConfig;

/// The first version of FindCoordinator that asks for several names.
const SEVERAL_COORDINATORS_SINCE: i16 = 4;
/// The first version of LeaveGroup in which several members leave.
const SEVERAL_LEAVE_SINCE: i16 = 3;
/// The first version of OffsetFetch that asks about several groups.
const SEVERAL_GROUPS_SINCE: i16 = 8;
/// The first version of OffsetFetch that can ask for stable offsets (KIP-447).
const STABLE_SINCE: i16 = 7;

/// Who a member says it is.
#[derive(Clone, Copy, Debug)]
pub struct Signature<'a> {
    /// Group and instance.
    pub config: &'a GroupConfig,
    /// Member id.
    pub member: &'a str,
    /// Generation; -1 from outside of the group.
    pub generation: i32,
}

impl Signature<'_> {
    fn group(&self) -> String {
        self.config.id.to_string()
    }

    fn instance(&self) -> Option<String> {
        self.config.instance.as_deref().map(str::to_owned)
    }
}

/// Who coordinates this group?
#[must_use]
pub fn find_coordinator(version: i16, group: &str) -> Request {
    let mut request = FindCoordinatorRequest::default();
    match version >= SEVERAL_COORDINATORS_SINCE {
        true => request.coordinator_keys.push(group.to_owned()),
        false => group.clone_into(&mut request.key),
    }
    Request::FindCoordinator(request)
}

/// Let me be a member of the next generation. `protocols` are the assignors, each with what the leading member needs to know of us.
#[must_use]
pub fn join(who: Signature<'_>, protocols: Vec<(&'static str, Bytes)>) -> Request {
    let millis = |duration: crate::types::Duration| i32::try_from(duration.as_millis()).unwrap_or(i32::MAX);
    let protocol = |(name, metadata): (&str, Bytes)| JoinGroupRequestProtocol {
        name: name.to_owned(),
        metadata,
        ..JoinGroupRequestProtocol::default()
    };
    Request::JoinGroup(JoinGroupRequest {
        group_id: who.group(),
        session_timeout_ms: millis(who.config.session_timeout),
        rebalance_timeout_ms: millis(who.config.poll_interval_max),
        member_id: who.member.to_owned(),
        group_instance_id: who.instance(),
        protocol_type: PROTOCOL_TYPE.to_owned(),
        protocols: protocols.into_iter().map(protocol).collect(),
        ..JoinGroupRequest::default()
    })
}

/// What is my part? The leading member brings all parts.
#[must_use]
pub fn sync(who: Signature<'_>, strategy: &str, parts: Vec<(String, Bytes)>) -> Request {
    let part = |(member_id, assignment)| SyncGroupRequestAssignment { member_id, assignment, ..Default::default() };
    Request::SyncGroup(SyncGroupRequest {
        group_id: who.group(),
        generation_id: who.generation,
        member_id: who.member.to_owned(),
        group_instance_id: who.instance(),
        protocol_type: Some(PROTOCOL_TYPE.to_owned()),
        protocol_name: Some(strategy.to_owned()),
        assignments: parts.into_iter().map(part).collect(),
        ..SyncGroupRequest::default()
    })
}

/// I live.
#[must_use]
pub fn heartbeat(who: Signature<'_>) -> Request {
    Request::Heartbeat(HeartbeatRequest {
        group_id: who.group(),
        generation_id: who.generation,
        member_id: who.member.to_owned(),
        group_instance_id: who.instance(),
        ..HeartbeatRequest::default()
    })
}

/// I leave.
#[must_use]
pub fn leave(who: Signature<'_>, version: i16, reason: &str) -> Request {
    let mut request = LeaveGroupRequest { group_id: who.group(), ..LeaveGroupRequest::default() };
    match version >= SEVERAL_LEAVE_SINCE {
        true => request.members.push(MemberIdentity {
            member_id: who.member.to_owned(),
            group_instance_id: who.instance(),
            reason: Some(reason.to_owned()),
            ..MemberIdentity::default()
        }),
        false => who.member.clone_into(&mut request.member_id),
    }
    Request::LeaveGroup(request)
}

/// Keep these offsets.
#[must_use]
pub fn commit(who: Signature<'_>, offsets: &[OffsetToCommit]) -> Request {
    let mut topics: BTreeMap<&str, Vec<OffsetCommitRequestPartition>> = BTreeMap::new();
    for OffsetToCommit { partition, offset, leader_epoch } in offsets {
        topics.entry(&partition.topic).or_default().push(OffsetCommitRequestPartition {
            partition_index: partition.index,
            committed_offset: offset.0,
            committed_leader_epoch: leader_epoch.0,
            committed_metadata: Some(String::new()),
            ..OffsetCommitRequestPartition::default()
        });
    }
    let topic = |(name, partitions): (&str, Vec<_>)| OffsetCommitRequestTopic {
        name: name.to_owned(),
        partitions,
        ..OffsetCommitRequestTopic::default()
    };
    Request::OffsetCommit(OffsetCommitRequest {
        group_id: who.group(),
        generation_id_or_member_epoch: who.generation,
        member_id: who.member.to_owned(),
        group_instance_id: if who.member.is_empty() { None } else { who.instance() },
        topics: topics.into_iter().map(topic).collect(),
        ..OffsetCommitRequest::default()
    })
}

/// Which offsets are kept of these partitions? `stable`: only what no transaction can change any more. Members say who asks, lest they are
/// told what was committed before their partitions were somebody else's: by a coordinator that has been deposed and does not know it.
#[must_use]
pub fn offsets<'p>(
    who: Signature<'_>,
    version: i16,
    stable: bool,
    partitions: impl Iterator<Item = &'p TopicPartition>,
) -> Request {
    let group: &str = &who.config.id;
    let mut topics: BTreeMap<&str, Vec<i32>> = BTreeMap::new();
    for partition in partitions {
        topics.entry(&partition.topic).or_default().push(partition.index);
    }
    let mut request = OffsetFetchRequest { require_stable: stable && version >= STABLE_SINCE, ..OffsetFetchRequest::default() };
    let topics = topics.into_iter().map(|(name, indexes)| (name.to_owned(), indexes));
    if version >= SEVERAL_GROUPS_SINCE {
        let topic = |(name, partition_indexes)| OffsetFetchRequestTopics { name, partition_indexes, ..Default::default() };
        let topics = Some(topics.map(topic).collect());
        let (group_id, is_member) = (group.to_owned(), !who.member.is_empty());
        let member_id = is_member.then(|| who.member.to_owned());
        let member_epoch = if is_member { who.generation } else { -1 };
        request.groups.push(OffsetFetchRequestGroup { group_id, member_id, member_epoch, topics, ..Default::default() });
    } else {
        let topic = |(name, partition_indexes)| OffsetFetchRequestTopic { name, partition_indexes, ..Default::default() };
        group.clone_into(&mut request.group_id);
        request.topics = Some(topics.map(topic).collect());
    }
    Request::OffsetFetch(request)
}
