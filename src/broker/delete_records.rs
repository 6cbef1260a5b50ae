//! DeleteRecords: give up the oldest records of partitions led here, and answer when every live replica has.
//!
//! ```text
//!   DeleteRecords(50) ──▶ log start 50 here ──▶ park ──▶ followers hear of it with one fetch, and tell with the next
//!                                                  └──▶ low watermark 50: answer         time is up: REQUEST_TIMED_OUT
//! ```
//!
//! The rules are Kafka's (KIP-107): only the leader; -1 is its high watermark; nothing above that. A topic that does not delete
//! (`cleanup.policy=compact`) refuses. What a replica that is down still has, it gives up when it comes back and fetches.

use std::hash::Hash;

use crate::types::{Duration, Offset, PartitionId};
use crate::wire::delete_records_request::DeleteRecordsPartition;
use crate::wire::delete_records_response::{DeleteRecordsPartitionResult, DeleteRecordsTopicResult};
use crate::wire::{DeleteRecordsRequest, DeleteRecordsResponse, ErrorCode};

use super::BrokerActor;
use super::partitions::Partitions;
use super::purgatory::{Parked, Place, Waiting};
use super::reply::{Caller, Step};

/// A deletion, and how far it has come.
#[derive(Debug, Hash)]
pub(super) struct WaitingDeletion {
    topics: Vec<(String, Vec<Deletion>)>,
}

/// One partition of it.
#[derive(Debug, Hash)]
struct Deletion {
    index: i32,
    /// `None` if it was refused at once.
    partition: Option<PartitionId>,
    progress: Progress,
}

#[derive(Debug, Hash)]
enum Progress {
    /// The low watermark has not reached `required` so far.
    Open { required: Offset, low_watermark: Offset },
    /// It has, and stands there.
    Done { low_watermark: Offset },
    /// It will not.
    Refused(ErrorCode),
}

impl WaitingDeletion {
    /// The partitions whose changes it waits for.
    pub fn partitions(&self) -> impl Iterator<Item = PartitionId> + '_ {
        self.topics.iter().flat_map(|(_, deletions)| deletions).filter_map(|deletion| deletion.partition)
    }

    /// Notes how far the low watermarks have come; true if nothing is open any more. What was reached once stays so.
    fn note_progress(&mut self, partitions: &Partitions) -> bool {
        let mut is_over = true;
        for deletion in self.topics.iter_mut().flat_map(|(_, deletions)| deletions) {
            deletion.note_progress(partitions);
            is_over &= !matches!(deletion.progress, Progress::Open { .. });
        }
        is_over
    }

    /// Sends the answer, with what is still open as timed out.
    pub fn answer(self, caller: Caller, step: &mut Step<'_>) {
        let result = |deletion: &Deletion| DeleteRecordsPartitionResult {
            partition_index: deletion.index,
            low_watermark: deletion.progress.low_watermark().0,
            error_code: deletion.progress.error().code(),
            ..DeleteRecordsPartitionResult::default()
        };
        let topic = |(name, deletions): (String, Vec<Deletion>)| DeleteRecordsTopicResult {
            name,
            partitions: deletions.iter().map(result).collect(),
            ..DeleteRecordsTopicResult::default()
        };
        let topics = self.topics.into_iter().map(topic).collect();
        caller.answer(DeleteRecordsResponse { topics, ..DeleteRecordsResponse::default() }, step.out);
    }
}

impl Deletion {
    fn note_progress(&mut self, partitions: &Partitions) {
        let (Progress::Open { required, low_watermark: known }, Some(partition)) = (&self.progress, self.partition) else {
            return;
        };
        let low_watermark = match partitions.replica_among(partition) {
            Some((replica, members)) => replica.low_watermark(members),
            // The topic was deleted, or the replica moved away.
            None => Err(ErrorCode::NOT_LEADER_OR_FOLLOWER),
        };
        self.progress = match low_watermark {
            Ok(Some(low_watermark)) if low_watermark >= *required => Progress::Done { low_watermark },
            Ok(low_watermark) => Progress::Open { required: *required, low_watermark: low_watermark.unwrap_or(*known) },
            Err(error) => Progress::Refused(error),
        };
    }
}

impl Progress {
    fn low_watermark(&self) -> Offset {
        match self {
            Progress::Open { low_watermark, .. } | Progress::Done { low_watermark } => *low_watermark,
            Progress::Refused(_) => Offset(-1),
        }
    }

    fn error(&self) -> ErrorCode {
        match self {
            Progress::Open { .. } => ErrorCode::REQUEST_TIMED_OUT,
            Progress::Done { .. } => ErrorCode::NONE,
            Progress::Refused(error) => *error,
        }
    }
}

impl BrokerActor {
    /// Gives up records, then answers or parks.
    pub(super) fn on_delete_records(&mut self, caller: Caller, request: &DeleteRecordsRequest, step: &mut Step<'_>) {
        let mut topics = Vec::with_capacity(request.topics.len());
        for topic in &request.topics {
            let mut deletions = Vec::with_capacity(topic.partitions.len());
            for wanted in &topic.partitions {
                deletions.push(self.delete_records(&topic.name, wanted, step));
            }
            topics.push((topic.name.clone(), deletions));
        }
        let mut waiting = WaitingDeletion { topics };
        let timeout = Duration::from_millis_field(i64::from(request.timeout_ms));
        if waiting.note_progress(&self.partitions) || timeout == Duration::ZERO {
            return waiting.answer(caller, step);
        }
        let deadline = step.now.mono.plus(timeout);
        self.parked.park(Parked { caller, deadline, request: Waiting::Deletion(waiting) });
    }

    fn delete_records(&mut self, topic: &str, wanted: &DeleteRecordsPartition, step: &mut Step<'_>) -> Deletion {
        let index = wanted.partition_index;
        let deleted = self.partition_named(topic, index).and_then(|partition| {
            let required = self.delete_records_of(partition, Offset(wanted.offset), step)?;
            Ok((partition, required))
        });
        match deleted {
            Ok((partition, required)) => {
                let progress = Progress::Open { required, low_watermark: Offset(-1) };
                Deletion { index, partition: Some(partition), progress }
            }
            Err(error) => Deletion { index, partition: None, progress: Progress::Refused(error) },
        }
    }

    fn delete_records_of(&mut self, partition: PartitionId, to: Offset, step: &mut Step<'_>) -> Result<Offset, ErrorCode> {
        let Some((replica, _)) = self.partitions.touch(partition) else { return Err(self.missing(partition)) };
        if !self.view.image().topic(partition.topic).is_some_and(|topic| topic.config.deletes()) {
            return Err(ErrorCode::POLICY_VIOLATION);
        }
        replica.delete_records(to, step.out)
    }

    /// Something has happened to a partition that this parked deletion watches.
    pub(super) fn look_again_at_deletion(&mut self, place: Place, step: &mut Step<'_>) {
        let Some(Parked { request: Waiting::Deletion(waiting), .. }) = self.parked.parked_mut(place) else { return };
        if !waiting.note_progress(&self.partitions) {
            return;
        }
        if let Some(Parked { caller, request: Waiting::Deletion(waiting), .. }) = self.parked.release(place) {
            waiting.answer(caller, step);
        }
    }
}
