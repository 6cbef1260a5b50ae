//! How far groups have come, and how they are sent elsewhere.
//!
//! Committed offsets are changed from outside of a group with generation -1, which its coordinator allows only while the group has no members: a
//! member would go on from where it is, and its next commit would undo the change. So the refusal (UNKNOWN_MEMBER_ID) is told as who the
//! members are. Whether a group is in use is judged where the change is made, not before it.
//!
//! Where a partition begins, ends, or comes to a moment is asked of its leader. A partition that has none for a few seconds is told with its error,
//! lest one of them hides all others.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tokio::time::timeout;

use super::Admin;
use super::brokers::{Brokers, Question, addresses};
use super::groups::{GroupError, describe};
use crate::types::{Address, LeaderEpoch, Offset, Timestamp, TopicPartition};
use crate::wire::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use crate::wire::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use crate::wire::offset_delete_request::{OffsetDeleteRequestPartition, OffsetDeleteRequestTopic};
use crate::wire::offset_fetch_request::OffsetFetchRequestGroup;
use crate::wire::{
    ApiKey, ErrorCode, ListOffsetsRequest, ListOffsetsResponse, MetadataResponse, OffsetCommitRequest, OffsetDeleteRequest,
    OffsetFetchRequest, OffsetFetchResponse, Request, Response,
};

/// First version of OffsetFetch that asks about several groups (KIP-709).
const FIRST_WITH_GROUPS: i16 = 8;
/// Attempts to find an offset before its partition is told with its error; with the usual back-off they take four seconds.
const ATTEMPTS_MAX: u32 = 6;

/// What a group has committed for a partition.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CommittedOffset {
    /// The partition.
    pub partition: TopicPartition,
    /// The record to be read next.
    pub offset: Offset,
    /// Leader epoch of the record before it; [`LeaderEpoch::NONE`] if nobody said.
    pub leader_epoch: LeaderEpoch,
    /// What the client stored beside it.
    pub metadata: String,
}

/// Which offset of a partition is asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OffsetSpec {
    /// That of the first record still there.
    Earliest,
    /// The high watermark.
    Latest,
    /// That of the first record of this moment or later.
    At(Timestamp),
}

impl OffsetSpec {
    /// The number in requests.
    fn timestamp(self) -> i64 {
        match self {
            OffsetSpec::Latest => -1,
            OffsetSpec::Earliest => -2,
            OffsetSpec::At(moment) => moment.0.max(0),
        }
    }
}

/// An offset found; `None` if no record is as young as was asked for. Or why none was found.
pub type Found = Result<Option<Offset>, ErrorCode>;

/// Offsets. Each question ends after `default.api.timeout.ms` at the latest.
impl Admin {
    /// All that a group has committed, in order of partitions. A group that nobody has heard of has committed nothing.
    ///
    /// # Errors
    /// When its coordinator refuses, or does not answer in time.
    pub async fn committed_offsets(&self, group: &str) -> Result<Vec<CommittedOffset>, GroupError> {
        let mut brokers = self.brokers.lock().await;
        let patience = brokers.begin();
        timeout(patience, committed(&mut brokers, group)).await.unwrap_or_else(|_| Err(brokers.gave_up()))
    }

    /// Lets a group without members go on from these offsets. One that nobody has heard of exists from then on.
    ///
    /// # Errors
    /// When it has members, when a partition is refused (others may be stored then), or when its coordinator does not answer in time.
    pub async fn commit_for_group(&self, group: &str, offsets: &BTreeMap<TopicPartition, Offset>) -> Result<(), GroupError> {
        let mut brokers = self.brokers.lock().await;
        let patience = brokers.begin();
        timeout(patience, commit(&mut brokers, group, offsets)).await.unwrap_or_else(|_| Err(brokers.gave_up()))
    }

    /// Forgets what a group has committed for these partitions, whose topics none of its members may be reading.
    ///
    /// # Errors
    /// When there is no such group, when a partition is refused (others may be forgotten then), or when its coordinator does not answer in time.
    pub async fn delete_group_offsets(&self, group: &str, partitions: &BTreeSet<TopicPartition>) -> Result<(), GroupError> {
        let mut brokers = self.brokers.lock().await;
        let patience = brokers.begin();
        timeout(patience, delete(&mut brokers, group, partitions)).await.unwrap_or_else(|_| Err(brokers.gave_up()))
    }

    /// Where these partitions begin, end, or come to a moment. Every partition is in the answer, some perhaps with an error.
    ///
    /// # Errors
    /// When no broker tells in time who leads them.
    pub async fn find_offsets(
        &self,
        partitions: &BTreeSet<TopicPartition>,
        spec: OffsetSpec,
    ) -> Result<BTreeMap<TopicPartition, Found>, GroupError> {
        let mut brokers = self.brokers.lock().await;
        let patience = brokers.begin();
        timeout(patience, find(&mut brokers, partitions, spec)).await.unwrap_or_else(|_| Err(brokers.gave_up()))
    }
}

async fn committed(brokers: &mut Brokers, group: &str) -> Result<Vec<CommittedOffset>, GroupError> {
    let request = |version| {
        let group_id = group.to_owned();
        Request::OffsetFetch(match version >= FIRST_WITH_GROUPS {
            true => {
                let groups = vec![OffsetFetchRequestGroup { group_id, topics: None, ..OffsetFetchRequestGroup::default() }];
                OffsetFetchRequest { groups, ..OffsetFetchRequest::default() }
            }
            false => OffsetFetchRequest { group_id, topics: None, ..OffsetFetchRequest::default() },
        })
    };
    let question = Question { api: ApiKey::OffsetFetch, changes: false, request: &request };
    let judge = |response| {
        let Response::OffsetFetch(response) = response else { return Err(ErrorCode::UNKNOWN_SERVER_ERROR) };
        committed_in(response, group)
    };
    let (_, committed) = brokers.ask_coordinator(group, &question, judge).await?;
    committed.map_err(|error| GroupError::refused(group, error))
}

/// What an answer of any version says.
fn committed_in(response: OffsetFetchResponse, group: &str) -> Result<Vec<CommittedOffset>, ErrorCode> {
    ErrorCode(response.error_code).ok()?;
    let mut all = Vec::new();
    for topic in response.topics {
        let name = Arc::from(topic.name);
        for p in topic.partitions {
            let place = (&name, p.partition_index);
            all.extend(told(place, p.committed_offset, p.committed_leader_epoch, p.metadata, p.error_code)?);
        }
    }
    for found in response.groups.into_iter().filter(|found| found.group_id == group) {
        ErrorCode(found.error_code).ok()?;
        for topic in found.topics {
            let name = Arc::from(topic.name);
            for p in topic.partitions {
                let place = (&name, p.partition_index);
                all.extend(told(place, p.committed_offset, p.committed_leader_epoch, p.metadata, p.error_code)?);
            }
        }
    }
    all.sort_by(|one, other| one.partition.cmp(&other.partition));
    Ok(all)
}

fn told(
    (topic, index): (&Arc<str>, i32),
    offset: i64,
    epoch: i32,
    metadata: Option<String>,
    error: i16,
) -> Result<Option<CommittedOffset>, ErrorCode> {
    ErrorCode(error).ok()?;
    let partition = TopicPartition { topic: topic.clone(), index };
    let (offset, leader_epoch, metadata) = (Offset(offset), LeaderEpoch(epoch), metadata.unwrap_or_default());
    Ok(Some(CommittedOffset { partition, offset, leader_epoch, metadata }).filter(|one| one.offset >= Offset::ZERO))
}

/// What is said of partitions, topic by topic, as requests want it.
fn by_topic<'a, T>(partitions: impl Iterator<Item = (&'a TopicPartition, T)>) -> BTreeMap<&'a str, Vec<(i32, T)>> {
    let mut topics: BTreeMap<&str, Vec<(i32, T)>> = BTreeMap::new();
    partitions.for_each(|(partition, said)| topics.entry(&partition.topic).or_default().push((partition.index, said)));
    topics
}

async fn commit(brokers: &mut Brokers, group: &str, offsets: &BTreeMap<TopicPartition, Offset>) -> Result<(), GroupError> {
    let request = |_| Request::OffsetCommit(commit_request(group, offsets));
    let question = Question { api: ApiKey::OffsetCommit, changes: true, request: &request };
    let judge = |response| {
        let Response::OffsetCommit(response) = response else { return Err(ErrorCode::UNKNOWN_SERVER_ERROR) };
        let told = response.topics.iter().flat_map(|topic| topic.partitions.iter().map(move |p| (&topic.name, p)));
        let errors: Vec<(String, ErrorCode)> = told
            .filter(|(_, partition)| partition.error_code != 0)
            .map(|(topic, partition)| (format!("{topic}-{}", partition.partition_index), ErrorCode(partition.error_code)))
            .collect();
        // One that may pass is a reason to ask again for all: to store the same offset twice does no harm.
        errors.iter().find(|(_, error)| error.is_retriable()).map_or(Ok(errors.first().cloned()), |(_, error)| Err(*error))
    };
    let (_, refused) = brokers.ask_coordinator(group, &question, judge).await?;
    match refused.map_err(|error| GroupError::refused(group, error))? {
        None => Ok(()),
        Some((_, code)) if is_about_members(code) => Err(describe(brokers, group).await?.in_use()),
        Some((what, code)) => Err(GroupError::Refused { what, code }),
    }
}

/// What those are told who commit from outside of a group that has members.
fn is_about_members(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::UNKNOWN_MEMBER_ID
            | ErrorCode::ILLEGAL_GENERATION
            | ErrorCode::REBALANCE_IN_PROGRESS
            | ErrorCode::STALE_MEMBER_EPOCH
    )
}

fn commit_request(group: &str, offsets: &BTreeMap<TopicPartition, Offset>) -> OffsetCommitRequest {
    let partition = |(partition_index, offset): (i32, &Offset)| OffsetCommitRequestPartition {
        partition_index,
        committed_offset: offset.0,
        committed_metadata: Some(String::new()),
        ..OffsetCommitRequestPartition::default()
    };
    let topic = |(name, partitions): (&str, Vec<(i32, &Offset)>)| OffsetCommitRequestTopic {
        name: name.to_owned(),
        partitions: partitions.into_iter().map(partition).collect(),
        ..OffsetCommitRequestTopic::default()
    };
    let topics = by_topic(offsets.iter()).into_iter().map(topic).collect();
    OffsetCommitRequest { group_id: group.to_owned(), topics, ..OffsetCommitRequest::default() }
}

async fn delete(brokers: &mut Brokers, group: &str, partitions: &BTreeSet<TopicPartition>) -> Result<(), GroupError> {
    let request = |_| Request::OffsetDelete(delete_request(group, partitions));
    let question = Question { api: ApiKey::OffsetDelete, changes: true, request: &request };
    let judge = |response| {
        let Response::OffsetDelete(response) = response else { return Err(ErrorCode::UNKNOWN_SERVER_ERROR) };
        ErrorCode(response.error_code).ok().map(|()| response)
    };
    let (_, deleted) = brokers.ask_coordinator(group, &question, judge).await?;
    let deleted = deleted.map_err(|error| GroupError::refused(group, error))?;
    let told = deleted.topics.iter().flat_map(|topic| topic.partitions.iter().map(move |p| (&topic.name, p)));
    let refused = told.map(|(topic, p)| (topic, p.partition_index, ErrorCode(p.error_code))).find(|(_, _, code)| !code.is_none());
    match refused {
        None => Ok(()),
        Some((_, _, ErrorCode::GROUP_SUBSCRIBED_TO_TOPIC)) => Err(describe(brokers, group).await?.in_use()),
        Some((topic, index, code)) => Err(GroupError::Refused { what: format!("{topic}-{index}"), code }),
    }
}

fn delete_request(group: &str, partitions: &BTreeSet<TopicPartition>) -> OffsetDeleteRequest {
    let partition = |(partition_index, ())| OffsetDeleteRequestPartition { partition_index, ..Default::default() };
    let topic = |(name, partitions): (&str, Vec<(i32, ())>)| OffsetDeleteRequestTopic {
        name: name.to_owned(),
        partitions: partitions.into_iter().map(partition).collect(),
        ..OffsetDeleteRequestTopic::default()
    };
    let topics = by_topic(partitions.iter().map(|partition| (partition, ()))).into_iter().map(topic).collect();
    OffsetDeleteRequest { group_id: group.to_owned(), topics, ..OffsetDeleteRequest::default() }
}

async fn find(
    brokers: &mut Brokers,
    partitions: &BTreeSet<TopicPartition>,
    spec: OffsetSpec,
) -> Result<BTreeMap<TopicPartition, Found>, GroupError> {
    let mut found: BTreeMap<TopicPartition, Found> = BTreeMap::new();
    let is_open = |found: &BTreeMap<TopicPartition, Found>, partition: &TopicPartition| match found.get(partition) {
        None => true,
        Some(told) => told.as_ref().is_err_and(|error| error.is_retriable() && *error != ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
    };
    for attempt in 1..=ATTEMPTS_MAX {
        let open: Vec<&TopicPartition> = partitions.iter().filter(|partition| is_open(&found, partition)).collect();
        if open.is_empty() {
            break;
        }
        let topics: BTreeSet<Arc<str>> = open.iter().map(|partition| partition.topic.clone()).collect();
        let metadata = brokers.metadata(&topics).await?;
        let mut by_leader: BTreeMap<Address, Vec<&TopicPartition>> = BTreeMap::new();
        for partition in open {
            match leader(&metadata, partition) {
                Ok(at) => by_leader.entry(at).or_default().push(partition),
                Err(error) => drop(found.insert(partition.clone(), Err(error))),
            }
        }
        for (at, asked) in by_leader {
            ask_leader(brokers, &at, &asked, spec, &mut found).await?;
        }
        if attempt < ATTEMPTS_MAX && partitions.iter().any(|partition| is_open(&found, partition)) {
            brokers.pause().await;
        }
    }
    Ok(found)
}

/// Who leads a partition.
fn leader(metadata: &MetadataResponse, wanted: &TopicPartition) -> Result<Address, ErrorCode> {
    let topic = metadata.topics.iter().find(|topic| topic.name.as_deref() == Some(&*wanted.topic));
    let topic = topic.ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)?;
    ErrorCode(topic.error_code).ok()?;
    let partition = topic.partitions.iter().find(|partition| partition.partition_index == wanted.index);
    let partition = partition.ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)?;
    let leader = addresses(metadata).into_iter().find(|(broker, _)| broker.0 == partition.leader_id);
    leader.map(|(_, at)| at).ok_or(ErrorCode::LEADER_NOT_AVAILABLE)
}

/// Asks one leader about its partitions; each is told something then.
async fn ask_leader(
    brokers: &mut Brokers,
    at: &Address,
    partitions: &[&TopicPartition],
    spec: OffsetSpec,
    found: &mut BTreeMap<TopicPartition, Found>,
) -> Result<(), GroupError> {
    let request = |_| Request::ListOffsets(list_request(partitions, spec));
    let question = Question { api: ApiKey::ListOffsets, changes: false, request: &request };
    let response = match brokers.ask(at, &question).await? {
        Some(Response::ListOffsets(response)) => response,
        Some(_) | None => {
            found.extend(partitions.iter().map(|partition| ((*partition).clone(), Err(ErrorCode::NETWORK_EXCEPTION))));
            return Ok(());
        }
    };
    for partition in partitions {
        found.insert((*partition).clone(), found_in(&response, partition));
    }
    Ok(())
}

fn list_request(partitions: &[&TopicPartition], spec: OffsetSpec) -> ListOffsetsRequest {
    let partition = |(partition_index, timestamp)| ListOffsetsPartition { partition_index, timestamp, ..Default::default() };
    let topic = |(name, partitions): (&str, Vec<(i32, i64)>)| ListOffsetsTopic {
        name: name.to_owned(),
        partitions: partitions.into_iter().map(partition).collect(),
        ..ListOffsetsTopic::default()
    };
    let wanted = partitions.iter().map(|partition| (*partition, spec.timestamp()));
    ListOffsetsRequest { replica_id: -1, topics: by_topic(wanted).into_iter().map(topic).collect(), ..Default::default() }
}

fn found_in(response: &ListOffsetsResponse, wanted: &TopicPartition) -> Found {
    let topic = response.topics.iter().find(|topic| *topic.name == *wanted.topic);
    let partition = topic.and_then(|topic| topic.partitions.iter().find(|partition| partition.partition_index == wanted.index));
    let partition = partition.ok_or(ErrorCode::UNKNOWN_SERVER_ERROR)?;
    ErrorCode(partition.error_code).ok()?;
    Ok(Some(Offset(partition.offset)).filter(|offset| *offset >= Offset::ZERO))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::wire::offset_fetch_response::{
        OffsetFetchResponseGroup, OffsetFetchResponsePartition, OffsetFetchResponsePartitions, OffsetFetchResponseTopic,
        OffsetFetchResponseTopics,
    };

    fn partition(topic: &str, index: i32) -> TopicPartition {
        TopicPartition { topic: Arc::from(topic), index }
    }

    #[test]
    fn old_and_new_answers_say_the_same_and_none_is_left_out() {
        let old = |partition_index, committed_offset| OffsetFetchResponsePartition {
            partition_index,
            committed_offset,
            ..Default::default()
        };
        let topic =
            OffsetFetchResponseTopic { name: "orders".into(), partitions: vec![old(1, 7), old(0, -1)], ..Default::default() };
        let response = OffsetFetchResponse { topics: vec![topic], ..Default::default() };
        let from_old = committed_in(response, "billing").unwrap();
        let new = |partition_index, committed_offset| OffsetFetchResponsePartitions {
            partition_index,
            committed_offset,
            ..Default::default()
        };
        let topic =
            OffsetFetchResponseTopics { name: "orders".into(), partitions: vec![new(1, 7), new(0, -1)], ..Default::default() };
        let group =
            |name: &str| OffsetFetchResponseGroup { group_id: name.into(), topics: vec![topic.clone()], ..Default::default() };
        let response = OffsetFetchResponse { groups: vec![group("other"), group("billing")], ..Default::default() };
        assert_eq!(committed_in(response, "billing").unwrap(), from_old);
        assert_eq!(
            from_old.iter().map(|one| (one.partition.clone(), one.offset)).collect::<Vec<_>>(),
            [(partition("orders", 1), Offset(7))]
        );
    }

    #[test]
    fn an_error_of_one_partition_is_an_error() {
        let broken = OffsetFetchResponsePartition { error_code: ErrorCode::UNSTABLE_OFFSET_COMMIT.code(), ..Default::default() };
        let topic = OffsetFetchResponseTopic { partitions: vec![broken], ..Default::default() };
        let response = OffsetFetchResponse { topics: vec![topic], ..Default::default() };
        assert_eq!(committed_in(response, "billing"), Err(ErrorCode::UNSTABLE_OFFSET_COMMIT));
    }

    #[test]
    fn partitions_of_one_topic_are_asked_for_together() {
        let offsets = [(partition("a", 0), Offset(1)), (partition("a", 3), Offset(2)), (partition("b", 0), Offset(3))];
        let request = commit_request("billing", &offsets.iter().cloned().collect());
        let told: Vec<_> = request.topics.iter().map(|topic| (topic.name.as_str(), topic.partitions.len())).collect();
        assert_eq!(told, [("a", 2), ("b", 1)]);
        assert_eq!((request.generation_id_or_member_epoch, request.member_id.as_str()), (-1, ""));
        let partitions: Vec<&TopicPartition> = offsets.iter().map(|(partition, _)| partition).collect();
        let asked = list_request(&partitions, OffsetSpec::At(Timestamp(-9)));
        assert_eq!(asked.topics.iter().map(|topic| topic.partitions.len()).collect::<Vec<_>>(), [2, 1]);
        assert!(
            asked.topics[0].partitions.iter().all(|partition| partition.timestamp == 0),
            "negative ones mean ends of the log"
        );
    }

    #[test]
    fn a_moment_after_the_last_record_has_no_offset() {
        use crate::wire::list_offsets_response::{ListOffsetsPartitionResponse, ListOffsetsTopicResponse};
        let answer = |offset, error_code| {
            let partitions = vec![ListOffsetsPartitionResponse { offset, error_code, ..Default::default() }];
            let topics = vec![ListOffsetsTopicResponse { name: "orders".into(), partitions, ..Default::default() }];
            found_in(&ListOffsetsResponse { topics, ..Default::default() }, &partition("orders", 0))
        };
        assert_eq!(answer(5, 0), Ok(Some(Offset(5))));
        assert_eq!(answer(-1, 0), Ok(None));
        assert_eq!(answer(-1, 6), Err(ErrorCode::NOT_LEADER_OR_FOLLOWER));
    }
}
