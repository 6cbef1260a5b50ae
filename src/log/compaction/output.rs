//! Rewriting a group of segments, and putting the result in their place.
//!
//! ```text
//!                                             a crash here leaves           the next start
//!            segments 0.log 3.log, group 0..6
//!            write 0.log.cleaned              0 3 + half a .cleaned         discards .cleaned
//!   flush    its content, then its name
//!   announce remove 0.index 3.index           0 3 + .cleaned, no index      discards .cleaned; makes indexes anew
//!            rename 0.log.cleaned 0.log.swap  0 3 + .swap                   removes what .swap covers, renames it
//!   flush    names                            ◀── the swap has happened: old and new are both there
//!   clear    remove 3.log, snapshots within   0   + .swap                   the same
//!   flush    names                            ◀── nothing but 0.log is in the way
//!   install  rename 0.log.swap 0.log          0'                            nothing to do
//!            write 0.index
//! ```
//!
//! The contract of the disk says that names survive a loss of power as a prefix of what was done; the flushes between make the swap safe also where they
//! survive as any subset, as on file systems that promise less. What a `.swap` covers it tells itself: from the offset in its name to the end of
//! its last batch, which is kept for that (among other things). Kafka uses the same names, and syncs the directory after the renames.
//!
//! Snapshots of the producers at offsets within the group go with it: the one at its start, replayed over what is left, gives the same.

use bytes::Bytes;

use super::filter::Rules;
use super::{Compaction, Pass, STEP_BYTES, Stage};
use crate::disk::{Disk, DiskError};
use crate::log::error::{Damage, LogError};
use crate::log::names;
use crate::log::partition_log::Log;
use crate::log::scan::{Scan, ScanStop, Scanned};
use crate::log::segment::{Segment, remove_if_there};
use crate::mutant::Mutant;
use crate::types::{LeaderEpoch, Offset, Timestamp};
use crate::wire::record::{BatchHeader, BatchRef};

/// Bytes gathered before they are written.
const WRITE_BYTES: usize = 128 << 10;

/// What is left of a group, as far as it is written.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Output {
    /// The group: bases of its segments.
    bases: Vec<Offset>,
    /// Which of them is being read.
    reading: usize,
    position: u64,
    expected: Offset,
    epoch: LeaderEpoch,
    /// The `.cleaned` file.
    pub(in crate::log) segment: Segment,
}

/// What is to be done next of a swap; see the drawing.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum SwapStep {
    /// The output gets the name that makes it count.
    Announce,
    /// What it replaces goes, but for the segment at its own base.
    Clear,
    /// It takes the place of that one.
    Install,
}

/// Batches on their way into the file.
#[derive(Default)]
struct Buffer {
    bytes: Vec<u8>,
    headers: Vec<BatchHeader>,
}

/// A `.swap` file that a crash has left.
pub(in crate::log) struct Swap {
    /// Its name: where it begins.
    pub(in crate::log) base: Offset,
    /// Where it ends.
    pub(in crate::log) end: Offset,
}

impl Log {
    /// Chooses the segments from `base` on that fit into one, or ends the pass.
    pub(super) fn choose_group(&mut self, disk: &mut dyn Disk, base: Offset, pass: &mut Pass) -> Result<Compaction, LogError> {
        let active = self.segments.len() - 1;
        let first = self.segments.partition_point(|segment| segment.base < base);
        let (mut bytes, mut bases) = (0, Vec::new());
        for segment in self.segments[first.min(active)..active].iter().take_while(|segment| segment.base < pass.up_to) {
            let fits = bytes + segment.length <= u64::from(self.config.segment_bytes_max);
            let end = self.segments[first + bases.len() + 1].base;
            if !bases.is_empty() && (!fits || end.since(bases[0]) > i64::from(i32::MAX)) {
                break;
            }
            bytes += segment.length;
            bases.push(segment.base);
        }
        let Some(base) = bases.first().copied() else {
            return Ok(Compaction::Ended { up_to: pass.up_to, tally: pass.tally });
        };
        pass.tally.bytes_before += bytes;
        let mut segment = Segment::create_at(disk, &names::cleaned(&self.dir, base), base)?;
        segment.gaps = true;
        self.durability.change_names();
        let output = Output { bases, reading: 0, position: 0, expected: base, epoch: LeaderEpoch::NONE, segment };
        pass.stage = Stage::Writing(Box::new(output));
        Ok(Compaction::Working)
    }

    /// Filters the next batches of the group into the output.
    pub(super) fn write_output(&mut self, disk: &mut dyn Disk, now: Timestamp, pass: &mut Pass) -> Result<Compaction, LogError> {
        let Some(config) = self.config.compaction.clone() else { return Ok(Compaction::Idle) };
        let Pass { up_to, map, stage, tally, .. } = pass;
        let Stage::Writing(output) = stage else { return Ok(Compaction::Working) };
        let (up_to, tombstone_retention) = (*up_to, config.tombstone_retention);
        let rules = Rules { map, up_to, now, tombstone_retention };
        let number = self.segment_of(output.bases[output.reading]);
        let is_last = output.reading + 1 == output.bases.len();
        let mut scan = self.segments[number].scan(output.position, output.expected);
        scan.epoch = output.epoch;
        let mut buffer = Buffer::default();
        while scan.position - output.position < STEP_BYTES {
            let Some(batch) = self.next_batch(disk, number, &mut scan)? else { break };
            let at_end = (is_last && scan.is_at_end()) || batch.header.next_offset() == up_to;
            let even_if_empty = at_end || self.outlives_its_records(&batch.header);
            let kept = rules.keep(&BatchRef { header: batch.header, bytes: batch.bytes }, even_if_empty);
            tally.records_dropped += kept.dropped;
            tally.batches_dropped += u64::from(kept.bytes.is_none());
            if let Some(bytes) = kept.bytes {
                buffer.push(&bytes);
            }
            if buffer.bytes.len() >= WRITE_BYTES {
                buffer.flush(disk, &mut output.segment, self.config.index_interval_bytes)?;
            }
        }
        buffer.flush(disk, &mut output.segment, self.config.index_interval_bytes)?;
        (output.position, output.expected, output.epoch) = (scan.position, scan.expected, scan.epoch);
        if !scan.is_at_end() {
            return Ok(Compaction::Working);
        }
        self.check_reaches_successor(number, &scan)?;
        (output.reading, output.position) = (output.reading + 1, 0);
        if !is_last {
            return Ok(Compaction::Working);
        }
        output.segment.changed_at = self.durability.change();
        self.durability.press();
        tally.bytes_after += output.segment.length;
        pass.stage = Stage::Swapping { output: output.clone(), step: SwapStep::Announce, after: output.segment.changed_at };
        Ok(Compaction::Waiting)
    }

    /// A closed segment ends where its successor begins. If not, a base offset has rotted, which no checksum covers.
    fn check_reaches_successor(&self, number: usize, scan: &Scan) -> Result<(), LogError> {
        let (expected, found) = (self.segments[number + 1].base, scan.expected);
        match found == expected {
            true => Ok(()),
            false => Err(LogError::Corrupt {
                path: names::segment(&self.dir, self.segments[number].base),
                position: scan.position,
                at: found.min(expected),
                fault: Damage::Offset { expected, found },
                below_recovery_point: found.min(expected) < self.recovery_point(),
            }),
        }
    }

    fn next_batch(&self, disk: &mut dyn Disk, number: usize, scan: &mut Scan) -> Result<Option<Scanned>, LogError> {
        scan.next(disk).map_err(|stop| {
            let mut error = self.segments[number].stopped(stop, scan, &self.dir);
            if let LogError::Corrupt { at, below_recovery_point, .. } = &mut error {
                *below_recovery_point = *at < self.recovery_point();
            }
            error
        })
    }

    /// Whether the batch is needed though no record of it is: for the sequences of its producer, or because its leader epoch begins with it.
    fn outlives_its_records(&mut self, header: &BatchHeader) -> bool {
        let (base, end) = (header.base_offset, header.next_offset());
        if self.epochs.entries().iter().any(|entry| base <= entry.start && entry.start < end) {
            return true;
        }
        let window = self.producers.of(header.producer_id).filter(|_| header.has_producer());
        let is_remembered = window.is_some_and(|state| state.batches.iter().any(|batch| batch.first_offset == base));
        if is_remembered && self.config.mutants.is(Mutant::LastSequenceCleaned) {
            self.acted.set();
            return false;
        }
        is_remembered
    }

    /// Takes the next step of the swap, if a flush has covered the one before.
    pub(super) fn swap_output(&mut self, disk: &mut dyn Disk, pass: &mut Pass) -> Result<Compaction, LogError> {
        let Stage::Swapping { output, step, after } = &pass.stage else { return Ok(Compaction::Working) };
        if !self.durability.has_synced(*after) {
            return Ok(Compaction::Waiting);
        }
        let (output, step) = (output.clone(), *step);
        pass.stage = self.take_step(disk, output, step)?;
        Ok(match step {
            SwapStep::Announce | SwapStep::Clear => Compaction::Waiting,
            SwapStep::Install => Compaction::Working,
        })
    }

    /// Takes all that is left of a swap that has been announced, without waiting.
    pub(super) fn end_swap(&mut self, disk: &mut dyn Disk, output: Box<Output>, step: SwapStep) -> Result<(), LogError> {
        let mut stage = Stage::Swapping { output, step, after: 0 };
        while let Stage::Swapping { output, step, .. } = stage {
            stage = self.take_step(disk, output, step)?;
        }
        Ok(())
    }

    fn take_step(&mut self, disk: &mut dyn Disk, output: Box<Output>, step: SwapStep) -> Result<Stage, LogError> {
        let base = output.segment.base;
        let first = self.segments.partition_point(|known| known.base < base);
        let end = self.segments[first + output.bases.len()].base;
        let step = match step {
            SwapStep::Announce => {
                for base in &output.bases {
                    remove_if_there(disk, &names::index(&self.dir, *base))?;
                }
                disk.rename(&names::cleaned(&self.dir, base), &names::swap(&self.dir, base))?;
                SwapStep::Clear
            }
            SwapStep::Clear => {
                self.remove_covered(disk, &Swap { base, end })?;
                SwapStep::Install
            }
            SwapStep::Install => {
                self.install(disk, &output, first)?;
                return Ok(Stage::Choosing(end));
            }
        };
        self.durability.change_names();
        self.durability.press();
        Ok(Stage::Swapping { output, step, after: self.durability.last_change() })
    }

    fn install(&mut self, disk: &mut dyn Disk, output: &Output, first: usize) -> Result<(), LogError> {
        let (base, count) = (output.segment.base, output.bases.len());
        disk.rename(&names::swap(&self.dir, base), &names::segment(&self.dir, base))?;
        let end = self.segments[first + count].base;
        assert_eq!(output.expected, end, "the group was read up to its end");
        for former in self.segments.splice(first..first + count, [output.segment.clone()]) {
            disk.close(former.file);
        }
        self.durability.change_names();
        if let Some(content) = output.segment.index_file() {
            self.write_side_file(disk, &names::index(&self.dir, base), &content)?;
        }
        self.tail.forget_below(end);
        self.durability.press();
        Ok(())
    }

    /// Removes segments and snapshots within what the swap stands for.
    fn remove_covered(&mut self, disk: &mut dyn Disk, swap: &Swap) -> Result<(), DiskError> {
        for base in self.segments.iter().map(|segment| segment.base).filter(|base| swap.covers(*base)) {
            disk.remove(&names::segment(&self.dir, base))?;
        }
        for offset in self.snapshots.extract_if(.., |offset| swap.covers(*offset)) {
            remove_if_there(disk, &names::snapshot(&self.dir, offset))?;
        }
        Ok(())
    }
}

impl Swap {
    /// Reads how far a `.swap` file reaches. Its content was durable before it had that name; should it have rotted since, recovery will say so.
    pub(in crate::log) fn read(disk: &mut dyn Disk, dir: &str, base: Offset) -> Result<Swap, DiskError> {
        let file = disk.open(&names::swap(dir, base))?;
        let length = disk.len(file)?;
        let mut scan = Scan::new(file, length, 0, base);
        scan.gaps = true;
        let end = loop {
            match scan.next(disk) {
                Ok(Some(_)) => {}
                Ok(None) | Err(ScanStop::Damage(_)) => break scan.expected,
                Err(ScanStop::Disk(error)) => return Err(error),
            }
        };
        disk.close(file);
        Ok(Swap { base, end })
    }

    /// Whether a segment or a snapshot at `offset` is replaced by it. What lies at its own base is renamed over, or tells of what lies before.
    pub(in crate::log) fn covers(&self, offset: Offset) -> bool {
        self.base < offset && offset < self.end
    }
}

impl Buffer {
    fn push(&mut self, batch: &Bytes) {
        let header = BatchHeader::parse(batch).expect("what was read or built has a header");
        self.headers.push(header);
        self.bytes.extend_from_slice(batch);
    }

    fn flush(&mut self, disk: &mut dyn Disk, segment: &mut Segment, interval: u32) -> Result<(), DiskError> {
        if !self.headers.is_empty() {
            segment.append(disk, &[&self.bytes], &self.headers, interval)?;
            self.bytes.clear();
            self.headers.clear();
        }
        Ok(())
    }
}
