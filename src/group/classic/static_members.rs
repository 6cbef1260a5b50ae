//! A static member that comes back without its member id: a process that was started again under the same `group.instance.id` (KIP-345).
//!
//! ```text
//!   Stable       takes the place of its former self, assignment and all; stored, then answered. No rebalance
//!   Completing   the leading member may be dividing among member ids of which one is no more: rebalance
//!   Preparing    it has joined, in its former self's place
//! ```
//!
//! The former self, should it still live, is told FENCED_INSTANCE_ID from now on, whatever it asks.
//!
//! A stable group whose assignment leaves a partition to nobody waits for another rebalance: cooperative members give up first what others get in
//! the next generation. Whoever was about to ask for it may be the one that died, and its next self knows nothing of it. So in such a group a
//! member that comes back rebalances (Kafka's gets its former place, and the partition stays without an owner).
//!
//! In a stable group the answer must not make the newcomer compute an assignment, which would be lost: old clients are told that their former
//! self leads, if it did; newer ones that they lead and have to leave the assignment as it is (KIP-814).

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;

use crate::fact::group::{GroupFact, RemovalReason};
use crate::group::alarms::Alarm;
use crate::group::groups::Group;
use crate::group::shard::Work;
use crate::group::stored::Stored;
use crate::group::topics::Topics;
use crate::types::{Offset, TopicPartition};
use crate::wire::consumer_protocol::{ConsumerProtocolSubscription, Embedded};
use crate::wire::{ErrorCode, JoinGroupResponse};

use super::join::{self, Joining};
use super::{Classic, Member, Phase, sync};

/// First version that knows `skip_assignment`.
const FIRST_WITH_SKIP_ASSIGNMENT: i16 = 9;

impl Group {
    pub(super) fn replace_static_member(&mut self, work: &mut Work<'_, '_>, former: &Arc<str>, id: Arc<str>, joining: &Joining) {
        let is_settled =
            matches!(self.classic.phase, Phase::Stable { .. }) && !self.classic.leaves_some_to_nobody(work.turn.topics);
        if !is_settled || !self.classic.goes_on_with(former, joining) {
            self.take_place(work, former, &id, joining);
            self.update_member(work, &id, joining);
            return self.prepare_rebalance_or_complete_join(work);
        }
        let was_leader = self.classic.is_leader(former);
        let next = self.classic.stored_with(former, &id, joining);
        match self.write(work, &[next.record(&self.id)]) {
            Ok(end) => {
                self.take_place(work, former, &id, joining);
                self.go_on_as(work, former, &id, was_leader, end, joining);
            }
            Err(error) => {
                let waiting = joining.waiting;
                work.answer(waiting.token, join::refusal(waiting.version, error, ""));
            }
        }
    }

    /// The newcomer has taken the place in a stable group: it is told so when that is committed.
    fn go_on_as(
        &mut self,
        work: &mut Work<'_, '_>,
        former: &Arc<str>,
        id: &Arc<str>,
        was_leader: bool,
        end: Offset,
        joining: &Joining,
    ) {
        let member = self.classic.members.get_mut(id).expect("it has just taken its place");
        member.protocols.clone_from(&joining.protocols);
        (member.session, member.rebalance) = (joining.session, joining.rebalance);
        self.note_alive(work, id);
        let version = joining.waiting.version;
        let mut told: JoinGroupResponse = self.classic.joined(id, version);
        if version >= FIRST_WITH_SKIP_ASSIGNMENT {
            told.skip_assignment = was_leader;
        } else if was_leader {
            told.leader = former.to_string();
            told.members.clear();
        }
        work.answer_when_committed(end, joining.waiting.token, told);
    }

    /// The member is called `id` from now on; whoever waits as `former` is fenced.
    fn take_place(&mut self, work: &mut Work<'_, '_>, former: &Arc<str>, id: &Arc<str>, joining: &Joining) {
        let mut member: Member = self.classic.members.remove(former).expect("instances name members only");
        if let Some(waiting) = member.join.take() {
            work.answer(waiting.token, join::refusal(waiting.version, ErrorCode::FENCED_INSTANCE_ID, former));
        }
        if let Some(waiting) = member.sync.take() {
            work.answer(waiting.token, sync::refusal(ErrorCode::FENCED_INSTANCE_ID));
        }
        (member.client_id, member.host) = (joining.client_id.clone(), joining.host.clone());
        member.expires = work.now().plus(joining.session);
        member.alarm = member.expires;
        work.desk.alarms.set(member.alarm, Alarm::Member(self.id.clone(), id.clone()));
        let instance = joining.instance.clone().expect("only who names an instance takes its place");
        if self.classic.is_leader(former) {
            self.classic.leader = Some(id.clone());
        }
        self.classic.members.insert(id.clone(), member);
        self.classic.instances.insert(instance.clone(), id.clone());
        let (group, reason) = (self.id.clone(), RemovalReason::Replaced);
        work.fact(GroupFact::MemberRemoved { group: group.clone(), member: former.clone(), reason });
        work.fact(GroupFact::MemberJoined { group, member: id.clone(), instance: Some(instance) });
    }
}

impl Classic {
    /// Whether some partition of what its members subscribe to is in nobody's assignment.
    fn leaves_some_to_nobody(&self, topics: &Topics) -> bool {
        let owned: BTreeSet<TopicPartition> = self.members.values().flat_map(sync::partitions).collect();
        let subscribed = self.subscribed_topics().unwrap_or_default();
        subscribed.iter().flat_map(|topic| topics.partitions_of(topic)).any(|partition| !owned.contains(&partition))
    }

    /// Whether the group can stay as it is if this member now says this: the protocol stays chosen, and it wants the same topics.
    fn goes_on_with(&self, former: &Arc<str>, joining: &Joining) -> bool {
        let Some(protocol) = self.protocol.as_deref() else { return false };
        let supported = joining.protocols.iter().find(|(name, _)| &**name == protocol);
        let (Some((_, after)), Some(before)) = (supported, self.members[former].metadata_for(protocol)) else { return false };
        let topics = |metadata: &Bytes| {
            let subscription = ConsumerProtocolSubscription::extract(metadata).ok()?;
            Some(BTreeSet::from_iter(subscription.topics))
        };
        !self.is_of_consumers() || topics(before) == topics(after)
    }

    /// What is stored when `former` has become `id`.
    fn stored_with(&self, former: &Arc<str>, id: &Arc<str>, joining: &Joining) -> Stored {
        let now = self.since.expect("a stable group is stable since some moment");
        let mut next = self.to_store(now, |id| self.members[id].assignment.clone());
        let mut member = next.members.remove(former).expect("instances name members only");
        let protocol = self.protocol.as_deref().unwrap_or_default();
        if let Some((_, metadata)) = joining.protocols.iter().find(|(name, _)| &**name == protocol) {
            member.subscription = metadata.clone();
        }
        (member.client_id, member.host) = (joining.client_id.clone(), joining.host.clone());
        (member.session, member.rebalance) = (joining.session, joining.rebalance);
        next.members.insert(id.clone(), member);
        if next.leader.as_ref() == Some(former) {
            next.leader = Some(id.clone());
        }
        next
    }
}
