//! The way into the log of a shard.
//!
//! The broker appends to the replica of the partition; golden scripts to a list. Both give the records consecutive offsets in one batch, so
//! that they are there together or not at all.

use crate::types::Offset;
use crate::wire::{ErrorCode, GroupRecord};

/// Takes records.
pub trait Journal {
    /// Appends records in one batch, and gives the end of it: once the high watermark is there, they cannot be lost any more.
    ///
    /// # Errors
    /// Why nothing was appended, as a partition tells it (NOT_LEADER_OR_FOLLOWER, NOT_ENOUGH_REPLICAS ...).
    fn append(&mut self, records: &[GroupRecord]) -> Result<Offset, ErrorCode>;
}
