//! What others may read here, and in which order a fetch is checked.
//!
//! 1. The leader epoch named in the request must be ours: an older one is fenced, a newer one means that *we* have not heard the news yet.
//! 2. Only the leader answers.
//! 3. A follower that names the epoch of its last batch is compared with our history of epochs. If that epoch ended, here, below the offset it
//!    asks for, its log parts from ours: it is told where, gets no data, and what it said about its log end does not count (KAFKA-13141).
//! 4. The offset must lie within the log. A follower outside the ISR whose log is empty, and who names no epoch, must begin where ours does.
//! 5. The answer is made up, and only then is the follower's progress noted, which may raise the high watermark or bring it into the ISR. So
//!    the answer names the high watermark of before, and the follower hears of the new one with a later fetch.
//!
//! ```text
//!    follower   0  0  0  1  1        last epoch 1, asks for offset 5
//!    leader     0  0  0  2  2  2     floor of epoch 1 is epoch 0, which ends at 3: "you part from me after (epoch 0, offset 3)"
//! ```
//!
//! A follower reads up to the log end, a consumer up to the high watermark. "Latest offset" is withheld from consumers until the high watermark has
//! reached the epoch start: before that a new leader would name an offset that its predecessor had already passed.

use bytes::Bytes;

use crate::actor::{Now, Outbox};
use crate::disk::Disk;
use crate::fact::{Corner, Fact};
use crate::log::LogError;
use crate::mutant::Mutant;
use crate::types::{BrokerEpoch, BrokerId, LeaderEpoch, Offset, Timestamp};
use crate::wire::ErrorCode;

use super::role::Role;
use super::{Members, Replica};

/// Where a reader stands.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct FetchFrom {
    /// The leader epoch it believes in; `None` from old clients.
    pub leader_epoch: Option<LeaderEpoch>,
    /// First offset wanted; for a follower: everything below is in its log.
    pub offset: Offset,
    /// Leader epoch of the last batch below `offset`; `None` if it has none, or is a consumer that does not say.
    pub last_epoch: Option<LeaderEpoch>,
    /// Where its own log starts (followers).
    pub log_start: Offset,
}

/// Who reads.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Reader {
    /// Anybody from outside.
    Consumer {
        /// Only transactions that are committed (read_committed).
        committed_only: bool,
    },
    /// A replica.
    Follower {
        /// Who.
        broker: BrokerId,
        /// Its broker epoch (-1: it does not say).
        broker_epoch: BrokerEpoch,
    },
}

/// The answer to a fetch of one partition.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fetched {
    /// Kafka's error code.
    pub error: ErrorCode,
    /// High watermark, -1 with an error.
    pub high_watermark: Offset,
    /// Last stable offset: the high watermark, as there are no transactions.
    pub last_stable: Offset,
    /// Log start; also given with OFFSET_OUT_OF_RANGE, where a follower must begin anew.
    pub log_start: Offset,
    /// Where the reader's log parts from ours: the largest epoch both can have, and its end here.
    pub diverging: Option<(LeaderEpoch, Offset)>,
    /// Whole batches.
    pub records: Bytes,
}

impl Fetched {
    fn refused(error: ErrorCode, log_start: Offset) -> Fetched {
        let none = Offset(-1);
        Fetched { error, high_watermark: none, last_stable: none, log_start, diverging: None, records: Bytes::new() }
    }

    /// Whether the answer cannot wait for more bytes.
    #[must_use]
    pub fn is_urgent(&self) -> bool {
        !self.error.is_none() || self.diverging.is_some()
    }
}

/// How much a fetch may bring.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Budget {
    /// Bytes at most.
    pub bytes_max: usize,
    /// The first batch is given even if it is larger: else a reader could never get past it.
    pub at_least_one: bool,
}

impl Replica {
    /// Answers a fetch for the first time: a follower's progress is noted.
    #[allow(clippy::too_many_arguments)] // The clocks, the disk and the outbox are lent for each step, by design.
    pub fn fetch(
        &mut self,
        now: Now,
        from: &FetchFrom,
        reader: Reader,
        budget: Budget,
        members: &Members,
        disk: &mut dyn Disk,
        out: &mut Outbox,
    ) -> Fetched {
        if let Some(refused) = self.check(from, reader, out) {
            note_refusal(&refused, reader, out);
            return refused;
        }
        let fetched = self.serve(from, reader, budget, disk, out);
        if let Reader::Follower { broker, broker_epoch } = reader {
            self.note_progress(now, broker, broker_epoch, from, members, out);
        }
        fetched
    }

    /// Answers a parked fetch once more.
    pub fn reread(&mut self, from: &FetchFrom, reader: Reader, budget: Budget, disk: &mut dyn Disk, out: &mut Outbox) -> Fetched {
        match self.check(from, reader, out) {
            Some(refused) => refused,
            None => self.serve(from, reader, budget, disk, out),
        }
    }

    /// Reads for this broker itself, which leads: whole batches from `from` on, also above the high watermark, up to `end`.
    ///
    /// # Errors
    /// What a client would be told.
    pub fn read_own(
        &mut self,
        from: Offset,
        end: Offset,
        bytes_max: usize,
        disk: &mut dyn Disk,
        out: &mut Outbox,
    ) -> Result<Bytes, ErrorCode> {
        if !self.is_leader() {
            return Err(ErrorCode::NOT_LEADER_OR_FOLLOWER);
        }
        match self.log.read(disk, from, end, bytes_max, true) {
            Ok(bytes) => Ok(bytes),
            Err(error) => Err(self.note_log_error(&error, disk, out)),
        }
    }

    fn check(&self, from: &FetchFrom, reader: Reader, out: &mut Outbox) -> Option<Fetched> {
        let refuse = |error| Some(Fetched::refused(error, Offset(-1)));
        if let Err(error) = self.check_epoch(from.leader_epoch) {
            match self.ignore_epochs(from, reader, error, out) {
                Ok(()) => {}
                Err(answer) => return Some(answer),
            }
        }
        let Role::Leader(leader) = &self.role else { return refuse(ErrorCode::NOT_LEADER_OR_FOLLOWER) };
        if let Reader::Follower { broker, broker_epoch } = reader {
            // A request of a former life of that broker, overtaken by its new one.
            let stale = |known: BrokerEpoch| broker_epoch != BrokerEpoch::NONE && broker_epoch < known;
            match leader.followers.get(&broker) {
                Some(progress) if !stale(progress.broker_epoch) => {}
                Some(_) | None => return refuse(ErrorCode::NOT_LEADER_OR_FOLLOWER),
            }
            if self.mutant(Mutant::UnfencedFetch) {
                return self.check_bounds_only(from, reader, out);
            }
        }
        self.check_position(from, reader)
    }

    /// Planted bugs: a leader that is not fenced from a follower of another epoch. `Err` is what it is answered.
    fn ignore_epochs(&self, from: &FetchFrom, reader: Reader, error: ErrorCode, out: &mut Outbox) -> Result<(), Fetched> {
        let refused = Err(Fetched::refused(error, Offset(-1)));
        let is_mismatch = [ErrorCode::FENCED_LEADER_EPOCH, ErrorCode::UNKNOWN_LEADER_EPOCH].contains(&error);
        if !is_mismatch || !self.is_leader() || matches!(reader, Reader::Consumer { .. }) {
            return refused;
        }
        if self.mutant(Mutant::UnfencedFetch) {
            out.fact(Mutant::UnfencedFetch.acted());
            return Ok(());
        }
        if self.mutant(Mutant::UnfencedEpochLookup) && from.last_epoch.is_some() {
            out.fact(Mutant::UnfencedEpochLookup.acted());
            let agreed = Fetched { high_watermark: Offset(-1), ..self.answer(Bytes::new()) };
            return Err(self.check_position(from, reader).unwrap_or(agreed));
        }
        refused
    }

    /// Planted bug: as [`Replica::check_position`], without comparing the logs.
    fn check_bounds_only(&self, from: &FetchFrom, reader: Reader, out: &mut Outbox) -> Option<Fetched> {
        let compared = self.check_position(from, reader);
        if compared.as_ref().is_some_and(|answer| answer.diverging.is_some()) {
            out.fact(Mutant::UnfencedFetch.acted());
        }
        self.check_position(&FetchFrom { last_epoch: None, ..*from }, reader)
    }

    /// Compares logs, then the bounds.
    fn check_position(&self, from: &FetchFrom, reader: Reader) -> Option<Fetched> {
        let out_of_range = Fetched::refused(ErrorCode::OFFSET_OUT_OF_RANGE, self.log.log_start());
        if let Some(last_epoch) = from.last_epoch {
            let Some((epoch, end)) = self.log.epoch_end(last_epoch) else { return Some(out_of_range) };
            // An epoch from before all that is known here: nothing of it can be compared any more, even if the ends agree. A consumer need
            // not care: it keeps nothing, and goes on from where it stands.
            let is_forgotten = matches!(reader, Reader::Follower { .. })
                && self.log.epochs().first().is_some_and(|first| last_epoch < first.epoch);
            if epoch < last_epoch || end < from.offset || is_forgotten {
                let diverging = Some((epoch, end));
                return Some(Fetched { diverging, ..self.answer(Bytes::new()) });
            }
        }
        let within = (self.log.log_start()..=self.log.log_end()).contains(&from.offset);
        (!within || self.cannot_be_compared(from, reader)).then_some(out_of_range)
    }

    /// An empty log of which nobody knows in which epoch it was given up, up to a place behind our start: it may be another past, and what we hold
    /// below is not what was deleted there. A member of the ISR has what is committed, or had it.
    fn cannot_be_compared(&self, from: &FetchFrom, reader: Reader) -> bool {
        let (Reader::Follower { broker, .. }, Role::Leader(leader)) = (reader, &self.role) else { return false };
        let is_empty = from.last_epoch.is_none() && from.log_start == from.offset;
        is_empty && from.offset > self.log.log_start() && !leader.isr.may_contain(broker)
    }

    fn check_epoch(&self, named: Option<LeaderEpoch>) -> Result<(), ErrorCode> {
        if self.failed.is_some() {
            return Err(ErrorCode::KAFKA_STORAGE_ERROR);
        }
        match named {
            Some(named) if named < self.leader_epoch() => Err(ErrorCode::FENCED_LEADER_EPOCH),
            Some(named) if named > self.leader_epoch() => Err(ErrorCode::UNKNOWN_LEADER_EPOCH),
            Some(_) | None => Ok(()),
        }
    }

    fn note_progress(
        &mut self,
        now: Now,
        follower: BrokerId,
        broker_epoch: BrokerEpoch,
        from: &FetchFrom,
        members: &Members,
        out: &mut Outbox,
    ) {
        let leader_end = self.log.log_end();
        let Role::Leader(leader) = &mut self.role else { return };
        let progress = leader.followers.get_mut(&follower).expect("checked to be a replica");
        progress.on_fetch(now.mono, from.offset, leader_end, broker_epoch);
        self.changes.low_watermark |= progress.log_start.replace(from.log_start) != Some(from.log_start);
        self.maybe_expand(follower, members, out);
        self.advance_high_watermark(now, members, out);
    }

    fn serve(&mut self, from: &FetchFrom, reader: Reader, budget: Budget, disk: &mut dyn Disk, out: &mut Outbox) -> Fetched {
        let end = self.readable_end(reader);
        let read = self.log.read(disk, from.offset, end, budget.bytes_max, budget.at_least_one);
        let records = match read {
            Ok(records) => records,
            Err(error) => return Fetched::refused(self.note_log_error(&error, disk, out), Offset(-1)),
        };
        let beyond = end > self.high_watermark && !records.is_empty();
        if beyond && matches!(reader, Reader::Consumer { .. }) {
            out.fact(Mutant::ExposeUncommitted.acted());
        }
        self.answer(records)
    }

    fn readable_end(&self, reader: Reader) -> Offset {
        match reader {
            Reader::Follower { .. } => self.log.log_end(),
            Reader::Consumer { .. } if self.mutant(Mutant::ExposeUncommitted) => self.log.log_end(),
            Reader::Consumer { .. } => self.high_watermark,
        }
    }

    fn answer(&self, records: Bytes) -> Fetched {
        Fetched {
            error: ErrorCode::NONE,
            high_watermark: self.high_watermark,
            last_stable: self.high_watermark,
            log_start: self.log.log_start(),
            diverging: None,
            records,
        }
    }

    /// Answers ListOffsets: -1 latest, -2 earliest, -3 the youngest record, else the first record at or after a time. Gives its timestamp (-1 for the special
    /// ones), its offset and leader epoch.
    ///
    /// # Errors
    /// Kafka's error code.
    pub fn list_offset(
        &mut self,
        timestamp: i64,
        leader_epoch: Option<LeaderEpoch>,
        reader: Reader,
        disk: &mut dyn Disk,
        out: &mut Outbox,
    ) -> Result<(Timestamp, Offset, LeaderEpoch), ErrorCode> {
        const LATEST: i64 = -1;
        const EARLIEST: i64 = -2;
        const MAX_TIMESTAMP: i64 = -3;
        const LATEST_TIERED: i64 = -5;
        self.check_epoch(leader_epoch)?;
        let Role::Leader(leader) = &self.role else { return Err(ErrorCode::NOT_LEADER_OR_FOLLOWER) };
        let (epoch, epoch_start) = (leader.epoch, leader.epoch_start);
        let end = self.readable_end(reader);
        let none = Timestamp(-1);
        match timestamp {
            LATEST if end < epoch_start && self.mutant(Mutant::ServeBeforeEpochStart) => {
                out.fact(Mutant::ServeBeforeEpochStart.acted());
                Ok((none, end, epoch))
            }
            LATEST if end < epoch_start => Err(ErrorCode::OFFSET_NOT_AVAILABLE),
            LATEST => Ok((none, end, epoch)),
            EARLIEST => Ok((none, self.log.log_start(), epoch)),
            // Nothing lies on a second tier.
            LATEST_TIERED => Ok((none, Offset(-1), LeaderEpoch::NONE)),
            wanted if wanted < 0 && wanted != MAX_TIMESTAMP => Err(ErrorCode::UNSUPPORTED_VERSION),
            wanted => match self.find_by_time(wanted, disk) {
                Ok(Some((found, offset))) if offset < end => Ok((found, offset, epoch)),
                Ok(_) if end < epoch_start => Err(ErrorCode::OFFSET_NOT_AVAILABLE),
                Ok(_) => Ok((none, Offset(-1), LeaderEpoch::NONE)),
                Err(error) => Err(self.note_log_error(&error, disk, out)),
            },
        }
    }

    fn find_by_time(&mut self, wanted: i64, disk: &mut dyn Disk) -> Result<Option<(Timestamp, Offset)>, LogError> {
        match wanted {
            0.. => self.log.offset_for_timestamp(disk, Timestamp(wanted)),
            _ => self.log.offset_of_max_timestamp(disk),
        }
    }

    /// Answers OffsetForLeaderEpoch: the largest epoch up to `epoch` and where it ends; `None` if there is none.
    ///
    /// # Errors
    /// Kafka's error code.
    pub fn epoch_end(
        &self,
        current: Option<LeaderEpoch>,
        epoch: LeaderEpoch,
    ) -> Result<Option<(LeaderEpoch, Offset)>, ErrorCode> {
        self.check_epoch(current)?;
        if !self.is_leader() {
            return Err(ErrorCode::NOT_LEADER_OR_FOLLOWER);
        }
        Ok(self.log.epoch_end(epoch))
    }
}

/// A follower that is refused stands in a corner: say in which.
fn note_refusal(refused: &Fetched, reader: Reader, out: &mut Outbox) {
    let corner = match refused.error {
        ErrorCode::FENCED_LEADER_EPOCH => Corner::FollowerFenced,
        ErrorCode::UNKNOWN_LEADER_EPOCH => Corner::LeaderBehindFollower,
        ErrorCode::OFFSET_OUT_OF_RANGE => Corner::FollowerOutOfRange,
        _ => return,
    };
    if matches!(reader, Reader::Follower { .. }) {
        out.fact(Fact::Reached { corner });
    }
}
