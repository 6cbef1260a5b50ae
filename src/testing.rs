//! Test double shared by the golden scripts: a disk in memory on which nothing ever fails.
//!
//! The laboratory has a real model of a disk; this one only lets a log be written and read. Everything counts as durable at once.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use crate::disk::{Disk, DiskError, FileId};

/// Files and directories by name.
#[derive(Clone, Debug, Default)]
pub struct MemoryDisk {
    contents: Vec<Vec<u8>>,
    names: BTreeMap<String, usize>,
    directories: BTreeSet<String>,
}

impl MemoryDisk {
    /// An empty data directory.
    pub fn new() -> MemoryDisk {
        MemoryDisk::default()
    }

    /// What [`Outbox::replace`](crate::actor::Outbox::replace) does.
    pub fn replace(&mut self, path: &str, content: &[u8]) {
        self.contents.push(content.to_vec());
        self.names.insert(path.to_string(), self.contents.len() - 1);
    }

    fn content(&mut self, file: FileId) -> Result<&mut Vec<u8>, DiskError> {
        self.contents.get_mut(file.0 as usize).ok_or(DiskError::Gone)
    }

    fn check_parent(&self, path: &str) -> Result<(), DiskError> {
        match path.rsplit_once('/') {
            Some((parent, _)) if !self.directories.contains(parent) => Err(DiskError::NotFound),
            Some(_) | None => Ok(()),
        }
    }
}

impl Disk for MemoryDisk {
    fn open(&mut self, path: &str) -> Result<FileId, DiskError> {
        self.names.get(path).map(|index| FileId(*index as u64)).ok_or(DiskError::NotFound)
    }

    fn create(&mut self, path: &str) -> Result<FileId, DiskError> {
        self.check_parent(path)?;
        if self.names.contains_key(path) {
            return Err(DiskError::Exists);
        }
        self.replace(path, &[]);
        self.open(path)
    }

    fn close(&mut self, _: FileId) {}

    fn len(&mut self, file: FileId) -> Result<u64, DiskError> {
        Ok(self.content(file)?.len() as u64)
    }

    fn write(&mut self, file: FileId, position: u64, parts: &[&[u8]]) -> Result<(), DiskError> {
        let content = self.content(file)?;
        let (start, bytes) = (position as usize, parts.concat());
        content.resize(content.len().max(start + bytes.len()), 0);
        content[start..start + bytes.len()].copy_from_slice(&bytes);
        Ok(())
    }

    fn read(&mut self, file: FileId, position: u64, length: usize) -> Result<Bytes, DiskError> {
        let content = self.content(file)?;
        let start = (position as usize).min(content.len());
        let end = start.saturating_add(length).min(content.len());
        Ok(Bytes::copy_from_slice(&content[start..end]))
    }

    fn set_len(&mut self, file: FileId, length: u64) -> Result<(), DiskError> {
        self.content(file)?.resize(length as usize, 0);
        Ok(())
    }

    fn rename(&mut self, from: &str, to: &str) -> Result<(), DiskError> {
        let renamed = |name: &str| match name.strip_prefix(from) {
            Some(rest) if rest.is_empty() || rest.starts_with('/') => format!("{to}{rest}"),
            Some(_) | None => name.to_string(),
        };
        let known = self.names.contains_key(from) || self.directories.contains(from);
        self.names = std::mem::take(&mut self.names).into_iter().map(|(name, index)| (renamed(&name), index)).collect();
        self.directories = self.directories.iter().map(|name| renamed(name)).collect();
        known.then_some(()).ok_or(DiskError::NotFound)
    }

    fn remove(&mut self, path: &str) -> Result<(), DiskError> {
        self.names.remove(path).map(|_| ()).ok_or(DiskError::NotFound)
    }

    fn create_dir(&mut self, path: &str) -> Result<(), DiskError> {
        self.check_parent(path)?;
        if self.directories.insert(path.to_string()) { Ok(()) } else { Err(DiskError::Exists) }
    }

    fn remove_dir(&mut self, path: &str) -> Result<(), DiskError> {
        if self.list(path)?.is_empty() {
            self.directories.remove(path);
            return Ok(());
        }
        Err(DiskError::Exists)
    }

    fn list(&mut self, path: &str) -> Result<Vec<String>, DiskError> {
        if !path.is_empty() && !self.directories.contains(path) {
            return Err(DiskError::NotFound);
        }
        let prefix = if path.is_empty() { String::new() } else { format!("{path}/") };
        let below = |name: &String| name.strip_prefix(&prefix).filter(|rest| !rest.contains('/')).map(str::to_string);
        let mut names: Vec<String> = self.names.keys().chain(self.directories.iter()).filter_map(below).collect();
        names.sort();
        Ok(names)
    }
}
