//! The disk as a broker sees it, and what it promises.
//!
//! ```text
//!            write, set_len, rename, remove            (visible to every later read at once)
//!   process ──────────────────────────────▶ page cache
//!                                               │  outbox.sync(targets) ... Event::Synced      (durable)
//!                                               ▼
//!                                             medium
//!
//!   process dies     nothing is lost: the page cache belongs to the kernel
//!   power is lost    every sector written since the last sync survives or not, each on its own; a file may keep a
//!                    new length without the data (zeros); names (create, rename, remove) survive only as a prefix
//!                    of what was done since their directory was last synced
//!   a sync fails     the pages are gone though still visible; a second sync says OK and lies: stop using the disk, and
//!                    write what you want to keep once more, as a new process, before you sync again
//! ```
//!
//! Every operation here is immediate, because it only touches the page cache. Waiting for the medium is never done inside a
//! step: a sync is asked for through the [outbox](crate::actor::Outbox::sync) and its end comes back as an event, so a stuck disk
//! delays acknowledgements, not heartbeats. Cold reads likewise ([`Outbox::read`](crate::actor::Outbox::read)).
//!
//! Paths are relative to the node's data directory, with `/` between parts. A crash may strike at any operation: then it and all
//! later ones of the step return [`DiskError::Gone`] and whatever the step wanted to say is lost with it.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// An open file, valid until closed or until the process ends.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct FileId(pub u64);

/// Why an operation failed. After anything but `NotFound` and `Exists` the log directory must not be used any more.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Error, Serialize, Deserialize)]
pub enum DiskError {
    /// There is no such file or directory.
    #[error("no such file or directory")]
    NotFound,
    /// The name is taken.
    #[error("already exists")]
    Exists,
    /// The device reports an error (EIO).
    #[error("input/output error")]
    Io,
    /// The device is full (ENOSPC).
    #[error("no space left on device")]
    Full,
    /// The process that held this handle is dead.
    #[error("the process is gone")]
    Gone,
    /// It gave other bytes than were written. No operation says so; whoever checks what it has read does.
    #[error("the bytes are not those that were written")]
    Corrupt,
}

/// What is to be made durable.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum SyncTarget {
    /// Content and length of a file.
    File(FileId),
    /// The names in a directory (created, renamed, removed entries); "" is the data directory itself.
    Directory(String),
}

/// One node's storage.
pub trait Disk {
    /// Opens an existing file for reading and writing.
    ///
    /// # Errors
    /// `NotFound` if there is none.
    fn open(&mut self, path: &str) -> Result<FileId, DiskError>;

    /// Creates an empty file and opens it.
    ///
    /// # Errors
    /// `Exists` if the name is taken, `NotFound` if its directory is missing.
    fn create(&mut self, path: &str) -> Result<FileId, DiskError>;

    /// Gives a handle back. Closing does not sync.
    fn close(&mut self, file: FileId);

    /// Length of a file in bytes.
    ///
    /// # Errors
    /// `Io`, `Gone`.
    fn len(&mut self, file: FileId) -> Result<u64, DiskError>;

    /// Writes the parts one after the other from `position` on; a gap before it reads as zeros.
    ///
    /// # Errors
    /// `Io`, `Full`, `Gone`; then any prefix of the bytes may have been written.
    fn write(&mut self, file: FileId, position: u64, parts: &[&[u8]]) -> Result<(), DiskError>;

    /// Reads up to `length` bytes from `position`; fewer only where the file ends.
    ///
    /// # Errors
    /// `Io`, `Gone`.
    fn read(&mut self, file: FileId, position: u64, length: usize) -> Result<Bytes, DiskError>;

    /// Cuts or extends (with zeros) a file.
    ///
    /// # Errors
    /// `Io`, `Full`, `Gone`.
    fn set_len(&mut self, file: FileId, length: u64) -> Result<(), DiskError>;

    /// Renames a file or directory; an existing file at `to` is replaced in one step.
    ///
    /// # Errors
    /// `NotFound`, `Io`, `Gone`.
    fn rename(&mut self, from: &str, to: &str) -> Result<(), DiskError>;

    /// Removes a file. Open handles stay usable.
    ///
    /// # Errors
    /// `NotFound`, `Io`, `Gone`.
    fn remove(&mut self, path: &str) -> Result<(), DiskError>;

    /// Creates a directory; its parent must exist.
    ///
    /// # Errors
    /// `Exists`, `NotFound`, `Io`, `Gone`.
    fn create_dir(&mut self, path: &str) -> Result<(), DiskError>;

    /// Removes an empty directory.
    ///
    /// # Errors
    /// `NotFound`, `Exists` (not empty), `Io`, `Gone`.
    fn remove_dir(&mut self, path: &str) -> Result<(), DiskError>;

    /// Names of the entries of a directory, sorted; "" is the data directory.
    ///
    /// # Errors
    /// `NotFound`, `Io`, `Gone`.
    fn list(&mut self, path: &str) -> Result<Vec<String>, DiskError>;
}

/// Reads a whole file by name.
///
/// # Errors
/// As [`Disk::open`] and [`Disk::read`].
pub fn read_file(disk: &mut dyn Disk, path: &str) -> Result<Bytes, DiskError> {
    let file = disk.open(path)?;
    let length = disk.len(file)?;
    let bytes = disk.read(file, 0, usize::try_from(length).unwrap_or(usize::MAX));
    disk.close(file);
    bytes
}
