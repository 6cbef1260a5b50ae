//! Log compaction: of each key the newest record is enough (`cleanup.policy=compact`).
//!
//! ```text
//!   offset    0    1    2    3    4    5    6    7    8    9   10
//!   before   a=1  b=1  a=2 │ c=1  b=-  a=3 │ d=1  c=2 │ a=4  ...        segments 0, 3, 6; 8 is active
//!                          ▲ first dirty              ▲ bound
//!   map      c→7  b→4  a→5  d→6         newest offset of each key in first dirty..bound
//!   after         (a=1, b=1, a=2, c=1 are gone)  b=-  a=3  d=1  c=2 │ a=4
//! ```
//!
//! **A pass** goes through these states, a bounded piece of work for each call of [`Log::compact`]; nothing is waited for:
//!
//! ```text
//!   idle ─▶ mapping ─▶ choosing ─▶ writing ─────▶ swapping ─────────▶ choosing the next group ... ─▶ idle, first dirty = up_to
//!           keys       a group     into .cleaned  flush by flush
//! ```
//!
//! 1. *Is it worth it?* (`due`) The part from the first dirty offset to the bound is compared with what was cleaned before:
//!    `min.cleanable.dirty.ratio`, or the age `max.compaction.lag.ms`. The bound is the least of: high watermark (what is not committed replaces nothing),
//!    durable end (a record that survives a loss of power is given up only for one that does too; ours), base of the active segment, base of the
//!    first segment with a record younger than `min.compaction.lag.ms` (D5).
//! 2. *The offset map* (`map`) takes in keys from the first dirty offset on, batch by batch, until the bound or its own bound in bytes is
//!    reached. Where it stops, the pass stops: `up_to`.
//! 3. *Groups.* Neighbouring closed segments that together fit into one are rewritten into one (`output`), **oldest first**: a tombstone goes only after
//!    what it deletes. From the log start on, not from the first dirty offset: old records are replaced by new ones.
//! 4. *Swap.* Crash-safe; see `output`.
//!
//! **What is kept** (`filter`) of a batch below `up_to`: records whose key has no newer offset in the map; tombstones until the delete horizon,
//! which the first pass that meets them writes into the batch (KIP-534, KAFKA-4529: a horizon that is not persistent moves); control batches. A
//! record without a key can never be replaced, and is dropped, as in Kafka. A batch that cannot be opened is kept as it is.
//!
//! **What is kept though nothing is left in it**, as an empty batch of 61 bytes:
//! - the last batches of each active producer, as many as its window remembers, so that a replay of the log gives the sequences (KAFKA-5490; Kafka
//!   keeps one, as its snapshots do). If batches behind them are lost later, the window is what is left of it: what it has forgotten then its
//!   producer has no longer in flight;
//! - the first batch of each leader epoch: a scan of the log gives the same [epochs](super::EpochCache) as before, and two replicas still find
//!   where they part (ours; Kafka relies on its file);
//! - the last batch of each group: a closed segment ends exactly where its successor begins, so that a missing file is still told from a gap,
//!   and the end of a log is never a gap (GR-07, KAFKA-9065);
//! - the last batch below `up_to`: a log may yet be cut there, at its high watermark, and it has to end with a batch.
//!
//! **Gaps.** Offsets never change, so readers meet gaps, between batches and at the start of a segment, never at its end. A log that may have gaps
//! carries the mark `compacted` (an empty file), made before the first gap and covered by the same flush. Without it every reader,
//! recovery above all, takes a gap for damage. A follower makes the mark when its leader sends the first gap.
//!
//! **First dirty offset.** Written to `cleaner-offset-checkpoint` now and then. Too low costs work; too high could let a tombstone go without its having
//! been mapped, and what it deleted would come back. So it is believed only below the recovery point, which every truncation lowers
//! or marks, and it is lowered by truncations itself.
//!
//! Simplified: no transactions yet, so control batches stay for ever; compressed batches that lose records are compressed again with the codec's
//! default level, whatever the producer's was; there is no I/O throttle and no `log.cleaner.threads`: a broker cleans between other steps.

mod due;
mod filter;
mod map;
mod output;

pub(super) use output::Swap;

use map::OffsetMap;
use output::{Output, SwapStep};

use super::error::LogError;
use super::names;
use super::partition_log::Log;
use super::segment::{Segment, remove_if_there};
use crate::disk::{Disk, DiskError};
use crate::types::{Offset, Timestamp};
use crate::wire::record::BatchRef;

/// Bytes of batches that one call reads, about.
const STEP_BYTES: u64 = 1 << 20;

/// How far the log is clean, and the pass under way.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(super) struct Cleaner {
    /// Everything below has been through a pass, or nothing is known and it is the log start.
    pub(super) first_dirty: Offset,
    /// The log may have gaps: the mark is there.
    pub(super) gaps: bool,
    pass: Option<Pass>,
}

/// A pass under way.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Pass {
    first_dirty: Offset,
    /// While mapping: how far it may go. Then: how far it goes.
    up_to: Offset,
    map: OffsetMap,
    stage: Stage,
    tally: Tally,
}

/// What a pass is doing.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum Stage {
    /// Taking in keys, from here on.
    Mapping(Offset),
    /// The next group begins at this segment.
    Choosing(Offset),
    /// Writing what is left of a group.
    Writing(Box<Output>),
    /// It is written, and on its way into the place of the group.
    Swapping {
        /// The output.
        output: Box<Output>,
        /// What is to be done next.
        step: SwapStep,
        /// Not before the change of this number is durable.
        after: u64,
    },
}

/// What a pass did.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Tally {
    /// Records that were given up.
    pub records_dropped: u64,
    /// Batches that are gone.
    pub batches_dropped: u64,
    /// Bytes in the segments before.
    pub bytes_before: u64,
    /// The same after.
    pub bytes_after: u64,
}

/// What a call of [`Log::compact`] came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Compaction {
    /// There is nothing to clean.
    Idle,
    /// There is more to do: call again.
    Working,
    /// The offset map stands; nothing has been given up yet, and from now on records of these offsets may be.
    Began {
        /// Where the map begins.
        first_dirty: Offset,
        /// Where it ends (exclusive): nothing at or above is touched.
        up_to: Offset,
    },
    /// A flush must end first.
    Waiting,
    /// The pass is over: everything below `up_to` is clean.
    Ended {
        /// End of what is clean.
        up_to: Offset,
        /// What the pass did.
        tally: Tally,
    },
}

impl Log {
    /// Does the next piece of a compaction pass, or begins one if it is due. `now` is the time of the wall clock; `high_watermark` the
    /// replica's own.
    ///
    /// # Errors
    /// `Corrupt` if a batch is bad, disk errors.
    pub fn compact(&mut self, disk: &mut dyn Disk, now: Timestamp, high_watermark: Offset) -> Result<Compaction, LogError> {
        self.check_running()?;
        let result = self.go_on(disk, now, high_watermark);
        self.watch(result)
    }

    /// First offset that no pass has gone through: what `cleaner-offset-checkpoint` is to hold.
    #[must_use]
    pub fn first_dirty(&self) -> Offset {
        self.cleaner.first_dirty.max(self.log_start)
    }

    /// Whether there may be gaps between batches: it was compacted, or its leader's was.
    #[must_use]
    pub fn has_gaps(&self) -> bool {
        self.cleaner.gaps
    }

    fn go_on(&mut self, disk: &mut dyn Disk, now: Timestamp, high_watermark: Offset) -> Result<Compaction, LogError> {
        let Some(mut pass) = self.cleaner.pass.take() else { return self.begin_pass(disk, now, high_watermark) };
        if self.config.compaction.is_none() {
            self.cleaner.pass = Some(pass);
            return self.give_up_pass(disk).map(|()| Compaction::Idle);
        }
        let said = match &pass.stage {
            Stage::Mapping(from) => self.map_keys(disk, *from, &mut pass)?,
            Stage::Choosing(base) => self.choose_group(disk, *base, &mut pass)?,
            Stage::Writing(_) => self.write_output(disk, now, &mut pass)?,
            Stage::Swapping { .. } => self.swap_output(disk, &mut pass)?,
        };
        match said {
            Compaction::Idle => {}
            Compaction::Ended { up_to, .. } => self.cleaner.first_dirty = up_to,
            Compaction::Working | Compaction::Began { .. } | Compaction::Waiting => self.cleaner.pass = Some(pass),
        }
        Ok(said)
    }

    fn begin_pass(&mut self, disk: &mut dyn Disk, now: Timestamp, high_watermark: Offset) -> Result<Compaction, LogError> {
        let Some(config) = self.config.compaction.clone() else { return Ok(Compaction::Idle) };
        if self.truncation_pending_sync() {
            return Ok(Compaction::Idle);
        }
        let first_dirty = self.first_dirty();
        let bound = self.cleanable_end(disk, &config, now, high_watermark)?;
        if bound <= first_dirty || !self.is_dirty_enough(disk, &config, bound, now)? {
            return Ok(Compaction::Idle);
        }
        let map = OffsetMap::new(config.map_bytes_max);
        let stage = Stage::Mapping(first_dirty);
        self.cleaner.pass = Some(Pass { first_dirty, up_to: bound, map, stage, tally: Tally::default() });
        Ok(Compaction::Working)
    }

    fn map_keys(&mut self, disk: &mut dyn Disk, from: Offset, pass: &mut Pass) -> Result<Compaction, LogError> {
        let number = self.segment_of(from);
        let mut scan = self.scan_from(disk, number, from)?;
        let (begin, mut next) = (scan.position, from);
        loop {
            let batch = match scan.next(disk) {
                Ok(Some(batch)) => batch,
                Ok(None) => {
                    next = self.segments.get(number + 1).map_or(next, |segment| segment.base);
                    break;
                }
                Err(stop) => return Err(self.segments[number].stopped(stop, &scan, &self.dir)),
            };
            let end = batch.header.next_offset();
            if end <= next {
                continue;
            }
            let opened = BatchRef { header: batch.header, bytes: batch.bytes };
            if end > pass.up_to || !pass.map.take(&opened) {
                pass.up_to = next;
                break;
            }
            next = end;
            if scan.position - begin >= STEP_BYTES {
                break;
            }
        }
        if next < pass.up_to {
            pass.stage = Stage::Mapping(next);
            return Ok(Compaction::Working);
        }
        self.end_mapping(disk, pass)
    }

    fn end_mapping(&mut self, disk: &mut dyn Disk, pass: &mut Pass) -> Result<Compaction, LogError> {
        let (first_dirty, up_to) = (pass.first_dirty, pass.up_to);
        if up_to <= first_dirty {
            return Ok(Compaction::Idle);
        }
        self.mark_gaps(disk)?;
        pass.stage = Stage::Choosing(self.segments[self.segment_of(self.log_start)].base);
        Ok(Compaction::Began { first_dirty, up_to })
    }

    /// Gaps may come into the log from now on.
    pub(super) fn mark_gaps(&mut self, disk: &mut dyn Disk) -> Result<(), LogError> {
        if !self.cleaner.gaps {
            self.write_side_file(disk, &names::gaps(&self.dir), &[])?;
            self.let_gaps_be();
        }
        Ok(())
    }

    /// The mark is there: gaps are no damage.
    pub(super) fn let_gaps_be(&mut self) {
        self.cleaner.gaps = true;
        self.segments.iter_mut().for_each(|segment| segment.gaps = true);
    }

    /// The log was cut at `end`: what comes there from now on is not clean.
    pub(super) fn lower_first_dirty(&mut self, end: Offset) {
        self.cleaner.first_dirty = self.cleaner.first_dirty.min(end);
    }

    /// Ends a pass where it is, because what its map knows may not be there any more. What is in place stays; a swap that has been announced is brought to its end.
    pub(super) fn give_up_pass(&mut self, disk: &mut dyn Disk) -> Result<(), LogError> {
        let Some(pass) = self.cleaner.pass.take() else { return Ok(()) };
        match pass.stage {
            Stage::Swapping { output, step, .. } if step != SwapStep::Announce => self.end_swap(disk, output, step),
            Stage::Mapping(_) | Stage::Choosing(_) | Stage::Writing(_) | Stage::Swapping { .. } => {
                Ok(pass.discard(disk, &self.dir)?)
            }
        }
    }
}

impl Cleaner {
    /// What a pass has written and a flush must cover.
    pub(super) fn output(&self) -> Option<&Segment> {
        self.pass.as_ref().and_then(Pass::output).map(|output| &output.segment)
    }
}

impl Pass {
    fn output(&self) -> Option<&Output> {
        match &self.stage {
            Stage::Mapping(_) | Stage::Choosing(_) => None,
            Stage::Writing(output) | Stage::Swapping { output, .. } => Some(output),
        }
    }

    fn discard(&self, disk: &mut dyn Disk, dir: &str) -> Result<(), DiskError> {
        match self.output() {
            Some(output) => {
                disk.close(output.segment.file);
                remove_if_there(disk, &names::cleaned(dir, output.segment.base))
            }
            None => Ok(()),
        }
    }
}
