//! What can be tuned about a log. Defaults are Kafka's, so that reports read like Kafka.

use crate::mutant::Mutants;
use crate::types::Duration;

/// Settings of one log; each field names the Kafka topic configuration it stands for.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct LogConfig {
    /// `segment.bytes`: a segment is closed before it would grow beyond this.
    pub segment_bytes_max: u32,
    /// `segment.ms`: a segment is closed when a batch is this much younger than the segment's first batch.
    pub segment_age_max: Duration,
    /// `index.interval.bytes`: one index entry per so many bytes of log.
    pub index_interval_bytes: u32,
    /// `segment.index.bytes`: a segment is closed when its index would grow beyond this.
    pub index_bytes_max: u32,
    /// `flush.messages`: ask for a flush after so many records; `None`: never for that reason.
    pub flush_messages: Option<u64>,
    /// `producer.id.expiration.ms`: a producer that has not written for so long is forgotten.
    pub producer_expiration: Duration,
    /// `max.message.bytes`: largest batch a client may append, header included.
    pub message_bytes_max: u32,
    /// `message.timestamp.type=LogAppendTime`: the leader stamps its own time on what it appends.
    pub log_append_time: bool,
    /// `cleanup.policy` has `compact`. A record without a key could never be replaced, and is refused.
    pub compaction: Option<CompactionConfig>,
    /// A leader may send batches with gaps between them: its log is compacted, or was once.
    pub gaps_legal: bool,
    /// `message.timestamp.before.max.ms`: how far in the past a client's timestamp may lie.
    pub timestamp_behind_max: Duration,
    /// `message.timestamp.after.max.ms`: how far in the future a client's timestamp may lie.
    pub timestamp_ahead_max: Duration,
    /// `retention.ms`: segments older than this may be given up; `None`: kept for ever.
    pub retention_age_max: Option<Duration>,
    /// `retention.bytes`: the oldest segments may be given up while the log is larger; `None`: no bound.
    pub retention_bytes_max: Option<u64>,
    /// How many bytes of the newest batches stay in memory, so that followers and tail readers never touch the disk.
    pub tail_bytes_max: usize,
    /// The planted bug, if any.
    pub mutants: Mutants,
}

/// When a compacted log is cleaned, and what is kept.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct CompactionConfig {
    /// `min.cleanable.dirty.ratio`, in thousandths: a pass begins when more than this part of the bytes is dirty.
    pub dirty_permille_min: u32,
    /// `min.compaction.lag.ms`: a segment with a younger record is left alone.
    pub lag_min: Duration,
    /// `max.compaction.lag.ms`: a pass begins also when the oldest dirty record is older than this.
    pub lag_max: Duration,
    /// `delete.retention.ms`: a tombstone stays for so long after the first pass that met it.
    pub tombstone_retention: Duration,
    /// `log.cleaner.dedupe.buffer.size`: what the offset map of a pass may take.
    pub map_bytes_max: usize,
}

impl Default for CompactionConfig {
    fn default() -> CompactionConfig {
        CompactionConfig {
            dirty_permille_min: 500,
            lag_min: Duration::ZERO,
            lag_max: Duration(u64::MAX),
            tombstone_retention: Duration::secs(24 * 3600),
            map_bytes_max: 128 << 20,
        }
    }
}

impl Default for LogConfig {
    fn default() -> LogConfig {
        LogConfig {
            segment_bytes_max: 1 << 30,
            segment_age_max: Duration::secs(7 * 24 * 3600),
            index_interval_bytes: 4096,
            index_bytes_max: 10 << 20,
            flush_messages: None,
            producer_expiration: Duration::secs(24 * 3600),
            message_bytes_max: 1_048_588,
            log_append_time: false,
            compaction: None,
            gaps_legal: false,
            timestamp_behind_max: Duration(u64::MAX),
            timestamp_ahead_max: Duration::secs(3600),
            retention_age_max: Some(Duration::secs(7 * 24 * 3600)),
            retention_bytes_max: None,
            tail_bytes_max: 1 << 20,
            mutants: Mutants::none(),
        }
    }
}
