//! What a log remembers of each producer, so that a retried batch is not stored twice.
//!
//! An idempotent producer numbers its records: (producer id, producer epoch, sequence). The log keeps for each producer id the epoch
//! and its last five batches, as many as a producer may have in flight (KIP-98):
//!
//! ```text
//!   known  epoch 0   [0..2] [3..3] [4..8]            next expected: 9
//!
//!   comes  epoch 0   3..3    exactly one of the five: a duplicate; answer with its old offsets
//!          epoch 0   9..9    continues: append
//!          epoch 0   11..11  a gap: OUT_OF_ORDER_SEQUENCE_NUMBER
//!          epoch 1   0..4    a new session starts from 0: append
//!          epoch 1   7..7    a new session must start from 0: OUT_OF_ORDER_SEQUENCE_NUMBER
//!          epoch -   lower than known: INVALID_PRODUCER_EPOCH
//!   a producer of which nothing is known may start with any sequence: its state may have expired
//! ```
//!
//! Sequences wrap from `i32::MAX` to 0. Only the leader checks; followers and recovery take in whatever the leader accepted, so that
//! the map is always the fold of the log (R19, D6): see [`ProducerStates::update`].
//!
//! The map is written out as a *snapshot* whenever a segment is rolled and at a clean shutdown. Ours keeps all five batches. Kafka's
//! keeps one, so after a restart a retry of the last but one is taken for a gap, the producer starts over under a new epoch, and its
//! records are stored twice (PR-05 of the museum).
//!
//! Simplified: no coordinator epochs and no verification of transactions yet; an open transaction is only remembered.

use std::collections::{BTreeMap, VecDeque};

use super::error::AppendError;
use crate::types::{Duration, Offset, ProducerEpoch, ProducerId, Sequence, Time, Timestamp};
use crate::wire::record::BatchHeader;

/// Batches remembered for each producer: what it may have in flight.
pub const WINDOW: usize = 5;

/// A batch that a producer wrote.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ProducerBatch {
    /// Sequence of its first record.
    pub first_sequence: Sequence,
    /// Sequence of its last record.
    pub last_sequence: Sequence,
    /// Offset of its first record.
    pub first_offset: Offset,
    /// Offset of its last record.
    pub last_offset: Offset,
    /// Its largest timestamp.
    pub timestamp: Timestamp,
}

/// What is known of one producer id.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ProducerState {
    /// Newest epoch seen.
    pub epoch: ProducerEpoch,
    /// Its last batches of that epoch, oldest first, at most [`WINDOW`].
    pub batches: VecDeque<ProducerBatch>,
    /// Where its open transaction begins.
    pub open_transaction: Option<Offset>,
    /// Largest timestamp of its last batch: from then on it ages.
    pub last_timestamp: Timestamp,
}

/// What is to be done with a client's batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// Append it.
    New,
    /// It is in the log already.
    Duplicate(ProducerBatch),
}

/// Everything a log knows of its producers.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct ProducerStates {
    pub(super) states: BTreeMap<ProducerId, ProducerState>,
    /// Since when this process has seen each of them silent, and after which batch.
    pub(super) silent: BTreeMap<ProducerId, (Time, Option<Offset>)>,
}

impl ProducerStates {
    /// Judges a client's batch by its header.
    ///
    /// # Errors
    /// `InvalidProducerEpoch`, `OutOfOrderSequence`.
    pub fn check(&self, batch: &BatchHeader) -> Result<Verdict, AppendError> {
        let Some(state) = self.states.get(&batch.producer_id).filter(|_| batch.has_producer()) else {
            return Ok(Verdict::New);
        };
        let (producer, found) = (batch.producer_id, batch.producer_epoch);
        if found < state.epoch {
            return Err(AppendError::InvalidProducerEpoch { producer, found, known: state.epoch });
        }
        let expected = match state.batches.back() {
            Some(last) if found == state.epoch => last.last_sequence.plus(1),
            Some(_) | None => Sequence(0),
        };
        if found == state.epoch
            && let Some(original) = state.find(batch.base_sequence, batch.last_sequence())
        {
            return Ok(Verdict::Duplicate(original));
        }
        match batch.base_sequence == expected {
            true => Ok(Verdict::New),
            false => Err(AppendError::OutOfOrderSequence { producer, found: batch.base_sequence, expected }),
        }
    }

    /// Takes in a batch that is in the log, under the offsets that it has there. Never refuses: the leader has accepted it.
    pub fn update(&mut self, batch: &BatchHeader) {
        if !batch.has_producer() {
            return;
        }
        let state = self.states.entry(batch.producer_id).or_insert_with(|| ProducerState::new(batch.producer_epoch));
        if state.epoch != batch.producer_epoch {
            state.epoch = batch.producer_epoch;
            state.batches.clear();
        }
        state.last_timestamp = batch.max_timestamp;
        if batch.is_control() {
            state.open_transaction = None;
            return;
        }
        if batch.is_transactional() && state.open_transaction.is_none() {
            state.open_transaction = Some(batch.base_offset);
        }
        if state.batches.len() == WINDOW {
            state.batches.pop_front();
        }
        state.batches.push_back(ProducerBatch {
            first_sequence: batch.base_sequence,
            last_sequence: batch.last_sequence(),
            first_offset: batch.base_offset,
            last_offset: batch.last_offset(),
            timestamp: batch.max_timestamp,
        });
        assert!(state.batches.len() <= WINDOW, "{} batches in the window", state.batches.len());
    }

    /// Forgets producers that have not written for `expiration`, unless a transaction of theirs is open. Both clocks must say so: the wall
    /// clock alone would forget everybody when it jumps ahead, and the next retry would be stored twice. (Kafka asks it alone.)
    pub fn expire(&mut self, now: Time, wall: Timestamp, expiration: Duration) {
        let bound = i64::try_from(expiration.as_millis()).unwrap_or(i64::MAX);
        let ProducerStates { states, silent } = self;
        states.retain(|producer, state| {
            let last = state.batches.back().map(|batch| batch.last_offset);
            let (since, after) = silent.entry(*producer).or_insert((now, last));
            if *after != last {
                (*since, *after) = (now, last);
            }
            let aged = wall.0.saturating_sub(state.last_timestamp.0) >= bound && now.since(*since) >= expiration;
            state.open_transaction.is_some() || !aged
        });
        silent.retain(|producer, _| states.contains_key(producer));
    }

    /// Planted bug: forgets those of whom no batch is left above `start`. Says whether there were any.
    pub(super) fn forget_below(&mut self, start: Offset) -> bool {
        let before = self.states.len();
        self.states.retain(|_, state| state.batches.back().is_some_and(|last| last.last_offset >= start));
        self.states.len() != before
    }

    /// Planted bug: as Kafka's own snapshots remember it. Says whether anything is forgotten by that.
    pub(super) fn with_one_batch_each(&self) -> (ProducerStates, bool) {
        let mut forgetful = self.clone();
        let mut forgot = false;
        for state in forgetful.states.values_mut() {
            let older = state.batches.len().saturating_sub(1);
            forgot |= older > 0;
            state.batches.drain(..older);
        }
        (forgetful, forgot)
    }

    /// What is known of a producer.
    #[must_use]
    pub fn of(&self, producer: ProducerId) -> Option<&ProducerState> {
        self.states.get(&producer)
    }

    /// All producers, by id.
    pub fn iter(&self) -> impl Iterator<Item = (ProducerId, &ProducerState)> {
        self.states.iter().map(|(producer, state)| (*producer, state))
    }

    /// The earliest offset of an open transaction.
    #[must_use]
    pub fn first_open_transaction(&self) -> Option<Offset> {
        self.states.values().filter_map(|state| state.open_transaction).min()
    }
}

impl ProducerState {
    fn new(epoch: ProducerEpoch) -> ProducerState {
        ProducerState { epoch, batches: VecDeque::new(), open_transaction: None, last_timestamp: Timestamp(-1) }
    }

    fn find(&self, first: Sequence, last: Sequence) -> Option<ProducerBatch> {
        self.batches.iter().copied().find(|batch| batch.first_sequence == first && batch.last_sequence == last)
    }
}
