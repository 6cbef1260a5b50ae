//! A consumer's application: reads all partitions of a topic from their beginning, poll after poll.
//!
//! Now and then it asks where a partition ends, as monitoring does: what a leader answers there is a promise too. An application that was
//! restarted remembers nothing and begins anew.

use std::sync::Arc;

use brokerlab::operation::{Operation, Outcome, Position};
use brokerlab::types::{Duration, Time, TopicPartition};

use super::{STANDSTILL, Wish};
use crate::scenario::model;

/// Records per poll at most.
const RECORDS_MAX: usize = 500;
/// Longest wait of a poll.
const WAIT_MS: u64 = 500;
/// One in so many operations asks for an end.
const ENDS_EVERY: u64 = 16;
/// Wait after a failure.
const RETRY: Duration = Duration::millis(100);

/// The application of one consumer.
#[derive(Debug)]
pub struct Reader {
    partitions: Vec<TopicPartition>,
    every: Duration,
    begun: bool,
    assigned: bool,
    busy: bool,
    asked: u64,
    /// When it was last given a record.
    given_at: Time,
}

impl Reader {
    /// The application that a scenario describes, for a topic with so many partitions.
    #[must_use]
    pub fn new(consumer: &model::Consumer, partitions: u32) -> Reader {
        let topic: Arc<str> = Arc::from(consumer.topic.as_str());
        let count = i32::try_from(partitions).unwrap_or(i32::MAX);
        let partitions = (0..count).map(|index| TopicPartition { topic: topic.clone(), index }).collect();
        let given_at = Time::ZERO;
        Reader { partitions, every: consumer.every, begun: false, assigned: false, busy: false, asked: 0, given_at }
    }

    /// The topics are ready.
    pub fn begin(&mut self) -> Wish {
        self.begun = true;
        self.ask()
    }

    /// Whether it was given a record a short while ago: one that polls seldom, of segments of one batch each, may be long behind and well.
    #[must_use]
    pub fn gets_on(&self, now: Time) -> bool {
        now.since(self.given_at) < STANDSTILL
    }

    pub(super) fn on_start(&mut self, _: Time) -> Wish {
        (self.assigned, self.busy) = (false, false);
        if self.begun { self.ask() } else { Wish::nothing() }
    }

    pub(super) fn on_time(&mut self, _: Time) -> Wish {
        if self.busy { Wish::nothing() } else { self.ask() }
    }

    pub(super) fn on_outcome(&mut self, outcome: &Outcome, now: Time) -> Wish {
        self.busy = false;
        match outcome {
            Outcome::Assigned => self.assigned = true,
            Outcome::Failed { .. } => return Wish::at(now.plus(RETRY)),
            Outcome::Polled { records } => self.given_at = if records.is_empty() { self.given_at } else { now },
            Outcome::Offset { .. }
            | Outcome::Produced { .. }
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
        if self.every == Duration::ZERO { self.ask() } else { Wish::at(now.plus(self.every)) }
    }

    fn ask(&mut self) -> Wish {
        self.busy = true;
        self.asked += 1;
        Wish::now(if !self.assigned {
            let all = self.partitions.iter().map(|partition| (partition.clone(), Position::Beginning));
            Operation::Assign { partitions: all.collect() }
        } else if self.asked.is_multiple_of(ENDS_EVERY) && !self.partitions.is_empty() {
            let at = usize::try_from(self.asked / ENDS_EVERY).unwrap_or(0) % self.partitions.len();
            Operation::ListOffset { partition: self.partitions[at].clone(), position: Position::End }
        } else {
            Operation::Poll { records_max: RECORDS_MAX, wait_ms: WAIT_MS }
        })
    }
}
