//! ConsumerGroupHeartbeat: the one request.
//!
//! ```text
//!   who is it? ─▶ what has changed about it? ─▶ group epoch ─▶ target ─▶ what may it own now? ─▶ answer, when that is committed
//! ```
//!
//! Each stage writes its records before the next one looks at the state. Should one of them fail, the next heartbeat takes up from there: an
//! epoch above that of the target asks for a new target, a target above a member's epoch asks for reconciliation.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::fact::group::{GroupFact, GroupProtocol, RemovalReason};
use crate::group::groups::Group;
use crate::group::shard::Work;
use crate::group::{Asker, Token, Topics};
use crate::mutant::Mutant;
use crate::types::{Duration, Offset, TopicPartition};
use crate::wire::consumer_group_heartbeat_response::{Assignment, TopicPartitions};
use crate::wire::{ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse, ErrorCode, GroupRecord};

use super::assignor::ASSIGNORS;
use super::reconcile::Circumstances;
use super::records::{current_record, group_record, member_record, regex_record, target_member_record, target_record};
use super::{ConsumerGroup, ConsumerMember, LEFT_FOR_NOW, Partitions, is_within, subscriptions};

/// First version in which the client makes its member id.
const FIRST_WITH_OWN_ID: i16 = 1;
const JOIN: i32 = 0;
const LEAVE: i32 = -1;

impl Group {
    /// Takes in a heartbeat.
    pub(in crate::group) fn on_consumer_heartbeat(
        &mut self,
        work: &mut Work<'_, '_>,
        token: Token,
        asker: &Asker,
        mut request: ConsumerGroupHeartbeatRequest,
    ) {
        if request.member_id.is_empty() && asker.version < FIRST_WITH_OWN_ID && request.member_epoch == JOIN {
            request.member_id = work.desk.member_ids.draw("member").to_string();
        }
        match self.heard(work, asker, &request) {
            Ok((end, response)) => work.answer_when_committed(end, token, response),
            Err(error) => {
                self.note_fenced(work, &request.member_id, error);
                work.answer(token, refuse(error));
            }
        }
    }

    fn heard(
        &mut self,
        work: &mut Work<'_, '_>,
        asker: &Asker,
        request: &ConsumerGroupHeartbeatRequest,
    ) -> Result<(Offset, ConsumerGroupHeartbeatResponse), ErrorCode> {
        check_request(request)?;
        if request.member_epoch == LEAVE || request.member_epoch == LEFT_FOR_NOW {
            return self.consumer_leaves(work, request);
        }
        self.become_consumer_group(work, request.member_epoch == JOIN)?;
        let before = self.consumer().state();
        let id = self.admit(work, request)?;
        let mut end = self.update(work, asker, &id, request)?;
        end = end.max(self.retarget(work)?);
        let (reconciled, is_other) = self.reconcile(work, &id, request)?;
        end = end.max(reconciled);
        self.watch(work, &id);
        self.consumer_state_changed(work, before);
        let response = self.told(work, &id, request, is_other);
        Ok((end, response))
    }

    /// A group without members may change its protocol. Its epochs go on where its generations have ended, so that none comes twice; Kafka begins anew.
    fn become_consumer_group(&mut self, work: &mut Work<'_, '_>, joins: bool) -> Result<(), ErrorCode> {
        if self.consumer.is_some() {
            return Ok(());
        }
        if !joins || !self.classic.members.is_empty() {
            return Err(ErrorCode::GROUP_ID_NOT_FOUND);
        }
        let mut records = Vec::new();
        if self.classic.stored.is_some() {
            records.push(crate::group::stored::Stored::tombstone(&self.id));
        }
        let generation = self.classic.generation;
        records.push(group_record(&self.id, Some((generation, 0))));
        self.write(work, &records)?;
        self.classic = crate::group::classic::Classic { stored_end: self.classic.stored_end, ..Default::default() };
        work.fact(GroupFact::ProtocolChanged { group: self.id.clone(), protocol: GroupProtocol::Consumer, generation });
        Ok(())
    }

    /// The group, which is one of the newer protocol.
    pub(super) fn consumer(&self) -> &ConsumerGroup {
        self.consumer.as_deref().expect("callers have looked")
    }

    /// Who it is: a new member, one that is known, or one in the place of its former self.
    fn admit(&mut self, work: &mut Work<'_, '_>, request: &ConsumerGroupHeartbeatRequest) -> Result<Arc<str>, ErrorCode> {
        let id: Arc<str> = Arc::from(request.member_id.as_str());
        let group = self.consumer();
        let holder = request.instance_id.as_deref().and_then(|instance| group.instances.get(instance)).cloned();
        if request.member_epoch != JOIN {
            match (&request.instance_id, &holder) {
                (Some(_), None) => return Err(ErrorCode::UNKNOWN_MEMBER_ID),
                (Some(_), Some(holder)) if *holder != id => return Err(ErrorCode::FENCED_INSTANCE_ID),
                (Some(_), Some(_)) | (None, _) => {}
            }
            let member = group.members.get(&id).ok_or(ErrorCode::UNKNOWN_MEMBER_ID)?;
            check_epoch(member, request).or_else(|error| {
                let is_late = request.member_epoch == member.previous_epoch;
                if is_late && work.spoils(Mutant::K848StaleAck) { Ok(()) } else { Err(error) }
            })?;
            return Ok(id);
        }
        if let Some(former) = holder.filter(|holder| *holder != id) {
            if group.members[&former].epoch != LEFT_FOR_NOW {
                return Err(ErrorCode::UNRELEASED_INSTANCE_ID);
            }
            self.succeed(work, &former, &id)?;
            return Ok(id);
        }
        let is_new = !group.members.contains_key(&id);
        if is_new && group.members.len() >= work.desk.config.members_max {
            return Err(ErrorCode::GROUP_MAX_SIZE_REACHED);
        }
        Ok(id)
    }

    /// A static member comes back under another member id: what was its former self's is its own.
    fn succeed(&mut self, work: &mut Work<'_, '_>, former: &Arc<str>, id: &Arc<str>) -> Result<(), ErrorCode> {
        let group = self.consumer();
        let member = ConsumerMember { epoch: 0, previous_epoch: 0, ..group.members[former].clone() };
        let target = group.targets.get(former).cloned().unwrap_or_default();
        let records = [
            current_record(&self.id, former, None),
            target_member_record(&self.id, former, None),
            member_record(&self.id, former, None),
            member_record(&self.id, id, Some(&member)),
            target_member_record(&self.id, id, Some(&target)),
            current_record(&self.id, id, Some(&member)),
        ];
        self.write(work, &records)?;
        let (group, reason) = (self.id.clone(), RemovalReason::Replaced);
        work.fact(GroupFact::MemberRemoved { group: group.clone(), member: former.clone(), reason });
        work.fact(GroupFact::MemberJoined { group, member: id.clone(), instance: member.instance });
        Ok(())
    }

    /// Takes in what the member says about itself; another subscription, or other topics, begin a new group epoch.
    fn update(
        &mut self,
        work: &mut Work<'_, '_>,
        asker: &Asker,
        id: &Arc<str>,
        request: &ConsumerGroupHeartbeatRequest,
    ) -> Result<Offset, ErrorCode> {
        let known = self.consumer().members.get(id).cloned();
        let member = described(known.clone().unwrap_or_default(), asker, request);
        let mut records = Vec::new();
        let is_other = |known: &ConsumerMember| (&known.topics, &known.regex) != (&member.topics, &member.regex);
        let mut raises = known.as_ref().is_none_or(is_other);
        if known.as_ref() != Some(&member) {
            records.push(member_record(&self.id, id, Some(&member)));
        }
        if known.is_none() {
            records.push(current_record(&self.id, id, Some(&member)));
        }
        // One that joins again has lost what it owned.
        if request.member_epoch == JOIN && known.as_ref().is_some_and(|known| known.epoch != 0) {
            let anew = ConsumerMember { epoch: 0, previous_epoch: 0, ..member.clone() };
            records.push(current_record(&self.id, id, Some(&anew)));
        }
        let mut end = if records.is_empty() { Offset::ZERO } else { self.write(work, &records)? };
        if known.is_none() {
            work.fact(GroupFact::MemberJoined { group: self.id.clone(), member: id.clone(), instance: member.instance });
        }
        let version = Some(work.turn.topics.version());
        if !raises && self.consumer().looked_at == version {
            return Ok(end);
        }
        end = end.max(self.resolve_expressions(work)?);
        let hash = self.consumer().hash_of(work.turn.topics);
        raises |= hash != self.consumer().metadata_hash;
        if raises {
            end = end.max(self.raise_epoch(work, hash)?);
        }
        if let Some(group) = self.consumer.as_deref_mut() {
            group.looked_at = version;
        }
        Ok(end)
    }

    /// Expressions are looked at anew: they may be new, nobody's any more, or match other topics.
    fn resolve_expressions(&mut self, work: &mut Work<'_, '_>) -> Result<Offset, ErrorCode> {
        let group = self.consumer();
        let wanted: BTreeSet<Arc<str>> = group.members.values().filter_map(|member| member.regex.clone()).collect();
        let (now, topics): (i64, &Topics) = (work.turn.now.wall.0, work.turn.topics);
        let mut records: Vec<GroupRecord> = Vec::new();
        for regex in &wanted {
            let resolved = subscriptions::resolve(regex, topics);
            if group.regexes.get(regex) != Some(&resolved) {
                records.push(regex_record(&self.id, regex, Some(&resolved), now));
            }
        }
        let unused = group.regexes.keys().filter(|regex| !wanted.contains(*regex));
        records.extend(unused.map(|regex| regex_record(&self.id, regex, None, now)));
        if records.is_empty() { Ok(Offset::ZERO) } else { self.write(work, &records) }
    }

    pub(super) fn raise_epoch(&mut self, work: &mut Work<'_, '_>, hash: i64) -> Result<Offset, ErrorCode> {
        let epoch = self.consumer().epoch + 1;
        let end = self.write(work, &[group_record(&self.id, Some((epoch, hash)))])?;
        let members = self.consumer().members.keys().cloned().collect();
        work.fact(GroupFact::GenerationBegun { group: self.id.clone(), generation: epoch, members });
        Ok(end)
    }

    /// Lets the assignor run if the group is ahead of the target.
    fn retarget(&mut self, work: &mut Work<'_, '_>) -> Result<Offset, ErrorCode> {
        let group = self.consumer();
        if group.target_epoch >= group.epoch {
            return Ok(Offset::ZERO);
        }
        let (epoch, target) = (group.epoch, group.computed_target(work.turn.topics));
        let changed = target.iter().filter(|(id, partitions)| group.targets.get(*id) != Some(partitions));
        let mut records: Vec<GroupRecord> =
            changed.map(|(id, partitions)| target_member_record(&self.id, id, Some(partitions))).collect();
        records.push(target_record(&self.id, Some(epoch)));
        let end = self.write(work, &records)?;
        let topics = work.turn.topics;
        let subscribed = self.consumer().subscribed(topics);
        let decided = GroupFact::AssignmentDecided {
            group: self.id.clone(),
            generation: epoch,
            assignment: target.iter().map(|(id, partitions)| (id.clone(), named(topics, partitions))).collect(),
            subscribed: subscribed.iter().flat_map(|topic| topics.partitions_of(topic)).collect(),
        };
        work.fact(decided);
        Ok(end)
    }

    /// Lets the member come as near to its target as what others have allows.
    fn reconcile(
        &mut self,
        work: &mut Work<'_, '_>,
        id: &Arc<str>,
        request: &ConsumerGroupHeartbeatRequest,
    ) -> Result<(Offset, bool), ErrorCode> {
        let group = self.consumer();
        let owned = request.topic_partitions.as_ref().map(|topics| {
            let topics = topics.iter().map(|topic| (topic.topic_id, topic.partitions.iter().copied().collect::<BTreeSet<i32>>()));
            topics.filter(|(_, indices)| !indices.is_empty()).collect::<Partitions>()
        });
        let (nothing, before) = (Partitions::new(), group.members[id].clone());
        let is_free = |topic, index| group.owners.get(&(topic, index)).is_none_or(|owner| owner == id);
        let after = before.reconciled(&Circumstances {
            target_epoch: group.target_epoch,
            target: group.targets.get(id).unwrap_or(&nothing),
            owned: owned.as_ref(),
            is_free: &is_free,
        });
        if after == before {
            return Ok((Offset::ZERO, false));
        }
        let end = self.write(work, &[current_record(&self.id, id, Some(&after))])?;
        let topics = work.turn.topics;
        work.fact(GroupFact::MemberReconciled {
            group: self.id.clone(),
            member: id.clone(),
            epoch: after.epoch,
            assigned: named(topics, &after.assigned),
            revoking: named(topics, &after.revoking),
        });
        Ok((end, after.assigned != before.assigned))
    }

    fn told(
        &self,
        work: &Work<'_, '_>,
        id: &Arc<str>,
        request: &ConsumerGroupHeartbeatRequest,
        is_other: bool,
    ) -> ConsumerGroupHeartbeatResponse {
        let member = &self.consumer().members[id];
        let says_all = request.rebalance_timeout_ms != -1
            && request.topic_partitions.is_some()
            && (request.subscribed_topic_names.is_some() || request.subscribed_topic_regex.is_some());
        let tells = request.member_epoch == JOIN || says_all || is_other;
        ConsumerGroupHeartbeatResponse {
            member_id: Some(id.to_string()),
            member_epoch: member.epoch,
            heartbeat_interval_ms: i32::try_from(work.desk.config.consumer_heartbeat_interval.as_millis()).unwrap_or(i32::MAX),
            assignment: tells.then(|| assignment(&member.assigned)),
            ..ConsumerGroupHeartbeatResponse::default()
        }
    }
}

/// What is wrong with a request in itself.
fn check_request(request: &ConsumerGroupHeartbeatRequest) -> Result<(), ErrorCode> {
    let is_blank = |text: &Option<String>| text.as_ref().is_some_and(String::is_empty);
    let subscribes = request.subscribed_topic_names.as_ref().is_some_and(|names| !names.is_empty())
        || request.subscribed_topic_regex.as_ref().is_some_and(|regex| !regex.is_empty());
    let says_nothing = request.topic_partitions.as_ref().is_none_or(|owned| !owned.is_empty());
    let is_wrong = request.group_id.is_empty()
        || match request.member_epoch {
            JOIN => request.rebalance_timeout_ms == -1 || says_nothing || !subscribes,
            LEFT_FOR_NOW => request.instance_id.is_none(),
            epoch => epoch < LEFT_FOR_NOW,
        };
    if is_wrong || request.member_id.is_empty() || is_blank(&request.instance_id) || is_blank(&request.rack_id) {
        return Err(ErrorCode::INVALID_REQUEST);
    }
    if let Some(regex) = request.subscribed_topic_regex.as_ref().filter(|regex| !regex.is_empty()) {
        subscriptions::compile(regex)?;
    }
    match &request.server_assignor {
        Some(name) if !ASSIGNORS.contains(&name.as_str()) => Err(ErrorCode::UNSUPPORTED_ASSIGNOR),
        Some(_) | None => Ok(()),
    }
}

/// Whether the member lives in the epoch it names, or in the one before and has only not heard of the next.
fn check_epoch(member: &ConsumerMember, request: &ConsumerGroupHeartbeatRequest) -> Result<(), ErrorCode> {
    if request.member_epoch == member.epoch {
        return Ok(());
    }
    let owned: Option<Partitions> = request
        .topic_partitions
        .as_ref()
        .map(|topics| topics.iter().map(|topic| (topic.topic_id, topic.partitions.iter().copied().collect())).collect());
    let has_lost_an_answer = request.member_epoch == member.previous_epoch
        && request.member_epoch < member.epoch
        && owned.is_some_and(|owned| is_within(&owned, &member.assigned));
    if has_lost_an_answer { Ok(()) } else { Err(ErrorCode::FENCED_MEMBER_EPOCH) }
}

/// The member with what it has said now; what is null has not changed.
fn described(known: ConsumerMember, asker: &Asker, request: &ConsumerGroupHeartbeatRequest) -> ConsumerMember {
    let arc = |text: &String| Arc::from(text.as_str());
    let mut member = ConsumerMember { client_id: asker.client_id.clone(), host: asker.host.clone(), ..known };
    if let Some(instance) = &request.instance_id {
        member.instance = Some(arc(instance));
    }
    if let Some(rack) = &request.rack_id {
        member.rack = Some(arc(rack));
    }
    if request.rebalance_timeout_ms != -1 {
        member.rebalance = Duration::from_millis_field(i64::from(request.rebalance_timeout_ms));
    }
    if let Some(assignor) = &request.server_assignor {
        member.assignor = Some(arc(assignor));
    }
    if let Some(names) = &request.subscribed_topic_names {
        member.topics = names.iter().map(arc).collect();
    }
    if let Some(regex) = &request.subscribed_topic_regex {
        member.regex = Some(arc(regex)).filter(|regex: &Arc<str>| !regex.is_empty());
    }
    member
}

fn assignment(partitions: &Partitions) -> Assignment {
    let topic = |(topic, indices): (&crate::types::TopicId, &BTreeSet<i32>)| TopicPartitions {
        topic_id: *topic,
        partitions: indices.iter().copied().collect(),
        ..TopicPartitions::default()
    };
    Assignment { topic_partitions: partitions.iter().map(topic).collect(), ..Assignment::default() }
}

/// Partitions by names, sorted; those of topics that are gone are left out.
pub(super) fn named(topics: &Topics, partitions: &Partitions) -> Vec<TopicPartition> {
    let mut all = Vec::new();
    for (topic, indices) in partitions {
        if let Some(name) = topics.name_of(*topic) {
            all.extend(indices.iter().map(|index| TopicPartition { topic: name.clone(), index: *index }));
        }
    }
    all.sort_unstable();
    all
}

/// A heartbeat that fails.
pub(in crate::group) fn refuse(error: ErrorCode) -> ConsumerGroupHeartbeatResponse {
    ConsumerGroupHeartbeatResponse { error_code: error.code(), ..ConsumerGroupHeartbeatResponse::default() }
}
