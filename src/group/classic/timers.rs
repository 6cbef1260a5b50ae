//! What happens when nothing happens: members that fall silent, rebalances that take long.

use std::sync::Arc;

use crate::fact::group::{GroupFact, RemovalReason};
use crate::group::alarms::Alarm;
use crate::group::groups::Group;
use crate::group::shard::Work;
use crate::mutant::Mutant;
use crate::types::Duration;

use super::{InitialDelay, Phase};

impl Group {
    /// The alarm of a member rings: has it been silent for its whole session?
    pub(in crate::group) fn on_silence(&mut self, work: &mut Work<'_, '_>, id: &Arc<str>) {
        let now = work.now();
        if self.classic.newcomers.get(id).is_some_and(|expires| *expires <= now) {
            self.classic.newcomers.remove(id);
            let (group, member, reason) = (self.id.clone(), id.clone(), RemovalReason::NeverJoined);
            work.fact(GroupFact::MemberRemoved { group, member, reason });
            return self.complete_join_if_all_are_there(work);
        }
        let Some(member) = self.classic.members.get_mut(id).filter(|member| member.alarm <= now) else { return };
        if member.expires <= now && !member.is_excused() {
            self.remove_member(work, id, RemovalReason::SessionExpired);
            return self.rebalance_without_the_gone(work);
        }
        // It waits for us, or has been heard of since the alarm was set.
        if member.expires <= now {
            member.expires = now.plus(member.session);
        }
        member.alarm = member.expires;
        work.desk.alarms.set(member.alarm, Alarm::Member(self.id.clone(), id.clone()));
    }

    /// A rebalance takes long: it ends with those who have come, or goes on without those who never ask for their assignment.
    pub(in crate::group) fn on_rebalance_timeout(&mut self, work: &mut Work<'_, '_>) {
        let now = work.now();
        match self.classic.phase {
            Phase::Preparing { until, initial: Some(InitialDelay { left, has_newcomer: true }) }
                if until <= now && left > Duration::ZERO =>
            {
                let delay = work.desk.config.initial_rebalance_delay.min(left);
                let left = Duration(left.0.saturating_sub(work.desk.config.initial_rebalance_delay.0));
                self.await_members(work, delay, Some(InitialDelay { left, has_newcomer: false }));
            }
            Phase::Preparing { until, .. } if until <= now => self.complete_join(work),
            Phase::Completing { until } | Phase::Stable { until } if until <= now => self.remove_who_never_synced(work),
            Phase::Empty | Phase::Preparing { .. } | Phase::Completing { .. } | Phase::Stable { .. } => {}
        }
    }

    fn remove_who_never_synced(&mut self, work: &mut Work<'_, '_>) {
        let never = self.classic.members.iter().filter(|(_, member)| !member.has_synced);
        let never: Vec<Arc<str>> = never.map(|(id, _)| id.clone()).collect();
        if never.is_empty() || work.spoils(Mutant::StuckCompletingRebalance) {
            return;
        }
        never.iter().for_each(|id| self.remove_member(work, id, RemovalReason::SyncExpired));
        self.rebalance_without_the_gone(work);
    }
}
