//! What a fetch has brought of one partition: batches, opened one at a time as records are polled.
//!
//! A broker answers with whole batches, so the first may begin before the position: what was read already is skipped. The last may be
//! cut off: it comes whole with the next fetch. Between the records a consumer sees lie things it must not see:
//!
//! ```text
//!   position 12
//!      │
//!   [10 11│12 13] [14: control] [15 16: aborted] [17 18 gone by compaction, 19] [20 2
//!          ▲  ▲                                                           ▲       cut off
//!          └──┴── given to the poll ──────────────────────────────────────┘
//! ```
//!
//! Under `read_committed` the broker names the aborted transactions that overlap the answer, by producer and first offset; a producer's
//! records are dropped from there up to its abort marker (KIP-98). Every batch is checked against its checksum first.

use std::collections::{BTreeSet, VecDeque};

use bytes::Bytes;

use crate::types::{LeaderEpoch, Offset, ProducerId, Timestamp};
use crate::wire::ErrorCode;
use crate::wire::fetch_response::AbortedTransaction;
use crate::wire::record::{BatchError, BatchRef, Compression, ControlType};

/// Batches of one partition that were not all read so far.
#[derive(Hash, Debug)]
pub struct Fetched {
    /// The position it was asked for.
    pub from: Offset,
    rest: Bytes,
    /// Transactions to come that were aborted, by first offset.
    aborted: VecDeque<(Offset, ProducerId)>,
    /// Producers in whose aborted transaction we are.
    aborting: BTreeSet<ProducerId>,
    /// Records of the open batch.
    open: VecDeque<FetchedRecord>,
    /// Where the open batch ends, and its leader epoch.
    end: (Offset, LeaderEpoch),
}

/// One record as it was fetched.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct FetchedRecord {
    /// Its offset.
    pub offset: Offset,
    /// Leader epoch of its batch.
    pub leader_epoch: LeaderEpoch,
    /// Its timestamp.
    pub timestamp: Timestamp,
    /// Key.
    pub key: Option<Bytes>,
    /// Value.
    pub value: Option<Bytes>,
}

/// Leader epochs that a position remembers; the oldest are forgotten.
const EPOCHS_MAX: usize = 64;

/// How far a partition has been read.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ReadPosition {
    /// The next record to be read.
    pub offset: Offset,
    /// Leader epoch of the last record read, or the one that came with the place; [`LeaderEpoch::NONE`] if none did.
    pub epoch: LeaderEpoch,
    /// The leader epochs of what was read, each with the first record read of it, ascending.
    read: Vec<(LeaderEpoch, Offset)>,
}

impl ReadPosition {
    /// The next record is the one at `offset`. The leader epoch is that of the record before, or of the leader that named the place: it need not
    /// have written anything.
    #[must_use]
    pub fn new(offset: Offset, epoch: LeaderEpoch) -> ReadPosition {
        ReadPosition { offset, epoch, read: Vec::new() }
    }

    /// What lies between the position and `next` was read: records of that leader epoch.
    fn move_to(&mut self, next: Offset, epoch: LeaderEpoch) {
        if self.read.last().is_none_or(|(last, _)| *last != epoch) {
            self.read.push((epoch, self.offset));
            self.read.drain(..self.read.len().saturating_sub(EPOCHS_MAX));
        }
        (self.offset, self.epoch) = (next, epoch);
    }

    /// A log was asked for the epoch of this position and knows none above `epoch`, which ends there at `end`. Whatever was read of a later
    /// one is not in that log, and the position goes back to where it began.
    pub fn go_back(&mut self, epoch: LeaderEpoch, end: Offset) {
        let foreign = self.read.iter().find(|(read, _)| *read > epoch).map(|(_, first)| *first);
        self.offset = self.offset.min(end).min(foreign.unwrap_or(end));
        self.read.retain(|(read, _)| *read <= epoch);
        self.epoch = epoch;
    }
}

impl Fetched {
    /// What came in an answer to a fetch at `from`.
    #[must_use]
    pub fn new(from: Offset, records: Bytes, aborted: &[AbortedTransaction]) -> Fetched {
        let mut aborted: Vec<_> = aborted.iter().map(|t| (Offset(t.first_offset), ProducerId(t.producer_id))).collect();
        aborted.sort();
        Fetched {
            from,
            rest: records,
            aborted: aborted.into(),
            aborting: BTreeSet::new(),
            open: VecDeque::new(),
            end: (Offset::ZERO, LeaderEpoch::NONE),
        }
    }

    /// The next record at or after the position, which moves on with it and over everything that is not for us. `None` when
    /// all was read.
    ///
    /// # Errors
    /// When bytes are not what they should be. The rest is not readable then.
    pub fn next(&mut self, position: &mut ReadPosition) -> Result<Option<FetchedRecord>, ErrorCode> {
        while self.open.is_empty() {
            if !self.open_batch(position)? {
                return Ok(None);
            }
        }
        let record = self.open.pop_front().expect("it is not empty");
        position.move_to(record.offset.next(), record.leader_epoch);
        if self.open.is_empty() {
            self.leave_batch(position);
        }
        Ok(Some(record))
    }

    /// Whether everything was read.
    #[must_use]
    pub fn is_drained(&self) -> bool {
        self.open.is_empty() && self.rest.is_empty()
    }

    fn leave_batch(&self, position: &mut ReadPosition) {
        if position.offset < self.end.0 {
            position.move_to(self.end.0, self.end.1);
        }
    }

    /// Opens the next batch, of which perhaps nothing is for us. False if there is none.
    fn open_batch(&mut self, position: &mut ReadPosition) -> Result<bool, ErrorCode> {
        if self.rest.is_empty() {
            return Ok(false);
        }
        let batch = match BatchRef::parse(&self.rest) {
            Ok(batch) => batch,
            Err(BatchError::Truncated { .. }) => {
                self.rest = Bytes::new();
                return Ok(false);
            }
            Err(_) => return Err(self.corrupt()),
        };
        self.rest = self.rest.slice(batch.bytes.len()..);
        let header = &batch.header;
        if batch.verify_crc().is_err() {
            return Err(self.corrupt());
        }
        self.end = (header.next_offset(), header.leader_epoch);
        if self.is_for_us(&batch)? {
            self.read(&batch, position.offset)?;
        }
        if self.open.is_empty() {
            self.leave_batch(position);
        }
        Ok(true)
    }

    fn read(&mut self, batch: &BatchRef, from: Offset) -> Result<(), ErrorCode> {
        if batch.header.next_offset() <= from {
            return Ok(());
        }
        if batch.header.compression() != Compression::None {
            self.rest = Bytes::new();
            return Err(ErrorCode::UNSUPPORTED_COMPRESSION_TYPE);
        }
        let leader_epoch = batch.header.leader_epoch;
        for record in batch.records().map_err(|_| self.corrupt())? {
            let record = record.map_err(|_| self.corrupt())?;
            if record.offset >= from {
                let (offset, timestamp, key, value) = (record.offset, record.timestamp, record.key, record.value);
                self.open.push_back(FetchedRecord { offset, leader_epoch, timestamp, key, value });
            }
        }
        Ok(())
    }

    /// Control batches are never for us, batches of aborted transactions neither.
    fn is_for_us(&mut self, batch: &BatchRef) -> Result<bool, ErrorCode> {
        let producer = batch.header.producer_id;
        let last = batch.header.last_offset();
        while let Some((_, aborting)) = self.aborted.front().filter(|(first, _)| *first <= last).copied() {
            self.aborting.insert(aborting);
            self.aborted.pop_front();
        }
        if batch.header.is_control() {
            let first = batch.records().map_err(|_| self.corrupt())?.next();
            let key = first.and_then(Result::ok).and_then(|record| record.key);
            if key.and_then(|key| ControlType::from_key(&key)) == Some(ControlType::Abort) {
                self.aborting.remove(&producer);
            }
            return Ok(false);
        }
        Ok(!(batch.header.is_transactional() && self.aborting.contains(&producer)))
    }

    fn corrupt(&mut self) -> ErrorCode {
        self.rest = Bytes::new();
        self.open.clear();
        ErrorCode::CORRUPT_MESSAGE
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::types::{ProducerEpoch, Sequence};
    use crate::wire::record::{BatchBuilder, end_transaction_value};

    const T: Timestamp = Timestamp(1);

    fn batch(base: i64, values: &[&str]) -> BatchBuilder {
        let mut builder = BatchBuilder::new().at(Offset(base), LeaderEpoch(3));
        for value in values {
            builder.push(T, None, Some(value.as_bytes()), &[]);
        }
        builder
    }

    fn of(producer: i64, builder: BatchBuilder) -> BatchBuilder {
        builder.producer(ProducerId(producer), ProducerEpoch(0), Sequence(0)).transactional()
    }

    fn read(fetched: &mut Fetched, from: i64) -> (String, i64) {
        let mut position = ReadPosition::new(Offset(from), LeaderEpoch::NONE);
        let mut values = Vec::new();
        while let Some(record) = fetched.next(&mut position).unwrap() {
            values.push(format!("{}={}", record.offset, String::from_utf8_lossy(&record.value.unwrap())));
        }
        (values.join(" "), position.offset.0)
    }

    #[test]
    fn records_before_the_position_are_skipped() {
        let bytes = [batch(8, &["x", "y"]).build(), batch(10, &["a", "b", "c"]).build()].concat();
        assert_eq!(read(&mut Fetched::new(Offset::ZERO, bytes.into(), &[]), 11), ("11=b 12=c".to_owned(), 13));
    }

    #[test]
    fn in_another_log_the_position_goes_back_to_what_was_read_of_epochs_that_log_does_not_know() {
        let of_epoch = |base: i64, epoch: i32| batch(base, &["a", "b"]).at(Offset(base), LeaderEpoch(epoch)).build();
        let bytes = [of_epoch(10, 1), of_epoch(12, 2), of_epoch(14, 4), of_epoch(16, 4)].concat();
        let mut position = ReadPosition::new(Offset(10), LeaderEpoch::NONE);
        let mut fetched = Fetched::new(Offset(10), bytes.into(), &[]);
        while fetched.next(&mut position).unwrap().is_some() {}
        let back = |epoch, end| {
            let mut position = position.clone();
            position.go_back(LeaderEpoch(epoch), Offset(end));
            position.offset.0
        };
        assert_eq!((back(3, 30), back(2, 30), back(1, 30), back(0, 30)), (14, 14, 12, 10));
        assert_eq!((back(4, 15), back(2, 13), back(0, 9)), (15, 13, 9), "the epoch asked for may end earlier there");
    }

    #[test]
    fn position_moves_over_control_batches_and_what_compaction_left_out() {
        let marker = of(1, BatchBuilder::new()).at(Offset(12), LeaderEpoch(3));
        let marker = marker.control(ControlType::Commit, &end_transaction_value(0), T).build();
        let bytes = [batch(10, &["a"]).last_offset_delta(1).build(), marker].concat();
        assert_eq!(read(&mut Fetched::new(Offset::ZERO, bytes.into(), &[]), 10), ("10=a".to_owned(), 13));
    }

    #[test]
    fn aborted_records_are_dropped_up_to_the_marker() {
        let marker = of(1, BatchBuilder::new()).at(Offset(3), LeaderEpoch(3));
        let marker = marker.control(ControlType::Abort, &end_transaction_value(0), T).build();
        let aborted = of(1, batch(0, &["no"])).build();
        let committed = of(2, batch(1, &["other"])).build();
        let plain = batch(2, &["plain"]).build();
        let later = of(1, batch(4, &["yes"])).build();
        let bytes = [aborted, committed, plain, marker, later].concat();
        let transaction = AbortedTransaction { producer_id: 1, first_offset: 0, ..AbortedTransaction::default() };
        let mut fetched = Fetched::new(Offset::ZERO, bytes.into(), &[transaction]);
        assert_eq!(read(&mut fetched, 0), ("1=other 2=plain 4=yes".to_owned(), 5));
    }

    #[test]
    fn a_batch_cut_off_at_the_end_is_left_for_the_next_fetch() {
        let whole = [batch(0, &["a"]).build(), batch(1, &["b"]).build()].concat();
        let bytes = Bytes::from(whole).slice(..100);
        assert_eq!(read(&mut Fetched::new(Offset::ZERO, bytes, &[]), 0), ("0=a".to_owned(), 1));
    }

    #[test]
    fn a_wrong_checksum_is_an_error_and_the_position_stays() {
        let mut bytes = batch(0, &["a"]).build().to_vec();
        *bytes.last_mut().unwrap() ^= 1;
        let mut position = ReadPosition::new(Offset(0), LeaderEpoch::NONE);
        let mut fetched = Fetched::new(Offset::ZERO, bytes.into(), &[]);
        assert_eq!(fetched.next(&mut position), Err(ErrorCode::CORRUPT_MESSAGE));
        assert!(fetched.is_drained());
        assert_eq!(position.offset, Offset(0));
    }
}
