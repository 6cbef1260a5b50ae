//! What faults make a disk do wrong: errors, no room, rot.
//!
//! ```text
//!   operation ──▶ broken here?   the n-th of its kind on such a path says EIO; a write has written a part by then
//!             ──▶ room left?     what fits is written, then ENOSPC; cutting and removing always work
//!             ──▶ page cache
//!   read      ◀── rotten?        bits of a durable sector have turned; found by whoever checks what it reads
//! ```
//!
//! Everything here belongs to a fault, by the fault's permanent id, and goes with it; only rot stays. The auditor must still know what was
//! *written*, for rot is latent: nothing is lost before somebody reads it and gives it up. So each rotten sector is kept beside its former
//! self, and [`Mischief::as_written`] puts it back into a copy. Sectors are compared by content: what was overwritten since is left alone.
//!
//! Not modelled: short reads (the [`Disk`](brokerlab::disk::Disk) promises none: a rim reads on until the file ends) and misdirected
//! writes.

use std::collections::BTreeMap;

use brokerlab::disk::DiskError;

use super::content::SECTOR;
use super::names::Inode;

/// What an operation does, as far as faults care.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Operation {
    /// It asks: `read`, `list`.
    Read,
    /// It changes: `write`, `set_len`, `create`, `rename`, `remove`.
    Write,
    /// It makes durable.
    Sync,
}

/// Operations that are to fail.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Broken {
    /// Of this kind.
    pub operation: Operation,
    /// On a path that contains this text; empty: on any.
    pub path: String,
    /// From the n-th such operation on, counted from 1.
    pub nth: u64,
    /// So many in a row.
    pub times: u64,
}

impl Broken {
    /// Counts an operation; true if it is to fail.
    fn strikes(&mut self, operation: Operation, path: &str) -> bool {
        if operation != self.operation || !path.contains(&self.path) || self.times == 0 {
            return false;
        }
        if self.nth > 1 {
            self.nth -= 1;
            return false;
        }
        self.times -= 1;
        true
    }
}

/// A sector whose bits have turned.
#[derive(Clone, Debug)]
struct Rot {
    inode: Inode,
    sector: u64,
    good: Vec<u8>,
    bad: Vec<u8>,
}

/// Everything that is wrong with a disk at the moment.
#[derive(Clone, Debug, Default)]
pub(super) struct Mischief {
    broken: BTreeMap<String, Broken>,
    /// Bytes that fit, by fault.
    limits: BTreeMap<String, u64>,
    rot: Vec<Rot>,
}

impl Mischief {
    /// This fault makes operations fail.
    pub fn break_operations(&mut self, fault: &str, broken: Broken) {
        self.broken.insert(fault.to_string(), broken);
    }

    /// This fault leaves room for so many bytes in all.
    pub fn limit(&mut self, fault: &str, bytes: u64) {
        self.limits.insert(fault.to_string(), bytes);
    }

    /// The fault is over. What has rotted stays rotten.
    pub fn mend(&mut self, fault: &str) {
        self.broken.remove(fault);
        self.limits.remove(fault);
    }

    /// Whether any operation may fail.
    pub fn breaks_anything(&self) -> bool {
        !self.broken.is_empty()
    }

    /// Counts an operation.
    ///
    /// # Errors
    /// `Io` if a fault wants it to fail.
    pub fn meet(&mut self, operation: Operation, path: &str) -> Result<(), DiskError> {
        // Every fault counts it, also when another one has struck already.
        let struck = self.broken.values_mut().fold(false, |struck, broken| broken.strikes(operation, path) | struck);
        if struck { Err(DiskError::Io) } else { Ok(()) }
    }

    /// How many bytes the disk may hold, if any fault limits it.
    pub fn bytes_max(&self) -> Option<u64> {
        self.limits.values().min().copied()
    }

    /// The bit `mask` of the byte at `position` has turned; `sector` is how the sector read before.
    pub fn rot(&mut self, inode: Inode, position: u64, mask: u8, sector: &[u8]) {
        let number = position / SECTOR;
        let at = usize::try_from(position % SECTOR).expect("a sector is small");
        let known = self.rot.iter_mut().find(|rot| rot.inode == inode && rot.sector == number && rot.bad == sector);
        match known {
            Some(rot) => rot.bad[at] ^= mask,
            None => {
                let mut bad = sector.to_vec();
                bad[at] ^= mask;
                self.rot.push(Rot { inode, sector: number, good: sector.to_vec(), bad });
            }
        }
    }

    /// Whether anything has rotted.
    pub fn has_rot(&self) -> bool {
        !self.rot.is_empty()
    }

    /// Puts back what has rotted in an image of the file.
    pub fn as_written(&self, inode: Inode, image: &mut [u8]) {
        for rot in self.rot.iter().filter(|rot| rot.inode == inode) {
            let start = usize::try_from(rot.sector * SECTOR).unwrap_or(usize::MAX).min(image.len());
            let end = start.saturating_add(rot.bad.len()).min(image.len());
            let sector = &mut image[start..end];
            if *sector == rot.bad[..] {
                sector.copy_from_slice(&rot.good);
            }
        }
    }
}
