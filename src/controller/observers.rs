//! Brokers that read the metadata log.
//!
//! An observer fetches like a follower but has no vote: what it has read acknowledges nothing. It gets only what is committed, so it
//! never has to give a record back. A fetch at the committed end is parked until that end moves or its time is up.
//!
//! ```text
//!   observer's epoch not mine            FENCED_LEADER_EPOCH, UNKNOWN_LEADER_EPOCH      (-1 asks for no check)
//!   its last record of another history   diverging epoch and end: truncate and come again
//!   beyond my end                        OFFSET_OUT_OF_RANGE
//!   at or above the committed end        parked
//!   below                                batches
//! ```
//!
//! Another cluster is refused as INCONSISTENT_CLUSTER_ID, another partition as INVALID_REQUEST. Fetch sessions are not kept: each
//! request names its one partition.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::metadata_log::{METADATA_TOPIC, METADATA_TOPIC_ID, MetadataLog, MetadataLogError};
use crate::disk::Disk;
use crate::types::{BrokerId, ConnectionId, Duration, LeaderEpoch, Offset, Time};
use crate::wire::fetch_request::FetchRequest;
use crate::wire::fetch_response::{EpochEndOffset, FetchResponse, FetchableTopicResponse, LeaderIdAndEpoch, PartitionData};
use crate::wire::{ErrorCode, RequestHeader};

/// What an observer wants to read.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Wanted {
    /// From there on.
    offset: Offset,
    /// Epoch of the record before; negative if it has none.
    last_epoch: LeaderEpoch,
    /// The controller epoch it believes in; negative if it knows none.
    leader_epoch: LeaderEpoch,
    /// At most so many bytes, except for a first batch that is larger.
    bytes_max: usize,
}

impl Wanted {
    /// What this request wants.
    ///
    /// # Errors
    /// The code for the whole response, if it is not for this cluster or not for the metadata log alone.
    pub fn of(request: &FetchRequest, cluster_id: &str) -> Result<Wanted, ErrorCode> {
        if request.cluster_id.as_ref().is_some_and(|id| id != cluster_id) {
            return Err(ErrorCode::INCONSISTENT_CLUSTER_ID);
        }
        let [topic] = request.topics.as_slice() else { return Err(ErrorCode::INVALID_REQUEST) };
        let [partition] = topic.partitions.as_slice() else { return Err(ErrorCode::INVALID_REQUEST) };
        let is_metadata = topic.topic == METADATA_TOPIC || topic.topic_id == METADATA_TOPIC_ID;
        if !is_metadata || partition.partition != 0 || partition.fetch_offset < 0 {
            return Err(ErrorCode::INVALID_REQUEST);
        }
        Ok(Wanted {
            offset: Offset(partition.fetch_offset),
            last_epoch: LeaderEpoch(partition.last_fetched_epoch),
            leader_epoch: LeaderEpoch(partition.current_leader_epoch),
            bytes_max: usize::try_from(request.max_bytes.min(partition.partition_max_bytes)).unwrap_or(0),
        })
    }
}

/// A fetch that waits for records.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Parked {
    /// Version of the request.
    pub version: i16,
    /// Its correlation id.
    pub correlation_id: i32,
    /// What it wants.
    pub wanted: Wanted,
    /// When it is answered with nothing.
    pub deadline: Time,
}

/// The fetches that wait, one per connection at most.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Observers {
    parked: BTreeMap<ConnectionId, Parked>,
}

impl Observers {
    /// Parks a fetch.
    pub fn park(&mut self, connection: ConnectionId, header: &RequestHeader, wanted: Wanted, now: Time, max_wait_ms: i32) {
        let deadline = now.plus(Duration::from_millis_field(i64::from(max_wait_ms)));
        let parked = Parked { version: header.api_version, correlation_id: header.correlation_id, wanted, deadline };
        self.parked.insert(connection, parked);
    }

    /// The connection is gone.
    pub fn forget(&mut self, connection: ConnectionId) {
        self.parked.remove(&connection);
    }

    /// When the first parked fetch has waited long enough.
    #[must_use]
    pub fn deadline(&self) -> Option<Time> {
        self.parked.values().map(|parked| parked.deadline).min()
    }

    /// Takes out the fetches that can be answered: with records, or because their time is up.
    pub fn ready(&mut self, committed: Offset, now: Time) -> Vec<(ConnectionId, Parked)> {
        let is_ready = |parked: &Parked| parked.wanted.offset < committed || parked.deadline <= now;
        let (ready, parked) = std::mem::take(&mut self.parked).into_iter().partition(|(_, parked)| is_ready(parked));
        self.parked = parked;
        let ready: BTreeMap<ConnectionId, Parked> = ready;
        ready.into_iter().collect()
    }
}

/// The answer to a fetch as things are now; `None` if it should be parked.
///
/// # Errors
/// If the log cannot be read.
pub fn answer(
    log: &mut MetadataLog,
    disk: &mut dyn Disk,
    controller: BrokerId,
    wanted: &Wanted,
) -> Result<Option<FetchResponse>, MetadataLogError> {
    let mut partition = empty(log, controller);
    match check(log, wanted) {
        Ok(()) => {
            if wanted.offset >= log.committed() {
                return Ok(None);
            }
            partition.records = Some(log.read(disk, wanted.offset, wanted.bytes_max)?);
            Ok(Some(response(partition)))
        }
        Err(Astray::Refused(error)) => {
            partition.error_code = error.code();
            Ok(Some(response(partition)))
        }
        Err(Astray::Diverging(epoch, end)) => {
            partition.diverging_epoch = EpochEndOffset { epoch: epoch.0, end_offset: end.0, ..EpochEndOffset::default() };
            Ok(Some(response(partition)))
        }
    }
}

/// The answer to a fetch that has waited for nothing.
#[must_use]
pub fn nothing(log: &MetadataLog, controller: BrokerId) -> FetchResponse {
    response(empty(log, controller))
}

/// Why an observer gets no records.
enum Astray {
    Refused(ErrorCode),
    Diverging(LeaderEpoch, Offset),
}

fn check(log: &MetadataLog, wanted: &Wanted) -> Result<(), Astray> {
    if wanted.leader_epoch.0 >= 0 && wanted.leader_epoch < log.epoch() {
        return Err(Astray::Refused(ErrorCode::FENCED_LEADER_EPOCH));
    }
    if wanted.leader_epoch > log.epoch() {
        return Err(Astray::Refused(ErrorCode::UNKNOWN_LEADER_EPOCH));
    }
    // Before the first record there is no history to compare.
    if wanted.last_epoch.0 >= 0 && wanted.offset > Offset::ZERO {
        match log.epoch_end(wanted.last_epoch) {
            None => return Err(Astray::Refused(ErrorCode::OFFSET_OUT_OF_RANGE)),
            Some((epoch, end)) if epoch < wanted.last_epoch || end < wanted.offset => return Err(Astray::Diverging(epoch, end)),
            Some(_) => {}
        }
    }
    match wanted.offset >= log.start() && wanted.offset <= log.end() {
        true => Ok(()),
        false => Err(Astray::Refused(ErrorCode::OFFSET_OUT_OF_RANGE)),
    }
}

fn empty(log: &MetadataLog, controller: BrokerId) -> PartitionData {
    PartitionData {
        high_watermark: log.committed().0,
        last_stable_offset: log.committed().0,
        log_start_offset: log.start().0,
        current_leader: LeaderIdAndEpoch { leader_id: controller.0, leader_epoch: log.epoch().0, ..Default::default() },
        records: Some(Bytes::new()),
        ..PartitionData::default()
    }
}

fn response(partition: PartitionData) -> FetchResponse {
    let topic = FetchableTopicResponse {
        topic: METADATA_TOPIC.to_owned(),
        topic_id: METADATA_TOPIC_ID,
        partitions: vec![partition],
        ..FetchableTopicResponse::default()
    };
    FetchResponse { responses: vec![topic], ..FetchResponse::default() }
}
