//! SyncGroup: the leading member brings the assignment of the generation, everyone takes its part.
//!
//! The assignment is stored *first* (KAFKA-2017). Members go by a generation only after they have its assignment, so a generation that was
//! ever lived by is in the log, and the next coordinator goes on from it. In a group that is stable already (the answer was lost, or
//! this member was late) the stored part is given again, when it is committed.

use std::sync::Arc;

use crate::fact::GroupFact;
use crate::group::groups::Group;
use crate::group::shard::Work;
use crate::group::{Asker, Token};
use crate::types::{Offset, TopicPartition};
use crate::wire::consumer_protocol::{ConsumerProtocolAssignment, Embedded};
use crate::wire::sync_group_request::SyncGroupRequestAssignment;
use crate::wire::{ErrorCode, SyncGroupRequest, SyncGroupResponse};

use super::member::Waiting;
use super::{Classic, Member, Phase};

impl Group {
    /// Takes in a SyncGroup.
    pub(in crate::group) fn on_sync(&mut self, work: &mut Work<'_, '_>, token: Token, asker: &Asker, request: SyncGroupRequest) {
        let waiting = Waiting { token, version: asker.version };
        let member = request.member_id.clone();
        if let Err(error) = self.sync(work, waiting, request) {
            self.note_fenced(work, &member, error);
            work.answer(token, refusal(error));
        }
    }

    fn sync(&mut self, work: &mut Work<'_, '_>, waiting: Waiting, request: SyncGroupRequest) -> Result<(), ErrorCode> {
        self.classic.check_sync(&request)?;
        let id: Arc<str> = Arc::from(request.member_id.as_str());
        match self.classic.phase {
            Phase::Empty => Err(ErrorCode::UNKNOWN_MEMBER_ID),
            Phase::Preparing { .. } => Err(ErrorCode::REBALANCE_IN_PROGRESS),
            Phase::Completing { .. } => {
                self.await_assignment(work, &id, waiting);
                if self.classic.is_leader(&id) {
                    self.store_assignment(work, request.assignments);
                }
                Ok(())
            }
            Phase::Stable { .. } => {
                let member = self.classic.members.get_mut(&id).expect("its membership was checked");
                member.has_synced = true;
                let told = self.classic.synced(&id);
                work.answer_when_committed(self.classic.stored_end, waiting.token, told);
                self.note_alive(work, &id);
                Ok(())
            }
        }
    }

    fn await_assignment(&mut self, work: &mut Work<'_, '_>, id: &Arc<str>, waiting: Waiting) {
        let member = self.classic.members.get_mut(id).expect("its membership was checked");
        member.has_synced = true;
        if let Some(former) = member.sync.replace(waiting) {
            work.answer(former.token, refusal(ErrorCode::REBALANCE_IN_PROGRESS));
        }
    }

    fn store_assignment(&mut self, work: &mut Work<'_, '_>, assignments: Vec<SyncGroupRequestAssignment>) {
        let part = |id: &str| assignments.iter().find(|part| part.member_id == id).map(|part| part.assignment.clone());
        // It has been in its new state since the moment in which that is stored.
        self.classic.since = Some(work.turn.now.wall);
        let stored = self.classic.to_store(work.turn.now.wall, |id| part(id).unwrap_or_default());
        match self.write(work, &[stored.record(&self.id)]) {
            Ok(end) => self.hand_out(work, end),
            Err(error) => {
                self.send_away_from_sync(work, error);
                self.prepare_rebalance(work);
            }
        }
    }

    /// The assignment stands in the log: everyone who waits gets its part when that is committed.
    fn hand_out(&mut self, work: &mut Work<'_, '_>, end: Offset) {
        let Phase::Completing { until } = self.classic.phase else { unreachable!("assignments are stored in Completing only") };
        let stored = self.classic.stored.clone().expect("it was just replayed");
        assert_eq!(stored.generation, self.classic.generation, "{} stores the present generation", self.id);
        let ids: Vec<Arc<str>> = self.classic.members.keys().cloned().collect();
        for id in &ids {
            let member = self.classic.members.get_mut(id).expect("its id was just listed");
            member.assignment = stored.members[id].assignment.clone();
            if let Some(waiting) = member.sync.take() {
                let told = self.classic.synced(id);
                work.answer_when_committed(end, waiting.token, told);
            }
            self.note_alive(work, id);
        }
        self.state_assignment(work);
        self.classic.phase = Phase::Stable { until };
        self.state_changed(work);
    }

    fn state_assignment(&self, work: &mut Work<'_, '_>) {
        let topics = work.turn.topics;
        let subscribed = self.classic.subscribed_topics().unwrap_or_default();
        let decided = GroupFact::AssignmentDecided {
            group: self.id.clone(),
            generation: self.classic.generation,
            assignment: self.classic.members.iter().map(|(id, member)| (id.clone(), partitions(member))).collect(),
            subscribed: subscribed.iter().flat_map(|topic| topics.partitions_of(topic)).collect(),
        };
        work.fact(decided);
    }
}

/// What a member is assigned, sorted; nothing if that cannot be read.
pub(super) fn partitions(member: &Member) -> Vec<TopicPartition> {
    let Ok(assignment) = ConsumerProtocolAssignment::extract(&member.assignment) else { return Vec::new() };
    let mut all = Vec::new();
    for topic in &assignment.assigned_partitions {
        let name: Arc<str> = Arc::from(topic.topic.as_str());
        all.extend(topic.partitions.iter().map(|index| TopicPartition { topic: name.clone(), index: *index }));
    }
    all.sort_unstable();
    all
}

impl Classic {
    fn check_sync(&self, request: &SyncGroupRequest) -> Result<(), ErrorCode> {
        self.check_generation(&request.member_id, request.group_instance_id.as_deref(), request.generation_id)?;
        // From version 5 on clients say what they believe in (KIP-559).
        let differs = |said: &Option<String>, is: &Option<Arc<str>>| said.is_some() && said.as_deref() != is.as_deref();
        match differs(&request.protocol_type, &self.protocol_type) || differs(&request.protocol_name, &self.protocol) {
            true => Err(ErrorCode::INCONSISTENT_GROUP_PROTOCOL),
            false => Ok(()),
        }
    }

    fn synced(&self, id: &str) -> SyncGroupResponse {
        SyncGroupResponse {
            protocol_type: self.protocol_type.as_deref().map(str::to_owned),
            protocol_name: self.protocol.as_deref().map(str::to_owned),
            assignment: self.members.get(id).map(|member| member.assignment.clone()).unwrap_or_default(),
            ..SyncGroupResponse::default()
        }
    }
}

/// A SyncGroup that fails.
pub(in crate::group) fn refusal(error: ErrorCode) -> SyncGroupResponse {
    SyncGroupResponse { error_code: error.code(), ..SyncGroupResponse::default() }
}
