//! Giving up old records: by age and size, because somebody asked (DeleteRecords), because the leader has, or, where a topic is compacted, because there
//! are newer ones.
//!
//! ```text
//!   leader    start 0 ──▶ 50        every answer to a fetch names the start
//!   follower  start 0 ────────▶ 50  its next fetch names its own: the leader knows that it has moved
//! ```
//!
//! Each replica applies `retention.ms` and `retention.bytes` to its own log, also a follower, so that one which cannot reach its leader does not fill
//! its disk. The log start never passes the high watermark (D3). The *low watermark* is the smallest log start over the replicas that
//! live: a DeleteRecords is answered when it has passed what was asked for.
//!
//! **A known weakness, Kafka's too.** A follower that begins anew at its leader's start knows nothing of the producers before it; if it leads soon
//! after, the retry of a batch that was given up is stored again. R19 excuses just that.

use crate::actor::{Now, Outbox};
use crate::disk::Disk;
use crate::fact::Fact;
use crate::log::{Compaction, Tally};
use crate::types::Offset;
use crate::wire::ErrorCode;

use super::role::Role;
use super::{Members, Replica};

/// Offset in DeleteRecords: everything that is committed.
const UP_TO_HIGH_WATERMARK: Offset = Offset(-1);

impl Replica {
    /// Gives up what the settings of the topic no longer keep, and forgets producers that have been silent for too long.
    pub fn apply_retention(&mut self, now: Now, disk: &mut dyn Disk, out: &mut Outbox) {
        if self.failed.is_some() {
            return;
        }
        self.log.expire_producers(now.mono, now.wall);
        match self.log.retention_start(disk, now.wall, self.high_watermark) {
            Ok(Some(start)) => self.move_log_start(start, out),
            Ok(None) => {}
            Err(error) => {
                self.note_log_error(&error, disk, out);
            }
        }
    }

    /// Does the next piece of compaction, and says what came of it.
    pub fn compact(&mut self, now: Now, disk: &mut dyn Disk, out: &mut Outbox) -> Compaction {
        if self.failed.is_some() {
            return Compaction::Idle;
        }
        let partition = self.partition;
        let said = match self.log.compact(disk, now.wall, self.high_watermark) {
            Ok(said) => said,
            Err(error) => {
                self.note_log_error(&error, disk, out);
                return Compaction::Idle;
            }
        };
        match said {
            Compaction::Began { first_dirty, up_to } => {
                assert!(up_to <= self.high_watermark, "{}: {up_to} is not committed", self.name);
                out.fact(Fact::CompactionBegan { partition, first_dirty, up_to });
            }
            Compaction::Ended { up_to, tally: Tally { records_dropped, batches_dropped, .. } } => {
                out.fact(Fact::Compacted { partition, up_to, records_dropped, batches_dropped });
            }
            Compaction::Idle | Compaction::Working | Compaction::Waiting => {}
        }
        said
    }

    /// Gives up the records below `to` (-1: below the high watermark). Gives the offset that the low watermark has to reach.
    ///
    /// # Errors
    /// `NOT_LEADER_OR_FOLLOWER`, `KAFKA_STORAGE_ERROR`; `OFFSET_OUT_OF_RANGE` above the high watermark.
    pub fn delete_records(&mut self, to: Offset, out: &mut Outbox) -> Result<Offset, ErrorCode> {
        if self.failed.is_some() {
            return Err(ErrorCode::KAFKA_STORAGE_ERROR);
        }
        let Role::Leader(_) = self.role else { return Err(ErrorCode::NOT_LEADER_OR_FOLLOWER) };
        let to = if to == UP_TO_HIGH_WATERMARK { self.high_watermark } else { to };
        if to < Offset::ZERO || to > self.high_watermark {
            return Err(ErrorCode::OFFSET_OUT_OF_RANGE);
        }
        self.move_log_start(to, out);
        Ok(to)
    }

    /// The smallest log start over the replicas that live; `None` while one of them has not fetched in this epoch.
    ///
    /// # Errors
    /// `NOT_LEADER_OR_FOLLOWER`, `KAFKA_STORAGE_ERROR`.
    pub fn low_watermark(&self, members: &Members) -> Result<Option<Offset>, ErrorCode> {
        if self.failed.is_some() {
            return Err(ErrorCode::KAFKA_STORAGE_ERROR);
        }
        let Role::Leader(leader) = &self.role else { return Err(ErrorCode::NOT_LEADER_OR_FOLLOWER) };
        let lives = |id| members.get(id).is_some_and(|member| member.active);
        let mut low = self.log.log_start();
        for progress in leader.followers.iter().filter(|(id, _)| lives(id)).map(|(_, progress)| progress) {
            let Some(start) = progress.log_start else { return Ok(None) };
            low = low.min(start);
        }
        Ok(Some(low))
    }

    /// Moves the log start, never back.
    pub(super) fn move_log_start(&mut self, to: Offset, out: &mut Outbox) {
        let before = self.log.log_start();
        if to <= before {
            return;
        }
        assert!(to <= self.high_watermark, "{}: a log start {to} beyond the high watermark {}", self.name, self.high_watermark);
        self.log.move_log_start(to);
        self.note_log_start(before, out);
    }

    /// Says so if the log start is higher than it was `before`: records were given up. That an empty log begins lower is no news.
    pub(super) fn note_log_start(&mut self, before: Offset, out: &mut Outbox) {
        let log_start = self.log.log_start();
        if log_start > before {
            (self.changes.log_start, self.changes.low_watermark) = (true, true);
            out.fact(Fact::LogStartMoved { partition: self.partition, log_start });
        }
    }
}
