//! Reading: what comes from memory, what from the disk, and what is not served at all.

#![allow(clippy::unwrap_used)]

use bytes::Bytes;

use super::memory_disk::MemoryDisk;
use crate::log::checkpoint::Checkpoint;
use crate::log::{Damage, Log, LogConfig, LogError};
use crate::types::{LeaderEpoch, Offset, Timestamp, Uuid};
use crate::wire::record::{BatchBuilder, batches};

const DIR: &str = "orders-0";

fn config(tail_bytes_max: usize) -> LogConfig {
    LogConfig { tail_bytes_max, index_interval_bytes: 200, ..LogConfig::default() }
}

/// A log of `count` batches of one record each.
fn filled(disk: &mut MemoryDisk, tail_bytes_max: usize, count: u8) -> Log {
    let mut log = Log::create(disk, DIR, Uuid(1), config(tail_bytes_max)).unwrap();
    for value in 0..count {
        let mut batch = BatchBuilder::new();
        batch.push(Timestamp(1), None, Some(&[value; 20]), &[]);
        log.append_as_leader(disk, batch.build(), LeaderEpoch(3), Timestamp(1)).unwrap();
    }
    log
}

fn offsets(bytes: &Bytes) -> Vec<i64> {
    batches(bytes).map(|batch| batch.unwrap().header.base_offset.0).collect()
}

fn read(log: &mut Log, disk: &mut MemoryDisk, from: i64, bytes_max: usize) -> Bytes {
    log.read(disk, Offset(from), Offset(i64::MAX), bytes_max, true).unwrap()
}

#[test]
fn the_tail_never_touches_the_disk() {
    let mut disk = MemoryDisk::new();
    let mut log = filled(&mut disk, 1 << 20, 30);
    let reads = disk.reads;
    assert_eq!(offsets(&read(&mut log, &mut disk, 29, 1000)), [29]);
    assert_eq!(offsets(&read(&mut log, &mut disk, 20, 1000)).len(), 10);
    assert_eq!(disk.reads, reads);
}

#[test]
fn readers_of_one_batch_share_its_bytes() {
    let mut disk = MemoryDisk::new();
    let mut log = filled(&mut disk, 1 << 20, 3);
    let (one, other) = (read(&mut log, &mut disk, 2, 1000), read(&mut log, &mut disk, 2, 1000));
    assert_eq!(one.as_ptr(), other.as_ptr());
    assert_eq!(batches(&one).next().unwrap().unwrap().header.leader_epoch, LeaderEpoch(3), "as it stands in the log");
}

#[test]
fn memory_and_disk_give_the_same() {
    let (mut one, mut other) = (MemoryDisk::new(), MemoryDisk::new());
    let (mut hot, mut cold) = (filled(&mut one, 1 << 20, 50), filled(&mut other, 0, 50));
    for from in 0..50 {
        for bytes_max in [0, 90, 200, 1000, 100_000] {
            let (hot, cold) = (read(&mut hot, &mut one, from, bytes_max), read(&mut cold, &mut other, from, bytes_max));
            assert_eq!(hot, cold, "from {from}, at most {bytes_max}");
        }
    }
}

#[test]
fn a_cold_read_takes_one_disk_read() {
    let mut disk = MemoryDisk::new();
    let mut log = filled(&mut disk, 0, 200);
    let reads = disk.reads;
    assert_eq!(offsets(&read(&mut log, &mut disk, 150, 500))[0], 150);
    assert_eq!(disk.reads, reads + 1);
}

#[test]
fn rot_is_reported_and_not_served() {
    let mut disk = MemoryDisk::new();
    let mut log = filled(&mut disk, 0, 10);
    let bytes = read(&mut log, &mut disk, 0, 1).len();
    let places = [(0, "offset"), (8, "length"), (12, "epoch"), (16, "magic"), (17, "checksum"), (24, "records"), (30, "content")];
    for (place, what) in places.into_iter().chain([(bytes - 1, "last byte")]) {
        let path = format!("{DIR}/{:020}.log", 0);
        disk.rot(&path, 4 * bytes + place);
        let error = log.read(&mut disk, Offset(4), Offset(10), 1, true).unwrap_err();
        assert!(matches!(error, LogError::Corrupt { at: Offset(4), .. }), "{what}: {error}");
        assert_eq!(offsets(&read(&mut log, &mut disk, 3, 1)), [3], "the neighbours are well");
        disk.rot(&path, 4 * bytes + place);
        assert_eq!(offsets(&read(&mut log, &mut disk, 4, 1)), [4]);
    }
    assert_eq!(log.stopped(), None);
}

#[test]
fn an_index_that_lies_is_made_anew() {
    let mut disk = MemoryDisk::new();
    let mut log = filled(&mut disk, 0, 40);
    log.prepare_shutdown(&mut disk).unwrap();
    let flush = log.begin_flush().unwrap();
    disk.sync(&flush.targets);
    log.end_flush(flush);
    let (path, content) = log.epoch_checkpoint().unwrap();
    disk.replace(&path, &content);
    log.close(&mut disk);
    // The second entry points somewhere between two batches, in rising order still.
    disk.rot(&format!("{DIR}/{:020}.index", 0), 15);
    let (mut log, recovery) = Log::open(&mut disk, DIR, config(0), true, &Checkpoint::default()).unwrap();
    assert!(recovery.trusted);
    for from in 0..40 {
        assert_eq!(offsets(&read(&mut log, &mut disk, from, 1)), [from]);
    }
}

#[test]
fn a_file_that_shrank_is_damage() {
    let mut disk = MemoryDisk::new();
    let mut log = filled(&mut disk, 0, 3);
    let file = crate::disk::Disk::open(&mut disk, &format!("{DIR}/{:020}.log", 0)).unwrap();
    crate::disk::Disk::set_len(&mut disk, file, 0).unwrap();
    let error = log.read(&mut disk, Offset(0), Offset(3), 1000, true).unwrap_err();
    assert!(matches!(error, LogError::Corrupt { fault: Damage::Missing, .. }), "{error}");
}

#[test]
fn a_log_whose_creation_met_a_full_disk_is_no_log_and_tells_of_the_cut() {
    let mut disk = MemoryDisk::new();
    disk.write_error = Some(crate::disk::DiskError::Full);
    assert!(Log::create_over(&mut disk, DIR, Uuid(2), config(0)).is_err());
    let names = crate::disk::Disk::list(&mut disk, DIR).unwrap();
    assert_eq!(names, ["00000000000000000000.truncated", "partition.metadata"], "the checkpoints tell of the log before");
    let opened = Log::open(&mut disk, DIR, config(0), false, &Checkpoint::default());
    assert_eq!(opened.unwrap_err(), LogError::NeverFlushed { dir: DIR.to_owned() }, "half of the file was written");
}

#[test]
fn the_mark_of_a_log_created_again_stays_until_both_checkpoints_tell_of_it() {
    let mut disk = MemoryDisk::new();
    let mut log = Log::create_over(&mut disk, DIR, Uuid(2), config(0)).unwrap();
    let mark = format!("{:020}.truncated", 0);
    let is_marked = |disk: &mut MemoryDisk| crate::disk::Disk::list(disk, DIR).unwrap().contains(&mark);
    log.log_start_written(&mut disk, Offset::ZERO).unwrap();
    assert!(is_marked(&mut disk), "the recovery point of the log before is still on the disk");
    log.recovery_point_written(&mut disk, Offset::ZERO).unwrap();
    assert!(!is_marked(&mut disk));
}

#[test]
fn a_log_that_was_never_flushed_says_so() {
    let mut disk = MemoryDisk::new();
    let log = filled(&mut disk, 0, 3);
    drop(log);
    let metadata = format!("{DIR}/partition.metadata");
    disk.zero(&metadata, 0);
    let opened = Log::open(&mut disk, DIR, config(0), false, &Checkpoint::default());
    assert_eq!(opened.unwrap_err(), LogError::NeverFlushed { dir: DIR.to_owned() });
    Log::discard(&mut disk, DIR).unwrap();
    assert!(Log::create(&mut disk, DIR, Uuid(2), config(0)).is_ok());
}
