//! What coordinators answer, in whatever version it came.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::operation::OffsetToCommit;
use crate::types::{Address, LeaderEpoch, Offset, TopicPartition};
use crate::wire::ErrorCode;
use crate::wire::find_coordinator_response::FindCoordinatorResponse;
use crate::wire::offset_commit_response::OffsetCommitResponse;
use crate::wire::offset_fetch_response::OffsetFetchResponse;

/// Where the coordinator of this group listens.
///
/// # Errors
/// What the broker says, or COORDINATOR_NOT_AVAILABLE if it does not mention the group.
pub fn coordinator(response: &FindCoordinatorResponse, group: &str) -> Result<Address, ErrorCode> {
    let (error, host, port) = match response.coordinators.iter().find(|found| found.key == group) {
        Some(found) => (found.error_code, &found.host, found.port),
        None if response.coordinators.is_empty() => (response.error_code, &response.host, response.port),
        None => return Err(ErrorCode::COORDINATOR_NOT_AVAILABLE),
    };
    ErrorCode(error).ok()?;
    let port = u16::try_from(port).ok().filter(|_| !host.is_empty());
    port.map(|port| Address::new(host, port)).ok_or(ErrorCode::COORDINATOR_NOT_AVAILABLE)
}

/// What became of a commit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stored {
    /// The first error; `NONE` if all offsets are stored.
    pub error: ErrorCode,
    /// Some of them are stored, or may be.
    pub partly: bool,
}

/// What the answer says of these offsets. A partition that is not mentioned may be stored or not.
#[must_use]
pub fn stored(response: &OffsetCommitResponse, wanted: &[OffsetToCommit]) -> Stored {
    let mut stored = Stored { error: ErrorCode::NONE, partly: false };
    for OffsetToCommit { partition, .. } in wanted {
        let topics = response.topics.iter().filter(|topic| *topic.name == *partition.topic);
        let found = topics.flat_map(|topic| &topic.partitions).find(|found| found.partition_index == partition.index);
        let error = found.map_or(ErrorCode::REQUEST_TIMED_OUT, |found| ErrorCode(found.error_code));
        stored.partly |= found.is_none() || error.is_none();
        if stored.error.is_none() {
            stored.error = error;
        }
    }
    stored
}

/// A committed offset.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Committed {
    /// The next record to be read; `None` if nothing is committed.
    pub offset: Option<Offset>,
    /// Leader epoch of the record before it; [`LeaderEpoch::NONE`] if it is not known.
    pub leader_epoch: LeaderEpoch,
}

/// What is committed, for each partition that the answer mentions.
///
/// # Errors
/// Why nothing is said about the group at all.
pub fn committed(
    response: &OffsetFetchResponse,
    group: &str,
) -> Result<BTreeMap<TopicPartition, Result<Committed, ErrorCode>>, ErrorCode> {
    let mut found = BTreeMap::new();
    let mut take = |topic: &str, index, offset, epoch, error| {
        let partition = TopicPartition { topic: Arc::from(topic), index };
        let offset = Some(Offset(offset)).filter(|offset| offset.0 >= 0);
        found.insert(partition, ErrorCode(error).ok().map(|()| Committed { offset, leader_epoch: LeaderEpoch(epoch) }));
    };
    match response.groups.iter().find(|answer| answer.group_id == group) {
        Some(answer) => {
            ErrorCode(answer.error_code).ok()?;
            for topic in &answer.topics {
                for p in &topic.partitions {
                    take(&topic.name, p.partition_index, p.committed_offset, p.committed_leader_epoch, p.error_code);
                }
            }
        }
        None => {
            ErrorCode(response.error_code).ok()?;
            for topic in &response.topics {
                for p in &topic.partitions {
                    take(&topic.name, p.partition_index, p.committed_offset, p.committed_leader_epoch, p.error_code);
                }
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::wire::find_coordinator_response::Coordinator;
    use crate::wire::offset_commit_response::{OffsetCommitResponsePartition, OffsetCommitResponseTopic};

    #[test]
    fn the_coordinator_is_found_in_old_and_new_answers() {
        let (host, port) = ("b2".to_owned(), 9092);
        let old = FindCoordinatorResponse { host: host.clone(), port, ..Default::default() };
        assert_eq!(coordinator(&old, "g").unwrap(), Address::new("b2", 9092));
        let found = Coordinator { key: "g".to_owned(), host, port, ..Default::default() };
        let new = FindCoordinatorResponse { coordinators: vec![found], ..Default::default() };
        assert_eq!(coordinator(&new, "g").unwrap(), Address::new("b2", 9092));
        assert_eq!(coordinator(&new, "other"), Err(ErrorCode::COORDINATOR_NOT_AVAILABLE));
        assert_eq!(coordinator(&FindCoordinatorResponse { port: -1, ..old }, "g"), Err(ErrorCode::COORDINATOR_NOT_AVAILABLE));
    }

    #[test]
    fn a_commit_may_be_stored_in_part() {
        let partition = |index| TopicPartition { topic: Arc::from("t"), index };
        let wanted =
            [0, 1].map(|index| OffsetToCommit { partition: partition(index), offset: Offset(5), leader_epoch: LeaderEpoch(0) });
        let answer = |errors: &[i16]| {
            let of = |(index, error): (usize, &i16)| OffsetCommitResponsePartition {
                partition_index: i32::try_from(index).unwrap(),
                error_code: *error,
                ..Default::default()
            };
            let partitions = errors.iter().enumerate().map(of).collect();
            let topics = vec![OffsetCommitResponseTopic { name: "t".to_owned(), partitions, ..Default::default() }];
            stored(&OffsetCommitResponse { topics, ..Default::default() }, &wanted)
        };
        assert_eq!(answer(&[0, 0]), Stored { error: ErrorCode::NONE, partly: true });
        assert_eq!(answer(&[22, 22]), Stored { error: ErrorCode::ILLEGAL_GENERATION, partly: false });
        assert_eq!(answer(&[0, 22]), Stored { error: ErrorCode::ILLEGAL_GENERATION, partly: true });
        assert_eq!(answer(&[22]), Stored { error: ErrorCode::ILLEGAL_GENERATION, partly: true });
    }
}
