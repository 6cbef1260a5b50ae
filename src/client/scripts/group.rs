//! Members of groups in scripts: their requests in words, and what coordinators answer.
//!
//! ```text
//!   answer b2 JoinGroup member=m1 generation=1 leader=m1 [protocol=range] [skip=true] [others=m2@t@3@t-0.t-1/m3@t]
//!   answer b2 SyncGroup [assignment=t-0/t-1]
//!   answer b2 OffsetFetch [offsets=t-0@5@3/t-1@7]            offset and leader epoch; what is not named is not committed
//!   answer b2 Heartbeat|OffsetCommit|LeaveGroup [t-0 ..] [error=..]
//!   answer b2 ConsumerGroupHeartbeat epoch=3 [assignment=t-0/t-1|none] [interval=5000]    without `assignment` nothing is said of it
//! ```
//!
//! `others` are members beside the one who asks: id, topic, generation, and what they claim to own.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use goldenscript::ArgumentConsumer;

use super::Fallible;
use super::answer::Answer;
use crate::client::assignor::{Strategy, Subscription};
use crate::client::group::words;
use crate::fact::GroupFact;
use crate::operation::{CommitMode, OffsetToCommit, Operation};
use crate::types::{LeaderEpoch, Offset, TopicPartition, Uuid};
use crate::wire::api_versions_response::ApiVersion;
use crate::wire::consumer_group_heartbeat_response::{Assignment, ConsumerGroupHeartbeatResponse, TopicPartitions};
use crate::wire::find_coordinator_response::{Coordinator, FindCoordinatorResponse};
use crate::wire::heartbeat_response::HeartbeatResponse;
use crate::wire::join_group_response::{JoinGroupResponse, JoinGroupResponseMember};
use crate::wire::leave_group_response::LeaveGroupResponse;
use crate::wire::offset_commit_response::{OffsetCommitResponse, OffsetCommitResponsePartition, OffsetCommitResponseTopic};
use crate::wire::offset_fetch_response::{
    OffsetFetchResponse, OffsetFetchResponseGroup, OffsetFetchResponsePartitions, OffsetFetchResponseTopics,
};
use crate::wire::sync_group_response::SyncGroupResponse;
use crate::wire::{
    ApiKey, ConsumerGroupHeartbeatRequest, ErrorCode, FindCoordinatorRequest, JoinGroupRequest, OffsetCommitRequest,
    OffsetFetchRequest, Request, Response,
};

/// What a member needs.
const APIS: [ApiKey; 8] = [
    ApiKey::FindCoordinator,
    ApiKey::JoinGroup,
    ApiKey::SyncGroup,
    ApiKey::Heartbeat,
    ApiKey::LeaveGroup,
    ApiKey::OffsetCommit,
    ApiKey::OffsetFetch,
    ApiKey::ConsumerGroupHeartbeat,
];

/// What an answer to a member says.
pub(super) struct MemberAnswer {
    member: String,
    generation: i32,
    leader: String,
    protocol: String,
    skip: bool,
    others: Vec<String>,
    assignment: Option<Vec<TopicPartition>>,
    interval: i32,
    offsets: BTreeMap<TopicPartition, (i64, i32)>,
}

impl MemberAnswer {
    pub(super) fn read(args: &mut ArgumentConsumer<'_>) -> Fallible<MemberAnswer> {
        let text = |args: &mut ArgumentConsumer<'_>, key| args.take_key(key).unwrap_or_default().to_owned();
        let list = |args: &mut ArgumentConsumer<'_>, key| -> Vec<String> {
            args.take_key(key).map(|value| value.split('/').map(str::to_owned).collect()).unwrap_or_default()
        };
        let mut offsets = BTreeMap::new();
        for offset in list(args, "offsets") {
            let mut parts = offset.split('@');
            let at = partition(parts.next().unwrap_or_default())?;
            let (offset, epoch) = (parts.next().map_or(Ok(-1), str::parse)?, parts.next().map_or(Ok(-1), str::parse)?);
            offsets.insert(at, (offset, epoch));
        }
        Ok(MemberAnswer {
            member: text(args, "member"),
            generation: args.take_key("generation").map_or(Ok(-1), str::parse)?,
            leader: text(args, "leader"),
            protocol: args.take_key("protocol").unwrap_or("range").to_owned(),
            skip: args.take_key("skip").is_some(),
            others: list(args, "others"),
            assignment: assignment(&list(args, "assignment"))?,
            interval: args.take_key("interval").map_or(Ok(5_000), str::parse)?,
            offsets,
        })
    }

    fn joined(&self, request: &JoinGroupRequest, error: ErrorCode) -> Fallible<JoinGroupResponse> {
        let leads = !self.leader.is_empty() && self.leader == self.member;
        let mut members = Vec::new();
        if leads {
            let own = request.protocols.iter().find(|protocol| protocol.name == self.protocol);
            let metadata = own.map(|protocol| protocol.metadata.clone()).unwrap_or_default();
            members.push(JoinGroupResponseMember { member_id: self.member.clone(), metadata, ..Default::default() });
            members.extend(self.others.iter().map(|text| self.other(text)).collect::<Fallible<Vec<_>>>()?);
        }
        Ok(JoinGroupResponse {
            error_code: error.code(),
            generation_id: self.generation,
            protocol_name: Some(self.protocol.clone()),
            leader: self.leader.clone(),
            member_id: self.member.clone(),
            skip_assignment: self.skip,
            members,
            ..JoinGroupResponse::default()
        })
    }

    fn other(&self, text: &str) -> Fallible<JoinGroupResponseMember> {
        let mut parts = text.split('@');
        let member_id = parts.next().ok_or("which member?")?.to_owned();
        let topics = parts.next().map(|topic| [Arc::from(topic)].into()).unwrap_or_default();
        let generation = parts.next().map_or(Ok(-1), str::parse)?;
        let owned = parts.next().map_or(Ok(Vec::new()), |all| all.split('.').map(partition).collect::<Fallible<_>>())?;
        let said = Subscription { topics, owned: owned.into_iter().collect(), generation, instance: None };
        let strategy = Strategy::ALL.into_iter().find(|one| one.name() == self.protocol).ok_or("no such assignor")?;
        let metadata = words::subscription(strategy, &said, &(said.owned.clone(), generation));
        Ok(JoinGroupResponseMember { member_id, metadata, ..Default::default() })
    }

    fn recalled(&self, request: &OffsetFetchRequest, error: ErrorCode) -> Response {
        let group = &request.groups[0];
        let answer = |topic: &str, index: i32| {
            let at = TopicPartition { topic: Arc::from(topic), index };
            let (committed_offset, committed_leader_epoch) = self.offsets.get(&at).copied().unwrap_or((-1, -1));
            OffsetFetchResponsePartitions {
                partition_index: index,
                committed_offset,
                committed_leader_epoch,
                ..Default::default()
            }
        };
        let topics = group.topics.iter().flatten().map(|topic| OffsetFetchResponseTopics {
            name: topic.name.clone(),
            partitions: topic.partition_indexes.iter().map(|index| answer(&topic.name, *index)).collect(),
            ..Default::default()
        });
        let (group_id, topics, error_code) = (group.group_id.clone(), topics.collect(), error.code());
        let groups = vec![OffsetFetchResponseGroup { group_id, topics, error_code, ..Default::default() }];
        Response::OffsetFetch(OffsetFetchResponse { groups, ..Default::default() })
    }
}

impl Answer {
    /// The answer to a member's request.
    #[allow(clippy::wildcard_enum_match_arm)]
    pub(super) fn to_member(&self, request: &Request, id_of: impl Fn(&str) -> Uuid) -> Option<Response> {
        let error_code = self.error.code();
        Some(match request {
            Request::JoinGroup(request) => Response::JoinGroup(self.member.joined(request, self.error).ok()?),
            Request::SyncGroup(_) => {
                let assignment = match self.error {
                    ErrorCode::NONE => words::assignment(&self.member.assignment.iter().flatten().cloned().collect()),
                    _ => Bytes::new(),
                };
                Response::SyncGroup(SyncGroupResponse { error_code, assignment, ..Default::default() })
            }
            Request::Heartbeat(_) => Response::Heartbeat(HeartbeatResponse { error_code, ..Default::default() }),
            Request::LeaveGroup(_) => Response::LeaveGroup(LeaveGroupResponse { error_code, ..Default::default() }),
            Request::OffsetCommit(request) => self.stored(request),
            Request::ConsumerGroupHeartbeat(request) => self.heard(request, id_of),
            Request::OffsetFetch(request) => self.member.recalled(request, self.error),
            _ => return None,
        })
    }

    fn heard(&self, request: &ConsumerGroupHeartbeatRequest, id_of: impl Fn(&str) -> Uuid) -> Response {
        let topic = |partition: &TopicPartition| TopicPartitions {
            topic_id: id_of(&partition.topic),
            partitions: vec![partition.index],
            ..Default::default()
        };
        let assignment = self
            .member
            .assignment
            .as_ref()
            .map(|partitions| Assignment { topic_partitions: partitions.iter().map(topic).collect(), ..Default::default() });
        Response::ConsumerGroupHeartbeat(ConsumerGroupHeartbeatResponse {
            error_code: self.error.code(),
            member_id: Some(request.member_id.clone()),
            member_epoch: self.epoch,
            heartbeat_interval_ms: self.member.interval,
            assignment,
            ..Default::default()
        })
    }

    fn stored(&self, request: &OffsetCommitRequest) -> Response {
        let answer = |topic: &str, index: i32| OffsetCommitResponsePartition {
            partition_index: index,
            error_code: if self.concerns(topic, index) { self.error.code() } else { 0 },
            ..Default::default()
        };
        let topics = request.topics.iter().map(|topic| OffsetCommitResponseTopic {
            name: topic.name.clone(),
            partitions: topic.partitions.iter().map(|p| answer(&topic.name, p.partition_index)).collect(),
            ..Default::default()
        });
        Response::OffsetCommit(OffsetCommitResponse { topics: topics.collect(), ..Default::default() })
    }
}

/// Brokers of scripts speak all of it.
pub(in crate::client) fn with_group_apis(mut advertised: Vec<ApiVersion>) -> Vec<ApiVersion> {
    for api in APIS {
        let versions = api.implemented().expect("clients speak it");
        if !advertised.iter().any(|range| range.api_key == api.code()) {
            let (api_key, min_version, max_version) = (api.code(), versions.min, versions.max);
            advertised.push(ApiVersion { api_key, min_version, max_version, ..ApiVersion::default() });
        }
    }
    advertised
}

/// Who coordinates.
pub(super) fn coordinator(request: &FindCoordinatorRequest, broker: Option<&str>) -> Response {
    let error_code = if broker.is_some() { 0 } else { ErrorCode::COORDINATOR_NOT_AVAILABLE.code() };
    let host = broker.unwrap_or_default().to_owned();
    let port = if broker.is_some() { 9092 } else { -1 };
    let of = |key: &String| Coordinator { key: key.clone(), host: host.clone(), port, error_code, ..Default::default() };
    let coordinators: Vec<Coordinator> = request.coordinator_keys.iter().map(of).collect();
    let response = match coordinators.is_empty() {
        true => FindCoordinatorResponse { host, port, error_code, ..Default::default() },
        false => FindCoordinatorResponse { coordinators, ..Default::default() },
    };
    Response::FindCoordinator(response)
}

/// What a script wants of a member.
pub(super) fn operation(what: &str, args: &mut ArgumentConsumer<'_>) -> Fallible<Operation> {
    Ok(match what {
        "subscribe" => {
            let mut topics = Vec::new();
            while let Some(topic) = args.next_pos() {
                topics.push(Arc::from(topic));
            }
            Operation::Subscribe { topics }
        }
        "unsubscribe" => Operation::Unsubscribe,
        "close" => Operation::Shutdown,
        _ => {
            let mode = if args.take_key("mode") == Some("async") { CommitMode::Async } else { CommitMode::Sync };
            let mut offsets = Vec::new();
            while let Some((at, offset)) = args.next_key() {
                let (partition, offset) = (partition(at)?, Offset(offset.parse()?));
                offsets.push(OffsetToCommit { partition, offset, leader_epoch: LeaderEpoch::NONE });
            }
            Operation::Commit { offsets: (!offsets.is_empty()).then_some(offsets), mode }
        }
    })
}

/// Nothing said, or everything that is assigned.
fn assignment(words: &[String]) -> Fallible<Option<Vec<TopicPartition>>> {
    match words {
        [] => Ok(None),
        [none] if none == "none" => Ok(Some(Vec::new())),
        all => Ok(Some(all.iter().map(|text| partition(text)).collect::<Fallible<_>>()?)),
    }
}

fn partition(text: &str) -> Fallible<TopicPartition> {
    let (topic, index) = text.rsplit_once('-').ok_or("a partition is written t-0")?;
    Ok(TopicPartition { topic: Arc::from(topic), index: index.parse()? })
}

/// A member's request in words.
#[allow(clippy::wildcard_enum_match_arm)]
pub(super) fn describe(request: &Request, name_of: impl Fn(Uuid) -> String) -> Vec<String> {
    match request {
        Request::JoinGroup(request) => {
            let mut words = vec![format!("member={}", request.member_id)];
            words.extend(request.group_instance_id.iter().map(|instance| format!("instance={instance}")));
            words.extend(request.protocols.iter().map(|protocol| {
                let strategy = Strategy::ALL.into_iter().find(|one| one.name() == protocol.name).expect("one of ours");
                let told = JoinGroupResponseMember { metadata: protocol.metadata.clone(), ..Default::default() };
                let said = words::member(strategy, &told);
                let owned = if said.owned.is_empty() { String::new() } else { format!(" {:?}@{}", said.owned, said.generation) };
                format!("{}({}{owned})", protocol.name, said.topics.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "))
            }));
            words
        }
        Request::SyncGroup(request) => {
            let mut words = vec![format!("{}@{}", request.member_id, request.generation_id)];
            words.extend(request.assignments.iter().map(|part| {
                let assigned = words::assigned(&part.assignment).expect("ours make sense");
                format!("{}={assigned:?}", part.member_id)
            }));
            words
        }
        Request::ConsumerGroupHeartbeat(request) => {
            let mut words = vec![format!("{}@{}", request.member_id, request.member_epoch)];
            words.extend(request.instance_id.iter().map(|instance| format!("instance={instance}")));
            words.extend((request.rebalance_timeout_ms >= 0).then(|| format!("timeout={}", request.rebalance_timeout_ms)));
            words.extend(request.server_assignor.iter().map(|assignor| format!("assignor={assignor}")));
            words.extend(request.subscribed_topic_names.iter().map(|topics| format!("topics={}", topics.join("/"))));
            words.extend(request.topic_partitions.iter().map(|topics| {
                let named = topics.iter().flat_map(|topic| {
                    let name = name_of(topic.topic_id);
                    topic.partitions.iter().map(move |index| format!("{name}-{index}"))
                });
                format!("owns=[{}]", named.collect::<Vec<_>>().join(" "))
            }));
            words
        }
        Request::Heartbeat(request) => vec![format!("{}@{}", request.member_id, request.generation_id)],
        Request::LeaveGroup(request) => request.members.iter().map(|member| member.member_id.clone()).collect(),
        Request::OffsetCommit(request) => {
            let mut words = vec![format!("{}@{}", request.member_id, request.generation_id_or_member_epoch)];
            for topic in &request.topics {
                let partitions = topic.partitions.iter();
                words.extend(partitions.map(|p| {
                    format!("{}-{}={}/{}", topic.name, p.partition_index, p.committed_offset, p.committed_leader_epoch)
                }));
            }
            words
        }
        Request::OffsetFetch(request) => {
            let topics = request.groups.iter().flat_map(|group| group.topics.iter().flatten());
            topics.flat_map(|topic| topic.partition_indexes.iter().map(|index| format!("{}-{index}", topic.name))).collect()
        }
        Request::FindCoordinator(request) => request.coordinator_keys.clone(),
        _ => Vec::new(),
    }
}

/// What a member states, in words.
#[allow(clippy::wildcard_enum_match_arm)]
pub(super) fn state(fact: &GroupFact) -> String {
    match fact {
        GroupFact::PartitionsAssigned { member, generation, partitions, .. } => {
            format!("{member}@{generation} assigned {partitions:?}")
        }
        GroupFact::PartitionsRevoked { member, generation, partitions, .. } => {
            format!("{member}@{generation} revoked {partitions:?}")
        }
        GroupFact::PartitionsLost { member, generation, partitions, .. } => format!("{member}@{generation} lost {partitions:?}"),
        GroupFact::PositionTaken { member, generation, partition, committed, .. } => {
            let committed = committed.map_or("nothing committed".to_owned(), |offset| format!("committed {offset}"));
            format!("{member}@{generation} {partition} {committed}")
        }
        other => panic!("members do not state {other:?}"),
    }
}
