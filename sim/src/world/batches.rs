//! A reader of record batches of our own, from the format's description alone.
//!
//! The auditor must not share code with the suspect: this parser knows nothing of the broker's log or of its codec.
//!
//! ```text
//!   0 base offset i64 │ 8 length i32 │ 12 leader epoch i32 │ 16 magic i8 │ 17 crc u32 │ 21 attributes i16 │ 23 last offset delta i32
//!   27 base timestamp i64 │ 35 max timestamp i64 │ 43 producer id i64 │ 51 producer epoch i16 │ 53 base sequence i32 │ 57 count i32
//! ```
//!
//! The length counts what follows it; the checksum (CRC-32C) covers everything from the attributes on.

use brokerlab::types::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, Sequence};
use brokerlab_reports::event::TappedBatch;

const HEADER: usize = 61;
const BEFORE_LENGTH: usize = 12;
const MAGIC_AT: usize = 16;
const CRC_FROM: usize = 21;

/// The batches at the start of `bytes`, up to the first place that is no whole batch, and how many bytes they take.
#[must_use]
pub fn read_batches(bytes: &[u8]) -> (Vec<TappedBatch>, usize) {
    let mut batches = Vec::new();
    let mut at = 0;
    while let Some((batch, size)) = read_batch(&bytes[at..]) {
        batches.push(batch);
        at += size;
    }
    (batches, at)
}

/// The batch at the start of `bytes` and its size, if a whole one is there.
#[must_use]
pub fn read_batch(bytes: &[u8]) -> Option<(TappedBatch, usize)> {
    let header: &[u8; HEADER] = bytes.first_chunk()?;
    let length = i32::from_be_bytes(part(header, 8));
    let size = BEFORE_LENGTH + usize::try_from(length).ok()?;
    let delta = i32::from_be_bytes(part(header, 23));
    if header[MAGIC_AT] != 2 || size < HEADER || bytes.len() < size || delta < 0 {
        return None;
    }
    let base = i64::from_be_bytes(part(header, 0));
    let crc = u32::from_be_bytes(part(header, 17));
    let batch = TappedBatch {
        base_offset: Offset(base),
        last_offset: Offset(base.checked_add(i64::from(delta))?),
        leader_epoch: LeaderEpoch(i32::from_be_bytes(part(header, 12))),
        crc,
        valid: crc32c::crc32c(&bytes[CRC_FROM..size]) == crc,
        producer: (
            ProducerId(i64::from_be_bytes(part(header, 43))),
            ProducerEpoch(i16::from_be_bytes(part(header, 51))),
            Sequence(i32::from_be_bytes(part(header, 53))),
        ),
    };
    Some((batch, size))
}

fn part<const N: usize>(header: &[u8; HEADER], at: usize) -> [u8; N] {
    header[at..at + N].try_into().expect("all positions used lie within the header")
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A batch of `records` empty-bodied records, with a right checksum.
    pub fn batch(base: i64, records: i32, epoch: i32) -> Vec<u8> {
        let mut bytes = vec![0; HEADER + 5];
        let length = i32::try_from(bytes.len() - BEFORE_LENGTH).unwrap_or(0);
        bytes[0..8].copy_from_slice(&base.to_be_bytes());
        bytes[8..12].copy_from_slice(&length.to_be_bytes());
        bytes[12..16].copy_from_slice(&epoch.to_be_bytes());
        bytes[16] = 2;
        bytes[23..27].copy_from_slice(&(records - 1).to_be_bytes());
        bytes[43..51].copy_from_slice(&(-1i64).to_be_bytes());
        let crc = crc32c::crc32c(&bytes[21..]);
        bytes[17..21].copy_from_slice(&crc.to_be_bytes());
        bytes
    }

    #[test]
    fn batches_are_read_up_to_a_torn_one() {
        let mut bytes = [batch(0, 3, 1), batch(3, 1, 2)].concat();
        let whole = bytes.len();
        bytes.extend_from_slice(&batch(4, 1, 2)[..30]);
        let (batches, read) = read_batches(&bytes);
        assert_eq!(read, whole);
        assert_eq!(
            batches.iter().map(|b| (b.base_offset.0, b.last_offset.0, b.valid)).collect::<Vec<_>>(),
            [(0, 2, true), (3, 3, true)]
        );
    }

    #[test]
    fn a_wrong_checksum_is_seen() {
        let mut bytes = batch(0, 1, 0);
        *bytes.last_mut().expect("a batch has bytes") ^= 1;
        assert!(!read_batch(&bytes).expect("it is still a batch").0.valid);
    }

    #[test]
    fn no_bytes_make_the_reader_panic() {
        let good = batch(i64::MAX - 1, 1, 0);
        for at in 0..good.len() {
            for value in [0, 1, 0x7f, 0x80, 0xff] {
                let mut bytes = good.clone();
                bytes[at] = value;
                let (_, read) = read_batches(&bytes);
                assert!(read <= bytes.len());
            }
        }
    }
}
