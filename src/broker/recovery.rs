//! What is found on the disk at start: who we were, and the logs we had.
//!
//! ```text
//!   meta.properties                    cluster id, node id, directory id        written once
//!   .kafka_cleanshutdown               only after a shutdown in order           erased, durably, before any log is opened
//!   replication-offset-checkpoint      high watermark of each log
//!   recovery-point-offset-checkpoint   below it every byte is durable
//!   log-start-offset-checkpoint        first offset of each log
//!   orders-0/                          one directory for each log
//! ```
//!
//! The clean-shutdown mark says "trust every file". If it outlived the moment in which we begin to write, the next start would trust torn
//! files; so its removal is synced before anything is opened (KAFKA-10471), and also if it is not there: a former life may have erased it
//! and died before the sync.
//!
//! A checkpoint that is missing or cannot be read is as good as zeros: recovery then looks at everything.
//!
//! **Rot.** A log that is corrupt where it was durable is not cut there, for what follows was promised too. It is set aside whole
//! (`orders-0.corrupt`), and the replica begins anew and fetches everything from its leader: the new registration has taken it out of the
//! ISR. If it was the *last* member of the ISR it will lead without its records, as any last replica standing that lost its disk would.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use crate::digest::Digest;
use crate::disk::{Disk, DiskError, read_file};
use crate::fact::Fact;
use crate::log::checkpoint::{
    CLEAN_SHUTDOWN_FILE, CLEANER_FILE, HIGH_WATERMARK_FILE, LOG_START_FILE, METADATA_FILE, RECOVERY_POINT_FILE,
    parse_clean_shutdown, parse_metadata, parse_offsets, parse_uuid,
};
use crate::log::{Checkpoint, Log, LogConfig, LogError, Recovery};
use crate::mutant::Mutant;
use crate::types::{BrokerEpoch, Offset, PartitionId, TopicId, TopicPartition, Uuid};

use super::config::BrokerConfig;

/// Who this directory belongs to.
pub(super) const META_PROPERTIES: &str = "meta.properties";

/// A log found on the disk.
#[derive(Debug, Hash)]
pub(super) struct Loaded {
    /// The log.
    pub log: Log,
    /// Number of its partition.
    pub index: i32,
    /// The high watermark to begin with.
    pub high_watermark: Offset,
}

/// Everything found.
#[derive(Debug)]
pub(super) struct Found {
    /// The logs.
    pub logs: Vec<Loaded>,
    /// Directories of which the checkpoints tell, still there or not.
    pub used: BTreeSet<String>,
    /// Whether the cleaner's checkpoint tells of any log.
    pub were_compacted: bool,
}

/// The directory id in `meta.properties`; `None` if the directory is new.
///
/// # Errors
/// Disk errors; `Exists` if the directory belongs to another node or cluster.
pub(super) fn directory_id(disk: &mut dyn Disk, config: &BrokerConfig) -> Result<Option<Uuid>, DiskError> {
    let bytes = match read_file(disk, META_PROPERTIES) {
        Err(DiskError::NotFound) => return Ok(None),
        read => read?,
    };
    let text = String::from_utf8_lossy(&bytes);
    let entries: BTreeMap<&str, &str> = text.lines().filter_map(|line| line.split_once('=')).collect();
    let is_ours = entries.get("cluster.id") == Some(&config.cluster_id.as_str())
        && entries.get("node.id").and_then(|id| id.parse().ok()) == Some(config.id.0);
    match entries.get("directory.id").and_then(|id| parse_uuid(id)) {
        Some(id) if is_ours => Ok(Some(id)),
        Some(_) | None => Err(DiskError::Exists),
    }
}

/// The content of `meta.properties`.
pub(super) fn meta_properties(config: &BrokerConfig, directory: Uuid) -> String {
    let (cluster, node) = (&config.cluster_id, config.id);
    format!("version=1\ncluster.id={cluster}\nnode.id={node}\ndirectory.id={directory}\n")
}

/// An identifier drawn from the seed.
pub(super) fn draw(seed: u64, purpose: &str) -> Uuid {
    use std::hash::Hash;
    let mut digest = Digest::new();
    (seed, purpose).hash(&mut digest);
    Uuid(digest.value())
}

/// Erases the clean-shutdown mark and gives the broker epoch it named; `None` if there was none. The caller syncs the directory.
///
/// # Errors
/// Disk errors.
pub(super) fn erase_clean_mark(disk: &mut dyn Disk) -> Result<Option<BrokerEpoch>, DiskError> {
    let Some(mark) = clean_mark(disk)? else { return Ok(None) };
    disk.remove(CLEAN_SHUTDOWN_FILE)?;
    Ok(parse_clean_shutdown(CLEAN_SHUTDOWN_FILE, &mark).ok())
}

/// The broker epoch that the clean-shutdown mark names, which stays where it is.
///
/// # Errors
/// Disk errors.
pub(super) fn read_clean_mark(disk: &mut dyn Disk) -> Result<Option<BrokerEpoch>, DiskError> {
    Ok(clean_mark(disk)?.and_then(|mark| parse_clean_shutdown(CLEAN_SHUTDOWN_FILE, &mark).ok()))
}

fn clean_mark(disk: &mut dyn Disk) -> Result<Option<Bytes>, DiskError> {
    match read_file(disk, CLEAN_SHUTDOWN_FILE) {
        Err(DiskError::NotFound) => Ok(None),
        read => read.map(Some),
    }
}

/// Opens every log in the data directory, and says what was found.
///
/// # Errors
/// Disk errors, and files that cannot be understood.
pub(super) fn load_logs(disk: &mut dyn Disk, config: &LogConfig, clean: bool, facts: &mut Vec<Fact>) -> Result<Found, LogError> {
    let [high_watermarks, recovery_points, log_starts, first_dirty] =
        [HIGH_WATERMARK_FILE, RECOVERY_POINT_FILE, LOG_START_FILE, CLEANER_FILE].map(|file| offsets(disk, file));
    let (high_watermarks, recovery_points, log_starts) = (high_watermarks?, recovery_points?, log_starts?);
    let first_dirty = first_dirty?;
    let checkpoints = [&high_watermarks, &recovery_points, &log_starts, &first_dirty];
    let mut used: BTreeSet<String> = checkpoints.into_iter().flat_map(BTreeMap::keys).map(directory).collect();
    let mut logs = Vec::new();
    for dir in disk.list("")? {
        let Some(name) = parse_directory(&dir) else { continue };
        let known = |offsets: &BTreeMap<TopicPartition, Offset>| offsets.get(&name).copied().unwrap_or(Offset::ZERO);
        let checkpoint = Checkpoint {
            first_dirty: known(&first_dirty),
            recovery_point: known(&recovery_points),
            log_start: known(&log_starts),
            high_watermark: known(&high_watermarks),
        };
        match Log::open(disk, &dir, config.clone(), clean, &checkpoint) {
            Ok((mut log, recovery)) => {
                let acted = config.mutants.planted().filter(|_| log.take_acted());
                facts.extend(acted.map(Mutant::acted));
                // The checkpoint is written every few seconds and may be from before a truncation. Only a stop in order has brought it
                // up to date; else the leader is asked again, for a high watermark that is too low is merely late.
                let high_watermark = if clean { recovery.high_watermark } else { log.log_start() };
                logs.push(loaded(log, name.index, high_watermark, &recovery, facts));
            }
            Err(LogError::NeverFlushed { .. }) => Log::discard(disk, &dir)?,
            Err(LogError::Corrupt { at, below_recovery_point, .. }) => {
                if let Some(topic) = topic_of(disk, &dir) {
                    let partition = PartitionId { topic, index: name.index };
                    facts.push(Fact::CorruptionFound { partition, at, below_recovery_point });
                    facts.push(Fact::LogRemoved { partition });
                }
                Log::set_aside(disk, &dir)?;
                used.insert(dir);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(Found { logs, used, were_compacted: !first_dirty.is_empty() })
}

fn loaded(log: Log, index: i32, high_watermark: Offset, recovery: &Recovery, facts: &mut Vec<Fact>) -> Loaded {
    let partition = PartitionId { topic: log.topic(), index };
    facts.push(opened(&log, partition, high_watermark, recovery.cut_bytes));
    if let Some(at) = recovery.missing_below_recovery_point {
        facts.push(Fact::CorruptionFound { partition, at, below_recovery_point: true });
    }
    Loaded { log, index, high_watermark }
}

fn topic_of(disk: &mut dyn Disk, dir: &str) -> Option<TopicId> {
    let path = format!("{dir}/{METADATA_FILE}");
    parse_metadata(&path, &read_file(disk, &path).ok()?).ok()
}

/// The fact that a log takes part from now on.
pub(super) fn opened(log: &Log, partition: PartitionId, high_watermark: Offset, cut_bytes: u64) -> Fact {
    Fact::LogOpened { partition, log_start: log.log_start(), log_end: log.log_end(), high_watermark, cut_bytes }
}

fn offsets(disk: &mut dyn Disk, file: &str) -> Result<BTreeMap<TopicPartition, Offset>, DiskError> {
    match read_file(disk, file) {
        Ok(bytes) => Ok(parse_offsets(file, &bytes).unwrap_or_default()),
        Err(DiskError::NotFound) => Ok(BTreeMap::new()),
        Err(error) => Err(error),
    }
}

/// The directory of a log.
pub(super) fn directory(name: &TopicPartition) -> String {
    format!("{}-{}", name.topic, name.index)
}

/// The partition whose log lies in a directory of this name; `None` for everything else in the data directory.
fn parse_directory(dir: &str) -> Option<TopicPartition> {
    let (topic, index) = dir.rsplit_once('-')?;
    let is_number = !index.is_empty() && index.bytes().all(|digit| digit.is_ascii_digit());
    let index = index.parse().ok().filter(|_| is_number && !topic.is_empty())?;
    Some(TopicPartition { topic: topic.into(), index })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn directories_name_partitions() {
        let parsed = parse_directory("my-topic-12").unwrap();
        assert_eq!((&*parsed.topic, parsed.index), ("my-topic", 12));
        assert_eq!(directory(&parsed), "my-topic-12");
        for other in ["meta.properties", "orders-0.deleted", "orders-", "-0", "orders", "orders-+1"] {
            assert!(parse_directory(other).is_none(), "{other}");
        }
    }

    #[test]
    fn identifiers_depend_on_seed_and_purpose() {
        assert_eq!(draw(1, "a"), draw(1, "a"));
        assert_ne!(draw(1, "a"), draw(2, "a"));
        assert_ne!(draw(1, "a"), draw(1, "b"));
    }
}
