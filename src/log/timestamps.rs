//! Looking into the log by time: the first record at or after a moment.
//!
//! Timestamps are the clients' and need not rise; "the first" means the first in offset order. Segments whose largest timestamp is lower are
//! skipped; in the first other one the [time index](super::time_index) tells up to where all records are older, and the walk begins there. A
//! batch that can hold the record is opened if it is compressed; one that cannot be opened is answered with its start.

use super::error::LogError;
use super::partition_log::Log;
use super::scan::Scanned;
use super::time_index::TimeEntry;
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

    /// The first record among those with the largest timestamp.
    ///
    /// # Errors
    /// As [`Log::offset_for_timestamp`].
    pub fn offset_of_max_timestamp(&mut self, disk: &mut dyn Disk) -> Result<Option<(Timestamp, Offset)>, LogError> {
        self.check_running()?;
        let result = self.max_timestamp(disk);
        match self.watch(result)? {
            Some(max) => self.offset_for_timestamp(disk, max),
            None => Ok(None),
        }
    }

    fn max_timestamp(&mut self, disk: &mut dyn Disk) -> Result<Option<Timestamp>, LogError> {
        let mut max = None;
        for number in self.segment_of(self.log_start)..self.segments.len() {
            // What lies below the log start does not count any more, but is in what the segment knows of itself.
            let newest = match self.segments[number].base >= self.log_start {
                true => self.newest_of(disk, number)?,
                false => self.walk_for_max(disk, number)?,
            };
            max = max.max(newest);
        }
        Ok(max)
    }

    /// The largest timestamp of a segment, of all that was ever in it.
    fn newest_of(&mut self, disk: &mut dyn Disk, number: usize) -> Result<Option<Timestamp>, LogError> {
        let segment = &mut self.segments[number];
        match segment.max_timestamp {
            Some(known) => Ok(Some(known)),
            None => Ok(segment.times(disk, &self.dir, self.config.index_interval_bytes)?.max()),
        }
    }

    fn walk_for_max(&mut self, disk: &mut dyn Disk, number: usize) -> Result<Option<Timestamp>, LogError> {
        let mut scan = self.scan_from(disk, number, self.log_start.max(self.segments[number].base))?;
        let mut max = None;
        loop {
            match scan.next(disk) {
                Ok(Some(batch)) if batch.header.last_offset() < self.log_start => {}
                Ok(Some(batch)) => max = max.max(Some(batch.header.max_timestamp)),
                Ok(None) => return Ok(max),
                Err(stop) => return Err(self.segments[number].stopped(stop, &scan, &self.dir)),
            }
        }
    }

    fn find_timestamp(&mut self, disk: &mut dyn Disk, at: Timestamp) -> Result<Found, LogError> {
        for number in self.segment_of(self.log_start)..self.segments.len() {
            if self.newest_of(disk, number)?.is_some_and(|newest| newest < at) {
                continue;
            }
            let floor = self.segments[number].times(disk, &self.dir, self.config.index_interval_bytes)?.floor(at);
            let found = match self.find_in_segment(disk, number, at, floor)? {
                Ok(found) => found,
                Err(Lie) => {
                    self.segments[number].rebuild_index(disk, &self.dir, self.config.index_interval_bytes)?;
                    self.find_in_segment(disk, number, at, None)?.unwrap_or(None)
                }
            };
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    /// Walks a segment from the batch of which the time index says that everything before it is older, or from its start.
    fn find_in_segment(
        &mut self,
        disk: &mut dyn Disk,
        number: usize,
        at: Timestamp,
        floor: Option<TimeEntry>,
    ) -> Result<Result<Found, Lie>, LogError> {
        let start = floor.map_or(self.segments[number].base, |floor| floor.offset);
        let mut scan = self.scan_from(disk, number, self.log_start.max(start))?;
        loop {
            match scan.next(disk) {
                Ok(Some(batch)) => {
                    let told = floor.filter(|floor| floor.offset == batch.header.base_offset);
                    if told.is_some_and(|told| told.timestamp != batch.header.max_timestamp) {
                        return Ok(Err(Lie));
                    }
                    if let Some(found) = first_record(&batch, at, self.log_start) {
                        return Ok(Ok(Some(found)));
                    }
                }
                Ok(None) => return Ok(Ok(None)),
                Err(stop) => return Err(self.segments[number].stopped(stop, &scan, &self.dir)),
            }
        }
    }
}

/// The first record that is young enough, and its time.
type Found = Option<(Timestamp, Offset)>;

/// The time index tells of a batch what is not so.
#[derive(Debug)]
struct Lie;

/// The first record of a batch that is young enough and still in the log.
fn first_record(batch: &Scanned, at: Timestamp, log_start: Offset) -> Option<(Timestamp, Offset)> {
    if batch.header.max_timestamp < at || batch.header.last_offset() < log_start {
        return None;
    }
    let whole = (batch.header.max_timestamp, batch.header.base_offset.max(log_start));
    let Some(Ok(records)) = BatchRef::parse(&batch.bytes).ok().map(|batch| batch.opened_records()) else { return Some(whole) };
    records
        .map_while(Result::ok)
        .map(|record| (record.timestamp, record.offset))
        .find(|(timestamp, offset)| *timestamp >= at && *offset >= log_start)
}
