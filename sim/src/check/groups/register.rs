//! Committed offsets: for each group and partition a register that is written by records and read by OffsetFetch and by new coordinators.
//!
//! ```text
//!   written        120 at 40      130 at 45      140 at 47
//!   acknowledged      ✓              ✓           (the answer is lost, or on its way)
//!   legal to read                   130          140               120 is overwritten by what was acknowledged after it
//! ```

use std::sync::Arc;

use brokerlab::types::{LeaderEpoch, Offset};
use brokerlab_reports::event::EventId;

use super::RecordPlace;
use super::shard::holds;
use crate::check::chain::Chain;

/// What was written for one partition of one group, in the order in which it was stated.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Register {
    /// Oldest first.
    pub written: Vec<Stored>,
    /// The oldest are forgotten. Only a loss in the group's own log can bring them back.
    pub is_pruned: bool,
}

/// One record.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Stored {
    /// The committed offset; `None`: removed.
    pub value: Option<Offset>,
    /// Where it stands.
    pub place: RecordPlace,
    /// Who coordinates.
    pub node: usize,
    /// The member that committed.
    pub member: Arc<str>,
    /// In which generation.
    pub generation: i32,
    /// When it was written.
    pub event: EventId,
    /// When the request for it was delivered.
    pub request: EventId,
    /// Leader epoch of the last record below that offset, in the partition that is read, as it was then; `None` if there was none.
    pub follows: Option<LeaderEpoch>,
    /// When it was acknowledged.
    pub acknowledged: Option<EventId>,
}

impl Register {
    /// What a log says: the last record that it holds.
    #[must_use]
    pub fn fold(&self, log: &Chain) -> Option<&Stored> {
        self.written.iter().filter(|stored| holds(log, stored.place)).max_by_key(|stored| stored.place.at)
    }

    /// The last record that was acknowledged before that event.
    #[must_use]
    pub fn acknowledged_before(&self, event: EventId) -> Option<&Stored> {
        self.newest(|stored| stored.acknowledged.is_some_and(|when| when < event))
    }

    /// The last record that was acknowledged.
    #[must_use]
    pub fn acknowledged(&self) -> Option<&Stored> {
        self.acknowledged_before(EventId(u64::MAX))
    }

    /// The last record that was acknowledged, of those that were written in this leader epoch or an earlier one.
    #[must_use]
    pub fn acknowledged_up_to(&self, epoch: LeaderEpoch) -> Option<&Stored> {
        self.newest(|stored| stored.acknowledged.is_some() && stored.place.epoch <= epoch)
    }

    fn newest(&self, which: impl Fn(&Stored) -> bool) -> Option<&Stored> {
        self.written.iter().filter(|stored| which(stored)).max_by_key(|stored| stored.place)
    }

    /// Whether somebody who asks at that event may be told this value: nothing that was acknowledged before is newer.
    #[must_use]
    pub fn is_legal(&self, value: Option<Offset>, asked: EventId) -> bool {
        let Some(floor) = self.acknowledged_before(asked) else {
            return value.is_none() || self.written.iter().any(|stored| stored.value == value);
        };
        self.written.iter().any(|stored| stored.value == value && stored.place >= floor.place)
    }

    /// The answer says that it is stored: gives its place.
    pub(super) fn acknowledge(
        &mut self,
        who: (usize, &str, i32),
        value: Offset,
        (request, event): (EventId, EventId),
    ) -> Option<RecordPlace> {
        let (node, member, generation) = who;
        let is_it = |stored: &Stored| {
            let same = stored.node == node && &*stored.member == member && stored.generation == generation;
            same && stored.value == Some(value) && stored.acknowledged.is_none()
        };
        // The same offset may have been asked for twice.
        let asked_for = self.written.iter().rposition(|stored| is_it(stored) && stored.request == request);
        let at = asked_for.or_else(|| self.written.iter().rposition(is_it))?;
        let stored = &mut self.written[at];
        stored.acknowledged = Some(event);
        Some(stored.place)
    }
}
