//! Looking into the log by time: the first record at or after a moment.
//!
//! Timestamps are the clients' and need not rise; "the first" means the first in offset order. Simplified: no time index yet. Segments
//! whose largest timestamp is known to be lower are skipped, the others are walked. A batch that can hold the record is opened if it is
//! compressed; one that cannot be opened is answered with its start.

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
            let segment = &self.segments[number];
            // What lies below the log start does not count any more, but is in what the segment knows of itself.
            let known = segment.max_timestamp.filter(|_| segment.base >= self.log_start);
            max = max.max(match known {
                Some(known) => Some(known),
                None => self.walk_for_max(disk, number)?,
            });
        }
        Ok(max)
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
}

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
