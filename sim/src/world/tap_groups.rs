//! Taps on consumer groups: what coordinators answer to members.
//!
//! The assignment within SyncGroup is opaque to brokers; the laboratory opens it. KIP-848 speaks of topics by id, which are turned into names;
//! an id that the world does not know is left out.

use std::sync::Arc;

use brokerlab::types::{Duration, Offset, TopicPartition, Uuid};
use brokerlab::wire::consumer_protocol::{ConsumerProtocolAssignment, Embedded};
use brokerlab::wire::{
    ApiKey, ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse, HeartbeatRequest, JoinGroupRequest, JoinGroupResponse,
    LeaveGroupRequest, LeaveGroupResponse, OffsetCommitRequest, OffsetCommitResponse, OffsetFetchRequest, OffsetFetchResponse,
    Request as Ask, Response as Answer, SyncGroupRequest, SyncGroupResponse,
};
use brokerlab_reports::event::{NodeId, Tap};
use brokerlab_reports::group::GroupTap;
use bytes::Bytes;

use super::state::World;
use super::tap::Scene;

/// Whether requests of that kind are about a group, and tapped when they are answered.
pub(super) fn is_about_groups(api: ApiKey) -> bool {
    matches!(
        api,
        ApiKey::OffsetCommit
            | ApiKey::OffsetFetch
            | ApiKey::JoinGroup
            | ApiKey::SyncGroup
            | ApiKey::Heartbeat
            | ApiKey::LeaveGroup
            | ApiKey::ConsumerGroupHeartbeat
    )
}

/// How long a request of a member may be parked, beside what it says itself: a member waits for all others in a rebalance.
const REBALANCE: Duration = Duration::secs(300);

/// How long a group's coordinator may keep a member waiting.
pub(super) fn allowed(ask: &Ask) -> Duration {
    #[allow(clippy::wildcard_enum_match_arm, reason = "nothing else is parked by a coordinator")]
    match ask {
        Ask::JoinGroup(ask) => rebalance(ask),
        Ask::SyncGroup(_) => REBALANCE,
        _ => Duration::ZERO,
    }
}

/// The first version knows one time-out for both.
fn rebalance(ask: &JoinGroupRequest) -> Duration {
    let millis = if ask.rebalance_timeout_ms < 0 { ask.session_timeout_ms } else { ask.rebalance_timeout_ms };
    Duration::from_millis_field(i64::from(millis))
}

impl World {
    /// A coordinator answers a member.
    pub(super) fn tap_group(&mut self, scene: Scene, ask: Ask, answer: &Answer) {
        #[allow(clippy::wildcard_enum_match_arm, reason = "bytes of a foreign actor that only look like one of these")]
        let taps = match (ask, answer) {
            (Ask::OffsetCommit(ask), Answer::OffsetCommit(answer)) => commits(scene, &ask, answer),
            (Ask::OffsetFetch(ask), Answer::OffsetFetch(answer)) => offsets(scene, &ask, answer),
            (Ask::JoinGroup(ask), Answer::JoinGroup(answer)) => vec![join(scene, &ask, answer)],
            (Ask::SyncGroup(ask), Answer::SyncGroup(answer)) => vec![sync(scene, &ask, answer)],
            (Ask::Heartbeat(ask), Answer::Heartbeat(answer)) => vec![heartbeat(scene, &ask, answer.error_code)],
            (Ask::LeaveGroup(ask), Answer::LeaveGroup(answer)) => leave(scene, &ask, answer),
            (Ask::ConsumerGroupHeartbeat(ask), Answer::ConsumerGroupHeartbeat(answer)) => vec![self.epoch(scene, &ask, answer)],
            _ => Vec::new(),
        };
        taps.into_iter().for_each(|tap| self.note_tap(scene, Tap::Group(tap)));
    }

    fn epoch(&self, scene: Scene, ask: &ConsumerGroupHeartbeatRequest, answer: &ConsumerGroupHeartbeatResponse) -> GroupTap {
        let name = |id: Uuid| self.directory.name_of(id).map(Arc::<str>::from);
        let named = |topics: &[_]| {
            let topics = topics.iter().map(|topic: &TopicPartitions| (name(topic.topic_id), &topic.partitions));
            sorted(topics.filter_map(|(name, indices)| Some((name?, indices.as_slice()))))
        };
        GroupTap::EpochAnswered {
            group: ask.group_id.as_str().into(),
            member: answer.member_id.as_deref().unwrap_or(&ask.member_id).into(),
            epoch: answer.member_epoch,
            assigned: answer.assignment.as_ref().map(|assignment| named(&assignment.topic_partitions)),
            error: answer.error_code,
            asker: NodeId(scene.peer),
        }
    }
}

type TopicPartitions = brokerlab::wire::consumer_group_heartbeat_response::TopicPartitions;

fn commits(scene: Scene, ask: &OffsetCommitRequest, answer: &OffsetCommitResponse) -> Vec<GroupTap> {
    let group: Arc<str> = ask.group_id.as_str().into();
    let member: Arc<str> = ask.member_id.as_str().into();
    let mut taps = Vec::new();
    for topic in &ask.topics {
        let answered = answer.topics.iter().find(|answered| answered.name == topic.name);
        let name: Arc<str> = topic.name.as_str().into();
        for asked in &topic.partitions {
            let parts = answered.into_iter().flat_map(|topic| &topic.partitions);
            let Some(part) = parts.into_iter().find(|part| part.partition_index == asked.partition_index) else { continue };
            taps.push(GroupTap::CommitAnswered {
                group: group.clone(),
                member: member.clone(),
                generation: ask.generation_id_or_member_epoch,
                partition: TopicPartition { topic: name.clone(), index: asked.partition_index },
                offset: Offset(asked.committed_offset),
                error: part.error_code,
                asker: NodeId(scene.peer),
                request: scene.request,
            });
        }
    }
    taps
}

/// One group up to version 7, any number of them since.
fn offsets(scene: Scene, ask: &OffsetFetchRequest, answer: &OffsetFetchResponse) -> Vec<GroupTap> {
    let told = |group: &str, topic: &str, index: i32, offset: i64, error: i16| GroupTap::OffsetTold {
        group: group.into(),
        partition: TopicPartition { topic: topic.into(), index },
        offset: Some(Offset(offset)).filter(|offset| *offset >= Offset::ZERO),
        error,
        asker: NodeId(scene.peer),
        request: scene.request,
    };
    let mut taps = Vec::new();
    for topic in &answer.topics {
        let parts = topic.partitions.iter();
        let error = |own: i16| if answer.error_code == 0 { own } else { answer.error_code };
        taps.extend(
            parts.map(|part| {
                told(&ask.group_id, &topic.name, part.partition_index, part.committed_offset, error(part.error_code))
            }),
        );
    }
    for group in answer.groups.iter().filter(|group| group.error_code == 0) {
        for topic in &group.topics {
            let parts = topic.partitions.iter();
            taps.extend(
                parts
                    .map(|part| told(&group.group_id, &topic.name, part.partition_index, part.committed_offset, part.error_code)),
            );
        }
    }
    taps
}

fn join(scene: Scene, ask: &JoinGroupRequest, answer: &JoinGroupResponse) -> GroupTap {
    let member = if answer.member_id.is_empty() { &ask.member_id } else { &answer.member_id };
    GroupTap::JoinAnswered {
        group: ask.group_id.as_str().into(),
        member: member.as_str().into(),
        instance: ask.group_instance_id.as_deref().map(Arc::from),
        generation: answer.generation_id,
        session: Duration::from_millis_field(i64::from(ask.session_timeout_ms)),
        rebalance: rebalance(ask),
        error: answer.error_code,
        asker: NodeId(scene.peer),
    }
}

fn sync(scene: Scene, ask: &SyncGroupRequest, answer: &SyncGroupResponse) -> GroupTap {
    GroupTap::SyncAnswered {
        group: ask.group_id.as_str().into(),
        member: ask.member_id.as_str().into(),
        generation: ask.generation_id,
        assigned: assigned(&answer.assignment),
        error: answer.error_code,
        asker: NodeId(scene.peer),
    }
}

fn heartbeat(scene: Scene, ask: &HeartbeatRequest, error: i16) -> GroupTap {
    GroupTap::HeartbeatAnswered {
        group: ask.group_id.as_str().into(),
        member: ask.member_id.as_str().into(),
        generation: ask.generation_id,
        error,
        asker: NodeId(scene.peer),
    }
}

/// One member up to version 2, any number of them since.
fn leave(scene: Scene, ask: &LeaveGroupRequest, answer: &LeaveGroupResponse) -> Vec<GroupTap> {
    let left = |member: &str, error: i16| GroupTap::LeaveAnswered {
        group: ask.group_id.as_str().into(),
        member: member.into(),
        error,
        asker: NodeId(scene.peer),
    };
    if answer.members.is_empty() {
        return vec![left(&ask.member_id, answer.error_code)];
    }
    answer.members.iter().map(|member| left(&member.member_id, member.error_code)).collect()
}

/// What the bytes for a member say; nothing if they are none of the consumers' protocol.
fn assigned(bytes: &Bytes) -> Vec<TopicPartition> {
    let Ok(assignment) = ConsumerProtocolAssignment::extract(bytes) else { return Vec::new() };
    sorted(assignment.assigned_partitions.iter().map(|topic| (Arc::from(topic.topic.as_str()), topic.partitions.as_slice())))
}

fn sorted<'t>(topics: impl Iterator<Item = (Arc<str>, &'t [i32])>) -> Vec<TopicPartition> {
    let partition = |topic: &Arc<str>, index: &i32| TopicPartition { topic: topic.clone(), index: *index };
    let mut all: Vec<TopicPartition> =
        topics.flat_map(|(topic, indices)| indices.iter().map(|index| partition(&topic, index)).collect::<Vec<_>>()).collect();
    all.sort_unstable();
    all
}
