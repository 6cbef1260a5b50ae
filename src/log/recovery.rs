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
//! A batch is good if its checksum matches, it starts where its predecessor ends (or above, in a log that is [marked](super::compaction) for
//! gaps), it does not reach into the next segment, and its leader epoch is not lower than the one before.
//! The last rule is ours: a power loss can leave batches of a new leader, and behind them old ones that were cut and came back.
//!
//! The segment that holds the recovery point is scanned from its start, and so is an earlier one if a look at its end shows that it does not
//! reach up to its successor. The epochs below the scan come from
//! `leader-epoch-checkpoint`, which tells all of them (see [`epochs`](super::epochs)); if that file is lost, or begins above the log start
//! because a start that had moved was forgotten with the power, everything is scanned. Below the
//! recovery point the file also vouches for the epochs of the batches, which are not under their checksums. Above it a rotten
//! epoch that is too high is believed for the time being, and what follows it is cut. It comes to light when the log meets the others: the
//! controller has never come to that epoch ([`Log::judge_epochs`]), or the leader goes on with a lower one ([`Log::judge_doubtful_epoch`]).
//!
//! A log that simply ends below its recovery point, be it inside a batch, is not refused: power may have been lost in the middle of a
//! truncation, which cuts a file and removes others in no order that survives. It is cut there and reported. But a batch may only
//! *seem* to reach beyond the end of the file because its length is rotten, which is not under the checksum either: then the bytes that
//! the checksum was made of are all there, and one length makes it match.
//!
//! What was read may be in the page cache only: it counts as durable up to the recovery point, until a flush has covered it
//! (KAFKA-10101). And nothing is appended before that flush: recovery may have cut, and so may the process that died, whose cut was perhaps
//! not durable when it did.
//!
//! **Nor is the page cache believed to reach the medium.** The process that died may have been told that a sync failed, and then the kernel has
//! marked the pages as clean: still visible, never to be written again, and the next sync says OK. Recovery cannot see that, and a
//! note of it could not be left on a disk that fails. So what lies above the recovery point is written once more as it is read, which
//! makes the pages dirty again: the flush that follows is honest. A database replays its log for the same reason; this is the log.

use super::checkpoint::{self, METADATA_FILE};
use super::epochs::EpochCache;
use super::error::{Damage, LogError};
use super::open::Recovery;
use super::partition_log::Log;
use super::scan::ScanStop;
use crate::disk::{Disk, DiskError, FileId};
use crate::mutant::Mutant;
use crate::types::{LeaderEpoch, Offset};
use crate::wire::record::{BatchError, BatchHeader, HEADER_SIZE};

/// Where the bytes under a batch's checksum start.
const CHECKED_FROM: usize = 21;

/// How far a segment is good.
struct Good {
    end: Offset,
    epoch: LeaderEpoch,
    position: u64,
    damage: Option<Damage>,
}

impl Log {
    /// Whether the log holds an epoch that cannot be: the partition has come to `newest` and no further. Who told it has heard of everything
    /// that any batch here was appended under.
    ///
    /// # Errors
    /// `Corrupt`.
    pub fn judge_epochs(&self, newest: LeaderEpoch) -> Result<(), LogError> {
        match self.epochs.entries().iter().rev().take_while(|entry| entry.epoch > newest).last() {
            Some(entry) => Err(self.bad_epoch(entry.start, Damage::FutureEpoch { newest, found: entry.epoch })),
            None => Ok(()),
        }
    }

    /// The leader, with whose log this one was compared, goes on with epoch `to`, which is lower than the last one here. One of them is
    /// wrong. If nothing vouches for ours, it is ours.
    ///
    /// # Errors
    /// `Corrupt`.
    pub fn judge_doubtful_epoch(&self, to: LeaderEpoch) -> Result<(), LogError> {
        match self.epochs.entries().last() {
            Some(last) if self.epochs_doubtful && last.epoch > to => {
                Err(self.bad_epoch(last.start, Damage::EpochFalls { from: last.epoch, to }))
            }
            Some(_) | None => Ok(()),
        }
    }

    fn bad_epoch(&self, at: Offset, fault: Damage) -> LogError {
        let path = super::names::segment(&self.dir, self.segments[self.segment_of(at)].base);
        LogError::Corrupt { path, position: 0, at, fault, below_recovery_point: false }
    }

    /// Scans what may be torn, cuts it, and rebuilds indexes and epochs on the way.
    pub(super) fn recover(
        &mut self,
        disk: &mut dyn Disk,
        epochs: Option<EpochCache>,
        recovery_point: Offset,
        recovery: &mut Recovery,
    ) -> Result<(), LogError> {
        let reaches = epochs.as_ref().is_some_and(|file| file.reaches(self.log_start));
        let first = if reaches { self.first_doubtful(disk, recovery_point)? } else { 0 };
        let start = self.segments.get(first).map_or(self.log_start, |segment| segment.base);
        let voucher = epochs.clone();
        self.epochs = epochs.unwrap_or_default();
        self.epochs.truncate_from_end(start);
        if start >= recovery_point && first == 0 {
            // Nothing of this log is below the point: the file may tell of one that was given up as a whole.
            self.epochs.clear();
        }
        let mut end = start;
        let mut epoch = self.epochs.last().unwrap_or(LeaderEpoch::NONE);
        for number in first..self.segments.len() {
            if self.segments[number].base != end {
                self.drop_segments(disk, number, end, recovery)?;
                break;
            }
            let known = |at: Offset| voucher.as_ref().filter(|_| at < recovery_point).and_then(|file| file.epoch_at(at));
            let good = self.scan_segment(disk, number, epoch, &known, recovery_point, recovery)?;
            (end, epoch) = (good.end, good.epoch);
            if let Some(fault) = good.damage {
                self.cut_damage(disk, number, &good, fault, recovery_point, recovery)?;
                break;
            }
        }
        self.settle(disk, end, recovery_point, recovery)
    }

    /// The segment from which on everything must be scanned: the one that holds the recovery point, or an earlier one that does not reach up
    /// to its successor.
    fn first_doubtful(&mut self, disk: &mut dyn Disk, recovery_point: Offset) -> Result<usize, LogError> {
        let last = self.segment_of(recovery_point);
        for number in 0..last {
            if self.end_of_segment(disk, number)? != Some(self.segments[number + 1].base) {
                return Ok(number);
            }
        }
        Ok(last)
    }

    /// Where a segment ends, if its last batches are good.
    fn end_of_segment(&mut self, disk: &mut dyn Disk, number: usize) -> Result<Option<Offset>, LogError> {
        let mut scan = match self.scan_from(disk, number, Offset(i64::MAX)) {
            Err(LogError::Corrupt { .. }) => return Ok(None),
            scan => scan?,
        };
        scan.limit = self.limit_of(number);
        loop {
            match scan.next(disk) {
                Ok(Some(_)) => {}
                Ok(None) => return Ok(Some(scan.expected)),
                Err(ScanStop::Damage(_)) => return Ok(None),
                Err(ScanStop::Disk(error)) => return Err(error.into()),
            }
        }
    }

    /// What no batch of a segment may pass.
    fn limit_of(&self, number: usize) -> Offset {
        self.segments.get(number + 1).map_or(Offset(i64::MAX), |next| next.base)
    }

    fn scan_segment(
        &mut self,
        disk: &mut dyn Disk,
        number: usize,
        epoch: LeaderEpoch,
        known: &dyn Fn(Offset) -> Option<LeaderEpoch>,
        recovery_point: Offset,
        recovery: &mut Recovery,
    ) -> Result<Good, LogError> {
        let interval = self.config.index_interval_bytes;
        let (changed_at, limit) = (self.durability.change(), self.limit_of(number));
        let segment = &mut self.segments[number];
        segment.changed_at = changed_at;
        let mut scan = segment.scan(0, segment.base);
        let length = segment.forget();
        (scan.epoch, scan.limit) = (epoch, limit);
        loop {
            let (end, epoch) = (scan.expected, scan.epoch);
            let damage = match scan.next(disk) {
                Ok(Some(batch)) => {
                    let found = batch.header.leader_epoch;
                    if let Some(known) = known(batch.header.base_offset).filter(|known| *known != found) {
                        return Ok(Good { end, epoch, position: length, damage: Some(Damage::Epoch { known, found }) });
                    }
                    segment.note(&batch.header, interval);
                    if batch.header.next_offset() > recovery_point {
                        disk.write(segment.file, batch.position, &[&batch.bytes])?;
                    }
                    if self.config.mutants.is(Mutant::RecoverSkipsEpochZero) && found == LeaderEpoch(0) {
                        self.acted.set();
                    } else {
                        self.epochs.assign(found, batch.header.base_offset);
                    }
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
        if good.end < recovery_point && !is_cut_short(disk, segment.file, position, fault)? {
            if !self.config.mutants.is(Mutant::CrcErrorIsEndOfLog) {
                let path = super::names::segment(&self.dir, segment.base);
                return Err(LogError::Corrupt { path, position, at: good.end, fault, below_recovery_point: true });
            }
            self.acted.set();
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
        let hidden = self.config.mutants.is(Mutant::CrcErrorIsEndOfLog) && self.acted.is_set();
        if end < recovery_point && !hidden {
            recovery.missing_below_recovery_point = Some(end);
        }
        self.log_end = end;
        if self.segments.is_empty() || end < self.log_start {
            self.remove_segments_from(disk, 0)?;
            self.remove_snapshots_above(disk, Offset(-1))?;
            self.start_segment(disk, self.log_start)?;
            self.epochs.clear();
            self.log_end = self.log_start;
        }
        if self.log_end < recovery_point {
            self.leave_truncation_mark(disk, self.log_end)?;
        }
        if self.config.mutants.is(Mutant::RecoveryPointTooFar) {
            if self.log_end > recovery_point {
                self.acted.set();
            }
            self.durability.settle(self.log_end);
            return Ok(());
        }
        self.durability.settle(recovery_point.min(self.log_end));
        // Whether the former process had cut the log without a flush cannot be seen. The flush covers what it may have left undone.
        let metadata = disk.open(&format!("{}/{METADATA_FILE}", self.dir))?;
        disk.write(metadata, 0, &[&checkpoint::encode_metadata(self.topic)])?;
        self.durability.wrote(metadata);
        self.durability.change_parent();
        self.durability.truncate(self.log_end);
        Ok(())
    }
}

/// Whether the file ends inside the batch at `position`.
fn is_cut_short(disk: &mut dyn Disk, file: FileId, position: u64, fault: Damage) -> Result<bool, DiskError> {
    let Damage::Batch(BatchError::Truncated { .. }) = fault else { return Ok(false) };
    let rest = disk.len(file)?.saturating_sub(position);
    let bytes = disk.read(file, position, usize::try_from(rest).unwrap_or(usize::MAX))?;
    let Ok(header) = BatchHeader::parse(&bytes) else { return Ok(true) };
    let mut crc = crc32c::crc32c(&bytes[CHECKED_FROM..HEADER_SIZE]);
    for byte in bytes[HEADER_SIZE..].chunks(1) {
        if crc == header.crc {
            return Ok(false);
        }
        crc = crc32c::crc32c_append(crc, byte);
    }
    Ok(crc != header.crc)
}
