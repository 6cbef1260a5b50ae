//! The sparse offset index of a segment: where to start looking.
//!
//! ```text
//!   .index   (relative offset i32, position i32) 8 bytes each, one per 4096 bytes of log by default
//!
//!   entries       (0,0)            (57,4180)          (103,8391)
//!                   │                 │                  │
//!   .log          [batch][batch]...[batch][batch].....[batch]
//!                                     └─ offset 80? start at 4180, walk the headers
//! ```
//!
//! The index of the active segment lives in memory only. It goes to the disk when the segment is closed, so that it can never refer to
//! bytes that are not there (D10). It is a shortcut, not evidence: recovery makes it anew, and a reader that does not find the
//! promised batch at the promised place makes it anew as well.

use super::time_index::TimeIndex;
use crate::types::{Offset, Timestamp};

/// "The batch at `offset` starts at `position`."
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(super) struct IndexEntry {
    /// Base offset of a batch.
    pub(super) offset: Offset,
    /// Byte at which it starts.
    pub(super) position: u64,
}

/// The index of one segment.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Index {
    base: Offset,
    entries: Vec<IndexEntry>,
    bytes_since: u64,
    /// How old records are up to where; `None`: its file is not to be believed.
    pub(super) times: Option<TimeIndex>,
    /// Made from the batches themselves rather than read from a file.
    pub(super) trusted: bool,
}

impl Index {
    /// The index of an empty segment.
    pub(super) fn new(base: Offset) -> Index {
        Index { base, entries: Vec::new(), bytes_since: 0, times: Some(TimeIndex::default()), trusted: true }
    }

    /// Takes note of the next batch of the segment.
    pub(super) fn note(&mut self, offset: Offset, position: u64, bytes: u64, max_timestamp: Timestamp, interval: u32) {
        assert!(offset >= self.base, "batch at {offset} in the segment from {}", self.base);
        let is_due = self.bytes_since > u64::from(interval);
        if is_due {
            self.entries.push(IndexEntry { offset, position });
            self.bytes_since = 0;
        }
        self.bytes_since += bytes;
        if let Some(times) = &mut self.times {
            times.note(offset, max_timestamp, is_due);
        }
    }

    /// The last known batch that starts at or below `offset`.
    pub(super) fn floor(&self, offset: Offset) -> IndexEntry {
        let above = self.entries.partition_point(|entry| entry.offset <= offset);
        above.checked_sub(1).map_or(IndexEntry { offset: self.base, position: 0 }, |floor| self.entries[floor])
    }

    /// Where the first known batch at or above `offset` starts.
    pub(super) fn ceiling(&self, offset: Offset) -> Option<u64> {
        let below = self.entries.partition_point(|entry| entry.offset < offset);
        self.entries.get(below).map(|entry| entry.position)
    }

    /// The last entry: where to look for the segment's end.
    pub(super) fn last(&self) -> IndexEntry {
        self.entries.last().copied().unwrap_or(IndexEntry { offset: self.base, position: 0 })
    }

    /// The segment now ends at `position`.
    pub(super) fn truncate(&mut self, position: u64) {
        self.entries.truncate(self.entries.partition_point(|entry| entry.position < position));
        self.bytes_since = position - self.last().position;
        let last = self.last().offset;
        if let Some(times) = &mut self.times {
            times.cut(last);
        }
    }

    /// Bytes of the file.
    pub(super) fn file_bytes(&self) -> usize {
        self.entries.len() * 8
    }

    /// The content of the file.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.file_bytes());
        for entry in &self.entries {
            let relative = i32::try_from(entry.offset.since(self.base)).expect("a segment is rolled before 2^31 offsets");
            let position = i32::try_from(entry.position).expect("a segment is rolled before 2^31 bytes");
            bytes.extend_from_slice(&relative.to_be_bytes());
            bytes.extend_from_slice(&position.to_be_bytes());
        }
        bytes
    }

    /// Reads a file; `None` if its entries do not rise or point outside of a segment of `length` bytes.
    pub(super) fn decode(bytes: &[u8], base: Offset, length: u64) -> Option<Index> {
        let (pairs, rest) = bytes.as_chunks::<8>();
        let mut entries: Vec<IndexEntry> = Vec::with_capacity(pairs.len());
        for pair in pairs {
            let relative = i32::from_be_bytes([pair[0], pair[1], pair[2], pair[3]]);
            let position = i32::from_be_bytes([pair[4], pair[5], pair[6], pair[7]]);
            let entry = IndexEntry { offset: base.plus(i64::from(relative)), position: u64::try_from(position).ok()? };
            let before = entries.last().copied().unwrap_or(IndexEntry { offset: base, position: 0 });
            if entry.offset <= before.offset || entry.position <= before.position || entry.position >= length {
                return None;
            }
            entries.push(entry);
        }
        let last = entries.last().map_or(0, |entry| entry.position);
        rest.is_empty().then_some(Index { base, entries, bytes_since: length - last, times: None, trusted: false })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn sample() -> Index {
        let mut index = Index::new(Offset(100));
        for batch in 0..10 {
            index.note(Offset(100 + batch * 5), batch as u64 * 60, 60, Timestamp(batch), 100);
        }
        index
    }

    #[test]
    fn floor_and_ceiling_enclose_the_batch() {
        let index = sample();
        assert_eq!(index.floor(Offset(100)), IndexEntry { offset: Offset(100), position: 0 });
        assert_eq!(index.floor(Offset(112)), IndexEntry { offset: Offset(110), position: 120 });
        assert_eq!(index.ceiling(Offset(112)), Some(240));
        assert_eq!(index.ceiling(Offset(110)), Some(120));
        assert_eq!(index.ceiling(Offset(1000)), None);
    }

    #[test]
    fn a_file_comes_back_as_written() {
        let index = sample();
        let back = Index::decode(&index.encode(), Offset(100), 600).unwrap();
        assert_eq!(back.entries, index.entries);
    }

    #[test]
    fn an_implausible_file_is_refused() {
        let bytes = sample().encode();
        assert_eq!(Index::decode(&bytes[..12], Offset(100), 600), None, "half an entry");
        assert_eq!(Index::decode(&[0; 16], Offset(100), 600), None, "zeros do not rise");
        assert_eq!(Index::decode(&bytes, Offset(100), 300), None, "beyond the end");
    }

    #[test]
    fn truncation_forgets_entries_at_and_beyond() {
        let mut index = sample();
        index.truncate(240);
        assert_eq!(index.last(), IndexEntry { offset: Offset(110), position: 120 });
    }
}
