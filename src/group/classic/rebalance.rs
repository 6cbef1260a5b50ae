//! How a rebalance begins and ends.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use crate::fact::group::{GroupFact, RemovalReason};
use crate::group::alarms::Alarm;
use crate::group::groups::Group;
use crate::group::shard::Work;
use crate::types::{Duration, Time};
use crate::wire::ErrorCode;

use super::join;
use super::{Classic, InitialDelay, Phase, sync};

/// How long a group is left alone of which nobody has joined in time, however little patience its members have.
const SHORTEST_WAIT: Duration = Duration::secs(1);

impl Group {
    /// Somebody has come or changed: the others are asked to join again, if that is not under way.
    pub(super) fn prepare_rebalance_or_complete_join(&mut self, work: &mut Work<'_, '_>) {
        match self.classic.phase {
            Phase::Empty | Phase::Completing { .. } | Phase::Stable { .. } => self.prepare_rebalance(work),
            Phase::Preparing { .. } => self.complete_join_if_all_are_there(work),
        }
    }

    /// Somebody has gone: the others share what it had.
    pub(super) fn rebalance_without_the_gone(&mut self, work: &mut Work<'_, '_>) {
        match self.classic.phase {
            Phase::Completing { .. } | Phase::Stable { .. } => self.prepare_rebalance(work),
            Phase::Preparing { .. } => self.complete_join_if_all_are_there(work),
            Phase::Empty => {}
        }
    }

    pub(super) fn prepare_rebalance(&mut self, work: &mut Work<'_, '_>) {
        if let Phase::Completing { .. } = self.classic.phase {
            self.send_away_from_sync(work, ErrorCode::REBALANCE_IN_PROGRESS);
        }
        let timeout = self.classic.rebalance_timeout();
        match self.classic.phase {
            Phase::Empty => {
                let delay = work.desk.config.initial_rebalance_delay;
                let left = Duration(timeout.0.saturating_sub(delay.0));
                self.await_members(work, delay, Some(InitialDelay { left, has_newcomer: false }));
            }
            Phase::Preparing { .. } | Phase::Completing { .. } | Phase::Stable { .. } => self.await_members(work, timeout, None),
        }
        self.complete_join_if_all_are_there(work);
    }

    /// Waits for members, for so long.
    pub(super) fn await_members(&mut self, work: &mut Work<'_, '_>, span: Duration, initial: Option<InitialDelay>) {
        let until = work.now().plus(span);
        work.desk.alarms.set(until, Alarm::Rebalance(self.id.clone()));
        self.enter(work, Phase::Preparing { until, initial });
    }

    /// The join phase is over as soon as everyone has joined, except the first one of a group, which waits for others to come.
    pub(super) fn complete_join_if_all_are_there(&mut self, work: &mut Work<'_, '_>) {
        if matches!(self.classic.phase, Phase::Preparing { initial: None, .. }) && self.classic.have_all_joined() {
            self.complete_join(work);
        }
    }

    /// Ends the join phase with those who have joined.
    pub(super) fn complete_join(&mut self, work: &mut Work<'_, '_>) {
        let missing = |member: &super::Member| member.join.is_none() && member.instance.is_none();
        let missing: Vec<Arc<str>> =
            self.classic.members.iter().filter(|(_, member)| missing(member)).map(|(id, _)| id.clone()).collect();
        missing.iter().for_each(|id| self.remove_member(work, id, RemovalReason::RebalanceExpired));
        if self.classic.members.is_empty() {
            return self.become_empty(work);
        }
        if !self.classic.elect_leader_who_joined() {
            // Only static members are left, and none has joined: their sessions decide.
            let patience = self.classic.rebalance_timeout().max(SHORTEST_WAIT);
            return self.await_members(work, patience, None);
        }
        self.begin_generation(work);
    }

    fn become_empty(&mut self, work: &mut Work<'_, '_>) {
        self.classic.generation += 1;
        (self.classic.protocol, self.classic.leader) = (None, None);
        self.enter(work, Phase::Empty);
        let record = self.classic.to_store(work.turn.now.wall, |_| Bytes::new()).record(&self.id);
        // Without the record a new coordinator finds the old members, who will be silent. Nobody was promised anything.
        let _ = self.write(work, &[record]);
    }

    fn begin_generation(&mut self, work: &mut Work<'_, '_>) {
        self.classic.generation += 1;
        self.classic.protocol = self.classic.choose_protocol();
        let until = work.now().plus(self.classic.rebalance_timeout());
        work.desk.alarms.set(until, Alarm::Rebalance(self.id.clone()));
        self.enter(work, Phase::Completing { until });
        let (group, generation) = (self.id.clone(), self.classic.generation);
        let members: Vec<Arc<str>> = self.classic.members.keys().cloned().collect();
        work.fact(GroupFact::GenerationBegun { group, generation, members: members.clone() });
        for id in members {
            self.tell_generation(work, &id);
        }
    }

    fn tell_generation(&mut self, work: &mut Work<'_, '_>, id: &Arc<str>) {
        let member = self.classic.members.get_mut(id).expect("its id was just listed");
        (member.is_new, member.has_synced) = (false, false);
        if let Some(waiting) = member.join.take() {
            let told = self.classic.joined(id, waiting.version);
            work.answer(waiting.token, told);
        }
        self.note_alive(work, id);
    }

    /// Everyone who waits for an assignment is told that there will be none.
    pub(super) fn send_away_from_sync(&mut self, work: &mut Work<'_, '_>, error: ErrorCode) {
        for member in self.classic.members.values_mut() {
            member.assignment = Bytes::new();
            if let Some(waiting) = member.sync.take() {
                work.answer(waiting.token, sync::refusal(error));
            }
        }
    }

    pub(super) fn enter(&mut self, work: &mut Work<'_, '_>, phase: Phase) {
        let before = self.classic.state();
        self.classic.phase = phase;
        if self.classic.state() != before {
            self.classic.since = Some(work.turn.now.wall);
            self.state_changed(work);
        }
    }

    /// States which state the group is in.
    pub(in crate::group) fn state_changed(&self, work: &mut Work<'_, '_>) {
        let (group, state, generation) = (self.id.clone(), self.classic.state(), self.classic.generation);
        work.fact(GroupFact::GroupStateChanged { group, state, generation });
    }

    /// Ends a membership, whatever the member waits for. The caller sees to the rebalance.
    pub(super) fn remove_member(&mut self, work: &mut Work<'_, '_>, id: &str, reason: RemovalReason) {
        let Some((id, member)) = self.classic.members.remove_entry(id) else { return };
        if let Some(instance) = &member.instance {
            self.classic.instances.remove(instance);
        }
        if let Some(waiting) = member.join {
            // It tries again if it lives.
            work.answer(waiting.token, join::refusal(waiting.version, ErrorCode::UNKNOWN_MEMBER_ID, &id));
        }
        if let Some(waiting) = member.sync {
            work.answer(waiting.token, sync::refusal(ErrorCode::UNKNOWN_MEMBER_ID));
        }
        if self.classic.is_leader(&id) {
            self.classic.leader = self.classic.members.keys().next().cloned();
        }
        work.fact(GroupFact::MemberRemoved { group: self.id.clone(), member: id, reason });
    }

    /// A member lives: its session begins anew.
    pub(in crate::group) fn note_alive(&mut self, work: &mut Work<'_, '_>, id: &Arc<str>) {
        let now: Time = work.now();
        let Some(member) = self.classic.members.get_mut(id) else { return };
        member.expires = now.plus(member.session);
        if member.alarm > member.expires || member.alarm <= now {
            member.alarm = member.expires;
            work.desk.alarms.set(member.alarm, Alarm::Member(self.id.clone(), id.clone()));
        }
    }
}

impl Classic {
    /// Sees to it that the leading member is one that has joined; false if there is none.
    fn elect_leader_who_joined(&mut self) -> bool {
        let joined = |id: &Arc<str>| self.members.get(id).is_some_and(|member| member.join.is_some());
        if self.leader.as_ref().is_some_and(joined) {
            return true;
        }
        let first = self.members.keys().find(|id| joined(id)).cloned();
        if first.is_some() {
            self.leader = first.clone();
        }
        first.is_some()
    }

    /// The protocol that most members like best, of those that all support; of equals the one that comes first in the alphabet.
    pub(super) fn choose_protocol(&self) -> Option<Arc<str>> {
        let is_common = |name: &str| self.members.values().all(|member| member.metadata_for(name).is_some());
        let (_, first) = self.members.first_key_value()?;
        let common: Vec<&Arc<str>> = first.protocols.iter().map(|(name, _)| name).filter(|name| is_common(name)).collect();
        let mut votes: BTreeMap<&Arc<str>, usize> = BTreeMap::new();
        for member in self.members.values() {
            if let Some((name, _)) = member.protocols.iter().find(|(name, _)| common.contains(&name)) {
                *votes.entry(name).or_default() += 1;
            }
        }
        let most = votes.values().max().copied()?;
        votes.into_iter().find(|(_, count)| *count == most).map(|(name, _)| name.clone())
    }
}
