//! What clients ask about groups: each request to the shard of its group, and back.
//!
//! Most requests name one group. Three need more here:
//!
//! - OffsetCommit and OffsetDelete name partitions; those that do not exist are refused by the broker, the others go to the shard, and the
//!   answer is one ([`Outline`]).
//! - DeleteGroups names several groups of several shards, each of which answers when it can; the answer is sent when all have.
//! - DescribeGroups, OffsetFetch and ListGroups only read, which takes no time.

use crate::group::{GroupRequest, refused};
use crate::wire::consumer_group_describe_response::DescribedGroup as DescribedConsumerGroup;
use crate::wire::list_groups_response::ListedGroup;
use crate::wire::offset_commit_response::{OffsetCommitResponsePartition, OffsetCommitResponseTopic};
use crate::wire::offset_delete_response::{OffsetDeleteResponsePartition, OffsetDeleteResponseTopic};
use crate::wire::offset_fetch_request::{OffsetFetchRequestGroup, OffsetFetchRequestTopics};
use crate::wire::offset_fetch_response::{
    OffsetFetchResponseGroup, OffsetFetchResponsePartition, OffsetFetchResponsePartitions, OffsetFetchResponseTopic,
    OffsetFetchResponseTopics,
};
use crate::wire::{
    ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse, DeleteGroupsRequest, DeleteGroupsResponse,
    DescribeGroupsRequest, DescribeGroupsResponse, ErrorCode, ListGroupsRequest, ListGroupsResponse, OffsetCommitRequest,
    OffsetCommitResponse, OffsetDeleteRequest, OffsetDeleteResponse, OffsetFetchRequest, OffsetFetchResponse, Response,
};

use super::BrokerActor;
use super::groups::Waits;
use super::reply::{Caller, Step};

/// First version of OffsetFetch that asks about many groups.
const FIRST_WITH_MANY_GROUPS: i16 = 8;
/// First version of OffsetFetch with an error for the whole answer.
const FIRST_WITH_GROUP_ERROR: i16 = 2;

/// An answer of which the broker has written some lines itself.
#[derive(Debug)]
pub(super) enum Outline {
    /// OffsetCommit: the lines without an error are the shard's.
    Commit(OffsetCommitResponse),
    /// OffsetDelete, likewise.
    Delete(OffsetDeleteResponse),
}

impl Outline {
    /// The answer with the shard's lines in their places.
    pub fn filled(self, response: Response) -> Response {
        match (self, response) {
            (Outline::Commit(mut whole), Response::OffsetCommit(part)) => {
                let mut said = part.topics.into_iter().flat_map(|topic| topic.partitions);
                let open = whole.topics.iter_mut().flat_map(|topic| &mut topic.partitions).filter(|line| line.error_code == 0);
                open.zip(&mut said).for_each(|(line, said)| line.error_code = said.error_code);
                whole.into()
            }
            (Outline::Delete(mut whole), Response::OffsetDelete(part)) if part.error_code == 0 => {
                let mut said = part.topics.into_iter().flat_map(|topic| topic.partitions);
                let open = whole.topics.iter_mut().flat_map(|topic| &mut topic.partitions).filter(|line| line.error_code == 0);
                open.zip(&mut said).for_each(|(line, said)| line.error_code = said.error_code);
                whole.into()
            }
            (Outline::Commit(_) | Outline::Delete(_), other) => other,
        }
    }
}

impl BrokerActor {
    /// A request about one group.
    pub(super) fn on_group_request(
        &mut self,
        caller: Caller,
        client_id: Option<String>,
        request: GroupRequest,
        step: &mut Step<'_>,
    ) {
        match self.shard_for(&request) {
            Ok(partition) => self.ask_shard(partition, Waits::Answer(caller), client_id, request, step),
            Err(error) => caller.answer(refused(&request, caller.version, error), step.out),
        }
    }

    fn shard_for(&self, request: &GroupRequest) -> Result<crate::types::PartitionId, ErrorCode> {
        let needs_name = match request {
            GroupRequest::Join(_) | GroupRequest::Sync(_) | GroupRequest::Heartbeat(_) | GroupRequest::Leave(_) => true,
            // Groups without a name could once commit, and what they committed must be found and deleted.
            GroupRequest::Commit(_) | GroupRequest::DeleteOffsets(_) | GroupRequest::Delete(_) => false,
            // The shard says what is wrong with it.
            GroupRequest::ConsumerHeartbeat(_) => false,
        };
        if needs_name && request.group().is_empty() {
            return Err(ErrorCode::INVALID_GROUP_ID);
        }
        self.shard_of_group(request.group())
    }

    fn has_partition(&self, topic: &str, index: i32) -> bool {
        self.partition_named(topic, index).is_ok()
    }

    /// OffsetCommit: partitions that do not exist have no offsets.
    pub(super) fn on_offset_commit(
        &mut self,
        caller: Caller,
        client_id: Option<String>,
        mut request: OffsetCommitRequest,
        step: &mut Step<'_>,
    ) {
        let line = |topic: &str, partition_index: i32| {
            let known = self.has_partition(topic, partition_index);
            let error = if known { ErrorCode::NONE } else { ErrorCode::UNKNOWN_TOPIC_OR_PARTITION };
            OffsetCommitResponsePartition { partition_index, error_code: error.code(), ..Default::default() }
        };
        let outlined = request.topics.iter().map(|topic| OffsetCommitResponseTopic {
            name: topic.name.clone(),
            partitions: topic.partitions.iter().map(|wanted| line(&topic.name, wanted.partition_index)).collect(),
            ..OffsetCommitResponseTopic::default()
        });
        let outline = OffsetCommitResponse { topics: outlined.collect(), ..OffsetCommitResponse::default() };
        for topic in &mut request.topics {
            topic.partitions.retain(|wanted| self.has_partition(&topic.name, wanted.partition_index));
        }
        let is_known = request.topics.iter().any(|topic| !topic.partitions.is_empty());
        let is_nothing = outline.topics.iter().all(|topic| topic.partitions.is_empty());
        if !is_known && !is_nothing {
            return caller.answer(outline, step.out);
        }
        self.ask_outlined(caller, client_id, GroupRequest::Commit(request), Outline::Commit(outline), step);
    }

    /// OffsetDelete, likewise.
    pub(super) fn on_offset_delete(
        &mut self,
        caller: Caller,
        client_id: Option<String>,
        mut request: OffsetDeleteRequest,
        step: &mut Step<'_>,
    ) {
        let line = |topic: &str, partition_index: i32| {
            let known = self.has_partition(topic, partition_index);
            let error = if known { ErrorCode::NONE } else { ErrorCode::UNKNOWN_TOPIC_OR_PARTITION };
            OffsetDeleteResponsePartition { partition_index, error_code: error.code(), ..Default::default() }
        };
        let outlined = request.topics.iter().map(|topic| OffsetDeleteResponseTopic {
            name: topic.name.clone(),
            partitions: topic.partitions.iter().map(|wanted| line(&topic.name, wanted.partition_index)).collect(),
            ..OffsetDeleteResponseTopic::default()
        });
        let outline = OffsetDeleteResponse { topics: outlined.collect(), ..OffsetDeleteResponse::default() };
        for topic in &mut request.topics {
            topic.partitions.retain(|wanted| self.has_partition(&topic.name, wanted.partition_index));
        }
        self.ask_outlined(caller, client_id, GroupRequest::DeleteOffsets(request), Outline::Delete(outline), step);
    }

    fn ask_outlined(
        &mut self,
        caller: Caller,
        client_id: Option<String>,
        request: GroupRequest,
        outline: Outline,
        step: &mut Step<'_>,
    ) {
        match self.shard_for(&request) {
            Ok(partition) => self.ask_shard(partition, Waits::Outlined(caller, outline), client_id, request, step),
            Err(error) => {
                let told = outline.filled(refused(&request, caller.version, error));
                caller.answer(told, step.out);
            }
        }
    }

    /// DeleteGroups: each group by its shard.
    pub(super) fn on_delete_groups(
        &mut self,
        caller: Caller,
        client_id: Option<String>,
        request: DeleteGroupsRequest,
        step: &mut Step<'_>,
    ) {
        if request.groups_names.is_empty() {
            return caller.answer(DeleteGroupsResponse::default(), step.out);
        }
        self.groups.collect(caller.connection, request.groups_names.len());
        for name in request.groups_names {
            let request = GroupRequest::Delete(name);
            match self.shard_for(&request) {
                Ok(partition) => self.ask_shard(partition, Waits::Part(caller), client_id.clone(), request, step),
                Err(error) => self.collect_part(caller, refused(&request, caller.version, error), step),
            }
        }
    }

    /// Answers ListGroups: what the shards on this broker know.
    pub(super) fn on_list_groups(&mut self, caller: Caller, request: &ListGroupsRequest, step: &mut Step<'_>) {
        let mut groups: Vec<ListedGroup> = Vec::new();
        let mut error = ErrorCode::NONE;
        for shard in self.groups.shards.values() {
            match shard.list_groups(&request.states_filter, &request.types_filter) {
                Ok(listed) => groups.extend(listed),
                // A list that is not whole would look as if groups had gone.
                Err(ErrorCode::COORDINATOR_LOAD_IN_PROGRESS) => error = ErrorCode::COORDINATOR_LOAD_IN_PROGRESS,
                Err(_) => {}
            }
        }
        if !error.is_none() {
            groups.clear();
        }
        caller.answer(ListGroupsResponse { error_code: error.code(), groups, ..Default::default() }, step.out);
    }

    /// Answers DescribeGroups.
    pub(super) fn on_describe_groups(&mut self, caller: Caller, request: &DescribeGroupsRequest, step: &mut Step<'_>) {
        let describe = |id: &String| {
            let shard = self
                .shard_of_group(id)
                .and_then(|partition| self.groups.shards.get(&partition).ok_or(ErrorCode::NOT_COORDINATOR));
            match shard {
                Ok(shard) => shard.describe_group(id, caller.version),
                Err(error) => crate::group::undescribed(id, error),
            }
        };
        let groups = request.groups.iter().map(describe).collect();
        caller.answer(DescribeGroupsResponse { groups, ..DescribeGroupsResponse::default() }, step.out);
    }

    /// Answers ConsumerGroupDescribe.
    pub(super) fn on_describe_consumer_groups(
        &mut self,
        caller: Caller,
        request: &ConsumerGroupDescribeRequest,
        step: &mut Step<'_>,
    ) {
        let describe = |id: &String| match self.shard_of_group(id).map(|partition| self.groups.shards.get(&partition)) {
            Ok(Some(shard)) => shard.describe_consumer_group(id, &self.groups.topics),
            Ok(None) | Err(_) => {
                let error_code = ErrorCode::NOT_COORDINATOR.code();
                DescribedConsumerGroup { error_code, group_id: id.clone(), ..DescribedConsumerGroup::default() }
            }
        };
        let groups = request.group_ids.iter().map(describe).collect();
        caller.answer(ConsumerGroupDescribeResponse { groups, ..ConsumerGroupDescribeResponse::default() }, step.out);
    }

    /// Answers OffsetFetch, about one group or, in later versions, about many.
    pub(super) fn on_offset_fetch(&mut self, caller: Caller, request: OffsetFetchRequest, step: &mut Step<'_>) {
        if caller.version >= FIRST_WITH_MANY_GROUPS {
            let groups = request.groups.iter().map(|group| self.fetch_offsets(group)).collect();
            return caller.answer(OffsetFetchResponse { groups, ..OffsetFetchResponse::default() }, step.out);
        }
        let wanted = request.topics.map(|topics| {
            let topics = topics.into_iter().map(|topic| OffsetFetchRequestTopics {
                name: topic.name,
                partition_indexes: topic.partition_indexes,
                ..OffsetFetchRequestTopics::default()
            });
            topics.collect()
        });
        let group = OffsetFetchRequestGroup { group_id: request.group_id, topics: wanted, ..Default::default() };
        let told = self.fetch_offsets(&group);
        let error_code = if caller.version >= FIRST_WITH_GROUP_ERROR { told.error_code } else { 0 };
        let topics = told.topics.into_iter().map(|topic| alone(topic, told.error_code)).collect();
        caller.answer(OffsetFetchResponse { error_code, topics, ..OffsetFetchResponse::default() }, step.out);
    }

    fn fetch_offsets(&self, wanted: &OffsetFetchRequestGroup) -> OffsetFetchResponseGroup {
        let shard = self.shard_of_group(&wanted.group_id).and_then(|partition| {
            let shard = self.groups.shards.get(&partition).ok_or(ErrorCode::NOT_COORDINATOR)?;
            shard.check_active().map(|()| shard)
        });
        match shard {
            Ok(shard) => shard.fetch_offsets(wanted),
            Err(error) => OffsetFetchResponseGroup {
                group_id: wanted.group_id.clone(),
                topics: wanted.topics.iter().flatten().map(|topic| unknown(topic, error)).collect(),
                error_code: error.code(),
                ..OffsetFetchResponseGroup::default()
            },
        }
    }
}

/// A topic nothing can be told of, which the oldest versions have to learn line by line.
fn unknown(topic: &OffsetFetchRequestTopics, error: ErrorCode) -> OffsetFetchResponseTopics {
    let line = |partition_index: &i32| OffsetFetchResponsePartitions {
        partition_index: *partition_index,
        committed_offset: -1,
        metadata: Some(String::new()),
        error_code: error.code(),
        ..OffsetFetchResponsePartitions::default()
    };
    let partitions = topic.partition_indexes.iter().map(line).collect();
    OffsetFetchResponseTopics { name: topic.name.clone(), partitions, ..OffsetFetchResponseTopics::default() }
}

/// A topic as told in answers about one group.
fn alone(topic: OffsetFetchResponseTopics, error_code: i16) -> OffsetFetchResponseTopic {
    let line = |told: OffsetFetchResponsePartitions| OffsetFetchResponsePartition {
        partition_index: told.partition_index,
        committed_offset: told.committed_offset,
        committed_leader_epoch: told.committed_leader_epoch,
        metadata: told.metadata,
        error_code: if error_code == 0 { told.error_code } else { error_code },
        ..OffsetFetchResponsePartition::default()
    };
    let partitions = topic.partitions.into_iter().map(line).collect();
    OffsetFetchResponseTopic { name: topic.name, partitions, ..OffsetFetchResponseTopic::default() }
}
