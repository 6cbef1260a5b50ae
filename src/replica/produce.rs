//! Append as leader, and keep the promise of `acks`.
//!
//! A produce request carries no leader epoch, so a leader of the past accepts records, and fails later: its followers are gone, the high watermark
//! does not move, and when it hears of its successor it answers NOT_LEADER_OR_FOLLOWER. Any error after the append leaves the fate of the record
//! open, and the client must treat it so.
//!
//! The minimum of in-sync replicas is asked for at two moments. Before the append it is compared with the committed ISR: too few, and nothing
//! is written. When the high watermark has passed the record it is compared with the maximal ISR: too few, and the record stays, but the promise
//! "at least min ISR copies" cannot be given.
//!
//! Since the high watermark itself stands still below the minimum (KAFKA-15583), the second question hardly ever finds anything. A promise is
//! looked at in the very step in which the high watermark passes it, so for NOT_ENOUGH_REPLICAS_AFTER_APPEND that step must let it pass, and
//! after that learn of a smaller ISR. Fetches, appends and syncs move the high watermark and tell of no ISR; an answer to AlterPartition and new
//! metadata tell of the ISR first. What is left is one delta of metadata that both shrinks the ISR and takes away what has held the high
//! watermark back: a lower `min.insync.replicas`, or an end of `flush.messages=1`. A broker that was cut off from its controller may well get such
//! a delta (`broker/testscripts/too_few_in_sync_after_the_append`). Where nobody changes a configuration nobody meets this error: writes that lack
//! copies are refused, or time out, or lose their leader.

use bytes::Bytes;

use crate::actor::{Now, Outbox};
use crate::disk::Disk;
use crate::fact::{Corner, Fact};
use crate::log::{AppendError, Appended, AppendedBatch};
use crate::mutant::Mutant;
use crate::types::{LeaderEpoch, Offset, Timestamp};
use crate::wire::ErrorCode;

use super::role::Role;
use super::{Members, Replica};

/// What was appended, and what must hold before it is acknowledged.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Promise {
    /// Offset of the first record.
    pub base_offset: Offset,
    /// End of the last record.
    pub end: Offset,
    /// Leader epoch of the append.
    pub leader_epoch: LeaderEpoch,
    /// The time stamped by the broker; `None` if the topic keeps the client's.
    pub log_append_time: Option<Timestamp>,
    /// First record still there.
    pub log_start: Offset,
    /// What has to hold.
    condition: Condition,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Condition {
    /// Nothing more.
    Appended,
    /// It is on the leader's medium.
    Durable,
    /// Every in-sync replica has it.
    Committed,
}

impl Replica {
    /// Appends a client's batches.
    ///
    /// # Errors
    /// Kafka's error code; nothing was appended then.
    pub fn append(
        &mut self,
        now: Now,
        batches: Bytes,
        acks: i16,
        members: &Members,
        disk: &mut dyn Disk,
        out: &mut Outbox,
    ) -> Result<Promise, ErrorCode> {
        let epoch = self.may_append(acks, out)?;
        let appended = match self.log.append_as_leader(disk, batches, epoch, now.wall) {
            Ok(appended) => appended,
            Err(error) => return Err(self.refuse(&error, disk, out)),
        };
        if appended.duplicate {
            out.fact(Fact::Reached { corner: Corner::DuplicateFromWindow });
        } else {
            self.changes.log_end = true;
            self.state_appended(&appended.batches, epoch, true, out);
            self.advance_high_watermark(now, members, out);
        }
        Ok(self.promise(&appended, epoch, acks, out))
    }

    fn may_append(&self, acks: i16, out: &mut Outbox) -> Result<LeaderEpoch, ErrorCode> {
        if self.failed.is_some() {
            return Err(ErrorCode::KAFKA_STORAGE_ERROR);
        }
        let Role::Leader(leader) = &self.role else { return Err(ErrorCode::NOT_LEADER_OR_FOLLOWER) };
        if acks == -1 && leader.isr.known().len() < self.min_isr(leader) {
            if !self.mutant(Mutant::MinIsrNotEnforced) {
                return Err(ErrorCode::NOT_ENOUGH_REPLICAS);
            }
            out.fact(Mutant::MinIsrNotEnforced.acted());
        }
        Ok(leader.epoch)
    }

    fn promise(&self, appended: &Appended, epoch: LeaderEpoch, acks: i16, out: &mut Outbox) -> Promise {
        let mut condition = match acks {
            -1 => Condition::Committed,
            _ if self.tells_durable_only() => Condition::Durable,
            _ => Condition::Appended,
        };
        let end = appended.last.next();
        if self.mutant(Mutant::AckBeforeSync) && self.settings.flush_each_batch && !appended.duplicate {
            out.fact(Mutant::AckBeforeSync.acted());
        }
        if condition == Condition::Committed && self.high_watermark < end && self.mutant(Mutant::AckBeforeReplication) {
            out.fact(Mutant::AckBeforeReplication.acted());
            condition = Condition::Appended;
        }
        Promise {
            base_offset: appended.first,
            end,
            leader_epoch: epoch,
            log_append_time: appended.log_append_time,
            log_start: self.log.log_start(),
            condition,
        }
    }

    /// Whether a promise is kept (`Ok`), can never be (`Err`), or still waits (`None`).
    #[must_use]
    pub fn promise_outcome(&self, promise: &Promise) -> Option<Result<(), ErrorCode>> {
        if self.failed.is_some() {
            return Some(Err(ErrorCode::KAFKA_STORAGE_ERROR));
        }
        let Role::Leader(leader) = &self.role else { return Some(Err(ErrorCode::NOT_LEADER_OR_FOLLOWER)) };
        if leader.epoch != promise.leader_epoch {
            return Some(Err(ErrorCode::NOT_LEADER_OR_FOLLOWER));
        }
        match promise.condition {
            Condition::Appended => Some(Ok(())),
            Condition::Durable => (self.log.durable_end() >= promise.end).then_some(Ok(())),
            Condition::Committed if self.high_watermark < promise.end => None,
            Condition::Committed if leader.isr.maximal().len() < self.min_isr_enforced(leader) => {
                Some(Err(ErrorCode::NOT_ENOUGH_REPLICAS_AFTER_APPEND))
            }
            Condition::Committed => Some(Ok(())),
        }
    }

    /// States what was appended.
    pub(super) fn state_appended(&self, batches: &[AppendedBatch], role_epoch: LeaderEpoch, as_leader: bool, out: &mut Outbox) {
        for batch in batches {
            out.fact(Fact::BatchAppended {
                partition: self.partition,
                base_offset: batch.base_offset,
                last_offset: batch.last_offset,
                leader_epoch: batch.leader_epoch,
                role_epoch,
                crc: batch.crc,
                producer: batch.producer,
                as_leader,
            });
        }
    }

    fn refuse(&mut self, error: &AppendError, disk: &mut dyn Disk, out: &mut Outbox) -> ErrorCode {
        if let AppendError::Log(error) = error {
            return self.note_log_error(error, disk, out);
        }
        if matches!(error, AppendError::TruncationPending) {
            out.fact(Fact::Reached { corner: Corner::AppendBeforeCutIsDurable });
        }
        error.code()
    }
}
