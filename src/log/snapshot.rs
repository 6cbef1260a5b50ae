//! Snapshots of the producer states: `<offset>.snapshot`, the fold of the log below that offset.
//!
//! ```text
//!   version i16 = 2 | crc u32 (CRC-32C of the rest) | count i32
//!   each: producer id i64 | epoch i16 | open transaction i64 (-1: none) | last timestamp i64 | batches i8
//!         each: first sequence i32 | last sequence i32 | first offset i64 | last offset i64 | timestamp i64
//! ```
//!
//! Kafka's version 1 keeps one batch for each producer; version 2 is ours and keeps the whole window (see
//! [`producers`](super::producers)).
//!
//! A snapshot is written directly, not by replace: it may be torn by a crash. That is harmless, because a torn one fails its checksum
//! and an older one, or the log itself, takes its place; and because recovery after an unclean stop trusts only those at or below
//! the recovery point, which cannot pass a snapshot before a flush has covered it.

use std::collections::{BTreeMap, VecDeque};

use super::producers::{ProducerBatch, ProducerState, ProducerStates, WINDOW};
use crate::types::{Offset, ProducerEpoch, ProducerId, Sequence, Timestamp};

const VERSION: i16 = 2;

/// Bytes before the first producer's.
const CHECKED_FROM: usize = 6;

impl ProducerStates {
    /// The content of a snapshot file.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![0; CHECKED_FROM];
        bytes.extend_from_slice(&(self.states.len() as i32).to_be_bytes());
        for (producer, state) in &self.states {
            encode_state(*producer, state, &mut bytes);
        }
        let crc = crc32c::crc32c(&bytes[CHECKED_FROM..]);
        bytes[..2].copy_from_slice(&VERSION.to_be_bytes());
        bytes[2..CHECKED_FROM].copy_from_slice(&crc.to_be_bytes());
        bytes
    }

    /// The states in a snapshot file; `None` if it is torn, rotten or of another version.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<ProducerStates> {
        let mut reader = Reader { bytes };
        let version = i16::from_be_bytes(reader.take()?);
        let crc = u32::from_be_bytes(reader.take()?);
        if version != VERSION || crc != crc32c::crc32c(reader.bytes) {
            return None;
        }
        let count = i32::from_be_bytes(reader.take()?);
        let mut states = BTreeMap::new();
        for _ in 0..count {
            let (producer, state) = decode_state(&mut reader)?;
            states.insert(producer, state);
        }
        reader.bytes.is_empty().then(|| ProducerStates { states, ..ProducerStates::default() })
    }
}

fn encode_state(producer: ProducerId, state: &ProducerState, bytes: &mut Vec<u8>) {
    bytes.extend_from_slice(&producer.0.to_be_bytes());
    bytes.extend_from_slice(&state.epoch.0.to_be_bytes());
    bytes.extend_from_slice(&state.open_transaction.map_or(-1, |offset| offset.0).to_be_bytes());
    bytes.extend_from_slice(&state.last_timestamp.0.to_be_bytes());
    bytes.push(state.batches.len() as u8);
    for batch in &state.batches {
        bytes.extend_from_slice(&batch.first_sequence.0.to_be_bytes());
        bytes.extend_from_slice(&batch.last_sequence.0.to_be_bytes());
        bytes.extend_from_slice(&batch.first_offset.0.to_be_bytes());
        bytes.extend_from_slice(&batch.last_offset.0.to_be_bytes());
        bytes.extend_from_slice(&batch.timestamp.0.to_be_bytes());
    }
}

fn decode_state(reader: &mut Reader<'_>) -> Option<(ProducerId, ProducerState)> {
    let producer = ProducerId(i64::from_be_bytes(reader.take()?));
    let epoch = ProducerEpoch(i16::from_be_bytes(reader.take()?));
    let open_transaction = Some(Offset(i64::from_be_bytes(reader.take()?))).filter(|offset| offset.0 >= 0);
    let last_timestamp = Timestamp(i64::from_be_bytes(reader.take()?));
    let count = usize::from(u8::from_be_bytes(reader.take()?));
    if count > WINDOW {
        return None;
    }
    let mut batches = VecDeque::with_capacity(count);
    for _ in 0..count {
        batches.push_back(ProducerBatch {
            first_sequence: Sequence(i32::from_be_bytes(reader.take()?)),
            last_sequence: Sequence(i32::from_be_bytes(reader.take()?)),
            first_offset: Offset(i64::from_be_bytes(reader.take()?)),
            last_offset: Offset(i64::from_be_bytes(reader.take()?)),
            timestamp: Timestamp(i64::from_be_bytes(reader.take()?)),
        });
    }
    Some((producer, ProducerState { epoch, batches, open_transaction, last_timestamp }))
}

struct Reader<'a> {
    bytes: &'a [u8],
}

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.bytes.split_first_chunk::<N>()?;
        self.bytes = rest;
        Some(*head)
    }
}
