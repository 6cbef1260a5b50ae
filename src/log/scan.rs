//! Walks the batches of a segment and believes nothing: checksum, offset and leader epoch of each are verified.
//!
//! Base offsets are not under the checksum. Where batches follow each other without gaps, a rotten one is found at once. In a compacted log one that has
//! become lower, or so high that it reaches into the next batch or segment, is found; a slip within a gap is not.

use bytes::Bytes;

use super::error::Damage;
use crate::disk::{Disk, DiskError, FileId};
use crate::types::{LeaderEpoch, Offset};
use crate::wire::record::{BatchError, BatchHeader, HEADER_SIZE, verify_crc};

/// Bytes asked of the disk at a time.
const CHUNK_BYTES: u64 = 256 << 10;

/// A walk over the batches of a file. After an error `position` and `expected` name the place.
#[derive(Debug)]
pub(super) struct Scan {
    file: FileId,
    end: u64,
    /// Byte at which the next batch starts.
    pub(super) position: u64,
    /// Offset that the next batch must have.
    pub(super) expected: Offset,
    /// Leader epoch below which the next batch may not fall.
    pub(super) epoch: LeaderEpoch,
    /// Whether a batch may begin above what is expected: compaction has been here.
    pub(super) gaps: bool,
    /// No batch may reach beyond: the next segment begins there.
    pub(super) limit: Offset,
    chunk: Bytes,
    chunk_at: u64,
}

/// A good batch.
#[derive(Debug)]
pub(super) struct Scanned {
    /// Its header.
    pub(super) header: BatchHeader,
    /// Where it starts.
    pub(super) position: u64,
    /// All of it.
    pub(super) bytes: Bytes,
}

/// Why the walk cannot go on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum ScanStop {
    /// The disk failed.
    Disk(DiskError),
    /// The bytes are not a good batch.
    Damage(Damage),
}

impl From<DiskError> for ScanStop {
    fn from(error: DiskError) -> ScanStop {
        ScanStop::Disk(error)
    }
}

impl From<BatchError> for ScanStop {
    fn from(error: BatchError) -> ScanStop {
        ScanStop::Damage(Damage::Batch(error))
    }
}

impl Scan {
    /// A walk over `file` from the batch at (`expected`, `position`) up to `end`.
    pub(super) fn new(file: FileId, end: u64, position: u64, expected: Offset) -> Scan {
        let (epoch, limit) = (LeaderEpoch::NONE, Offset(i64::MAX));
        Scan { file, end, position, expected, epoch, gaps: false, limit, chunk: Bytes::new(), chunk_at: 0 }
    }

    /// The next batch; `None` exactly at the end.
    pub(super) fn next(&mut self, disk: &mut dyn Disk) -> Result<Option<Scanned>, ScanStop> {
        if self.position == self.end {
            return Ok(None);
        }
        let header = BatchHeader::parse(&self.bytes(disk, HEADER_SIZE as u64)?)?;
        let bytes = self.bytes(disk, header.size() as u64)?;
        verify_crc(&bytes)?;
        let follows = header.base_offset == self.expected || (self.gaps && header.base_offset > self.expected);
        if !follows || header.next_offset() > self.limit {
            return Err(ScanStop::Damage(Damage::Offset { expected: self.expected, found: header.base_offset }));
        }
        if header.leader_epoch < self.epoch {
            return Err(ScanStop::Damage(Damage::EpochFalls { from: self.epoch, to: header.leader_epoch }));
        }
        let position = self.position;
        self.position += bytes.len() as u64;
        self.expected = header.next_offset();
        self.epoch = header.leader_epoch;
        Ok(Some(Scanned { header, position, bytes }))
    }

    /// Whether there is nothing more to read.
    pub(super) fn is_at_end(&self) -> bool {
        self.position == self.end
    }

    /// The next `count` bytes. A declared length beyond the end of the file is refused before anything is read or allocated.
    fn bytes(&mut self, disk: &mut dyn Disk, count: u64) -> Result<Bytes, ScanStop> {
        let rest = self.end - self.position;
        if count > rest {
            return Err(BatchError::Truncated { needed: count as usize, found: rest as usize }.into());
        }
        let chunk_end = self.chunk_at + self.chunk.len() as u64;
        if self.position < self.chunk_at || self.position + count > chunk_end {
            self.chunk = disk.read(self.file, self.position, count.max(CHUNK_BYTES).min(rest) as usize)?;
            self.chunk_at = self.position;
        }
        let start = (self.position - self.chunk_at) as usize;
        let found = self.chunk.len() - start;
        if count as usize > found {
            return Err(BatchError::Truncated { needed: count as usize, found }.into());
        }
        Ok(self.chunk.slice(start..start + count as usize))
    }
}
