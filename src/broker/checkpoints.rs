//! Writing down what recovery will want to know: high watermarks, recovery points, log starts.
//!
//! None of it is needed for safety. A lost high watermark is learned again from the leader; a lost recovery point makes recovery read more.
//! So it is enough to write now and then: high watermarks every 5 s, the others every 60 s, and all of them at a clean shutdown. A file is
//! replaced as a whole, and not again before the last replacement has ended, so that versions reach the disk in order.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::actor::Outbox;
use crate::disk::DiskError;
use crate::log::LogError;
use crate::log::checkpoint::{HIGH_WATERMARK_FILE, LOG_START_FILE, RECOVERY_POINT_FILE, encode_offsets};
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
    /// The last high watermarks written: an idle broker need not write them again.
    last_high_watermarks: Bytes,
}

/// What a replacement holds.
#[derive(Debug, Hash)]
enum Written {
    HighWatermarks,
    RecoveryPoints(Vec<(PartitionId, Offset)>),
    LogStarts,
}

impl Checkpoints {
    /// Starts the timers.
    pub fn start(&mut self, now: Time, config: &BrokerConfig) {
        self.high_watermarks_due = now.plus(config.high_watermark_checkpoint_interval);
        self.recovery_points_due = now.plus(config.recovery_point_checkpoint_interval);
    }

    /// Writes what is due.
    pub fn pump(&mut self, now: Time, config: &BrokerConfig, partitions: &Partitions, out: &mut Outbox) {
        if self.high_watermarks_due <= now {
            self.high_watermarks_due = now.plus(config.high_watermark_checkpoint_interval);
            self.write_high_watermarks(partitions, out);
        }
        if self.recovery_points_due <= now {
            self.recovery_points_due = now.plus(config.recovery_point_checkpoint_interval);
            self.write_recovery_points(partitions, out);
        }
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

    fn write_recovery_points(&mut self, partitions: &Partitions, out: &mut Outbox) {
        if self.writing.values().any(|written| !matches!(written, Written::HighWatermarks)) {
            return;
        }
        // The recovery points come last: when they are on the disk, nothing on it tells of a former log of the same name any more.
        self.write_high_watermarks(partitions, out);
        let ticket = out.replace(LOG_START_FILE, content(partitions, Replica::log_start));
        self.writing.insert(ticket, Written::LogStarts);
        let point = |replica: &Replica| replica.log().recovery_point();
        let points = partitions.replicas().map(|replica| (replica.partition(), point(replica))).collect();
        let ticket = out.replace(RECOVERY_POINT_FILE, content(partitions, point));
        self.writing.insert(ticket, Written::RecoveryPoints(points));
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
            Written::HighWatermarks | Written::LogStarts => Ok(()),
            Written::RecoveryPoints(points) => note_recovery_points(points, partitions, step),
        }))
    }

    /// When there is something to do.
    pub fn deadline(&self) -> Time {
        self.high_watermarks_due.min(self.recovery_points_due)
    }
}

fn note_recovery_points(
    points: Vec<(PartitionId, Offset)>,
    partitions: &mut Partitions,
    step: &mut Step<'_>,
) -> Result<(), LogError> {
    for (partition, point) in points {
        if let Some((replica, _)) = partitions.touch(partition) {
            replica.log_mut().recovery_point_written(step.disk, point)?;
        }
    }
    Ok(())
}

fn content(partitions: &Partitions, offset: impl Fn(&Replica) -> Offset) -> Bytes {
    encode_offsets(&partitions.replicas().map(|replica| (replica.name().clone(), offset(replica))).collect())
}
