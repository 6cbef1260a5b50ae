//! A batch within a larger run of bytes.

use bytes::{Bytes, BytesMut};

use super::compression::decompress;
use super::header::{CRC_AT, CRC_FROM};
use super::records::Records;
use super::{BatchError, BatchHeader, Compression, HEADER_SIZE};
use crate::types::{LeaderEpoch, Offset};

/// A whole batch: its header, read, and its bytes, as they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchRef {
    /// The header.
    pub header: BatchHeader,
    /// The batch, header included.
    pub bytes: Bytes,
}

/// The batches in a run of bytes, one after the other.
#[derive(Debug, Clone)]
pub struct Batches {
    rest: Bytes,
}

/// The batches in `bytes`, which must start at one. After an error there are no more; a batch cut off at the end is the error
/// [`BatchError::Truncated`].
#[must_use]
pub fn batches(bytes: &Bytes) -> Batches {
    Batches { rest: bytes.clone() }
}

impl Iterator for Batches {
    type Item = Result<BatchRef, BatchError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let batch = BatchRef::parse(&self.rest);
        self.rest = match &batch {
            Ok(batch) => self.rest.slice(batch.bytes.len()..),
            Err(_) => Bytes::new(),
        };
        Some(batch)
    }
}

impl BatchRef {
    /// The batch at the start of `bytes`; more may follow it.
    pub fn parse(bytes: &Bytes) -> Result<BatchRef, BatchError> {
        let header = BatchHeader::parse(bytes)?;
        let needed = header.size();
        if needed > bytes.len() {
            return Err(BatchError::Truncated { needed, found: bytes.len() });
        }
        Ok(BatchRef { header, bytes: bytes.slice(..needed) })
    }

    /// Whether the bytes are those the checksum was computed of.
    pub fn verify_crc(&self) -> Result<(), BatchError> {
        verify_crc(&self.bytes)
    }

    /// The records, unless they are compressed.
    pub fn records(&self) -> Result<Records, BatchError> {
        let codec = self.header.compression();
        if codec != Compression::None {
            return Err(BatchError::Compressed { codec });
        }
        Records::new(&self.header, self.bytes.slice(HEADER_SIZE..))
    }

    /// The records, opened if they are compressed.
    pub fn opened_records(&self) -> Result<Records, BatchError> {
        let compressed = self.bytes.slice(HEADER_SIZE..);
        Records::new(&self.header, decompress(self.header.compression(), &compressed)?)
    }

    /// The batch under another base offset and leader epoch, in two chunks: a new head, and the rest as it is.
    #[must_use]
    pub fn patched(&self, base_offset: Offset, leader_epoch: LeaderEpoch) -> [Bytes; 2] {
        let mut head = BytesMut::from(&self.bytes[..HEADER_SIZE]);
        BatchHeader::patch(&mut head, base_offset, leader_epoch);
        [head.freeze(), self.bytes.slice(HEADER_SIZE..)]
    }

    /// The batch under another header with a checksum computed anew, in two chunks: the header, and the records as they are.
    #[must_use]
    pub fn with_header(&self, header: BatchHeader) -> [Bytes; 2] {
        assert_eq!(header.batch_length, self.header.batch_length, "the records stay, so does the length");
        let records = self.bytes.slice(HEADER_SIZE..);
        let mut head = header.to_bytes();
        let crc = crc32c::crc32c_append(crc32c::crc32c(&head[CRC_FROM..]), &records);
        head[CRC_AT..CRC_FROM].copy_from_slice(&crc.to_be_bytes());
        [Bytes::copy_from_slice(&head), records]
    }
}

/// Whether the batch that fills `batch` exactly is what its checksum was computed of.
pub fn verify_crc(batch: &[u8]) -> Result<(), BatchError> {
    let header = BatchHeader::parse(batch)?;
    if batch.len() != header.size() {
        return Err(BatchError::Truncated { needed: header.size(), found: batch.len() });
    }
    let computed = crc32c::crc32c(&batch[CRC_FROM..]);
    match computed == header.crc {
        true => Ok(()),
        false => Err(BatchError::Checksum { stored: header.crc, computed }),
    }
}
