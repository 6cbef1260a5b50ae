//! The small text files around the logs, in Kafka's own formats, as pure functions.
//!
//! ```text
//!   recovery-point-offset-checkpoint     version          leader-epoch-checkpoint   version     partition.metadata
//!   log-start-offset-checkpoint          0                (one in each log)         0           version: 0
//!   replication-offset-checkpoint        2    count                                 1   count   topic_id: 5Bp…
//!   cleaner-offset-checkpoint
//!   (one each in the data directory)     orders 0 17                                3 120
//!                                        orders 1 4
//! ```
//!
//! All but `partition.metadata` are replaced as a whole by the rim: written beside, synced, renamed, directory synced. A reader finds the
//! old version or the new one, never a mixture; anything else is an error that names file and line.
//!
//! The **clean-shutdown mark** may be there only if everything in the data directory is flushed and nothing was written since (D7). So it
//! is removed, durably, *before* any log is loaded: removed after, a crash while loading would leave it and the next start would
//! trust a torn tail (KAFKA-10471).

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;

use bytes::Bytes;

use super::epochs::{EpochCache, EpochStart};
use super::error::{FileError, FileFault};
use crate::types::{BrokerEpoch, LeaderEpoch, Offset, TopicId, TopicPartition, Uuid};

/// Below this offset every byte is durable: recovery starts here.
pub const RECOVERY_POINT_FILE: &str = "recovery-point-offset-checkpoint";
/// First offset of each log.
pub const LOG_START_FILE: &str = "log-start-offset-checkpoint";
/// High watermarks.
pub const HIGH_WATERMARK_FILE: &str = "replication-offset-checkpoint";
/// First dirty offsets of compacted logs.
pub const CLEANER_FILE: &str = "cleaner-offset-checkpoint";
/// Says that the last shutdown was a clean one.
pub const CLEAN_SHUTDOWN_FILE: &str = ".kafka_cleanshutdown";
/// The leader-epoch cache, in each log's directory.
pub const EPOCH_FILE: &str = "leader-epoch-checkpoint";
/// The identity of the topic, in each log's directory.
pub const METADATA_FILE: &str = "partition.metadata";

/// Length of `partition.metadata`: a topic id always has 22 digits.
pub(super) const METADATA_BYTES: usize = "version: 0\ntopic_id: 0123456789012345678901\n".len();

/// What the checkpoints of a data directory say about one log.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Checkpoint {
    /// Everything below is durable; 0 if nothing is known.
    pub recovery_point: Offset,
    /// Log start; 0 if nothing is known.
    pub log_start: Offset,
    /// High watermark; 0 if nothing is known.
    pub high_watermark: Offset,
    /// First dirty offset of a compacted log; 0 if nothing is known.
    pub first_dirty: Offset,
}

/// The content of an offset checkpoint.
#[must_use]
pub fn encode_offsets(offsets: &BTreeMap<TopicPartition, Offset>) -> Bytes {
    let mut text = format!("0\n{}\n", offsets.len());
    for (partition, offset) in offsets {
        writeln!(text, "{} {} {offset}", partition.topic, partition.index).expect("writing to a string cannot fail");
    }
    Bytes::from(text)
}

/// Reads an offset checkpoint; `path` is for the error.
///
/// # Errors
/// The line that cannot be understood.
pub fn parse_offsets(path: &str, bytes: &[u8]) -> Result<BTreeMap<TopicPartition, Offset>, FileError> {
    const SHAPE: &str = "`topic partition offset`";
    let mut offsets = BTreeMap::new();
    for (number, line) in counted_lines(path, bytes)? {
        let mut fields = line.split(' ');
        let (topic, index, offset) = (fields.next(), number_in(fields.next()), number_in(fields.next()));
        let (Some(topic), Some(index), Some(offset), None) = (topic, index, offset, fields.next()) else {
            return Err(fault(path, number, FileFault::Fields(SHAPE)));
        };
        if topic.is_empty() || index < 0 || offset < 0 {
            return Err(fault(path, number, FileFault::Fields(SHAPE)));
        }
        offsets.insert(TopicPartition { topic: Arc::from(topic), index }, Offset(offset));
    }
    Ok(offsets)
}

/// The content of `leader-epoch-checkpoint`.
#[must_use]
pub fn encode_epochs(cache: &EpochCache) -> Bytes {
    let mut text = format!("0\n{}\n", cache.entries().len());
    for entry in cache.entries() {
        writeln!(text, "{} {}", entry.epoch, entry.start).expect("writing to a string cannot fail");
    }
    Bytes::from(text)
}

/// Reads `leader-epoch-checkpoint`; `path` is for the error.
///
/// # Errors
/// The line that cannot be understood.
pub fn parse_epochs(path: &str, bytes: &[u8]) -> Result<EpochCache, FileError> {
    let mut entries = Vec::new();
    for (number, line) in counted_lines(path, bytes)? {
        let mut fields = line.split(' ');
        let (Some(epoch), Some(start), None) = (number_in(fields.next()), number_in(fields.next()), fields.next()) else {
            return Err(fault(path, number, FileFault::Fields("`epoch offset`")));
        };
        entries.push(EpochStart { epoch: LeaderEpoch(epoch), start: Offset(start) });
    }
    let lines = entries.len();
    EpochCache::from_entries(entries).ok_or_else(|| fault(path, lines + 2, FileFault::Order))
}

/// The content of `partition.metadata`.
#[must_use]
pub fn encode_metadata(topic: TopicId) -> Bytes {
    Bytes::from(format!("version: 0\ntopic_id: {topic}\n"))
}

/// Reads `partition.metadata`; `path` is for the error.
///
/// # Errors
/// The line that cannot be understood.
pub fn parse_metadata(path: &str, bytes: &[u8]) -> Result<TopicId, FileError> {
    let text = std::str::from_utf8(bytes).map_err(|_| fault(path, 1, FileFault::Text))?;
    let mut lines = text.lines();
    if lines.next() != Some("version: 0") {
        return Err(fault(path, 1, FileFault::Version));
    }
    let id = lines.next().and_then(|line| line.strip_prefix("topic_id: ")).and_then(parse_uuid);
    id.ok_or_else(|| fault(path, 2, FileFault::Fields("`topic_id: ` and 22 digits")))
}

/// The content of the clean-shutdown mark. It names the broker epoch that ended cleanly.
#[must_use]
pub fn encode_clean_shutdown(epoch: BrokerEpoch) -> Bytes {
    Bytes::from(format!("{{\"version\":0,\"brokerEpoch\":{epoch}}}"))
}

/// Reads the clean-shutdown mark; `path` is for the error. One that cannot be read is no mark.
///
/// # Errors
/// What is expected.
pub fn parse_clean_shutdown(path: &str, bytes: &[u8]) -> Result<BrokerEpoch, FileError> {
    let text = std::str::from_utf8(bytes).map_err(|_| fault(path, 1, FileFault::Text))?;
    let number = text.strip_prefix("{\"version\":0,\"brokerEpoch\":").and_then(|rest| rest.strip_suffix('}'));
    let epoch = number.and_then(|number| number.parse().ok()).map(BrokerEpoch);
    epoch.ok_or_else(|| fault(path, 1, FileFault::Fields("`{\"version\":0,\"brokerEpoch\":N}`")))
}

/// Reads an identifier as Kafka prints it: 22 digits of URL-safe base64.
#[must_use]
pub fn parse_uuid(text: &str) -> Option<Uuid> {
    if text.len() != 22 {
        return None;
    }
    let mut value: u128 = 0;
    for (place, digit) in text.bytes().enumerate() {
        let six = match digit {
            b'A'..=b'Z' => digit - b'A',
            b'a'..=b'z' => digit - b'a' + 26,
            b'0'..=b'9' => digit - b'0' + 52,
            b'-' => 62,
            b'_' => 63,
            _ => return None,
        };
        // 22 digits hold 132 bits; the last four must be zero.
        value = match place {
            21 if six & 15 == 0 => value << 2 | u128::from(six >> 4),
            21 => return None,
            _ => value << 6 | u128::from(six),
        };
    }
    Some(Uuid(value))
}

fn counted_lines<'a>(path: &str, bytes: &'a [u8]) -> Result<Vec<(usize, &'a str)>, FileError> {
    let text = std::str::from_utf8(bytes).map_err(|_| fault(path, 1, FileFault::Text))?;
    let lines: Vec<&str> = text.lines().collect();
    if lines.first() != Some(&"0") {
        return Err(fault(path, 1, FileFault::Version));
    }
    let count: Option<usize> = lines.get(1).and_then(|line| line.parse().ok());
    if count != Some(lines.len().saturating_sub(2)) {
        return Err(fault(path, 2, FileFault::Count));
    }
    Ok(lines.into_iter().enumerate().skip(2).map(|(index, line)| (index + 1, line)).collect())
}

fn number_in<N: std::str::FromStr>(field: Option<&str>) -> Option<N> {
    field?.parse().ok()
}

fn fault(path: &str, line: usize, fault: FileFault) -> FileError {
    FileError { path: path.to_owned(), line, fault }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn offsets_come_back_as_written() {
        let one = TopicPartition { topic: Arc::from("orders"), index: 1 };
        let other = TopicPartition { topic: Arc::from("a.b-c_d"), index: 0 };
        let offsets = BTreeMap::from([(one, Offset(4)), (other, Offset(0))]);
        let bytes = encode_offsets(&offsets);
        assert_eq!(&bytes[..], b"0\n2\na.b-c_d 0 0\norders 1 4\n");
        assert_eq!(parse_offsets("x", &bytes), Ok(offsets));
    }

    #[test]
    fn a_bad_line_is_named() {
        let error = parse_offsets("dir/file", b"0\n2\norders 1 4\norders one 4\n").unwrap_err();
        assert_eq!(error.to_string(), "dir/file:4: expected `topic partition offset`");
        assert_eq!(parse_offsets("f", b"1\n0\n").unwrap_err().fault, FileFault::Version);
        assert_eq!(parse_offsets("f", b"0\n2\norders 1 4\n").unwrap_err().fault, FileFault::Count);
        assert_eq!(parse_offsets("f", b"").unwrap_err().line, 1);
        assert_eq!(parse_offsets("f", &[0; 16]).unwrap_err().fault, FileFault::Version);
        assert_eq!(parse_epochs("f", b"0\n2\n3 10\n2 20\n").unwrap_err().fault, FileFault::Order);
    }

    #[test]
    fn epochs_come_back_as_written() {
        let mut cache = EpochCache::default();
        cache.assign(LeaderEpoch(0), Offset(0));
        cache.assign(LeaderEpoch(4), Offset(17));
        let bytes = encode_epochs(&cache);
        assert_eq!(&bytes[..], b"0\n2\n0 0\n4 17\n");
        assert_eq!(parse_epochs("x", &bytes), Ok(cache));
    }

    #[test]
    fn identifiers_come_back_as_printed() {
        for id in [Uuid(0), Uuid(1), Uuid(u128::MAX), Uuid(0x0123_4567_89ab_cdef_0011_2233_4455_6677)] {
            assert_eq!(parse_uuid(&id.to_string()), Some(id));
            assert_eq!(parse_metadata("x", &encode_metadata(id)), Ok(id));
            assert_eq!(encode_metadata(id).len(), METADATA_BYTES);
        }
        assert_eq!(parse_uuid("AAAAAAAAAAAAAAAAAAAAAB"), None, "padding bits must be zero");
        assert_eq!(parse_uuid("AAAAAAAAAAAAAAAAAAAAA="), None);
        assert_eq!(parse_metadata("p", b"version: 0\ntopic: x\n").unwrap_err().line, 2);
    }

    #[test]
    fn the_clean_mark_names_a_broker_epoch() {
        let bytes = encode_clean_shutdown(BrokerEpoch(42));
        assert_eq!(&bytes[..], b"{\"version\":0,\"brokerEpoch\":42}");
        assert_eq!(parse_clean_shutdown("x", &bytes), Ok(BrokerEpoch(42)));
        assert!(parse_clean_shutdown("x", b"").is_err());
    }
}
