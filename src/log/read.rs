//! Reading: whole batches, in order, never beyond what the reader may see.
//!
//! ```text
//!   log      [10..14][15..15][16..29][30..31]        read from 12, up to 31
//!             └──────── given ───────┘ └ straddles the end: not given
//! ```
//!
//! A read that starts inside a batch gives the whole batch: the client skips what it has. The tail is served from memory. Whatever comes
//! from the disk is verified every time, checksum, offset and leader epoch, so that rot and misdirected reads are reported, not served or
//! replicated (D9). Kafka leaves that to the clients, since it passes file pages on without looking at them.
//!
//! Left for later: cold reads by ticket. [`Outbox::read`](crate::actor::Outbox::read) takes path, position and length; they are what
//! `read_segment` computes from the index before it asks the disk.

use bytes::Bytes;

use super::epochs::EpochCache;
use super::error::{Damage, LogError};
use super::names;
use super::partition_log::Log;
use super::tail::Wish;
use crate::disk::Disk;
use crate::mutant::Mutant;
use crate::types::Offset;
use crate::wire::record::{BatchError, BatchHeader, HEADER_SIZE, verify_crc};

/// Where bytes are bad, before it is known how bad that is.
struct Bad {
    position: u64,
    at: Offset,
    fault: Damage,
}

/// A stretch of a segment in memory.
struct Stretch {
    position: u64,
    bytes: Bytes,
    /// Whether there may be gaps between its batches.
    gaps: bool,
    /// Where the segment ends: no batch may reach beyond.
    limit: Offset,
}

impl Log {
    /// Batches from the one that holds `from` on: none that reaches to `up_to`, and no more than `bytes_max`, except that
    /// `at_least_one_batch` lets the first one through whatever its size. Empty if there is none. A read may give less than it could,
    /// but not nothing.
    ///
    /// # Errors
    /// `OutOfRange` if `from` is not in the log, `Corrupt` if the disk gives other bytes than were written, disk errors.
    pub fn read(
        &mut self,
        disk: &mut dyn Disk,
        from: Offset,
        up_to: Offset,
        bytes_max: usize,
        at_least_one_batch: bool,
    ) -> Result<Bytes, LogError> {
        self.check_running()?;
        if from < self.log_start || from > self.log_end {
            return Err(LogError::OutOfRange { offset: from, log_start: self.log_start, log_end: self.log_end });
        }
        let wish = Wish { from, up_to: up_to.min(self.log_end), bytes_max, at_least_one_batch };
        if from >= wish.up_to {
            return Ok(Bytes::new());
        }
        if let Some(bytes) = self.tail.read(&wish) {
            return Ok(bytes);
        }
        let result = self.read_segment(disk, &wish);
        self.watch(result)
    }

    fn read_segment(&mut self, disk: &mut dyn Disk, wish: &Wish) -> Result<Bytes, LogError> {
        let number = self.segment_of(wish.from);
        match self.try_segment(disk, number, wish)? {
            Ok(bytes) => Ok(bytes),
            Err(bad) if self.config.mutants.is(Mutant::NoCrcCheck) && bad.fails_checksum() => {
                self.acted.set();
                let file = self.segments[number].file;
                let header = BatchHeader::parse(&disk.read(file, bad.position, HEADER_SIZE)?);
                let size = header.map_or(HEADER_SIZE, |header| header.size());
                Ok(disk.read(file, bad.position, size)?)
            }
            Err(bad) if self.index_may_lie(disk, number)? => {
                let (dir, interval) = (self.dir.clone(), self.config.index_interval_bytes);
                let rebuilt = self.segments[number].rebuild_index(disk, &dir, interval);
                match rebuilt.and_then(|()| self.try_segment(disk, number, wish)) {
                    Ok(Ok(bytes)) => Ok(bytes),
                    Ok(Err(again)) => Err(self.corrupt(number, again)),
                    // The rot that stops the scan lies before what was asked for: the first finding is the one that matters.
                    Err(LogError::Corrupt { .. }) => Err(self.corrupt(number, bad)),
                    Err(error) => Err(error),
                }
            }
            Err(bad) => Err(self.corrupt(number, bad)),
        }
    }

    fn index_may_lie(&mut self, disk: &mut dyn Disk, number: usize) -> Result<bool, LogError> {
        let (dir, interval) = (self.dir.clone(), self.config.index_interval_bytes);
        Ok(!self.segments[number].index(disk, &dir, interval)?.trusted)
    }

    fn corrupt(&self, number: usize, bad: Bad) -> LogError {
        LogError::Corrupt {
            path: names::segment(&self.dir, self.segments[number].base),
            position: bad.position,
            at: bad.at,
            fault: bad.fault,
            below_recovery_point: bad.at < self.recovery_point(),
        }
    }

    fn try_segment(&mut self, disk: &mut dyn Disk, number: usize, wish: &Wish) -> Result<Result<Bytes, Bad>, LogError> {
        let (dir, interval) = (self.dir.clone(), self.config.index_interval_bytes);
        let end = self.segments.get(number + 1).map_or(self.log_end, |next| next.base);
        let segment = &mut self.segments[number];
        let (file, length, gaps) = (segment.file, segment.length, segment.gaps);
        let index = segment.index(disk, &dir, interval)?;
        let start = index.floor(wish.from);
        let next = index.ceiling(wish.from.next()).unwrap_or(length);
        let limit = index.ceiling(wish.up_to).unwrap_or(length);
        // Whatever is skipped lies before the next index entry; a header must fit even if nobody wants its records.
        let skipped = next.saturating_sub(start.position) as usize;
        let wanted = skipped.saturating_add(wish.bytes_max.max(HEADER_SIZE));
        let bytes = disk.read(file, start.position, wanted.min((limit - start.position) as usize))?;
        let stretch = Stretch { position: start.position, bytes, gaps, limit: end };
        let (skip, at) = match stretch.skip(start.offset, wish.from) {
            Ok(found) => found,
            Err(bad) => return Ok(Err(bad)),
        };
        let first = match stretch.header(skip, at) {
            Ok(header) => header,
            Err(bad) => return Ok(Err(bad)),
        };
        let straddles = first.last_offset() >= wish.up_to;
        if !straddles && !wish.allows(first.last_offset(), 0, first.size()) {
            return Ok(Ok(Bytes::new()));
        }
        // A batch that only *seems* to reach beyond the end, because its header is rotten, would be waited for in vain: it is verified too.
        if first.size() > stretch.bytes.len() - skip {
            let position = start.position + skip as u64;
            let bytes = disk.read(file, position, first.size().min((length - position) as usize))?;
            return Ok(Stretch { position, bytes, gaps, limit: end }.give(0, at, &first, wish, &self.epochs));
        }
        Ok(stretch.give(skip, at, &first, wish, &self.epochs))
    }
}

impl Bad {
    /// Whether only the checksum speaks against the batch.
    fn fails_checksum(&self) -> bool {
        matches!(self.fault, Damage::Batch(BatchError::Checksum { .. }))
    }
}

impl Stretch {
    fn bad(&self, start: usize, at: Offset, fault: impl Into<Damage>) -> Bad {
        Bad { position: self.position + start as u64, at, fault: fault.into() }
    }

    /// The header at `start`, which must be that of the batch at `at`, or above where there may be gaps.
    fn header(&self, start: usize, at: Offset) -> Result<BatchHeader, Bad> {
        if start == self.bytes.len() {
            return Err(self.bad(start, at, Damage::Missing));
        }
        let header = BatchHeader::parse(&self.bytes[start..]).map_err(|fault| self.bad(start, at, fault))?;
        let follows = header.base_offset == at || (self.gaps && header.base_offset > at && header.next_offset() <= self.limit);
        match follows {
            true => Ok(header),
            false => Err(self.bad(start, at, Damage::Offset { expected: at, found: header.base_offset })),
        }
    }

    /// Where the batch that holds `from`, or the next one, starts, and the end of its predecessor.
    fn skip(&self, mut at: Offset, from: Offset) -> Result<(usize, Offset), Bad> {
        let mut start = 0;
        loop {
            let header = self.header(start, at)?;
            // An index that tells of the segment as it was may point at another batch, above, which would look like a gap.
            if start == 0 && self.position > 0 && header.base_offset != at {
                return Err(self.bad(start, at, Damage::Offset { expected: at, found: header.base_offset }));
            }
            if header.last_offset() >= from {
                return Ok((start, at));
            }
            at = header.next_offset();
            if header.size() > self.bytes.len() - start {
                return Err(self.bad(self.bytes.len(), at, Damage::Missing));
            }
            start += header.size();
        }
    }

    /// What is given of the batches from `start` on, of which the first has this header.
    fn give(&self, start: usize, at: Offset, first: &BatchHeader, wish: &Wish, epochs: &EpochCache) -> Result<Bytes, Bad> {
        match first.last_offset() >= wish.up_to {
            true => self.verify(start, first, epochs).map(|()| Bytes::new()),
            false => self.collect(start, at, wish, epochs),
        }
    }

    /// The batches wished for, from the one at `start` on, each verified. What lies before a bad one is given; the next read meets it.
    fn collect(&self, start: usize, mut at: Offset, wish: &Wish, epochs: &EpochCache) -> Result<Bytes, Bad> {
        let mut end = start;
        loop {
            let next = self.header(end, at).and_then(|header| {
                let wished = wish.allows(header.last_offset(), end - start, header.size());
                wished.then(|| self.verify(end, &header, epochs)).transpose().map(|verified| verified.map(|()| header))
            });
            match next {
                Ok(Some(header)) => {
                    at = header.next_offset();
                    end += header.size();
                }
                Err(bad) if end == start => return Err(bad),
                Ok(None) | Err(_) => return Ok(self.bytes.slice(start..end)),
            }
        }
    }

    /// Whether the batch at `start` is all there, as it was written.
    fn verify(&self, start: usize, header: &BatchHeader, epochs: &EpochCache) -> Result<(), Bad> {
        let (at, needed, found) = (header.base_offset, header.size(), self.bytes.len() - start);
        let Some(batch) = self.bytes.get(start..start + needed) else {
            return Err(self.bad(start, at, BatchError::Truncated { needed, found }));
        };
        verify_crc(batch).map_err(|fault| self.bad(start, at, fault))?;
        let found = header.leader_epoch;
        match epochs.epoch_at(at).filter(|known| *known != found) {
            Some(known) => Err(self.bad(start, at, Damage::Epoch { known, found })),
            None => Ok(()),
        }
    }
}
