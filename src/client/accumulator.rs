//! The records of one partition on their way to its leader: a lane of batches.
//!
//! ```text
//!   push ──▶ [ open ] ─ full, or lingered long enough ─▶ launch ──▶ flying ──▶ land ──▶ ended: written
//!              waiting ◀──────── to be retried, after a back-off ──────┤
//!                                                                      └──▶ ended: failed
//! ```
//!
//! Order within a lane. Waiting batches are kept in the order in which they were opened, retries included, and a front that backs off
//! holds up all behind it. With idempotence a retry goes only while nothing older is flying, and what flew behind it is refused by the
//! broker (OUT_OF_ORDER_SEQUENCE_NUMBER) and comes back, so the log keeps the order. Without idempotence only
//! `max.in.flight.requests.per.connection = 1` keeps it: with more, a batch behind a failed one overtakes it. That is Kafka's rule.
//!
//! A batch lives until `delivery.timeout.ms` after its first record was given to us. Whoever waits for its records is told then; if it is still flying, it stays
//! on as *abandoned* until its fate is known, because the numbers behind it depend on that.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::sync::Arc;

use bytes::Bytes;

use super::certainty::{Verdict, is_identity_error, is_sequence_error, verdict};
use super::config::ProducerConfig;
use super::sequences::{Identity, Numbering, Retirement, Stamp};
use crate::mutant::{Mutant, Taint};
use crate::operation::{Certainty, OperationId};
use crate::types::{Offset, ProducerEpoch, ProducerId, Sequence, Time, Timestamp};
use crate::wire::ErrorCode;
use crate::wire::record::{BatchBuilder, HEADER_SIZE};

/// What a record takes beside key and value, at most: five varints and the attributes.
const RECORD_OVERHEAD: usize = 32;

/// One record on its way.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct PendingRecord {
    /// Who waits for it.
    pub operation: OperationId,
    /// When it was given to us, by the clock that counts.
    pub given: Time,
    /// When it was given to us, by the clock on the wall.
    pub timestamp: Timestamp,
    /// Key.
    pub key: Option<Bytes>,
    /// Value.
    pub value: Bytes,
}

impl PendingRecord {
    /// Bytes in a batch, at most.
    #[must_use]
    pub fn size(&self) -> usize {
        self.key.as_ref().map_or(0, Bytes::len) + self.value.len() + RECORD_OVERHEAD
    }
}

/// Records that travel and succeed or fail together.
#[derive(Clone, Hash, Debug)]
pub struct Batch {
    /// Rises with every batch of the producer.
    pub id: u64,
    records: Vec<PendingRecord>,
    bytes: usize,
    /// When its first record came here.
    opened: Time,
    /// When its first record was given to us.
    given: Time,
    failures: u32,
    retry_at: Time,
    stamp: Option<Stamp>,
    /// Some attempt may have had an effect.
    in_doubt: bool,
    /// What a broker answered last.
    error: ErrorCode,
    /// Its records were reported as failed; only its fate is still of interest.
    abandoned: bool,
}

/// How a batch ended for those who wait.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Ending {
    /// It is in the log; the offset of the first record, if it was told.
    Written(Option<Offset>),
    /// It is not, or nobody knows.
    Failed(ErrorCode, Certainty),
}

/// Records that have ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ended {
    /// In the order of their offsets.
    pub records: Vec<PendingRecord>,
    /// How.
    pub ending: Ending,
}

/// What came back for a flying batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Landing {
    /// An answer: its error, and the offset of the first record, or -1.
    Answered(ErrorCode, i64),
    /// The connection ended first.
    Lost,
    /// It could not be sent, and never will be.
    Unsendable(ErrorCode),
}

/// The batches of one partition.
#[derive(Hash, Debug)]
pub struct Lane {
    /// The topic.
    pub topic: Arc<str>,
    /// The partition.
    pub index: i32,
    waiting: VecDeque<Batch>,
    flying: Vec<Batch>,
    numbering: Numbering,
    acted: Taint,
}

impl Batch {
    fn open(id: u64, opened: Time, given: Time) -> Batch {
        Batch {
            id,
            records: Vec::new(),
            bytes: HEADER_SIZE,
            opened,
            given,
            failures: 0,
            retry_at: Time::ZERO,
            stamp: None,
            in_doubt: false,
            error: ErrorCode::NONE,
            abandoned: false,
        }
    }

    /// The batch as it travels.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let none = Identity { id: ProducerId::NONE, epoch: ProducerEpoch(-1) };
        let stamp = self.stamp.unwrap_or(Stamp { identity: none, sequence: Sequence(-1) });
        let mut builder = BatchBuilder::new().producer(stamp.identity.id, stamp.identity.epoch, stamp.sequence);
        for record in &self.records {
            builder.push(record.timestamp, record.key.as_deref(), Some(&record.value), &[]);
        }
        builder.build()
    }

    /// Bytes as it travels, at most.
    #[must_use]
    pub fn size(&self) -> usize {
        self.bytes
    }

    fn expires(&self, config: &ProducerConfig) -> Time {
        self.given.plus(config.delivery_timeout)
    }

    fn certainty(&self) -> Certainty {
        if self.in_doubt { Certainty::Indefinite } else { Certainty::Definite }
    }

    fn fail(&mut self) -> Ended {
        Ended { records: std::mem::take(&mut self.records), ending: Ending::Failed(self.error, self.certainty()) }
    }
}

impl Lane {
    /// An empty lane.
    #[must_use]
    pub fn new(topic: Arc<str>, index: i32) -> Lane {
        let (waiting, flying) = (VecDeque::new(), Vec::new());
        Lane { topic, index, waiting, flying, numbering: Numbering::default(), acted: Taint::default() }
    }

    /// Whether the planted bug has changed a decision in here since last asked.
    #[must_use]
    pub fn take_acted(&mut self) -> bool {
        self.acted.take()
    }

    /// Whether nothing waits and nothing flies.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.flying.is_empty()
    }

    /// Adds a record to the open batch, or opens another, for which it takes the next of `ids`.
    pub fn push(&mut self, now: Time, record: PendingRecord, ids: &mut u64, config: &ProducerConfig) {
        let size = record.size();
        let has_room = |batch: &&mut Batch| batch.failures == 0 && batch.bytes + size <= config.batch_bytes_max;
        let batch = match self.waiting.back_mut().filter(has_room) {
            Some(batch) => batch,
            None => {
                *ids += 1;
                self.waiting.push_back(Batch::open(*ids, now, record.given));
                self.waiting.back_mut().expect("it was just pushed")
            }
        };
        batch.bytes += size;
        batch.records.push(record);
    }

    /// When the front may go as far as time is concerned.
    #[must_use]
    pub fn ready_at(&self, config: &ProducerConfig) -> Option<Time> {
        let front = self.waiting.front()?;
        let full = self.waiting.len() > 1 || front.bytes + RECORD_OVERHEAD >= config.batch_bytes_max || front.failures > 0;
        Some(if full { front.retry_at } else { front.opened.plus(config.linger) })
    }

    /// Whether the front may go as far as order is concerned.
    #[must_use]
    pub fn may_launch(&self, current: Option<Identity>, config: &ProducerConfig) -> bool {
        let Some(front) = self.waiting.front() else { return false };
        if !config.idempotence {
            return config.in_flight_max > 1 || self.flying.is_empty();
        }
        match (front.stamp, current) {
            (Some(_), _) => !self.numbering.is_restarting() && self.flying.iter().all(|batch| batch.id > front.id),
            (None, Some(current)) => {
                let room = self.flying.len() < config.in_flight_max && !self.flying.iter().any(|batch| batch.abandoned);
                room && self.numbering.may_stamp(current, self.flying.len())
            }
            (None, None) => false,
        }
    }

    /// Size of the front.
    #[must_use]
    pub fn front_size(&self) -> usize {
        self.waiting.front().map_or(0, Batch::size)
    }

    /// The front goes; gives the batch to be sent.
    ///
    /// # Panics
    /// When [`Lane::may_launch`] forbids it.
    pub fn launch(&mut self, current: Option<Identity>, config: &ProducerConfig) -> &Batch {
        assert!(self.may_launch(current, config), "{}-{} may not launch", self.topic, self.index);
        let mut batch = self.waiting.pop_front().expect("there is a front that may go");
        if let (true, None, Some(current)) = (config.idempotence, batch.stamp, current) {
            let records = i32::try_from(batch.records.len()).expect("a batch holds fewer records than bytes");
            batch.stamp = Some(self.numbering.stamp(current, records));
        }
        self.flying.push(batch);
        self.flying.last().expect("it was just pushed")
    }

    /// A flying batch has come down. What ended thereby goes to `ended`; says which identity must not be used here any more.
    pub fn land(
        &mut self,
        now: Time,
        id: u64,
        landing: Landing,
        config: &ProducerConfig,
        ended: &mut Vec<Ended>,
    ) -> Option<(Identity, Retirement)> {
        let at = self.flying.iter().position(|batch| batch.id == id)?;
        let mut batch = self.flying.remove(at);
        match landing {
            Landing::Answered(error, offset) if verdict(error) == Verdict::Appended => {
                if let Some(stamp) = batch.stamp {
                    self.numbering.on_appended(stamp);
                }
                let offset = Some(Offset(offset)).filter(|offset| offset.0 >= 0);
                if !batch.abandoned {
                    ended.push(Ended { records: batch.records, ending: Ending::Written(offset) });
                }
            }
            Landing::Answered(..) | Landing::Lost | Landing::Unsendable(_) => {
                let misjudged = batch.is_misjudged(landing, config);
                batch.note_failure(now, landing, config);
                if misjudged {
                    self.acted.set();
                }
                self.on_failed(batch, landing, now, config, ended);
            }
        }
        self.settle(config, ended)
    }

    fn on_failed(&mut self, mut batch: Batch, landing: Landing, now: Time, config: &ProducerConfig, ended: &mut Vec<Ended>) {
        self.check_numbering(&batch, landing);
        let retry = !batch.abandoned
            && batch.failures <= config.retries
            && now < batch.expires(config)
            && batch.may_retry(landing, config);
        if retry {
            let place = self.waiting.partition_point(|other| other.id < batch.id);
            self.waiting.insert(place, batch);
            return;
        }
        if let Some(stamp) = batch.stamp {
            self.numbering.request_restart(stamp, Retirement::Gap);
        }
        if !batch.abandoned {
            ended.push(batch.fail());
        }
    }

    /// A refusal of the numbers: is there a gap, or is only an older batch to be sent again first?
    fn check_numbering(&mut self, batch: &Batch, landing: Landing) {
        let (Some(stamp), Landing::Answered(error, _)) = (batch.stamp, landing) else { return };
        if is_identity_error(error) {
            self.numbering.request_restart(stamp, Retirement::Refused);
        } else if is_sequence_error(error) {
            let mut others = self.waiting.iter().filter(|other| other.stamp.is_some()).chain(&self.flying);
            if others.all(|other| other.id > batch.id) {
                self.numbering.request_restart(stamp, Retirement::Gap);
            }
        }
    }

    /// Ends what has lived too long. See [`Lane::land`].
    pub fn expire(&mut self, now: Time, config: &ProducerConfig, ended: &mut Vec<Ended>) -> Option<(Identity, Retirement)> {
        for batch in self.flying.iter_mut().filter(|batch| !batch.abandoned && batch.expires(config) <= now) {
            batch.in_doubt = true;
            batch.abandoned = true;
            ended.push(batch.fail());
        }
        let expired = self.waiting.iter().take_while(|batch| batch.expires(config) <= now).count();
        for mut batch in self.waiting.drain(..expired) {
            if let Some(stamp) = batch.stamp {
                self.numbering.request_restart(stamp, Retirement::Gap);
            }
            ended.push(batch.fail());
        }
        self.settle(config, ended)
    }

    /// Restarts the numbering as soon as nothing flies any more.
    fn settle(&mut self, config: &ProducerConfig, ended: &mut Vec<Ended>) -> Option<(Identity, Retirement)> {
        if !self.flying.is_empty() || !self.numbering.is_restarting() {
            return None;
        }
        // Under other numbers a broker that already has these records would take them again.
        let (doubtful, fresh) = std::mem::take(&mut self.waiting).into_iter().partition(|batch| batch.in_doubt);
        let doubtful: VecDeque<Batch> = doubtful;
        self.waiting = fresh;
        if config.common.mutants.is(Mutant::SequenceReassignOrder) {
            self.disarrange();
        }
        ended.extend(doubtful.into_iter().map(|mut batch| batch.fail()));
        for batch in &mut self.waiting {
            batch.stamp = None;
        }
        self.numbering.restart()
    }

    /// Planted bug: what was on its way before comes in the order of a heap whose least element was taken out.
    fn disarrange(&mut self) {
        let sent = self.waiting.iter().take_while(|batch| batch.stamp.is_some()).count();
        let mut heap: BinaryHeap<Reverse<usize>> = (0..=sent).map(Reverse).collect();
        heap.pop();
        let order: Vec<usize> = heap.into_iter().map(|Reverse(place)| place - 1).collect();
        if !order.is_sorted() {
            self.acted.set();
        }
        let mut batches: Vec<Option<Batch>> = self.waiting.drain(..sent).map(Some).collect();
        for place in order.into_iter().rev() {
            self.waiting.extend(batches[place].take());
            self.waiting.rotate_right(1);
        }
    }

    /// When something expires.
    #[must_use]
    pub fn expires(&self, config: &ProducerConfig) -> Option<Time> {
        let flying = self.flying.iter().filter(|batch| !batch.abandoned);
        self.waiting.front().into_iter().chain(flying).map(|batch| batch.expires(config)).min()
    }
}

impl Batch {
    fn note_failure(&mut self, now: Time, landing: Landing, config: &ProducerConfig) {
        self.failures += 1;
        self.retry_at = now.plus(config.common.retry_backoff.after(self.failures));
        match landing {
            Landing::Answered(error, _) => {
                self.error = error;
                self.in_doubt |= verdict(error) == Verdict::Doubtful && !self.is_misjudged(landing, config);
            }
            Landing::Lost => self.in_doubt = true,
            Landing::Unsendable(error) => self.error = error,
        }
    }

    /// Planted bug: an answer that leaves the fate of the batch open is taken for "not written".
    fn is_misjudged(&self, landing: Landing, config: &ProducerConfig) -> bool {
        matches!(landing, Landing::Answered(ErrorCode::NOT_LEADER_OR_FOLLOWER, _))
            && config.common.mutants.is(Mutant::NotLeaderIsDefiniteFailure)
            && !self.in_doubt
    }

    fn may_retry(&self, landing: Landing, config: &ProducerConfig) -> bool {
        match landing {
            Landing::Answered(..) if self.is_misjudged(landing, config) => false,
            Landing::Answered(error, _) => error.is_retriable() || (self.stamp.is_some() && is_sequence_error(error)),
            Landing::Lost => true,
            Landing::Unsendable(_) => false,
        }
    }
}
