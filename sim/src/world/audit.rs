//! The auditor: what is really on a disk, whatever the broker says.
//!
//! Before a process dies, before and after a new one recovers, and at the end, the `.log` files of every partition directory are read
//! by a parser of our own ([`batches`](super::batches)): as a reader sees them, and as a power loss would leave them in any case.
//!
//! Segments that were given up may come back with a loss of power, some of them, with a hole between. Whether such a hole is one, or what was
//! before it is no part of the log any more, is told by `log-start-offset-checkpoint`.

use std::collections::BTreeMap;

use brokerlab::types::{Offset, PartitionId, TopicId};
use brokerlab_reports::event::{AuditMoment, EventId, KeyedRecord, LogImage, SmallFiles, TappedBatch, What};

use super::batches::{keyed_records, read_batches};
use super::cast::Role;
use super::small_files::{self, Notes};
use super::state::World;
use crate::disk::Image;

/// Whose log a directory holds.
const METADATA: &str = "partition.metadata";
/// The mark of a log that was compacted.
const COMPACTED: &str = "compacted";
/// How the name of a segment ends that is on its way into the place of others.
const SWAP: &str = ".swap";
/// Where the broker writes down where its logs start.
const LOG_STARTS: &str = "log-start-offset-checkpoint";

/// A directory's files by name.
type Files<'a> = Vec<(&'a str, &'a [u8])>;

/// What lies in the directory of a partition.
struct Found {
    directory: String,
    /// By its `partition.metadata`.
    topic: Option<TopicId>,
    base: Offset,
    batches: Vec<TappedBatch>,
    trailing_bytes: u64,
    durable_end: Offset,
    small_files: SmallFiles,
    records: Option<Vec<KeyedRecord>>,
}

impl World {
    /// States what the logs of a broker really hold.
    pub fn audit(&mut self, node: u16, moment: AuditMoment, cause: EventId) {
        if !matches!(self.member(node).role, Role::Broker(_)) {
            return;
        }
        // Rot is latent: a copy is lost when the broker meets it and gives it up, and then the broker says so.
        let all = self.nodes[usize::from(node)].disk.audit(is_of_interest, read_all);
        for found in all {
            let Some(partition) = self.partition_of(node, &found.directory, found.topic) else { continue };
            let Found { base, batches, trailing_bytes, durable_end, mut small_files, records, .. } = found;
            let records = records.filter(|_| matches!(moment, AuditMoment::AfterRecovery | AuditMoment::End));
            // What a life leaves behind: the next one may find it torn.
            if !matches!(moment, AuditMoment::Crash | AuditMoment::End) {
                small_files.snapshot = None;
            }
            let image = LogImage { partition, moment, base, batches, durable_end, trailing_bytes, small_files, records };
            self.note(Some(node), cause, EventId::NONE, What::Audit(image));
        }
    }

    /// Whose log lies in a directory: by what is written there, or as it was last known. Nobody knows where several topics had the name: a loss of
    /// power may have brought back what is left of an earlier one.
    fn partition_of(&mut self, node: u16, directory: &str, topic: Option<TopicId>) -> Option<PartitionId> {
        let (name, index) = directory.rsplit_once('-')?;
        let key = (node, directory.to_string());
        let topic = match topic {
            Some(topic) => {
                self.directories.insert(key, topic);
                topic
            }
            None => *self.directories.get(&key).filter(|_| !self.directory.was_created_again(name))?,
        };
        Some(PartitionId { topic, index: index.parse().ok()? })
    }
}

fn read_all(visible: &[Image<'_>], durable: &[Image<'_>]) -> Vec<Found> {
    let (starts, notes) = (log_starts(visible), Notes::of(visible, durable));
    let on_medium = by_directory(durable);
    let found = |(directory, files): (&str, Files<'_>)| {
        let start = starts.get(directory).copied().unwrap_or(Offset::ZERO);
        let (base, batches, trailing_bytes) = contents(&files, start);
        let topic = topic_of(&files);
        // Under the same name the medium may still hold the log of a topic that was deleted.
        let durable = on_medium.get(directory).filter(|durable| topic_of(durable) == topic);
        let durable_end = durable.map_or(Offset::ZERO, |durable| durable_end(&files, &batches, durable));
        let small_files = SmallFiles { snapshot: small_files::newest_snapshot(&files), ..notes.about(directory) };
        let is_compacted = files.iter().any(|(name, _)| *name == COMPACTED);
        let records = is_compacted.then(|| keyed_records(segments(&files))).flatten();
        Found { directory: directory.to_string(), topic, base, batches, trailing_bytes, durable_end, small_files, records }
    };
    by_directory(visible).into_iter().map(found).collect()
}

/// Segments, snapshots and metadata of each directory directly under the data directory, with their names only.
fn by_directory<'a>(files: &'a [Image<'_>]) -> BTreeMap<&'a str, Files<'a>> {
    let mut directories: BTreeMap<&str, Files<'_>> = BTreeMap::new();
    for file in files {
        let is_mark = |name: &str| [METADATA, COMPACTED].contains(&name);
        let is_log = |name: &str| is_segment(name) || is_swap(name) || small_files::is_snapshot(name) || is_mark(name);
        if let Some((directory, name)) = file.path.split_once('/').filter(|(_, name)| is_log(name)) {
            directories.entry(directory).or_default().push((name, &file.bytes));
        }
    }
    directories.values_mut().for_each(bring_swaps_home);
    directories
}

/// A `.swap` file stands for the segments from the offset in its name up to where it ends: compaction has replaced them, and a crash came between.
fn bring_swaps_home(files: &mut Files<'_>) {
    while let Some(at) = files.iter().position(|(name, _)| is_swap(name)) {
        let (name, content) = files.remove(at);
        let name = &name[..name.len() - SWAP.len()];
        let base = base_of(name).unwrap_or(Offset::ZERO);
        let end = read_batches(content).0.last().map_or(base.next(), |last| last.last_offset.next());
        let is_replaced = |other: &str| is_segment(other) && base_of(other).is_some_and(|other| base <= other && other < end);
        files.retain(|(other, _)| !is_replaced(other));
        files.insert(files.partition_point(|(other, _)| *other < name), (name, content));
    }
}

fn segments<'a>(files: &Files<'a>) -> impl Iterator<Item = &'a [u8]> {
    files.iter().filter(|(name, _)| is_segment(name)).map(|(_, content)| *content)
}

/// What an audit reads of a directory.
fn is_of_interest(path: &str) -> bool {
    let name = path.rsplit_once('/').map_or(path, |(_, name)| name);
    is_segment(name)
        || is_swap(name)
        || name == COMPACTED
        || small_files::is_snapshot(name)
        || name == METADATA
        || path == LOG_STARTS
        || small_files::is_of_interest(path)
}

fn is_segment(name: &str) -> bool {
    name.strip_suffix(".log").is_some_and(|base| base.len() == 20 && base.bytes().all(|digit| digit.is_ascii_digit()))
}

fn is_swap(name: &str) -> bool {
    name.strip_suffix(SWAP).is_some_and(is_segment)
}

/// First offset that a segment may hold, by its name.
fn base_of(name: &str) -> Option<Offset> {
    name.get(..20)?.parse().ok().map(Offset)
}

/// Where each log starts, by its directory, as the checkpoint tells: a version, a count, and lines of topic, partition and offset.
fn log_starts(files: &[Image<'_>]) -> BTreeMap<String, Offset> {
    let checkpoint = files.iter().find(|file| file.path == LOG_STARTS);
    let text = checkpoint.and_then(|file| std::str::from_utf8(&file.bytes).ok()).unwrap_or_default();
    let entry = |line: &str| {
        let mut words = line.split(' ');
        let (topic, index, start) = (words.next()?, words.next()?, words.next()?.parse().ok()?);
        Some((format!("{topic}-{index}"), Offset(start)))
    };
    text.lines().skip(2).filter_map(entry).collect()
}

/// Where the log begins, all batches up to the first place that is none, and the bytes that follow. What lies before a hole below `start` was
/// given up.
fn contents(files: &Files<'_>, start: Offset) -> (Offset, Vec<TappedBatch>, u64) {
    let (mut first, mut end) = (None, None);
    let mut all: Vec<TappedBatch> = Vec::new();
    let mut trailing = 0;
    for (name, content) in files.iter().filter(|(name, _)| is_segment(name)) {
        let base = base_of(name).unwrap_or(Offset::ZERO);
        if end.is_some_and(|end| base != end) && base <= start {
            (first, trailing) = (None, 0);
            all.clear();
        }
        first.get_or_insert(base);
        if trailing > 0 {
            trailing += content.len() as u64;
            continue;
        }
        let (batches, read) = read_batches(content);
        end = Some(batches.last().map_or(base, |last| last.last_offset.next()));
        all.extend(batches);
        trailing += (content.len() - read) as u64;
    }
    (first.unwrap_or(Offset::ZERO), all, trailing)
}

/// Where the durable part of a log ends whose visible part is known. Mostly there is no difference, and then nothing is read twice.
fn durable_end(visible: &Files<'_>, batches: &[TappedBatch], durable: &Files<'_>) -> Offset {
    let is_same = segments(visible).eq(segments(durable));
    let is_sound = batches.iter().all(|batch| batch.valid);
    match batches.last() {
        Some(last) if is_same && is_sound && is_ascending(batches) => last.last_offset.next(),
        _ => end_of(durable),
    }
}

fn is_ascending(batches: &[TappedBatch]) -> bool {
    batches.is_sorted_by(|one, next| one.last_offset < next.base_offset)
}

/// End of the whole batches with right checksums, one following the other.
fn end_of(files: &Files<'_>) -> Offset {
    let mut end: Option<Offset> = None;
    for content in segments(files) {
        let (batches, read) = read_batches(content);
        for batch in batches {
            if !batch.valid || end.is_some_and(|end| batch.base_offset < end) {
                return end.unwrap_or(Offset::ZERO);
            }
            end = Some(batch.last_offset.next());
        }
        if read < content.len() {
            break;
        }
    }
    end.unwrap_or(Offset::ZERO)
}

/// Whose log the files are.
fn topic_of(files: &Files<'_>) -> Option<TopicId> {
    let (_, content) = files.iter().find(|(name, _)| *name == METADATA)?;
    topic_id_in(content)
}

/// The topic id in a `partition.metadata` file: its line `topic_id: ` and 22 digits of base 64.
fn topic_id_in(content: &[u8]) -> Option<TopicId> {
    let text = std::str::from_utf8(content).ok()?;
    let digits = text.lines().find_map(|line| line.strip_prefix("topic_id:"))?.trim();
    if digits.len() != 22 {
        return None;
    }
    let mut value: u128 = 0;
    for (at, digit) in digits.bytes().enumerate() {
        let six = match digit {
            b'A'..=b'Z' => digit - b'A',
            b'a'..=b'z' => digit - b'a' + 26,
            b'0'..=b'9' => digit - b'0' + 52,
            b'-' => 62,
            b'_' => 63,
            _ => return None,
        };
        let six = u128::from(six);
        // 22 digits hold 132 bits; the last four are padding.
        value = if at < 21 { value << 6 | six } else { value << 2 | six >> 4 };
    }
    Some(brokerlab::types::Uuid(value))
}

#[cfg(test)]
mod tests {
    use brokerlab::types::Uuid;

    use super::super::batches::tests::batch;
    use super::*;

    fn files<'a>(segments: &'a [(&'a str, Vec<u8>)]) -> Files<'a> {
        segments.iter().map(|(name, content)| (*name, content.as_slice())).collect()
    }

    #[test]
    fn a_topic_id_is_read_as_it_is_written() {
        for id in [0, 1, u128::MAX, 0x0123_4567_89ab_cdef_0011_2233_4455_6677] {
            let content = format!("version: 0\ntopic_id: {}\n", Uuid(id));
            assert_eq!(topic_id_in(content.as_bytes()), Some(Uuid(id)));
        }
        assert_eq!(topic_id_in(b"topic_id: short"), None);
    }

    #[test]
    fn an_image_ends_at_the_first_byte_that_is_no_batch() {
        let torn = [batch(2, 1, 1), batch(3, 1, 1)[..20].to_vec()].concat();
        let written = [
            ("00000000000000000000.log", batch(0, 2, 1)),
            ("00000000000000000002.log", torn),
            ("00000000000000000004.log", vec![0; 7]),
            ("leader-epoch-checkpoint", b"0".to_vec()),
        ];
        let files = files(&written);
        let (base, batches, trailing) = contents(&files, Offset::ZERO);
        assert_eq!((base, batches.len(), trailing), (Offset::ZERO, 2, 27));
        assert_eq!(end_of(&files), Offset(3));
    }

    #[test]
    fn a_swap_stands_for_what_it_covers() {
        let swap = [batch(2, 1, 1), batch(7, 1, 1)].concat();
        let written = [
            ("00000000000000000000.log", batch(0, 2, 1)),
            ("00000000000000000002.log", batch(2, 3, 1)),
            ("00000000000000000002.log.swap", swap),
            ("00000000000000000008.log", batch(8, 1, 1)),
        ];
        let mut files = files(&written);
        bring_swaps_home(&mut files);
        let bases: Vec<i64> = contents(&files, Offset::ZERO).1.iter().map(|batch| batch.base_offset.0).collect();
        assert_eq!(bases, [0, 2, 7, 8]);
    }

    #[test]
    fn what_lies_before_a_hole_was_given_up_if_the_checkpoint_says_so() {
        let written = [
            ("00000000000000000000.log", batch(0, 2, 1)),
            ("00000000000000000004.log", batch(4, 1, 1)),
            ("00000000000000000005.log", batch(5, 1, 1)),
        ];
        let files = files(&written);
        let bases = |start| contents(&files, Offset(start)).1.iter().map(|batch| batch.base_offset.0).collect::<Vec<_>>();
        assert_eq!(bases(5), [4, 5]);
        assert_eq!(bases(0), [0, 4, 5], "a hole in the log itself is for the checks to see");
        let starts = log_starts(&[Image { path: LOG_STARTS, bytes: b"0\n2\nmy-topic 1 7\norders 0 4\n".into() }]);
        assert_eq!(starts.get("my-topic-1"), Some(&Offset(7)));
    }
}
