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
use crate::types::{BrokerId, Offset, Time};

use super::registration::sorted;
use super::role::{Leader, Role};
use super::{Members, Replica};

impl Replica {
    /// The effective minimum of in-sync replicas: never more than there are replicas.
    pub(super) fn min_isr(&self, leader: &Leader) -> usize {
        (self.settings.min_isr as usize).clamp(1, leader.replicas.len().max(1))
    }

    /// Recomputes the high watermark of a leader.
    pub(super) fn advance_high_watermark(&mut self, now: Now, members: &Members, out: &mut Outbox) {
        let Role::Leader(leader) = &self.role else { return };
        let isr = leader.isr.known();
        if self.failed.is_some() || isr.len() < self.min_isr(leader) {
            return;
        }
        let Some(candidate) = self.committed_end(leader, now.mono, members) else { return };
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
            maximal_isr: leader.isr.maximal(),
            isr: sorted(isr),
            min_isr: self.min_isr(leader) as u32,
        });
        self.high_watermark = candidate;
        self.changes.high_watermark = true;
    }

    /// The end of what all that count have; `None` while one that counts has not yet fetched in this epoch.
    fn committed_end(&self, leader: &Leader, now: Time, members: &Members) -> Option<Offset> {
        let mut end = if self.settings.flush_each_batch { self.log.durable_end() } else { self.log.log_end() };
        for (id, progress) in &leader.followers {
            let counts = leader.isr.may_contain(*id) || self.is_about_to_join(*id, leader, now, members);
            if counts {
                end = end.min(progress.log_end?);
            }
        }
        Some(end)
    }

    fn is_about_to_join(&self, id: BrokerId, leader: &Leader, now: Time, members: &Members) -> bool {
        let eligible = members.get(&id).is_some_and(|member| member.active);
        let caught_up = leader.followers[&id].caught_up_at;
        eligible && caught_up.is_some_and(|at| now.since(at) <= self.settings.replica_lag_max)
    }
}
