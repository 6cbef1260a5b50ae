//! Giving up old records: by age, by size, or because somebody said so.
//!
//! ```text
//!   segments   [ 0 ...... ][ 100 .... ][ 200 .... ][ 300 ....      active
//!                          ▲ log start             ▲ high watermark
//!   1  the log start moves, in memory: nobody reads below it any more
//!   2  `log-start-offset-checkpoint` tells it, durably
//!   3  segments that lie wholly below it are removed
//! ```
//!
//! **What may go** (Kafka's rules). Oldest segments first, and only as far as all records of a segment are below the high watermark (D3): what is
//! not committed must not be mistaken for old. By `retention.ms` when the *largest* timestamp in a segment is older than that; by
//! `retention.bytes` while what would be left is at least that much, so that a log never shrinks below its bound. When all of it is too
//! old, the active segment is closed first and goes too. A segment without any timestamp does not age: Kafka looks at the time of the
//! file then, which a disk here does not tell.
//!
//! **Why in this order.** If files went before the checkpoint, a power loss could bring back some of them, with a hole between. For the same reason
//! the mark of a log that began anew, for whose sake recovery does not believe that checkpoint, must be durably gone before.
//!
//! **Producers outlive their records** (KAFKA-5793, KAFKA-7190): a retry may come long after. A snapshot that was written when a segment
//! that is kept was begun tells of all producers before it. So nothing is removed before such a snapshot is flushed and the recovery point on
//! the disk lets recovery believe it. (Recovery, which believes no snapshot above the recovery point, writes one of its own.) Producers are
//! forgotten by `producer.id.expiration.ms` alone.
//!
//! Simplified: Kafka keeps removed files for `file.delete.delay.ms`, because readers may have them mapped. Here every read ends
//! within its step, so they go at once.

use super::error::LogError;
use super::partition_log::Log;
use crate::disk::Disk;
use crate::mutant::Mutant;
use crate::types::{Offset, Timestamp};

impl Log {
    /// Gives up the records below `to` (never beyond the log end, never back). Their segments stay until
    /// [`remove_old_segments`](Log::remove_old_segments).
    pub fn move_log_start(&mut self, to: Offset) {
        let to = to.min(self.log_end);
        if to > self.log_start {
            self.log_start = to;
            self.epochs.truncate_from_start(to);
            if self.config.mutants.is(Mutant::ProducerStateLostByRetention) && self.producers.forget_below(to) {
                self.acted.set();
            }
        }
        assert!(self.log_start <= self.log_end, "a log from {} to {}", self.log_start, self.log_end);
    }

    /// Whether there are segments that hold nothing at or above the log start.
    #[must_use]
    pub fn has_old_segments(&self) -> bool {
        self.segment_of(self.log_start) > 0
    }

    /// Removes segments that hold nothing at or above the log start, once the checkpoints on the disk are known to hold that start
    /// and a recovery point that vouches for the producers (see [`log_start_written`](Log::log_start_written),
    /// [`recovery_point_written`](Log::recovery_point_written)), and no mark that speaks against them can come back. Until then it does nothing.
    ///
    /// # Errors
    /// Disk errors.
    pub fn remove_old_segments(&mut self, disk: &mut dyn Disk) -> Result<(), LogError> {
        self.check_running()?;
        let kept = self.segment_of(self.log_start);
        let start_is_told = self.segment_of(self.durability.log_start_on_disk) >= kept;
        let producers_are_told =
            self.knows_producers_without(kept, self.durability.recovery_point_on_disk) && !self.durability.is_pressed();
        let is_believed = self.truncation_marks.is_empty();
        if kept == 0 || !start_is_told || !is_believed || !producers_are_told {
            return Ok(());
        }
        let result = self.give_up_pass(disk).and_then(|()| self.remove_segments_below_start(disk));
        self.watch(result)
    }

    /// Whether recovery, with this recovery point, would find a snapshot that tells of the producers in the segments before the one numbered
    /// `kept`.
    pub(super) fn knows_producers_without(&self, kept: usize, recovery_point: Offset) -> bool {
        let base = self.segments[kept].base;
        self.snapshots.iter().any(|snapshot| (base..=recovery_point).contains(snapshot))
    }

    /// Where the log may start according to `retention.ms` and `retention.bytes`: at the base of a segment, not beyond the high watermark.
    /// `None`: nothing is to be given up. Closes the active segment if all of it may go.
    ///
    /// # Errors
    /// `Corrupt` if the age of a segment cannot be found out, disk errors.
    pub fn retention_start(
        &mut self,
        disk: &mut dyn Disk,
        now: Timestamp,
        high_watermark: Offset,
    ) -> Result<Option<Offset>, LogError> {
        self.check_running()?;
        let mut start = None;
        // What is given up already may not be removed yet.
        let first = self.segment_of(self.log_start);
        let mut bytes: u64 = self.segments[first..].iter().map(|segment| segment.length).sum();
        for number in first..self.segments.len() {
            let next = self.segments.get(number + 1).map_or(self.log_end, |next| next.base);
            let length = self.segments[number].length;
            let too_large = self.config.retention_bytes_max.is_some_and(|max| bytes - length >= max);
            if length == 0 || next > high_watermark || !(too_large || self.is_too_old(disk, number, now)?) {
                break;
            }
            bytes -= length;
            start = Some(next);
        }
        if start == Some(self.log_end) && !self.close_active_segment(disk)? {
            // It can go when the cut that pends is durable; what is older is not worth a case of its own.
            return Ok(None);
        }
        Ok(start.filter(|start| *start > self.log_start))
    }

    /// Begins a new segment at the log end. False if that must wait.
    fn close_active_segment(&mut self, disk: &mut dyn Disk) -> Result<bool, LogError> {
        if self.truncation_pending_sync() {
            return Ok(false);
        }
        if self.active().length > 0 {
            let rolled = self.roll(disk);
            self.watch(rolled)?;
        }
        Ok(true)
    }

    /// The largest timestamp in a segment.
    pub(super) fn newest_timestamp(&mut self, disk: &mut dyn Disk, number: usize) -> Result<Timestamp, LogError> {
        let segment = &mut self.segments[number];
        if segment.max_timestamp.is_none() {
            let rebuilt = segment.rebuild_index(disk, &self.dir, self.config.index_interval_bytes);
            self.watch(rebuilt)?;
        }
        Ok(self.segments[number].max_timestamp.expect("just found out"))
    }

    fn is_too_old(&mut self, disk: &mut dyn Disk, number: usize, now: Timestamp) -> Result<bool, LogError> {
        let Some(age_max) = self.config.retention_age_max else { return Ok(false) };
        let newest = self.newest_timestamp(disk, number)?;
        let age = u64::try_from(now.0.saturating_sub(newest.0));
        Ok(newest.0 >= 0 && age.is_ok_and(|age| age > age_max.as_millis()))
    }
}
