//! The log cleaner: compaction of the topics that want it, piece by piece between other steps.
//!
//! ```text
//!   rest (log.cleaner.backoff.ms) ─▶ one piece for each log that has a pass under way or due ─▶ more to do: again at once
//!                                                                                           └─▶ a flush must end first: then again
//!                                                                                           └─▶ nothing: rest
//! ```
//!
//! Kafka has threads for this, which take the filthiest log first. Here every log gets one bounded piece in turn ([`crate::log`]), so that
//! neither heartbeats nor requests wait for long. Every replica cleans its own log, up to its own high watermark.

use crate::log::Compaction;
use crate::types::{PartitionId, Time};

use super::BrokerActor;
use super::reply::Step;

/// When to look next.
#[derive(Debug, Default, Hash)]
pub(super) struct Cleaner {
    due: Time,
    /// Some log waits for a flush.
    waits: bool,
}

impl Cleaner {
    /// Rests first.
    pub fn start(&mut self, due: Time) {
        self.due = due;
    }

    /// A sync has ended: perhaps the one that is waited for.
    pub fn note_synced(&mut self) {
        if self.waits {
            self.due = Time::ZERO;
        }
    }
}

impl BrokerActor {
    /// Does the next piece of work on each log that is compacted, if it is time.
    pub(super) fn clean_logs(&mut self, step: &mut Step<'_>) {
        let now = step.now.mono;
        if !self.view.is_published() || !self.is_participating() || self.cleaner.due > now {
            return;
        }
        let (mut goes_on, mut waits) = (false, false);
        let compacts = |partition: &PartitionId| self.partitions.compacts(*partition);
        let partitions: Vec<PartitionId> = self.partitions.ids().filter(compacts).collect();
        for partition in partitions {
            let Some((replica, _)) = self.partitions.touch(partition) else { continue };
            match replica.compact(step.now, step.disk, step.out) {
                Compaction::Idle => {}
                Compaction::Waiting => waits = true,
                Compaction::Working | Compaction::Began { .. } | Compaction::Ended { .. } => goes_on = true,
            }
        }
        self.cleaner.waits = waits;
        self.cleaner.due = if goes_on { now } else { now.plus(self.config.cleaner_backoff) };
    }

    /// When to look next.
    pub(super) fn cleaner_deadline(&self) -> Option<Time> {
        (self.view.is_published() && self.is_participating()).then_some(self.cleaner.due)
    }
}
