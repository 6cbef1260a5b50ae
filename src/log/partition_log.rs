//! The log of one partition: its state, how it comes to be and how it ends. What it can do is in the files beside.

use super::checkpoint::{self, EPOCH_FILE, METADATA_FILE};
use super::compaction::Cleaner;
use super::config::LogConfig;
use super::epochs::{EpochCache, EpochFile, EpochStart};
use super::error::LogError;
use super::flush::{Durability, Flush};
use super::names;
use super::producers::ProducerStates;
use super::segment::{Segment, remove_if_there};
use super::tail::Tail;
use crate::disk::{Disk, DiskError, SyncTarget};
use crate::mutant::{Mutant, Taint};
use crate::types::{LeaderEpoch, Offset, Time, Timestamp, TopicId};

use bytes::Bytes;

/// The log of one partition on one broker.
///
/// Invariants: `log_start <= log_end`, `durable_end <= log_end`; there is at least one segment, the last one is active and
/// ends at `log_end`; segments, epochs and producers tell of the same batches.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Log {
    pub(super) dir: String,
    pub(super) topic: TopicId,
    pub(super) config: LogConfig,
    pub(super) segments: Vec<Segment>,
    pub(super) log_start: Offset,
    pub(super) log_end: Offset,
    pub(super) epochs: EpochCache,
    pub(super) epoch_file: EpochFile,
    pub(super) producers: ProducerStates,
    pub(super) tail: Tail,
    pub(super) durability: Durability,
    pub(super) snapshots: Vec<Offset>,
    pub(super) cleaner: Cleaner,
    pub(super) truncation_marks: Vec<Offset>,
    /// Recovery has believed leader epochs for which nothing vouches: they are not under the checksums.
    pub(super) epochs_doubtful: bool,
    pub(super) stopped: Option<DiskError>,
    pub(super) acted: Taint,
}

impl Log {
    /// Creates the log of a partition in the new directory `dir`. Nothing of it is durable before the first flush.
    ///
    /// # Errors
    /// `Disk` with `Exists`, if the directory is there; other disk errors.
    pub fn create(disk: &mut dyn Disk, dir: &str, topic: TopicId, config: LogConfig) -> Result<Log, LogError> {
        let mut log = Log::create_dir(disk, dir, topic, config)?;
        log.fill_dir(disk)?;
        Ok(log)
    }

    /// Creates the log of a partition whose name was in use before: by a topic of the same name that was deleted. The checkpoints on the
    /// disk may still tell of that one, so the new log begins with the mark of a cut at 0, and recovery will believe none of them. The mark
    /// comes first, and is a mere name: where a full disk ends this in the middle, it is there.
    ///
    /// # Errors
    /// As [`Log::create`].
    pub fn create_over(disk: &mut dyn Disk, dir: &str, topic: TopicId, config: LogConfig) -> Result<Log, LogError> {
        let mut log = Log::create_dir(disk, dir, topic, config)?;
        log.durability.start_lowered = true;
        log.durability.point_inherited = true;
        log.leave_truncation_mark(disk, Offset::ZERO)?;
        log.fill_dir(disk)?;
        Ok(log)
    }

    fn create_dir(disk: &mut dyn Disk, dir: &str, topic: TopicId, config: LogConfig) -> Result<Log, LogError> {
        disk.create_dir(dir)?;
        let mut log = Log::empty(dir, topic, config);
        log.durability.change_parent();
        Ok(log)
    }

    fn fill_dir(&mut self, disk: &mut dyn Disk) -> Result<(), LogError> {
        let path = format!("{}/{METADATA_FILE}", self.dir);
        self.write_side_file(disk, &path, &checkpoint::encode_metadata(self.topic))?;
        self.start_segment(disk, Offset::ZERO)?;
        self.durability.press();
        Ok(())
    }

    /// A log without any segment yet.
    pub(super) fn empty(dir: &str, topic: TopicId, config: LogConfig) -> Log {
        let tail = Tail::new(config.tail_bytes_max);
        Log {
            dir: dir.to_owned(),
            topic,
            config,
            segments: Vec::new(),
            log_start: Offset::ZERO,
            log_end: Offset::ZERO,
            epochs: EpochCache::default(),
            epoch_file: EpochFile::default(),
            producers: ProducerStates::default(),
            tail,
            durability: Durability::default(),
            snapshots: Vec::new(),
            cleaner: Cleaner::default(),
            truncation_marks: Vec::new(),
            epochs_doubtful: false,
            stopped: None,
            acted: Taint::default(),
        }
    }

    /// Identity of the topic.
    #[must_use]
    pub fn topic(&self) -> TopicId {
        self.topic
    }

    /// Its directory, like `orders-0`.
    #[must_use]
    pub fn dir(&self) -> &str {
        &self.dir
    }

    /// Its settings.
    #[must_use]
    pub fn config(&self) -> &LogConfig {
        &self.config
    }

    /// Other settings from now on. A log is loaded before anybody knows what its topic is configured to; what has been rolled stays.
    pub fn configure(&mut self, config: LogConfig) {
        self.config = config;
    }

    /// First offset that may be read.
    #[must_use]
    pub fn log_start(&self) -> Offset {
        self.log_start
    }

    /// The offset after the last record.
    #[must_use]
    pub fn log_end(&self) -> Offset {
        self.log_end
    }

    /// Everything below is on the medium.
    #[must_use]
    pub fn durable_end(&self) -> Offset {
        self.durability.durable_end
    }

    /// Bytes in all segments.
    #[must_use]
    pub fn size_bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.length).sum()
    }

    /// Base offsets of the segments, oldest first.
    #[must_use]
    pub fn segment_bases(&self) -> Vec<Offset> {
        self.segments.iter().map(|segment| segment.base).collect()
    }

    /// The disk error that stopped the log, if one did.
    #[must_use]
    pub fn stopped(&self) -> Option<DiskError> {
        self.stopped
    }

    /// Whether the planted bug has changed a decision in here since last asked.
    #[must_use]
    pub fn take_acted(&mut self) -> bool {
        self.acted.take()
    }

    /// What is known of the producers.
    #[must_use]
    pub fn producers(&self) -> &ProducerStates {
        &self.producers
    }

    /// Forgets producers that have not written for `producer.id.expiration.ms`.
    pub fn expire_producers(&mut self, now: Time, wall: Timestamp) {
        self.producers.expire(now, wall, self.config.producer_expiration);
    }

    // ---- leader epochs ----------------------------------------------------------------------------------------

    /// This replica becomes leader in `epoch`: whatever it appends from here on is of that epoch (KAFKA-7415).
    pub fn begin_epoch(&mut self, epoch: LeaderEpoch) {
        self.epochs.assign(epoch, self.log_end);
    }

    /// The newest epoch of which there are records, or that began here.
    #[must_use]
    pub fn last_epoch(&self) -> Option<LeaderEpoch> {
        self.epochs.last()
    }

    /// The largest epoch here not above `epoch`, and where it ends; `None` if nothing is known or `epoch` is newer than
    /// everything here.
    #[must_use]
    pub fn epoch_end(&self, epoch: LeaderEpoch) -> Option<(LeaderEpoch, Offset)> {
        self.epochs.end_of(epoch, self.log_end)
    }

    /// All epochs, oldest first.
    #[must_use]
    pub fn epochs(&self) -> &[EpochStart] {
        self.epochs.entries()
    }

    /// Path and content of `leader-epoch-checkpoint`, if it changed since last asked, and no truncation pends; to be put in place by
    /// [`Outbox::replace`](crate::actor::Outbox::replace). Confirm with [`epoch_checkpoint_done`](Log::epoch_checkpoint_done);
    /// until then the recovery point stays below the change.
    pub fn epoch_checkpoint(&mut self) -> Option<(String, Bytes)> {
        if self.stopped.is_some() || self.truncation_pending_sync() || !self.epoch_file.is_stale(&self.epochs) {
            return None;
        }
        self.epoch_file.begin(&self.epochs);
        Some((format!("{}/{EPOCH_FILE}", self.dir), checkpoint::encode_epochs(&self.epochs)))
    }

    /// The oldest epoch checkpoint under way is on the disk.
    pub fn epoch_checkpoint_done(&mut self) {
        self.epoch_file.end();
        self.note_claim();
    }

    // ---- durability -------------------------------------------------------------------------------------------

    /// Whether a flush should begin: `flush.messages` is reached, or files were made, rolled or cut.
    #[must_use]
    pub fn needs_flush(&self) -> bool {
        self.stopped.is_none() && self.durability.needs_flush(self.log_end, self.config.flush_messages)
    }

    /// Begins a flush of everything changed; `None` if nothing changed since the last one began (which may be under way still).
    pub fn begin_flush(&mut self) -> Option<Flush> {
        if self.stopped.is_some() {
            return None;
        }
        let files = self.segments.iter().chain(self.cleaner.output()).map(|segment| (segment.file, segment.changed_at));
        let mut flush = self.durability.begin(files, &self.dir, names::parent(&self.dir), self.log_end)?;
        if self.config.mutants.is(Mutant::NoDirFsync) {
            let asked = flush.targets.len();
            flush.targets.retain(|target| matches!(target, SyncTarget::File(_)));
            if flush.targets.len() < asked {
                self.acted.set();
            }
        }
        Some(flush)
    }

    /// A flush has succeeded.
    pub fn end_flush(&mut self, flush: Flush) {
        self.durability.end(&flush);
        self.note_claim();
        assert!(self.durable_end() <= self.log_end, "{} is durable of {}", self.durable_end(), self.log_end);
    }

    /// A flush or the replacement of a file has failed. The log takes no more part: a second sync would succeed and lie.
    pub fn stop(&mut self, error: DiskError) {
        self.stopped.get_or_insert(error);
    }

    /// Whether a truncation, or what recovery cut, is not durable yet. Until a flush that began after it has ended,
    /// appends are refused.
    #[must_use]
    pub fn truncation_pending_sync(&self) -> bool {
        self.durability.truncation_pends()
    }

    /// What may be written to `recovery-point-offset-checkpoint`: recovery need not look below. While a truncation is not durable the log
    /// from before may come back, of which no more can be said than was.
    #[must_use]
    pub fn recovery_point(&self) -> Offset {
        let start = self.log_start.min(self.durability.log_start_on_disk);
        let known = self.epoch_file.limit(&self.epochs, start).map_or(self.durable_end(), |limit| limit.min(self.durable_end()));
        match self.truncation_pending_sync() {
            true => known.min(self.durability.recovery_point_on_disk),
            false => known,
        }
    }

    /// `point`, once told by [`recovery_point`](Log::recovery_point), has been written there, durably. Call this in the order of the
    /// writes.
    ///
    /// # Errors
    /// Disk errors.
    pub fn recovery_point_written(&mut self, disk: &mut dyn Disk, point: Offset) -> Result<(), LogError> {
        self.durability.recovery_point_on_disk = point;
        self.durability.point_inherited = false;
        self.durability.claimed = point;
        self.note_claim();
        self.checkpoint_written(disk)
    }

    /// `start`, once told by [`log_start`](Log::log_start), has been written to `log-start-offset-checkpoint`, durably. Call this in
    /// the order of the writes.
    ///
    /// # Errors
    /// Disk errors.
    pub fn log_start_written(&mut self, disk: &mut dyn Disk, start: Offset) -> Result<(), LogError> {
        self.durability.log_start_on_disk = start;
        self.durability.start_lowered &= start > self.log_start;
        self.checkpoint_written(disk)
    }

    fn checkpoint_written(&mut self, disk: &mut dyn Disk) -> Result<(), LogError> {
        self.check_running()?;
        // What is there now was true when it was told, and need not be any more.
        let Durability { recovery_point_on_disk, start_lowered, point_inherited, .. } = self.durability;
        let holds = recovery_point_on_disk <= self.recovery_point() && !start_lowered && !point_inherited;
        if self.truncation_marks.is_empty() || !holds {
            return Ok(());
        }
        let result = self.remove_truncation_marks(disk);
        self.watch(result)
    }

    fn remove_truncation_marks(&mut self, disk: &mut dyn Disk) -> Result<(), LogError> {
        for mark in std::mem::take(&mut self.truncation_marks) {
            disk.remove(&names::truncated(&self.dir, mark))?;
        }
        self.durability.change_names();
        self.durability.press();
        Ok(())
    }

    // ---- the end ----------------------------------------------------------------------------------------------

    /// Before a clean shutdown: writes the index of the active segment and a snapshot of the producers. Then flush, write the epoch and
    /// the other checkpoints, and only when all that has ended, for all logs, the clean-shutdown mark (D7).
    ///
    /// # Errors
    /// Disk errors.
    pub fn prepare_shutdown(&mut self, disk: &mut dyn Disk) -> Result<(), LogError> {
        self.check_running()?;
        let result = self.give_up_pass(disk).and_then(|()| self.write_index(disk)).and_then(|()| self.write_snapshot(disk));
        self.durability.press();
        self.watch(result)
    }

    /// Gives the handles back. Does not sync.
    pub fn close(mut self, disk: &mut dyn Disk) {
        for file in self.durability.take_all().into_iter().chain(self.cleaner.output().map(|segment| segment.file)) {
            disk.close(file);
        }
        for segment in self.segments {
            disk.close(segment.file);
        }
    }

    /// Removes the log from the disk. It is renamed first, so that a crash in between leaves no half log behind; the name is gone for good
    /// once the parent directory is synced.
    ///
    /// # Errors
    /// Disk errors; also when the log is stopped the attempt is made.
    pub fn remove(self, disk: &mut dyn Disk) -> Result<(), LogError> {
        let dir = self.dir.clone();
        self.close(disk);
        Log::discard(disk, &dir)
    }

    /// Removes a log's directory without loading it.
    ///
    /// # Errors
    /// Disk errors.
    pub fn discard(disk: &mut dyn Disk, dir: &str) -> Result<(), LogError> {
        let doomed = format!("{dir}.deleted");
        remove_dir_with_files(disk, &doomed)?;
        disk.rename(dir, &doomed)?;
        Ok(remove_dir_with_files(disk, &doomed)?)
    }

    /// Bad bytes were found at `at`. A mark keeps the log closed from the next start on, also if nobody should meet them again by then: a
    /// look at its end does not read what lies before. Need not be durable: what was forgotten is found again.
    ///
    /// # Errors
    /// Disk errors.
    pub fn condemn(&mut self, disk: &mut dyn Disk, at: Offset) -> Result<(), LogError> {
        self.check_running()?;
        let result = match disk.create(&names::corrupt(&self.dir, at)) {
            Ok(file) => {
                disk.close(file);
                Ok(())
            }
            Err(DiskError::Exists) => Ok(()),
            Err(error) => Err(error.into()),
        };
        self.watch(result)
    }

    /// Puts a closed log out of the way, for people to look at: its directory gets the name `<dir>.corrupt`. An older one of that name goes.
    ///
    /// # Errors
    /// Disk errors.
    pub fn set_aside(disk: &mut dyn Disk, dir: &str) -> Result<(), LogError> {
        let aside = format!("{dir}.corrupt");
        remove_dir_with_files(disk, &aside)?;
        Ok(disk.rename(dir, &aside)?)
    }

    /// The recovery point may have risen, and the caller may be writing it.
    pub(super) fn note_claim(&mut self) {
        self.durability.claimed = self.durability.claimed.max(self.recovery_point());
    }

    // ---- shared by the files beside -----------------------------------------------------------------------------

    /// # Errors
    /// `Stopped` after a disk error.
    pub(super) fn check_running(&self) -> Result<(), LogError> {
        self.stopped.map_or(Ok(()), |error| Err(LogError::Stopped(error)))
    }

    /// One disk error stops the log.
    pub(super) fn watch<T>(&mut self, result: Result<T, LogError>) -> Result<T, LogError> {
        if let Err(LogError::Disk { error }) = &result {
            if self.config.mutants.is(Mutant::AppendAfterIoError) && *error != DiskError::Gone {
                self.acted.set();
            } else {
                self.stopped = Some(*error);
            }
        }
        result
    }

    /// The segment that is written to.
    pub(super) fn active(&mut self) -> &mut Segment {
        self.segments.last_mut().expect("a log has at least one segment")
    }

    /// Index of the segment in which `offset` lies, or would lie.
    pub(super) fn segment_of(&self, offset: Offset) -> usize {
        self.segments.partition_point(|segment| segment.base <= offset).saturating_sub(1)
    }

    /// Makes a new active segment.
    pub(super) fn start_segment(&mut self, disk: &mut dyn Disk, base: Offset) -> Result<(), LogError> {
        assert!(self.segments.last().is_none_or(|last| last.base < base), "segments must rise");
        let mut segment = Segment::create(disk, &self.dir, base)?;
        segment.gaps = self.cleaner.gaps;
        segment.changed_at = self.durability.change();
        self.durability.change_names();
        self.segments.push(segment);
        Ok(())
    }

    /// Writes a small file at once; the next flush covers it.
    pub(super) fn write_side_file(&mut self, disk: &mut dyn Disk, path: &str, content: &[u8]) -> Result<(), LogError> {
        for file in self.durability.take_finished() {
            disk.close(file);
        }
        let file = match disk.create(path) {
            Err(DiskError::Exists) => {
                let file = disk.open(path)?;
                disk.set_len(file, 0)?;
                file
            }
            created => created?,
        };
        disk.write(file, 0, &[content])?;
        self.durability.wrote(file);
        Ok(())
    }

    /// Writes the indexes of the active segment.
    pub(super) fn write_index(&mut self, disk: &mut dyn Disk) -> Result<(), LogError> {
        let (dir, base) = (self.dir.clone(), self.active().base);
        if let Some(content) = self.active().index_file() {
            self.write_side_file(disk, &names::index(&dir, base), &content)?;
        }
        match self.active().time_index_file() {
            Some(content) => self.write_side_file(disk, &names::time_index(&dir, base), &content),
            // One that was removed when the segment was cut may have come back with a loss of power.
            None => Ok(remove_if_there(disk, &names::time_index(&dir, base))?),
        }
    }

    /// Writes a snapshot of the producers as of the log end.
    pub(super) fn write_snapshot(&mut self, disk: &mut dyn Disk) -> Result<(), LogError> {
        let path = names::snapshot(&self.dir, self.log_end);
        let content = match self.config.mutants.is(Mutant::SnapshotRemembersOneBatch) {
            true => {
                let (forgetful, forgot) = self.producers.with_one_batch_each();
                if forgot {
                    self.acted.set();
                }
                forgetful.encode()
            }
            false => self.producers.encode(),
        };
        self.write_side_file(disk, &path, &content)?;
        if self.snapshots.last() != Some(&self.log_end) {
            self.snapshots.push(self.log_end);
        }
        Ok(())
    }
}

fn remove_dir_with_files(disk: &mut dyn Disk, dir: &str) -> Result<(), DiskError> {
    let names = match disk.list(dir) {
        Err(DiskError::NotFound) => return Ok(()),
        names => names?,
    };
    for name in names {
        disk.remove(&format!("{dir}/{name}"))?;
    }
    disk.remove_dir(dir)
}
