//! Record batches, version 2: the unit in which records travel and rest (KIP-98).
//!
//! ```text
//!   byte  0  base offset            i64   assigned by the leader            ┐ may be patched: not
//!         8  batch length           i32   bytes after this field            │ under the checksum
//!        12  partition leader epoch i32   stamped by the leader             ┘
//!        16  magic                  i8    2
//!        17  checksum               u32   CRC-32C of everything from byte 21 on
//!        21  attributes             i16   codec, timestamp type, transactional, control, delete horizon
//!        23  last offset delta      i32   survives compaction, as the base offset does
//!        27  base timestamp         i64
//!        35  max timestamp          i64
//!        43  producer id            i64   ┐
//!        51  producer epoch         i16   │ -1 without idempotence
//!        53  base sequence          i32   ┘
//!        57  record count           i32
//!        61  records, compressed as a whole if the codec says so
//! ```
//!
//! A broker handles batches as opaque bytes: it reads the header, checks the checksum, patches base offset and leader epoch, and
//! passes the rest on as it came. Whoever must look inside (checks per record, a search by time) does it through
//! [`BatchRef::records`], or through [`BatchRef::opened_records`] if the batch may be compressed. Only log compaction makes another batch of
//! one ([`BatchRef::with_only`]).

mod batch;
mod builder;
mod compression;
mod control;
mod header;
mod records;
mod rewrite;

pub use batch::{BatchRef, Batches, batches, verify_crc};
pub use builder::BatchBuilder;
pub use compression::{OPENED_MAX, compress, decompress};
pub use control::{ControlType, end_transaction_value};
pub use header::{BatchHeader, Compression, HEADER_SIZE, LENGTH_OVERHEAD, TimestampType};
pub use records::{Header, Record, Records};

/// Why bytes are not a record batch, or not its records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BatchError {
    /// The bytes end before the batch does.
    #[error("the batch needs {needed} bytes, {found} are there")]
    Truncated {
        /// Bytes the batch needs: those of its header, or all if the header is there.
        needed: usize,
        /// Bytes there are.
        found: usize,
    },
    /// Another format than version 2.
    #[error("record batch of magic {magic}")]
    Magic {
        /// The magic found.
        magic: i8,
    },
    /// The length field is too small for a header.
    #[error("a batch length of {length}")]
    Length {
        /// The length found.
        length: i32,
    },
    /// A header field holds a value that makes no sense.
    #[error("{field} is {value}")]
    Field {
        /// The field.
        field: &'static str,
        /// What it holds.
        value: i64,
    },
    /// The bytes are not those the checksum was computed of.
    #[error("checksum {stored:08x} stored, {computed:08x} computed")]
    Checksum {
        /// As the header says.
        stored: u32,
        /// As it should be.
        computed: u32,
    },
    /// The records are compressed, and nobody here opens them.
    #[error("the records are compressed with {codec:?}")]
    Compressed {
        /// The codec.
        codec: Compression,
    },
    /// A record that does not fit its own length, or the batch.
    #[error("record {index} of the batch is malformed")]
    Record {
        /// Which one, from 0.
        index: i32,
    },
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
