//! What administrators ask: which groups are there, what do they look like, forget one.

use std::sync::Arc;

use crate::fact::group::{CommitRemoval, GroupState};
use crate::types::TopicPartition;
use crate::wire::ErrorCode;
use crate::wire::describe_groups_response::{DescribedGroup, DescribedGroupMember};
use crate::wire::list_groups_response::ListedGroup;

use super::Token;
use super::classic::{Member, Phase};
use super::groups::Group;
use super::refusals;
use super::shard::{Shard, Work};

/// What groups of the classic protocol are called.
const CLASSIC: &str = "classic";
/// What those of the newer one are called, and what its members have in common.
const CONSUMER: &str = "consumer";
/// First version of DescribeGroups that has an error for groups that are not there.
const FIRST_WITH_NOT_FOUND: i16 = 6;

/// The name of a state, as tools know it.
pub(super) fn state_name(state: GroupState) -> &'static str {
    match state {
        GroupState::Empty => "Empty",
        GroupState::PreparingRebalance => "PreparingRebalance",
        GroupState::CompletingRebalance => "CompletingRebalance",
        GroupState::Stable => "Stable",
        GroupState::Dead => "Dead",
        GroupState::Assigning => "Assigning",
        GroupState::Reconciling => "Reconciling",
    }
}

/// Whether a name is wanted: among those given, in whatever case, or if none is given.
fn is_wanted(filter: &[String], name: &str) -> bool {
    filter.is_empty() || filter.iter().any(|wanted| wanted.eq_ignore_ascii_case(name))
}

impl Shard {
    /// The groups in these states and of these types.
    ///
    /// # Errors
    /// When it does not serve.
    pub fn list_groups(&self, states: &[String], types: &[String]) -> Result<Vec<ListedGroup>, ErrorCode> {
        self.check_active()?;
        let groups = self.groups.values().filter(|group| group.exists());
        let is_asked = |group: &&Group| is_wanted(types, group.kind()) && is_wanted(states, state_name(group.state()));
        let wanted = groups.filter(is_asked);
        Ok(wanted.map(Group::listed).collect())
    }

    /// One group of the classic protocol, as DescribeGroups tells it in this version.
    #[must_use]
    pub fn describe_group(&self, id: &str, version: i16) -> DescribedGroup {
        match (self.check_active(), self.group(id)) {
            (Err(error), _) => refusals::describe(id, error),
            (Ok(()), Some(group)) if group.consumer.is_none() => group.described(),
            (Ok(()), _) if version >= FIRST_WITH_NOT_FOUND => {
                let error_message = Some(format!("Group {id} not found."));
                let group_state = state_name(GroupState::Dead).to_owned();
                DescribedGroup { error_message, group_state, ..refusals::describe(id, ErrorCode::GROUP_ID_NOT_FOUND) }
            }
            // A group that is not there, or not of this protocol, is dead, without being an error.
            (Ok(()), _) => {
                let group_state = state_name(GroupState::Dead).to_owned();
                DescribedGroup { group_state, ..refusals::describe(id, ErrorCode::NONE) }
            }
        }
    }
}

impl Group {
    fn kind(&self) -> &'static str {
        if self.consumer.is_some() { CONSUMER } else { CLASSIC }
    }

    fn state(&self) -> GroupState {
        self.consumer.as_ref().map_or(self.classic.state(), |group| group.state())
    }

    fn listed(&self) -> ListedGroup {
        let protocol_type = self.classic.protocol_type.as_deref().unwrap_or_default();
        ListedGroup {
            group_id: self.id.to_string(),
            protocol_type: if self.consumer.is_some() { CONSUMER } else { protocol_type }.to_owned(),
            group_state: state_name(self.state()).to_owned(),
            group_type: self.kind().to_owned(),
            ..ListedGroup::default()
        }
    }

    fn described(&self) -> DescribedGroup {
        // What members say and have is told when it holds; before that, it is about to change.
        let is_stable = matches!(self.classic.phase, Phase::Stable { .. });
        let protocol = self.classic.protocol.as_deref().filter(|_| is_stable);
        let member = |(id, member): (&Arc<str>, &Member)| DescribedGroupMember {
            member_id: id.to_string(),
            group_instance_id: member.instance.as_deref().map(str::to_owned),
            client_id: member.client_id.to_string(),
            client_host: member.host.to_string(),
            member_metadata: protocol.and_then(|name| member.metadata_for(name).cloned()).unwrap_or_default(),
            member_assignment: protocol.map(|_| member.assignment.clone()).unwrap_or_default(),
            ..DescribedGroupMember::default()
        };
        DescribedGroup {
            group_state: state_name(self.classic.state()).to_owned(),
            protocol_type: self.classic.protocol_type.as_deref().unwrap_or_default().to_owned(),
            protocol_data: protocol.unwrap_or_default().to_owned(),
            members: self.classic.members.iter().map(member).collect(),
            ..refusals::describe(&self.id, ErrorCode::NONE)
        }
    }

    /// Forgets the group with its offsets, if it has no members; answers when that is committed.
    pub(super) fn on_delete(&mut self, work: &mut Work<'_, '_>, token: Token) {
        let error = match self.classic.phase {
            _ if !self.exists() => ErrorCode::GROUP_ID_NOT_FOUND,
            _ if self.consumer.as_ref().is_some_and(|group| !group.members.is_empty()) => ErrorCode::NON_EMPTY_GROUP,
            Phase::Empty => ErrorCode::NONE,
            Phase::Preparing { .. } | Phase::Completing { .. } | Phase::Stable { .. } => ErrorCode::NON_EMPTY_GROUP,
        };
        if !error.is_none() {
            return work.answer(token, refusals::delete(&self.id, error));
        }
        let all: Vec<TopicPartition> = self.offsets.newest().map(|(partition, _)| partition.clone()).collect();
        let generation = self.generation();
        match self.remove_offsets(work, &all, CommitRemoval::Deleted, true) {
            Ok(end) => {
                self.die(work, generation);
                work.answer_when_committed(end, token, refusals::delete(&self.id, ErrorCode::NONE));
            }
            Err(error) => work.answer(token, refusals::delete(&self.id, error)),
        }
    }
}
