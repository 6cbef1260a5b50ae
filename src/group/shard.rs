//! One partition of `__consumer_offsets`, as its leader in one leader epoch knows it.
//!
//! ```text
//!   Loading ── log end read, and committed ──▶ Active ── resign ──▶ (dropped)
//!      └────── a record that cannot be read ──▶ Broken
//! ```
//!
//! Steps are atomic. What comes in: requests, the high watermark, time, changes of topics. What goes out: answers, facts, and records
//! through the journal. A broken shard answers NOT_COORDINATOR: to serve without what it could not read would hand out offsets of
//! yesterday.

use std::collections::BTreeMap;
use std::hash::Hash;
use std::sync::Arc;

use crate::actor::Now;
use crate::fact::GroupFact;
use crate::mutant::Mutant;
use crate::types::{LeaderEpoch, Offset, PartitionId, Time};
use crate::wire::{ErrorCode, Response};

use super::alarms::{Alarm, Alarms};
use super::groups::Group;
use super::load::Loading;
use super::member_ids::MemberIds;
use super::offsets::Uncommitted;
use super::promises::{Promise, Promises};
use super::refusals::{refused, with_error};
use super::{Asker, Effects, GroupConfig, GroupRequest, Journal, Token, Topics};

/// What a step works with.
pub struct Turn<'a> {
    /// The moment.
    pub now: Now,
    /// The topics of the cluster.
    pub topics: &'a Topics,
    /// The way into the log.
    pub journal: &'a mut dyn Journal,
    /// What comes of it.
    pub effects: &'a mut Effects,
}

/// What all groups of a shard have in common.
#[derive(Hash, Debug)]
pub(super) struct Desk {
    pub config: GroupConfig,
    pub alarms: Alarms,
    pub promises: Promises,
    pub uncommitted: Uncommitted,
    pub member_ids: MemberIds,
    pub high_watermark: Offset,
}

/// A step within a shard.
pub(super) struct Work<'a, 'b> {
    pub turn: &'a mut Turn<'b>,
    pub desk: &'a mut Desk,
}

impl Work<'_, '_> {
    /// The monotonic clock.
    pub fn now(&self) -> Time {
        self.turn.now.mono
    }

    /// Answers at once.
    pub fn answer(&mut self, token: Token, response: impl Into<Response>) {
        self.turn.effects.answers.push((token, response.into()));
    }

    /// Answers once the high watermark has reached `end`.
    pub fn answer_when_committed(&mut self, end: Offset, token: Token, response: impl Into<Response>) {
        let response = response.into();
        if end <= self.desk.high_watermark || self.is_hasty(&response) {
            return self.answer(token, response);
        }
        let deadline = self.now().plus(self.desk.config.commit_timeout);
        self.desk.promises.push(Promise { end, deadline, token, response });
    }

    /// Planted bugs: an answer that does not wait for the record it rests on.
    fn is_hasty(&mut self, response: &Response) -> bool {
        (matches!(response, Response::SyncGroup(_)) && self.spoils(Mutant::ReplyBeforePersist))
            || (matches!(response, Response::JoinGroup(_)) && self.spoils(Mutant::TwoMembersPerInstance))
    }

    /// Whether this bug is planted here. Asked only where it changes a decision, which is noted.
    pub fn spoils(&mut self, mutant: Mutant) -> bool {
        let is_planted = self.desk.config.mutants.is(mutant);
        if is_planted {
            self.turn.effects.acted.set();
        }
        is_planted
    }

    /// States something.
    pub fn fact(&mut self, fact: GroupFact) {
        self.turn.effects.facts.push(fact);
    }
}

/// How far a shard is.
#[derive(Hash, Debug)]
pub(super) enum Phase {
    /// The log is being read.
    Loading(Loading),
    /// It serves.
    Active {
        /// When to look for offsets that have expired.
        expiry_due: Time,
    },
    /// The log holds something that cannot be read.
    Broken,
}

/// A coordinator of the groups of one partition, in one leader epoch.
///
/// Invariants: groups are never void between steps; while it loads nothing waits and nothing is written; answers wait only for records above
/// the high watermark.
#[derive(Hash, Debug)]
pub struct Shard {
    pub(super) partition: PartitionId,
    pub(super) leader_epoch: LeaderEpoch,
    pub(super) phase: Phase,
    pub(super) groups: BTreeMap<Arc<str>, Group>,
    pub(super) desk: Desk,
}

impl Shard {
    /// A shard that has to load its partition from `log_start` to `log_end`. `seed` is that of this life of the broker.
    #[must_use]
    pub fn new(
        partition: PartitionId,
        leader_epoch: LeaderEpoch,
        (log_start, log_end): (Offset, Offset),
        config: GroupConfig,
        seed: u64,
    ) -> Shard {
        assert!(log_start <= log_end, "a log from {log_start} to {log_end}");
        let desk = Desk {
            config,
            alarms: Alarms::default(),
            promises: Promises::default(),
            uncommitted: Uncommitted::default(),
            member_ids: MemberIds::new(seed, partition, leader_epoch),
            high_watermark: Offset::ZERO,
        };
        let phase = Phase::Loading(Loading { next: log_start, end: log_end });
        Shard { partition, leader_epoch, phase, groups: BTreeMap::new(), desk }
    }

    /// The leader epoch it belongs to.
    #[must_use]
    pub fn leader_epoch(&self) -> LeaderEpoch {
        self.leader_epoch
    }

    /// Whether it answers for its groups.
    ///
    /// # Errors
    /// What those who ask are told instead.
    pub fn check_active(&self) -> Result<(), ErrorCode> {
        match self.phase {
            Phase::Active { .. } => Ok(()),
            Phase::Loading(_) => Err(ErrorCode::COORDINATOR_LOAD_IN_PROGRESS),
            Phase::Broken => Err(ErrorCode::NOT_COORDINATOR),
        }
    }

    /// Takes in a request; it is answered now or later.
    pub fn on_request(&mut self, token: Token, asker: &Asker, request: GroupRequest, turn: &mut Turn<'_>) {
        if let Err(error) = self.check_active() {
            turn.effects.answers.push((token, refused(&request, asker.version, error)));
            return;
        }
        let id: Arc<str> = Arc::from(request.group());
        let group = self.groups.entry(id.clone()).or_insert_with(|| Group::new(id.clone()));
        let mut work = Work { turn, desk: &mut self.desk };
        match request {
            GroupRequest::Join(request) => group.on_join(&mut work, token, asker, request),
            GroupRequest::Sync(request) => group.on_sync(&mut work, token, asker, request),
            GroupRequest::Heartbeat(request) => group.on_heartbeat(&mut work, token, &request),
            GroupRequest::Leave(request) => group.on_leave(&mut work, token, asker, &request),
            GroupRequest::Commit(request) => group.on_commit(&mut work, token, asker, &request),
            GroupRequest::DeleteOffsets(request) => group.on_delete_offsets(&mut work, token, &request),
            GroupRequest::ConsumerHeartbeat(request) => group.on_consumer_heartbeat(&mut work, token, asker, request),
            GroupRequest::Delete(_) => group.on_delete(&mut work, token),
        }
        self.forget_if_void(&id);
    }

    /// Everything below `high_watermark` is committed: answers that waited for it are given.
    pub fn on_high_watermark(&mut self, high_watermark: Offset, turn: &mut Turn<'_>) {
        self.desk.high_watermark = self.desk.high_watermark.max(high_watermark);
        self.begin_if_loaded(turn);
        while let Some((id, partition)) = self.desk.uncommitted.committed(self.desk.high_watermark) {
            if let Some(group) = self.groups.get_mut(&id) {
                group.offsets.commit(&partition, self.desk.high_watermark);
                self.forget_if_void(&id);
            }
        }
        while let Some(promise) = self.desk.promises.kept(self.desk.high_watermark) {
            turn.effects.answers.push((promise.token, promise.response));
        }
    }

    /// Does what time brings.
    pub fn on_time(&mut self, turn: &mut Turn<'_>) {
        let now = turn.now.mono;
        while let Some(promise) = self.desk.promises.overdue(now) {
            let response = with_error(promise.response, ErrorCode::COORDINATOR_NOT_AVAILABLE);
            turn.effects.answers.push((promise.token, response));
        }
        while let Some(alarm) = self.desk.alarms.ring(now) {
            let (Alarm::Member(id, _) | Alarm::Rebalance(id)) = &alarm;
            if let Some(group) = self.groups.get_mut(id) {
                let mut work = Work { turn, desk: &mut self.desk };
                match &alarm {
                    Alarm::Member(_, member) if group.consumer.is_some() => group.on_consumer_silence(&mut work, member),
                    Alarm::Member(_, member) => group.on_silence(&mut work, member),
                    Alarm::Rebalance(_) => group.on_rebalance_timeout(&mut work),
                }
                self.forget_if_void(id);
            }
        }
        self.expire_if_due(turn);
    }

    /// When there is something to do.
    #[must_use]
    pub fn deadline(&self) -> Option<Time> {
        let expiry = match self.phase {
            Phase::Active { expiry_due } => Some(expiry_due),
            Phase::Loading(_) | Phase::Broken => None,
        };
        [expiry, self.desk.promises.deadline(), self.desk.alarms.deadline()].into_iter().flatten().min()
    }

    /// The end: this broker leads the partition no longer, or in another epoch. Everything that waits is told so.
    pub fn resign(mut self, effects: &mut Effects) {
        let promised = self.desk.promises.drain();
        effects.answers.extend(promised.map(|p| (p.token, with_error(p.response, ErrorCode::NOT_COORDINATOR))));
        for group in self.groups.values_mut() {
            group.classic.dismiss(ErrorCode::NOT_COORDINATOR, effects);
        }
        if matches!(self.phase, Phase::Active { .. }) {
            let (shard, leader_epoch) = (self.partition, self.leader_epoch);
            effects.facts.push(GroupFact::CoordinatorUnloaded { shard, leader_epoch });
        }
    }

    pub(super) fn forget_if_void(&mut self, id: &str) {
        if self.groups.get(id).is_some_and(Group::is_void) {
            self.groups.remove(id);
        }
    }

    /// A group, if it exists for those who ask.
    pub(super) fn group(&self, id: &str) -> Option<&Group> {
        self.groups.get(id).filter(|group| group.exists())
    }
}

/// What a partition's refusal to append means for those who asked the coordinator.
#[must_use]
pub fn coordinator_error(error: ErrorCode) -> ErrorCode {
    match error {
        ErrorCode::UNKNOWN_TOPIC_OR_PARTITION | ErrorCode::NOT_ENOUGH_REPLICAS | ErrorCode::REQUEST_TIMED_OUT => {
            ErrorCode::COORDINATOR_NOT_AVAILABLE
        }
        ErrorCode::NOT_LEADER_OR_FOLLOWER | ErrorCode::KAFKA_STORAGE_ERROR => ErrorCode::NOT_COORDINATOR,
        _ => ErrorCode::UNKNOWN_SERVER_ERROR,
    }
}

#[cfg(test)]
impl Shard {
    /// What must hold between steps.
    pub(super) fn check(&self) {
        for group in self.groups.values() {
            group.check();
        }
    }

    /// What of its state is durable: the fold of the log up to its end.
    pub(super) fn durable(&self) -> BTreeMap<Arc<str>, super::groups::Durable> {
        let exists =
            |group: &&Group| group.classic.stored.is_some() || group.consumer.is_some() || !group.offsets.is_ending_empty();
        self.groups.values().filter(exists).map(|group| (group.id.clone(), group.durable())).collect()
    }
}
