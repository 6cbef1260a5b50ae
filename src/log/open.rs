//! Loading a log directory.
//!
//! ```text
//!   names      leftovers of replacements, deletions, compactions are removed; so are indexes without a segment; a swap that compaction
//!              has begun is brought to its end
//!   identity   partition.metadata
//!   content    clean stop: trust the segments, look only at the end of the last one; if even that looks wrong, or no clean
//!              stop: see recovery.rs
//!   derived    epochs cut to what the log holds; log start; producers from a snapshot and the batches after it
//! ```

use super::checkpoint::{self, Checkpoint, EPOCH_FILE, METADATA_FILE};
use super::compaction::Swap;
use super::config::LogConfig;
use super::epochs::{EpochCache, EpochFile};
use super::error::{Damage, LogError};
use super::flush::Durability;
use super::names::{self, Name};
use super::partition_log::Log;
use super::scan::{Scan, ScanStop};
use super::segment::Segment;
use crate::disk::{self, Disk, DiskError};
use crate::types::{LeaderEpoch, Offset, TopicId};

/// What loading a log found.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Recovery {
    /// The segments were trusted, because the last shutdown was a clean one and nothing speaks against it.
    pub trusted: bool,
    /// Batches read and verified by the recovery scan.
    pub batches_read: u64,
    /// Bytes cut from the end.
    pub cut_bytes: u64,
    /// Where the log was cut, if anything was.
    pub cut_from: Option<Offset>,
    /// The log ends here although everything below a higher recovery point was once durable: files are missing, or power was lost in
    /// the middle of a truncation. The replica must count as one that lost records.
    pub missing_below_recovery_point: Option<Offset>,
    /// The high watermark to begin with: the checkpointed one, brought within the log.
    pub high_watermark: Offset,
}

/// What lies in the directory.
#[derive(Debug, Default)]
pub(super) struct Listing {
    pub(super) segments: Vec<Offset>,
    indexes: Vec<Offset>,
    time_indexes: Vec<Offset>,
    snapshots: Vec<Offset>,
    truncation_marks: Vec<Offset>,
    swaps: Vec<Offset>,
    gaps: bool,
    corrupt: Option<Offset>,
    leftovers: Vec<String>,
}

impl Log {
    /// Loads the log in `dir`. `clean` says that the clean-shutdown mark was there (and is durably removed by now); `checkpoint` is what
    /// the data directory's checkpoints say of this log. Unless the log could be trusted, [`truncation_pending_sync`] is true.
    ///
    /// [`truncation_pending_sync`]: Log::truncation_pending_sync
    ///
    /// # Errors
    /// `Corrupt` if a batch below the recovery point is bad, or one was found bad before: it was durable once, so nothing is cut and the
    /// log stays closed.
    /// `NeverFlushed` if nothing in it can have been relied upon. `File` if `partition.metadata` is bad. Disk errors.
    pub fn open(
        disk: &mut dyn Disk,
        dir: &str,
        config: LogConfig,
        clean: bool,
        checkpoint: &Checkpoint,
    ) -> Result<(Log, Recovery), LogError> {
        let mut listing = Listing::read(disk, dir)?;
        let topic = read_topic(disk, dir, clean)?;
        if let Some(at) = listing.corrupt {
            let (path, fault) = (names::corrupt(dir, at), Damage::Known);
            return Err(LogError::Corrupt { path, position: 0, at, fault, below_recovery_point: true });
        }
        let mut log = Log::empty(dir, topic, config);
        let recovery_point = listing.truncation_marks.iter().copied().fold(checkpoint.recovery_point, Offset::min);
        log.durability = Durability::loading(checkpoint);
        log.finish_swaps(disk, &mut listing)?;
        log.adopt(disk, &listing, checkpoint.log_start, recovery_point)?;
        // Above the recovery point the log may have been cut since the checkpoint was written.
        log.cleaner.first_dirty = checkpoint.first_dirty.min(recovery_point);
        let epochs = read_epochs(disk, dir)?;
        let mut recovery = Recovery::default();
        match epochs.as_ref().filter(|_| clean) {
            Some(epochs) if log.load_trusted(disk, epochs, recovery_point)? => recovery.trusted = true,
            Some(_) | None => log.recover(disk, epochs.clone(), recovery_point, &mut recovery)?,
        }
        log.epochs_doubtful = !recovery.trusted && log.log_end > recovery_point;
        log.epoch_file = EpochFile::found(epochs.unwrap_or_default());
        log.note_claim();
        log.derive(disk, if recovery.trusted { log.log_end } else { recovery_point })?;
        // After a restart from nothing the checkpointed high watermark may be that of the former log.
        let restarted = listing.truncation_marks.contains(&listing.first(checkpoint.log_start));
        let high_watermark = if restarted { log.log_start } else { checkpoint.high_watermark };
        recovery.high_watermark = high_watermark.clamp(log.log_start, log.log_end);
        Ok((log, recovery))
    }

    /// Puts in place what compaction had ready, and removes what it stands for.
    fn finish_swaps(&mut self, disk: &mut dyn Disk, listing: &mut Listing) -> Result<(), DiskError> {
        for base in std::mem::take(&mut listing.swaps) {
            let swap = Swap::read(disk, &self.dir, base)?;
            for covered in listing.segments.extract_if(.., |segment| swap.covers(*segment)) {
                disk.remove(&names::segment(&self.dir, covered))?;
            }
            for covered in listing.snapshots.extract_if(.., |snapshot| swap.covers(*snapshot)) {
                disk.remove(&names::snapshot(&self.dir, covered))?;
            }
            // It tells of the segment before.
            for index in listing.indexes.extract_if(.., |index| *index == base) {
                disk.remove(&names::index(&self.dir, index))?;
            }
            disk.rename(&names::swap(&self.dir, base), &names::segment(&self.dir, base))?;
            self.durability.change_names();
            if let Err(place) = listing.segments.binary_search(&base) {
                listing.segments.insert(place, base);
            }
        }
        Ok(())
    }

    /// Opens the segments and tidies up the names around them.
    fn adopt(
        &mut self,
        disk: &mut dyn Disk,
        listing: &Listing,
        log_start: Offset,
        recovery_point: Offset,
    ) -> Result<(), LogError> {
        for name in &listing.leftovers {
            disk.remove(&format!("{}/{name}", self.dir))?;
            self.durability.change_names();
        }
        for base in listing.indexes.iter().filter(|base| !listing.segments.contains(base)) {
            disk.remove(&names::index(&self.dir, *base))?;
            self.durability.change_names();
        }
        for base in listing.time_indexes.iter().filter(|base| !listing.segments.contains(base)) {
            disk.remove(&names::time_index(&self.dir, *base))?;
            self.durability.change_names();
        }
        for base in &listing.segments {
            self.segments.push(Segment::open(disk, &self.dir, *base)?);
        }
        if listing.gaps {
            self.let_gaps_be();
        }
        self.snapshots.clone_from(&listing.snapshots);
        self.truncation_marks.clone_from(&listing.truncation_marks);
        let first = listing.first(log_start);
        // A log that began anew below its checkpointed start says so by a mark at its first segment.
        let restarted = self.truncation_marks.contains(&first);
        self.log_start = if restarted { first } else { log_start.max(first) };
        self.durability.start_lowered = self.log_start < log_start;
        let kept = self.segment_of(self.log_start);
        let producers_are_told = self.segments.is_empty() || self.knows_producers_without(kept, recovery_point);
        let first_needed = if producers_are_told { kept } else { self.first_that_leads_to(disk, kept)? };
        self.remove_segments_before(disk, first_needed)
    }

    /// The first of the segments from which on all are whole, and each goes on where the one before it ends, up to the one numbered `kept`. Those
    /// before `kept`, of which no record may be read any more, still tell of producers; but where a loss of power has brought back only some of
    /// those that were removed, or one is damaged, that must not cost the log anything, nor what the later ones tell.
    fn first_that_leads_to(&self, disk: &mut dyn Disk, kept: usize) -> Result<usize, LogError> {
        let (mut first, mut epoch) = (0, LeaderEpoch::NONE);
        for (number, segment) in self.segments[..=kept].iter().enumerate() {
            let mut scan = Scan::new(segment.file, segment.length, 0, segment.base);
            scan.epoch = epoch;
            let is_whole = loop {
                match scan.next(disk) {
                    // Of the one behind the old ones only the first batch matters here.
                    Ok(Some(_)) if number < kept => {}
                    Ok(_) => break true,
                    Err(ScanStop::Damage(Damage::EpochFalls { .. })) if number == kept => return Ok(kept),
                    Err(ScanStop::Damage(_)) => break false,
                    Err(ScanStop::Disk(error)) => return Err(error.into()),
                }
            };
            epoch = scan.epoch;
            if number < kept && !(is_whole && scan.expected == self.segments[number + 1].base) {
                (first, epoch) = (number + 1, LeaderEpoch::NONE);
            }
        }
        Ok(first)
    }

    /// Removes segments of which no record may be read any more.
    pub(super) fn remove_segments_below_start(&mut self, disk: &mut dyn Disk) -> Result<(), LogError> {
        self.remove_segments_before(disk, self.segment_of(self.log_start))
    }

    fn remove_segments_before(&mut self, disk: &mut dyn Disk, number: usize) -> Result<(), LogError> {
        for segment in self.segments.drain(..number).collect::<Vec<_>>() {
            segment.remove(disk, &self.dir)?;
            self.durability.change_names();
        }
        let first = self.segments.first().map_or(Offset::ZERO, |segment| segment.base);
        for offset in self.snapshots.extract_if(.., |offset| *offset < first).collect::<Vec<_>>() {
            disk.remove(&names::snapshot(&self.dir, offset))?;
            self.durability.change_names();
        }
        Ok(())
    }

    /// Loads a log that was closed in order. False if it does not look like one.
    fn load_trusted(&mut self, disk: &mut dyn Disk, epochs: &EpochCache, recovery_point: Offset) -> Result<bool, LogError> {
        let Some(last) = self.segments.len().checked_sub(1) else { return Ok(false) };
        let mut scan = match self.scan_from(disk, last, Offset(i64::MAX)) {
            Err(LogError::Corrupt { .. }) => return Ok(false),
            scan => scan?,
        };
        loop {
            match scan.next(disk) {
                Ok(Some(_)) => {}
                Ok(None) => break,
                Err(ScanStop::Damage(_)) => return Ok(false),
                Err(ScanStop::Disk(error)) => return Err(error.into()),
            }
        }
        let told = scan.expected.0.checked_sub(1).map(Offset).and_then(|offset| epochs.epoch_at(offset));
        let agrees = scan.position == 0 || scan.expected <= self.log_start || told == Some(scan.epoch);
        let reaches = scan.expected <= self.log_start || epochs.reaches(self.log_start);
        if !(agrees && reaches) || scan.expected < recovery_point.max(self.log_start) {
            return Ok(false);
        }
        self.active().first_timestamp(disk)?;
        self.epochs = epochs.clone();
        self.log_end = scan.expected;
        self.durability.settle(self.log_end);
        Ok(true)
    }

    /// Brings into line what follows from the batches. Snapshots above `trusted` are not believed.
    fn derive(&mut self, disk: &mut dyn Disk, trusted: Offset) -> Result<(), LogError> {
        self.epochs.truncate_from_end(self.log_end);
        self.epochs.truncate_from_start(self.log_start);
        if self.is_empty() {
            // No batch vouches for them: the file may tell of a log that was given up as a whole.
            self.epochs.clear();
        }
        self.remove_snapshots_above(disk, trusted.min(self.log_end))?;
        assert!(self.log_start <= self.log_end, "a log from {} to {}", self.log_start, self.log_end);
        self.reload_producers(disk, self.log_end)?;
        // When older segments go, some snapshot must be there that tells of their producers.
        match self.segments.last().is_some_and(|active| active.base > Offset::ZERO && self.snapshots.last() < Some(&active.base))
        {
            true => self.write_snapshot(disk).map(|()| self.durability.press()),
            false => Ok(()),
        }
    }
}

impl Listing {
    fn read(disk: &mut dyn Disk, dir: &str) -> Result<Listing, DiskError> {
        let mut listing = Listing::default();
        for name in disk.list(dir)? {
            match Name::parse(&name) {
                Name::Segment(base) => listing.segments.push(base),
                Name::Index(base) => listing.indexes.push(base),
                Name::TimeIndex(base) => listing.time_indexes.push(base),
                Name::Snapshot(offset) => listing.snapshots.push(offset),
                Name::Truncated(offset) => listing.truncation_marks.push(offset),
                Name::Corrupt(offset) => listing.corrupt = Some(offset),
                Name::Swap(base) => listing.swaps.push(base),
                Name::Gaps => listing.gaps = true,
                Name::Leftover => listing.leftovers.push(name),
                Name::Other => {}
            }
        }
        Ok(listing)
    }

    /// Where the first segment begins. If there is none, the process died when the former ones were gone and the new one was not there yet: a mark
    /// below the start says where that is.
    fn first(&self, log_start: Offset) -> Offset {
        let mark = || self.truncation_marks.iter().copied().filter(|mark| *mark < log_start).min();
        self.segments.first().copied().or_else(mark).unwrap_or(log_start)
    }
}

fn read_topic(disk: &mut dyn Disk, dir: &str, clean: bool) -> Result<TopicId, LogError> {
    let path = format!("{dir}/{METADATA_FILE}");
    let bytes = match disk::read_file(disk, &path) {
        Err(DiskError::NotFound) => bytes::Bytes::new(),
        read => read?,
    };
    // The first flush covers this file: only if power was lost or the disk was full before it can the file be missing, cut short, or
    // without its data.
    let is_whole = bytes.len() >= checkpoint::METADATA_BYTES && bytes.iter().any(|byte| *byte != 0);
    if !clean && !is_whole {
        return Err(LogError::NeverFlushed { dir: dir.to_owned() });
    }
    Ok(checkpoint::parse_metadata(&path, &bytes)?)
}

/// The epochs as the file says; `None` if it is not there or cannot be understood: then they come from the batches.
fn read_epochs(disk: &mut dyn Disk, dir: &str) -> Result<Option<EpochCache>, DiskError> {
    let path = format!("{dir}/{EPOCH_FILE}");
    match disk::read_file(disk, &path) {
        Ok(bytes) => Ok(checkpoint::parse_epochs(&path, &bytes).ok()),
        Err(DiskError::NotFound) => Ok(None),
        Err(error) => Err(error),
    }
}
