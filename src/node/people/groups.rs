//! Groups, as an administrator sees and removes them.
//!
//! Each group lives with its coordinator, so *listing* asks every broker that the metadata name, and everything else first asks who coordinates the
//! group. *Describing* tries the newer protocol's question first (KIP-848) and then the classic one, because only the coordinator knows of which
//! kind a group is, and brokers before 3.7 know but one. A classic group that is not there is described as `Dead` before version 6 of
//! DescribeGroups, and refused with GROUP_ID_NOT_FOUND since (KIP-1043); both mean the same.
//!
//! Only groups without members are removed: the coordinator refuses others with NON_EMPTY_GROUP, and then their members are named here. A removal whose
//! answer was lost may meet its own effect when it is repeated; GROUP_ID_NOT_FOUND is success then.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use tokio::time::timeout;

use super::Admin;
use super::brokers::{Brokers, Question, addresses};
use crate::operation::Certainty;
use crate::types::{Address, BrokerId, TopicPartition};
use crate::wire::consumer_protocol::{ConsumerProtocolAssignment, Embedded, PROTOCOL_TYPE};
use crate::wire::{
    ApiKey, ConsumerGroupDescribeRequest, DeleteGroupsRequest, DescribeGroupsRequest, ErrorCode, ListGroupsRequest, Request,
    Response, consumer_group_describe_response as newer, describe_groups_response as classic, list_groups_response::ListedGroup,
};

/// The state of a group that is not there.
const DEAD: &str = "Dead";
/// Members that are named before the rest is counted.
const NAMED_MAX: usize = 5;

/// Why a question about groups, or a change of one, did not succeed.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum GroupError {
    /// Nobody answered in time, or not with what was asked for.
    #[error("no broker did it in time{}{}", remark(trouble), doubt(*certainty))]
    TimedOut {
        /// What went wrong last; may be empty.
        trouble: String,
        /// Whether it certainly had no effect.
        certainty: Certainty,
    },
    /// The coordinator of this group knows no such group.
    #[error("there is no group {group}")]
    NotFound {
        /// The group.
        group: String,
    },
    /// The group has members, who would go on from where they are.
    #[error("group {group} is in use ({state}): {members}")]
    InUse {
        /// The group.
        group: String,
        /// Its state.
        state: String,
        /// Who its members are.
        members: Members,
    },
    /// It was refused.
    #[error("{what} was refused: {code}")]
    Refused {
        /// The group or partition that it was about.
        what: String,
        /// Kafka's error code.
        code: ErrorCode,
    },
    /// The broker does not serve this API in any version that we know.
    #[error("{at} does not serve {api}: it is too old, or too young")]
    Unsupported {
        /// The API.
        api: ApiKey,
        /// The broker.
        at: Address,
    },
    /// The request cannot be said in the version that the broker speaks.
    #[error("this cannot be said to that broker: {reason}")]
    Unspeakable {
        /// Which field is in the way.
        reason: String,
    },
}

fn remark(trouble: &str) -> String {
    if trouble.is_empty() { String::new() } else { format!(" ({trouble})") }
}

fn doubt(certainty: Certainty) -> &'static str {
    match certainty {
        Certainty::Definite => "",
        Certainty::Indefinite => "; it may have been carried out",
    }
}

impl GroupError {
    /// A refusal that concerns a group.
    pub(super) fn refused(group: &str, code: ErrorCode) -> GroupError {
        match code {
            ErrorCode::GROUP_ID_NOT_FOUND => GroupError::NotFound { group: group.to_owned() },
            code => GroupError::Refused { what: format!("group {group}"), code },
        }
    }
}

/// Members of a group, to be named in an error.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Members(pub Vec<MemberDescription>);

impl fmt::Display for Members {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |member: &MemberDescription| format!("{} on {}", member.member_id, member.client_host);
        let named: Vec<String> = self.0.iter().take(NAMED_MAX).map(name).collect();
        match self.0.len() {
            // Somebody may have left, or is about to join, between two questions.
            0 => f.write_str("members come and go"),
            1 => write!(f, "member {}", named[0]),
            all if all <= NAMED_MAX => write!(f, "members {}", named.join(", ")),
            all => write!(f, "members {} and {} more", named.join(", "), all - NAMED_MAX),
        }
    }
}

/// A group as its coordinator lists it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct GroupListing {
    /// Its name.
    pub group: String,
    /// The name of its type, `classic` or `consumer`; empty if the broker is too old to say.
    pub kind: String,
    /// What its members have in common, `consumer` for consumers; empty where it only keeps offsets.
    pub protocol_type: String,
    /// The name of its state; empty if the broker is too old to say.
    pub state: String,
    /// Who told.
    pub coordinator: BrokerId,
}

/// The broker that coordinates a group.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Coordinator {
    /// Its id.
    pub broker: BrokerId,
    /// Where it listens.
    pub address: Address,
}

/// A group as its coordinator describes it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GroupDescription {
    /// Its name.
    pub group: String,
    /// The name of its state.
    pub state: String,
    /// How its members agree on who reads what.
    pub protocol: GroupProtocol,
    /// Who coordinates it.
    pub coordinator: Coordinator,
    /// Its members, in the coordinator's order.
    pub members: Vec<MemberDescription>,
}

impl GroupDescription {
    /// Whether somebody is, or is about to be, a member: then its offsets are not for others to change.
    #[must_use]
    pub fn is_in_use(&self) -> bool {
        !self.members.is_empty() || ![DEAD, "Empty"].contains(&self.state.as_str())
    }

    /// The refusal to change it while it is in use.
    #[must_use]
    pub fn in_use(self) -> GroupError {
        GroupError::InUse { group: self.group, state: self.state, members: Members(self.members) }
    }
}

/// The two protocols of groups.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum GroupProtocol {
    /// JoinGroup and SyncGroup: a member assigns.
    Classic {
        /// What the members have in common; empty where the group only keeps offsets.
        protocol_type: String,
        /// The assignor that all members know; empty unless there is a generation.
        assignor: String,
    },
    /// That of KIP-848: the coordinator assigns.
    Consumer {
        /// The assignor chosen.
        assignor: String,
        /// Rises with everything that asks for a new assignment.
        group_epoch: i32,
        /// The group epoch for which the assignment was made.
        assignment_epoch: i32,
    },
}

/// A member as its coordinator describes it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MemberDescription {
    /// Its id.
    pub member_id: String,
    /// Its instance id, if it is a static member.
    pub instance_id: Option<String>,
    /// How its client calls itself.
    pub client_id: String,
    /// From where it joined, as Kafka writes it: `/127.0.0.1`.
    pub client_host: String,
    /// The epoch that it has come to, in the newer protocol.
    pub epoch: Option<i32>,
    /// What it owns.
    pub assigned: Vec<TopicPartition>,
    /// What it is to own, if that is known to differ.
    pub target: Option<Vec<TopicPartition>>,
}

/// Groups. Each question ends after `default.api.timeout.ms` at the latest.
impl Admin {
    /// All groups of the cluster, in order of names.
    ///
    /// # Errors
    /// When a broker does not tell its groups in time.
    pub async fn list_groups(&self) -> Result<Vec<GroupListing>, GroupError> {
        let mut brokers = self.brokers.lock().await;
        let patience = brokers.begin();
        timeout(patience, list(&mut brokers)).await.unwrap_or_else(|_| Err(brokers.gave_up()))
    }

    /// A group with its members and what they own.
    ///
    /// # Errors
    /// When there is none of this name, or its coordinator does not answer in time.
    pub async fn describe_group(&self, group: &str) -> Result<GroupDescription, GroupError> {
        let mut brokers = self.brokers.lock().await;
        let patience = brokers.begin();
        timeout(patience, describe(&mut brokers, group)).await.unwrap_or_else(|_| Err(brokers.gave_up()))
    }

    /// Forgets a group without members, with all that it has committed.
    ///
    /// # Errors
    /// When there is none of this name, when it has members, or when its coordinator does not answer in time.
    pub async fn delete_group(&self, group: &str) -> Result<(), GroupError> {
        let mut brokers = self.brokers.lock().await;
        let patience = brokers.begin();
        timeout(patience, delete(&mut brokers, group)).await.unwrap_or_else(|_| Err(brokers.gave_up()))
    }
}

async fn list(brokers: &mut Brokers) -> Result<Vec<GroupListing>, GroupError> {
    let request = |_| Request::ListGroups(ListGroupsRequest::default());
    let question = Question { api: ApiKey::ListGroups, changes: false, request: &request };
    let (mut asked, mut groups) = (BTreeSet::new(), Vec::new());
    loop {
        // Who is gone by now is not asked any more: its groups have moved to others, who may have been asked too early.
        let living = addresses(&brokers.metadata(&BTreeSet::new()).await?);
        for (broker, at) in living.iter().filter(|(broker, _)| !asked.contains(*broker)).collect::<Vec<_>>() {
            let Some(Response::ListGroups(response)) = brokers.ask(at, &question).await? else { continue };
            match ErrorCode(response.error_code) {
                ErrorCode::NONE => {
                    asked.insert(*broker);
                    groups.extend(response.groups.into_iter().map(|group| listing(group, *broker)));
                }
                error if error.is_retriable() => brokers.note(error),
                code => return Err(GroupError::Refused { what: format!("broker {}", broker.0), code }),
            }
        }
        if !living.is_empty() && living.keys().all(|broker| asked.contains(broker)) {
            groups.sort();
            groups.dedup_by(|one, other| one.group == other.group);
            return Ok(groups);
        }
        brokers.pause().await;
    }
}

fn listing(group: ListedGroup, coordinator: BrokerId) -> GroupListing {
    let ListedGroup { group_id, protocol_type, group_state, group_type, .. } = group;
    GroupListing { group: group_id, kind: group_type, protocol_type, state: group_state, coordinator }
}

/// The group, by whichever protocol it lives.
pub(super) async fn describe(brokers: &mut Brokers, group: &str) -> Result<GroupDescription, GroupError> {
    match describe_newer(brokers, group).await {
        // It is of the other kind, or nobody here knows of the newer one.
        Err(GroupError::NotFound { .. } | GroupError::Unsupported { .. }) => describe_classic(brokers, group).await,
        described => described,
    }
}

async fn describe_newer(brokers: &mut Brokers, group: &str) -> Result<GroupDescription, GroupError> {
    let request = |_| {
        let group_ids = vec![group.to_owned()];
        Request::ConsumerGroupDescribe(ConsumerGroupDescribeRequest { group_ids, ..ConsumerGroupDescribeRequest::default() })
    };
    let question = Question { api: ApiKey::ConsumerGroupDescribe, changes: false, request: &request };
    let judge = |response| {
        let Response::ConsumerGroupDescribe(response) = response else { return Err(ErrorCode::UNKNOWN_SERVER_ERROR) };
        let found = response.groups.into_iter().find(|found| found.group_id == group);
        let found = found.ok_or(ErrorCode::UNKNOWN_SERVER_ERROR)?;
        ErrorCode(found.error_code).ok().map(|()| found)
    };
    let (coordinator, found) = brokers.ask_coordinator(group, &question, judge).await?;
    let found = match found {
        // A coordinator whose newer protocol is turned off says so.
        Err(ErrorCode::UNSUPPORTED_VERSION) => return Err(GroupError::NotFound { group: group.to_owned() }),
        found => found.map_err(|error| GroupError::refused(group, error))?,
    };
    let protocol = GroupProtocol::Consumer {
        assignor: found.assignor_name,
        group_epoch: found.group_epoch,
        assignment_epoch: found.assignment_epoch,
    };
    let members = found.members.into_iter().map(newer_member).collect();
    Ok(GroupDescription { group: found.group_id, state: found.group_state, protocol, coordinator, members })
}

fn newer_member(member: newer::Member) -> MemberDescription {
    let (assigned, target) = (newer_assignment(&member.assignment), newer_assignment(&member.target_assignment));
    MemberDescription {
        member_id: member.member_id,
        instance_id: member.instance_id,
        client_id: member.client_id,
        client_host: member.client_host,
        epoch: Some(member.member_epoch),
        target: (target != assigned).then_some(target),
        assigned,
    }
}

fn newer_assignment(assignment: &newer::Assignment) -> Vec<TopicPartition> {
    partitions(assignment.topic_partitions.iter().map(|topic| (topic.topic_name.as_str(), &topic.partitions)))
}

/// Partitions in order.
fn partitions<'a>(topics: impl Iterator<Item = (&'a str, &'a Vec<i32>)>) -> Vec<TopicPartition> {
    let mut all = Vec::new();
    for (name, indices) in topics {
        let topic: Arc<str> = Arc::from(name);
        all.extend(indices.iter().map(|index| TopicPartition { topic: topic.clone(), index: *index }));
    }
    all.sort();
    all
}

async fn describe_classic(brokers: &mut Brokers, group: &str) -> Result<GroupDescription, GroupError> {
    let request = |_| {
        let groups = vec![group.to_owned()];
        Request::DescribeGroups(DescribeGroupsRequest { groups, ..DescribeGroupsRequest::default() })
    };
    let question = Question { api: ApiKey::DescribeGroups, changes: false, request: &request };
    let judge = |response| {
        let Response::DescribeGroups(response) = response else { return Err(ErrorCode::UNKNOWN_SERVER_ERROR) };
        let found = response.groups.into_iter().find(|found| found.group_id == group);
        let found = found.ok_or(ErrorCode::UNKNOWN_SERVER_ERROR)?;
        ErrorCode(found.error_code).ok().map(|()| found)
    };
    let (coordinator, found) = brokers.ask_coordinator(group, &question, judge).await?;
    let found = found.map_err(|error| GroupError::refused(group, error))?;
    if found.group_state == DEAD {
        return Err(GroupError::NotFound { group: group.to_owned() });
    }
    let is_consumers = found.protocol_type == PROTOCOL_TYPE;
    let members = found.members.into_iter().map(|member| classic_member(member, is_consumers)).collect();
    let protocol = GroupProtocol::Classic { protocol_type: found.protocol_type, assignor: found.protocol_data };
    Ok(GroupDescription { group: found.group_id, state: found.group_state, protocol, coordinator, members })
}

fn classic_member(member: classic::DescribedGroupMember, is_consumer: bool) -> MemberDescription {
    // Other kinds of groups assign something else, in words of their own; and what a member wrote may be anything.
    let assignment = Some(&member.member_assignment).filter(|bytes| is_consumer && !bytes.is_empty());
    let assignment = assignment.and_then(|bytes| ConsumerProtocolAssignment::extract(bytes).ok()).unwrap_or_default();
    MemberDescription {
        member_id: member.member_id,
        instance_id: member.group_instance_id,
        client_id: member.client_id,
        client_host: member.client_host,
        epoch: None,
        assigned: partitions(assignment.assigned_partitions.iter().map(|topic| (topic.topic.as_str(), &topic.partitions))),
        target: None,
    }
}

async fn delete(brokers: &mut Brokers, group: &str) -> Result<(), GroupError> {
    let request = |_| {
        let groups_names = vec![group.to_owned()];
        Request::DeleteGroups(DeleteGroupsRequest { groups_names, ..DeleteGroupsRequest::default() })
    };
    let question = Question { api: ApiKey::DeleteGroups, changes: true, request: &request };
    let judge = |response| {
        let Response::DeleteGroups(response) = response else { return Err(ErrorCode::UNKNOWN_SERVER_ERROR) };
        let found = response.results.iter().find(|result| result.group_id == group);
        ErrorCode(found.map_or(ErrorCode::UNKNOWN_SERVER_ERROR.code(), |result| result.error_code)).ok()
    };
    let (_, deleted) = brokers.ask_coordinator(group, &question, judge).await?;
    match deleted {
        Ok(()) => Ok(()),
        Err(ErrorCode::GROUP_ID_NOT_FOUND) if brokers.is_in_doubt() => Ok(()),
        Err(ErrorCode::NON_EMPTY_GROUP) => Err(describe(brokers, group).await?.in_use()),
        Err(error) => Err(GroupError::refused(group, error)),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::wire::consumer_protocol::TopicPartition as AssignedTopic;

    fn member(name: &str, assignment: &Bytes) -> classic::DescribedGroupMember {
        classic::DescribedGroupMember {
            member_id: name.to_owned(),
            client_host: "/10.0.0.7".to_owned(),
            member_assignment: assignment.clone(),
            ..Default::default()
        }
    }

    #[test]
    fn what_a_member_owns_is_read_only_where_consumers_wrote_it() {
        let topic = |topic: &str, partitions| AssignedTopic { topic: topic.to_owned(), partitions, ..Default::default() };
        let assigned_partitions = vec![topic("payments", vec![1, 0]), topic("orders", vec![2])];
        let assignment = ConsumerProtocolAssignment { assigned_partitions, ..Default::default() };
        let bytes = assignment.embed(1).expect("version 1 has all fields");
        let owned = |is_consumer, bytes: &Bytes| -> Vec<String> {
            classic_member(member("m", bytes), is_consumer).assigned.iter().map(ToString::to_string).collect()
        };
        assert_eq!(owned(true, &bytes), ["orders-2", "payments-0", "payments-1"]);
        assert_eq!(owned(false, &bytes), [""; 0]);
        assert_eq!(owned(true, &bytes.slice(..7)), [""; 0], "a member may have written anything");
    }

    #[test]
    fn the_members_of_a_group_in_use_are_named_up_to_a_handful() {
        let text = |names: &[&str]| {
            let members = names.iter().map(|name| classic_member(member(name, &Bytes::new()), true)).collect();
            Members(members).to_string()
        };
        assert_eq!(text(&["a"]), "member a on /10.0.0.7");
        assert_eq!(text(&["a", "b"]), "members a on /10.0.0.7, b on /10.0.0.7");
        assert!(text(&["a", "b", "c", "d", "e", "f", "g"]).ends_with("e on /10.0.0.7 and 2 more"));
    }

    #[test]
    fn a_time_out_says_what_went_wrong_and_whether_it_may_have_happened() {
        let error = |certainty| GroupError::TimedOut { trouble: "b1:9092: connection refused".to_owned(), certainty }.to_string();
        assert_eq!(error(Certainty::Definite), "no broker did it in time (b1:9092: connection refused)");
        assert!(error(Certainty::Indefinite).ends_with("; it may have been carried out"));
    }
}
