//! JoinGroup: who wants to be a member of the next generation.
//!
//! ```text
//!   no member id    dynamic: here is one, come again (from version 4 on)      static: in its former self's place, or new
//!   a member id     given before: a new member      known: it joins again      unknown: UNKNOWN_MEMBER_ID
//! ```
//!
//! A member that joins again although nothing has changed (its answer was lost, say) is told the present generation, and rebalances nobody.
//! The leading member is taken at its word: it joins again because it has seen that topics have changed, which nobody else looks at.

use std::sync::Arc;

use bytes::Bytes;

use crate::fact::group::{GroupFact, GroupProtocol, RemovalReason};
use crate::group::alarms::Alarm;
use crate::group::groups::Group;
use crate::group::shard::Work;
use crate::group::{Asker, Token};
use crate::mutant::Mutant;
use crate::types::{Duration, Time};
use crate::wire::join_group_response::JoinGroupResponseMember;
use crate::wire::{ErrorCode, JoinGroupRequest, JoinGroupResponse};

use super::member::Waiting;
use super::{Classic, Member, Phase};

/// A client that has never been in a generation cannot show that it lives, and its connection is silent while it waits. After this time it
/// is taken for dead; if it is not, it tries again.
const NEW_MEMBER_TIMEOUT: Duration = Duration::secs(5 * 60);
/// First version that comes twice, the second time with the member id it was given.
const FIRST_WITH_MEMBER_ID_REQUIRED: i16 = 4;
/// First version in which there may be no protocol.
const FIRST_WITH_NULL_PROTOCOL: i16 = 7;

/// What somebody who joins says.
#[derive(Debug)]
pub(super) struct Joining {
    pub waiting: Waiting,
    pub member_id: String,
    pub instance: Option<Arc<str>>,
    pub client_id: Arc<str>,
    pub host: Arc<str>,
    pub session: Duration,
    pub rebalance: Duration,
    pub protocol_type: String,
    pub protocols: Vec<(Arc<str>, Bytes)>,
}

/// Why not, and what member id goes with that.
type Refusal = (ErrorCode, Arc<str>);

impl Joining {
    fn read(token: Token, asker: &Asker, request: JoinGroupRequest) -> Joining {
        let session = Duration::from_millis_field(i64::from(request.session_timeout_ms));
        let protocols = request.protocols.into_iter().map(|protocol| (Arc::from(protocol.name.as_str()), protocol.metadata));
        Joining {
            waiting: Waiting { token, version: asker.version },
            member_id: request.member_id,
            instance: request.group_instance_id.as_deref().map(Arc::from),
            client_id: asker.client_id.clone(),
            host: asker.host.clone(),
            session,
            // The first version has only one time-out.
            rebalance: match request.rebalance_timeout_ms {
                -1 => session,
                millis => Duration::from_millis_field(i64::from(millis)),
            },
            protocol_type: request.protocol_type,
            protocols: protocols.collect(),
        }
    }

    pub(super) fn member(&self, expires: Time) -> Member {
        Member {
            instance: self.instance.clone(),
            client_id: self.client_id.clone(),
            host: self.host.clone(),
            session: self.session,
            rebalance: self.rebalance,
            protocols: self.protocols.clone(),
            assignment: Bytes::new(),
            is_new: true,
            expires,
            alarm: expires,
            join: Some(self.waiting),
            sync: None,
            has_synced: false,
        }
    }

    fn refuse<T>(&self, error: ErrorCode) -> Result<T, Refusal> {
        Err((error, Arc::from(self.member_id.as_str())))
    }
}

impl Group {
    /// Takes in a JoinGroup; mostly it waits.
    pub(in crate::group) fn on_join(&mut self, work: &mut Work<'_, '_>, token: Token, asker: &Asker, request: JoinGroupRequest) {
        let joining = Joining::read(token, asker, request);
        let named = joining.member_id.clone();
        if let Err((error, member_id)) = self.join(work, joining) {
            self.note_fenced(work, &named, error);
            return work.answer(token, refusal(asker.version, error, &member_id));
        }
        self.complete_join_if_all_are_there(work);
    }

    fn join(&mut self, work: &mut Work<'_, '_>, joining: Joining) -> Result<(), Refusal> {
        let (shortest, longest) = (work.desk.config.session_timeout_min, work.desk.config.session_timeout_max);
        if !(shortest..=longest).contains(&joining.session) {
            return joining.refuse(ErrorCode::INVALID_SESSION_TIMEOUT);
        }
        let is_unknown = joining.member_id.is_empty();
        if !is_unknown && !self.exists() {
            return joining.refuse(ErrorCode::UNKNOWN_MEMBER_ID);
        }
        if let Err(error) = self.become_classic(work) {
            return joining.refuse(error);
        }
        if !self.classic.has_room_for(&joining.member_id, work.desk.config.members_max) {
            self.remove_member(work, &joining.member_id, RemovalReason::RebalanceExpired);
            return Err((ErrorCode::GROUP_MAX_SIZE_REACHED, Arc::from("")));
        }
        if !self.classic.supports(&joining.protocol_type, &joining.protocols) {
            return joining.refuse(ErrorCode::INCONSISTENT_GROUP_PROTOCOL);
        }
        if is_unknown { self.join_unknown(work, &joining) } else { self.join_known(work, &joining) }
    }

    /// A group of the newer protocol that has no members may change. Its generations go on where its epochs have ended.
    fn become_classic(&mut self, work: &mut Work<'_, '_>) -> Result<(), ErrorCode> {
        match &self.consumer {
            None => Ok(()),
            Some(group) if !group.members.is_empty() => Err(ErrorCode::INCONSISTENT_GROUP_PROTOCOL),
            Some(group) => {
                let (generation, since) = (group.epoch, work.turn.now.wall);
                let mut records = group.tombstones(&self.id);
                let classic = Classic { generation, ..Classic::default() };
                records.push(classic.to_store(since, |_| Bytes::new()).record(&self.id));
                self.write(work, &records)?;
                (self.classic.generation, self.classic.since) = (generation, Some(since));
                work.fact(GroupFact::ProtocolChanged { group: self.id.clone(), protocol: GroupProtocol::Classic, generation });
                Ok(())
            }
        }
    }

    fn join_unknown(&mut self, work: &mut Work<'_, '_>, joining: &Joining) -> Result<(), Refusal> {
        let name = joining.instance.as_ref().unwrap_or(&joining.client_id);
        let id = work.desk.member_ids.draw(name);
        match &joining.instance {
            Some(instance) => match self.classic.instances.get(instance).cloned() {
                Some(former) => self.replace_static_member(work, &former, id, joining),
                None => self.add_member(work, id, joining),
            },
            None if joining.waiting.version < FIRST_WITH_MEMBER_ID_REQUIRED || work.spoils(Mutant::RebalanceStorm) => {
                self.add_member(work, id, joining);
            }
            None => {
                let expires = work.now().plus(joining.session);
                work.desk.alarms.set(expires, Alarm::Member(self.id.clone(), id.clone()));
                self.classic.newcomers.insert(id.clone(), expires);
                return Err((ErrorCode::MEMBER_ID_REQUIRED, id));
            }
        }
        Ok(())
    }

    fn join_known(&mut self, work: &mut Work<'_, '_>, joining: &Joining) -> Result<(), Refusal> {
        let id: Arc<str> = Arc::from(joining.member_id.as_str());
        if self.classic.newcomers.contains_key(&id) && joining.instance.is_none() {
            self.add_member(work, id, joining);
            return Ok(());
        }
        if let Err(error) = self.classic.check_member(&id, joining.instance.as_deref()) {
            return joining.refuse(error);
        }
        let is_as_before = self.classic.members[&id].protocols == joining.protocols;
        let may_stay = match self.classic.phase {
            Phase::Empty | Phase::Preparing { .. } => false,
            Phase::Completing { .. } => is_as_before,
            Phase::Stable { .. } => is_as_before && !self.classic.is_leader(&id),
        };
        if may_stay {
            let told = self.classic.joined(&id, joining.waiting.version);
            work.answer(joining.waiting.token, told);
            return Ok(());
        }
        self.update_member(work, &id, joining);
        self.prepare_rebalance_or_complete_join(work);
        Ok(())
    }

    fn add_member(&mut self, work: &mut Work<'_, '_>, id: Arc<str>, joining: &Joining) {
        self.classic.newcomers.remove(&id);
        if let Phase::Preparing { initial: Some(delay), .. } = &mut self.classic.phase {
            delay.has_newcomer = true;
        }
        if self.classic.members.is_empty() {
            self.classic.protocol_type = Some(Arc::from(joining.protocol_type.as_str()));
            self.classic.leader = Some(id.clone());
        }
        if let Some(instance) = &joining.instance {
            let former = self.classic.instances.insert(instance.clone(), id.clone());
            assert!(former.is_none(), "{instance} was {former:?} already");
        }
        let expires = work.now().plus(NEW_MEMBER_TIMEOUT);
        work.desk.alarms.set(expires, Alarm::Member(self.id.clone(), id.clone()));
        let (group, member, instance) = (self.id.clone(), id.clone(), joining.instance.clone());
        work.fact(GroupFact::MemberJoined { group, member, instance });
        self.classic.members.insert(id, joining.member(expires));
        self.prepare_rebalance_or_complete_join(work);
    }

    /// A member joins again, perhaps with something else to say.
    pub(super) fn update_member(&mut self, work: &mut Work<'_, '_>, id: &str, joining: &Joining) {
        let member = self.classic.members.get_mut(id).expect("its membership was checked");
        member.protocols.clone_from(&joining.protocols);
        member.session = joining.session;
        member.rebalance = joining.rebalance;
        // One process cannot ask twice; whoever asked before is told to ask again.
        if let Some(former) = member.join.replace(joining.waiting) {
            work.answer(former.token, refusal(former.version, ErrorCode::REBALANCE_IN_PROGRESS, id));
        }
    }
}

impl Classic {
    fn has_room_for(&self, member: &str, most: usize) -> bool {
        match self.phase {
            Phase::Empty => true,
            Phase::Preparing { .. } => {
                let waits = |member: &Member| member.join.is_some();
                self.members.get(member).is_some_and(waits) || self.members.values().filter(|m| waits(m)).count() < most
            }
            Phase::Completing { .. } | Phase::Stable { .. } => self.members.contains_key(member) || self.members.len() < most,
        }
    }

    /// Whether somebody who supports these protocols can be of this group: one of them must be known to all.
    fn supports(&self, protocol_type: &str, protocols: &[(Arc<str>, Bytes)]) -> bool {
        if self.members.is_empty() {
            return !protocol_type.is_empty() && !protocols.is_empty();
        }
        let is_common = |name: &str| self.members.values().all(|member| member.metadata_for(name).is_some());
        self.protocol_type.as_deref() == Some(protocol_type) && protocols.iter().any(|(name, _)| is_common(name))
    }

    /// What a member is told of its generation.
    pub(super) fn joined(&self, id: &str, version: i16) -> JoinGroupResponse {
        let members = if self.is_leader(id) { self.told_members() } else { Vec::new() };
        JoinGroupResponse {
            generation_id: self.generation,
            protocol_type: self.protocol_type.as_deref().map(str::to_owned),
            protocol_name: protocol_name(version, self.protocol.as_deref()),
            leader: self.leader.as_deref().unwrap_or_default().to_owned(),
            member_id: id.to_owned(),
            members,
            ..JoinGroupResponse::default()
        }
    }

    fn told_members(&self) -> Vec<JoinGroupResponseMember> {
        let protocol = self.protocol.as_deref().unwrap_or_default();
        let told = |(id, member): (&Arc<str>, &Member)| JoinGroupResponseMember {
            member_id: id.to_string(),
            group_instance_id: member.instance.as_deref().map(str::to_owned),
            metadata: member.metadata_for(protocol).cloned().unwrap_or_default(),
            ..JoinGroupResponseMember::default()
        };
        self.members.iter().map(told).collect()
    }
}

fn protocol_name(version: i16, name: Option<&str>) -> Option<String> {
    if version < FIRST_WITH_NULL_PROTOCOL { Some(name.unwrap_or_default().to_owned()) } else { name.map(str::to_owned) }
}

/// A JoinGroup that fails.
pub(in crate::group) fn refusal(version: i16, error: ErrorCode, member_id: &str) -> JoinGroupResponse {
    JoinGroupResponse {
        error_code: error.code(),
        protocol_name: protocol_name(version, None),
        member_id: member_id.to_owned(),
        ..JoinGroupResponse::default()
    }
}
