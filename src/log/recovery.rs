//! Recovery after an unclean stop: what of the log can be believed?
//!
//! ```text
//!                    recovery point
//!   segments   [ 0 ....... ][ 100 ..│..... ][ 200 ........ ][ 300 ...
//!                            └──────── scanned, every batch ──────────▶
//!   below the recovery point   was durable: a bad batch is rot. Nothing is cut, the log stays closed (D9)
//!   above it                   may be torn: cut at the first bad byte, remove all later segments
//! ```
//!
//! A batch is good if its checksum matches, it starts where its predecessor ends, and its leader epoch is not lower than the one before.
//! The last rule is ours: a power loss can leave batches of a new leader, and behind them old ones that were cut and came back.
//!
//! The segment that holds the recovery point is scanned from its start. The epochs below the scan come from
//! `leader-epoch-checkpoint`, which tells all of them (see [`epochs`](super::epochs)); if that file is lost everything is scanned.
//!
//! A log that simply ends, at a batch boundary, below its recovery point is not refused: power may have been lost in the middle of a
//! truncation, which cuts a file and removes others in no order that survives. It is reported.
//!
//! What was read may be in the page cache only: it counts as durable up to the recovery point, until a flush has covered it
//! (KAFKA-10101). Whatever recovery cut must be durable before the next append, like any truncation.

use super::epochs::EpochCache;
use super::error::{Damage, LogError};
use super::open::Recovery;
use super::partition_log::Log;
use super::scan::{Scan, ScanStop};
use crate::disk::Disk;
use crate::types::{LeaderEpoch, Offset};

/// How far a segment is good.
struct Good {
    end: Offset,
    epoch: LeaderEpoch,
    position: u64,
    damage: Option<Damage>,
}

impl Log {
    /// Scans what may be torn, cuts it, and rebuilds indexes and epochs on the way.
    pub(super) fn recover(
        &mut self,
        disk: &mut dyn Disk,
        epochs: Option<EpochCache>,
        recovery_point: Offset,
        recovery: &mut Recovery,
    ) -> Result<(), LogError> {
        let first = if epochs.is_some() { self.segment_of(recovery_point) } else { 0 };
        let start = self.segments.get(first).map_or(self.log_start, |segment| segment.base);
        self.epochs = epochs.unwrap_or_default();
        self.epochs.truncate_from_end(start);
        let mut end = start;
        let mut epoch = self.epochs.last().unwrap_or(LeaderEpoch::NONE);
        for number in first..self.segments.len() {
            if self.segments[number].base != end {
                self.drop_segments(disk, number, end, recovery)?;
                break;
            }
            let good = self.scan_segment(disk, number, epoch, recovery)?;
            (end, epoch) = (good.end, good.epoch);
            if let Some(fault) = good.damage {
                self.cut_damage(disk, number, &good, fault, recovery_point, recovery)?;
                break;
            }
        }
        self.settle(disk, end, recovery_point, recovery)
    }

    fn scan_segment(
        &mut self,
        disk: &mut dyn Disk,
        number: usize,
        epoch: LeaderEpoch,
        recovery: &mut Recovery,
    ) -> Result<Good, LogError> {
        let interval = self.config.index_interval_bytes;
        let changed_at = self.durability.change();
        let segment = &mut self.segments[number];
        segment.changed_at = changed_at;
        let length = segment.forget();
        let mut scan = Scan::new(segment.file, length, 0, segment.base);
        scan.epoch = epoch;
        loop {
            let damage = match scan.next(disk) {
                Ok(Some(batch)) => {
                    segment.note(&batch.header, interval);
                    self.epochs.assign(batch.header.leader_epoch, batch.header.base_offset);
                    recovery.batches_read += 1;
                    continue;
                }
                Ok(None) => None,
                Err(ScanStop::Damage(fault)) => Some(fault),
                Err(ScanStop::Disk(error)) => return Err(error.into()),
            };
            return Ok(Good { end: scan.expected, epoch: scan.epoch, position: length, damage });
        }
    }

    fn cut_damage(
        &mut self,
        disk: &mut dyn Disk,
        number: usize,
        good: &Good,
        fault: Damage,
        recovery_point: Offset,
        recovery: &mut Recovery,
    ) -> Result<(), LogError> {
        let segment = &mut self.segments[number];
        let position = segment.length;
        if good.end < recovery_point {
            let path = super::names::segment(&self.dir, segment.base);
            return Err(LogError::Corrupt { path, position, at: good.end, fault, below_recovery_point: true });
        }
        recovery.cut_bytes += good.position - position;
        recovery.cut_from = Some(good.end);
        disk.set_len(segment.file, position)?;
        self.drop_segments(disk, number + 1, good.end, recovery)
    }

    fn drop_segments(
        &mut self,
        disk: &mut dyn Disk,
        number: usize,
        end: Offset,
        recovery: &mut Recovery,
    ) -> Result<(), LogError> {
        if let Some(dropped) = self.segments.get(number..).filter(|dropped| !dropped.is_empty()) {
            recovery.cut_bytes += dropped.iter().map(|segment| segment.length).sum::<u64>();
            recovery.cut_from = Some(end);
        }
        Ok(self.remove_segments_from(disk, number)?)
    }

    /// The log ends at `end`.
    fn settle(
        &mut self,
        disk: &mut dyn Disk,
        end: Offset,
        recovery_point: Offset,
        recovery: &mut Recovery,
    ) -> Result<(), LogError> {
        if end < recovery_point {
            recovery.missing_below_recovery_point = Some(end);
        }
        self.log_end = end;
        if self.segments.is_empty() || end < self.log_start {
            self.remove_segments_from(disk, 0)?;
            self.start_segment(disk, self.log_start)?;
            self.log_end = self.log_start;
        }
        self.durability.settle(recovery_point.min(self.log_end));
        match recovery.cut_from.is_some() || recovery.missing_below_recovery_point.is_some() {
            true => self.durability.truncate(self.log_end),
            false => self.durability.press(),
        }
        Ok(())
    }
}
