//! How each request is told an error.
//!
//! Some answers have one place for it, some one for each partition, some both, by version. An answer that was made up already and waits for its
//! records is turned into an error by the same rules.

use crate::wire::delete_groups_response::DeletableGroupResult;
use crate::wire::describe_groups_response::DescribedGroup;
use crate::wire::offset_commit_response::{OffsetCommitResponsePartition, OffsetCommitResponseTopic};
use crate::wire::{
    DeleteGroupsResponse, ErrorCode, HeartbeatResponse, LeaveGroupResponse, OffsetCommitRequest, OffsetCommitResponse,
    OffsetDeleteResponse, Response,
};

use super::GroupRequest;
use super::classic::{refuse_join, refuse_sync};
use super::consumer::refuse as refuse_heartbeat;

/// The answer to a request that fails as a whole.
#[must_use]
pub fn refused(request: &GroupRequest, version: i16, error: ErrorCode) -> Response {
    let error_code = error.code();
    match request {
        GroupRequest::Join(request) => refuse_join(version, error, &request.member_id).into(),
        GroupRequest::Sync(_) => refuse_sync(error).into(),
        GroupRequest::Heartbeat(_) => HeartbeatResponse { error_code, ..HeartbeatResponse::default() }.into(),
        GroupRequest::Leave(_) => LeaveGroupResponse { error_code, ..LeaveGroupResponse::default() }.into(),
        GroupRequest::Commit(request) => commit(request, error).into(),
        GroupRequest::DeleteOffsets(_) => delete_offsets(error).into(),
        GroupRequest::ConsumerHeartbeat(_) => refuse_heartbeat(error).into(),
        GroupRequest::Delete(group) => delete(group, error).into(),
    }
}

/// An answer that cannot be given any more becomes this error.
///
/// # Panics
/// If nothing of the kind ever waits.
pub(super) fn with_error(response: Response, error: ErrorCode) -> Response {
    let error_code = error.code();
    #[allow(clippy::wildcard_enum_match_arm)] // Of a hundred kinds of answers seven wait.
    match response {
        Response::JoinGroup(told) => {
            let mut refused = refuse_join(0, error, &told.member_id);
            // Whether there may be no protocol depends on the version: say what was to be said.
            refused.protocol_name = told.protocol_name.map(|_| String::new());
            refused.into()
        }
        Response::SyncGroup(_) => refuse_sync(error).into(),
        Response::LeaveGroup(_) => LeaveGroupResponse { error_code, ..LeaveGroupResponse::default() }.into(),
        Response::OffsetCommit(mut told) => {
            let answers = told.topics.iter_mut().flat_map(|topic| &mut topic.partitions);
            answers.filter(|answer| answer.error_code == 0).for_each(|answer| answer.error_code = error_code);
            told.into()
        }
        Response::OffsetDelete(_) => delete_offsets(error).into(),
        Response::ConsumerGroupHeartbeat(_) => refuse_heartbeat(error).into(),
        Response::DeleteGroups(mut told) => {
            told.results.iter_mut().for_each(|result| result.error_code = error_code);
            told.into()
        }
        other => unreachable!("{:?} waits for no record", other.api_key()),
    }
}

/// An OffsetCommit that fails for all partitions.
pub(super) fn commit(request: &OffsetCommitRequest, error: ErrorCode) -> OffsetCommitResponse {
    let answer = |partition_index| OffsetCommitResponsePartition {
        partition_index,
        error_code: error.code(),
        ..OffsetCommitResponsePartition::default()
    };
    let topics = request.topics.iter().map(|topic| OffsetCommitResponseTopic {
        name: topic.name.clone(),
        partitions: topic.partitions.iter().map(|wanted| answer(wanted.partition_index)).collect(),
        ..OffsetCommitResponseTopic::default()
    });
    OffsetCommitResponse { topics: topics.collect(), ..OffsetCommitResponse::default() }
}

/// An OffsetDelete that fails.
pub(super) fn delete_offsets(error: ErrorCode) -> OffsetDeleteResponse {
    OffsetDeleteResponse { error_code: error.code(), ..OffsetDeleteResponse::default() }
}

/// What becomes of one group of a DeleteGroups.
pub(super) fn delete(group: &str, error: ErrorCode) -> DeleteGroupsResponse {
    let result = DeletableGroupResult { group_id: group.to_owned(), error_code: error.code(), ..DeletableGroupResult::default() };
    DeleteGroupsResponse { results: vec![result], ..DeleteGroupsResponse::default() }
}

/// A group that cannot be described.
#[must_use]
pub fn describe(group: &str, error: ErrorCode) -> DescribedGroup {
    DescribedGroup { error_code: error.code(), group_id: group.to_owned(), ..DescribedGroup::default() }
}
