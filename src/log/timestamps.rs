//! Looking into the log by time: the first record at or after a moment, and what is old enough to be given up.
//!
//! Timestamps are the clients' and need not rise; "the first" means the first in offset order. Simplified: no time index yet. Segments
//! whose largest timestamp is known to be lower are skipped, the others are walked. Compressed records are not opened: then the answer
//! is the start of their batch.

use super::error::LogError;
use super::partition_log::Log;
use super::scan::Scanned;
use crate::disk::Disk;
use crate::types::{Offset, Timestamp};
use crate::wire::record::BatchRef;

impl Log {
    /// The first record with a timestamp of at least `at`. Whether the asker may know of it is for the caller to judge.
    ///
    /// # Errors
    /// `Corrupt` if the walk meets a bad batch, disk errors.
    pub fn offset_for_timestamp(&mut self, disk: &mut dyn Disk, at: Timestamp) -> Result<Option<(Timestamp, Offset)>, LogError> {
        self.check_running()?;
        let result = self.find_timestamp(disk, at);
        self.watch(result)
    }

    fn find_timestamp(&mut self, disk: &mut dyn Disk, at: Timestamp) -> Result<Option<(Timestamp, Offset)>, LogError> {
        for number in self.segment_of(self.log_start)..self.segments.len() {
            let (base, max) = (self.segments[number].base, self.segments[number].max_timestamp);
            if max.is_some_and(|max| max < at) {
                continue;
            }
            let mut scan = self.scan_from(disk, number, self.log_start.max(base))?;
            loop {
                match scan.next(disk) {
                    Ok(Some(batch)) => match first_record(&batch, at, self.log_start) {
                        Some(found) => return Ok(Some(found)),
                        None => continue,
                    },
                    Ok(None) => break,
                    Err(stop) => return Err(self.segments[number].stopped(stop, &scan, &self.dir)),
                }
            }
        }
        Ok(None)
    }

    // ---- the log start ----------------------------------------------------------------------------------------

    /// Gives up the records below `to` (never beyond the log end, never back). Their segments stay until
    /// [`remove_old_segments`](Log::remove_old_segments).
    pub fn move_log_start(&mut self, to: Offset) {
        let to = to.min(self.log_end);
        if to > self.log_start {
            self.log_start = to;
            self.epochs.truncate_from_start(to);
        }
        assert!(self.log_start <= self.log_end, "a log from {} to {}", self.log_start, self.log_end);
    }

    /// Removes segments that hold nothing at or above the log start, once `log-start-offset-checkpoint` is known to hold that start
    /// (see [`log_start_written`](Log::log_start_written)). Removed earlier, a power loss could bring back some of them, with
    /// a hole between.
    ///
    /// # Errors
    /// Disk errors.
    pub fn remove_old_segments(&mut self, disk: &mut dyn Disk) -> Result<(), LogError> {
        self.check_running()?;
        if self.segment_of(self.durability.log_start_on_disk) < self.segment_of(self.log_start) {
            return Ok(());
        }
        let result = self.remove_segments_below_start(disk);
        self.watch(result)
    }

    /// Where the log may start according to `retention.ms` and `retention.bytes`: at the base of a segment, not beyond the high watermark.
    /// `None`: nothing is to be given up.
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
        let mut bytes = self.size_bytes();
        for number in 0..self.segments.len() - 1 {
            let next = self.segments[number + 1].base;
            let too_large = self.config.retention_bytes_max.is_some_and(|max| bytes > max);
            if next > high_watermark || !(too_large || self.is_too_old(disk, number, now)?) {
                break;
            }
            bytes -= self.segments[number].length;
            start = Some(next);
        }
        Ok(start.filter(|start| *start > self.log_start))
    }

    fn is_too_old(&mut self, disk: &mut dyn Disk, number: usize, now: Timestamp) -> Result<bool, LogError> {
        let Some(age_max) = self.config.retention_age_max else { return Ok(false) };
        let segment = &mut self.segments[number];
        if segment.max_timestamp.is_none() {
            let rebuilt = segment.rebuild_index(disk, &self.dir, self.config.index_interval_bytes);
            self.watch(rebuilt)?;
        }
        let newest = self.segments[number].max_timestamp.expect("just found out");
        Ok(u64::try_from(now.0.saturating_sub(newest.0)).is_ok_and(|age| age > age_max.as_millis()))
    }
}

/// The first record of a batch that is young enough and still in the log.
fn first_record(batch: &Scanned, at: Timestamp, log_start: Offset) -> Option<(Timestamp, Offset)> {
    if batch.header.max_timestamp < at || batch.header.last_offset() < log_start {
        return None;
    }
    let whole = (batch.header.max_timestamp, batch.header.base_offset.max(log_start));
    let Some(Ok(records)) = BatchRef::parse(&batch.bytes).ok().map(|batch| batch.records()) else { return Some(whole) };
    records
        .map_while(Result::ok)
        .map(|record| (record.timestamp, record.offset))
        .find(|(timestamp, offset)| *timestamp >= at && *offset >= log_start)
}
