//! The laboratory's reader: after healing it reads every partition from its start to its end.
//!
//! ```text
//!   ListOffset(Beginning, End) of each  ──▶ Assign all from the beginning ──▶ Poll until every end is reached
//!          ▲                                                                      │
//!          └──────────────────────── something failed, or nothing came ◀──────────┘
//! ```
//!
//! What it sees is the final truth for B1 and B3. The last offset below the end is always a record that can be read, as there are no
//! transactions and no compaction yet.

use std::collections::BTreeMap;

use brokerlab::operation::{Operation, Outcome, Position};
use brokerlab::types::{Duration, Offset, Time, TopicPartition};

use super::{STANDSTILL, Wish};

/// Records per poll at most.
const RECORDS_MAX: usize = 5_000;
/// Longest wait of a poll.
const WAIT_MS: u64 = 200;
/// Polls in a row that bring nothing before it begins anew.
const EMPTY_MAX: u32 = 20;
/// Wait after a failure.
const RETRY: Duration = Duration::millis(100);

/// Reads everything.
#[derive(Debug, Default)]
pub struct Laboratory {
    partitions: Vec<TopicPartition>,
    starts: BTreeMap<TopicPartition, Offset>,
    ends: BTreeMap<TopicPartition, Offset>,
    positions: BTreeMap<TopicPartition, Offset>,
    assigned: bool,
    empty: u32,
    stage: Stage,
    /// When it was last given a record.
    given_at: Time,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum Stage {
    #[default]
    Waiting,
    Reading,
    Done,
}

impl Laboratory {
    /// Has read everything.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.stage == Stage::Done
    }

    /// Whether it is reading, and was given a record a short while ago: it will come to the end.
    #[must_use]
    pub fn gets_on(&self, now: Time) -> bool {
        self.stage == Stage::Reading && now.since(self.given_at) < STANDSTILL
    }

    /// Whether it was told to read.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        self.stage != Stage::Waiting
    }

    /// What is not read yet.
    #[must_use]
    pub fn missing(&self) -> Vec<String> {
        let read = |partition| self.positions.get(partition).copied().unwrap_or(Offset::ZERO);
        let end = |partition| self.ends.get(partition).map_or("?".to_string(), ToString::to_string);
        let unread = self.partitions.iter().filter(|partition| self.is_unread(partition));
        unread.map(|partition| format!("lab has read {partition} up to {} of {}", read(partition), end(partition))).collect()
    }

    /// Everything has come to rest: read these now.
    pub fn begin(&mut self, partitions: Vec<TopicPartition>) -> Wish {
        self.partitions = partitions;
        self.stage = Stage::Reading;
        self.restart()
    }

    /// Gives up reading all others: they are no longer there.
    pub fn retain(&mut self, is_there: impl Fn(&TopicPartition) -> bool) {
        self.partitions.retain(is_there);
    }

    pub(super) fn on_start(&mut self, _: Time) -> Wish {
        match self.stage {
            Stage::Reading => self.restart(),
            Stage::Waiting | Stage::Done => Wish::nothing(),
        }
    }

    pub(super) fn on_time(&mut self) -> Wish {
        match self.stage {
            Stage::Reading => self.ask(),
            Stage::Waiting | Stage::Done => Wish::nothing(),
        }
    }

    pub(super) fn on_outcome(&mut self, outcome: &Outcome, now: Time) -> Wish {
        match outcome {
            // The beginning of each partition is asked for first.
            Outcome::Offset { partition, offset } => {
                if self.starts.contains_key(partition) {
                    self.ends.insert(partition.clone(), *offset);
                } else {
                    self.starts.insert(partition.clone(), *offset);
                }
            }
            Outcome::Assigned => self.assigned = true,
            Outcome::Polled { records } => {
                self.empty = if records.is_empty() { self.empty + 1 } else { 0 };
                self.given_at = if records.is_empty() { self.given_at } else { now };
                for record in records {
                    self.positions.insert(record.partition.clone(), record.offset.next());
                }
            }
            Outcome::Failed { .. } => return Wish::at(now.plus(RETRY)),
            Outcome::Produced { .. }
            | Outcome::Subscribed
            | Outcome::Unsubscribed
            | Outcome::Committed { .. }
            | Outcome::TopicCreated { .. }
            | Outcome::TopicDeleted
            | Outcome::RecordsDeleted { .. }
            | Outcome::LeadersElected { .. }
            | Outcome::TopicDescribed { .. }
            | Outcome::Stopped => {}
        }
        if self.empty > EMPTY_MAX { self.restart() } else { self.ask() }
    }

    fn restart(&mut self) -> Wish {
        self.starts.clear();
        self.ends.clear();
        self.positions.clear();
        (self.assigned, self.empty) = (false, 0);
        self.ask()
    }

    fn ask(&mut self) -> Wish {
        if let Some(partition) = self.partitions.iter().find(|partition| !self.ends.contains_key(partition)) {
            let position = if self.starts.contains_key(partition) { Position::End } else { Position::Beginning };
            return Wish::now(Operation::ListOffset { partition: partition.clone(), position });
        }
        if !self.assigned {
            let all = self.partitions.iter().map(|partition| (partition.clone(), Position::Beginning));
            return Wish::now(Operation::Assign { partitions: all.collect() });
        }
        if !self.partitions.iter().any(|partition| self.is_unread(partition)) {
            self.stage = Stage::Done;
            return Wish::nothing();
        }
        Wish::now(Operation::Poll { records_max: RECORDS_MAX, wait_ms: WAIT_MS })
    }

    fn is_unread(&self, partition: &TopicPartition) -> bool {
        let end = self.ends.get(partition).copied();
        // What was given up before the first record need not be read.
        let position = self.positions.get(partition).or_else(|| self.starts.get(partition));
        end.is_none_or(|end| position.copied().unwrap_or(Offset::ZERO) < end)
    }
}
