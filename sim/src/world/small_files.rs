//! A reader of the small files of a data directory, of our own, from the description of their formats alone.
//!
//! ```text
//!   recovery-point-offset-checkpoint   version, count, then lines `topic partition offset`
//!   orders-0/leader-epoch-checkpoint   version, count, then lines `epoch offset`
//!   orders-0/00..17.truncated          the log was cut there, below a recovery point that may still be on the disk
//!   .kafka_cleanshutdown               there or not
//!   orders-0/00..42.snapshot           version i16, crc u32, count i32; each: producer i64, epoch i16, 16 bytes, batches i8
//!                                      each: first sequence i32, 12 bytes, last offset i64, 8 bytes
//! ```
//!
//! A file that cannot be read says nothing: whether a broker copes with that is not the auditor's affair.

use std::collections::BTreeMap;

use brokerlab::types::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, Sequence};
use brokerlab_reports::event::{ProducerSnapshot, SmallFiles};

use crate::disk::Image;

const CLEAN_MARK: &str = ".kafka_cleanshutdown";
const RECOVERY_POINTS: &str = "recovery-point-offset-checkpoint";
const EPOCHS: &str = "/leader-epoch-checkpoint";
const CUT: &str = ".truncated";
const SNAPSHOT: &str = ".snapshot";

/// What is noted in one data directory.
#[derive(Debug, Default)]
pub struct Notes {
    clean_mark: bool,
    recovery_points: BTreeMap<String, Offset>,
    epochs: BTreeMap<String, Vec<(LeaderEpoch, Offset)>>,
    cuts: BTreeMap<String, Offset>,
}

/// Whether a file is read here.
#[must_use]
pub fn is_of_interest(path: &str) -> bool {
    path == CLEAN_MARK || path == RECOVERY_POINTS || path.ends_with(EPOCHS) || is_cut_mark(path)
}

fn is_cut_mark(path: &str) -> bool {
    path.ends_with(CUT)
}

/// The offset in a file's name: 20 digits and this suffix.
fn base_of(name: &str, suffix: &str) -> Option<Offset> {
    let digits = name.strip_suffix(suffix)?;
    let all = digits.len() == 20 && digits.bytes().all(|digit| digit.is_ascii_digit());
    digits.parse().ok().filter(|_| all).map(Offset)
}

impl Notes {
    /// Reads the files that are durable, and the marks of cuts that anybody sees.
    #[must_use]
    pub fn of(visible: &[Image<'_>], durable: &[Image<'_>]) -> Notes {
        let mut notes = Notes::default();
        for file in durable.iter().chain(visible.iter().filter(|file| is_cut_mark(file.path))) {
            notes.read(file.path, &file.bytes);
        }
        notes
    }

    /// What is said about the log in a directory.
    #[must_use]
    pub fn about(&self, directory: &str) -> SmallFiles {
        let written = self.recovery_points.get(directory).copied().unwrap_or(Offset::ZERO);
        let cut = self.cuts.get(directory).copied().unwrap_or(written);
        let epochs = self.epochs.get(directory).cloned().unwrap_or_default();
        SmallFiles { recovery_point: written.min(cut), epochs, clean_mark: self.clean_mark, snapshot: None }
    }

    fn read(&mut self, path: &str, content: &[u8]) {
        self.clean_mark |= path == CLEAN_MARK;
        if path == RECOVERY_POINTS {
            self.recovery_points = lines(content).filter_map(recovery_point).collect();
        }
        if let Some(directory) = path.strip_suffix(EPOCHS) {
            self.epochs.insert(directory.to_string(), lines(content).filter_map(epoch).collect());
        }
        if let Some((directory, name)) = path.split_once('/')
            && let Some(cut) = base_of(name, CUT)
        {
            let lowest = self.cuts.entry(directory.to_string()).or_insert(cut);
            *lowest = cut.min(*lowest);
        }
    }
}

/// Whether a file is a snapshot of producers.
#[must_use]
pub fn is_snapshot(path: &str) -> bool {
    path.ends_with(SNAPSHOT)
}

/// The newest snapshot of producers in one directory, if it can be read: a torn one, or one whose data a loss of power took, says nothing.
#[must_use]
pub fn newest_snapshot(files: &[(&str, &[u8])]) -> Option<ProducerSnapshot> {
    let (at, content) =
        files.iter().filter_map(|(name, content)| Some((base_of(name, SNAPSHOT)?, content))).max_by_key(|(at, _)| *at)?;
    let mut rest = content.get(6..)?;
    if u32::from_be_bytes(content[2..6].try_into().ok()?) != crc32c::crc32c(rest) {
        return None;
    }
    let mut batches = Vec::new();
    for _ in 0..i32::from_be_bytes(take(&mut rest)?) {
        let (producer, epoch) =
            (ProducerId(i64::from_be_bytes(take(&mut rest)?)), ProducerEpoch(i16::from_be_bytes(take(&mut rest)?)));
        let _transaction_and_time: [u8; 16] = take(&mut rest)?;
        for _ in 0..u8::from_be_bytes(take(&mut rest)?) {
            let first = Sequence(i32::from_be_bytes(take(&mut rest)?));
            let _last_sequence_and_first_offset: [u8; 12] = take(&mut rest)?;
            batches.push((producer, epoch, first, Offset(i64::from_be_bytes(take(&mut rest)?))));
            let _timestamp: [u8; 8] = take(&mut rest)?;
        }
    }
    Some(ProducerSnapshot { at, batches })
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (head, rest) = bytes.split_first_chunk::<N>()?;
    *bytes = rest;
    Some(*head)
}

/// The lines behind version and count.
fn lines(content: &[u8]) -> impl Iterator<Item = &str> {
    std::str::from_utf8(content).unwrap_or("").lines().skip(2)
}

fn recovery_point(line: &str) -> Option<(String, Offset)> {
    let mut fields = line.split(' ');
    let (topic, index, offset) = (fields.next()?, fields.next()?, fields.next()?);
    Some((format!("{topic}-{index}"), Offset(offset.parse().ok()?)))
}

fn epoch(line: &str) -> Option<(LeaderEpoch, Offset)> {
    let (epoch, start) = line.split_once(' ')?;
    Some((LeaderEpoch(epoch.parse().ok()?), Offset(start.parse().ok()?)))
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;

    fn file<'a>(path: &'a str, content: &'a str) -> Image<'a> {
        Image { path, bytes: Cow::Borrowed(content.as_bytes()) }
    }

    #[test]
    fn the_small_files_are_read_as_they_are_written() {
        let durable = [
            file(RECOVERY_POINTS, "0\n2\norders 0 17\npay-ments 3 9\n"),
            file("orders-0/leader-epoch-checkpoint", "0\n2\n1 0\n3 12\n"),
            file(CLEAN_MARK, "{}"),
        ];
        let notes = Notes::of(&[file("pay-ments-3/00000000000000000004.truncated", "")], &durable);
        let orders = notes.about("orders-0");
        assert_eq!((orders.recovery_point, orders.clean_mark), (Offset(17), true));
        assert_eq!(orders.epochs, [(LeaderEpoch(1), Offset(0)), (LeaderEpoch(3), Offset(12))]);
        assert_eq!(notes.about("pay-ments-3").recovery_point, Offset(4), "a cut below the point counts");
        assert_eq!(notes.about("other-0"), SmallFiles { clean_mark: true, ..SmallFiles::default() });
    }

    #[test]
    fn the_newest_snapshot_is_read_as_the_broker_writes_it() {
        let batch = |first: i32, last: i64| {
            [&first.to_be_bytes()[..], &first.to_be_bytes(), &last.to_be_bytes(), &last.to_be_bytes(), &[0; 8]].concat()
        };
        let head = [&1_i32.to_be_bytes()[..], &7_i64.to_be_bytes(), &3_i16.to_be_bytes(), &[0; 16], &[2]].concat();
        let checked = [head, batch(4, 10), batch(5, 11)].concat();
        let content = [&[0, 2][..], &crc32c::crc32c(&checked).to_be_bytes(), &checked].concat();
        let name = |at: u64| format!("{at:020}.snapshot");
        let (newest, older) = (name(12), name(3));
        let files = |content| [(newest.as_str(), content), (older.as_str(), &[][..])];
        let (producer, epoch) = (ProducerId(7), ProducerEpoch(3));
        let batches = vec![(producer, epoch, Sequence(4), Offset(10)), (producer, epoch, Sequence(5), Offset(11))];
        assert_eq!(newest_snapshot(&files(&content)), Some(ProducerSnapshot { at: Offset(12), batches }));
        assert_eq!(newest_snapshot(&files(&content[..40])), None, "a torn one says nothing");
        assert_eq!(newest_snapshot(&files(&vec![0; content.len()])), None, "nor does one without its data");
    }

    #[test]
    fn no_content_makes_the_reader_panic() {
        for content in ["", "0", "x\ny\nz", "0\n1\na b c d\n", "0\n1\n99999999999999999999 1\n"] {
            let notes = Notes::of(&[], &[file(RECOVERY_POINTS, content), file("a-0/leader-epoch-checkpoint", content)]);
            assert_eq!(notes.about("a-0").recovery_point, Offset(0));
        }
    }
}
