//! How members go: they leave, they fall silent, they do not give up in time what they are to give up.
//!
//! Whoever goes for good leaves tombstones, and the group epoch rises. A static member that leaves with epoch -2 keeps its place, and what it
//! owned, until its session is over.

use std::sync::Arc;

use crate::fact::group::{GroupFact, GroupState, RemovalReason};
use crate::group::alarms::Alarm;
use crate::group::groups::Group;
use crate::group::shard::Work;
use crate::types::Offset;
use crate::wire::{ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse, ErrorCode};

use super::records::{current_record, member_record, target_member_record};
use super::{ConsumerMember, LEFT_FOR_NOW, Progress, Vigil};

impl Group {
    pub(super) fn consumer_leaves(
        &mut self,
        work: &mut Work<'_, '_>,
        request: &ConsumerGroupHeartbeatRequest,
    ) -> Result<(Offset, ConsumerGroupHeartbeatResponse), ErrorCode> {
        let Some(group) = self.consumer.as_deref() else { return Err(ErrorCode::GROUP_ID_NOT_FOUND) };
        let id: Arc<str> = Arc::from(request.member_id.as_str());
        if let Some(instance) = &request.instance_id {
            match group.instances.get(instance.as_str()) {
                None => return Err(ErrorCode::UNKNOWN_MEMBER_ID),
                Some(holder) if *holder != id => return Err(ErrorCode::FENCED_INSTANCE_ID),
                Some(_) => {}
            }
        }
        let Some(member) = group.members.get(&id).cloned() else { return Err(ErrorCode::UNKNOWN_MEMBER_ID) };
        let end = if request.member_epoch == LEFT_FOR_NOW {
            let away = ConsumerMember { epoch: LEFT_FOR_NOW, previous_epoch: member.epoch, ..member };
            self.write(work, &[current_record(&self.id, &id, Some(&away))])?
        } else {
            self.remove_consumer(work, &id, RemovalReason::Left)?
        };
        let response = ConsumerGroupHeartbeatResponse {
            member_id: Some(id.to_string()),
            member_epoch: request.member_epoch,
            ..ConsumerGroupHeartbeatResponse::default()
        };
        Ok((end, response))
    }

    /// Ends a membership; the others share what it had.
    pub(super) fn remove_consumer(
        &mut self,
        work: &mut Work<'_, '_>,
        id: &Arc<str>,
        reason: RemovalReason,
    ) -> Result<Offset, ErrorCode> {
        let before = self.consumer().state();
        let records =
            [current_record(&self.id, id, None), target_member_record(&self.id, id, None), member_record(&self.id, id, None)];
        self.write(work, &records)?;
        work.fact(GroupFact::MemberRemoved { group: self.id.clone(), member: id.clone(), reason });
        let hash = self.consumer().hash_of(work.turn.topics);
        let end = self.raise_epoch(work, hash)?;
        self.consumer_state_changed(work, before);
        Ok(end)
    }

    /// The member was heard of: its session begins anew; and if it has to give something up, that does not take for ever.
    pub(super) fn watch(&mut self, work: &mut Work<'_, '_>, id: &Arc<str>) {
        let (now, session) = (work.now(), work.desk.config.consumer_session_timeout);
        let Some(group) = self.consumer.as_deref_mut() else { return };
        let Some(member) = group.members.get(id) else { return };
        let expires = now.plus(session);
        let former = group.vigils.get(id).copied();
        let revokes_by = match member.progress {
            Progress::Unrevoked => former.and_then(|vigil| vigil.revokes_by).or(Some(now.plus(member.rebalance))),
            Progress::Stable | Progress::Unreleased => None,
        };
        group.vigils.insert(id.clone(), Vigil { expires, revokes_by });
        // The alarm that was set for the session before rings first, and is set anew then.
        if former.is_none() {
            work.desk.alarms.set(expires, Alarm::Member(self.id.clone(), id.clone()));
        }
        if let Some(at) = revokes_by.filter(|at| former.and_then(|vigil| vigil.revokes_by) != Some(*at)) {
            work.desk.alarms.set(at, Alarm::Member(self.id.clone(), id.clone()));
        }
    }

    /// The alarm of a member rings.
    pub(in crate::group) fn on_consumer_silence(&mut self, work: &mut Work<'_, '_>, id: &Arc<str>) {
        let now = work.now();
        let Some(vigil) = self.consumer.as_deref().and_then(|group| group.vigils.get(id)).copied() else { return };
        let reason = match vigil {
            Vigil { expires, .. } if expires <= now => RemovalReason::SessionExpired,
            Vigil { revokes_by: Some(at), .. } if at <= now => RemovalReason::RebalanceExpired,
            Vigil { expires, .. } => return work.desk.alarms.set(expires, Alarm::Member(self.id.clone(), id.clone())),
        };
        if self.remove_consumer(work, id, reason).is_err() {
            // The log refuses: try again.
            let again = now.plus(work.desk.config.consumer_heartbeat_interval);
            work.desk.alarms.set(again, Alarm::Member(self.id.clone(), id.clone()));
        }
    }

    /// Begins to watch the members after loading: each has a whole session before it.
    pub(in crate::group) fn revive_consumers(&mut self, work: &mut Work<'_, '_>) {
        let Some(group) = self.consumer.as_deref() else { return };
        let ids: Vec<Arc<str>> = group.members.keys().cloned().collect();
        ids.iter().for_each(|id| self.watch(work, id));
    }

    pub(super) fn consumer_state_changed(&mut self, work: &mut Work<'_, '_>, before: GroupState) {
        let (state, generation) = (self.consumer().state(), self.consumer().epoch);
        if state != before {
            work.fact(GroupFact::GroupStateChanged { group: self.id.clone(), state, generation });
        }
    }
}
