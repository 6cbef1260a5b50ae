//! OffsetFetch: from where a group goes on.
//!
//! Told is what is committed, that is, what was below the high watermark at some moment before the answer. A partition of which nothing is
//! committed has the offset -1, and so have all partitions of a group that nobody has heard of: clients take that for "begin where you like",
//! and an error for a reason to give up. Transactions would make offsets *unstable* for a while; there are none, so `require_stable` is
//! always met.

use std::sync::Arc;

use crate::types::TopicPartition;
use crate::wire::ErrorCode;
use crate::wire::offset_fetch_request::OffsetFetchRequestGroup;
use crate::wire::offset_fetch_response::{OffsetFetchResponseGroup, OffsetFetchResponsePartitions, OffsetFetchResponseTopics};

use super::groups::Group;
use super::offsets::CommittedOffset;
use super::shard::Shard;

impl Shard {
    /// A member of the newer protocol says in which epoch it lives; what it is told must not be of another. One of the classic protocol may say in
    /// which generation, and then the same goes for it (Kafka's coordinator does not look there).
    fn check_reader(&self, request: &OffsetFetchRequestGroup) -> Result<(), ErrorCode> {
        let (Some(group), Some(member)) = (self.group(&request.group_id), &request.member_id) else { return Ok(()) };
        let says_epoch = request.member_epoch >= 0;
        match &group.consumer {
            Some(_) if member.is_empty() && !says_epoch => Ok(()),
            Some(consumers) => consumers.check_epoch(member, request.member_epoch),
            None if says_epoch => group.classic.check_generation(member, None, request.member_epoch),
            None => Ok(()),
        }
    }

    /// What a group has committed: of the partitions asked about, or of all.
    #[must_use]
    pub fn fetch_offsets(&self, request: &OffsetFetchRequestGroup) -> OffsetFetchResponseGroup {
        let told = OffsetFetchResponseGroup { group_id: request.group_id.clone(), ..Default::default() };
        if let Err(error) = self.check_active() {
            return OffsetFetchResponseGroup { error_code: error.code(), ..told };
        }
        if let Err(error) = self.check_reader(request) {
            return OffsetFetchResponseGroup { error_code: error.code(), ..told };
        }
        // Groups whose end is not committed so far are still told of.
        let group = self.groups.get(request.group_id.as_str());
        let topics = match &request.topics {
            Some(topics) => topics.iter().map(|topic| wanted(group, &topic.name, &topic.partition_indexes)).collect(),
            None => group.map(all).unwrap_or_default(),
        };
        OffsetFetchResponseGroup { topics, ..told }
    }
}

fn wanted(group: Option<&Group>, name: &str, indices: &[i32]) -> OffsetFetchResponseTopics {
    let topic: Arc<str> = Arc::from(name);
    let told = |index: &i32| {
        let partition = TopicPartition { topic: topic.clone(), index: *index };
        answer(*index, group.and_then(|group| group.offsets.committed(&partition)))
    };
    let partitions = indices.iter().map(told).collect();
    OffsetFetchResponseTopics { name: name.to_owned(), partitions, ..Default::default() }
}

fn all(group: &Group) -> Vec<OffsetFetchResponseTopics> {
    let mut topics: Vec<OffsetFetchResponseTopics> = Vec::new();
    for (partition, value) in group.offsets.all_committed() {
        if topics.last().is_none_or(|topic| topic.name != *partition.topic) {
            topics.push(OffsetFetchResponseTopics { name: partition.topic.to_string(), ..Default::default() });
        }
        let topic = topics.last_mut().expect("there is one now");
        topic.partitions.push(answer(partition.index, Some(value)));
    }
    topics
}

fn answer(partition_index: i32, value: Option<&CommittedOffset>) -> OffsetFetchResponsePartitions {
    OffsetFetchResponsePartitions {
        partition_index,
        committed_offset: value.map_or(-1, |value| value.offset.0),
        committed_leader_epoch: value.map_or(-1, |value| value.leader_epoch),
        metadata: Some(value.map_or_else(String::new, |value| value.metadata.to_string())),
        error_code: ErrorCode::NONE.code(),
        ..Default::default()
    }
}
