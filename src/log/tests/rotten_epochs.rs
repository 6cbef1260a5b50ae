//! A leader epoch that rot has raised: no checksum covers it, so recovery believes it above the recovery point. Others give it away.

#![allow(clippy::unwrap_used)]

use super::memory_disk::MemoryDisk;
use crate::log::checkpoint::Checkpoint;
use crate::log::error::{Damage, LogError};
use crate::log::{Log, LogConfig};
use crate::types::{LeaderEpoch, Offset, Timestamp, Uuid};
use crate::wire::record::BatchBuilder;

const DIR: &str = "orders-0";

fn batch(base: i64, epoch: i32) -> bytes::Bytes {
    let mut builder = BatchBuilder::new().at(Offset(base), LeaderEpoch(epoch));
    builder.push(Timestamp(1), None, Some(b"v"), &[]);
    builder.build()
}

/// A log with a batch of epoch 1 and one whose epoch says 5, as an unclean stop leaves it.
fn recovered(disk: &mut MemoryDisk) -> Log {
    let mut log = Log::create(disk, DIR, Uuid(1), LogConfig::default()).unwrap();
    log.append_as_follower(disk, batch(0, 1), LeaderEpoch(9)).unwrap();
    log.append_as_follower(disk, batch(1, 5), LeaderEpoch(9)).unwrap();
    drop(log);
    let (mut log, recovery) = Log::open(disk, DIR, LogConfig::default(), false, &Checkpoint::default()).unwrap();
    assert!(!recovery.trusted);
    let flush = log.begin_flush().unwrap();
    disk.sync(&flush.targets);
    log.end_flush(flush);
    log
}

fn damage(result: Result<(), LogError>) -> (Offset, Damage) {
    match result {
        Err(LogError::Corrupt { at, fault, .. }) => (at, fault),
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_epoch_that_the_controller_never_came_to_is_rot() {
    let log = recovered(&mut MemoryDisk::new());
    let (newest, found) = (LeaderEpoch(4), LeaderEpoch(5));
    assert_eq!(damage(log.judge_epochs(newest)), (Offset(1), Damage::FutureEpoch { newest, found }));
    assert_eq!(log.judge_epochs(LeaderEpoch(5)), Ok(()));
}

#[test]
fn a_leader_that_goes_on_with_a_lower_epoch_gives_rot_away() {
    let mut disk = MemoryDisk::new();
    let mut log = recovered(&mut disk);
    let (from, to) = (LeaderEpoch(5), LeaderEpoch(1));
    assert_eq!(damage(log.judge_doubtful_epoch(to)), (Offset(1), Damage::EpochFalls { from, to }));
    // Once the leader has gone on where this log ends, its epochs are vouched for: then the leader's batch is the wrong one.
    log.append_as_follower(&mut disk, batch(2, 6), LeaderEpoch(9)).unwrap();
    assert_eq!(log.judge_doubtful_epoch(to), Ok(()));
}
