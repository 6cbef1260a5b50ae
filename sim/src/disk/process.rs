//! The disk in the hands of one process.
//!
//! Every handle belongs to one life of the process on one node. A process that was killed may still run code (its futures are dropped
//! later, and what they close or flush on the way out must not count): whatever comes through a stale handle gets
//! [`DiskError::Gone`] and leaves no trace.

use brokerlab::disk::{Disk, DiskError, FileId};
use bytes::Bytes;

use super::SimDisk;
use super::mischief::Operation;
use super::state::State;

/// The disk as one life of a process sees it.
#[derive(Clone, Debug)]
pub struct ProcessDisk {
    disk: SimDisk,
    life: u32,
}

impl ProcessDisk {
    pub(super) fn new(disk: SimDisk, life: u32) -> ProcessDisk {
        ProcessDisk { disk, life }
    }

    /// Runs a question.
    fn ask<T>(&self, question: impl FnOnce(&mut State) -> Result<T, DiskError>) -> Result<T, DiskError> {
        let mut state = self.disk.lock();
        state.check_life(self.life)?;
        question(&mut state)
    }

    /// Runs an operation that changes something; power may be lost while it is carried out.
    fn change<T>(&self, operation: impl FnOnce(&mut State) -> Result<T, DiskError>) -> Result<T, DiskError> {
        let mut state = self.disk.lock();
        state.check_life(self.life)?;
        let result = operation(&mut state)?;
        state.note_change()?;
        Ok(result)
    }
}

impl Disk for ProcessDisk {
    fn open(&mut self, path: &str) -> Result<FileId, DiskError> {
        self.ask(|state| state.open(path))
    }

    fn create(&mut self, path: &str) -> Result<FileId, DiskError> {
        self.change(|state| {
            state.meet(Operation::Write, path)?;
            state.create(path)
        })
    }

    fn close(&mut self, file: FileId) {
        // Nothing can be done for a stale handle, and nothing has to be.
        let _ = self.ask(|state| state.close(file));
    }

    fn len(&mut self, file: FileId) -> Result<u64, DiskError> {
        self.ask(|state| Ok(state.content(file)?.visible().len() as u64))
    }

    fn write(&mut self, file: FileId, position: u64, parts: &[&[u8]]) -> Result<(), DiskError> {
        self.change(|state| state.write(file, position, parts))
    }

    fn read(&mut self, file: FileId, position: u64, length: usize) -> Result<Bytes, DiskError> {
        self.ask(|state| state.read(file, position, length))
    }

    fn set_len(&mut self, file: FileId, length: u64) -> Result<(), DiskError> {
        self.change(|state| state.set_len(file, length))
    }

    fn rename(&mut self, from: &str, to: &str) -> Result<(), DiskError> {
        self.change(|state| {
            state.meet(Operation::Write, to)?;
            state.names.rename(from, to)
        })
    }

    fn remove(&mut self, path: &str) -> Result<(), DiskError> {
        self.change(|state| {
            state.meet(Operation::Write, path)?;
            state.names.remove(path, false)
        })
    }

    fn create_dir(&mut self, path: &str) -> Result<(), DiskError> {
        self.change(|state| state.names.create(path, true).map(|_| ()))
    }

    fn remove_dir(&mut self, path: &str) -> Result<(), DiskError> {
        self.change(|state| state.names.remove(path, true))
    }

    fn list(&mut self, path: &str) -> Result<Vec<String>, DiskError> {
        self.ask(|state| {
            state.meet(Operation::Read, path)?;
            state.names.list(path)
        })
    }
}
