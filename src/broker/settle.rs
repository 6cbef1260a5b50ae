//! The end of a step: who must hear of what has changed?
//!
//! ```text
//!   event ──▶ replicas touched ──▶ for each: a proposal? another leader to follow? parked requests to wake?
//!                  ▲                    │
//!                  └── answers, reads ──┘        until nobody is touched any more
//!             lines: heartbeat, metadata fetch, AlterPartition, follower fetches, forwarded requests
//!             each touched replica, once: begin the syncs that are due
//! ```
//!
//! Only what was touched is looked at, so a step costs what it did, not what the broker holds. A parked fetch is answered at the end of a burst of
//! events: produce requests that have arrived together become one answer to each follower, not one each.

use std::collections::BTreeSet;

use crate::mutant::Mutant;
use crate::replica::Changes;
use crate::types::{PartitionId, Time};

use super::BrokerActor;
use super::lifecycle::Phase;
use super::metadata_view::earliest;
use super::purgatory::{Parked, Place, Waiting};
use super::reply::Step;
use super::session::Wish;

impl BrokerActor {
    /// Does what time brings: answers parked requests whose deadline has come, looks for followers that lag.
    pub(super) fn on_time(&mut self, step: &mut Step<'_>) {
        let now = step.now.mono;
        while let Some(place) = self.parked.due(now) {
            self.expire(place, step);
        }
        if self.view.is_published() && self.isr_scan_due <= now {
            self.isr_scan_due = now.plus(self.config.replica_lag_time_max.divided(2));
            let (replicas, members) = self.partitions.touch_all();
            replicas.for_each(|replica| replica.on_tick(step.now, members, step.out));
        }
        self.step_shards(step);
        self.check_retention(step);
        self.clean_logs(step);
    }

    fn expire(&mut self, place: Place, step: &mut Step<'_>) {
        if let Some(Parked { request: Waiting::Produce(waiting), .. }) = self.parked.parked_mut(place) {
            waiting.expire();
            return self.answer_produces(place.connection, step);
        }
        match self.parked.release(place) {
            Some(Parked { caller, request: Waiting::Fetch(waiting), .. }) => self.expire_fetch(caller, waiting, step),
            Some(Parked { caller, request: Waiting::Deletion(waiting), .. }) => waiting.answer(caller, step),
            Some(Parked { request: Waiting::Produce(_), .. }) | None => {}
        }
    }

    /// Keeps every line busy with what it is for.
    fn pump(&mut self, step: &mut Step<'_>) {
        let now = step.now.mono;
        let is_due = self.lines_due.is_some_and(|due| due <= now);
        if !self.stirred && !is_due && !self.forwarding.has_waiting() {
            return;
        }
        self.stirred = false;
        let wish = Wish {
            applied: self.view.applied(),
            want_fence: !self.view.is_published(),
            want_shut_down: matches!(self.phase, Phase::HandingOver { .. }),
        };
        let epoch = self.session.epoch_or_none();
        self.session.pump(now, &self.config, wish, step.out);
        self.view.pump(now, &self.config, step.out);
        self.isr_changes.pump(&self.config, epoch, &mut self.partitions, step);
        self.fetchers.pump(&self.config, epoch, &self.partitions, step);
        self.checkpoints.pump(now, &self.config, &self.partitions, step.out);
        let answered = self.forwarding.pump(now, &self.config, epoch, step.out);
        self.on_answered(answered, step);
        self.lines_due = self.next_wish_of_lines();
    }

    /// Looks at every replica that this step has touched: wakes who waits for it, and notes whom it follows and what it proposes.
    fn look_at_touched(&mut self, seen: &mut BTreeSet<PartitionId>, step: &mut Step<'_>) {
        while let Some(partition) = self.partitions.next_touched() {
            seen.insert(partition);
            let Some((replica, _)) = self.partitions.touch_quietly(partition) else {
                self.fetchers.assign(partition, None, self.view.image(), &self.channels);
                let changes = Changes { role: true, ..Changes::default() };
                self.look_at_shard(partition, changes, step);
                self.wake(partition, changes, step);
                continue;
            };
            let changes = replica.take_changes();
            if replica.proposal().is_some() {
                self.isr_changes.note(partition);
                self.stirred = true;
            }
            self.stirred |= changes.role;
            if changes.role {
                let leader = replica.leader().filter(|leader| *leader != self.config.id);
                self.fetchers.assign(partition, leader, self.view.image(), &self.channels);
            }
            if changes.role && self.config.mutants.is(Mutant::FetchHangsAfterLeaderChange) {
                self.forget_fetches(partition, step);
            }
            if changes.log_start {
                self.checkpoints.note_log_start();
                self.stirred = true;
            }
            if changes.role || changes.log_end || changes.high_watermark || changes.low_watermark {
                self.wake(partition, changes, step);
            }
            if (changes.role || changes.high_watermark) && self.groups.topic == Some(partition.topic) {
                self.look_at_shard(partition, changes, step);
            }
            if let Some(error) = self.partitions.failure(partition) {
                self.fail(error, step);
            }
        }
    }

    fn wake(&mut self, partition: PartitionId, changes: Changes, step: &mut Step<'_>) {
        let is_awaited = |place: &Place| self.parked.parked(*place).is_some_and(|parked| parked.request.is_concerned_by(changes));
        let watchers: Vec<Place> = self.parked.watchers(partition).filter(is_awaited).collect();
        for place in watchers {
            match self.parked.parked(place).map(|parked| &parked.request) {
                Some(Waiting::Produce(_)) => self.look_again_at_produce(place, step),
                Some(Waiting::Fetch(_)) if self.expects_more => self.parked.postpone(place),
                Some(Waiting::Fetch(_)) => self.look_again_at_fetch(place, step),
                Some(Waiting::Deletion(_)) => self.look_again_at_deletion(place, step),
                None => {}
            }
        }
    }

    /// Planted bug: those who wait for records of this partition are lost when its role changes.
    fn forget_fetches(&mut self, partition: PartitionId, step: &mut Step<'_>) {
        let watchers: Vec<Place> = self.parked.watchers(partition).collect();
        for place in watchers {
            if matches!(self.parked.parked(place), Some(Parked { request: Waiting::Fetch(_), .. })) {
                self.parked.release(place);
                step.out.fact(Mutant::FetchHangsAfterLeaderChange.acted());
            }
        }
    }

    /// Ends a step: everything that it has touched is looked at, and every line is kept busy.
    pub(super) fn settle(&mut self, step: &mut Step<'_>) {
        let mut seen = BTreeSet::new();
        self.look_at_touched(&mut seen, step);
        if !std::mem::take(&mut self.expects_more) {
            while let Some(place) = self.parked.take_postponed() {
                self.look_again_at_fetch(place, step);
            }
        }
        if self.is_participating() {
            self.pump(step);
        }
        self.pump_shutdown(step);
        self.look_at_touched(&mut seen, step);
        for partition in seen {
            if let Some((replica, _)) = self.partitions.touch_quietly(partition) {
                if self.config.mutants.is(Mutant::EpochCheckpointNotSynced) {
                    replica.write_epochs_unsynced(step.disk, step.out);
                }
                replica.sync(step.out);
            }
        }
    }

    /// When a part wants to be woken.
    pub(super) fn next_wish(&self) -> Option<Time> {
        let lines = if self.stirred { self.next_wish_of_lines() } else { self.lines_due };
        let scan = self.view.is_published().then_some(self.isr_scan_due);
        let waits = earliest([self.parked.deadline(), self.groups.deadline()]);
        earliest([lines, waits, scan, self.retention_deadline(), self.cleaner_deadline()])
    }

    fn next_wish_of_lines(&self) -> Option<Time> {
        earliest([
            self.session.deadline(),
            self.view.deadline(),
            self.fetchers.deadline(),
            self.isr_changes.deadline(),
            self.forwarding.deadline(),
            Some(self.checkpoints.deadline()),
        ])
    }
}
