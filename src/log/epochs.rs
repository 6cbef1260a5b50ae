//! The leader-epoch cache: where in the log each leader's records begin.
//!
//! Two logs agree up to an offset exactly if they hold a batch of the same leader epoch there, because each epoch has one leader and
//! each leader writes in order. So a follower finds where its log parts from the leader's by comparing epochs, not offsets
//! (KIP-101), again and again until they meet (KIP-279). This is the map it asks:
//!
//! ```text
//!   offset   0        10        20        30 = log end
//!   log      1 1 1 1  3 3 3 3   4 4 4 4
//!   cache    (1,0)    (3,10)    (4,20)
//!
//!   end of 0 → (0, 0)       older than the first: nothing of it here
//!   end of 1 → (1, 10)      the next epoch's start
//!   end of 2 → (1, 10)      never seen: the one below it
//!   end of 4 → (4, 30)      the last one ends with the log
//!   end of 5 → none         newer than anything known here
//! ```
//!
//! Invariant (R17): epochs and starts both rise strictly, and the cache equals what a scan of the log would give. The one exception is
//! the last entry: a leader enters its epoch at election time, before its first batch (KAFKA-7415).
//!
//! **On disk** the cache is the text file `leader-epoch-checkpoint`, replaced as a whole. Recovery believes it only below the recovery
//! point and scans the log above, hence the [`EpochFile`]: the recovery point may not pass the first offset at which memory and any
//! version that might be on the disk differ. The file may be ahead of `log-start-offset-checkpoint`: then the log starts lower again than
//! the file tells, and everything is scanned. (Kafka leaves the gap, in which followers can no longer be compared.)

use std::collections::VecDeque;

use crate::types::{LeaderEpoch, Offset};

/// One epoch and the offset at which it starts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct EpochStart {
    /// The epoch.
    pub epoch: LeaderEpoch,
    /// Log end when its leader was elected.
    pub start: Offset,
}

/// The ordered map of epochs.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct EpochCache {
    entries: Vec<EpochStart>,
}

impl EpochCache {
    /// A cache of these entries; `None` if they do not rise.
    #[must_use]
    pub fn from_entries(entries: Vec<EpochStart>) -> Option<EpochCache> {
        let rises = entries.windows(2).all(|pair| pair[0].epoch < pair[1].epoch && pair[0].start < pair[1].start);
        rises.then_some(EpochCache { entries })
    }

    /// All entries, oldest first.
    #[must_use]
    pub fn entries(&self) -> &[EpochStart] {
        &self.entries
    }

    /// The newest epoch.
    #[must_use]
    pub fn last(&self) -> Option<LeaderEpoch> {
        self.entries.last().map(|entry| entry.epoch)
    }

    /// Whether the epochs of everything from `start` on are known.
    #[must_use]
    pub fn reaches(&self, start: Offset) -> bool {
        self.entries.first().is_some_and(|first| first.start <= start)
    }

    /// Epoch `epoch` begins at `start`: whatever claimed to be later or to begin later gives way. Says whether anything changed.
    pub fn assign(&mut self, epoch: LeaderEpoch, start: Offset) -> bool {
        if self.entries.last().is_some_and(|last| last.epoch == epoch && last.start <= start) {
            return false;
        }
        let kept = self.entries.iter().take_while(|entry| entry.epoch < epoch && entry.start < start).count();
        self.entries.truncate(kept);
        self.entries.push(EpochStart { epoch, start });
        true
    }

    /// The largest known epoch not above `epoch`, and where it ends. `None`: nothing is known, or `epoch` is newer than
    /// everything known.
    #[must_use]
    pub fn end_of(&self, epoch: LeaderEpoch, log_end: Offset) -> Option<(LeaderEpoch, Offset)> {
        let (first, last) = (self.entries.first()?, self.entries.last()?);
        if epoch > last.epoch {
            return None;
        }
        if epoch == last.epoch {
            return Some((epoch, log_end));
        }
        if epoch < first.epoch {
            return Some((epoch, first.start));
        }
        let above = self.entries.partition_point(|entry| entry.epoch <= epoch);
        Some((self.entries[above - 1].epoch, self.entries[above].start))
    }

    /// The epoch of the batch at `offset`, if the cache reaches back that far.
    #[must_use]
    pub fn epoch_at(&self, offset: Offset) -> Option<LeaderEpoch> {
        let above = self.entries.partition_point(|entry| entry.start <= offset);
        above.checked_sub(1).map(|floor| self.entries[floor].epoch)
    }

    /// The log now ends at `end`: epochs that begin there or later are gone, even if the log was not longer (KAFKA-10706).
    pub fn truncate_from_end(&mut self, end: Offset) -> bool {
        let before = self.entries.len();
        self.entries.truncate(self.entries.partition_point(|entry| entry.start < end));
        self.entries.len() != before
    }

    /// The log now starts at `start`: the epoch that covers it begins there, older ones are gone.
    pub fn truncate_from_start(&mut self, start: Offset) -> bool {
        let covering = self.entries.partition_point(|entry| entry.start <= start);
        if covering == 0 || (covering == 1 && self.entries[0].start == start) {
            return false;
        }
        self.entries.drain(..covering - 1);
        self.entries[0].start = start;
        true
    }

    /// Forgets everything.
    pub fn clear(&mut self) -> bool {
        let had = !self.entries.is_empty();
        self.entries.clear();
        had
    }

    /// First offset whose epoch `self` and `other` may tell differently, looking only from `log_start` on.
    fn differs_from(&self, other: &EpochCache, log_start: Offset) -> Option<Offset> {
        let (mut mine, mut theirs) = (self.clone(), other.clone());
        mine.truncate_from_start(log_start);
        theirs.truncate_from_start(log_start);
        let same = mine.entries.iter().zip(&theirs.entries).take_while(|(a, b)| a == b).count();
        let starts = [mine.entries.get(same), theirs.entries.get(same)];
        starts.into_iter().flatten().map(|entry| entry.start).min()
    }
}

/// What may be in `leader-epoch-checkpoint` at this moment: the version known to be there, and those being written.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(super) struct EpochFile {
    confirmed: EpochCache,
    in_flight: VecDeque<EpochCache>,
}

impl EpochFile {
    /// The file as it was found.
    pub(super) fn found(cache: EpochCache) -> EpochFile {
        EpochFile { confirmed: cache, in_flight: VecDeque::new() }
    }

    /// Whether `cache` must be written: the newest version on its way is another one.
    pub(super) fn is_stale(&self, cache: &EpochCache) -> bool {
        self.in_flight.back().unwrap_or(&self.confirmed) != cache
    }

    /// `cache` is being written from now on.
    pub(super) fn begin(&mut self, cache: &EpochCache) {
        self.in_flight.push_back(cache.clone());
    }

    /// The oldest version in flight is on the disk.
    pub(super) fn end(&mut self) {
        self.confirmed = self.in_flight.pop_front().expect("an end follows its begin");
    }

    /// The highest recovery point at which recovery would still rebuild `cache`, whichever version it finds.
    pub(super) fn limit(&self, cache: &EpochCache, log_start: Offset) -> Option<Offset> {
        let versions = std::iter::once(&self.confirmed).chain(&self.in_flight);
        versions.filter_map(|version| cache.differs_from(version, log_start)).min()
    }
}
