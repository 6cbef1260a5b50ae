//! The log of one partition: a plain, synchronous library over a [`Disk`](crate::disk::Disk).
//!
//! A log is a sequence of record batches, numbered by offset, in a directory of its own:
//!
//! ```text
//!   orders-0/
//!     partition.metadata              whose log this is
//!     00000000000000000000.log        segment: batches 0 ..          closed
//!     00000000000000000000.index      sparse index: offset → position
//!     00000000000000000000.timeindex  sparse index: timestamp → offset
//!     00000000000000000357.log        segment: batches 357 ..        active: appended to
//!     00000000000000000357.snapshot   producer states as of offset 357
//!     leader-epoch-checkpoint         leader epoch → first offset
//!     00000000000000000300.truncated  cut there, while the recovery point on the disk may be higher
//!     00000000000000000000.log.swap   what compaction has left of a segment, on its way into its place
//!     compacted                       gaps between batches are legal here
//!     00000000000000000120.corrupt    bad bytes were found there: never to be opened again
//!
//!     log start          high watermark       durable end      log end
//!        ▼ (retention)        ▼ (replica)          ▼ (flush)      ▼
//!   ─────┼────────────────────┼────────────────────┼──────────────┤
//!        └─ recovery point: at or below the durable end; recovery looks at what lies above
//! ```
//!
//! | question | file |
//! |---|---|
//! | what may be appended, and what follows from it | [`append`](Log::append_as_leader) |
//! | what a reader gets | [`read`](Log::read), `tail` |
//! | where two logs part | [`EpochCache`] |
//! | which batch is a duplicate | [`ProducerStates`] |
//! | what a cut must undo | [`truncate`](Log::truncate_to) |
//! | what is durable, and when | [`Flush`] |
//! | which records are given up | [`retention_start`](Log::retention_start) |
//! | of which keys only the newest record stays | [`compact`](Log::compact), `compaction` |
//! | what is believed after a crash | [`open`](Log::open), `recovery` |
//!
//! **Nothing waits here.** Writes reach the page cache; to make them durable the caller takes a [`Flush`], and the
//! [content of the epoch file](Log::epoch_checkpoint), to its outbox and says when they have ended. The high watermark, roles and acknowledgements are the replica's.
//!
//! **One disk error stops the log** for the rest of the life of the process ([`LogError::Stopped`]). Bytes that are not those that were
//! written are worse: the log is [condemned](Log::condemn), and the next life of the process [sets it aside](Log::set_aside).
//!
//! Simplified against Kafka: no transaction index; records inside a compressed batch are looked at only where a topic is compacted.

mod append;
pub mod checkpoint;
mod compaction;
mod config;
mod epochs;
mod error;
mod flush;
mod index;
mod names;
mod open;
mod partition_log;
mod producers;
mod read;
mod recovery;
mod retention;
mod scan;
mod segment;
mod snapshot;
mod tail;
#[cfg(test)]
mod tests;
mod time_index;
mod timestamps;
mod truncate;

pub use append::{Appended, AppendedBatch};
pub use checkpoint::Checkpoint;
pub use compaction::{Compaction, Tally};
pub use config::{CompactionConfig, LogConfig};
pub use epochs::{EpochCache, EpochStart};
pub use error::{AppendError, Damage, FileError, FileFault, LogError, Refusal};
pub use flush::Flush;
pub use open::Recovery;
pub use partition_log::Log;
pub use producers::{ProducerBatch, ProducerState, ProducerStates, Verdict, WINDOW};
