//! How a script writes the answer to a request: `[t-0 ..] [error=..] [offset=..] [epoch=..] [end=..] [records=a/b] [hint=b2@3]`.

use goldenscript::ArgumentConsumer;

use super::Fallible;
use super::group::MemberAnswer;
use crate::types::{LeaderEpoch, Offset, Timestamp, Uuid};
use crate::wire::delete_records_response::{DeleteRecordsPartitionResult, DeleteRecordsResponse, DeleteRecordsTopicResult};
use crate::wire::elect_leaders_response::{ElectLeadersResponse, PartitionResult, ReplicaElectionResult};
use crate::wire::fetch_response::{self, FetchResponse, FetchableTopicResponse};
use crate::wire::produce_response::{self, PartitionProduceResponse, ProduceResponse, TopicProduceResponse};
use crate::wire::record::BatchBuilder;
use crate::wire::{ApiKey, DeleteRecordsRequest, ElectLeadersRequest, ErrorCode, Response};

/// One answer, as the script writes it.
pub(super) struct Answer {
    pub(super) error: ErrorCode,
    pub(super) offset: i64,
    pub(super) epoch: i32,
    pub(super) end: i64,
    records: Vec<String>,
    hint: (i32, i32),
    only: Vec<String>,
    /// Which request is meant, if it is not the oldest.
    pub(super) api: Option<ApiKey>,
    /// What concerns members only.
    pub(super) member: MemberAnswer,
}

impl Answer {
    pub(super) fn read(args: &mut ArgumentConsumer<'_>) -> Fallible<Answer> {
        let hint = args.take_key("hint").and_then(|hint| hint.strip_prefix('b')).and_then(|hint| hint.split_once('@'));
        let mut answer = Answer {
            error: error(args)?,
            offset: args.take_key("offset").map_or(Ok(-1), str::parse)?,
            epoch: args.take_key("epoch").map_or(Ok(-1), str::parse)?,
            end: args.take_key("end").map_or(Ok(-1), str::parse)?,
            records: args.take_key("records").map(|r| r.split('/').map(str::to_owned).collect()).unwrap_or_default(),
            hint: hint.map_or(Ok((-1, -1)), |(b, e)| Ok::<_, std::num::ParseIntError>((b.parse()?, e.parse()?)))?,
            only: Vec::new(),
            api: None,
            member: MemberAnswer::read(args)?,
        };
        while let Some(word) = args.next_pos() {
            match ApiKey::ALL.iter().find(|api| api.name() == word) {
                Some(api) => answer.api = Some(*api),
                None => answer.only.push(word.to_owned()),
            }
        }
        Ok(answer)
    }

    /// Whether this answer is about that partition; without any named, it is about all.
    pub(super) fn concerns(&self, topic: &str, index: i32) -> bool {
        self.only.is_empty() || self.only.contains(&format!("{topic}-{index}"))
    }

    pub(super) fn produce(&self, request: &crate::wire::ProduceRequest) -> Response {
        let responses = request.topic_data.iter().map(|topic| TopicProduceResponse {
            name: topic.name.clone(),
            topic_id: topic.topic_id,
            partition_responses: topic.partition_data.iter().map(|partition| self.produced(partition.index)).collect(),
            ..Default::default()
        });
        Response::Produce(ProduceResponse { responses: responses.collect(), ..Default::default() })
    }

    fn produced(&self, index: i32) -> PartitionProduceResponse {
        let (leader_id, leader_epoch) = self.hint;
        PartitionProduceResponse {
            index,
            error_code: self.error.code(),
            base_offset: self.offset,
            current_leader: produce_response::LeaderIdAndEpoch { leader_id, leader_epoch, ..Default::default() },
            ..Default::default()
        }
    }

    pub(super) fn fetch(&self, request: &crate::wire::FetchRequest, name_of: impl Fn(&str, Uuid) -> String) -> Response {
        let responses = request.topics.iter().map(|topic| {
            let name = name_of(&topic.topic, topic.topic_id);
            let partitions = topic.partitions.iter();
            FetchableTopicResponse {
                topic: topic.topic.clone(),
                topic_id: topic.topic_id,
                partitions: partitions.map(|p| self.fetched(p.partition, self.concerns(&name, p.partition))).collect(),
                ..Default::default()
            }
        });
        Response::Fetch(FetchResponse { responses: responses.collect(), ..Default::default() })
    }

    fn fetched(&self, partition_index: i32, concerned: bool) -> fetch_response::PartitionData {
        let (leader_id, leader_epoch) = self.hint;
        let mut records = None;
        if concerned && !self.records.is_empty() {
            let mut builder = BatchBuilder::new().at(Offset(self.offset.max(0)), LeaderEpoch(self.epoch.max(0)));
            for value in &self.records {
                builder.push(Timestamp(0), None, Some(value.as_bytes()), &[]);
            }
            records = Some(builder.build());
        }
        fetch_response::PartitionData {
            partition_index,
            error_code: if concerned { self.error.code() } else { 0 },
            current_leader: fetch_response::LeaderIdAndEpoch { leader_id, leader_epoch, ..Default::default() },
            records,
            ..Default::default()
        }
    }

    /// Records deleted up to `offset`.
    pub(super) fn delete_records(&self, request: &DeleteRecordsRequest) -> Response {
        let partition = DeleteRecordsPartitionResult {
            partition_index: request.topics[0].partitions[0].partition_index,
            low_watermark: self.offset,
            error_code: self.error.code(),
            ..DeleteRecordsPartitionResult::default()
        };
        let name = request.topics[0].name.clone();
        let topics = vec![DeleteRecordsTopicResult { name, partitions: vec![partition], ..Default::default() }];
        Response::DeleteRecords(DeleteRecordsResponse { topics, ..DeleteRecordsResponse::default() })
    }

    /// The same for each partition asked for.
    pub(super) fn elect_leaders(&self, request: &ElectLeadersRequest) -> Response {
        let result = |partition_id: &i32| PartitionResult {
            partition_id: *partition_id,
            error_code: self.error.code(),
            ..PartitionResult::default()
        };
        let results = request.topic_partitions.iter().flatten().map(|wanted| ReplicaElectionResult {
            topic: wanted.topic.clone(),
            partition_result: wanted.partitions.iter().map(result).collect(),
            ..ReplicaElectionResult::default()
        });
        let replica_election_results = results.collect();
        Response::ElectLeaders(ElectLeadersResponse { replica_election_results, ..ElectLeadersResponse::default() })
    }
}

/// The error named, if one is.
pub(super) fn error(args: &mut ArgumentConsumer<'_>) -> Fallible<ErrorCode> {
    let Some(name) = args.take_key("error") else { return Ok(ErrorCode::NONE) };
    Ok(*ErrorCode::ALL.iter().find(|code| code.name() == Some(name)).ok_or("no such error")?)
}
