//! The high watermark of a leader.
//!
//! It is the smallest log end over the maximal ISR, and over those outside the ISR that are caught up and may join: without the latter a busy
//! partition would outrun a follower for ever just as it tries to come in. The leader's own log counts as far as it is appended; with
//! `flush.messages=1` only as far as it is on the medium.
//!
//! It stands still while fewer than min ISR replicas are in sync (KAFKA-15583): a record seen by consumers then has at least that many
//! copies. It is recomputed whenever one of its terms may have changed (a fetch, an append, an ISR learned, a sync ended, the election), and within
//! one leadership it never falls.

use crate::actor::{Now, Outbox};
use crate::fact::Fact;
use crate::mutant::Mutant;
use crate::types::{BrokerId, Offset, Time};

use super::registration::sorted;
use super::role::{Leader, Role};
use super::{Isr, Members, Replica};

impl Replica {
    /// The effective minimum of in-sync replicas: never more than there are replicas.
    pub(super) fn min_isr(&self, leader: &Leader) -> usize {
        (self.settings.min_isr as usize).clamp(1, leader.replicas.len().max(1))
    }

    /// How many in-sync replicas are really asked for: fewer only with a planted bug.
    pub(super) fn min_isr_enforced(&self, leader: &Leader) -> usize {
        if self.mutant(Mutant::MinIsrNotEnforced) { 1 } else { self.min_isr(leader) }
    }

    /// Whether what others are told, or are given to count on, must be on the medium first.
    pub(super) fn tells_durable_only(&self) -> bool {
        self.settings.flush_each_batch && !self.mutant(Mutant::AckBeforeSync)
    }

    /// Recomputes the high watermark of a leader.
    pub(super) fn advance_high_watermark(&mut self, now: Now, members: &Members, out: &mut Outbox) {
        let Role::Leader(leader) = &self.role else { return };
        let isr = leader.isr.known();
        let too_few = isr.len() < self.min_isr_enforced(leader) && !self.mutant(Mutant::HwUnderMinIsr);
        if self.failed.is_some() || too_few {
            return;
        }
        let Some(candidate) = self.committed_end(leader, now.mono, members) else { return };
        if let Some(mutant) = self.settings.mutants.planted()
            && self.is_spoiled(mutant, leader, candidate, now.mono, members)
        {
            out.fact(mutant.acted());
        }
        let from = self.high_watermark;
        if candidate <= from {
            return;
        }
        assert!(
            candidate <= self.log.log_end(),
            "{}: high watermark {candidate} beyond the log end {}",
            self.name,
            self.log.log_end()
        );
        out.fact(Fact::HighWatermarkAdvanced {
            partition: self.partition,
            leader_epoch: leader.epoch,
            from,
            to: candidate,
            maximal_isr: self.counted(leader),
            isr: sorted(isr),
            min_isr: self.min_isr(leader) as u32,
        });
        self.high_watermark = candidate;
        self.changes.high_watermark = true;
    }

    /// The end of what all that count have; `None` while one that counts has not yet fetched in this epoch.
    fn committed_end(&self, leader: &Leader, now: Time, members: &Members) -> Option<Offset> {
        let mut end = if self.tells_durable_only() { self.log.durable_end() } else { self.log.log_end() };
        for (id, progress) in &leader.followers {
            let counts = self.may_be_in_isr(*id, leader) || self.is_about_to_join(*id, leader, now, members);
            if counts {
                end = end.min(progress.log_end?);
            }
        }
        Some(end)
    }

    /// Whether this broker is counted as a member of the maximal ISR.
    fn may_be_in_isr(&self, id: BrokerId, leader: &Leader) -> bool {
        if self.mutant(Mutant::ExpandNotCounted) {
            return leader.isr.known().contains(&id);
        }
        match &leader.isr {
            Isr::Pending { proposal, .. } if self.mutant(Mutant::OptimisticShrink) => {
                proposal.isr.iter().any(|(member, _)| *member == id)
            }
            Isr::Pending { .. } | Isr::Committed(_) => leader.isr.may_contain(id),
        }
    }

    /// The maximal ISR as it is counted with.
    fn counted(&self, leader: &Leader) -> Vec<BrokerId> {
        let mut counted = leader.isr.maximal();
        counted.retain(|id| *id == self.broker || self.may_be_in_isr(*id, leader));
        counted
    }

    fn is_about_to_join(&self, id: BrokerId, leader: &Leader, now: Time, members: &Members) -> bool {
        if self.mutant(Mutant::ExpandNotCounted) {
            return false;
        }
        let eligible = members.get(&id).is_some_and(|member| member.active) || self.mutant(Mutant::HwWaitsForShutDownReplica);
        let caught_up = leader.followers[&id].caught_up_at;
        eligible && caught_up.is_some_and(|at| now.since(at) <= self.settings.replica_lag_max)
    }

    /// Whether the planted bug has a part in the high watermark being `candidate` now.
    fn is_spoiled(&self, mutant: Mutant, leader: &Leader, candidate: Offset, now: Time, members: &Members) -> bool {
        let lacks = |id: &BrokerId| leader.followers.get(id).is_some_and(|progress| progress.log_end < Some(candidate));
        let advances = candidate > self.high_watermark;
        if mutant == Mutant::MinIsrNotEnforced || mutant == Mutant::HwUnderMinIsr {
            return advances && leader.isr.known().len() < self.min_isr(leader);
        }
        if mutant == Mutant::OptimisticShrink || mutant == Mutant::ExpandNotCounted {
            return advances && leader.isr.maximal().iter().any(lacks);
        }
        if mutant == Mutant::AckBeforeSync {
            return advances && self.settings.flush_each_batch && self.log.durable_end() < candidate;
        }
        let gone = |id: &BrokerId| !members.get(id).is_some_and(|member| member.active);
        let held_by =
            |id: &BrokerId| gone(id) && !leader.isr.may_contain(*id) && self.is_about_to_join(*id, leader, now, members);
        let others = leader.isr.maximal().iter().all(|id| !lacks(id));
        mutant == Mutant::HwWaitsForShutDownReplica
            && others
            && candidate < self.log.log_end()
            && leader.followers.iter().any(|(id, progress)| progress.log_end == Some(candidate) && held_by(id))
    }
}
