//! The application of one member of a group: polls, processes record after record, and commits by its policy.
//!
//! ```text
//!                  subscribe        poll                            each record takes its time
//!   (not in it) ─────────────▶ Polling ─────────────▶ Processing ─────────────────────────────▶ Committing
//!        ▲                        ▲  policy `before`: commit first                                   │
//!        │ unsubscribe            └──────────────────────────────── policy `after` ◀─────────────────┘
//!        └─── between two polls
//! ```
//!
//! A record counts as processed at the end of its time; the world notes it as a fact of its own, for no message tells of it. Whatever the
//! client learns meanwhile (a rebalance, that it was thrown out), the application processes what it was handed before it polls again, as
//! applications do. So one that was frozen works on as a *zombie* when it thaws. One that dies forgets what it was at, and
//! begins anew with what the group has committed. So does one that is told that somebody else goes by its `group.instance.id`: for a static
//! member that is the end of its client, and after a change of coordinators it may be its own former self that stands in the way.

use std::collections::VecDeque;
use std::sync::Arc;

use brokerlab::operation::{CommitMode, Operation, OperationId, Outcome, PolledRecord};
use brokerlab::types::{Duration, Offset, Time, TopicPartition};

use super::{STANDSTILL, Wish};
use crate::scenario::model::{CommitPolicy, Group};

/// Records per poll at most; `max.poll.records` may be less.
const RECORDS_MAX: usize = 500;
/// Longest wait of a poll.
const WAIT_MS: u64 = 500;
/// Kafka's error code.
const FENCED_INSTANCE_ID: i16 = 82;
/// Wait after a failure.
const RETRY: Duration = Duration::millis(100);

/// The application of one member.
#[derive(Debug)]
pub struct Worker {
    group: Arc<str>,
    topics: Vec<Arc<str>>,
    processing: Duration,
    /// How much longer it takes at the moment.
    slower: Duration,
    every: Duration,
    commit: CommitPolicy,
    /// Takes part if positive: 1 for those there from the beginning, plus calls to join, less calls to leave.
    calls: i32,
    has_begun: bool,
    is_stopping: bool,
    stage: Stage,
    batch: VecDeque<(TopicPartition, Offset)>,
    /// When it goes on by itself.
    due: Option<Time>,
    /// The command whose end it waits for. Commits that it does not wait for end some time or other.
    asked: Option<OperationId>,
    /// The last poll brought nothing, and nothing has changed hands since.
    is_idle: bool,
    /// When it was last handed records.
    given_at: Time,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stage {
    /// Not in the group.
    Out,
    Subscribing,
    Polling,
    Processing,
    /// Waits for a commit, and then processes, or polls.
    Committing(Next),
    /// Between two polls.
    Pausing,
    Leaving,
    Stopping,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Next {
    Process,
    Poll,
}

impl Worker {
    /// The application that a scenario describes. `takes_part`: from the beginning.
    #[must_use]
    pub fn new(group: &Group, takes_part: bool) -> Worker {
        Worker {
            group: Arc::from(group.name.as_str()),
            topics: group.topics.iter().map(|topic| Arc::from(topic.as_str())).collect(),
            processing: group.processing,
            slower: Duration::ZERO,
            every: group.every,
            commit: group.commit,
            calls: i32::from(takes_part),
            has_begun: false,
            is_stopping: false,
            stage: Stage::Out,
            batch: VecDeque::new(),
            due: None,
            asked: None,
            is_idle: false,
            given_at: Time::ZERO,
        }
    }

    /// The group.
    #[must_use]
    pub fn group(&self) -> &Arc<str> {
        &self.group
    }

    /// Whether it takes part in the group, or will as soon as it can.
    #[must_use]
    pub fn takes_part(&self) -> bool {
        self.calls > 0
    }

    /// Whether there was nothing to do at its last poll; true for those who do not take part.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        if self.takes_part() { self.is_idle } else { self.stage == Stage::Out }
    }

    /// Whether it was handed records a short while ago: it may have much to do, but it does it.
    #[must_use]
    pub fn gets_on(&self, now: Time) -> bool {
        now.since(self.given_at) < STANDSTILL
    }

    /// It was given partitions: there may be something to do.
    pub fn expect_work(&mut self) {
        self.is_idle = false;
    }

    /// The topics are ready.
    pub fn begin(&mut self, now: Time) -> Wish {
        self.has_begun = true;
        self.wake(now)
    }

    /// It is called into the group.
    pub fn join(&mut self, now: Time) -> Wish {
        self.calls += 1;
        self.wake(now)
    }

    /// It is called out of the group: it goes when it has processed what it was handed.
    pub fn leave(&mut self, now: Time) -> Wish {
        self.calls -= 1;
        self.wake(now)
    }

    /// From the next record on each takes this much longer.
    pub fn slow_down(&mut self, by: Duration) {
        self.slower = Duration(self.slower.0 + by.0);
    }

    /// No longer that.
    pub fn speed_up(&mut self, by: Duration) {
        self.slower = Duration(self.slower.0 - by.0);
    }

    /// It is to close its client, in order.
    pub fn stop(&mut self, now: Time) -> Wish {
        self.is_stopping = true;
        self.wake(now)
    }

    /// Its last wish got this number.
    pub fn on_asked(&mut self, id: OperationId) {
        self.asked = Some(id);
    }

    pub(super) fn on_start(&mut self, now: Time) -> Wish {
        self.wake(now)
    }

    pub(super) fn on_death(&mut self) {
        self.batch.clear();
        (self.stage, self.due) = (Stage::Out, None);
        (self.is_stopping, self.is_idle) = (false, false);
    }

    pub(super) fn on_time(&mut self, now: Time) -> Wish {
        // Calls of a former life, and those that were overtaken.
        if self.due.is_none_or(|due| due > now) {
            return Wish::nothing();
        }
        self.due = None;
        match self.stage {
            Stage::Processing => {
                let processed = self.batch.pop_front().into_iter().collect();
                Wish { processed, ..self.process(now) }
            }
            Stage::Out | Stage::Subscribing | Stage::Polling | Stage::Pausing => self.go_on(now),
            Stage::Committing(_) | Stage::Leaving | Stage::Stopping => Wish::nothing(),
        }
    }

    pub(super) fn on_outcome(&mut self, id: OperationId, outcome: &Outcome, now: Time) -> Wish {
        if self.asked.is_some_and(|asked| asked != id) {
            return Wish::nothing();
        }
        match (self.stage, outcome) {
            (Stage::Polling, Outcome::Polled { records }) => self.take(records, now),
            (Stage::Subscribing, Outcome::Subscribed) => self.go_on(now),
            (Stage::Committing(Next::Process), Outcome::Committed { .. }) => self.process(now),
            // At most once: what may come again must not be processed now.
            (Stage::Committing(Next::Process), _) => {
                self.batch.clear();
                self.pause(now)
            }
            (Stage::Committing(Next::Poll), _) => self.pause(now),
            (Stage::Leaving, Outcome::Unsubscribed) => {
                self.stage = Stage::Out;
                self.go_on(now)
            }
            (Stage::Subscribing, Outcome::Failed { .. }) => {
                self.stage = Stage::Out;
                self.at(now.plus(RETRY))
            }
            // Another one is known by its name: its client is of no use any more, and it begins anew.
            (Stage::Polling, Outcome::Failed { code: FENCED_INSTANCE_ID, .. }) => {
                self.stage = Stage::Leaving;
                Wish::now(Operation::Unsubscribe)
            }
            (Stage::Polling, Outcome::Failed { .. }) => {
                self.stage = Stage::Pausing;
                self.at(now.plus(RETRY))
            }
            (_, _) => Wish::nothing(),
        }
    }

    fn take(&mut self, records: &[PolledRecord], now: Time) -> Wish {
        self.is_idle = records.is_empty();
        if !self.is_idle {
            self.given_at = now;
        }
        self.batch = records.iter().map(|record| (record.partition.clone(), record.offset)).collect();
        if self.commit == CommitPolicy::Before && !self.batch.is_empty() {
            self.stage = Stage::Committing(Next::Process);
            return commit(CommitMode::Sync);
        }
        self.process(now)
    }

    fn process(&mut self, now: Time) -> Wish {
        self.stage = Stage::Processing;
        if self.batch.is_empty() {
            return self.after_work(now);
        }
        let takes = Duration(self.processing.0 + self.slower.0);
        if takes > Duration::ZERO {
            return self.at(now.plus(takes));
        }
        let processed = std::mem::take(&mut self.batch).into();
        Wish { processed, ..self.after_work(now) }
    }

    /// Everything that it was handed is processed.
    fn after_work(&mut self, now: Time) -> Wish {
        match self.commit {
            CommitPolicy::After if !self.is_idle => {
                self.stage = Stage::Committing(Next::Poll);
                commit(CommitMode::Sync)
            }
            CommitPolicy::AfterAsync if !self.is_idle => {
                self.stage = Stage::Pausing;
                Wish { again: self.at(now.plus(self.every)).again, ..commit(CommitMode::Async) }
            }
            CommitPolicy::After | CommitPolicy::AfterAsync | CommitPolicy::Before | CommitPolicy::Auto => self.pause(now),
        }
    }

    fn pause(&mut self, now: Time) -> Wish {
        self.stage = Stage::Pausing;
        if self.every == Duration::ZERO { self.go_on(now) } else { self.at(now.plus(self.every)) }
    }

    /// Something about it has changed: looks at once whether that matters.
    fn wake(&mut self, now: Time) -> Wish {
        match self.stage {
            Stage::Out | Stage::Pausing => self.go_on(now),
            // It looks when it has done what it is at.
            Stage::Subscribing | Stage::Polling | Stage::Processing | Stage::Committing(_) | Stage::Leaving | Stage::Stopping => {
                Wish::nothing()
            }
        }
    }

    /// Between two polls: what comes next?
    fn go_on(&mut self, _: Time) -> Wish {
        self.due = None;
        let wanted = self.has_begun && self.takes_part();
        let (stage, operation) = match (self.stage == Stage::Out, wanted) {
            _ if self.is_stopping => (Stage::Stopping, Operation::Shutdown),
            (true, true) => (Stage::Subscribing, Operation::Subscribe { topics: self.topics.clone() }),
            (true, false) => return Wish::nothing(),
            (false, true) => (Stage::Polling, Operation::Poll { records_max: RECORDS_MAX, wait_ms: WAIT_MS }),
            (false, false) => (Stage::Leaving, Operation::Unsubscribe),
        };
        self.stage = stage;
        Wish::now(operation)
    }

    fn at(&mut self, at: Time) -> Wish {
        self.due = Some(at);
        Wish::at(at)
    }
}

fn commit(mode: CommitMode) -> Wish {
    Wish::now(Operation::Commit { offsets: None, mode })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use brokerlab::operation::Certainty;
    use brokerlab::types::{LeaderEpoch, Timestamp};

    use super::*;

    const MS: u64 = 1_000_000;
    const ANY: OperationId = OperationId(0);

    fn worker(commit: CommitPolicy) -> Worker {
        let group = Group {
            name: "g".into(),
            topics: vec!["t".into()],
            members: 1,
            processing: Duration::millis(5),
            commit,
            ..Group::default()
        };
        let mut worker = Worker::new(&group, true);
        assert!(matches!(worker.begin(Time(0)).operation, Some(Operation::Subscribe { .. })));
        assert!(matches!(worker.on_outcome(ANY, &Outcome::Subscribed, Time(0)).operation, Some(Operation::Poll { .. })));
        worker
    }

    fn polled(offsets: &[i64]) -> Outcome {
        let record = |offset: &i64| PolledRecord {
            partition: TopicPartition { topic: Arc::from("t"), index: 0 },
            offset: Offset(*offset),
            leader_epoch: LeaderEpoch(0),
            timestamp: Timestamp(0),
            key: None,
            value: None,
        };
        Outcome::Polled { records: offsets.iter().map(record).collect() }
    }

    #[allow(clippy::wildcard_enum_match_arm)]
    fn what(wish: &Wish) -> String {
        let processed = wish.processed.iter().map(|(_, offset)| format!("did {offset}"));
        let asked = wish.operation.iter().map(|operation| match operation {
            Operation::Commit { mode, .. } => format!("commit {mode:?}"),
            Operation::Poll { .. } => "poll".to_string(),
            Operation::Unsubscribe => "unsubscribe".to_string(),
            Operation::Subscribe { .. } => "subscribe".to_string(),
            Operation::Shutdown => "shutdown".to_string(),
            other => format!("{other:?}"),
        });
        let again = wish.again.iter().map(|at| format!("at {}ms", at.0 / MS));
        processed.chain(asked).chain(again).collect::<Vec<_>>().join(", ")
    }

    fn committed() -> Outcome {
        Outcome::Committed { offsets: Vec::new() }
    }

    #[test]
    fn each_record_takes_its_time_and_the_commit_comes_last() {
        let mut worker = worker(CommitPolicy::After);
        assert_eq!(what(&worker.on_outcome(ANY, &polled(&[3, 4]), Time(0))), "at 5ms");
        assert_eq!(what(&worker.on_time(Time(5 * MS))), "did 3, at 10ms");
        assert_eq!(what(&worker.on_time(Time(10 * MS))), "did 4, commit Sync");
        assert_eq!(what(&worker.on_outcome(ANY, &committed(), Time(11 * MS))), "poll");
        assert_eq!(what(&worker.on_outcome(ANY, &polled(&[]), Time(12 * MS))), "poll");
        assert!(worker.is_idle());
    }

    #[test]
    fn a_slow_application_is_slow_from_the_next_record_on_and_gets_well_again() {
        let mut worker = worker(CommitPolicy::After);
        assert_eq!(what(&worker.on_outcome(ANY, &polled(&[3, 4, 5]), Time(0))), "at 5ms");
        worker.slow_down(Duration::millis(100));
        assert_eq!(what(&worker.on_time(Time(5 * MS))), "did 3, at 110ms");
        worker.speed_up(Duration::millis(100));
        assert_eq!(what(&worker.on_time(Time(110 * MS))), "did 4, at 115ms");
    }

    #[test]
    fn at_most_once_commits_first_and_gives_up_what_it_could_not_commit() {
        let mut worker = worker(CommitPolicy::Before);
        assert_eq!(what(&worker.on_outcome(ANY, &polled(&[3]), Time(0))), "commit Sync");
        assert_eq!(what(&worker.on_outcome(ANY, &committed(), Time(0))), "at 5ms");
        assert_eq!(what(&worker.on_time(Time(5 * MS))), "did 3, poll");
        worker.on_outcome(ANY, &polled(&[4]), Time(6 * MS));
        let failed = Outcome::Failed { code: 25, certainty: Certainty::Definite };
        assert_eq!(what(&worker.on_outcome(ANY, &failed, Time(7 * MS))), "poll");
    }

    #[test]
    fn the_end_of_a_commit_that_nobody_waits_for_is_not_that_of_the_poll() {
        let mut worker = worker(CommitPolicy::AfterAsync);
        worker.on_outcome(ANY, &polled(&[3]), Time(0));
        assert_eq!(what(&worker.on_time(Time(5 * MS))), "did 3, commit Async, at 5ms");
        assert_eq!(what(&worker.on_time(Time(5 * MS))), "poll");
        worker.on_asked(OperationId(7));
        let failed = Outcome::Failed { code: 25, certainty: Certainty::Definite };
        assert_eq!(worker.on_outcome(OperationId(6), &failed, Time(6 * MS)), Wish::nothing());
        assert_eq!(what(&worker.on_outcome(OperationId(7), &polled(&[4]), Time(7 * MS))), "at 12ms");
    }

    #[test]
    fn who_leaves_finishes_its_work_first() {
        let mut worker = worker(CommitPolicy::After);
        worker.on_outcome(ANY, &polled(&[3]), Time(0));
        assert_eq!(worker.leave(Time(MS)), Wish::nothing());
        assert_eq!(what(&worker.on_time(Time(5 * MS))), "did 3, commit Sync");
        assert_eq!(what(&worker.on_outcome(ANY, &committed(), Time(6 * MS))), "unsubscribe");
        assert_eq!(worker.on_outcome(ANY, &Outcome::Unsubscribed, Time(7 * MS)), Wish::nothing());
        assert!(worker.is_idle());
        assert_eq!(what(&worker.join(Time(8 * MS))), "subscribe");
    }

    #[test]
    fn who_dies_forgets_and_who_is_told_to_stop_closes() {
        let mut worker = worker(CommitPolicy::Auto);
        worker.on_outcome(ANY, &polled(&[3, 4]), Time(0));
        worker.on_death();
        assert_eq!(worker.on_time(Time(5 * MS)), Wish::nothing());
        assert_eq!(what(&worker.on_start(Time(6 * MS))), "subscribe");
        worker.on_outcome(ANY, &Outcome::Subscribed, Time(6 * MS));
        assert_eq!(worker.stop(Time(7 * MS)), Wish::nothing());
        assert_eq!(what(&worker.on_outcome(ANY, &polled(&[]), Time(8 * MS))), "shutdown");
    }
}
