//! A rebalance as one member lives through it: prepare, join, lead or not, sync, apply.
//!
//! JoinGroup is answered when all members have joined, or when those that have not are given up; so it waits as long as
//! `max.poll.interval.ms` and a little longer. A newcomer is given its member id first and joins again with it (KIP-394), lest a newcomer
//! whose answers get lost becomes a new member with every attempt.
//!
//! The leading member must know the partitions of all topics that anybody subscribes to, also of those that it does not read itself. And it
//! keeps an eye on them: when a topic grows, or appears, it asks for a rebalance. A static member that comes back to lead shares out nothing (KIP-814),
//! but must know them too: else it would take what it hears of them first for a change.
//!
//! Whatever goes wrong between JoinGroup and SyncGroup, the way back is to join again. What we own meanwhile is claimed in the generation in
//! which it was assigned, so that a member that has missed one is not believed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::attempt::Attempt;
use super::line::{Asked, Ready};
use super::requests::{self, Signature};
use super::{Desk, Membership, Ownership, Phase, words};
use crate::client::assignor::{Assignment, Discipline, Strategy, Subscription};
use crate::client::metadata::Metadata;
use crate::client::positions::Place;
use crate::fact::GroupFact;
use crate::mutant::{Mutant, Mutants};
use crate::types::{Duration, Time, TopicPartition};
use crate::wire::join_group_response::JoinGroupResponse;
use crate::wire::sync_group_response::SyncGroupResponse;
use crate::wire::{ApiKey, ErrorCode, Response};

/// How much longer JoinGroup is waited for than a rebalance may take.
const JOIN_MARGIN: Duration = Duration::secs(5);

impl Membership {
    // ---- prepare ----------------------------------------------------------------------------------------------

    /// A rebalance is on: gives up what is to be given up before we join. Only while the application polls.
    pub(super) fn prepare(&mut self, desk: &mut Desk<'_>) {
        if !desk.is_polling || !self.is_subscribed() || self.lost.is_some() {
            return;
        }
        if matches!(self.phase, Phase::In) && self.rejoin {
            if self.discipline() == Discipline::Eager {
                desk.places.suspend(&self.owned.partitions);
                self.commit_before_they_go(|_| true, desk);
            }
            self.phase = Phase::Preparing { until: desk.now.plus(self.patience()) };
        }
        let is_prepared = match self.phase {
            Phase::Out => true,
            Phase::Preparing { until } => !self.awaits_commits(until, desk),
            Phase::Joining(_)
            | Phase::Leading { .. }
            | Phase::Syncing { .. }
            | Phase::Applying { .. }
            | Phase::Entering
            | Phase::GivingUp { .. }
            | Phase::In
            | Phase::Leaving(_)
            | Phase::Fenced(_) => false,
        };
        if is_prepared {
            if self.discipline() == Discipline::Eager {
                self.revoke(self.owned.partitions.clone(), desk);
            }
            self.phase = Phase::Joining(Attempt::default());
        }
    }

    /// Whether partitions cannot be given up so far, because commits are on their way.
    pub(super) fn awaits_commits(&self, until: Time, desk: &mut Desk<'_>) -> bool {
        let awaits = !self.commits.is_empty() && desk.now < until;
        let is_hasty = awaits && self.common.mutants.is(Mutant::AutocommitAfterRevoke);
        if is_hasty {
            desk.out.fact(Mutant::AutocommitAfterRevoke.acted());
        }
        awaits && !is_hasty
    }

    // ---- join -------------------------------------------------------------------------------------------------

    /// Sends JoinGroup if it is time to.
    pub(super) fn join(&mut self, desk: &mut Desk<'_>) {
        let Phase::Joining(attempt) = &mut self.phase else { return };
        if !desk.is_polling || !attempt.is_due(desk.now) {
            return;
        }
        let number = self.line.next_number();
        let sent = match self.line.ready(ApiKey::JoinGroup, desk.now, desk.out) {
            Ready::NotYet => return,
            Ready::Unsupported => false,
            Ready::Version(version) => {
                let who = Signature { config: &self.config, member: &self.member, generation: self.generation };
                let request =
                    requests::join(who, protocols(&self.config.strategies, &self.topics, &self.owned, &self.remembered));
                let patience = self.common.request_timeout.max(Duration(self.config.poll_interval_max.0 + JOIN_MARGIN.0));
                self.line.send(request, version, Some(patience), Asked::Join(number), desk.now, desk.out)
            }
        };
        if sent {
            attempt.sent(number);
            self.rejoin = false;
        } else {
            attempt.fail(desk.now, self.common.retry_backoff);
            self.complaint = Some(ErrorCode::UNSUPPORTED_VERSION);
        }
    }

    pub(super) fn on_join(&mut self, number: u64, response: Option<Response>, desk: &mut Desk<'_>) {
        let Phase::Joining(attempt) = &mut self.phase else { return };
        if !attempt.ends_with(number) {
            return;
        }
        attempt.fail(desk.now, self.common.retry_backoff);
        let Some(Response::JoinGroup(response)) = response else { return };
        match ErrorCode(response.error_code) {
            ErrorCode::NONE => self.on_joined(&response, desk),
            ErrorCode::MEMBER_ID_REQUIRED if self.member.is_empty() && !response.member_id.is_empty() => {
                self.line.trust();
                self.member = Arc::from(response.member_id.as_str());
                self.phase = Phase::Joining(Attempt::default());
            }
            // As a newcomer then; whatever we own is lost.
            ErrorCode::UNKNOWN_MEMBER_ID => {
                self.member = Arc::from("");
                self.generation = -1;
                self.lost = Some(ErrorCode::UNKNOWN_MEMBER_ID).filter(|_| !self.owned.partitions.is_empty());
            }
            error => self.on_refusal(error, desk),
        }
    }

    fn on_refusal(&mut self, error: ErrorCode, desk: &Desk<'_>) {
        let is_transient = error.is_retriable() || error == ErrorCode::REBALANCE_IN_PROGRESS;
        if !self.on_common_error(desk.now, error) && !is_transient {
            self.complaint = Some(error);
        }
    }

    fn on_joined(&mut self, response: &JoinGroupResponse, desk: &mut Desk<'_>) {
        let chosen = response.protocol_name.as_deref();
        let Some(strategy) = self.config.strategies.iter().copied().find(|one| Some(one.name()) == chosen) else {
            self.complaint = Some(ErrorCode::INCONSISTENT_GROUP_PROTOCOL);
            return;
        };
        self.line.trust();
        self.member = Arc::from(response.member_id.as_str());
        self.generation = response.generation_id;
        self.led = None;
        self.pulse.restart(desk.now, self.config.heartbeat_interval);
        let member = |told: &crate::wire::join_group_response::JoinGroupResponseMember| {
            (Arc::from(told.member_id.as_str()), words::member(strategy, told))
        };
        let until = desk.now.plus(self.common.request_timeout);
        let leads = response.leader == response.member_id;
        self.phase = if leads {
            let (members, assigns) = (response.members.iter().map(member).collect(), !response.skip_assignment);
            Phase::Leading { strategy, members, until, assigns }
        } else {
            Phase::Syncing { attempt: Attempt::default(), strategy, assignment: Assignment::new() }
        };
    }

    // ---- lead -------------------------------------------------------------------------------------------------

    /// Shares out, once all topics are known.
    pub(super) fn lead(&mut self, desk: &mut Desk<'_>) {
        let Phase::Leading { strategy, members, until, assigns } = &self.phase else { return };
        let topics: BTreeSet<Arc<str>> = members.values().flat_map(|member| member.topics.iter().cloned()).collect();
        topics.iter().for_each(|topic| desk.cluster.follow(topic));
        let is_known = |topic: &Arc<str>| desk.cluster.metadata().topic(topic).is_some();
        if *until > desk.now && !topics.iter().all(is_known) {
            return;
        }
        let counts = counts(desk.cluster.metadata(), &topics);
        let (strategy, mutants) = (*strategy, self.common.mutants);
        let share_out = |mutants| if *assigns { strategy.assign(&counts, members, mutants) } else { Assignment::new() };
        let assignment = share_out(mutants);
        if let Some(mutant) = mutants.planted()
            && assignment != share_out(Mutants::none())
        {
            desk.out.fact(mutant.acted());
        }
        self.led = Some(counts);
        self.phase = Phase::Syncing { attempt: Attempt::default(), strategy, assignment };
    }

    /// The leading member asks for a rebalance when there is more, or less, to be shared out.
    pub(super) fn notice_topics(&mut self, desk: &mut Desk<'_>) {
        let Some(led) = self.led.as_ref().filter(|_| matches!(self.phase, Phase::In | Phase::Applying { .. })) else { return };
        let topics = led.keys().cloned().collect();
        self.rejoin |= *led != counts(desk.cluster.metadata(), &topics);
    }

    // ---- sync -------------------------------------------------------------------------------------------------

    /// Sends SyncGroup if it is time to.
    pub(super) fn sync(&mut self, desk: &mut Desk<'_>) {
        let Phase::Syncing { attempt, strategy, assignment } = &mut self.phase else { return };
        if !attempt.is_due(desk.now) {
            return;
        }
        let sent = match self.line.ready(ApiKey::SyncGroup, desk.now, desk.out) {
            Ready::NotYet => return,
            Ready::Unsupported => false,
            Ready::Version(version) => {
                let number = self.line.next_number();
                attempt.sent(number);
                let parts = assignment.iter().map(|(id, partitions)| (id.to_string(), words::assignment(partitions)));
                let who = Signature { config: &self.config, member: &self.member, generation: self.generation };
                let request = requests::sync(who, strategy.name(), parts.collect());
                self.line.send(request, version, None, Asked::Sync(number), desk.now, desk.out)
            }
        };
        if !sent {
            self.complaint = Some(ErrorCode::UNSUPPORTED_VERSION);
            self.join_later(desk);
        }
    }

    fn join_later(&mut self, desk: &Desk<'_>) {
        let mut attempt = Attempt::default();
        attempt.fail(desk.now, self.common.retry_backoff);
        self.phase = Phase::Joining(attempt);
    }

    pub(super) fn on_sync(&mut self, number: u64, response: Option<Response>, desk: &mut Desk<'_>) {
        let Phase::Syncing { attempt, strategy, .. } = &mut self.phase else { return };
        if !attempt.ends_with(number) {
            return;
        }
        let strategy = *strategy;
        self.join_later(desk);
        let Some(Response::SyncGroup(response)) = response else { return };
        match ErrorCode(response.error_code) {
            ErrorCode::NONE => self.on_synced(strategy, &response, desk),
            ErrorCode::REBALANCE_IN_PROGRESS => self.phase = Phase::Joining(Attempt::default()),
            error => self.on_refusal(error, desk),
        }
    }

    fn on_synced(&mut self, strategy: Strategy, response: &SyncGroupResponse, desk: &Desk<'_>) {
        if response.protocol_name.as_deref().is_some_and(|name| name != strategy.name()) {
            self.complaint = Some(ErrorCode::INCONSISTENT_GROUP_PROTOCOL);
            return;
        }
        match words::assigned(&response.assignment) {
            Ok(assigned) => {
                self.line.trust();
                self.pulse.hear(desk.now);
                self.phase = Phase::Applying { assigned, until: None };
            }
            Err(_) => self.complaint = Some(ErrorCode::CORRUPT_MESSAGE),
        }
    }

    // ---- apply ------------------------------------------------------------------------------------------------

    /// The application gives up what it lost by the new assignment, then gets what is new. Only while it polls.
    pub(super) fn apply(&mut self, desk: &mut Desk<'_>) {
        let Phase::Applying { assigned, until } = &self.phase else { return };
        if !desk.is_polling || self.lost.is_some() {
            return;
        }
        let gone: BTreeSet<TopicPartition> = self.owned.partitions.difference(assigned).cloned().collect();
        let (mut assigned, until) = (assigned.clone(), *until);
        let until = until.unwrap_or_else(|| desk.now.plus(self.patience()));
        if let Phase::Applying { until: first @ None, .. } = &mut self.phase {
            *first = Some(until);
            desk.places.suspend(&gone);
            self.commit_before_they_go(|partition| gone.contains(partition), desk);
        }
        if !gone.is_empty() && self.awaits_commits(until, desk) {
            return;
        }
        // Only a member that gives something up joins again: others wait for it.
        self.rejoin |= !gone.is_empty();
        self.revoke(gone, desk);
        // The subscription may have changed since we joined. What is not wanted any more is for the next rebalance.
        let before = assigned.len();
        assigned.retain(|partition| self.topics.contains(&partition.topic));
        self.rejoin |= assigned.len() < before;
        self.take(assigned, desk);
        self.phase = Phase::In;
    }

    pub(super) fn take(&mut self, assigned: BTreeSet<TopicPartition>, desk: &mut Desk<'_>) {
        let added: Vec<TopicPartition> = assigned.difference(&self.owned.partitions).cloned().collect();
        if let Some(interval) = self.config.auto_commit.filter(|_| self.owned.partitions.is_empty()) {
            self.auto_commit_at = desk.now.plus(interval);
        }
        self.remembered = (assigned.clone(), self.generation);
        self.owned = Ownership { member: Arc::clone(&self.member), generation: self.generation, partitions: assigned };
        for partition in &added {
            desk.cluster.follow(&partition.topic);
            desk.places.add(Place::recalling(partition.clone()));
        }
        let Ownership { member, generation, .. } = self.owned.clone();
        let group = Arc::clone(&self.config.id);
        self.state(GroupFact::PartitionsAssigned { group, member, generation, partitions: added }, desk);
    }
}

/// Numbers of partitions; 0 for what is not known or does not exist.
fn counts(metadata: &Metadata, topics: &BTreeSet<Arc<str>>) -> BTreeMap<Arc<str>, i32> {
    let count = |topic: &Arc<str>| {
        let known = metadata.topic(topic).filter(|topic| topic.error == 0);
        known.map_or(0, |topic| i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX))
    };
    topics.iter().map(|topic| (Arc::clone(topic), count(topic))).collect()
}

/// What we tell the leading member, for each assignor that we can follow.
fn protocols(
    strategies: &[Strategy],
    topics: &BTreeSet<Arc<str>>,
    owned: &Ownership,
    remembered: &(BTreeSet<TopicPartition>, i32),
) -> Vec<(&'static str, bytes::Bytes)> {
    let said =
        Subscription { topics: topics.clone(), owned: owned.partitions.clone(), generation: owned.generation, instance: None };
    strategies.iter().map(|strategy| (strategy.name(), words::subscription(*strategy, &said, remembered))).collect()
}
