//! Looking into the log by time: the index may be fresh, stored, rotten, lost or cut; the answer is that of a walk over everything.

#![allow(clippy::unwrap_used)]

use super::memory_disk::{Dice, MemoryDisk};
use crate::log::checkpoint::Checkpoint;
use crate::log::{Log, LogConfig};
use crate::types::{LeaderEpoch, Offset, Timestamp, Uuid};
use crate::wire::record::BatchBuilder;

const DIR: &str = "orders-0";
const FIRST: &str = "orders-0/00000000000000000000.timeindex";
/// Times of the records run up to here.
const LATEST: u64 = 400;

fn config() -> LogConfig {
    LogConfig { tail_bytes_max: 0, index_interval_bytes: 150, segment_bytes_max: 2_000, ..LogConfig::default() }
}

/// A log in several segments, and the times of its records by offset: they rise on the whole, and many are the same.
fn filled(disk: &mut MemoryDisk, dice: &mut Dice) -> (Log, Vec<i64>) {
    let mut log = Log::create(disk, DIR, Uuid(1), config()).unwrap();
    let mut times = Vec::new();
    for batch in 0..80 {
        fill(&mut log, disk, dice, batch, &mut times);
    }
    (log, times)
}

fn fill(log: &mut Log, disk: &mut MemoryDisk, dice: &mut Dice, batch: u64, times: &mut Vec<i64>) {
    let mut builder = BatchBuilder::new();
    for _ in 0..=dice.below(3) {
        let time = (batch * 3 + dice.below(LATEST / 8)) as i64;
        builder.push(Timestamp(time), None, Some(&[7; 20]), &[]);
        times.push(time);
    }
    log.append_as_leader(disk, builder.build(), LeaderEpoch(3), Timestamp(1)).unwrap();
}

fn agrees(log: &mut Log, disk: &mut MemoryDisk, times: &[i64], what: &str) {
    for at in 0..LATEST as i64 {
        let first = times.iter().position(|time| *time >= at);
        let expected = first.map(|offset| (Timestamp(times[offset]), Offset(offset as i64)));
        assert_eq!(log.offset_for_timestamp(disk, Timestamp(at)).unwrap(), expected, "{what}: at {at}");
    }
    let newest = log.offset_of_max_timestamp(disk).unwrap().unwrap();
    assert_eq!(newest.0.0, times.iter().copied().max().unwrap(), "{what}");
}

/// Stops in order and starts again.
fn again(mut log: Log, disk: &mut MemoryDisk) -> Log {
    log.prepare_shutdown(disk).unwrap();
    let flush = log.begin_flush().unwrap();
    disk.sync(&flush.targets);
    log.end_flush(flush);
    if let Some((path, content)) = log.epoch_checkpoint() {
        disk.replace(&path, &content);
    }
    open(log, disk, true)
}

fn open(log: Log, disk: &mut MemoryDisk, clean: bool) -> Log {
    log.close(disk);
    Log::open(disk, DIR, config(), clean, &Checkpoint::default()).unwrap().0
}

#[test]
fn the_answer_is_that_of_a_walk_whatever_became_of_the_index() {
    for seed in 0..20 {
        let (mut disk, mut dice) = (MemoryDisk::new(), Dice(seed));
        let (mut log, times) = filled(&mut disk, &mut dice);
        assert!(log.segment_bases().len() > 3);
        agrees(&mut log, &mut disk, &times, "as appended");
        let mut log = open(log, &mut disk, false);
        agrees(&mut log, &mut disk, &times, "after recovery");
        let mut log = again(log, &mut disk);
        agrees(&mut log, &mut disk, &times, "as stored");
        let content = crate::disk::read_file(&mut disk, FIRST).unwrap();
        assert_eq!(content.len() % 12, 4, "entries of 12 bytes, and a checksum");
        let mut log = open(log, &mut disk, true);
        disk.rot(FIRST, dice.below(content.len() as u64) as usize);
        agrees(&mut log, &mut disk, &times, "with a rotten index");
        let mut log = open(log, &mut disk, true);
        disk.lose(FIRST);
        agrees(&mut log, &mut disk, &times, "with a lost index");
    }
}

#[test]
fn a_cut_log_is_looked_into_as_well() {
    for seed in 0..20 {
        let (mut disk, mut dice) = (MemoryDisk::new(), Dice(seed));
        let (log, mut times) = filled(&mut disk, &mut dice);
        let mut log = again(log, &mut disk);
        let cut = Offset(dice.below(times.len() as u64 / 2) as i64 + 10);
        let end = log.truncate_to(&mut disk, cut).unwrap();
        times.truncate(end.0 as usize);
        let flush = log.begin_flush().unwrap();
        disk.sync(&flush.targets);
        log.end_flush(flush);
        for batch in 0..40 {
            fill(&mut log, &mut disk, &mut dice, batch, &mut times);
            if batch == 3 {
                // The largest time of all is what a cut index must not forget: these are younger than what follows.
                agrees(&mut log, &mut disk, &times, "right after the cut");
            }
        }
        agrees(&mut log, &mut disk, &times, "after more");
        let mut log = again(log, &mut disk);
        agrees(&mut log, &mut disk, &times, "stored after a cut");
        log.move_log_start(Offset(end.0 / 2));
        let found = log.offset_for_timestamp(&mut disk, Timestamp(0)).unwrap();
        assert_eq!(found.map(|(_, offset)| offset), Some(Offset(end.0 / 2)), "nothing below the log start");
    }
}

#[test]
fn a_look_up_reads_what_lies_around_the_moment() {
    let mut disk = MemoryDisk::new();
    let config = LogConfig { tail_bytes_max: 0, ..LogConfig::default() };
    let mut log = Log::create(&mut disk, DIR, Uuid(1), config).unwrap();
    for time in 0..2_000 {
        let mut builder = BatchBuilder::new();
        builder.push(Timestamp(time), None, Some(&[7; 1_000]), &[]);
        log.append_as_leader(&mut disk, builder.build(), LeaderEpoch(3), Timestamp(1)).unwrap();
    }
    let before = disk.reads;
    assert_eq!(log.offset_for_timestamp(&mut disk, Timestamp(1_900)).unwrap(), Some((Timestamp(1_900), Offset(1_900))));
    assert!(disk.reads - before <= 2, "{} reads for one of 2 MB", disk.reads - before);
}
