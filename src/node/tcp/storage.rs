//! Where a node keeps things: a data directory, or nowhere.

use std::path::Path;

use bytes::Bytes;

use crate::disk::{Disk, DiskError, FileId, SyncTarget};
use crate::node::fs::{self, FsDisk};

/// A node's disk. Clients have none.
#[derive(Debug)]
pub(super) enum Storage {
    /// A data directory.
    Files(FsDisk),
    /// Nothing can be kept.
    Nowhere(Nowhere),
}

impl Storage {
    pub fn new(disk: Option<FsDisk>) -> Storage {
        disk.map_or(Storage::Nowhere(Nowhere), Storage::Files)
    }

    pub fn disk(&mut self) -> &mut dyn Disk {
        match self {
            Storage::Files(disk) => disk,
            Storage::Nowhere(nowhere) => nowhere,
        }
    }

    /// Packs up a sync.
    pub fn sync(&self, targets: &[SyncTarget]) -> impl FnOnce() -> Result<(), DiskError> + Send + use<> {
        let job = match self {
            Storage::Files(disk) => disk.sync_job(targets),
            Storage::Nowhere(_) => Err(DiskError::Io),
        };
        move || job.and_then(fs::SyncJob::run)
    }

    /// Packs up something that is done with the files below the data directory.
    pub fn below<T, J>(&self, job: J) -> impl FnOnce() -> Result<T, DiskError> + Send + use<T, J>
    where
        J: FnOnce(&Path) -> Result<T, DiskError> + Send,
    {
        let root = match self {
            Storage::Files(disk) => Ok(disk.root().to_owned()),
            Storage::Nowhere(_) => Err(DiskError::Io),
        };
        move || job(&root?)
    }
}

/// A disk that holds nothing and takes nothing.
#[derive(Debug)]
pub(super) struct Nowhere;

impl Disk for Nowhere {
    fn open(&mut self, _: &str) -> Result<FileId, DiskError> {
        Err(DiskError::NotFound)
    }

    fn create(&mut self, _: &str) -> Result<FileId, DiskError> {
        Err(DiskError::Io)
    }

    fn close(&mut self, _: FileId) {}

    fn len(&mut self, _: FileId) -> Result<u64, DiskError> {
        Err(DiskError::Io)
    }

    fn write(&mut self, _: FileId, _: u64, _: &[&[u8]]) -> Result<(), DiskError> {
        Err(DiskError::Io)
    }

    fn read(&mut self, _: FileId, _: u64, _: usize) -> Result<Bytes, DiskError> {
        Err(DiskError::Io)
    }

    fn set_len(&mut self, _: FileId, _: u64) -> Result<(), DiskError> {
        Err(DiskError::Io)
    }

    fn rename(&mut self, _: &str, _: &str) -> Result<(), DiskError> {
        Err(DiskError::NotFound)
    }

    fn remove(&mut self, _: &str) -> Result<(), DiskError> {
        Err(DiskError::NotFound)
    }

    fn create_dir(&mut self, _: &str) -> Result<(), DiskError> {
        Err(DiskError::Io)
    }

    fn remove_dir(&mut self, _: &str) -> Result<(), DiskError> {
        Err(DiskError::NotFound)
    }

    fn list(&mut self, _: &str) -> Result<Vec<String>, DiskError> {
        Ok(Vec::new())
    }
}
