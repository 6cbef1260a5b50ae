//! The metadata log on the controller's disk: an ordinary partition log, `__cluster_metadata-0`, with stricter manners.
//!
//! ```text
//!        recovery point          committed = durable            log end
//!   ──────────┼─────────────────────────┼──────────────────────────┤
//!             └ checkpointed after each └ replies, facts and       └ a flush is under way,
//!               flush                     brokers' fetches end here   the next one waits
//! ```
//!
//! Every batch is synced; what is synced is committed. One flush is under way at a time and covers all that was written before it
//! began, so a slow disk makes batches of replies, not a queue of syncs. Each activation of the controller is one leader epoch of
//! this log, one higher than any before.
//!
//! **After a crash** the end of the log may hold records that nobody was told of. They were decided, nothing speaks against them, and
//! brokers cannot have seen anything else in their place: they stay, and are synced before anything else happens. Their facts may not
//! have been stated; so from the checkpointed recovery point on, facts are stated (again). That a record below it is missing or
//! damaged cannot come from a crash: then the controller refuses to start, because it would hand out offsets and epochs twice.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use super::facts;
use super::image::{ImageError, MetadataImage};
use super::state::next_controller_epoch;
use crate::actor::Outbox;
use crate::disk::{Disk, DiskError, read_file};
use crate::fact::Fact;
use crate::log::checkpoint::{RECOVERY_POINT_FILE, encode_offsets, parse_offsets};
use crate::log::{AppendError, Checkpoint, Flush, Log, LogConfig, LogError};
use crate::types::{LeaderEpoch, Offset, PartitionId, Ticket, Timestamp, TopicPartition, Uuid};
use crate::wire::record::{BatchBuilder, BatchError, BatchRef, batches};
use crate::wire::{DecodeError, EncodeError, MetadataRecord};

/// Name of the metadata topic.
pub const METADATA_TOPIC: &str = "__cluster_metadata";
/// Its identity.
pub const METADATA_TOPIC_ID: Uuid = Uuid(1);
/// Its only partition.
pub const METADATA_PARTITION: PartitionId = PartitionId { topic: METADATA_TOPIC_ID, index: 0 };

/// Largest batch written; the records of one step go into several where they do not fit.
const BATCH_BYTES: usize = 8 << 20;
/// How much is read at a time when the log is replayed.
const REPLAY_BYTES: usize = 1 << 20;

/// Why the metadata log cannot be used.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum MetadataLogError {
    /// The log or its disk failed.
    #[error(transparent)]
    Log(#[from] LogError),
    /// A batch was not taken by the log.
    #[error(transparent)]
    Append(#[from] AppendError),
    /// A record cannot be written.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// Records are missing that were durable once.
    #[error("the log ends at {0}, below what was durable")]
    Missing(Offset),
    /// A stored batch cannot be read.
    #[error("at {0}: {1}")]
    Batch(Offset, BatchError),
    /// A stored record cannot be read.
    #[error("at {0}: {1}")]
    Record(Offset, DecodeError),
    /// A stored record cannot be true.
    #[error("at {0}: {1}")]
    Image(Offset, ImageError),
}

impl From<DiskError> for MetadataLogError {
    fn from(error: DiskError) -> MetadataLogError {
        MetadataLogError::Log(error.into())
    }
}

impl MetadataLogError {
    /// What is to be stated about it.
    #[must_use]
    pub fn fact(&self) -> Fact {
        let partition = METADATA_PARTITION;
        let corrupt = |at, below_recovery_point| Fact::CorruptionFound { partition, at, below_recovery_point };
        match self {
            MetadataLogError::Log(error) | MetadataLogError::Append(AppendError::Log(error)) => match error {
                LogError::Disk { error } | LogError::Stopped(error) => {
                    Fact::LogFailed { partition: Some(partition), error: *error }
                }
                LogError::Corrupt { at, below_recovery_point, .. } => corrupt(*at, *below_recovery_point),
                LogError::OutOfRange { offset, .. } => corrupt(*offset, true),
                LogError::File(_) | LogError::NeverFlushed { .. } => corrupt(Offset::ZERO, true),
            },
            MetadataLogError::Missing(at)
            | MetadataLogError::Batch(at, _)
            | MetadataLogError::Record(at, _)
            | MetadataLogError::Image(at, _) => corrupt(*at, true),
            MetadataLogError::Append(_) | MetadataLogError::Encode(_) => {
                panic!("the metadata log refused what the controller wrote: {self}")
            }
        }
    }
}

/// What a disk operation under way is for.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum Pending {
    /// Makes records durable.
    Flush(Flush),
    /// Writes `leader-epoch-checkpoint`.
    Epochs,
    /// Writes the recovery point.
    RecoveryPoint(Offset),
}

/// What replaying the log gave.
#[derive(Clone, PartialEq, Debug)]
pub struct Replayed {
    /// The fold of the whole log.
    pub image: MetadataImage,
    /// What the records say of which it is unknown whether it was stated.
    pub unstated: Vec<Fact>,
}

/// The metadata log.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct MetadataLog {
    log: Log,
    data_dir: String,
    epoch: LeaderEpoch,
    pending: BTreeMap<Ticket, Pending>,
    recovery_point: Offset,
}

impl MetadataLog {
    /// Opens or creates the log and replays it. Until [`is_appendable`](MetadataLog::is_appendable) nothing may be appended.
    ///
    /// # Errors
    /// If it cannot be used; nothing that was durable once is given up.
    pub fn open(disk: &mut dyn Disk, data_dir: &str) -> Result<(MetadataLog, Replayed), MetadataLogError> {
        let recovery_point = read_recovery_point(disk, data_dir)?;
        let log = open_or_create(disk, &path(data_dir, &format!("{METADATA_TOPIC}-0")), recovery_point)?;
        let epoch = next_controller_epoch(log.last_epoch().unwrap_or(LeaderEpoch::NONE));
        let pending = BTreeMap::new();
        let mut log = MetadataLog { log, data_dir: data_dir.to_owned(), epoch, pending, recovery_point };
        let replayed = log.replay(disk)?;
        Ok((log, replayed))
    }

    /// Whether everything that recovery cut is durably gone.
    #[must_use]
    pub fn is_appendable(&self) -> bool {
        !self.log.truncation_pending_sync()
    }

    /// The leader epoch of this activation.
    #[must_use]
    pub fn epoch(&self) -> LeaderEpoch {
        self.epoch
    }

    /// The end of what is committed.
    #[must_use]
    pub fn committed(&self) -> Offset {
        self.log.durable_end()
    }

    /// The end of what is written.
    #[must_use]
    pub fn end(&self) -> Offset {
        self.log.log_end()
    }

    /// First offset there.
    #[must_use]
    pub fn start(&self) -> Offset {
        self.log.log_start()
    }

    /// The largest epoch not above `epoch`, and where it ends; see [`Log::epoch_end`].
    #[must_use]
    pub fn epoch_end(&self, epoch: LeaderEpoch) -> Option<(LeaderEpoch, Offset)> {
        self.log.epoch_end(epoch)
    }

    /// Appends records, in one batch unless they are very large.
    ///
    /// # Errors
    /// If the disk fails; then the log is stopped.
    pub fn append(&mut self, disk: &mut dyn Disk, records: &[MetadataRecord], now: Timestamp) -> Result<(), MetadataLogError> {
        let mut builder = BatchBuilder::new();
        for record in records {
            let value = record.encode()?;
            if builder.record_count() > 0 && builder.size() + value.len() > BATCH_BYTES {
                let full = std::mem::take(&mut builder);
                self.log.append_as_leader(disk, full.build(), self.epoch, now)?;
            }
            builder.push(now, None, Some(&value), &[]);
        }
        if builder.record_count() > 0 {
            self.log.append_as_leader(disk, builder.build(), self.epoch, now)?;
        }
        Ok(())
    }

    /// Committed batches from `from` on.
    ///
    /// # Errors
    /// If the disk fails or gives other bytes than were written.
    pub fn read(&mut self, disk: &mut dyn Disk, from: Offset, bytes_max: usize) -> Result<Bytes, MetadataLogError> {
        let committed = self.committed();
        Ok(self.log.read(disk, from, committed, bytes_max, true)?)
    }

    /// Asks for what has to be made durable, unless it is being done.
    pub fn flush(&mut self, out: &mut Outbox) {
        // Of two replacements of one file the older one may be the last to end.
        let is_busy = self.is_under_way(|pending| matches!(pending, Pending::Epochs));
        if let Some((path, content)) = (!is_busy).then(|| self.log.epoch_checkpoint()).flatten() {
            let ticket = out.replace(path, content);
            self.pending.insert(ticket, Pending::Epochs);
        }
        let is_busy = self.is_under_way(|pending| matches!(pending, Pending::Flush(_)));
        if let Some(flush) = (!is_busy).then(|| self.log.begin_flush()).flatten() {
            let ticket = out.sync(flush.targets.clone());
            self.pending.insert(ticket, Pending::Flush(flush));
        }
        let is_busy = self.is_under_way(|pending| matches!(pending, Pending::RecoveryPoint(_)));
        let point = self.log.recovery_point();
        if !is_busy && point > self.recovery_point {
            let ticket = out.replace(path(&self.data_dir, RECOVERY_POINT_FILE), encode_offsets(&[(name(), point)].into()));
            self.pending.insert(ticket, Pending::RecoveryPoint(point));
        }
    }

    fn is_under_way(&self, is_it: impl Fn(&Pending) -> bool) -> bool {
        self.pending.values().any(is_it)
    }

    /// A disk operation has ended.
    ///
    /// # Errors
    /// If it failed: the log is stopped.
    pub fn on_synced(
        &mut self,
        disk: &mut dyn Disk,
        ticket: Ticket,
        result: Result<(), DiskError>,
    ) -> Result<(), MetadataLogError> {
        let Some(pending) = self.pending.remove(&ticket) else { return Ok(()) };
        if let Err(error) = result {
            self.log.stop(error);
            return Err(error.into());
        }
        match pending {
            Pending::Flush(flush) => {
                let before = self.committed();
                self.log.end_flush(flush);
                let committed = self.committed();
                assert!(committed >= before, "what is committed stays committed: {before} to {committed}");
            }
            Pending::Epochs => self.log.epoch_checkpoint_done(),
            Pending::RecoveryPoint(point) => {
                self.recovery_point = point;
                self.log.recovery_point_written(disk, point)?;
            }
        }
        Ok(())
    }

    fn replay(&mut self, disk: &mut dyn Disk) -> Result<Replayed, MetadataLogError> {
        let mut replayed = Replayed { image: MetadataImage::new(), unstated: Vec::new() };
        while replayed.image.end() < self.end() {
            let bytes = self.log.read(disk, replayed.image.end(), self.end(), REPLAY_BYTES, true)?;
            let before = replayed.image.end();
            for batch in batches(&bytes) {
                let batch = batch.map_err(|error| MetadataLogError::Batch(before, error))?;
                replayed.take(&batch, self.recovery_point)?;
            }
            if replayed.image.end() == before {
                return Err(MetadataLogError::Missing(before));
            }
        }
        Ok(replayed)
    }
}

impl Replayed {
    fn take(&mut self, batch: &BatchRef, stated: Offset) -> Result<(), MetadataLogError> {
        let base = batch.header.base_offset;
        for record in batch.records().map_err(|error| MetadataLogError::Batch(base, error))? {
            let record = record.map_err(|error| MetadataLogError::Batch(base, error))?;
            let offset = record.offset;
            if batch.header.is_control() {
                self.image.skip(offset).map_err(|error| MetadataLogError::Image(offset, error))?;
                continue;
            }
            let stored = MetadataRecord::decode(&record.value.unwrap_or_default());
            let stored = stored.map_err(|error| MetadataLogError::Record(offset, error))?;
            let change = self.image.apply(&stored, offset).map_err(|error| MetadataLogError::Image(offset, error))?;
            if offset >= stated {
                facts::note(&mut self.unstated, &stored, change, &self.image);
            }
        }
        Ok(())
    }
}

fn open_or_create(disk: &mut dyn Disk, dir: &str, recovery_point: Offset) -> Result<Log, MetadataLogError> {
    let checkpoint = Checkpoint { recovery_point, ..Checkpoint::default() };
    match Log::open(disk, dir, config(), false, &checkpoint) {
        Ok((_, recovery)) if recovery.missing_below_recovery_point.is_some() => {
            Err(MetadataLogError::Missing(recovery.missing_below_recovery_point.unwrap_or_default()))
        }
        Ok((log, _)) => Ok(log),
        Err(LogError::NeverFlushed { .. }) if recovery_point == Offset::ZERO => {
            Log::discard(disk, dir)?;
            Ok(Log::create(disk, dir, METADATA_TOPIC_ID, config())?)
        }
        Err(LogError::Disk { error: DiskError::NotFound }) if recovery_point == Offset::ZERO => {
            Ok(Log::create(disk, dir, METADATA_TOPIC_ID, config())?)
        }
        Err(LogError::Disk { error: DiskError::NotFound }) => Err(MetadataLogError::Missing(Offset::ZERO)),
        Err(error) => Err(error.into()),
    }
}

/// Nothing of the metadata log is given up by size or age.
fn config() -> LogConfig {
    LogConfig {
        message_bytes_max: 8 * u32::try_from(BATCH_BYTES).expect("a few megabytes"),
        retention_age_max: None,
        retention_bytes_max: None,
        ..LogConfig::default()
    }
}

fn read_recovery_point(disk: &mut dyn Disk, data_dir: &str) -> Result<Offset, MetadataLogError> {
    let path = path(data_dir, RECOVERY_POINT_FILE);
    match read_file(disk, &path) {
        Err(DiskError::NotFound) => Ok(Offset::ZERO),
        read => {
            let points = parse_offsets(&path, &read?).map_err(LogError::File)?;
            Ok(points.get(&name()).copied().unwrap_or(Offset::ZERO))
        }
    }
}

fn name() -> TopicPartition {
    TopicPartition { topic: Arc::from(METADATA_TOPIC), index: 0 }
}

fn path(data_dir: &str, name: &str) -> String {
    match data_dir {
        "" => name.to_owned(),
        dir => format!("{dir}/{name}"),
    }
}
