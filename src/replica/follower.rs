//! The follower's side: fetch, append, and truncate where the logs part.
//!
//! ```text
//!             next_fetch                                 on_fetched
//!   log end 42, epoch 3 ─────▶ leader ─────▶ records 42..50              append; HW := min(leader's HW, 50)
//!                                     ─────▶ diverging (epoch 2, 37)     cut to 37 or below, sync, fetch again from there
//!                                     ─────▶ an error                    wait a little
//! ```
//!
//! A diverging answer names the largest epoch that leader and follower may have in common, and where it ends at the leader. If the follower has
//! that epoch, it cuts at the smaller of the two ends. If it has only older ones, it cuts to the end of its newest older one and asks again:
//! each round goes down by at least one epoch, until both agree (KIP-279). Such an answer is used for nothing else (KAFKA-14704).
//!
//! If the leader's log starts where the common part would end, retention has taken everything by which the two could be compared. Then the
//! follower keeps nothing and begins anew at the leader's start: what it holds below may be another past, and would only wait for a power
//! loss to come back. (Kafka keeps it until its own log start has followed.)
//!
//! An answer counts only if the replica still stands where it stood when it asked: same epoch, same log end. Everything else was overtaken.
//!
//! After a truncation nothing is appended until the cut is on the medium. Else a power loss could bring cut batches back behind newer ones.

use bytes::Bytes;

use crate::actor::Outbox;
use crate::disk::Disk;
use crate::fact::{Corner, Fact, TruncationReason};
use crate::log::{AppendError, LogError};
use crate::mutant::Mutant;
use crate::types::{BrokerId, LeaderEpoch, Offset};
use crate::wire::ErrorCode;

use super::role::Role;
use super::{FetchFrom, Replica};

/// What the leader answered for this partition.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Answer {
    /// Kafka's error code.
    pub error: ErrorCode,
    /// The leader's high watermark.
    pub high_watermark: Offset,
    /// The leader's log start; -1 if not given.
    pub log_start: Offset,
    /// Where our log parts from the leader's.
    pub diverging: Option<(LeaderEpoch, Offset)>,
    /// Whole batches from the offset asked for.
    pub records: Bytes,
}

/// How to go on.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Verdict {
    /// Fetch again at once.
    Continue,
    /// Wait a little before the next fetch of this partition.
    BackOff,
    /// The answer was overtaken and ignored.
    Overtaken,
}

impl Replica {
    /// What to fetch next, and from whom; `None` if it does not follow anybody, or must first wait for a sync.
    #[must_use]
    pub fn next_fetch(&self) -> Option<(BrokerId, FetchFrom)> {
        let Role::Follower(follower) = &self.role else { return None };
        let leader = follower.leader?;
        if self.failed.is_some() || self.is_behind_its_disk() {
            return None;
        }
        let from = FetchFrom {
            leader_epoch: Some(follower.epoch),
            offset: self.log.log_end(),
            last_epoch: self.log.last_epoch().filter(|_| !follower.unchecked.is_set()),
            log_start: self.log.log_start(),
        };
        Some((leader, from))
    }

    /// Whether it follows somebody and will fetch as soon as a sync has ended.
    #[must_use]
    pub fn follows_after_sync(&self) -> bool {
        let follows = matches!(&self.role, Role::Follower(follower) if follower.leader.is_some());
        follows && self.failed.is_none() && self.is_behind_its_disk()
    }

    /// A cut is not durable yet; or, with `flush.messages=1`, the offset that it would name is one that it could still lose.
    fn is_behind_its_disk(&self) -> bool {
        let undurable = self.tells_durable_only() && self.log.durable_end() < self.log.log_end();
        self.log.truncation_pending_sync() || undurable
    }

    /// Takes in the leader's answer to `asked`.
    pub fn on_fetched(&mut self, asked: &FetchFrom, answer: &Answer, disk: &mut dyn Disk, out: &mut Outbox) -> Verdict {
        match self.next_fetch() {
            Some((_, present)) if present == *asked => {}
            Some(_) | None if !self.obeys_overtaken(asked, answer, out) => {
                out.fact(Fact::Reached { corner: Corner::AnswerOvertaken });
                return Verdict::Overtaken;
            }
            Some(_) | None => {}
        }
        match (answer.error, answer.diverging) {
            // All that the logs may have in common the leader has given up, so nothing of ours was ever compared with it.
            (ErrorCode::NONE, Some((_, end))) if end <= answer.log_start && self.log.log_start() < end => {
                self.begin_anew(answer.log_start, disk, out)
            }
            (ErrorCode::NONE, Some((epoch, end))) => self.on_diverging(epoch, end, disk, out),
            (ErrorCode::NONE, None) => self.on_records(answer, disk, out),
            (ErrorCode::OFFSET_OUT_OF_RANGE, _) if answer.log_start > self.log.log_end() => {
                self.begin_anew(answer.log_start, disk, out)
            }
            // Nothing to compare: the leader may have lost what was given up here, and have other records in its place.
            (ErrorCode::OFFSET_OUT_OF_RANGE, _)
                if self.log.log_start() == self.log.log_end() && answer.log_start < self.log.log_start() =>
            {
                self.begin_anew(answer.log_start, disk, out)
            }
            // Before KIP-279 a follower whose epoch the leader did not know fell back to what it took for committed.
            (ErrorCode::OFFSET_OUT_OF_RANGE, _) if self.mutant(Mutant::NoEpochEntryAtElection) => {
                out.fact(Mutant::NoEpochEntryAtElection.acted());
                self.truncate(self.high_watermark, TruncationReason::ToHighWatermark, disk, out);
                Verdict::BackOff
            }
            (_, _) => Verdict::BackOff,
        }
    }

    /// Planted bugs: an answer that was overtaken is obeyed all the same.
    fn obeys_overtaken(&self, asked: &FetchFrom, answer: &Answer, out: &mut Outbox) -> bool {
        let cuts = answer.error.is_none() && answer.diverging.is_some() && self.failed.is_none();
        let late = asked.leader_epoch.is_some_and(|epoch| epoch < self.leader_epoch());
        let mutant = match self.role {
            Role::Follower(_) => Mutant::LateEpochAnswer,
            Role::Leader(_) => Mutant::TruncateAfterHandover,
            Role::Waiting => return false,
        };
        let obeys = self.mutant(mutant) && cuts && late && !self.log.truncation_pending_sync();
        if obeys {
            out.fact(mutant.acted());
        }
        obeys
    }

    /// Planted bug: from now on, in this epoch, the follower asks nobody whether the logs agree.
    fn forget_epoch(&mut self) {
        if let Role::Follower(follower) = &mut self.role {
            follower.unchecked.set();
        }
    }

    fn on_diverging(&mut self, epoch: LeaderEpoch, leader_end: Offset, disk: &mut dyn Disk, out: &mut Outbox) -> Verdict {
        let own_end = self.log.epoch_end(epoch).map_or(self.log.log_start(), |(_, end)| end);
        let mut to = own_end.min(leader_end).min(self.log.log_end());
        if self.mutant(Mutant::IgnoreReturnedEpoch) {
            if own_end < leader_end.min(self.log.log_end()) {
                out.fact(Mutant::IgnoreReturnedEpoch.acted());
                to = leader_end.min(self.log.log_end());
            }
            self.forget_epoch();
        }
        if to < self.log.log_start() {
            return self.begin_anew(to, disk, out);
        }
        self.truncate(to, TruncationReason::Diverged, disk, out);
        Verdict::Continue
    }

    fn on_records(&mut self, answer: &Answer, disk: &mut dyn Disk, out: &mut Outbox) -> Verdict {
        let (role_epoch, start) = (self.leader_epoch(), self.log.log_start());
        if !answer.records.is_empty() {
            match self.log.append_as_follower(disk, answer.records.clone(), role_epoch) {
                Ok(appended) => {
                    self.changes.log_end = true;
                    self.state_appended(&appended.batches, role_epoch, false, out);
                }
                Err(AppendError::Log(error)) => {
                    self.note_log_error(&error, disk, out);
                    return Verdict::BackOff;
                }
                // Bytes that are no batches, or not those that come next: nothing was appended, ask again.
                Err(error) => {
                    if let Err(failed) = self.consider(&error, disk, out) {
                        self.note_log_error(&failed, disk, out);
                    }
                    return Verdict::BackOff;
                }
            }
        }
        if self.mutant(Mutant::UnfencedEpochLookup) {
            self.forget_epoch();
            if answer.high_watermark < Offset::ZERO {
                return Verdict::Continue;
            }
        }
        if self.mutant(Mutant::EmptyFetchForgetsEpoch) && answer.records.is_empty() && self.log.last_epoch().is_some() {
            out.fact(Mutant::EmptyFetchForgetsEpoch.acted());
            self.forget_epoch();
        }
        self.follow_high_watermark(answer.high_watermark.min(self.log.log_end()), out);
        // What the leader gave up is committed; here it is gone as far as that is known.
        self.log.move_log_start(answer.log_start.min(self.high_watermark));
        self.note_log_start(start, out);
        Verdict::Continue
    }

    /// A refusal of the leader's batches may be our own log's fault: its epochs are rotten, or what it holds was given up in the middle of a batch
    /// that the leader has in another form.
    fn consider(&mut self, error: &AppendError, disk: &mut dyn Disk, out: &mut Outbox) -> Result<(), LogError> {
        #[allow(clippy::wildcard_enum_match_arm, reason = "whatever else is wrong with the batches is the leader's affair")]
        match error {
            AppendError::EpochFalls { to, .. } => self.log.judge_doubtful_epoch(*to),
            AppendError::UnexpectedOffset { expected, found } if found < expected => {
                if self.log.drop_given_up(disk)? {
                    let end = self.log.log_end();
                    self.note_truncation(end, end, TruncationReason::BelowLeaderStart, out);
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// It may fall: a new leader's high watermark lags behind what its predecessor told us.
    fn follow_high_watermark(&mut self, to: Offset, out: &mut Outbox) {
        let to = to.max(self.log.log_start());
        if to != self.high_watermark {
            self.high_watermark = to;
            self.changes.high_watermark = true;
            out.fact(Fact::HighWatermarkFollowed { partition: self.partition, leader_epoch: self.leader_epoch(), to });
        }
    }

    /// Cuts the log. The high watermark falls with it if it must.
    pub(super) fn truncate(&mut self, to: Offset, reason: TruncationReason, disk: &mut dyn Disk, out: &mut Outbox) {
        let from = self.log.log_end();
        assert!(to >= self.log.log_start() && to <= from, "{}: truncation to {to} outside the log ..{from}", self.name);
        match self.log.truncate_to(disk, to) {
            Ok(end) => self.note_truncation(from, end, reason, out),
            Err(error) => {
                self.note_log_error(&error, disk, out);
            }
        }
    }

    /// The leader has given up everything that we have: start with an empty log where its log starts.
    fn begin_anew(&mut self, start: Offset, disk: &mut dyn Disk, out: &mut Outbox) -> Verdict {
        let (from, before) = (self.log.log_end(), self.log.log_start());
        match self.log.truncate_fully(disk, start) {
            Ok(()) => {
                // Told even if the log ends where it did: all that was before is gone, and below an empty log everything is committed.
                self.note_truncation(from, start, TruncationReason::BelowLeaderStart, out);
                self.note_log_start(before, out);
                Verdict::Continue
            }
            Err(error) => {
                self.note_log_error(&error, disk, out);
                Verdict::BackOff
            }
        }
    }

    fn note_truncation(&mut self, from: Offset, to: Offset, reason: TruncationReason, out: &mut Outbox) {
        self.high_watermark = self.high_watermark.clamp(self.log.log_start(), self.log.log_end());
        self.changes.log_end = true;
        // Cutting at the log end only cleans the history of epochs.
        if from != to || reason == TruncationReason::BelowLeaderStart {
            let role_epoch = self.leader_epoch();
            out.fact(Fact::LogTruncated { partition: self.partition, from, to, role_epoch, reason });
        }
    }
}
