//! Putting a small file in place, all or nothing, in stages between which a crash may strike.
//!
//! ```text
//!   begin_replace    <path>.tmp is created and written; its sync begins
//!   advance_replace  that sync has ended: renamed to <path>; the sync of the directory begins
//!   advance_replace  that sync has ended: done
//! ```
//!
//! A reader sees the old content or the new one, never a mixture; after a power loss too, because the name is moved only when the
//! bytes are on the medium. Two replacements of one path may overlap: each has its own inode, so the later one wins whole.

use brokerlab::disk::DiskError;
use bytes::Bytes;

use super::names::Inode;
use super::state::{Mark, State};
use super::{SimDisk, SyncToken};

/// A replacement under way.
#[derive(Debug)]
#[must_use = "the file is in place only once all stages are done"]
pub struct ReplaceToken {
    path: String,
    life: u32,
    written: Option<Inode>,
    sync: SyncToken,
}

/// How far a replacement has come.
#[derive(Debug)]
pub enum ReplaceStage {
    /// Another sync is under way; wait for it and advance again.
    Syncing(ReplaceToken),
    /// The new content is in place and durable.
    Done,
}

impl SimDisk {
    /// Writes the new content beside the file and begins to sync it.
    ///
    /// # Errors
    /// As `create` and `write`; `Gone` also if power is lost here.
    pub fn begin_replace(&self, path: &str, content: &[u8]) -> Result<ReplaceToken, DiskError> {
        let mut state = self.lock();
        let life = state.current_life()?;
        let inode = write_beside(&mut state, path, content)?;
        let mark = state.file_mark(inode);
        let sync = SyncToken { sync: Ok(state.note_sync(vec![mark])), generation: state.generation };
        Ok(ReplaceToken { path: path.to_string(), life, written: Some(inode), sync })
    }

    /// The sync that was under way has ended: takes the next stage.
    ///
    /// # Errors
    /// As `rename`; `Io` if the sync was to fail; `Gone` if the process or the power is gone.
    pub fn advance_replace(&self, token: ReplaceToken) -> Result<ReplaceStage, DiskError> {
        let ReplaceToken { path, life, written, sync } = token;
        self.end_sync(sync)?;
        let mut state = self.lock();
        state.check_life(life)?;
        let Some(inode) = written else { return Ok(ReplaceStage::Done) };
        state.names.rename_inode(inode, &path)?;
        state.note_change()?;
        let directory = state.names.find(path.rsplit_once('/').map_or("", |(above, _)| above))?;
        let mark = Mark::Directory(directory, state.names.mark());
        let sync = SyncToken { sync: Ok(state.note_sync(vec![mark])), generation: state.generation };
        Ok(ReplaceStage::Syncing(ReplaceToken { path, life, written: None, sync }))
    }

    /// Takes all stages that are left at once, for a world that does not care about the time between them.
    ///
    /// # Errors
    /// As [`SimDisk::advance_replace`].
    pub fn end_replace(&self, token: ReplaceToken) -> Result<(), DiskError> {
        let mut token = token;
        while let ReplaceStage::Syncing(next) = self.advance_replace(token)? {
            token = next;
        }
        Ok(())
    }
}

fn write_beside(state: &mut State, path: &str, content: &[u8]) -> Result<Inode, DiskError> {
    let beside = format!("{path}.tmp");
    match state.names.remove(&beside, false) {
        Ok(()) => state.note_change()?,
        Err(DiskError::NotFound) => {}
        Err(error) => return Err(error),
    }
    let file = state.create(&beside)?;
    state.note_change()?;
    let inode = state.names.find(&beside)?;
    state.write(file, 0, &[&Bytes::copy_from_slice(content)])?;
    state.note_change()?;
    state.close(file)?;
    Ok(inode)
}
