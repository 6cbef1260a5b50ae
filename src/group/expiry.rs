//! Offsets that nobody needs any more are forgotten (`offsets.retention.minutes`), and so are groups of which nothing is left.
//!
//! ```text
//!   group                                      an offset expires, retention counted
//!   that never had members                     from its commit
//!   without members now                        from the moment the last one went: a group that pauses loses nothing meanwhile
//!   of consumers, stable                       from its commit, if nobody subscribes to its topic
//!   of the newer protocol                      the same
//!   otherwise                                  not at all
//! ```
//!
//! A client of old may have said itself how long its offset is to be kept; then that counts. Offsets of a topic that is deleted go with it.
//! Every removal is a tombstone in the log, so that the next coordinator has forgotten, too.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::fact::group::{CommitRemoval, GroupFact, GroupState};
use crate::types::{Duration, Timestamp, TopicPartition};

use super::classic::Phase as GroupPhase;
use super::commit::age;
use super::groups::Group;
use super::offsets::CommittedOffset;
use super::shard::{Phase, Shard, Turn, Work};

impl Shard {
    pub(super) fn expire_if_due(&mut self, turn: &mut Turn<'_>) {
        let Phase::Active { expiry_due } = &mut self.phase else { return };
        if *expiry_due > turn.now.mono {
            return;
        }
        *expiry_due = turn.now.mono.plus(self.desk.config.retention_check_interval);
        let groups: Vec<Arc<str>> = self.groups.keys().cloned().collect();
        for id in groups {
            let mut work = Work { turn, desk: &mut self.desk };
            if let Some(group) = self.groups.get_mut(&id) {
                group.expire_offsets(&mut work);
            }
            self.forget_if_void(&id);
        }
    }

    /// Topics are no more: what was committed for them is of no use, and would harm whoever reads another topic of that name.
    pub fn on_topics_deleted(&mut self, topics: &BTreeSet<Arc<str>>, turn: &mut Turn<'_>) {
        let Phase::Active { .. } = self.phase else { return };
        for group in self.groups.values_mut() {
            let mut work = Work { turn, desk: &mut self.desk };
            let of_them = |(partition, _): (&TopicPartition, &CommittedOffset)| {
                topics.contains(&partition.topic).then(|| partition.clone())
            };
            let gone: Vec<TopicPartition> = group.offsets.newest().filter_map(of_them).collect();
            // If it cannot be written now, the offsets expire with their group.
            let _ = group.remove_offsets(&mut work, &gone, CommitRemoval::TopicGone, false);
        }
    }
}

impl Group {
    fn expire_offsets(&mut self, work: &mut Work<'_, '_>) {
        let (now, retention) = (work.turn.now.wall, work.desk.config.offsets_retention);
        let is_expired =
            |(partition, value): &(&TopicPartition, &CommittedOffset)| self.expires(partition, value, now, retention);
        let gone: Vec<TopicPartition> =
            self.offsets.newest().filter(is_expired).map(|(partition, _)| partition.clone()).collect();
        let is_last = self.offsets.newest().count() == gone.len();
        let has_members = self.consumer.as_ref().is_some_and(|group| !group.members.is_empty());
        let is_idle = self.classic.phase == GroupPhase::Empty && self.classic.newcomers.is_empty() && !has_members;
        let (and_group, generation) = (is_last && is_idle, self.generation());
        // A refusal is no harm: there will be another try.
        if self.remove_offsets(work, &gone, CommitRemoval::Expired, and_group).is_ok() && and_group {
            self.die(work, generation);
        }
    }

    fn expires(&self, partition: &TopicPartition, value: &CommittedOffset, now: Timestamp, retention: Duration) -> bool {
        let from = match self.classic.phase {
            _ if self.consumer.is_some() => Some(value.at).filter(|_| !self.is_subscribed_to(&partition.topic)),
            _ if self.classic.protocol_type.is_none() => Some(value.at),
            GroupPhase::Empty => Some(self.classic.since.unwrap_or(value.at)),
            GroupPhase::Stable { .. } => Some(value.at).filter(|_| !self.classic.is_subscribed_to(&partition.topic)),
            GroupPhase::Preparing { .. } | GroupPhase::Completing { .. } => None,
        };
        match (from, value.expires) {
            (None, _) => false,
            (Some(_), Some(expires)) => now >= expires,
            (Some(from), None) => age(now, from) >= retention,
        }
    }

    /// The group is no more; one of the same name begins anew.
    pub(super) fn die(&mut self, work: &mut Work<'_, '_>, generation: i32) {
        work.fact(GroupFact::GroupStateChanged { group: self.id.clone(), state: GroupState::Dead, generation });
        let (stored, stored_end) = (self.classic.stored.take(), self.classic.stored_end);
        assert!(stored.is_none(), "{} dies with its record in the log", self.id);
        self.classic = super::classic::Classic { stored_end, ..Default::default() };
    }
}
