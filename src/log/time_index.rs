//! The sparse time index of a segment: how old records are up to where.
//!
//! ```text
//!   .timeindex   (timestamp i64, relative offset i32) 12 bytes each, as Kafka has them, then CRC-32C of the segment's length and all entries
//!
//!   entries            (1000, 0)                    (1007, 57)             (1012, 103)
//!   .log, by batch     1000  998  1000  1003  1007? no: here begins ──▶ 1007  1004  ...
//! ```
//!
//! An entry says that the batch at its offset holds the timestamp, and that all records before that batch are older. So the first record
//! at or after a moment is not before the last entry that is not younger. An entry is made where the offset index makes one, if the largest
//! timestamp has risen since the last; the file ends with the largest timestamp of all.
//!
//! Like the offset index it is a shortcut, written when the segment is closed and made anew from the batches when it is needed and not
//! there. But an offset index that lies is found out by the batch that it points at; a time index that lies only makes a walk begin too late, and
//! the answer wrong. So what is read from the medium must fit its checksum and the segment's length, and the entry at which a walk begins is
//! compared with its batch.
//!
//! When a segment is cut, the largest timestamp of what is left is not known. The index is not [whole](TimeIndex::is_whole) then: it takes no new
//! entries, and is made anew when somebody asks.

use crate::types::{Offset, Timestamp};

/// Bytes of an entry.
const ENTRY_BYTES: usize = 12;
/// Bytes of the checksum.
const CHECKSUM_BYTES: usize = 4;

/// "The batch at `offset` holds `timestamp`, and everything before it is older."
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct TimeEntry {
    /// Largest timestamp so far.
    pub(super) timestamp: Timestamp,
    /// Base offset of the first batch that holds it.
    pub(super) offset: Offset,
}

/// The time index of one segment. Invariant: timestamps and offsets of the entries rise.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(super) struct TimeIndex {
    entries: Vec<TimeEntry>,
    /// The largest timestamp of all batches; `None`: there is none.
    newest: Option<TimeEntry>,
    is_cut: bool,
}

impl TimeIndex {
    /// Takes note of the next batch; `is_due`: the offset index has just made an entry.
    pub(super) fn note(&mut self, offset: Offset, max_timestamp: Timestamp, is_due: bool) {
        if self.is_cut {
            return;
        }
        if max_timestamp.0 >= 0 && self.newest.is_none_or(|newest| newest.timestamp < max_timestamp) {
            self.newest = Some(TimeEntry { timestamp: max_timestamp, offset });
        }
        if is_due {
            self.entries.extend(self.unwritten());
        }
    }

    /// The largest timestamp, if no entry tells it yet.
    fn unwritten(&self) -> Option<TimeEntry> {
        let last = self.entries.last().map(|last| last.timestamp);
        self.newest.filter(|newest| last.is_none_or(|last| last < newest.timestamp))
    }

    /// Whether all batches of the segment are known.
    pub(super) fn is_whole(&self) -> bool {
        !self.is_cut
    }

    /// The largest timestamp of the segment, if it is known; -1 if it holds none.
    pub(super) fn max(&self) -> Option<Timestamp> {
        self.is_whole().then(|| self.newest.map_or(Timestamp(-1), |newest| newest.timestamp))
    }

    /// Before this entry all records are older than `at`.
    pub(super) fn floor(&self, at: Timestamp) -> Option<TimeEntry> {
        let above = self.entries.partition_point(|entry| entry.timestamp <= at);
        above.checked_sub(1).map(|floor| self.entries[floor])
    }

    /// The segment was cut, and entries of the offset index are left up to `last`.
    pub(super) fn cut(&mut self, last: Offset) {
        self.entries.truncate(self.entries.partition_point(|entry| entry.offset <= last));
        self.is_cut = true;
    }

    /// The content of the file for a segment of `length` bytes from `base` on.
    pub(super) fn encode(&self, base: Offset, length: u64) -> Vec<u8> {
        let mut bytes = Vec::with_capacity((self.entries.len() + 1) * ENTRY_BYTES + CHECKSUM_BYTES);
        for entry in self.entries.iter().copied().chain(self.unwritten()) {
            let relative = i32::try_from(entry.offset.since(base)).expect("a segment is rolled before 2^31 offsets");
            bytes.extend_from_slice(&entry.timestamp.0.to_be_bytes());
            bytes.extend_from_slice(&relative.to_be_bytes());
        }
        let sum = checksum(&bytes, length);
        bytes.extend_from_slice(&sum.to_be_bytes());
        bytes
    }

    /// Reads a file; `None` if it is not what was written for a segment of this length.
    pub(super) fn decode(bytes: &[u8], base: Offset, length: u64) -> Option<TimeIndex> {
        let (entries, sum) = bytes.split_last_chunk::<CHECKSUM_BYTES>()?;
        if u32::from_be_bytes(*sum) != checksum(entries, length) {
            return None;
        }
        let (parts, rest) = entries.as_chunks::<ENTRY_BYTES>();
        let entries: Vec<TimeEntry> = parts.iter().map(|part| entry(part, base)).collect();
        let rises = entries.is_sorted_by(|one, next| one.timestamp < next.timestamp && one.offset < next.offset);
        let newest = entries.last().copied();
        (rises && rest.is_empty()).then_some(TimeIndex { entries, newest, is_cut: false })
    }
}

fn entry(part: &[u8; ENTRY_BYTES], base: Offset) -> TimeEntry {
    let [a, b, c, d, e, f, g, h, relative @ ..] = *part;
    let timestamp = Timestamp(i64::from_be_bytes([a, b, c, d, e, f, g, h]));
    TimeEntry { timestamp, offset: base.plus(i64::from(i32::from_be_bytes(relative))) }
}

fn checksum(entries: &[u8], length: u64) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&length.to_be_bytes()), entries)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    /// Ten batches of five records; every third makes an entry due; timestamps do not rise evenly.
    fn sample() -> TimeIndex {
        let mut index = TimeIndex::default();
        for (batch, timestamp) in [10, 12, 11, 15, 14, 15, 13, 20, 19, 18].into_iter().enumerate() {
            index.note(Offset(100 + batch as i64 * 5), Timestamp(timestamp), batch % 3 == 2);
        }
        index
    }

    fn floor(index: &TimeIndex, at: i64) -> Option<(i64, i64)> {
        index.floor(Timestamp(at)).map(|entry| (entry.timestamp.0, entry.offset.0))
    }

    #[test]
    fn everything_before_the_floor_is_older() {
        let index = sample();
        assert_eq!(floor(&index, 11), None);
        assert_eq!(floor(&index, 12), Some((12, 105)));
        assert_eq!(floor(&index, 17), Some((15, 115)), "the first batch that holds it");
        assert_eq!(floor(&index, 99), Some((20, 135)));
        assert_eq!(index.max(), Some(Timestamp(20)));
    }

    #[test]
    fn a_file_comes_back_and_tells_the_largest_timestamp() {
        let mut index = sample();
        index.note(Offset(150), Timestamp(30), false);
        let file = index.encode(Offset(100), 600);
        assert_eq!(file.len(), 4 * ENTRY_BYTES + CHECKSUM_BYTES);
        let back = TimeIndex::decode(&file, Offset(100), 600).unwrap();
        assert_eq!((back.max(), floor(&back, 30)), (Some(Timestamp(30)), Some((30, 150))));
        assert_eq!(TimeIndex::decode(&TimeIndex::default().encode(Offset(0), 0), Offset(0), 0), Some(TimeIndex::default()));
    }

    #[test]
    fn no_changed_byte_is_believed() {
        let file = sample().encode(Offset(100), 600);
        for at in 0..file.len() {
            let mut rotten = file.clone();
            rotten[at] ^= 1;
            assert_eq!(TimeIndex::decode(&rotten, Offset(100), 600), None, "byte {at}");
            assert_eq!(TimeIndex::decode(&file[..at], Offset(100), 600), None, "{at} bytes");
        }
        assert_eq!(TimeIndex::decode(&file, Offset(100), 601), None, "of another segment");
    }

    #[test]
    fn after_a_cut_it_says_no_more_than_it_knows() {
        let mut index = sample();
        index.cut(Offset(114));
        index.note(Offset(115), Timestamp(1), true);
        assert_eq!((floor(&index, 99), index.max(), index.is_whole()), (Some((12, 105)), None, false));
    }
}
