//! Appending: what a leader takes from clients, what a follower takes from its leader.
//!
//! ```text
//!   leader                                              follower
//!   one batch; size, checksum, counts                   batches that continue the log exactly at its end
//!   epoch not lower than the log's last                 epochs never fall, none beyond the follower's own (R22)
//!   offset and epoch are assigned: 12 bytes patched     offsets and epochs come assigned
//!   producer checked: duplicate, gap, fenced            producer taken over unchecked
//!          └───────────────┐              ┌───────────────┘
//!              epoch cache ─ roll ─ write ─ log end ─ tail, producers
//! ```
//!
//! Everything is judged before the first byte is written. The log end moves directly after the write, before anything that could
//! fail (KAFKA-7866: else a retry finds the old end and writes a second batch under the same offset). When the write itself fails,
//! the log is stopped.
//!
//! Offsets are dense (R18): a batch covers exactly as many offsets as it says to hold records. Only where compaction has been a follower may be sent
//! batches with gaps between them, and emptier ones; the first gap leaves a mark ([`compaction`](super::compaction)). Whether compressed records are as many as
//! the header says is not looked into. Timestamps are the clients' own (`CreateTime`), within bounds, or the leader's (`LogAppendTime`).

use bytes::Bytes;

use super::error::{AppendError, LogError, Refusal};
use super::partition_log::Log;
use super::producers::{ProducerBatch, Verdict};
use super::tail::{PATCHED_BYTES, Piece};
use crate::disk::Disk;
use crate::mutant::Mutant;
use crate::types::{Duration, LeaderEpoch, Offset, ProducerEpoch, ProducerId, Sequence, Timestamp};
use crate::wire::record::{BatchHeader, BatchRef, Compression, TimestampType, batches};

/// A record that its producer has not dated.
const NO_TIMESTAMP: Timestamp = Timestamp(-1);

/// What an append did.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Appended {
    /// Offset of the first record; of a duplicate: where it lies already.
    pub first: Offset,
    /// Offset of the last record.
    pub last: Offset,
    /// The batches now in the log; none for a duplicate.
    pub batches: Vec<AppendedBatch>,
    /// The batch was in the log already; nothing was appended.
    pub duplicate: bool,
    /// The broker's timestamp, if it overrules the client's (`message.timestamp.type=LogAppendTime`).
    pub log_append_time: Option<Timestamp>,
}

/// One batch that is in the log now.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct AppendedBatch {
    /// Offset of its first record.
    pub base_offset: Offset,
    /// Offset of its last record.
    pub last_offset: Offset,
    /// Leader epoch stamped on it.
    pub leader_epoch: LeaderEpoch,
    /// Its checksum.
    pub crc: u32,
    /// Idempotent producer: id, epoch, first sequence.
    pub producer: Option<(ProducerId, ProducerEpoch, Sequence)>,
}

impl Log {
    /// Appends a client's batch under the next offset and the leader's epoch.
    ///
    /// # Errors
    /// See [`AppendError`]; nothing is appended then, unless it is a disk error, which stops the log.
    pub fn append_as_leader(
        &mut self,
        disk: &mut dyn Disk,
        batches: Bytes,
        epoch: LeaderEpoch,
        now: Timestamp,
    ) -> Result<Appended, AppendError> {
        self.check_appendable()?;
        let batch = self.judge_client_batch(&batches, now)?;
        self.check_epoch(epoch)?;
        if let Verdict::Duplicate(original) = self.producers.check(&batch.header)?
            && let Some(known) = self.recognise(&batch.header, original)
        {
            return Ok(Appended::duplicate(known, self.config.log_append_time));
        }
        let stamp = self.config.log_append_time.then_some(now);
        let batch = match stamp {
            Some(stamp) => stamped(&batch, stamp)?,
            None => batch,
        };
        let header = BatchHeader { base_offset: self.log_end, leader_epoch: epoch, ..batch.header };
        let patched = header.to_bytes();
        let head = *patched.first_chunk::<PATCHED_BYTES>().expect("a header is longer");
        let piece = Piece { base: header.base_offset, end: header.next_offset(), head: Some(head), bytes: batch.bytes };
        self.append_run(disk, &[header], piece)?;
        Ok(Appended { log_append_time: stamp, ..Appended::new(&[header]) })
    }

    /// Appends batches that the leader sent. If the log is empty and its end lies inside the leader's first batch (somebody gave up a part of
    /// that batch), the batch comes whole, and the log starts in its middle, where it did before.
    ///
    /// # Errors
    /// See [`AppendError`]; nothing is appended then, unless it is a disk error, which stops the log.
    pub fn append_as_follower(
        &mut self,
        disk: &mut dyn Disk,
        batches: Bytes,
        role_epoch: LeaderEpoch,
    ) -> Result<Appended, AppendError> {
        self.check_appendable()?;
        let run = self.judge_leader_batches(&batches, role_epoch)?;
        let first = run.first().ok_or(AppendError::Refused(Refusal::NotOneBatch))?.base_offset;
        let start = self.log_start;
        if first < self.log_end {
            let result = self.restart_empty_at(disk, first);
            self.watch(result)?;
        }
        let (mut from, mut position) = (0, 0);
        while from < run.len() {
            let (to, bytes) = self.fitting(&run[from..]);
            let headers = &run[from..from + to];
            let piece = Piece {
                base: headers[0].base_offset,
                end: headers[to - 1].next_offset(),
                head: None,
                bytes: batches.slice(position..position + bytes),
            };
            self.append_run(disk, headers, piece)?;
            from += to;
            position += bytes;
        }
        self.move_log_start(start);
        self.epochs_doubtful = false;
        Ok(Appended::new(&run))
    }

    /// What a duplicate is taken for: the batch that it repeats, unless a bug is planted.
    fn recognise(&mut self, batch: &BatchHeader, original: ProducerBatch) -> Option<ProducerBatch> {
        let mutants = self.config.mutants;
        if mutants.is(Mutant::NoDedupWindow) {
            self.acted.set();
            return None;
        }
        let newest = self.producers.of(batch.producer_id).and_then(|state| state.batches.back().copied());
        if mutants.is(Mutant::DedupReturnsOtherOffset) && newest != Some(original) {
            self.acted.set();
            return newest;
        }
        Some(original)
    }

    fn check_appendable(&self) -> Result<(), AppendError> {
        self.check_running()?;
        match self.truncation_pending_sync() {
            true => Err(AppendError::TruncationPending),
            false => Ok(()),
        }
    }

    fn check_epoch(&self, epoch: LeaderEpoch) -> Result<(), AppendError> {
        match self.epochs.last() {
            Some(from) if epoch < from => Err(AppendError::EpochFalls { from, to: epoch }),
            Some(_) | None => Ok(()),
        }
    }

    fn judge_client_batch(&mut self, bytes: &Bytes, now: Timestamp) -> Result<BatchRef, AppendError> {
        let batch = BatchRef::parse(bytes)?;
        if batch.bytes.len() != bytes.len() {
            return Err(AppendError::Refused(Refusal::NotOneBatch));
        }
        let (bytes, header) = (bytes.len(), &batch.header);
        if bytes > self.config.message_bytes_max as usize {
            return Err(AppendError::TooLarge { bytes, bytes_max: self.config.message_bytes_max as usize });
        }
        if bytes > self.config.segment_bytes_max as usize {
            return Err(AppendError::LargerThanSegment { bytes, bytes_max: self.config.segment_bytes_max as usize });
        }
        batch.verify_crc()?;
        judge_fields(header)?;
        match self.judge_timestamps(header, now) {
            Err(_) if self.config.mutants.is(Mutant::FutureDatedTimestampRetention) => self.acted.set(),
            judged => judged?,
        }
        self.judge_keys(&batch)?;
        Ok(batch)
    }

    /// The records are opened only where they need keys.
    fn judge_keys(&self, batch: &BatchRef) -> Result<(), AppendError> {
        if self.config.compaction.is_none() {
            return Ok(());
        }
        for record in batch.opened_records()? {
            if record?.key.is_none() {
                return Err(AppendError::Refused(Refusal::Key));
            }
        }
        Ok(())
    }

    /// A record dated far ahead would keep its segment, and all behind it, from ever growing old (KIP-937). The records are not opened: the
    /// batch is judged by its first and its largest timestamp.
    fn judge_timestamps(&self, header: &BatchHeader, now: Timestamp) -> Result<(), AppendError> {
        if self.config.log_append_time {
            return Ok(());
        }
        let span = |span: Duration| i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
        let earliest = Timestamp(now.0.saturating_sub(span(self.config.timestamp_behind_max)));
        let latest = Timestamp(now.0.saturating_add(span(self.config.timestamp_ahead_max)));
        let dated = [header.base_timestamp, header.max_timestamp].into_iter().filter(|timestamp| *timestamp != NO_TIMESTAMP);
        match dated.into_iter().find(|timestamp| !(earliest..=latest).contains(timestamp)) {
            Some(found) => Err(AppendError::Timestamp { found, earliest, latest }),
            None => Ok(()),
        }
    }

    fn judge_leader_batches(&mut self, bytes: &Bytes, role_epoch: LeaderEpoch) -> Result<Vec<BatchHeader>, AppendError> {
        let mut run: Vec<BatchHeader> = Vec::new();
        let mut expected = self.log_end;
        let mut epoch = self.epochs.last().unwrap_or(LeaderEpoch::NONE);
        for batch in batches(bytes) {
            let batch = batch?;
            match batch.verify_crc() {
                Err(_) if self.config.mutants.is(Mutant::NoCrcCheck) => self.acted.set(),
                verified => verified?,
            }
            let (found, to) = (batch.header.base_offset, batch.header.leader_epoch);
            let covers = found < expected && batch.header.next_offset() > expected;
            let restarts = run.is_empty() && self.is_empty() && covers;
            let is_gap = found > expected && (self.config.gaps_legal || self.cleaner.gaps);
            if found != expected && !restarts && !is_gap {
                return Err(AppendError::UnexpectedOffset { expected, found });
            }
            if to > role_epoch {
                return Err(AppendError::FutureEpoch { found: to, role: role_epoch });
            }
            if to < epoch {
                return Err(AppendError::EpochFalls { from: epoch, to });
            }
            expected = batch.header.next_offset();
            epoch = to;
            run.push(batch.header);
        }
        Ok(run)
    }

    /// Whether there is not a single batch.
    pub(super) fn is_empty(&self) -> bool {
        self.size_bytes() == 0
    }

    /// How many of the batches go into one segment, and their bytes; at least one.
    fn fitting(&self, run: &[BatchHeader]) -> (usize, usize) {
        let room = (self.config.segment_bytes_max as u64).saturating_sub(self.segments.last().map_or(0, |last| last.length));
        // A batch that does not fit begins a new segment, which has more room.
        let room = if run[0].size() as u64 > room { u64::from(self.config.segment_bytes_max) } else { room };
        let (mut count, mut bytes) = (1, run[0].size());
        while let Some(header) = run.get(count).filter(|header| (bytes + header.size()) as u64 <= room) {
            bytes += header.size();
            count += 1;
        }
        (count, bytes)
    }

    /// Writes batches that were judged, and everything that follows from their being in the log.
    fn append_run(&mut self, disk: &mut dyn Disk, headers: &[BatchHeader], piece: Piece) -> Result<(), LogError> {
        assert!(headers[0].base_offset >= self.log_end, "a batch at {} before the log end", headers[0].base_offset);
        if has_gap(self.log_end, headers) {
            let result = self.mark_gaps(disk);
            self.watch(result)?;
        }
        let result = self.write_run(disk, headers, &piece);
        self.watch(result)?;
        self.log_end = piece.end;
        for header in headers {
            self.epochs.assign(header.leader_epoch, header.base_offset);
            self.producers.update(header);
        }
        self.tail.push(piece);
        assert!(self.durable_end() <= self.log_end, "what is durable is in the log");
        Ok(())
    }

    fn write_run(&mut self, disk: &mut dyn Disk, headers: &[BatchHeader], piece: &Piece) -> Result<(), LogError> {
        if self.must_roll(headers, piece) {
            self.roll(disk)?;
        }
        let (changed_at, interval) = (self.durability.change(), self.config.index_interval_bytes);
        let active = self.active();
        active.changed_at = changed_at;
        match &piece.head {
            Some(head) => active.append(disk, &[head, &piece.bytes[PATCHED_BYTES..]], headers, interval)?,
            None => active.append(disk, &[&piece.bytes], headers, interval)?,
        }
        Ok(())
    }

    fn must_roll(&self, headers: &[BatchHeader], piece: &Piece) -> bool {
        let active = self.segments.last().expect("a log has at least one segment");
        if active.length == 0 {
            return false;
        }
        let newest = headers.iter().map(|header| header.max_timestamp.0).max().unwrap_or(0);
        let age = active.first_timestamp.map_or(0, |first| newest.saturating_sub(first.0));
        active.length + piece.bytes.len() as u64 > u64::from(self.config.segment_bytes_max)
            || active.index_is_full(self.config.index_bytes_max)
            || piece.end.since(active.base) > i64::from(i32::MAX)
            || u64::try_from(age).is_ok_and(|age| age > self.config.segment_age_max.as_millis())
    }

    /// Closes the active segment and begins the next one.
    pub(super) fn roll(&mut self, disk: &mut dyn Disk) -> Result<(), LogError> {
        self.write_index(disk)?;
        self.write_snapshot(disk)?;
        self.start_segment(disk, self.log_end)?;
        self.durability.press();
        Ok(())
    }
}

/// The batch with `now` as the time of all its records. The checksum covers that, so the bytes are copied.
fn stamped(batch: &BatchRef, now: Timestamp) -> Result<BatchRef, AppendError> {
    let [head, records] = batch.with_header(batch.header.appended_at(now));
    Ok(BatchRef::parse(&Bytes::from([head, records].concat()))?)
}

/// Whether the batches do not follow `end` and each other exactly.
fn has_gap(end: Offset, headers: &[BatchHeader]) -> bool {
    headers.iter().try_fold(end, |end, header| (header.base_offset == end).then(|| header.next_offset())).is_none()
}

fn judge_fields(header: &BatchHeader) -> Result<(), AppendError> {
    let refuse = |refusal| Err(AppendError::Refused(refusal));
    if header.is_control() {
        return refuse(Refusal::Control);
    }
    if header.record_count < 1 || header.record_count - 1 != header.last_offset_delta {
        return refuse(Refusal::Count);
    }
    // Without a producer its epoch and sequence mean nothing; kafkajs leaves them at 0.
    let complete = header.producer_epoch.0 >= 0 && header.base_sequence.0 >= 0;
    if (header.has_producer() && !complete) || (header.is_transactional() && !header.has_producer()) {
        return refuse(Refusal::Producer);
    }
    let unknown_codec = matches!(header.compression(), Compression::Unknown(_));
    if unknown_codec || header.timestamp_type() == TimestampType::LogAppendTime {
        return refuse(Refusal::Attributes);
    }
    Ok(())
}

impl Appended {
    fn new(run: &[BatchHeader]) -> Appended {
        let (first, last) = (run[0].base_offset, run[run.len() - 1].last_offset());
        let batches = run.iter().map(AppendedBatch::new).collect();
        Appended { first, last, batches, duplicate: false, log_append_time: None }
    }

    fn duplicate(original: ProducerBatch, stamped: bool) -> Appended {
        let (first, last) = (original.first_offset, original.last_offset);
        let log_append_time = stamped.then_some(original.timestamp);
        Appended { first, last, batches: Vec::new(), duplicate: true, log_append_time }
    }
}

impl AppendedBatch {
    fn new(header: &BatchHeader) -> AppendedBatch {
        let producer = (header.producer_id, header.producer_epoch, header.base_sequence);
        AppendedBatch {
            base_offset: header.base_offset,
            last_offset: header.last_offset(),
            leader_epoch: header.leader_epoch,
            crc: header.crc,
            producer: header.has_producer().then_some(producer),
        }
    }
}
