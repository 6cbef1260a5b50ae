//! Cutting the log: where a follower parted from its leader, and at its start.
//!
//! ```text
//!   truncate_to(17)          segments   [0 ........ 9][10 .. 14][15 .. 19][20 ...
//!                                                               ▲ cut: 17 lies inside a batch, which goes as a whole
//!   1  if the recovery point on the disk may be higher: leave the mark 15.truncated
//!   2  remove later segments, newest first, and snapshots above the cut
//!   3  cut the file
//!   4  the same for everything derived: epochs (even if the log was not longer, KAFKA-10706), producers, tail
//!   5  no append before a flush has covered all this (else power loss brings back what was cut)
//! ```
//!
//! In a compacted log the batch before the cut may lie far below: the log ends with it, and the leader is asked for what is missing.
//!
//! Producers cannot be cut, because their windows have forgotten what slid out: they are made anew from the newest snapshot at
//! or below the cut and the batches from there on.

use super::error::LogError;
use super::names;
use super::partition_log::Log;
use super::producers::ProducerStates;
use super::scan::Scan;
use super::segment::{remove_if_there, remove_indexes};
use crate::disk::{self, Disk, DiskError};
use crate::types::Offset;
use crate::wire::record::{BatchHeader, HEADER_SIZE};

impl Log {
    /// Cuts the log at `to`, or at the start of the batch in which `to` lies, but never below the log start. Gives the new log end.
    ///
    /// # Errors
    /// Disk errors; `Corrupt` if what remains cannot be read.
    pub fn truncate_to(&mut self, disk: &mut dyn Disk, to: Offset) -> Result<Offset, LogError> {
        self.check_running()?;
        if to >= self.log_end {
            self.epochs.truncate_from_end(to);
            return Ok(self.log_end);
        }
        let result = self.cut(disk, to.max(self.log_start));
        self.watch(result)?;
        assert!(self.log_start <= self.log_end && self.durable_end() <= self.log_end, "bounds after a truncation");
        Ok(self.log_end)
    }

    /// Drops everything and goes on, empty, from `new_start`.
    ///
    /// # Errors
    /// Disk errors.
    pub fn truncate_fully(&mut self, disk: &mut dyn Disk, new_start: Offset) -> Result<(), LogError> {
        self.check_running()?;
        let result = self.start_over(disk, new_start);
        self.watch(result)
    }

    /// Where the log holds nothing but what was given up, drops that too, so that a batch that begins below the log start can follow. False if there
    /// is nothing to drop.
    ///
    /// # Errors
    /// Disk errors.
    pub fn drop_given_up(&mut self, disk: &mut dyn Disk) -> Result<bool, LogError> {
        self.check_running()?;
        if self.log_start < self.log_end || self.is_empty() {
            return Ok(false);
        }
        let result = self.restart_at_start(disk);
        self.watch(result)?;
        Ok(true)
    }

    fn cut(&mut self, disk: &mut dyn Disk, to: Offset) -> Result<(), LogError> {
        self.give_up_pass(disk)?;
        let number = self.segment_of(to);
        let (position, end) = self.boundary(disk, number, to)?;
        if end < self.log_start {
            self.reload_producers(disk, end)?;
            return self.restart_at_start(disk);
        }
        self.lower_first_dirty(end);
        self.mark_truncation(disk, end)?;
        self.remove_segments_from(disk, number + 1)?;
        self.remove_snapshots_above(disk, end)?;
        // The files of the indexes may tell of what is cut; new ones are written when the segment is closed again.
        remove_indexes(disk, &self.dir, self.segments[number].base)?;
        self.segments[number].truncate(disk, position)?;
        self.segments[number].changed_at = self.durability.change();
        self.log_end = end;
        self.durability.change_names();
        self.durability.truncate(end);
        self.tail.truncate(end);
        self.epochs.truncate_from_end(end);
        self.reload_producers(disk, end)
    }

    /// Position of the batch in which `to` lies, or the first one behind, and the end of its predecessor: what lies between was given up, and
    /// a log ends with a batch.
    fn boundary(&mut self, disk: &mut dyn Disk, number: usize, to: Offset) -> Result<(u64, Offset), LogError> {
        let mut scan = self.scan_from(disk, number, to)?;
        loop {
            let (position, at) = (scan.position, scan.expected);
            match scan.next(disk) {
                Ok(Some(batch)) if batch.header.last_offset() < to => {}
                Ok(_) => return Ok((position, at)),
                Err(stop) => return Err(self.segments[number].stopped(stop, &scan, &self.dir)),
            }
        }
    }

    /// Nothing is left of the log above its start, perhaps because that lies in the middle of the batch that goes: it begins anew, empty, where it
    /// did. The producers of what lay below outlive that, as they outlive retention.
    fn restart_at_start(&mut self, disk: &mut dyn Disk) -> Result<(), LogError> {
        let producers = std::mem::take(&mut self.producers);
        self.start_over(disk, self.log_start)?;
        self.producers = producers;
        self.write_snapshot(disk)
    }

    pub(super) fn start_over(&mut self, disk: &mut dyn Disk, new_start: Offset) -> Result<(), LogError> {
        self.give_up_pass(disk)?;
        self.lower_first_dirty(new_start);
        if new_start < self.log_start {
            self.durability.start_lowered = true;
            self.leave_truncation_mark(disk, new_start)?;
        } else {
            self.mark_truncation(disk, new_start)?;
        }
        self.remove_segments_from(disk, 0)?;
        self.remove_snapshots_above(disk, Offset(-1))?;
        self.start_segment(disk, new_start)?;
        (self.log_start, self.log_end) = (new_start, new_start);
        self.durability.truncate(new_start);
        self.tail.truncate(Offset(-1));
        self.epochs.clear();
        self.producers = ProducerStates::default();
        Ok(())
    }

    /// The segment of the empty log begins at `base`, below its present start. Nothing is lost, so nothing needs to wait.
    pub(super) fn restart_empty_at(&mut self, disk: &mut dyn Disk, base: Offset) -> Result<(), LogError> {
        assert!(self.is_empty() && base < self.log_end, "only an empty log may begin lower");
        self.give_up_pass(disk)?;
        self.lower_first_dirty(base);
        self.durability.start_lowered = true;
        self.leave_truncation_mark(disk, base)?;
        self.remove_segments_from(disk, 0)?;
        self.remove_snapshots_above(disk, base)?;
        self.start_segment(disk, base)?;
        (self.log_start, self.log_end) = (base, base);
        self.epochs.truncate_from_end(base);
        self.durability.void(base);
        Ok(())
    }

    /// Leaves a mark if the recovery point on the disk, or on its way there, may be above `end`.
    fn mark_truncation(&mut self, disk: &mut dyn Disk, end: Offset) -> Result<(), LogError> {
        match end < self.durability.claimed {
            true => self.leave_truncation_mark(disk, end),
            false => Ok(()),
        }
    }

    /// Leaves a mark: recovery is not to believe a recovery point above `end`.
    pub(super) fn leave_truncation_mark(&mut self, disk: &mut dyn Disk, end: Offset) -> Result<(), LogError> {
        if self.truncation_marks.contains(&end) {
            return Ok(());
        }
        let file = disk.create(&names::truncated(&self.dir, end))?;
        self.durability.wrote(file);
        self.truncation_marks.push(end);
        Ok(())
    }

    pub(super) fn remove_segments_from(&mut self, disk: &mut dyn Disk, number: usize) -> Result<(), DiskError> {
        while self.segments.len() > number {
            let segment = self.segments.pop().expect("there are more than `number`");
            segment.remove(disk, &self.dir)?;
            self.durability.change_names();
        }
        Ok(())
    }

    pub(super) fn remove_snapshots_above(&mut self, disk: &mut dyn Disk, end: Offset) -> Result<(), DiskError> {
        while let Some(offset) = self.snapshots.last().copied().filter(|offset| *offset > end) {
            remove_if_there(disk, &names::snapshot(&self.dir, offset))?;
            self.snapshots.pop();
            self.durability.change_names();
        }
        Ok(())
    }

    /// Makes the producers anew, as of `end`: the newest good snapshot at or below it, then the batches from there on.
    pub(super) fn reload_producers(&mut self, disk: &mut dyn Disk, end: Offset) -> Result<(), LogError> {
        let (mut states, mut from) = (ProducerStates::default(), self.segments[0].base);
        let candidates: Vec<Offset> =
            self.snapshots.iter().rev().copied().filter(|offset| *offset <= end && *offset >= from).collect();
        for offset in candidates {
            let content = disk::read_file(disk, &names::snapshot(&self.dir, offset))?;
            if let Some(found) = ProducerStates::decode(&content) {
                (states, from) = (found, offset);
                break;
            }
        }
        self.producers = states;
        self.replay_producers(disk, from, end)
    }

    fn replay_producers(&mut self, disk: &mut dyn Disk, from: Offset, end: Offset) -> Result<(), LogError> {
        for number in self.segment_of(from)..self.segments.len() {
            let start = from.max(self.segments[number].base);
            let mut scan = self.scan_from(disk, number, start)?;
            loop {
                match scan.next(disk) {
                    Ok(Some(batch)) if batch.header.base_offset < from => {}
                    Ok(Some(batch)) if batch.header.base_offset < end => self.producers.update(&batch.header),
                    Ok(Some(_)) => return Ok(()),
                    Ok(None) => break,
                    Err(stop) => return Err(self.segments[number].stopped(stop, &scan, &self.dir)),
                }
            }
        }
        Ok(())
    }

    /// A walk over a segment that starts at or before the batch in which `offset` lies. An index file that promises a batch where there
    /// is none is put aside.
    pub(super) fn scan_from(&mut self, disk: &mut dyn Disk, number: usize, offset: Offset) -> Result<Scan, LogError> {
        let interval = self.config.index_interval_bytes;
        let segment = &mut self.segments[number];
        let file = segment.file;
        let index = segment.index(disk, &self.dir, interval)?;
        let (trusted, mut start) = (index.trusted, index.floor(offset));
        if !trusted && start.position > 0 {
            let bytes = disk.read(file, start.position, HEADER_SIZE)?;
            if BatchHeader::parse(&bytes).map(|header| header.base_offset) != Ok(start.offset) {
                segment.rebuild_index(disk, &self.dir, interval)?;
                start = segment.index(disk, &self.dir, interval)?.floor(offset);
            }
        }
        Ok(segment.scan(start.position, start.offset))
    }
}
