//! Writing down what recovery will want to know: high watermarks, recovery points, log starts.
//!
//! None of it is needed for safety. A lost high watermark is learned again from the leader; a lost recovery point makes recovery read more.
//! So it is enough to write now and then: high watermarks every 5 s, the others every 60 s, and all of them at a clean shutdown. A file is
//! replaced as a whole, and not again before the last replacement has ended, so that versions reach the disk in order. Only a log start that
//! moved is written at once: the files of what was given up wait for it.
//!
//! How far compaction has come goes first, then log starts, then recovery points: what lies below a recovery point was not cut since the
//! first was told, and only there recovery believes it ([`crate::log`]).

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::actor::Outbox;
use crate::disk::{Disk, DiskError};
use crate::log::checkpoint::{CLEANER_FILE, HIGH_WATERMARK_FILE, LOG_START_FILE, RECOVERY_POINT_FILE, encode_offsets};
use crate::log::{Log, LogError};
use crate::replica::Replica;
use crate::types::{Offset, PartitionId, Ticket, Time};

use super::config::BrokerConfig;
use super::partitions::Partitions;
use super::reply::Step;

/// When to write next, and what is being written.
#[derive(Debug, Default, Hash)]
pub(super) struct Checkpoints {
    high_watermarks_due: Time,
    recovery_points_due: Time,
    writing: BTreeMap<Ticket, Written>,
    /// Some log has given up records whose files can go once the checkpoints tell its start.
    log_starts_moved: bool,
    /// The first dirty offsets on the disk, as far as is known: a broker without compacted logs need not write that file.
    first_dirty: Bytes,
    /// The last high watermarks written: an idle broker need not write them again.
    last_high_watermarks: Bytes,
}

/// What a replacement holds.
#[derive(Debug, Hash)]
enum Written {
    HighWatermarks,
    FirstDirty,
    RecoveryPoints(Vec<(PartitionId, Offset)>),
    LogStarts(Vec<(PartitionId, Offset)>),
}

impl Checkpoints {
    /// Whether the file of first dirty offsets tells of any log.
    pub fn found(&mut self, were_compacted: bool) {
        self.first_dirty = if were_compacted { Bytes::new() } else { encode_offsets(&BTreeMap::new()) };
    }

    /// Starts the timers.
    pub fn start(&mut self, now: Time, config: &BrokerConfig) {
        self.high_watermarks_due = now.plus(config.high_watermark_checkpoint_interval);
        self.recovery_points_due = now.plus(config.recovery_point_checkpoint_interval);
    }

    /// Writes what is due. Not before the first metadata image has said whose the logs are that were found: the files would tell of none of
    /// them, and a log that forgets its start takes for its own what a loss of power brings back of what it had given up.
    pub fn pump(&mut self, now: Time, config: &BrokerConfig, partitions: &Partitions, out: &mut Outbox) {
        let knows_all = !partitions.has_unclaimed();
        if self.high_watermarks_due <= now {
            self.high_watermarks_due = now.plus(config.high_watermark_checkpoint_interval);
            if knows_all {
                self.write_high_watermarks(partitions, out);
            }
        }
        if self.recovery_points_due <= now {
            self.recovery_points_due = now.plus(config.recovery_point_checkpoint_interval);
            self.log_starts_moved = true;
        }
        if knows_all && self.log_starts_moved && self.write_recovery_points(partitions, out) {
            self.log_starts_moved = false;
        }
    }

    /// A log start has moved: to be written soon.
    pub fn note_log_start(&mut self) {
        self.log_starts_moved = true;
    }

    /// Writes all three files, once and for all.
    pub fn write_all(&mut self, partitions: &Partitions, out: &mut Outbox) {
        self.last_high_watermarks = Bytes::new();
        self.write_recovery_points(partitions, out);
    }

    /// Whether everything asked for has ended.
    pub fn is_settled(&self) -> bool {
        self.writing.is_empty()
    }

    fn write_high_watermarks(&mut self, partitions: &Partitions, out: &mut Outbox) {
        let content = content(partitions, Replica::high_watermark);
        let busy = self.writing.values().any(|written| matches!(written, Written::HighWatermarks));
        if !busy && content != self.last_high_watermarks {
            self.last_high_watermarks = content.clone();
            self.writing.insert(out.replace(HIGH_WATERMARK_FILE, content), Written::HighWatermarks);
        }
    }

    /// Begins to write recovery points and log starts; false while the last ones are still on their way.
    fn write_recovery_points(&mut self, partitions: &Partitions, out: &mut Outbox) -> bool {
        if self.writing.values().any(|written| !matches!(written, Written::HighWatermarks)) {
            return false;
        }
        // The recovery points come last: when they are on the disk, nothing on it tells of a former log of the same name any more.
        self.write_high_watermarks(partitions, out);
        let first_dirty = first_dirty(partitions);
        if first_dirty == self.first_dirty {
            self.write_log_starts(partitions, out);
        } else {
            self.first_dirty = first_dirty.clone();
            self.writing.insert(out.replace(CLEANER_FILE, first_dirty), Written::FirstDirty);
        }
        true
    }

    fn write_log_starts(&mut self, partitions: &Partitions, out: &mut Outbox) {
        let ticket = out.replace(LOG_START_FILE, content(partitions, Replica::log_start));
        self.writing.insert(ticket, Written::LogStarts(told(partitions, Replica::log_start)));
    }

    /// Goes on when the log starts are on the disk: a log may tell more of what it holds then.
    fn go_on_with_recovery_points(&mut self, partitions: &Partitions, out: &mut Outbox) {
        let point = |replica: &Replica| replica.log().recovery_point();
        let ticket = out.replace(RECOVERY_POINT_FILE, content(partitions, point));
        self.writing.insert(ticket, Written::RecoveryPoints(told(partitions, point)));
    }

    /// A replacement has ended. `None` if it was not ours.
    pub fn on_synced(
        &mut self,
        ticket: Ticket,
        result: Result<(), DiskError>,
        partitions: &mut Partitions,
        step: &mut Step<'_>,
    ) -> Option<Result<(), LogError>> {
        let written = self.writing.remove(&ticket)?;
        Some(result.map_err(LogError::from).and_then(|()| match written {
            Written::HighWatermarks => Ok(()),
            Written::FirstDirty => {
                self.write_log_starts(partitions, step.out);
                Ok(())
            }
            Written::LogStarts(starts) => {
                let noted = note(starts, Log::log_start_written, partitions, step);
                self.go_on_with_recovery_points(partitions, step.out);
                noted
            }
            Written::RecoveryPoints(points) => note(points, Log::recovery_point_written, partitions, step),
        }))
    }

    /// When there is something to do.
    pub fn deadline(&self) -> Time {
        self.high_watermarks_due.min(self.recovery_points_due)
    }
}

/// Tells each log what the disk now says of it, which may let old segments go.
fn note(
    told: Vec<(PartitionId, Offset)>,
    written: fn(&mut Log, &mut dyn Disk, Offset) -> Result<(), LogError>,
    partitions: &mut Partitions,
    step: &mut Step<'_>,
) -> Result<(), LogError> {
    for (partition, offset) in told {
        if let Some((replica, _)) = partitions.touch(partition) {
            written(replica.log_mut(), step.disk, offset)?;
            replica.log_mut().remove_old_segments(step.disk)?;
        }
    }
    Ok(())
}

fn told(partitions: &Partitions, offset: impl Fn(&Replica) -> Offset) -> Vec<(PartitionId, Offset)> {
    partitions.replicas().map(|replica| (replica.partition(), offset(replica))).collect()
}

/// What is clean of each log that was ever compacted.
fn first_dirty(partitions: &Partitions) -> Bytes {
    let compacted = partitions.replicas().filter(|replica| replica.log().has_gaps());
    encode_offsets(&compacted.map(|replica| (replica.name().clone(), replica.log().first_dirty())).collect())
}

fn content(partitions: &Partitions, offset: impl Fn(&Replica) -> Offset) -> Bytes {
    encode_offsets(&partitions.replicas().map(|replica| (replica.name().clone(), offset(replica))).collect())
}
