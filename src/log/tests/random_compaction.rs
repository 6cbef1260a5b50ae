//! Random sequences of keyed appends, cuts, flushes, checkpoints and compaction, with a crash at any operation of the disk, against a model.
//!
//! The model keeps every record that was ever appended and not cut. Whatever happened, after reopening
//! - what is there is what was appended, under its own offset; nothing is invented, nothing lies below the log start;
//! - of each key the newest record is there, or it is a tombstone that has outlived its retention, and then no older one is there either (D4);
//! - above the furthest bound that a pass was allowed, everything is there (D5);
//! - the log ends no lower than what was durable (D2);
//! - epochs are those of the log as it was appended (R17), the producers' windows too, as far as nothing was lost behind them (D6).

#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use proptest::prelude::*;

use super::memory_disk::{Dice, MemoryDisk};
use crate::disk::DiskError;
use crate::log::checkpoint::Checkpoint;
use crate::log::epochs::EpochCache;
use crate::log::{AppendError, Compaction, CompactionConfig, Log, LogConfig, LogError, WINDOW};
use crate::types::{Duration, LeaderEpoch, Offset, ProducerEpoch, ProducerId, Sequence, Timestamp, Uuid};
use crate::wire::record::{BatchBuilder, BatchHeader, BatchRef, Record, batches};

const DIR: &str = "table-0";
const RETENTION_MS: i64 = 50;

#[derive(Clone, Debug)]
enum Step {
    Put { keys: Vec<u8>, size: u8, producer: u8 },
    BeginEpoch,
    Commit { percent: u8 },
    Truncate { percent: u8 },
    Flush,
    EpochFile,
    Checkpoint { cleaner: bool },
    Clean { calls: u8 },
    CleanAndFlush,
    CrashInPass { operations: u8, power: bool },
    Crash { power: bool },
    Wait { ms: u8 },
    Shutdown,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => (prop::collection::vec(any::<u8>(), 1..4), any::<u8>(), 0..3_u8)
            .prop_map(|(keys, size, producer)| Step::Put { keys, size, producer }),
        1 => Just(Step::BeginEpoch),
        4 => (0..=100_u8).prop_map(|percent| Step::Commit { percent }),
        1 => (0..=100_u8).prop_map(|percent| Step::Truncate { percent }),
        4 => Just(Step::Flush),
        2 => Just(Step::EpochFile),
        2 => any::<bool>().prop_map(|cleaner| Step::Checkpoint { cleaner }),
        4 => (1..6_u8).prop_map(|calls| Step::Clean { calls }),
        4 => Just(Step::CleanAndFlush),
        3 => (0..40_u8, any::<bool>()).prop_map(|(operations, power)| Step::CrashInPass { operations, power }),
        1 => any::<bool>().prop_map(|power| Step::Crash { power }),
        2 => (0..60_u8).prop_map(|ms| Step::Wait { ms }),
        1 => Just(Step::Shutdown),
    ]
}

/// A batch as it was appended.
#[derive(Clone, Debug)]
struct Appended {
    header: BatchHeader,
    records: Vec<Record>,
}

struct World {
    disk: MemoryDisk,
    dice: Dice,
    log: Log,
    config: LogConfig,
    checkpoint: Checkpoint,
    content: Vec<Appended>,
    high_watermark: i64,
    clock: i64,
    /// When a pass first met each offset below: (bound, time).
    passes: Vec<(i64, i64)>,
    /// Ends of the log that a crash may leave, because a cut was not durable.
    cuts: Vec<Vec<Appended>>,
    /// Batches were lost behind a window: it may be shorter than it should.
    lost_tail: bool,
}

impl World {
    fn new(seed: u64) -> World {
        let mut dice = Dice(seed);
        let mut disk = MemoryDisk::new();
        let compaction = CompactionConfig {
            dirty_permille_min: [0, 300][dice.below(2) as usize],
            tombstone_retention: Duration::millis(RETENTION_MS as u64),
            map_bytes_max: [100, 200, 10_000][dice.below(3) as usize],
            ..CompactionConfig::default()
        };
        let config = LogConfig {
            segment_bytes_max: 300 + dice.below(900) as u32,
            index_interval_bytes: dice.below(300) as u32,
            tail_bytes_max: dice.below(2) as usize * 2000,
            compaction: Some(compaction),
            gaps_legal: true,
            ..LogConfig::default()
        };
        let mut log = Log::create(&mut disk, DIR, Uuid(1), config.clone()).unwrap();
        let flush = log.begin_flush().unwrap();
        disk.sync(&flush.targets);
        log.end_flush(flush);
        let checkpoint = Checkpoint::default();
        World {
            disk,
            dice,
            log,
            config,
            checkpoint,
            content: Vec::new(),
            high_watermark: 0,
            clock: 1000,
            passes: Vec::new(),
            cuts: Vec::new(),
            lost_tail: false,
        }
    }

    fn take(&mut self, step: &Step) {
        match step {
            Step::Put { keys, size, producer } => self.put(keys, *size, *producer),
            Step::BeginEpoch => self.log.begin_epoch(self.epoch().next()),
            Step::Commit { percent } => self.commit(*percent),
            Step::Truncate { percent } => self.truncate(*percent),
            Step::Flush => self.flush(),
            Step::EpochFile => self.write_epoch_file(),
            Step::Checkpoint { cleaner } => self.write_checkpoint(*cleaner),
            Step::Clean { calls } => (0..*calls).for_each(|_| self.clean()),
            Step::CleanAndFlush => (0..30).for_each(|_| {
                self.clean();
                self.flush();
            }),
            Step::CrashInPass { operations, power } => self.crash_in_pass(*operations, *power),
            Step::Crash { power } => self.crash(*power),
            Step::Wait { ms } => self.clock += i64::from(*ms),
            Step::Shutdown => self.shutdown(),
        }
        if self.log.stopped().is_none() {
            assert_eq!(self.log.log_end().0, self.end());
        }
    }

    fn end(&self) -> i64 {
        self.content.last().map_or(0, |last| last.header.next_offset().0)
    }

    fn epoch(&self) -> LeaderEpoch {
        self.log.last_epoch().unwrap_or(LeaderEpoch(0))
    }

    fn put(&mut self, keys: &[u8], size: u8, producer: u8) {
        let mut batch = BatchBuilder::new();
        if producer > 0 {
            let id = ProducerId(i64::from(producer));
            let newest = self.log.producers().of(id).and_then(|state| state.batches.back());
            batch = batch.producer(id, ProducerEpoch(0), newest.map_or(Sequence(0), |last| last.last_sequence.plus(1)));
        }
        self.clock += 1;
        for key in keys {
            let value = vec![*key; usize::from(size)];
            // One of four deletes its key.
            let value = (key % 4 > 0).then_some(&value[..]);
            batch.push(Timestamp(self.clock), Some(&[b'a' + key / 4 % 6]), value, &[]);
        }
        let (epoch, end) = (self.epoch(), self.log.log_end());
        let bytes = batch.build();
        match self.log.append_as_leader(&mut self.disk, bytes.clone(), epoch, Timestamp(self.clock)) {
            Ok(appended) => assert_eq!(appended.first, end),
            Err(AppendError::TruncationPending | AppendError::LargerThanSegment { .. }) => return,
            Err(AppendError::Log(LogError::Disk { error: DiskError::Gone })) => {}
            Err(error) => panic!("{error}"),
        }
        let mut stored = bytes.to_vec();
        BatchHeader::patch(&mut stored, end, epoch);
        self.content.push(appended(&BatchRef::parse(&Bytes::from(stored)).unwrap()));
    }

    fn commit(&mut self, percent: u8) {
        let (from, end) = (self.high_watermark, self.end());
        let to = from + (end - from) * i64::from(percent) / 100;
        let aligned = self.content.iter().map(|batch| batch.header.next_offset().0).filter(|end| *end <= to).max();
        self.high_watermark = from.max(aligned.unwrap_or(0));
    }

    fn truncate(&mut self, percent: u8) {
        let (from, end) = (self.high_watermark, self.end());
        let to = from + (end - from) * i64::from(percent) / 100;
        let before = self.content.clone();
        self.content.retain(|batch| batch.header.next_offset().0 <= to);
        self.lost_tail |= self.content.len() < before.len();
        self.cuts.push(before);
        match self.log.truncate_to(&mut self.disk, Offset(to)) {
            Ok(cut) => assert_eq!(cut.0, self.end()),
            Err(error) => assert_eq!(error, LogError::Disk { error: DiskError::Gone }),
        }
    }

    fn flush(&mut self) {
        while let Some(flush) = self.log.begin_flush() {
            self.disk.sync(&flush.targets);
            self.log.end_flush(flush);
        }
        self.cuts.clear();
    }

    fn write_epoch_file(&mut self) {
        if let Some((path, content)) = self.log.epoch_checkpoint() {
            self.disk.replace(&path, &content);
            self.log.epoch_checkpoint_done();
        }
    }

    /// In the order of the broker: what is clean, then the recovery point. The first may be forgotten.
    fn write_checkpoint(&mut self, cleaner: bool) {
        if cleaner {
            self.checkpoint.first_dirty = self.log.first_dirty();
            self.checkpoint.recovery_point = self.log.recovery_point();
            self.log.recovery_point_written(&mut self.disk, self.checkpoint.recovery_point).unwrap();
        }
    }

    fn clean(&mut self) {
        let now = Timestamp(self.clock);
        match self.log.compact(&mut self.disk, now, Offset(self.high_watermark)) {
            Ok(Compaction::Began { first_dirty, up_to }) => {
                assert!(first_dirty < up_to && up_to.0 <= self.high_watermark && up_to <= self.log.durable_end());
                let active = *self.log.segment_bases().last().unwrap();
                assert!(up_to <= active, "the active segment is left alone");
                self.passes.push((up_to.0, self.clock));
            }
            Ok(Compaction::Ended { up_to, .. }) => assert_eq!(up_to, self.log.first_dirty()),
            Ok(Compaction::Idle | Compaction::Working | Compaction::Waiting) => {}
            Err(LogError::Disk { error: DiskError::Gone } | LogError::Stopped(DiskError::Gone)) => {}
            Err(error) => panic!("{error}"),
        }
    }

    fn crash_in_pass(&mut self, operations: u8, power: bool) {
        // Up to where the pass has something ready, or the call after it.
        let ready = (0..self.dice.below(20)).find(|_| {
            self.clean();
            self.dice.below(3) == 0
        });
        if ready.is_some() && self.dice.below(2) == 0 {
            self.flush();
        }
        self.disk.operations_left = Some(u64::from(operations));
        (0..10).for_each(|_| self.clean());
        self.crash(power);
    }

    fn crash(&mut self, power: bool) {
        let durable = self.log.durable_end().0;
        match power {
            true => self.disk.lose_power(&mut self.dice),
            false => self.disk.kill(),
        }
        let opened = Log::open(&mut self.disk, DIR, self.config.clone(), false, &self.checkpoint);
        let (log, recovery) = opened.unwrap_or_else(|error| panic!("{error}"));
        assert!(!recovery.trusted);
        self.log = log;
        self.adopt(durable);
    }

    fn adopt(&mut self, durable: i64) {
        let end = self.log.log_end().0;
        assert!(end >= durable, "{durable} was durable, {end} is left");
        let found = self.found();
        // What was cut and came back is what it was.
        let is_past = |past: &Vec<Appended>| past.iter().any(|batch| batch.header.next_offset().0 == end);
        let fits = end == 0 || is_past(&self.content) || self.cuts.iter().any(is_past);
        assert!(fits, "the log ends at {end}, where no batch ended");
        let versions: Vec<Vec<Appended>> = std::iter::once(self.content.clone()).chain(self.cuts.clone()).collect();
        let version = versions.iter().find(|version| agrees(version, &found)).expect("it is one of those that were");
        self.lost_tail |= end < self.end();
        let before = std::mem::replace(&mut self.content, version.clone());
        self.content.retain(|batch| batch.header.next_offset().0 <= end);
        self.cuts.push(before);
        self.high_watermark = self.high_watermark.min(end);
        self.judge(&found);
    }

    fn shutdown(&mut self) {
        self.log.prepare_shutdown(&mut self.disk).unwrap();
        self.flush();
        self.write_epoch_file();
        self.write_checkpoint(true);
        let config = self.config.clone();
        let old = std::mem::replace(&mut self.log, Log::empty("", Uuid(0), config.clone()));
        let first_dirty = old.first_dirty();
        old.close(&mut self.disk);
        let (log, recovery) = Log::open(&mut self.disk, DIR, config, true, &self.checkpoint).unwrap();
        self.log = log;
        assert!(recovery.trusted || self.log.epochs().is_empty(), "a clean stop must be trusted");
        assert_eq!(self.log.first_dirty(), first_dirty);
        let found = self.found();
        self.judge(&found);
    }

    /// What the log holds, read batch by batch.
    fn found(&mut self) -> Vec<Appended> {
        let mut found: Vec<Appended> = Vec::new();
        let mut at = self.log.log_start();
        while at < self.log.log_end() {
            let bytes = self.log.read(&mut self.disk, at, Offset(i64::MAX), 500, true).unwrap();
            for batch in batches(&bytes) {
                let batch = batch.unwrap();
                assert!(batch.header.base_offset >= at, "offsets rise");
                at = batch.header.next_offset();
                found.push(appended(&batch));
            }
            assert!(!bytes.is_empty(), "a read below the log end gives something");
        }
        assert_eq!(at, self.log.log_end(), "the log ends with a batch");
        found
    }

    fn judge(&mut self, found: &[Appended]) {
        assert!(agrees(&self.content, found), "every batch is one that was appended");
        self.judge_keys(found);
        self.judge_derived();
        self.judge_reads(found);
    }

    fn judge_keys(&self, found: &[Appended]) {
        let bound = self.passes.iter().map(|(bound, _)| *bound).max().unwrap_or(0);
        let there: BTreeMap<i64, &Record> = found.iter().flat_map(|batch| &batch.records).map(|r| (r.offset.0, r)).collect();
        let mut newest: BTreeMap<&Bytes, &Record> = BTreeMap::new();
        for record in self.content.iter().flat_map(|batch| &batch.records) {
            newest.insert(record.key.as_ref().unwrap(), record);
            assert!(record.offset.0 < bound || there.contains_key(&record.offset.0), "{} lies above {bound}", record.offset);
        }
        for (key, record) in newest {
            if there.contains_key(&record.offset.0) {
                continue;
            }
            let met = self.passes.iter().filter(|(bound, _)| *bound > record.offset.0).map(|(_, time)| *time).min().unwrap();
            assert!(record.value.is_none(), "the newest value of {key:?} at {} is gone", record.offset);
            assert!(self.clock > met + RETENTION_MS, "the tombstone of {key:?} at {} went too early", record.offset);
            let older = there.values().find(|other| other.key.as_ref() == Some(key));
            assert!(older.is_none(), "{key:?} was deleted at {}, and {older:?} is back", record.offset);
        }
    }

    fn judge_derived(&self) {
        let mut epochs = EpochCache::default();
        let mut windows: BTreeMap<ProducerId, VecDeque<i64>> = BTreeMap::new();
        let bases: Vec<i64> = self.content.iter().map(|batch| batch.header.base_offset.0).collect();
        for header in self.content.iter().map(|batch| batch.header) {
            epochs.assign(header.leader_epoch, header.base_offset);
            if header.has_producer() {
                let window = windows.entry(header.producer_id).or_default();
                window.push_back(header.base_offset.0);
                if window.len() > WINDOW {
                    window.pop_front();
                }
            }
        }
        let begun = self.log.epochs().last().is_some_and(|last| last.start == self.log.log_end());
        let known = self.log.epochs().len() - usize::from(begun);
        assert_eq!(self.log.epochs()[..known], *epochs.entries());
        for (producer, expected) in windows {
            let batches = self.log.producers().of(producer).map(|state| state.batches.iter().map(|b| b.first_offset.0).collect());
            let known: VecDeque<i64> = batches.unwrap_or_default();
            if self.lost_tail {
                assert!(known.iter().all(|base| bases.contains(base)), "{known:?} are not those of {producer}");
            } else {
                assert_eq!(known, expected, "the window of {producer}");
            }
        }
    }

    fn judge_reads(&mut self, found: &[Appended]) {
        let end = self.log.log_end().0;
        for _ in 0..5 {
            let from = self.dice.below(end as u64) as i64;
            let bytes = self.log.read(&mut self.disk, Offset(from), Offset(end), 1, true).unwrap();
            let first = batches(&bytes).next().map(|batch| batch.unwrap().header);
            let expected = found.iter().map(|batch| batch.header).find(|header| header.last_offset().0 >= from);
            assert_eq!(first.map(|header| header.base_offset), expected.map(|header| header.base_offset), "from {from}");
        }
    }
}

fn appended(batch: &BatchRef) -> Appended {
    Appended { header: batch.header, records: batch.opened_records().unwrap().map(Result::unwrap).collect() }
}

/// Whether each batch found is one of these, with some of its records.
fn agrees(content: &[Appended], found: &[Appended]) -> bool {
    found.iter().all(|batch| {
        let place = content.binary_search_by_key(&batch.header.base_offset, |known| known.header.base_offset);
        place.is_ok_and(|at| {
            let (known, header) = (&content[at], &batch.header);
            let of_header =
                |header: &BatchHeader| (header.last_offset(), header.leader_epoch, header.producer_id, header.base_sequence);
            of_header(&known.header) == of_header(header) && batch.records.iter().all(|record| known.records.contains(record))
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_newest_of_each_key_survives_every_crash(seed in any::<u64>(), steps in prop::collection::vec(step(), 1..80)) {
        let mut world = World::new(seed);
        for step in &steps {
            world.take(step);
        }
        world.crash(true);
    }
}
