//! A disk that loses what a real one would lose.
//!
//! One [`SimDisk`] belongs to a node and outlives its processes. It keeps a page cache over a medium, as
//! [`brokerlab::disk`] draws it:
//!
//! ```text
//!   ProcessDisk (life 3)  ──write, rename ...──▶  page cache ──end_sync──▶ medium ──power loss──▶ page cache of the next life
//!   ProcessDisk (life 2)  ──▶ Gone                    ▲
//!                                                     └── survives the death of a process
//! ```
//!
//! | event | what happens here |
//! |---|---|
//! | write, set_len, rename, remove | visible at once; noted as unsynced |
//! | [`SimDisk::begin_sync`] | marks how far the sync will reach: what is written after it is not covered |
//! | [`SimDisk::end_sync`] | what was before the mark is on the medium |
//! | [`SimDisk::end_process`] | handles are stale; nothing is lost |
//! | [`SimDisk::power_loss`] | each unsynced sector survives or not, on its own (`content`); names as a prefix (`names`) |
//! | [`SimDisk::arm_power_loss`] | the same, in the middle of a step |
//! | [`SimDisk::break_operations`] | reads, writes or syncs say EIO. A failed sync drops its pages, which stay visible; the next sync says OK |
//! | [`SimDisk::limit`] | ENOSPC once so many bytes are used |
//! | [`SimDisk::rot`] | bits turn in sectors of logs that are on the medium |
//! | [`SimDisk::wipe`] | an empty disk stands in its place |
//!
//! How long a sync takes is not decided here but by the world, which knows the time; [`SimDisk::sync_time`] tells it the weather.
//! The fate of a sector is a hash of (seed, fault, node, file, sector), so it does not change when another fault is removed.

mod content;
mod mischief;
mod names;
mod process;
mod ranges;
mod replace;
mod state;

use std::borrow::Cow;
use std::sync::{Arc, Mutex, MutexGuard};

use brokerlab::disk::{DiskError, SyncTarget};
use brokerlab::types::{Duration, Time};
use bytes::Bytes;

pub use content::SECTOR;
pub use mischief::{Broken, Operation};
pub use process::ProcessDisk;
pub use replace::{ReplaceStage, ReplaceToken};

use crate::scenario::chance::Chance;
use crate::scenario::model::DiskWeather;
use content::Content;
use names::Inode;
use state::State;

/// Whose disk this is; chance is keyed by it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DiskKey {
    /// Seed of the run.
    pub seed: u64,
    /// Number of the node.
    pub node: u64,
}

/// What a power loss did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct PowerLoss {
    /// Unsynced sectors that did not reach the medium.
    pub sectors_lost: u64,
    /// Unsynced sectors that did.
    pub sectors_kept: u64,
    /// Unsynced changes of names that did not reach the medium.
    pub names_lost: u64,
}

/// What was done with a disk so far.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Usage {
    /// Operations that changed something.
    pub changes: u64,
    /// Syncs that ended.
    pub syncs: u64,
    /// Bytes written.
    pub bytes_written: u64,
    /// Bytes read.
    pub bytes_read: u64,
}

/// A sync under way. Dropping it leaves the sync undone.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "what it covers is durable only once the sync has ended"]
pub struct SyncToken {
    sync: Result<u64, DiskError>,
    generation: u32,
}

/// A file as an auditor finds it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Image<'a> {
    /// From the data directory on.
    pub path: &'a str,
    /// All of it.
    pub bytes: Cow<'a, [u8]>,
}

fn owned_images<'a>(files: &'a [(String, Bytes)], wanted: &dyn Fn(&str) -> bool) -> Vec<Image<'a>> {
    let of_interest = files.iter().filter(|(path, _)| wanted(path));
    of_interest.map(|(path, bytes)| Image { path, bytes: Cow::Borrowed(bytes) }).collect()
}

/// One node's disk.
#[derive(Clone, Debug)]
pub struct SimDisk(Arc<Mutex<State>>);

impl SimDisk {
    /// An empty disk.
    #[must_use]
    pub fn new(key: DiskKey, weather: DiskWeather) -> SimDisk {
        SimDisk(Arc::new(Mutex::new(State::new(key, weather))))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("a disk whose user panicked belongs to a run that ends with CRASH")
    }

    /// The disk for a new life of the node's process; handles of earlier lives become stale.
    #[must_use]
    pub fn process(&self, life: u32) -> ProcessDisk {
        self.lock().begin_life(life);
        ProcessDisk::new(self.clone(), life)
    }

    /// The process is dead: its handles become stale. What it wrote stays in the page cache.
    pub fn end_process(&self) {
        self.lock().end_life();
    }

    /// Begins to make durable what has been written to the targets so far.
    pub fn begin_sync(&self, targets: &[SyncTarget]) -> SyncToken {
        let mut state = self.lock();
        let sync = state.current_life().and_then(|_| state.begin_sync(targets));
        SyncToken { sync, generation: state.generation }
    }

    /// Ends a sync: what was written to its targets before it began is durable. The kernel does that even if the process has died.
    ///
    /// # Errors
    /// `Gone` after a power loss or for stale handles, `NotFound` for a missing directory, `Io` if this sync was to fail.
    pub fn end_sync(&self, token: SyncToken) -> Result<(), DiskError> {
        let mut state = self.lock();
        let sync = token.sync?;
        if token.generation != state.generation {
            return Err(DiskError::Gone);
        }
        state.end_sync(sync)
    }

    /// This fault makes operations fail from now on. The pages that a failed sync covers never reach the medium.
    pub fn break_operations(&self, fault: &str, broken: Broken) {
        self.lock().mischief.break_operations(fault, broken);
    }

    /// This fault leaves `room` bytes free.
    pub fn limit(&self, fault: &str, room: u64) {
        let mut state = self.lock();
        let bytes_max = state.used() + room;
        state.mischief.limit(fault, bytes_max);
    }

    /// The fault is over: what it broke works again, what it filled is free. What has rotted stays rotten.
    pub fn mend(&self, fault: &str) {
        self.lock().mischief.mend(fault);
    }

    /// Turns so many bits in sectors of logs that are on the medium. Returns how many: none if there is no such sector.
    pub fn rot(&self, fault: &str, flips: u64) -> u64 {
        self.lock().rot(fault, flips)
    }

    /// Whether there is anything that could rot.
    #[must_use]
    pub fn has_settled_logs(&self) -> bool {
        self.lock().has_settled_logs()
    }

    /// An empty disk stands in its place. Whoever used it must be dead.
    pub fn wipe(&self) {
        self.lock().wipe();
    }

    /// How long a sync takes that begins now.
    #[must_use]
    pub fn sync_time(&self, now: Time) -> Duration {
        let mut state = self.lock();
        let bucket = now.0 / Duration::millis(10).0;
        let ordinal = if state.syncs_in_bucket.0 == bucket { state.syncs_in_bucket.1 + 1 } else { 0 };
        state.syncs_in_bucket = (bucket, ordinal);
        let chance = Chance::of(state.key.seed).about("sync-time").number(state.key.node).number(bucket).number(ordinal);
        Duration(state.weather.sync.0 + chance.between(0, state.weather.jitter.0))
    }

    /// Reads by name, as [`Action::Read`](brokerlab::actor::Action::Read) asks.
    ///
    /// # Errors
    /// `NotFound`, or `Gone` if no process holds the disk.
    pub fn read_by_path(&self, path: &str, position: u64, length: usize) -> Result<Bytes, DiskError> {
        let mut state = self.lock();
        state.current_life()?;
        state.read_path(path, position, length)
    }

    /// Power is lost now. `fault` is the permanent id of the fault; it keys the fate of every sector. If power was already lost
    /// inside a step of the present life, nothing more is lost and that loss is returned.
    pub fn power_loss(&self, fault: &str) -> PowerLoss {
        let mut state = self.lock();
        let loss = match state.struck.take() {
            Some(strike) => strike.loss,
            None => state.lose_power(fault),
        };
        state.end_life();
        loss
    }

    /// Power will be lost at the n-th operation from now that changes something, counted from 1; in the middle of a step, perhaps.
    /// The operation is under way then, so it may have reached the medium in part. It and all later ones fail with `Gone`.
    /// The death of the process disarms.
    pub fn arm_power_loss(&self, after_operations: u64, fault: &str) {
        self.lock().arm(after_operations, fault);
    }

    /// Whether power was lost inside a step. The world then calls [`SimDisk::power_loss`] and kills the node.
    #[must_use]
    pub fn was_struck(&self) -> bool {
        self.lock().struck.is_some()
    }

    /// Every file with its bytes as a reader sees them, sorted by path.
    #[must_use]
    pub fn visible(&self) -> Vec<(String, Bytes)> {
        let state = self.lock();
        let files = state.names.visible_paths().into_iter();
        files.filter_map(|(path, inode)| Some((path, Bytes::copy_from_slice(state.files.get(&inode)?.visible())))).collect()
    }

    /// Every file that would survive a power loss now in any case, with the bytes that would, sorted by path.
    #[must_use]
    pub fn durable(&self) -> Vec<(String, Bytes)> {
        let state = self.lock();
        let files = state.names.durable_paths().into_iter();
        files.filter_map(|(path, inode)| Some((path, Bytes::copy_from_slice(&state.files.get(&inode)?.durable())))).collect()
    }

    /// Shows an auditor the files with certain paths: first those that a reader sees, then those that would survive a power loss in any
    /// case, both sorted by path, both as they were before any bit turned. Once power was lost inside a step, and until
    /// [`power_loss`](SimDisk::power_loss) is called, as they were just before.
    pub fn audit<T>(&self, wanted: impl Fn(&str) -> bool, read: impl FnOnce(&[Image<'_>], &[Image<'_>]) -> T) -> T {
        let state = self.lock();
        if let Some(strike) = &state.struck {
            return read(&owned_images(&strike.visible, &wanted), &owned_images(&strike.durable, &wanted));
        }
        let of_interest = |paths: Vec<(String, Inode)>| paths.into_iter().filter(|(path, _)| wanted(path)).collect::<Vec<_>>();
        let (visible, durable) = (of_interest(state.names.visible_paths()), of_interest(state.names.durable_paths()));
        read(&state.images(&visible, |file| Cow::Borrowed(file.visible())), &state.images(&durable, Content::durable))
    }

    /// The directories as a reader sees them, sorted.
    #[must_use]
    pub fn directories(&self) -> Vec<String> {
        let state = self.lock();
        let paths = state.names.visible_paths().into_iter();
        paths.filter(|(_, inode)| state.names.is_directory(*inode)).map(|(path, _)| path).collect()
    }

    /// Sectors that are visible and not on the medium.
    #[must_use]
    pub fn unsynced_sectors(&self) -> u64 {
        self.lock().files.values().map(Content::dirty_sectors).sum()
    }

    /// What was done so far.
    #[must_use]
    pub fn usage(&self) -> Usage {
        self.lock().usage
    }
}

#[cfg(test)]
mod tests;
