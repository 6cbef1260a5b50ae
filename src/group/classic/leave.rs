//! LeaveGroup: members go in order, one or many at a time (KIP-345: an administrator removes static members by their instance ids).
//!
//! Each is answered for itself; the rest of the group rebalances once. Static members that merely restart do not say that they leave.

use std::sync::Arc;

use crate::fact::group::RemovalReason;
use crate::group::groups::Group;
use crate::group::shard::Work;
use crate::group::{Asker, Token};
use crate::wire::leave_group_request::MemberIdentity;
use crate::wire::leave_group_response::MemberResponse;
use crate::wire::{ErrorCode, LeaveGroupRequest, LeaveGroupResponse};

/// First version in which many may leave at once.
const FIRST_BATCHED: i16 = 3;

impl Group {
    /// Answers a LeaveGroup, once the end of the group, if it is one, is committed.
    pub(in crate::group) fn on_leave(
        &mut self,
        work: &mut Work<'_, '_>,
        token: Token,
        asker: &Asker,
        request: &LeaveGroupRequest,
    ) {
        if !self.exists() {
            let error_code = ErrorCode::UNKNOWN_MEMBER_ID.code();
            return work.answer(token, LeaveGroupResponse { error_code, ..LeaveGroupResponse::default() });
        }
        let there = self.classic.members.len();
        let told = if asker.version < FIRST_BATCHED {
            let alone = MemberIdentity { member_id: request.member_id.clone(), ..MemberIdentity::default() };
            let error_code = self.leave(work, &alone).err().unwrap_or(ErrorCode::NONE).code();
            LeaveGroupResponse { error_code, ..LeaveGroupResponse::default() }
        } else {
            let members = request.members.iter().map(|identity| self.leave_one_of(work, identity)).collect();
            LeaveGroupResponse { members, ..LeaveGroupResponse::default() }
        };
        if self.classic.members.len() < there {
            self.rebalance_without_the_gone(work);
        } else {
            // A newcomer that was waited for has changed its mind, perhaps.
            self.complete_join_if_all_are_there(work);
        }
        work.answer_when_committed(self.classic.stored_end, token, told);
    }

    fn leave_one_of(&mut self, work: &mut Work<'_, '_>, identity: &MemberIdentity) -> MemberResponse {
        MemberResponse {
            member_id: identity.member_id.clone(),
            group_instance_id: identity.group_instance_id.clone(),
            error_code: self.leave(work, identity).err().unwrap_or(ErrorCode::NONE).code(),
            ..MemberResponse::default()
        }
    }

    fn leave(&mut self, work: &mut Work<'_, '_>, identity: &MemberIdentity) -> Result<(), ErrorCode> {
        let instance = identity.group_instance_id.as_deref();
        let id: Arc<str> = match (identity.member_id.as_str(), instance) {
            // Whoever removes static members from outside knows their instance ids only.
            ("", Some(instance)) => self.classic.instances.get(instance).cloned().ok_or(ErrorCode::UNKNOWN_MEMBER_ID)?,
            (id, _) => Arc::from(id),
        };
        if self.classic.newcomers.remove(&id).is_some() {
            return Ok(());
        }
        self.classic.check_member(&id, instance)?;
        self.remove_member(work, &id, RemovalReason::Left);
        Ok(())
    }
}
