//! A segment: a stretch of the log in a file of its own, named by its first offset, with a sparse index.

use bytes::Bytes;

use super::error::LogError;
use super::index::Index;
use super::names;
use super::scan::{Scan, ScanStop};
use super::time_index::TimeIndex;
use crate::disk::{self, Disk, DiskError, FileId};
use crate::types::{Offset, Timestamp};
use crate::wire::record::{BatchHeader, HEADER_SIZE};

/// One segment. Only the last one of a log, the *active* segment, is written to.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Segment {
    /// First offset that it may hold; its name.
    pub(super) base: Offset,
    /// The open `.log` file.
    pub(super) file: FileId,
    /// Bytes of batches in it.
    pub(super) length: u64,
    /// Whether there may be gaps between its batches.
    pub(super) gaps: bool,
    /// Number of the last change to the file (see [`super::flush::Durability`]).
    pub(super) changed_at: u64,
    /// Largest timestamp of its first batch; `None` until asked for.
    pub(super) first_timestamp: Option<Timestamp>,
    /// Largest timestamp of all its batches; `None` until asked for.
    pub(super) max_timestamp: Option<Timestamp>,
    /// The index; `None` until asked for.
    index: Option<Index>,
}

impl Segment {
    /// Creates an empty one. A file of that name, left over from a former life, gives way.
    pub(super) fn create(disk: &mut dyn Disk, dir: &str, base: Offset) -> Result<Segment, DiskError> {
        Segment::create_at(disk, &names::segment(dir, base), base)
    }

    /// The same under another name.
    pub(super) fn create_at(disk: &mut dyn Disk, path: &str, base: Offset) -> Result<Segment, DiskError> {
        let file = match disk.create(path) {
            Err(DiskError::Exists) => {
                disk.remove(path)?;
                disk.create(path)?
            }
            created => created?,
        };
        let (first_timestamp, max_timestamp, index) = (None, Some(Timestamp(-1)), Some(Index::new(base)));
        Ok(Segment { base, file, length: 0, gaps: false, changed_at: 0, first_timestamp, max_timestamp, index })
    }

    /// A walk over its batches from the one at (`expected`, `position`) on.
    pub(super) fn scan(&self, position: u64, expected: Offset) -> Scan {
        let mut scan = Scan::new(self.file, self.length, position, expected);
        scan.gaps = self.gaps;
        scan
    }

    /// Opens an existing one.
    pub(super) fn open(disk: &mut dyn Disk, dir: &str, base: Offset) -> Result<Segment, DiskError> {
        let file = disk.open(&names::segment(dir, base))?;
        let length = disk.len(file)?;
        let (gaps, first_timestamp, max_timestamp, index) = (false, None, None, None);
        Ok(Segment { base, file, length, gaps, changed_at: 0, first_timestamp, max_timestamp, index })
    }

    /// Writes one or more batches, given in parts, to the end. `headers` are theirs, as they stand in the log.
    pub(super) fn append(
        &mut self,
        disk: &mut dyn Disk,
        parts: &[&[u8]],
        headers: &[BatchHeader],
        interval: u32,
    ) -> Result<(), DiskError> {
        disk.write(self.file, self.length, parts)?;
        for header in headers {
            self.note(header, interval);
        }
        Ok(())
    }

    /// Takes note of a batch at the end of the file: just written, or found by recovery.
    pub(super) fn note(&mut self, header: &BatchHeader, interval: u32) {
        let index = self.index.as_mut().expect("the index of the active segment is always there");
        index.note(header.base_offset, self.length, header.size() as u64, header.max_timestamp, interval);
        self.first_timestamp.get_or_insert(header.max_timestamp);
        self.max_timestamp = self.max_timestamp.map(|max| max.max(header.max_timestamp));
        self.length += header.size() as u64;
    }

    /// Forgets what is known of the content, before recovery notes it again. Gives the length of the file.
    pub(super) fn forget(&mut self) -> u64 {
        self.index = Some(Index::new(self.base));
        self.first_timestamp = None;
        self.max_timestamp = Some(Timestamp(-1));
        std::mem::take(&mut self.length)
    }

    /// Cuts the file at a batch boundary.
    pub(super) fn truncate(&mut self, disk: &mut dyn Disk, position: u64) -> Result<(), DiskError> {
        assert!(position <= self.length, "cannot cut {} bytes at {position}", self.length);
        disk.set_len(self.file, position)?;
        self.length = position;
        self.max_timestamp = None;
        match &mut self.index {
            _ if position == 0 => drop(self.forget()),
            Some(index) => index.truncate(position),
            None => {}
        }
        Ok(())
    }

    /// Largest timestamp of its first batch; -1 if there is none.
    pub(super) fn first_timestamp(&mut self, disk: &mut dyn Disk) -> Result<Timestamp, DiskError> {
        if self.first_timestamp.is_none() && self.length > 0 {
            let header = BatchHeader::parse(&disk.read(self.file, 0, HEADER_SIZE)?);
            self.first_timestamp = header.ok().map(|header| header.max_timestamp);
        }
        Ok(self.first_timestamp.unwrap_or(Timestamp(-1)))
    }

    /// Whether the index is full.
    pub(super) fn index_is_full(&self, bytes_max: u32) -> bool {
        self.index.as_ref().is_some_and(|index| index.file_bytes() + 8 > bytes_max as usize)
    }

    /// The index, read from its file or made anew.
    pub(super) fn index(&mut self, disk: &mut dyn Disk, dir: &str, interval: u32) -> Result<&Index, LogError> {
        if self.index.is_none() {
            match self.stored_index(disk, dir)? {
                Some(index) => self.index = Some(index),
                None => self.rebuild_index(disk, dir, interval)?,
            }
        }
        Ok(self.index.as_ref().expect("just put there"))
    }

    /// The index as its file says, if there is a plausible one.
    fn stored_index(&self, disk: &mut dyn Disk, dir: &str) -> Result<Option<Index>, DiskError> {
        match disk::read_file(disk, &names::index(dir, self.base)) {
            Ok(bytes) => Ok(Index::decode(&bytes, self.base, self.length)),
            Err(DiskError::NotFound) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The time index, read from its file or made anew; whole.
    pub(super) fn times(&mut self, disk: &mut dyn Disk, dir: &str, interval: u32) -> Result<&TimeIndex, LogError> {
        let (base, length) = (self.base, self.length);
        let index = self.index(disk, dir, interval)?;
        if !index.times.as_ref().is_some_and(TimeIndex::is_whole) {
            let stored = if index.trusted { None } else { stored_times(disk, dir, base, length)? };
            match (stored, &mut self.index) {
                (Some(stored), Some(index)) => index.times = Some(stored),
                (None, _) | (_, None) => self.rebuild_index(disk, dir, interval)?,
            }
        }
        Ok(self.index.as_ref().and_then(|index| index.times.as_ref()).expect("just put there"))
    }

    /// Makes the index from the batches.
    pub(super) fn rebuild_index(&mut self, disk: &mut dyn Disk, dir: &str, interval: u32) -> Result<(), LogError> {
        let mut scan = self.scan(0, self.base);
        let mut index = Index::new(self.base);
        let mut max = Timestamp(-1);
        loop {
            match scan.next(disk) {
                Ok(Some(batch)) => {
                    let (header, bytes) = (&batch.header, batch.bytes.len() as u64);
                    index.note(header.base_offset, batch.position, bytes, header.max_timestamp, interval);
                    max = max.max(batch.header.max_timestamp);
                }
                Ok(None) => break,
                Err(stop) => return Err(self.stopped(stop, &scan, dir)),
            }
        }
        self.index = Some(index);
        self.max_timestamp = Some(max);
        Ok(())
    }

    /// Why a scan of this segment stopped, as an error. Whether the place is below the recovery point is for the log to say.
    pub(super) fn stopped(&self, stop: ScanStop, scan: &Scan, dir: &str) -> LogError {
        match stop {
            ScanStop::Disk(error) => LogError::Disk { error },
            ScanStop::Damage(fault) => LogError::Corrupt {
                path: names::segment(dir, self.base),
                position: scan.position,
                at: scan.expected,
                fault,
                below_recovery_point: false,
            },
        }
    }

    /// The content of the index file, if the index is known.
    pub(super) fn index_file(&self) -> Option<Bytes> {
        self.index.as_ref().map(|index| Bytes::from(index.encode()))
    }

    /// The content of the file of the time index, if that is known and whole.
    pub(super) fn time_index_file(&self) -> Option<Bytes> {
        let times = self.index.as_ref()?.times.as_ref().filter(|times| times.is_whole())?;
        Some(Bytes::from(times.encode(self.base, self.length)))
    }

    /// Removes the segment and its indexes.
    pub(super) fn remove(self, disk: &mut dyn Disk, dir: &str) -> Result<(), DiskError> {
        disk.close(self.file);
        remove_indexes(disk, dir, self.base)?;
        disk.remove(&names::segment(dir, self.base))
    }
}

/// The time index as its file says, if that is to be believed.
fn stored_times(disk: &mut dyn Disk, dir: &str, base: Offset, length: u64) -> Result<Option<TimeIndex>, DiskError> {
    match disk::read_file(disk, &names::time_index(dir, base)) {
        Ok(bytes) => Ok(TimeIndex::decode(&bytes, base, length)),
        Err(DiskError::NotFound) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Removes the files of both indexes of a segment, if they are there.
pub(super) fn remove_indexes(disk: &mut dyn Disk, dir: &str, base: Offset) -> Result<(), DiskError> {
    remove_if_there(disk, &names::index(dir, base))?;
    remove_if_there(disk, &names::time_index(dir, base))
}

/// Removes a file that need not exist.
pub(super) fn remove_if_there(disk: &mut dyn Disk, path: &str) -> Result<(), DiskError> {
    match disk.remove(path) {
        Err(DiskError::NotFound) => Ok(()),
        result => result,
    }
}
