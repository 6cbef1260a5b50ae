//! Random sequences against a model: appends, cuts, flushes, checkpoints, failed syncs, crashes at any disk operation,
//! power losses.
//!
//! The model is a plain list of batches. After a crash the log must be a prefix of what was written last, or of what was there before a
//! cut that was not durable yet; at least the durable part must be there; and epochs and producers must be what a replay of the
//! batches gives (D1, D2, D6, R17, R18, R19).

#![allow(clippy::unwrap_used)]

use bytes::Bytes;
use proptest::prelude::*;

use super::memory_disk::{Dice, MemoryDisk, Sync};
use crate::disk::DiskError;
use crate::log::checkpoint::Checkpoint;
use crate::log::epochs::EpochCache;
use crate::log::flush::Flush;
use crate::log::producers::ProducerStates;
use crate::log::{AppendError, Log, LogConfig, LogError};
use crate::types::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, Sequence, Timestamp, Uuid};
use crate::wire::record::{BatchBuilder, BatchRef, batches};

const DIR: &str = "orders-0";

#[derive(Clone, Debug)]
enum Step {
    Lead { records: u8, size: u16, producer: u8 },
    Retry { producer: u8 },
    Follow { sizes: Vec<u8>, next_epoch: bool },
    BeginEpoch,
    Truncate { percent: u8 },
    Restart { ahead: i8 },
    BeginFlush,
    EndFlush,
    BeginEpochFile,
    EndEpochFile,
    BeginPoint,
    EndPoint,
    Read { percent: u8, bytes: u16, end_percent: u8 },
    Crash { power: bool },
    FailFlush,
    CrashAfter { operations: u8, power: bool },
    Shutdown,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (1..4_u8, 0..400_u16, 0..3_u8).prop_map(|(records, size, producer)| Step::Lead { records, size, producer }),
        1 => (1..3_u8).prop_map(|producer| Step::Retry { producer }),
        3 => (prop::collection::vec(any::<u8>(), 1..4), any::<bool>())
            .prop_map(|(sizes, next_epoch)| Step::Follow { sizes, next_epoch }),
        2 => Just(Step::BeginEpoch),
        2 => (0..=110_u8).prop_map(|percent| Step::Truncate { percent }),
        1 => (-5..20_i8).prop_map(|ahead| Step::Restart { ahead }),
        4 => Just(Step::BeginFlush),
        4 => Just(Step::EndFlush),
        2 => Just(Step::BeginEpochFile),
        2 => Just(Step::EndEpochFile),
        2 => Just(Step::BeginPoint),
        2 => Just(Step::EndPoint),
        4 => (0..100_u8, any::<u16>(), 0..=100_u8)
            .prop_map(|(percent, bytes, end_percent)| Step::Read { percent, bytes, end_percent }),
        1 => any::<bool>().prop_map(|power| Step::Crash { power }),
        1 => (0..12_u8, any::<bool>()).prop_map(|(operations, power)| Step::CrashAfter { operations, power }),
        1 => Just(Step::FailFlush),
        1 => Just(Step::Shutdown),
    ]
}

/// What a log may hold.
#[derive(Clone, Debug, Default, PartialEq)]
struct Content {
    start: i64,
    batches: Vec<Bytes>,
}

impl Content {
    fn end(&self) -> i64 {
        self.batches.last().map_or(self.start, |batch| header(batch).next_offset().0)
    }

    /// The first batches, up to the one that would pass `end`.
    fn cut(&self, end: i64) -> Content {
        let batches = self.batches.iter().take_while(|batch| header(batch).next_offset().0 <= end).cloned().collect();
        Content { start: self.start, batches }
    }

    /// Whether `other` is the beginning of this, perhaps with a later start: a log start may reach the disk before what it belongs to.
    fn holds_prefix(&self, other: &Content) -> bool {
        let below = self.batches.iter().take_while(|batch| header(batch).last_offset().0 < other.start).count();
        other.start >= self.start && self.batches[below..].starts_with(&other.batches)
    }
}

fn header(batch: &Bytes) -> crate::wire::record::BatchHeader {
    BatchRef::parse(batch).unwrap().header
}

struct World {
    disk: MemoryDisk,
    dice: Dice,
    log: Log,
    config: LogConfig,
    checkpoint: Checkpoint,
    content: Content,
    /// What was there before cuts that are not durable yet.
    before: Vec<Content>,
    flush: Option<(Flush, Sync)>,
    epoch_file: Option<(String, Bytes)>,
    point: Option<Checkpoint>,
    clock: i64,
    /// Where a crash struck in the middle of a cut.
    cutting: Option<i64>,
    /// The log began anew, and that is not durable yet.
    restarting: bool,
}

impl World {
    fn new(seed: u64) -> World {
        let mut dice = Dice(seed);
        let mut disk = MemoryDisk::new();
        let config = LogConfig {
            segment_bytes_max: 300 + dice.below(1500) as u32,
            index_interval_bytes: dice.below(400) as u32,
            tail_bytes_max: dice.below(3) as usize * 400,
            flush_messages: [None, Some(1), Some(5)][dice.below(3) as usize],
            ..LogConfig::default()
        };
        let mut log = Log::create(&mut disk, DIR, Uuid(1), config.clone()).unwrap();
        let flush = log.begin_flush().unwrap();
        disk.sync(&flush.targets);
        log.end_flush(flush);
        World {
            disk,
            dice,
            log,
            config,
            checkpoint: Checkpoint::default(),
            content: Content::default(),
            before: Vec::new(),
            flush: None,
            epoch_file: None,
            point: None,
            clock: 1000,
            cutting: None,
            restarting: false,
        }
    }

    fn take(&mut self, step: &Step) {
        match step {
            Step::Lead { records, size, producer } => self.lead(*records, *size, *producer),
            Step::Retry { producer } => self.retry(*producer),
            Step::Follow { sizes, next_epoch } => self.follow(sizes, *next_epoch),
            Step::BeginEpoch => self.log.begin_epoch(self.epoch().next()),
            Step::Truncate { percent } => self.truncate(*percent),
            Step::Restart { ahead } => self.restart(*ahead),
            Step::BeginFlush => self.begin_flush(),
            Step::EndFlush => self.end_flush(),
            Step::BeginEpochFile => self.epoch_file = self.epoch_file.take().or_else(|| self.log.epoch_checkpoint()),
            Step::EndEpochFile => self.end_epoch_file(),
            Step::BeginPoint => self.point = self.point.or(Some(self.told())),
            Step::EndPoint => self.end_point(),
            Step::Read { percent, bytes, end_percent } => self.read(*percent, *bytes, *end_percent),
            Step::Crash { power } => self.crash(*power),
            Step::FailFlush => self.fail_flush(),
            Step::CrashAfter { operations, power } => self.crash_after(*operations, *power),
            Step::Shutdown => self.shutdown(),
        }
        self.check_bounds();
    }

    fn epoch(&self) -> LeaderEpoch {
        self.log.last_epoch().unwrap_or(LeaderEpoch(0))
    }

    fn client_batch(&mut self, records: u8, size: u16, producer: u8) -> Bytes {
        let mut batch = BatchBuilder::new();
        if producer > 0 {
            let id = ProducerId(i64::from(producer));
            let (epoch, next) = self.log.producers().of(id).map_or((ProducerEpoch(0), Sequence(0)), |state| {
                (state.epoch, state.batches.back().map_or(Sequence(0), |last| last.last_sequence.plus(1)))
            });
            batch = batch.producer(id, epoch, next);
        }
        self.clock += 1;
        for _ in 0..records {
            let value = vec![self.dice.below(256) as u8; usize::from(size)];
            batch.push(Timestamp(self.clock), None, Some(&value), &[]);
        }
        batch.build()
    }

    fn lead(&mut self, records: u8, size: u16, producer: u8) {
        let epoch = self.epoch();
        let bytes = self.client_batch(records, size, producer);
        let mut stored = bytes.to_vec();
        crate::wire::record::BatchHeader::patch(&mut stored, self.log.log_end(), epoch);
        let result = self.log.append_as_leader(&mut self.disk, bytes, epoch, Timestamp(self.clock));
        self.after_append(result.map(|appended| appended.first.0), vec![Bytes::from(stored)]);
    }

    fn after_append(&mut self, result: Result<i64, AppendError>, stored: Vec<Bytes>) {
        match result {
            Ok(first) => {
                assert_eq!(first, self.content.end());
                assert!(!self.log.truncation_pending_sync());
                self.content.batches.extend(stored);
            }
            Err(AppendError::TruncationPending) => assert!(self.log.truncation_pending_sync()),
            Err(AppendError::LargerThanSegment { .. }) => {}
            Err(AppendError::Log(LogError::Disk { error: DiskError::Gone })) => self.content.batches.extend(stored),
            Err(error) => panic!("{error}"),
        }
    }

    fn retry(&mut self, producer: u8) {
        let id = ProducerId(i64::from(producer));
        let Some(original) = self.content.batches.iter().rev().find(|batch| header(batch).producer_id == id).cloned() else {
            return;
        };
        let (epoch, at) = (self.epoch(), header(&original).base_offset);
        match self.log.append_as_leader(&mut self.disk, original, epoch, Timestamp(self.clock)) {
            Ok(appended) => assert!(appended.duplicate && appended.first == at && appended.batches.is_empty()),
            Err(error) => assert!(matches!(error, AppendError::TruncationPending), "{error}"),
        }
    }

    fn follow(&mut self, sizes: &[u8], next_epoch: bool) {
        let mut epoch = self.epoch();
        let mut at = self.log.log_end();
        let mut run = Vec::new();
        for size in sizes {
            let mut batch = BatchBuilder::new().at(at, epoch);
            self.clock += 1;
            for _ in 0..=size % 3 {
                batch.push(Timestamp(self.clock), None, Some(&vec![*size; usize::from(*size)]), &[]);
            }
            run.push(batch.build());
            at = header(&run[run.len() - 1]).next_offset();
            epoch = if next_epoch { epoch.next() } else { epoch };
        }
        let result = self.log.append_as_follower(&mut self.disk, Bytes::from(run.concat()), LeaderEpoch(i32::MAX));
        self.after_append(result.map(|appended| appended.first.0), run);
    }

    fn truncate(&mut self, percent: u8) {
        let (start, end) = (self.content.start, self.content.end());
        let to = start + (end - start) * i64::from(percent) / 100;
        let before = self.content.clone();
        match self.log.truncate_to(&mut self.disk, Offset(to)) {
            Ok(cut) => {
                self.content = self.content.cut(to);
                assert_eq!(cut.0, self.content.end());
            }
            Err(error) => {
                assert_eq!(error, LogError::Disk { error: DiskError::Gone });
                self.cutting = Some(self.content.cut(to).end());
            }
        }
        if self.content != before || self.log.stopped().is_some() {
            self.before.push(before);
        }
    }

    fn restart(&mut self, ahead: i8) {
        let to = (self.content.end() + i64::from(ahead)).max(0);
        let before = std::mem::replace(&mut self.content, Content { start: to, batches: Vec::new() });
        self.before.push(before);
        self.restarting = true;
        match self.log.truncate_fully(&mut self.disk, Offset(to)) {
            Ok(()) => {
                // The checkpoint of log starts is written with the flush.
                assert_eq!(self.log.log_start(), Offset(to));
            }
            Err(error) => assert_eq!(error, LogError::Disk { error: DiskError::Gone }),
        }
    }

    fn begin_flush(&mut self) {
        if self.flush.is_none() {
            self.flush = self.log.begin_flush().map(|flush| (flush.clone(), self.disk.begin_sync(&flush.targets)));
        }
    }

    fn end_flush(&mut self) {
        let Some((flush, sync)) = self.flush.take() else { return };
        self.disk.end_sync(sync);
        self.log.end_flush(flush);
        if !self.log.truncation_pending_sync() {
            self.before.clear();
            self.restarting = false;
        }
    }

    /// The disk says that a flush has failed, and the process ends. Its pages are visible, and gone.
    fn fail_flush(&mut self) {
        self.begin_flush();
        let Some((_, sync)) = self.flush.take() else { return };
        self.disk.fail_sync(sync);
        self.crash(false);
    }

    fn end_epoch_file(&mut self) {
        if let Some((path, content)) = self.epoch_file.take() {
            self.disk.replace(&path, &content);
            self.log.epoch_checkpoint_done();
        }
    }

    /// What the log says for the checkpoints.
    fn told(&self) -> Checkpoint {
        // Of a log that begins anew and may yet come back nothing is told.
        let log_start = if self.restarting { self.checkpoint.log_start } else { self.log.log_start() };
        let recovery_point = self.log.recovery_point();
        Checkpoint { recovery_point, log_start, ..Checkpoint::default() }
    }

    fn end_point(&mut self) {
        if let Some(point) = self.point.take() {
            self.checkpoint = point;
            self.log.recovery_point_written(&mut self.disk, point.recovery_point).unwrap();
            self.log.log_start_written(&mut self.disk, point.log_start).unwrap();
        }
    }

    fn read(&mut self, percent: u8, bytes: u16, end_percent: u8) {
        let (start, end) = (self.content.start, self.content.end());
        let from = start + (end - start) * i64::from(percent) / 100;
        let up_to = start + (end - start) * i64::from(end_percent) / 100;
        let max = usize::from(bytes) % 2000;
        let insists = bytes.is_multiple_of(2);
        let read = self.log.read(&mut self.disk, Offset(from), Offset(up_to), max, insists).unwrap();
        let mut expected = self.content.batches.iter().skip_while(|batch| header(batch).last_offset().0 < from);
        let mut taken = 0;
        for batch in batches(&read) {
            let batch = batch.unwrap();
            assert_eq!(Some(&batch.bytes), expected.next());
            assert!(batch.header.last_offset().0 < up_to);
            taken += batch.bytes.len();
            assert!(taken <= max || (taken == batch.bytes.len() && insists));
        }
        let next = expected.next().filter(|batch| taken == 0 && from < up_to && header(batch).last_offset().0 < up_to);
        assert!(next.is_none_or(|batch| !insists && batch.len() > max), "a read must give what it may");
    }

    fn crash_after(&mut self, operations: u8, power: bool) {
        self.disk.operations_left = Some(u64::from(operations));
        for _ in 0..4 {
            if self.log.stopped().is_some() {
                break;
            }
            match self.dice.below(3) {
                0 => self.lead(2, 100, 0),
                1 => self.truncate(50),
                _ => self.follow(&[40, 200], true),
            }
        }
        self.crash(power);
    }

    fn crash(&mut self, power: bool) {
        let durable = self.log.durable_end().0.min(self.cutting.take().unwrap_or(i64::MAX));
        // A replacement under way may have ended or not.
        if let Some((path, content)) = self.epoch_file.take().filter(|_| self.dice.below(2) == 0) {
            self.disk.operations_left = None;
            self.disk.replace(&path, &content);
        }
        if let Some(point) = self.point.take().filter(|_| self.dice.below(2) == 0) {
            self.checkpoint = point;
        }
        self.flush = None;
        match power {
            true => self.disk.lose_power(&mut self.dice),
            false => self.disk.kill(),
        }
        let opened = Log::open(&mut self.disk, DIR, self.config.clone(), false, &self.checkpoint);
        let (log, recovery) = opened.unwrap_or_else(|error| panic!("{error}"));
        self.log = log;
        assert!(!recovery.trusted && self.log.truncation_pending_sync());
        self.adopt_recovered(durable);
    }

    fn adopt_recovered(&mut self, durable: i64) {
        let found = self.found();
        let versions = std::iter::once(&self.content).chain(&self.before);
        // All segments of the old log are gone, and the new one is not there yet: then the checkpoint tells where to begin.
        let restarting = self.restarting;
        assert!(
            versions.clone().any(|version| version.holds_prefix(&found)) || (found.batches.is_empty() && restarting),
            "{:?} is no prefix of {:?}",
            summary(&found),
            versions.map(summary).collect::<Vec<_>>()
        );
        assert!(restarting || found.end() >= durable, "{durable} was durable, {} is left", found.end());
        // What is gone may come back if power is lost before the next flush.
        self.before.push(self.content.clone());
        self.content = found;
        self.check_derived();
    }

    fn shutdown(&mut self) {
        self.log.prepare_shutdown(&mut self.disk).unwrap();
        self.end_flush();
        self.end_epoch_file();
        self.end_point();
        self.begin_flush();
        self.end_flush();
        self.epoch_file = self.log.epoch_checkpoint();
        self.end_epoch_file();
        self.point = Some(self.told());
        self.end_point();
        let config = self.config.clone();
        let old = std::mem::replace(&mut self.log, Log::empty("", Uuid(0), config.clone()));
        let (epochs, producers) = (old.epochs.clone(), old.producers.clone());
        old.close(&mut self.disk);
        let (log, recovery) = Log::open(&mut self.disk, DIR, config, true, &self.checkpoint).unwrap();
        self.log = log;
        assert!(recovery.trusted || self.log.epochs().is_empty(), "a clean stop must be trusted");
        assert_eq!(self.log.producers, producers);
        // The mark of an election without a record is given up.
        let mut expected = epochs;
        expected.truncate_from_end(self.log.log_end());
        if self.content.batches.is_empty() {
            expected.clear();
        }
        assert_eq!(self.log.epochs, expected);
        assert_eq!(self.found(), self.content);
    }

    /// What the log holds, read batch by batch.
    fn found(&mut self) -> Content {
        let mut found = Content { start: self.log.log_start().0, batches: Vec::new() };
        let mut at = self.log.log_start();
        while at < self.log.log_end() {
            let bytes = self.log.read(&mut self.disk, at, Offset(i64::MAX), 500, true).unwrap();
            for batch in batches(&bytes) {
                found.batches.push(batch.unwrap().bytes);
            }
            at = header(found.batches.last().unwrap()).next_offset();
        }
        found
    }

    fn check_bounds(&self) {
        assert_eq!(self.log.log_end().0, self.content.end());
        assert_eq!(self.log.log_start().0, self.content.start);
        assert!(self.log.durable_end() <= self.log.log_end());
        assert!(self.log.recovery_point() <= self.log.durable_end());
        let bytes: usize = self.content.batches.iter().map(Bytes::len).sum();
        let whole = self.log.segments[0].base == self.log.log_start();
        assert!(self.log.size_bytes() == bytes as u64 || (!whole && self.log.size_bytes() > bytes as u64));
        let open = self.log.segments.iter().map(|segment| segment.length <= u64::from(self.config.segment_bytes_max));
        assert!(open.zip(&self.log.segments).all(|(fits, segment)| fits || segment.length < 4000));
    }

    fn check_derived(&self) {
        let (mut epochs, mut producers) = (EpochCache::default(), ProducerStates::default());
        for batch in &self.content.batches {
            let header = header(batch);
            epochs.assign(header.leader_epoch, header.base_offset);
            producers.update(&header);
        }
        epochs.truncate_from_start(self.log.log_start());
        // Segments may hold batches below the log start, which are not read but known.
        if self.log.segments[0].base == self.log.log_start() {
            assert_eq!(self.log.producers, producers);
            assert_eq!(self.log.epochs, epochs);
        } else if !self.content.batches.is_empty() {
            assert_eq!(self.log.epochs, epochs);
        }
    }
}

fn summary(content: &Content) -> Vec<(i64, i32)> {
    content.batches.iter().map(|batch| (header(batch).base_offset.0, header(batch).leader_epoch.0)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_was_durable_survives_and_nothing_is_invented(seed in any::<u64>(), steps in prop::collection::vec(step(), 1..60)) {
        let mut world = World::new(seed);
        for step in &steps {
            world.take(step);
        }
        world.crash(true);
    }
}
