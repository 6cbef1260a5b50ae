//! Heartbeat: a member lives, and learns whether its generation goes on.

use std::sync::Arc;

use crate::group::Token;
use crate::group::groups::Group;
use crate::group::shard::Work;
use crate::wire::{ErrorCode, HeartbeatRequest, HeartbeatResponse};

use super::Phase;

impl Group {
    /// Answers a Heartbeat.
    pub(in crate::group) fn on_heartbeat(&mut self, work: &mut Work<'_, '_>, token: Token, request: &HeartbeatRequest) {
        let error = match self.heartbeat(work, request) {
            Ok(()) => ErrorCode::NONE,
            Err(error) => error,
        };
        self.note_fenced(work, &request.member_id, error);
        work.answer(token, HeartbeatResponse { error_code: error.code(), ..HeartbeatResponse::default() });
    }

    fn heartbeat(&mut self, work: &mut Work<'_, '_>, request: &HeartbeatRequest) -> Result<(), ErrorCode> {
        let (id, instance) = (Arc::from(request.member_id.as_str()), request.group_instance_id.as_deref());
        self.classic.check_generation(&id, instance, request.generation_id)?;
        match self.classic.phase {
            Phase::Empty => return Err(ErrorCode::UNKNOWN_MEMBER_ID),
            // Whoever has its generation and no assignment so far may send heartbeats, too.
            Phase::Preparing { .. } | Phase::Completing { .. } | Phase::Stable { .. } => self.note_alive(work, &id),
        }
        match self.classic.phase {
            Phase::Preparing { .. } => Err(ErrorCode::REBALANCE_IN_PROGRESS),
            Phase::Empty | Phase::Completing { .. } | Phase::Stable { .. } => Ok(()),
        }
    }
}
